//! Figures: how many callers came, who answered them and how soon, and how each other call was lost; per hotline, queue and seat.
//! They are a fold over the journal: calls' logs, and the log of seats. So the same log always gives the same figures, however
//! often the process died.
//!
//! A call counts in the minute of its first entry, a place in a queue in the minute in which the caller was handed to it, whatever
//! becomes of them later; what a seat did counts when it did it. Moments are the journal's wall clock, durations its monotonic one.

mod calls;
mod counts;
mod seats;
mod shown;
#[cfg(test)]
mod tests;

pub use counts::{Counts, Moved, Outbound, SeatCounts, Spread, Transfer, WAITS};
pub use shown::{By, percent};

use crate::base::{CallId, Wall};
use crate::event::{Entry, SeatEntry};
use calls::Open;
use schemars::JsonSchema;
use seats::Times;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Microseconds of a minute, the grain of all windows.
pub const MINUTE: i64 = 60_000_000;
/// Minutes that are kept: two of the longest local days, so that a clock that jumped and came back takes nothing away.
const MINUTES: usize = 2 * 25 * 60;
/// The most calls that are followed at once; beyond it the oldest is forgotten.
const OPEN: usize = 200_000;
/// The most names of a kind; all others are counted together.
const NAMES: usize = 5000;
const REASONS: usize = 200;
/// The name under which they are.
pub const OTHERS: &str = "other";

/// A name, given once.
type Name = Arc<str>;

/// The counts of one minute.
#[derive(Clone, Debug, Default)]
struct Minute {
    hotlines: BTreeMap<Name, Counts>,
    queues: BTreeMap<Name, Counts>,
    seats: BTreeMap<Name, SeatCounts>,
}

/// The figures of the newest minutes, and what is needed to go on.
#[derive(Clone, Debug)]
pub struct Figures {
    /// An answer within this of the hand-over to the queue is in time.
    within: Duration,
    minutes: BTreeMap<i64, Minute>,
    open: BTreeMap<CallId, Open>,
    times: BTreeMap<Name, Times>,
    names: BTreeSet<Name>,
    reasons: BTreeSet<Name>,
}

/// The figures of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// An answer within so many milliseconds of the hand-over to the queue is in time.
    pub within_ms: u64,
    /// All hotlines together.
    pub all: Counts,
    /// Per hotline that was dialled first.
    pub hotlines: BTreeMap<String, Counts>,
    pub queues: BTreeMap<String, Counts>,
    pub seats: BTreeMap<String, SeatCounts>,
}

impl Figures {
    pub fn new(within: Duration) -> Figures {
        let (minutes, open, times) = Default::default();
        Figures { within, minutes, open, times, names: BTreeSet::new(), reasons: BTreeSet::new() }
    }

    /// Takes an entry of a call's log. The entries of a call come in order.
    pub fn entry(&mut self, entry: &Entry) {
        self.call_entry(entry);
        while self.open.len() > OPEN {
            self.open.pop_first();
        }
    }

    /// Takes an entry of the log of seats. They come in order.
    pub fn seat(&mut self, entry: &SeatEntry) {
        self.seat_entry(entry);
    }

    /// The figures from one moment to another; both count as the minute that they are in, and the first alone is in it. States
    /// that last are counted up to now.
    pub fn window(&self, from: Wall, to: Wall, now: Wall) -> Table {
        let mut table = self.calls(from, to);
        let (first, last) = (minute(from), minute(to));
        for minute in self.between(first, last) {
            minute.seats.iter().for_each(|(name, counts)| of(&mut table.seats, name).add(counts));
        }
        let (from, to) = (first.saturating_mul(MINUTE), last.saturating_mul(MINUTE).min(now.0));
        for (name, times) in &self.times {
            let counts = times.within(from, to);
            if counts != SeatCounts::default() {
                of(&mut table.seats, name).add(&counts);
            }
        }
        table
    }

    /// The window without its seats.
    fn calls(&self, from: Wall, to: Wall) -> Table {
        let within_ms = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        let mut table = Table { within_ms, ..Table::default() };
        for minute in self.between(minute(from), minute(to)) {
            for (name, counts) in &minute.hotlines {
                table.all.add(counts);
                of(&mut table.hotlines, name).add(counts);
            }
            minute.queues.iter().for_each(|(name, counts)| of(&mut table.queues, name).add(counts));
        }
        table
    }

    /// The minutes from one up to another.
    fn between(&self, first: i64, last: i64) -> impl Iterator<Item = &Minute> {
        self.minutes.range(first..last.max(first)).map(|(_, minute)| minute)
    }

    /// The last so many minutes, this one among them.
    pub fn last(&self, minutes: i64, now: Wall) -> Table {
        let (from, to) = last(minutes, now);
        self.window(from, to, now)
    }

    /// The same without seats.
    pub fn last_calls(&self, minutes: i64, now: Wall) -> Table {
        let (from, to) = last(minutes, now);
        self.calls(from, to)
    }

    fn minute(&mut self, at: i64) -> &mut Minute {
        while self.minutes.len() >= MINUTES && !self.minutes.contains_key(&at) {
            self.minutes.pop_first();
        }
        self.minutes.entry(at).or_default()
    }

    fn name(&mut self, name: &str) -> Name {
        known(&mut self.names, name, NAMES)
    }

    /// Reasons are what people type.
    fn reason(&mut self, reason: &str) -> Name {
        known(&mut self.reasons, reason, REASONS)
    }
}

/// The one text for all that have this name.
fn known(names: &mut BTreeSet<Name>, name: &str, most: usize) -> Name {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let name: Name = if names.len() < most { name.into() } else { OTHERS.into() };
    names.insert(name.clone());
    name
}

impl Table {
    /// Adds those of another window.
    pub fn add(&mut self, other: &Table) {
        self.within_ms = other.within_ms;
        self.all.add(&other.all);
        other.hotlines.iter().for_each(|(name, counts)| of(&mut self.hotlines, name).add(counts));
        other.queues.iter().for_each(|(name, counts)| of(&mut self.queues, name).add(counts));
        other.seats.iter().for_each(|(name, counts)| of(&mut self.seats, name).add(counts));
    }
}

fn of<'a, T: Default>(all: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !all.contains_key(name) {
        all.insert(name.to_owned(), T::default());
    }
    all.entry(name.to_owned()).or_default()
}

fn last(minutes: i64, now: Wall) -> (Wall, Wall) {
    let end = (minute(now) + 1) * MINUTE;
    (Wall(end - minutes * MINUTE), Wall(end))
}

fn minute(at: Wall) -> i64 {
    at.0.div_euclid(MINUTE)
}
