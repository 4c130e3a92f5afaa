//! Every edge of moving a caller, and the eleven things that must never happen (those that are the call's to keep).

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::{Result, TransferKind};
use crate::sip::Direction;

const TARGET: LegNo = LegNo(2);

fn asked(scene: &mut Scene, kind: TransferKind, numbers: &[&str]) -> std::result::Result<(), Refusal> {
    scene.request(SEAT, Request::Transfer { kind, goal: goal(numbers) })
}

fn moving(kind: TransferKind) -> Scene {
    let mut scene = talking();
    asked(&mut scene, kind, &["12366"]).unwrap();
    scene
}

/// Answered by the target.
fn moved(kind: TransferKind) -> Scene {
    let mut scene = moving(kind);
    scene.answer(TARGET);
    scene
}

fn together(scene: &Scene, legs: &[LegNo]) -> bool {
    legs.iter().all(|leg| {
        let others: Vec<LegNo> = legs.iter().copied().filter(|p| p != leg).collect();
        let wanted = if others.len() == 1 { Audio::Relay(others[0]) } else { Audio::Mix(others) };
        scene.hears(*leg) == wanted
    })
}

#[test]
fn consult_then_complete() {
    let mut scene = moving(TransferKind::Consult);
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (music(), Audio::Ringback));
    scene.leg(TARGET, LegEvent::EarlyMedia { sends: true });
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (music(), Audio::Early(TARGET)), "its network's own words");
    scene.answer(TARGET);
    assert!(together(&scene, &[SEAT, TARGET]));
    assert_eq!(scene.hears(CALLER), music());
    scene.request(SEAT, Request::Complete).unwrap();
    assert!(together(&scene, &[CALLER, TARGET]) && scene.hung_up(SEAT) && !scene.hung_up(CALLER));
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    assert_eq!(scene.moves(), ["consult…", "completed"]);
    scene.end(TARGET, EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn what_a_targets_network_says_is_heard_by_those_whom_it_joins() {
    for kind in [TransferKind::ThreeWay, TransferKind::Emergency] {
        let mut scene = moving(kind);
        assert!(together(&scene, &[CALLER, SEAT]), "a target that rings in silence changes nothing");
        scene.leg(TARGET, LegEvent::EarlyMedia { sends: true });
        assert_eq!(scene.hears(CALLER), Audio::Mix(vec![SEAT, TARGET]));
        assert_eq!(scene.hears(SEAT), Audio::Mix(vec![CALLER, TARGET]));
        assert_eq!(scene.hears(TARGET), Audio::Silence, "nobody is there yet");
        scene.leg(TARGET, LegEvent::EarlyMedia { sends: false });
        assert!(together(&scene, &[CALLER, SEAT]), "P-Early-Media took it back");
        scene.leg(TARGET, LegEvent::EarlyMedia { sends: true });
        scene.answer(TARGET);
        assert!(together(&scene, &[CALLER, SEAT, TARGET]));
        let mut refused = moving(kind);
        refused.leg(TARGET, LegEvent::EarlyMedia { sends: true });
        refused.end(TARGET, EndedBy::Peer, Some(486));
        assert_eq!(refused.hears(CALLER), Audio::Relay(SEAT), "and it is gone with it");
    }
    let mut held = moving(TransferKind::ThreeWay);
    held.leg(TARGET, LegEvent::EarlyMedia { sends: true });
    held.leg(SEAT, LegEvent::Media(media(Direction::RecvOnly)));
    assert_eq!((held.hears(CALLER), held.hears(SEAT)), (music(), Audio::Mix(vec![CALLER, TARGET])));
}

#[test]
fn consult_swap_and_merge() {
    let mut scene = moved(TransferKind::Consult);
    scene.request(SEAT, Request::Swap).unwrap();
    assert!(together(&scene, &[CALLER, SEAT]));
    assert_eq!(scene.hears(TARGET), music());
    scene.request(SEAT, Request::Swap).unwrap();
    assert!(together(&scene, &[SEAT, TARGET]));
    scene.request(SEAT, Request::Merge).unwrap();
    assert!(together(&scene, &[CALLER, SEAT, TARGET]));
    assert_eq!(scene.request(SEAT, Request::Swap), Err(Refusal::Nothing));
}

#[test]
fn consult_and_three_way_can_be_cancelled_while_ringing_and_while_consulting() {
    for mut scene in [moving(TransferKind::Consult), moved(TransferKind::Consult), moving(TransferKind::ThreeWay)] {
        scene.request(SEAT, Request::Cancel).unwrap();
        assert!(together(&scene, &[CALLER, SEAT]) && scene.hung_up(TARGET));
        assert_eq!(scene.moves().last().unwrap(), "cancelled");
        assert_eq!(scene.request(SEAT, Request::Cancel), Err(Refusal::Nothing));
    }
}

#[test]
fn a_target_that_fails_gives_way_to_the_next_route_then_the_seat_hears_of_it() {
    for kind in [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Emergency] {
        let mut scene = talking();
        asked(&mut scene, kind, &["110", "119"]).unwrap();
        scene.end(TARGET, EndedBy::Peer, Some(486));
        assert!(scene.effects.iter().any(|e| matches!(e, Output::Dial { leg: LegNo(3), .. })));
        scene.wait(Duration::from_secs(20));
        let Audio::Prompt { name, cue, .. } = scene.hears(SEAT) else { panic!("an audible notice") };
        assert_eq!(&*name, "transfer-failed");
        scene.handle(Input::Played { cue });
        assert!(together(&scene, &[CALLER, SEAT]), "{kind:?}");
        assert!(!scene.hung_up(CALLER) && !scene.hung_up(SEAT));
    }
}

#[test]
fn three_way_keeps_the_two_talking_while_the_third_is_fetched() {
    let mut scene = moving(TransferKind::ThreeWay);
    assert!(together(&scene, &[CALLER, SEAT]));
    scene.answer(TARGET);
    assert!(together(&scene, &[CALLER, SEAT, TARGET]));
}

#[test]
fn any_one_leaving_a_three_way_call_leaves_the_other_two_talking() {
    let mut no_seat = moved(TransferKind::ThreeWay);
    no_seat.end(SEAT, EndedBy::Peer, None);
    assert!(together(&no_seat, &[CALLER, TARGET]));
    assert!(no_seat.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    let mut no_target = moved(TransferKind::ThreeWay);
    no_target.end(TARGET, EndedBy::Peer, None);
    assert!(together(&no_target, &[CALLER, SEAT]));
    let mut no_caller = moved(TransferKind::ThreeWay);
    no_caller.end(CALLER, EndedBy::Peer, None);
    assert!(together(&no_caller, &[SEAT, TARGET]));
    no_caller.end(SEAT, EndedBy::Peer, None);
    assert!(no_caller.hung_up(TARGET));
    assert_eq!(no_caller.clear().0, Result::Answered);
}

#[test]
fn who_completes_while_three_talk_leaves_the_others_to_each_other() {
    for kind in [TransferKind::ThreeWay, TransferKind::Emergency, TransferKind::Consult] {
        let mut scene = moved(kind);
        if kind == TransferKind::Consult {
            scene.request(SEAT, Request::Merge).unwrap();
        }
        scene.request(SEAT, Request::Complete).unwrap();
        assert!(together(&scene, &[CALLER, TARGET]) && scene.hung_up(SEAT) && !scene.hung_up(CALLER), "{kind:?}");
        assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
        assert_eq!(scene.request(TARGET, Request::Complete), Err(Refusal::Nothing), "two are left");
        scene.end(CALLER, EndedBy::Peer, None);
        assert_eq!(scene.clear().0, Result::Answered);
    }
    let mut lost = moved(TransferKind::ThreeWay);
    lost.end(CALLER, EndedBy::Peer, None);
    assert_eq!(lost.request(SEAT, Request::Complete), Err(Refusal::Nothing), "nobody would be left to talk to");
    let mut ringing = moving(TransferKind::Emergency);
    assert_eq!(
        ringing.request(SEAT, Request::Complete),
        Err(Refusal::Nothing),
        "the seat stays until an emergency line has answered"
    );
}

#[test]
fn a_move_that_failed_tells_the_status_of_its_own_target() {
    let refusal = |scene: &Scene| scene.call.failure.map(|(status, _)| status);
    let mut scene = talking();
    asked(&mut scene, TransferKind::Consult, &["12366"]).unwrap();
    scene.end(TARGET, EndedBy::Peer, Some(407));
    assert_eq!(refusal(&scene), Some(407));
    asked(&mut scene, TransferKind::Consult, &["110"]).unwrap();
    assert_eq!(refusal(&scene), None, "the one before is forgotten");
    scene.wait(Duration::from_secs(20));
    assert_eq!(refusal(&scene), Some(480), "it let it ring");
    let told =
        scene.effects.iter().filter_map(|e| if let Output::TransferEnded { failure, .. } = e { Some(*failure) } else { None });
    assert_eq!(told.collect::<Vec<_>>(), [Some((407, Some(21))), Some((480, Some(19)))]);
}

#[test]
fn the_caller_survives_the_seat_whatever_the_seat_s_end() {
    for by in [EndedBy::Peer, EndedBy::Network] {
        let mut ringing = moving(TransferKind::Consult);
        ringing.end(SEAT, by, None);
        assert_eq!(ringing.hears(CALLER), Audio::Ringback);
        ringing.answer(TARGET);
        assert!(together(&ringing, &[CALLER, TARGET]));
        let mut consulting = moved(TransferKind::Consult);
        consulting.end(SEAT, by, None);
        assert!(together(&consulting, &[CALLER, TARGET]));
        assert!(gives_back(&consulting, by));
        let mut swapped = moved(TransferKind::Consult);
        swapped.request(SEAT, Request::Swap).unwrap();
        swapped.end(SEAT, by, None);
        assert!(together(&swapped, &[CALLER, TARGET]));
    }
}

#[test]
fn a_blind_transfer_that_fails_comes_back_to_the_seat_then_to_the_head_of_the_queue() {
    let mut scene = moving(TransferKind::Blind);
    assert!(scene.hung_up(SEAT));
    assert_eq!(scene.hears(CALLER), Audio::Ringback);
    scene.end(TARGET, EndedBy::Peer, Some(503));
    let back = Output::Dial { leg: LegNo(3), party: Dialled::Seat { name: "s1".into() } };
    assert!(scene.has(&back) && !scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    scene.wait(Duration::from_secs(20));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))));
    assert_eq!(scene.hears(CALLER), music());
    assert_eq!(scene.moves(), ["blind…", "failed", "return…", "failed"]);
}

#[test]
fn a_phone_that_hangs_up_because_its_refer_was_refused_does_not_end_the_call() {
    for (pause, queued) in [(100, true), (1000, false)] {
        let mut scene = talking();
        let now = scene.now;
        scene.call.refer_refused(now, SEAT);
        scene.wait(Duration::from_millis(pause));
        scene.end(SEAT, EndedBy::Peer, None);
        assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
        assert_eq!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))), queued);
        assert_eq!(scene.hung_up(CALLER), !queued, "after {pause} ms");
    }
}

#[test]
fn a_seat_that_gets_its_caller_back_has_its_lease_again() {
    let mut scene = moving(TransferKind::Blind);
    scene.end(TARGET, EndedBy::Peer, Some(486));
    scene.answer(LegNo(3));
    assert!(together(&scene, &[CALLER, LegNo(3)]));
    scene.end(LegNo(3), EndedBy::Peer, None);
    let freed = scene.effects.iter().filter(|e| matches!(e, Output::Queue(QueueCommand::Freed { .. }))).count();
    assert_eq!(freed, 1);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_silent_target_is_no_target_but_an_emergency_line_is_never_ended_for_silence() {
    for kind in [TransferKind::Consult, TransferKind::ThreeWay] {
        let mut scene = moved(kind);
        scene.handle(Input::Silent { leg: TARGET });
        assert!(scene.hung_up(TARGET), "{kind:?}");
        assert!(matches!(scene.hears(SEAT), Audio::Prompt { .. }), "told");
    }
    let mut blind = moved(TransferKind::Blind);
    blind.handle(Input::Silent { leg: TARGET });
    assert!(blind.has(&Output::Dial { leg: LegNo(3), party: Dialled::Seat { name: "s1".into() } }));
    let mut emergency = moved(TransferKind::Emergency);
    emergency.handle(Input::Silent { leg: TARGET });
    assert!(!emergency.hung_up(TARGET) && together(&emergency, &[CALLER, SEAT, TARGET]));
    let mut later = moved(TransferKind::ThreeWay);
    later.wait(Duration::from_secs(60));
    later.handle(Input::Silent { leg: TARGET });
    assert!(!later.hung_up(TARGET), "a pause in a long conversation");
}

#[test]
fn a_second_key_press_does_nothing_more_and_the_key_goes_before_other_moves() {
    let mut scene = moving(TransferKind::Emergency);
    let dials = |scene: &Scene| scene.effects.iter().filter(|e| matches!(e, Output::Dial { .. })).count();
    asked(&mut scene, TransferKind::Emergency, &["12366"]).unwrap();
    assert_eq!(dials(&scene), 1);
    let mut other = moved(TransferKind::Consult);
    asked(&mut other, TransferKind::Emergency, &["110"]).unwrap();
    assert!(other.hung_up(TARGET) && together(&other, &[CALLER, SEAT]));
    assert_eq!(dials(&other), 2);
}

#[test]
fn a_caller_lost_in_an_emergency_leaves_seat_and_line_with_each_other() {
    let mut scene = moving(TransferKind::Emergency);
    scene.end(CALLER, EndedBy::Network, None);
    assert!(!scene.hung_up(SEAT) && !scene.hung_up(TARGET));
    scene.answer(TARGET);
    assert!(together(&scene, &[SEAT, TARGET]));
    scene.end(TARGET, EndedBy::Peer, None);
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_caller_who_goes_while_the_target_rings_ends_the_move_before_anybody_is_hung_up() {
    for kind in [TransferKind::Blind, TransferKind::Consult, TransferKind::ThreeWay] {
        let mut scene = moving(kind);
        scene.end(CALLER, EndedBy::Peer, None);
        assert_eq!(scene.moves(), [&format!("{}…", kind.name()), "failed"]);
        let place = |wanted: fn(&Output) -> bool| scene.effects.iter().position(wanted);
        let told = place(|e| matches!(e, Output::TransferEnded { seq: 1, .. }));
        assert!(told < place(|e| matches!(e, Output::Hangup { leg: TARGET, .. })), "{kind:?}: its referrer hears of it");
        assert_eq!(scene.clear().0, Result::Answered);
    }
    let mut stopped = moved(TransferKind::Consult);
    stopped.call.stop(stopped.now, &mut stopped.effects);
    assert_eq!(stopped.moves(), ["consult…", "failed"]);
}

#[test]
fn what_may_not_be_leaves_the_conversation_untouched() {
    let mut scene = talking();
    let request = |scene: &mut Scene, by, request| scene.request(by, request);
    let consult = || Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366"]) };
    assert_eq!(request(&mut scene, CALLER, consult()), Err(Refusal::NotAllowed));
    assert_eq!(request(&mut scene, LegNo(9), consult()), Err(Refusal::NotAllowed));
    for nothing in [Request::Complete, Request::Cancel, Request::Swap, Request::Merge] {
        assert_eq!(request(&mut scene, SEAT, nothing), Err(Refusal::Nothing));
    }
    assert_eq!(request(&mut scene, SEAT, Request::Drop(CALLER)), Err(Refusal::NotAllowed));
    request(&mut scene, SEAT, consult()).unwrap();
    assert_eq!(request(&mut scene, SEAT, consult()), Err(Refusal::Busy));
    let mut queued = Scene::start(vec![queue()]);
    assert_eq!(request(&mut queued, SEAT, consult()), Err(Refusal::NotTalking));
}

#[test]
fn a_caller_can_be_sent_back_into_a_queue() {
    let mut scene = talking();
    let goal = Goal::Queue { queue: "experts".into(), high: true };
    scene.request(SEAT, Request::Transfer { kind: TransferKind::Blind, goal }).unwrap();
    assert!(scene.hung_up(SEAT) && scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    scene.ring("e1");
    scene.answer(LegNo(2));
    assert!(together(&scene, &[CALLER, LegNo(2)]));
}

#[test]
fn a_supervisor_drops_a_party_and_the_others_stay() {
    let mut scene = moved(TransferKind::ThreeWay);
    scene.request(SEAT, Request::Drop(TARGET)).unwrap();
    assert!(together(&scene, &[CALLER, SEAT]) && scene.hung_up(TARGET));
}

#[test]
fn a_seat_left_alone_by_caller_and_emergency_line_is_let_go() {
    let mut scene = moving(TransferKind::Emergency);
    scene.end(CALLER, EndedBy::Peer, None);
    scene.end(TARGET, EndedBy::Peer, Some(486));
    assert!(scene.hung_up(SEAT));
    assert_eq!(scene.clear().0, Result::Answered);
}

#[test]
fn a_caller_sent_to_a_silent_target_whose_seat_is_gone_waits_at_the_head_of_its_queue() {
    let mut scene = moved(TransferKind::Blind);
    scene.handle(Input::Silent { leg: TARGET });
    scene.end(LegNo(3), EndedBy::Peer, Some(486));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))));
    assert!(!scene.hung_up(CALLER));
}

#[test]
fn a_seat_has_the_number_spoken_that_a_caller_should_dial() {
    let mut scene = talking();
    scene
        .request(SEAT, Request::Transfer { kind: TransferKind::Blind, goal: Goal::Guide { prompt: "guide-12380".into() } })
        .unwrap();
    let Audio::Prompt { name, cue, .. } = scene.hears(CALLER) else { panic!("the number is spoken") };
    assert_eq!((&*name, scene.hears(SEAT)), ("guide-12380", Audio::Relay(CALLER)));
    scene.handle(Input::Played { cue });
    assert!(together(&scene, &[CALLER, SEAT]));
}
