//! Finds trunks and seats of the setup that holds now: by the address that a message comes from, by name, and by the user of an
//! address of record. Thousands of seats are never walked for one message.

use super::{Live, Seat, Switch};
use crate::base::AccessList;
use crate::dialog::Incoming;
use crate::sip::{Name, NameAddr};
use bytes::Bytes;
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
    /// The seat with an address whose INVITE does not say so in From, which says nobody where the number is withheld: by where its
    /// phone wants to be reached, by the identity that it asks for (RFC 3325 §9.2), or by its own port where that is nobody
    /// else's. An exchange with many channels may send a call of anybody's from its port.
    pub(super) fn by_other_signs(&self, incoming: &Incoming) -> Option<usize> {
        let remote = incoming.flow.remote;
        let user = |value: &Bytes| NameAddr::parse(value)?.uri.user;
        let owns = |at: &usize| self.setup.seats.get(*at).is_some_and(|seat| seat.owns(remote.ip()));
        let named = |user: String| self.access.users(Some(&user)).find(owns);
        let preferred = incoming.headers.iter().filter(|header| header.name == Name::PPreferredIdentity);
        let said = incoming.contact.iter().chain(preferred.map(|header| &header.value));
        said.filter_map(user).find_map(named).or_else(|| {
            let is_at = |(_, seat): &(usize, &Seat)| seat.is_at(self.queues.seats().bindings(&seat.name), remote);
            let mut there = self.setup.seats.iter().enumerate().filter(is_at);
            let (at, seat) = there.next()?;
            (seat.channels == 1 && there.next().is_none()).then_some(at)
        })
    }

    /// The seat of this name, as it is configured now.
    pub(super) fn known_seat(&self, name: &str) -> Option<&Seat> {
        self.setup.seats.get(self.access.seat(name)?)
    }
}
