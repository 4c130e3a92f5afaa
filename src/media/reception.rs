//! Counts what arrived on one leg: loss by RFC 3550 appendices A.1 and A.3, jitter by A.8.

use crate::base::Mono;
use crate::media::rtp::Header;

const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;
/// Packets that may be missing after no time, and how many more for each millisecond: packets are 5 ms or longer. A larger
/// step is another numbering.
const BURST: u64 = 100;
const MICROS_A_PACKET: u64 = 5_000;
/// A larger step of the transit time, one second, is a leap of the sender's clock and no jitter.
const MAX_TRANSIT: u32 = 8_000;

#[derive(Debug, Default)]
pub struct Reception {
    /// Packets taken, over all sources.
    total: u64,
    /// Loss of sources that ended.
    lost_before: i64,
    source: Option<Counted>,
}

/// One source (SSRC), with the names of appendix A.1.
#[derive(Debug)]
struct Counted {
    ssrc: u32,
    base_seq: u32,
    max_seq: u16,
    cycles: u32,
    /// Where the source would go on if its jump was a restart.
    bad_seq: Option<u16>,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    transit: Option<u32>,
    at: Mono,
    /// Sixteen times the estimate, in samples.
    jitter: u32,
}

/// The part of a report block that this file knows (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    pub ssrc: u32,
    pub fraction: u8,
    pub lost: i32,
    pub highest: u32,
    pub jitter: u32,
}

impl Reception {
    /// Counts a packet. Only audio tells jitter: an event repeats the timestamp of its start.
    pub fn packet(&mut self, now: Mono, header: &Header, audio: bool) {
        self.total += 1;
        self.arrived(now, header, audio);
    }

    /// A packet that came, but is none that was agreed: nothing was received, nor lost.
    pub fn foreign(&mut self, now: Mono, header: &Header) {
        self.arrived(now, header, false);
    }

    fn arrived(&mut self, now: Mono, header: &Header, audio: bool) {
        if self.source.as_ref().is_none_or(|source| source.ssrc != header.ssrc) {
            self.change(now, header);
        }
        let Some(source) = &mut self.source else { return };
        if source.count(now, header.sequence) && audio {
            source.time(now, header.timestamp);
        }
    }

    /// Closes the interval since the last report (appendix A.3).
    pub fn quality(&mut self) -> Option<Quality> {
        self.source.as_mut().map(Counted::quality)
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn lost(&self) -> i64 {
        self.lost_before + self.source.as_ref().map_or(0, Counted::lost)
    }

    pub fn jitter_ms(&self) -> f32 {
        self.jitter() as f32 / 16.0 / 8.0
    }

    fn jitter(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| source.jitter)
    }

    /// The way to the peer is the same: what was learned of its jitter stands.
    fn change(&mut self, now: Mono, header: &Header) {
        self.lost_before = self.lost();
        let jitter = self.jitter();
        self.source = Some(Counted {
            ssrc: header.ssrc,
            base_seq: u32::from(header.sequence),
            max_seq: header.sequence,
            cycles: 0,
            bad_seq: None,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            at: now,
            jitter,
        });
    }
}

impl Counted {
    /// Appendix A.1's `update_seq`, without its probation: the source was checked by its address.
    fn count(&mut self, now: Mono, seq: u16) -> bool {
        let delta = seq.wrapping_sub(self.max_seq);
        let elapsed = now.since(std::mem::replace(&mut self.at, now)).as_micros() as u64;
        if delta < MAX_DROPOUT && u64::from(delta) <= BURST + elapsed / MICROS_A_PACKET {
            if seq < self.max_seq {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.max_seq = seq;
        } else if delta <= u16::MAX - MAX_MISORDER {
            if self.bad_seq != Some(seq) {
                self.bad_seq = Some(seq.wrapping_add(1));
                return false;
            }
            self.restart(seq);
        }
        self.received = self.received.wrapping_add(1);
        true
    }

    /// Two in a row after a jump: the source restarted without saying so.
    fn restart(&mut self, seq: u16) {
        (self.base_seq, self.max_seq, self.cycles, self.bad_seq) = (u32::from(seq), seq, 0, None);
        (self.received, self.received_prior, self.expected_prior) = (0, 0, 0);
    }

    fn extended(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.max_seq))
    }

    fn expected(&self) -> u32 {
        self.extended().wrapping_sub(self.base_seq).wrapping_add(1)
    }

    fn lost(&self) -> i64 {
        i64::from(self.expected()) - i64::from(self.received)
    }

    fn quality(&mut self) -> Quality {
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        (self.expected_prior, self.received_prior) = (self.expected(), self.received);
        let lost = i64::from(expected) - i64::from(received);
        let fraction = if expected == 0 || lost <= 0 { 0 } else { ((lost << 8) / i64::from(expected)).min(255) as u8 };
        Quality {
            ssrc: self.ssrc,
            fraction,
            lost: self.lost().clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest: self.extended(),
            jitter: self.jitter >> 4,
        }
    }

    /// Appendix A.8.
    fn time(&mut self, now: Mono, timestamp: u32) {
        let arrival = (now.0 / 125) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let d = (transit.wrapping_sub(before) as i32).unsigned_abs();
            if d > MAX_TRANSIT {
                return;
            }
            self.jitter = self.jitter.saturating_add(d).saturating_sub((self.jitter + 8) >> 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(r: &mut Reception, ms: u64, ssrc: u32, sequence: u16, timestamp: u32) {
        let header = Header { payload_type: 8, marker: false, sequence, timestamp, ssrc };
        r.packet(Mono(ms * 1000), &header, true);
    }

    #[test]
    fn loss_over_a_wrap_and_its_fraction() {
        let mut r = Reception::default();
        for i in 0..100u32 {
            if i % 4 != 3 {
                hear(&mut r, u64::from(i) * 20, 1, (65_500 + i) as u16, i * 160);
            }
        }
        let quality = r.quality().unwrap();
        // The 99th, the last one, was lost too, but nobody can know yet.
        assert_eq!((quality.lost, quality.fraction), (24, (24 * 256 / 99) as u8));
        assert_eq!(quality.highest, 65_500 + 98);
        assert_eq!((r.lost(), r.total(), quality.jitter), (24, 75, 0));
        hear(&mut r, 2000, 1, (65_500 + 99) as u16, 99 * 160);
        assert_eq!(r.quality().unwrap().fraction, 0, "nothing lost since the last report");
    }

    #[test]
    fn duplicates_count_against_loss() {
        let mut r = Reception::default();
        for seq in [1, 2, 2, 2] {
            hear(&mut r, 0, 1, seq, 0);
        }
        assert_eq!(r.lost(), -2);
        assert_eq!(r.quality().unwrap().fraction, 0);
    }

    #[test]
    fn a_restart_and_a_new_source_are_not_loss() {
        let mut r = Reception::default();
        [1, 2, 4].iter().for_each(|seq| hear(&mut r, 0, 1, *seq, 0));
        [30_000, 30_001, 30_002].iter().for_each(|seq| hear(&mut r, 0, 1, *seq, 0));
        assert_eq!(r.lost(), 0);
        [9, 11].iter().for_each(|seq| hear(&mut r, 0, 2, *seq, 0));
        [5, 6].iter().for_each(|seq| hear(&mut r, 0, 3, *seq, 0));
        assert_eq!(r.lost(), 1);
    }

    #[test]
    fn leaps_and_restarts_leave_the_figures_sane() {
        let mut r = Reception::default();
        let mut ms = 0;
        let mut speak = |r: &mut Reception, ssrc: u32, sequence: u16, timestamp: u32| {
            for i in 0..200u16 {
                ms += 20;
                hear(r, ms, ssrc, sequence.wrapping_add(i), timestamp.wrapping_add(u32::from(i) * 160));
            }
        };
        speak(&mut r, 1, 0, 0);
        speak(&mut r, 1, 200, 3_000_000_000);
        assert_eq!((r.lost(), r.jitter_ms()), (0, 0.0), "a leap of the clock");
        speak(&mut r, 1, 2_400, 0);
        speak(&mut r, 2, 60_000, 77);
        speak(&mut r, 2, 100, 5);
        assert_eq!((r.lost(), r.total()), (0, 1000), "2,000 packets are not lost within 20 ms");
        assert!(r.jitter_ms() < 1.0, "{}", r.jitter_ms());
    }

    #[test]
    fn what_was_not_agreed_is_neither_received_nor_lost() {
        let mut r = Reception::default();
        for i in 0..100u16 {
            let header = Header { payload_type: 8, marker: false, sequence: i, timestamp: u32::from(i) * 160, ssrc: 1 };
            match i % 4 {
                // It has a clock of its own.
                0 => r.foreign(Mono(u64::from(i) * 20_000), &Header { timestamp: u32::from(i) * 960, ..header }),
                _ => r.packet(Mono(u64::from(i) * 20_000), &header, true),
            }
        }
        assert_eq!((r.lost(), r.total(), r.jitter_ms()), (0, 75, 0.0));
    }

    #[test]
    fn another_source_keeps_what_was_learned_of_the_way() {
        let mut r = Reception::default();
        for i in 0..500u32 {
            hear(&mut r, u64::from(i) * 20 + u64::from(i % 2) * 2, 1, i as u16, i * 160);
        }
        hear(&mut r, 10_020, 2, 1, 1);
        assert!((r.jitter_ms() - 2.0).abs() < 0.1, "{}", r.jitter_ms());
    }

    #[test]
    fn jitter_nears_the_mean_deviation() {
        let mut r = Reception::default();
        for i in 0..500u32 {
            // Every second packet is 2 ms late, so each step deviates by 2 ms.
            hear(&mut r, u64::from(i) * 20 + u64::from(i % 2) * 2, 1, i as u16, i * 160);
        }
        assert!((r.jitter_ms() - 2.0).abs() < 0.1, "{}", r.jitter_ms());
        assert!((15..=16).contains(&r.quality().unwrap().jitter));
    }
}
