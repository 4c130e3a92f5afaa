//! Offers to seats: answers that are none, an announcement that is cut short, and a seat behind an exchange.

use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::rtp::pattern;
use crate::support::{pass, wait_for};
use serde_json::json;
use std::fs;

const ANNOUNCER: u32 = 901;
const SEAT: u32 = 902;

fn caller(gateway: &Gateway, name: &str) -> Phone {
    Phone::new(name, gateway.host.port(), gateway)
}

/// The first seat answers and hangs up at once: the caller is not lost, the other seat has it, and that one has missed a call.
#[test]
fn row_04_a_seat_that_answers_and_hangs_up_loses_no_caller() {
    let gateway = Gateway::start(&Spec { seats: vec![1, 1], calls: "least_talk = \"9s\"", ..Spec::default() });
    let (mut first, mut second) = (Phone::new("one", gateway.seats[0], &gateway), Phone::new("two", gateway.seats[1], &gateway));
    let mut caller = caller(&gateway, "caller");
    caller.invite("12345");
    first.ring();
    first.answer();
    caller.status(200, "INVITE");
    caller.ack();
    first.bye();
    second.ring();
    second.answer();
    let (_, seat) = gateway.get("/api/v1/seats/desk-0").unwrap();
    let seat: serde_json::Value = serde_json::from_str(&seat).unwrap();
    assert_eq!(seat["seat"]["missed"], json!({ "dropped": 1 }), "{seat:#}");
    caller.bye();
    second.hung_up();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["seat"]["id"]), (&json!("answered"), &json!("desk-1")), "{record:#}");
}

/// An announcement of 20 s is spoken when the seat answers: at most two packets (40 ms) of it come after the seat's first.
#[test]
fn row_06_a_seat_that_answers_is_heard_within_two_packets_of_an_announcement() {
    let queue = "announce_after = \"0s\"\nannounce_every = \"10s\"\nannounce_position = false\nannounce_wait = false\n";
    let mut gateway = Gateway::prepared(&Spec { seats: vec![1], queue, ..Spec::default() });
    let announcement = pattern(ANNOUNCER, 0..1000);
    fs::write(gateway.folder.path().join("prompts/hold.al"), announcement.concat()).unwrap();
    gateway.restart();
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let (mut before, mut waiting) = (caller(&gateway, "before"), caller(&gateway, "waiting"));
    before.invite("12345");
    seat.ring();
    seat.answer();
    before.status(200, "INVITE");
    before.ack();
    waiting.invite("12345");
    waiting.ear.wait_to_hear("the announcement", 10, &announcement);
    before.bye();
    seat.hung_up();
    let ring = seat.ring();
    seat.answer();
    let _mouth = seat.speak(&ring, SEAT);
    waiting.status(200, "INVITE");
    waiting.ack();
    wait_for("the seat's voice", || (waiting.ear.numbers_of(SEAT).len() >= 50).then_some(()));
    let voice = pattern(SEAT, 0..1000);
    let packets = waiting.ear.packets();
    let first = packets.iter().position(|packet| voice.contains(&packet.payload)).unwrap();
    let others = packets[first..].iter().filter(|packet| !voice.contains(&packet.payload)).count();
    assert!(others <= 2, "{others} packets of something else came after the seat's first");
    let spoken = packets.iter().filter(|packet| announcement.contains(&packet.payload)).count();
    assert!(spoken < 1000, "it was cut short");
    waiting.ear.assert_one_stream();
    waiting.bye();
    seat.hung_up();
}

const REMOTE: &str = r#"
[plan]
name = "test"
area = "691"
[[line]]
number = "12345"
mode = "front"
queue = "tax"
unit = "办公室"
"#;

/// A machine answers for the seat, and then its person does: who presses the key has the caller.
#[test]
fn row_22_a_seat_behind_a_trunk_must_accept_the_caller() {
    let queue = "[queues.tax]\nseats = [\"far\"]\nring_timeout = \"3s\"\nrest_after_failure = \"100ms\"\nrefusal_max = \"100ms\"\n\
                 [seats.far]\ntrunk = \"loopback\"\ndial = \"087112366001\"\naccept = \"1\"\n";
    let gateway = Gateway::start(&Spec { queue, plan: Some(REMOTE.to_owned()), ..Spec::default() });
    let mut far = Phone::new("far", gateway.target, &gateway);
    let mut caller = caller(&gateway, "caller");
    caller.invite("12345");
    let ring = far.ring();
    assert!(ring.start_line().starts_with("INVITE sip:087112366001@"), "{ring}");
    far.answer();
    // It hears who calls, over and over, and says nothing of use.
    wait_for("the question", || (far.ear.packets().len() > 100).then_some(()));
    far.hung_up();
    let again = far.ring();
    far.answer();
    wait_for("the question again", || (far.ear.packets().len() > 120).then_some(()));
    far.press(&again, "21");
    let answer = caller.status(200, "INVITE");
    caller.ack();
    let _mouths = (far.speak(&again, SEAT), caller.speak(&answer, ANNOUNCER));
    wait_for("both", || (caller.ear.numbers_of(SEAT).len() > 10 && far.ear.numbers_of(ANNOUNCER).len() > 10).then_some(()));
    pass(20);
    caller.bye();
    far.hung_up();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["seat"]["id"]), (&json!("answered"), &json!("far")), "{record:#}");
}
