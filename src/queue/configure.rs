use super::state::QueueState;
use super::strategy::Membership;
use super::{Queue, Queues};
use crate::seat::Seat;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines and seats as the configuration has them.
impl Queues {
    /// Leaves the queues' waiting calls for the caller to fill in.
    pub(super) fn configure(&mut self, seats: Vec<Seat>, queues: Vec<Queue>) {
        seats.iter().for_each(|seat| _ = self.members.entry(seat.name.clone()).or_default());
        let turns = self.turns();
        self.members.values_mut().for_each(Vec::clear);
        self.seats.configure(seats);
        self.configure_queues(queues, &turns);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.pending.extend(self.queues.keys().cloned());
        let all: Vec<Arc<str>> = self.queues.keys().cloned().collect();
        all.iter().for_each(|queue| self.doubt(queue));
    }

    /// The last turn of each seat in each queue.
    fn turns(&self) -> BTreeMap<(Arc<str>, Arc<str>), u64> {
        let each = self.members.iter().flat_map(|(seat, memberships)| memberships.iter().map(move |of| (seat, of)));
        each.map(|(seat, of)| ((of.queue.clone(), seat.clone()), of.turn)).collect()
    }

    fn configure_queues(&mut self, queues: Vec<Queue>, turns: &BTreeMap<(Arc<str>, Arc<str>), u64>) {
        self.queues.values_mut().for_each(|queue| queue.closed = true);
        for config in queues {
            let old = self.queues.remove(&config.name);
            let name = config.name.clone();
            self.queues.insert(name, QueueState::new(config, old));
        }
        self.queues.retain(|_, queue| !queue.closed || queue.waiting > 0);
        for (name, queue) in &mut self.queues {
            queue.clear();
            for (place, seat) in queue.config.seats.iter().enumerate() {
                if let Some(memberships) = self.members.get_mut(seat)
                    && !memberships.iter().any(|of| of.queue == *name)
                {
                    let turn = turns.get(&(name.clone(), seat.clone())).copied().unwrap_or_default();
                    memberships.push(Membership::new(name.clone(), place as u64, turn));
                }
            }
        }
        self.keeps_last_seats = self.queues.values().any(|queue| !queue.closed && !queue.config.sticky_wait.is_zero());
    }
}
