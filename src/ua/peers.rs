//! Tells which hosts belong to one peer.

use crate::base::{AccessList, Source, owner};
use std::net::IpAddr;
use std::sync::Arc;

/// The networks of each peer: a trunk's. A host that is in none of them is a peer of its own.
///
/// A Contact or a Record-Route is a peer's word about others: a request of ours that followed it anywhere would
/// be sent in the peer's name to whatever listens there, and one that came from anywhere would count as the peer's.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<AccessList<usize>>);

impl Peers {
    /// Each network with its peer's number.
    pub fn new(networks: AccessList<usize>) -> Peers {
        Peers(Arc::new(networks))
    }

    /// The peer that a message from there is counted to.
    pub fn source(&self, host: IpAddr) -> Source {
        self.0.find(host).map_or(Source::Host(owner(host)), Source::Trunk)
    }

    /// True when both hosts belong to one peer.
    pub fn same(&self, one: IpAddr, other: IpAddr) -> bool {
        one == other || self.0.find(one).is_some_and(|peer| self.0.find(other) == Some(peer))
    }
}
