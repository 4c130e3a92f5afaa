//! Keys by RFC 4733: one event per press, however many packets say it.

use crate::media::rtp::Header;

/// Samples by which timestamp and duration of a press may run on from packet to packet: 200 ms.
const STEP: u32 = 1600;

/// The events of one leg. A press is told by its source, event and timestamp, which all its packets carry, the three end
/// packets among them (RFC 4733 §2.5.1.2). Some senders let the timestamp run on within a press, some let it stand still
/// over several; then its duration and its end tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    /// The latest presses, newest first: a late packet of an earlier press is not a new one.
    seen: [Option<Press>; 4],
    presses: u32,
}

#[derive(Clone, Copy, Debug)]
struct Press {
    /// Counts the leg's presses.
    number: u32,
    ssrc: u32,
    timestamp: u32,
    sequence: u16,
    event: u8,
    duration: u16,
    ended: bool,
    captured: bool,
}

/// Where a packet stands in its press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    First,
    /// The first of a further segment, of a press that outlasts the 16 bits of a duration (RFC 4733 §2.5.1.3).
    Segment,
    Later,
}

/// The key that a packet tells of, and the packet's place in its press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPacket {
    /// At the first packet of a press.
    pub key: Option<char>,
    /// The press of this leg's that it belongs to.
    pub press: u32,
    pub place: Place,
    pub captured: bool,
}

impl Keys {
    /// Takes the payload of a telephone-event packet; a press that begins now is captured if `capture`.
    pub fn packet(&mut self, header: &Header, payload: &[u8], capture: bool) -> Option<KeyPacket> {
        let &[event, flags, high, low, ..] = payload else { return None };
        let (ended, duration) = (flags & 0x80 != 0, u16::from_be_bytes([high, low]));
        let Header { ssrc, timestamp, sequence, .. } = *header;
        let mut press = Press { number: 0, ssrc, timestamp, sequence, event, duration, ended, captured: capture };
        if let Some(known) = self.seen.iter_mut().flatten().find(|known| known.has(press)) {
            let told = KeyPacket { key: None, press: known.number, place: Place::Later, captured: known.captured };
            known.take(press);
            return Some(told);
        }
        let continued = self.seen[0].filter(|last| last.continues_with(press));
        press.number = continued.map_or(self.presses.wrapping_add(1), |last| last.number);
        press.captured = continued.map_or(capture, |last| last.captured);
        self.presses = press.number;
        self.seen.rotate_right(1);
        self.seen[0] = Some(press);
        let place = if continued.is_some() { Place::Segment } else { Place::First };
        let key = if continued.is_some() { None } else { key(event) };
        Some(KeyPacket { key, press: press.number, place, captured: press.captured })
    }
}

impl Press {
    /// Tells whether the packet belongs to this press.
    fn has(self, packet: Press) -> bool {
        if (self.ssrc, self.event) != (packet.ssrc, packet.event) {
            return false;
        }
        if self.timestamp == packet.timestamp {
            // After its end it begins anew only with a newer packet that has sounded for less.
            let newer = packet.sequence.wrapping_sub(self.sequence) as i16 > 0;
            return !(self.ended && !packet.ended && newer && packet.duration < self.duration);
        }
        let longer = u32::from(packet.duration.wrapping_sub(self.duration));
        let grown = (1..=STEP).contains(&longer) || (packet.ended && longer == 0);
        !self.ended && grown && packet.timestamp.wrapping_sub(self.timestamp) <= STEP
    }

    fn take(&mut self, packet: Press) {
        if packet.sequence.wrapping_sub(self.sequence) as i16 > 0 {
            (self.sequence, self.timestamp) = (packet.sequence, packet.timestamp);
        }
        self.duration = self.duration.max(packet.duration);
        self.ended |= packet.ended;
    }

    /// The next segment's timestamp follows at once.
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

    /// Presses as they come, 20 ms apart: (timestamp, event, duration, end) each.
    fn keys_of(packets: &[(u32, u8, u16, bool)]) -> String {
        let mut keys = Keys::default();
        packets.iter().enumerate().filter_map(|(i, packet)| press_at(&mut keys, i as u16, *packet).key).collect()
    }

    fn press_at(keys: &mut Keys, i: u16, (timestamp, event, duration, end): (u32, u8, u16, bool)) -> KeyPacket {
        let [high, low] = duration.to_be_bytes();
        let header = Header { payload_type: 101, marker: false, sequence: i, timestamp, ssrc: 7 };
        keys.packet(&header, &[event, u8::from(end) << 7 | 10, high, low], false).unwrap()
    }

    #[test]
    fn one_key_a_press() {
        let press = |timestamp, event| [160, 320, 480].map(|d| (timestamp, event, d, false)).to_vec();
        let ends = |timestamp, event| vec![(timestamp, event, 480, true); 3];
        assert_eq!(keys_of(&[press(100, 5), ends(100, 5), press(2000, 5), ends(2000, 5)].concat()), "55");
        assert_eq!(keys_of(&[press(100, 5), press(2000, 5), ends(100, 5), press(4000, 11)].concat()), "55#", "a late end");
        assert_eq!(keys_of(&ends(100, 3)), "3", "only its end came");
        assert_eq!(keys_of(&[press(100, 5), ends(100, 5), press(100, 6), ends(100, 6)].concat()), "56", "one timestamp");
        assert_eq!(keys_of(&[press(100, 5), ends(100, 5), press(100, 5), ends(100, 5)].concat()), "55", "a clock that stands");
        let running = |at: u32| [160, 320, 480, 480, 480, 480].map(|d| (at + u32::from(d), 5, d, d == 480)).to_vec();
        assert_eq!(keys_of(&[running(0), running(2000)].concat()), "55", "a clock that runs on within the press");
    }

    #[test]
    fn packets_out_of_order_and_doubled_are_no_presses() {
        let mut keys = Keys::default();
        let mut told = |sequence, duration, end| press_at(&mut keys, sequence, (100, 5, duration, end)).key;
        let packets = [(2, 320, false), (1, 160, false), (5, 800, true), (4, 640, false), (5, 800, true), (3, 480, false)];
        assert_eq!(packets.map(|(s, d, e)| told(s, d, e)), [Some('5'), None, None, None, None, None]);
        assert_eq!(told(6, 800, true), None);
    }

    #[test]
    fn a_press_that_was_cut_off_is_not_continued_by_the_next() {
        let mut keys = Keys::default();
        assert_eq!(press_at(&mut keys, 0, (100, 5, 160, false)).key, Some('5'));
        assert_eq!(press_at(&mut keys, 60, (9700, 5, 320, false)).key, Some('5'), "1.2 s later");
    }

    #[test]
    fn a_key_held_for_long_is_one_press() {
        let mut keys = Keys::default();
        let mut press = |i, timestamp, duration| press_at(&mut keys, i, (timestamp, 1, duration, false));
        let first = press(0, 0, u16::MAX);
        let second = press(1, 65_535, 160);
        assert_eq!((first.key, second.key, second.place, second.press), (Some('1'), None, Place::Segment, first.press));
        assert_eq!(press(2, 65_535, 320).place, Place::Later);
        assert_eq!(press(3, 131_070, 160).key, Some('1'), "the second segment did not run to its end");
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(keys_of(&[(0, 16, 160, false)]), "");
        let header = Header { payload_type: 101, marker: false, sequence: 0, timestamp: 0, ssrc: 7 };
        assert_eq!(Keys::default().packet(&header, &[1, 2, 3], false), None);
    }

    #[test]
    fn a_press_is_captured_whole_or_not_at_all() {
        let mut keys = Keys::default();
        let mut captured = |sequence, timestamp, duration: u16, capture| {
            let [high, low] = duration.to_be_bytes();
            let header = Header { payload_type: 101, marker: false, sequence, timestamp, ssrc: 7 };
            keys.packet(&header, &[1, 0x0A, high, low], capture).unwrap().captured
        };
        assert_eq!([captured(1, 0, 160, false), captured(2, 0, 320, true)], [false, false]);
        assert_eq!([captured(3, 2000, u16::MAX, true), captured(4, 2000, u16::MAX, false)], [true, true]);
        assert!(captured(5, 2000 + 65_535, 160, false), "a press goes on in its next segment");
        assert!(!captured(6, 90_000, 160, false));
    }
}
