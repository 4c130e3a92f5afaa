//! A new setup under running calls: new calls meet it, those in progress keep the plan, prompts and policy they began
//! with. Seats and trunks are looked up in the new setup first, so that a peer that moved is reached where it is now.

use super::access::Access;
use super::budget::Budget;
use super::{Live, Output, Switch, Work, admit, route};
use crate::base::{AccessList, Cidr, Mono, Now, RateLimit};
use crate::sip::{self, Method, Name, Request};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the peers of a setup are still heard after the last call that held it: a BYE, a CANCEL and the 2xx that crosses
/// it each last 64·T1 (RFC 3261 §13.3.1.4, §17).
const AFTERMATH: Duration = Duration::from_secs(64);
/// Setups whose aftermath lasts; more come only from a storm of reloads.
const MAX_LEAVING: usize = 64;

/// Setups that calls in progress began with, and whose messages still belong to them.
#[derive(Default)]
pub(super) struct Former {
    setups: Vec<Arc<Live>>,
    /// Sources of setups that no call holds any more: until when, and from where.
    leaving: VecDeque<(Mono, Vec<Cidr>)>,
    /// Sources of either; true for one whose calls go on.
    sources: AccessList<bool>,
}

impl Former {
    /// A peer that a reload took away may finish its calls: true while they go on, false in their aftermath.
    pub fn knows(&self, source: IpAddr) -> Option<bool> {
        self.sources.find(source)
    }

    pub fn len(&self) -> usize {
        self.setups.len()
    }

    /// Forgets the setups that no call holds any more, and later the peers in them.
    pub fn prune(&mut self, now: Mono) {
        if self.setups.is_empty() && self.leaving.is_empty() {
            return;
        }
        let setups = self.setups.len();
        let (held, free): (Vec<_>, Vec<_>) = self.setups.drain(..).partition(|setup| Arc::strong_count(setup) > 1);
        self.setups = held;
        self.leaving.extend(free.iter().map(|setup| (now.after(AFTERMATH), peers(setup))));
        let before = self.leaving.len();
        self.leaving.drain(..before.saturating_sub(MAX_LEAVING));
        self.leaving.retain(|(until, _)| *until > now);
        if self.leaving.len() < before || self.setups.len() < setups {
            self.list();
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.leaving.front().map(|(until, _)| *until)
    }

    fn add(&mut self, now: Mono, setup: Arc<Live>) {
        self.setups.push(setup);
        self.prune(now);
        self.list();
    }

    fn list(&mut self) {
        self.sources = AccessList::new();
        for block in self.leaving.iter().flat_map(|(_, blocks)| blocks) {
            self.sources.insert(*block, false);
        }
        for block in self.setups.iter().flat_map(|setup| peers(setup)) {
            self.sources.insert(block, true);
        }
    }
}

/// It belongs to nothing that we know.
pub(super) fn begins(request: &Request) -> bool {
    let tagged = request.headers.get(&Name::To).is_some_and(|to| sip::tag(to).is_some());
    !tagged && !matches!(request.method, Method::Ack | Method::Cancel)
}

fn peers(setup: &Live) -> Vec<Cidr> {
    let seats = setup.seats.iter().flat_map(|seat| seat.sources.iter().copied());
    seats.chain(setup.trunks.iter().flat_map(|trunk| trunk.sources.iter().copied())).collect()
}

impl Switch {
    pub(super) fn reload(&mut self, now: Now, setup: Live, out: &mut Vec<Output>) {
        if setup.strangers != self.setup.strangers {
            self.strangers = RateLimit::new(setup.strangers, self.rng.map_seed());
        }
        if setup.peers != self.setup.peers {
            self.peers = Budget::new(setup.peers, self.rng.map_seed());
        }
        let access = Access::to(&setup);
        self.pace.keep(|name| setup.trunks.iter().any(|t| *t.name == *name) || access.seat(name).is_some());
        self.access = access;
        self.ua.meet(admit::peers(&setup));
        self.lists.callbacks.configure(setup.callbacks.clone());
        self.outages.clear();
        self.counters.reloads += 1;
        tracing::info!(plan = %setup.plan.name, revision = %setup.plan.revision, "new calls meet a new setup");
        let old = std::mem::replace(&mut self.setup, Arc::new(setup));
        self.former.add(now.mono, old);
        self.configure_registrar(now, out);
        self.configure_accounts(now, out);
        self.watch_trunks(now);
        // Last, and by the list that outlives a panic: seats that it had chosen before are rung.
        self.look_at_remote_soon(now);
        let seats = route::seats(&self.setup, (self.ua.registered(), Some(&self.carriers)), now.wall);
        self.queues.reload(now, seats, self.setup.queues.clone(), &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }
}
