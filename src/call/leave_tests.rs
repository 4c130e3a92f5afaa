//! Parties leave in any order here: nobody rings for nobody, nobody is alone, and no stage lasts for ever. Every input of a
//! scene is followed by the call's own audit.

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::{Result, TransferKind};

const MODES: [TransferKind; 4] = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];

fn asked(scene: &mut Scene, kind: TransferKind, numbers: &[&str]) -> LegNo {
    let leg = LegNo(scene.call.next_leg);
    scene.request(SEAT, Request::Transfer { kind, goal: goal(numbers) }).unwrap();
    leg
}

fn orders(legs: &[LegNo]) -> Vec<Vec<LegNo>> {
    match legs {
        [] => vec![Vec::new()],
        _ => legs
            .iter()
            .flat_map(|first| {
                let rest: Vec<LegNo> = legs.iter().copied().filter(|leg| leg != first).collect();
                orders(&rest).into_iter().map(move |order| [vec![*first], order].concat())
            })
            .collect(),
    }
}

/// Caller and seat; with a third who joined them; and with a fourth.
fn crowd(others: usize) -> Scene {
    let mut scene = talking();
    for number in ["12366", "12348"].into_iter().take(others) {
        let leg = asked(&mut scene, TransferKind::ThreeWay, &[number]);
        scene.answer(leg);
    }
    scene
}

/// All leave in this order. `answers`: after so many of them the target that rings answers.
fn empty(mut scene: Scene, order: &[LegNo], target: LegNo, answers: Option<usize>, by: EndedBy) {
    let story = format!("{order:?}, {target:?} answers after {answers:?}, {by:?}");
    for (place, leg) in order.iter().enumerate() {
        if answers == Some(place) && scene.call.has_party("110") {
            scene.answer(target);
        }
        scene.end(*leg, by, None);
    }
    if answers.is_some() {
        scene.end(target, by, None);
    }
    // A caller whose seat died waits in the queue again, until it hangs up.
    scene.end(CALLER, by, None);
    assert!(scene.hung_up(target) || answers.is_some(), "{story}: it rings for nobody");
    assert!(scene.call.legs().is_empty(), "{story}: {:?}", scene.call);
    let story = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.clear()));
    assert_eq!(story.unwrap().0, Result::Answered);
}

#[test]
fn nobody_rings_for_nobody_in_whatever_order_two_three_or_four_leave() {
    for kind in MODES {
        for others in 0..3 {
            let there: Vec<LegNo> = (0..2 + others as u64).map(LegNo).collect();
            for order in orders(&there) {
                for answers in std::iter::once(None).chain((0..=order.len()).map(Some)) {
                    let mut scene = crowd(others);
                    let target = asked(&mut scene, kind, &["110"]);
                    let order: Vec<LegNo> =
                        order.iter().copied().filter(|leg| kind != TransferKind::Blind || *leg != SEAT).collect();
                    empty(scene, &order, target, answers, EndedBy::Peer);
                }
            }
        }
    }
}

#[test]
fn a_line_that_is_fetched_by_a_second_line_does_not_ring_for_nobody_either() {
    let queue = LegNo(2);
    for kind in [TransferKind::Consult, TransferKind::Emergency] {
        for order in orders(&[CALLER, SEAT, queue]) {
            let mut scene = talking();
            scene.call.second_line(scene.now, SEAT, kind, goal(&["110"]), false, &mut scene.effects).unwrap();
            scene.leg(queue, LegEvent::Media(media(crate::sip::Direction::SendRecv)));
            empty(scene, &order, LegNo(3), None, EndedBy::Peer);
        }
    }
}

#[test]
fn what_is_asked_leaves_nobody_alone_either() {
    for request in [Request::Cancel, Request::Drop(SEAT)] {
        let mut scene = talking();
        let target = asked(&mut scene, TransferKind::Emergency, &["110"]);
        scene.end(CALLER, EndedBy::Peer, None);
        scene.request(SEAT, request).unwrap();
        assert!(scene.hung_up(SEAT) && scene.hung_up(target));
        assert_eq!(scene.clear().0, Result::Answered);
    }
}

/// A phone that has died is not rung again at once, however many stay; one that hung up may be.
#[test]
fn a_seat_whose_phone_died_is_given_back_as_lost() {
    for (by, others) in [EndedBy::Network, EndedBy::Peer].into_iter().flat_map(|by| [(by, 0), (by, 1)]) {
        let mut scene = crowd(others);
        scene.end(SEAT, by, None);
        let given = |effect: &&Output| matches!(effect, Output::Queue(QueueCommand::Freed { .. } | QueueCommand::Lost { .. }));
        assert_eq!(scene.effects.iter().filter(given).count(), 1, "{by:?}, {others} others");
        assert!(gives_back(&scene, by), "{by:?}, {others} others");
    }
}

#[test]
fn an_emergency_line_stops_ringing_when_the_caller_has_gone_and_then_the_seat() {
    let mut scene = talking();
    let target = asked(&mut scene, TransferKind::Emergency, &["110"]);
    scene.end(CALLER, EndedBy::Peer, None);
    assert!(!scene.hung_up(target) && !scene.hung_up(SEAT), "the seat speaks to it");
    scene.end(SEAT, EndedBy::Peer, None);
    assert!(scene.hung_up(target));
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })), "its seat takes the next caller");
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_target_that_fails_after_the_seat_left_does_not_part_those_who_have_each_other() {
    let mut scene = crowd(1);
    let target = asked(&mut scene, TransferKind::Emergency, &["110"]);
    scene.end(SEAT, EndedBy::Peer, None);
    scene.end(target, EndedBy::Peer, Some(486));
    assert!(!scene.hung_up(CALLER) && !scene.hung_up(LegNo(2)));
    assert_eq!((scene.hears(CALLER), scene.hears(LegNo(2))), (Audio::Relay(LegNo(2)), Audio::Relay(CALLER)));
    assert!(!scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { .. }))));
}

/// A caller with two seats, by a move to a colleague that was answered.
fn two_seats(kind: TransferKind) -> Scene {
    let mut scene = talking();
    let goal = Goal::Ring {
        to: "seat:s2".to_owned(),
        chain: vec![Dialled::Seat { name: "s2".into() }],
        timeout: Duration::from_secs(20),
    };
    scene.request(SEAT, Request::Transfer { kind, goal }).unwrap();
    scene.answer(LegNo(2));
    scene
}

#[test]
fn two_seats_do_not_stay_joined_over_a_caller_who_has_gone() {
    // They are free at once when somebody waits for one of them.
    let mut joined = two_seats(TransferKind::ThreeWay);
    assert!(joined.call.idle_seats().is_empty());
    joined.handle(Input::Wanted);
    assert!(!joined.hung_up(SEAT), "they have a caller");
    joined.end(CALLER, EndedBy::Peer, None);
    assert_eq!(joined.call.idle_seats(), ["s1", "s2"]);
    joined.handle(Input::Wanted);
    assert!(joined.hung_up(SEAT) && joined.hung_up(LegNo(2)));
    assert_eq!(joined.clear().0, Result::Answered);
    // A colleague that is being consulted hears that the caller has gone, but not for ever.
    for kind in [TransferKind::ThreeWay, TransferKind::Consult] {
        let mut scene = two_seats(kind);
        scene.end(CALLER, EndedBy::Peer, None);
        scene.wait(Duration::from_secs(19));
        assert!(!scene.hung_up(SEAT));
        scene.wait(Duration::from_secs(1));
        assert!(scene.hung_up(SEAT) && scene.hung_up(LegNo(2)), "{kind:?}");
        assert_eq!(scene.clear().0, Result::Answered);
    }
    // Nor when somebody else kept them company first.
    let mut left = two_seats(TransferKind::ThreeWay);
    let target = asked(&mut left, TransferKind::ThreeWay, &["12366"]);
    left.answer(target);
    left.end(CALLER, EndedBy::Peer, None);
    assert!(left.call.idle_seats().is_empty());
    left.end(target, EndedBy::Peer, None);
    assert_eq!(left.call.idle_seats().len(), 2);
    left.wait(Duration::from_secs(20));
    assert!(left.hung_up(SEAT));
}

#[test]
fn what_an_emergency_line_has_to_say_has_no_bound() {
    let mut scene = talking();
    let target = asked(&mut scene, TransferKind::Emergency, &["110"]);
    scene.end(CALLER, EndedBy::Network, None);
    scene.wait(Duration::from_secs(15));
    scene.answer(target);
    scene.wait(Duration::from_secs(600));
    scene.handle(Input::Wanted);
    assert!(!scene.hung_up(SEAT) && !scene.hung_up(target));
}

#[test]
fn nobody_is_moved_who_has_gone_but_an_emergency_line_is_fetched() {
    let mut scene = crowd(1);
    scene.end(CALLER, EndedBy::Peer, None);
    for kind in [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind] {
        let refused = scene.request(SEAT, Request::Transfer { kind, goal: goal(&["12348"]) });
        assert_eq!(refused, Err(Refusal::NotAllowed), "{kind:?}");
    }
    asked(&mut scene, TransferKind::Emergency, &["110"]);
}

#[test]
fn an_emergency_line_is_called_however_many_were_tried_before() {
    let mut scene = talking();
    for _ in 0..100 {
        let target = asked(&mut scene, TransferKind::ThreeWay, &["12366"]);
        scene.end(target, EndedBy::Peer, Some(486));
    }
    let refused = scene.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) });
    assert_eq!(refused, Err(Refusal::TooMany));
    asked(&mut scene, TransferKind::Emergency, &["110"]);
}

#[test]
fn what_others_do_not_do_does_not_hold_a_call_for_ever() {
    let mut spoken = Scene::start(vec![announce("merged"), queue()]);
    spoken.wait(Duration::from_secs(60));
    assert!(spoken.call.waits(), "the end of the prompt was never told");
    let mut told = talking();
    let target = asked(&mut told, TransferKind::ThreeWay, &["12366"]);
    told.end(target, EndedBy::Peer, Some(486));
    assert!(matches!(told.hears(SEAT), Audio::Prompt { .. }));
    told.wait(Duration::from_secs(60));
    assert_eq!(told.hears(SEAT), Audio::Relay(CALLER));
    let mut mute = Scene::new(vec![queue()]);
    mute.call.start(mute.now, FirstOffer::Provisional, &mut mute.effects);
    mute.wait(Duration::from_secs(60));
    assert!(mute.hung_up(CALLER), "its media was never settled");
    let mut stuck = talking();
    stuck.end(CALLER, EndedBy::Peer, None);
    stuck.wait(Duration::from_secs(30));
    stuck.handle(Input::Journaled);
    assert!(stuck.has(&Output::Done), "a media thread that answers nothing keeps no call");
}
