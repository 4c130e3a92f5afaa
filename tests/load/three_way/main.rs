//! Many three-way calls at once through a running gateway, by real SIP and RTP: `tests/load/three-way` starts it.
//! Every leg says a tone of its own; every packet that comes back is looked into: is it the next of its stream, does it
//! hold the tones of the two others and no others. First all calls are of two (relayed), then of three (mixed).
//!
//! One thread does all RTP, with batches of packets, on a 1 ms tick; another one does SIP and HTTP. Where the tick itself
//! was late, because the machine gave this program no time, what follows is not held against the gateway.

// A load program is the outside world: it reads clocks and sleeps, and stops at what goes wrong.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ear;
// Other tests use more of it.
#[allow(dead_code)]
#[path = "../../support/g711.rs"]
mod g711;
mod sip;

use ear::{Ear, Voice};
use hotline::io::net::udp::{self, UdpPort};
use sip::Signalling;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// The address 127.0.0.3 plays all phones.
pub const PHONES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const MS: Duration = Duration::from_millis(1);
/// A tick later than this is the machine's fault; so is what comes within the time after it.
const LATE: Duration = Duration::from_millis(5);
const EXCUSED: Duration = Duration::from_millis(100);
/// How long each state settles and is then judged.
const SETTLE: Duration = Duration::from_secs(2);

/// One leg of a call, as the phone sees it.
pub struct Leg {
    pub call: usize,
    /// 0 the caller, 1 the seat, 2 the target.
    pub role: usize,
    /// Where the gateway takes its voice.
    pub to: SocketAddr,
}

/// The tones that every leg is to hear now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Settling,
    /// Caller and seat.
    Two,
    Three,
}

static STATE: AtomicU8 = AtomicU8::new(State::Settling as u8);
static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (Some(pid), Some(calls), Some(seconds)) = (numbers.next(), numbers.next(), numbers.next()) else {
        println!("run by tests/load/three-way");
        return;
    };
    let calls = calls as usize;
    let (legs, new_legs) = channel();
    let rtp = udp::bind((PHONES, 0).into()).unwrap();
    let port = rtp.local_addr().unwrap().port();
    let media = thread::Builder::new().name("phones".into()).spawn(move || run(UdpPort::new(rtp).unwrap(), &new_legs)).unwrap();
    let mut signalling = Signalling::new(port, legs);
    signalling.talk(calls);
    println!("calls  state  legs  ms CPU/s a leg: media threads  phones  switch");
    measure("two", State::Two, pid, calls, 2 * calls, seconds);
    signalling.fetch_third(calls);
    measure("three", State::Three, pid, calls, 3 * calls, seconds);
    signalling.end(calls);
    STOP.store(true, Ordering::SeqCst);
    let ears = media.join().unwrap();
    let wrong = ears.iter().filter(|ear| !ear.clean()).count();
    let total = ear::total(&ears);
    println!("{total}");
    println!("{}: {calls} calls, {} legs, {wrong} with a fault", if wrong == 0 { "CLEAN" } else { "FAULTY" }, ears.len());
    std::process::exit(i32::from(wrong > 0));
}

/// Lets the state settle, then watches it, and what it costs.
fn measure(name: &str, state: State, pid: u64, calls: usize, legs: usize, seconds: u64) {
    thread::sleep(SETTLE);
    STATE.store(state as u8, Ordering::SeqCst);
    let before = [cpu(pid, "media"), cpu(u64::from(std::process::id()), "phones"), cpu(pid, "switch")];
    let start = Instant::now();
    thread::sleep(Duration::from_secs(seconds));
    let spent = start.elapsed().as_secs_f64() * legs as f64;
    let after = [cpu(pid, "media"), cpu(u64::from(std::process::id()), "phones"), cpu(pid, "switch")];
    STATE.store(State::Settling as u8, Ordering::SeqCst);
    let each: Vec<f64> = before.iter().zip(after).map(|(b, a)| (a - b) * 1000.0 / spent).collect();
    println!("{calls:5}  {name:5}  {legs:4}  {:29.3}  {:6.3}  {:6.3}", each[0], each[1], each[2]);
}

/// Seconds of CPU that the threads of this name have had.
fn cpu(pid: u64, name: &str) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten().map(|task| task.path());
    let named = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.starts_with(name)));
    let nanos = |text: String| text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    named.filter_map(|task| fs::read_to_string(task.join("schedstat")).ok()).map(nanos).sum::<f64>() / 1e9
}

/// The phones' voices and ears.
fn run(mut port: UdpPort, new_legs: &Receiver<Leg>) -> Vec<Ear> {
    let mut voices: Vec<Voice> = Vec::new();
    let mut ears: Vec<Ear> = Vec::new();
    let mut by_port = vec![usize::MAX; 1 << 16];
    let start = Instant::now();
    let mut excused = start;
    for tick in 0u32.. {
        if STOP.load(Ordering::Relaxed) {
            break;
        }
        for leg in new_legs.try_iter() {
            by_port[usize::from(leg.to.port())] = ears.len();
            ears.push(Ear::new(&leg));
            voices.push(Voice::new(&leg));
        }
        let due = start + MS * tick;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now > due + LATE {
            excused = now + EXCUSED;
        }
        for voice in voices.iter_mut().skip(tick as usize % 20).step_by(20) {
            port.queue(voice.to, voice.next());
        }
        port.flush(|unsent| panic!("cannot send to {}", unsent.flow));
        let state = STATE.load(Ordering::Relaxed);
        while port.receive(|flow, data| {
            if let Some(ear) = ears.get_mut(by_port[usize::from(flow.remote.port())]) {
                ear.hear(now, &data, state, now < excused);
            }
        }) {}
    }
    ears
}
