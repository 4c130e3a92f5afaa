//! Whether a backend is worth asking, and how much at once. Closed, it lets one probe through at a time. Each failure
//! halves what is asked at once and each success asks one more: who is too slow for many gets done with few, instead of
//! working for askers who have given up.

use super::{Alarm, Outcome, Output};
use crate::base::{CallId, Mono, Rng};
use std::time::Duration;

/// So many failures in a row, on whatever lanes, close it.
const FAILURES: u32 = 5;
/// Seconds before the first probe, the second …; the last one repeats.
const PROBES: [u64; 4] = [1, 5, 15, 30];
/// Before a backend that refused us is asked again.
const REFUSED: Duration = Duration::from_secs(300);

pub(super) struct Gate {
    /// Requests under way at once, and the most that there may be.
    width: usize,
    most: usize,
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
}

impl Gate {
    pub fn new(most: usize) -> Gate {
        Gate { width: most, most, failures: 0, closed: None }
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
            Outcome::Pause(error) => self.refused(now, error, out),
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

    /// What was under way when the gate closed and fails now is no news. Retry-After holds for the whole backend.
    fn failed(&mut self, now: Mono, probe: bool, error: &str, after: Duration, rng: &mut Rng, out: &mut Vec<Output>) {
        self.failures = self.failures.saturating_add(1);
        self.width = (self.width / 2).max(1);
        let many = self.failures >= FAILURES;
        if self.closed.is_none() && !many && after.is_zero() {
            return;
        }
        let fresh = self.closed.is_none();
        let closed = self.closed.get_or_insert(Closed { until: now, probes: 0, probe: None, told: false });
        if probe {
            closed.probes += 1;
        }
        if probe || fresh {
            let wait = Duration::from_secs(PROBES[closed.probes.min(PROBES.len() - 1)]);
            closed.until = now.after(rng.between(wait / 2, wait));
        }
        closed.until = closed.until.max(now.after(after.min(super::PATIENCE)));
        if many && !std::mem::replace(&mut closed.told, true) {
            out.push(Output::Alarm(Alarm::Down(error.to_owned())));
        }
    }

    fn refused(&mut self, now: Mono, error: &str, out: &mut Vec<Output>) {
        let told = self.closed.as_ref().is_some_and(|closed| closed.told);
        if !told {
            out.push(Output::Alarm(Alarm::Paused(error.to_owned())));
        }
        self.closed = Some(Closed { until: now.after(REFUSED), probes: 0, probe: None, told: true });
    }
}
