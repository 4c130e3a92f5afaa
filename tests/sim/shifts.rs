//! The words of seats about their shifts, by feature codes and by verbs, through the whole switch: who is rung, what is answered
//! and when, and what a process that is killed leaves to the next.

use crate::flood::{Gateway, invite};
use crate::hops::{header, invites, leaves_nothing, requests, respond};
use hotline::control::{Command, Reply, SeatRefusal, SeatVerb, SeatView, Why};
use hotline::event::seat::{Author, Device, Intent};
use hotline::queue::Strategy;
use hotline::seat::{Rules, SignIn};
use hotline::switch::Input;
use std::time::Duration;

const CARRIER: u8 = 2;
const SEAT: u8 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// One seat with one channel, signed in so.
fn gateway(sign_in: SignIn) -> Gateway {
    Gateway::new(|setup| {
        let wrap_up = 30 * SECOND;
        setup.live.seats.truncate(1);
        setup.live.seats[0].channels = 1;
        setup.live.seats[0].rules = Rules { sign_in, wrap_up, misses: 3, ..Rules::default() };
        for queue in &mut setup.live.queues {
            (queue.strategy, queue.wrap_up, queue.seats) = (Strategy::LongestIdle, wrap_up, vec!["seat-0".into()]);
        }
    })
}

fn verb(gateway: &mut Gateway, verb: SeatVerb) -> Option<Reply> {
    let seat = "seat-0".into();
    let by = Author::seat(&seat);
    gateway.input(Input::Command { id: 7, command: Command::Seat { seat, by, verb: Box::new(verb) } });
    gateway.replies.pop()
}

fn login() -> SeatVerb {
    SeatVerb::Login { force: false, device: Device::Sip, skills: None, busy: None }
}

#[track_caller]
fn view(reply: Option<Reply>) -> Box<SeatView> {
    let Some(Reply::Seat(view)) = reply else { panic!("{reply:?}") };
    view
}

/// The seat's phone dials a code, takes the answer and the hang-up; its final status.
fn dials(gateway: &mut Gateway, code: &str, n: u32) -> u16 {
    let dialled = invite(SEAT, "seat-0", code, n);
    gateway.receive(SEAT, dialled.clone());
    let answer = gateway.sent.iter().rfind(|(_, text)| text.contains(&format!("Call-ID: c{n}\r\n"))).unwrap().1.clone();
    let head = dialled.split("Contact:").next().unwrap().replace("INVITE", "ACK");
    let head = head.replace(&format!("To: <sip:{code}@10.0.0.1>"), &format!("To: {}", header(&answer, "To")));
    gateway.receive(SEAT, format!("{head}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
    for bye in requests(gateway, "BYE", SEAT) {
        let lines = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(&bye, name)));
        gateway.receive(SEAT, format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", lines.concat()));
    }
    gateway.sent.clear();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
}

#[test]
fn a_seat_dials_busy_and_is_not_rung_until_it_dials_ready() {
    let mut gateway = gateway(SignIn::Always);
    assert_eq!(dials(&mut gateway, "*74", 900), 200);
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.pass(20 * SECOND);
    assert!(invites(&mut gateway, SEAT).is_empty(), "it is busy");
    assert_eq!(dials(&mut gateway, "*74", 901), 200, "a second time changes nothing");
    gateway.receive(SEAT, invite(SEAT, "seat-0", "*73", 902));
    assert!(gateway.sent.iter().any(|(_, text)| text.starts_with("INVITE") && text.contains("13800138000")), "at once");
}

#[test]
fn a_code_of_one_who_is_signed_out_is_refused_and_a_carrier_has_no_codes() {
    let mut gateway = gateway(SignIn::Asked);
    assert_eq!(dials(&mut gateway, "*73", 900), 403);
    // A caller who dials it from outside, even in the seat's name, means a number that nobody has.
    assert_eq!(gateway.call(CARRIER, "seat-0", "*73"), Some(404));
    leaves_nothing(&mut gateway);
}

/// A fault that dials on and on, and acknowledges nothing: each leg would last 32 s.
#[test]
fn a_phone_that_dials_codes_without_end_takes_no_legs_from_callers() {
    let mut gateway = Gateway::new(|setup| setup.fixed.legs.max_legs = 64);
    for n in 0..200 {
        gateway.receive(SEAT, invite(SEAT, "seat-0", ["*73", "*74"][n as usize % 2], 900 + n));
    }
    let legs = gateway.switch.gauges().legs;
    assert!(legs <= 6, "{legs}");
    assert!(gateway.call(CARRIER, "13800138000", "12345").is_some_and(|status| status < 300));
    assert!(gateway.call(SEAT, "seat-0", "110").is_some_and(|status| status < 300), "help is no code");
    gateway.pass(3 * SECOND);
    gateway.sent.clear();
    assert_eq!(dials(&mut gateway, "*73", 1200), 200, "it may dial one again");
}

/// Verbs in the wrong state are told why and change nothing; the reply to one that was carried out waits for the disk.
#[test]
fn verbs_are_answered_when_they_are_on_the_disk_and_refused_in_words() {
    let mut gateway = gateway(SignIn::Asked);
    let refused = |why| Some(Reply::Refused(Why::Seat(why)));
    assert_eq!(verb(&mut gateway, SeatVerb::Ready), refused(SeatRefusal::SignedOut));
    gateway.disk_stands = true;
    assert_eq!(verb(&mut gateway, login()), None, "not on the disk yet");
    gateway.is_durable();
    assert_eq!(view(gateway.replies.pop()).intent, Intent::Ready);
    assert_eq!(verb(&mut gateway, SeatVerb::EndBreak), refused(SeatRefusal::NotOnBreak));
    assert_eq!(verb(&mut gateway, SeatVerb::WrapUpLeave), refused(SeatRefusal::NotInWrapUp));
    let unknown = Command::Seat { seat: "nobody".into(), by: Author::gateway(), verb: Box::new(SeatVerb::Ready) };
    gateway.input(Input::Command { id: 8, command: unknown });
    assert_eq!(gateway.replies.pop(), refused(SeatRefusal::UnknownSeat));
    // With the journal down a seat can be worked with all the same.
    gateway.disk_stands = true;
    gateway.input(Input::JournalDown(true));
    assert!(matches!(view(verb(&mut gateway, SeatVerb::NotReady { reason: "tea".into() })).intent, Intent::Break { .. }));
}

/// The seat talks, writes about the call, and meanwhile wishes a break: call, wrap-up, break, in this order.
#[test]
fn what_is_wished_in_a_call_follows_its_wrap_up_and_outlives_a_kill() {
    let mut gateway = gateway(SignIn::Asked);
    verb(&mut gateway, login());
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = invites(&mut gateway, SEAT).remove(0);
    respond(&mut gateway, SEAT, &ring, "200 OK");
    let talking = view(verb(&mut gateway, SeatVerb::Break { minutes: 10, reason: "lunch".into() }));
    assert_eq!((talking.intent.clone(), talking.device.name(), talking.calls.len()), (Intent::Ready, "talking", 1));
    assert!(matches!(talking.next, Some(Intent::Break { .. })));
    let lines = ["From", "Call-ID"].map(|name| format!("{name}: {}\r\n", header(&ring, name)));
    let (from, to) = (lines[0].replace("From: ", "To: "), header(&ring, "To"));
    let bye = format!(
        "BYE sip:x@10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.10:5060;branch=z9hG4bKbye\r\nFrom: {to};tag=x{SEAT}\r\n{from}{}\
         CSeq: 9 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        lines[1]
    );
    gateway.receive(SEAT, bye);
    gateway.pass(SECOND);
    gateway.input(Input::Command { id: 1, command: Command::SeatOf("seat-0".into()) });
    let wrapping = view(gateway.replies.pop());
    assert!(matches!(wrapping.intent, Intent::WrapUp { call: Some(_), seconds: 30 }), "{wrapping:?}");
    // Killed in the middle of it, it is in wrap-up for the rest of the time, then on its break.
    gateway.pass(9 * SECOND);
    gateway.begin_anew();
    gateway.input(Input::Command { id: 1, command: Command::SeatOf("seat-0".into()) });
    assert!(matches!(view(gateway.replies.pop()).intent, Intent::WrapUp { .. }));
    gateway.pass(31 * SECOND);
    gateway.input(Input::Command { id: 1, command: Command::SeatOf("seat-0".into()) });
    let resting = view(gateway.replies.pop());
    let lunch = matches!(&resting.intent, Intent::Break { reason, .. } if **reason == *"lunch");
    assert!(lunch && resting.next.is_none(), "{resting:?}");
}

/// A wish for after the call holds when the process that had the call is gone: also for who is rung.
#[test]
fn a_seat_that_wished_a_break_in_a_call_is_not_rung_after_a_kill() {
    let mut gateway = gateway(SignIn::Asked);
    verb(&mut gateway, login());
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = invites(&mut gateway, SEAT).remove(0);
    respond(&mut gateway, SEAT, &ring, "200 OK");
    let talking = view(verb(&mut gateway, SeatVerb::Break { minutes: 10, reason: "lunch".into() }));
    assert!(matches!(talking.next, Some(Intent::Break { .. })));
    gateway.begin_anew();
    gateway.input(Input::Command { id: 1, command: Command::SeatOf("seat-0".into()) });
    assert!(matches!(view(gateway.replies.pop()).intent, Intent::Break { .. }));
    gateway.call(CARRIER, "13800138001", "12345");
    gateway.pass(5 * SECOND);
    assert!(invites(&mut gateway, SEAT).is_empty(), "it is on its break");
}
