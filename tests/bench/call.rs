//! Ordinary calls through the switch, and nothing else: what `tests/load/counts` counts instructions of.
//!
//! `cargo bench --bench call -- CALLS` runs so many after a warm-up and prints time and allocations per call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../counts/allocator.rs"]
mod allocator;
#[path = "../counts/ordinary.rs"]
mod ordinary;
#[path = "../support/switch.rs"]
mod switch;
#[path = "../support/texts.rs"]
mod texts;

use std::time::Instant;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Until maps have their size and as many transactions die as are born.
const WARM_UP: u64 = 200;

fn main() {
    let calls = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100);
    let mut gateway = ordinary::Gateway::new();
    let begun = Instant::now();
    gateway.run(WARM_UP, calls);
    let each = begun.elapsed().as_secs_f64() * 1e6 / (WARM_UP + calls) as f64;
    let counts = allocator::counts();
    let per_call = |count: u64| count as f64 / calls as f64;
    println!("{calls} calls: {each:.1} µs each with their peers");
    println!("allocations {:.1}", per_call(counts.allocations));
    println!("bytes {:.0}", per_call(counts.bytes));
}
