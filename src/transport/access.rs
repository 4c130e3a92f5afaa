use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    ip: IpAddr,
    bits: u8,
}

/// Who a source address belongs to; the longest prefix wins.
#[derive(Clone, Debug)]
pub struct AccessList<T> {
    /// By prefix length, longest first; networks as 128 bits, IPv4 mapped into IPv6.
    lengths: Vec<(u8, BTreeMap<u128, T>)>,
}

impl<T: Copy> AccessList<T> {
    pub fn new() -> AccessList<T> {
        AccessList { lengths: Vec::new() }
    }

    /// Adds a block; gives back whose it was before, so that configuration can complain.
    pub fn insert(&mut self, block: Cidr, owner: T) -> Option<T> {
        let at = match self.lengths.binary_search_by(|(bits, _)| block.depth().cmp(bits)) {
            Ok(at) => at,
            Err(at) => {
                self.lengths.insert(at, (block.depth(), BTreeMap::new()));
                at
            }
        };
        let (bits, networks) = &mut self.lengths[at];
        networks.insert(network(block.ip, *bits), owner)
    }

    pub fn find(&self, source: IpAddr) -> Option<T> {
        self.lengths.iter().find_map(|(bits, networks)| networks.get(&network(source, *bits)).copied())
    }
}

impl<T: Copy> Default for AccessList<T> {
    fn default() -> AccessList<T> {
        AccessList::new()
    }
}

impl Cidr {
    pub fn contains(self, ip: IpAddr) -> bool {
        network(ip, self.depth()) == network(self.ip, self.depth())
    }

    /// The prefix length among 128 bits.
    fn depth(self) -> u8 {
        if self.ip.is_ipv4() { self.bits + 96 } else { self.bits }
    }
}

/// One address.
impl From<IpAddr> for Cidr {
    fn from(ip: IpAddr) -> Cidr {
        Cidr { ip, bits: if ip.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Cidr {
    type Err = String;
    fn from_str(text: &str) -> Result<Cidr, String> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().map_err(|_| format!("`{ip}` is not an IP address"))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|b| *b <= most)
                .ok_or_else(|| format!("`/{bits}` is not a prefix length up to {most}"))?,
        };
        Ok(Cidr { ip, bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

fn network(ip: IpAddr, bits: u8) -> u128 {
    let address: Ipv6Addr = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    address.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let mut list = AccessList::new();
        for (i, block) in ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0"].iter().enumerate() {
            assert_eq!(list.insert(block.parse().unwrap(), i), None);
        }
        let find = |ip: &str| list.find(ip.parse().unwrap());
        assert_eq!((find("10.1.2.3"), find("10.1.2.4"), find("10.2.0.1")), (Some(2), Some(1), Some(0)));
        assert_eq!((find("2001:db8::1"), find("2001:db9::1"), find("192.0.2.1")), (Some(3), None, Some(4)));
        assert_eq!(find("::ffff:10.1.2.3"), Some(2));
        assert_eq!(list.insert("10.1.9.9/16".parse().unwrap(), 9), Some(1));
    }

    #[test]
    fn blocks_are_read_strictly() {
        for bad in ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "host", ""] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        let block: Cidr = "::/0".parse().unwrap();
        assert!(block.contains("10.0.0.1".parse().unwrap()) && block.contains("2001:db8::1".parse().unwrap()));
        assert_eq!("192.0.2.7".parse::<Cidr>().unwrap().to_string(), "192.0.2.7/32");
    }
}
