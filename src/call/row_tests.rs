//! Ways in which other systems get stuck, each by its number in the field's list of them, as far as the call decides them.

use super::tests::{Scene, gives_back, goal, queue, ring};
use super::*;
use crate::dialog::EndedBy;
use crate::event::TransferKind;
use crate::plan::Advance;

fn joined(scene: &Scene) -> usize {
    scene.effects.iter().filter(|effect| matches!(effect, Output::Joined { .. })).count()
}

fn cancelled_elsewhere(scene: &Scene, leg: LegNo) -> bool {
    scene.effects.iter().any(|effect| matches!(effect, Output::Hangup { leg: of, cause } if *of == leg && cause.elsewhere))
}

#[test]
fn row_03_the_second_of_two_answers_is_hung_up_as_taken_elsewhere() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.ring("s2");
    scene.answer(LegNo(2));
    assert!(cancelled_elsewhere(&scene, LegNo(1)) && !scene.hung_up(LegNo(2)));
    // Its 200 was on the way: the leg acknowledges and ends it, and the call hears nothing that it would act on.
    scene.answer(LegNo(1));
    scene.end(LegNo(1), EndedBy::Us, Some(200));
    assert_eq!(joined(&scene), 1);
    let told = |seat: &str| scene.has(&Output::Queue(QueueCommand::Answered { seat: seat.into() }));
    assert!(told("s2") && !told("s1"), "and the queue is told of one answer");
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
}

#[test]
fn row_04_when_the_first_answers_and_is_lost_the_caller_is_offered_again_at_the_head() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.ring("s2");
    scene.answer(LegNo(1));
    scene.end(LegNo(1), EndedBy::Network, None);
    assert!(gives_back(&scene, EndedBy::Network), "its channel is free");
    assert!(scene.effects.iter().any(|effect| matches!(effect, Output::Queue(QueueCommand::Join { head: true, .. }))));
    assert!(!scene.hung_up(CALLER), "and the caller stays");
    scene.ring("s2");
    scene.answer(LegNo(3));
    assert_eq!((joined(&scene), scene.hears(CALLER)), (2, Audio::Relay(LegNo(3))));
}

const LEAST: Duration = Duration::from_millis(500);

/// A call that takes a conversation of less than half a second for none.
fn scene(steps: Vec<Step>) -> Scene {
    let mut scene = Scene::new(steps);
    let mut policy = (*scene.call.policy).clone();
    policy.least_talk = LEAST;
    let said = Waiting { seat_number: true, ..Waiting::default() };
    policy.callers.waiting = [("12345".into(), Arc::new(said))].into();
    policy.callers.seat_numbers = [("said".into(), "8001".into())].into();
    scene.call.policy = Arc::new(policy);
    scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
    scene.leg(CALLER, LegEvent::Media(super::tests::media(crate::sip::Direction::SendRecv)));
    scene
}

/// The seat rings and answers, and hangs up after this time.
fn answers_and_goes(scene: &mut Scene, seat: &str, after: Duration) {
    scene.ring(seat);
    let leg = LegNo(scene.call.next_leg - 1);
    scene.answer(leg);
    scene.wait(after);
    scene.end(leg, EndedBy::Peer, None);
}

fn at_the_head(scene: &Scene) -> bool {
    let head = |effect: &Output| matches!(effect, Output::Queue(QueueCommand::Join { head: true, .. }));
    scene.effects.iter().any(head) && scene.call.waits() && !scene.hung_up(CALLER)
}

#[test]
fn row_04_a_seat_that_answers_and_hangs_up_at_once_has_missed_the_call() {
    let mut dropped = scene(vec![queue()]);
    dropped.ring("s2");
    answers_and_goes(&mut dropped, "s1", LEAST - Duration::from_millis(1));
    let told = QueueCommand::Dropped { queue: "12345".into(), seat: "s1".into() };
    assert!(at_the_head(&dropped) && dropped.has(&Output::Queue(told)), "{:?}", dropped.effects);
    assert!(!dropped.effects.iter().any(|effect| matches!(effect, Output::Queue(QueueCommand::Freed { .. }))));
    assert!(cancelled_elsewhere(&dropped, LegNo(1)), "the others are rung anew");
    // Again and again; the queue bounds it, and the caller is not lost.
    answers_and_goes(&mut dropped, "s2", Duration::ZERO);
    assert!(at_the_head(&dropped));
    // A seat that talks for half a second has talked.
    answers_and_goes(&mut dropped, "s1", LEAST);
    assert!(dropped.hung_up(CALLER));
    // A caller who hangs up is not kept.
    let mut left = scene(vec![queue()]);
    left.ring("s1");
    left.answer(LegNo(1));
    left.end(CALLER, EndedBy::Peer, None);
    assert!(left.hung_up(LegNo(1)) && !left.call.waits());
}

#[test]
fn row_04_while_the_caller_is_told_the_seats_number_the_two_do_not_have_each_other() {
    let mut early = scene(vec![queue()]);
    answers_and_goes(&mut early, "said", Duration::from_secs(3));
    assert!(at_the_head(&early));
    early.ring("said");
    early.answer(LegNo(2));
    let cue = early.call.next_cue;
    early.wait(Duration::from_secs(3));
    early.handle(Input::Played { cue });
    early.wait(LEAST);
    early.end(LegNo(2), EndedBy::Peer, None);
    assert!(early.hung_up(CALLER), "half a second after that it has talked");
}

#[test]
fn row_04_a_target_that_answers_and_hangs_up_at_once_is_followed_by_the_next() {
    let dials = |scene: &Scene| scene.effects.iter().filter(|effect| matches!(effect, Output::Dial { .. })).count();
    // A sub-center of the plan, then its second number, then the queue.
    let mut plan = scene(vec![ring(&["12366", "12348"]), queue()]);
    for leg in 1..=2 {
        plan.answer(LegNo(leg));
        plan.end(LegNo(leg), EndedBy::Peer, None);
    }
    assert!(plan.call.waits() && !plan.hung_up(CALLER));
    assert_eq!(dials(&plan), 2);
    // The plan may leave a failure to the caller.
    let mut kept = scene(vec![Step::Ring { targets: Vec::new(), timeout: LEAST, advance: Advance::default() }, queue()]);
    assert!(kept.call.waits() && kept.status().is_none());
    kept.ring("s1");
    kept.answer(LegNo(1));
    // Moves of each kind: the next route, else back to who asked.
    for kind in [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency] {
        let mut moved = scene(vec![queue()]);
        moved.ring("s1");
        moved.answer(LegNo(1));
        moved.wait(LEAST);
        moved.request(LegNo(1), Request::Transfer { kind, goal: goal(&["12366", "12348"]) }).unwrap();
        moved.answer(LegNo(2));
        moved.end(LegNo(2), EndedBy::Peer, None);
        assert_eq!(dials(&moved), 3, "{kind:?}: the next");
        moved.answer(LegNo(3));
        moved.end(LegNo(3), EndedBy::Peer, None);
        assert!(!moved.hung_up(CALLER), "{kind:?}: {:?}", moved.effects);
        if kind == TransferKind::Blind {
            assert_eq!(dials(&moved), 4, "back to its seat");
        }
    }
}

#[test]
fn row_04_so_does_a_seat_that_picks_a_call_up_and_one_that_takes_a_caller_back() {
    let mut picked = scene(vec![queue()]);
    picked.ring("s1");
    picked.call.pick_up(picked.now, "s1", "s2", &mut picked.effects).unwrap();
    picked.answer(LegNo(2));
    picked.end(LegNo(2), EndedBy::Peer, None);
    assert!(at_the_head(&picked));
    // It takes the caller back, is alone with it, and hangs up before it was heard.
    let mut retaken = scene(vec![queue()]);
    retaken.ring("s1");
    retaken.answer(LegNo(1));
    retaken.wait(LEAST);
    retaken.request(LegNo(1), Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
    retaken.answer(LegNo(2));
    retaken.wait(LEAST);
    retaken.request(LegNo(1), Request::Leave).unwrap();
    retaken.call.retake(retaken.now, "s1", &mut retaken.effects).unwrap();
    retaken.end(LegNo(2), EndedBy::Peer, None);
    retaken.answer(LegNo(3));
    retaken.end(LegNo(3), EndedBy::Peer, None);
    assert!(at_the_head(&retaken), "{:?}", retaken.call);
    // With the other still there it leaves the two to each other.
    let mut third = scene(vec![queue()]);
    third.ring("s1");
    third.answer(LegNo(1));
    third.wait(LEAST);
    third.request(LegNo(1), Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
    third.answer(LegNo(2));
    third.wait(LEAST);
    third.request(LegNo(1), Request::Leave).unwrap();
    third.call.retake(third.now, "s1", &mut third.effects).unwrap();
    third.answer(LegNo(3));
    third.end(LegNo(3), EndedBy::Peer, None);
    assert!(!third.call.waits() && third.hears(CALLER) == Audio::Relay(LegNo(2)));
}

/// A scene in which the seat `far` sits behind an exchange, and must press 1.
fn accepting() -> Scene {
    let mut scene = Scene::start(vec![queue()]);
    let mut policy = (*scene.call.policy).clone();
    policy.callers.accept = [("far".into(), '1')].into();
    policy.callers.unheard = ["far".into()].into();
    scene.call.policy = Arc::new(policy);
    scene.ring("far");
    scene
}

#[test]
fn row_22_a_machine_that_answers_a_seats_phone_has_no_caller() {
    let mut scene = accepting();
    // The exchange speaks before it answers, and not to the caller.
    scene.leg(LegNo(1), LegEvent::EarlyMedia { sends: true });
    assert_eq!(scene.hears(CALLER), Audio::Ringback);
    scene.answer(LegNo(1));
    assert!(joined(&scene) == 0 && scene.call.waits() && !scene.answered(), "it is asked first");
    let said = |scene: &Scene| match scene.hears(LegNo(1)) {
        Audio::Words { words, cue } => (words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), cue),
        other => panic!("{other:?}"),
    };
    let (words, cue) = said(&scene);
    assert_eq!(words, "digit-1 digit-2 digit-3 digit-4 digit-5 accept-call digit-1 accept-take");
    scene.handle(Input::Played { cue });
    assert_eq!((said(&scene).0, said(&scene).1 > cue), (words, true), "again and again");
    // Nobody presses it: the queue's time for the ringing is over.
    scene.handle(Input::PartyKey { leg: LegNo(1), key: '2' });
    scene.handle(Input::Queue(QueueEvent::Stop { seat: "far".into(), elsewhere: false }));
    assert!(scene.hung_up(LegNo(1)) && joined(&scene) == 0 && scene.call.waits());
    // A machine that hangs up has refused.
    let mut gone = accepting();
    gone.answer(LegNo(1));
    gone.end(LegNo(1), EndedBy::Peer, None);
    let refused = QueueCommand::Refused { seat: "far".into(), failure: crate::event::seat::MissCause::NoAnswer };
    assert!(gone.has(&Output::Queue(refused)) && gone.call.waits());
}

#[test]
fn row_22_a_person_who_presses_the_key_has_the_caller() {
    let mut scene = accepting();
    assert!(!scene.call.awaits_key_of(LegNo(1)), "not before it has answered");
    scene.answer(LegNo(1));
    assert!(scene.call.awaits_key_of(LegNo(1)) && !scene.call.awaits_key_of(CALLER));
    // Another answers first: this one is not asked any more.
    let mut other = accepting();
    other.answer(LegNo(1));
    other.ring("near");
    other.answer(LegNo(2));
    assert!(cancelled_elsewhere(&other, LegNo(1)) && other.hears(CALLER) == Audio::Relay(LegNo(2)));
    scene.handle(Input::PartyKey { leg: LegNo(1), key: '1' });
    assert_eq!((joined(&scene), scene.hears(CALLER), scene.hears(LegNo(1))), (1, Audio::Relay(LegNo(1)), Audio::Relay(CALLER)));
    assert!(scene.has(&Output::Queue(QueueCommand::Answered { seat: "far".into() })));
    // A second press is the caller's to hear.
    assert!(!scene.call.awaits_key_of(LegNo(1)));
    scene.handle(Input::PartyKey { leg: LegNo(1), key: '1' });
    assert_eq!(joined(&scene), 1);
    // The caller goes while the seat is asked.
    let mut left = accepting();
    left.answer(LegNo(1));
    left.end(CALLER, EndedBy::Peer, None);
    assert!(left.hung_up(LegNo(1)));
}
