//! RTCP (RFC 3550 §6): our reports are made here, the peer's are read here; nothing of it is relayed.

use crate::base::{Mono, Wall};
use crate::media::reception::Quality;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_OFFSET: u64 = 2_208_988_800;

/// The sender's part of a sender report (§6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// When the peer's last sender report came and what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastReport {
    /// The middle 32 bits of its NTP timestamp.
    pub ntp: u32,
    pub at: Mono,
}

/// The parts of a peer's compound packet that matter to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The middle 32 bits of the NTP timestamp of a sender report.
    pub ntp: Option<u32>,
    /// Packets of ours that it says it lost.
    pub lost: Option<i32>,
}

/// Wall time as an NTP timestamp: seconds in the upper half, the fraction in the lower.
pub fn ntp(wall: Wall) -> u64 {
    let micros = u64::try_from(wall.0).unwrap_or(0);
    let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
    ((micros / 1_000_000 + NTP_OFFSET) << 32) | fraction
}

/// Appends a compound packet: sender report if we sent, else receiver report, and the SDES with our CNAME (§6.1).
pub fn write_report(
    out: &mut Vec<u8>,
    now: Mono,
    ssrc: u32,
    sent: Option<Sent>,
    heard: Option<(Quality, Option<LastReport>)>,
    cname: &str,
) {
    let kind = if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    packet(out, u8::from(heard.is_some()), kind, |out| {
        put(out, ssrc);
        if let Some(sent) = sent {
            out.extend_from_slice(&sent.ntp.to_be_bytes());
            [sent.timestamp, sent.packets, sent.octets].iter().for_each(|word| put(out, *word));
        }
        if let Some((quality, last)) = heard {
            write_block(out, now, quality, last);
        }
    });
    packet(out, 1, SOURCE_DESCRIPTION, |out| {
        put(out, ssrc);
        let cname = cname.as_bytes();
        out.extend_from_slice(&[1, cname.len().min(255) as u8]);
        out.extend_from_slice(&cname[..cname.len().min(255)]);
        // The list ends with at least one zero byte (§6.5); `packet` fills up to the word.
        out.push(0);
    });
}

/// Appends a BYE (§6.6). It follows a report in its compound packet.
pub fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    packet(out, 1, GOODBYE, |out| put(out, ssrc));
}

/// Reads a compound packet; none: it fails the checks of appendix A.2. `ours` is the SSRC that we send with.
pub fn read(bytes: &[u8], ours: u32) -> Option<Received> {
    let mut received = Received::default();
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        let &[flags, kind, high, low, ..] = rest else { return None };
        if flags >> 6 != 2 || (first && kind != SENDER_REPORT && kind != RECEIVER_REPORT) {
            return None;
        }
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let (this, others) = rest.split_at_checked(length)?;
        match kind {
            SENDER_REPORT => {
                received.ntp = Some(word(this, 10)?);
                read_blocks(&mut received, this.get(28..)?, flags & 0x1F, ours)?;
            }
            RECEIVER_REPORT => read_blocks(&mut received, this.get(8..)?, flags & 0x1F, ours)?,
            _ => {}
        }
        (rest, first) = (others, false);
    }
    if first { None } else { Some(received) }
}

fn read_blocks(received: &mut Received, blocks: &[u8], count: u8, ours: u32) -> Option<()> {
    for i in 0..usize::from(count) {
        let block = blocks.get(24 * i..24 * (i + 1))?;
        if word(block, 0)? == ours {
            // 24 bits, signed, below the fraction.
            received.lost = Some(((word(block, 4)? << 8) as i32) >> 8);
        }
    }
    Some(())
}

fn write_block(out: &mut Vec<u8>, now: Mono, quality: Quality, last: Option<LastReport>) {
    put(out, quality.ssrc);
    put(out, u32::from(quality.fraction) << 24 | quality.lost as u32 & 0x00FF_FFFF);
    put(out, quality.highest);
    put(out, quality.jitter);
    put(out, last.map_or(0, |last| last.ntp));
    // In units of 1/65536 s.
    put(out, last.map_or(0, |last| (now.since(last.at).as_micros() * 65_536 / 1_000_000) as u32));
}

/// One packet of a compound: the header, what `body` writes, zeros up to a whole word, and the length.
fn packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[2 << 6 | count, kind, 0, 0]);
    body(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

fn put(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_be_bytes());
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUALITY: Quality = Quality { ssrc: 0xAABB_CCDD, fraction: 64, lost: -3, highest: 70_000, jitter: 12 };

    #[test]
    fn a_sender_report_byte_by_byte() {
        let sent = Sent { ntp: 0x1122_3344_5566_7788, timestamp: 160, packets: 5, octets: 800 };
        let last = LastReport { ntp: 0x0102_0304, at: Mono(1_000_000) };
        let mut out = Vec::new();
        write_report(&mut out, Mono(1_500_000), 7, Some(sent), Some((QUALITY, Some(last))), "abc");
        #[rustfmt::skip]
        let expected = [
            0x81, 200, 0, 12, 0, 0, 0, 7,
            0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 160, 0, 0, 0, 5, 0, 0, 3, 32,
            0xAA, 0xBB, 0xCC, 0xDD, 64, 0xFF, 0xFF, 0xFD, 0, 1, 0x11, 0x70, 0, 0, 0, 12,
            1, 2, 3, 4, 0, 0, 0x80, 0,
            0x81, 202, 0, 3, 0, 0, 0, 7, 1, 3, b'a', b'b', b'c', 0, 0, 0,
        ];
        assert_eq!(out, expected);
        write_bye(&mut out, 7);
        assert_eq!(out[expected.len()..], [0x81, 203, 0, 1, 0, 0, 0, 7]);
        assert_eq!(read(&out, 0xAABB_CCDD), Some(Received { ntp: Some(0x3344_5566), lost: Some(-3) }));
    }

    #[test]
    fn a_receiver_report_without_anything_heard() {
        let mut out = Vec::new();
        write_report(&mut out, Mono(0), 7, None, None, "abcd");
        assert_eq!(out[..8], [0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(out.len() % 4, 0);
        assert_eq!(read(&out, 9), Some(Received::default()));
    }

    #[test]
    fn a_block_about_another_is_not_ours() {
        let mut out = Vec::new();
        write_report(&mut out, Mono(0), 7, None, Some((QUALITY, None)), "x");
        assert_eq!(read(&out, 1).unwrap().lost, None);
    }

    #[test]
    fn broken_packets_are_refused() {
        let mut out = Vec::new();
        write_report(&mut out, Mono(0), 7, None, Some((QUALITY, None)), "x");
        for length in 0..out.len() {
            if length != 32 {
                assert_eq!(read(&out[..length], 7), None, "cut at {length}");
            }
        }
        assert_eq!(read(&[0x81, 203, 0, 1, 0, 0, 0, 7], 7), None, "a compound begins with a report");
        assert_eq!(read(&[0x9F, 201, 0, 1, 0, 0, 0, 7], 7), None, "31 blocks that are not there");
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(ntp(Wall(500_000)), (NTP_OFFSET << 32) | 0x8000_0000);
    }
}
