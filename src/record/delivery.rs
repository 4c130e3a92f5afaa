//! Brings events to one backend: what to send next, and what an answer means. It holds no time, socket or file.
//!
//! Each call is a lane. A lane sends one event at a time, in sequence, and goes on when the outcome is durable; lanes
//! go in parallel up to the backend's cap. While an event waits, a later one of its call replaces it, because each
//! carries the full snapshot; only `call.record` is never replaced, nor anything for a backend that wants to see each.
//! An event that must be tried again goes back to the journal with its time and is offered again when that has come, so memory
//! holds only what is due.
//!
//! Before everything stands the gate: a backend that fails again and again, or that refuses our credentials, is left
//! alone but for one probe at a time, so that its trouble costs no event its attempts. An event that is refused is set
//! aside for a while, and the others go on.

mod gate;

use super::cloudevent::Kind;
use super::exchange::Change;
use crate::base::{CallId, Mono, Now, Rng, Wall};
use gate::Gate;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Before the second attempt, the third …; the last one repeats. Each is drawn between zero and this (full jitter).
const DELAYS: [u64; 7] = [1, 5, 30, 120, 600, 1_800, 3_600];
/// Before an event that was refused is tried again.
const ASIDE: Duration = Duration::from_secs(300);
/// Events of one lane that wait in memory; the journal has the rest.
const LANE: usize = 64;

/// One event on its way to one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub call: CallId,
    pub sequence: u64,
    pub kind: Kind,
    /// How often it, or what it replaces, failed before.
    pub attempts: u32,
    /// When it first failed.
    pub failing_since: Option<Wall>,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// Pending in the journal and due; all of a lane at once, so that what was replaced before a restart is again.
    /// Offering an event again while its lane is here does nothing.
    Offer(Vec<Item>),
    Answer {
        call: CallId,
        answer: Answer,
        change: Change,
    },
    /// The settlement of this lane is durable.
    Saved {
        call: CallId,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// A status of success, and a body that refuses.
    Refused(String),
    /// The profile makes no request of this event.
    Unmade(String),
    Status {
        code: u16,
        retry_after: Option<Duration>,
        /// The system's words on why, for people.
        said: String,
    },
    /// No connection, no answer in time, or a connection that broke.
    Unreachable(String),
    /// A create may have succeeded, and must be given its time.
    Unclear {
        error: String,
        wait: Duration,
    },
    /// An earlier create must be given its time; nothing was asked.
    Wait(Duration),
    /// Our own journal could not be read just now.
    Unread(String),
    /// There is no such event.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send(Item),
    /// Make it durable, then say `Saved`.
    Save(Settlement),
    Alarm(Alarm),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The backend fails; it is probed until it answers.
    Down(String),
    /// It refuses us; somebody must look at credentials or address.
    Paused(String),
    Up,
}

/// The settlement of an event, to be made durable before anything else of its call is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub call: CallId,
    pub sequence: u64,
    /// Earlier events of the call that this one's snapshot stands for.
    pub merged: Vec<u64>,
    pub verdict: Verdict,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Again at `at`; failing since `since`.
    Retry {
        at: Wall,
        since: Wall,
        error: String,
    },
    /// The backend refused this one. Again at `at`; failing since `since`, unless it is the backend's own matter.
    Aside {
        at: Wall,
        since: Wall,
        error: String,
    },
    /// Not again, unless somebody says so.
    Dead {
        error: String,
    },
}

/// Requests under way, where a backend says nothing else.
pub const IN_FLIGHT: usize = 8;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls in memory.
    pub lanes: usize,
    /// Requests under way; fewer while the backend fails.
    pub in_flight: usize,
    /// An event that has failed for so long is a dead letter.
    pub give_up: Duration,
    /// A later event stands for those that wait.
    pub merge: bool,
    /// No wait that a backend asks for is longer.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let (give_up, patience) = (Duration::from_secs(72 * 3_600), Duration::from_secs(300));
        Limits { lanes: 256, in_flight: IN_FLIGHT, give_up, merge: true, patience }
    }
}

pub struct Delivery {
    limits: Limits,
    rng: Rng,
    gate: Gate,
    lanes: BTreeMap<CallId, Lane>,
    /// Lanes whose turn comes, in order.
    ready: VecDeque<CallId>,
    in_flight: usize,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Item>,
    /// The highest sequence ever offered.
    seen: u64,
    sent: Option<Item>,
    /// The earlier events for which the one stands that is sent, or goes next.
    merged: Vec<u64>,
    /// Back to the journal once saved.
    leaves: bool,
}

impl Delivery {
    pub fn new(limits: Limits, rng: Rng) -> Delivery {
        let gate = Gate::new(limits.in_flight, limits.patience);
        Delivery { limits, rng, gate, lanes: BTreeMap::new(), ready: VecDeque::new(), in_flight: 0 }
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Offer(items) => items.into_iter().for_each(|item| self.offer(item)),
            Input::Answer { call, answer, change } => self.answer(now, call, answer, change, out),
            Input::Saved { call } => self.saved(call),
        }
        self.send(now.mono, out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.send(now.mono, out);
    }

    /// When a backend that was left alone is to be probed.
    pub fn deadline(&self) -> Option<Mono> {
        // Where no more may be under way, an answer comes first.
        if self.ready.is_empty() || self.gate.is_full(self.in_flight) { None } else { self.gate.deadline() }
    }

    /// Counts the calls that it still takes.
    pub fn room(&self) -> usize {
        self.limits.lanes.saturating_sub(self.lanes.len())
    }

    pub fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    fn offer(&mut self, item: Item) {
        let full = self.room() == 0;
        let call = item.call;
        match self.lanes.get_mut(&call) {
            Some(lane) if item.sequence > lane.seen && lane.waiting.len() < LANE => lane.push(item),
            Some(_) => {}
            None if full => {}
            None => {
                self.lanes.entry(call).or_default().push(item);
                self.ready.push_back(call);
            }
        }
    }

    fn send(&mut self, now: Mono, out: &mut Vec<Output>) {
        while self.gate.admits(now, self.in_flight) {
            let Some(call) = self.ready.pop_front() else { return };
            let Some(item) = self.lanes.get_mut(&call).and_then(|lane| lane.start(self.limits.merge)) else { continue };
            self.gate.sent(call);
            self.in_flight += 1;
            out.push(Output::Send(item));
        }
    }

    fn answer(&mut self, now: Now, call: CallId, answer: Answer, change: Change, out: &mut Vec<Output>) {
        let Some(lane) = self.lanes.get_mut(&call) else { return };
        let Some(item) = lane.sent.take() else { return };
        let outcome = outcome(answer);
        self.gate.answered(now.mono, call, &outcome, &mut self.rng, out);
        let limits = self.limits;
        let verdict = match outcome {
            Outcome::Aside(error) => aside(now.wall, &item, error, self.gate.blames_the_backend(), limits, &mut self.rng),
            Outcome::Done => Verdict::Done,
            Outcome::Dead(error) | Outcome::Missing(error) => Verdict::Dead { error },
            Outcome::Retry { error, after } => {
                // As for the gate: a wait is believed when it is asked for twice.
                let after = if item.attempts > 0 { after.min(limits.patience) } else { Duration::ZERO };
                again(now.wall, &item, error, after, limits.give_up, &mut self.rng)
            }
            Outcome::Unclear { error, wait } | Outcome::Unasked { error, wait } => {
                again(now.wall, &item, error, wait, limits.give_up, &mut self.rng)
            }
        };
        lane.leaves = matches!(verdict, Verdict::Retry { .. } | Verdict::Aside { .. });
        let merged = std::mem::take(&mut lane.merged);
        out.push(Output::Save(Settlement { call, sequence: item.sequence, merged, verdict, change }));
    }

    fn saved(&mut self, call: CallId) {
        let Some(lane) = self.lanes.get_mut(&call) else { return };
        self.in_flight -= 1;
        if lane.leaves || lane.waiting.is_empty() {
            self.lanes.remove(&call);
            return;
        }
        lane.waiting.iter_mut().for_each(|item| (item.attempts, item.failing_since) = (0, None));
        self.ready.push_back(call);
    }
}

impl Lane {
    fn push(&mut self, item: Item) {
        self.seen = item.sequence;
        self.waiting.push_back(item);
    }

    /// Takes what is to be sent, after leaving out what a later snapshot replaces, if it may.
    fn start(&mut self, merge: bool) -> Option<Item> {
        let mut item = self.waiting.pop_front()?;
        while merge
            && item.kind != Kind::Record
            && let Some(later) = self.waiting.pop_front()
        {
            self.merged.push(item.sequence);
            item = later;
        }
        self.sent = Some(item.clone());
        Some(item)
    }
}

/// The meaning of an answer for the event.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Retry {
        error: String,
        after: Duration,
    },
    /// The backend is well and will never take this.
    Dead(String),
    /// It refuses us, or this event.
    Aside(String),
    /// The backend fails, and this event, it alone, must wait.
    Unclear {
        error: String,
        wait: Duration,
    },
    /// These two say nothing about the backend.
    Unasked {
        error: String,
        wait: Duration,
    },
    Missing(String),
}

fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Status { code, retry_after, said } => status(code, retry_after.unwrap_or(Duration::ZERO), &said),
        Answer::Unreachable(error) => Outcome::Retry { error, after: Duration::ZERO },
        Answer::Done => Outcome::Done,
        Answer::Refused(error) => Outcome::Dead(error),
        Answer::Unmade(error) => Outcome::Missing(error),
        Answer::Unclear { error, wait } => Outcome::Unclear { error, wait },
        Answer::Wait(wait) => Outcome::Unasked { error: "a create may still be under way".to_owned(), wait },
        Answer::Unread(error) => Outcome::Unasked { error, wait: Duration::ZERO },
        Answer::Missing => Outcome::Missing("the journal has no such event".to_owned()),
    }
}

fn status(code: u16, after: Duration, said: &str) -> Outcome {
    let error = if said.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code}: {said}") };
    match code {
        200..=299 => Outcome::Done,
        // A redirect is not followed: the address is wrong.
        300..=399 | 401 | 403 => Outcome::Aside(error),
        // A proxy that wants to know us, a connection that leads to another host, a resource that somebody has locked, TLS
        // that a server in front of it does not like: trouble of the way and of the moment.
        407 | 408 | 421 | 423 | 425 | 429 | 495..=499 => Outcome::Retry { error, after },
        400..=499 => Outcome::Dead(error),
        _ => Outcome::Retry { error, after },
    }
}

fn again(now: Wall, item: &Item, error: String, after: Duration, give_up: Duration, rng: &mut Rng) -> Verdict {
    let since = item.failing_since.unwrap_or(now);
    let failing = Duration::from_micros(u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0));
    if failing >= give_up {
        return Verdict::Dead { error: format!("given up after {} h: {error}", failing.as_secs() / 3_600) };
    }
    let at = later(now, jittered(item.attempts, rng).max(after));
    Verdict::Retry { at, since, error }
}

/// An event does not age by what the whole backend refuses.
fn aside(now: Wall, item: &Item, error: String, all: bool, limits: Limits, rng: &mut Rng) -> Verdict {
    if all {
        return Verdict::Aside { at: later(now, ASIDE), since: now, error };
    }
    match again(now, item, error, ASIDE, limits.give_up, rng) {
        Verdict::Retry { at, since, error } => Verdict::Aside { at, since, error },
        dead => dead,
    }
}

fn later(now: Wall, wait: Duration) -> Wall {
    Wall(now.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
}

/// Full jitter, so that what failed together does not come back together.
fn jittered(attempts: u32, rng: &mut Rng) -> Duration {
    let step = usize::try_from(attempts).unwrap_or(usize::MAX).min(DELAYS.len() - 1);
    rng.between(Duration::ZERO, Duration::from_secs(DELAYS[step]))
}

#[cfg(test)]
mod tests;
