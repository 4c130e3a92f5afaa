//! Seats: one machine for each, the only owner of whether it is busy, however a call reached it. A queue rings it, a
//! transfer or a pick-up calls it, it takes another phone's place, or it has placed the call itself.
//!
//! **Uses.** A call that uses a seat takes one of its channels, once, for as long as any of these holds: the queue has leased
//! the seat for the call (it rings or talks, or is kept for a caller that may come back), or the seat is a party of the call.
//!
//! **Bindings.** The places where a seat can be reached are facts beside its machine. A seat that has none is not rung.
//!
//! **Absence.** A seat that let it ring, or that cannot be reached, is in doubt until it shows life. It rests longer each
//! time, up to the queue's bound.

#[cfg(test)]
mod begin_tests;
mod refusal;
mod shift;
#[cfg(test)]
mod shift_tests;
mod shifts;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub use refusal::Refusal;
pub use shift::{Rules, Shift, SignIn, Wish};
pub use state::{DeviceState, SeatState};

use crate::base::{CallId, Mono, Target, Timers};
use crate::event::SeatWhat;
use crate::event::seat::{ReleasedBy, RingCause, Skills};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A human seat, or a PBX behind one address with many channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    pub name: Arc<str>,
    /// The most calls that it takes at once.
    pub channels: u32,
    pub bindings: Vec<Binding>,
    pub skills: Skills,
    /// A queue rings it for a skill that it has, and for others only after a wait.
    pub expert: bool,
    pub rules: Rules,
}

/// One place where a seat can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub target: Target,
}

/// A party of a call that is a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party<'a> {
    pub seat: &'a str,
    /// The seat has placed the call.
    pub placed: bool,
}

/// The one whose doing is done now: seats that are released by it are told so.
#[derive(Clone, Debug, Default)]
pub struct Doer {
    pub side: ReleasedBy,
    /// The seat that it is: that one is released by itself.
    pub seat: Option<Arc<str>>,
}

/// The queue's hold on a seat for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    Ringing,
    /// In conversation, or kept for a caller that may come back.
    Talking,
}

/// One call's use of one seat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    lease: Option<Lease>,
    /// It came by a queue, which counts its work.
    leased: bool,
    party: bool,
    placed: bool,
    /// It was joined to somebody.
    talked: bool,
    /// How long it may write about the call, where its queue says so.
    wrap_up: Option<Duration>,
    /// It was a party, and this side has ended that.
    left: Option<ReleasedBy>,
}

/// All seats that are configured, and those that are not any more but still in use.
#[derive(Debug, Default)]
pub struct Seats {
    all: BTreeMap<Arc<str>, SeatState>,
    /// Bounded by the calls' parties.
    uses: BTreeMap<(CallId, Arc<str>), Use>,
    /// Seats in doubt.
    missed: BTreeSet<Arc<str>>,
    /// The moment at which something happens by itself, one for each seat.
    timers: Timers<Arc<str>>,
    /// Uses that are over, and are not settled yet: how long the seat may write about each, where it has talked.
    over: Vec<(Arc<str>, CallId, Option<Duration>)>,
    /// Lines for the log of seats that nobody has taken yet.
    news: Vec<(Arc<str>, SeatWhat)>,
    /// Seats whose facts have changed without a line.
    unkept: BTreeSet<Arc<str>>,
    doer: Doer,
    serial: u64,
}

impl Seats {
    /// Takes a new configuration. A seat that it does not name finishes its calls. An operator who reloads may have seen to
    /// a phone that was missed: it begins anew. [`Seats::begin`] says what follows.
    pub fn configure(&mut self, seats: Vec<Seat>) {
        let doubted = std::mem::take(&mut self.missed);
        for state in self.all.values_mut() {
            (state.channels, state.misses, state.rests_until) = (0, 0, None);
            state.bindings.clear();
        }
        let least = self.all.values().map(|state| state.served).min().unwrap_or_default();
        for seat in seats {
            let new = !self.all.contains_key(&seat.name);
            let begun = || SeatState { served: least, ..SeatState::default() };
            let state = self.all.entry(seat.name.clone()).or_insert_with(begun);
            (state.channels, state.bindings, state.expert) = (seat.channels, seat.bindings, seat.expert);
            state.adopt(seat.rules, seat.skills, new);
            self.timers.update(seat.name, state.shift.deadline(&state.rules));
        }
        let back = doubted.into_iter().filter(|seat| !self.bindings(seat).is_empty()).collect::<Vec<_>>();
        self.news.extend(back.into_iter().map(|seat| (seat, SeatWhat::DeviceBack)));
    }

    pub fn get(&self, seat: &str) -> Option<&SeatState> {
        self.all.get(seat)
    }

    /// The places where the seat can be reached, the first one first; none for a seat that nobody knows.
    pub fn bindings(&self, seat: &str) -> &[Binding] {
        self.get(seat).map_or(&[], |state| &state.bindings)
    }

    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.keys()
    }

    /// Forgets a seat that nobody names and nobody uses. Who was signed in there is not any more.
    pub fn forget(&mut self, seat: &str) {
        if !self.all.get(seat).is_some_and(SeatState::is_gone) {
            return;
        }
        self.missed.remove(seat);
        if let Some((name, state)) = self.all.remove_entry(seat)
            && state.known
        {
            self.removed(name, &state.shift.intent);
        }
    }

    /// Has this one be the doer of all that happens from now on.
    pub fn is_done_by(&mut self, doer: Doer) {
        self.doer = doer;
    }

    pub fn doer(&self) -> &Doer {
        &self.doer
    }

    /// Channels taken of all.
    pub fn taken(&self) -> usize {
        self.uses.len()
    }

    /// Every use of a seat, by call.
    pub fn in_use(&self) -> impl Iterator<Item = (CallId, &Arc<str>)> {
        self.uses.keys().map(|(call, seat)| (*call, seat))
    }

    /// The calls that use the seat, the oldest first.
    pub fn calls(&self, seat: &str) -> &[CallId] {
        self.get(seat).map_or(&[], |state| &state.calls)
    }

    /// A count of a seat that is not what a walk over the uses finds; none, ever.
    pub fn miscount(&self) -> Option<String> {
        let mut found: BTreeMap<&Arc<str>, SeatState> = BTreeMap::new();
        self.uses.iter().for_each(|((call, seat), of)| found.entry(seat).or_default().count(*call, *of));
        let counts = |state: &SeatState| (state.taken, state.ringing, state.placed, state.calls.clone());
        for (seat, state) in &self.all {
            let (known, found) = (counts(state), found.remove(seat).map(|state| counts(&state)).unwrap_or_default());
            if known != found {
                return Some(format!("seat {seat} is used as {known:?}, and a walk finds {found:?}"));
            }
        }
        found.keys().next().map(|seat| format!("seat {seat} is in use, and nobody knows it"))
    }

    /// Calls that seats have placed and that are not over.
    pub fn placed(&self) -> usize {
        self.all.values().map(|state| state.placed as usize).sum()
    }

    /// Tells whether the seat may place one more call. A call for help is not kept waiting by the one that it is made from.
    pub fn may_place(&self, seat: &str, emergency: bool) -> bool {
        self.get(seat).is_some_and(|state| state.placed < state.channels.saturating_add(u32::from(emergency)))
    }

    /// Tells whether this call uses the seat.
    pub fn uses(&self, call: CallId, seat: &Arc<str>) -> bool {
        self.uses.contains_key(&(call, seat.clone()))
    }

    /// A queue's hold on the seat for this call.
    pub fn lease(&self, call: CallId, seat: &Arc<str>) -> Option<Lease> {
        self.uses.get(&(call, seat.clone()))?.lease
    }

    /// A seat that a queue has leased for this call.
    pub fn leased(&self, call: CallId) -> Option<&Arc<str>> {
        self.of(call).find(|(_, of)| of.lease.is_some()).map(|((_, seat), _)| seat)
    }

    /// The queue takes the seat for this call, or has it talk.
    pub fn take(&mut self, call: CallId, seat: &Arc<str>, lease: Lease) {
        self.change(call, seat, |of| (of.lease, of.leased) = (Some(lease), true));
    }

    /// The queue's hold is over. False when it had none.
    pub fn give_back(&mut self, call: CallId, seat: &Arc<str>) -> bool {
        let had = self.lease(call, seat).is_some();
        if had {
            self.change(call, seat, |of| of.lease = None);
        }
        had
    }

    /// These seats are the call's parties now. Adds those of which the call takes a channel by that, or gives one back, to
    /// `changed`.
    pub fn parties<'a>(&mut self, call: CallId, parties: impl Iterator<Item = Party<'a>> + Clone, changed: &mut Vec<Arc<str>>) {
        for Party { seat, placed } in parties.clone() {
            let seat = self.name(seat);
            let known = self.uses.get(&(call, seat.clone())).is_some_and(|of| of.party && of.placed == placed);
            if !known && self.change(call, &seat, |of| (of.party, of.placed) = (true, placed)) {
                changed.push(seat);
            }
        }
        let gone = |(key, of): (&(CallId, Arc<str>), &Use)| {
            let is = parties.clone().any(|party| *party.seat == *key.1);
            (of.party && !is).then(|| (key.1.clone(), of.leased))
        };
        loop {
            let Some((seat, leased)) = self.of(call).find_map(&gone) else { return };
            let freed = self.change(call, &seat, |of| (of.party, of.placed) = (false, false));
            if !leased {
                self.worked(&seat);
            }
            changed.extend(freed.then_some(seat));
        }
    }

    /// The seat did something, or rang in vain: it is the shortest idle now.
    pub fn worked(&mut self, seat: &str) {
        self.serial += 1;
        if let Some(state) = self.all.get_mut(seat) {
            state.last_work = self.serial;
        }
    }

    /// The seat has taken one more caller of a queue.
    pub fn serves(&mut self, seat: &str) {
        if let Some(state) = self.all.get_mut(seat) {
            state.served += 1;
        }
    }

    /// Seats in doubt: they did not answer, or could not be reached, and have shown no life since.
    pub fn missed(&self) -> &BTreeSet<Arc<str>> {
        &self.missed
    }

    /// The seat did not answer or could not be reached. True when it was in no doubt before.
    pub fn miss(&mut self, seat: &Arc<str>) -> bool {
        let Some(state) = self.all.get_mut(seat) else { return false };
        state.misses = state.misses.saturating_add(1);
        let new = self.missed.insert(seat.clone());
        if new {
            self.news.push((seat.clone(), SeatWhat::DeviceGone));
        }
        new
    }

    /// The seat has shown life. True when it was in doubt before.
    pub fn is_there(&mut self, seat: &str) -> bool {
        if let Some(state) = self.all.get_mut(seat) {
            state.misses = 0;
        }
        let doubted = self.missed.take(seat);
        let was = doubted.is_some();
        self.news.extend(doubted.map(|seat| (seat, SeatWhat::DeviceBack)));
        was
    }

    /// The seat is passed over for every call, twice as long each time that it is missed, and at most `longest`.
    pub fn rest(&mut self, now: Mono, seat: &str, (shortest, longest): (Duration, Duration)) -> Option<Mono> {
        let state = self.all.get_mut(seat)?;
        let until = now.after(state.rest(shortest, longest));
        state.rests_until = Some(until);
        Some(until)
    }

    pub fn rested(&mut self, seat: &str) {
        if let Some(state) = self.all.get_mut(seat) {
            state.rests_until = None;
        }
    }

    /// After a panic: every count follows from the uses. Then `call` uses nothing any more, and a lease that `leased` does not
    /// know is none: each ends like any other.
    pub fn recover(&mut self, call: Option<CallId>, leased: impl Fn(CallId, &Arc<str>) -> bool) {
        for state in self.all.values_mut() {
            (state.ringing, state.taken, state.placed) = (0, 0, 0);
            state.calls.clear();
        }
        for ((call, seat), of) in &self.uses {
            self.all.entry(seat.clone()).or_default().count(*call, *of);
        }
        for (of, seat) in self.uses.keys().cloned().collect::<Vec<_>>() {
            let known = self.lease(of, &seat) != Some(Lease::Ringing) || leased(of, &seat);
            match Some(of) == call {
                true => _ = self.change(of, &seat, |of| (of.lease, of.party, of.placed) = (None, false, false)),
                false if known => {}
                false => _ = self.change(of, &seat, |of| of.lease = None),
            }
        }
    }

    fn of(&self, call: CallId) -> impl Iterator<Item = (&(CallId, Arc<str>), &Use)> {
        self.uses.range((call, Arc::default())..).take_while(move |((of, _), _)| *of == call)
    }

    /// The name as it is kept here.
    pub fn name(&self, seat: &str) -> Arc<str> {
        self.all.get_key_value(seat).map_or_else(|| seat.into(), |(name, _)| name.clone())
    }

    /// True when the call takes a channel of the seat by it, or gives one back.
    fn change(&mut self, call: CallId, seat: &Arc<str>, change: impl FnOnce(&mut Use)) -> bool {
        let key = (call, seat.clone());
        let before = self.uses.get(&key).copied().unwrap_or_default();
        let mut after = before;
        change(&mut after);
        if before.party != after.party {
            after.left = before.party.then(|| self.doer.as_seen_by(seat));
        }
        let state = self.all.entry(seat.clone()).or_default();
        state.discount(call, before);
        state.count(call, after);
        if before.is_one() && !after.is_one() {
            let wrap_up = before.talked.then(|| before.wrap_up.unwrap_or(state.rules.wrap_up));
            self.over.push((seat.clone(), call, wrap_up));
            let by = after.left.unwrap_or_else(|| self.doer.as_seen_by(seat));
            self.news.push((seat.clone(), SeatWhat::Released { call, talked: before.talked, by }));
        }
        if after.party && !before.is_one() {
            let cause = if after.placed { RingCause::Outbound } else { RingCause::Direct };
            self.news.push((seat.clone(), SeatWhat::Ringing { call, cause, queue: None }));
        }
        match after.is_one() {
            true => _ = self.uses.insert(key, after),
            false => _ = self.uses.remove(&key),
        }
        before.is_one() != after.is_one()
    }
}

impl Doer {
    /// Somebody who is no seat.
    pub fn of(side: ReleasedBy) -> Doer {
        Doer { side, seat: None }
    }

    fn as_seen_by(&self, seat: &str) -> ReleasedBy {
        if self.seat.as_deref() == Some(seat) { ReleasedBy::Seat } else { self.side }
    }
}

impl Use {
    fn is_one(self) -> bool {
        self.lease.is_some() || self.party
    }
}
