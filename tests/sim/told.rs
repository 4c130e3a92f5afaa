//! The stream of a seat tells all that happens to the seat's calls: why it rings, hold, conference and release, whatever way they came
//! about.

use crate::flood::{Gateway, invite};
use crate::hops::{header, invites, requests, respond};
use crate::setup;
use hotline::base::{CallId, Rng};
use hotline::call::Policy;
use hotline::control::seat::RecordVerb;
use hotline::control::{CallView, Command, Numbers, Reply, SeatVerb, Why};
use hotline::event::seat::{Author, AuthorKind, SuperviseMode};
use hotline::event::{SeatWhat, TransferKind};
use hotline::queue::Strategy;
use hotline::seat::Rules;
use hotline::switch::Input;
use std::sync::Arc;
use std::time::Duration;

const CARRIER: u8 = 2;
const TARGETS: u8 = 3;
const FIRST: u8 = 10;

/// Four seats, of which these are rung for callers.
pub fn four(strategy: Strategy, rung: &[&str]) -> Gateway {
    Gateway::new(|setup| {
        setup.live.seats = setup::setup(&mut Rng::from_number(1), 4).live.seats;
        // Before a caller that acknowledges nothing is taken for dead.
        setup.live.policy = Arc::new(Policy { max_talk: Duration::from_secs(25), ..Policy::clone(&setup.live.policy) });
        for seat in &mut setup.live.seats {
            (seat.channels, seat.rules) = (1, Rules::default());
        }
        for queue in &mut setup.live.queues {
            // Longer than a phone that is dead takes to be known for that.
            queue.ring_timeout = Duration::from_secs(60);
            (queue.strategy, queue.seats) = (strategy, rung.iter().map(|seat| (*seat).into()).collect());
        }
    })
}

/// A caller talks to the first of four seats.
fn talking() -> Gateway {
    talking_by().0
}

/// The phone of a seat answers what rings it; its INVITE.
pub fn answers(gateway: &mut Gateway, seat: u8) -> String {
    let ring = invites(gateway, FIRST + seat).remove(0);
    respond(gateway, FIRST + seat, &ring, "200 OK");
    ring
}

#[track_caller]
pub fn verb(gateway: &mut Gateway, seat: u8, verb: SeatVerb) {
    match verb {
        SeatVerb::Supervise { .. } => by_supervisor(gateway, seat, verb),
        verb => give(gateway, seat, Author::seat(&format!("seat-{seat}").into()), verb),
    }
}

#[track_caller]
pub fn by_supervisor(gateway: &mut Gateway, seat: u8, verb: SeatVerb) {
    give(gateway, seat, Author { kind: AuthorKind::Supervisor, name: "chief".into() }, verb);
}

#[track_caller]
fn give(gateway: &mut Gateway, seat: u8, by: Author, verb: SeatVerb) {
    let seat = format!("seat-{seat}").into();
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

/// The lines about moves and about who has the caller, in words.
fn moves(gateway: &mut Gateway) -> Vec<String> {
    let shown = |value: Option<String>| value.unwrap_or("-".to_owned());
    let word = |what: SeatWhat| match what {
        SeatWhat::Talking { role, .. } => Some(format!("talks {role:?}")),
        SeatWhat::TransferStarted { kind, to, .. } => Some(format!("{} to {to}", kind.name())),
        SeatWhat::TransferAnswered { .. } => Some("answered".to_owned()),
        SeatWhat::TransferEnded { kind, result, status, q850, .. } => {
            let (status, q850) = (shown(status.map(|it| it.to_string())), shown(q850.map(|it| it.to_string())));
            Some(format!("{} {} {status} {q850}", kind.name(), result.name()))
        }
        SeatWhat::Released { by, .. } => Some(format!("released by {by:?}")),
        _ => None,
    };
    let lines = gateway.told.drain(..);
    lines.filter_map(|(seat, what)| Some(format!("{} {}", seat.trim_start_matches("seat-"), word(what)?))).collect()
}

/// A request of the phone that this INVITE rang.
pub fn asks(gateway: &mut Gateway, host: u8, ring: &str, (method, n): (&str, u32), more: &str, body: &str) {
    let (from, to, id) = (header(ring, "To"), header(ring, "From"), header(ring, "Call-ID"));
    gateway.receive(
        host,
        format!(
            "{method} sip:x@10.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{host}:5060;branch=z9hG4bK{method}{n}\r\n\
             From: {from};tag=x{host}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {n} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:x@10.0.0.{host}:5060>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
}

/// The first seat asks for 12366 in each way that there is.
#[test]
fn a_move_and_its_end_are_told_to_the_seat_however_it_asked() {
    type Way = fn(&mut Gateway, &str);
    let by_verb: Way = |gateway, _| verb(gateway, 0, SeatVerb::Consult { to: "12366".into() });
    let by_keys: Way = |gateway, ring| {
        for (n, key) in (2..).zip("*212366#".chars()) {
            let body = format!("Signal={key}\r\nDuration=100\r\n");
            asks(gateway, FIRST, ring, ("INFO", n), "Content-Type: application/dtmf-relay\r\n", &body);
        }
    };
    let by_second_line: Way = |gateway, _| gateway.receive(FIRST, invite(FIRST, "seat-0", "12366", 9));
    let by_refer: Way = |gateway, ring| asks(gateway, FIRST, ring, ("REFER", 2), "Refer-To: <sip:12366@10.0.0.1>\r\n", "");
    let consult = ["0 consult to 12366", "0 consult failed 486 17"];
    let ways: [(Way, &[&str]); 4] = [
        (by_verb, &consult),
        (by_keys, &consult),
        (by_second_line, &consult),
        (by_refer, &["0 blind to 12366", "0 blind failed 486 17", "0 return to seat"]),
    ];
    for (n, (way, expected)) in ways.into_iter().enumerate() {
        let (mut gateway, ring) = talking_by();
        way(&mut gateway, &ring);
        let rung = invites(&mut gateway, TARGETS);
        assert_eq!(rung.len(), 1, "way {n}");
        respond(&mut gateway, TARGETS, &rung[0], "486 Busy Here");
        assert_eq!(moves(&mut gateway), expected, "way {n}");
    }
    // It fails for the caller's going, which nobody has refused.
    let (mut gateway, ring) = talking_by();
    by_verb(&mut gateway, &ring);
    verb(&mut gateway, 0, SeatVerb::Cancel);
    assert_eq!(moves(&mut gateway), ["0 consult to 12366", "0 consult cancelled - -"]);
    verb(&mut gateway, 0, SeatVerb::Transfer { to: "queue:12345".into(), kind: TransferKind::Blind });
    assert_eq!(moves(&mut gateway)[..2], ["0 blind to 12345", "0 blind completed - -"]);
}

#[test]
fn who_has_the_caller_and_who_assists_is_told_as_it_changes() {
    let consulted = || {
        let mut gateway = talking();
        verb(&mut gateway, 0, SeatVerb::Consult { to: "seat:seat-1".into() });
        assert_eq!(moves(&mut gateway), ["0 consult to seat:seat-1"]);
        answers(&mut gateway, 1);
        assert_eq!(moves(&mut gateway), ["0 answered", "1 talks Assistant"]);
        gateway
    };
    let mut gateway = consulted();
    verb(&mut gateway, 0, SeatVerb::Complete);
    assert_eq!(moves(&mut gateway), ["0 consult completed - -", "1 talks Main", "0 released by Seat"]);
    let mut gateway = consulted();
    verb(&mut gateway, 0, SeatVerb::Conference);
    assert_eq!(moves(&mut gateway), ["0 consult joined - -"]);
    verb(&mut gateway, 0, SeatVerb::Leave);
    assert_eq!(moves(&mut gateway), ["1 talks Main", "0 released by Seat"]);
    // It becomes a blind transfer while the other still rings.
    let mut gateway = talking();
    verb(&mut gateway, 0, SeatVerb::Consult { to: "seat:seat-1".into() });
    verb(&mut gateway, 0, SeatVerb::Complete);
    answers(&mut gateway, 1);
    let told = moves(&mut gateway);
    assert_eq!(told.iter().filter(|line| line.starts_with("1 ")).collect::<Vec<_>>(), ["1 talks Main"], "{told:?}");
    assert!(told.contains(&"0 consult completed - -".to_owned()), "{told:?}");
}

/// A caller talks to the first of four seats; the INVITE that rang it.
fn talking_by() -> (Gateway, String) {
    let mut gateway = four(Strategy::LongestIdle, &["seat-0"]);
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = answers(&mut gateway, 0);
    gateway.told.clear();
    (gateway, ring)
}

/// The call as this seat's toolbar is shown it.
fn shown(gateway: &mut Gateway, seat: u8, numbers: Numbers) -> Option<CallView> {
    let call = call_of(gateway);
    let seat = format!("seat-{seat}").into();
    gateway.input(Input::Command { id: 8, command: Command::CallOf { seat, call, numbers } });
    match gateway.replies.pop() {
        Some(Reply::Call(view)) => Some(*view),
        reply => {
            assert_eq!(reply, Some(Reply::Refused(Why::NoSuchCall)));
            None
        }
    }
}

/// The only call that there is.
pub fn call_of(gateway: &mut Gateway) -> CallId {
    gateway.input(Input::Command { id: 8, command: Command::Calls(Numbers::Masked) });
    let Some(Reply::Calls { calls, .. }) = gateway.replies.pop() else { panic!("calls") };
    assert_eq!(calls.len(), 1);
    calls[0].id
}

/// A toolbar that opens anew finds its buttons as they were pressed.
#[test]
fn mute_recording_and_data_stand_in_the_snapshot_and_go_along() {
    let mut gateway = talking();
    let seen = |gateway: &mut Gateway, seat: u8| {
        let view = shown(gateway, seat, Numbers::Full).unwrap();
        let name = format!("seat-{seat}");
        (view.legs.iter().find(|leg| leg.party == name).unwrap().muted, view.recording)
    };
    assert_eq!(seen(&mut gateway, 0), (false, "recording"));
    verb(&mut gateway, 0, SeatVerb::Mute);
    verb(&mut gateway, 0, SeatVerb::Mute);
    verb(&mut gateway, 0, SeatVerb::Record(RecordVerb::Mask));
    verb(&mut gateway, 0, SeatVerb::SetData { key: "ticket".to_owned(), value: "7".to_owned() });
    assert_eq!(seen(&mut gateway, 0), (true, "masked"));
    let is_mute = |what: &SeatWhat| matches!(what, SeatWhat::Muted { .. } | SeatWhat::Unmuted { .. });
    assert_eq!(gateway.told.drain(..).filter(|(_, what)| is_mute(what)).count(), 1, "twice is told once");
    verb(&mut gateway, 0, SeatVerb::Record(RecordVerb::Pause));
    assert_eq!(seen(&mut gateway, 0), (true, "paused"));
    verb(&mut gateway, 0, SeatVerb::Unmute);
    assert!(matches!(gateway.told.last(), Some((_, SeatWhat::Unmuted { .. }))));
    verb(&mut gateway, 0, SeatVerb::Mute);
    assert_eq!(shown(&mut gateway, 1, Numbers::Full), None, "it is another's call");
    verb(&mut gateway, 0, SeatVerb::Consult { to: "seat:seat-1".into() });
    let ring = answers(&mut gateway, 1);
    assert_eq!(header(&ring, "X-Hotline-Data"), "ticket=7");
    assert_eq!((seen(&mut gateway, 0), seen(&mut gateway, 1)), ((true, "paused"), (false, "paused")));
    verb(&mut gateway, 0, SeatVerb::Complete);
    assert_eq!(shown(&mut gateway, 0, Numbers::Full), None, "it has left");
    assert_eq!(seen(&mut gateway, 1), (false, "recording"), "what it had left out ends with its part");
    verb(&mut gateway, 1, SeatVerb::Record(RecordVerb::Stop));
    let view = shown(&mut gateway, 1, Numbers::Full).unwrap();
    assert_eq!((view.recording, view.data), ("off", vec![("ticket".to_owned(), Some("7".to_owned()))]));
    let masked = shown(&mut gateway, 1, Numbers::Masked).unwrap();
    assert_eq!(masked.data, [("ticket".to_owned(), None)]);
    assert!(requests(&mut gateway, "INVITE", TARGETS).is_empty());
}
