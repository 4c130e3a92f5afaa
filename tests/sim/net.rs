//! A bad network as a value: every datagram may be lost, doubled or late, and so overtaken.

use hotline::base::{Mono, Rng};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// Per thousand datagrams.
    pub loss: u64,
    pub doubled: u64,
    pub slowest: Duration,
}

impl Net {
    pub fn random(rng: &mut Rng) -> Net {
        let loss = if rng.chance(300) { 0 } else { rng.below(200) };
        Net { loss, doubled: rng.below(50), slowest: Duration::from_millis(2 + rng.below(300)) }
    }

    /// When a datagram that leaves now arrives: never, once, or twice.
    pub fn arrivals(&self, rng: &mut Rng, now: Mono) -> Vec<Mono> {
        let copies = if rng.chance(self.loss) { 0 } else { 1 + u64::from(rng.chance(self.doubled)) };
        (0..copies).map(|_| now.after(rng.between(Duration::from_millis(1), self.slowest))).collect()
    }
}
