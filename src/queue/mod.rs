//! Who waits, who rings: bounded first-in-first-out queues with two priorities over shared seats.

use crate::base::{CallId, Mono, Now};
use std::sync::Arc;
use std::time::Duration;

/// A human seat, or a PBX behind one address with many channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    pub name: Arc<str>,
    /// How many calls it takes at once.
    pub channels: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One seat after another, the longest idle first.
    OneByOne,
    /// All idle seats at once; the first answer wins.
    All,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: Arc<str>,
    pub seats: Vec<Arc<str>>,
    pub strategy: Strategy,
    pub ring_timeout: Duration,
    /// After it the caller hears the apology and gets 480.
    pub max_wait: Duration,
    pub max_length: usize,
    /// How long a seat that did not answer or failed is passed over.
    pub rest_after_failure: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    High,
    Normal,
}

#[derive(Clone, Debug)]
pub enum Input {
    /// `head`: back to the front of its priority, with the wait it had (a transfer that failed).
    Join { call: CallId, line: Arc<str>, priority: Priority, head: bool },
    /// The caller left, or the call went elsewhere. Stops its ringing; frees nothing that answered.
    Leave { call: CallId },
    /// A seat that rang for this call answered. Others that ring for it are stopped.
    Answered { call: CallId, seat: Arc<str> },
    /// A seat that rang for this call refused or failed.
    Refused { call: CallId, seat: Arc<str> },
    /// A conversation on this seat is over.
    Freed { seat: Arc<str> },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Call this seat for this call; one of its channels is taken.
    Ring { call: CallId, seat: Arc<str> },
    /// Stop calling it; its channel is free again. `elsewhere`: another seat answered.
    Stop { call: CallId, seat: Arc<str>, elsewhere: bool },
    /// The line is full or unknown; the call does not wait.
    Full { call: CallId },
    /// The call waited its maximum and no longer waits.
    TimedOut { call: CallId },
}

/// All lines and seats.
pub struct Queues {
    _todo: (),
}

impl Queues {
    pub fn new(seats: Vec<Seat>, lines: Vec<Line>) -> Queues {
        let _ = (seats, lines);
        todo!()
    }

    /// Takes a new configuration: calls that wait keep their place; a seat that went away finishes its calls.
    pub fn reload(&mut self, now: Now, seats: Vec<Seat>, lines: Vec<Line>, out: &mut Vec<Output>) {
        let _ = (now, seats, lines, out);
        todo!()
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let _ = (now, input, out);
        todo!()
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        let _ = (now, out);
        todo!()
    }

    pub fn deadline(&self) -> Option<Mono> {
        todo!()
    }

    /// (calls waiting, channels taken)
    pub fn gauges(&self) -> (usize, usize) {
        todo!()
    }
}
