//! Calls that seats place and the list of callers to ring back, through the whole switch: which numbers may be called, in
//! whatever spelling; what a seat is shown, and holds; what a caller is promised; and why a verb is refused.

use crate::flood::Gateway;
use crate::hops::{invites, respond};
use crate::switch::address;
use hotline::base::{About, Meaning, Target, Transport, Wall};
use hotline::call::{Callers, Policy, Waiting};
use hotline::control::seat::Outgoing;
use hotline::control::{Command, ListVerb, Numbers, Reply, SeatVerb};
use hotline::event::fact::{CallbackFact, Listed, ListedFact};
use hotline::event::seat::{Author, AuthorKind, Device, Intent, Skills};
use hotline::plan::{Calendar, Step};
use hotline::seat::{Rules, SignIn};
use hotline::sip::{Causes, Host, Refused, Rest, Uri};
use hotline::switch::{Input, JournalDown, Outbound, Setup};
use std::sync::Arc;
use std::time::Duration;

const CARRIER: u8 = 2;
const SEAT: u8 = 10;
const SECOND: Duration = Duration::from_secs(1);
const PERSON: &str = "13912345678";

/// Three seats, of which the queues have none.
pub fn gateway(change: impl FnOnce(&mut Setup)) -> Gateway {
    Gateway::new(|setup| {
        let first = setup.live.seats[0].clone();
        for (host, name) in [(SEAT + 1, "seat-1"), (SEAT + 2, "seat-2")] {
            let at = address(host);
            let mut seat = first.clone();
            (seat.name, seat.aor) = (name.into(), Uri::sip(name, Host::Ip(at.ip()), None));
            (seat.sources, seat.target) = (vec![at.ip().into()], Some(Target::at(Transport::Udp, at)));
            setup.live.seats.push(seat);
        }
        setup.live.queues.iter_mut().for_each(|queue| queue.seats.clear());
        change(setup);
    })
}

/// Returns what a seat is told: done, or the name of why not.
fn told(reply: Option<Reply>) -> &'static str {
    match reply {
        Some(Reply::Refused(why)) => why.name(),
        Some(Reply::Seat(_) | Reply::Callbacks(_) | Reply::Done | Reply::Left(_)) => "done",
        other => panic!("{other:?}"),
    }
}

fn command(gateway: &mut Gateway, command: Command) -> Option<Reply> {
    gateway.input(Input::Command { id: 7, command });
    gateway.replies.pop()
}

fn verb(gateway: &mut Gateway, seat: &str, verb: SeatVerb) -> Option<Reply> {
    let seat: Arc<str> = seat.into();
    command(gateway, Command::Seat { by: Author::seat(&seat), seat, verb: Box::new(verb) })
}

fn outgoing(to: Option<&str>, callback: Option<&str>) -> Outgoing {
    Outgoing {
        to: to.map(str::to_owned),
        hotline: None,
        callback: callback.map(str::to_owned),
        ticket: None,
        preview: false,
        request: None,
    }
}

fn calls(gateway: &mut Gateway, to: &str) -> &'static str {
    told(verb(gateway, "seat-0", SeatVerb::Call(outgoing(Some(to), None))))
}

/// The number that comes of a spelling, as the seat is shown it, or why it is not called.
fn shown(gateway: &mut Gateway, to: &str) -> Result<String, &'static str> {
    match verb(gateway, "seat-0", SeatVerb::Call(Outgoing { preview: true, ..outgoing(Some(to), None) })) {
        Some(Reply::Seat(view)) => Ok(view.preview.unwrap().to),
        other => Err(told(other)),
    }
}

pub fn rows(gateway: &mut Gateway) -> Vec<CallbackFact> {
    match command(gateway, Command::Callbacks { after: None }) {
        Some(Reply::Callbacks(rows)) => rows,
        other => panic!("{other:?}"),
    }
}

/// Somebody calls and gives up; the row that comes of it.
pub fn missed(gateway: &mut Gateway, caller: &str) -> Arc<str> {
    gateway.call(CARRIER, caller, "12345");
    gateway.cancel(CARRIER, caller, "12345");
    gateway.statuses(CARRIER);
    rows(gateway).iter().find(|row| *row.caller == *caller).unwrap().id.clone()
}

fn takes(gateway: &mut Gateway, seat: &str, id: &Arc<str>) -> &'static str {
    told(command(gateway, Command::Callback { id: id.clone(), seat: Some(seat.into()), verb: ListVerb::Take }))
}

#[test]
fn a_number_is_judged_by_what_it_means_and_not_by_its_spelling() {
    let mut gateway = gateway(|setup| {
        let mut outbound = (*setup.live.outbound).clone();
        outbound.refuse = ["00", "1390000", "0872", "400"].map(str::to_owned).to_vec();
        setup.live.outbound = Arc::new(outbound);
    });
    let blocked = ListedFact {
        id: "".into(),
        number: "13900139001".into(),
        listed: Listed::Blocked,
        reason: "r".into(),
        approver: "a".into(),
        by: "t".into(),
        since: Wall(0),
        until: None,
    };
    assert_eq!(told(command(&mut gateway, Command::ListNumber(Box::new(blocked)))), "done");
    let spellings: [(&[&str], Result<&str, &str>); 12] = [
        (
            &[
                "13800138000",
                "+8613800138000",
                "+86 138 0013 8000",
                "+86-138-0013-8000",
                "8613800138000",
                "008613800138000",
                "013800138000",
                "138 0013 8000",
                "tel:+8613800138000",
                "tel:+86-138-0013-8000",
                "１３８００１３８０００",
                "＋８６　１３８００１３８０００",
            ],
            Ok("13800138000"),
        ),
        (
            &[
                "0871-63123456",
                "087163123456",
                "(0871) 63123456",
                "+8687163123456",
                "+86 (0871) 63123456",
                "0086-871-63123456",
                "tel:0871-63123456",
                "０８７１－６３１２３４５６",
            ],
            Ok("087163123456"),
        ),
        (&["2199999", "0691-2199999", "+86 691 2199999"], Ok("06912199999")),
        (&["95588", "+8695588"], Ok("95588")),
        (&["110", "1-1-0", "tel:110", "0691-110", "+86691110", "+86110", "１１０"], Err("emergency_number")),
        (&["12345", "0691 12345", "+8669112345", "tel:12345", "１２３４５", "12366"], Err("hotline_number")),
        (
            &["13900139001", "+8613900139001", "139-0013-9001", "00 86 13900139001", "１３９００１３９００１"],
            Err("blocked_number"),
        ),
        (
            &["13900001111", "+8613900001111", "0086 139 0000 1111", "013900001111", "tel:+8613900001111"],
            Err("number_not_allowed"),
        ),
        (&["0872-2123456", "08722123456", "+868722123456", "0086 872 2123456"], Err("number_not_allowed")),
        (
            &["+442079460000", "0044 20 7946 0000", "tel:+44-20-7946-0000", "＋４４２０７９４６００００"],
            Err("number_not_allowed"),
        ),
        (
            // Whole numbers behind another's code, and what no carrier has.
            &[
                "069113800138000",
                "1259313800138000",
                "+86069113800138000",
                "911",
                "99999999999999999999",
                "4001234567",
                "04001234567",
                "125932199999",
            ],
            Err("number_not_allowed"),
        ),
        (&["nobody", "", "+", "1380013800o", "tel:", "一三八"], Err("no_number")),
    ];
    for (texts, want) in spellings {
        for text in texts {
            assert_eq!(shown(&mut gateway, text), want.map(str::to_owned), "{text}");
        }
    }
}

#[test]
fn a_row_is_held_by_who_is_shown_it_and_by_nobody_when_another_is_called() {
    type Act = fn(&mut Gateway, &str, &str) -> &'static str;
    let row = |row: &str| outgoing(None, Some(row));
    fn call(gateway: &mut Gateway, wanted: Outgoing) -> &'static str {
        told(verb(gateway, "seat-0", SeatVerb::Call(wanted)))
    }
    let ends: [(&str, Act, &str, &str); 11] = [
        (
            "the same is shown with a ticket",
            |it, x, _| call(it, Outgoing { preview: true, ticket: Some("T".into()), ..outgoing(None, Some(x)) }),
            "leased",
            "done",
        ),
        ("another row is shown", |it, _, y| call(it, Outgoing { preview: true, ..outgoing(None, Some(y)) }), "done", "leased"),
        ("a number is shown", |it, _, _| call(it, Outgoing { preview: true, ..outgoing(Some(PERSON), None) }), "done", "done"),
        ("nobody may be shown", |it, _, _| call(it, Outgoing { preview: true, ..outgoing(Some("110"), None) }), "leased", "done"),
        ("it is called", |it, _, _| call(it, outgoing(None, None)), "leased", "done"),
        ("it is called by its row", |it, x, _| call(it, outgoing(None, Some(x))), "leased", "done"),
        ("another row is called", |it, _, y| call(it, outgoing(None, Some(y))), "done", "leased"),
        ("a number is called", |it, _, _| call(it, outgoing(Some(PERSON), None)), "done", "done"),
        ("it is declined", |it, _, _| told(verb(it, "seat-0", SeatVerb::Reject)), "done", "done"),
        (
            "its time is over",
            |it, _, _| {
                it.pass(61 * SECOND);
                "done"
            },
            "done",
            "done",
        ),
        ("the seat signs out", |it, _, _| told(verb(it, "seat-0", SeatVerb::Logout)), "done", "done"),
    ];
    for (what, act, x_is, y_is) in ends {
        let mut gateway = gateway(|_| ());
        let (x, y) = (missed(&mut gateway, "13800138000"), missed(&mut gateway, "13800138001"));
        assert_eq!(call(&mut gateway, Outgoing { preview: true, ..row(&x) }), "done");
        let answer = act(&mut gateway, &x, &y);
        assert_eq!(answer, if what == "nobody may be shown" { "emergency_number" } else { "done" }, "{what}");
        assert_eq!((takes(&mut gateway, "seat-1", &x), takes(&mut gateway, "seat-1", &y)), (x_is, y_is), "{what}");
    }
}

#[test]
fn row_25_a_seat_that_talks_for_long_has_its_row_to_itself() {
    let mut gateway = gateway(|setup| {
        setup.live.policy = Arc::new(Policy { max_talk: 3600 * SECOND, ..(*setup.live.policy).clone() });
    });
    let id = missed(&mut gateway, "13800138000");
    let calls = |gateway: &mut Gateway, seat: &str| told(verb(gateway, seat, SeatVerb::Call(outgoing(None, Some(&id)))));
    assert_eq!(calls(&mut gateway, "seat-0"), "done");
    let ring = invites(&mut gateway, SEAT).remove(0);
    respond(&mut gateway, SEAT, &ring, "200 OK");
    let person = invites(&mut gateway, 3).remove(0);
    respond(&mut gateway, 3, &person, "200 OK");
    gateway.pass(60 * SECOND);
    assert_eq!(takes(&mut gateway, "seat-0", &id), "done", "its toolbar asks once more");
    gateway.pass(601 * SECOND);
    assert_eq!((calls(&mut gateway, "seat-1"), takes(&mut gateway, "seat-1", &id)), ("leased", "leased"));
}

/// A gateway whose queue offers to call back after five seconds. Callers here acknowledge nothing, and are there for half a minute.
pub fn offering() -> Gateway {
    gateway(|setup| {
        let callback = Step::Callback { prompt: "music".into(), key: '1', wait: 10 * SECOND };
        let waiting = Waiting { overflow: [callback].into(), overflow_within: 60 * SECOND, ..Waiting::default() };
        setup.live.queues.iter_mut().for_each(|queue| queue.max_wait = 5 * SECOND);
        let waiting = setup.live.queues.iter().map(|queue| (queue.name.clone(), Arc::new(waiting.clone()))).collect();
        let mut policy = (*setup.live.policy).clone();
        policy.callers = Callers { waiting, callback_taken: Some("music".into()), ..policy.callers };
        setup.live.policy = Arc::new(policy);
        let mut outbound = (*setup.live.outbound).clone();
        outbound.refuse = ["00", "1390000"].map(str::to_owned).to_vec();
        setup.live.outbound = Arc::new(outbound);
    })
}

pub fn state(gateway: &mut Gateway) -> Option<&'static str> {
    match command(gateway, Command::Calls(Numbers::Masked)) {
        Some(Reply::Calls { calls, .. }) => calls.first().map(|call| call.state),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_promised_a_call_is_listed_when_the_key_is_pressed_and_once() {
    let mut gateway = offering();
    gateway.call(CARRIER, "13800138000", "12345");
    gateway.pass(6 * SECOND);
    assert_eq!((state(&mut gateway), rows(&mut gateway).len()), (Some("asking"), 0));
    gateway.press('1');
    let promised = rows(&mut gateway);
    assert_eq!((promised.len(), promised[0].wanted, promised[0].calls), (1, true, 1), "while the thanks are spoken");
    gateway.pass(60 * SECOND);
    assert_eq!((state(&mut gateway), rows(&mut gateway)), (None, promised.clone()), "nor again at the end");
    gateway.begin_anew();
    assert_eq!(rows(&mut gateway), promised);
    // Killed while the thanks are spoken.
    let mut killed = offering();
    killed.call(CARRIER, "13800138000", "12345");
    killed.pass(6 * SECOND);
    killed.press('1');
    let promised = rows(&mut killed);
    killed.begin_anew();
    assert_eq!((rows(&mut killed), promised.len()), (promised, 1));
}

#[test]
fn nobody_is_promised_a_call_whom_no_seat_could_ring() {
    for (caller, asked) in [
        ("13800138000", true),
        ("+8613800138000", true),
        ("anonymous", false),
        // An emergency line that gives its own number, a hotline, and numbers that seats may not call.
        ("110", false),
        ("12366", false),
        ("13900001111", false),
        ("+442079460000", false),
        ("911", false),
    ] {
        let mut gateway = offering();
        gateway.call(CARRIER, caller, "12345");
        gateway.statuses(CARRIER);
        gateway.pass(6 * SECOND);
        assert_eq!(state(&mut gateway) == Some("asking"), asked, "{caller}");
        if asked {
            gateway.press('1');
        }
        gateway.pass(60 * SECOND);
        assert_eq!(rows(&mut gateway).len(), usize::from(asked), "{caller}");
    }
}

#[test]
fn the_toolbar_of_who_signed_in_keeps_a_seat_signed_in_and_no_other() {
    for (follower, there) in [("x", true), ("y", false)] {
        let mut gateway = gateway(|setup| {
            setup.live.seats[0].rules = Rules { sign_in: SignIn::Asked, heartbeat: 120 * SECOND, ..Rules::default() }
        });
        let by = |name: &str| Author { kind: AuthorKind::Seat, name: name.into() };
        let login = SeatVerb::Login { force: false, device: Device::Sip, skills: None, busy: None };
        assert_eq!(
            told(command(&mut gateway, Command::Seat { seat: "seat-0".into(), by: by("x"), verb: Box::new(login) })),
            "done"
        );
        for _ in 0..10 {
            gateway.pass(30 * SECOND);
            command(&mut gateway, Command::Heard { seat: "seat-0".into(), by: by(follower) });
        }
        let Some(Reply::Seat(view)) = command(&mut gateway, Command::SeatOf("seat-0".into())) else { panic!() };
        assert_eq!(view.intent != Intent::LoggedOut, there, "{follower}");
    }
}

#[test]
fn why_no_call_is_placed_is_said_as_it_is() {
    type Make = fn(&mut Setup);
    type Then = fn(&mut Gateway);
    let cases: [(&str, Make, Then); 5] = [
        ("draining", |_| (), |it| drop(command(it, Command::Drain))),
        ("journal_down", |setup| setup.live.journal_down = JournalDown::Refuse, |it| it.input(Input::JournalDown(true))),
        (
            "too_fast",
            |setup| (setup.live.placing_percent, setup.live.seats[0].channels) = (1, 100),
            |it| {
                (0..90).for_each(|n| _ = calls(it, &format!("139123456{n:02}")));
            },
        ),
        (
            "gateway_full",
            |setup| {
                let mut outbound = (*setup.live.outbound).clone();
                outbound.leave_percent = 0;
                setup.live.outbound = Arc::new(outbound);
                (setup.fixed.limits.calls, setup.fixed.limits.source_percent, setup.live.seats[0].channels) = (200, 1, 10);
                setup.fixed.limits.reserved = 0;
            },
            |it| (0..2).for_each(|n| _ = calls(it, &format!("1391234567{n}"))),
        ),
        (
            "callers_first",
            |setup| {
                (setup.fixed.limits.calls, setup.fixed.limits.reserved, setup.live.seats[0].channels) = (4, 0, 10);
            },
            |it| (0..4).for_each(|n| _ = it.call(CARRIER, &format!("1391234567{n}"), "12345")),
        ),
    ];
    for (name, make, then) in cases {
        let mut gateway = gateway(make);
        assert_eq!(calls(&mut gateway, PERSON), "done", "{name}");
        then(&mut gateway);
        let before = gateway.kept.clone();
        let reply = verb(&mut gateway, "seat-0", SeatVerb::Call(outgoing(Some("13987654321"), None)));
        let Some(Reply::Refused(why)) = &reply else { panic!("{name}: {reply:?}") };
        assert_eq!(why.name(), name);
        let (words, again) = why.words();
        assert!(again && words.en.contains("again") && words.zh.contains("可"), "{name}: when to ask again: {words:?}");
        assert_eq!(gateway.kept, before, "{name}");
    }
}

#[test]
fn verbs_without_a_transfer_speak_of_none() {
    let mut gateway = gateway(|setup| setup.live.queues.iter_mut().for_each(|queue| queue.seats = vec!["seat-0".into()]));
    let refused = |gateway: &mut Gateway, seat: &str, verb: SeatVerb, name: &str| {
        let reply = self::verb(gateway, seat, verb);
        let Some(Reply::Refused(why)) = &reply else { panic!("{name}: {reply:?}") };
        let words = why.words().0;
        assert_eq!(why.name(), name, "{words:?}");
        assert!(!words.en.contains("transfer ") && !words.zh.contains("转接"), "{words:?}");
    };
    refused(&mut gateway, "seat-1", SeatVerb::PickUp { seat: "seat-0".into() }, "no_call");
    gateway.call(CARRIER, "13800138000", "12345");
    let ring = invites(&mut gateway, SEAT).remove(0);
    let pick_up = || SeatVerb::PickUp { seat: "seat-0".into() };
    assert_eq!(told(verb(&mut gateway, "seat-1", pick_up())), "done");
    refused(&mut gateway, "seat-2", pick_up(), "picked_up");
    respond(&mut gateway, SEAT, &ring, "200 OK");
    for (verb, name) in [(SeatVerb::Leave, "not_three"), (SeatVerb::Retake, "no_call"), (SeatVerb::StopSupervising, "no_call")] {
        refused(&mut gateway, "seat-0", verb, name);
    }
}

#[test]
fn a_seat_has_skills_that_a_queue_a_hotline_or_a_seat_knows() {
    let mut gateway = gateway(|setup| {
        setup.live.queues[0].skill = Some("tax".into());
        setup.live.seats[1].skills = Skills::from([("burmese".into(), 3)]);
    });
    for (skill, answer) in [
        ("tax", "done"),
        ("burmese", "done"),
        ("12345", "done"),
        ("12366", "done"),
        ("99999", "unknown_skill"),
        ("1", "unknown_skill"),
        ("", "unknown_skill"),
        ("069112345", "unknown_skill"),
        ("water", "unknown_skill"),
    ] {
        let skills = Skills::from([(Arc::from(skill), 5)]);
        assert_eq!(told(verb(&mut gateway, "seat-0", SeatVerb::SetSkills { skills })), answer, "{skill}");
    }
}

/// Its network calls nobody at this hour: nobody asks again before the hours in which anybody is called. Other refusals rest as they say.
#[test]
fn a_refused_number_is_left_alone_for_as_long_as_its_refusal_says() {
    const NOON: Wall = Wall(1_634_270_400_000_000);
    let twenty = Rest::For(1200 * SECOND);
    let rests = [(478, Rest::Hours, 29, 120), (473, Rest::Usual, 239, 240), (487, twenty, 19, 20)];
    for (code, rest, still, again) in rests {
        let mut gateway = gateway(|setup| {
            let meaning = Meaning { means: "x".into(), about: About::Number, en: "x".into(), zh: "x".into() };
            let refused = Refused { code, q850: None, text: String::new(), status: 403, rest, meaning };
            let causes = Causes { answers: vec![Arc::new(refused)], ours: Vec::new() };
            setup.live.trunks.iter_mut().for_each(|trunk| trunk.causes = Some(Arc::new(causes.clone())));
            // It is noon. Where the hours go on, a network that refuses by its own is not left alone until tomorrow.
            let hours = Calendar::weekly(["daily 08:00-12:30", "daily 14:00-21:00"].into_iter()).unwrap();
            setup.live.outbound = Arc::new(Outbound { hours, ..(*setup.live.outbound).clone() });
        });
        let at = |minutes: u64| NOON.after(Duration::from_secs(60 * minutes));
        gateway.set_wall(NOON);
        assert_eq!(calls(&mut gateway, PERSON), "done");
        let ring = invites(&mut gateway, SEAT).remove(0);
        respond(&mut gateway, SEAT, &ring, "200 OK");
        let person = invites(&mut gateway, 3).remove(0);
        respond(&mut gateway, 3, &person, &format!("{code} No"));
        gateway.pass(60 * SECOND);
        gateway.set_wall(at(still));
        let early = calls(&mut gateway, PERSON);
        gateway.set_wall(at(again));
        assert_eq!((early, calls(&mut gateway, PERSON)), ("refused_by_network", "done"), "{code}");
    }
}
