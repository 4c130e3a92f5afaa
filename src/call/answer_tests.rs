//! When a caller is answered, whom the call counts as tried, and since when a caller is with a target.

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::{Party, Result, TransferKind};
use crate::sip::Direction;

#[test]
fn nobody_is_answered_for_a_target_that_gives_no_sign() {
    let mut silent = Scene::start(vec![ring(&["12366", "12367"])]);
    for _ in 0..39 {
        silent.wait(Duration::from_secs(1));
    }
    assert!(!silent.answered());
    assert!(silent.has(&Output::Unreached { leg: LegNo(1) }), "whoever comes next goes on at once");
    silent.wait(Duration::from_secs(1));
    assert_eq!(silent.status(), Some(480));
    assert_eq!(silent.clear().0, Result::Failed);
    // One that rings is a human who may answer; so is a queue.
    let mut rings = Scene::start(vec![ring(&["12366", "12367"])]);
    rings.wait(Duration::from_secs(20));
    rings.leg(LegNo(2), LegEvent::Rings);
    rings.wait(Duration::from_secs(9));
    assert!(!rings.answered());
    rings.wait(Duration::from_secs(1));
    assert!(rings.answered());
    rings.wait(Duration::from_secs(10));
    assert!(!rings.has(&Output::Unreached { leg: LegNo(2) }));
    let mut overflow = Scene::start(vec![ring(&["12366", "12367"]), queue()]);
    overflow.wait(Duration::from_secs(20));
    overflow.wait(Duration::from_secs(19));
    assert!(!overflow.answered(), "the queue does not wait yet");
    overflow.wait(Duration::from_secs(1));
    assert!(overflow.answered(), "now it does, and the early time is over");
    overflow.end(CALLER, EndedBy::Peer, None);
    assert_eq!(overflow.clear().0, Result::AbandonedQueue);
    let mut dead = Scene::start(vec![ring(&["12366", "12367"])]);
    dead.end(LegNo(1), EndedBy::Network, Some(503));
    assert!(dead.has(&Output::Unreached { leg: LegNo(1) }));
    dead.end(LegNo(2), EndedBy::Peer, Some(503));
    assert!(!dead.has(&Output::Unreached { leg: LegNo(2) }), "who refuses is there");
}

#[test]
fn a_line_that_is_answered_at_once_waits_for_a_sign_too() {
    let scene = |step| {
        let mut scene = Scene::new(vec![step]);
        scene.call.early_max = Duration::ZERO;
        scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
        scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
        scene
    };
    let early = |scene: &Scene| scene.effects.iter().any(|e| matches!(e, Output::Progress { .. }));
    let queued = scene(queue());
    assert!(queued.answered() && !early(&queued));
    let mut ringing = scene(ring(&["12366"]));
    assert!(!ringing.answered() && early(&ringing));
    ringing.leg(LegNo(1), LegEvent::Rings);
    assert!(ringing.answered());
}

#[test]
fn a_visit_counts_from_when_the_caller_is_with_the_target() {
    let Goal::Ring { chain, .. } = goal(&["12366", "12367"]) else { panic!("a ring") };
    let Goal::Ring { chain: other, .. } = goal(&["12348"]) else { panic!("a ring") };
    let mut scene = talking();
    scene.request(SEAT, Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366", "12367"]) }).unwrap();
    scene.end(LegNo(2), EndedBy::Peer, Some(486));
    assert_eq!(scene.call.met(&chain), None, "one was busy, the other rings");
    scene.answer(LegNo(3));
    scene.wait(Duration::from_secs(7));
    assert_eq!(scene.call.met(&chain), None, "it is consulted");
    scene.request(SEAT, Request::Complete).unwrap();
    let since = scene.now.mono;
    scene.wait(Duration::from_secs(7));
    assert_eq!((scene.call.met(&chain), scene.call.met(&other)), (Some((LegNo(3), since)), None));
    let mut plan = Scene::start(vec![ring(&["12366"])]);
    plan.answer(LegNo(1));
    assert!(plan.call.met(&chain).is_some(), "also where the plan rang it");
}

#[test]
fn targets_are_bounded_and_seats_that_a_queue_rings_are_not() {
    let mut scene = Scene::start(vec![queue()]);
    for _ in 0..200 {
        scene.ring("s1");
        scene.end(LegNo(scene.call.next_leg - 1), EndedBy::Peer, Some(486));
    }
    let dials = |scene: &Scene| scene.effects.iter().filter(|e| matches!(e, Output::Dial { .. })).count();
    assert_eq!(dials(&scene), 200);
    let party = Party::Seat { name: "s1".into(), queue: "12345".into() };
    assert!(scene.has(&Output::Ringing { leg: LegNo(1), party, choice: Some(Box::default()) }));
    let numbers: Vec<String> = (0..150).map(|n| n.to_string()).collect();
    let mut chain = Scene::start(vec![ring(&numbers.iter().map(String::as_str).collect::<Vec<_>>())]);
    while chain.status().is_none() {
        chain.end(LegNo(chain.call.next_leg - 1), EndedBy::Peer, Some(486));
    }
    assert_eq!(dials(&chain), 100);
}

#[test]
fn a_long_wait_is_answered_at_early_max() {
    let mut scene = Scene::start(vec![queue()]);
    scene.wait(Duration::from_secs(29));
    assert!(!scene.answered());
    scene.wait(Duration::from_secs(1));
    assert!(scene.answered());
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::AbandonedQueue);
}

#[test]
fn row_22_a_seat_that_forwards_a_caller_of_the_queue_is_left_and_the_caller_stays() {
    let mut scene = Scene::start(vec![queue()]);
    scene.handle(Input::Queue(QueueEvent::Ring { seat: "desk".into(), choice: Box::default() }));
    scene.leg(LegNo(1), LegEvent::Forwards);
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), .. })), "nobody else is to answer");
    let refused = QueueCommand::Refused { seat: "desk".into(), failure: crate::event::seat::MissCause::Dnd };
    assert!(scene.has(&Output::Queue(refused)), "the seat is marked");
    scene.leg(LegNo(1), LegEvent::Answered);
    assert!(scene.status().is_none() && !scene.effects.iter().any(|e| matches!(e, Output::Joined { .. })), "it is too late");
    // A target of the plan may send callers wherever it likes.
    let mut target = Scene::start(vec![ring(&["12366"])]);
    target.leg(LegNo(1), LegEvent::Forwards);
    assert!(!target.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), .. })));
}
