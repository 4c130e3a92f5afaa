//! How many calls each trunk carries, both directions together. Counted by name: a reload may bring the trunks in
//! another order, or take one away while it still carries calls.

use super::Trunk;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Channels(BTreeMap<Arc<str>, u32>);

impl Channels {
    /// Whether the trunk has room for one more. Its reserved channels are for emergencies alone.
    pub fn free(&self, trunk: &Trunk, emergency: bool) -> bool {
        let taken = self.0.get(&trunk.name).copied().unwrap_or(0);
        let open = if emergency { trunk.channels } else { trunk.channels.saturating_sub(trunk.reserved) };
        taken < open
    }

    pub fn take(&mut self, trunk: &Arc<str>) {
        *self.0.entry(trunk.clone()).or_default() += 1;
    }

    pub fn give_back(&mut self, trunk: &str) {
        if let Some(taken) = self.0.get_mut(trunk) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.0.remove(trunk);
            }
        }
    }

    /// Channels taken on all trunks.
    pub fn taken(&self) -> usize {
        self.0.values().map(|taken| *taken as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Proto;
    use crate::switch::Dtmf;

    fn trunk(name: &str, channels: u32, reserved: u32) -> Trunk {
        let peer = ([10, 0, 0, 1], 5060).into();
        Trunk {
            name: name.into(),
            sources: vec![],
            origins: Arc::default(),
            peer,
            proto: Proto::Udp,
            area: None,
            codecs: vec![],
            channels,
            reserved,
            dtmf: Dtmf::Auto,
            emergency_history: false,
            reliable: false,
        }
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
}
