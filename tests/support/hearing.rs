//! Tells what an ear heard, in the time of the stream itself: slices of 10 ms, each with the tones that sound in it; and what
//! changed when. A hole in the stream's timestamps is silence.

use super::rtp::Ear;
use super::tone::amplitude;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// 10 ms of A-law. Tones at multiples of 100 Hz do not disturb each other in it.
const SLICE: usize = 80;
const SLICE_MS: u64 = 10;
/// The levels of a hum and of silence. Anything between is a piece of a hum.
const CLEAR: f64 = 0.75 * 8000.0;
const NOTHING: f64 = 0.15 * 8000.0;

#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    Silence,
    /// A part of a slice, or something that is no tone.
    Other,
    Tones(Vec<u32>),
}

struct Slice {
    at: Instant,
    sound: Sound,
}

/// Everything up to now.
pub struct Hearing {
    slices: Vec<Slice>,
}

/// How one ear took one change.
pub struct Change {
    /// Milliseconds in a row in which neither the old nor the new was heard.
    pub gap: u64,
    /// From the moment of asking until the new arrived.
    pub after: Duration,
    /// In a row, later, while it should have gone on.
    pub missing: u64,
}

impl Hearing {
    pub fn of(ear: &Ear, tones: &[u32]) -> Hearing {
        let mut audio: BTreeMap<i64, (Instant, Vec<u8>)> = BTreeMap::new();
        let arrivals = ear.arrivals();
        let Some((_, first)) = arrivals.first() else { return Hearing { slices: Vec::new() } };
        let origin = first.timestamp;
        for (at, packet) in arrivals.iter().filter(|(_, p)| p.payload_type == 8) {
            audio.insert(i64::from(packet.timestamp.wrapping_sub(origin) as i32), (*at, packet.payload.clone()));
        }
        let mut samples: Vec<(Instant, u8)> = Vec::new();
        for (start, (at, codes)) in &audio {
            let hole = (*start - samples.len() as i64).max(0) as usize;
            samples.extend(std::iter::repeat_n((*at, 0xD5), hole));
            samples.extend(codes.iter().map(|code| (*at, *code)));
        }
        let slice = |part: &[(Instant, u8)]| {
            let codes: Vec<u8> = part.iter().map(|(_, code)| *code).collect();
            Slice { at: part[part.len() - 1].0, sound: sound(&codes, tones) }
        };
        Hearing { slices: samples.chunks_exact(SLICE).map(slice).collect() }
    }

    /// Nothing else was heard during the last milliseconds, all of them after that moment.
    pub fn settled(&self, since: Instant, tones: &[u32], milliseconds: u64) -> bool {
        let sound = Sound::Tones(tones.to_vec());
        let last = self.slices.iter().rev().take_while(|s| s.at >= since && s.sound == sound);
        last.count() as u64 * SLICE_MS >= milliseconds
    }

    /// The change asked for at `asked`, from these tones to those, which then were to go on until `until`.
    pub fn change(&self, asked: Instant, old: &[u32], new: &[u32], until: Instant) -> Result<Change, String> {
        // One of several who begin together may be first by a part of a packet.
        let foreign = |tones: &[u32]| [old, new].iter().all(|known| tones.iter().any(|t| !known.contains(t)));
        let (old, new) = (Sound::Tones(old.to_vec()), Sound::Tones(new.to_vec()));
        let part: Vec<&Slice> = self.slices.iter().filter(|s| s.at >= asked && s.at < until).collect();
        let begun = part.iter().position(|s| s.sound == new).ok_or_else(|| format!("{new:?} never came"))?;
        let wrong = |s: &&&Slice| matches!(&s.sound, Sound::Tones(tones) if foreign(tones));
        if let Some(wrong) = part.iter().find(wrong) {
            return Err(format!("{:?} in a change from {old:?} to {new:?}", wrong.sound));
        }
        if old != new && part[begun..].iter().any(|s| s.sound == old) {
            return Err(format!("{old:?} came back after {new:?} had begun"));
        }
        let run = |slices: &[&Slice]| longest(slices.iter().map(|s| s.sound != old && s.sound != new)) * SLICE_MS;
        let after = part[begun].at.duration_since(asked);
        Ok(Change { gap: run(&part[..begun]), after, missing: run(&part[begun..]) })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gap {:2} ms, new after {:3} ms, then missing {:2} ms", self.gap, self.after.as_millis(), self.missing)
    }
}

fn sound(codes: &[u8], tones: &[u32]) -> Sound {
    let levels: Vec<(u32, f64)> = tones.iter().map(|t| (*t, amplitude(codes, *t))).collect();
    if levels.iter().any(|(_, level)| (NOTHING..CLEAR).contains(level)) {
        return Sound::Other;
    }
    let clear: Vec<u32> = levels.iter().filter(|(_, level)| *level >= CLEAR).map(|(t, _)| *t).collect();
    match clear.is_empty() {
        false => Sound::Tones(clear),
        true if codes.iter().all(|code| matches!(code ^ 0x55, 0x80..0x84 | 0x00..0x04)) => Sound::Silence,
        true => Sound::Other,
    }
}

fn longest(bad: impl Iterator<Item = bool>) -> u64 {
    let (_, longest) = bad.fold((0, 0), |(run, longest), bad| {
        let run = if bad { run + 1 } else { 0 };
        (run, longest.max(run))
    });
    longest
}
