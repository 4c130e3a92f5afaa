//! Sound as studios and speech programs deliver it, made fit for a call: WAV of any rate, width and number of channels
//! becomes 8,000 samples a second of one channel. It is done once, when a prompt is loaded.

use super::Law;
use crate::base::Text;
use std::f64::consts::PI;
use std::fmt;

/// Samples a second of everything here.
pub const RATE: usize = 8000;

/// Ten minutes: the longest prompt or piece of music that is kept in memory.
pub const MAX_SAMPLES: usize = 600 * RATE;

/// Why a file cannot be a prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum PromptError {
    Empty,
    TooLong,
    Channels(u16),
    Rate(u32),
    Format { tag: u16, bits: u16 },
    NoWav,
    Cut,
}

impl PromptError {
    pub fn told(&self) -> Text {
        match self {
            PromptError::Empty => both!("holds no audio", "没有声音"),
            PromptError::TooLong => {
                let minutes = MAX_SAMPLES / RATE / 60;
                both!("is longer than {minutes} minutes", "长于 {minutes} 分钟")
            }
            PromptError::Channels(n) => both!("has {n} channels: 1 to 8 can be read", "有 {n} 个声道，可读 1 至 8 个"),
            PromptError::Rate(hz) => {
                both!("has {hz} samples a second: 4000 to 192000 can be read", "采样率为 {hz}，可读 4000 至 192000")
            }
            PromptError::Format { tag, bits } => both!(
                "has samples of format {tag} with {bits} bits: save it as PCM (8 to 32 bits), float, A-law or µ-law",
                "采样格式为 {tag}（{bits} 位），请另存为 PCM（8 至 32 位）、浮点、A 律或 µ 律"
            ),
            PromptError::NoWav => both!(
                "is no WAV file: convert it, for instance by `ffmpeg -i FILE NAME.wav`",
                "不是 WAV 文件，请转换，例如：`ffmpeg -i 原文件 名称.wav`"
            ),
            PromptError::Cut => both!("ends in the middle: it was not copied whole", "文件不完整，没有完整复制"),
        }
    }
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told().en)
    }
}

impl std::error::Error for PromptError {}

/// RFC 2361, and `WAVE_FORMAT_EXTENSIBLE`, which tells the tag at the beginning of its GUID.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// Slower than a telephone's sound is no speech, and no studio is faster.
const RATES: std::ops::RangeInclusive<u32> = 4000..=192_000;
const MOST_CHANNELS: u16 = 8;
/// A program that writes into a pipe does not know how long the sound will be, and says so much.
const ENDLESS: usize = 0x7fff_0000;

/// Zero crossings of the low-pass on each side: with Blackman's window it falls within 700 Hz.
const CROSSINGS: f64 = 32.0;
/// Share of half the lower rate that is kept; all above it would come back as noise.
const EDGE: f64 = 0.91;

struct Header {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

/// The samples of a WAV file.
pub fn from_wav(bytes: &[u8]) -> Result<Vec<i16>, PromptError> {
    let (header, data) = chunks(bytes)?;
    let Header { tag, channels, rate, bits } = header;
    if !(1..=MOST_CHANNELS).contains(&channels) {
        return Err(PromptError::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(PromptError::Rate(rate));
    }
    let decode = decoder(tag, bits).ok_or(PromptError::Format { tag, bits })?;
    let width = usize::from(bits / 8);
    let frame = width * usize::from(channels);
    if data.len() / frame > MAX_SAMPLES / RATE * rate as usize {
        return Err(PromptError::TooLong);
    }
    let mono: Vec<f64> =
        data.chunks_exact(frame).map(|frame| frame.chunks_exact(width).map(decode).sum::<f64>() / f64::from(channels)).collect();
    let samples = if rate as usize == RATE { mono } else { resampled(&mono, rate as usize) };
    Ok(samples.iter().map(|sample| (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16).collect())
}

/// The format and the sound.
fn chunks(bytes: &[u8]) -> Result<(Header, &[u8]), PromptError> {
    let riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE");
    let mut rest = bytes.get(12..).filter(|_| riff).ok_or(PromptError::NoWav)?;
    let mut header = None;
    while let Some((head, after)) = rest.split_at_checked(8) {
        let size = word(head, 4).map_or(0, |size| size as usize);
        let body = after.get(..size);
        match head.get(..4) {
            Some(b"fmt ") => header = body.and_then(read_header),
            Some(b"data") => {
                let data = body.or((size >= ENDLESS).then_some(after)).ok_or(PromptError::Cut)?;
                return header.map(|header| (header, data)).ok_or(PromptError::NoWav);
            }
            _ => {}
        }
        // A chunk of odd length is followed by one more byte.
        rest = after.get(size.saturating_add(size & 1)..).unwrap_or_default();
    }
    Err(PromptError::NoWav)
}

fn read_header(body: &[u8]) -> Option<Header> {
    let tag = match half(body, 0)? {
        EXTENSIBLE => half(body, 24)?,
        tag => tag,
    };
    Some(Header { tag, channels: half(body, 2)?, rate: word(body, 4)?, bits: half(body, 14)? })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// From a sample's bytes to a number between -1 and 1.
fn decoder(tag: u16, bits: u16) -> Option<fn(&[u8]) -> f64> {
    Some(match (tag, bits) {
        (PCM, 8) => |b| b.first().map_or(0.0, |b| (f64::from(*b) - 128.0) / 128.0),
        (PCM, 16) => |b| f64::from(half(b, 0).unwrap_or_default().cast_signed()) / 32768.0,
        (PCM, 24) => |b| match b {
            [low, middle, high] => f64::from(i32::from_le_bytes([0, *low, *middle, *high])) / 2_147_483_648.0,
            _ => 0.0,
        },
        (PCM, 32) => |b| f64::from(word(b, 0).unwrap_or_default().cast_signed()) / 2_147_483_648.0,
        (FLOAT, 32) => |b| finite(f64::from(f32::from_bits(word(b, 0).unwrap_or_default()))),
        (FLOAT, 64) => |b| finite(b.try_into().map_or(0.0, f64::from_le_bytes)),
        (A_LAW, 8) => |b| b.first().map_or(0.0, |b| f64::from(Law::A.decode(*b)) / 32768.0),
        (MU_LAW, 8) => |b| b.first().map_or(0.0, |b| f64::from(Law::Mu.decode(*b)) / 32768.0),
        _ => return None,
    })
}

fn finite(sample: f64) -> f64 {
    if sample.is_finite() { sample } else { 0.0 }
}

/// Sound of another rate, by a windowed sinc. A moment of the new sound lies between two of the old in one of a few ways,
/// for each of which the weights are made once.
fn resampled(sound: &[f64], rate: usize) -> Vec<f64> {
    let common = divisor(rate, RATE);
    let (step, phases) = (rate / common, RATE / common);
    let cutoff = EDGE * (RATE as f64 / rate as f64).min(1.0);
    let reach = (CROSSINGS / cutoff).ceil() as usize;
    let weights: Vec<Vec<f64>> = (0..phases).map(|phase| weights(phase as f64 / phases as f64, cutoff, reach)).collect();
    let length = sound.len() * RATE / rate;
    let one = |n: usize| {
        let (at, phase) = (n * step / phases, n * step % phases);
        let first = at as isize + 1 - reach as isize;
        let skipped = first.min(0).unsigned_abs();
        let heard = sound.get(first.max(0).unsigned_abs()..).unwrap_or_default();
        weights
            .get(phase)
            .map_or(0.0, |weights| weights.iter().skip(skipped).zip(heard).map(|(weight, sample)| weight * sample).sum())
    };
    (0..length).map(one).collect()
}

/// The weight of each old sample for a moment that lies `part` of a step after the one in the middle.
fn weights(part: f64, cutoff: f64, reach: usize) -> Vec<f64> {
    let wide = reach as f64;
    let weight = |k: usize| {
        let x = k as f64 + 1.0 - wide - part;
        let sinc = if x == 0.0 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
        let place = x / wide;
        sinc * (0.42 + 0.5 * (PI * place).cos() + 0.08 * (2.0 * PI * place).cos())
    };
    (0..2 * reach).map(weight).collect()
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let frame = channels * bits / 8;
        let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        file.extend([tag.to_le_bytes(), channels.to_le_bytes()].concat());
        file.extend([rate.to_le_bytes(), (rate * u32::from(frame)).to_le_bytes()].concat());
        file.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
        file.extend(b"data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }

    /// A second of a tone of half the full scale, the same in both channels.
    fn tone(hertz: f64, rate: u32, encode: impl Fn(f64) -> Vec<u8>) -> Vec<u8> {
        let sample = |n: u32| 0.5 * (2.0 * PI * hertz * f64::from(n) / f64::from(rate)).sin();
        (0..rate).flat_map(|n| encode(sample(n)).repeat(2)).collect()
    }

    /// The level of what is heard, without the beginning and the end; and how much of it is not the tone.
    fn heard(file: &[u8], hertz: f64) -> (f64, f64) {
        let samples = from_wav(file).unwrap();
        assert!(samples.len().abs_diff(RATE) <= 1, "{}", samples.len());
        let middle = &samples[1000..7000];
        let turn = |n: usize| 2.0 * PI * hertz * n as f64 / RATE as f64;
        let part = |f: fn(f64) -> f64| {
            let sum: f64 = middle.iter().enumerate().map(|(n, s)| f64::from(*s) * f(turn(n + 1000))).sum();
            sum * 2.0 / middle.len() as f64
        };
        let (sine, cosine) = (part(f64::sin), part(f64::cos));
        let power = |s: f64| s * s / middle.len() as f64;
        let rest: f64 = middle
            .iter()
            .enumerate()
            .map(|(n, s)| power(f64::from(*s) - sine * turn(n + 1000).sin() - cosine * turn(n + 1000).cos()))
            .sum();
        (sine.hypot(cosine) / 32768.0, rest.sqrt() / 32768.0)
    }

    /// From a number between -1 and 1 to a sample's bytes.
    type Encode = fn(f64) -> Vec<u8>;

    #[test]
    fn every_width_and_rate_sounds_the_same() {
        let widths: [(u16, u16, Encode); 8] = [
            (PCM, 8, |s| vec![(s * 127.0 + 128.0) as u8]),
            (PCM, 16, |s| ((s * 32767.0) as i16).to_le_bytes().to_vec()),
            (PCM, 24, |s| ((s * 8_388_607.0) as i32).to_le_bytes()[..3].to_vec()),
            (PCM, 32, |s| ((s * 2_147_483_647.0) as i32).to_le_bytes().to_vec()),
            (FLOAT, 32, |s| (s as f32).to_le_bytes().to_vec()),
            (FLOAT, 64, |s| s.to_le_bytes().to_vec()),
            (A_LAW, 8, |s| vec![Law::A.encode((s * 32767.0) as i16)]),
            (MU_LAW, 8, |s| vec![Law::Mu.encode((s * 32767.0) as i16)]),
        ];
        for rate in [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000] {
            for (tag, bits, encode) in widths {
                let (level, rest) = heard(&wav(tag, 2, rate, bits, &tone(1000.0, rate, encode)), 1000.0);
                assert!((0.48..0.52).contains(&level) && rest < 0.02, "{tag} {bits} {rate}: {level} {rest}");
            }
        }
    }

    /// A tone that a telephone cannot carry does not come back as another one.
    #[test]
    fn what_is_too_high_is_not_heard() {
        for (hertz, rate) in [(5000.0, 16_000), (6000.0, 44_100), (7000.0, 48_000), (4100.0, 48_000)] {
            let file = wav(PCM, 2, rate, 16, &tone(hertz, rate, |s| ((s * 32767.0) as i16).to_le_bytes().to_vec()));
            let loudest = from_wav(&file).unwrap()[1000..7000].iter().map(|s| s.unsigned_abs()).max();
            assert!(loudest < Some(40), "{hertz} Hz at {rate}: {loudest:?}");
        }
        let (level, _) =
            heard(&wav(PCM, 2, 48_000, 16, &tone(3000.0, 48_000, |s| ((s * 32767.0) as i16).to_le_bytes().to_vec())), 3000.0);
        assert!(level > 0.45, "{level}");
    }

    #[test]
    fn what_is_no_sound_is_told() {
        let error = |bytes: &[u8]| from_wav(bytes).unwrap_err();
        assert_eq!(error(b"ID3"), PromptError::NoWav);
        assert_eq!(error(&wav(PCM, 9, 8000, 16, &[0; 18])), PromptError::Channels(9));
        assert_eq!(error(&wav(PCM, 1, 1000, 16, &[0; 2])), PromptError::Rate(1000));
        assert_eq!(error(&wav(2, 1, 8000, 4, &[0; 2])), PromptError::Format { tag: 2, bits: 4 });
        let mut file = wav(PCM, 1, 8000, 16, &[0; 200]);
        file.truncate(150);
        assert_eq!(error(&file), PromptError::Cut);
        let at = 48;
        assert_eq!(&file[at..at + 4], b"data");
        file[at + 4..at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(from_wav(&file).is_ok(), "a stream does not know its length");
    }
}
