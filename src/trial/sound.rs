//! The sound that a phone makes and the one that it heard, byte for byte.

use crate::base::{Mono, Now, Text};
use rtp_rs::{RtpPacketBuilder, RtpReader};
use std::time::Duration;

/// One packet of audio.
const FRAME: usize = 160;
const TICK: Duration = Duration::from_millis(20);

/// A voice nobody else has: A-law codes from a generator, so that any piece of it can be told from all others.
pub struct Voice {
    ssrc: u32,
    state: u32,
    next: Option<Mono>,
    sequence: u16,
    timestamp: u32,
    pub said: Vec<u8>,
}

impl Voice {
    pub fn new(seed: u32) -> Voice {
        Voice { ssrc: seed, state: seed | 1, next: None, sequence: 7, timestamp: 77, said: Vec::new() }
    }

    pub fn start(&mut self, now: Now) {
        self.next = Some(now.mono);
    }

    pub fn stop(&mut self) {
        self.next = None;
    }

    /// The next packet, when its time has come.
    pub fn due(&mut self, now: Now) -> Option<Vec<u8>> {
        let at = self.next.filter(|at| *at <= now.mono)?;
        self.next = Some(at.after(TICK));
        let payload: Vec<u8> = (0..FRAME).map(|_| self.code()).collect();
        let first = self.said.is_empty();
        self.said.extend(&payload);
        let packet = RtpPacketBuilder::new()
            .payload_type(8)
            .marked(first)
            .sequence(self.sequence.into())
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(&payload)
            .build();
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        packet.ok()
    }

    fn code(&mut self) -> u8 {
        // xorshift32: any A-law code is legal, what matters is that it is ours.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        (self.state >> 11) as u8
    }
}

/// The RTP that arrived at one phone.
#[derive(Default)]
pub struct ReceivedAudio {
    pub audio: Vec<u8>,
    pub packets: usize,
    sources: Vec<u32>,
    last: Option<(u16, u32)>,
    /// Where the stream was not continuous, in words.
    pub faults: Vec<Text>,
}

impl ReceivedAudio {
    pub fn packet(&mut self, bytes: &[u8]) {
        // RTCP on the same port (RFC 5761 §4).
        if bytes.get(1).is_some_and(|second| (192..=223).contains(second)) {
            return;
        }
        let Ok(packet) = RtpReader::new(bytes) else {
            self.faults.push(both!("a packet that is no RTP", "有一包不是 RTP"));
            return;
        };
        if !self.sources.contains(&packet.ssrc()) {
            self.sources.push(packet.ssrc());
        }
        let (sequence, timestamp): (u16, u32) = (packet.sequence_number().into(), packet.timestamp());
        if let Some((before, stamp)) = self.last {
            if sequence != before.wrapping_add(1) {
                self.faults.push(both!("sequence {before} is followed by {sequence}", "序号 {before} 之后是 {sequence}"));
            }
            if timestamp.wrapping_sub(stamp) as i32 <= 0 {
                self.faults.push(both!("timestamp {stamp} is followed by {timestamp}", "时间戳 {stamp} 之后是 {timestamp}"));
            }
        }
        self.last = Some((sequence, timestamp));
        self.packets += 1;
        self.audio.extend(packet.payload());
    }

    /// One SSRC for the leg's life, no gap in the numbering, time that only goes on.
    pub fn continuous(&self) -> bool {
        self.faults.is_empty() && self.sources.len() <= 1
    }

    /// Tells whether all of this sound was heard in one piece.
    pub fn whole(&self, sound: &[u8]) -> bool {
        !sound.is_empty() && self.position(sound).is_some()
    }

    /// Counts the packets of what the other side said that arrived in one piece, unchanged.
    pub fn of(&self, said: &[u8]) -> usize {
        let frames: Vec<&[u8]> = said.chunks_exact(FRAME).collect();
        let Some(first) = frames.iter().position(|frame| self.position(frame).is_some()) else { return 0 };
        let Some(at) = self.position(frames[first]) else { return 0 };
        let same = self.audio[at..].iter().zip(&said[first * FRAME..]).take_while(|(a, b)| a == b).count();
        same / FRAME
    }

    fn position(&self, sound: &[u8]) -> Option<usize> {
        self.audio.windows(sound.len()).position(|window| window == sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;

    fn say(voice: &mut Voice, packets: u64) -> Vec<Vec<u8>> {
        voice.start(Now { mono: Mono(0), wall: Wall(0) });
        (0..packets).filter_map(|i| voice.due(Now { mono: Mono(i * 20_000), wall: Wall(0) })).collect()
    }

    #[test]
    fn a_voice_is_recognised_and_a_changed_byte_or_another_voice_is_not() {
        let (mut a, mut b) = (Voice::new(1), Voice::new(2));
        let mut heard = ReceivedAudio::default();
        say(&mut a, 50).iter().for_each(|packet| heard.packet(packet));
        say(&mut b, 5);
        assert!(heard.continuous());
        assert_eq!(heard.of(&a.said), 50);
        assert_eq!(heard.of(&b.said), 0);
        heard.audio[800] ^= 1;
        assert_eq!(heard.of(&a.said), 5);
        assert!(heard.whole(&a.said[..800]) && !heard.whole(&a.said[..801]));
    }

    #[test]
    fn a_lost_packet_and_a_second_source_are_faults() {
        let mut lost = ReceivedAudio::default();
        let packets = say(&mut Voice::new(1), 3);
        [&packets[0], &packets[2]].iter().for_each(|packet| lost.packet(packet));
        assert!(!lost.continuous());
        let mut two = ReceivedAudio::default();
        two.packet(&say(&mut Voice::new(1), 1)[0]);
        two.packet(&say(&mut Voice::new(9), 2)[1]);
        assert!(!two.continuous());
    }
}
