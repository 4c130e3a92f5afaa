//! Finds trunks and seats of the setup that holds now: by the address that a message comes from, by name, and by the user of an
//! address of record. Thousands of seats are never walked for one message.

use super::{Live, Seat, Switch};
use crate::base::AccessList;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The owner of a source address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Index into the setup's trunks.
    Trunk(usize),
    Seat,
}

/// Made anew with each setup. Numbers are indices into its seats.
pub(super) struct Access {
    sources: AccessList<Owner>,
    names: BTreeMap<Arc<str>, usize>,
    users: BTreeMap<String, Vec<usize>>,
}

impl Access {
    /// A seat's address within a trunk's block stays the trunk's: which seat calls is told by who it says it is.
    pub fn to(setup: &Live) -> Access {
        let (mut sources, mut names) = (AccessList::new(), BTreeMap::new());
        let mut users: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, seat) in setup.seats.iter().enumerate() {
            seat.sources.iter().for_each(|source| _ = sources.insert(*source, Owner::Seat));
            names.entry(seat.name.clone()).or_insert(index);
            users.entry(seat.aor.user.clone().unwrap_or_default()).or_default().push(index);
        }
        for (index, trunk) in setup.trunks.iter().enumerate() {
            trunk.sources.iter().for_each(|source| _ = sources.insert(*source, Owner::Trunk(index)));
        }
        Access { sources, names, users }
    }

    pub fn find(&self, host: IpAddr) -> Option<Owner> {
        self.sources.find(host)
    }

    /// The seat of this name.
    pub fn seat(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// All seats behind this one, by name.
    pub fn seats_after(&self, after: Option<&Arc<str>>) -> impl Iterator<Item = &Arc<str>> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        self.names.range::<Arc<str>, _>(behind).map(|(name, _)| name)
    }

    /// The seats that say they are this user.
    pub fn users(&self, user: Option<&str>) -> impl Iterator<Item = usize> {
        self.users.get(user.unwrap_or_default()).into_iter().flatten().copied()
    }
}

impl Switch {
    /// The seat of this name, as it is configured now.
    pub(super) fn known_seat(&self, name: &str) -> Option<&Seat> {
        self.setup.seats.get(self.access.seat(name)?)
    }
}
