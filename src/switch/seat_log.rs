//! The log of seats, and facts that are kept: what the switch writes that belongs to no call.

use super::{Output, Switch};
use crate::base::{CallId, Now, Wall};
use crate::call::LegNo;
use crate::event::seat::RingCause;
use crate::event::{Fact, Keep, Kept, SeatEntry, SeatWhat, What};
use std::sync::Arc;

/// More of them who talk to each other are a conference.
const TWO: usize = 2;

/// The log's numbers go on above all that were given before: those that were only told to followers are on no disk, but fewer
/// than one a microsecond were given.
pub(super) fn first(kept: &Kept, now: Now) -> u64 {
    let Wall(micros) = now.wall;
    kept.seat_n.max(u64::try_from(micros).unwrap_or(0))
}

impl Switch {
    /// All that the process before this one has had kept.
    pub(super) fn remember(&mut self, now: Now, kept: Kept) {
        for fact in kept.facts {
            match fact {
                Fact::Seat(fact) => self.queues.seats_mut().remember(now, fact),
                Fact::Bindings(fact) => self.restore_bindings(now, &fact),
                fact => self.lists.remember(fact),
            }
        }
    }

    /// A line that must outlive the process: what a person wants.
    pub(super) fn log_seat(&mut self, now: Now, seat: &Arc<str>, what: SeatWhat, out: &mut Vec<Output>) {
        let ticket = Some(self.journal.ticket());
        self.seat_line(now, seat, what, ticket, out);
    }

    /// A line about a call that the seat is in. The call's own log has it for ever.
    pub(super) fn tell_seat(&mut self, now: Now, seat: &Arc<str>, what: SeatWhat, out: &mut Vec<Output>) {
        self.seat_line(now, seat, what, None, out);
    }

    /// A seat that rings is told which kind of call it is, where its own use of the call does not say so.
    pub(super) fn with_cause(&self, seat: &str, what: SeatWhat) -> SeatWhat {
        let SeatWhat::Ringing { call, cause, queue } = what else { return what };
        let Some(active) = self.calls.get(&call) else { return SeatWhat::Ringing { call, cause, queue } };
        let back = active.outbound.as_ref().is_some_and(|placing| placing.callback.is_some());
        let cause = match cause {
            RingCause::Outbound if back => RingCause::Callback,
            RingCause::Direct => active.call.seat_at(seat).map_or(cause, |(leg, _)| active.call.ring_cause(leg)),
            cause => cause,
        };
        SeatWhat::Ringing { call, cause, queue }
    }

    /// The seat that has put the others on hold, or talks on, is told that it has.
    pub(super) fn note_hold(&mut self, id: CallId, what: &What) {
        let (leg, told) = match what {
            What::Held { leg } => (leg, SeatWhat::Held { call: id }),
            What::Resumed { leg } => (leg, SeatWhat::Resumed { call: id }),
            _ => return,
        };
        let seat = self.calls.get(&id).and_then(|active| active.call.seat_of(LegNo(*leg))).map(Arc::from);
        seat.into_iter().for_each(|seat| self.queues.seats_mut().note(&seat, told.clone()));
    }

    /// Seats that talk with more than one other, or no longer do, are told how many they are.
    pub(super) fn note_conference(&mut self, id: CallId) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let parties = active.call.talkers().count();
        let before = std::mem::replace(&mut active.talkers, parties);
        if parties == before || parties.max(before) <= TWO || parties < TWO {
            return;
        }
        let seats = active.call.talkers().filter_map(|leg| active.call.seat_of(leg)).map(Arc::from);
        for seat in seats.collect::<Vec<_>>() {
            self.queues.seats_mut().note(&seat, SeatWhat::Conference { call: id, parties: parties as u64 });
        }
    }

    fn seat_line(&mut self, now: Now, seat: &Arc<str>, what: SeatWhat, ticket: Option<u64>, out: &mut Vec<Output>) {
        self.seat_n += 1;
        let entry = SeatEntry { n: self.seat_n, seat: seat.clone(), wall: now.wall, mono: now.mono, what };
        out.push(Output::Seat { ticket, entry });
    }

    pub(super) fn keep(&mut self, keep: Keep, out: &mut Vec<Output>) {
        out.push(Output::Keep { ticket: self.journal.ticket(), keep });
    }
}
