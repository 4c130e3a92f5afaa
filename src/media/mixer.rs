//! A sum of voices made fit to be sent: one voice as it is, several without wrapping or clipping.

use crate::media::Law;

/// The longest frame: 60 ms.
pub const MAX_FRAME: usize = 480;
const CEILING: i32 = i16::MAX as i32;
/// Samples over which the gain falls (2 ms), and what it regains in one.
const ATTACK: usize = 16;
const RELEASE: f32 = 0.25 / 8000.0;

/// Lowers the gain at once where a sum is too loud, and lets it come back slowly: a clip would be heard, this is not.
#[derive(Debug)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Limiter {
        Limiter { gain: 1.0 }
    }
}

impl Limiter {
    pub fn limit(&mut self, sum: &mut [i32]) {
        let peak = sum.iter().fold(0, |peak, sample| sample.abs().max(peak));
        let wanted = if peak > CEILING { CEILING as f32 / peak as f32 } else { 1.0 };
        if wanted == 1.0 && self.gain == 1.0 {
            return;
        }
        let from = self.gain;
        self.gain = wanted.min(from + RELEASE * sum.len() as f32);
        let over = if self.gain < from { ATTACK } else { sum.len() };
        for (i, sample) in sum.iter_mut().enumerate() {
            let gain = from + (self.gain - from) * (i.min(over) as f32 / over as f32);
            *sample = (*sample as f32 * gain) as i32;
        }
    }
}

/// Appends the samples' codes. A sample that the limiter's first moment left too loud is cut.
pub fn encode(sum: &[i32], law: Law, out: &mut Vec<u8>) {
    law.encode_all(sum.iter().map(|sample| (*sample).clamp(-CEILING, CEILING) as i16), out);
}
