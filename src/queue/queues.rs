use super::past_waits::PastWaits;
use super::state::QueueState;
use super::strategy::{Key, Membership};
use super::waiter::{Place, Waiter};
use super::{Failure, Input, Output, Priority, Queue};
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Mono, Now, Timers};
use crate::seat::{Lease, Party, Seat, Seats};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

/// All queues, and the seats that serve them.
#[derive(Default)]
pub struct Queues {
    pub(super) seats: Seats,
    /// The queues that each seat serves.
    pub(super) members: BTreeMap<Arc<str>, Vec<Membership>>,
    pub(super) queues: BTreeMap<Arc<str>, QueueState>,
    pub(super) waiters: BTreeMap<CallId, Waiter>,
    past_waits: PastWaits,
    pub(super) timers: Timers<Timer>,
    /// Lines where a call or a seat became available since the last dispatch.
    pub(super) pending: BTreeSet<Arc<str>>,
    /// Seats whose use has changed; empty between two inputs.
    changed: Vec<Arc<str>>,
    serial: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The call waited its maximum.
    Wait(CallId),
    /// The seat did not answer in time.
    Ring(CallId, Arc<str>),
    /// The seat may be tried for this call again.
    Retry(CallId, Arc<str>),
    /// The seat's rest is over.
    Rest(Arc<str>),
}

impl Queues {
    pub fn new(seats: Vec<Seat>, queues: Vec<Queue>) -> Queues {
        let mut all = Queues::default();
        all.configure(seats, queues);
        all
    }

    /// Takes a new configuration: calls that wait keep their place; a seat that went away finishes its calls, and a
    /// queue that went away serves those inside by the seats that it had.
    pub fn reload(&mut self, now: Now, seats: Vec<Seat>, queues: Vec<Queue>, out: &mut Vec<Output>) {
        self.configure(seats, queues);
        for (call, waiter) in &self.waiters {
            if let Some(queue) = self.queues.get_mut(&waiter.queue) {
                self.timers.set(Timer::Wait(*call), limit(waiter, &queue.config));
                if queue.config.strategy.wants_seat(waiter, &self.seats) {
                    queue.unserved.insert(waiter.place);
                }
            }
        }
        self.dispatch(now.mono, out);
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let now = now.mono;
        match input {
            Input::Join { call, queue, priority, head, source } => self.join(now, call, queue, (priority, head), source, out),
            Input::Leave { call } => self.leave(now, call, false, out),
            Input::Answered { call, seat } => self.answered(now, call, seat, out),
            Input::Rang { call, seat } => self.rang(call, &seat),
            Input::Refused { call, seat, failure } => self.failed(now, call, &seat, failure),
            Input::SignOfLife { seat, request } => self.shows_life(&seat, request),
            Input::Freed { call, seat } => self.freed(call, &seat),
        }
        self.dispatch(now, out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        let now = now.mono;
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Wait(call) => {
                    self.leave(now, call, false, out);
                    out.push(Output::TimedOut { call });
                }
                Timer::Ring(call, seat) => {
                    let rang = self.waiters.get(&call).and_then(|waiter| waiter.ringing.get(&seat)) == Some(&true);
                    self.failed(now, call, &seat, if rang { Failure::Missed } else { Failure::Unreachable });
                    out.push(Output::Stop { call, seat, elsewhere: false });
                }
                Timer::Retry(call, _) => self.mark_pending(call),
                Timer::Rest(seat) => self.rested(&seat),
            }
        }
        self.dispatch(now, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// (calls waiting, channels taken)
    pub fn gauges(&self) -> (usize, usize) {
        (self.waiters.len(), self.seats.taken())
    }

    /// Tells whether a call waits, and will not for ever.
    pub fn waits(&self, call: CallId) -> bool {
        self.waiters.contains_key(&call) && self.timers.is_set(&Timer::Wait(call))
    }

    /// A call that waits while a seat is free for it: there is none, ever.
    pub fn stranded(&self, now: Now) -> Option<CallId> {
        let starving = |(call, waiter): (&CallId, &Waiter)| {
            let strategy = self.queues.get(&waiter.queue)?.config.strategy;
            (strategy.wants_seat(waiter, &self.seats) && self.choose(now.mono, *call).is_some()).then_some(*call)
        };
        self.waiters.iter().find_map(starving)
    }

    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// These seats are the call's parties now, however they came to it. One of which that is no longer true may ring.
    pub fn parties<'a>(
        &mut self,
        now: Now,
        call: CallId,
        parties: impl Iterator<Item = Party<'a>> + Clone,
        out: &mut Vec<Output>,
    ) {
        let mut changed = mem::take(&mut self.changed);
        self.seats.parties(call, parties, &mut changed);
        if !changed.is_empty() {
            changed.drain(..).for_each(|seat| self.list(&seat));
            self.dispatch(now.mono, out);
        }
        self.changed = changed;
    }

    /// The seats that ring for a call, as far as is known here.
    pub fn ringing(&self, call: CallId) -> impl Iterator<Item = &Arc<str>> {
        self.waiters.get(&call).into_iter().flat_map(|waiter| waiter.ringing.keys())
    }

    /// Tells whether a call wants a seat in a queue that this one serves.
    pub fn is_wanted(&self, seat: &str) -> bool {
        let unserved = |of: &Membership| self.queues.get(&of.queue).is_some_and(|queue| !queue.unserved.is_empty());
        self.members.get(seat).is_some_and(|memberships| memberships.iter().any(unserved))
    }
}

/// Calls come, wait and go here.
impl Queues {
    fn join(
        &mut self,
        now: Mono,
        call: CallId,
        name: Arc<str>,
        (priority, head): (Priority, bool),
        source: Arc<str>,
        out: &mut Vec<Output>,
    ) {
        if self.waiters.get(&call).is_some_and(|w| w.queue == name) {
            return;
        }
        self.leave(now, call, false, out);
        let served = if head { self.past_waits.forget(call) } else { None };
        let Some(queue) = self.queues.get_mut(&name).filter(|queue| !queue.closed) else {
            return out.push(Output::Full { call });
        };
        if queue.is_full(priority, &source) && served.is_none() {
            return out.push(Output::Full { call });
        }
        self.serial += 1;
        let start = Mono(now.0.saturating_sub(micros(served.unwrap_or_default())));
        let place = Place { priority, behind_head: !head, start, serial: self.serial, call };
        let not_before = served.map_or(now, |_| now.after(queue.config.ring_timeout));
        let waiter = Waiter::new(name.clone(), source, place, not_before);
        self.timers.set(Timer::Wait(call), limit(&waiter, &queue.config));
        queue.enter(&waiter.source);
        queue.unserved.insert(place);
        self.waiters.insert(call, waiter);
        self.pending.insert(name);
    }

    /// The call waits no longer; its ringing stops.
    fn leave(&mut self, now: Mono, call: CallId, elsewhere: bool, out: &mut Vec<Output>) {
        let Some(waiter) = self.waiters.remove(&call) else { return };
        self.timers.cancel(&Timer::Wait(call));
        for seat in waiter.failed_seats() {
            self.timers.cancel(&Timer::Retry(call, seat.clone()));
        }
        for seat in waiter.ringing.keys() {
            self.unring(call, seat);
            out.push(Output::Stop { call, seat: seat.clone(), elsewhere });
        }
        if let Some(queue) = self.queues.get_mut(&waiter.queue) {
            queue.exit(&waiter.source);
            queue.unserved.remove(&waiter.place);
            if queue.closed && queue.waiting == 0 {
                self.close(&waiter.queue);
            }
        }
        self.serial += 1;
        self.past_waits.remember(call, self.serial, now.since(waiter.place.start));
    }

    fn answered(&mut self, now: Mono, call: CallId, seat: Arc<str>, out: &mut Vec<Output>) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        if waiter.ringing.remove(&seat).is_none() {
            return;
        }
        self.timers.cancel(&Timer::Ring(call, seat.clone()));
        self.seats.take(call, &seat, Lease::Talking);
        self.is_there(&seat);
        self.worked(&seat);
        self.leave(now, call, true, out);
    }

    /// The seat refused the call or let it ring too long.
    fn failed(&mut self, now: Mono, call: CallId, seat: &Arc<str>, failure: Failure) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        let Some(queue) = self.queues.get(&waiter.queue) else { return };
        if waiter.ringing.remove(seat).is_none() {
            return;
        }
        let rests = (queue.config.rest_after_failure, queue.config.rest_max);
        let retry = now.after(rests.0);
        waiter.fail(seat, retry);
        self.timers.set(Timer::Retry(call, seat.clone()), retry);
        self.judge(now, seat, failure, rests);
        self.unring(call, seat);
        self.worked(seat);
        self.wants_another(call);
    }

    /// Judges the seat by the failure.
    fn judge(&mut self, now: Mono, seat: &Arc<str>, failure: Failure, rests: (Duration, Duration)) {
        let Some(state) = self.seats.get(seat) else { return };
        let concerns_all = state.is_phone() || failure == Failure::Unreachable;
        let missed = concerns_all && matches!(failure, Failure::Missed | Failure::Unreachable);
        if missed {
            self.is_missed(seat);
        } else if failure == Failure::Declined {
            self.is_there(seat);
        }
        let Some(until) = concerns_all.then(|| self.seats.rest(now, seat, rests)).flatten() else { return };
        self.timers.set(Timer::Rest(seat.clone()), until);
        if missed {
            let (rest, misses) = (until.since(now), self.seats.get(seat).map(|state| state.misses));
            tracing::warn!(seat = %seat, ?failure, misses, ?rest, "a seat does not answer: others are called before it");
        }
    }

    fn freed(&mut self, call: CallId, seat: &Arc<str>) {
        if self.seats.lease(call, seat) == Some(Lease::Talking) {
            self.seats.give_back(call, seat);
            self.worked(seat);
        }
    }
}

/// Seats ring, answer and rest here.
impl Queues {
    fn ring(&mut self, now: Mono, call: CallId, seat: Arc<str>, out: &mut Vec<Output>) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        let Some(queue) = self.queues.get_mut(&waiter.queue) else { return };
        self.seats.take(call, &seat, Lease::Ringing);
        trap::spring(Trap::Queue);
        waiter.ringing.insert(seat.clone(), false);
        if !queue.config.strategy.wants_seat(waiter, &self.seats) {
            queue.unserved.remove(&waiter.place);
        }
        self.timers.set(Timer::Ring(call, seat.clone()), now.after(queue.config.ring_timeout));
        self.list(&seat);
        out.push(Output::Ring { call, seat });
    }

    /// Gives back the channel of a ringing that ended; the caller takes it out of the waiter's set.
    fn unring(&mut self, call: CallId, seat: &Arc<str>) {
        self.timers.cancel(&Timer::Ring(call, seat.clone()));
        self.seats.give_back(call, seat);
        self.list(seat);
    }

    fn worked(&mut self, seat: &Arc<str>) {
        self.seats.worked(seat);
        self.list(seat);
    }

    fn rang(&mut self, call: CallId, seat: &Arc<str>) {
        if let Some(rang) = self.waiters.get_mut(&call).and_then(|waiter| waiter.ringing.get_mut(seat)) {
            *rang = true;
        }
    }

    /// A phone may let its proxy speak for it; of its own will nobody asks for anything who is not there.
    fn shows_life(&mut self, seat: &Arc<str>, request: bool) {
        if self.seats.missed().contains(seat) && self.seats.get(seat).is_some_and(|state| request || !state.is_phone()) {
            self.is_there(seat);
            self.rested(seat);
        }
    }

    /// The seat is in doubt: other calls that it rings for are not to wait for it alone.
    fn is_missed(&mut self, seat: &Arc<str>) {
        if self.seats.miss(seat) {
            let calls: Vec<CallId> =
                self.waiters.iter().filter(|(_, w)| w.ringing.contains_key(seat)).map(|(call, _)| *call).collect();
            calls.into_iter().for_each(|call| self.wants_another(call));
        }
    }

    /// A seat in doubt has shown life.
    fn is_there(&mut self, seat: &Arc<str>) {
        if self.seats.is_there(seat) {
            tracing::info!(seat = %seat, "a seat that did not answer is there again");
        }
    }

    fn rested(&mut self, seat: &Arc<str>) {
        self.seats.rested(seat);
        self.timers.cancel(&Timer::Rest(seat.clone()));
        self.list(seat);
    }

    /// Brings the queues' order of free seats up to date with this seat.
    pub(super) fn list(&mut self, seat: &Arc<str>) {
        let Some(state) = self.seats.get(seat) else { return };
        let gone = state.is_gone();
        for of in self.members.get_mut(seat).into_iter().flatten() {
            let Some(queue) = self.queues.get_mut(&of.queue) else { continue };
            if let Some(old) = of.key.take() {
                queue.free.remove(&old);
            }
            of.key = queue.config.strategy.key(seat, state);
            if let Some(key) = &of.key {
                queue.free.insert(key.clone());
                self.pending.insert(of.queue.clone());
            }
        }
        if gone {
            self.timers.cancel(&Timer::Rest(seat.clone()));
            self.seats.forget(seat);
            self.members.remove(seat);
        }
    }

    fn close(&mut self, name: &Arc<str>) {
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
    fn mark_pending(&mut self, call: CallId) {
        if let Some(waiter) = self.waiters.get(&call) {
            self.pending.insert(waiter.queue.clone());
        }
    }

    /// None rings for the call any more that is in no doubt.
    fn wants_another(&mut self, call: CallId) {
        let Some(waiter) = self.waiters.get(&call) else { return };
        if let Some(queue) = self.queues.get_mut(&waiter.queue)
            && queue.config.strategy.wants_seat(waiter, &self.seats)
        {
            queue.unserved.insert(waiter.place);
            self.pending.insert(waiter.queue.clone());
        }
    }

    /// Offers free seats to the calls of the pending queues, the first in place before others, since queues share seats.
    pub(super) fn dispatch(&mut self, now: Mono, out: &mut Vec<Output>) {
        let queues = mem::take(&mut self.pending);
        let mut next: BTreeMap<Place, Arc<str>> = BTreeMap::new();
        for name in queues {
            next.extend(self.unserved(&name, None).map(|place| (place, name)));
        }
        while let Some((place, name)) = next.pop_first() {
            self.serve(now, place.call, out);
            next.extend(self.unserved(&name, Some(place)).map(|place| (place, name)));
        }
        self.pending.clear();
    }

    /// The first call of the queue behind `after` that wants a seat, while there is one.
    fn unserved(&self, name: &Arc<str>, after: Option<Place>) -> Option<Place> {
        let queue = self.queues.get(name).filter(|queue| !queue.free.is_empty())?;
        let from = after.map_or(Unbounded, Excluded);
        queue.unserved.range((from, Unbounded)).next().copied()
    }

    /// Rings the next seat for the call, or all free ones.
    fn serve(&mut self, now: Mono, call: CallId, out: &mut Vec<Output>) {
        while self.wants(call)
            && let Some(seat) = self.choose(now, call)
        {
            self.ring(now, call, seat, out);
        }
    }

    fn wants(&self, call: CallId) -> bool {
        let Some(waiter) = self.waiters.get(&call) else { return false };
        self.queues.get(&waiter.queue).is_some_and(|queue| queue.unserved.contains(&waiter.place))
    }

    /// Returns the seat with the lowest key among those that have failed this call least often.
    fn choose(&self, now: Mono, call: CallId) -> Option<Arc<str>> {
        let waiter = self.waiters.get(&call)?;
        let queue = self.queues.get(&waiter.queue)?;
        let doubtful_too = queue.config.strategy.rings_doubtful(waiter);
        let mut best: Option<(u32, &Arc<str>)> = None;
        for Key { seat, .. } in queue.free.iter().take_while(|key| doubtful_too || !key.doubtful) {
            let Some(times) = waiter.failures(seat, now) else { continue };
            if self.seats.uses(call, seat) {
                continue;
            }
            if times == 0 {
                return Some(seat.clone());
            }
            if best.is_none_or(|(fewest, _)| times < fewest) {
                best = Some((times, seat));
            }
        }
        best.map(|(_, seat)| seat.clone())
    }
}

/// When the call's wait ends.
pub(super) fn limit(waiter: &Waiter, queue: &Queue) -> Mono {
    waiter.place.start.after(queue.max_wait).max(waiter.not_before)
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
