//! An emergency line is fetched whatever move is under way, by whomever; what a supervisor may do who has joined in; and moves
//! about a party whose place another takes.

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::TransferKind;
use crate::event::seat::SuperviseMode;
use crate::sip::Direction;

const COLLEAGUE: LegNo = LegNo(2);

fn to_seat(name: &str) -> Goal {
    let chain = vec![Dialled::Seat { name: name.into() }];
    Goal::Ring { to: format!("seat:{name}"), chain, timeout: Duration::from_secs(20) }
}

fn newest(scene: &Scene) -> LegNo {
    LegNo(scene.call.next_leg - 1)
}

fn asks(scene: &mut Scene, kind: TransferKind) -> LegNo {
    scene.request(SEAT, Request::Transfer { kind, goal: goal(&["12366"]) }).unwrap();
    newest(scene)
}

fn dials(scene: &mut Scene, seat: LegNo, kind: TransferKind, number: &str) -> std::result::Result<LegNo, Refusal> {
    let line = scene.call.second_line(scene.now, seat, kind, goal(&[number]), false, &mut scene.effects);
    if let Ok(line) = line {
        scene.leg(line, LegEvent::Media(media(Direction::SendRecv)));
    }
    scene.audit();
    line
}

/// The caller with two seats.
fn two() -> Scene {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(SEAT);
    scene.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: to_seat("s2") }).unwrap();
    scene.answer(COLLEAGUE);
    scene
}

type Move = (&'static str, fn() -> Scene);

/// Moves of seat s1, each in each of its states.
const MOVES: &[Move] = &[
    ("none", two),
    ("a consultation rings", || asking(TransferKind::Consult, false)),
    ("a consultation", || asking(TransferKind::Consult, true)),
    ("a consultation, with the caller", || {
        let mut scene = asking(TransferKind::Consult, true);
        scene.request(SEAT, Request::Swap).unwrap();
        scene
    }),
    ("a third rings", || asking(TransferKind::ThreeWay, false)),
    ("a third", || asking(TransferKind::ThreeWay, true)),
    ("the caller is sent away, and the target rings", || asking(TransferKind::Blind, false)),
    ("the caller was sent away", || asking(TransferKind::Blind, true)),
    ("a consultation was completed before its answer", || {
        let mut scene = asking(TransferKind::Consult, false);
        scene.request(SEAT, Request::Complete).unwrap();
        scene
    }),
    ("the seat has gone while its third rings", || {
        let mut scene = asking(TransferKind::ThreeWay, false);
        scene.end(SEAT, EndedBy::Network, None);
        scene
    }),
    ("the seat takes the call back", || {
        let mut scene = asking(TransferKind::ThreeWay, true);
        scene.request(SEAT, Request::Leave).unwrap();
        scene.call.retake(scene.now, "s1", &mut scene.effects).unwrap();
        scene
    }),
    ("a second line rings", || by_line(false)),
    ("a second line", || by_line(true)),
    ("a second line by which another emergency line was fetched", || {
        let mut scene = two();
        dials(&mut scene, SEAT, TransferKind::Emergency, "119").unwrap();
        let line = newest(&scene);
        scene.answer(line);
        scene
    }),
];

fn asking(kind: TransferKind, answered: bool) -> Scene {
    let mut scene = two();
    let target = asks(&mut scene, kind);
    if answered {
        scene.answer(target);
    }
    scene
}

fn by_line(answered: bool) -> Scene {
    let mut scene = two();
    scene.leg(SEAT, LegEvent::Media(media(Direction::RecvOnly)));
    dials(&mut scene, SEAT, TransferKind::Consult, "12366").unwrap();
    if answered {
        let target = newest(&scene);
        scene.answer(target);
    }
    scene
}

/// The lines by which this seat is in the conversation.
fn lines_of(scene: &Scene, seat: &str) -> Vec<LegNo> {
    let Stage::Talking(talk) = &scene.call.stage else { return Vec::new() };
    let is = |leg: &LegNo| scene.call.parties.get(leg).is_some_and(|called| called.party.name() == seat);
    talk.members().filter(is).collect()
}

fn fetched(scene: &Scene) -> Vec<LegNo> {
    let of = |e: &Output| match e {
        Output::Dial { leg, party: Dialled::Target(target) } if *target.number == *"110" => Some(*leg),
        _ => None,
    };
    scene.effects.iter().filter_map(of).collect()
}

fn hears(scene: &Scene, leg: LegNo, other: LegNo) -> bool {
    match scene.hears(leg) {
        Audio::Relay(one) => one == other,
        Audio::Mix(all) => all.contains(&other),
        _ => false,
    }
}

/// By a key or by the toolbar, by a program for whoever serves the caller, and by dialling.
#[test]
fn an_emergency_line_is_fetched_by_whoever_is_there_whatever_move_is_under_way() {
    for (story, make) in MOVES {
        for (seat, how) in [("s1", "key"), ("s2", "key"), ("s1", "dial"), ("s2", "dial"), ("", "program")] {
            let scene = make();
            let moves = scene.moves().len();
            let pending = matches!(&scene.call.stage, Stage::Talking(talk) if talk.transfer.is_some());
            let lines = lines_of(&scene, seat);
            let goal = Request::Transfer { kind: TransferKind::Emergency, goal: goal(&["110"]) };
            // It may press on any line.
            let from: Vec<Option<LegNo>> = if how == "program" { vec![None] } else { lines.into_iter().map(Some).collect() };
            for line in from {
                let story = format!("{story}: {seat} by {how} on {line:?}");
                let mut scene = make();
                let answer = match (how, line) {
                    ("dial", Some(line)) => dials(&mut scene, line, TransferKind::Emergency, "110").map(|_| ()),
                    _ => scene.call.request(scene.now, line, goal.clone(), &mut scene.effects),
                };
                assert_eq!(answer, Ok(()), "{story}");
                scene.audit();
                let [help] = fetched(&scene)[..] else { panic!("{story}: {:?}", fetched(&scene)) };
                let told: Vec<String> = scene.moves().split_off(moves);
                let cancelled = if pending { vec!["cancelled", "emergency…"] } else { vec!["emergency…"] };
                assert_eq!(told, cancelled, "{story}");
                scene.answer(help);
                assert!(hears(&scene, CALLER, help) && hears(&scene, help, CALLER), "{story}");
                for seat in ["s1", "s2"] {
                    let lines = lines_of(&scene, seat);
                    assert!(lines.is_empty() || lines.iter().any(|line| hears(&scene, help, *line)), "{story}: {seat} is heard");
                }
                assert!(matches!(&scene.call.stage, Stage::Talking(talk) if talk.aside.is_empty()), "{story}");
                assert!(!scene.hung_up(CALLER) && !scene.hung_up(COLLEAGUE), "{story}");
                scene.call.stop(scene.now, &mut scene.effects);
                assert!(scene.call.parties.is_empty(), "{story}");
            }
        }
    }
}

#[test]
fn an_emergency_line_that_rings_is_rung_once_however_often_it_is_asked_for() {
    for seat in [SEAT, COLLEAGUE] {
        let mut scene = two();
        let goal = Request::Transfer { kind: TransferKind::Emergency, goal: goal(&["110"]) };
        scene.request(SEAT, goal.clone()).unwrap();
        scene.request(seat, goal).unwrap();
        assert_eq!(dials(&mut scene, seat, TransferKind::Emergency, "110"), Err(Refusal::Busy));
        assert_eq!(fetched(&scene).len(), 1);
    }
}

/// How often a number was called.
fn called(scene: &Scene, number: &str) -> usize {
    let is = |e: &&Output| matches!(e, Output::Dial { party: Dialled::Target(target), .. } if *target.number == *number);
    scene.effects.iter().filter(is).count()
}

/// By a code or a verb of either seat, by a program, and by dialling on either line: whoever asks hears that nobody was called.
#[test]
fn another_emergency_line_is_called_or_refused_and_never_taken_for_the_one_that_rings() {
    let urgent = |number: &str| Request::Transfer { kind: TransferKind::Emergency, goal: goal(&[number]) };
    for by in [Some(SEAT), Some(COLLEAGUE), None] {
        let mut scene = two();
        scene.request(SEAT, urgent("119")).unwrap();
        let fire = newest(&scene);
        let asked = scene.call.request(scene.now, by, urgent("120"), &mut scene.effects);
        assert_eq!((asked, called(&scene, "120")), (Err(Refusal::HelpRings), 0), "{by:?}");
        let seat = by.unwrap_or(SEAT);
        assert_eq!(dials(&mut scene, seat, TransferKind::Emergency, "120"), Err(Refusal::HelpRings));
        assert_eq!(dials(&mut scene, seat, TransferKind::Emergency, "119"), Err(Refusal::Busy), "it rings");
        assert_eq!((called(&scene, "119"), called(&scene, "120")), (1, 0));
        assert_eq!(scene.moves(), ["three-way…", "joined", "emergency…"], "the first rings on");
        scene.answer(fire);
        scene.call.request(scene.now, by, urgent("120"), &mut scene.effects).unwrap();
        let ambulance = newest(&scene);
        scene.answer(ambulance);
        assert!(hears(&scene, CALLER, fire) && hears(&scene, CALLER, ambulance) && hears(&scene, fire, ambulance));
    }
    // The first is given up for it where the seat says so, or comes to nothing.
    for fails in [true, false] {
        let mut scene = two();
        scene.request(SEAT, urgent("119")).unwrap();
        match fails {
            true => scene.end(newest(&scene), EndedBy::Peer, Some(486)),
            false => scene.request(COLLEAGUE, Request::Cancel).unwrap(),
        }
        dials(&mut scene, COLLEAGUE, TransferKind::Emergency, "120").unwrap();
        assert_eq!(called(&scene, "120"), 1);
    }
}

#[test]
fn an_emergency_lines_ways_in_another_order_are_the_same_line() {
    let urgent = |numbers: &[&str]| Request::Transfer { kind: TransferKind::Emergency, goal: goal(numbers) };
    let mut scene = talking();
    scene.request(SEAT, urgent(&["110", "0871110"])).unwrap();
    scene.request(SEAT, urgent(&["0871110", "110"])).unwrap();
    assert_eq!(scene.moves(), ["emergency…"]);
    assert_eq!(scene.request(SEAT, urgent(&["110"])), Err(Refusal::HelpRings), "no more is known of these");
}

#[test]
fn what_is_no_emergency_waits_for_the_move_under_way() {
    for (story, make) in MOVES {
        let mut scene = make();
        let pending = matches!(&scene.call.stage, Stage::Talking(talk) if talk.transfer.is_some());
        let asked = scene.request(COLLEAGUE, Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12348"]) });
        assert_eq!(asked, if pending { Err(Refusal::Busy) } else { Ok(()) }, "{story}");
    }
}

/// A supervisor has joined in.
fn barging() -> (Scene, LegNo) {
    let mut scene = talking();
    scene.call.supervise(scene.now, "boss", SEAT, SuperviseMode::Barge, false, &mut scene.effects).unwrap();
    let boss = newest(&scene);
    scene.answer(boss);
    (scene, boss)
}

#[test]
fn a_supervisor_who_has_joined_in_moves_nobody_and_may_fetch_an_emergency_line() {
    let (mut scene, boss) = barging();
    assert_eq!(dials(&mut scene, boss, TransferKind::Consult, "12366"), Err(Refusal::NotAllowed));
    for kind in [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind] {
        let asked = scene.request(boss, Request::Transfer { kind, goal: goal(&["12366"]) });
        assert_eq!(asked, Err(Refusal::NotAllowed), "{kind:?}");
    }
    assert!(!scene.hung_up(boss) && scene.moves().is_empty());
    let line = dials(&mut scene, boss, TransferKind::Emergency, "110").unwrap();
    let help = fetched(&scene)[0];
    scene.answer(help);
    assert!(hears(&scene, CALLER, help) && hears(&scene, help, SEAT));
    scene.call.stop_supervising(scene.now, "boss", &mut scene.effects).unwrap();
    scene.audit();
    assert!(scene.hung_up(boss) && scene.hung_up(line), "it goes with both its lines");
    assert_eq!(scene.hears(CALLER), Audio::Mix(vec![SEAT, help]));
    let (mut scene, boss) = barging();
    scene.request(boss, Request::Transfer { kind: TransferKind::Emergency, goal: goal(&["110"]) }).unwrap();
    let help = fetched(&scene)[0];
    scene.end(boss, EndedBy::Peer, None);
    scene.answer(help);
    assert_eq!(scene.hears(CALLER), Audio::Mix(vec![SEAT, help]));
    // One who only listens is not in the conversation.
    let (mut scene, boss) = barging();
    scene.call.supervise_as(scene.now, "boss", SuperviseMode::Monitor, &mut scene.effects).unwrap();
    assert_eq!(dials(&mut scene, boss, TransferKind::Emergency, "110"), Err(Refusal::NotAllowed));
}

#[test]
fn who_supervises_takes_nothing_from_what_may_be_tried_for_the_caller() {
    let mut scene = talking();
    let policy = Policy { max_parties: 1, ..Policy::clone(&scene.call.policy) };
    scene.call.policy = Arc::new(policy);
    for _ in 0..3 {
        scene.call.supervise(scene.now, "boss", SEAT, SuperviseMode::Monitor, false, &mut scene.effects).unwrap();
        scene.call.stop_supervising(scene.now, "boss", &mut scene.effects).unwrap();
    }
    asks(&mut scene, TransferKind::Consult);
}

/// Seat s3 takes the place of this leg.
fn replaced(scene: &mut Scene, old: LegNo) -> LegNo {
    let new = scene.call.take_place(scene.now, old, "s3", false, &mut scene.effects).unwrap();
    scene.leg(new, LegEvent::Media(media(Direction::SendRecv)));
    assert!(scene.hung_up(old));
    new
}

/// Seat s1 has asked for seat s2 so, which has answered.
fn moved(kind: TransferKind) -> Scene {
    let mut scene = talking();
    scene.request(SEAT, Request::Transfer { kind, goal: to_seat("s2") }).unwrap();
    scene.answer(COLLEAGUE);
    scene
}

#[test]
fn a_consultation_goes_on_with_whoever_takes_the_place_of_its_target() {
    let intercepted = |scene: &mut Scene| {
        scene.call.supervise(scene.now, "boss", COLLEAGUE, SuperviseMode::Monitor, true, &mut scene.effects).unwrap();
        let boss = newest(scene);
        scene.answer(boss);
        assert!(scene.hung_up(COLLEAGUE));
        boss
    };
    for by_phone in [true, false] {
        let start = || {
            let mut scene = moved(TransferKind::Consult);
            let new = if by_phone { replaced(&mut scene, COLLEAGUE) } else { intercepted(&mut scene) };
            (scene, new)
        };
        let (mut leaves, new) = start();
        leaves.end(new, EndedBy::Peer, None);
        assert_eq!(leaves.hears(CALLER), Audio::Relay(SEAT), "the seat has its caller again");
        assert_eq!(leaves.results(), ["failed"]);
        let (mut completed, new) = start();
        completed.request(SEAT, Request::Complete).unwrap();
        assert_eq!(completed.hears(CALLER), Audio::Relay(new));
        assert_eq!(completed.results(), ["completed"]);
        let (mut cancelled, new) = start();
        cancelled.request(SEAT, Request::Cancel).unwrap();
        assert!(cancelled.hung_up(new));
        assert_eq!(cancelled.hears(CALLER), Audio::Relay(SEAT));
        let (mut silent, new) = start();
        silent.handle(Input::Silent { leg: new });
        assert!(silent.hung_up(new), "it is no target");
        let (mut seat, new) = start();
        seat.end(SEAT, EndedBy::Peer, None);
        assert_eq!(seat.hears(CALLER), Audio::Relay(new));
    }
}

#[test]
fn who_takes_a_place_has_all_that_was_known_of_it() {
    // The silence of a third counts against it for a time.
    let mut third = moved(TransferKind::ThreeWay);
    let new = replaced(&mut third, COLLEAGUE);
    third.handle(Input::Silent { leg: new });
    assert!(third.hung_up(new) && !third.hung_up(CALLER) && !third.hung_up(SEAT));
    // A caller who is sent away by it comes back to it.
    let mut back = talking();
    back.request(SEAT, Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366"]) }).unwrap();
    let new = replaced(&mut back, SEAT);
    back.request(new, Request::Complete).unwrap();
    back.end(LegNo(2), EndedBy::Peer, Some(486));
    let dialled = |seat: &str| Dialled::Seat { name: seat.into() };
    let rung = |e: &Output, seat: &str| matches!(e, Output::Dial { party, .. } if *party == dialled(seat));
    assert!(back.effects.iter().any(|e| rung(e, "s3")) && !back.effects.iter().any(|e| rung(e, "s1")));
    // One that hangs up before it was heard has served nobody.
    let mut fresh = Scene::start(vec![queue()]);
    let policy = Policy { least_talk: Duration::from_millis(500), ..Policy::clone(&fresh.call.policy) };
    fresh.call.policy = Arc::new(policy);
    fresh.ring("s1");
    fresh.answer(SEAT);
    let new = replaced(&mut fresh, SEAT);
    fresh.end(new, EndedBy::Peer, None);
    assert!(fresh.call.waits() && !fresh.hung_up(CALLER));
}
