//! Every way in which a seat comes to a caller, and every way in which its phone goes: what becomes of the caller, of the seat
//! that the queue gave, and of the seat that has gone. Then two seats that leave a call and come back to it in every order.

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::seat::SuperviseMode;
use crate::event::{Result, TransferKind};
use crate::plan::{MenuGoal, MenuKey, Target};
use crate::sip::Direction;

/// A caller of queue 12345 that has this seat, by this leg, and nobody else.
struct With {
    scene: Scene,
    seat: &'static str,
    leg: LegNo,
}

type Way = (&'static str, fn() -> With);

const WAYS: &[Way] = &[
    ("the queue gave it", || with(talking(), "s1", SEAT)),
    ("picked up by a verb", || picked_up(true)),
    ("picked up by its phone", || picked_up(false)),
    ("took the place of another", || {
        let mut scene = talked();
        let leg = scene.call.take_place(scene.now, SEAT, "s2", false, &mut scene.effects).unwrap();
        scene.leg(leg, LegEvent::Media(media(Direction::SendRecv)));
        with(scene, "s2", leg)
    }),
    ("intercepted", || {
        let mut scene = talked();
        scene.call.supervise(scene.now, "boss", SEAT, SuperviseMode::Monitor, true, &mut scene.effects).unwrap();
        scene.answer(LegNo(2));
        with(scene, "boss", LegNo(2))
    }),
    ("barged in and stayed", || {
        let mut scene = talked();
        scene.call.supervise(scene.now, "boss", SEAT, SuperviseMode::Barge, false, &mut scene.effects).unwrap();
        scene.answer(LegNo(2));
        scene.end(SEAT, EndedBy::Peer, None);
        with(scene, "boss", LegNo(2))
    }),
    ("sent to it", || moved(TransferKind::Blind, None)),
    ("consulted, and sent to it", || moved(TransferKind::Consult, Some(Request::Complete))),
    ("fetched as a third, and left", || moved(TransferKind::ThreeWay, Some(Request::Leave))),
    ("sent to it before it had answered", || {
        let mut scene = talked();
        scene.request(SEAT, Request::Transfer { kind: TransferKind::Consult, goal: to_seat("s2") }).unwrap();
        scene.request(SEAT, Request::Complete).unwrap();
        scene.answer(LegNo(2));
        with(scene, "s2", LegNo(2))
    }),
    ("consulted by a second line", || {
        let mut scene = talked();
        scene.call.second_line(scene.now, SEAT, TransferKind::Consult, to_seat("s2"), false, &mut scene.effects).unwrap();
        scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
        scene.answer(LegNo(3));
        scene.request(SEAT, Request::Complete).unwrap();
        with(scene, "s2", LegNo(3))
    }),
    ("by its second line alone", || {
        let mut scene = talked();
        scene.call.second_line(scene.now, SEAT, TransferKind::Consult, goal(&["12366"]), false, &mut scene.effects).unwrap();
        scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
        scene.end(SEAT, EndedBy::Peer, None);
        scene.end(LegNo(3), EndedBy::Peer, Some(486));
        with(scene, "s1", LegNo(2))
    }),
    ("came back after a transfer that failed", || {
        let mut scene = talked();
        scene.request(SEAT, Request::Transfer { kind: TransferKind::Blind, goal: goal(&["12366"]) }).unwrap();
        scene.end(LegNo(2), EndedBy::Peer, Some(486));
        scene.answer(LegNo(3));
        with(scene, "s1", LegNo(3))
    }),
    ("took the call back", || {
        let mut scene = talked();
        scene.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
        scene.answer(LegNo(2));
        scene.request(SEAT, Request::Leave).unwrap();
        scene.call.retake(scene.now, "s1", &mut scene.effects).unwrap();
        scene.answer(LegNo(3));
        scene.end(LegNo(2), EndedBy::Peer, None);
        with(scene, "s1", LegNo(3))
    }),
    ("called the person", || {
        let mut scene = Scene::new(Vec::new());
        let to = Target { number: "13800138000".into(), trunk: None, emergency: false };
        let (ring_seat, ring) = (Duration::from_secs(20), Duration::from_secs(60));
        let placed = Placed { seat: "s1".into(), to, home: Some("12345".into()), ring_seat, ring };
        scene.call.place(scene.now, placed, &mut scene.effects);
        scene.answer(SEAT);
        scene.answer(CALLER);
        with(scene, "s1", SEAT)
    }),
];

fn with(mut scene: Scene, seat: &'static str, leg: LegNo) -> With {
    scene.wait(Duration::from_secs(30));
    With { scene, seat, leg }
}

/// Seat s1 talks, and all that was told of it is kept.
fn talked() -> Scene {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(SEAT);
    scene
}

fn picked_up(by_verb: bool) -> With {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    match by_verb {
        true => {
            scene.call.pick_up(scene.now, "s1", "s2", &mut scene.effects).unwrap();
            scene.answer(LegNo(2));
        }
        false => {
            let leg = scene.call.take_place(scene.now, SEAT, "s2", false, &mut scene.effects).unwrap();
            scene.leg(leg, LegEvent::Media(media(Direction::SendRecv)));
        }
    }
    with(scene, "s2", LegNo(2))
}

fn to_seat(name: &str) -> Goal {
    let chain = vec![Dialled::Seat { name: name.into() }];
    Goal::Ring { to: format!("seat:{name}"), chain, timeout: Duration::from_secs(20) }
}

fn moved(kind: TransferKind, then: Option<Request>) -> With {
    let mut scene = talked();
    scene.request(SEAT, Request::Transfer { kind, goal: to_seat("s2") }).unwrap();
    scene.answer(LegNo(2));
    then.into_iter().for_each(|request| scene.request(SEAT, request).unwrap());
    with(scene, "s2", LegNo(2))
}

/// The seats that the queue gave and has not got back.
fn kept(scene: &Scene) -> Vec<String> {
    let mut kept = Vec::new();
    for effect in &scene.effects {
        match effect {
            Output::Queue(QueueCommand::Answered { seat }) => kept.push(seat.to_string()),
            Output::Queue(
                QueueCommand::Freed { seat } | QueueCommand::Lost { seat, .. } | QueueCommand::Dropped { seat, .. },
            ) => kept.retain(|known| **known != **seat),
            _ => {}
        }
    }
    kept
}

fn lost(scene: &Scene) -> Vec<(&str, &str)> {
    let mut lost = Vec::new();
    for effect in &scene.effects {
        if let Output::Queue(QueueCommand::Lost { queue, seat }) = effect {
            lost.push((&**queue, &**seat));
        }
    }
    lost
}

fn at_the_head(scene: &Scene) -> bool {
    let head = |e: &Output| matches!(e, Output::Queue(QueueCommand::Join { queue, head: true, .. }) if **queue == *"12345");
    scene.call.waits() && !scene.hung_up(CALLER) && scene.effects.iter().any(head)
}

/// It hangs up, by its phone and by its toolbar, or the call is dropped: the conversation is over for both.
#[test]
fn a_caller_whose_seat_hangs_up_is_served_however_the_seat_came_to_it() {
    for (way, make) in WAYS {
        for how in ["bye", "verb", "drop"] {
            let With { mut scene, leg, .. } = make();
            match how {
                "bye" => scene.end(leg, EndedBy::Peer, None),
                "verb" => scene.call.hang_up(scene.now, leg, &mut scene.effects).unwrap(),
                _ => scene.call.force_drop(scene.now, &mut scene.effects).unwrap(),
            }
            scene.audit();
            assert!(scene.hung_up(CALLER) || scene.has(&Output::Close { leg: CALLER }), "{way}, {how}");
            assert_eq!((kept(&scene), lost(&scene)), (vec![], vec![]), "{way}, {how}: every seat is free, and none is in doubt");
            assert_eq!(scene.clear().0, Result::Answered, "{way}, {how}");
        }
    }
}

#[test]
fn a_caller_whose_seats_phone_dies_is_at_the_queues_head_however_the_seat_came_to_it() {
    for (way, make) in WAYS {
        for (by, status) in [(EndedBy::Network, None), (EndedBy::Network, Some(408)), (EndedBy::Us, Some(503))] {
            let With { mut scene, seat, leg } = make();
            scene.end(leg, by, status);
            assert!(at_the_head(&scene), "{way}, {by:?}: {:?}", scene.call);
            assert_eq!(lost(&scene), [("12345", seat)], "{way}: it is not rung again at once");
            assert_eq!(kept(&scene), [""; 0], "{way}: no seat is kept for the caller");
            // Another seat has the caller, and all is as at first.
            let next = LegNo(scene.call.next_leg);
            scene.ring("s9");
            scene.answer(next);
            assert_eq!(scene.hears(CALLER), Audio::Relay(next), "{way}");
            scene.end(next, EndedBy::Peer, None);
            assert_eq!(kept(&scene), [""; 0], "{way}");
            assert_eq!(scene.clear().0, Result::Answered, "{way}");
        }
    }
}

/// The seat has asked for a move, and the target rings: false where it may not.
type Asks = (&'static str, fn(&mut With) -> bool);

const ASKED: &[Asks] = &[
    ("consult", |with| asks(with, TransferKind::Consult)),
    ("three-way", |with| asks(with, TransferKind::ThreeWay)),
    ("emergency", |with| asks(with, TransferKind::Emergency)),
    ("swapped", |with| asks(with, TransferKind::Consult) && with.scene.request(with.leg, Request::Swap).is_err()),
    ("on hold", |with| {
        let asked = asks(with, TransferKind::Consult);
        with.scene.leg(with.leg, LegEvent::Media(media(Direction::RecvOnly)));
        asked
    }),
];

fn asks(With { scene, leg, .. }: &mut With, kind: TransferKind) -> bool {
    scene.request(*leg, Request::Transfer { kind, goal: goal(&["12348", "12349"]) }).is_ok()
}

fn rung(scene: &Scene, seat: &str) -> usize {
    let is = |e: &&Output| matches!(e, Output::Dial { party: Dialled::Seat { name }, .. } if **name == *seat);
    scene.effects.iter().filter(is).count()
}

#[test]
fn a_seat_that_dies_while_its_target_rings_is_told_as_lost_and_rung_no_more() {
    for ((way, make), (kind, ask)) in WAYS.iter().flat_map(|way| ASKED.iter().map(move |kind| (way, kind))) {
        for answers in [true, false] {
            let story = format!("{way}, {kind}, the target answers: {answers}");
            let mut with = make();
            assert!(ask(&mut with), "{story}");
            let With { mut scene, seat, leg } = with;
            let (target, rings) = (LegNo(scene.call.next_leg - 1), rung(&scene, seat));
            let freed =
                |scene: &Scene| scene.effects.iter().filter(|e| matches!(e, Output::Queue(QueueCommand::Freed { .. }))).count();
            let before = freed(&scene);
            scene.end(leg, EndedBy::Network, None);
            assert_eq!((lost(&scene), kept(&scene)), (vec![("12345", seat)], vec![]), "{story}: at once");
            assert!(!scene.hung_up(target), "{story}: the target goes on ringing for the caller");
            if answers {
                scene.answer(target);
                assert_eq!(scene.hears(CALLER), Audio::Relay(target), "{story}");
                scene.end(target, EndedBy::Network, None);
            } else {
                scene.end(target, EndedBy::Peer, Some(486));
                scene.wait(Duration::from_secs(20));
            }
            assert!(at_the_head(&scene), "{story}: {:?}", scene.call);
            assert_eq!(rung(&scene, seat), rings, "{story}: a dead phone is not rung for the caller");
            assert_eq!(lost(&scene), [("12345", seat)], "{story}");
            assert_eq!(freed(&scene), before, "{story}: it was given back once, as lost");
            let next = LegNo(scene.call.next_leg);
            scene.ring("s9");
            scene.answer(next);
            assert_eq!(scene.hears(CALLER), Audio::Relay(next), "{story}");
        }
    }
}

/// One that lives and hangs up has sent its caller away: it gets the caller back, and stays the caller's until then.
#[test]
fn a_seat_that_hangs_up_while_its_target_rings_has_the_caller_back_when_that_fails() {
    let mut with = with(talked(), "s1", SEAT);
    assert!(asks(&mut with, TransferKind::Consult));
    let mut scene = with.scene;
    scene.end(SEAT, EndedBy::Peer, None);
    assert_eq!((kept(&scene), lost(&scene)), (vec!["s1".to_owned()], vec![]));
    scene.end(LegNo(2), EndedBy::Peer, Some(486));
    scene.end(LegNo(3), EndedBy::Peer, Some(486));
    assert_eq!(rung(&scene, "s1"), 2);
}

/// It consults: the caller is with its target then, and the seat is lost all the same.
#[test]
fn a_seat_that_dies_while_it_consults_is_told_as_lost() {
    for swapped in [false, true] {
        let mut with = with(talked(), "s1", SEAT);
        assert!(asks(&mut with, TransferKind::Consult));
        let mut scene = with.scene;
        scene.answer(LegNo(2));
        if swapped {
            scene.request(SEAT, Request::Swap).unwrap();
        }
        scene.end(SEAT, EndedBy::Network, None);
        assert_eq!((lost(&scene), kept(&scene)), (vec![("12345", "s1")], vec![]));
        assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
    }
}

#[test]
fn a_caller_whose_queue_nobody_knows_has_nowhere_to_go_back_to() {
    let mut scene = Scene::start(vec![ring(&["12366"])]);
    scene.answer(SEAT);
    scene.end(SEAT, EndedBy::Network, None);
    assert!(scene.hung_up(CALLER));
    assert_eq!(scene.clear().0, Result::Answered);
}

/// Nobody has answered in the queue, and the caller is on its way to another one, for a minute at most.
fn overflowing() -> Scene {
    let mut scene = Scene::new(vec![queue()]);
    let mut policy = (*scene.call.policy).clone();
    let waiting = Waiting {
        overflow: [Step::Queue { queue: "expert".into(), high: false }].into(),
        overflow_within: Duration::from_secs(60),
        seat_number: true,
        ..Waiting::default()
    };
    let waiting = Arc::new(waiting);
    policy.callers.waiting = [("12345".into(), waiting.clone()), ("expert".into(), waiting)].into();
    policy.callers.seat_numbers = [("s2".into(), "8002".into())].into();
    scene.call.policy = Arc::new(policy);
    scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    scene.ring("s1");
    scene
}

#[test]
fn a_caller_who_is_picked_up_is_served_like_one_whose_seat_answered() {
    for by_phone in [false, true] {
        let mut scene = overflowing();
        scene.call.tell_recorded(scene.now, "recorded".into(), &mut scene.effects);
        match by_phone {
            false => {
                scene.call.pick_up(scene.now, "s1", "s2", &mut scene.effects).unwrap();
                scene.answer(LegNo(2));
            }
            true => {
                scene.call.take_place(scene.now, SEAT, "s2", false, &mut scene.effects).unwrap();
                scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
            }
        }
        let Audio::Words { words, cue } = scene.hears(CALLER) else { panic!("{:?}", scene.hears(CALLER)) };
        assert_eq!(&*words[0], "recorded", "it is told of the recording");
        assert!(words.len() > 1, "and whose number it is: {words:?}");
        scene.handle(Input::Played { cue });
        assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
        scene.wait(Duration::from_secs(120));
        scene.end(LegNo(2), EndedBy::Network, None);
        scene.wait(Duration::from_secs(1));
        assert!(scene.call.waits(), "the minute of the chain is not held against it: {:?}", scene.call);
        let joined = scene.effects.iter().filter(|e| matches!(e, Output::Joined { .. })).count();
        assert_eq!(joined, 1);
    }
}

/// Something that one of two seats does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Leave(&'static str),
    Retake(&'static str),
    RetakeAndAnswer(&'static str),
    HangUp(&'static str),
    Die(&'static str),
}

fn does(scene: &mut Scene, what: Does) {
    let (Does::Leave(name) | Does::Retake(name) | Does::RetakeAndAnswer(name) | Does::HangUp(name) | Does::Die(name)) = what;
    if let Does::Retake(_) | Does::RetakeAndAnswer(_) = what {
        _ = scene.call.retake(scene.now, name, &mut scene.effects);
    }
    let is = |(_, called): &(&LegNo, &Called)| called.party.name() == name;
    let leg = scene.call.parties.iter().find(is).map(|(leg, _)| *leg);
    match (what, leg) {
        (Does::Leave(_), Some(leg)) => _ = scene.request(leg, Request::Leave),
        (Does::RetakeAndAnswer(_), Some(leg)) => scene.answer(leg),
        (Does::HangUp(_), Some(leg)) => scene.end(leg, EndedBy::Peer, None),
        (Does::Die(_), Some(leg)) => scene.end(leg, EndedBy::Network, None),
        _ => {}
    }
    scene.audit();
}

#[test]
fn two_seats_leave_come_back_and_hang_up_in_every_order_and_each_is_kept_as_long_as_it_is_there() {
    let acts: Vec<Does> = ["s1", "s2"]
        .into_iter()
        .flat_map(|s| [Does::Leave(s), Does::Retake(s), Does::RetakeAndAnswer(s), Does::HangUp(s), Does::Die(s)])
        .collect();
    let mut stories: Vec<Vec<Does>> = vec![Vec::new()];
    for _ in 0..4 {
        let longer = stories.iter().flat_map(|story| acts.iter().map(move |act| [&story[..], &[*act]].concat()));
        stories = longer.collect();
    }
    for story in stories {
        let mut scene = talked();
        for (seat, number) in [(None, "12366"), (Some("s2"), "")] {
            let goal = seat.map_or_else(|| goal(&[number]), to_seat);
            scene.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal }).unwrap();
            scene.answer(LegNo(scene.call.next_leg - 1));
        }
        for act in &story {
            does(&mut scene, *act);
            let there = |name: &String| scene.call.has_party(name);
            assert!(kept(&scene).iter().all(there), "{story:?}: {:?} after {act:?}", kept(&scene));
        }
        assert!(!scene.hung_up(CALLER), "{story:?}: the third is there");
        scene.end(CALLER, EndedBy::Peer, None);
        scene.wait(Duration::from_secs(20));
        scene.end(LegNo(2), EndedBy::Peer, None);
        scene.wait(Duration::from_secs(20));
        assert_eq!(kept(&scene), [""; 0], "{story:?}");
        assert!(scene.call.is_over(), "{story:?}");
    }
}

#[test]
fn a_caller_from_an_emergency_line_goes_before_others_however_it_comes_to_wait_again() {
    let high = || Step::Queue { queue: "12345".into(), high: true };
    let priorities = |scene: &Scene| {
        let of = |e: &Output| match e {
            Output::Queue(QueueCommand::Join { queue, priority, .. }) => Some((queue.to_string(), *priority)),
            _ => None,
        };
        scene.effects.iter().filter_map(of).collect::<Vec<_>>()
    };
    let served = |steps: Vec<Step>| {
        let mut scene = Scene::start(steps);
        scene.ring("s1");
        scene.answer(SEAT);
        scene
    };
    let all_high = |scene: &Scene, queues: &[&str], story: &str| {
        let wanted: Vec<_> = queues.iter().map(|queue| ((*queue).to_owned(), crate::queue::Priority::HIGH)).collect();
        assert_eq!(priorities(scene), wanted, "{story}");
    };
    let mut died = served(vec![high()]);
    died.end(SEAT, EndedBy::Network, None);
    all_high(&died, &["12345", "12345"], "its seat's phone died");
    let mut held = served(vec![high()]);
    held.request(SEAT, Request::Hold).unwrap();
    held.wait(Duration::from_secs(300));
    all_high(&held, &["12345", "12345"], "its hold was forgotten");
    let mut sent = served(vec![high()]);
    let goal_of = |queue: &str| Goal::Queue { queue: queue.into(), high: false };
    sent.request(SEAT, Request::Transfer { kind: TransferKind::Blind, goal: goal_of("expert") }).unwrap();
    all_high(&sent, &["12345", "expert"], "a seat sent it to another queue");
    let mut late = Scene::start(vec![ring(&["12366"]), high()]);
    late.answer(SEAT);
    late.request(SEAT, Request::Transfer { kind: TransferKind::Blind, goal: goal_of("12345") }).unwrap();
    all_high(&late, &["12345"], "a sub-center sent it on before it had come to the queue");
    let mut plan = Scene::start(vec![high(), queue()]);
    plan.handle(Input::Queue(QueueEvent::NoSeat));
    all_high(&plan, &["12345", "12345"], "the plan goes on");
    let keys = vec![MenuKey { key: '2', goal: MenuGoal::Queue("expert".into()) }];
    let menu = Step::Menu { prompt: "choose".into(), wrong: None, keys: keys.into(), wait: Duration::from_secs(4), tries: 1 };
    let mut chose = Scene::start(vec![menu, ring(&["12366"]), high()]);
    chose.handle(Input::Key { key: '2' });
    all_high(&chose, &["expert"], "it pressed a key");
    let mut overflows = overflowing_from(high());
    overflows.handle(Input::Queue(QueueEvent::NoSeat));
    all_high(&overflows, &["12345", "expert"], "the queue sent it on");
    assert!(!priorities(&served(vec![queue()])).iter().any(|(_, priority)| *priority == crate::queue::Priority::HIGH));
}

fn overflowing_from(step: Step) -> Scene {
    let mut scene = Scene::new(vec![step]);
    let mut policy = (*scene.call.policy).clone();
    let overflow = [Step::Queue { queue: "expert".into(), high: false }].into();
    let waiting = Waiting { overflow, overflow_within: Duration::from_secs(60), ..Waiting::default() };
    policy.callers.waiting = [("12345".into(), Arc::new(waiting))].into();
    scene.call.policy = Arc::new(policy);
    scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    scene
}
