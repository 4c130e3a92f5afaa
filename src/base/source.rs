use std::net::IpAddr;

/// One sender, as far as shares go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A trunk with all its networks, by its index: over UDP each of their addresses can be forged.
    Trunk(usize),
    /// Any other host that we know (an IPv6 host owns its /64 whole).
    Host(IpAddr),
    /// All whom we do not know, together.
    Strangers,
}

/// The owner of an address: an IPv6 host owns its /64 whole.
pub fn owner(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}
