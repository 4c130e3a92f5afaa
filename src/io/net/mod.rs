//! SIP's sockets: UDP for the switch thread, TCP connections with a task each.

pub mod admission;
pub mod tcp;
pub mod udp;
