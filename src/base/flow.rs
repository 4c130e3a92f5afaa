use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// The transport protocol that a message arrived by or leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proto {
    Udp,
    Tcp,
    /// TLS over TCP. Phones connect to us, trunks are connected to as well.
    Tls,
}

impl Proto {
    /// Over a reliable transport the retransmission timers of RFC 3261 §17 are off.
    pub fn reliable(self) -> bool {
        self != Proto::Udp
    }

    /// The name in a Via header: `UDP`, `TCP`, `TLS` (RFC 3261 §20.42).
    pub fn via(self) -> &'static str {
        match self {
            Proto::Udp => "UDP",
            Proto::Tcp => "TCP",
            Proto::Tls => "TLS",
        }
    }
}

/// Where a message came from or goes to: protocol, our address, the peer's address.
///
/// For TCP the edge keeps one connection per (local, remote) and opens a new one when a send finds none,
/// so a closed connection never poisons a later request to the same peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub proto: Proto,
    /// Our listening address on that transport.
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.proto.via().to_ascii_lowercase(), self.remote)
    }
}
