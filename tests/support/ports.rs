use std::net::{TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the system's ephemeral ports (32768 and up).
const FIRST: u16 = 20_000;
const SPAN: u16 = 12_700;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is free for UDP and TCP on 127.0.0.1. Runs of several test programs at once start at different places.
pub fn free() -> u16 {
    run_of(1)
}

/// The first of `count` neighbouring ports that are free; even.
pub fn run_of(count: u16) -> u16 {
    let start = (process::id() % 100) as u16 * 127;
    for _ in 0..SPAN {
        let at = (start + NEXT.fetch_add(count.next_multiple_of(2), Ordering::Relaxed)) % (SPAN - count);
        let first = (FIRST + at) & !1;
        if (first..first + count).all(is_free) {
            return first;
        }
    }
    panic!("no {count} free ports");
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok()
}
