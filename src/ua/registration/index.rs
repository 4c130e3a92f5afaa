//! The accounts of each trunk, so that a call finds the one that it goes by without a look at all others.

use super::account::Account;
use crate::base::Flow;
use crate::ua::AccountId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// By its name within the trunk.
type Named = (Arc<str>, AccountId);

#[derive(Debug, Default)]
pub(super) struct Index {
    trunks: BTreeMap<Arc<str>, OfTrunk>,
    places: BTreeMap<AccountId, Place>,
    /// Trunks none of whose accounts is registered.
    unserved: usize,
}

#[derive(Debug, Default)]
struct OfTrunk {
    /// The registered ones, by the flow; there are few flows.
    bound: BTreeMap<Flow, BTreeSet<Named>>,
    others: BTreeSet<Named>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    trunk: Arc<str>,
    name: Arc<str>,
    flow: Option<Flow>,
}

impl Place {
    /// None for an account that is no longer configured.
    fn of(account: &Account) -> Option<Place> {
        let settings = account.settings();
        let flow = account.last_bound().map(|bound| bound.flow);
        (!account.leaves()).then(|| Place { trunk: settings.trunk.clone(), name: settings.name.clone(), flow })
    }
}

impl OfTrunk {
    fn is_unserved(&self) -> bool {
        self.bound.is_empty() && !self.others.is_empty()
    }

    fn put(&mut self, flow: Option<Flow>, named: Named) {
        match flow {
            Some(flow) => self.bound.entry(flow).or_default().insert(named),
            None => self.others.insert(named),
        };
    }

    fn take(&mut self, flow: Option<Flow>, named: &Named) {
        let Some(flow) = flow else {
            self.others.remove(named);
            return;
        };
        if let Some(all) = self.bound.get_mut(&flow) {
            all.remove(named);
            if all.is_empty() {
                self.bound.remove(&flow);
            }
        }
    }
}

impl Index {
    /// The account may have changed, or is gone.
    pub(super) fn note(&mut self, id: AccountId, account: Option<&Account>) {
        let (old, new) = (self.places.get(&id), account.and_then(Place::of));
        if old == new.as_ref() {
            return;
        }
        if let Some(Place { trunk, name, flow }) = self.places.remove(&id) {
            self.turn(&trunk, |of_trunk| of_trunk.take(flow, &(name, id)));
        }
        if let Some(place) = new {
            self.turn(&place.trunk, |of_trunk| of_trunk.put(place.flow, (place.name.clone(), id)));
            self.places.insert(id, place);
        }
    }

    fn turn(&mut self, trunk: &Arc<str>, act: impl FnOnce(&mut OfTrunk)) {
        let of_trunk = self.trunks.entry(trunk.clone()).or_default();
        let before = of_trunk.is_unserved();
        act(of_trunk);
        self.unserved = self.unserved + usize::from(of_trunk.is_unserved()) - usize::from(before);
        if of_trunk.bound.is_empty() && of_trunk.others.is_empty() {
            self.trunks.remove(trunk);
        }
    }

    pub(super) fn has_unserved(&self) -> bool {
        self.unserved > 0
    }

    pub(super) fn is_served(&self, trunk: &str) -> bool {
        self.trunks.get(trunk).is_some_and(|of_trunk| !of_trunk.bound.is_empty())
    }

    /// The registered accounts of a trunk, the first by name at each flow, by their names; then further ones at the same flows, and the
    /// others. No more than `most`.
    pub(super) fn ways(&self, trunk: &str, most: usize) -> Vec<AccountId> {
        let Some(OfTrunk { bound, others }) = self.trunks.get(trunk) else { return Vec::new() };
        let mut first: Vec<&Named> = bound.values().filter_map(BTreeSet::first).collect();
        first.sort();
        let further = bound.values().flat_map(|all| all.iter().skip(1));
        first.into_iter().chain(further).chain(others).take(most).map(|(_, id)| *id).collect()
    }

    /// The trunks where we have accounts.
    pub(super) fn trunks(&self) -> impl Iterator<Item = &str> {
        self.trunks.keys().map(|name| &**name)
    }

    /// All of a trunk.
    pub(super) fn of(&self, trunk: &str) -> impl Iterator<Item = AccountId> + '_ {
        let of_trunk = self.trunks.get(trunk).into_iter();
        of_trunk.flat_map(|all| all.bound.values().flatten().chain(&all.others)).map(|(_, id)| *id)
    }

    /// Those that are registered by a flow of which this holds.
    pub(super) fn by_flow(&self, is: impl Fn(&Flow) -> bool) -> Vec<AccountId> {
        let bound = self.trunks.values().flat_map(|of_trunk| &of_trunk.bound);
        bound.filter(|(flow, _)| is(flow)).flat_map(|(_, all)| all).map(|(_, id)| *id).collect()
    }

    /// Those that are registered at this address.
    pub(super) fn at(&self, peer: SocketAddr) -> Vec<AccountId> {
        self.by_flow(|flow| flow.remote == peer)
    }
}
