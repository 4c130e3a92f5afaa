//! How much an ordinary call allocates in the switch, against the figures in `tests/load/counts.txt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod allocator;
mod ordinary;
#[path = "../support/switch.rs"]
mod switch;
#[path = "../support/texts.rs"]
mod texts;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

const CALLS: u64 = 500;
/// A count may be more or less by so many per cent. The same program allocates the same each time; another standard library
/// may grow a vector differently, and bytes follow the size of every struct.
const TOLERANCES: [(&str, f64); 2] = [("allocations", 2.0), ("bytes", 10.0)];

#[test]
fn a_call_allocates_what_it_did() {
    ordinary::Gateway::new().run(200, CALLS);
    let counts = allocator::counts();
    for ((name, tolerance), count) in TOLERANCES.into_iter().zip([counts.allocations, counts.bytes]) {
        let (now, known) = (count as f64 / CALLS as f64, figure(name));
        let change = 100.0 * (now - known) / known;
        println!("{name}: {now:.1} a call, {known} in the file");
        assert!(
            change.abs() <= tolerance,
            "{name}: {now:.1} a call, {change:+.1} % of what tests/load/counts.txt says ({known}). If that is meant: \
             tests/load/counts --write"
        );
    }
}

fn figure(name: &str) -> f64 {
    let known = include_str!("../load/counts.txt");
    let line = known.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in tests/load/counts.txt")).trim().parse().unwrap()
}
