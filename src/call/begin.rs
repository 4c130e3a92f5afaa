//! The one place in which a conversation begins, however the caller and its first party have come to each other.

use super::talk::{Lease, Talk};
use super::{Call, LegNo, Output, QueueCommand, Stage};
use crate::base::Now;
use std::sync::Arc;

/// How they have come to each other.
#[derive(Clone, Debug)]
pub(super) enum Begun {
    /// A seat that this queue rang has answered.
    Leased { queue: Arc<str> },
    /// A seat has taken a call of this queue that rang for another; `dialled`: its phone has called us for it.
    PickedUp { queue: Arc<str>, dialled: bool },
    /// A target of the plan has answered, at this place of its chain.
    Target(usize),
    /// The person has answered whom a seat has called. The queue at whose head it waits when the seat's phone dies.
    Placed { home: Option<Arc<str>> },
}

impl Call {
    /// The caller and this party have each other. Whoever else rings for the caller is let go.
    pub(super) fn begin_talk(&mut self, now: Now, leg: LegNo, how: Begun) {
        let Some(party) = self.parties.get(&leg).map(|called| called.party.clone()) else { return };
        // The queue that the caller waited in, and the seat that it has now.
        let served = how.queue().map(|queue| (queue, Arc::<str>::from(party.name())));
        self.answer_caller();
        self.served();
        let (lease, home) = match (&how, &served) {
            (Begun::Leased { .. }, Some((queue, seat))) => {
                (Some(Lease { queue: queue.clone(), seat: seat.clone(), leg }), Some(queue.clone()))
            }
            (Begun::Placed { home }, _) => (None, home.clone()),
            (_, served) => (None, served.as_ref().map(|(queue, _)| queue.clone())),
        };
        self.stage = Stage::Talking(Box::new(Talk::between(leg, lease, home)));
        self.max_talk_at = Some(now.mono.after(self.policy.max_talk));
        match how {
            Begun::PickedUp { dialled: true, .. } => self.answer_party(leg),
            _ => self.tell(Output::Joined { leg, party }),
        }
        if let Some((queue, seat)) = &served {
            self.say_seat_number(queue, seat);
        }
        self.tell_in_talk();
        self.cancel_others(leg);
        match (&how, served) {
            (Begun::Leased { .. }, Some((_, seat))) => self.out.push(Output::Queue(QueueCommand::Answered { seat })),
            (Begun::PickedUp { .. }, _) => self.out.push(Output::Queue(QueueCommand::Leave)),
            _ => {}
        }
        match how {
            // A person who was called is not given to others when the seat thinks better of it.
            Begun::Placed { .. } => {}
            Begun::Target(place) => self.has_answered(now, leg, Some(place)),
            Begun::Leased { .. } | Begun::PickedUp { .. } => self.has_answered(now, leg, None),
        }
    }
}

impl Begun {
    fn queue(&self) -> Option<Arc<str>> {
        match self {
            Begun::Leased { queue } | Begun::PickedUp { queue, .. } => Some(queue.clone()),
            Begun::Target(_) | Begun::Placed { .. } => None,
        }
    }
}
