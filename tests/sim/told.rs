//! The stream of a seat tells all that happens to the seat's calls: why it rings, hold, conference and release, whatever way they came
//! about.

use crate::flood::{Gateway, invite};
use crate::hops::{header, invites, respond};
use crate::setup;
use hotline::base::Rng;
use hotline::control::{Command, Reply, SeatVerb};
use hotline::event::seat::{Author, AuthorKind, SuperviseMode};
use hotline::event::{SeatWhat, TransferKind};
use hotline::queue::Strategy;
use hotline::seat::Rules;
use hotline::switch::Input;
use std::time::Duration;

const CARRIER: u8 = 2;
const FIRST: u8 = 10;

/// A caller talks to the first of four seats.
fn talking() -> Gateway {
    let mut gateway = Gateway::new(|setup| {
        setup.live.seats = setup::setup(&mut Rng::from_number(1), 4).live.seats;
        for seat in &mut setup.live.seats {
            (seat.channels, seat.rules) = (1, Rules::default());
        }
        for queue in &mut setup.live.queues {
            (queue.strategy, queue.seats) = (Strategy::LongestIdle, vec!["seat-0".into()]);
        }
    });
    gateway.call(CARRIER, "13800138000", "12345");
    answers(&mut gateway, 0);
    gateway.told.clear();
    gateway
}

/// The phone of a seat answers what rings it; its INVITE.
fn answers(gateway: &mut Gateway, seat: u8) -> String {
    let ring = invites(gateway, FIRST + seat).remove(0);
    respond(gateway, FIRST + seat, &ring, "200 OK");
    ring
}

#[track_caller]
fn verb(gateway: &mut Gateway, seat: u8, verb: SeatVerb) {
    let seat = format!("seat-{seat}").into();
    let by = match verb {
        SeatVerb::Supervise { .. } => Author { kind: AuthorKind::Supervisor, name: "chief".into() },
        _ => Author::seat(&seat),
    };
    gateway.input(Input::Command { id: 7, command: Command::Seat { seat, by, verb: Box::new(verb) } });
    let reply = gateway.replies.pop();
    assert!(matches!(reply, Some(Reply::Seat(_) | Reply::Done)), "{reply:?}");
}

/// The lines since, in words.
fn told(gateway: &mut Gateway) -> Vec<String> {
    let word = |what: SeatWhat| match what {
        SeatWhat::Ringing { cause, .. } => Some(format!("rings {cause:?}")),
        SeatWhat::Talking { .. } => Some("talks".to_owned()),
        SeatWhat::Held { .. } => Some("held".to_owned()),
        SeatWhat::Resumed { .. } => Some("resumed".to_owned()),
        SeatWhat::Conference { parties, .. } => Some(format!("{parties} talk")),
        SeatWhat::Released { .. } => Some("released".to_owned()),
        _ => None,
    };
    let lines = gateway.told.drain(..);
    lines.filter_map(|(seat, what)| Some(format!("{} {}", seat.trim_start_matches("seat-"), word(what)?))).collect()
}

#[test]
fn hold_is_told_by_verb_and_by_phone_once_each() {
    let mut gateway = talking();
    verb(&mut gateway, 0, SeatVerb::Hold);
    verb(&mut gateway, 0, SeatVerb::Hold);
    assert_eq!(told(&mut gateway), ["0 held"]);
    verb(&mut gateway, 0, SeatVerb::Retrieve);
    verb(&mut gateway, 0, SeatVerb::Retrieve);
    assert_eq!(told(&mut gateway), ["0 resumed"]);
}

#[test]
fn a_phone_s_own_hold_is_told_too() {
    let mut gateway = Gateway::new(|setup| {
        setup.live.seats.truncate(1);
        setup.live.queues.iter_mut().for_each(|queue| queue.seats = vec!["seat-0".into()]);
    });
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = answers(&mut gateway, 0);
    gateway.told.clear();
    for (n, direction, word) in [(8, "sendonly", "0 held"), (9, "sendrecv", "0 resumed")] {
        let again = invite(FIRST, "x", "x", n);
        let (head, body) = again.split_once("\r\n\r\n").unwrap();
        let body = format!("{body}a={direction}\r\n");
        let lines: Vec<String> = head
            .lines()
            .filter(|line| !["To:", "From:", "Call-ID:", "CSeq:", "Content-Length:"].iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .chain([
                format!("From: {};tag=x{FIRST}", header(&ring, "To")),
                format!("To: {}", header(&ring, "From")),
                format!("Call-ID: {}", header(&ring, "Call-ID")),
                format!("CSeq: {n} INVITE"),
                format!("Content-Length: {}", body.len()),
            ])
            .collect();
        gateway.receive(FIRST, format!("{}\r\n\r\n{body}", lines.join("\r\n")));
        gateway.pass(Duration::from_secs(1));
        assert_eq!(told(&mut gateway), [word]);
        let answer = gateway.sent.iter().rfind(|(_, text)| text.contains(&format!("CSeq: {n} INVITE"))).unwrap().1.clone();
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        let ack = lines[..lines.len() - 1].join("\r\n").replace("INVITE", "ACK");
        gateway.receive(FIRST, format!("{ack}\r\nContent-Length: 0\r\n\r\n"));
        gateway.sent.clear();
    }
}

#[test]
fn a_consultation_and_its_conference_are_told_to_all_their_seats() {
    let mut gateway = talking();
    verb(&mut gateway, 0, SeatVerb::Consult { to: "seat:seat-1".into() });
    assert_eq!(told(&mut gateway), ["1 rings Consult"]);
    answers(&mut gateway, 1);
    assert_eq!(told(&mut gateway), ["1 talks"]);
    verb(&mut gateway, 0, SeatVerb::Conference);
    assert_eq!(told(&mut gateway), ["0 3 talk", "1 3 talk"]);
    verb(&mut gateway, 0, SeatVerb::Leave);
    let end = told(&mut gateway);
    assert!(end.contains(&"1 2 talk".to_owned()) && !end.contains(&"0 2 talk".to_owned()), "{end:?}");
}

#[test]
fn the_cause_of_a_ring_is_told_for_each_way_to_a_seat() {
    let mut gateway = talking();
    verb(&mut gateway, 3, SeatVerb::Supervise { seat: "seat-0".into(), mode: SuperviseMode::Monitor });
    assert_eq!(told(&mut gateway), ["3 rings Monitor"]);
    answers(&mut gateway, 3);
    verb(&mut gateway, 0, SeatVerb::Transfer { to: "seat:seat-1".into(), kind: TransferKind::Blind });
    let rung: Vec<String> = told(&mut gateway).into_iter().filter(|line| line.contains("rings")).collect();
    assert_eq!(rung, ["1 rings Transfer"]);
}
