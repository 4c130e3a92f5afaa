//! Tells the queue what the switch knows of seats: which call has which, that one shows life, and that one is kept by nobody.

use super::{Active, Switch, Work};
use crate::base::{CallId, Flow, Now};
use crate::call::{self, CALLER, QueueCommand};
use crate::queue;
use crate::seat::Party;
use crate::sip::{Headers, Name, NameAddr};
use std::sync::Arc;

/// The state of a call's parties when its seats were noted last, and whether its caller was a seat's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeatsOf {
    turnover: (u64, usize),
    placed: bool,
}

impl Active {
    /// Tells whether they have since the seats among them were noted last.
    pub(super) fn parties_have_changed(&mut self) -> bool {
        let seats_of = SeatsOf { turnover: self.call.turnover(), placed: self.placed_by().is_some() };
        std::mem::replace(&mut self.seats_of, seats_of) != seats_of
    }

    /// The seat whose call it is, while it is there.
    pub(super) fn placed_by(&self) -> Option<&Arc<str>> {
        self.legs.get(&CALLER).filter(|leg| !leg.ended)?.seat.as_ref()
    }
}

impl Switch {
    /// After each change of a call's parties: a seat is busy with the call however it came to it.
    pub(super) fn note_seats(&mut self, now: Now, id: CallId) {
        let Some(active) = self.calls.get(&id) else { return };
        let own = active.outbound.as_ref().map(|placing| &*placing.seat);
        let called = active.call.seats().map(|seat| Party { seat, placed: own == Some(seat) });
        let parties = called.chain(active.placed_by().map(|seat| Party { seat, placed: true }));
        self.queues.parties(now, id, parties, &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }

    /// The call is over: it uses no seat any more.
    pub(super) fn frees_seats(&mut self, now: Now, id: CallId) {
        self.queue_input(now, queue::Input::Over { call: id });
        self.queues.parties(now, id, std::iter::empty(), &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }

    /// The calls that a seat is in, however it came to each and whatever it does there, the oldest first.
    pub(super) fn calls_of(&self, seat: &str) -> impl DoubleEndedIterator<Item = (CallId, &Active)> {
        self.queues.seats().calls(seat).iter().filter_map(|id| Some((*id, self.calls.get(id)?)))
    }

    /// Seats that are in doubt and from whose address this comes: a request with these headers, or an answer to one of ours. Several
    /// may share one; then a request counts for the one that it says it is from.
    pub(super) fn note_signs_of_life(&mut self, now: Now, flow: Flow, request: Option<&Headers>) {
        if self.queues.seats().missed().is_empty() {
            return;
        }
        let from = request.and_then(|headers| headers.get(&Name::From)).and_then(|value| NameAddr::parse(value));
        let request = request.is_some();
        let phones = self.ua.registered();
        let is_at = |seat: &&super::Seat| match phones.filter(|_| seat.registers()) {
            Some(registrar) => registrar.at(flow).any(|name| *name == seat.name),
            None => seat.is_at(self.queues.seats().bindings(&seat.name), flow.remote),
        };
        // All seats are looked at for one alone that may be meant: every message comes here while one seat of them is in doubt.
        let alone = || self.setup.seats.iter().filter(is_at).nth(1).is_none();
        let is = |seat: &&super::Seat| {
            let named = from.as_ref().is_some_and(|from| from.uri.user == seat.aor.user);
            seat.owns(flow.remote.ip()) && named || is_at(seat) && alone()
        };
        let missed = self.queues.seats().missed().iter().filter_map(|name| self.known_seat(name));
        let heard: Vec<Arc<str>> = missed.filter(is).map(|seat| seat.name.clone()).collect();
        heard.into_iter().for_each(|seat| self.queue_input(now, queue::Input::SignOfLife { seat, request }));
    }

    /// The call's effects become work. That a phone is dead is known at once: nobody is to ring it for its seat's being free, which
    /// one that the queue has leased is not before it is told.
    pub(super) fn will_do(&mut self, now: Now, id: CallId, effects: Vec<call::Output>) {
        for effect in effects {
            match effect {
                call::Output::Queue(QueueCommand::Lost { queue, seat }) if self.queues.seats().lease(id, &seat).is_none() => {
                    self.queue_input(now, queue::Input::Lost { call: id, queue, seat });
                }
                effect => {
                    self.note_effect(id, &effect);
                    self.work.push_back(Work::Effect(id, effect));
                }
            }
        }
    }

    /// The work that is to be done next. When there is none, seats that talk without a caller are looked at: is one of them
    /// wanted?
    pub(super) fn next_work(&mut self) -> Option<Work> {
        if self.work.is_empty() && !self.lingering.is_empty() {
            let lingers = |id: &_| self.calls.get(id).is_some_and(|active| active.call.lingers());
            let all = std::mem::take(&mut self.lingering);
            self.lingering = all.into_iter().filter(lingers).collect();
            for id in &self.lingering {
                let seats = self.calls.get(id).map(|active| active.call.idle_seats()).unwrap_or_default();
                if seats.into_iter().any(|seat| self.queues.is_wanted(seat)) {
                    self.work.push_back(Work::Call(*id, call::Input::Wanted));
                }
            }
        }
        self.work.pop_front()
    }
}
