//! Decides who waits and who rings: bounded queues with priorities over shared seats.
//!
//! **Order.** Within a queue and between queues that share seats, calls from emergency lines go first, then those that came
//! back to the head, then by the time they have waited, to which each step of priority adds `ageing`. So a call is overtaken
//! by those of higher priority that come soon after it, and by no others, however many come. A call waits for one queue at
//! a time.
//!
//! **Skills.** A queue may ask for a skill: its own, or the hotline that was called. The level that suffices falls with the
//! wait, as its list says; a seat that has less is not rung before that. Experts are rung for a skill of theirs, and for others
//! only after a wait of its own. A caller may be kept for the seat that served it last, for a bounded time.
//!
//! **Finding.** Calls that ask for the same stand in one group, in which the first is content with the least; free seats are
//! listed by each skill and level. So a seat that becomes free costs as many looks as there are groups, not callers.
//!
//! **Leases.** `Ring` takes a channel of the seat for one call. It ends exactly once: by `Stop` (the queue says so),
//! by `Refused` (the seat says so), or it becomes a conversation by `Answered` and ends by `Freed`. All inputs are
//! idempotent: one about a lease that is gone changes nothing.
//!
//! **What the caller of this machine must do.** Carry out outputs before it gives the next input about the same call.
//! When a seat answers whose ringing was stopped already (its 200 crossed our CANCEL), acknowledge and end that leg
//! and give no `Answered`: the channel is free since `Stop`, and an `Answered` is ignored. After an `Answered`
//! that held, give one `Freed` when the seat's leg is gone, or one `Dropped` or `Lost`, whatever became of the caller.
//!
//! **Failure.** A seat that did not answer within `ring_timeout` (the queue stops it) or that refused is not tried
//! for that call during `rest_after_failure`; then it is, but among free seats those that failed the call less often
//! go first. A seat of one channel is a person who is away or a phone that is dead: it rests for every call. A seat
//! of many channels is a PBX: one busy extension says nothing about the others, so it rests for that call alone,
//! and moves behind the other seats in the order of idleness. With a single seat the call retries until `max_wait`.
//!
//! **Busy seats.** A seat is rung only while it has a channel that no call uses, however that call reached it: `seat` counts.
//!
//! **Absence.** A seat whose phone died in a conversation is in doubt, as one that does not answer. A seat in doubt rests longer each time, up to `rest_max`, and stands behind all others. While it rings, the
//! call still wants a seat that is in no doubt: so a phone that is off costs one caller one ring. A PBX is in doubt only
//! when it could not be reached at all.
//!
//! **No count of rings.** Rests bound how often a call rings, `max_wait` how long. A bound that another room counts would
//! leave a call here that nobody rings for, in the way of all behind it.
//!
//! **No seats.** A queue may send on those whom nobody could ever serve.
//!
//! **Shares.** One source takes no more than its share of a queue's places, whatever it sends, and some are kept for calls of
//! high priority. A call that comes back to the head is not refused for either.
//!
//! **The head.** A call that was served here and comes back (a transfer failed) goes to the front of its priority,
//! before a full queue's limit, with the wait it had; its limit counts both waits, but leaves time to ring one seat.

#[cfg(test)]
mod absence_tests;
#[cfg(test)]
mod choice_tests;
mod configure;
mod crew;
mod deserted;
mod dispatch;
mod free;
mod last_seats;
mod pace;
mod past_waits;
mod queues;
#[cfg(test)]
mod random_tests;
mod ranks;
mod recover;
#[cfg(test)]
mod row_tests;
mod shifts;
mod state;
mod strategy;
#[cfg(test)]
mod tests;
mod waiter;

pub use crate::event::seat::MissCause;
pub use crate::event::{Choice, Strategy};
pub use crew::Crew;
pub use queues::Queues;

use crate::base::CallId;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    pub name: Arc<str>,
    pub seats: Vec<Arc<str>>,
    pub strategy: Strategy,
    /// The skill that its calls need; none: the hotline that was called.
    pub skill: Option<Arc<str>>,
    /// The least level of it that suffices after such a wait, in the order of waits; empty: any will do.
    pub levels: Vec<(Duration, u8)>,
    /// When experts are rung for a call that needs no skill of theirs; none: never.
    pub experts_after: Option<Duration>,
    /// A caller waits so long for the seat that served it last; zero: not at all.
    pub sticky_wait: Duration,
    /// If that was no longer ago than this.
    pub sticky_for: Duration,
    /// The wait that counts as much as one step of priority.
    pub ageing: Duration,
    pub ring_timeout: Duration,
    /// After it the caller hears the apology and gets 480.
    pub max_wait: Duration,
    pub max_length: usize,
    /// One source may take so many of these.
    pub share: usize,
    /// Places of these that are kept for calls of high priority.
    pub reserved: usize,
    /// How long a seat that did not answer or failed is passed over.
    pub rest_after_failure: Duration,
    /// At most so long, however often it did not answer.
    pub rest_max: Duration,
    /// A seat that failed one caller again and again is passed over for it at most so long.
    pub refusal_max: Duration,
    /// How long a seat may write about a call of this queue before it takes another.
    pub wrap_up: Duration,
    /// Callers whom no seat could ever serve are sent on when that has lasted so long, and those who come then at once; none:
    /// they wait.
    pub without_seats: Option<Duration>,
}

/// From 0 to 9: the higher goes first. The more urgent of two is the lesser, as with places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(u8);

#[derive(Clone, Debug)]
pub enum Input {
    /// A caller is to wait. Joining another queue leaves the first.
    Join(Join),
    /// The caller left, or the call went elsewhere. Stops its ringing; frees nothing that answered.
    Leave { call: CallId },
    /// A seat that rang for this call answered. Others that ring for it are stopped.
    Answered { call: CallId, seat: Arc<str> },
    /// A seat that is called for this call says that it rings.
    Rang { call: CallId, seat: Arc<str> },
    /// A seat that rang for this call refused or failed.
    Refused { call: CallId, seat: Arc<str>, failure: MissCause },
    /// Something came from the seat's address; `request`: by its own will.
    SignOfLife { seat: Arc<str>, request: bool },
    /// A seat answered this call of that queue, and was gone before it could be heard.
    Dropped { call: CallId, queue: Arc<str>, seat: Arc<str> },
    /// The seat's phone died in the conversation of this call of that queue, however it had come to it.
    Lost { call: CallId, queue: Arc<str>, seat: Arc<str> },
    /// The conversation of this call on this seat is over.
    Freed { call: CallId, seat: Arc<str> },
    /// The call is over, whatever was said of it or was not: nothing of it is left here.
    Over { call: CallId },
}

#[derive(Clone, Debug)]
pub struct Join {
    pub call: CallId,
    pub queue: Arc<str>,
    pub priority: Priority,
    /// Back to the front of its priority, with the wait it had (a transfer that failed).
    pub head: bool,
    /// The trunk or seat that it comes from.
    pub source: Arc<str>,
    /// The hotline that was called.
    pub hotline: Arc<str>,
    /// The caller's number, where it is known.
    pub caller: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Call this seat for this call, for this reason; one of its channels is taken.
    Ring { call: CallId, seat: Arc<str>, choice: Box<Choice> },
    /// Stop calling it; its channel is free again. `elsewhere`: another seat answered.
    Stop { call: CallId, seat: Arc<str>, elsewhere: bool },
    /// The queue is full or unknown; the call does not wait.
    Full { call: CallId },
    /// The call waited its maximum and no longer waits.
    TimedOut { call: CallId },
    /// No seat could ever serve the call, which does not wait, or no longer.
    NoSeat { call: CallId },
}

impl Output {
    /// The call that it is about.
    pub fn call(&self) -> CallId {
        match self {
            Output::Ring { call, .. } | Output::Stop { call, .. } => *call,
            Output::Full { call } | Output::TimedOut { call } | Output::NoSeat { call } => *call,
        }
    }
}

impl Queue {
    /// Tells whether it matters to its calls what seats know.
    fn asks_for_skill(&self) -> bool {
        !self.levels.is_empty() || self.strategy == Strategy::SkillFirst
    }

    /// Tells whether a call of it may need this skill.
    fn may_ask_for(&self, skill: &Arc<str>) -> bool {
        self.asks_for_skill() && self.skill.as_ref().is_none_or(|own| own == skill)
    }
}

impl Priority {
    /// Calls that an emergency line sends: they are ahead of all others, and places are kept for them.
    pub const HIGH: Priority = Priority(9);
    pub const NORMAL: Priority = Priority(5);
    /// Callers whose numbers an operator lets go before others.
    pub const PREFERRED: Priority = Priority(8);

    /// The priority of this level; none for the level of emergencies and what is above it.
    pub fn new(level: u8) -> Option<Priority> {
        (level < Priority::HIGH.0).then_some(Priority(level))
    }

    pub fn level(self) -> u8 {
        self.0
    }
}

impl Ord for Priority {
    fn cmp(&self, other: &Priority) -> Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Priority) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
