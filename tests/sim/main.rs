//! The whole switch against simulated peers, a lossy network and a clock that jumps: random calls, cancels, hang-ups,
//! retransmissions, seats that fail, a journal that stalls, reloads under calls. After each run nothing of any call is left, and each call
//! has exactly one record.
//!
//! `SIM_SEED=17 cargo test --test sim` replays one seed with its log; `SIM_SEEDS=10000` runs more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod journal;
mod net;
mod peer;
mod shard;
mod world;

use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

#[test]
fn every_seed_ends_clean() {
    if let Some(seed) = number("SIM_SEED") {
        let summary = World::new(seed, true).run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        println!("{summary:?}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(1000);
    let threads = 2;
    let mut totals = world::Summary::default();
    let runs: Vec<_> = (0..threads)
        .map(|t| std::thread::spawn(move || (t..seeds).step_by(threads as usize).map(run_one).collect::<Vec<_>>()))
        .collect();
    for run in runs {
        run.join().expect("a simulation thread died; its message says which seed").iter().for_each(|s| totals.add(s));
    }
    println!("{seeds} seeds: {totals:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(totals.reloads > seeds / 2, "{totals:?}");
    assert!(totals.answered > seeds && totals.refused > seeds / 2 && totals.moves > seeds, "too little happened: {totals:?}");
}

fn run_one(seed: u64) -> world::Summary {
    let outcome = std::panic::catch_unwind(|| World::new(seed, false).run());
    match outcome {
        Ok(Ok(summary)) => summary,
        Ok(Err(fault)) => panic!("seed {seed}: {fault}\nreplay: SIM_SEED={seed} cargo test --test sim -- --nocapture"),
        Err(_) => panic!("seed {seed} panicked\nreplay: SIM_SEED={seed} cargo test --test sim -- --nocapture"),
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3] {
        let (a, b) = (World::new(seed, false).run().unwrap(), World::new(seed, false).run().unwrap());
        assert_eq!(a, b);
    }
}
