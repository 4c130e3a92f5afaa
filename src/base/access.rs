use crate::base::Cidr;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Tells whom a source address belongs to; the longest prefix wins.
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
        let (_, networks) = &mut self.lengths[at];
        networks.insert(block.network(), owner)
    }

    pub fn find(&self, source: IpAddr) -> Option<T> {
        self.lengths.iter().find_map(|(bits, networks)| networks.get(&Cidr::bits_of(source, *bits)).copied())
    }
}

impl<T: Copy> Default for AccessList<T> {
    fn default() -> AccessList<T> {
        AccessList::new()
    }
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
}
