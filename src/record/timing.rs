//! The clocks of a call and how it ended, kept up to its last entry: the record is made of them, and so is the line in the log
//! that tells the end. So both say the same.

use crate::base::Mono;
use crate::event::{By, Party, Result, What};
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Timing {
    caller: Option<u64>,
    ringing: Vec<u64>,
    joined: Vec<u64>,
    held: Vec<u64>,
    announce: Span,
    queue: Span,
    ring: Span,
    talk: Span,
    hold: Span,
    /// The seat and the target that were joined to the caller last.
    pub seat: Option<String>,
    pub target: Option<String>,
    pub end: Option<End>,
}

/// As [`What::Ended`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub result: Result,
    pub by: By,
    pub status: Option<u16>,
    pub q850: Option<u8>,
}

/// As the record's fields of these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub announce_ms: u64,
    pub queue_ms: u64,
    pub ring_ms: u64,
    pub talk_ms: u64,
    pub hold_ms: u64,
}

impl Timing {
    /// True when the caller or the whole call is gone with it.
    pub fn apply(&mut self, what: &What, now: Mono) -> bool {
        let over = match what {
            What::RingFailed { leg, .. } | What::LegEnded { leg, .. } => self.gone(*leg),
            What::Ended { result, by, status, q850 } => {
                self.end = Some(End { result: *result, by: *by, status: *status, q850: *q850 });
                true
            }
            _ => false,
        };
        match what {
            What::Offered(offered) => self.caller = Some(offered.leg),
            // After the conversation it is no announcement: nobody waits for anybody any more.
            What::Announcing { .. } if self.queue.running() || self.seat.is_some() || self.target.is_some() => {}
            What::Announcing { .. } => self.announce.start(now),
            What::Queued { .. } => {
                self.announce.stop(now);
                self.queue.start(now);
            }
            What::CallbackWanted => self.queue.stop(now),
            What::MessageBegun => {
                self.announce.stop(now);
                self.queue.stop(now);
            }
            What::Ringing { leg, .. } | What::Dialled { leg, .. } => {
                self.announce.stop(now);
                add(&mut self.ringing, *leg);
            }
            What::Joined { leg, party, .. } => self.join(*leg, party, now),
            What::Held { leg } => add(&mut self.held, *leg),
            What::Resumed { leg } => self.held.retain(|held| held != leg),
            _ => {}
        }
        if over {
            self.over(now);
        }
        self.ring.run(!self.ringing.is_empty(), now);
        self.talk.run(!self.joined.is_empty(), now);
        self.hold.run(!self.joined.is_empty() && !self.held.is_empty(), now);
        over
    }

    /// Up to this moment, where something still runs.
    pub fn times(&self, now: Mono) -> Times {
        Times {
            announce_ms: self.announce.millis(now),
            queue_ms: self.queue.millis(now),
            ring_ms: self.ring.millis(now),
            talk_ms: self.talk.millis(now),
            hold_ms: self.hold.millis(now),
        }
    }

    fn join(&mut self, leg: u64, party: &Party, now: Mono) {
        self.announce.stop(now);
        self.queue.stop(now);
        self.ringing.clear();
        add(&mut self.joined, leg);
        match party {
            Party::Seat { name, .. } => name.clone_into(self.seat.get_or_insert_default()),
            Party::Target { number } => number.clone_into(self.target.get_or_insert_default()),
        }
    }

    /// True when it was the caller's.
    fn gone(&mut self, leg: u64) -> bool {
        for legs in [&mut self.ringing, &mut self.joined, &mut self.held] {
            legs.retain(|known| *known != leg);
        }
        self.caller == Some(leg)
    }

    /// Nobody waits, rings or talks once the caller or the call is gone.
    fn over(&mut self, now: Mono) {
        self.announce.stop(now);
        self.queue.stop(now);
        for legs in [&mut self.ringing, &mut self.joined, &mut self.held] {
            legs.clear();
        }
    }
}

/// A call has few legs at a time.
fn add(legs: &mut Vec<u64>, leg: u64) {
    if !legs.contains(&leg) {
        legs.push(leg);
    }
}

/// A stop-watch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    since: Option<Mono>,
    total: Duration,
}

impl Span {
    fn running(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn start(&mut self, now: Mono) {
        self.since.get_or_insert(now);
    }

    pub(super) fn stop(&mut self, now: Mono) {
        if let Some(since) = self.since.take() {
            self.total += now.since(since);
        }
    }

    fn run(&mut self, on: bool, now: Mono) {
        if on { self.start(now) } else { self.stop(now) }
    }

    pub(super) fn millis(&self, now: Mono) -> u64 {
        let open = self.since.map_or(Duration::ZERO, |since| now.since(since));
        u64::try_from((self.total + open).as_millis()).unwrap_or(u64::MAX)
    }
}
