//! The lists of numbers in the switch: missed callers come to one by themselves, operators and seats work on them by command, and
//! calls meet them.

use super::{Live, Output, Switch};
use crate::base::{CallId, Now};
use crate::control::{Command, ListVerb, PAGE, Reply, SeatRefusal, Why};
use crate::event::fact::{CallbackFact, Listed, ListedFact};
use crate::event::{Fact, Keep, Result as Loss, What};
use crate::list::{Callbacks, Dialled, Missed, Numbers, Refusal, Requests};
use crate::plan::{Decision, Mode, Step};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Lists {
    pub callbacks: Callbacks,
    pub numbers: Numbers,
    /// The numbers that seats called today, and how often.
    pub dialled: Dialled,
    /// The requests by which they did.
    pub requests: Requests,
}

/// The callback list and a call's caller.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfCaller {
    /// The caller asked to be rung back.
    wanted: bool,
    /// The row is there.
    listed: bool,
}

impl Lists {
    pub fn new(setup: &Live) -> Lists {
        let callbacks = Callbacks::new(setup.callbacks.clone());
        Lists { callbacks, numbers: Numbers::default(), dialled: Dialled::default(), requests: Requests::default() }
    }

    /// Takes a row that was kept.
    pub fn remember(&mut self, fact: Fact) {
        match fact {
            Fact::Callback(row) => self.callbacks.remember(row),
            Fact::Listed(row) => self.numbers.remember(row),
            Fact::Dialled(row) => self.dialled.remember(row),
            Fact::Request(row) => self.requests.remember(row),
            Fact::Seat(_) | Fact::Bindings(_) => {}
        }
    }
}

impl Switch {
    pub(super) fn list_commanded(&mut self, now: Now, command: Command, out: &mut Vec<Output>) -> Reply {
        match command {
            Command::Callbacks { after } => Reply::Callbacks(self.lists.callbacks.page(now.wall, after.as_ref(), PAGE)),
            Command::Numbers { after } => Reply::Numbers(self.lists.numbers.page(now.wall, after.as_ref(), PAGE)),
            Command::Callback { id, seat, verb } => match self.callback_verb(now, &id, seat, verb, out) {
                Ok(Some(row)) => Reply::Callbacks(vec![row]),
                Ok(None) => Reply::Done,
                Err(why) => Reply::Refused(why),
            },
            Command::ListNumber(row) => done(self.list_number(now, *row, out)),
            Command::UnlistNumber(number) => {
                let number = self.setup.plan.caller(&number).unwrap_or(number);
                done(self.listing(out, |switch, keeps| switch.lists.numbers.remove(&number, keeps)))
            }
            _ => Reply::Done,
        }
    }

    fn callback_verb(
        &mut self,
        now: Now,
        id: &str,
        seat: Option<Arc<str>>,
        verb: ListVerb,
        out: &mut Vec<Output>,
    ) -> Result<Option<CallbackFact>, Why> {
        if seat.as_ref().is_some_and(|seat| self.known_seat(seat).is_none()) {
            return Err(Why::Seat(SeatRefusal::UnknownSeat));
        }
        match (verb, seat) {
            (ListVerb::Take, Some(seat)) => self.callback_lease(now, id, &seat, out).map(Some),
            (ListVerb::GiveBack, Some(seat)) => {
                self.listing(out, |switch, keeps| switch.lists.callbacks.give_back(now.wall, id, &seat, keeps))?;
                Ok(None)
            }
            (ListVerb::Done, seat) => {
                self.listing(out, |switch, keeps| switch.lists.callbacks.done(now.wall, id, seat.as_ref(), keeps))?;
                Ok(None)
            }
            (ListVerb::Take | ListVerb::GiveBack, None) => Err(Why::Seat(SeatRefusal::UnknownSeat)),
        }
    }

    /// A seat has a row of the callback list to itself for a time.
    pub(super) fn callback_lease(
        &mut self,
        now: Now,
        id: &str,
        seat: &Arc<str>,
        out: &mut Vec<Output>,
    ) -> Result<CallbackFact, Why> {
        self.listing(out, |switch, keeps| switch.lists.callbacks.lease(now.wall, id, seat, keeps))
    }

    /// The seat rings that caller back: the number of the attempt. There is one attempt at once, and the row is its as long as the
    /// call lasts.
    pub(super) fn callback_attempt(&mut self, now: Now, id: &str, seat: &Arc<str>, out: &mut Vec<Output>) -> Result<u32, Why> {
        self.listing(out, |switch, keeps| switch.lists.callbacks.attempt(now.wall, id, seat, keeps))
    }

    /// The attempt is over: `reached`, the caller has talked to the seat.
    pub(super) fn callback_over(&mut self, now: Now, id: &str, attempt: u32, reached: bool, out: &mut Vec<Output>) {
        let mut keeps = Vec::new();
        self.lists.callbacks.over(now.wall, id, attempt, reached, &mut keeps);
        keeps.into_iter().for_each(|keep| self.keep(keep, out));
    }

    /// The process before this one may have died while somebody was rung back.
    pub(super) fn callbacks_begin(&mut self, now: Now, out: &mut Vec<Output>) {
        let mut keeps = Vec::new();
        self.lists.callbacks.begin(now.wall, &mut keeps);
        keeps.into_iter().for_each(|keep| self.keep(keep, out));
    }

    fn list_number(&mut self, now: Now, row: ListedFact, out: &mut Vec<Output>) -> Result<(), Why> {
        let number = self.setup.plan.caller(&row.number).ok_or(Why::List(Refusal::NoNumber))?;
        let id = CallId::new(now.wall, &mut self.rng).to_string().into();
        let row = ListedFact { id, number: number.into(), since: now.wall, ..row };
        self.listing(out, |switch, keeps| switch.lists.numbers.put(now.wall, row, keeps))
    }

    pub(super) fn listing<T>(
        &mut self,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Switch, &mut Vec<Keep>) -> Result<T, Refusal>,
    ) -> Result<T, Why> {
        let mut keeps = Vec::new();
        let answer = act(self, &mut keeps);
        keeps.into_iter().for_each(|keep| self.keep(keep, out));
        answer.map_err(Why::List)
    }

    pub(super) fn wants_callback(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        if let Some(active) = self.calls.get_mut(&id) {
            active.missed.wanted = true;
        }
        self.write(now, id, What::CallbackWanted, out);
        let loss = self.calls.get(&id).and_then(|active| active.call.lost_as());
        self.list_missed(now, id, loss.unwrap_or(Loss::NoSeat), out);
    }

    /// A call has ended: a caller who was lost in the human queue is to be rung back, one who got through is not any more.
    pub(super) fn note_missed(&mut self, now: Now, id: CallId, result: Loss, out: &mut Vec<Output>) {
        // A caller who was promised a call, or left a message, has been listed then.
        let Some(active) = self.calls.get(&id).filter(|active| !active.missed.listed) else { return };
        if !active.talked {
            return self.list_missed(now, id, result, out);
        }
        let Some(caller) = active.caller_to_list() else { return };
        let (caller, hotline) = (caller.to_owned(), active.identity.number.clone());
        self.listed_anew(out, |lists, keeps| lists.callbacks.served(&caller, &hotline, keeps));
    }

    pub(super) fn list_missed(&mut self, now: Now, id: CallId, loss: Loss, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let (wanted, message) = (active.missed.wanted, active.message.left);
        if !self.lists.callbacks.lists(loss, wanted, message) || !self.can_be_rung_back(now, active) {
            return;
        }
        let (caller, hotline) = (active.caller_to_list().unwrap_or_default().into(), active.identity.number.as_str().into());
        let missed = Missed { call: id, caller, hotline, line: active.identity.line.clone(), loss, wanted, message };
        self.listed_anew(out, |lists, keeps| lists.callbacks.missed(now.wall, missed, keeps));
        self.calls.entry(id).and_modify(|active| active.missed.listed = true);
    }

    /// The list that a caller's number stands on. Emergency lines are for everybody.
    pub(super) fn listed(&self, now: Now, decision: &Decision) -> Option<Listed> {
        let caller = decision.caller.as_deref().filter(|_| decision.mode != Mode::Emergency)?;
        self.lists.numbers.of(caller, now.wall)
    }

    /// The steps of a caller who is turned away: 603 with cause 21, after words where there are any.
    pub(super) fn turned_away_steps(&self) -> Arc<[Step]> {
        let words = self.setup.policy.callers.blocked.clone().map(|prompt| Step::Announce { prompt, answered: false });
        words.into_iter().chain([Step::Reject { status: 603, q850: 21 }]).collect()
    }
}

fn done(answer: Result<(), Why>) -> Reply {
    match answer {
        Ok(()) => Reply::Done,
        Err(why) => Reply::Refused(why),
    }
}
