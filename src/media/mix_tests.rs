//! Conferences in virtual time: every leg sends its own tone, and what each leg hears is taken apart again.

use super::bench::{Bench, local, peer, profile};
use super::*;
use crate::media::Law;
use rtp_rs::{RtpPacketBuilder, RtpReader};
use std::f64::consts::TAU;

const A: LegId = LegId(1);
const B: LegId = LegId(2);
const C: LegId = LegId(3);
const D: LegId = LegId(4);

/// Leg n's tone. Multiples of 50 Hz, so that 20 ms hold whole periods.
fn tone_of(leg: LegId) -> f64 {
    [0.0, 400.0, 650.0, 950.0, 1350.0][leg.0 as usize]
}

/// One that speaks into a leg: when its next packet is due, how it is numbered.
struct Talker {
    leg: LegId,
    law: Law,
    ptime: u64,
    level: f64,
    due: u64,
    sequence: u16,
    /// Samples spoken so far.
    at: u32,
    silent: bool,
}

impl Talker {
    fn packet(&mut self) -> Vec<u8> {
        let samples = self.ptime as u32 * 8;
        let wave = |i: u32| (self.level * (TAU * tone_of(self.leg) * f64::from(i) / 8000.0).sin()) as i16;
        let payload: Vec<u8> = (self.at..self.at + samples).map(|i| self.law.encode(wave(i))).collect();
        let payload_type = if self.law == Law::A { 8 } else { 0 };
        let builder = RtpPacketBuilder::new().payload_type(payload_type).ssrc(self.leg.0 as u32).sequence(self.sequence.into());
        let packet = builder.timestamp(self.at).payload(&payload).build().unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        self.at += samples;
        packet
    }
}

/// A packet that a leg was sent: when, and its parts.
struct Got {
    ms: u64,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    marker: bool,
    samples: Vec<i16>,
}

struct Room {
    bench: Bench,
    ms: u64,
    talkers: Vec<Talker>,
    /// Packets on their way: when they arrive, for whom.
    flying: Vec<(u64, LegId, Vec<u8>)>,
    /// The delay of a talker's n-th packet in milliseconds; none: lost.
    net: fn(LegId, u16) -> Option<u64>,
    got: Vec<(LegId, Got)>,
}

impl Room {
    /// Legs A to D are open; A, B and C talk, out of step with each other.
    fn new() -> Room {
        let mut bench = Bench::new();
        for leg in [C, D] {
            bench.command(Command::Open { leg, rtp: local(leg), origins: Arc::default() });
            bench.command(Command::Profile { leg, profile: profile(leg), keys: None });
        }
        let mut room = Room { bench, ms: 0, talkers: Vec::new(), flying: Vec::new(), net: |_, _| Some(0), got: Vec::new() };
        for (leg, due) in [(A, 3), (B, 11), (C, 17)] {
            room.talker(leg, due);
        }
        room
    }

    fn talker(&mut self, leg: LegId, due: u64) {
        let due = self.ms + due;
        self.talkers.push(Talker { leg, law: Law::A, ptime: 20, level: 4000.0, due, sequence: 65_500, at: 0, silent: false });
    }

    fn with(&mut self, leg: LegId) -> &mut Talker {
        self.talkers.iter_mut().find(|t| t.leg == leg).unwrap()
    }

    /// Another law or packet time, for what the leg says and is sent.
    fn codec(&mut self, leg: LegId, law: Law, ptime: u8) {
        let talker = self.with(leg);
        (talker.law, talker.ptime) = (law, u64::from(ptime));
        self.bench.profile(leg, |p| (p.law, p.payload_type, p.ptime) = (law, if law == Law::A { 8 } else { 0 }, ptime));
    }

    fn hear(&mut self, leg: LegId, sources: &[LegId]) {
        self.bench.play(leg, Source::Mix(sources.into()));
    }

    /// Everyone hears all the others.
    fn meet(&mut self, legs: &[LegId]) {
        for leg in legs {
            let others: Vec<LegId> = legs.iter().copied().filter(|other| other != leg).collect();
            self.hear(*leg, &others);
        }
    }

    fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.speak();
            self.bench.pass(1);
            self.ms += 1;
            for leg in [A, B, C, D] {
                for bytes in self.bench.rtp_to(leg) {
                    let got = self.read(leg, &bytes);
                    self.got.push((leg, got));
                }
            }
        }
    }

    fn speak(&mut self) {
        for talker in self.talkers.iter_mut().filter(|t| t.due == self.ms) {
            talker.due += talker.ptime;
            let sequence = talker.sequence;
            let packet = talker.packet();
            if let Some(delay) = (self.net)(talker.leg, sequence).filter(|_| !talker.silent) {
                self.flying.push((self.ms + delay, talker.leg, packet));
            }
        }
        let (now, later) = std::mem::take(&mut self.flying).into_iter().partition(|(at, _, _)| *at <= self.ms);
        self.flying = later;
        for (_, leg, packet) in now as Vec<(u64, LegId, Vec<u8>)> {
            self.bench.receive(leg, peer(leg), packet);
        }
    }

    fn read(&self, leg: LegId, bytes: &[u8]) -> Got {
        let packet = RtpReader::new(bytes).unwrap();
        let law = self.talkers.iter().find(|t| t.leg == leg).map_or(Law::A, |t| t.law);
        assert_eq!(packet.payload_type(), if law == Law::A { 8 } else { 0 });
        let samples = packet.payload().iter().map(|code| law.decode(*code)).collect();
        let sequence = packet.sequence_number().into();
        Got { ms: self.ms, sequence, timestamp: packet.timestamp(), ssrc: packet.ssrc(), marker: packet.mark(), samples }
    }

    fn took(&mut self, leg: LegId) -> Vec<Got> {
        let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.got).into_iter().partition(|(to, _)| *to == leg);
        self.got = others;
        mine.into_iter().map(|(_, got)| got).collect()
    }

    /// The legs whose tones `leg` was sent since the last look: no gap, one stream. Every wanted tone is within 3 dB of
    /// `level`, every other 40 dB below it.
    fn expect(&mut self, leg: LegId, wanted: &[LegId]) {
        let got = self.took(leg);
        continuous(&got);
        let samples: Vec<i16> = got.iter().flat_map(|got| got.samples.clone()).collect();
        for other in [A, B, C, D] {
            let db = level(&samples, tone_of(other)) - 20.0 * 4000f64.log10();
            if wanted.contains(&other) {
                assert!(db.abs() < 3.0, "{leg} hears {other} at {db:.1} dB");
            } else {
                assert!(db < -40.0, "{leg} hears {other} at {db:.1} dB, which it should not");
            }
        }
    }
}

/// The amplitude of one frequency in dB over the samples, under a Hann window.
fn level(samples: &[i16], hertz: f64) -> f64 {
    let n = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * i as f64 / n).cos();
        let (sin, cos) = (TAU * hertz * i as f64 / 8000.0).sin_cos();
        (re, im) = (re + window * cos * f64::from(*sample), im + window * sin * f64::from(*sample));
    }
    20.0 * (4.0 * re.hypot(im) / n).max(1e-9).log10()
}

/// One SSRC, numbers without a hole, timestamps that never overlap nor leave more than 40 ms out, no wait over 40 ms.
fn continuous(got: &[Got]) {
    assert!(!got.is_empty());
    for pair in got.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        assert_eq!((a.ssrc, a.sequence.wrapping_add(1)), (b.ssrc, b.sequence), "at {} ms", b.ms);
        let skipped = b.timestamp.wrapping_sub(a.timestamp) as i32 - a.samples.len() as i32;
        assert!((0..=320).contains(&skipped), "{skipped} samples left out at {} ms", b.ms);
        assert!(b.ms - a.ms <= 40, "nothing from {} to {} ms", a.ms, b.ms);
    }
}

/// The longest time in ms that `hertz` was missing, in blocks of 5 ms against `amplitude`.
fn longest_gap(got: &[Got], hertz: f64, amplitude: f64) -> u64 {
    let samples: Vec<i16> = got.iter().flat_map(|got| got.samples.clone()).collect();
    let mut longest = 0;
    let mut missing = 0;
    for block in samples.chunks(40) {
        let there = block.len() < 40 || level(block, hertz) > 20.0 * (amplitude / 2.0).log10();
        missing = if there { 0 } else { missing + 5 };
        longest = longest.max(missing);
    }
    longest
}

#[test]
fn each_hears_the_others_and_not_itself() {
    let mut room = Room::new();
    room.meet(&[A, B, C]);
    room.pass(1000);
    room.took(A);
    room.took(B);
    room.took(C);
    room.pass(1000);
    room.expect(A, &[B, C]);
    room.expect(B, &[A, C]);
    room.expect(C, &[A, B]);
    room.expect_nothing(D);
}

#[test]
fn through_relay_mix_relay_and_back() {
    let mut room = Room::new();
    room.talker(D, 5);
    let stages: &[(&[LegId], u64)] =
        &[(&[A, B], 500), (&[A, B, C], 500), (&[A, B, C, D], 500), (&[A, C, D], 500), (&[A, D], 500)];
    let mut all: Vec<Got> = Vec::new();
    for (members, time) in stages {
        room.meet(members);
        for leg in [A, B, C, D].iter().filter(|leg| !members.contains(leg)) {
            room.bench.play(*leg, Source::Silence);
        }
        room.pass(100);
        all.extend(room.took(A));
        for leg in *members {
            room.took(*leg);
        }
        room.pass(*time);
        let kept = room.got.iter().filter(|(leg, _)| *leg == A).map(|(_, got)| got.clone_of()).collect::<Vec<_>>();
        all.extend(kept);
        for leg in *members {
            let others: Vec<LegId> = members.iter().copied().filter(|other| other != leg).collect();
            room.expect(*leg, &others);
        }
    }
    continuous(&all);
}

#[test]
fn who_stays_is_heard_on_through_every_change() {
    for offset in 0..20 {
        let mut room = Room::new();
        room.talker(D, 5);
        room.pass(offset);
        room.meet(&[A, B]);
        room.pass(300);
        room.took(A);
        room.meet(&[A, B, C]);
        room.pass(101);
        room.meet(&[A, B, C, D]);
        room.pass(107);
        room.bench.command(Command::Close { leg: C });
        room.meet(&[A, B, D]);
        room.pass(113);
        room.bench.play(A, Source::Mix([B].into()));
        room.pass(100);
        let got = room.took(A);
        continuous(&got);
        assert!(got[1..got.len() - 6].iter().all(|got| !got.marker), "one mix, whoever comes and goes");
        let gap = longest_gap(&got, tone_of(B), 4000.0);
        assert!(gap <= 40, "B was missing for {gap} ms");
    }
}

#[test]
fn prompts_between_are_one_stream() {
    let mut room = Room::new();
    room.meet(&[A, B, C]);
    room.pass(200);
    let music = Arc::new(Prompt::from_samples("music", &[1000; 8000]));
    room.bench.play(A, Source::Prompt { audio: music, repeat: true, cue: 0 });
    room.pass(200);
    room.meet(&[A, B, C]);
    room.pass(200);
    room.bench.play(A, Source::Relay(B));
    room.pass(200);
    continuous(&room.took(A));
    continuous(&room.took(B));
}

#[test]
fn laws_and_packet_times_mix() {
    for (b, c) in [(10, 30), (30, 40), (60, 20), (20, 60)] {
        let mut room = Room::new();
        room.codec(B, Law::Mu, b);
        room.codec(C, Law::A, c);
        room.meet(&[A, B, C]);
        room.pass(1000);
        room.got.clear();
        room.pass(1200);
        assert!(
            room.got.iter().all(|(leg, got)| got.samples.len() as u64 == 8 * [0, 20, u64::from(b), u64::from(c)][leg.0 as usize])
        );
        let gap = |room: &Room| room.got.iter().map(|(_, got)| got.samples.len()).max();
        assert_eq!(gap(&room), Some(8 * usize::from(b.max(c).max(20))));
        room.levels(A, &[B, C]);
        room.levels(B, &[A, C]);
        room.levels(C, &[A, B]);
    }
}

#[test]
fn a_muted_leg_is_not_heard_and_hears() {
    let mut room = Room::new();
    room.hear(A, &[C]);
    room.hear(B, &[A, C]);
    room.hear(C, &[A]);
    room.pass(200);
    room.got.clear();
    room.pass(500);
    room.expect(A, &[C]);
    room.expect(B, &[A, C]);
    room.expect(C, &[A]);
}

#[test]
fn several_listen_to_one_as_it_is() {
    let mut room = Room::new();
    room.bench.play(B, Source::Relay(A));
    room.bench.play(C, Source::Mix([A].into()));
    room.bench.play(D, Source::Relay(A));
    room.pass(500);
    let heard = [B, C, D].map(|leg| room.took(leg));
    assert_eq!(heard[0].len(), 25);
    for got in &heard {
        continuous(got);
        assert!(got.iter().zip(&heard[0]).all(|(a, b)| a.samples == b.samples));
    }
    room.bench.play(C, Source::Silence);
    room.bench.command(Command::Close { leg: B });
    room.pass(500);
    assert_eq!([B, C, D].map(|leg| room.took(leg).len()), [0, 0, 25]);
}

#[test]
fn one_voice_in_a_mix_is_as_it_was() {
    let mut room = Room::new();
    room.with(C).silent = true;
    room.with(B).level = 32_000.0;
    room.meet(&[A, B, C]);
    room.pass(200);
    room.took(A);
    room.pass(400);
    let got: Vec<i16> = room.took(A).into_iter().flat_map(|got| got.samples).collect();
    let said: Vec<i16> = (0..16_000u32)
        .map(|i| Law::A.decode(Law::A.encode((32_000.0 * (TAU * tone_of(B) * f64::from(i) / 8000.0).sin()) as i16)))
        .collect();
    assert!(said.windows(got.len()).any(|window| window == got), "sample by sample");
}

#[test]
fn three_at_full_scale_neither_wrap_nor_clip() {
    let mut room = Room::new();
    room.talker(D, 7);
    room.talkers.iter_mut().for_each(|t| t.level = 32_000.0);
    room.meet(&[A, B, C, D]);
    room.pass(1000);
    room.took(D);
    room.pass(1000);
    let samples: Vec<i16> = room.took(D).into_iter().flat_map(|got| got.samples).collect();
    let full = 20.0 * 32_000f64.log10();
    for leg in [A, B, C] {
        let db = level(&samples, tone_of(leg)) - full;
        assert!((-13.0..-8.0).contains(&db), "{leg} at {db:.1} dB, wants a third, -9.5 dB");
    }
    // Clipping, or a gain that jumps, would add third harmonics and sums of tones.
    for hertz in [1200.0, 1050.0, 2850.0, 1750.0, 150.0, 2000.0] {
        let db = level(&samples, hertz) - full;
        assert!(db < -45.0, "{hertz} Hz at {db:.1} dB");
    }
}

#[test]
fn lost_packets_are_covered_and_silence_is_silent() {
    let mut room = Room::new();
    room.net = |leg, sequence| (leg != B || sequence % 10 != 0).then_some(0);
    room.meet(&[A, B, C]);
    room.pass(200);
    room.took(A);
    room.pass(1000);
    let got = room.took(A);
    continuous(&got);
    assert_eq!(longest_gap(&got, tone_of(B), 4000.0), 0, "one lost packet in ten is not missed");
    room.with(B).silent = true;
    room.pass(200);
    room.took(A);
    room.pass(500);
    room.expect(A, &[C]);
    room.with(B).silent = false;
    room.pass(60);
    room.took(A);
    room.pass(500);
    let got = room.took(A);
    assert_eq!(longest_gap(&got, tone_of(B), 4000.0), 0, "and back");
}

impl Got {
    fn clone_of(&self) -> Got {
        Got { samples: self.samples.clone(), ..*self }
    }
}

impl Room {
    fn expect_nothing(&mut self, leg: LegId) {
        assert_eq!(self.took(leg).len(), 0);
    }

    /// Like `expect`, for packet times other than 20 ms.
    fn levels(&mut self, leg: LegId, wanted: &[LegId]) {
        let samples: Vec<i16> = self.took(leg).into_iter().flat_map(|got| got.samples).collect();
        for other in [A, B, C] {
            let db = level(&samples, tone_of(other)) - 20.0 * 4000f64.log10();
            let fits = if wanted.contains(&other) { db.abs() < 3.0 } else { db < -40.0 };
            assert!(fits, "{leg} hears {other} at {db:.1} dB");
        }
    }
}
