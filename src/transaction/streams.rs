use crate::base::{Flow, Map, MapSeed};
use std::collections::BTreeSet;

/// Transactions by the stream connection on which they wait: what a closed one costs depends on its own alone. UDP flows are
/// not here, since none of them ever ends.
pub(super) struct Streams<I>(Map<Flow, BTreeSet<I>>);

impl<I: Copy + Ord> Streams<I> {
    pub fn new(seed: MapSeed) -> Streams<I> {
        Streams(Map::with_hasher(seed))
    }

    pub fn insert(&mut self, flow: Flow, id: I) {
        if flow.proto.reliable() {
            self.0.entry(flow).or_default().insert(id);
        }
    }

    pub fn remove(&mut self, flow: Flow, id: I) {
        if flow.proto.reliable()
            && let Some(ids) = self.0.get_mut(&flow)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.0.remove(&flow);
            }
        }
    }

    /// All that wait on it, in order.
    pub fn take(&mut self, flow: Flow) -> BTreeSet<I> {
        self.0.remove(&flow).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
