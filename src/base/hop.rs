//! Where a peer is: by a name or an address, and the hops that this comes to (RFC 3263).

use crate::base::Proto;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// The longest name and label of the DNS (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A transport that a target can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Ws,
    Wss,
}

/// One address at which a target may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub transport: Transport,
    pub address: SocketAddr,
    /// The name that the hop's certificate must show.
    pub server_name: Option<Arc<str>>,
}

/// A peer as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub transport: Transport,
    pub place: Place,
}

/// A host with its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    At(SocketAddr),
    /// A name in lower case, which the DNS or the hosts file has addresses for. Without a port the DNS names its servers, each with
    /// its own (RFC 3263 §4.2).
    Named(Arc<str>, Option<u16>),
}

impl Transport {
    /// The transport of messages by this protocol.
    pub fn of(proto: Proto) -> Transport {
        match proto {
            Proto::Udp => Transport::Udp,
            Proto::Tcp => Transport::Tcp,
            Proto::Tls => Transport::Tls,
        }
    }

    /// The port where nobody names one (RFC 3261 §19.1.2).
    pub fn port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Ws => 5060,
            Transport::Tls | Transport::Wss => 5061,
        }
    }

    /// The protocol by which we can open a way to it; none where there is no such.
    pub fn proto(self) -> Option<Proto> {
        match self {
            Transport::Udp => Some(Proto::Udp),
            Transport::Tcp => Some(Proto::Tcp),
            Transport::Tls => Some(Proto::Tls),
            Transport::Ws | Transport::Wss => None,
        }
    }
}

impl Target {
    pub fn at(transport: Transport, address: SocketAddr) -> Target {
        Target { transport, place: Place::At(address) }
    }

    /// The address of a target that needs no resolving.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::At(address) => Some(address),
            Place::Named(..) => None,
        }
    }

    /// None where the DNS says it.
    pub fn port(&self) -> Option<u16> {
        match &self.place {
            Place::At(address) => Some(address.port()),
            Place::Named(_, port) => *port,
        }
    }

    /// The hop at one address of the name.
    pub fn hop(&self, host: IpAddr) -> Hop {
        let server_name = match &self.place {
            Place::At(_) => None,
            Place::Named(name, _) => Some(name.clone()),
        };
        let port = self.port().unwrap_or(self.transport.port());
        Hop { transport: self.transport, address: SocketAddr::new(host, port), server_name }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::At(address) => fmt::Display::fmt(address, f),
            Place::Named(name, Some(port)) => write!(f, "{name}:{port}"),
            Place::Named(name, None) => f.write_str(name),
        }
    }
}

impl FromStr for Place {
    type Err = ();

    /// `192.0.2.7:5060`, `[2001:db8::7]:5060`, `sbc.example.cn:5060` or `sbc.example.cn`.
    fn from_str(text: &str) -> Result<Place, ()> {
        if let Ok(address) = text.parse() {
            return Ok(Place::At(address));
        }
        let named = |name: &str, port| match is_name(name) {
            true => Ok(Place::Named(name.to_ascii_lowercase().into(), port)),
            false => Err(()),
        };
        let Some((name, port)) = text.rsplit_once(':') else { return named(text, None) };
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or(())?;
        named(name, Some(port))
    }
}

/// A host name of RFC 1123 §2.1: one whose last label is a number would be an address written wrong.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=LONGEST_LABEL).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= LONGEST_NAME && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_name_with_its_port() {
        let place = |text: &str| text.parse::<Place>().map(|place| place.to_string());
        for text in
            ["192.0.2.7:5060", "[2001:db8::7]:5060", "sbc.example.cn:5060", "localhost:1", "a-b.c1:65535", "sbc.example.cn"]
        {
            assert_eq!(place(text).as_deref(), Ok(text));
        }
        assert_eq!(place("SBC.Example.cn:5060").as_deref(), Ok("sbc.example.cn:5060"));
        let long = format!("{}:5060", vec!["a".repeat(63); 4].join("."));
        for bad in [
            "",
            "192.0.2.7",
            "2001:db8::7",
            "sbc.example.cn:",
            "sbc.example.cn:0",
            "sbc.example.cn:+1",
            "sbc.example.cn:65536",
            ":5060",
            "a..b:5060",
            "-a:5060",
            "a-:5060",
            "192.0.2.300:5060",
            "192.0.2:5060",
            "a b:5060",
            "a_b:5060",
            "2001:db8::7:5060",
            "\u{57df}\u{540d}:5060",
            &long,
        ] {
            assert_eq!(place(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn the_hops_of_a_name_have_its_port_and_show_its_name() {
        let named = Target { transport: Transport::Tls, place: "sbc.example.cn:5061".parse().unwrap() };
        let hop = named.hop("192.0.2.7".parse().unwrap());
        assert_eq!((hop.address.to_string().as_str(), hop.server_name.as_deref()), ("192.0.2.7:5061", Some("sbc.example.cn")));
        assert_eq!((named.address(), hop.transport.proto()), (None, Some(Proto::Tls)));
        assert_eq!(Transport::Wss.proto(), None);
    }
}
