//! The machine's clocks, as the core counts them, and its randomness. Every thread reads the same two clocks.

use crate::base::{Mono, Now, Rng, Wall};
use nix::time::{ClockId, clock_gettime};
use std::io::Read;

pub fn now() -> Now {
    Now { mono: mono(), wall: Wall(i64::try_from(micros(ClockId::CLOCK_REALTIME)).unwrap_or(i64::MAX)) }
}

pub fn mono() -> Mono {
    Mono(micros(ClockId::CLOCK_MONOTONIC))
}

pub fn rng() -> Result<Rng, String> {
    let mut seed = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    read.map(|()| Rng::from_seed(seed)).map_err(|e| format!("/dev/urandom: {e}"))
}

/// Linux has both clocks always; before 1970 counts as 1970.
fn micros(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec()).unwrap_or(0) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_forward() {
        let (a, b) = (now(), now());
        assert!(a.mono.0 > 0 && a.mono <= b.mono);
        assert!(a.wall.0 > 1_700_000_000_000_000 && a.wall <= b.wall);
    }
}
