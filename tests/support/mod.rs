//! Helpers that the tests against the running binary share: a gateway of one's own, SIPp processes, a telephone that speaks
//! RTP, a ticket backend. Real processes and sockets need a real clock: this is the one place of the tests that waits.

pub mod baresip;
pub mod disk;
pub mod dns;
pub mod g711;
pub mod gateway;
pub mod hearing;
pub mod host;
pub mod http;
pub mod kamailio;
pub mod linphone;
pub mod message;
pub mod phone;
pub mod ports;
pub mod program;
pub mod registrant;
pub mod registry;
pub mod rtp;
pub mod sipp;
pub mod softphone;
pub mod tone;

pub use ports::free_port;
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes longer, unless it says so.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer; fails with `what` when there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Lets real time go by, for what must not happen, or must go on.
pub fn pass(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    wait_for(what, || done().then_some(()));
}
