//! One leg is sent one RTP stream: one SSRC for the leg's life, continuous sequence numbers and monotone
//! timestamps whatever the source, a marker where the source changes (RFC 3550 §5.1, RFC 3551 §4.1).
//!
//! Within a relayed source numbers keep their distance, so that its losses stay visible to the receiver; where the
//! source changes, or changes its own numbering, the stream goes on where it stopped. An event changes nothing of that: all
//! its packets carry one timestamp, given at its start, and take their numbers among the audio's or between them.

mod snapshot;

pub use snapshot::EgressSnapshot;

use crate::base::{Mono, Rng};
use crate::media::rtp::Header;

/// RFC 3550 appendix A.1: a larger step is a new numbering, not loss; a smaller one backwards is reordering.
const MAX_DROPOUT: i16 = 3000;
const MAX_MISORDER: i16 = 100;
/// Samples that a source's timestamp may run ahead of its arrival before it counts as a new numbering.
const MAX_AHEAD: u32 = 2 * 8000;
/// Samples that an event's timestamp, which is that of its start, may lie behind the audio's.
const MAX_BEHIND: i32 = -8000;

/// The stream that one leg is sent.
#[derive(Debug)]
pub struct Egress {
    ssrc: u32,
    /// The newest packet: number, timestamp, samples in it, when it was sent.
    sequence: u16,
    timestamp: u32,
    samples: u32,
    at: Option<Mono>,
    source: Source,
    /// The last event's timestamp and duration: the next one's lies behind it.
    pressed: Option<(u32, u32)>,
    /// The next audio packet carries the marker.
    marker: bool,
}

#[derive(Debug)]
enum Source {
    None,
    Own,
    Relayed(Mapping),
}

/// How a relayed source's numbers become ours.
#[derive(Debug)]
struct Mapping {
    ssrc: u32,
    /// The source's newest sequence number and its newest audio timestamp.
    sequence: u16,
    timestamp: u32,
    /// When the newest audio came.
    at: Mono,
    /// Added to the source's numbers.
    sequence_offset: u16,
    timestamp_offset: u32,
    /// Sequence numbers that lie behind the newest and belong to this mapping.
    reach: u16,
}

impl Egress {
    pub fn new(rng: &mut Rng) -> Egress {
        Egress {
            ssrc: rng.u32(),
            // Below 2^15: the receiver of SRTP takes the counter of whatever comes first for 0 (RFC 3711 §3.3.1).
            sequence: rng.u32() as u16 >> 1,
            timestamp: rng.u32(),
            samples: 0,
            at: None,
            source: Source::None,
            pressed: None,
            marker: true,
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of this moment (RFC 3550 §6.4.1, sender report); never less than the stream has reached.
    pub fn timestamp_at(&self, now: Mono) -> u32 {
        let elapsed = self.at.map_or(0, |at| samples_between(at, now));
        self.timestamp.wrapping_add(elapsed.max(self.samples))
    }

    /// The source pauses or changes: what comes next goes on where this one stopped.
    pub fn rest(&mut self) {
        self.source = Source::None;
    }

    /// Stamps a frame of our own (prompt, music, tone).
    pub fn own(&mut self, now: Mono, payload_type: u8, samples: u32) -> Header {
        if !matches!(self.source, Source::Own) {
            self.timestamp = self.timestamp_at(now);
            self.source = Source::Own;
            self.marker = true;
        } else {
            self.timestamp = self.timestamp.wrapping_add(self.samples);
        }
        self.sequence = self.sequence.wrapping_add(1);
        (self.samples, self.at) = (samples, Some(now));
        Header { payload_type, marker: std::mem::take(&mut self.marker), ..self.newest() }
    }

    /// Stamps a packet of an event of our own, which takes the place of audio. All its packets carry its start.
    pub fn event(&mut self, now: Mono, payload_type: u8, first: bool, duration: u32) -> Header {
        if first {
            let timestamp = self.timestamp_at(now);
            (self.timestamp, self.at) = (self.behind_presses(timestamp), Some(now));
            self.rest();
        }
        self.samples = duration;
        self.pressed = Some((self.timestamp, duration));
        self.inserted(payload_type, first, self.timestamp)
    }

    /// The timestamp for another's event that begins now: where it stands in a stream that is relayed, else this moment's.
    pub fn press(&mut self, now: Mono, packet: &Header) -> u32 {
        let timestamp = match &self.source {
            Source::Relayed(mapping) if self.numbered(packet) && mapping.reaches(now, packet, MAX_BEHIND) => {
                packet.timestamp.wrapping_add(mapping.timestamp_offset)
            }
            _ => self.timestamp_at(now),
        };
        self.behind_presses(timestamp)
    }

    /// Stamps a packet of another's event; none: it is too old to have a place.
    pub fn pressed(&mut self, packet: &Header, payload_type: u8, first: bool, timestamp: u32, duration: u32) -> Option<Header> {
        self.pressed = Some((timestamp, duration));
        if !self.numbered(packet) {
            return Some(self.inserted(payload_type, first, timestamp));
        }
        let Source::Relayed(mapping) = &mut self.source else { return None };
        if !mapping.advance(packet) {
            return None;
        }
        let sequence = packet.sequence.wrapping_add(mapping.sequence_offset);
        if sequence.wrapping_sub(self.sequence) as i16 > 0 {
            self.sequence = sequence;
        }
        Some(Header { payload_type, marker: packet.marker, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A packet between those of the source, whose numbers move up.
    fn inserted(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        if let Source::Relayed(mapping) = &mut self.source {
            mapping.sequence_offset = mapping.sequence_offset.wrapping_add(1);
            mapping.reach = 0;
        }
        Header { payload_type, marker, timestamp, ..self.newest() }
    }

    fn behind_presses(&self, timestamp: u32) -> u32 {
        match self.pressed {
            Some((last, duration)) if (timestamp.wrapping_sub(last) as i32) < duration.max(1) as i32 => {
                last.wrapping_add(duration.max(1))
            }
            _ => timestamp,
        }
    }

    /// Stamps a packet of another stream's audio; none: it is too old to have a place.
    pub fn relayed(&mut self, now: Mono, packet: &Header, payload_type: u8, samples: u32) -> Option<Header> {
        if !self.follows(now, packet) {
            self.anchor(now, packet);
        }
        let Source::Relayed(mapping) = &mut self.source else { return None };
        if !mapping.advance(packet) {
            return None;
        }
        mapping.hear(now, packet);
        let sequence = packet.sequence.wrapping_add(mapping.sequence_offset);
        let timestamp = packet.timestamp.wrapping_add(mapping.timestamp_offset);
        if sequence.wrapping_sub(self.sequence) as i16 > 0 {
            self.sequence = sequence;
        }
        if self.at.is_none() || timestamp.wrapping_sub(self.timestamp) as i32 > 0 {
            (self.timestamp, self.samples, self.at) = (timestamp, samples, Some(now));
        }
        let marker = std::mem::take(&mut self.marker) || packet.marker;
        Some(Header { payload_type, marker, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A packet of the relayed source that is left out on purpose: its number is closed up, or it would look like loss.
    pub fn skip(&mut self, packet: &Header) {
        if !self.numbered(packet) {
            return;
        }
        let Source::Relayed(mapping) = &mut self.source else { return };
        if packet.sequence.wrapping_sub(mapping.sequence) as i16 > 0 {
            mapping.sequence = packet.sequence;
            mapping.sequence_offset = mapping.sequence_offset.wrapping_sub(1);
            mapping.reach = 0;
        }
    }

    fn newest(&self) -> Header {
        Header { payload_type: 0, marker: false, sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }

    /// Tells whether the packet goes on with the sequence that is mapped.
    fn numbered(&self, packet: &Header) -> bool {
        let Source::Relayed(mapping) = &self.source else { return false };
        let step = packet.sequence.wrapping_sub(mapping.sequence) as i16;
        mapping.ssrc == packet.ssrc && (-MAX_MISORDER..=MAX_DROPOUT).contains(&step)
    }

    /// Tells whether audio goes on with the numbering that is mapped.
    fn follows(&self, now: Mono, packet: &Header) -> bool {
        let Source::Relayed(mapping) = &self.source else { return false };
        let overtaken = packet.sequence.wrapping_sub(mapping.sequence) as i16 <= 0;
        self.numbered(packet) && mapping.reaches(now, packet, if overtaken { MAX_BEHIND } else { 0 })
    }

    fn anchor(&mut self, now: Mono, packet: &Header) {
        self.marker = true;
        self.source = Source::Relayed(Mapping {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            at: now,
            sequence_offset: self.sequence.wrapping_add(1).wrapping_sub(packet.sequence),
            timestamp_offset: self.timestamp_at(now).wrapping_sub(packet.timestamp),
            reach: 0,
        });
    }
}

impl Mapping {
    /// Takes note of a packet; false: it lies before the first one of this mapping, whose place is taken.
    fn advance(&mut self, packet: &Header) -> bool {
        let step = packet.sequence.wrapping_sub(self.sequence) as i16;
        if step < 0 {
            return step.unsigned_abs() <= self.reach;
        }
        self.reach = self.reach.saturating_add(step.unsigned_abs());
        self.sequence = packet.sequence;
        true
    }

    /// Takes note of audio, unless others have overtaken it.
    fn hear(&mut self, now: Mono, packet: &Header) {
        if packet.sequence == self.sequence {
            (self.timestamp, self.at) = (packet.timestamp, now);
        }
    }

    /// Tells whether a packet's timestamp is near enough to the audio's to belong to the same clock.
    fn reaches(&self, now: Mono, packet: &Header, behind: i32) -> bool {
        let ahead = packet.timestamp.wrapping_sub(self.timestamp) as i32;
        let limit = samples_between(self.at, now).saturating_add(MAX_AHEAD);
        ahead >= behind && i64::from(ahead) <= i64::from(limit)
    }
}

/// At 8 samples a millisecond.
fn samples_between(from: Mono, to: Mono) -> u32 {
    u32::try_from(to.since(from).as_micros() / 125).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 8, marker: false, sequence, timestamp, ssrc }
    }

    /// An egress and its clock.
    struct Stream(Egress, Mono);

    impl Stream {
        fn new() -> Stream {
            Stream(Egress::new(&mut Rng::from_number(1)), Mono(1_000_000))
        }
        fn wait(&mut self, millis: u64) {
            self.1 = self.1.after(Duration::from_millis(millis));
        }
        fn own(&mut self) -> Header {
            self.wait(20);
            self.0.own(self.1, 8, 160)
        }
        fn relay(&mut self, ssrc: u32, sequence: u16, timestamp: u32) -> Option<Header> {
            self.wait(20);
            self.0.relayed(self.1, &packet(ssrc, sequence, timestamp), 8, 160)
        }
        /// The next packet of a press that began `at`; none: it begins.
        fn event(&mut self, ssrc: u32, sequence: u16, timestamp: u32, at: Option<Header>) -> Option<Header> {
            self.wait(20);
            let packet = packet(ssrc, sequence, timestamp);
            let start = at.map_or_else(|| self.0.press(self.1, &packet), |first| first.timestamp);
            self.0.pressed(&packet, 101, at.is_none(), start, 160)
        }
    }

    /// The step from one header to the next: sequence, timestamp, marker of the second.
    fn step(a: Header, b: Header) -> (i16, i32, bool) {
        assert_eq!(a.ssrc, b.ssrc);
        (b.sequence.wrapping_sub(a.sequence) as i16, b.timestamp.wrapping_sub(a.timestamp) as i32, b.marker)
    }

    #[test]
    fn prompt_relay_prompt_is_one_stream() {
        let mut s = Stream::new();
        let (a, b) = (s.own(), s.own());
        assert!(a.marker);
        assert_eq!(step(a, b), (1, 160, false));
        let c = s.relay(9, 65_535, 5).unwrap();
        assert_eq!(step(b, c), (1, 160, true));
        let d = s.relay(9, 0, 165).unwrap();
        assert_eq!(step(c, d), (1, 160, false));
        s.0.rest();
        s.wait(980);
        let e = s.own();
        assert_eq!(step(d, e), (1, 8000, true), "the timestamp runs on through a pause");
    }

    #[test]
    fn loss_and_reordering_of_the_source_stay_visible() {
        let mut s = Stream::new();
        let a = s.relay(9, 100, 0).unwrap();
        let c = s.relay(9, 102, 320).unwrap();
        let b = s.relay(9, 101, 160).unwrap();
        assert_eq!(step(a, c), (2, 320, false));
        assert_eq!(step(a, b), (1, 160, false));
        let d = s.relay(9, 103, 480).unwrap();
        assert_eq!(step(c, d), (1, 160, false));
    }

    #[test]
    fn a_packet_from_before_the_change_has_no_place() {
        let mut s = Stream::new();
        s.own();
        s.relay(9, 100, 1600).unwrap();
        assert_eq!(s.relay(9, 99, 1440), None);
        assert!(s.relay(9, 101, 1760).is_some());
    }

    #[test]
    fn a_new_numbering_of_the_source_is_closed_up() {
        let mut s = Stream::new();
        let a = s.relay(9, 100, 0).unwrap();
        let b = s.relay(10, 7, 99_999).unwrap();
        assert_eq!(step(a, b), (1, 160, true), "another SSRC");
        let c = s.relay(10, 40_000, 100_159).unwrap();
        assert_eq!(step(b, c), (1, 160, true), "a jump of the sequence");
        let d = s.relay(10, 40_001, 50).unwrap();
        assert_eq!(step(c, d), (1, 160, true), "the timestamp goes back");
        let e = s.relay(10, 40_002, 3_000_000).unwrap();
        assert_eq!(step(d, e), (1, 160, true), "the timestamp runs away");
    }

    #[test]
    fn silence_suppression_keeps_its_pause() {
        let mut s = Stream::new();
        let a = s.relay(9, 1, 0).unwrap();
        s.wait(59_980);
        let b = s.relay(9, 2, 480_000).unwrap();
        assert_eq!(step(a, b), (1, 480_000, false));
    }

    #[test]
    fn events_keep_their_start_and_audio_goes_on() {
        let mut s = Stream::new();
        let a = s.relay(9, 1, 0).unwrap();
        let first = s.event(9, 2, 160, None).unwrap();
        let last = s.event(9, 3, 160, Some(first)).unwrap();
        assert_eq!((step(a, first), step(first, last)), ((1, 160, false), (1, 0, false)));
        let b = s.relay(9, 4, 480).unwrap();
        assert_eq!(step(last, b), (1, 320, false));
    }

    #[test]
    fn an_event_beside_the_audio_changes_nothing_of_it() {
        // However the event is numbered: by its own source, its own sequence, another clock.
        for (ssrc, sequence, timestamp) in [(7, 500, 5), (9, 40_000, 320), (9, 3, 123_456), (9, 3, 320)] {
            let mut s = Stream::new();
            let among = sequence == 3;
            let mut audio = vec![s.relay(9, 1, 0).unwrap(), s.relay(9, 2, 160).unwrap()];
            let mut events: Vec<Header> = Vec::new();
            for i in 0..100u16 {
                let number = sequence + if among { 2 * i } else { i };
                let event = s.event(ssrc, number, timestamp, events.first().copied()).unwrap();
                events.push(event);
                audio.push(s.relay(9, 3 + if among { 2 * i + 1 } else { i }, 320 + u32::from(i) * 320).unwrap());
                assert_eq!(step(audio[audio.len() - 2], audio[audio.len() - 1]).0, 1 + 1, "{ssrc} {sequence} {i}");
            }
            assert!(events.iter().all(|event| event.timestamp == events[0].timestamp), "one press");
            assert!(audio.iter().skip(1).all(|packet| !packet.marker), "one stream of audio");
            s.wait(100);
            let next = s.event(ssrc, sequence + 300, timestamp, None).unwrap();
            assert!(next.timestamp.wrapping_sub(events[0].timestamp) as i32 >= 160, "another press, whatever its clock");
        }
    }

    #[test]
    fn what_is_left_out_is_no_loss() {
        let mut s = Stream::new();
        let a = s.relay(9, 1, 0).unwrap();
        s.0.skip(&packet(9, 2, 160));
        s.0.skip(&packet(9, 3, 320));
        let b = s.relay(9, 4, 480).unwrap();
        assert_eq!(step(a, b), (1, 480, false));
        assert_eq!(s.relay(9, 2, 160), None, "its number belongs to another by now");
    }
}
