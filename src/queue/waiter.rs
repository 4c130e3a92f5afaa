use super::{Priority, Queue};
use crate::base::{CallId, Mono};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where a call stands: the lowest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// False for a call that an emergency line sends.
    pub ordinary: bool,
    /// False for a call that came back to the head.
    pub behind_head: bool,
    /// The moment at which it would have come, had it no priority: each step of it counts as so much longer a wait. So a call
    /// that waits is overtaken for a bounded time only, by whatever comes.
    turn: i64,
    pub serial: u64,
    pub call: CallId,
}

/// A call asks this of a seat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Any,
    /// The level of this skill that it still asks for after its wait.
    Skill(Arc<str>),
    /// This seat and no other, which served the caller before.
    Seat(Arc<str>),
}

/// Calls that ask for the same with the same priority. Within it the first has waited longest and is content with the
/// least: a seat that cannot serve the first can serve none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub need: Need,
    pub priority: Priority,
    pub behind_head: bool,
}

/// A call that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub queue: Arc<str>,
    pub source: Arc<str>,
    pub caller: Option<Arc<str>>,
    /// The skill that it needs, where its queue asks for one.
    pub skill: Option<Arc<str>>,
    pub group: Group,
    pub place: Place,
    /// Now, less the wait it already had.
    pub start: Mono,
    /// It is not given up before this, however long it waited earlier.
    pub not_before: Mono,
    /// Seats that are called for it, and whether they said that they ring.
    pub ringing: BTreeMap<Arc<str>, bool>,
    pub failed: Failures,
}

/// The seats that failed one call, for as long as it is a caller of queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(BTreeMap<Arc<str>, Failed>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    until: Mono,
}

impl Place {
    /// Before all others.
    pub const FIRST: Place =
        Place { ordinary: false, behind_head: false, turn: i64::MIN, serial: 0, call: CallId(uuid::Uuid::nil()) };
    /// Behind all others.
    pub const LAST: Place =
        Place { ordinary: true, behind_head: true, turn: i64::MAX, serial: u64::MAX, call: CallId(uuid::Uuid::max()) };

    pub fn new(call: CallId, serial: u64, start: Mono, group: &Group, queue: &Queue) -> Place {
        let ahead = queue.ageing.saturating_mul(group.priority.level().into());
        let turn =
            i64::try_from(start.0).unwrap_or(i64::MAX).saturating_sub(i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX));
        Place { ordinary: group.priority != Priority::HIGH, behind_head: group.behind_head, turn, serial, call }
    }
}

impl Waiter {
    pub fn new(
        queue: Arc<str>,
        (source, caller, skill): (Arc<str>, Option<Arc<str>>, Option<Arc<str>>),
        (group, place): (Group, Place),
        start: Mono,
        not_before: Mono,
    ) -> Waiter {
        let (ringing, failed) = (BTreeMap::new(), Failures::default());
        Waiter { queue, source, caller, skill, group, place, start, not_before, ringing, failed }
    }

    /// How often the seat failed this call; none: not to be tried now.
    pub fn failures(&self, seat: &Arc<str>, now: Mono) -> Option<u32> {
        if self.ringing.contains_key(seat) { None } else { self.failed.times(seat, now) }
    }
}

impl Failures {
    /// The seat failed the call and rests for it: twice as long each time, within these bounds.
    pub fn add(&mut self, seat: &Arc<str>, now: Mono, (shortest, longest): (Duration, Duration)) -> Mono {
        let failed = self.0.entry(seat.clone()).or_insert(Failed { times: 0, until: now });
        let doubled = 1_u32.checked_shl(failed.times).unwrap_or(u32::MAX);
        let until = now.after(shortest.saturating_mul(doubled).min(longest.max(shortest)));
        *failed = Failed { times: failed.times.saturating_add(1), until };
        until
    }

    /// How often it did; none: it rests for the call.
    pub fn times(&self, seat: &Arc<str>, now: Mono) -> Option<u32> {
        match self.0.get(seat) {
            Some(failed) if now < failed.until => None,
            Some(failed) => Some(failed.times),
            None => Some(0),
        }
    }

    /// These seats, and until when each rests for the call.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, Mono)> {
        self.0.iter().map(|(seat, failed)| (seat, failed.until))
    }
}
