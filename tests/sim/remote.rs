//! A seat behind a trunk: rung in its hours, and while the trunk gives a sign.

use crate::flood::Gateway;
use crate::hops::{header, invites, next_register, respond};
use hotline::base::{Target, Transport, Wall};
use hotline::control::{Command, Reply};
use hotline::plan::Plan;
use hotline::sip::Uri;
use hotline::switch::{Input, Remote, Setup, Trunk};
use hotline::ua::Login;
use hotline::ua::registration::{Settings, Shows};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const CARRIER: u8 = 2;
/// The exchange of the department.
const EXCHANGE: u8 = 3;
const SECOND: Duration = Duration::from_secs(1);

/// This time of the day on which the simulation begins, at noon.
fn time(hour: i64, minute: i64, second: i64) -> Wall {
    const NOON: i64 = 1_634_270_400;
    Wall((NOON + (hour - 12) * 3600 + minute * 60 + second) * 1_000_000)
}

/// One seat, with its department, which is there in these hours of each day.
fn gateway(hours: &str) -> Gateway {
    with_channels(hours, 1)
}

fn with_channels(hours: &str, channels: u32) -> Gateway {
    let line = "[[line]]\nnumber = \"12345\"\nmode = \"front\"\n";
    let text = format!("[plan]\nname = \"x\"\narea = \"691\"\n{line}[calendars.office]\nhours = \"{hours}\"\n");
    let plan = Plan::parse("test.toml", &text, &|name| Err(hotline::base::Text::foreign(name))).unwrap();
    Gateway::new(|setup| {
        let at = SocketAddr::from(([10, 0, 0, EXCHANGE], 5060));
        let of = setup.live.trunks[0].clone();
        let target = Target::at(Transport::Udp, at);
        setup.live.trunks.push(Trunk {
            name: "tax".into(),
            sources: vec![at.ip().into()],
            target,
            channels: 1,
            reserved: 0,
            ..of
        });
        setup.live.seats.truncate(1);
        let seat = &mut setup.live.seats[0];
        let remote = Remote { trunk: "tax".into(), number: "12366001".into(), hours: plan.hours("office") };
        (seat.target, seat.sources, seat.channels, seat.remote) = (None, Vec::new(), channels, Some(remote));
        let mut policy = (*setup.live.policy).clone();
        policy.callers.unheard = [Arc::from("seat-0")].into();
        setup.live.policy = Arc::new(policy);
        setup.live.queues.iter_mut().for_each(|queue| queue.seats = vec!["seat-0".into()]);
        setup.live.plan = Arc::new(plan);
    })
}

/// The same where the exchange wants us registered.
fn with_account(gateway: &Gateway) -> Setup {
    let mut setup = gateway.setup();
    let trunk = setup.live.trunks.last_mut().unwrap();
    trunk.registrations = vec![Settings {
        trunk: trunk.name.clone(),
        name: "main".into(),
        aor: Uri::parse(b"sip:12366@tax.invalid").unwrap(),
        login: Login { user: "12366".into(), password: "secret".into(), realm: None },
        contact: "12366".into(),
        expires: Duration::from_secs(600),
        routes: Vec::new(),
        outbound: false,
        target: trunk.target.clone(),
        shows: Shows::Own,
    }];
    setup
}

fn registrar_says(gateway: &mut Gateway, register: &str, status: &str) {
    let same = ["Via", "From", "Call-ID", "CSeq", "Contact"].map(|name| format!("{name}: {}\r\n", header(register, name)));
    let to = header(register, "To");
    let response = format!("SIP/2.0 {status}\r\n{}To: {to};tag=r\r\nContent-Length: 0\r\n\r\n", same.concat());
    gateway.receive(EXCHANGE, response);
}

fn device(gateway: &mut Gateway) -> &'static str {
    gateway.input(Input::Command { id: 1, command: Command::SeatOf("seat-0".into()) });
    match gateway.replies.pop() {
        Some(Reply::Seat(view)) => view.device.name(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_seat_behind_a_trunk_is_rung_at_its_number_in_its_hours() {
    let mut gateway = gateway("daily 00:00-24:00");
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = invites(&mut gateway, EXCHANGE).remove(0);
    assert!(ring.starts_with("INVITE sip:12366001@10.0.0.3:5060 "), "{ring}");
    assert_eq!(device(&mut gateway), "ringing");
    respond(&mut gateway, EXCHANGE, &ring, "200 OK");
    assert_eq!(device(&mut gateway), "talking");
    // Its trunk's one channel is taken.
    gateway.call(CARRIER, "13800138001", "12345");
    gateway.pass(20 * SECOND);
    assert!(invites(&mut gateway, EXCHANGE).is_empty());
}

#[test]
fn hours_begin_and_end_with_a_minute_and_a_caller_who_waits_has_the_seat() {
    let mut gateway = gateway("daily 12:30-18:00");
    assert_eq!(device(&mut gateway), "gone");
    // The clock on the wall is set; that is seen within a minute, and what it says is kept to.
    gateway.set_wall(time(12, 29, 30));
    gateway.pass(60 * SECOND);
    assert!(invites(&mut gateway, EXCHANGE).is_empty() && device(&mut gateway) == "gone");
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.set_wall(time(12, 30, 0));
    gateway.pass(30 * SECOND);
    assert_eq!(invites(&mut gateway, EXCHANGE).len(), 1, "half past twelve");
    gateway.pass(120 * SECOND);
    gateway.set_wall(time(18, 0, 0));
    gateway.pass(60 * SECOND);
    assert_eq!(device(&mut gateway), "gone", "in the evening");
    gateway.begin_anew();
    assert_eq!(device(&mut gateway), "gone", "also after a restart");
}

#[test]
fn a_seat_behind_a_trunk_where_we_are_not_registered_is_gone_until_we_are() {
    let mut gateway = gateway("daily 00:00-24:00");
    assert_ne!(device(&mut gateway), "gone");
    let setup = with_account(&gateway);
    gateway.input(Input::Reload(Box::new(setup.live)));
    let first = next_register(&mut gateway, EXCHANGE);
    assert_eq!(device(&mut gateway), "gone", "a first answer is still to come");
    gateway.call(CARRIER, "13800138000", "12345");
    registrar_says(&mut gateway, &first, "403 Forbidden");
    gateway.pass(20 * SECOND);
    assert!(invites(&mut gateway, EXCHANGE).is_empty() && device(&mut gateway) == "gone", "no caller is offered to it");
    let second = next_register(&mut gateway, EXCHANGE);
    gateway.call(CARRIER, "13800138001", "12345");
    registrar_says(&mut gateway, &second, "200 OK");
    gateway.pass(SECOND);
    let ring = invites(&mut gateway, EXCHANGE).remove(0);
    assert_eq!(device(&mut gateway), "ringing", "who waits has it at once");
    gateway.cancel(CARRIER, "13800138001", "12345");
    respond(&mut gateway, EXCHANGE, &ring, "487 Request Terminated");
    let refresh = next_register(&mut gateway, EXCHANGE);
    assert_ne!(device(&mut gateway), "gone");
    registrar_says(&mut gateway, &refresh, "403 Forbidden");
    gateway.pass(SECOND);
    assert_eq!(device(&mut gateway), "gone");
}

#[test]
fn a_trunk_that_refuses_calls_has_its_seat_all_the_same() {
    // The queue itself would doubt that a single phone is there.
    let mut gateway = with_channels("daily 00:00-24:00", 2);
    for status in ["503 Service Unavailable", "503 Service Unavailable\r\nRetry-After: 20"] {
        gateway.call(CARRIER, "13800138000", "12345");
        for _ in 0..100 {
            gateway.pass(SECOND);
            let rings = invites(&mut gateway, EXCHANGE);
            rings.iter().for_each(|ring| respond(&mut gateway, EXCHANGE, ring, status));
            assert_ne!(device(&mut gateway), "gone");
        }
        gateway.input(Input::HangUp);
    }
}

#[test]
fn while_the_trunk_gives_no_sign_the_seat_is_gone_and_comes_back() {
    let mut gateway = gateway("daily 00:00-24:00");
    gateway.call(CARRIER, "13800138000", "12345");
    assert_eq!(invites(&mut gateway, EXCHANGE).len(), 1);
    // Nothing comes from there until the time for one ringing is over.
    gateway.pass(16 * SECOND);
    assert_eq!(device(&mut gateway), "gone");
    invites(&mut gateway, EXCHANGE);
    gateway.pass(30 * SECOND);
    let again = invites(&mut gateway, EXCHANGE);
    assert!(!again.is_empty(), "one caller tries whether it is back");
}
