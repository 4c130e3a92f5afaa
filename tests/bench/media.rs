//! CPU of a media thread per packet that it relayed, and the delay that it added: `cargo bench --bench media`, or with other
//! numbers of calls `cargo bench --bench media -- 100 500`. `--rtpengine=PID@ADDRESS` puts the same load on an rtpengine
//! that listens for ng there; `tests/load/relay` does both in turn.
//!
//! Phones send 20 ms packets at an even pace and count what arrives, on threads of their own, which sleep to the
//! millisecond so that the relay does not pay for waking them. `cargo test` only sees that it works, for a moment.

// A load program is the outside world: it reads clocks and sleeps, and stops at what goes wrong.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic)]

mod profile;
mod rtpengine;

use hotline::base::{LegId, Rng};
use hotline::io::clock;
use hotline::io::shards::shard::{self, ShardHandle};
use hotline::media::{Command, Config, Event, Ports, Source};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use profile::profile;
use rtpengine::Rtpengine;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Sockets that play the phones; a leg's peer is one of them.
const PHONES: usize = 16;
const PACKET: usize = 12 + 160;

fn main() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let quick = std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench");
    let seconds = if quick { 1 } else { 8 };
    let mut loads: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if loads.is_empty() {
        loads = if quick { vec![5] } else { vec![10, 200, 1000] };
    }
    println!("descriptors: {soft} raised to {hard}");
    println!("calls  packets/s     sent  relayed  lost %  µs CPU/packet  thread %  delay p50 µs  p99 µs");
    for calls in loads {
        let other = std::env::args().find_map(|arg| Rtpengine::at(arg.strip_prefix("--rtpengine=")?));
        run(calls, Duration::from_secs(seconds), other);
    }
}

/// One leg: where its phone sends to, and by which phone.
struct Leg {
    at: SocketAddr,
    phone: usize,
}

/// The relay: a media thread of this process, or rtpengine.
enum Relay {
    /// Held, because dropping it stops the thread.
    Ours {
        _shard: ShardHandle,
    },
    Other(Rtpengine),
}

fn run(calls: usize, duration: Duration, other: Option<Rtpengine>) {
    let phones: Vec<UdpSocket> = (0..PHONES).map(|_| phone()).collect();
    let (relay, legs) = match other {
        Some(other) => set_up_other(other, calls, &phones),
        None => set_up(calls, &phones),
    };
    let (stop, measuring) = (AtomicBool::new(false), AtomicBool::new(false));
    let (sent, mut delays, cpu) = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&phones, &legs, &stop, &measuring));
        let sink = scope.spawn(|| receive(&phones, &stop));
        thread::sleep(relay.warm_up());
        let before = relay.cpu();
        measuring.store(true, Ordering::SeqCst);
        thread::sleep(duration);
        measuring.store(false, Ordering::SeqCst);
        let cpu = relay.cpu() - before;
        thread::sleep(Duration::from_millis(50));
        stop.store(true, Ordering::SeqCst);
        (sender.join().unwrap(), sink.join().unwrap(), cpu)
    });
    delays.sort_unstable();
    let relayed = delays.len();
    assert!(relayed > 0, "nothing arrived");
    let lost = 100.0 * (sent.saturating_sub(relayed)) as f64 / sent as f64;
    println!(
        "{calls:5}  {:9.0}  {sent:7}  {relayed:7}  {lost:6.3}  {:13.2}  {:8.1}  {:12}  {:6}",
        relayed as f64 / duration.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / relayed as f64,
        100.0 * cpu.as_secs_f64() / duration.as_secs_f64(),
        delays[relayed / 2],
        delays[relayed * 99 / 100],
    );
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    socket
}

impl Relay {
    /// Until sources are learned and the pace is found; rtpengine takes three seconds to trust an address.
    fn warm_up(&self) -> Duration {
        match self {
            Relay::Ours { .. } => Duration::from_secs(1),
            Relay::Other(_) => Duration::from_secs(4),
        }
    }

    fn cpu(&self) -> Duration {
        match self {
            Relay::Ours { .. } => cpu_of("media-0"),
            Relay::Other(other) => other.cpu(),
        }
    }
}

fn set_up_other(mut other: Rtpengine, calls: usize, phones: &[UdpSocket]) -> (Relay, Vec<Leg>) {
    let mut legs = Vec::with_capacity(2 * calls);
    for call in 0..calls {
        let pair = [2 * call, 2 * call + 1].map(|leg| leg % PHONES);
        let places = other.call(pair.map(|phone| phones[phone].local_addr().unwrap()));
        legs.extend(places.into_iter().zip(pair).map(|(at, phone)| Leg { at, phone }));
    }
    (Relay::Other(other), legs)
}

fn set_up(calls: usize, phones: &[UdpSocket]) -> (Relay, Vec<Leg>) {
    let (tell, events) = channel();
    let shard = shard::start(0, Config::default(), Rng::from_number(1), move |event| drop(tell.send(event))).unwrap();
    let legs = open(&shard, &events, calls, phones);
    (Relay::Ours { _shard: shard }, legs)
}

fn open(shard: &ShardHandle, events: &Receiver<Event>, calls: usize, phones: &[UdpSocket]) -> Vec<Leg> {
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut ports = Ports::new(&[host], 12_000..=29_999, 1, 1, Duration::ZERO, &mut Rng::from_number(2));
    let bound = std::iter::from_fn(|| ports.take(0, false, true)).filter(|rtp| {
        assert!(shard.send(Command::Bind { rtp: *rtp }));
        matches!(events.recv_timeout(Duration::from_secs(5)).unwrap(), Event::Bound { .. })
    });
    let legs = bound.take(2 * calls).enumerate().map(|(i, at)| Leg { at, phone: i % PHONES }).collect();
    for (i, leg) in (0u64..).zip(&legs as &Vec<Leg>) {
        assert!(shard.send(Command::Open { leg: LegId(i), rtp: leg.at, origins: Arc::default() }));
        let profile = profile(phones[leg.phone].local_addr().unwrap());
        assert!(shard.send(Command::Profile { leg: LegId(i), profile, keys: None }));
    }
    for i in 0..2 * calls as u64 {
        assert!(shard.send(Command::Play { leg: LegId(i), source: Source::Relay(LegId(i ^ 1)) }));
    }
    legs
}

/// A twentieth of the legs every millisecond; gives how many packets were sent while it was measured.
fn send(phones: &[UdpSocket], legs: &[Leg], stop: &AtomicBool, measuring: &AtomicBool) -> usize {
    let mut packet = [0xD5; PACKET];
    packet[..2].copy_from_slice(&[0x80, 8]);
    let (mut slot, mut counted) = (0usize, 0);
    let mut due = clock::mono();
    while !stop.load(Ordering::Relaxed) {
        let frame = slot / 20;
        packet[2..4].copy_from_slice(&(frame as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(frame as u32 * 160).to_be_bytes());
        let measured = measuring.load(Ordering::Relaxed);
        for (i, leg) in legs.iter().enumerate().skip(slot % 20).step_by(20) {
            packet[8..12].copy_from_slice(&(i as u32).to_be_bytes());
            packet[12] = u8::from(measured);
            packet[13..21].copy_from_slice(&clock::mono().0.to_be_bytes());
            let sent = phones[leg.phone].send_to(&packet, leg.at).is_ok();
            counted += usize::from(sent && measured);
        }
        slot += 1;
        due = due.after(Duration::from_millis(1));
        thread::sleep(due.since(clock::mono()));
    }
    counted
}

/// The delays, in microseconds, of the packets that were sent while it was measured.
fn receive(phones: &[UdpSocket], stop: &AtomicBool) -> Vec<u64> {
    let mut delays = Vec::with_capacity(1 << 20);
    let mut packet = [0; 2000];
    while !stop.load(Ordering::Relaxed) {
        for phone in phones {
            while let Ok(PACKET) = phone.recv(&mut packet) {
                if packet[12] == 1 {
                    let sent = u64::from_be_bytes(packet[13..21].try_into().unwrap());
                    delays.push(clock::mono().0.saturating_sub(sent));
                }
            }
        }
        thread::sleep(Duration::from_micros(500));
    }
    delays
}

/// The CPU time of this process's thread of that name.
fn cpu_of(name: &str) -> Duration {
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            let nanos = read("schedstat").split(' ').next().and_then(|n| n.parse().ok());
            return Duration::from_nanos(nanos.unwrap());
        }
    }
    panic!("no thread {name}");
}
