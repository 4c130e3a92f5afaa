//! All seats' shifts: wishes, what happens by itself, and what must survive.

use super::shift::{At, Rules, Shift, Wish};
use super::{Binding, DeviceState, Refusal, SeatState, Seats, SignIn};
use crate::base::{CallId, Mono, Now, Wall};
use crate::event::SeatFact;
use crate::event::seat::{Author, Intent, MissCause, SeatWhat, Skills};
use std::sync::Arc;
use std::time::Duration;

impl Seats {
    /// Carries out a wish, or says why not; then nothing has changed.
    pub fn wish(&mut self, now: Mono, seat: &str, wish: Wish, by: Author) -> Result<(), Refusal> {
        let mut answer = Err(Refusal::UnknownSeat);
        self.shift(now, seat, |shift, at, log| answer = shift.wish(at, wish, by, log));
        answer
    }

    /// The seat's toolbar is there.
    pub fn heard(&mut self, now: Mono, seat: &str) {
        self.shift(now, seat, |shift, _, _| shift.heard = shift.heard.map(|_| now));
    }

    /// The person who has signed in at the seat does something: that toolbar is there.
    pub fn heard_from(&mut self, now: Mono, seat: &str, by: &Author) {
        if self.all.get(seat).is_some_and(|state| state.shift.holder.as_ref() == Some(by)) {
            self.heard(now, seat);
        }
    }

    /// The places where the seat can be reached now. True when that changes what it can be called for.
    pub fn bind(&mut self, now: Mono, seat: &str, bindings: Vec<Binding>) -> bool {
        let Some((name, state)) = self.all.get_key_value(seat).map(|(name, state)| (name.clone(), state)) else { return false };
        let (had, has) = (!state.bindings.is_empty(), !bindings.is_empty());
        if let Some(state) = self.all.get_mut(seat) {
            state.bindings = bindings;
        }
        if had != has {
            self.news.push((name.clone(), if has { SeatWhat::DeviceBack } else { SeatWhat::DeviceGone }));
        }
        // A registration that is renewed is no news: who has signed out since stays so.
        if had != has {
            let by = Author::phone(&name);
            self.shift(now, seat, |shift, at, log| shift.registered(at, has, by, log));
        }
        true
    }

    /// A queue called the seat in vain.
    pub fn called_in_vain(&mut self, now: Mono, seat: &str, call: CallId, cause: MissCause) {
        self.shift(now, seat, |shift, at, log| {
            log.push(SeatWhat::Missed { call, cause });
            shift.missed(at, cause, log);
        });
    }

    /// The seat was gone from this call before anybody could be heard: it has not talked.
    pub fn dropped(&mut self, call: CallId, seat: &Arc<str>) {
        if let Some(of) = self.uses.get_mut(&(call, seat.clone())) {
            of.talked = false;
        }
    }

    /// The seat is joined to somebody in this call.
    pub fn talks(&mut self, call: CallId, seat: &str) {
        if let Some((name, _)) = self.all.get_key_value(seat)
            && let Some(of) = self.uses.get_mut(&(call, name.clone()))
        {
            let new = !std::mem::replace(&mut of.talked, true);
            self.news.extend(new.then(|| (name.clone(), SeatWhat::Talking { call })));
        }
    }

    /// How long the seat may write about this call, by its queue's rule.
    pub fn wraps_up(&mut self, call: CallId, seat: &Arc<str>, wrap_up: Duration) {
        if let Some(of) = self.uses.get_mut(&(call, seat.clone())) {
            of.wrap_up = Some(wrap_up);
        }
    }

    /// Lets what follows a use of a seat follow it; returns a seat whose intent may have changed, until there is none.
    pub fn settle(&mut self, now: Mono) -> Option<Arc<str>> {
        let (seat, call, wrap_up) = self.over.pop()?;
        self.shift(now, &seat, |shift, at, log| {
            if wrap_up.is_some() {
                shift.talked();
            }
            if !at.in_use {
                shift.free(at, call, wrap_up, log);
            }
        });
        Some(seat)
    }

    /// Lets happen by itself what is due; returns a seat whose intent may have changed, until there is none.
    pub fn tick(&mut self, now: Mono) -> Option<Arc<str>> {
        let seat = self.timers.pop(now)?;
        self.shift(now, &seat, |shift, at, log| shift.tick(at, log));
        Some(seat)
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Lines for the log of seats, in order.
    pub fn take_news(&mut self) -> Vec<(Arc<str>, SeatWhat)> {
        std::mem::take(&mut self.news)
    }

    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// A line for the log of seats that changes nothing.
    pub fn note(&mut self, seat: &Arc<str>, what: SeatWhat) {
        self.news.push((seat.clone(), what));
    }

    /// The calls that use the seat.
    pub fn calls(&self, seat: &str) -> Vec<CallId> {
        self.uses.keys().filter(|(_, name)| **name == *seat).map(|(call, _)| *call).collect()
    }

    fn shift(&mut self, now: Mono, seat: &str, act: impl FnOnce(&mut Shift, &At<'_>, &mut Vec<SeatWhat>)) {
        let Some((name, _)) = self.all.get_key_value(seat) else { return };
        let name = name.clone();
        let Some(state) = self.all.get_mut(seat) else { return };
        let at = At { now, in_use: state.taken > 0, rules: &state.rules };
        let mut log = Vec::new();
        act(&mut state.shift, &at, &mut log);
        state.learn();
        self.news.extend(log.into_iter().map(|what| (name.clone(), what)));
        self.timers.update(name, state.shift.deadline(&state.rules));
    }
}

/// Facts that survive a restart. The two clocks of the next process are others, so moments are kept by the wall's.
impl Seats {
    pub fn fact(&self, now: Now, seat: &str) -> Option<SeatFact> {
        self.all.get_key_value(seat).map(|(name, state)| state.fact(now, name))
    }

    /// As it was. A toolbar has the whole of its time to be heard again. What should have happened meanwhile happens at once;
    /// a wall clock that was set back makes nothing last longer than it was to last.
    pub fn remember(&mut self, now: Now, fact: SeatFact) {
        let Some(state) = self.all.get_mut(&fact.seat) else { return };
        let mono = |at: Wall| now.mono.after(Duration::ZERO).0.saturating_add_signed(at.0.saturating_sub(now.wall.0));
        let SeatFact { seat, intent, since, until, overdue, next, by, holder, device, skills, auto_answer, missed } = fact;
        let longest = match &intent {
            Intent::Break { seconds, .. } => seconds.map(Duration::from_secs),
            Intent::WrapUp { .. } => Some(state.rules.wrap_up_most),
            Intent::LoggedOut | Intent::Ready => None,
        };
        let until = until.map(|at| Mono(mono(at)).min(now.mono.after(longest.unwrap_or_default())));
        let (since, heard) = (Mono(mono(since)).min(now.mono), holder.as_ref().map(|_| now.mono));
        state.shift = Shift { intent, by, since, until, overdue, next, device, skills, auto_answer, missed, holder, heard };
        state.learn();
        self.timers.update(seat, state.shift.deadline(&state.rules));
    }

    /// Seats that are new have been as they are since now.
    pub fn date(&mut self, now: Mono) {
        let new = self.all.values_mut().filter(|state| state.shift.since == Mono(0));
        new.for_each(|state| state.shift.since = now);
    }

    /// All that was kept is remembered.
    pub fn begin(&mut self, now: Mono) {
        self.date(now);
        let planned = self.all.iter().filter(|(_, state)| state.shift.next.is_some()).map(|(name, _)| name.clone());
        for seat in planned.collect::<Vec<_>>() {
            self.shift(now, &seat, |shift, at, log| shift.begin(at, log));
        }
    }
}

impl SeatState {
    pub(super) fn fact(&self, now: Now, seat: &Arc<str>) -> SeatFact {
        let wall = |at: Mono| Wall(now.wall.0.saturating_add(at.0.wrapping_sub(now.mono.0).cast_signed()));
        let Shift { intent, by, since, until, overdue, next, device, skills, auto_answer, missed, holder, .. } =
            self.shift.clone();
        let (seat, since, until) = (seat.clone(), wall(since), until.map(wall));
        SeatFact { seat, intent, since, until, overdue, next, by, holder, device, skills, auto_answer, missed }
    }

    /// Takes new rules. A seat that must sign in begins signed out; one that need not any more is ready.
    pub(super) fn adopt(&mut self, rules: Rules, skills: Skills, new: bool) {
        let always = rules.sign_in == SignIn::Always;
        if new || always && self.shift.intent == Intent::LoggedOut {
            self.shift = Shift::new(if always { Intent::Ready } else { Intent::LoggedOut });
        }
        (self.rules, self.known_skills) = (rules, skills);
        self.learn();
    }

    /// The skills that it has now: those of its shift, else those that the configuration knows.
    fn learn(&mut self) {
        let skills = self.shift.skills.as_ref().unwrap_or(&self.known_skills);
        if self.skills != *skills {
            self.skills = skills.clone();
        }
    }
}

impl DeviceState {
    pub fn is_gone(self) -> bool {
        self == DeviceState::Gone
    }
}
