//! The log of seats, and facts that are kept: what the switch writes that belongs to no call.

use super::{Output, Switch};
use crate::base::{Now, Wall};
use crate::event::{Fact, Keep, Kept, SeatEntry, SeatWhat};
use std::sync::Arc;

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

    fn seat_line(&mut self, now: Now, seat: &Arc<str>, what: SeatWhat, ticket: Option<u64>, out: &mut Vec<Output>) {
        self.seat_n += 1;
        let entry = SeatEntry { n: self.seat_n, seat: seat.clone(), wall: now.wall, mono: now.mono, what };
        out.push(Output::Seat { ticket, entry });
    }

    pub(super) fn keep(&mut self, keep: Keep, out: &mut Vec<Output>) {
        out.push(Output::Keep { ticket: self.journal.ticket(), keep });
    }
}
