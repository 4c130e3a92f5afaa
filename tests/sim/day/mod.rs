//! A day of a big hotline: two hundred seats, two thousand callers, surges, phones that do not answer and phones that die,
//! words of theirs that are lost or come twice, people who click twice, a wall clock that jumps, reloads. Seats call out
//! meanwhile, also those who were missed; some sit with their departments, some are signed in by their phone. It drives the
//! queues, the seats, the callback list and the seats' figures as the switch does, on a virtual clock, beside a model that knows
//! the rules by itself.
//!
//! `DAY_SEED=17 cargo test --test sim a_day` replays one day with its log; `DAY_SEEDS=100000` runs more, from
//! `DAY_FIRST` on.

mod hours;
mod model;
mod order;
mod outbound;
mod plan;
mod shift;
mod times;
mod world;

use std::panic::catch_unwind;
use world::{Day, Sums};

const SEEDS: u64 = 1000;

#[test]
fn a_day_of_two_hundred_seats_and_two_thousand_callers() {
    if let Some(seed) = crate::number("DAY_SEED") {
        println!("{:?}", Day::new(seed, true).run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}")));
        return;
    }
    let seeds = crate::number("DAY_SEEDS").unwrap_or(SEEDS);
    let from = crate::number("DAY_FIRST").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let days = move |first| {
        (from + first..from + seeds).step_by(threads as usize).map(one_day).fold(Sums::default(), |sums, day| sums.and(&day))
    };
    let runs: Vec<_> = (0..threads).map(|first| std::thread::spawn(move || days(first))).collect();
    let days = runs.into_iter().map(|run| run.join().expect("a day failed; its message says which"));
    let sums = days.fold(Sums::default(), |sums, day| sums.and(&day));
    println!("{seeds} days: {sums:?}");
    assert!(sums.enough(seeds), "too little happened: {sums:?}");
}

fn one_day(seed: u64) -> Sums {
    let again = format!("replay: DAY_SEED={seed} cargo test --test sim a_day -- --nocapture");
    match catch_unwind(|| Day::new(seed, false).run()) {
        Ok(Ok(sums)) => sums,
        Ok(Err(fault)) => panic!("seed {seed}: {fault}\n{again}"),
        Err(_) => panic!("seed {seed} panicked\n{again}"),
    }
}

#[test]
fn the_same_day_is_the_same_run() {
    let day = || Day::new(7, false).run().unwrap();
    assert_eq!(day(), day());
}
