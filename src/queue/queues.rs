use super::last_seats::LastSeats;
use super::past_waits::PastWaits;
use super::state::QueueState;
use super::strategy::Membership;
use super::waiter::{Group, Need, Place, Waiter};
use super::{Input, Join, MissCause, Output, Queue};
use crate::base::{CallId, Mono, Now, Timers};
use crate::seat::{Lease, Party, Seat, Seats};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
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
    last_seats: LastSeats,
    /// Some queue asks for them.
    pub(super) keeps_last_seats: bool,
    pub(super) timers: Timers<Timer>,
    /// Lines where a call or a seat became available since the last dispatch.
    pub(super) pending: BTreeSet<Arc<str>>,
    /// Queues whose callers perhaps nobody can serve any more, or somebody can again; empty between two inputs.
    pub(super) doubted: BTreeSet<Arc<str>>,
    /// Seats whose use has changed; empty between two inputs.
    changed: Vec<Arc<str>>,
    pub(super) serial: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The call waited its maximum.
    Wait(CallId),
    /// The seat did not answer in time.
    Ring(CallId, Arc<str>),
    /// The seat may be tried for this call again.
    Retry(CallId, Arc<str>),
    /// The call is content with less now.
    Widen(CallId),
    /// The seat's rest is over.
    Rest(Arc<str>),
    /// Nobody could serve some callers of this queue for long enough.
    Deserted(Arc<str>),
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
        self.seats.begin(now.mono);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        for (call, waiter) in &mut self.waiters {
            if let Some(queue) = self.queues.get_mut(&waiter.queue) {
                waiter.group.need = queue.need(waiter.skill.as_ref());
                waiter.place = Place::new(*call, waiter.place.serial, waiter.start, &waiter.group, &queue.config);
                self.timers.set(Timer::Wait(*call), limit(waiter, &queue.config));
                self.timers.update(Timer::Widen(*call), queue.widens(now.mono, waiter));
                if queue.config.strategy.wants_seat(waiter, &self.seats) {
                    queue.wants(waiter);
                }
            }
        }
        self.dispatch(now.mono, out);
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let now = now.mono;
        match input {
            Input::Join(join) => self.join(now, join, out),
            Input::Leave { call } => self.leave(now, call, false, out),
            Input::Answered { call, seat } => self.answered(now, call, seat, out),
            Input::Rang { call, seat } => self.rang(call, &seat),
            Input::Refused { call, seat, failure } => self.failed(now, call, &seat, failure),
            Input::SignOfLife { seat, request } => self.shows_life(&seat, request),
            Input::Dropped { call, queue, seat } => self.dropped(now, call, &queue, &seat),
            Input::Lost { call, queue, seat } => self.lost(now, call, &queue, &seat),
            Input::Freed { call, seat } => self.freed(call, &seat),
            Input::Over { call } => self.over(now, call, out),
        }
        self.dispatch(now, out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        let now = now.mono;
        while let Some(seat) = self.seats.tick(now) {
            self.list(&seat);
        }
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Wait(call) => {
                    self.leave(now, call, false, out);
                    out.push(Output::TimedOut { call });
                }
                Timer::Ring(call, seat) => {
                    let rang = self.waiters.get(&call).and_then(|waiter| waiter.ringing.get(&seat)) == Some(&true);
                    self.failed(now, call, &seat, if rang { MissCause::NoAnswer } else { MissCause::Unreachable });
                    out.push(Output::Stop { call, seat, elsewhere: false });
                }
                Timer::Retry(call, _) => self.mark_pending(call),
                Timer::Widen(call) => self.widen(now, call),
                Timer::Rest(seat) => self.rested(&seat),
                Timer::Deserted(queue) => self.send_on(now, &queue, out),
            }
        }
        self.dispatch(now, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.timers.next(), self.seats.deadline()].into_iter().flatten().min()
    }

    /// (calls waiting, channels taken)
    pub fn gauges(&self) -> (usize, usize) {
        (self.waiters.len(), self.seats.taken())
    }

    /// Tells whether a call waits, and will not for ever.
    pub fn waits(&self, call: CallId) -> bool {
        self.waiters.contains_key(&call) && self.timers.is_set(&Timer::Wait(call))
    }

    /// The number of calls that wait ahead of one, and how long it will wait if its queue moves on as it did of late.
    pub fn place(&self, call: CallId) -> Option<(usize, Option<Duration>)> {
        let waiter = self.waiters.get(&call)?;
        let queue = self.queues.get(&waiter.queue)?;
        let ahead = queue.ahead(waiter.place);
        Some((ahead, queue.pace.wait(ahead)))
    }

    /// A call that waits while a seat is free for it: there is none, ever.
    pub fn stranded(&self, now: Now) -> Option<CallId> {
        let starving = |(call, waiter): (&CallId, &Waiter)| {
            let strategy = self.queues.get(&waiter.queue)?.config.strategy;
            (strategy.wants_seat(waiter, &self.seats) && self.choose(now.mono, *call).seat.is_some()).then_some(*call)
        };
        self.waiters.iter().find_map(starving)
    }

    /// Tells whether some queue keeps callers for the seat that served them last, and so wants their numbers.
    pub fn keeps_last_seats(&self) -> bool {
        self.keeps_last_seats
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
        let unserved = |of: &Membership| self.queues.get(&of.queue).is_some_and(QueueState::has_any);
        self.members.get(seat).is_some_and(|memberships| memberships.iter().any(unserved))
    }
}

/// Calls come, wait and go here.
impl Queues {
    fn join(&mut self, now: Mono, join: Join, out: &mut Vec<Output>) {
        let Join { call, queue: name, priority, head, source, hotline, caller } = join;
        if self.waiters.get(&call).is_some_and(|w| w.queue == name) {
            return;
        }
        self.leave(now, call, false, out);
        let comes_back = head && self.past_waits.knows(call);
        let Some(queue) = self.queues.get(&name).filter(|queue| !queue.closed) else {
            return out.push(Output::Full { call });
        };
        if queue.is_full(priority, &source) && !comes_back {
            return out.push(Output::Full { call });
        }
        let skill = queue.config.skill.clone().or(Some(hotline));
        if self.is_deserted(queue, skill.as_ref(), priority) {
            return out.push(Output::NoSeat { call });
        }
        // Only a queue that takes the call uses up what is known of its past: one that does not is a step on the way to the next.
        let (past, Some(queue)) = (self.past_waits.forget(call), self.queues.get_mut(&name)) else { return };
        // A call that comes from another queue, where nobody came, keeps the wait, and has this queue's longest wait from here on.
        let wait = past.as_ref().filter(|past| head || !past.served).map(|past| past.wait);
        let failed = past.map(|past| past.failed).unwrap_or_default();
        self.serial += 1;
        let start = Mono(now.0.saturating_sub(micros(wait.unwrap_or_default())));
        let kept = caller.as_deref().filter(|_| now.since(start) < queue.config.sticky_wait);
        let last = kept.and_then(|caller| self.last_seats.of(caller, now, queue.config.sticky_for));
        let last = last.filter(|seat| failed.times(seat, now) == Some(0));
        let last = last.filter(|seat| is_at_work(&self.seats, &self.members, seat, &name));
        let need = last.map_or_else(|| queue.need(skill.as_ref()), |seat| Need::Seat(seat.clone()));
        let group = Group { need, priority, behind_head: !head };
        let place = Place::new(call, self.serial, start, &group, &queue.config);
        let not_before = match wait {
            Some(_) if head => now.after(queue.config.ring_timeout),
            Some(_) => now.after(queue.config.max_wait),
            None => now,
        };
        let mut waiter = Waiter::new(name.clone(), (source, caller, skill), (group, place), start, not_before);
        for (seat, until) in failed.all().filter(|(_, until)| *until > now) {
            self.timers.set(Timer::Retry(call, seat.clone()), until);
        }
        waiter.failed = failed;
        self.timers.set(Timer::Wait(call), limit(&waiter, &queue.config));
        self.timers.update(Timer::Widen(call), queue.widens(now, &waiter));
        queue.enter(&waiter);
        queue.wants(&waiter);
        self.waiters.insert(call, waiter);
        self.pending.insert(name);
    }

    /// The call waits no longer; its ringing stops.
    pub(super) fn leave(&mut self, now: Mono, call: CallId, elsewhere: bool, out: &mut Vec<Output>) {
        let Some(mut waiter) = self.waiters.remove(&call) else { return };
        self.timers.cancel(&Timer::Wait(call));
        self.timers.cancel(&Timer::Widen(call));
        for (seat, _) in waiter.failed.all() {
            self.timers.cancel(&Timer::Retry(call, seat.clone()));
        }
        for seat in waiter.ringing.keys() {
            self.unring(call, seat);
            out.push(Output::Stop { call, seat: seat.clone(), elsewhere });
        }
        if let Some(queue) = self.queues.get_mut(&waiter.queue) {
            queue.exit(&waiter);
            queue.content(&waiter);
            if queue.closed && queue.waiting == 0 {
                self.close(&waiter.queue);
            }
        }
        self.serial += 1;
        self.past_waits.remember(call, self.serial, now.since(waiter.start), elsewhere);
        self.past_waits.failures(call).into_iter().for_each(|failed| *failed = mem::take(&mut waiter.failed));
    }

    fn answered(&mut self, now: Mono, call: CallId, seat: Arc<str>, out: &mut Vec<Output>) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        if waiter.ringing.remove(&seat).is_none() {
            return;
        }
        let queue = waiter.queue.clone();
        self.timers.cancel(&Timer::Ring(call, seat.clone()));
        let wrap_up = self.queues.get(&waiter.queue).map(|queue| queue.config.wrap_up);
        if let Some(caller) = waiter.caller.clone().filter(|_| self.keeps_last_seats) {
            self.serial += 1;
            self.last_seats.remember(caller, self.serial, now, seat.clone());
        }
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.pace.answered(now, queue.waiting > 1);
        }
        self.seats.take(call, &seat, Lease::Talking);
        self.seats.serves(&seat);
        if let Some(wrap_up) = wrap_up {
            self.seats.wraps_up(call, &seat, wrap_up);
        }
        self.is_there(&seat);
        self.worked(&seat);
        self.leave(now, call, true, out);
    }

    /// The seat refused the call or let it ring too long.
    fn failed(&mut self, now: Mono, call: CallId, seat: &Arc<str>, failure: MissCause) {
        let Some(waiter) = self.waiters.get_mut(&call) else { return };
        let Some(queue) = self.queues.get(&waiter.queue) else { return };
        if waiter.ringing.remove(seat).is_none() {
            return;
        }
        let rests = (queue.config.rest_after_failure, queue.config.rest_max);
        let retry = waiter.failed.add(seat, now, (rests.0, queue.config.refusal_max));
        self.timers.set(Timer::Retry(call, seat.clone()), retry);
        self.judge(now, seat, failure, rests);
        // A seat that a reload took away is forgotten with its last ring, and so told before.
        let removed = self.seats.get(seat).is_some_and(|state| state.channels == 0);
        if removed {
            self.seats.called_in_vain(now, seat, call, failure);
        }
        self.unring(call, seat);
        if !removed {
            self.seats.called_in_vain(now, seat, call, failure);
        }
        self.worked(seat);
        self.keep_no_longer(call, Some(seat));
        self.wants_another(call);
    }

    /// Judges the seat by the failure.
    fn judge(&mut self, now: Mono, seat: &Arc<str>, failure: MissCause, rests: (Duration, Duration)) {
        let Some(state) = self.seats.get(seat) else { return };
        let gone = matches!(failure, MissCause::Unreachable | MissCause::NotRegistered);
        let concerns_all = state.is_phone() || gone;
        // A phone that forwards, or whose person wants no calls, is not ready, whatever its seat's intent says.
        let missed = concerns_all && (gone || matches!(failure, MissCause::NoAnswer | MissCause::Dnd));
        if missed {
            self.is_missed(seat);
        } else if matches!(failure, MissCause::Busy | MissCause::Rejected | MissCause::Dnd | MissCause::Dropped) {
            self.is_there(seat);
        }
        let Some(until) = concerns_all.then(|| self.seats.rest(now, seat, rests)).flatten() else { return };
        self.timers.set(Timer::Rest(seat.clone()), until);
        if missed {
            let (rest, misses) = (until.since(now), self.seats.get(seat).map(|state| state.misses));
            tracing::warn!(seat = %seat, ?failure, misses, ?rest, "a seat does not answer: others are called before it");
        }
    }

    /// The seat answered the call and was gone before it could be heard: it has failed it as if it had refused, and the call is
    /// about to come back to the head.
    fn dropped(&mut self, now: Mono, call: CallId, queue: &Arc<str>, seat: &Arc<str>) {
        if self.seats.lease(call, seat) != Some(Lease::Talking) {
            return;
        }
        if let Some(Queue { rest_after_failure, rest_max, refusal_max, .. }) = self.queues.get(queue).map(|queue| &queue.config) {
            let (rests, refusals) = ((*rest_after_failure, *rest_max), (*rest_after_failure, *refusal_max));
            self.past_waits.failures(call).map(|failed| failed.add(seat, now, refusals));
            self.judge(now, seat, MissCause::Dropped, rests);
        }
        self.seats.dropped(call, seat);
        self.seats.give_back(call, seat);
        self.seats.called_in_vain(now, seat, call, MissCause::Dropped);
        self.worked(seat);
    }

    /// Nothing is kept for a call that is gone: neither its place, nor a seat where nobody said that its conversation was over.
    fn over(&mut self, now: Mono, call: CallId, out: &mut Vec<Output>) {
        self.leave(now, call, false, out);
        self.past_waits.forget(call);
        while let Some(seat) = self.seats.leased(call).cloned() {
            self.seats.give_back(call, &seat);
            self.worked(&seat);
        }
    }

    /// The phone died while it talked: it is not rung again at once, and others are called before it until it shows life. It need
    /// not have come to the caller by a queue.
    fn lost(&mut self, now: Mono, call: CallId, queue: &Arc<str>, seat: &Arc<str>) {
        let said = match self.seats.lease(call, seat) {
            Some(lease) => lease == Lease::Ringing,
            None => !self.seats.uses(call, seat) && self.seats.missed().contains(seat),
        };
        if said {
            return;
        }
        if let Some(Queue { rest_after_failure, rest_max, .. }) = self.queues.get(queue).map(|queue| &queue.config) {
            let rests = (*rest_after_failure, *rest_max);
            self.judge(now, seat, MissCause::Unreachable, rests);
        }
        self.list(seat);
        self.freed(call, seat);
    }

    fn freed(&mut self, call: CallId, seat: &Arc<str>) {
        if self.seats.lease(call, seat) == Some(Lease::Talking) {
            self.seats.give_back(call, seat);
            self.worked(seat);
        }
    }
}

/// When the call's wait ends.
pub(super) fn limit(waiter: &Waiter, queue: &Queue) -> Mono {
    waiter.start.after(queue.max_wait).max(waiter.not_before)
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// Tells whether a caller may wait for the seat that served it last: it serves this queue, and takes calls or will when it has
/// ended those that it has.
fn is_at_work(seats: &Seats, members: &BTreeMap<Arc<str>, Vec<Membership>>, seat: &Arc<str>, queue: &Arc<str>) -> bool {
    let serves = members.get(seat).is_some_and(|memberships| memberships.iter().any(|of| of.queue == *queue));
    serves && seats.get(seat).is_some_and(|state| state.keeps_callers())
}
