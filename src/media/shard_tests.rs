//! Tests of what passes between legs, and of what they are played.

use super::bench::*;
use super::*;
use crate::media::Law;
use crate::media::out::Socket;
use rtp_rs::RtpReader;

#[test]
fn a_law_goes_through_byte_by_byte() {
    let mut b = Bench::new();
    b.relay_both();
    for i in 0..5u16 {
        b.receive(CALLER, peer(CALLER), packet(8, 65_533u16.wrapping_add(i), u32::from(i) * 160, &audio(i as u8)));
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(100 + i as u8)));
        b.pass(20);
    }
    assert!(b.sent.iter().all(|(leg, _, to, _)| *to == peer(*leg)));
    let (seat, caller) = (b.rtp_to(SEAT), b.rtp_to(CALLER));
    assert_eq!(payloads(&seat), (0..5).map(audio).collect::<Vec<_>>());
    assert_eq!(payloads(&caller), (100..105).map(audio).collect::<Vec<_>>());
    assert_eq!(steps(&seat), [(1, 160, false); 4]);
    assert_ne!(RtpReader::new(&seat[0]).unwrap().ssrc(), 77);
    assert_eq!(b.connects, [Some(peer(CALLER)), Some(peer(SEAT))]);
}

#[test]
fn one_stream_across_prompt_relay_prompt() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Prompt { audio: tone(3), repeat: false, cue: 9 });
    b.pass(80);
    assert_eq!(b.events(), "Played { leg: LegId(1), cue: 9 } ");
    b.relay_both();
    for i in 0..3 {
        b.receive(SEAT, peer(SEAT), packet(8, 500 + i, 7 + u32::from(i) * 160, &audio(1)));
        b.pass(20);
    }
    b.play(CALLER, Source::Ringback);
    b.pass(40);
    let packets = b.rtp_to(CALLER);
    let steps = steps(&packets);
    assert!(steps.iter().all(|(sequence, timestamp, _)| *sequence == 1 && *timestamp >= 160), "{steps:?}");
    let markers: Vec<usize> = (0..steps.len()).filter(|i| steps[*i].2).map(|i| i + 1).collect();
    assert_eq!(markers, [3, 6], "after three of the prompt, after three of the relay");
    assert_eq!(payloads(&packets)[..3].concat(), tone(3).a_law);
}

#[test]
fn laws_are_transcoded_and_payload_types_mapped() {
    let mut b = Bench::new();
    b.profile(SEAT, |p| (p.law, p.payload_type) = (Law::Mu, 0));
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &[0xD5, 0x2A, 0x80]));
    b.receive(SEAT, peer(SEAT), packet(0, 1, 0, &[0xFF, 0x00]));
    let (seat, caller) = (b.rtp_to(SEAT), b.rtp_to(CALLER));
    let mut expected = [0xD5, 0x2A, 0x80];
    Law::A.recode(Law::Mu, &mut expected);
    assert_eq!((payloads(&seat)[0], seat[0][1] & 0x7F), (&expected[..], 0));
    assert_eq!((payloads(&caller)[0], caller[0][1] & 0x7F), (&[0xD5, 0x2A][..], 8));
}

#[test]
fn prompts_come_in_the_legs_law_and_ptime() {
    let mut b = Bench::new();
    b.profile(CALLER, |p| (p.law, p.payload_type, p.ptime) = (Law::Mu, 0, 30));
    b.play(CALLER, Source::Prompt { audio: tone(4), repeat: false, cue: 1 });
    b.pass(200);
    let packets = b.rtp_to(CALLER);
    let mut expected = tone(4).mu_law.clone();
    expected.resize(3 * 240, 0xFF);
    assert_eq!(payloads(&packets).concat(), expected, "the last frame is filled up with silence");
    assert_eq!(steps(&packets), [(1, 240, false); 2]);
}

#[test]
fn music_repeats_without_a_seam() {
    let mut b = Bench::new();
    let music = Arc::new(Prompt::from_a_law("m", (0..200u8).collect()).unwrap());
    b.play(CALLER, Source::Prompt { audio: music.clone(), repeat: true, cue: 1 });
    b.pass(100);
    let packets = b.rtp_to(CALLER);
    let endless: Vec<u8> = music.a_law.iter().copied().cycle().take(packets.len() * 160).collect();
    assert_eq!((packets.len(), payloads(&packets).concat()), (5, endless));
    b.play(CALLER, Source::Silence);
    b.pass(100);
    assert_eq!((b.rtp_to(CALLER).len(), b.events()), (0, String::new()));
}

#[test]
fn music_goes_on_in_step_after_words() {
    let music = |cue| Source::Prompt { audio: tone(100), repeat: true, cue };
    for late in 0..20 {
        let mut b = Bench::new();
        b.play(CALLER, music(1));
        b.pass(95);
        b.play(CALLER, Source::Words { words: [tone(2), tone(1)].into(), cue: 2 });
        while b.events().is_empty() {
            b.pass(1);
        }
        b.pass(late);
        b.play(CALLER, music(3));
        b.pass(100);
        let steps = steps(&b.rtp_to(CALLER));
        assert!(steps.len() > 10 && steps.iter().all(|step| (step.0, step.1) == (1, 160)), "{late} ms: {steps:?}");
    }
}

#[test]
fn streams_do_not_pile_up_when_a_prompt_is_replaced() {
    let mut b = Bench::new();
    for _ in 0..5 {
        b.play(CALLER, Source::Prompt { audio: tone(100), repeat: false, cue: 1 });
        b.play(CALLER, Source::Silence);
        b.play(CALLER, Source::Ringback);
    }
    b.pass(200);
    assert_eq!(b.rtp_to(CALLER).len(), 10);
}

#[test]
fn keys_are_told_once_and_passed_through() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    for (i, duration) in [160u16, 320, 320, 320].into_iter().enumerate() {
        b.pass(20);
        let payload = [5, 0x8A, (duration >> 8) as u8, duration as u8];
        b.receive(CALLER, peer(CALLER), packet(101, 2 + i as u16, 160, &payload));
    }
    assert_eq!(b.events(), "Key { leg: LegId(1), key: '5' } ");
    let packets = b.rtp_to(SEAT);
    assert!(packets[1..].iter().all(|p| p[1] & 0x7F == 102), "the payload type of the other leg");
    assert_eq!(steps(&packets), [(1, 160, false), (1, 0, false), (1, 0, false), (1, 0, false)]);

    b.profile(SEAT, |p| p.event_out = None);
    b.receive(CALLER, peer(CALLER), packet(101, 6, 960, &[1, 10, 0, 160]));
    assert_eq!((b.rtp_to(SEAT).len(), b.events()), (0, "Key { leg: LegId(1), key: '1' } ".into()));
    b.receive(CALLER, peer(CALLER), packet(8, 7, 1120, &audio(0)));
    let next = b.rtp_to(SEAT);
    assert_eq!(steps(&[packets[4].clone(), next[0].clone()])[0].0, 1, "what is left out is no loss");
}

#[test]
fn comfort_noise_and_unknown_payloads_stay_here() {
    let mut b = Bench::new();
    b.relay_both();
    b.receive(CALLER, peer(CALLER), packet(13, 1, 0, &[40]));
    b.receive(CALLER, peer(CALLER), packet(96, 2, 0, &audio(0)));
    b.receive(CALLER, peer(CALLER), packet(8, 3, 0, &[]));
    b.receive(CALLER, peer(CALLER), b"OPTIONS sip:x SIP/2.0".to_vec());
    assert_eq!(b.rtp_to(SEAT).len(), 0);
}

#[test]
fn ringback_gives_way_to_what_the_ringing_network_says() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Early(SEAT));
    b.pass(400);
    let ringing = b.rtp_to(CALLER);
    assert_eq!(ringing.len(), 20, "ringback until something flows");
    let mut all = ringing;
    for i in 0..100u16 {
        b.receive(SEAT, peer(SEAT), packet(8, i, u32::from(i) * 160, &audio(i as u8)));
        b.pass(20);
        let heard = b.rtp_to(CALLER);
        assert_eq!(payloads(&heard), [audio(i as u8)], "and nothing beside it");
        all.extend(heard);
    }
    b.pass(4900);
    assert_eq!(b.rtp_to(CALLER).len(), 0, "the pause between two tones");
    b.pass(1000);
    let again = b.rtp_to(CALLER);
    assert!((40..=50).contains(&again.len()), "it has stopped: {}", again.len());
    all.extend(again);
    b.receive(SEAT, peer(SEAT), packet(8, 100, 50_000, &audio(7)));
    b.receive(SEAT, peer(SEAT), packet(102, 101, 50_160, &[5, 0x8A, 3, 32]));
    b.play(CALLER, Source::Relay(SEAT));
    b.receive(SEAT, peer(SEAT), packet(8, 102, 50_320, &audio(8)));
    let answered = b.rtp_to(CALLER);
    assert_eq!(payloads(&answered), [audio(7), audio(8)]);
    all.extend(answered);
    assert!(steps(&all).iter().all(|(sequence, timestamp, _)| *sequence == 1 && *timestamp >= 160), "one stream");
}

#[test]
fn comfort_noise_and_strangers_are_no_early_media() {
    let mut b = Bench::new();
    b.play(CALLER, Source::Early(SEAT));
    for i in 0..20u16 {
        b.receive(SEAT, peer(SEAT), packet(13, i, u32::from(i) * 160, &[40]));
        b.receive(SEAT, peer(CALLER), packet(8, i, u32::from(i) * 160, &audio(0)));
        b.pass(20);
    }
    assert_eq!(b.rtp_to(CALLER).len(), 20);
}

#[test]
fn hold_is_obeyed_in_both_directions() {
    let mut b = Bench::new();
    b.relay_both();
    b.profile(SEAT, |p| (p.may_send, p.may_receive) = (false, false));
    b.receive(CALLER, peer(CALLER), packet(8, 1, 0, &audio(0)));
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    b.play(SEAT, Source::Prompt { audio: tone(2), repeat: false, cue: 4 });
    b.pass(60);
    assert!(b.sent.is_empty());
    assert_eq!(b.events(), "Played { leg: LegId(2), cue: 4 } ", "a prompt ends although nobody hears it");
    b.profile(SEAT, |p| p.rtp = None);
    b.play(SEAT, Source::Ringback);
    b.pass(60);
    assert!(b.sent.is_empty());
}

#[test]
fn an_empty_prompt_is_over_at_once() {
    let mut b = Bench::new();
    let empty = || Arc::new(Prompt::from_samples("", &[]));
    b.play(CALLER, Source::Prompt { audio: empty(), repeat: false, cue: 4 });
    b.play(CALLER, Source::Prompt { audio: empty(), repeat: true, cue: 5 });
    assert_eq!(b.events(), "Played { leg: LegId(1), cue: 4 } ");
}

#[test]
fn nothing_is_left_of_a_closed_leg() {
    let mut b = Bench::new();
    b.relay_both();
    b.play(CALLER, Source::Ringback);
    b.command(Command::Close { leg: CALLER });
    b.command(Command::Close { leg: CALLER });
    b.receive(SEAT, peer(SEAT), packet(8, 1, 0, &audio(0)));
    b.command(Command::Close { leg: SEAT });
    b.pass(100);
    assert_eq!((b.shard.len(), b.shard.deadline()), (0, None));
    assert_eq!(b.events.iter().filter(|e| matches!(e, Event::Closed { .. })).count(), 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Hostile packets may arrive on either socket: nothing panics, and nothing but well-formed RTP leaves.
    #[test]
    fn hostile_packets_do_no_harm(packets in proptest::collection::vec((0u8..4, 0u8..6, proptest::collection::vec(0u8.., 0..64)), 1..40)) {
        let mut b = Bench::new();
        b.profile(CALLER, |p| p.rtcp_mux = true);
        b.relay_both();
        for (flags, kind, rest) in packets {
            let first = [0x80, 0x90, 0xA0, 0x8F][usize::from(flags)];
            let second = [8, 0x88, 101, 13, 200, 201][usize::from(kind)];
            let bytes = [&[first, second][..], &rest].concat();
            let mut out = Out::default();
            b.shard.rtcp(b.now, SEAT, &bytes, rtcp_peer(SEAT), &mut out);
            b.receive(CALLER, peer(CALLER), bytes);
            b.pass(7);
        }
        for (leg, socket, _, bytes) in &b.sent {
            if *socket == Socket::Rtp && !(*leg == CALLER && is_rtcp(bytes)) {
                let read = RtpReader::new(bytes).unwrap();
                proptest::prop_assert!([8, 101, 102].contains(&read.payload_type()) && read.payload_offset() == 12);
            }
        }
    }
}
