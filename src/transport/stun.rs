//! STUN's Binding request on the port of SIP: the keep-alive of phones that registered by UDP with a flow of their own
//! (RFC 5626 §4.4.2). One that gets no answer takes its flow for failed.

use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Type, length, cookie and transaction (RFC 8489 §5).
const HEAD: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];

/// The answer to a Binding request from there; none to anything else. It is no longer than 24 bytes more than what was asked.
pub fn answer(data: &[u8], from: SocketAddr) -> Option<Bytes> {
    let (head, attributes) = data.split_at_checked(HEAD)?;
    let length = usize::from(u16::from_be_bytes([*head.get(2)?, *head.get(3)?]));
    if !head.starts_with(&BINDING_REQUEST) || head.get(4..8)? != COOKIE || length != attributes.len() || length % 4 != 0 {
        return None;
    }
    // §14.2: the address is masked, so that no NAT on the way rewrites it.
    let mask = head.get(4..HEAD)?;
    let masked = |octets: &[u8]| octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect::<Vec<u8>>();
    let (family, host) = match from.ip() {
        IpAddr::V4(ip) => (1, masked(&ip.octets())),
        IpAddr::V6(ip) => (2, masked(&ip.octets())),
    };
    let value = [&[0, family][..], &masked(&from.port().to_be_bytes()), &host].concat();
    let length = [0, u8::try_from(value.len()).ok()?];
    let attribute = [0, u8::try_from(value.len() + 4).ok()?];
    Some([&BINDING_SUCCESS[..], &attribute, mask, &XOR_MAPPED_ADDRESS, &length, &value].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 5769 §2.2 and §2.3: transaction, and the value of XOR-MAPPED-ADDRESS.
    #[test]
    fn the_address_is_told_as_in_rfc_5769() {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let asked = [&[0, 1, 0, 0][..], &COOKIE, &transaction].concat();
        let four = answer(&asked, "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(four[..HEAD], [&[1, 1, 0, 12][..], &COOKIE, &transaction].concat());
        assert_eq!(four[HEAD..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let six = answer(&asked, "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()).unwrap();
        let value = [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9];
        assert_eq!(six[HEAD..], [&[0, 0x20, 0, 20, 0, 2, 0xa1, 0x47][..], &value].concat());
    }

    #[test]
    fn nothing_else_is_answered() {
        let asked = [&[0, 1, 0, 0][..], &COOKIE, &[7; 12]].concat();
        let from = "192.0.2.1:5060".parse().unwrap();
        assert!(answer(&asked, from).is_some());
        for (at, byte) in [(0, 1), (1, 2), (3, 4), (3, 1), (4, 0)] {
            let mut other = asked.clone();
            other[at] = byte;
            assert_eq!(answer(&other, from), None, "byte {at} is {byte}");
        }
        assert!((0..HEAD).all(|length| answer(&asked[..length], from).is_none()));
        assert_eq!(answer(b"OPTIONS sip:a SIP/2.0\r\n\r\n", from), None);
    }
}
