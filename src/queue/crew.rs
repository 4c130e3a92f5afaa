//! How the seats of a queue are, as counts that follow each change of a seat: every toolbar asks for them.

use super::Queues;
use crate::base::Now;
use crate::seat::SeatState;
use std::time::Duration;

/// The seats that serve a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crew {
    pub seats: usize,
    pub ready: usize,
    /// They take a call now.
    pub free: usize,
    pub talking: usize,
    pub on_break: usize,
}

impl Crew {
    /// One seat's part.
    pub(super) fn of(state: &SeatState) -> Crew {
        Crew {
            seats: 1,
            ready: usize::from(state.shift.is_ready()),
            free: usize::from(state.is_free()),
            talking: usize::from(state.taken > state.ringing),
            on_break: usize::from(state.shift.is_away()),
        }
    }

    /// A seat that counted as `old` counts as `new` now.
    pub(super) fn change(&mut self, old: Crew, new: Crew) {
        let of = |count: usize, old: usize, new: usize| (count + new).saturating_sub(old);
        *self = Crew {
            seats: of(self.seats, old.seats, new.seats),
            ready: of(self.ready, old.ready, new.ready),
            free: of(self.free, old.free, new.free),
            talking: of(self.talking, old.talking, new.talking),
            on_break: of(self.on_break, old.on_break, new.on_break),
        };
    }
}

impl Queues {
    /// The number of calls that wait in a queue, how long the first of them has, and how its seats are.
    pub fn figures(&self, now: Now, queue: &str) -> (usize, Duration, Crew) {
        let Some(queue) = self.queues.get(queue) else { return Default::default() };
        (queue.waiting, queue.oldest().map_or(Duration::ZERO, |start| now.mono.since(start)), queue.crew)
    }

    /// A figure of a queue that is not what a walk over its callers and seats finds; none, ever.
    pub fn miscount(&self) -> Option<String> {
        for (name, queue) in &self.queues {
            let inside = self.waiters.values().filter(|waiter| waiter.queue == *name);
            let (waiting, oldest) = (inside.clone().count(), inside.map(|waiter| waiter.start).min());
            let mut crew = Crew::default();
            let serves = self.members.iter().filter(|(_, memberships)| memberships.iter().any(|of| of.queue == *name));
            let states = serves.filter_map(|(seat, _)| self.seats.get(seat));
            states.for_each(|state| crew.change(Crew::default(), Crew::of(state)));
            let (known, found) = ((queue.waiting, queue.oldest(), queue.crew), (waiting, oldest, crew));
            if known != found {
                return Some(format!("queue {name} counts {known:?}, and a walk finds {found:?}"));
            }
        }
        self.seats.miscount()
    }
}
