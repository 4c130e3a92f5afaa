//! Keys through the shard, and taps on what legs say and hear.

use super::bench::{Bench, local, packet, peer, profile};
use super::*;
use crate::base::{CallId, Wall};
use crate::media::{Law, Side, Tap};
use rtp_rs::RtpReader;
use std::collections::BTreeSet;
use std::f32::consts::TAU;

const A: LegId = LegId(1);
const B: LegId = LegId(2);
const C: LegId = LegId(3);

fn bench() -> Bench {
    let mut b = Bench::new();
    b.command(Command::Open { leg: C, rtp: local(C), origins: Arc::default() });
    b.command(Command::Profile { leg: C, profile: profile(C), keys: None });
    b
}

fn mix(b: &mut Bench) {
    for (leg, others) in [(A, [B, C]), (B, [A, C]), (C, [A, B])] {
        b.play(leg, Source::Mix(others.into()));
    }
}

fn key_packet(leg: LegId, sequence: u16, timestamp: u32, event: u8, duration: u16, end: bool) -> Vec<u8> {
    let [high, low] = duration.to_be_bytes();
    packet(100 + leg.0 as u8, sequence, timestamp, &[event, u8::from(end) << 7 | 10, high, low])
}

/// A press of 100 ms with three end packets, between audio.
fn press(b: &mut Bench, leg: LegId, sequence: u16, timestamp: u32, event: u8) {
    b.receive(leg, peer(leg), packet(8, sequence, timestamp, &[0xD5; 160]));
    for (i, duration) in (1u16..).zip([160, 320, 480, 640, 800, 800, 800]) {
        b.pass(20);
        b.receive(leg, peer(leg), key_packet(leg, sequence + i, timestamp + 160, event, duration, i >= 5));
    }
    b.pass(20);
    b.receive(leg, peer(leg), packet(8, sequence + 8, timestamp + 1440, &[0xD5; 160]));
    b.pass(20);
}

/// (payload type, sequence, timestamp, payload) of each packet to a leg; the numbering must have no hole.
fn to(b: &mut Bench, leg: LegId) -> Vec<(u8, u16, u32, Vec<u8>)> {
    let read = |bytes: Vec<u8>| {
        let p = RtpReader::new(&bytes).unwrap();
        (p.payload_type(), p.sequence_number().into(), p.timestamp(), p.payload().to_vec())
    };
    let packets: Vec<(u8, u16, u32, Vec<u8>)> = b.rtp_to(leg).into_iter().map(read).collect();
    assert!(packets.windows(2).all(|w| w[1].1 == w[0].1.wrapping_add(1)), "a hole towards {leg}");
    packets
}

/// Only the events: (timestamp, payload).
fn events(packets: &[(u8, u16, u32, Vec<u8>)]) -> Vec<(u32, Vec<u8>)> {
    packets.iter().filter(|p| p.0 > 100).map(|p| (p.2, p.3.clone())).collect()
}

/// Audio must never go back in time nor overlap.
fn audio_runs_on(packets: &[(u8, u16, u32, Vec<u8>)]) {
    let audio: Vec<_> = packets.iter().filter(|p| p.0 < 100).collect();
    assert!(audio.windows(2).all(|w| w[1].2.wrapping_sub(w[0].2) as i32 >= w[0].3.len() as i32), "audio overlaps");
}

#[test]
fn captured_keys_are_told_and_nobody_hears_them() {
    for relay in [true, false] {
        let mut b = bench();
        if relay {
            b.relay_both();
        } else {
            mix(&mut b);
        }
        b.command(Command::Keys { leg: B, capture: true });
        press(&mut b, B, 10, 0, 10);
        press(&mut b, B, 19, 1600, 2);
        assert_eq!(b.events(), "Key { leg: LegId(2), key: '*' } Key { leg: LegId(2), key: '2' } ");
        for leg in [A, C] {
            let packets = to(&mut b, leg);
            assert_eq!((events(&packets).len(), leg == C && packets.is_empty()), (0, relay && leg == C));
            audio_runs_on(&packets);
        }
    }
}

#[test]
fn keys_count_only_once_it_is_certain_who_presses_them() {
    for relay in [true, false] {
        for nat in [true, false] {
            let mut b = bench();
            b.reopen(B, Origins { networks: Vec::new(), nat });
            if relay {
                b.relay_both()
            } else {
                mix(&mut b)
            }
            b.command(Command::Inband { leg: B, on: true });
            let stranger = SocketAddr::from(([203, 0, 113, 66], 4000));
            for i in 0..10u16 {
                b.receive(B, stranger, key_packet(B, i, 0, 10, 160 * (i + 1), i > 7));
            }
            assert_eq!((b.events(), events(&to(&mut b, A)).len()), (String::new(), 0), "{relay} {nat}");
            press(&mut b, B, 100, 16_000, 5);
            assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } ", "who comes from the SDP's address is known");
        }
    }
}

#[test]
fn a_press_that_began_captured_stays_so() {
    let mut b = bench();
    b.relay_both();
    b.command(Command::Keys { leg: B, capture: true });
    b.receive(B, peer(B), key_packet(B, 1, 0, 11, 160, false));
    b.command(Command::Keys { leg: B, capture: false });
    b.receive(B, peer(B), key_packet(B, 2, 0, 11, 320, true));
    assert_eq!(to(&mut b, A).len(), 0);
    b.receive(B, peer(B), key_packet(B, 3, 800, 11, 320, true));
    assert_eq!(to(&mut b, A).len(), 1);
}

#[test]
fn in_a_mix_events_are_passed_beside_the_audio() {
    let mut b = bench();
    mix(&mut b);
    b.pass(100);
    press(&mut b, B, 10, 77_000, 5);
    press(&mut b, B, 30, 99_000, 5);
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } Key { leg: LegId(2), key: '5' } ");
    for leg in [A, C] {
        let packets = to(&mut b, leg);
        let events = events(&packets);
        assert_eq!(events.len(), 14);
        let durations: Vec<u16> = events[..7].iter().map(|(_, p)| u16::from_be_bytes([p[2], p[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        assert!(events[..7].iter().all(|(timestamp, _)| *timestamp == events[0].0), "one press");
        assert!(events[7].0.wrapping_sub(events[0].0) as i32 >= 1280, "another press");
        assert!(packets.iter().filter(|p| p.0 > 100).all(|p| p.0 == 100 + leg.0 as u8), "in the listener's type");
        audio_runs_on(&packets);
        let silence = packets.iter().filter(|p| p.0 == 8).all(|p| p.3.iter().all(|code| *code == 0xD5 || *code == 0x55));
        assert!(silence && packets.iter().filter(|p| p.0 == 8).count() >= 15, "frames go on, without a tone");
    }
    assert_eq!(events(&to(&mut b, B)).len(), 0);
}

/// How a press is numbered beside the audio that goes on.
#[derive(Clone, Copy, Debug)]
struct Numbering {
    ssrc: u32,
    own_sequence: bool,
    timestamp: u32,
    running: bool,
}

/// Audio with a press of `count` packets beside it, and three ends, each said twice where `doubled`.
fn press_beside(b: &mut Bench, numbering: Numbering, count: u16, at: u16, doubled: bool) {
    let mut sequence = at;
    for i in 0..count + 10 {
        let mut voice = packet(8, sequence, u32::from(at) * 1000 + u32::from(i) * 160, &[0xD5; 160]);
        voice[8..12].copy_from_slice(&77u32.to_be_bytes());
        b.receive(B, peer(B), voice);
        sequence += 1;
        if i < count {
            let duration = 160 * (i + 1).min(count - 3);
            let stamp = numbering.timestamp + if numbering.running { u32::from(duration) } else { 0 };
            let number = if numbering.own_sequence { 30_000 + at + i } else { sequence };
            sequence += u16::from(!numbering.own_sequence);
            let mut event = key_packet(B, number, stamp, 5, duration, i + 3 >= count);
            event[8..12].copy_from_slice(&numbering.ssrc.to_be_bytes());
            b.receive(B, peer(B), event.clone());
            if doubled {
                b.receive(B, peer(B), event);
            }
        }
        b.pass(20);
    }
}

#[test]
fn one_press_leaves_as_one_whatever_its_numbers() {
    let usual = Numbering { ssrc: 77, own_sequence: false, timestamp: 320, running: false };
    let numberings = [
        usual,
        Numbering { own_sequence: true, ..usual },
        Numbering { ssrc: 5, own_sequence: true, ..usual },
        Numbering { timestamp: 123_456_789, ..usual },
        Numbering { ssrc: 5, own_sequence: true, timestamp: 4_000_000_000, running: false },
        Numbering { running: true, ..usual },
    ];
    for numbering in numberings {
        for (relay, count, doubled) in
            [(true, 8, false), (true, 125, false), (true, 8, true), (false, 8, false), (false, 125, true)]
        {
            let mut b = bench();
            if relay {
                b.relay_both()
            } else {
                mix(&mut b)
            }
            for press in 0..3 {
                let numbering = Numbering { timestamp: numbering.timestamp.wrapping_add(press * 1_000_000), ..numbering };
                press_beside(&mut b, numbering, count, 1000 * press as u16, doubled && numbering.own_sequence);
            }
            let case = format!("{numbering:?}, relay {relay}, {count} packets, doubled {doubled}");
            assert_eq!(b.events().matches("Key { leg: LegId(2), key: '5' }").count(), 3, "{case}");
            let packets = to(&mut b, A);
            let stamps: BTreeSet<u32> = events(&packets).iter().map(|(timestamp, _)| *timestamp).collect();
            assert_eq!(stamps.len(), 3, "{case}");
            audio_runs_on(&packets);
        }
    }
}

#[test]
fn two_presses_with_one_timestamp_are_two_on_both_sides() {
    for relay in [true, false] {
        let mut b = bench();
        if relay {
            b.relay_both()
        } else {
            mix(&mut b)
        }
        for (sequence, event) in [(0, 5), (4, 5), (8, 6)] {
            for (i, duration) in [160, 320, 320, 320].into_iter().enumerate() {
                b.receive(B, peer(B), key_packet(B, sequence + i as u16, 160, event, duration, i > 0));
                b.pass(20);
            }
        }
        assert_eq!(b.events().matches("Key").count(), 3);
        let stamps: BTreeSet<u32> = events(&to(&mut b, A)).iter().map(|(timestamp, _)| *timestamp).collect();
        assert_eq!(stamps.len(), 3);
    }
}

#[test]
fn events_are_known_by_either_number() {
    let mut b = bench();
    b.profile(B, |p| p.event_in = [Some(101), Some(96)]);
    for (i, payload_type) in [101, 96, 97].into_iter().enumerate() {
        b.receive(B, peer(B), packet(payload_type, i as u16, 1000 * i as u32, &[i as u8, 0x8A, 3, 32]));
    }
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '0' } Key { leg: LegId(2), key: '1' } ");
}

#[test]
fn keys_are_sent_as_events_while_audio_pauses() {
    let voice = packet(8, 0, 0, &[0x31; 160]);
    for source in ["relay", "mix", "prompt", "silence"] {
        for ptime in [10, 20, 30, 60] {
            let mut b = bench();
            b.profile(A, |p| p.ptime = ptime);
            match source {
                "relay" => b.relay_both(),
                "mix" => mix(&mut b),
                "prompt" => b.play(A, Source::Ringback),
                _ => {}
            }
            for i in 0..60u16 {
                if i == 10 {
                    "1#".chars().for_each(|key| b.command(Command::SendKey { leg: A, key }));
                }
                let mut bytes = voice.clone();
                bytes[2..4].copy_from_slice(&i.to_be_bytes());
                bytes[4..8].copy_from_slice(&(u32::from(i) * 160).to_be_bytes());
                b.receive(B, peer(B), bytes);
                b.pass(20);
            }
            let packets = to(&mut b, A);
            audio_runs_on(&packets);
            let events = events(&packets);
            let of = |key: u8| events.iter().filter(|(_, p)| p[0] == key).cloned().collect::<Vec<_>>();
            let (one, hash) = (of(1), of(11));
            for key in [&one, &hash] {
                assert!(key.iter().all(|(timestamp, _)| *timestamp == key[0].0), "{source} {ptime}: {key:?}");
                let ends: Vec<bool> = key.iter().map(|(_, p)| p[1] & 0x80 != 0).collect();
                assert!(ends.iter().filter(|end| **end).count() == 3 && ends.ends_with(&[true; 3]), "{source} {ptime}");
                let length = u16::from_be_bytes([key[key.len() - 1].1[2], key[key.len() - 1].1[3]]);
                assert!((400..=800).contains(&length));
                // No audio within the key.
                let (start, end) = (key[0].0, key[0].0.wrapping_add(u32::from(length)));
                let inside = |p: &&(u8, u16, u32, Vec<u8>)| {
                    p.0 == 8
                        && (p.2.wrapping_sub(end) as i32) < 0
                        && (p.2.wrapping_add(p.3.len() as u32).wrapping_sub(start) as i32) > 0
                };
                assert_eq!(packets.iter().filter(inside).count(), 0, "{source} {ptime}");
            }
            assert!(hash[0].0.wrapping_sub(one[0].0) as i32 >= 400 + 480, "{source} {ptime}: a pause between");
            assert_eq!(packets.last().is_some_and(|p| p.0 == 8), source != "silence", "and audio goes on");
        }
    }
}

#[test]
fn keys_are_sent_as_tones_where_no_events_were_agreed() {
    for law in [Law::A, Law::Mu] {
        let mut b = bench();
        b.profile(A, |p| (p.event_out, p.law, p.payload_type) = (None, law, if law == Law::A { 8 } else { 0 }));
        mix(&mut b);
        b.pass(100);
        "*110#D".chars().for_each(|key| b.command(Command::SendKey { leg: A, key }));
        b.pass(1500);
        let packets = to(&mut b, A);
        assert!(packets.windows(2).all(|w| w[1].2.wrapping_sub(w[0].2) == 160), "one stream of audio");
        let mut detector = Detector::new();
        let heard: String = packets.iter().filter_map(|p| detector.packet(law, &p.3).key).collect();
        assert_eq!(heard, "*110#D");
    }
}

/// A-law packets of 20 ms: `tone` of them with the key 5 between silence.
fn in_audio(b: &mut Bench, sequence: &mut u16, tone: usize) {
    for i in 0..tone + 10 {
        let wave = |i: usize, hertz: f32| 6000.0 * (TAU * hertz * i as f32 / 8000.0).sin();
        let sample = |n: usize| if i < tone { (wave(i * 160 + n, 770.0) + wave(i * 160 + n, 1336.0)) as i16 } else { 0 };
        let codes: Vec<u8> = (0..160).map(|n| Law::A.encode(sample(n))).collect();
        b.receive(B, peer(B), packet(8, *sequence, u32::from(*sequence) * 160, &codes));
        *sequence += 1;
        b.pass(20);
    }
}

#[test]
fn tones_are_keys_where_asked_and_captured_ones_do_not_pass() {
    let mut b = bench();
    b.relay_both();
    let mut sequence = 0;
    in_audio(&mut b, &mut sequence, 5);
    assert_eq!(b.events(), "");
    b.command(Command::Inband { leg: B, on: true });
    in_audio(&mut b, &mut sequence, 5);
    in_audio(&mut b, &mut sequence, 50);
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } Key { leg: LegId(2), key: '5' } ");
    to(&mut b, A);
    b.command(Command::Keys { leg: B, capture: true });
    in_audio(&mut b, &mut sequence, 10);
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } ");
    let loud = |p: &&(u8, u16, u32, Vec<u8>)| p.3.iter().any(|code| Law::A.decode(*code).abs() > 100);
    assert!(to(&mut b, A).iter().filter(loud).count() <= 1, "20 ms are no key");
}

#[test]
fn a_key_in_both_ways_is_one() {
    let mut b = bench();
    b.relay_both();
    b.command(Command::Inband { leg: B, on: true });
    let mut sequence = 100;
    b.receive(B, peer(B), key_packet(B, 99, 99 * 160, 5, 160, false));
    in_audio(&mut b, &mut sequence, 5);
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } ", "event first");
    b.pass(500);
    in_audio(&mut b, &mut sequence, 5);
    b.receive(B, peer(B), key_packet(B, 200, 200 * 160, 5, 160, false));
    assert_eq!(b.events(), "Key { leg: LegId(2), key: '5' } ", "tone first");
}

fn tap(b: &mut Bench, leg: LegId, said: bool, played: bool) {
    let call = CallId::new(Wall(0), &mut Rng::from_number(1));
    b.command(Command::Tap { leg, tap: Some(Tap { call, leg: leg.0, said, played }) });
}

#[test]
fn taps_get_what_is_said_and_what_we_play() {
    let mut b = bench();
    b.relay_both();
    let voice: Vec<u8> = (0..160).collect();
    let say = |b: &mut Bench, sequence: u16| {
        b.receive(B, peer(B), packet(8, sequence, u32::from(sequence) * 160, &voice));
        b.pass(20);
    };
    say(&mut b, 1);
    assert!(b.taps.is_empty());
    tap(&mut b, B, true, false);
    tap(&mut b, A, false, true);
    say(&mut b, 2);
    let taps = std::mem::take(&mut b.taps);
    assert_eq!(
        taps.iter().map(|(t, codes)| (t.leg, t.side, codes)).collect::<Vec<_>>(),
        [(B.0, Side::Said, &voice)],
        "what A hears of B is what B says"
    );
    assert_eq!(taps[0].0.timestamp, 320);
    mix(&mut b);
    (3..13).for_each(|sequence| say(&mut b, sequence));
    to(&mut b, A);
    b.play(A, Source::Ringback);
    b.pass(100);
    let sent = to(&mut b, A);
    b.play(A, Source::Relay(B));
    say(&mut b, 13);
    b.command(Command::Close { leg: B });
    let played: Vec<_> = b.taps.iter().filter(|(t, _)| t.side == Side::Played).collect();
    assert_eq!(
        played.iter().map(|(t, codes)| (t.timestamp, codes)).collect::<Vec<_>>(),
        sent.iter().filter(|p| p.0 == 8).map(|p| (p.2, &p.3)).collect::<Vec<_>>(),
        "as it was sent"
    );
    assert!(played.len() >= 5 && played.iter().all(|(t, _)| t.leg == A.0 && t.law == Law::A));
    assert_eq!(b.taps.iter().filter(|(t, _)| t.side == Side::Said && t.leg == B.0).count(), 11);
    b.taps.clear();
    b.command(Command::Tap { leg: A, tap: None });
    b.play(A, Source::Ringback);
    b.pass(100);
    assert!(b.taps.is_empty());
}
