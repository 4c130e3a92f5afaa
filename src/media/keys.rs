//! Keys by RFC 4733: one event per press, however many packets say it.

/// The events of one leg. A press is told by (SSRC, event timestamp): all its packets, the three end packets among
/// them, carry the same (RFC 4733 §2.5.1.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    /// The latest presses, newest first: a late packet of an earlier press is not a new one.
    seen: [Option<Press>; 4],
}

#[derive(Clone, Copy, Debug)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    captured: bool,
}

/// What a packet tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// At the first packet of a press.
    pub key: Option<char>,
    /// No packet of this event, or of this segment of it, was seen before.
    pub first: bool,
    pub captured: bool,
}

impl Keys {
    /// Takes the payload of a telephone-event packet; a press that begins now is captured if `capture`.
    pub fn packet(&mut self, ssrc: u32, timestamp: u32, payload: &[u8], capture: bool) -> Option<Told> {
        let &[event, _, high, low, ..] = payload else { return None };
        let duration = u16::from_be_bytes([high, low]);
        if let Some(known) = self.seen.iter_mut().flatten().find(|p| p.ssrc == ssrc && p.timestamp == timestamp) {
            known.duration = known.duration.max(duration);
            return Some(Told { key: None, first: false, captured: known.captured });
        }
        let mut press = Press { ssrc, timestamp, event, duration, captured: capture };
        let continued = self.seen[0].filter(|last| last.continues_with(press));
        press.captured = continued.map_or(capture, |last| last.captured);
        self.seen.rotate_right(1);
        self.seen[0] = Some(press);
        let key = if continued.is_some() { None } else { key(event) };
        Some(Told { key, first: true, captured: press.captured })
    }
}

impl Press {
    /// A press that outlasts the 16 bits of its duration goes on in a new segment, whose timestamp follows at once
    /// (RFC 4733 §2.5.1.3).
    fn continues_with(self, next: Press) -> bool {
        self.duration == u16::MAX
            && self.ssrc == next.ssrc
            && self.event == next.event
            && next.timestamp == self.timestamp.wrapping_add(u32::from(u16::MAX))
    }
}

/// RFC 4733 §3.2, table 3. Event 16, flash, is no key.
fn key(event: u8) -> Option<char> {
    match event {
        0..=9 => Some(char::from(b'0' + event)),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some(char::from(b'A' + event - 12)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keys: &mut Keys, timestamp: u32, event: u8, duration: u16) -> Option<char> {
        let [high, low] = duration.to_be_bytes();
        keys.packet(7, timestamp, &[event, 0x0A, high, low], false).unwrap().key
    }

    #[test]
    fn one_key_a_press() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, 100, 5, 160), Some('5'));
        for duration in [320, 480, 480, 480] {
            assert_eq!(press(&mut keys, 100, 5, duration), None);
        }
        assert_eq!(press(&mut keys, 2000, 5, 160), Some('5'));
        assert_eq!(press(&mut keys, 100, 5, 480), None, "a late end packet of the first press");
        assert_eq!(press(&mut keys, 4000, 11, 160), Some('#'));
    }

    #[test]
    fn a_key_held_for_long_is_one_press() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, 0, 1, u16::MAX), Some('1'));
        assert_eq!(press(&mut keys, 65_535, 1, 160), None);
        assert_eq!(press(&mut keys, 131_070, 1, 160), Some('1'), "the second segment did not run to its end");
    }

    #[test]
    fn what_is_no_key_is_none() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, 0, 16, 160), None);
        assert_eq!(keys.packet(7, 1, &[1, 2, 3], false), None);
    }

    #[test]
    fn a_press_is_captured_whole_or_not_at_all() {
        let mut keys = Keys::default();
        let mut captured = |timestamp, duration: u16, capture| {
            let [high, low] = duration.to_be_bytes();
            keys.packet(7, timestamp, &[1, 0x0A, high, low], capture).unwrap().captured
        };
        assert_eq!([captured(0, 160, false), captured(0, 320, true)], [false, false]);
        assert_eq!([captured(2000, u16::MAX, true), captured(2000, u16::MAX, false)], [true, true]);
        assert!(captured(2000 + 65_535, 160, false), "a press goes on in its next segment");
        assert!(!captured(90_000, 160, false));
    }
}
