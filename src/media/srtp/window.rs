//! The indices of one stream's packets (RFC 3711 §3.3): the roll-over counter is in no packet, so both ends count it; and an
//! index is used once, or whoever sees both packets sees what their contents differ by.

/// Packets behind the newest that are told apart; those further back are too old.
const WIDTH: u64 = 128;
/// An index has 48 bits.
const LAST: u64 = (1 << 48) - 1;

#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    newest: u64,
    /// A bit for each of the packets up to the newest, itself the lowest; none: there was no packet.
    seen: u128,
}

impl Window {
    /// The index that a packet of this number most likely has (appendix A); none: it would lie before the first or after the last
    /// one. The first packet's counter is 0.
    pub fn index(&self, sequence: u16) -> Option<u64> {
        if self.seen == 0 {
            return Some(sequence.into());
        }
        let step = i64::from(sequence.wrapping_sub(self.newest as u16) as i16);
        self.newest.checked_add_signed(step).filter(|index| *index <= LAST)
    }

    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Tells whether the index was not used before, as far as is known.
    pub fn is_fresh(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            Some(behind) if self.seen != 0 => behind < WIDTH && self.seen & (1 << behind) == 0,
            _ => true,
        }
    }

    pub fn take(&mut self, index: u64) {
        if self.seen == 0 || index > self.newest {
            let ahead = index.saturating_sub(self.newest);
            self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 } | 1;
            self.newest = index;
        } else if let Some(bit) = 1u128.checked_shl((self.newest - index) as u32) {
            self.seen |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_counter_follows_the_number_over_its_end() {
        let mut window = Window::default();
        for index in (65_000..200_000).step_by(97) {
            // The first packet's counter is 0, so the stream begins before the first turn.
            assert_eq!(window.index(index as u16), Some(index));
            assert!(window.is_fresh(index));
            window.take(index);
            assert_eq!(window.index((index - 90) as u16), Some(index - 90), "one that was overtaken");
            assert!(!window.is_fresh(index));
        }
    }

    #[test]
    fn nothing_lies_before_the_first_turn_or_after_the_last() {
        let mut window = Window::default();
        window.take(5);
        assert_eq!(window.index(65_530), None);
        window.take(LAST);
        assert_eq!(window.index(0), None, "the key is used up");
        assert_eq!(window.index(65_535), Some(LAST));
    }

    proptest! {
        #[test]
        fn each_index_is_taken_once(order in proptest::collection::vec(0..400u64, 1..200)) {
            let mut window = Window::default();
            let mut taken = std::collections::BTreeSet::new();
            for index in order {
                let newest = taken.last().copied().unwrap_or(0);
                let old = index + WIDTH <= newest;
                prop_assert_eq!(window.is_fresh(index), !taken.contains(&index) && !old);
                if window.is_fresh(index) {
                    window.take(index);
                    taken.insert(index);
                }
            }
        }
    }
}
