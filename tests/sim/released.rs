//! A seat that is released is told by whom, in whatever way its part in a call has ended.

use crate::flood::Gateway;
use crate::hops::{header, invites, respond};
use crate::switch::address;
use crate::told::{answers, asks, by_supervisor, call_of, four, verb};
use hotline::control::seat::Outgoing;
use hotline::control::{Command, SeatVerb};
use hotline::event::seat::{ReleasedBy, SuperviseMode};
use hotline::event::{SeatWhat, TransferKind};
use hotline::queue::Strategy;
use hotline::switch::Input;
use std::time::Duration;

const CARRIER: u8 = 2;
const TARGETS: u8 = 3;
const FIRST: u8 = 10;
const PERSON: &str = "13900139000";

/// Ends the part of a seat in a call. The gateway is one whose first seat rings, with the INVITE that rang it; each answers
/// whom it must.
type Way = fn(&mut Gateway, &str);

fn respond_ok(gateway: &mut Gateway, ring: &str) {
    respond(gateway, FIRST, ring, "200 OK");
}

/// The caller hangs up a call that was answered.
fn caller_hangs_up(gateway: &mut Gateway) {
    let is = |(to, text): &&(std::net::SocketAddr, String)| *to == address(CARRIER) && text.starts_with("SIP/2.0 200");
    let answer = gateway.sent.iter().rfind(is).unwrap().1.clone();
    let (from, to, id) = (header(&answer, "From"), header(&answer, "To"), header(&answer, "Call-ID"));
    gateway.receive(
        CARRIER,
        format!(
            "BYE sip:12345@10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{CARRIER}:5060;branch=z9hG4bKbye\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {id}\r\nCSeq: 2 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ),
    );
}

fn command(gateway: &mut Gateway, command: Command) {
    gateway.input(Input::Command { id: 9, command });
}

const TALKING: [(&str, ReleasedBy, Way); 12] = [
    ("the caller hangs up", ReleasedBy::Caller, |gateway, _| caller_hangs_up(gateway)),
    ("its phone hangs up", ReleasedBy::Seat, |gateway, ring| asks(gateway, FIRST, ring, ("BYE", 2), "", "")),
    ("its toolbar hangs up", ReleasedBy::Seat, |gateway, _| verb(gateway, 0, SeatVerb::HangUp)),
    ("a supervisor hangs up in its place", ReleasedBy::Supervisor, |gateway, _| by_supervisor(gateway, 0, SeatVerb::HangUp)),
    ("a supervisor ends the call", ReleasedBy::Supervisor, |gateway, _| by_supervisor(gateway, 0, SeatVerb::ForceDrop)),
    ("an operator drops its leg", ReleasedBy::Supervisor, |gateway, _| {
        let call = call_of(gateway);
        command(gateway, Command::Drop { call, leg: 1 });
    }),
    ("a supervisor has the call from now on", ReleasedBy::Supervisor, |gateway, _| {
        by_supervisor(gateway, 3, SeatVerb::Supervise { seat: "seat-0".into(), mode: SuperviseMode::Monitor });
        answers(gateway, 3);
        by_supervisor(gateway, 3, SeatVerb::Intercept { seat: "seat-0".into() });
    }),
    ("it has lasted too long", ReleasedBy::Gateway, |gateway, _| gateway.pass(Duration::from_secs(26))),
    ("the gateway ends", ReleasedBy::Gateway, |gateway, _| gateway.input(Input::HangUp)),
    ("it sends the caller to a queue", ReleasedBy::Seat, |gateway, _| {
        verb(gateway, 0, SeatVerb::Transfer { to: "queue:12345".into(), kind: TransferKind::Blind });
    }),
    ("it sends the caller to another seat, by REFER", ReleasedBy::Seat, |gateway, ring| {
        asks(gateway, FIRST, ring, ("REFER", 2), "Refer-To: <sip:seat-1@10.0.0.1>\r\n", "");
        answers(gateway, 1);
    }),
    ("the caller has gone, and the target with whom it talks on hangs up", ReleasedBy::Other, |gateway, _| {
        verb(gateway, 0, SeatVerb::Consult { to: "12366".into() });
        let rung = invites(gateway, TARGETS).remove(0);
        respond(gateway, TARGETS, &rung, "200 OK");
        verb(gateway, 0, SeatVerb::Conference);
        caller_hangs_up(gateway);
        asks(gateway, TARGETS, &rung, ("BYE", 2), "", "");
    }),
];

const RINGING: [(&str, ReleasedBy, Way); 5] = [
    ("the caller gives up", ReleasedBy::Caller, |gateway, _| gateway.cancel(CARRIER, "13800138000", "12345")),
    ("its phone refuses", ReleasedBy::Seat, |gateway, ring| respond(gateway, FIRST, ring, "486 Busy Here")),
    ("its toolbar refuses", ReleasedBy::Seat, |gateway, _| verb(gateway, 0, SeatVerb::Reject)),
    ("it rings too long", ReleasedBy::Gateway, |gateway, ring| {
        respond(gateway, FIRST, ring, "180 Ringing");
        gateway.pass(Duration::from_secs(100));
    }),
    ("its phone is dead", ReleasedBy::Network, |gateway, _| gateway.pass(Duration::from_secs(50))),
];

/// How the first release of this seat is told.
fn released(gateway: &Gateway, seat: &str) -> Option<ReleasedBy> {
    gateway.told.iter().find_map(|(of, what)| match what {
        SeatWhat::Released { by, .. } if **of == *seat => Some(*by),
        _ => None,
    })
}

#[test]
fn each_way_to_be_released_is_told_with_its_side() {
    let talking = TALKING.map(|row| (row, true)).into_iter();
    for ((name, expected, way), talks) in talking.chain(RINGING.map(|row| (row, false))) {
        let mut gateway = four(Strategy::LongestIdle, &["seat-0"]);
        gateway.call(CARRIER, "13800138000", "12345");
        let ring = invites(&mut gateway, FIRST).remove(0);
        if talks {
            respond_ok(&mut gateway, &ring);
        }
        way(&mut gateway, &ring);
        assert_eq!(released(&gateway, "seat-0"), Some(expected), "{name}: {:?}", gateway.told);
    }
}

/// Another is the one who acts.
#[test]
fn seats_that_are_released_by_each_other_are_told_so() {
    let mut gateway = four(Strategy::RingAll, &["seat-0", "seat-1"]);
    gateway.call(CARRIER, "13800138000", "12345");
    answers(&mut gateway, 1);
    assert_eq!(released(&gateway, "seat-0"), Some(ReleasedBy::Other), "the other has answered: {:?}", gateway.told);
    for way in [SeatVerb::Cancel, SeatVerb::HangUp] {
        let mut gateway = four(Strategy::LongestIdle, &["seat-0"]);
        gateway.call(CARRIER, "13800138000", "12345");
        answers(&mut gateway, 0);
        verb(&mut gateway, 0, SeatVerb::Consult { to: "seat:seat-1".into() });
        answers(&mut gateway, 1);
        let hangs_up = way == SeatVerb::HangUp;
        verb(&mut gateway, if hangs_up { 1 } else { 0 }, way);
        let by = if hangs_up { ReleasedBy::Seat } else { ReleasedBy::Other };
        assert_eq!(released(&gateway, "seat-1"), Some(by), "{:?}", gateway.told);
        assert_eq!(released(&gateway, "seat-0"), None, "it has its caller");
    }
}

/// The person whom a seat has called stands where a caller does.
#[test]
fn a_seat_that_calls_out_is_told_who_hangs_up() {
    let wanted =
        || Outgoing { to: Some(PERSON.to_owned()), hotline: None, callback: None, ticket: None, preview: false, request: None };
    for (by_person, expected) in [(true, ReleasedBy::Caller), (false, ReleasedBy::Seat)] {
        let mut gateway = four(Strategy::LongestIdle, &["seat-0"]);
        verb(&mut gateway, 0, SeatVerb::Call(wanted()));
        let ring = answers(&mut gateway, 0);
        let person = invites(&mut gateway, TARGETS).remove(0);
        respond(&mut gateway, TARGETS, &person, "200 OK");
        match by_person {
            true => asks(&mut gateway, TARGETS, &person, ("BYE", 2), "", ""),
            false => asks(&mut gateway, FIRST, &ring, ("BYE", 2), "", ""),
        }
        assert_eq!(released(&gateway, "seat-0"), Some(expected), "{:?}", gateway.told);
    }
}
