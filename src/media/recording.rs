//! Calls' audio put together for their files: frames of each party in, two channels on one time line out. Left is what the
//! caller says. Right is what all others say, mixed, also to each other in a consultation that the caller does not hear; and
//! where none of them says anything, the prompt or the music that the caller hears.
//!
//! A party's frames lie where their RTP timestamps put them; where those jump, or drift away from the time of arrival, the
//! time of arrival counts. Missing audio is silence, and audio that comes too late is left out.
//!
//! Audio that is not to be kept of a time is found by place when that place is written, and by arrival when a frame comes: so a word
//! that was spoken within it is in the file by neither.

use super::wav::Format;
use super::{Law, Side, Tapped};
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Map, MapSeed, Mono};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The caller's number in a call.
const CALLER: u64 = 0;
/// Samples that a lane holds: half a second.
const WINDOW: usize = 4096;
/// Samples that are waited for before a place in time is written.
const DELAY: i64 = 1600;
/// How far timestamps may lead away from the time of arrival.
const SLIP: i64 = 1600;
/// Samples put together at once.
const STEP: usize = 160;
/// Samples by which time may leap. A process that stood still for longer leaves that time out.
const LEAP: i64 = 80_000;
/// Samples that leave together: half a second.
const BLOCK: usize = 4000;
/// Parties at once; one more takes the place of one that is silent.
const LANES: usize = 8;
/// A call that nothing was heard of for so long is over, and nobody said so.
const IDLE: Duration = Duration::from_secs(3600);
/// No sample of G.711 has this value.
const NOTHING: i16 = i16::MIN;

/// Calls that are recorded, each from `begin` to `end`.
pub struct Recordings {
    format: Format,
    /// Calls at once.
    most: usize,
    calls: Map<CallId, Recording>,
    /// When calls end, as far as it is known.
    ends: BTreeSet<(Mono, CallId)>,
    /// The call that is worked on.
    at_work: Option<CallId>,
}

/// The part of a call that is kept from a moment on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    #[default]
    Sound,
    /// Silence of the same length.
    Silence,
    /// The file goes on behind it.
    Nothing,
}

/// The next piece of a recording, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The next frames of a call.
    Audio { call: CallId, bytes: Vec<u8> },
    /// The call is over, and these were all. Some may have been lost.
    Whole { call: CallId, lost: bool },
    /// The call is over, and nothing of it is to be kept.
    Discarded { call: CallId },
}

#[derive(Default)]
struct Recording {
    /// When the first frame came: the beginning of the file.
    start: Option<Mono>,
    /// Places in time before it have left.
    made: i64,
    lanes: Vec<Lane>,
    left: Vec<i16>,
    right: Vec<i16>,
    heard: Mono,
    lost: bool,
    /// The part that is kept at `made`, and from later places on.
    keeping: Keeping,
    turns: VecDeque<(i64, Keeping)>,
    discarded: bool,
}

/// The lane of what one party says, or the caller is played.
struct Lane {
    leg: u64,
    side: Side,
    /// The last frame's timestamp and place.
    anchor: Option<(u32, i64)>,
    /// Where its last sample ends.
    end: i64,
    /// By place in time, over and over.
    samples: Vec<i16>,
}

impl Recordings {
    pub fn new(format: Format, most: usize, seed: MapSeed) -> Recordings {
        Recordings { format, most, calls: Map::with_hasher(seed), ends: BTreeSet::new(), at_work: None }
    }

    /// Calls that are recorded now.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// False: as many are recorded as may be. Those that are over and wait for their last frames are not counted.
    pub fn begin(&mut self, at: Mono, call: CallId) -> bool {
        let room = self.calls.len() - self.ends.len() < self.most;
        if room {
            self.calls.entry(call).or_insert_with(|| Recording { heard: at, ..Recording::default() });
        }
        room
    }

    /// No frame that comes after this moment belongs to the call.
    pub fn end(&mut self, at: Mono, call: CallId) {
        if self.calls.contains_key(&call) {
            self.ends.insert((at, call));
        }
    }

    /// From this moment on something else is kept of the call.
    pub fn turn(&mut self, at: Mono, call: CallId, keeping: Keeping) {
        self.at_work = Some(call);
        if let Some(recording) = self.calls.get_mut(&call) {
            recording.turn(at, keeping);
        }
    }

    /// Nothing of the call is to be kept.
    pub fn discard(&mut self, at: Mono, call: CallId) {
        self.calls.get_mut(&call).into_iter().for_each(|recording| recording.discarded = true);
        self.end(at, call);
    }

    /// Frames were lost before they came here; of which calls, nobody knows.
    pub fn lose(&mut self) {
        self.calls.values_mut().for_each(|recording| recording.lost = true);
    }

    pub fn frame(&mut self, tapped: &Tapped, codes: &[u8]) {
        self.at_work = Some(tapped.call);
        if let Some(recording) = self.calls.get_mut(&tapped.call) {
            recording.frame(tapped, codes);
        }
    }

    /// All frames up to this moment are here.
    pub fn advance(&mut self, horizon: Mono, out: &mut Vec<Made>) {
        while let Some(&(at, call)) = self.ends.first()
            && at <= horizon
        {
            self.ends.remove(&(at, call));
            self.finish(call, Some(at), out);
        }
        let mut idle = Vec::new();
        for (call, recording) in &mut self.calls {
            self.at_work = Some(*call);
            let bytes = recording.advance(horizon, self.format);
            out.extend(bytes.map(|bytes| Made::Audio { call: *call, bytes }));
            if horizon.since(recording.heard) >= IDLE {
                idle.push(*call);
            }
        }
        idle.into_iter().for_each(|call| self.finish(call, None, out));
    }

    /// The last thing that was done has panicked: the call that it was done for is recorded no further. False: it was no call's.
    pub fn recover(&mut self, out: &mut Vec<Made>) -> bool {
        let Some(call) = self.at_work.take() else { return false };
        self.calls.remove(&call);
        self.ends.retain(|(_, ending)| *ending != call);
        out.push(Made::Whole { call, lost: true });
        true
    }

    /// The rest of a call. One whose sound was kept ends with its last frame; another with the call.
    fn finish(&mut self, call: CallId, at: Option<Mono>, out: &mut Vec<Made>) {
        self.at_work = Some(call);
        let Some(mut recording) = self.calls.remove(&call) else { return };
        trap::spring(Trap::Recording);
        if recording.discarded {
            return out.push(Made::Discarded { call });
        }
        let heard = recording.lanes.iter().map(|lane| lane.end).max().unwrap_or(0);
        let last = recording.turns.back().map_or(recording.keeping, |(_, keeping)| *keeping);
        let over = at.filter(|_| last == Keeping::Silence && recording.start.is_some()).map(|at| recording.now(at));
        recording.make(over.unwrap_or(heard));
        out.extend(recording.block(1, self.format).map(|bytes| Made::Audio { call, bytes }));
        out.push(Made::Whole { call, lost: recording.lost });
    }
}

impl Recording {
    fn frame(&mut self, tapped: &Tapped, codes: &[u8]) {
        self.heard = tapped.at;
        trap::spring(Trap::Recording);
        let arrived = self.now(tapped.at);
        if self.keeping_at(arrived) != Keeping::Sound {
            return;
        }
        let Some(index) = self.lane(tapped) else {
            self.lost = true;
            return;
        };
        let at = self.lanes[index].place(tapped.timestamp, arrived);
        let end = at + codes.len() as i64;
        // Others that are late by half a second have lost their place.
        self.make(end - WINDOW as i64);
        self.lanes[index].write(at, self.made, tapped.law, codes);
    }

    /// Before the first frame there is no place yet: what is kept then is kept from the beginning.
    fn turn(&mut self, at: Mono, keeping: Keeping) {
        match self.start {
            None => self.keeping = keeping,
            Some(_) => {
                let place = self.now(at).max(self.made);
                self.turns.push_back((place, keeping));
            }
        }
    }

    fn keeping_at(&self, place: i64) -> Keeping {
        self.turns.iter().rev().find(|(from, _)| *from <= place).map_or(self.keeping, |(_, keeping)| *keeping)
    }

    /// Where a moment lies; the first begins the file.
    fn now(&mut self, at: Mono) -> i64 {
        let start = *self.start.get_or_insert(at);
        let now = samples(at.since(start));
        if now - self.made <= LEAP {
            return now;
        }
        self.lost = true;
        let here = self.made + DELAY;
        self.start = Some(start.after(Duration::from_micros((now - here) as u64 * 125)));
        here
    }

    /// Where its party's lane is; none: too many talk at once.
    fn lane(&mut self, tapped: &Tapped) -> Option<usize> {
        let known = self.lanes.iter().position(|lane| lane.leg == tapped.leg && lane.side == tapped.side);
        if known.is_some() {
            return known;
        }
        if self.lanes.len() >= LANES {
            self.lanes.retain(|lane| lane.end > self.made);
        }
        if self.lanes.len() >= LANES {
            return None;
        }
        self.lanes.push(Lane::new(tapped));
        Some(self.lanes.len() - 1)
    }

    fn advance(&mut self, horizon: Mono, format: Format) -> Option<Vec<u8>> {
        self.start?;
        let now = self.now(horizon);
        self.make(now - DELAY);
        self.block(BLOCK, format)
    }

    /// The block that was made, if it is so long.
    fn block(&mut self, least: usize, format: Format) -> Option<Vec<u8>> {
        if self.left.len() < least {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.left.len() * format.frame());
        format.append(&self.left, &self.right, &mut bytes);
        self.left.clear();
        self.right.clear();
        Some(bytes)
    }

    /// Mixes up to this place.
    fn make(&mut self, upto: i64) {
        while self.made < upto {
            while let Some(&(from, keeping)) = self.turns.front()
                && from <= self.made
            {
                self.keeping = keeping;
                self.turns.pop_front();
            }
            let until = self.turns.front().map_or(upto, |(from, _)| upto.min(*from));
            let count = usize::try_from(until - self.made).unwrap_or(STEP).min(STEP);
            let (mut said, mut others, mut played) = ([0; STEP], [None; STEP], [0; STEP]);
            for lane in self.lanes.iter_mut().filter(|lane| lane.end > self.made) {
                let whose = (lane.side, lane.leg);
                let each = lane.take(self.made, count);
                match whose {
                    (Side::Said, CALLER) => each.for_each(|(i, sample)| said[i] = sample),
                    (Side::Said, _) => each.for_each(|(i, sample)| others[i] = Some(others[i].unwrap_or(0) + i32::from(sample))),
                    (Side::Played, _) => each.for_each(|(i, sample)| played[i] = sample),
                }
            }
            let clamp = |sum: i32| sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            let right = others.iter().zip(played).take(count).map(|(others, played)| others.map_or(played, clamp));
            match self.keeping {
                Keeping::Sound => {
                    self.left.extend_from_slice(&said[..count]);
                    self.right.extend(right);
                }
                Keeping::Silence => {
                    [&mut self.left, &mut self.right].into_iter().for_each(|side| side.resize(side.len() + count, 0))
                }
                Keeping::Nothing => {}
            }
            self.made += count as i64;
        }
    }
}

impl Lane {
    fn new(tapped: &Tapped) -> Lane {
        Lane { leg: tapped.leg, side: tapped.side, anchor: None, end: 0, samples: vec![NOTHING; WINDOW] }
    }

    /// Where a frame lies.
    fn place(&mut self, timestamp: u32, arrived: i64) -> i64 {
        let told = self.anchor.map(|(last, at)| at + i64::from(timestamp.wrapping_sub(last) as i32));
        let at = told.filter(|at| (at - arrived).abs() <= SLIP).unwrap_or(arrived);
        self.anchor = Some((timestamp, at));
        at
    }

    /// Audio that lies before `made` is too late.
    fn write(&mut self, at: i64, made: i64, law: Law, codes: &[u8]) {
        for (place, code) in (at..).zip(codes).filter(|(place, _)| *place >= made) {
            self.samples[place as usize % WINDOW] = law.decode(*code);
        }
        self.end = self.end.max(at + codes.len() as i64);
    }

    /// The samples there are from this place on, each with its distance from it.
    fn take(&mut self, from: i64, count: usize) -> impl Iterator<Item = (usize, i16)> {
        let samples = &mut self.samples;
        let each = move |i: usize| (i, std::mem::replace(&mut samples[(from as usize + i) % WINDOW], NOTHING));
        (0..count).map(each).filter(|(_, sample)| *sample != NOTHING)
    }
}

fn samples(time: Duration) -> i64 {
    i64::try_from(time.as_micros() * 8 / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
