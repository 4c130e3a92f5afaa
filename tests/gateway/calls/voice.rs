//! Tests of what is heard: bytes compared, streams without a seam.

use super::assert_answered;
use crate::support::g711::{linear, mu_linear};
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::rtp::{Packet, pattern, voice};
use crate::support::{pass, wait_for};
use std::net::{Ipv4Addr, UdpSocket};

const CALLER: u32 = 1;
const SEAT: u32 = 2;

fn phones(gateway: &Gateway) -> (Phone, Phone) {
    (Phone::new("caller", gateway.host.port(), gateway), Phone::new("seat", gateway.seats[0], gateway))
}

/// Both phones in conversation; the messages whose SDP says where to speak: to the caller, to the seat.
fn connect(caller: &mut Phone, seat: &mut Phone, number: &str) -> (Message, Message) {
    caller.invite(number);
    let invite = seat.ring();
    seat.answer();
    let answer = caller.status(200, "INVITE");
    caller.ack();
    (answer, invite)
}

/// Every packet of the speaker from the first that came through, none lost, doubled or out of order.
fn assert_unbroken(numbers: &[u32], least: usize) {
    assert!(numbers.len() >= least, "only {} packets came through", numbers.len());
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn voice_goes_both_ways_and_not_a_byte_is_changed() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    let (mouth, other) = (caller.speak(&answer, CALLER), seat.speak(&invite, SEAT));
    caller.ear.wait_to_hear("the seat", 75, &pattern(SEAT, 0..100));
    seat.ear.wait_to_hear("the caller", 75, &pattern(CALLER, 0..100));
    drop((mouth, other));
    caller.bye();
    seat.hung_up();
    assert_unbroken(&caller.ear.numbers_of(SEAT), 75);
    assert_unbroken(&seat.ear.numbers_of(CALLER), 75);
    caller.ear.assert_one_stream();
    seat.ear.assert_one_stream();
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    for leg in record["legs"].as_array().unwrap() {
        assert_eq!(leg["media"]["received"]["codec"], "PCMA", "{leg:#}");
        assert!(leg["media"]["received"]["packets"].as_u64().unwrap() >= 75, "{leg:#}");
        assert_eq!(leg["media"]["received"]["lost"], 0, "{leg:#}");
    }
}

#[test]
fn announcement_ringback_and_voice_are_one_stream() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    caller.invite("12396");
    let early = caller.status(183, "INVITE");
    let announcement = prompt("connect-12396");
    caller.ear.wait_to_hear("the announcement", announcement.len(), &announcement);
    let invite = seat.ring();
    pass(300);
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    let _mouths = (caller.speak(&early, CALLER), seat.speak(&invite, SEAT));
    caller.ear.wait_to_hear("the seat", 40, &pattern(SEAT, 0..60));
    caller.bye();
    seat.hung_up();

    caller.ear.assert_one_stream();
    let packets = caller.ear.packets();
    let spoken: Vec<&Packet> = packets.iter().filter(|p| announcement.contains(&p.payload)).collect();
    assert!(spoken.iter().map(|p| &p.payload).eq(&announcement), "every frame of the prompt once, in order");
    assert_eq!(packets[0].payload, announcement[0], "it begins with its beginning");
    let first = packets.iter().find(|p| pattern(SEAT, 0..60).contains(&p.payload)).unwrap();
    assert!(first.marker, "the marker tells a change of source");
    assert!(packets.iter().all(|p| p.payload_type == 8));
}

#[test]
fn a_call_between_the_two_laws_is_transcoded() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    seat.formats = "0";
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    assert_eq!(invite.formats()[..2], ["8", "0"]);
    let _mouths = (caller.speak(&answer, CALLER), seat.speak(&invite, SEAT));
    let said = pattern(CALLER, 0..200);
    let alike = || seat.ear.packets().iter().filter(|p| said.iter().any(|frame| sound_alike(frame, &p.payload))).count();
    wait_for("the caller in the other law", || (alike() >= 40).then_some(()));
    caller.bye();
    seat.hung_up();
    assert!(seat.ear.packets().iter().all(|p| p.payload_type == 0));
    assert!(caller.ear.packets().iter().all(|p| p.payload_type == 8));
}

/// The same levels in A-law and in µ-law, but for what quantisation costs (G.711: steps of a sixteenth at most).
fn sound_alike(a_law: &[u8], mu_law: &[u8]) -> bool {
    let near = |(a, mu): (&u8, &u8)| (linear(*a) - mu_linear(*mu)).abs() <= linear(*a).abs() / 16 + 16;
    a_law.len() == mu_law.len() && a_law.iter().zip(mu_law).all(near)
}

#[test]
fn whoever_is_left_on_hold_hears_music_and_then_the_voice_again() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    let _mouths = (caller.speak(&answer, CALLER), seat.speak(&invite, SEAT));
    seat.ear.wait_to_hear("the caller", 20, &pattern(CALLER, 0..200));
    caller.reinvite("sendonly");
    assert!(caller.status(200, "INVITE").has_sdp("a=recvonly"));
    caller.ack();
    seat.ear.wait_to_hear("music", 20, &prompt("music"));
    pass(100);
    let before = seat.ear.numbers_of(CALLER).len();
    let to_caller = caller.ear.packets().len();
    pass(300);
    assert_eq!(caller.ear.packets().len(), to_caller, "a caller who does not listen is sent nothing");
    assert_eq!(seat.ear.numbers_of(CALLER).len(), before, "music in place of the caller");
    caller.reinvite("sendrecv");
    caller.status(200, "INVITE");
    caller.ack();
    seat.ear.wait_to_hear("the caller again", before + 20, &pattern(CALLER, 0..500));
    caller.ear.wait_to_hear("the seat again", 20, &pattern(SEAT, 0..500));
    caller.bye();
    seat.hung_up();
    seat.ear.assert_one_stream();
    let ssrcs: Vec<u32> = caller.ear.packets().iter().map(|p| p.ssrc).collect();
    assert!(ssrcs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn keys_reach_the_other_side_once() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    seat.formats = "8 101";
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    let mouth = seat.speak(&invite, SEAT);
    for number in 0..5 {
        caller.send_rtp(&answer, &voice(CALLER, number, 8).write());
        pass(20);
    }
    // Key 5: eight packets of one event, the last three its end (RFC 4733 §2.5.1.4).
    for i in 0..8u32 {
        let end = if i >= 5 { 0x80 } else { 0 };
        let duration = (160 * (i.min(5) + 1)) as u16;
        let mut packet = voice(CALLER, 5 + i, 101);
        packet.timestamp = voice(CALLER, 5, 8).timestamp;
        packet.marker = i == 0;
        packet.payload = [&[5, end | 10][..], &duration.to_be_bytes()].concat();
        caller.send_rtp(&answer, &packet.write());
        pass(20);
    }
    let events = || seat.ear.packets().into_iter().filter(|p| p.payload_type == 101).collect::<Vec<Packet>>();
    wait_for("the key", || events().iter().any(|p| p.payload[1] & 0x80 != 0).then_some(()));
    let events = events();
    assert!(events.iter().all(|p| p.payload[0] == 5), "{events:?}");
    assert!(events.windows(2).all(|pair| pair[0].timestamp == pair[1].timestamp), "one event, one timestamp: {events:?}");
    drop(mouth);
    caller.bye();
    seat.hung_up();
}

#[test]
fn a_stranger_cannot_speak_into_a_call() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    let _mouths = (caller.speak(&answer, CALLER), seat.speak(&invite, SEAT));
    seat.ear.wait_to_hear("the caller", 10, &pattern(CALLER, 0..200));
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..30 {
        stranger.send_to(&voice(66, number, 8).write(), (gateway.host.ip, answer.media_port())).unwrap();
        pass(5);
    }
    let heard = seat.ear.numbers_of(CALLER).len();
    seat.ear.wait_to_hear("the caller still", heard + 10, &pattern(CALLER, 0..500));
    assert!(seat.ear.numbers_of(66).is_empty());
    assert_unbroken(&seat.ear.numbers_of(CALLER), 20);
    caller.bye();
    seat.hung_up();
}

#[test]
fn each_side_gets_reports_made_for_it() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, mut seat) = phones(&gateway);
    let (answer, invite) = connect(&mut caller, &mut seat, "12345");
    let _mouths = (caller.speak(&answer, CALLER), seat.speak(&invite, SEAT));
    for (phone, speaker) in [(&caller, CALLER), (&seat, SEAT)] {
        let report = phone.rtcp();
        assert_eq!(report[1], 200, "a sender report: {report:?}");
        let word = |at: usize| u32::from_be_bytes(report[at..at + 4].try_into().unwrap());
        let heard = phone.ear.packets();
        assert_eq!(word(4), heard[0].ssrc, "of the stream that it hears");
        assert_eq!(report[0] & 31, 1, "with one report block");
        assert_eq!(word(28), voice(speaker, 0, 8).ssrc, "about the stream that it sends");
        assert_eq!(word(32), 0, "nothing of which is lost");
    }
    caller.bye();
    seat.hung_up();
}

#[test]
fn a_host_that_only_an_sdp_names_is_sent_little() {
    let gateway = Gateway::start(&Spec { sources: Some("[\"IP\"]"), ..Spec::default() });
    let away = Ipv4Addr::new(127, 0, 0, 77);
    let mut caller = Phone::hearing_at(away, "caller", gateway.host.port(), &gateway);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    caller.invite("12396");
    let early = caller.status(183, "INVITE");
    let announcement = prompt("connect-12396");
    caller.ear.wait_to_hear("the beginning", 25, &announcement);
    pass(1000);
    assert_eq!(caller.ear.packets().len(), 25, "half a second, and no more for nobody");
    assert_eq!(gateway.metric("audio_withheld_total"), 1);
    assert!(gateway.log().contains("audio waits for a sign of the caller"), "{}", gateway.log());
    caller.send_rtp(
        &early,
        &Packet { marker: true, payload_type: 8, seq: 1, timestamp: 0, ssrc: 5, payload: vec![0xD5; 160] }.write(),
    );
    seat.ring();
    let heard: Vec<_> = caller.ear.packets().into_iter().map(|p| p.payload).filter(|p| announcement.contains(p)).collect();
    assert_eq!(heard, announcement, "it goes on where it waited");
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    seat.hung_up();
    gateway.record();

    // An answered caller sends its ACK, and that is proof enough.
    let mut mute = Phone::hearing_at(away, "mute", gateway.host.port(), &gateway);
    let (_, invite) = connect(&mut mute, &mut seat, "12345");
    let _mouth = seat.speak(&invite, SEAT);
    mute.ear.wait_to_hear("the seat", 75, &pattern(SEAT, 0..200));
    mute.bye();
    seat.hung_up();
}
