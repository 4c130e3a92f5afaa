//! Measures how long the figures of a year are computed from a journal that it makes first.
//!
//! `cargo bench --bench figures -- [CALLS [DIRECTORY]]`; by default 1,250,000 calls over 365 days, in the working directory. A
//! call takes about 2 KB; what was made is deleted.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use hotline::base::{CallId, Mono, Rng, Wall};
use hotline::event::seat::BreakKind;
use hotline::event::{Author, By, Entry, Mode, Offered, Party, Result, SeatEntry, SeatWhat, What};
use hotline::io::figures;
use hotline::io::journal::{Outbox, Reader, Store};
use hotline::record::zone::Zone;
use std::time::{Duration, Instant};

/// 2021-12-01 in China.
const START: i64 = 1_638_288_000_000_000;
const DAYS: i64 = 365;
const DAY: i64 = 86_400_000_000;
const SEATS: u64 = 100;
/// Calls that share a transaction.
const GROUP: u64 = 2000;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let calls: u64 = args.next().map_or(1_250_000, |calls| calls.parse().unwrap());
    let dir = tempfile::tempdir_in(args.next().unwrap_or_else(|| ".".to_owned())).unwrap();
    let path = dir.path().join("journal.db");
    let began = Instant::now();
    let mut store = Store::open(&path, None, Outbox::default()).unwrap();
    let (mut rng, mut n) = (Rng::from_number(1), 0);
    for first in (0..calls).step_by(GROUP as usize) {
        store
            .transaction(|tx| {
                for call in first..(first + GROUP).min(calls) {
                    let wall = START + (DAYS * DAY / calls as i64) * call as i64;
                    call_of(wall, &mut rng).iter().try_for_each(|entry| tx.append(entry))?;
                    n += 1;
                    tx.seat(&state_of(n, wall))?;
                }
                Ok(())
            })
            .unwrap();
    }
    store.checkpoint();
    drop(store);
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    println!("{calls} calls in {size} MiB, made in {:.0} s", began.elapsed().as_secs_f64());
    let reader = Reader::open(&path, Zone::default()).unwrap();
    let (from, to) = (Wall(START), Wall(START + DAYS * DAY));
    let began = Instant::now();
    let table = figures::recompute(&reader, &Zone::default(), Duration::from_secs(15), (from, to), to).unwrap();
    let took = began.elapsed().as_secs_f64();
    assert_eq!(table.all.offered, calls);
    println!("figures of {DAYS} days in {took:.1} s: {:.0} calls a second, answered {}", calls as f64 / took, table.all.answered);
    assert!(took < 600.0, "it takes longer than ten minutes");
}

/// A call as most are: queued, rung, answered, 150 s of talk; every twentieth hangs up in the queue.
fn call_of(wall: i64, rng: &mut Rng) -> Vec<Entry> {
    let call = CallId::new(Wall(wall), rng);
    let seat = rng.below(SEATS);
    let party = || Party::Seat { name: format!("seat{seat}"), queue: "12345".into() };
    let offered = Offered {
        leg: 1,
        sip_call_id: format!("{call}@192.0.2.1"),
        trunk: "mobile".into(),
        dialled: "12345".into(),
        number: "12345".into(),
        caller: Some("13800138000".into()),
        caller_raw: "13800138000".into(),
        line: "12345".into(),
        mode: Mode::Front,
        node: "a".into(),
        ..Offered::default()
    };
    let mut log = vec![(0, What::Offered(Box::new(offered))), (0, What::Queued { queue: "12345".into() })];
    if rng.below(20) == 0 {
        log.push((40, What::LegEnded { leg: 1, by: By::Caller, status: None, q850: Some(16) }));
        log.push((40, What::Ended { result: Result::AbandonedQueue, by: By::Caller, status: None, q850: Some(16) }));
    } else {
        let waited = rng.below(20);
        log.push((waited, What::Ringing { leg: 2, party: party(), sip_call_id: None, label: None, choice: None }));
        log.push((waited + 3, What::Joined { leg: 2, party: party(), sip_call_id: None, label: None }));
        log.push((waited + 3, What::CallerAnswered));
        log.push((waited + 153, What::LegEnded { leg: 1, by: By::Caller, status: None, q850: Some(16) }));
        log.push((waited + 153, What::LegEnded { leg: 2, by: By::Gateway, status: None, q850: None }));
        log.push((waited + 153, What::Ended { result: Result::Answered, by: By::Caller, status: Some(200), q850: Some(16) }));
    }
    let entry = |(seq, (second, what)): (u32, (u64, What))| {
        let micros = second * 1_000_000;
        Entry { call, seq, wall: Wall(wall + micros as i64), mono: Mono(wall as u64 + micros), what }
    };
    (1..).zip(log).map(entry).collect()
}

fn state_of(n: u64, wall: i64) -> SeatEntry {
    let by = Author::gateway();
    let what = match n % 3 {
        0 => SeatWhat::Break { kind: BreakKind::Busy, reason: "lunch".into(), seconds: None, by },
        1 => SeatWhat::WrapUp { call: None, seconds: 30, by },
        _ => SeatWhat::Ready { by },
    };
    SeatEntry { n, seat: format!("seat{}", n % SEATS).into(), wall: Wall(wall), mono: Mono(wall as u64), what }
}
