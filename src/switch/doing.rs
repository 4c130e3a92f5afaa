//! Tells whose doing it is what happens: a seat that is released is told by whom.

use super::{Active, Input, Switch, Work};
use crate::base::{CallId, LegId};
use crate::call::{self, CALLER, LegEvent, LegNo};
use crate::control::Command;
use crate::dialog::{self, EndedBy};
use crate::event::seat::{AuthorKind, ReleasedBy, RingCause};
use crate::seat::Doer;

/// The one who asks by this input; the gateway itself, where nobody does.
pub(super) fn asked(input: &Input) -> Doer {
    match input {
        Input::Command { command: Command::Seat { seat, by, .. }, .. } => match by.kind {
            AuthorKind::Seat | AuthorKind::Phone => Doer { side: ReleasedBy::Other, seat: Some(seat.clone()) },
            AuthorKind::Supervisor | AuthorKind::Operator => Doer::of(ReleasedBy::Supervisor),
            AuthorKind::Gateway => Doer::default(),
        },
        Input::Command { .. } => Doer::of(ReleasedBy::Supervisor),
        _ => Doer::default(),
    }
}

impl Active {
    /// After it has acted: whoever has ended it has ended the parts of all who are still to be hung up.
    pub(super) fn note_end(&mut self, doer: &Doer) {
        if self.call.is_over() && self.ended_by.is_none() {
            self.ended_by = Some(doer.clone());
        }
    }
}

impl Switch {
    /// News of a party is that party's doing; what follows from it in other rooms is so too.
    pub(super) fn note_doer(&mut self, work: &Work) {
        let doer = match work {
            Work::Leg(dialog::Event::Refer { leg, .. }) => return self.note_doer_at(*leg),
            Work::Call(id, call::Input::Leg { leg, event }) => self.doer_of(*id, *leg, event),
            Work::Call(..) => Doer::default(),
            Work::Leg(_) | Work::Effect(..) | Work::Queue(_) | Work::Owed(_) => return,
        };
        self.queues.seats_mut().is_done_by(doer);
    }

    /// This party asks for something, by keys or by REFER.
    pub(super) fn note_doer_at(&mut self, leg: LegId) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        let doer = self.party(id, leg_no);
        self.queues.seats_mut().is_done_by(doer);
    }

    fn doer_of(&self, id: CallId, leg_no: LegNo, event: &LegEvent) -> Doer {
        match event {
            LegEvent::Ended(end) if end.by == EndedBy::Network => Doer::of(ReleasedBy::Network),
            // The end of the call comes to this leg now.
            LegEvent::Ended(end) if end.by == EndedBy::Us => {
                self.calls.get(&id).and_then(|active| active.ended_by.clone()).unwrap_or_default()
            }
            LegEvent::Ended(_) | LegEvent::Answered | LegEvent::Media(_) => self.party(id, leg_no),
            LegEvent::Rings | LegEvent::Forwards | LegEvent::EarlyMedia { .. } => Doer::default(),
        }
    }

    fn party(&self, id: CallId, leg_no: LegNo) -> Doer {
        let Some(Active { call, legs, .. }) = self.calls.get(&id) else { return Doer::default() };
        if leg_no == CALLER {
            return Doer { side: ReleasedBy::Caller, seat: legs.get(&CALLER).and_then(|leg| leg.seat.clone()) };
        }
        let supervises = call.ring_cause(leg_no) == RingCause::Monitor;
        let side = if supervises { ReleasedBy::Supervisor } else { ReleasedBy::Other };
        Doer { side, seat: call.seat_of(leg_no).map(|seat| self.queues.seats().name(seat)) }
    }
}
