use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// A loopback address of one's own (all of 127.0.0.0/8 is there on Linux), so that no test meets the ports of another,
/// of another run, or of a gateway with the defaults.
pub struct Host {
    pub ip: Ipv4Addr,
    next: AtomicU16,
}

/// Below the system's ephemeral ports.
const FIRST: u16 = 10_000;

static HOSTS: AtomicU16 = AtomicU16::new(1);

impl Host {
    pub fn new() -> Host {
        let run = process::id();
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        assert!(number < 255, "more gateways than one run has addresses for");
        let ip = Ipv4Addr::new(127, 1 + (run / 254 % 254) as u8, 1 + (run % 254) as u8, number as u8);
        Host { ip, next: AtomicU16::new(FIRST) }
    }

    pub fn port(&self) -> u16 {
        self.ports(1)
    }

    /// The first of so many neighbours; even.
    pub fn ports(&self, count: u16) -> u16 {
        self.next.fetch_add(count.next_multiple_of(2), Ordering::Relaxed)
    }
}
