//! The calls that each trunk carries, both directions together, and how fast trunks and seats place them. Counted by name: a
//! reload may bring the trunks in another order, or take one away while it still carries calls.

use super::Trunk;
use crate::base::{Bucket, Counts, Mono, Rate};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A phone may place so many calls a second, and a trunk with few channels too.
const LEAST_PLACED: u32 = 10;
/// Seconds' worth that may come at once.
const BURST: u32 = 2;

/// Feature codes that a person dials at once, and one a second from then on. A phone that dials without end leaves little.
const CODES: Rate = Rate { per_second: 1, burst: 5, max_sources: 0 };

/// The kinds of calls that are counted apart, so that none takes another's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ordinary,
    Emergency,
    /// A seat has dialled a feature code.
    Code,
}

impl Kind {
    pub fn of(emergency: bool) -> Kind {
        if emergency { Kind::Emergency } else { Kind::Ordinary }
    }
}

/// New calls of each trunk and seat, each kind by itself; and no trunk takes another's, however fast its calls come and go: what lingers of each (ports that rest,
/// transactions that wait for an ACK) is bounded with it.
#[derive(Default)]
pub(super) struct Pace(BTreeMap<(Arc<str>, Kind), Bucket>);

impl Pace {
    pub fn allow(&mut self, now: Mono, placer: &Arc<str>, channels: u32, percent: u32, kind: Kind) -> bool {
        let per_second = (u64::from(channels) * u64::from(percent) / 100).min(u64::from(u32::MAX / BURST));
        let per_second = u32::try_from(per_second).unwrap_or(u32::MAX / BURST).max(LEAST_PLACED);
        let rate = match kind {
            Kind::Code => CODES,
            Kind::Ordinary | Kind::Emergency => Rate { per_second, burst: per_second * BURST, max_sources: 0 },
        };
        self.0.entry((placer.clone(), kind)).or_default().take(rate, now)
    }

    /// Forgets those that `is` no more.
    pub fn keep(&mut self, is: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _), _| is(name));
    }
}

/// The calls that each trunk carries.
#[derive(Default)]
pub(super) struct Channels(Counts<Arc<str>>);

impl Channels {
    /// Tells whether the trunk has room for one more. Its reserved channels are for emergencies alone.
    pub fn free(&self, trunk: &Trunk, emergency: bool) -> bool {
        let open = if emergency { trunk.channels } else { trunk.channels.saturating_sub(trunk.reserved) };
        self.0.of(&trunk.name) < open as usize
    }

    pub fn take(&mut self, trunk: &Arc<str>) {
        self.0.add(trunk.clone());
    }

    pub fn give_back(&mut self, trunk: &str) {
        self.0.remove(trunk);
    }

    /// The count of those that this one has taken.
    pub fn of(&self, name: &str) -> usize {
        self.0.of(name)
    }

    /// Channels taken of all.
    pub fn taken(&self) -> usize {
        self.0.total()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{Target, Transport};

    pub(in crate::switch) fn trunk(name: &str, channels: u32, reserved: u32) -> Trunk {
        let target = Target::at(Transport::Udp, ([10, 0, 0, 1], 5060).into());
        Trunk { channels, reserved, ..crate::switch::setup::tests::trunk(name, target) }
    }

    #[test]
    fn the_last_channels_are_for_emergencies() {
        let (mut channels, trunk) = (Channels::default(), trunk("a", 3, 1));
        channels.take(&trunk.name);
        assert!(channels.free(&trunk, false));
        channels.take(&trunk.name);
        assert!(!channels.free(&trunk, false) && channels.free(&trunk, true));
        channels.take(&trunk.name);
        assert!(!channels.free(&trunk, true));
        channels.give_back("a");
        channels.give_back("a");
        assert!(channels.free(&trunk, false));
    }

    #[test]
    fn names_count_not_places() {
        let mut channels = Channels::default();
        channels.take(&"b".into());
        assert!(channels.free(&trunk("a", 1, 0), false) && !channels.free(&trunk("b", 1, 0), false));
        channels.give_back("b");
        channels.give_back("b");
        assert_eq!(channels.taken(), 0);
        assert!(!channels.free(&trunk("c", 1, 2), false), "more reserved than there are");
    }

    #[test]
    fn nobody_places_calls_faster_than_its_channels_allow_and_emergencies_have_a_pace_of_their_own() {
        let (mut pace, a, b) = (Pace::default(), "a".into(), "b".into());
        let mut at = |second: u64, name: &Arc<str>, channels, emergency| {
            (0..5000).filter(|_| pace.allow(Mono(second * 1_000_000), name, channels, 10, Kind::of(emergency))).count()
        };
        assert_eq!(at(10, &a, 2000, false), 400);
        assert_eq!((at(10, &a, 2000, true), at(10, &b, 500, false), at(10, &b, 1, true)), (400, 100, 20));
        assert_eq!((at(11, &a, 2000, false), at(60, &a, 2000, false)), (200, 400));
        let codes = |pace: &mut Pace, second: u64| {
            (0..50).filter(|_| pace.allow(Mono(second * 1_000_000), &a, 2000, 10, Kind::Code)).count()
        };
        assert_eq!((codes(&mut pace, 60), codes(&mut pace, 62), codes(&mut pace, 99)), (5, 2, 5));
        pace.keep(|name| name == "a");
        assert_eq!(pace.0.len(), 3);
    }
}
