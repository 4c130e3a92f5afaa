//! Seats ring and rest, and calls are brought together with them.

use super::crew::Crew;
use super::free::{Key, Listed, Reach};
use super::queues::{Queues, Timer};
use super::state::QueueState;
use super::waiter::{Group, Need, Place, Waiter};
use super::{Choice, Output};
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Mono};
use crate::event::seat::{RingCause, SeatWhat};
use crate::event::{Asked, Because};
use crate::seat::Lease;
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

/// The next seats in order that are named.
const NEXT: usize = 3;

/// A look for a seat came to this.
pub(super) struct Found {
    pub seat: Option<(Arc<str>, Box<Choice>)>,
    /// There was one for such a call, though perhaps not for this one.
    any: bool,
}

/// Seats ring, answer and rest here.
impl Queues {
    fn ring(&mut self, now: Mono, call: CallId, seat: Arc<str>, choice: Box<Choice>, out: &mut Vec<Output>) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        let Some(queue) = self.queues.get_mut(&waiter.queue) else { return };
        self.seats.take(call, &seat, Lease::Ringing);
        let rings = SeatWhat::Ringing { call, cause: RingCause::Queue, queue: Some(waiter.queue.clone()) };
        self.seats.note(&seat, rings);
        trap::spring(Trap::Queue);
        waiter.ringing.insert(seat.clone(), false);
        if !queue.config.strategy.wants_seat(waiter, &self.seats) {
            queue.content(waiter);
        }
        self.timers.set(Timer::Ring(call, seat.clone()), now.after(queue.config.ring_timeout));
        self.serial += 1;
        let memberships = self.members.get_mut(&seat).into_iter().flatten();
        memberships.filter(|of| of.queue == waiter.queue).for_each(|of| of.turn = self.serial);
        self.list(&seat);
        out.push(Output::Ring { call, seat, choice });
    }

    /// Gives back the channel of a ringing that ended; the caller takes it out of the waiter's set.
    pub(super) fn unring(&mut self, call: CallId, seat: &Arc<str>) {
        self.timers.cancel(&Timer::Ring(call, seat.clone()));
        self.seats.give_back(call, seat);
        self.list(seat);
    }

    pub(super) fn worked(&mut self, seat: &Arc<str>) {
        self.seats.worked(seat);
        self.list(seat);
    }

    pub(super) fn rang(&mut self, call: CallId, seat: &Arc<str>) {
        if let Some(rang) = self.waiters.get_mut(&call).and_then(|waiter| waiter.ringing.get_mut(seat)) {
            *rang = true;
        }
    }

    /// A phone may let its proxy speak for it; of its own will nobody asks for anything who is not there.
    pub(super) fn shows_life(&mut self, seat: &Arc<str>, request: bool) {
        if self.seats.missed().contains(seat) && self.seats.get(seat).is_some_and(|state| request || !state.is_phone()) {
            self.is_there(seat);
            self.rested(seat);
        }
    }

    /// The seat is in doubt: other calls that it rings for are not to wait for it alone.
    pub(super) fn is_missed(&mut self, seat: &Arc<str>) {
        // The ringing that has just ended still counts. A phone has others only where a reload took channels from it; an exchange
        // may have died in a conversation, in which nothing rang.
        if self.seats.miss(seat) && self.seats.get(seat).is_some_and(|state| state.ringing > 1 || !state.is_phone()) {
            let calls: Vec<CallId> =
                self.waiters.iter().filter(|(_, w)| w.ringing.contains_key(seat)).map(|(call, _)| *call).collect();
            calls.into_iter().for_each(|call| self.wants_another(call));
        }
    }

    /// A seat in doubt has shown life.
    pub(super) fn is_there(&mut self, seat: &Arc<str>) {
        if self.seats.is_there(seat) {
            tracing::info!(seat = %seat, "a seat that did not answer is there again");
        }
    }

    pub(super) fn rested(&mut self, seat: &Arc<str>) {
        self.seats.rested(seat);
        self.timers.cancel(&Timer::Rest(seat.clone()));
        self.list(seat);
    }

    /// Brings the queues' order of free seats up to date with this seat.
    pub(super) fn list(&mut self, seat: &Arc<str>) {
        let Some(state) = self.seats.get(seat) else { return };
        let (gone, at_work) = (state.is_gone(), state.keeps_callers());
        let crew = if gone { Crew::default() } else { Crew::of(state) };
        for of in self.members.get_mut(seat).into_iter().flatten() {
            let Some(queue) = self.queues.get_mut(&of.queue) else { continue };
            let listed = queue.listing(seat, state, (of.turn, of.place));
            if listed != of.listed {
                of.listed.iter().for_each(|old| queue.free.remove(old));
                listed.iter().for_each(|new| queue.free.insert(new));
                of.listed = listed;
            }
            queue.crew.change(mem::replace(&mut of.crew, crew), crew);
            if of.listed.is_some() {
                self.pending.insert(of.queue.clone());
            }
            let there = state.may_come().then_some(&state.skills);
            if queue.config.without_seats.is_some() && of.there.as_ref() != there {
                of.there = there.cloned();
                self.doubted.insert(of.queue.clone());
            }
        }
        if self.keeps_last_seats && !at_work {
            self.wait_no_longer_for(seat);
        }
        if gone {
            self.timers.cancel(&Timer::Rest(seat.clone()));
            self.seats.forget(seat);
            self.members.remove(seat);
        }
    }

    /// The seat has signed out, takes a break, or cannot be reached: who waits for it alone waits for any.
    fn wait_no_longer_for(&mut self, seat: &Arc<str>) {
        let queues = self.members.get(seat).into_iter().flatten().filter_map(|of| self.queues.get(&of.queue));
        let calls: Vec<CallId> = queues.flat_map(|queue| queue.kept_for(seat)).collect();
        for call in calls {
            self.keep_no_longer(call, Some(seat));
            self.mark_pending(call);
        }
    }

    pub(super) fn close(&mut self, name: &Arc<str>) {
        let Some(queue) = self.queues.remove(name) else { return };
        for seat in &queue.config.seats {
            if let Some(memberships) = self.members.get_mut(seat) {
                memberships.retain(|of| of.queue != *name);
            }
        }
    }
}

/// Bringing calls and seats together.
impl Queues {
    pub(super) fn mark_pending(&mut self, call: CallId) {
        if let Some(waiter) = self.waiters.get(&call) {
            self.pending.insert(waiter.queue.clone());
        }
    }

    /// The call has waited for long enough to be content with less.
    pub(super) fn widen(&mut self, now: Mono, call: CallId) {
        let Some(waiter) = self.waiters.get(&call) else { return };
        let Some(queue) = self.queues.get(&waiter.queue) else { return };
        if matches!(waiter.group.need, Need::Seat(_)) && now.since(waiter.start) >= queue.config.sticky_wait {
            self.keep_no_longer(call, None);
        }
        let Some(waiter) = self.waiters.get(&call) else { return };
        let next = self.queues.get(&waiter.queue).and_then(|queue| queue.widens(now, waiter));
        self.timers.update(Timer::Widen(call), next);
        self.mark_pending(call);
    }

    /// Any seat will do again for a call that was kept for this one, or for whichever it was kept for.
    pub(super) fn keep_no_longer(&mut self, call: CallId, failed: Option<&Arc<str>>) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        let Need::Seat(kept) = &waiter.group.need else { return };
        if failed.is_some_and(|failed| failed != kept) {
            return;
        }
        let Some(queue) = self.queues.get_mut(&waiter.queue) else { return };
        let wanted = queue.has(waiter);
        queue.content(waiter);
        waiter.group.need = queue.need(waiter.skill.as_ref());
        if wanted {
            queue.wants(waiter);
            let queue = waiter.queue.clone();
            self.doubt(&queue);
        }
    }

    /// None rings for the call any more that is in no doubt.
    pub(super) fn wants_another(&mut self, call: CallId) {
        let Some(waiter) = self.waiters.get(&call) else { return };
        if let Some(queue) = self.queues.get_mut(&waiter.queue)
            && queue.config.strategy.wants_seat(waiter, &self.seats)
        {
            queue.wants(waiter);
            let queue = waiter.queue.clone();
            self.doubt(&queue);
            self.pending.insert(queue);
        }
    }

    /// Offers free seats to the calls of the pending queues, the first in place before others, since queues share seats.
    pub(super) fn dispatch(&mut self, now: Mono, out: &mut Vec<Output>) {
        while let Some(seat) = self.seats.settle(now) {
            self.list(&seat);
        }
        let queues = mem::take(&mut self.pending);
        let mut next: BTreeMap<Place, (Arc<str>, Group)> = BTreeMap::new();
        for name in queues {
            let Some(queue) = self.queues.get(&name).filter(|queue| !queue.free.is_empty()) else { continue };
            next.extend(queue.heads().map(|(group, place)| (*place, (name.clone(), group.clone()))));
        }
        while let Some((place, (name, group))) = next.pop_first() {
            if self.serve(now, place.call, out) {
                let behind = self.queues.get(&name).and_then(|queue| queue.behind(&group, place));
                next.extend(behind.map(|place| (place, (name, group))));
            }
        }
        self.pending.clear();
        if !self.doubted.is_empty() {
            self.look_for_deserted(now);
        }
    }

    /// Rings the next seat for the call, or all free ones. False when there is none for it, and so none for those behind it in
    /// its group.
    fn serve(&mut self, now: Mono, call: CallId, out: &mut Vec<Output>) -> bool {
        while self.is_unserved(call) && !self.is_content(call) {
            let Found { seat, any } = self.choose(now, call);
            let Some((seat, choice)) = seat else { return any };
            self.ring(now, call, seat, choice, out);
        }
        true
    }

    /// The seat that rings for it was in doubt, and has shown life: it wants no other.
    fn is_content(&mut self, call: CallId) -> bool {
        let Some(waiter) = self.waiters.get(&call) else { return true };
        let Some(queue) = self.queues.get_mut(&waiter.queue) else { return true };
        let wants = queue.config.strategy.wants_seat(waiter, &self.seats);
        if !wants {
            queue.content(waiter);
        }
        !wants
    }

    fn is_unserved(&self, call: CallId) -> bool {
        let Some(waiter) = self.waiters.get(&call) else { return false };
        self.queues.get(&waiter.queue).is_some_and(|queue| queue.has(waiter))
    }

    /// Finds the first in order of the seats that may be rung for this call and have failed it least often.
    pub(super) fn choose(&self, now: Mono, call: CallId) -> Found {
        let nobody = Found { seat: None, any: false };
        let Some(waiter) = self.waiters.get(&call) else { return nobody };
        let Some(queue) = self.queues.get(&waiter.queue) else { return nobody };
        let (reach, doubtful_too) = (queue.reach(now, waiter), queue.config.strategy.rings_doubtful(waiter));
        let kept = self.kept(waiter).map(|of| (&of.key, of.doubtful));
        let mut candidates = kept.into_iter().chain(queue.free.candidates(&reach));
        let (mut any, mut passed) = (false, 0);
        let mut best: Option<(u32, &Key, bool)> = None;
        for (key, doubtful) in candidates.by_ref() {
            any = true;
            if doubtful && !doubtful_too {
                break;
            }
            let times = waiter.failures(&key.seat, now).filter(|_| !self.seats.uses(call, &key.seat));
            if times.is_some_and(|times| best.is_none_or(|(fewest, ..)| times < fewest)) {
                best = times.map(|times| (times, key, doubtful));
            }
            if times == Some(0) {
                break;
            }
            passed += 1;
        }
        let Some((times, Key { seat, .. }, doubtful)) = best else { return Found { seat: None, any } };
        let next = candidates.filter(|(key, _)| key.seat != *seat).map(|(key, _)| key.seat.clone()).take(NEXT).collect();
        let passed = passed - u32::from(times > 0);
        let choice = self.explain(now, (queue, waiter, &reach), seat, (times, doubtful), passed, next);
        Found { seat: Some((seat.clone(), Box::new(choice))), any: true }
    }

    /// The seat that the call is kept for, while that is free.
    fn kept(&self, waiter: &Waiter) -> Option<&Listed> {
        let Need::Seat(seat) = &waiter.group.need else { return None };
        self.members.get(seat)?.iter().find(|of| of.queue == waiter.queue)?.listed.as_ref()
    }

    fn explain(
        &self,
        now: Mono,
        (queue, waiter, reach): (&QueueState, &Waiter, &Reach),
        seat: &Arc<str>,
        (times, doubtful): (u32, bool),
        passed: u32,
        next: Vec<Arc<str>>,
    ) -> Choice {
        let state = self.seats.get(seat);
        let has = |skill: &Arc<str>| state.and_then(|state| state.skills.get(skill)).copied().unwrap_or_default();
        let skill = match reach.need {
            Need::Skill(skill) => Some(Asked { skill: skill.clone(), level: reach.level, has: has(skill) }),
            Need::Any | Need::Seat(_) => None,
        };
        let because = match reach.need {
            Need::Seat(_) => Because::LastSeat,
            _ if times > 0 => Because::FailedLeast,
            _ if doubtful => Because::Doubtful,
            _ if state.is_some_and(|state| state.expert) && skill.as_ref().is_none_or(|asked| asked.has == 0) => Because::Expert,
            _ => Because::Order,
        };
        Choice {
            strategy: queue.config.strategy,
            because,
            waited: u64::try_from(now.since(waiter.start).as_millis()).unwrap_or(u64::MAX),
            priority: waiter.group.priority.level(),
            free: u32::try_from(queue.free.len()).unwrap_or(u32::MAX),
            passed,
            next,
            skill,
        }
    }
}
