//! Measures what recording costs a call in CPU, beside the call itself: a hundred calls of two parties who speak all the
//! time. `cargo bench --bench recording -- [DIRECTORY]`; the directory (the working one by default) chooses the disk.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use hotline::base::{CallId, MapSeed, Mono, Rng, Wall};
use hotline::io::shards::tap;
use hotline::media::recording::{Made, Recordings};
use hotline::media::wav::Format;
use hotline::media::{Law, Side, Tapped};
use nix::time::{ClockId, clock_gettime};
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

const CALLS: u64 = 100;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench");
    let directory = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_else(|| ".".to_owned());
    let seconds = if quick { 2 } else { 60 };
    println!("µs CPU a call and second     copying   putting together   writing   hashing    bytes a second");
    for (name, format) in [("pcm", Format::Pcm), ("a-law", Format::ALaw)] {
        let spent = run(&directory, format, seconds);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / (CALLS * seconds) as f64;
        let [copy, make, write, hash] = spent.times.map(each);
        let rate = spent.bytes / (CALLS * seconds);
        println!("{name:25} {copy:11.1} {make:18.1} {write:9.1} {hash:9.1} {rate:17}");
    }
}

#[derive(Default)]
struct Spent {
    times: [Duration; 4],
    bytes: u64,
}

fn run(directory: &str, format: Format, seconds: u64) -> Spent {
    let dir = tempfile::tempdir_in(directory).unwrap();
    let (mut rng, mut spent) = (Rng::from_number(1), Spent::default());
    let (sink, frames) = tap::queue(20_000);
    let mut recordings = Recordings::new(format, CALLS as usize, MapSeed(1, 2));
    let calls: Vec<CallId> = (0..CALLS).map(|_| CallId::new(Wall(0), &mut rng)).collect();
    let mut files: BTreeMap<CallId, File> =
        calls.iter().map(|call| (*call, File::create_new(dir.path().join(call.to_string())).unwrap())).collect();
    calls.iter().for_each(|call| assert!(recordings.begin(Mono(0), *call)));
    let codes: Vec<u8> = (0..160u32).map(|n| (n * 7) as u8).collect();
    let (mut made, mut hash) = (Vec::new(), Context::new(&SHA256));
    for ms in (0..seconds * 1000).step_by(20) {
        let at = Mono(ms * 1000);
        let copied = cpu();
        for call in &calls {
            for leg in 0..2 {
                let tapped = Tapped { call: *call, leg, side: Side::Said, law: Law::A, timestamp: ms as u32 * 8, at };
                sink.take(&tapped, &codes);
            }
        }
        let put = cpu();
        for frame in frames.try_iter() {
            let tap::Frame { call, leg, side, law, timestamp, at, .. } = frame;
            recordings.frame(&Tapped { call, leg, side, law, timestamp, at }, frame.codes());
        }
        recordings.advance(at, &mut made);
        let written = cpu();
        for made in &made {
            if let Made::Audio { call, bytes } = made {
                files.get_mut(call).unwrap().write_all(bytes).unwrap();
            }
        }
        let hashed = cpu();
        for made in made.drain(..) {
            if let Made::Audio { bytes, .. } = made {
                hash.update(&bytes);
                spent.bytes += bytes.len() as u64;
            }
        }
        let steps = [put - copied, written - put, hashed - written, cpu() - hashed];
        spent.times.iter_mut().zip(steps).for_each(|(time, step)| *time += step);
    }
    assert_eq!(sink.lost(), 0);
    spent
}

/// The CPU time of this thread so far: others on the machine do not count.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}
