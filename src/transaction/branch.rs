use crate::base::{Flow, MapSeed, Rng};
use crate::sip::{Headers, Host, Name, Via, tag};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::net::IpAddr;

/// The cookie that marks a branch as unique in space and time (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// Our own branches: the cookie, 64 random bits that are the key of the table, and a keyed hash of these with Call-ID and our
/// tag. So a response is known for one to a request of ours also when the transaction is gone, as a late 2xx must be; and
/// nobody makes us acknowledge, and end, a call that never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub id: u64,
    mac: u64,
}

impl Branch {
    /// For a request with these headers.
    pub fn new(rng: &mut Rng, seed: MapSeed, headers: &Headers) -> Branch {
        let id = rng.u64();
        Branch { id, mac: mac(seed, id, headers) }
    }

    /// The Via value for a request that leaves on this flow (§18.1.1, rport of RFC 3581).
    pub fn via(self, flow: Flow) -> String {
        let (proto, host, port) = (flow.proto.via(), flow.local.ip(), flow.local.port());
        let Branch { id, mac } = self;
        match host {
            IpAddr::V4(host) => format!("SIP/2.0/{proto} {host}:{port};branch={COOKIE}{id:016x}{mac:016x};rport"),
            IpAddr::V6(host) => format!("SIP/2.0/{proto} [{host}]:{port};branch={COOKIE}{id:016x}{mac:016x};rport"),
        }
    }

    /// Reads back what [`Branch::via`] wrote; none for any other branch.
    pub fn parse(text: &str) -> Option<Branch> {
        let bits = unique(text)?;
        let written = bits.len() == 32 && bits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let (id, mac) = bits.split_at_checked(16).filter(|_| written)?;
        Some(Branch { id: number(id)?, mac: number(mac)? })
    }

    /// Tells whether we made it, for a request with this Call-ID and this tag in From.
    pub fn is_ours(self, seed: MapSeed, headers: &Headers) -> bool {
        self.mac == mac(seed, self.id, headers)
    }
}

fn mac(seed: MapSeed, id: u64, headers: &Headers) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed.0, seed.1);
    hasher.write_u8(b'B');
    hasher.write_u64(id);
    for field in [headers.call_id().map_or(&b""[..], |v| v), headers.get(&Name::From).and_then(|v| tag(v)).unwrap_or(b"")] {
        hasher.write_usize(field.len());
        hasher.write(field);
    }
    hasher.finish()
}

/// The part that follows the magic cookie; none when the branch is not of RFC 3261 and may repeat.
pub(super) fn unique(branch: &str) -> Option<&str> {
    let (cookie, rest) = branch.split_at_checked(COOKIE.len())?;
    (cookie.eq_ignore_ascii_case(COOKIE) && !rest.is_empty()).then_some(rest)
}

/// A response whose topmost Via does not name us is not for us (RFC 3261 §18.1.2).
pub(super) fn ours(via: &Via, flow: Flow) -> bool {
    via.host == Host::Ip(flow.local.ip()) && via.port.unwrap_or(5060) == flow.local.port()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Proto;

    #[test]
    fn our_branch_is_read_back() {
        let branch = Branch { id: 0x0012_3456_789a_bcde, mac: 0x0fed_cba9_8765_4321 };
        assert_eq!(Branch::parse("z9hG4bK00123456789abcde0fedcba987654321"), Some(branch));
        assert_eq!(Branch::parse("Z9HG4BK00123456789abcde0fedcba987654321"), Some(branch));
        for foreign in
            ["", "z9hG4bK", "z9hG4bK123", "z9hG4bK+0123456789abcde0fedcba987654321", "z9hG4bK00123456789ABCDE", "1234567é"]
        {
            assert_eq!(Branch::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn only_we_can_make_one_and_for_one_call_alone() {
        let mut rng = Rng::from_number(1);
        let (seed, other) = (rng.map_seed(), rng.map_seed());
        let headers = |call_id: &'static str, from: &'static str| {
            let mut headers = Headers::default();
            headers.push(Name::CallId, call_id);
            headers.push(Name::From, from);
            headers
        };
        let made_for = headers("a@b", "<sip:a@b>;tag=1");
        let branch = Branch::new(&mut rng, seed, &made_for);
        assert!(branch.is_ours(seed, &made_for));
        assert!(!branch.is_ours(other, &made_for) && !Branch { id: branch.id ^ 1, ..branch }.is_ours(seed, &made_for));
        for another in [headers("a@bc", "<sip:a@b>;tag=1"), headers("a@b", "<sip:a@b>;tag=2"), headers("a@b", "<sip:a@b>")] {
            assert!(!branch.is_ours(seed, &another));
        }
    }

    #[test]
    fn via_names_our_side_of_the_flow() {
        let remote = "192.0.2.9:5060".parse().unwrap();
        let branch = Branch { id: 1, mac: 2 };
        let text = "branch=z9hG4bK00000000000000010000000000000002;rport";
        let v4 = Flow { proto: Proto::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote };
        assert_eq!(branch.via(v4), format!("SIP/2.0/UDP 192.0.2.1:5060;{text}"));
        let v6 = Flow { proto: Proto::Tcp, local: "[2001:db8::1]:5070".parse().unwrap(), remote };
        assert_eq!(branch.via(v6), format!("SIP/2.0/TCP [2001:db8::1]:5070;{text}"));
    }
}
