//! All seats' shifts: wishes, what happens by itself, and what must survive.

use super::shift::{At, Rules, Shift, Wish};
use super::{Binding, DeviceState, Refusal, SeatState, Seats, SignIn};
use crate::base::{CallId, Mono, Now, Wall};
use crate::event::SeatFact;
use crate::event::seat::{Author, AuthorKind, Intent, LogoutWhy, MissCause, SeatWhat, Skills, TalkRole};
use std::collections::BTreeSet;
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

    /// The person who has signed in at the seat does something: that toolbar is there. Where a supervisor has signed the seat in,
    /// any toolbar of the seat is.
    pub fn heard_from(&mut self, now: Mono, seat: &str, by: &Author) {
        let is = |holder: &Author| holder == by || holder.kind != AuthorKind::Seat && by.kind == AuthorKind::Seat;
        if self.all.get(seat).is_some_and(|state| state.shift.holder.as_ref().is_some_and(is)) {
            self.heard(now, seat);
        }
    }

    /// The places where the seat can be reached now. True for a seat that is known.
    pub fn bind(&mut self, now: Mono, seat: &str, bindings: Vec<Binding>) -> bool {
        let Some((name, state)) = self.all.get_key_value(seat).map(|(name, state)| (name.clone(), state)) else { return false };
        let (had, has) = (!state.bindings.is_empty(), !bindings.is_empty());
        if let Some(state) = self.all.get_mut(seat) {
            state.bindings = bindings;
        }
        if had != has {
            self.news.push((name.clone(), if has { SeatWhat::DeviceBack } else { SeatWhat::DeviceGone }));
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
            self.news.extend(new.then(|| (name.clone(), SeatWhat::Talking { call, role: TalkRole::default() })));
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
        let mut forgiven = false;
        self.shift(now, &seat, |shift, at, log| {
            forgiven = wrap_up.is_some() && shift.talked();
            if !at.in_use {
                shift.free(at, call, wrap_up, log);
            }
        });
        if forgiven {
            self.unkept.insert(seat.clone());
        }
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
        !self.news.is_empty() || !self.unkept.is_empty()
    }

    /// Seats that stand otherwise than was kept last, without a line.
    pub fn take_unkept(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.unkept)
    }

    /// A line for the log of seats that changes nothing.
    pub fn note(&mut self, seat: &Arc<str>, what: SeatWhat) {
        self.news.push((seat.clone(), what));
    }

    fn shift(&mut self, now: Mono, seat: &str, act: impl FnOnce(&mut Shift, &At<'_>, &mut Vec<SeatWhat>)) {
        let Some((name, _)) = self.all.get_key_value(seat) else { return };
        let name = name.clone();
        let Some(state) = self.all.get_mut(seat) else { return };
        let (in_use, there) = (state.taken > 0, !state.bindings.is_empty());
        let at = At { now, in_use, there, rules: &state.rules };
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
    /// a wall clock that was set back makes nothing last longer than it was to last. Who is signed in at a seat that the
    /// configuration does not name is so no more.
    pub fn remember(&mut self, now: Now, fact: SeatFact) {
        let Some(state) = self.all.get_mut(&fact.seat) else {
            return self.removed(fact.seat, &fact.intent);
        };
        let mono = |at: Wall| now.mono.after(Duration::ZERO).0.saturating_add_signed(at.0.saturating_sub(now.wall.0));
        let SeatFact { seat, intent, since, until, overdue, next, by, holder, device, skills, auto_answer, missed } = fact;
        let longest = match &intent {
            Intent::Break { seconds, .. } => seconds.map(Duration::from_secs),
            Intent::WrapUp { .. } => Some(state.rules.wrap_up_most),
            Intent::LoggedOut | Intent::Ready => None,
        };
        let until = until.map(|at| Mono(mono(at)).min(now.mono.after(longest.unwrap_or_default())));
        let earlier = Duration::from_micros(u64::try_from(now.wall.0.saturating_sub(since.0)).unwrap_or(0));
        let (since, heard) = (now.mono, holder.as_ref().filter(|holder| holder.is_toolbar()).map(|_| now.mono));
        let shift =
            Shift { intent, by, since, earlier, until, overdue, next, device, skills, auto_answer, missed, holder, heard };
        (state.shift, state.begun) = (shift, Some(state.rules.sign_in));
        state.learn();
        self.timers.update(seat, state.shift.deadline(&state.rules));
    }

    /// All that was kept is remembered, or a new configuration has been taken: what follows for each seat is a change like any
    /// other, with its line.
    pub fn begin(&mut self, now: Mono) {
        for seat in self.all.keys().cloned().collect::<Vec<_>>() {
            let Some(state) = self.all.get_mut(&seat) else { continue };
            // One that the configuration names no more is as it was until its calls are over.
            if state.channels == 0 {
                continue;
            }
            let before = state.begun.replace(state.rules.sign_in);
            self.shift(now, &seat, |shift, at, log| shift.begin(at, before, log));
        }
    }

    /// The seat is named no more: nobody is signed in there, and nothing is kept for another who gets its name.
    pub(super) fn removed(&mut self, seat: Arc<str>, intent: &Intent) {
        self.unkept.insert(seat.clone());
        if *intent != Intent::LoggedOut {
            self.news.push((seat, SeatWhat::LoggedOut { by: Author::gateway(), why: LogoutWhy::Removed }));
        }
    }
}

impl SeatState {
    pub(super) fn fact(&self, now: Now, seat: &Arc<str>) -> SeatFact {
        let wall = |at: Mono| Wall(now.wall.0.saturating_add(at.0.wrapping_sub(now.mono.0).cast_signed()));
        let Shift { intent, by, since, earlier, until, overdue, next, device, skills, auto_answer, missed, holder, .. } =
            self.shift.clone();
        let earlier = i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX);
        let (seat, since, until) = (seat.clone(), Wall(wall(since).0.saturating_sub(earlier)), until.map(wall));
        SeatFact { seat, intent, since, until, overdue, next, by, holder, device, skills, auto_answer, missed }
    }

    /// Takes new rules. A seat that must sign in begins signed out. All else waits for [`Seats::begin`].
    pub(super) fn adopt(&mut self, rules: Rules, skills: Skills, new: bool) {
        if new {
            let always = rules.sign_in == SignIn::Always;
            self.shift = Shift::new(if always { Intent::Ready } else { Intent::LoggedOut });
        }
        (self.known, self.rules, self.known_skills) = (true, rules, skills);
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
