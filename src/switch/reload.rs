//! A new setup under running calls: new calls meet it, those in progress keep the plan, prompts and policy they began
//! with. Seats and trunks are looked up in the new setup first, so that a peer that moved is reached where it is now.

use super::{Live, Switch, Work, admit, route};
use crate::base::Now;
use crate::transport::{AccessList, RateLimit};
use std::net::IpAddr;
use std::sync::Arc;

/// Setups that calls in progress began with, and whose messages still belong to them.
#[derive(Default)]
pub(super) struct Former {
    setups: Vec<Arc<Live>>,
    sources: AccessList<()>,
}

impl Former {
    /// A peer that a reload took away may finish its calls.
    pub fn knows(&self, source: IpAddr) -> bool {
        self.sources.find(source).is_some()
    }

    pub fn len(&self) -> usize {
        self.setups.len()
    }

    /// Forgets the setups that no call holds any more.
    pub fn prune(&mut self) {
        let before = self.setups.len();
        self.setups.retain(|setup| Arc::strong_count(setup) > 1);
        if self.setups.len() < before {
            self.list();
        }
    }

    fn add(&mut self, setup: Arc<Live>) {
        self.setups.push(setup);
        self.prune();
        self.list();
    }

    fn list(&mut self) {
        self.sources = AccessList::new();
        for setup in &self.setups {
            let seats = setup.seats.iter().map(|seat| seat.address.ip().into());
            let trunks = setup.trunks.iter().flat_map(|trunk| trunk.sources.iter().copied());
            for block in seats.chain(trunks) {
                self.sources.insert(block, ());
            }
        }
    }
}

impl Switch {
    pub(super) fn reload(&mut self, now: Now, setup: Live) {
        if setup.strangers != self.setup.strangers {
            self.strangers = RateLimit::new(setup.strangers, self.rng.map_seed());
        }
        self.access = admit::access(&setup);
        let mut done = Vec::new();
        self.queues.reload(now, route::queue_seats(&setup), setup.queues.clone(), &mut done);
        self.work.extend(done.into_iter().map(Work::Queue));
        self.counters.reloads += 1;
        tracing::info!(plan = %setup.plan.name, revision = %setup.plan.revision, "new calls meet a new setup");
        let old = std::mem::replace(&mut self.setup, Arc::new(setup));
        self.former.add(old);
    }
}
