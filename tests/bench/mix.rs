//! Measures what mixing costs in the core alone, without sockets: 200 conferences of three, beside 300 calls of two that are
//! relayed. Every leg says a 20 ms packet in each 20 ms of virtual time and is sent one.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod profile;

use hotline::base::{LegId, Mono, Now, Rng, Wall};
use hotline::media::{Command, Config, Effect, Out, Shard, Source};
use profile::profile;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LEGS: u64 = 600;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench");
    let seconds = if quick { 1 } else { 20 };
    println!("                               µs/leg and 20 ms   ms CPU/leg and second   frames sent");
    for (name, parties) in [("relay, calls of two", 2), ("mix, conferences of three", 3), ("mix, conferences of six", 6)] {
        let (spent, sent) = run(parties, seconds);
        assert!(sent >= LEGS * (50 * seconds - 2), "{sent} frames: a gap");
        let frames = (LEGS * 50 * seconds) as f64;
        let micros = spent.as_secs_f64() * 1e6 / frames;
        println!("{name:30} {micros:17.3} {:23.4} {sent:13}", micros * 50.0 / 1000.0);
    }
}

/// The CPU time that the shard took (with making the packets, some nanoseconds each), and the frames that it sent.
fn run(parties: u64, seconds: u64) -> (Duration, u64) {
    let mut now = Now { mono: Mono(1_000_000), wall: Wall(0) };
    let (mut shard, mut out) = (Shard::new(Config::default(), Rng::from_number(1)), Out::default());
    for leg in (0..LEGS).map(LegId) {
        shard.handle(now, Command::Open { leg, rtp: at(leg), origins: Arc::default() }, &mut out);
        shard.handle(now, Command::Profile { leg, profile: profile(at(leg)), keys: None }, &mut out);
    }
    for leg in 0..LEGS {
        let call = leg / parties * parties;
        let others: Vec<LegId> = (call..call + parties).filter(|other| *other != leg).map(LegId).collect();
        shard.handle(now, Command::Play { leg: LegId(leg), source: Source::Mix(others.into()) }, &mut out);
    }
    out.clear();
    let mut packet = [0x3Cu8; 172];
    (packet[0], packet[1]) = (0x80, 8);
    let (start, mut sent) = (cpu(), 0);
    for ms in 0..seconds * 1000 {
        now = now.after(Duration::from_millis(1));
        let sequence = ms / 20;
        for leg in (ms % 20..LEGS).step_by(20).map(LegId) {
            let mut packet = packet;
            packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(sequence as u32 * 160).to_be_bytes());
            sent += u64::from(shard.rtp(now, leg, &mut packet, at(leg), &mut out).is_some());
        }
        shard.tick(now, &mut out);
        sent +=
            out.effects.iter().filter(|effect| matches!(effect, Effect::Send { bytes, .. } if bytes.len() == 172)).count() as u64;
        out.clear();
    }
    (cpu() - start, sent)
}

/// The CPU time of this thread so far: others on the machine do not count.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn at(leg: LegId) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 2 * leg.0 as u16 + 10_000))
}
