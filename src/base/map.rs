use siphasher::sip::SipHasher13;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// The hash seed of every map in the core. `io` draws it at random, so that nobody outside can aim collisions
/// at a table (Call-IDs and branches are chosen by peers); simulation fixes it, so that a run repeats.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapSeed(pub u64, pub u64);

impl BuildHasher for MapSeed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// A hash map whose order depends only on its seed and its history. Make it with `Map::with_hasher(seed)`.
pub type Map<K, V> = HashMap<K, V, MapSeed>;

/// The set beside [`Map`].
pub type Set<K> = HashSet<K, MapSeed>;
