//! Keys between parties that tell them in different ways, with real RTP and INFO: each press arrives once, in the other
//! party's way, and a feature code arrives nowhere.

use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::rtp::{Ear, Packet};
use crate::support::tone::{amplitude, frame};
use crate::support::{pass, wait_for};

/// The tones of key 5.
const FIVE: [u32; 2] = [770, 1336];

struct Scene {
    gateway: Gateway,
    caller: Phone,
    seat: Phone,
    answer: Message,
    invite: Message,
}

impl Scene {
    fn talking(spec: &Spec, caller: &'static str, seat: &'static str) -> Scene {
        let gateway = Gateway::start(spec);
        let (formats, mut caller) = (caller, Phone::new("caller", gateway.host.port(), &gateway));
        caller.formats = formats;
        let (formats, mut seat) = (seat, Phone::new("seat", gateway.seats[0], &gateway));
        seat.formats = formats;
        caller.invite("12345");
        let invite = seat.ring();
        seat.answer();
        let answer = caller.status(200, "INVITE");
        caller.ack();
        Scene { gateway, caller, seat, answer, invite }
    }

    fn over(mut self) {
        self.caller.bye();
        self.seat.hung_up();
        assert_eq!(self.gateway.record()["result"], "answered");
    }
}

/// The keys of the telephone-events that were heard: one for each timestamp, all told to their end.
fn events(ear: &Ear) -> String {
    let packets: Vec<Packet> = ear.packets().into_iter().filter(|p| p.payload_type == 101).collect();
    let presses: Vec<&[Packet]> = packets.chunk_by(|a, b| a.timestamp == b.timestamp).collect();
    let ended = |press: &&&[Packet]| press.iter().filter(|p| p.payload[1] & 0x80 != 0).count() == 3;
    let key = |press: &&[Packet]| char::from(b"0123456789*#"[usize::from(press[0].payload[0])]);
    presses.iter().filter(ended).map(key).collect()
}

/// Packets of 20 ms in which both tones of a key sound.
fn sounding(ear: &Ear, tones: [u32; 2]) -> usize {
    let both = |p: &Packet| p.payload_type == 8 && tones.iter().all(|t| amplitude(&p.payload, *t) > 2000.0);
    ear.packets().iter().filter(|p| both(p)).count()
}

#[test]
fn events_become_info_and_info_becomes_events() {
    let mut scene = Scene::talking(&Spec::default(), "8 101", "8");
    scene.caller.press(&scene.answer, "15");
    for key in ["Signal=1", "Signal=5"] {
        assert_eq!(scene.seat.key_told("200 OK"), key);
    }
    scene.seat.info('7');
    scene.seat.info('7');
    wait_for("both keys", || (events(&scene.caller.ear) == "77").then_some(()));
    scene.caller.ear.assert_one_stream();
    assert_eq!(scene.seat.unread(), Vec::<String>::new(), "each key once");
    scene.over();
}

#[test]
fn a_peer_that_refuses_info_hears_tones() {
    let mut scene = Scene::talking(&Spec::default(), "8 101", "8");
    scene.caller.press(&scene.answer, "55");
    assert_eq!(scene.seat.key_told("415 Unsupported Media Type"), "Signal=5");
    wait_for("two keys as tones", || (sounding(&scene.seat.ear, FIVE) >= 8).then_some(()));
    assert_eq!(scene.seat.unread(), Vec::<String>::new(), "it is asked no more");
    scene.over();
}

#[test]
fn tones_of_a_trunk_that_says_so_become_events() {
    let spec = Spec { trunk: "dtmf = \"inband\"", ..Spec::default() };
    let mut scene = Scene::talking(&spec, "8", "8 101");
    for n in 0..40 {
        // A key of 200 ms, 200 ms of another sound, and the key again.
        let tones: &[u32] = if n / 10 % 2 == 0 { &FIVE } else { &[400] };
        scene.caller.send_rtp(&scene.answer, &frame(tones, n).write());
        pass(20);
    }
    wait_for("both keys", || (events(&scene.seat.ear) == "55").then_some(()));
    let leaked = sounding(&scene.seat.ear, FIVE);
    assert!(leaked <= 2, "{leaked} packets of tones beside the events");
    scene.seat.press(&scene.invite, "5");
    wait_for("a key as tones", || (sounding(&scene.caller.ear, FIVE) >= 4).then_some(()));
    assert_eq!(events(&scene.caller.ear), "");
    scene.over();
}

#[test]
fn the_configuration_goes_before_what_was_agreed() {
    let spec = Spec { desks: "dtmf = \"info\"", ..Spec::default() };
    let mut scene = Scene::talking(&spec, "8 101", "8 101");
    scene.caller.press(&scene.answer, "0");
    assert_eq!(scene.seat.key_told("200 OK"), "Signal=0");
    assert_eq!(events(&scene.seat.ear), "");
    scene.over();
}

#[test]
fn a_code_told_in_both_ways_is_one_and_reaches_no_caller() {
    for formats in ["8 101", "8"] {
        let mut scene = Scene::talking(&Spec::default(), formats, "8 101");
        let mut target = Phone::new("target", scene.gateway.target, &scene.gateway);
        for key in "*110#".chars() {
            scene.seat.press(&scene.invite, &key.to_string());
            scene.seat.info(key);
        }
        let invite = target.ring();
        assert!(invite.start_line().starts_with("INVITE sip:110@"), "{invite}");
        target.answer();
        // A key that is no code goes on, once.
        scene.seat.press(&scene.invite, "4");
        scene.seat.info('4');
        match formats {
            "8" => assert_eq!(scene.caller.key_told("200 OK"), "Signal=4"),
            _ => wait_for("the key", || (events(&scene.caller.ear) == "4").then_some(())),
        }
        assert_eq!(scene.caller.unread(), Vec::<String>::new());
        assert!(sounding(&scene.caller.ear, FIVE) == 0 && events(&scene.caller.ear).len() <= 1);
        scene.caller.bye();
        scene.seat.bye();
        target.hung_up();
        assert_eq!(scene.gateway.record()["transfers"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_caller_that_tells_its_keys_twice_is_heard_once() {
    let mut scene = Scene::talking(&Spec::default(), "8 101", "8 101");
    scene.caller.info('4');
    pass(200);
    scene.caller.press(&scene.answer, "46");
    scene.caller.info('6');
    scene.caller.press(&scene.answer, "7");
    wait_for("all keys", || events(&scene.seat.ear).ends_with('7').then_some(()));
    assert_eq!(events(&scene.seat.ear), "467");
    scene.over();
}
