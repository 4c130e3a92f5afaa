//! The whole switch against simulated peers, a lossy network and a clock that jumps: random calls, cancels, hang-ups,
//! retransmissions, seats that fail, a journal that stalls, reloads under calls. After each run nothing of any call is
//! left, and each call has exactly one record.
//!
//! Every third seed is played by peers that speak raw SIP text (`raw/`), with an ear on the wire (`raw/audit.rs`) that knows
//! the RFCs by itself: what our own dialog code gets wrong, a peer made of it would take for right.
//!
//! `SIM_SEED=17 cargo test --test sim` replays one seed with its log; `SIM_SEEDS=10000` runs more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod carrier;
mod company;
mod day;
mod deliverer;
mod disk;
mod figures;
mod flood;
mod hops;
mod journal;
mod lists;
mod net;
mod outage;
mod outbound;
mod panics;
mod party;
mod peer;
mod phones;
mod raw;
mod records;
mod refer;
mod released;
mod remote;
mod scan;
mod setup;
mod shard;
mod shifts;
#[path = "../support/switch.rs"]
mod switch;
mod tickets;
mod told;
mod vandal;
mod verbs;
mod world;

use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

/// `KILL_SEED` replays one, `KILL_SEEDS` runs more.
#[test]
fn kill_9_at_a_thousand_moments_loses_no_record_and_doubles_none() {
    const KILLS: u64 = 8;
    if let Some(seed) = number("KILL_SEED") {
        let summary = World::mortal(seed, true, KILLS).run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        println!("{summary:?}");
        return;
    }
    let seeds = number("KILL_SEEDS").unwrap_or(80);
    let totals = run_all("KILL_SEED", seeds, |seed| World::mortal(seed, false, KILLS));
    println!("{seeds} seeds: {totals:?}");
    assert!(totals.kills > seeds * KILLS / 2 && totals.cut > totals.kills, "{totals:?}");
    assert!(totals.unclear > seeds && totals.repeated > seeds / 2, "too little happened: {totals:?}");
    assert!(totals.tagged > 4 * seeds, "too little was tagged: {totals:?}");
}

#[test]
fn every_seed_ends_clean() {
    if let Some(seed) = number("SIM_SEED") {
        let summary = World::new(seed, true).run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        println!("{summary:?}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(1000);
    let totals = run_all("SIM_SEED", seeds, |seed| World::new(seed, false));
    println!("{seeds} seeds: {totals:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(totals.reloads > seeds / 2 && totals.called > seeds / 20, "{totals:?}");
    assert!(
        totals.answered > seeds && totals.refused > seeds / 2 && totals.moves > seeds && totals.keys > seeds,
        "too little happened: {totals:?}"
    );
}

/// `PANIC_SEED` replays one, `PANIC_SEEDS` runs more.
#[test]
fn a_panic_costs_one_call() {
    if let Some(seed) = number("PANIC_SEED") {
        let summary = World::panicking(seed, true).run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        println!("{summary:?}");
        return;
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() != Some("a trap of a test") {
            hook(info);
        }
    }));
    let seeds = number("PANIC_SEEDS").unwrap_or(200);
    let totals = run_all("PANIC_SEED", seeds, |seed| World::panicking(seed, false));
    println!("{seeds} seeds: {totals:?}");
    assert!(totals.panics > seeds && totals.answered > seeds / 2, "too little happened: {totals:?}");
}

/// `VANDAL_SEED` replays one, `VANDAL_SEEDS` runs more.
#[test]
fn what_others_send_changes_nothing_for_anybody() {
    let pair = |seed, log| {
        let alone = World::beside(seed, log, false).run().unwrap_or_else(|fault| panic!("alone: {fault}"));
        if log {
            println!("the same, beside the vandal:");
        }
        let beside = World::beside(seed, log, true).run().unwrap_or_else(|fault| panic!("beside the vandal: {fault}"));
        assert_eq!(alone.of_others(), beside.of_others(), "alone, and beside the vandal");
        beside
    };
    if let Some(seed) = number("VANDAL_SEED") {
        println!("{:?}", pair(seed, true));
        return;
    }
    let mut totals = world::Summary::default();
    for seed in 0..number("VANDAL_SEEDS").unwrap_or(100) {
        let again = format!("replay: VANDAL_SEED={seed} cargo test --test sim what_others -- --nocapture");
        let summary = std::panic::catch_unwind(|| pair(seed, false)).unwrap_or_else(|_| panic!("seed {seed}\n{again}"));
        totals.add(&summary);
    }
    println!("{totals:?}");
    assert!(totals.forged > 10 * totals.placed, "too little was forged: {totals:?}");
}

fn run_all(replay: &'static str, seeds: u64, world: fn(u64) -> World) -> world::Summary {
    let threads = 2;
    let run = move |t| (t..seeds).step_by(threads as usize).map(|seed| run_one(replay, seed, world)).collect::<Vec<_>>();
    let runs: Vec<_> = (0..threads).map(|t| std::thread::spawn(move || run(t))).collect();
    let mut totals = world::Summary::default();
    for run in runs {
        run.join().expect("a simulation thread died; its message says which seed").iter().for_each(|s| totals.add(s));
    }
    totals
}

fn run_one(replay: &str, seed: u64, world: fn(u64) -> World) -> world::Summary {
    let again = format!("replay: {replay}={seed} cargo test --test sim -- --nocapture");
    match std::panic::catch_unwind(|| world(seed).run()) {
        Ok(Ok(summary)) => summary,
        Ok(Err(fault)) => panic!("seed {seed}: {fault}\n{again}"),
        Err(_) => panic!("seed {seed} panicked\n{again}"),
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3] {
        let (a, b) = (World::new(seed, false).run().unwrap(), World::new(seed, false).run().unwrap());
        assert_eq!(a, b);
        let (a, b) = (World::mortal(seed, false, 2).run().unwrap(), World::mortal(seed, false, 2).run().unwrap());
        assert_eq!(a, b);
    }
}
