//! Legs joined into a call: what happens to a caller, step by step of its dial plan.
//!
//! | stage | it is left for |
//! |---|---|
//! | Opening | the first step, once the caller's media is settled; a plan that refuses at once needs none |
//! | Announcing | the next step when all is spoken, or the end that was announced |
//! | Offering | the next step by a key, else the end |
//! | Asking | a menu's or a callback's next step by a key or none; after a talk the opinion, and the end |
//! | Queued | Talking when a seat answers or picks the call up; else the next step, the queue's overflow, the end |
//! | Ringing | Talking when a target answers; else the next of its chain, then the next step |
//! | Calling | (a seat places the call) Talking when the person answers; else the end |
//! | Talking | Queued (sent there; at the head: its seat is dead, its hold forgotten), Asking, Ringing (a target unheard), the end |
//! | Clearing | Done, once media is closed and the record is on disk |
//!
//! A call names its legs by numbers of its own ([`LegNo`]); the switch knows which dialog each one is, where it is and
//! what it may be told. The call's journal entries use the same numbers.

mod abort;
mod accepting;
#[cfg(test)]
mod answer_tests;
mod asking;
mod audio;
mod begin;
mod calling;
#[cfg(test)]
mod calling_tests;
mod clear;
mod desk;
mod dropped;
pub mod feature_codes;
mod hold;
mod interface;
mod joining;
#[cfg(test)]
mod joining_tests;
#[cfg(test)]
mod late_tests;
mod leave;
#[cfg(test)]
mod leave_tests;
mod message;
#[cfg(test)]
mod message_tests;
mod notice;
mod overflow;
mod party;
mod profile;
#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod row_tests;
pub mod spoken;
mod status_map;
mod step;
mod supervise;
mod talk;
#[cfg(test)]
mod tests;
mod transfer;
#[cfg(test)]
mod transfer_tests;
#[cfg(test)]
mod urgent_tests;
mod verbs;
#[cfg(test)]
mod verbs_tests;
mod view;
mod waiting;
#[cfg(test)]
mod waiting_tests;
mod watch;
#[cfg(test)]
mod ways_tests;

use crate::base::trap::{self, Trap};
use crate::base::{Mono, Now};
use crate::event::{By, MessageEnd, Party, Result, What};
use crate::plan::{LineSurvey, Step};
pub use abort::AbortedLeg;
pub use asking::Survey;
pub use calling::Placed;
pub use interface::{Audio, Dialled, FirstOffer, Input, LegEvent, Output, QueueCommand, QueueEvent};
pub use message::{MessageCommand, Messages};
use profile::Agreed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use talk::Talk;
pub use talk::{Goal, Refusal, TalkSnapshot};
pub use transfer::Request;
pub use view::{LegStage, LegView};
pub use waiting::{Callers, Waiting};
use watch::Awaited;

/// The number of a leg within its call; the caller's is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegNo(pub u64);

/// The caller's leg.
pub const CALLER: LegNo = LegNo(0);

/// The policy that an operator sets for all calls of a trunk or line.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The longest conversation.
    pub max_talk: Duration,
    /// Spoken before a caller who waited too long, or found the queue full, is sent away.
    pub apology: Option<Arc<str>>,
    pub music: Arc<str>,
    /// Spoken to the seat when every route of a transfer failed, or it could not begin.
    pub transfer_failed: Option<Arc<str>>,
    /// Spoken to a seat that must say which city's emergency line it means.
    pub choose_area: Option<Arc<str>>,
    /// The most targets and lines that plan and moves may try for one call. Seats that a queue rings are not counted: it
    /// bounds them by rests and by the longest wait. An emergency line is always tried.
    pub max_parties: u64,
    /// How long two seats talk on, or a consultation goes on, when the caller has gone. Two seats end sooner when others wait.
    pub after_caller: Duration,
    /// No prompt is longer: one that has not ended by then is taken for ended.
    pub longest_prompt: Duration,
    pub callers: Callers,
    /// A caller whom everybody holds for so long is forgotten: its seat is told, after twice the time a supervisor.
    pub hold_alarm: Duration,
    /// After it the caller goes to the head of its queue.
    pub hold_most: Duration,
    /// A party that hangs up sooner after its answer has served nobody; zero: every answer counts.
    pub least_talk: Duration,
}

/// One call. Times out by [`Call::deadline`]; ends by [`Output::Done`], exactly once.
pub struct Call {
    steps: Arc<[Step]>,
    /// Index of the step after the current one.
    next: usize,
    /// A caller still unanswered after this is answered, since carriers drop long unanswered calls.
    early_max: Duration,
    policy: Arc<Policy>,
    stage: Stage,
    caller: Caller,
    /// The caller gets our offer with the answer and no sooner: until then it hears nothing of us.
    late: bool,
    /// Moves asked for so far.
    transfers: u32,
    /// The side that left the conversation last.
    left_by: Option<(By, Option<u8>)>,
    /// Parties that ring or talk.
    parties: BTreeMap<LegNo, Called>,
    taking: Option<Taking>,
    /// Legs whose media the shard has not closed yet, and what each one has agreed to.
    media: BTreeMap<LegNo, Option<Agreed>>,
    next_leg: u64,
    /// Parties tried, as `max_parties` counts them.
    tried: u64,
    next_cue: u32,
    rang: bool,
    /// How the last party that rang failed: what the caller is told of when the plan has no more to try, and who asked for the
    /// move under way.
    failure: Option<(u16, Option<u8>)>,
    /// Numbers that their networks refused for themselves: no other way to one of these is tried, but to an emergency line.
    refused: Vec<String>,
    /// The caller was answered by another than us.
    elsewhere: bool,
    max_talk_at: Option<Mono>,
    early_until: Option<Mono>,
    announcer: waiting::Announcer,
    /// The caller goes before others: for its number, or by the plan, whose word holds wherever the caller comes from there.
    preferred: bool,
    high: bool,
    /// Nobody could ring the caller back: no call back is offered.
    unlisted: bool,
    /// The line's own word about asking for an opinion.
    line_survey: Option<Arc<LineSurvey>>,
    /// The caller was not served by its queue.
    overflow: Option<overflow::Overflow>,
    /// The caller is yet to be told that the call is recorded.
    untold: Option<notice::Untold>,
    caller_closed: bool,
    /// How the call ended, once it has.
    outcome: Option<Outcome>,
    /// Work that others have to do, and by when.
    watched: Option<(Awaited, Mono)>,
    /// The audio that each leg was last told to hear.
    hearing: BTreeMap<LegNo, Audio>,
    out: Vec<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// No provisional response but 100.
    Trying,
    /// 183 with our SDP is out: the caller hears us.
    Early,
    /// We call it, and it has not answered.
    Called,
    Answered,
    Gone,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    /// The caller's media is not settled yet.
    Opening,
    Announcing {
        cue: u32,
        prompt: Arc<str>,
        then: Then,
    },
    /// A key connects; without it the caller is sent away.
    Offering {
        key: char,
        until: Mono,
    },
    Queued {
        queue: Arc<str>,
    },
    /// A target of the plan rings; the others of the chain follow.
    Ringing {
        leg: LegNo,
        target: usize,
        until: Mono,
    },
    /// A seat's phone rings that places this call, or the person's whom it calls.
    Calling(Box<calling::Calling>),
    Talking(Box<Talk>),
    Asking(Box<asking::Asking>),
    Message(Box<message::Message>),
    /// All legs are over; media or journal are not.
    Clearing,
    Done,
}

/// The next move after a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    NextStep,
    /// The apology was spoken: refuse.
    Refuse(Outcome),
}

/// A party that is to have another's place.
#[derive(Clone, Copy, Debug)]
struct Taking {
    new: LegNo,
    old: LegNo,
    /// Until when it may ring, where we call it; none: it called us.
    until: Option<Mono>,
}

#[derive(Clone, Debug)]
struct Called {
    party: Party,
    /// It called us, and has no final response yet.
    unanswered: bool,
    /// We called it, and its network may speak before it answers.
    early_media: bool,
    /// It said that it rings.
    rings: bool,
    accept: accepting::Accept,
    /// Since when it and the caller have each other, a target of a consultation not before.
    met: Option<Mono>,
    /// The party that has fetched it, to ask it or to talk as three.
    assists: Option<Arc<str>>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    pub result: Result,
    pub by: By,
    pub status: Option<u16>,
    pub q850: Option<u8>,
}

impl Call {
    /// A call that has just been offered; [`Call::start`] sets it going.
    pub fn new(steps: Arc<[Step]>, early_max: Duration, policy: Arc<Policy>) -> Call {
        let high = steps.iter().any(|step| matches!(step, Step::Queue { high: true, .. }));
        Call {
            steps,
            next: 0,
            early_max,
            policy,
            stage: Stage::Opening,
            caller: Caller::Trying,
            late: false,
            transfers: 0,
            left_by: None,
            parties: BTreeMap::new(),
            taking: None,
            media: BTreeMap::new(),
            next_leg: 1,
            tried: 0,
            next_cue: 0,
            rang: false,
            failure: None,
            refused: Vec::new(),
            elsewhere: false,
            max_talk_at: None,
            early_until: None,
            announcer: waiting::Announcer::default(),
            preferred: false,
            unlisted: false,
            high,
            line_survey: None,
            overflow: None,
            untold: None,
            caller_closed: false,
            outcome: None,
            watched: None,
            hearing: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// The caller goes before others in queues.
    pub fn prefer(&mut self) {
        self.preferred = true;
    }

    /// Nobody could ring the caller back.
    pub fn is_not_rung_back(&mut self) {
        self.unlisted = true;
    }

    /// The line has a word of its own about asking for an opinion.
    pub fn surveyed_as(self, line: Option<Arc<LineSurvey>>) -> Call {
        Call { line_survey: line, ..self }
    }

    /// Begins: a plan that refuses at once needs no media.
    pub fn start(&mut self, now: Now, offer: FirstOffer, out: &mut Vec<Output>) {
        if let Some(Step::Reject { status, q850 }) = self.steps.first() {
            self.refuse(Outcome::rejected(*status, *q850));
        } else {
            self.out.push(Output::Attach { leg: CALLER });
            self.media.insert(CALLER, None);
            match offer {
                FirstOffer::Invite => {}
                FirstOffer::Provisional => self.progress(now),
                FirstOffer::Answer => {
                    self.late = true;
                    self.next_step(now);
                }
            }
        }
        self.flush(now, out);
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Leg { leg: CALLER, event: LegEvent::Rings | LegEvent::Forwards } => self.caller_rings(None),
            Input::Leg { leg: CALLER, event: LegEvent::EarlyMedia { sends } } => self.caller_rings(Some(sends)),
            Input::Leg { leg: CALLER, event: LegEvent::Answered } => self.caller_answered(now),
            Input::Leg { leg, event: LegEvent::Rings } => self.rings(leg),
            Input::Leg { leg, event: LegEvent::Forwards } => self.forwards(leg),
            Input::Leg { leg, event: LegEvent::Media(media) } => self.media_settled(now, leg, &media),
            Input::Leg { leg, event: LegEvent::EarlyMedia { sends } } => self.early_media(leg, sends),
            Input::Leg { leg, event: LegEvent::Answered } => self.party_answered(now, leg),
            Input::Leg { leg: CALLER, event: LegEvent::Ended(end) } => self.caller_ended(now, end),
            Input::Leg { leg, event: LegEvent::Ended(end) } => self.party_ended(now, leg, end),
            Input::Queue(event) => self.queue_event(now, event),
            Input::Played { cue } => self.played(now, cue),
            Input::Key { key } => self.key(now, key),
            Input::PartyKey { leg, key } => self.accepts(now, leg, key),
            Input::Silent { leg } => self.silent(now, leg),
            Input::Audible { leg } => self.journal(What::Heard { leg: leg.0 }),
            Input::Wanted if !self.idle_seats().is_empty() => self.lingered(),
            Input::Wanted => {}
            Input::Closed { leg, stats } => self.media_closed(leg, stats),
            Input::MessageRoom { room } => self.message_room(now, room),
            Input::Speaks => self.speaks(),
            Input::Quiet => self.message_over(now, MessageEnd::Silence),
            Input::Journaled => self.journaled(),
        }
        self.flush(now, out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        if let Stage::Ringing { leg, until, .. } = self.stage
            && until <= now.mono
        {
            self.ring_timed_out(now, leg);
        }
        self.calling_in_vain(now);
        if matches!(self.stage, Stage::Offering { until, .. } if until <= now.mono) {
            self.refuse(Outcome::rejected(480, 18));
        }
        if let Stage::Talking(talk) = &self.stage
            && let Some(transfer) = talk.ringing()
            && transfer.until.is_some_and(|until| until <= now.mono)
        {
            let leg = transfer.leg;
            self.unreached(leg);
            self.give_up(leg, false);
            self.target_lost(now);
        }
        if let Some(Taking { new, until: Some(until), .. }) = self.taking
            && until <= now.mono
        {
            self.give_up(new, false);
        }
        self.hold_forgotten(now);
        if matches!(&self.stage, Stage::Talking(talk) if talk.linger.is_some_and(|until| until <= now.mono)) {
            self.lingered();
        }
        self.unanswered(now);
        self.message_limit(now);
        self.announce_if_due(now);
        self.overflow_is_over(now);
        if self.max_talk_at.is_some_and(|at| at <= now.mono) {
            self.talked_too_long();
        }
        self.overdue(now);
        self.flush(now, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        let stage = match &self.stage {
            Stage::Ringing { until, .. } | Stage::Offering { until, .. } => Some(*until),
            Stage::Queued { .. } => self.announcer.due(),
            Stage::Asking(asking) => asking.until(),
            Stage::Message(message) => message.until(),
            Stage::Calling(_) => self.calling_until(),
            Stage::Talking(talk) => [talk.ringing().and_then(|t| t.until), talk.linger].into_iter().flatten().min(),
            _ => None,
        };
        let early = self.early_until.filter(|_| self.may_answer());
        let watched = self.watched.map(|(_, until)| until);
        let (taking, hold) = (self.taking.and_then(|taking| taking.until), self.hold_due().map(|(at, _)| at));
        let talk = [taking, hold, self.watchers_deadline()];
        [early, stage, self.overflow_ends(), self.max_talk_at, watched].into_iter().chain(talk).flatten().min()
    }

    /// Where the call stands, in a word for operators.
    pub fn state(&self) -> &'static str {
        match self.stage {
            Stage::Opening => "opening",
            Stage::Announcing { .. } => "announcing",
            Stage::Offering { .. } => "offering",
            Stage::Asking(_) => "asking",
            Stage::Message(_) => "message",
            Stage::Queued { .. } => "queued",
            Stage::Ringing { .. } => "ringing",
            Stage::Calling(_) => "calling",
            Stage::Talking(_) => "talking",
            Stage::Clearing | Stage::Done => "clearing",
        }
    }

    fn journal(&mut self, what: What) {
        self.tell(Output::Journal(what));
    }

    /// Tells what happened, until the record is closed.
    fn tell(&mut self, happened: Output) {
        if !matches!(self.stage, Stage::Done) {
            self.out.push(happened);
        }
    }

    fn flush(&mut self, now: Now, out: &mut Vec<Output>) {
        trap::spring(Trap::Call);
        self.settle(now);
        self.settle_watchers(now);
        self.watch_hold(now.mono);
        self.answer_long_wait(now);
        self.meet(now.mono);
        self.listen();
        self.watch(now.mono);
        out.append(&mut self.out);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({:?}, {:?}, parties {:?}, media {:?})", self.stage, self.caller, self.parties, self.media)
    }
}
