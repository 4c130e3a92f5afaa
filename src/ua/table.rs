//! Finds the usage that a message or a transaction belongs to.

use crate::base::{Map, MapSeed};
use crate::transaction::{ClientId, ServerId};
use crate::ua::Usage;

/// Bounded by the usages: each enters one tag and a few transactions.
///
/// Our own tag finds the usage: it is 64 random bits, unique among live usages. The usage's dialog says whether Call-ID and the
/// peer's tag fit (RFC 3261 §12.2.2).
pub(super) struct Table {
    tags: Map<String, Usage>,
    clients: Map<ClientId, Usage>,
    servers: Map<ServerId, Usage>,
}

impl Table {
    pub(super) fn new(seed: MapSeed) -> Table {
        Table { tags: Map::with_hasher(seed), clients: Map::with_hasher(seed), servers: Map::with_hasher(seed) }
    }

    pub(super) fn insert_tag(&mut self, tag: &str, usage: Usage) {
        self.tags.insert(tag.to_owned(), usage);
    }

    pub(super) fn insert_client(&mut self, id: ClientId, usage: Usage) {
        self.clients.insert(id, usage);
    }

    pub(super) fn insert_server(&mut self, id: ServerId, usage: Usage) {
        self.servers.insert(id, usage);
    }

    pub(super) fn by_tag(&self, tag: &[u8]) -> Option<Usage> {
        self.tags.get(str::from_utf8(tag).ok()?).copied()
    }

    pub(super) fn by_client(&self, id: ClientId) -> Option<Usage> {
        self.clients.get(&id).copied()
    }

    pub(super) fn by_server(&self, id: ServerId) -> Option<Usage> {
        self.servers.get(&id).copied()
    }

    pub(super) fn remove_tag(&mut self, tag: &str) {
        self.tags.remove(tag);
    }

    pub(super) fn remove_client(&mut self, id: ClientId) {
        self.clients.remove(&id);
    }

    pub(super) fn remove_server(&mut self, id: ServerId) {
        self.servers.remove(&id);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.clients.is_empty() && self.servers.is_empty()
    }
}
