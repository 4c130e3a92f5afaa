//! Trunks and seats that are named by a host name, against a table of names: their hops are called in order, and a call that
//! ends meanwhile leaves nothing.

use crate::flood::{Gateway, OTHER};
use crate::switch::address;
use hotline::base::{Flow, Place, Proto, Target, Transport};
use hotline::switch::{Input, Setup};
use std::time::Duration;

const CARRIER: u8 = 2;
const FIRST: u8 = 33;
const SECOND: u8 = 34;
/// An address that the operator has not listed.
const ELSEWHERE: u8 = 99;
const SECONDS: Duration = Duration::from_secs(1);

/// Targets are called at a name, and may be at ten addresses.
fn named(setup: &mut Setup) {
    let targets = &mut setup.live.trunks[1];
    targets.target = Target { transport: Transport::Udp, place: Place::Named("sbc.example.cn".into(), 5060) };
    targets.sources = vec!["10.0.0.32/29".parse().unwrap()];
}

/// A gateway that is called for help; the name of whoever is to help comes to these hosts, or nobody knows.
fn called(hosts: Option<&[u8]>) -> Gateway {
    let mut gateway = Gateway::new(named);
    gateway.names =
        hosts.map(|hosts| [("sbc.example.cn".to_owned(), hosts.iter().map(|host| address(*host).ip()).collect())].into());
    gateway.call(CARRIER, "13800138000", "110");
    gateway
}

/// The requests of this method that have gone to a host.
pub fn requests(gateway: &mut Gateway, method: &str, host: u8) -> Vec<String> {
    let is = |(to, text): &(std::net::SocketAddr, String)| *to == address(host) && text.starts_with(method);
    let found = gateway.sent.iter().filter(|sent| is(sent)).map(|(_, text)| text.clone()).collect();
    gateway.sent.retain(|sent| !is(sent));
    found
}

/// The next REGISTER that goes to a host.
pub fn next_register(gateway: &mut Gateway, host: u8) -> String {
    for _ in 0..700 {
        if let Some(register) = requests(gateway, "REGISTER", host).pop() {
            return register;
        }
        gateway.pass(SECONDS);
    }
    panic!("no REGISTER");
}

pub fn invites(gateway: &mut Gateway, host: u8) -> Vec<String> {
    requests(gateway, "INVITE", host)
}

pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap()
}

pub fn respond(gateway: &mut Gateway, host: u8, invite: &str, status: &str) {
    let lines = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(invite, name))).concat();
    let sdp =
        format!("v=0\r\no=- 1 1 IN IP4 10.0.0.{host}\r\ns=-\r\nc=IN IP4 10.0.0.{host}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n");
    let body = if status.starts_with('2') { sdp } else { String::new() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let (to, length) = (header(invite, "To"), body.len());
    gateway.receive(
        host,
        format!(
            "SIP/2.0 {status}\r\n{lines}To: {to};tag=x{host}\r\nContact: <sip:x@10.0.0.{host}:5060>\r\n{kind}Content-Length: {length}\r\n\r\n{body}"
        ),
    );
}

/// After all timers nothing is left of any call.
#[track_caller]
pub fn leaves_nothing(gateway: &mut Gateway) {
    gateway.pass(700 * SECONDS);
    let gauges = gateway.switch.gauges();
    assert!(gauges.idle(), "{gauges:?}");
}

#[test]
fn a_name_with_two_addresses_is_reached_though_the_first_is_dead() {
    let mut gateway = called(Some(&[FIRST, SECOND]));
    let first = invites(&mut gateway, FIRST).pop().unwrap();
    assert!(first.starts_with("INVITE sip:110@sbc.example.cn:5060 SIP/2.0\r\n"), "{first}");
    gateway.pass(3 * SECONDS);
    assert!(invites(&mut gateway, SECOND).is_empty());
    gateway.pass(2 * SECONDS);
    let second = invites(&mut gateway, SECOND).remove(0);
    for same in ["Call-ID", "From", "To", "CSeq"] {
        assert_eq!(header(&first, same), header(&second, same));
    }
    assert_ne!(header(&first, "Via"), header(&second, "Via"));
    assert_eq!(first.split("\r\n\r\n").nth(1), second.split("\r\n\r\n").nth(1), "one offer");
    gateway.statuses(CARRIER);
    respond(&mut gateway, SECOND, &second, "200 OK");
    assert_eq!(gateway.statuses(CARRIER).last(), Some(&200));
    gateway.pass(10 * SECONDS);
    // The next caller is not kept waiting by it.
    invites(&mut gateway, FIRST);
    gateway.call(OTHER, "13900139000", "110");
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn a_hop_that_failed_comes_last_for_the_next_caller() {
    let mut gateway = called(Some(&[FIRST, SECOND]));
    gateway.pass(5 * SECONDS);
    assert!(!invites(&mut gateway, FIRST).is_empty() && !invites(&mut gateway, SECOND).is_empty());
    let before = gateway.asked.len();
    gateway.call(CARRIER, "13900139000", "110");
    assert_eq!((gateway.asked.len(), invites(&mut gateway, SECOND).len()), (before + 1, 1));
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn unavailable_or_unsent_is_the_next_hops_turn_and_busy_is_not() {
    for (status, next) in [("503 Service Unavailable", 1), ("486 Busy Here", 0)] {
        let mut gateway = called(Some(&[FIRST, SECOND]));
        let invite = invites(&mut gateway, FIRST).remove(0);
        respond(&mut gateway, FIRST, &invite, status);
        assert_eq!(requests(&mut gateway, "ACK", FIRST).len(), 1);
        assert_eq!(invites(&mut gateway, SECOND).len(), next, "{status}");
        gateway.input(Input::HangUp);
        leaves_nothing(&mut gateway);
    }
    let mut gateway = called(Some(&[FIRST, SECOND]));
    let data = invites(&mut gateway, FIRST).remove(0).into();
    let flow = Flow { proto: Proto::Udp, local: address(1), remote: address(FIRST) };
    gateway.input(Input::Unsent { flow, data, too_long: false });
    assert_eq!(invites(&mut gateway, SECOND).len(), 1);
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn a_name_that_nobody_knows_or_answers_for_ends_the_leg_alone() {
    let mut unknown = called(Some(&[]));
    assert_eq!((unknown.asked.is_empty(), unknown.switch.counters().unresolved > 0), (false, true));
    leaves_nothing(&mut unknown);
    let mut silent = called(None);
    assert_eq!((silent.switch.gauges().resolving, silent.switch.counters().unresolved), (1, 0));
    silent.pass(4 * SECONDS);
    assert!(silent.switch.counters().unresolved > 0);
    leaves_nothing(&mut silent);
    let mut dead = called(Some(&[FIRST, SECOND]));
    dead.pass(40 * SECONDS);
    assert!(!invites(&mut dead, SECOND).is_empty());
    leaves_nothing(&mut dead);
}

#[test]
fn a_call_that_ends_meanwhile_leaves_nothing_in_whatever_order() {
    let ends: [fn(&mut Gateway); 3] = [
        |gateway| gateway.cancel(CARRIER, "13800138000", "110"),
        |gateway| gateway.input(Input::HangUp),
        |gateway| gateway.pass(700 * SECONDS),
    ];
    for end in ends {
        // The answer comes after the end.
        let mut gateway = called(None);
        let (id, target) = gateway.asked.pop().unwrap();
        end(&mut gateway);
        assert_eq!(gateway.switch.gauges().resolving, 0);
        gateway.input(Input::Resolved { id, hops: vec![target.hop(address(FIRST).ip())] });
        assert!(invites(&mut gateway, FIRST).is_empty());
        leaves_nothing(&mut gateway);
        // The answer comes before, and twice.
        let mut gateway = called(None);
        let (id, target) = gateway.asked.pop().unwrap();
        let hops = || [FIRST, SECOND].map(|host| target.hop(address(host).ip())).to_vec();
        gateway.input(Input::Resolved { id, hops: hops() });
        gateway.input(Input::Resolved { id, hops: hops() });
        assert_eq!(invites(&mut gateway, FIRST).len(), 1);
        end(&mut gateway);
        leaves_nothing(&mut gateway);
        // Between two hops: the second has not been called, and never is.
        let mut gateway = called(Some(&[FIRST, SECOND]));
        gateway.pass(SECONDS);
        let invite = invites(&mut gateway, FIRST).remove(0);
        gateway.cancel(CARRIER, "13800138000", "110");
        respond(&mut gateway, FIRST, &invite, "503 Service Unavailable");
        gateway.pass(10 * SECONDS);
        assert!(invites(&mut gateway, SECOND).is_empty());
        leaves_nothing(&mut gateway);
    }
}

#[test]
fn a_name_leads_nowhere_that_the_operator_has_not_listed() {
    let mut gateway = called(Some(&[ELSEWHERE]));
    assert!(gateway.sent.iter().all(|(to, _)| *to != address(ELSEWHERE)));
    let strangers = gateway.switch.counters().strangers;
    gateway.receive(ELSEWHERE, crate::flood::invite(ELSEWHERE, "1", "12345", 77));
    assert_eq!(gateway.switch.counters().strangers, strangers + 1, "what it comes to opens no door");
    let mut gateway = called(Some(&[ELSEWHERE, SECOND]));
    assert_eq!(invites(&mut gateway, SECOND).len(), 1);
    assert!(gateway.sent.iter().all(|(to, _)| *to != address(ELSEWHERE)));
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn a_seat_may_have_a_name() {
    let mut gateway = Gateway::new(|setup| {
        let seat = &mut setup.live.seats[0];
        seat.target = Some(Target { transport: Transport::Udp, place: Place::Named("desk.example.cn".into(), 5060) });
    });
    gateway.names = Some([("desk.example.cn".to_owned(), vec![address(10).ip()])].into());
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.pass(60 * SECONDS);
    assert!(!invites(&mut gateway, 10).is_empty());
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}
