//! One leg's audio as a line of samples in time, for those who hear it mixed: its jitter buffer.
//!
//! A packet is decoded once, when it comes, to its place on the line; every listener reads the stretch that ends at its
//! own slot, whatever its packet time. The first packet is heard at the next slot (depth 1). A packet that comes after
//! its place was read is put behind what was read, and with it all that follow: the buffer grows by just what was
//! lacking. When nothing came near its slot for a while, the line is shortened again.

use crate::media::Law;
use crate::media::rtp::Header;

/// Samples on the line; a power of two, more than what waits, one packet, and the longest frame together.
const RING: usize = 4096;
/// Samples that may wait to be read: 200 ms.
const MAX_DEPTH: i64 = 1600;
/// Longer packets are cut off: 100 ms.
const MAX_PACKET: usize = 800;
/// How long packets must have been early before the line is shortened: 2 s.
const WINDOW: i64 = 16_000;
/// It is shortened when all were early by at least 10 ms, by 20 ms at most.
const SHORTEN_FROM: i64 = 80;
const SHORTEN_BY: i64 = 160;
/// Missing audio is made up from the last 20 ms, quieter and quieter, and after 60 ms it is silence.
const PERIOD: i64 = 160;
const FADE: i64 = 480;
/// Two pieces of audio that overlap are blended over 5 ms.
const BLEND: i64 = 40;

pub struct Voice {
    ring: Box<[i16; RING]>,
    /// Added to a slot's time for its place on the line; the first reader sets it.
    origin: Option<i64>,
    /// Places before this were read by someone.
    read_to: i64,
    /// Places before this hold audio, received or made up.
    filled_to: i64,
    /// Samples made up since the last that was received.
    made_up: i64,
    newest: Option<Newest>,
    /// How early the least early packet of this window was, and where the window ends.
    least: i64,
    window_end: i64,
}

/// The source's newest packet.
struct Newest {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    place: i64,
    /// A bit for each of the 64 packets up to it that has come, itself the lowest.
    seen: u64,
    /// By how much an overtaken packet was late: those that follow are put back by it.
    late: i64,
}

impl Voice {
    pub fn new() -> Voice {
        Voice {
            ring: Box::new([0; RING]),
            origin: None,
            read_to: 0,
            filled_to: 0,
            made_up: FADE,
            newest: None,
            least: i64::MAX,
            window_end: WINDOW,
        }
    }

    /// Takes a packet's audio.
    pub fn write(&mut self, header: &Header, law: Law, codes: &[u8]) {
        let codes = &codes[..codes.len().min(MAX_PACKET)];
        let Some(place) = self.place(header, codes.len() as i64) else { return };
        self.make_up(place);
        let end = place + codes.len() as i64;
        if place >= self.filled_to {
            let start = slot(place);
            let (head, tail) = codes.split_at(codes.len().min(RING - start));
            law.decode_all(head, &mut self.ring[start..]);
            law.decode_all(tail, &mut self.ring[..]);
        } else {
            self.overlay(place, law, codes);
        }
        if end >= self.filled_to {
            (self.filled_to, self.made_up) = (end, 0);
        }
    }

    /// Adds to `sum` the samples that end at the slot of that time (in samples).
    pub fn add_to(&mut self, time: i64, sum: &mut [i32]) {
        let length = sum.len() as i64;
        let end = time + *self.origin.get_or_insert(self.read_to + length - time);
        self.make_up(end);
        self.read_to = self.read_to.max(end);
        let start = slot(end - length);
        let (head, tail) = sum.split_at_mut(sum.len().min(RING - start));
        for (sum, sample) in head.iter_mut().zip(&self.ring[start..]).chain(tail.iter_mut().zip(&self.ring[..])) {
            *sum += i32::from(*sample);
        }
    }

    /// Where a packet belongs; none: nowhere, or no longer.
    fn place(&mut self, header: &Header, length: i64) -> Option<i64> {
        let Some(newest) = self.newest.as_ref().filter(|newest| newest.ssrc == header.ssrc) else {
            return self.join(header);
        };
        let ahead = i64::from(header.timestamp.wrapping_sub(newest.timestamp) as i32);
        if header.sequence.wrapping_sub(newest.sequence) as i16 <= 0 {
            return self.overtaken(header, ahead, length);
        }
        let place = newest.place + ahead + newest.late;
        let early = place - self.read_to;
        if ahead <= 0 || !(0..=MAX_DEPTH).contains(&early) {
            return self.join(header);
        }
        let place = place - self.surplus(early);
        self.newest = Some(Newest::new(header, place, self.newest.as_ref()));
        Some(place)
    }

    /// A packet that others have overtaken fills what is not yet read. None: it came twice, or too late.
    fn overtaken(&mut self, header: &Header, ahead: i64, length: i64) -> Option<i64> {
        let newest = self.newest.as_mut()?;
        let bit = 1u64.checked_shl(newest.sequence.wrapping_sub(header.sequence).into())?;
        if newest.seen & bit != 0 || !(-MAX_DEPTH..=0).contains(&ahead) {
            return None;
        }
        newest.seen |= bit;
        let place = newest.place + ahead;
        if place < self.read_to {
            newest.late = newest.late.max(self.read_to - place);
            self.open_window();
        }
        (place + length > self.read_to).then_some(place)
    }

    /// The source begins, begins anew, or is late: it goes on behind everything. None: too much waits already.
    fn join(&mut self, header: &Header) -> Option<i64> {
        self.open_window();
        let place = self.filled_to.max(self.read_to);
        if place - self.read_to > MAX_DEPTH {
            return None;
        }
        self.newest = Some(Newest::new(header, place, self.newest.as_ref()));
        Some(place)
    }

    fn open_window(&mut self) {
        (self.least, self.window_end) = (i64::MAX, self.read_to + WINDOW);
    }

    /// At the end of a window: by how much the line can be shortened so that no packet of the window would have been late.
    fn surplus(&mut self, early: i64) -> i64 {
        self.least = self.least.min(early);
        if self.read_to < self.window_end {
            return 0;
        }
        let least = self.least;
        self.open_window();
        if least >= SHORTEN_FROM { least.min(SHORTEN_BY) } else { 0 }
    }

    /// A packet that fills a gap, or reaches back because the line was shortened; then it is blended with what is there.
    fn overlay(&mut self, place: i64, law: Law, codes: &[u8]) {
        let fills = place + codes.len() as i64 <= self.filled_to;
        let blend_to = if fills { place } else { self.filled_to.min(place + BLEND) };
        for (p, code) in (place..).zip(codes).skip_while(|(p, _)| *p < self.read_to) {
            let (new, old) = (i64::from(law.decode(*code)), &mut self.ring[slot(p)]);
            *old = if p < blend_to { i64::from(*old) + (new - i64::from(*old)) * (p - place) / BLEND } else { new } as i16;
        }
    }

    /// Fills the line up to `end` with what the source may have said.
    fn make_up(&mut self, end: i64) {
        // After a standstill of the shard nobody will read what lies further back.
        let start = self.filled_to.max(end - RING as i64);
        for p in start..end {
            let before = i64::from(self.ring[slot(p - PERIOD)]);
            self.ring[slot(p)] = (before * (FADE - self.made_up) / FADE) as i16;
            self.made_up = (self.made_up + 1).min(FADE);
        }
        self.filled_to = self.filled_to.max(end);
    }
}

impl Newest {
    fn new(header: &Header, place: i64, before: Option<&Newest>) -> Newest {
        let same = before.filter(|before| before.ssrc == header.ssrc);
        let step = |before: &Newest| before.seen.checked_shl(header.sequence.wrapping_sub(before.sequence).into());
        let seen = same.and_then(step).unwrap_or(0) | 1;
        Newest { ssrc: header.ssrc, sequence: header.sequence, timestamp: header.timestamp, place, seen, late: 0 }
    }
}

fn slot(place: i64) -> usize {
    (place & (RING as i64 - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms, each of one code that tells its number, to a voice that is read every 20 ms, 10 ms after a packet
    /// without delay comes.
    struct Line {
        voice: Voice,
        /// The next packet, the next slot.
        next: u16,
        slot: i64,
        flying: Vec<(u64, u16)>,
        /// A record of what was read: a packet's number for each sample, or none if it was made up, silent or blended.
        heard: Vec<Option<u16>>,
    }

    fn code(number: u16) -> u8 {
        0x80 | (number % 100) as u8
    }

    impl Line {
        fn new() -> Line {
            Line { voice: Voice::new(), next: 0, slot: 0, flying: Vec::new(), heard: Vec::new() }
        }

        fn write(&mut self, number: u16) {
            let sequence = number.wrapping_add(65_530);
            let header = Header { payload_type: 8, marker: false, sequence, timestamp: u32::from(number) * 160, ssrc: 1 };
            self.voice.write(&header, Law::A, &[code(number); 160]);
        }

        /// `delay` gives a packet's milliseconds of delay; none: it is lost.
        fn run(&mut self, slots: usize, delay: impl Fn(u16) -> Option<u64>) {
            for _ in 0..slots {
                let spoken = u64::from(self.next) * 20;
                self.flying.extend(delay(self.next).map(|delay| (spoken + delay, self.next)));
                self.next += 1;
                self.flying.sort();
                while self.flying.first().is_some_and(|(at, _)| *at <= spoken + 10) {
                    let (_, number) = self.flying.remove(0);
                    self.write(number);
                }
                self.read();
            }
        }

        fn read(&mut self) {
            let mut sum = [0; 160];
            self.slot += 160;
            self.voice.add_to(self.slot, &mut sum);
            let latest = self.next;
            let number =
                |sample: &i32| (latest.saturating_sub(60)..latest).rev().find(|n| i32::from(Law::A.decode(code(*n))) == *sample);
            self.heard.extend(sum.iter().map(number));
        }

        /// By how many packets what was read last lies behind.
        fn behind(&self) -> Option<u16> {
            Some(self.next - 1 - (*self.heard.last()?)?)
        }

        /// Every sample of the packets heard, once and in order.
        fn whole(&self) -> bool {
            let numbers: Option<Vec<u16>> = self.heard.iter().copied().collect();
            numbers.is_some_and(|numbers| numbers.windows(161).all(|w| w[160] == w[0] + 1))
        }
    }

    /// Up to 44 ms, without any order.
    fn jitter(number: u16) -> Option<u64> {
        Some(u64::from(number.wrapping_mul(40_503) >> 5) % 45)
    }

    #[test]
    fn the_first_packet_is_heard_at_the_next_slot() {
        let mut line = Line::new();
        line.run(50, |_| Some(0));
        assert!(line.whole());
        assert_eq!((line.heard[0], line.heard[159], line.behind()), (Some(0), Some(0), Some(0)));
    }

    #[test]
    fn it_grows_with_the_jitter_and_shrinks_after_it() {
        let mut line = Line::new();
        line.run(100, jitter);
        line.heard.clear();
        line.run(500, jitter);
        assert!(line.whole(), "nothing is late once the buffer has grown");
        let deep = line.behind();
        assert!(deep >= Some(2) && deep <= Some(3), "{deep:?}");
        line.run(600, |_| Some(0));
        assert_eq!(line.behind(), Some(0));
        line.heard.clear();
        line.run(200, |_| Some(0));
        assert!(line.whole());
    }

    #[test]
    fn a_late_packet_is_heard_late_and_a_lost_one_is_covered() {
        let mut line = Line::new();
        line.run(20, |n| Some(if n == 10 { 15 } else { 0 }));
        assert_eq!(line.heard.iter().filter(|n| **n == Some(10)).count(), 160);
        line.run(20, |n| (n != 30).then_some(0));
        assert_eq!(line.heard.iter().filter(|n| **n == Some(30)).count(), 0);
        assert_eq!(
            line.heard.iter().filter(|n| **n == Some(29)).count() + line.heard.iter().filter(|n| **n == Some(31)).count(),
            321
        );
    }

    #[test]
    fn order_is_restored_where_there_is_time() {
        let mut line = Line::new();
        line.run(20, |n| Some(if n == 3 { 45 } else { 0 }));
        line.heard.clear();
        line.run(40, |n| Some(if n % 5 == 0 { 25 } else { 0 }));
        assert!(line.whole());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut line = Line::new();
        line.run(5, |_| Some(0));
        (5..200).for_each(|number| line.write(number));
        line.next = 200;
        assert!(line.voice.filled_to - line.voice.read_to <= MAX_DEPTH + 160);
        line.run(20, |_| Some(0));
        assert!(line.behind() <= Some(11) && line.heard[line.heard.len() - 160..].iter().all(Option::is_some), "and it goes on");
    }

    #[test]
    fn a_pause_or_a_new_numbering_begins_anew() {
        let mut line = Line::new();
        line.run(10, |_| Some(0));
        line.run(100, |_| None);
        assert!(line.heard[line.heard.len() - 1600..].iter().all(Option::is_none), "silence");
        line.run(10, |_| Some(0));
        assert_eq!(line.behind(), Some(0));
        for (ssrc, timestamp) in [(2, 5), (2, 4_000_000), (2, 3), (3, 3)] {
            let header = Header { payload_type: 8, marker: true, sequence: line.next, timestamp, ssrc };
            line.voice.write(&header, Law::A, &[code(line.next); 160]);
            line.next += 1;
            line.read();
            assert_eq!(line.behind(), Some(0), "{ssrc} {timestamp}");
        }
    }
}
