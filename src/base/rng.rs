use crate::base::MapSeed;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};
use std::time::Duration;

/// Randomness as a value: seeded by `io` from the operating system, by tests and simulation from a number.
///
/// ChaCha12, so that tags, branches and Call-IDs cannot be guessed from earlier ones.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    pub fn from_seed(seed: [u8; 32]) -> Rng {
        Rng(ChaCha12Rng::from_seed(seed))
    }

    /// A reproducible generator for tests and simulation.
    pub fn from_number(seed: u64) -> Rng {
        Rng(ChaCha12Rng::seed_from_u64(seed))
    }

    /// A generator of its own for another machine, derived from this one.
    pub fn fork(&mut self) -> Rng {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Rng::from_seed(seed)
    }

    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// A number in `0..n` (0 when `n` is 0). The bias of the multiplication is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(n)) >> 64) as u64
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A duration between the two, both included.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.below(span.saturating_add(1)))
    }

    /// 64 random bits as 13 characters of `0-9a-v`: a tag (RFC 3261 §19.3 asks for 32 bits) or a branch.
    pub fn token(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        let mut bits = self.u64();
        let mut text = String::with_capacity(13);
        for _ in 0..13 {
            text.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
        }
        text
    }

    pub fn map_seed(&mut self) -> MapSeed {
        MapSeed(self.u64(), self.u64())
    }
}
