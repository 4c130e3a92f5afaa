//! Trunks and seats that are named by a host name, against a table of names: their hops are called in order, and a call that
//! ends meanwhile leaves nothing.

use crate::flood::{Gateway, OTHER, invite};
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
pub fn named(setup: &mut Setup) {
    let targets = &mut setup.live.trunks[1];
    targets.target = Target { transport: Transport::Udp, place: Place::Named("sbc.example.cn".into(), Some(5060)) };
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
        seat.target = Some(Target { transport: Transport::Udp, place: Place::Named("desk.example.cn".into(), Some(5060)) });
    });
    gateway.names = Some([("desk.example.cn".to_owned(), vec![address(10).ip()])].into());
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.pass(60 * SECONDS);
    assert!(!invites(&mut gateway, 10).is_empty());
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

/// Targets are called at two addresses that the configuration lists.
pub fn listed(setup: &mut Setup) {
    let targets = &mut setup.live.trunks[1];
    targets.target = Target::at(Transport::Udp, address(FIRST));
    targets.others = vec![address(SECOND)];
    targets.sources = vec!["10.0.0.32/29".parse().unwrap()];
}

/// The second address is busy for all that came to it, which says nothing of the address.
fn is_busy(gateway: &mut Gateway) -> usize {
    let came = invites(gateway, SECOND);
    came.iter().for_each(|invite| respond(gateway, SECOND, invite, "486 Busy Here"));
    came.len()
}

/// Another call for help: the invitations that go to the first address and to the second.
pub fn called_at(gateway: &mut Gateway) -> (usize, usize) {
    for host in [FIRST, SECOND] {
        invites(gateway, host);
    }
    gateway.call(CARRIER, "13900139000", "110");
    (invites(gateway, FIRST).len(), is_busy(gateway))
}

#[test]
fn a_listed_address_that_is_silent_costs_one_call_and_is_forgiven_when_it_is_heard() {
    let mut gateway = Gateway::new(listed);
    gateway.call(CARRIER, "13800138000", "110");
    let first = invites(&mut gateway, FIRST).remove(0);
    assert!(first.starts_with("INVITE sip:110@10.0.0.33:5060 SIP/2.0\r\n"), "{first}");
    gateway.pass(5 * SECONDS);
    let second = invites(&mut gateway, SECOND).remove(0);
    assert!(second.starts_with("INVITE sip:110@10.0.0.34:5060 SIP/2.0\r\n"), "{second}");
    assert_eq!((header(&first, "Call-ID"), gateway.asked.len()), (header(&second, "Call-ID"), 0), "one call, and no name");
    assert_eq!(called_at(&mut gateway), (0, 1), "the next call begins with the one that is there");
    // Anything at all is a sign.
    gateway.receive(FIRST, asks_of_itself());
    assert_eq!(called_at(&mut gateway), (1, 0));
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

/// An OPTIONS of the first address's own.
fn asks_of_itself() -> String {
    format!(
        "OPTIONS sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{FIRST}:5060;branch=z9hG4bKo\r\nMax-Forwards: 70\r\n\
         From: <sip:a@10.0.0.{FIRST}>;tag=o\r\nTo: <sip:x@10.0.0.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The first address answers all that came to it.
fn answers(gateway: &mut Gateway, status: &str) -> usize {
    let came = invites(gateway, FIRST);
    came.iter().for_each(|invite| respond(gateway, FIRST, invite, status));
    came.len()
}

/// Another call for help, which the first address answers, if it comes there, and the second refuses for itself.
fn called_and_answered(gateway: &mut Gateway, status: &str) -> (usize, usize) {
    invites(gateway, SECOND);
    gateway.call(CARRIER, "13900139000", "110");
    let first = answers(gateway, status);
    (first, is_busy(gateway))
}

#[test]
fn a_503_is_one_calls_until_so_many_come_in_a_row_and_a_refusal_of_one_call_is_none() {
    const UNAVAILABLE: &str = "503 Service Unavailable";
    let mut gateway = Gateway::new(listed);
    for status in ["486 Busy Here", "404 Not Found", "430 Flow Failed"] {
        for _ in 0..4 {
            assert_eq!(called_and_answered(&mut gateway, status).0, 1, "{status}");
        }
    }
    // Two are none, where something else comes between.
    for status in [UNAVAILABLE, UNAVAILABLE, "486 Busy Here", UNAVAILABLE, UNAVAILABLE] {
        let next = usize::from(status == UNAVAILABLE);
        assert_eq!(called_and_answered(&mut gateway, status), (1, next), "the call goes on, the next begins as before");
    }
    assert_eq!(called_and_answered(&mut gateway, UNAVAILABLE), (1, 1));
    assert_eq!(called_and_answered(&mut gateway, UNAVAILABLE), (0, 1), "the third in a row");
    // It answers other things, which says nothing of calls.
    gateway.receive(FIRST, asks_of_itself());
    assert_eq!(called_and_answered(&mut gateway, UNAVAILABLE), (0, 1));
    gateway.pass(6 * SECONDS);
    assert_eq!(called_and_answered(&mut gateway, UNAVAILABLE), (1, 1), "one tries it");
    gateway.pass(6 * SECONDS);
    assert_eq!(called_and_answered(&mut gateway, UNAVAILABLE), (0, 1), "its rest is longer");
    gateway.pass(6 * SECONDS);
    assert_eq!(called_and_answered(&mut gateway, "486 Busy Here"), (1, 0));
    assert_eq!(called_and_answered(&mut gateway, "486 Busy Here"), (1, 0), "it takes calls again");
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn a_503_that_asks_for_a_rest_has_it_whatever_else_was_under_way() {
    let mut gateway = Gateway::new(listed);
    gateway.call(CARRIER, "13800138000", "110");
    gateway.call(CARRIER, "13800138001", "110");
    let both = invites(&mut gateway, FIRST);
    respond(&mut gateway, FIRST, &both[0], "503 Service Unavailable\r\nRetry-After: 12");
    respond(&mut gateway, FIRST, &both[1], "180 Ringing");
    respond(&mut gateway, FIRST, &both[1], "486 Busy Here");
    is_busy(&mut gateway);
    assert_eq!(called_at(&mut gateway), (0, 1));
    gateway.pass(10 * SECONDS);
    assert_eq!(called_at(&mut gateway), (0, 1), "its Retry-After lasts");
    gateway.pass(3 * SECONDS);
    assert_eq!(called_at(&mut gateway), (1, 0), "one caller tries it");
    assert_eq!(called_at(&mut gateway), (0, 1), "others do not");
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

/// Targets are called at one address.
fn chained(setup: &mut Setup) {
    let targets = &mut setup.live.trunks[1];
    targets.target = Target::at(Transport::Udp, address(FIRST));
    targets.sources = vec!["10.0.0.32/29".parse().unwrap()];
}

#[test]
fn the_only_address_that_cannot_be_sent_to_rests_longer_each_time_and_is_tried_for_help_always() {
    let mut gateway = Gateway::new(chained);
    let fails = |gateway: &mut Gateway| {
        let came = invites(gateway, FIRST);
        for data in came.iter().cloned() {
            let flow = Flow { proto: Proto::Udp, local: address(1), remote: address(FIRST) };
            gateway.input(Input::Unsent { flow, data: data.into(), too_long: false });
        }
        came.len()
    };
    let outages = |gateway: &Gateway| gateway.switch.gauges().outages;
    gateway.call(CARRIER, "13800138000", "110");
    assert_eq!((fails(&mut gateway), outages(&gateway)), (1, 1), "the last address leaves a verdict");
    gateway.call(CARRIER, "13800138001", "110");
    assert_eq!((fails(&mut gateway), outages(&gateway)), (1, 1), "a call for help is tried all the same");
    gateway.receive(FIRST, asks_of_itself());
    assert_eq!(outages(&gateway), 0);
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}

#[test]
fn a_trunk_that_answers_no_options_takes_no_calls_until_it_does() {
    let mut gateway = Gateway::new(|setup| {
        listed(setup);
        setup.live.trunks[1].ping = Some(30 * SECONDS);
    });
    gateway.pass(SECONDS);
    let options = requests(&mut gateway, "OPTIONS", FIRST).remove(0);
    assert!(options.starts_with("OPTIONS sip:10.0.0.33:5060 SIP/2.0\r\n"), "{options}");
    // The second answers, whatever it says; the first does not.
    let answers = |gateway: &mut Gateway, hosts: &[u8]| {
        for _ in 0..10 {
            gateway.pass(3 * SECONDS);
            for host in hosts {
                let asked = requests(gateway, "OPTIONS", *host);
                asked.iter().for_each(|options| respond(gateway, *host, options, "405 Method Not Allowed"));
            }
        }
    };
    answers(&mut gateway, &[SECOND]);
    assert_eq!((gateway.switch.gauges().down, called_at(&mut gateway)), (0, (1, 0)), "one miss is none");
    gateway.input(Input::HangUp);
    let mut gateway = Gateway::new(|setup| {
        listed(setup);
        setup.live.trunks[1].ping = Some(30 * SECONDS);
    });
    (0..4).for_each(|_| answers(&mut gateway, &[SECOND]));
    assert_eq!((gateway.switch.gauges().down, called_at(&mut gateway)), (1, (0, 1)));
    (0..3).for_each(|_| answers(&mut gateway, &[FIRST, SECOND]));
    assert_eq!((gateway.switch.gauges().down, called_at(&mut gateway)), (0, (1, 0)), "back by itself");
    // Both are down: a call for help is tried all the same.
    (0..8).for_each(|_| answers(&mut gateway, &[]));
    assert_eq!(gateway.switch.gauges().down, 2);
    assert_ne!(called_at(&mut gateway), (0, 0));
    gateway.input(Input::HangUp);
}

/// Nothing tells that a call for help comes back, and nothing may keep it here: each leg has one hop less, and the last has none
/// (RFC 3261 §16.3).
#[test]
fn a_call_for_help_that_comes_back_for_ever_ends_by_its_hops() {
    let mut gateway = Gateway::new(|_| {});
    let (mut hops, mut rounds) = ("3".to_owned(), Vec::new());
    for n in 1..=5 {
        let back = invite(OTHER, "13800138000", "110", 500 + n).replace("Max-Forwards: 70", &format!("Max-Forwards: {hops}"));
        gateway.receive(OTHER, back);
        let Some(sent) = invites(&mut gateway, OTHER).pop() else { break };
        hops = header(&sent, "Max-Forwards").to_owned();
        rounds.push(hops.clone());
    }
    assert_eq!(rounds, ["2", "1", "0"]);
    assert_eq!(gateway.statuses(OTHER).pop(), Some(483));
}
