//! A seat's second line, and a phone that takes another's place.

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::{Party, Result, TransferKind};
use crate::sip::{Direction, Status};

const LINE: LegNo = LegNo(2);
const TARGET: LegNo = LegNo(3);

fn dials(scene: &mut Scene, kind: TransferKind) -> std::result::Result<LegNo, Refusal> {
    scene.call.second_line(scene.now, SEAT, kind, goal(&["12366"]), false, &mut scene.effects)
}

/// A seat whose phone holds the caller and dials.
fn dialling(kind: TransferKind) -> Scene {
    let mut scene = talking();
    scene.leg(SEAT, LegEvent::Media(media(Direction::RecvOnly)));
    assert_eq!(dials(&mut scene, kind), Ok(LINE));
    scene.leg(LINE, LegEvent::Media(media(Direction::SendRecv)));
    scene
}

fn consulting() -> Scene {
    let mut scene = dialling(TransferKind::Consult);
    scene.answer(TARGET);
    scene
}

#[test]
fn a_seat_consults_by_its_second_line_and_sends_the_caller_on() {
    let mut scene = dialling(TransferKind::Consult);
    assert!(scene.has(&Output::Progress { leg: LINE, status: Status(183), media: true }));
    assert_eq!((scene.hears(LINE), scene.hears(CALLER)), (Audio::Ringback, music()));
    assert!(!scene.has(&Output::Answer { leg: LINE }), "the phone sees that the target has not answered");
    scene.answer(TARGET);
    assert!(scene.has(&Output::Answer { leg: LINE }));
    assert_eq!((scene.hears(LINE), scene.hears(TARGET)), (Audio::Relay(TARGET), Audio::Relay(LINE)));
    scene.request(SEAT, Request::Complete).unwrap();
    assert!(scene.hung_up(SEAT) && scene.hung_up(LINE) && !scene.hung_up(CALLER) && !scene.hung_up(TARGET));
    assert_eq!((scene.hears(CALLER), scene.hears(TARGET)), (Audio::Relay(TARGET), Audio::Relay(CALLER)));
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    assert_eq!(scene.results(), ["completed"]);
    scene.end(TARGET, EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_caller_may_be_sent_on_while_the_target_rings_and_comes_back_when_it_fails() {
    let mut scene = dialling(TransferKind::Consult);
    scene.request(SEAT, Request::Complete).unwrap();
    assert!(scene.hung_up(SEAT) && scene.hung_up(LINE));
    assert_eq!(scene.hears(CALLER), Audio::Ringback);
    scene.end(TARGET, EndedBy::Peer, Some(486));
    assert!(scene.has(&Output::Dial { leg: LegNo(4), party: Dialled::Seat { name: "s1".into() } }));
}

#[test]
fn the_phone_learns_the_targets_own_status_and_has_its_caller_again() {
    let mut scene = dialling(TransferKind::Consult);
    scene.end(TARGET, EndedBy::Peer, Some(486));
    let status = scene.effects.iter().find_map(|e| match e {
        Output::Hangup { leg: LINE, cause } => Some(cause.status),
        _ => None,
    });
    assert_eq!((status, scene.results()), (Some(486), vec!["failed".to_owned()]));
    scene.leg(SEAT, LegEvent::Media(media(Direction::SendRecv)));
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)));
    assert!(dials(&mut scene, TransferKind::Consult).is_ok(), "and may dial again");
}

#[test]
fn hanging_up_the_second_line_gives_the_consultation_up() {
    for mut scene in [dialling(TransferKind::Consult), consulting()] {
        scene.end(LINE, EndedBy::Peer, Some(487));
        assert!(scene.hung_up(TARGET) && !scene.hung_up(SEAT) && !scene.hung_up(CALLER));
        assert_eq!(scene.results(), ["cancelled"]);
        scene.leg(SEAT, LegEvent::Media(media(Direction::SendRecv)));
        assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT));
    }
}

#[test]
fn a_target_that_leaves_ends_the_second_line() {
    let mut scene = consulting();
    scene.end(TARGET, EndedBy::Peer, None);
    assert!(scene.hung_up(LINE) && !scene.hung_up(SEAT));
    assert_eq!(scene.results(), ["failed"]);
    scene.end(SEAT, EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn the_caller_survives_the_first_line() {
    for by in [EndedBy::Peer, EndedBy::Network] {
        let mut talking = consulting();
        talking.end(SEAT, by, None);
        assert_eq!(talking.hears(CALLER), Audio::Mix(vec![LINE, TARGET]));
        assert!(!gives_back(&talking, by), "it is the same seat");
        talking.end(LINE, by, None);
        assert_eq!(talking.hears(CALLER), Audio::Relay(TARGET));
        assert!(gives_back(&talking, by));
        let mut ringing = dialling(TransferKind::Consult);
        ringing.end(SEAT, by, None);
        assert_eq!(ringing.hears(CALLER), Audio::Relay(LINE));
        assert!(ringing.has(&Output::Answer { leg: LINE }));
        ringing.answer(TARGET);
        assert_eq!(ringing.hears(CALLER), Audio::Mix(vec![LINE, TARGET]));
    }
}

#[test]
fn a_caller_lost_meanwhile_leaves_seat_and_target_with_each_other() {
    let mut scene = consulting();
    scene.end(CALLER, EndedBy::Network, None);
    assert_eq!(scene.hears(TARGET), Audio::Relay(LINE));
    scene.end(LINE, EndedBy::Peer, None);
    assert!(scene.hung_up(TARGET) && scene.hung_up(SEAT));
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn an_emergency_line_that_the_phone_dials_is_one_key() {
    let mut scene = dialling(TransferKind::Emergency);
    assert!(scene.has(&Output::Answer { leg: LINE }));
    assert_eq!((scene.hears(CALLER), scene.hears(LINE)), (Audio::Relay(LINE), Audio::Relay(CALLER)));
    assert_eq!(dials(&mut scene, TransferKind::Emergency), Err(Refusal::Busy), "pressed again: nothing more");
    scene.answer(TARGET);
    assert_eq!(scene.hears(CALLER), Audio::Mix(vec![LINE, TARGET]));
    assert_eq!(scene.results(), ["joined"]);
    scene.request(SEAT, Request::Complete).unwrap();
    assert!(scene.hung_up(SEAT) && scene.hung_up(LINE));
    assert_eq!(scene.hears(CALLER), Audio::Relay(TARGET));
}

#[test]
fn an_emergency_line_rings_on_when_the_second_line_dies() {
    let mut scene = dialling(TransferKind::Emergency);
    scene.end(LINE, EndedBy::Network, None);
    assert!(!scene.hung_up(TARGET));
    scene.answer(TARGET);
    assert_eq!(scene.hears(CALLER), Audio::Relay(TARGET), "the seat is on hold");
    scene.leg(SEAT, LegEvent::Media(media(Direction::SendRecv)));
    assert_eq!(scene.hears(CALLER), Audio::Mix(vec![SEAT, TARGET]));
}

#[test]
fn an_emergency_line_goes_before_another_move() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(SEAT);
    scene.request(SEAT, Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366"]) }).unwrap();
    assert_eq!(dials(&mut scene, TransferKind::Consult), Err(Refusal::Busy));
    assert_eq!(dials(&mut scene, TransferKind::Emergency), Ok(LegNo(3)));
    assert!(scene.hung_up(LegNo(2)));
}

#[test]
fn who_may_not_dial_changes_nothing() {
    let mut scene = consulting();
    assert_eq!(dials(&mut scene, TransferKind::Consult), Err(Refusal::Busy));
    let queue = Goal::Queue { queue: "12345".into(), high: false };
    assert_eq!(
        scene.call.second_line(scene.now, SEAT, TransferKind::Consult, queue, false, &mut Vec::new()),
        Err(Refusal::NotAllowed)
    );
    let by_target = scene.call.second_line(scene.now, TARGET, TransferKind::Consult, goal(&["110"]), false, &mut Vec::new());
    assert_eq!(by_target, Err(Refusal::NotAllowed));
}

fn takes(scene: &mut Scene, old: LegNo) -> std::result::Result<LegNo, Refusal> {
    scene.call.take_place(scene.now, old, "s2", false, &mut scene.effects)
}

#[test]
fn a_seat_with_two_lines_loses_its_place_to_nobody() {
    let mut scene = talking();
    assert_eq!(takes(&mut scene, SEAT), Ok(LegNo(2)));
    assert_eq!(dials(&mut scene, TransferKind::Consult), Ok(LegNo(3)));
    scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
    assert!(scene.hung_up(LegNo(2)) && !scene.hung_up(SEAT), "a second line came between");
    assert_eq!(takes(&mut scene, SEAT), Err(Refusal::Busy));
    scene.audit();
}

#[test]
fn a_phone_takes_the_place_of_one_that_talks() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(SEAT);
    assert_eq!(takes(&mut scene, SEAT), Ok(LegNo(2)));
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT), "not before its media is settled");
    assert_eq!(takes(&mut scene, SEAT), Err(Refusal::Busy));
    scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
    assert_eq!((scene.hears(CALLER), scene.hears(LegNo(2))), (Audio::Relay(LegNo(2)), Audio::Relay(CALLER)));
    assert!(scene.hung_up(SEAT) && scene.has(&Output::Answer { leg: LegNo(2) }));
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    let party = Party::Seat { name: "s2".into(), queue: String::new() };
    assert!(scene.has(&Output::Joined { leg: LegNo(2), party }));
}

#[test]
fn a_phone_picks_up_for_one_that_rings() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    assert_eq!(takes(&mut scene, SEAT), Ok(LegNo(2)));
    scene.leg(LegNo(2), LegEvent::Media(media(Direction::SendRecv)));
    assert!(scene.answered() && scene.hung_up(SEAT) && scene.has(&Output::Queue(QueueCommand::Leave)));
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
    scene.end(LegNo(2), EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_phone_that_cannot_take_the_place_changes_nothing() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    assert_eq!(takes(&mut scene, CALLER), Err(Refusal::NotAllowed), "nobody may have the caller's leg");
    takes(&mut scene, SEAT).unwrap();
    scene.end(LegNo(2), EndedBy::Us, Some(488));
    assert!(!scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Refused { .. }))));
    scene.answer(SEAT);
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT));
    takes(&mut scene, SEAT).unwrap();
    scene.end(SEAT, EndedBy::Peer, None);
    assert!(scene.hung_up(LegNo(3)));
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_phone_too_late_for_a_place_leaves_the_way_free_for_the_next() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.ring("s2");
    takes(&mut scene, SEAT).unwrap();
    scene.answer(LegNo(2));
    assert!(scene.hung_up(LegNo(3)), "another seat was faster");
    assert_eq!(takes(&mut scene, LegNo(2)), Ok(LegNo(4)));
}
