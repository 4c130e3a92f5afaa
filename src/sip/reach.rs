use std::net::IpAddr;

/// The streams that are taken from a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Over plain RTP or SRTP.
    #[default]
    Any,
    Plain,
    /// Those alone for which the description has keys.
    Sealed,
}

/// Addresses that our media can get to, and how they may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub v4: bool,
    pub v6: bool,
    pub loopback: bool,
    pub protection: Protection,
}

impl Reach {
    /// Everything: of somebody whose own addresses are not known.
    pub const ALL: Reach = Reach { v4: true, v6: true, loopback: true, protection: Protection::Any };

    /// The places that can be got to from any of these. From no other host than ours a loopback address can mean ours.
    pub fn from(ours: &[IpAddr]) -> Reach {
        Reach {
            v4: ours.iter().any(IpAddr::is_ipv4),
            v6: ours.iter().any(IpAddr::is_ipv6),
            loopback: ours.iter().any(|ip| ip.is_loopback() || ip.is_unspecified()),
            protection: Protection::Any,
        }
    }

    pub(super) fn speaks(self, ip: IpAddr) -> bool {
        if ip.is_ipv4() { self.v4 } else { self.v6 }
    }

    /// One host, and a packet may arrive there.
    pub(super) fn gets_to(self, ip: IpAddr) -> bool {
        let host = match ip {
            // No host has an address of 0.0.0.0/8 or 240.0.0.0/4, the broadcast among it (RFC 6890).
            IpAddr::V4(v4) => v4.octets()[0] != 0 && v4.octets()[0] < 240,
            // A link's own address says nothing without the link; one of the other family in disguise is not ours to send to.
            IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none(),
        };
        self.speaks(ip) && host && !ip.is_multicast() && (self.loopback || !ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_reached_is_told_by_our_own_addresses() {
        let from = |ours: &[&str]| Reach::from(&ours.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(from(&["192.0.2.1"]), Reach { v6: false, loopback: false, ..Reach::ALL });
        assert_eq!(from(&["127.0.0.1"]), Reach { v6: false, ..Reach::ALL });
        assert_eq!(from(&["2001:db8::1", "192.0.2.1"]), Reach { loopback: false, ..Reach::ALL });
    }
}
