use super::Priority;
use crate::base::{CallId, Mono};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a call stands: the lowest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub priority: Priority,
    /// False for a call that came back to the head.
    pub behind_head: bool,
    /// Now, less the wait it already had.
    pub start: Mono,
    pub serial: u64,
    pub call: CallId,
}

/// A call that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub queue: Arc<str>,
    pub source: Arc<str>,
    pub place: Place,
    /// It is not given up before this, however long it waited earlier.
    pub not_before: Mono,
    /// Seats that are called for it, and whether they said that they ring.
    pub ringing: BTreeMap<Arc<str>, bool>,
    failed: BTreeMap<Arc<str>, Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    until: Mono,
}

impl Waiter {
    pub fn new(queue: Arc<str>, source: Arc<str>, place: Place, not_before: Mono) -> Waiter {
        Waiter { queue, source, place, not_before, ringing: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// The seat failed this call and rests for it until then.
    pub fn fail(&mut self, seat: &Arc<str>, until: Mono) {
        let failed = self.failed.entry(seat.clone()).or_insert(Failed { times: 0, until });
        *failed = Failed { times: failed.times.saturating_add(1), until };
    }

    /// How often the seat failed this call; none: not to be tried now.
    pub fn failures(&self, seat: &Arc<str>, now: Mono) -> Option<u32> {
        match self.failed.get(seat) {
            _ if self.ringing.contains_key(seat) => None,
            Some(failed) if now < failed.until => None,
            Some(failed) => Some(failed.times),
            None => Some(0),
        }
    }

    pub fn failed_seats(&self) -> impl Iterator<Item = &Arc<str>> {
        self.failed.keys()
    }
}
