//! Keys that a leg is sent, one after the other: as telephone-events (RFC 4733), or as tones in its audio.

use crate::media::Law;
use std::collections::VecDeque;
use std::f32::consts::TAU;

/// Keys that wait; more are dropped.
const WAITING: usize = 32;
/// A key sounds for 100 ms, or for as many whole packets as fit in; 60 ms of pause follow.
const TONE: u32 = 800;
const GAP: u32 = 480;
/// The end is said three times (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;

/// RFC 4733 §3.2, table 3, by event number.
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// The keypad of ITU-T Q.23 and its frequencies.
pub const PAD: &[u8; 16] = b"123A456B789C*0#D";
pub const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// −9 and −7 dBm0, where full scale is +3.14: the higher tone is lost more on the way.
const LOW_LEVEL: f32 = 8100.0;
const HIGH_LEVEL: f32 = 10_200.0;

#[derive(Debug, Default)]
pub struct Dialer {
    waiting: VecDeque<u8>,
    press: Option<Press>,
}

/// A step of dialling: it goes out in one slot instead of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Event {
        event: u8,
        duration: u32,
        first: bool,
        end: bool,
    },
    /// One frame of the tones, from this sample of them on.
    Tone {
        event: u8,
        at: u32,
    },
    /// Between two keys audio goes on.
    Pause,
}

#[derive(Debug)]
struct Press {
    event: u8,
    as_event: bool,
    /// Samples sounded so far, ends said, samples since the end.
    at: u32,
    ends: u8,
    gap: u32,
}

impl Dialer {
    pub fn push(&mut self, key: char) {
        let event = KEYS.iter().position(|known| char::from(*known) == key.to_ascii_uppercase());
        self.waiting.extend(event.filter(|_| self.waiting.len() < WAITING).map(|event| event as u8));
    }

    pub fn busy(&self) -> bool {
        self.press.is_some() || !self.waiting.is_empty()
    }

    /// A slot of so many samples has come; none: nothing to dial.
    pub fn step(&mut self, samples: u32, as_event: bool) -> Option<Step> {
        let mut press = match self.press.take() {
            Some(press) => press,
            None => Press { event: self.waiting.pop_front()?, as_event, at: 0, ends: 0, gap: 0 },
        };
        let step = press.step(samples);
        self.press = (!press.over()).then_some(press);
        Some(step)
    }
}

impl Press {
    fn step(&mut self, samples: u32) -> Step {
        let (event, first) = (self.event, self.at == 0);
        if !self.as_event {
            self.at += samples;
            return Step::Tone { event, at: self.at - samples };
        }
        if self.ends == 0 {
            self.at += samples;
            self.ends = u8::from(self.at + samples > TONE);
        } else {
            self.gap += samples;
            if self.ends == ENDS {
                return Step::Pause;
            }
            self.ends += 1;
        }
        Step::Event { event, duration: self.at, first, end: self.ends > 0 }
    }

    fn over(&self) -> bool {
        if self.as_event { self.ends == ENDS && self.gap >= GAP } else { self.at >= TONE + GAP }
    }
}

/// Appends `samples` codes of a key's two tones from sample `at` on; what lies after their end is silence.
pub fn append_tone(out: &mut Vec<u8>, event: u8, at: u32, samples: u32, law: Law) {
    let key = KEYS[usize::from(event & 15)];
    let place = PAD.iter().position(|pad| *pad == key).unwrap_or_default();
    let wave = |hertz: f32, i: u32| (TAU * hertz * i as f32 / 8000.0).sin();
    out.extend((at..at + samples).map(|i| match i {
        0..TONE => law.encode((LOW_LEVEL * wave(LOW[place / 4], i) + HIGH_LEVEL * wave(HIGH[place % 4], i)) as i16),
        _ => law.silence(),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(ptime: u32, as_event: bool) -> Vec<Step> {
        let mut dialer = Dialer::default();
        dialer.push('7');
        std::iter::from_fn(|| dialer.step(ptime * 8, as_event)).collect()
    }

    #[test]
    fn a_key_is_one_event_with_three_ends() {
        for ptime in [10, 20, 30, 40, 50, 60] {
            let steps = steps(ptime, true);
            let mut sounded = 0;
            let mut ends = 0;
            for (i, step) in steps.iter().enumerate() {
                let Step::Event { event, duration, first, end } = *step else { continue };
                assert_eq!((event, first), (7, i == 0));
                assert!(duration == sounded + ptime * 8 || (end && duration == sounded), "{steps:?}");
                (sounded, ends) = (duration, ends + u32::from(end));
            }
            assert!((400..=800).contains(&sounded) && ends == 3, "{ptime} ms: {steps:?}");
            let after = steps.iter().rev().take_while(|s| matches!(s, Step::Pause | Step::Event { end: true, .. })).count();
            assert!((after as u32 - 1) * ptime >= 60, "the pause after it: {steps:?}");
        }
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_no_key_is_dropped() {
        let mut dialer = Dialer::default();
        "x!é ".chars().for_each(|c| dialer.push(c));
        assert!(!dialer.busy());
        (0..1000).for_each(|_| dialer.push('d'));
        let firsts =
            std::iter::from_fn(|| dialer.step(160, true)).filter(|s| matches!(s, Step::Event { first: true, event: 15, .. }));
        assert_eq!(firsts.count(), WAITING);
    }
}
