//! Decides who waits and who rings: bounded first-in-first-out queues with two priorities over shared seats.
//!
//! **Order.** Within a queue and between queues that share seats, calls go by priority, then those that came back to
//! the head, then by the time they have waited. A call waits for one queue at a time.
//!
//! **Leases.** `Ring` takes a channel of the seat for one call. It ends exactly once: by `Stop` (the queue says so),
//! by `Refused` (the seat says so), or it becomes a conversation by `Answered` and ends by `Freed`. All inputs are
//! idempotent: one about a lease that is gone changes nothing.
//!
//! **What the caller of this machine must do.** Carry out outputs before it gives the next input about the same call.
//! When a seat answers whose ringing was stopped already (its 200 crossed our CANCEL), acknowledge and end that leg
//! and give no `Answered`: the channel is free since `Stop`, and an `Answered` is ignored. After an `Answered`
//! that held, give one `Freed` when the seat's leg is gone, whatever became of the caller.
//!
//! **Failure.** A seat that did not answer within `ring_timeout` (the queue stops it) or that refused is not tried
//! for that call during `rest_after_failure`; then it is, but among free seats those that failed the call less often
//! go first. A seat of one channel is a person who is away or a phone that is dead: it rests for every call. A seat
//! of many channels is a PBX: one busy extension says nothing about the others, so it rests for that call alone,
//! and moves behind the other seats in the order of idleness. With a single seat the call retries until `max_wait`.
//!
//! **Busy seats.** A seat is rung only while it has a channel that no call uses, however that call reached it: `seat` counts.
//!
//! **Absence.** A seat in doubt rests longer each time, up to `rest_max`, and stands behind all others. While it rings, the
//! call still wants a seat that is in no doubt: so a phone that is off costs one caller one ring. A PBX is in doubt only
//! when it could not be reached at all.
//!
//! **No count of rings.** Rests bound how often a call rings, `max_wait` how long. A bound that another room counts would
//! leave a call here that nobody rings for, in the way of all behind it.
//!
//! **Shares.** One source takes no more than its share of a queue's places, whatever it sends, and some are kept for calls of
//! high priority. A call that comes back to the head is not refused for either.
//!
//! **The head.** A call that was served here and comes back (a transfer failed) goes to the front of its priority,
//! before a full queue's limit, with the wait it had; its limit counts both waits, but leaves time to ring one seat.

#[cfg(test)]
mod absence_tests;
mod configure;
mod past_waits;
mod queues;
#[cfg(test)]
mod random_tests;
mod recover;
mod state;
mod strategy;
#[cfg(test)]
mod tests;
mod waiter;

pub use queues::Queues;

use crate::base::CallId;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One seat after another, the longest idle first.
    OneByOne,
    /// All idle seats at once; the first answer wins.
    All,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    pub name: Arc<str>,
    pub seats: Vec<Arc<str>>,
    pub strategy: Strategy,
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    High,
    Normal,
}

/// Why a seat that rang is not there for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It said no, and so it is alive: busy, do not disturb.
    Declined,
    /// It rang, and nobody came.
    Missed,
    /// No sign of it, or the word that nobody is there.
    Unreachable,
    /// It could not be called for a reason of ours.
    Ours,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// `head`: back to the front of its priority, with the wait it had (a transfer that failed).
    /// Joining another queue leaves the first. `source`: the trunk or seat that it comes from.
    Join { call: CallId, queue: Arc<str>, priority: Priority, head: bool, source: Arc<str> },
    /// The caller left, or the call went elsewhere. Stops its ringing; frees nothing that answered.
    Leave { call: CallId },
    /// A seat that rang for this call answered. Others that ring for it are stopped.
    Answered { call: CallId, seat: Arc<str> },
    /// A seat that is called for this call says that it rings.
    Rang { call: CallId, seat: Arc<str> },
    /// A seat that rang for this call refused or failed.
    Refused { call: CallId, seat: Arc<str>, failure: Failure },
    /// Something came from the seat's address; `request`: by its own will.
    SignOfLife { seat: Arc<str>, request: bool },
    /// The conversation of this call on this seat is over.
    Freed { call: CallId, seat: Arc<str> },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Call this seat for this call; one of its channels is taken.
    Ring { call: CallId, seat: Arc<str> },
    /// Stop calling it; its channel is free again. `elsewhere`: another seat answered.
    Stop { call: CallId, seat: Arc<str>, elsewhere: bool },
    /// The queue is full or unknown; the call does not wait.
    Full { call: CallId },
    /// The call waited its maximum and no longer waits.
    TimedOut { call: CallId },
}
