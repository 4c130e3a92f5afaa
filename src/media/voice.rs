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
/// What is missing is made up from the last 20 ms, quieter and quieter, and after 60 ms it is silence.
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
        for (p, code) in (place..).zip(codes).skip_while(|(p, _)| *p < self.read_to) {
            let (new, old) = (i64::from(law.decode(*code)), &mut self.ring[slot(p)]);
            let blended = p < self.filled_to && p - place < BLEND;
            *old = if blended { i64::from(*old) + (new - i64::from(*old)) * (p - place) / BLEND } else { new } as i16;
        }
        let end = place + codes.len() as i64;
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
        let place = newest.place + ahead;
        if header.sequence.wrapping_sub(newest.sequence) as i16 <= 0 {
            // Late by reordering, or doubled: it fills what is not yet read.
            return (-MAX_DEPTH..=0).contains(&ahead).then_some(place).filter(|place| place + length > self.read_to);
        }
        let early = place - self.read_to;
        if ahead <= 0 || !(0..=MAX_DEPTH).contains(&early) {
            return self.join(header);
        }
        let place = place - self.surplus(early);
        self.newest = Some(Newest::new(header, place));
        Some(place)
    }

    /// The source begins, begins anew, or is late: it goes on behind everything. None: too much waits already.
    fn join(&mut self, header: &Header) -> Option<i64> {
        (self.least, self.window_end) = (i64::MAX, self.read_to + WINDOW);
        let place = self.filled_to.max(self.read_to);
        if place - self.read_to > MAX_DEPTH {
            return None;
        }
        self.newest = Some(Newest::new(header, place));
        Some(place)
    }

    /// At the end of a window: by how much the line can be shortened so that no packet of the window would have been late.
    fn surplus(&mut self, early: i64) -> i64 {
        self.least = self.least.min(early);
        if self.read_to < self.window_end {
            return 0;
        }
        let least = std::mem::replace(&mut self.least, i64::MAX);
        self.window_end = self.read_to + WINDOW;
        if least >= SHORTEN_FROM { least.min(SHORTEN_BY) } else { 0 }
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
    fn new(header: &Header, place: i64) -> Newest {
        Newest { ssrc: header.ssrc, sequence: header.sequence, timestamp: header.timestamp, place }
    }
}

fn slot(place: i64) -> usize {
    (place & (RING as i64 - 1)) as usize
}
