//! The hours of a day: when callers come.

use super::plan::seconds;
use hotline::base::Rng;
use std::time::Duration;

const CALLERS: u64 = 2000;
const SURGES: u64 = 4;
/// Callers of one surge, and how long it lasts.
const SURGE: u64 = 250;

/// Half of the callers come over the day, the other half in a few minutes of it.
pub fn arrivals(rng: &mut Rng) -> Vec<Duration> {
    let mut all = Vec::with_capacity(CALLERS as usize);
    for _ in 0..SURGES {
        let begins = rng.between(seconds(7 * 3600), seconds(21 * 3600));
        let length = rng.between(seconds(60), seconds(600));
        all.extend((0..SURGE).map(|_| begins + rng.between(Duration::ZERO, length)));
    }
    for _ in 0..CALLERS - SURGES * SURGE {
        let night = rng.chance(100);
        let (from, to) = if night { (0, 24 * 3600) } else { (8 * 3600, 20 * 3600) };
        all.push(rng.between(seconds(from), seconds(to)));
    }
    all
}
