use hotline::media::{Law, Profile};
use std::net::SocketAddr;

/// A leg like most: A-law, 20 ms, both ways.
pub fn profile(phone: SocketAddr) -> Profile {
    Profile {
        rtp: Some(phone),
        rtcp: None,
        rtcp_mux: false,
        law: Law::A,
        payload_type: 8,
        event_out: None,
        event_in: [None; 2],
        ptime: 20,
        may_send: true,
        may_receive: true,
        trial: None,
    }
}
