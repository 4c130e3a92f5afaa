//! Answers count for a peer, or against it, only where they answer what we have asked it (RFC 3261 §17.1.3); and a trunk is asked
//! whether it is there wherever a reload has put it.

use crate::flood::{Gateway, OTHER};
use crate::hops::{called_at, invites, leaves_nothing, listed, named, requests, respond};
use crate::switch::address;
use hotline::base::{Place, Target, Transport};
use hotline::switch::{Input, Setup};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const CARRIER: u8 = 2;
const FIRST: u8 = 33;
const SECOND: u8 = 34;
const SEAT: u8 = 10;
const SECONDS: Duration = Duration::from_secs(1);

/// A request of ours as somebody repeats it who has not seen it.
fn guessed(request: &str) -> String {
    let at = request.find("branch=z9hG4bK").unwrap() + 14;
    let other = if request[at..].starts_with('0') { "1" } else { "0" };
    format!("{}{other}{}", &request[..at], &request[at + 1..])
}

/// The trunk of the targets is asked every half minute, by a name.
fn watched(setup: &mut Setup) {
    named(setup);
    setup.live.trunks[1].ping = Some(30 * SECONDS);
}

/// OPTIONS that came to a host.
fn asked(gateway: &mut Gateway, host: u8) -> Vec<String> {
    requests(gateway, "OPTIONS", host)
}

#[test]
fn only_an_answer_to_our_question_by_whom_we_asked_counts() {
    let mut gateway = Gateway::new(|setup| {
        listed(setup);
        setup.live.trunks[1].ping = Some(30 * SECONDS);
    });
    for _ in 0..10 {
        gateway.pass(30 * SECONDS);
        for host in [FIRST, SECOND] {
            for options in asked(&mut gateway, host) {
                // A stranger does not see our messages, and can only guess.
                respond(&mut gateway, host, &guessed(&options), "503 Service Unavailable");
                let other = options.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE");
                respond(&mut gateway, host, &other, "503 Service Unavailable");
                respond(&mut gateway, CARRIER, &options, "503 Service Unavailable");
                // Its own retransmission is answered by the first response alone.
                respond(&mut gateway, host, &options, "200 OK");
            }
        }
    }
    assert_eq!(gateway.switch.gauges().down, 0);
    // A guess is no life either.
    for _ in 0..5 {
        gateway.pass(30 * SECONDS);
        for options in asked(&mut gateway, FIRST) {
            respond(&mut gateway, FIRST, &guessed(&options), "200 OK");
        }
        for options in asked(&mut gateway, SECOND) {
            respond(&mut gateway, SECOND, &options, "200 OK");
        }
    }
    assert_eq!(gateway.switch.gauges().down, 1);
    // Real ones do.
    for _ in 0..10 {
        gateway.pass(30 * SECONDS);
        for options in asked(&mut gateway, FIRST) {
            respond(&mut gateway, FIRST, &options, "200 OK");
        }
        for options in asked(&mut gateway, SECOND) {
            respond(&mut gateway, SECOND, &options, "503 Service Unavailable");
        }
    }
    assert_eq!(gateway.switch.gauges().down, 1);
    assert_eq!(called_at(&mut gateway), (1, 0), "the second refuses");
}

#[test]
fn a_reload_that_adds_renames_or_moves_a_trunk_leaves_it_watched_and_called() {
    let names: BTreeMap<String, Vec<IpAddr>> =
        [("sbc.example.cn".to_owned(), vec![address(FIRST).ip()]), ("other.example.cn".to_owned(), vec![address(SECOND).ip()])]
            .into();
    let mut gateway = Gateway::new(named);
    gateway.names = Some(names);
    gateway.pass(40 * SECONDS);
    assert!(asked(&mut gateway, FIRST).is_empty());
    let mut setup = gateway.setup();
    let mut reload = |gateway: &mut Gateway, change: &dyn Fn(&mut Setup)| {
        change(&mut setup);
        gateway.input(Input::Reload(Box::new(setup.live.clone())));
        // The question that was under way is repeated until its time is over.
        gateway.pass(35 * SECONDS);
        [FIRST, SECOND].iter().for_each(|host| drop(asked(gateway, *host)));
        gateway.pass(31 * SECONDS);
    };
    let is_called = |gateway: &mut Gateway, host: u8| {
        invites(gateway, host);
        gateway.call(CARRIER, "13800138000", "110");
        invites(gateway, host).len() == 1
    };
    // It is watched from now on.
    reload(&mut gateway, &|setup| {
        watched(setup);
        setup.live.pings = (4, 2);
    });
    assert!(!asked(&mut gateway, FIRST).is_empty() && is_called(&mut gateway, FIRST));
    // It has fallen silent, and is called something else.
    gateway.pass(150 * SECONDS);
    assert_eq!(gateway.switch.gauges().down, 1);
    reload(&mut gateway, &|setup| setup.live.trunks[1].name = "renamed".into());
    assert!(!asked(&mut gateway, FIRST).is_empty());
    // Its name is another one: nothing of the old place counts any more.
    reload(&mut gateway, &|setup| {
        let place = Place::Named("other.example.cn".into(), Some(5060));
        setup.live.trunks[1].target = Target { transport: Transport::Udp, place };
    });
    assert_eq!((asked(&mut gateway, FIRST).len(), gateway.switch.gauges().down), (0, 0));
    assert!(!asked(&mut gateway, SECOND).is_empty() && is_called(&mut gateway, SECOND));
    // From a name to an address, and from that to none that is asked.
    reload(&mut gateway, &|setup| setup.live.trunks[1].target = Target::at(Transport::Udp, address(FIRST)));
    assert_eq!((asked(&mut gateway, SECOND).len(), asked(&mut gateway, FIRST).is_empty()), (0, false));
    assert!(is_called(&mut gateway, FIRST));
    reload(&mut gateway, &|setup| setup.live.trunks[1].ping = None);
    assert_eq!((asked(&mut gateway, FIRST).len(), gateway.switch.gauges().down), (0, 0));
}

#[test]
fn a_seat_in_doubt_is_there_again_when_it_answers_us_and_not_when_somebody_writes_so() {
    let mut gateway = Gateway::new(|setup| {
        // An exchange: what it answers is its own word.
        setup.live.seats.truncate(1);
        setup.live.seats[0].channels = 4;
        setup.live.queues.iter_mut().for_each(|queue| queue.seats = vec![setup.live.seats[0].name.clone()]);
    });
    gateway.call(OTHER, "13800138000", "12345");
    let invite = invites(&mut gateway, SEAT).remove(0);
    let missed = |gateway: &Gateway| gateway.switch.gauges().missed;
    for _ in 0..60 {
        gateway.pass(SECONDS);
        if missed(&gateway) == 1 {
            break;
        }
    }
    assert_eq!(missed(&gateway), 1, "it has not answered");
    respond(&mut gateway, SEAT, &guessed(&invite), "180 Ringing");
    assert_eq!(missed(&gateway), 1);
    respond(&mut gateway, SEAT, &invite, "180 Ringing");
    assert_eq!(missed(&gateway), 0);
    gateway.input(Input::HangUp);
    leaves_nothing(&mut gateway);
}
