//! Audio encoded once for everyone: from raw A-law bytes, from WAV, and the ringback tone.

use super::sound::{self, MAX_SAMPLES, PromptError, RATE};
use crate::media::{Law, Prompt};
use data_encoding::HEXLOWER;
use std::f64::consts::TAU;

impl Prompt {
    /// From raw 8 kHz A-law bytes (a `.al` file).
    pub fn from_a_law(name: &str, a_law: Vec<u8>) -> Result<Prompt, PromptError> {
        check_length(a_law.len())?;
        let mut mu_law = a_law.clone();
        Law::A.recode(Law::Mu, &mut mu_law);
        Ok(Prompt { name: name.to_string(), version: version(&a_law), a_law, mu_law })
    }

    /// From a WAV file of any rate, width and number of channels.
    pub fn from_wav(name: &str, bytes: &[u8]) -> Result<Prompt, PromptError> {
        let samples = sound::from_wav(bytes)?;
        check_length(samples.len())?;
        Ok(Prompt::from_samples(name, &samples))
    }

    /// 450 Hz, 1 s on, 4 s off, at −10 dBm0 (GB/T 3380), to be repeated.
    pub fn ringback() -> Prompt {
        // Full scale is +3.14 dBm0, so −10 dBm0 is 0.22 of it.
        let tone = |i: usize| (0.22 * f64::from(i16::MAX) * (TAU * 450.0 * i as f64 / RATE as f64).sin()) as i16;
        let samples: Vec<i16> = (0..5 * RATE).map(|i| if i < RATE { tone(i) } else { 0 }).collect();
        Prompt::from_samples("ringback", &samples)
    }

    pub fn from_samples(name: &str, samples: &[i16]) -> Prompt {
        let encode = |law: Law| samples.iter().map(|sample| law.encode(*sample)).collect::<Vec<u8>>();
        let a_law = encode(Law::A);
        Prompt { name: name.to_string(), version: version(&a_law), a_law, mu_law: encode(Law::Mu) }
    }

    /// The codes of one law.
    pub fn codes(&self, law: Law) -> &[u8] {
        match law {
            Law::A => &self.a_law,
            Law::Mu => &self.mu_law,
        }
    }
}

fn version(a_law: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, a_law);
    HEXLOWER.encode(&hash.as_ref()[..6])
}

fn check_length(samples: usize) -> Result<(), PromptError> {
    match samples {
        0 => Err(PromptError::Empty),
        n if n > MAX_SAMPLES => Err(PromptError::TooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};
    use std::io::Cursor;

    fn wav(channels: u16, sample_rate: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|s| writer.write_sample(*s).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_wav_becomes_both_laws() {
        let prompt = Prompt::from_wav("hello", &wav(1, 8000, &[0, 1000, -1000])).unwrap();
        assert_eq!(prompt.a_law, [0xD5, Law::A.encode(1000), Law::A.encode(-1000)]);
        assert_eq!(prompt.mu_law, [0xFF, Law::Mu.encode(1000), Law::Mu.encode(-1000)]);
    }

    #[test]
    fn a_wrong_file_is_named_for_what_is_wrong() {
        let error = |bytes: &[u8]| Prompt::from_wav("x", bytes).unwrap_err();
        assert_eq!(error(&wav(9, 8000, &[0; 9])).to_string(), "has 9 channels: 1 to 8 can be read");
        assert_eq!(error(&wav(1, 441, &[0])).to_string(), "has 441 samples a second: 4000 to 192000 can be read");
        assert_eq!(error(&wav(1, 8000, &[])), PromptError::Empty);
        assert_eq!(error(b"not a wav"), PromptError::NoWav);
        assert_eq!(Prompt::from_a_law("x", Vec::new()).unwrap_err(), PromptError::Empty);
        let mut cut = wav(1, 8000, &[1; 100]);
        cut.truncate(100);
        assert_eq!(error(&cut), PromptError::Cut);
    }

    #[test]
    fn raw_a_law_is_kept_and_recoded() {
        let prompt = Prompt::from_a_law("raw", vec![0xD5, 0x55]).unwrap();
        assert_eq!((prompt.codes(Law::A), prompt.mu_law.len()), (&[0xD5, 0x55][..], 2));
    }

    #[test]
    fn ringback_sounds_one_second_of_five() {
        let tone = Prompt::ringback();
        assert_eq!(tone.a_law.len(), 5 * RATE);
        let loud = |range: std::ops::Range<usize>| tone.a_law[range].iter().map(|c| i32::from(Law::A.decode(*c)).abs()).max();
        assert!(loud(0..RATE) > Some(7000));
        assert_eq!(loud(RATE..5 * RATE), Some(8));
    }
}
