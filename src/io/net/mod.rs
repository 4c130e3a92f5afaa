//! SIP's sockets: UDP for the switch thread, TCP connections with a task each; and the addresses of host names.

pub mod admission;
pub mod dns;
pub mod resolver;
pub mod tcp;
pub mod tls;
pub mod trunk_tls;
pub mod udp;
