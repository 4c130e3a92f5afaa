use super::state::QueueState;
use super::strategy::Membership;
use super::{Queue, Queues};
use crate::seat::Seat;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lines and seats as the configuration has them.
impl Queues {
    /// Leaves the queues' waiting calls for the caller to fill in.
    pub(super) fn configure(&mut self, seats: Vec<Seat>, queues: Vec<Queue>) {
        seats.iter().for_each(|seat| _ = self.members.entry(seat.name.clone()).or_default());
        self.members.values_mut().for_each(Vec::clear);
        self.seats.configure(seats);
        self.configure_queues(queues);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.pending.extend(self.queues.keys().cloned());
    }

    fn configure_queues(&mut self, queues: Vec<Queue>) {
        self.queues.values_mut().for_each(|queue| queue.closed = true);
        for config in queues {
            let old = self.queues.remove(&config.name);
            let (waiting, sources) = old.map_or_else(Default::default, |queue| (queue.waiting, queue.sources));
            let queue = QueueState { closed: false, waiting, sources, unserved: BTreeSet::new(), free: BTreeSet::new(), config };
            self.queues.insert(queue.config.name.clone(), queue);
        }
        self.queues.retain(|_, queue| !queue.closed || queue.waiting > 0);
        for (name, queue) in &mut self.queues {
            queue.free.clear();
            queue.unserved.clear();
            for seat in &queue.config.seats {
                if let Some(memberships) = self.members.get_mut(seat)
                    && !memberships.iter().any(|of| of.queue == *name)
                {
                    memberships.push(Membership { queue: name.clone(), key: None });
                }
            }
        }
    }
}
