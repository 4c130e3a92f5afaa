//! A strategy is a key for each seat in each queue, computed from facts: the free seat with the lowest is rung first.

use super::Strategy;
use super::waiter::Waiter;
use crate::seat::{SeatState, Seats};
use std::sync::Arc;

/// A seat's place among the free seats of one queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Seats in no doubt come first, whatever the strategy.
    pub doubtful: bool,
    /// The strategy's own order.
    rank: [u64; 2],
    pub seat: Arc<str>,
}

/// A queue that a seat serves, and its key there while it takes calls.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub queue: Arc<str>,
    pub key: Option<Key>,
}

impl Strategy {
    /// The seat's key in a queue of this strategy; none while it takes no call.
    pub(super) fn key(self, seat: &Arc<str>, state: &SeatState) -> Option<Key> {
        let rank = match self {
            // Fewer calls ringing, then longest idle.
            Strategy::OneByOne | Strategy::All => [u64::from(state.ringing), state.last_work],
        };
        state.is_free().then(|| Key { doubtful: state.is_doubtful(), rank, seat: seat.clone() })
    }

    /// Tells whether a call wants (more) seats to ring: one that is in no doubt, or all that there are.
    pub(super) fn wants_seat(self, waiter: &Waiter, seats: &Seats) -> bool {
        let doubtful = |seat: &Arc<str>| seats.get(seat).is_none_or(SeatState::is_doubtful);
        self == Strategy::All || waiter.ringing.keys().all(doubtful)
    }

    /// Tells whether a seat in doubt is rung for this call: where not all ring, one at a time.
    pub(super) fn rings_doubtful(self, waiter: &Waiter) -> bool {
        self == Strategy::All || waiter.ringing.is_empty()
    }
}
