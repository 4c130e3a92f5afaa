use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    ip: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Every address of its family, or nearly so.
    pub fn is_everything(self) -> bool {
        self.bits < 8
    }

    pub fn contains(self, ip: IpAddr) -> bool {
        Cidr::bits_of(ip, self.depth()) == self.network()
    }

    /// The block's own leading bits, as a key.
    pub fn network(self) -> u128 {
        Cidr::bits_of(self.ip, self.depth())
    }

    /// The leading `depth` bits of an address.
    pub fn bits_of(ip: IpAddr, depth: u8) -> u128 {
        let address: Ipv6Addr = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        address.to_bits() & u128::MAX.checked_shl(128 - u32::from(depth)).unwrap_or(0)
    }

    /// The prefix length among 128 bits: IPv4 counts as mapped into IPv6.
    pub fn depth(self) -> u8 {
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

#[cfg(test)]
mod tests {
    use super::*;

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
