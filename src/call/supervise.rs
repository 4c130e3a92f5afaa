//! Supervision (监听、密语、强插、拦截): a supervisor's phone is a party of the call that stands beside its rooms, or in the seat's
//! room where it joins in. The caller hears it there alone; that it comes or goes moves nobody.

use super::desk::Watcher;
use super::talk::Refusal;
use super::verbs::RING;
use super::{CALLER, Call, Dialled, LegNo, Output, Stage};
use crate::base::Now;
use crate::event::Party;
use crate::event::seat::SuperviseMode;
use std::sync::Arc;

/// Supervisors in one call.
const MOST: usize = 4;

impl Call {
    /// Rings a supervisor's phone for what the seat on `of` does. `takes_over`: it has the seat's place when it answers.
    pub fn supervise(
        &mut self,
        now: Now,
        supervisor: &str,
        of: LegNo,
        mode: SuperviseMode,
        takes_over: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let answer = self.supervised(now, supervisor, of, mode, takes_over);
        self.flush(now, out);
        answer
    }

    fn supervised(&mut self, now: Now, supervisor: &str, of: LegNo, mode: SuperviseMode, over: bool) -> Result<(), Refusal> {
        let Stage::Talking(talk) = &self.stage else { return Err(Refusal::NotTalking) };
        if !talk.has(of) || !self.is_seat(of) {
            return Err(Refusal::NotAllowed);
        }
        if let Some((leg, watcher)) = self.watcher(supervisor) {
            return match watcher.of == of {
                true if over => self.takes_over(leg),
                true => self.supervised_as(leg, mode),
                false => Err(Refusal::Busy),
            };
        }
        if self.has_party(supervisor) {
            return Err(Refusal::NotAllowed);
        }
        // They are bounded by their own number: who listens takes nothing from what may be tried for the caller.
        if talk.desk.watchers.len() >= MOST {
            return Err(Refusal::TooMany);
        }
        let seat: Arc<str> = self.parties.get(&of).map(|called| called.party.name()).unwrap_or_default().into();
        let leg = self.new_leg(Party::Seat { name: supervisor.to_owned(), queue: String::new() }, false);
        if let Some(talk) = self.talk() {
            let until = Some(now.mono.after(RING));
            talk.desk.watchers.insert(leg, Watcher { of, seat: seat.clone(), mode, takes_over: over, until });
        }
        self.out.push(Output::Dial { leg, party: Dialled::Seat { name: supervisor.into() } });
        self.tell_supervision(leg, (of, seat), Some(mode));
        Ok(())
    }

    /// This supervisor's phone in this call, and how it is in it.
    fn watcher(&self, supervisor: &str) -> Option<(LegNo, &Watcher)> {
        let Stage::Talking(talk) = &self.stage else { return None };
        let is = |leg: &LegNo| self.parties.get(leg).is_some_and(|called| called.party.name() == supervisor);
        talk.desk.watchers.iter().find(|(leg, _)| is(leg)).map(|(leg, watcher)| (*leg, watcher))
    }

    /// The leg of the seat that this supervisor supervises here.
    pub fn supervised_by(&self, supervisor: &str) -> Option<LegNo> {
        self.watcher(supervisor).map(|(_, watcher)| watcher.of)
    }

    pub fn supervise_as(
        &mut self,
        now: Now,
        supervisor: &str,
        mode: SuperviseMode,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let answer = match self.watcher(supervisor) {
            Some((leg, _)) => self.supervised_as(leg, mode),
            None => Err(Refusal::Nothing),
        };
        self.flush(now, out);
        answer
    }

    fn supervised_as(&mut self, leg: LegNo, mode: SuperviseMode) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let watcher = talk.desk.watchers.get_mut(&leg).ok_or(Refusal::Nothing)?;
        let of = (watcher.of, watcher.seat.clone());
        if std::mem::replace(&mut watcher.mode, mode) != mode {
            if watcher.until.is_none() {
                talk.place_watcher(leg);
            }
            self.tell_supervision(leg, of, Some(mode));
        }
        Ok(())
    }

    /// The supervisor goes on with the caller; the seat is let go.
    fn takes_over(&mut self, leg: LegNo) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        if talk.second.is_some() {
            return Err(Refusal::Busy);
        }
        let watcher = talk.desk.watchers.get_mut(&leg).ok_or(Refusal::Nothing)?;
        if watcher.until.is_some() {
            watcher.takes_over = true;
            return Ok(());
        }
        let (of, seat) = (watcher.of, watcher.seat.clone());
        talk.desk.watchers.remove(&leg);
        talk.main.remove(&leg);
        talk.aside.remove(&leg);
        self.has_joined(leg, (of, seat));
        self.replace(of, leg);
        Ok(())
    }

    /// The supervisor has the caller now, as a seat has.
    fn has_joined(&mut self, leg: LegNo, of: (LegNo, Arc<str>)) {
        self.tell_supervision(leg, of, None);
        if let Some(party) = self.parties.get(&leg).map(|called| called.party.clone()) {
            self.tell(Output::Joined { leg, party });
        }
    }

    /// A supervisor's phone has answered. False: it is none.
    pub(super) fn watcher_answered(&mut self, leg: LegNo) -> bool {
        let Some(talk) = self.talk() else { return false };
        let Some(watcher) = talk.desk.watchers.get_mut(&leg).filter(|watcher| watcher.until.is_some()) else { return false };
        watcher.until = None;
        let over = watcher.takes_over;
        talk.place_watcher(leg);
        if over && self.takes_over(leg).is_err() {
            self.unwatch(leg);
        }
        true
    }

    fn tell_supervision(&mut self, leg: LegNo, (of, seat): (LegNo, Arc<str>), mode: Option<SuperviseMode>) {
        let by = self.parties.get(&leg).map(|called| called.party.name().to_owned()).unwrap_or_default();
        self.tell(Output::Supervising { leg, of, by, seat, mode });
    }

    /// The supervisor goes; who talks talks on.
    pub fn stop_supervising(&mut self, now: Now, supervisor: &str, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let leg = self.watcher(supervisor).map(|(leg, _)| leg);
        if let Some(leg) = leg {
            self.unwatch(leg);
        }
        self.flush(now, out);
        leg.map(|_| ()).ok_or(Refusal::Nothing)
    }

    /// Hangs up a supervisor's phone.
    fn unwatch(&mut self, leg: LegNo) {
        let Some(talk) = self.talk() else { return };
        let Some(watcher) = talk.desk.watchers.remove(&leg) else { return };
        self.tell_supervision(leg, (watcher.of, watcher.seat), None);
        // By a second line it may have fetched an emergency line.
        self.dismiss_seat(leg);
    }

    /// A supervisor's phone has gone by itself; true for one that had joined nobody.
    pub(super) fn watcher_ended(&mut self, leg: LegNo) -> bool {
        let Some(talk) = self.talk() else { return false };
        let Some(Watcher { of, seat, .. }) = talk.desk.watchers.remove(&leg) else { return false };
        let beside = !talk.has(leg);
        self.tell_supervision(leg, (of, seat), None);
        beside
    }

    /// After each input: who supervised a seat that is not there any more has nothing to hear; nor has one whose phone rang
    /// too long.
    pub(super) fn settle_watchers(&mut self, now: Now) {
        let Stage::Talking(talk) = &self.stage else { return };
        if talk.desk.watchers.is_empty() {
            return;
        }
        let over = |watcher: &Watcher| !talk.has(watcher.of) || watcher.until.is_some_and(|until| until <= now.mono);
        // One who has joined in and has the caller stays with the caller.
        let joined = |leg: &LegNo| talk.main.contains(leg) && talk.main.contains(&CALLER);
        let gone = talk.desk.watchers.iter().filter(|(_, watcher)| over(watcher));
        let (stay, go): (Vec<LegNo>, Vec<LegNo>) = gone.map(|(leg, _)| *leg).partition(joined);
        for leg in stay {
            let watcher = self.talk().and_then(|talk| talk.desk.watchers.remove(&leg));
            watcher.into_iter().for_each(|watcher| self.has_joined(leg, (watcher.of, watcher.seat)));
        }
        go.into_iter().for_each(|leg| self.unwatch(leg));
    }

    /// The conversation is over for the caller, who waits again.
    pub(super) fn dismiss_watchers(&mut self) {
        while let Some(leg) = self.talk().and_then(|talk| talk.desk.watchers.keys().next().copied()) {
            self.unwatch(leg);
        }
    }

    pub(super) fn watchers_deadline(&self) -> Option<crate::base::Mono> {
        let Stage::Talking(talk) = &self.stage else { return None };
        talk.desk.watchers.values().filter_map(|watcher| watcher.until).min()
    }
}

impl super::talk::Talk {
    /// A supervisor who joins in is in the seat's room, any other in none.
    fn place_watcher(&mut self, leg: LegNo) {
        let Some(Watcher { of, mode, .. }) = self.desk.watchers.get(&leg).cloned() else { return };
        self.main.remove(&leg);
        self.aside.remove(&leg);
        self.second.take_if(|second| second.first == leg);
        if mode == SuperviseMode::Barge {
            let room = if self.aside.contains(&of) { &mut self.aside } else { &mut self.main };
            room.insert(leg);
        }
    }
}
