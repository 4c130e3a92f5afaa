//! Measures the entries a second that the journal makes durable, and how long one waits for it.
//!
//! `cargo bench --bench journal -- [DIRECTORY]`; the directory (the working one by default) chooses the disk.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use crossbeam_channel::{Receiver, unbounded};
use hotline::base::{CallId, Mono, Rng, Wall};
use hotline::event::{By, Entry, Offered, Result, What};
use hotline::io::journal::{Backend, Journal, Options, Outbox, Report};
use std::time::{Duration, Instant};

const START: Wall = Wall(1_638_316_800_000_000);
/// The length of the texts that bring an entry to about a kilobyte.
const FILLING: usize = 600;

fn main() {
    let directory = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_else(|| ".".to_owned());
    println!("saturated:  {}", run(&directory, 200_000, 16_384, None));
    println!("15,000/s:   {}", run(&directory, 150_000, 16_384, Some(Duration::from_nanos(66_667))));
    println!("2,000/s:    {}", run(&directory, 10_000, 16_384, Some(Duration::from_micros(500))));
}

/// Appends `count` entries, at most `ahead` of what is durable, at the given pace.
fn run(directory: &str, count: u64, ahead: u64, pace: Option<Duration>) -> String {
    let dir = tempfile::tempdir_in(directory).unwrap();
    let (tell, reports) = unbounded();
    let outbox = Outbox { backends: vec![Backend::of_all_calls("webhook", false)], feed: 1_000_000 };
    let options = Options { outbox, ..Options::new(dir.path().join("journal.db")) };
    let (journal, _) = Journal::open(options, START, move |report| drop(tell.send((Instant::now(), report)))).unwrap();
    let entries = entries(count);
    let appender = journal.appender();
    let (mut appended, mut waits, mut durable) = (Vec::with_capacity(entries.len()), Vec::new(), 0);
    let start = Instant::now();
    for (ticket, entry) in (1..).zip(entries) {
        while ticket > durable + ahead {
            durable = heard(&reports, &appended, &mut waits, durable);
        }
        if let Some(pace) = pace {
            let due = start + pace * ticket as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        appended.push(Instant::now());
        assert!(appender.append(ticket, entry));
    }
    while durable < count {
        durable = heard(&reports, &appended, &mut waits, durable);
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    journal.close();
    waits.sort();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    format!("{rate:.0} entries/s durable, append to durable p50 {p50:.1} ms, p99 {p99:.1} ms, worst {worst:.1} ms")
}

fn heard(reports: &Receiver<(Instant, Report)>, appended: &[Instant], waits: &mut Vec<Duration>, durable: u64) -> u64 {
    let (when, Report::Durable(ticket)) = reports.recv().unwrap() else { return durable };
    waits.extend(appended[durable as usize..ticket as usize].iter().map(|at| when.saturating_duration_since(*at)));
    ticket
}

/// Calls of ten entries, interleaved a hundred at a time.
fn entries(count: u64) -> Vec<Entry> {
    let mut rng = Rng::from_number(1);
    let mut calls = Vec::new();
    let mut entries = Vec::new();
    for n in 0..count {
        let (group, place) = (n / 1000, n % 1000);
        if place < 100 {
            calls.push(CallId::new(Wall(START.0 + n as i64 * 1000), &mut rng));
        }
        let call = calls[(group * 100 + place % 100) as usize];
        let seq = (place / 100) as u32 + 1;
        let mono = Mono(n * 1000);
        entries.push(Entry { call, seq, wall: Wall(START.0 + n as i64 * 1000), mono, what: what(seq) });
    }
    entries
}

fn what(seq: u32) -> What {
    let filling = "x".repeat(FILLING);
    match seq {
        1 => What::Offered(Box::new(Offered { caller_raw: filling, ..Offered::default() })),
        10 => What::Ended { result: Result::Answered, by: By::Caller, status: Some(200), q850: Some(16) },
        _ => What::Announcing {
            prompt: filling + &"and so that it is like the first, which has many more fields than this one has".repeat(4),
            version: None,
        },
    }
}
