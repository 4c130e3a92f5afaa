//! A phone's voice, and what it makes of what it hears.

use super::g711::{a_law, linear};
use super::{Leg, State};
use bytes::Bytes;
use std::f64::consts::TAU;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

const FRAME: usize = 160;
const HEADER: usize = 12;
/// Tones are this far apart, so that a frame of 20 ms holds whole waves of each and tells them apart exactly.
const STEP: usize = 50;
const TONES: usize = 60;
/// A-law of nothing.
const SILENCE: u8 = 0xD5;
const LOUDNESS: f64 = 8000.0;
/// The milliseconds of a stream that may be missing or wrong in a row.
const MOST: u32 = 40;
/// A voice pauses for so many between two words.
const PAUSE: u32 = 400;
/// A packet may come so much later than the time that one lasts after the one before it: a small jitter buffer.
const LATEST: Duration = Duration::from_millis(40);

/// The tone of a leg: no other leg of the next nineteen calls has it.
fn tone(call: usize, role: usize) -> usize {
    300 + STEP * ((call * 3 + role) % TONES)
}

pub struct Voice {
    pub to: SocketAddr,
    packet: [u8; HEADER + FRAME],
    sequence: u16,
}

impl Voice {
    pub fn new(leg: &Leg) -> Voice {
        let hertz = tone(leg.call, leg.role) as f64;
        let mut packet = [0; HEADER + FRAME];
        (packet[0], packet[1]) = (0x80, 8);
        packet[8..12].copy_from_slice(&(leg.call as u32 * 4 + leg.role as u32).to_be_bytes());
        for (i, code) in packet[HEADER..].iter_mut().enumerate() {
            *code = a_law(LOUDNESS * (TAU * hertz * i as f64 / 8000.0).sin());
        }
        Voice { to: leg.to, packet, sequence: 0 }
    }

    pub fn next(&mut self) -> Bytes {
        self.sequence = self.sequence.wrapping_add(1);
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&(u32::from(self.sequence) * FRAME as u32).to_be_bytes());
        Bytes::copy_from_slice(&self.packet)
    }
}

/// One leg's ear.
pub struct Ear {
    /// Those of the call, by role, and one of another call.
    tones: [Filter; 4],
    role: usize,
    /// The milliseconds that a packet lasts.
    ptime: u32,
    last: Option<(u16, u32, u32, Duration)>,
    state: u8,
    pub packets: u64,
    pub judged: u64,
    pub excused: u64,
    pub lost: u64,
    /// SSRC changed, or timestamps were no whole packet apart.
    pub broken: u64,
    wrong_now: u32,
    pub longest_wrong: u32,
    pub widest: Duration,
}

struct Filter {
    cos: Vec<f64>,
    sin: Vec<f64>,
}

impl Filter {
    fn new(hertz: usize) -> Filter {
        let angle = |i: usize| TAU * hertz as f64 * i as f64 / 8000.0;
        Filter { cos: (0..FRAME).map(|i| angle(i).cos()).collect(), sin: (0..FRAME).map(|i| angle(i).sin()).collect() }
    }

    fn hears(&self, samples: &[f64; FRAME]) -> f64 {
        let sum = |wave: &[f64]| wave.iter().zip(samples).map(|(w, s)| w * s).sum::<f64>();
        let (re, im) = (sum(&self.cos), sum(&self.sin));
        2.0 / FRAME as f64 * (re * re + im * im).sqrt()
    }
}

impl Ear {
    pub fn new(leg: &Leg, ptime: u32) -> Ear {
        let tones = [0, 1, 2].map(|role| tone(leg.call, role));
        Ear {
            tones: [tones[0], tones[1], tones[2], tone(leg.call + 1, leg.role)].map(Filter::new),
            role: leg.role,
            ptime,
            last: None,
            state: State::Settling as u8,
            packets: 0,
            judged: 0,
            excused: 0,
            lost: 0,
            broken: 0,
            wrong_now: 0,
            longest_wrong: 0,
            widest: Duration::ZERO,
        }
    }

    /// A packet has come. While the call settles only its stream's numbers are judged.
    pub fn hear(&mut self, now: Duration, data: &[u8], state: u8, excused: bool) {
        let samples = self.ptime * 8;
        if data.len() != HEADER + samples as usize || data[1] & 0x7F != 8 {
            return;
        }
        self.packets += 1;
        let word = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
        let (sequence, timestamp, ssrc) = (u16::from_be_bytes([data[2], data[3]]), word(4), word(8));
        let judge = state != State::Settling as u8;
        if let Some((last, before, source, at)) = self.last {
            self.lost += u64::from(sequence.wrapping_sub(last).wrapping_sub(1));
            let step = timestamp.wrapping_sub(before);
            // Music stops and goes on in a phase of its own where words are spoken.
            let whole = state == State::Music as u8 || step == samples;
            self.broken += u64::from(ssrc != source || (judge && self.state == state && !whole && !excused));
            if judge && self.state == state && !excused {
                self.widest = self.widest.max(now.saturating_sub(at));
            }
        }
        self.last = Some((sequence, timestamp, ssrc, now));
        self.state = state;
        self.excused += u64::from(judge && excused);
        if !judge || excused {
            self.wrong_now = 0;
            return;
        }
        self.judged += 1;
        self.wrong_now = if self.right(&data[HEADER..], state) { 0 } else { self.wrong_now + self.ptime };
        self.longest_wrong = self.longest_wrong.max(self.wrong_now);
    }

    fn right(&self, codes: &[u8], state: u8) -> bool {
        if state == State::Music as u8 {
            return codes.iter().any(|code| code ^ SILENCE > 1);
        }
        let mut samples = [0.0; FRAME];
        samples.iter_mut().zip(codes).for_each(|(sample, code)| *sample = f64::from(linear(*code)));
        let parties = if state == State::Three as u8 { 3 } else { 2 };
        self.tones.iter().enumerate().all(|(role, filter)| {
            let level = filter.hears(&samples);
            if role < parties && role != self.role { level > 0.75 * LOUDNESS } else { level < 0.1 * LOUDNESS }
        })
    }

    fn widest_allowed(&self) -> Duration {
        Duration::from_millis(self.ptime.into()) + LATEST
    }

    pub fn clean(&self) -> bool {
        let most = if self.state == State::Music as u8 { PAUSE } else { MOST };
        self.lost == 0
            && self.broken == 0
            && self.longest_wrong <= most
            && self.widest <= self.widest_allowed()
            && self.judged > 0
    }
}

pub struct Total {
    packets: u64,
    judged: u64,
    excused: u64,
    lost: u64,
    broken: u64,
    longest_wrong: u32,
    widest: Duration,
}

pub fn total(ears: &[Ear]) -> Total {
    let sum = |of: fn(&Ear) -> u64| ears.iter().map(of).sum();
    Total {
        packets: sum(|e| e.packets),
        judged: sum(|e| e.judged),
        excused: sum(|e| e.excused),
        lost: sum(|e| e.lost),
        broken: sum(|e| e.broken),
        longest_wrong: ears.iter().map(|e| e.longest_wrong).max().unwrap_or(0),
        widest: ears.iter().map(|e| e.widest).max().unwrap_or_default(),
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} packets heard, {} looked into, {} not judged because the machine was late; {} lost, {} out of their stream, \
             at most {} ms of wrong sound, at most {} ms between two packets",
            self.packets,
            self.judged,
            self.excused,
            self.lost,
            self.broken,
            self.longest_wrong,
            self.widest.as_millis()
        )
    }
}
