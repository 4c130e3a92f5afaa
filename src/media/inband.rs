//! Keys heard as tones in the audio (ITU-T Q.23, Q.24): one event per press.
//!
//! Blocks of 12.75 ms through Goertzel's filters for the eight frequencies. Two like blocks in a row are a key, so each of
//! 40 ms is found wherever it falls, and none below 25 ms; two without end it.

use crate::media::Law;
use crate::media::dial::{HIGH, LOW, PAD};
use std::f32::consts::TAU;

const BLOCK: usize = 102;
/// Each tone at least −30 dBm0 (as an amplitude).
const LEVEL: f32 = 720.0;
/// As ratios of power: the higher tone may be 8 dB weaker or 6 dB stronger than the lower; each must stand 8 dB above the
/// others of its group, and both together be most of what there is, or it is speech.
const TWIST: f32 = 6.3;
const REVERSE_TWIST: f32 = 4.0;
const PEAK: f32 = 6.3;
const SHARE: f32 = 0.7;

#[derive(Debug)]
pub struct Detector {
    coefficients: [f32; 8],
    /// Each filter's last two values.
    state: [(f32, f32); 8],
    energy: f32,
    count: usize,
    /// The key in the last block, and the key that is held down.
    last: Option<u8>,
    held: Option<u8>,
}

/// Keys that one packet brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// A press that has just become certain.
    pub key: Option<char>,
    /// There are a key's tones in it.
    pub tone: bool,
}

impl Detector {
    pub fn new() -> Detector {
        let frequency = |i: usize| if i < 4 { LOW[i] } else { HIGH[i - 4] };
        Detector {
            coefficients: std::array::from_fn(|i| 2.0 * (TAU * frequency(i) / 8000.0).cos()),
            state: [(0.0, 0.0); 8],
            energy: 0.0,
            count: 0,
            last: None,
            held: None,
        }
    }

    pub fn packet(&mut self, law: Law, codes: &[u8]) -> Found {
        let mut found = Found { key: None, tone: self.held.is_some() };
        for code in codes {
            self.sample(f32::from(law.decode(*code)));
            if self.count == BLOCK {
                let hit = self.block();
                found.tone |= hit.is_some();
                found.key = self.judge(hit).or(found.key);
            }
        }
        found
    }

    fn sample(&mut self, x: f32) {
        for ((one, two), coefficient) in self.state.iter_mut().zip(&self.coefficients) {
            (*one, *two) = (x + coefficient * *one - *two, *one);
        }
        self.energy += x * x;
        self.count += 1;
    }

    /// The key that this block sounds like; the next block begins.
    fn block(&mut self) -> Option<u8> {
        // A filter in tune with a tone of amplitude a gives (a · BLOCK / 2)².
        let scale = 4.0 / (BLOCK * BLOCK) as f32;
        let power = |i: usize| {
            let (one, two) = self.state[i];
            scale * (one * one + two * two - self.coefficients[i] * one * two)
        };
        let power: [f32; 8] = std::array::from_fn(power);
        let mean = self.energy / BLOCK as f32;
        (self.state, self.energy, self.count) = ([(0.0, 0.0); 8], 0.0, 0);
        let (row, low) = peak(&power[..4])?;
        let (column, high) = peak(&power[4..])?;
        let fits = low.min(high) >= LEVEL * LEVEL
            && low <= high * TWIST
            && high <= low * REVERSE_TWIST
            && (low + high) / 2.0 >= SHARE * mean;
        fits.then_some(PAD[4 * row + column])
    }

    fn judge(&mut self, hit: Option<u8>) -> Option<char> {
        let twice = hit == self.last;
        self.last = hit;
        if !twice || hit == self.held {
            return None;
        }
        self.held = hit;
        hit.map(char::from)
    }
}

/// The strongest of a group, if it stands out.
fn peak(group: &[f32]) -> Option<(usize, f32)> {
    let (at, best) = group.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = group.iter().enumerate().all(|(i, other)| i == at || other * PEAK <= best);
    alone.then_some((at, best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    /// Amplitudes of two sines, or noise and speech-like sounds.
    fn tones(parts: &[(f32, f32)], samples: usize) -> Vec<f32> {
        let sum = |i: usize| parts.iter().map(|(hertz, level)| level * (TAU * hertz * i as f32 / 8000.0).sin()).sum();
        (0..samples).map(sum).collect()
    }

    fn pad(samples: usize) -> Vec<f32> {
        vec![0.0; samples]
    }

    fn keys(law: Law, samples: &[f32]) -> String {
        let codes: Vec<u8> = samples.iter().map(|s| law.encode(*s as i16)).collect();
        let mut detector = Detector::new();
        codes.chunks(160).filter_map(|packet| detector.packet(law, packet).key).collect()
    }

    #[test]
    fn every_key_in_both_laws_wherever_it_falls() {
        for law in [Law::A, Law::Mu] {
            for (i, key) in PAD.iter().enumerate() {
                for offset in [0, 30, 77, 101] {
                    let parts = [(LOW[i / 4], 8000.0), (HIGH[i % 4], 10_000.0)];
                    let audio = [pad(offset), tones(&parts, 320), pad(320), tones(&parts, 320), pad(320)].concat();
                    assert_eq!(keys(law, &audio), format!("{0}{0}", char::from(*key)), "{law:?} at {offset}");
                }
            }
        }
    }

    #[test]
    fn a_key_held_for_long_is_one() {
        assert_eq!(keys(Law::A, &tones(&[(770.0, 5000.0), (1336.0, 5000.0)], 80_000)), "5");
    }

    #[test]
    fn duration_twist_and_level_are_checked() {
        let five =
            |low: f32, high: f32, samples| keys(Law::A, &[pad(50), tones(&[(770.0, low), (1336.0, high)], samples)].concat());
        assert_eq!(five(5000.0, 5000.0, 180), "", "22 ms");
        assert_eq!(five(8000.0, 3500.0, 800), "5", "7 dB of twist");
        assert_eq!(five(8000.0, 2500.0, 800), "", "10 dB of twist");
        assert_eq!(five(3000.0, 7000.0, 800), "", "7 dB of reverse twist");
        assert_eq!(five(1000.0, 1000.0, 800), "5", "-27 dBm0");
        assert_eq!(five(400.0, 400.0, 800), "", "-35 dBm0");
        assert_eq!(five(5000.0, 0.0, 800), "", "one tone alone");
    }

    #[test]
    fn frequencies_may_be_off_by_a_little_only() {
        let five = |off: f32| keys(Law::A, &tones(&[(770.0 * off, 5000.0), (1336.0 * off, 5000.0)], 800));
        assert_eq!((five(1.015), five(0.985), five(1.04), five(0.96)), ("5".into(), "5".into(), String::new(), String::new()));
    }

    #[test]
    fn noise_and_voices_are_no_keys() {
        let mut rng = Rng::from_number(5);
        let noise: Vec<f32> = (0..400_000).map(|_| rng.below(16_000) as f32 - 8000.0).collect();
        assert_eq!(keys(Law::A, &noise), "");
        // A voice: a fundamental that glides, with harmonics.
        let mut phase = 0.0;
        let voice: Vec<f32> = (0..400_000)
            .map(|i| {
                phase += TAU * (140.0 + 60.0 * (i as f32 / 9000.0).sin()) / 8000.0;
                (1..16).map(|h| 6000.0 / h as f32 * (phase * h as f32).sin()).sum()
            })
            .collect();
        assert_eq!(keys(Law::A, &voice), "");
    }
}
