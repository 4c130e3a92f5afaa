//! The log of seats, and facts that are kept: what the switch writes that belongs to no call.

use super::{Output, Switch};
use crate::base::{CallId, Now, Wall};
use crate::call::{self, LegNo};
use crate::event::seat::{RingCause, TalkRole};
use crate::event::{Fact, Keep, Kept, SeatEntry, SeatWhat, TransferKind, What};
use std::sync::Arc;

/// More of them who talk to each other are a conference.
const TWO: usize = 2;

/// A move of a call's caller.
pub(super) struct Move {
    seq: u32,
    kind: TransferKind,
    /// The seat that is told of it.
    seat: Option<Arc<str>>,
}

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

    /// A seat that rings is told which kind of call it is, and one that talks which part it has, where its own use of the call
    /// does not say so.
    pub(super) fn with_cause(&self, seat: &str, what: SeatWhat) -> SeatWhat {
        let (call, cause, queue) = match what {
            SeatWhat::Ringing { call, cause, queue } => (call, cause, queue),
            SeatWhat::Talking { call, .. } => return SeatWhat::Talking { call, role: self.role(call, seat) },
            what => return what,
        };
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
        let (What::Held { leg } | What::Resumed { leg }) = what else { return };
        let Some(active) = self.calls.get(&id) else { return };
        let told = match what {
            What::Held { .. } => SeatWhat::Held { call: id },
            _ => SeatWhat::Resumed { call: id, role: active.call.role(LegNo(*leg)) },
        };
        let seat = active.call.seat_of(LegNo(*leg)).map(Arc::from);
        seat.into_iter().for_each(|seat| self.queues.seats_mut().note(&seat, told.clone()));
    }

    fn role(&self, id: CallId, seat: &str) -> TalkRole {
        let call = self.calls.get(&id).map(|active| &active.call);
        call.and_then(|call| Some(call.role(call.seat_at(seat)?.0))).unwrap_or_default()
    }

    /// Seats that were fetched by another which is not there any more are told that the caller is their own.
    pub(super) fn note_promoted(&mut self, id: CallId) {
        while let Some(seat) = self.calls.get_mut(&id).and_then(|active| active.call.promoted()) {
            self.queues.seats_mut().note(&seat, SeatWhat::Talking { call: id, role: TalkRole::Main });
        }
    }

    /// The toolbar of a seat hears of what the seat has asked for, however it did: before it hears what comes of that.
    pub(super) fn note_effect(&mut self, id: CallId, effect: &call::Output) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let (seat, what) = match effect {
            call::Output::TransferStarted { seq, kind, to, seat, .. } => {
                active.last_move = Some(Box::new(Move { seq: *seq, kind: *kind, seat: seat.clone() }));
                (seat.clone(), SeatWhat::TransferStarted { call: id, seq: *seq, kind: *kind, to: to.as_str().into() })
            }
            call::Output::TransferEnded { seq, result, failure } => {
                let Some(Move { kind, seat, .. }) = active.last_move.as_deref().filter(|last| last.seq == *seq) else { return };
                let (status, q850) = (failure.map(|(status, _)| status), failure.and_then(|(_, q850)| q850));
                let (kind, result) = (*kind, *result);
                (seat.clone(), SeatWhat::TransferEnded { call: id, seq: *seq, kind, result, status, q850 })
            }
            call::Output::Joined { leg, .. } => {
                let Some(Move { seq, seat, .. }) = active.last_move.as_deref() else { return };
                let seat = seat.clone().filter(|_| active.call.consults(*leg, *seq));
                (seat, SeatWhat::TransferAnswered { call: id, seq: *seq })
            }
            call::Output::Muted { leg, on } => {
                let what = if *on { SeatWhat::Muted { call: id } } else { SeatWhat::Unmuted { call: id } };
                (active.call.seat_of(*leg).map(Arc::from), what)
            }
            _ => return,
        };
        seat.into_iter().for_each(|seat| self.queues.seats_mut().note(&seat, what.clone()));
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
