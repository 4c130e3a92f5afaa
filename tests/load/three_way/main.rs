//! Many calls at once through a running gateway, by real SIP and RTP. `tests/load/three-way` starts it with three-way calls, and
//! `tests/load/waiting` with callers who wait in a queue and hear music; these do not speak.
//! Every leg says a tone of its own; every packet that comes back is looked into: is it the next of its stream, does it
//! hold the tones of the two others and no others. First all calls are of two (relayed), then of three (mixed).
//!
//! One thread does all RTP, with batches of packets, on a 1 ms tick; another one does SIP and HTTP. The kernel says when a packet came.
//! Where phones that speak did so late, because the machine gave this program no time, what follows is not held against the
//! gateway.

// A load program is the outside world: it reads clocks and sleeps, and stops at what goes wrong.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arrivals;
mod ear;
// Other tests use more of it.
#[allow(dead_code)]
#[path = "../../support/g711.rs"]
mod g711;
mod sip;

use arrivals::Arrivals;
use ear::{Ear, Voice};
use hotline::io::net::udp::{self, UdpPort};
use sip::Signalling;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
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
    /// Anything but silence, without a gap.
    Music,
}

/// Sockets that share the packets of those who wait: what one socket holds until it is read is too little. One in so many is read at
/// each tick, so that each read takes several packets.
const SOCKETS: usize = 250;
const TURNS: usize = 10;

static STATE: AtomicU8 = AtomicU8::new(State::Settling as u8);
static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (Some(pid), Some(calls), Some(seconds)) = (numbers.next(), numbers.next(), numbers.next()) else {
        println!("run by tests/load/three-way");
        return;
    };
    let calls = calls as usize;
    let ptime = numbers.next().unwrap_or(20) as u32;
    let waiting = std::env::args().any(|arg| arg == "waiting");
    let (legs, new_legs) = channel();
    let sockets = if waiting { SOCKETS } else { 1 };
    let sockets: Vec<_> = (0..sockets).map(|_| udp::bind((PHONES, 0).into()).unwrap()).collect();
    let mut signalling = Signalling::new(sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect(), ptime, legs);
    let media = thread::Builder::new().name("phones".into()).spawn(move || run(sockets, &new_legs, !waiting, ptime)).unwrap();
    let heading = "calls  state  legs  ms CPU/s a leg: media threads  phones  switch";
    if waiting {
        signalling.wait(calls);
        println!("{heading}");
        measure("music", State::Music, pid, calls, calls, || signalling.watch(Duration::from_secs(seconds)));
    } else {
        let watch = || thread::sleep(Duration::from_secs(seconds));
        signalling.talk(calls);
        println!("{heading}");
        measure("two", State::Two, pid, calls, 2 * calls, watch);
        signalling.fetch_third(calls);
        measure("three", State::Three, pid, calls, 3 * calls, watch);
        signalling.end(calls);
    }
    STOP.store(true, Ordering::SeqCst);
    let ears = media.join().unwrap();
    let wrong = ears.iter().filter(|ear| !ear.clean()).count();
    let total = ear::total(&ears);
    println!("{total}");
    println!("{}: {calls} calls, {} legs, {wrong} with a fault", if wrong == 0 { "CLEAN" } else { "FAULTY" }, ears.len());
    std::process::exit(i32::from(wrong > 0));
}

/// Lets the state settle, then watches it, and what it costs.
fn measure(name: &str, state: State, pid: u64, calls: usize, legs: usize, watch: impl FnOnce()) {
    thread::sleep(SETTLE);
    STATE.store(state as u8, Ordering::SeqCst);
    let before = [cpu(pid, "media"), cpu(u64::from(std::process::id()), "phones"), cpu(pid, "switch")];
    let start = Instant::now();
    watch();
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

/// The phones' voices and ears: those of all calls, or those of a queue.
fn run(sockets: Vec<UdpSocket>, new_legs: &Receiver<Leg>, all: bool, ptime: u32) -> Vec<Ear> {
    let mut arrivals: Vec<Arrivals> = sockets.iter().map(|socket| Arrivals::new(socket.try_clone().unwrap())).collect();
    let mut ports: Vec<UdpPort> = sockets.into_iter().map(|socket| UdpPort::new(socket).unwrap()).collect();
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
            // Where others wait, the first call alone talks, and is not judged.
            if all || leg.call == 0 {
                voices.push(Voice::new(&leg));
            }
            if all || leg.call > 0 {
                by_port[usize::from(leg.to.port())] = ears.len();
                ears.push(Ear::new(&leg, ptime));
            }
        }
        let due = start + MS * tick;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if all && now > due + LATE {
            excused = now + EXCUSED;
        }
        for voice in voices.iter_mut().skip(tick as usize % 20).step_by(20) {
            ports[0].queue(voice.to, voice.next());
        }
        let state = STATE.load(Ordering::Relaxed);
        let turns = if all { 1 } else { TURNS };
        for (port, arrivals) in ports.iter_mut().zip(&mut arrivals).skip(tick as usize % turns).step_by(turns) {
            port.flush(|unsent| panic!("cannot send to {}", unsent.flow));
            arrivals.take(|from, at, data| {
                if let Some(ear) = ears.get_mut(by_port[usize::from(from)]) {
                    ear.hear(at, data, state, now < excused);
                }
            });
        }
    }
    ears
}
