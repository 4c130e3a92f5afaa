//! The gate tells whether a backend is worth asking, and how much at once. Closed, it lets one probe through at a time. Each
//! failure halves what is asked at once and each success asks one more: who is too slow for many gets done with few, instead
//! of working for askers who have given up.
//!
//! An answer counts for the whole backend when another one says the same. A refusal may be about the one event (its
//! ticket was moved where we may not write, its text displeases a firewall), and so may the wait that is asked for; so the
//! next event is the probe, at once.

use super::{Alarm, Outcome, Output};
use crate::base::{CallId, Mono, Rng};
use std::time::Duration;

/// Failures in a row, on whatever lanes, that close the gate.
const FAILURES: u32 = 5;
/// Seconds before the first probe, the second …; the last one repeats.
const PROBES: [u64; 4] = [1, 5, 15, 30];
/// The same for a backend that refused more than one event. The last is long, since some lock accounts that ask too often.
const REFUSED: [u64; 4] = [5, 30, 120, 300];
/// A wait that is longer than the usual ones is an alarm.
const LONG: Duration = Duration::from_secs(PROBES[PROBES.len() - 1]);

pub(super) struct Gate {
    /// Requests under way at once, and the most that there may be.
    width: usize,
    most: usize,
    /// No wait that a backend asks for is longer.
    patience: Duration,
    failures: u32,
    closed: Option<Closed>,
}

struct Closed {
    until: Mono,
    /// Probes that failed.
    probes: usize,
    probe: Option<CallId>,
    /// An alarm was raised.
    told: bool,
    /// The call whose refusal came first.
    suspect: Option<CallId>,
    /// Another one was refused too: it is the account.
    blamed: bool,
    /// It has asked for patience before.
    asked: bool,
}

impl Closed {
    fn since(now: Mono) -> Closed {
        Closed { until: now, probes: 0, probe: None, told: false, suspect: None, blamed: false, asked: false }
    }

    fn wait(&self, waits: [u64; 4], rng: &mut Rng) -> Duration {
        let wait = Duration::from_secs(waits[self.probes.min(waits.len() - 1)]);
        rng.between(wait / 2, wait)
    }
}

impl Gate {
    pub fn new(most: usize, patience: Duration) -> Gate {
        Gate { width: most, most, patience, failures: 0, closed: None }
    }

    /// Tells whether it is the backend that refuses us, and not this event or that.
    pub fn blames_the_backend(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.blamed)
    }

    pub fn is_full(&self, in_flight: usize) -> bool {
        in_flight >= self.width
    }

    pub fn admits(&self, now: Mono, in_flight: usize) -> bool {
        !self.is_full(in_flight) && self.closed.as_ref().is_none_or(|closed| closed.probe.is_none() && closed.until <= now)
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.closed.as_ref().filter(|closed| closed.probe.is_none()).map(|closed| closed.until)
    }

    pub fn sent(&mut self, call: CallId) {
        if let Some(closed) = &mut self.closed {
            closed.probe = Some(call);
        }
    }

    pub fn answered(&mut self, now: Mono, call: CallId, outcome: &Outcome, rng: &mut Rng, out: &mut Vec<Output>) {
        let probe = self.probed(call);
        match outcome {
            Outcome::Done | Outcome::Dead(_) => self.open(out),
            Outcome::Retry { error, after } => self.failed(now, probe, error, *after, rng, out),
            Outcome::Aside(error) => self.refused(now, probe, call, error, rng, out),
            Outcome::Unclear { error, .. } => self.failed(now, probe, error, Duration::ZERO, rng, out),
            Outcome::Unasked { .. } | Outcome::Missing(_) => {}
        }
    }

    /// True when this was the probe, which so is over.
    fn probed(&mut self, call: CallId) -> bool {
        self.closed.as_mut().is_some_and(|closed| closed.probe.take_if(|probe| *probe == call).is_some())
    }

    fn open(&mut self, out: &mut Vec<Output>) {
        self.failures = 0;
        self.width = (self.width + 1).min(self.most);
        if self.closed.take().is_some_and(|closed| closed.told) {
            out.push(Output::Alarm(Alarm::Up));
        }
    }

    /// A request that was under way when the gate closed and fails now is no news. Retry-After holds for the whole backend,
    /// once it is said a second time.
    fn failed(&mut self, now: Mono, probe: bool, error: &str, after: Duration, rng: &mut Rng, out: &mut Vec<Output>) {
        self.failures = self.failures.saturating_add(1);
        self.width = (self.width / 2).max(1);
        let many = self.failures >= FAILURES;
        if self.closed.is_none() && !many && after.is_zero() {
            return;
        }
        let fresh = self.closed.is_none();
        let closed = self.closed.get_or_insert(Closed::since(now));
        if probe {
            closed.probes += 1;
        }
        if probe || fresh && many {
            closed.until = now.after(closed.wait(PROBES, rng));
        }
        let asked = !after.is_zero() && std::mem::replace(&mut closed.asked, true);
        let after = if asked { after.min(self.patience) } else { Duration::ZERO };
        closed.until = closed.until.max(now.after(after));
        if (many || after > LONG) && !std::mem::replace(&mut closed.told, true) {
            let patience = if asked { format!("; it asks to be left alone for {} s", after.as_secs()) } else { String::new() };
            out.push(Output::Alarm(Alarm::Down(format!("{error}{patience}"))));
        }
    }

    fn refused(&mut self, now: Mono, probe: bool, call: CallId, error: &str, rng: &mut Rng, out: &mut Vec<Output>) {
        let closed = self.closed.get_or_insert(Closed::since(now));
        let suspect = *closed.suspect.get_or_insert(call);
        if !probe || suspect == call && !closed.blamed {
            return;
        }
        closed.until = now.after(closed.wait(REFUSED, rng));
        closed.probes += 1;
        if !std::mem::replace(&mut closed.blamed, true) {
            closed.told = true;
            out.push(Output::Alarm(Alarm::Paused(error.to_owned())));
        }
    }
}
