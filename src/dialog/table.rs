use crate::base::{LegId, Map, MapSeed};
use crate::transaction::{ClientId, ServerId};

/// Finds the leg that a message or a transaction belongs to. Bounded by the legs: each enters one tag and a few transactions.
///
/// Our own tag finds the leg: it is 64 random bits, unique among live legs. The leg's dialog says whether Call-ID and the
/// peer's tag fit (RFC 3261 §12.2.2).
pub(super) struct Table {
    tags: Map<String, LegId>,
    clients: Map<ClientId, LegId>,
    servers: Map<ServerId, LegId>,
}

impl Table {
    pub(super) fn new(seed: MapSeed) -> Table {
        Table { tags: Map::with_hasher(seed), clients: Map::with_hasher(seed), servers: Map::with_hasher(seed) }
    }

    pub(super) fn insert_tag(&mut self, tag: &str, leg: LegId) {
        self.tags.insert(tag.to_owned(), leg);
    }

    pub(super) fn insert_client(&mut self, id: ClientId, leg: LegId) {
        self.clients.insert(id, leg);
    }

    pub(super) fn insert_server(&mut self, id: ServerId, leg: LegId) {
        self.servers.insert(id, leg);
    }

    pub(super) fn by_tag(&self, tag: &str) -> Option<LegId> {
        self.tags.get(tag).copied()
    }

    pub(super) fn by_client(&self, id: ClientId) -> Option<LegId> {
        self.clients.get(&id).copied()
    }

    pub(super) fn by_server(&self, id: ServerId) -> Option<LegId> {
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
