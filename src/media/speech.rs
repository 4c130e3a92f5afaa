//! Tells speech from silence, of one who leaves a message. Power alone decides: a message is kept when somebody may have spoken.

use crate::base::Mono;
use crate::media::Law;
use std::time::Duration;

/// The mean square of a sine of −40 dBm0: below speech on any line, above the noise of most.
const LOUD: u64 = 160 * 160;
/// Loud samples that are speech, and no click: 100 ms.
const ENOUGH: u32 = 800;

#[derive(Debug)]
pub struct Speech {
    /// How long a silence is told; zero: never.
    silence: Duration,
    /// When somebody spoke last, or it began to be listened for.
    heard: Mono,
    /// Loud samples since the last that was not.
    loud: u32,
    spoke: bool,
}

impl Speech {
    pub fn new(now: Mono, silence: Duration) -> Speech {
        Speech { silence, heard: now, loud: 0, spoke: false }
    }

    /// True when somebody speaks for the first time.
    pub fn packet(&mut self, now: Mono, law: Law, codes: &[u8]) -> bool {
        let power: u64 = codes.iter().map(|code| i64::from(law.decode(*code))).map(|sample| (sample * sample) as u64).sum();
        if power < LOUD * codes.len() as u64 || codes.is_empty() {
            self.loud = 0;
            return false;
        }
        self.loud = self.loud.saturating_add(codes.len() as u32);
        if self.loud < ENOUGH {
            return false;
        }
        self.heard = now;
        !std::mem::replace(&mut self.spoke, true)
    }

    /// When it will have been silent for long enough; none: that is told never.
    pub fn due(&self) -> Option<Mono> {
        (!self.silence.is_zero()).then(|| self.heard.after(self.silence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of a square wave of this amplitude.
    fn packet(amplitude: i16) -> [u8; 160] {
        std::array::from_fn(|i| Law::A.encode(if i % 8 < 4 { amplitude } else { -amplitude }))
    }

    #[test]
    fn speech_is_told_once_and_clicks_and_noise_are_none() {
        let ms = |ms: u64| Mono(ms * 1000);
        let mut speech = Speech::new(ms(0), Duration::from_secs(5));
        let mut say = |at: u64, amplitude: i16| speech.packet(ms(at), Law::A, &packet(amplitude));
        for n in 0..50 {
            assert!(!say(n * 20, 40), "the noise of a line");
            assert!(!say(n * 20, if n % 4 == 0 { 8000 } else { 0 }), "clicks");
        }
        let spoken: Vec<bool> = (50..70).map(|n| say(n * 20, 1000)).collect();
        assert_eq!(spoken.iter().position(|told| *told), Some(4), "100 ms");
        assert_eq!(spoken.iter().filter(|told| **told).count(), 1);
        assert_eq!(speech.due(), Some(ms(69 * 20 + 5000)));
        assert!(!speech.packet(ms(1400), Law::A, &[]));
        assert_eq!(Speech::new(ms(0), Duration::ZERO).due(), None);
    }
}
