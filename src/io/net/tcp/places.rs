//! Places for connections, and how many each peer may have.

use super::{Guest, Limits};
use crate::base::{Counts, owner};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// One in so many connections is kept for those that we open ourselves.
const KEPT: usize = 8;
/// Those that no trunk and no seat names have one in so many together.
const STRANGERS: usize = 4;

/// Counts those that were not opened by us: in all, of strangers, and from each address.
#[derive(Default)]
pub(super) struct Places(Mutex<InUse>);

#[derive(Default)]
struct InUse {
    all: usize,
    strangers: usize,
    sources: Counts<IpAddr>,
}

pub(super) struct Place {
    places: Arc<Places>,
    source: IpAddr,
    guest: Guest,
}

impl Places {
    pub fn take(self: &Arc<Places>, ip: IpAddr, guest: Guest, limits: Limits) -> Option<Place> {
        let (source, strange) = (owner(ip), guest == Guest::Stranger);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = taken.all >= limits.connections - limits.connections / KEPT
            || taken.sources.of(&source) >= limits.per_source
            || strange && taken.strangers >= limits.connections.div_ceil(STRANGERS);
        if full {
            return None;
        }
        taken.all += 1;
        taken.strangers += usize::from(strange);
        taken.sources.add(source);
        Some(Place { places: self.clone(), source, guest })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        taken.strangers -= usize::from(self.guest == Guest::Stranger);
        taken.sources.remove(&self.source);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;

    pub const LIMITS: Limits = Limits {
        connections: 4,
        per_source: 3,
        message: Duration::from_secs(30),
        backlog: 100_000,
        unserved: 64,
        keep_alive: Duration::ZERO,
        pong: Duration::ZERO,
    };

    #[test]
    fn one_source_leaves_room_for_the_others_and_strangers_for_our_own() {
        let (places, limits) = (Arc::new(Places::default()), Limits { connections: 16, ..LIMITS });
        let from = |n: u8| IpAddr::from([192, 0, 2, n]);
        let take = |n: u8, guest| places.take(from(n), guest, limits);
        let mut held: Vec<Place> = (0..5).filter_map(|_| take(1, Guest::Known)).collect();
        assert_eq!(held.len(), 3, "its share");
        held.extend((2..20).filter_map(|n| take(n, Guest::Stranger)));
        assert_eq!(held.len(), 3 + 4, "a quarter for all strangers");
        held.extend((20..40).filter_map(|n| take(n, Guest::Known)));
        assert_eq!(held.len(), 14, "the rest is for those that we open");
        held.clear();
        assert!(take(1, Guest::Known).is_some());
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        let two = [v6("2001:db8::1"), v6("2001:db8::2"), v6("2001:db8::3"), v6("2001:db8::4")];
        assert_eq!(two.iter().filter_map(|ip| places.take(*ip, Guest::Known, limits)).collect::<Vec<_>>().len(), 3);
        assert!(places.0.lock().unwrap().sources.is_empty());
    }
}
