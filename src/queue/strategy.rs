//! Questions that a strategy answers about a call and the seats that ring for it.

use super::Strategy;
use super::crew::Crew;
use super::free::Listed;
use super::waiter::Waiter;
use crate::event::seat::Skills;
use crate::seat::{SeatState, Seats};
use std::sync::Arc;

/// A queue that a seat serves, and how it is listed there while it takes calls.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub queue: Arc<str>,
    /// The seat's number in the queue's list.
    pub place: u64,
    /// The serial number of its last ringing for this queue.
    pub turn: u64,
    pub listed: Option<Listed>,
    /// As it is counted there.
    pub crew: Crew,
    /// Its skills, while it is there to take calls now or later; noted where the queue asks whether anybody is.
    pub there: Option<Skills>,
}

impl Membership {
    /// It is neither listed nor counted there yet.
    pub fn new(queue: Arc<str>, place: u64, turn: u64) -> Membership {
        Membership { queue, place, turn, listed: None, crew: Crew::default(), there: None }
    }
}

impl Strategy {
    /// Tells whether a call wants (more) seats to ring: one that is in no doubt, or all that there are.
    pub(super) fn wants_seat(self, waiter: &Waiter, seats: &Seats) -> bool {
        let doubtful = |seat: &Arc<str>| seats.get(seat).is_none_or(SeatState::is_doubtful);
        self == Strategy::RingAll || waiter.ringing.keys().all(doubtful)
    }

    /// Tells whether a seat in doubt is rung for this call: where not all ring, one at a time.
    pub(super) fn rings_doubtful(self, waiter: &Waiter) -> bool {
        self == Strategy::RingAll || waiter.ringing.is_empty()
    }
}
