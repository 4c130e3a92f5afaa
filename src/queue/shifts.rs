//! Seats' wishes and bindings, as they bear on who can be called.

use super::{Output, Queues};
use crate::base::{CallId, Now};
use crate::event::seat::Author;
use crate::seat::{Binding, Refusal, Seats, Wish};
use std::sync::Arc;

impl Queues {
    /// Carries out a wish of a seat, or says why not; a seat that takes calls by it is rung at once.
    pub fn wish(&mut self, now: Now, seat: &Arc<str>, wish: Wish, by: Author, out: &mut Vec<Output>) -> Result<(), Refusal> {
        self.seats.wish(now.mono, seat, wish, by)?;
        self.list(seat);
        self.dispatch(now.mono, out);
        Ok(())
    }

    /// The places where the seat can be reached now.
    pub fn bind(&mut self, now: Now, seat: &Arc<str>, bindings: Vec<Binding>, out: &mut Vec<Output>) {
        if self.seats.bind(now.mono, seat, bindings) {
            self.list(seat);
            self.dispatch(now.mono, out);
        }
    }

    /// The seat is joined to somebody in this call.
    pub fn talks(&mut self, call: CallId, seat: &str) {
        self.seats.talks(call, seat);
    }

    /// The seats, for what changes nothing of who can be called.
    pub fn seats_mut(&mut self) -> &mut Seats {
        &mut self.seats
    }

    /// The queues that a seat serves.
    pub fn queues_of(&self, seat: &str) -> impl Iterator<Item = &Arc<str>> {
        self.members.get(seat).into_iter().flatten().map(|of| &of.queue)
    }
}
