use crate::base::{Flow, Rng};
use crate::sip::{Host, Via};
use std::net::IpAddr;

/// What marks a branch as unique in space and time (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// Our own branches: the cookie and 64 random bits, so that the branch of a response is itself the key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Branch(pub u64);

impl Branch {
    pub fn new(rng: &mut Rng) -> Branch {
        Branch(rng.u64())
    }

    /// The Via value for a request that leaves on this flow (§18.1.1, rport of RFC 3581).
    pub fn via(self, flow: Flow) -> String {
        let (proto, host, port) = (flow.proto.via(), flow.local.ip(), flow.local.port());
        match host {
            IpAddr::V4(host) => format!("SIP/2.0/{proto} {host}:{port};branch={COOKIE}{:016x};rport", self.0),
            IpAddr::V6(host) => format!("SIP/2.0/{proto} [{host}]:{port};branch={COOKIE}{:016x};rport", self.0),
        }
    }

    /// Reads back what [`Branch::via`] wrote; none for any other branch.
    pub fn parse(text: &str) -> Option<Branch> {
        let bits = unique(text)?;
        let written = bits.len() == 16 && bits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if written { u64::from_str_radix(bits, 16).ok().map(Branch) } else { None }
    }
}

/// What follows the magic cookie; none when the branch is not of RFC 3261 and may repeat.
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
        let branch = Branch(0x0012_3456_789a_bcde);
        assert_eq!(Branch::parse("z9hG4bK00123456789abcde"), Some(branch));
        assert_eq!(Branch::parse("Z9HG4BK00123456789abcde"), Some(branch));
        for foreign in ["", "z9hG4bK", "z9hG4bK123", "z9hG4bK+0123456789abcde", "z9hG4bK00123456789ABCDE", "1234567é"] {
            assert_eq!(Branch::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn via_names_our_side_of_the_flow() {
        let remote = "192.0.2.9:5060".parse().unwrap();
        let v4 = Flow { proto: Proto::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote };
        assert_eq!(Branch(1).via(v4), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK0000000000000001;rport");
        let v6 = Flow { proto: Proto::Tcp, local: "[2001:db8::1]:5070".parse().unwrap(), remote };
        assert_eq!(Branch(2).via(v6), "SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bK0000000000000002;rport");
    }
}
