//! Networks by address and prefix length, as trunks name them.

use std::net::IpAddr;

/// Address (host bits zero) and prefix length.
pub type Network = (IpAddr, u8);

/// `192.0.2.1`, `192.0.2.0/28`, `2001:db8::/32`. Host bits are cleared.
pub fn parse(text: &str) -> Option<Network> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address.parse().ok()?, length.parse().ok()?),
        None => {
            let address: IpAddr = text.parse().ok()?;
            (address, bits(address))
        }
    };
    (length <= bits(address)).then(|| (mask(address, length), length))
}

pub fn is_single(network: Network) -> bool {
    network.1 == bits(network.0)
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_networks() {
        assert_eq!(parse("192.0.2.1"), Some(("192.0.2.1".parse().unwrap(), 32)));
        assert_eq!(parse("192.0.2.77/28"), Some(("192.0.2.64".parse().unwrap(), 28)));
        assert_eq!(parse("0.0.0.0/0"), Some(("0.0.0.0".parse().unwrap(), 0)));
        assert_eq!(parse("2001:db8::1/32"), Some(("2001:db8::".parse().unwrap(), 32)));
        for wrong in ["", "192.0.2", "192.0.2.1/33", "192.0.2.1/", "::/129", "carrier.example"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
