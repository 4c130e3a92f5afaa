//! Ports of 127.0.0.1 for tests whose programs take no other address.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the gateway's media ports, its usual ports and the system's ephemeral ones: a port that the system hands out can be
/// somebody's connection before the program that is meant to have it listens there.
const FIRST: u16 = 2_000;
const COUNT: u16 = 3_000;

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// Free by UDP and TCP, and given to nobody else in this run. Runs beside each other begin at different ones.
pub fn free_port() -> SocketAddr {
    let begin = process::id().wrapping_mul(200);
    loop {
        let turn = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(turn < COUNT, "all ports for tests are taken");
        let port = FIRST + (begin.wrapping_add(turn.into()) % u32::from(COUNT)) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
