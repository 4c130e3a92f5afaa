use super::strategy::Key;
use super::waiter::Place;
use super::{Priority, Queue};
use crate::base::Counts;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A queue and what happens in it.
pub(super) struct QueueState {
    pub config: Queue,
    /// The configuration no longer names it: nobody joins, those inside are served.
    pub closed: bool,
    pub waiting: usize,
    /// Number of them that each source has.
    pub sources: Counts<Arc<str>>,
    /// Calls that want (more) seats to ring.
    pub unserved: BTreeSet<Place>,
    /// Seats that take a call now.
    pub free: BTreeSet<Key>,
}

impl QueueState {
    /// True when there is no place for one more of this source.
    pub fn is_full(&self, priority: Priority, source: &Arc<str>) -> bool {
        let Queue { max_length, share, reserved, .. } = self.config;
        let taken = self.sources.of(source);
        match priority {
            Priority::High => self.waiting >= max_length,
            Priority::Normal => self.waiting >= max_length.saturating_sub(reserved) || taken >= share,
        }
    }

    pub fn enter(&mut self, source: &Arc<str>) {
        self.waiting += 1;
        self.sources.add(source.clone());
    }

    pub fn exit(&mut self, source: &Arc<str>) {
        self.waiting = self.waiting.saturating_sub(1);
        self.sources.remove(source);
    }
}
