use crate::base::{Source, owner};
use crate::transport::AccessList;
use std::net::IpAddr;
use std::sync::Arc;

/// Tells which hosts are one peer's: a trunk's networks. A host that is in none of them is a peer of its own.
///
/// A Contact or a Record-Route is a peer's word about others: a request of ours that followed it anywhere would
/// be sent in the peer's name to whatever listens there, and one that came from anywhere would count as the peer's.
#[derive(Clone, Debug, Default)]
pub struct Kin(Arc<AccessList<usize>>);

impl Kin {
    /// Each network with its peer's number.
    pub fn new(networks: AccessList<usize>) -> Kin {
        Kin(Arc::new(networks))
    }

    /// The peer that a message from there is counted to.
    pub(super) fn source(&self, host: IpAddr) -> Source {
        self.0.find(host).map_or(Source::Host(owner(host)), Source::Trunk)
    }

    pub(super) fn are(&self, one: IpAddr, other: IpAddr) -> bool {
        one == other || self.0.find(one).is_some_and(|peer| self.0.find(other) == Some(peer))
    }
}
