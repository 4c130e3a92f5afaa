//! The RTP header (RFC 3550 §5.1): read by `rtp-rs`, which borrows and checks; written by hand, because `rtp-rs` builds
//! a packet into a second buffer, while a relayed packet keeps its payload where it was received and only gets a new
//! header in front of it.

use rtp_rs::RtpReader;
use std::ops::Range;

pub const HEADER: usize = 12;

/// The header of a received packet, and where its payload lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub header: Header,
    pub payload: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Packet {
    /// None: not RTP version 2, or cut short.
    pub fn read(bytes: &[u8]) -> Option<Packet> {
        let reader = RtpReader::new(bytes).ok()?;
        let start = reader.payload_offset();
        Some(Packet {
            payload: start..start + reader.payload().len(),
            header: Header {
                payload_type: reader.payload_type(),
                marker: reader.mark(),
                sequence: reader.sequence_number().into(),
                timestamp: reader.timestamp(),
                ssrc: reader.ssrc(),
            },
        })
    }
}

impl Header {
    /// A plain header: no padding, extension or contributing sources.
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = 2 << 6;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }

    /// Writes this header directly before the payload; gives where the new packet lies. A received payload has at least
    /// a header's length before it.
    pub fn write_before(&self, packet: &mut [u8], payload: Range<usize>) -> Option<Range<usize>> {
        let start = payload.start.checked_sub(HEADER)?;
        packet.get_mut(start..payload.start)?.copy_from_slice(&self.bytes());
        Some(start..payload.end)
    }
}

/// RTP and RTCP on one port: a second byte of 192 to 223 is RTCP (RFC 5761 §4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtp_rs::{Pad, RtpPacketBuilder};

    #[test]
    fn a_packet_gets_a_new_header_in_place() {
        let mut bytes = RtpPacketBuilder::new()
            .payload_type(8)
            .marked(true)
            .sequence(7.into())
            .timestamp(1000)
            .ssrc(42)
            .add_csrc(1)
            .extension(5, &[1, 2, 3, 4])
            .padded(Pad::round_to(4))
            .payload(b"hello")
            .build()
            .unwrap();
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(&bytes[packet.payload.clone()], b"hello");
        let header = Header { payload_type: 0, marker: false, sequence: 65_535, timestamp: 9, ssrc: 3 };
        let range = header.write_before(&mut bytes, packet.payload).unwrap();
        let again = Packet::read(&bytes[range.clone()]).unwrap();
        assert_eq!((again.header, &bytes[range][again.payload]), (header, &b"hello"[..]));
    }

    #[test]
    fn what_is_not_rtp_is_none() {
        assert_eq!(Packet::read(b""), None);
        assert_eq!(Packet::read(&[0x40; 40]), None, "version 1");
        assert_eq!(Packet::read(&[0x9F, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "extension and sources are missing");
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert!(is_rtcp(&[0x80, 200]));
        assert!(!is_rtcp(&[0x80, 0x88]));
        assert!(!is_rtcp(&[0x80]));
    }
}
