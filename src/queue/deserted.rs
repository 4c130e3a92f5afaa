//! Callers whom nobody could ever serve: no seat of their queue is signed in and reachable that has the skill which is asked for
//! in the end, or need not have it. A queue may say that such callers are not kept waiting: one who comes is sent on at once, those
//! who wait already after a time of grace, as shifts change. Callers from emergency lines wait in any case.

use super::queues::{Queues, Timer};
use super::state::QueueState;
use super::waiter::Waiter;
use super::{Output, Priority};
use crate::base::{CallId, Mono};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

impl Queues {
    /// Tells whether a caller who comes to this queue is not to wait, as nobody could serve it.
    pub(super) fn is_deserted(&self, queue: &QueueState, skill: Option<&Arc<str>>, priority: Priority) -> bool {
        queue.config.without_seats.is_some() && priority != Priority::HIGH && !self.has_seat_for(queue, skill)
    }

    /// It is looked at whether this queue's callers can still be served.
    pub(super) fn doubt(&mut self, queue: &Arc<str>) {
        if self.queues.get(queue).is_some_and(|queue| queue.config.without_seats.is_some()) {
            self.doubted.insert(queue.clone());
        }
    }

    /// Somebody has come or gone since the last look: notes since when there is nobody for which callers.
    pub(super) fn look_for_deserted(&mut self, now: Mono) {
        for name in mem::take(&mut self.doubted) {
            let Some(queue) = self.queues.get(&name) else { continue };
            let Some(grace) = queue.config.without_seats else { continue };
            let heads = queue.heads().filter(|(group, _)| group.priority != Priority::HIGH);
            let waiters = heads.filter_map(|(_, place)| self.waiters.get(&place.call));
            let asked: BTreeSet<Option<Arc<str>>> = waiters.map(|waiter| waiter.skill.clone()).collect();
            let alone = asked.into_iter().filter(|skill| !self.has_seat_for(queue, skill.as_ref()));
            let deserted: BTreeMap<Option<Arc<str>>, Mono> =
                alone.map(|skill| (skill.clone(), queue.deserted.get(&skill).copied().unwrap_or(now))).collect();
            let due = deserted.values().min().map(|since| since.after(grace));
            self.timers.update(Timer::Deserted(name.clone()), due);
            self.queues.get_mut(&name).into_iter().for_each(|queue| queue.deserted = deserted.clone());
        }
    }

    /// The time of grace is over: those whom nobody could serve go elsewhere.
    pub(super) fn send_on(&mut self, now: Mono, name: &Arc<str>, out: &mut Vec<Output>) {
        let Some(queue) = self.queues.get(name) else { return };
        let grace = queue.config.without_seats.unwrap_or(Duration::MAX);
        let is_due = |waiter: &Waiter| queue.deserted.get(&waiter.skill).is_some_and(|since| since.after(grace) <= now);
        let waits = |waiter: &Waiter| waiter.queue == *name && waiter.ringing.is_empty();
        let ordinary = |waiter: &Waiter| waiter.group.priority != Priority::HIGH;
        let all = self.waiters.iter().filter(|(_, waiter)| waits(waiter) && ordinary(waiter) && is_due(waiter));
        let calls: Vec<CallId> = all.map(|(call, _)| *call).collect();
        // One for which a seat still rings is looked at again when that has ended.
        let next = queue.deserted.values().map(|since| since.after(grace)).filter(|due| *due > now).min();
        self.timers.update(Timer::Deserted(name.clone()), next);
        for call in calls {
            self.leave(now, call, false, out);
            out.push(Output::NoSeat { call });
        }
    }

    fn has_seat_for(&self, queue: &QueueState, skill: Option<&Arc<str>>) -> bool {
        queue.config.seats.iter().filter_map(|seat| self.seats.get(seat)).any(|state| queue.could_ring(skill, state))
    }
}
