//! Tells which hosts belong to one peer.

use crate::base::{AccessList, Source, owner};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The networks of each peer: a trunk's. A host that is in none of them is a peer of its own.
///
/// A Contact or a Record-Route is a peer's word about others: a request of ours that followed it anywhere would
/// be sent in the peer's name to whatever listens there, and one that came from anywhere would count as the peer's.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    networks: AccessList<usize>,
    /// Those that we connect to by TLS.
    by_tls: BTreeSet<usize>,
}

impl Peers {
    /// Each network with its peer's number, and those that we connect to by TLS.
    pub fn new(networks: AccessList<usize>, by_tls: BTreeSet<usize>) -> Peers {
        Peers(Arc::new(Known { networks, by_tls }))
    }

    /// True where we connect by TLS.
    pub fn is_called_by_tls(&self, host: IpAddr) -> bool {
        self.0.networks.find(host).is_some_and(|peer| self.0.by_tls.contains(&peer))
    }

    /// The peer that a message from there is counted to.
    pub fn source(&self, host: IpAddr) -> Source {
        self.0.networks.find(host).map_or(Source::Host(owner(host)), Source::Trunk)
    }

    /// True when both hosts belong to one peer.
    pub fn same(&self, one: IpAddr, other: IpAddr) -> bool {
        one == other || self.0.networks.find(one).is_some_and(|peer| self.0.networks.find(other) == Some(peer))
    }
}
