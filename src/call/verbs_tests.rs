//! Verbs of a seat's toolbar, and supervision: each from where it may be given and where not, and who hears whom afterwards.

use super::tests::*;
use super::*;
use crate::base::Rng;
use crate::dialog::EndedBy;
use crate::event::seat::{HoldAlarm, SuperviseMode};
use crate::event::{Result, TransferKind, What};
use crate::sip::Direction;

const TARGET: LegNo = LegNo(2);
const BOSS: LegNo = LegNo(2);

fn quiet() -> Audio {
    Audio::Mix(Vec::new())
}

fn supervise(scene: &mut Scene, mode: SuperviseMode, takes_over: bool) -> std::result::Result<(), Refusal> {
    let answer = scene.call.supervise(scene.now, "boss", SEAT, mode, takes_over, &mut scene.effects);
    scene.audit();
    answer
}

/// A supervisor's phone has answered.
fn supervised(mode: SuperviseMode) -> Scene {
    let mut scene = talking();
    supervise(&mut scene, mode, false).unwrap();
    scene.answer(BOSS);
    scene
}

fn hang_up(scene: &mut Scene, leg: LegNo) -> std::result::Result<(), Refusal> {
    let answer = scene.call.hang_up(scene.now, leg, &mut scene.effects);
    scene.audit();
    answer
}

fn count(scene: &Scene, what: &What) -> usize {
    scene.effects.iter().filter(|effect| matches!(effect, Output::Journal(it) if it == what)).count()
}

#[test]
fn hold_by_verb_is_music_for_both_and_twice_is_once() {
    let mut scene = talking();
    scene.request(SEAT, Request::Hold).unwrap();
    scene.request(SEAT, Request::Hold).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (music(), music()));
    assert_eq!(count(&scene, &What::Held { leg: 1 }), 1);
    scene.leg(SEAT, LegEvent::Media(media(Direction::RecvOnly)));
    scene.request(SEAT, Request::Retrieve).unwrap();
    assert_eq!(scene.hears(CALLER), music(), "its phone holds, too");
    assert_eq!(count(&scene, &What::Resumed { leg: 1 }), 0);
    scene.leg(SEAT, LegEvent::Media(media(Direction::SendRecv)));
    scene.request(SEAT, Request::Retrieve).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)));
    assert_eq!(count(&scene, &What::Resumed { leg: 1 }), 1);
    assert_eq!(scene.request(CALLER, Request::Hold), Err(Refusal::NotAllowed));
}

#[test]
fn a_muted_seat_is_quiet_and_no_music_plays() {
    let mut scene = talking();
    scene.request(SEAT, Request::Mute(true)).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (quiet(), Audio::Relay(CALLER)));
    scene.request(SEAT, Request::Hold).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (music(), music()));
    scene.request(SEAT, Request::Retrieve).unwrap();
    assert_eq!(scene.hears(CALLER), quiet(), "still muted");
    scene.request(SEAT, Request::Mute(false)).unwrap();
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT));
}

#[test]
fn a_seat_that_moves_its_caller_holds_it_no_longer() {
    let mut scene = talking();
    scene.request(SEAT, Request::Hold).unwrap();
    scene.request(SEAT, Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366"]) }).unwrap();
    scene.answer(TARGET);
    assert_eq!(
        (scene.hears(SEAT), scene.hears(TARGET), scene.hears(CALLER)),
        (Audio::Relay(TARGET), Audio::Relay(SEAT), music())
    );
    scene.request(SEAT, Request::Hold).unwrap();
    assert_eq!((scene.hears(SEAT), scene.hears(TARGET)), (music(), music()), "the target waits while it holds");
    scene.request(SEAT, Request::Cancel).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)));
}

#[test]
fn row_18_a_forgotten_hold_alarms_the_seat_then_its_supervisor_then_the_caller_is_at_the_queues_head() {
    for by_phone in [false, true] {
        let mut scene = talking();
        match by_phone {
            true => scene.leg(SEAT, LegEvent::Media(media(Direction::Inactive))),
            false => scene.request(SEAT, Request::Hold).unwrap(),
        }
        let told = |scene: &Scene, alarm| scene.has(&Output::HoldForgotten { leg: SEAT, seat: "s1".into(), alarm });
        scene.wait(Duration::from_secs(59));
        assert!(!told(&scene, HoldAlarm::Seat));
        scene.wait(Duration::from_secs(1));
        assert!(told(&scene, HoldAlarm::Seat) && !told(&scene, HoldAlarm::Supervisor));
        scene.wait(Duration::from_secs(60));
        assert!(told(&scene, HoldAlarm::Supervisor) && !scene.hung_up(SEAT));
        scene.wait(Duration::from_secs(180));
        assert!(scene.hung_up(SEAT) && !scene.hung_up(CALLER));
        assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))));
        assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
        assert_eq!(scene.hears(CALLER), music());
    }
    let mut helped = talking();
    helped.request(SEAT, Request::Transfer { kind: TransferKind::Emergency, goal: goal(&["110"]) }).unwrap();
    helped.answer(TARGET);
    helped.request(SEAT, Request::Hold).unwrap();
    helped.leg(TARGET, LegEvent::Media(media(Direction::Inactive)));
    helped.wait(Duration::from_secs(600));
    assert!(!helped.hung_up(TARGET) && !helped.hung_up(SEAT), "an emergency line is never ended for silence");
    let mut retrieved = talking();
    retrieved.request(SEAT, Request::Hold).unwrap();
    retrieved.wait(Duration::from_secs(50));
    retrieved.request(SEAT, Request::Retrieve).unwrap();
    retrieved.request(SEAT, Request::Hold).unwrap();
    retrieved.wait(Duration::from_secs(50));
    assert!(
        !retrieved.has(&Output::HoldForgotten { leg: SEAT, seat: "s1".into(), alarm: HoldAlarm::Seat }),
        "each hold has its own time"
    );
}

#[test]
fn a_seat_hangs_up_and_refuses_by_verb_as_its_phone_would() {
    let mut scene = talking();
    hang_up(&mut scene, SEAT).unwrap();
    assert!(scene.hung_up(SEAT) && scene.hung_up(CALLER));
    scene.end(SEAT, EndedBy::Us, None);
    assert_eq!(scene.clear(), (Result::Answered, By::Callee));
    let mut ringing = Scene::start(vec![queue()]);
    ringing.ring("s1");
    hang_up(&mut ringing, SEAT).unwrap();
    let refused = QueueCommand::Refused { seat: "s1".into(), failure: crate::event::seat::MissCause::Rejected };
    assert!(ringing.has(&Output::Queue(refused)) && !ringing.hung_up(CALLER));
    assert_eq!(hang_up(&mut ringing, SEAT), Err(Refusal::NotAllowed), "it rings no more");
    let mut three = talking();
    three.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
    three.answer(TARGET);
    hang_up(&mut three, SEAT).unwrap();
    assert_eq!(three.hears(CALLER), Audio::Relay(TARGET));
}

#[test]
fn a_seat_leaves_three_and_takes_the_call_back() {
    let mut scene = talking();
    assert_eq!(scene.request(SEAT, Request::Leave), Err(Refusal::Nothing), "two talk");
    scene.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
    scene.answer(TARGET);
    let retake = |scene: &mut Scene, seat: &str| {
        let answer = scene.call.retake(scene.now, seat, &mut scene.effects);
        scene.audit();
        answer
    };
    assert_eq!(retake(&mut scene, "s1"), Err(Refusal::Nothing), "it is there");
    scene.request(SEAT, Request::Leave).unwrap();
    assert!(scene.hung_up(SEAT) && scene.call.was_left_by("s1"));
    assert_eq!(scene.hears(CALLER), Audio::Relay(TARGET));
    assert_eq!(retake(&mut scene, "s2"), Err(Refusal::Nothing), "it never was there");
    retake(&mut scene, "s1").unwrap();
    let back = LegNo(3);
    assert!(scene.has(&Output::Dial { leg: back, party: Dialled::Seat { name: "s1".into() } }));
    scene.answer(back);
    assert_eq!(scene.hears(back), Audio::Mix(vec![CALLER, TARGET]));
    scene.end(TARGET, EndedBy::Peer, None);
    assert_eq!(scene.hears(CALLER), Audio::Relay(back));
    let mut refuses = talking();
    refuses.request(SEAT, Request::Transfer { kind: TransferKind::ThreeWay, goal: goal(&["12366"]) }).unwrap();
    refuses.answer(TARGET);
    refuses.request(SEAT, Request::Leave).unwrap();
    retake(&mut refuses, "s1").unwrap();
    refuses.end(back, EndedBy::Peer, Some(486));
    assert_eq!(refuses.hears(CALLER), Audio::Relay(TARGET), "nobody notices");
}

#[test]
fn a_seat_picks_up_for_another() {
    let picking = || {
        let mut scene = Scene::start(vec![queue()]);
        scene.ring("s1");
        assert_eq!(scene.call.pick_up(scene.now, "s9", "s2", &mut scene.effects), Err(Refusal::Nothing));
        scene.call.pick_up(scene.now, "s1", "s2", &mut scene.effects).unwrap();
        scene.audit();
        assert_eq!(scene.call.pick_up(scene.now, "s1", "s3", &mut scene.effects), Err(Refusal::Busy));
        scene
    };
    let mut scene = picking();
    scene.answer(LegNo(2));
    assert_eq!((scene.hears(CALLER), scene.hears(LegNo(2))), (Audio::Relay(LegNo(2)), Audio::Relay(CALLER)));
    assert!(scene.hung_up(SEAT) && scene.answered() && scene.has(&Output::Queue(QueueCommand::Leave)));
    let mut beaten = picking();
    beaten.answer(SEAT);
    assert!(beaten.hung_up(LegNo(2)));
    assert_eq!(beaten.hears(CALLER), Audio::Relay(SEAT));
    let mut late = picking();
    late.wait(Duration::from_secs(20));
    assert!(late.hung_up(LegNo(2)) && !late.hung_up(SEAT) && !late.hung_up(CALLER));
    let mut refused = picking();
    refused.end(SEAT, EndedBy::Peer, Some(486));
    refused.answer(LegNo(2));
    assert_eq!(refused.hears(CALLER), Audio::Relay(LegNo(2)), "the caller is not lost between two seats");
}

#[test]
fn a_supervisor_is_heard_by_whom_it_wants_and_never_by_the_caller_while_it_whispers() {
    let mut scene = supervised(SuperviseMode::Monitor);
    assert_eq!(scene.hears(BOSS), Audio::Mix(vec![CALLER, SEAT]));
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)));
    let switch = |scene: &mut Scene, mode| {
        scene.call.supervise_as(scene.now, "boss", mode, &mut scene.effects).unwrap();
        scene.audit();
    };
    switch(&mut scene, SuperviseMode::Whisper);
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Mix(vec![CALLER, BOSS])));
    scene.request(SEAT, Request::Hold).unwrap();
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (music(), Audio::Relay(BOSS)), "it may be told what to say");
    scene.request(SEAT, Request::Retrieve).unwrap();
    switch(&mut scene, SuperviseMode::Barge);
    assert_eq!(scene.hears(CALLER), Audio::Mix(vec![SEAT, BOSS]));
    switch(&mut scene, SuperviseMode::Monitor);
    assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)));
    scene.call.stop_supervising(scene.now, "boss", &mut scene.effects).unwrap();
    assert!(scene.hung_up(BOSS) && !scene.hung_up(SEAT) && !scene.hung_up(CALLER));
    assert_eq!(scene.call.stop_supervising(scene.now, "boss", &mut scene.effects), Err(Refusal::Nothing));
}

#[test]
fn a_supervisors_coming_and_going_moves_nobody() {
    for mode in [SuperviseMode::Monitor, SuperviseMode::Whisper, SuperviseMode::Barge] {
        let mut scene = supervised(mode);
        scene.end(BOSS, EndedBy::Network, None);
        assert_eq!((scene.hears(CALLER), scene.hears(SEAT)), (Audio::Relay(SEAT), Audio::Relay(CALLER)), "{mode:?}");
        let told = |e: &Output| matches!(e, Output::Joined { .. } | Output::Ringing { .. } | Output::Queue(_));
        assert!(!scene.effects.iter().any(told), "nothing that figures count: {mode:?}");
        let mut left = supervised(mode);
        left.end(CALLER, EndedBy::Peer, None);
        assert!(left.hung_up(BOSS) && left.hung_up(SEAT), "{mode:?}");
        assert_eq!(left.clear().0, Result::Answered);
        let mut alone = supervised(mode);
        alone.end(SEAT, EndedBy::Peer, None);
        assert_eq!(alone.hung_up(CALLER), mode != SuperviseMode::Barge, "who has joined in has the caller");
        let joined = |e: &Output| matches!(e, Output::Joined { leg: BOSS, .. });
        assert_eq!(alone.effects.iter().any(joined), mode == SuperviseMode::Barge, "and the record says so");
    }
    let mut silent = talking();
    supervise(&mut silent, SuperviseMode::Monitor, false).unwrap();
    assert_eq!(silent.hears(BOSS), Audio::Silence);
    silent.wait(Duration::from_secs(20));
    assert!(silent.hung_up(BOSS) && !silent.hung_up(SEAT));
}

#[test]
fn a_supervisor_takes_over_and_the_seat_is_free() {
    let mut scene = supervised(SuperviseMode::Monitor);
    supervise(&mut scene, SuperviseMode::Monitor, true).unwrap();
    let mut at_once = talking();
    supervise(&mut at_once, SuperviseMode::Monitor, true).unwrap();
    assert!(!at_once.hung_up(SEAT), "not before it has answered");
    at_once.answer(BOSS);
    for mut scene in [scene, at_once] {
        assert!(scene.hung_up(SEAT) && scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
        assert_eq!((scene.hears(CALLER), scene.hears(BOSS)), (Audio::Relay(BOSS), Audio::Relay(CALLER)));
        scene.request(BOSS, Request::Hold).unwrap();
        scene.end(BOSS, EndedBy::Peer, None);
        assert_eq!(scene.clear(), (Result::Answered, By::Callee));
    }
}

#[test]
fn supervision_has_bounds() {
    let mut scene = talking();
    assert_eq!(
        scene.call.supervise(scene.now, "boss", CALLER, SuperviseMode::Monitor, false, &mut scene.effects),
        Err(Refusal::NotAllowed)
    );
    supervise(&mut scene, SuperviseMode::Monitor, false).unwrap();
    supervise(&mut scene, SuperviseMode::Monitor, false).unwrap();
    assert_eq!(scene.effects.iter().filter(|e| matches!(e, Output::Dial { .. })).count(), 1, "a second press rings nobody");
    for name in ["b", "c", "d"] {
        scene.call.supervise(scene.now, name, SEAT, SuperviseMode::Monitor, false, &mut scene.effects).unwrap();
    }
    assert_eq!(
        scene.call.supervise(scene.now, "e", SEAT, SuperviseMode::Monitor, false, &mut scene.effects),
        Err(Refusal::TooMany)
    );
    scene.answer(BOSS);
    let consult = Request::Transfer { kind: TransferKind::Consult, goal: goal(&["12366"]) };
    assert_eq!(scene.request(BOSS, consult), Err(Refusal::NotAllowed));
}

/// One random thing that a person, a phone or the network may do.
fn anything(scene: &mut Scene, rng: &mut Rng) {
    let (now, leg) = (scene.now, LegNo(rng.below(9)));
    let seats = ["s1", "s2", "boss"];
    let (one, other) = (seats[rng.below(3) as usize], seats[rng.below(3) as usize]);
    let modes = [SuperviseMode::Monitor, SuperviseMode::Whisper, SuperviseMode::Barge];
    let mode = modes[rng.below(3) as usize];
    let kinds = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];
    let (kind, out) = (kinds[rng.below(4) as usize], &mut scene.effects);
    let request = match rng.below(12) {
        0 | 1 => Request::Transfer { kind, goal: goal(&["12366", "12348"]) },
        2 => Request::Complete,
        3 => Request::Cancel,
        4 => Request::Swap,
        5 => Request::Merge,
        6 => Request::Hold,
        7 => Request::Retrieve,
        8 => Request::Mute(rng.chance(500)),
        9 => Request::Drop(leg),
        _ => Request::Leave,
    };
    let _ = match rng.below(15) {
        0..3 => scene.call.request(now, Some(LegNo(1 + rng.below(4))), request, out),
        3 if rng.chance(150) => scene.call.hang_up(now, leg, out),
        4 => scene.call.retake(now, one, out),
        5 => scene.call.pick_up(now, one, other, out),
        6 => scene.call.supervise(now, one, leg, mode, rng.chance(300), out),
        7 => scene.call.supervise_as(now, one, mode, out),
        8 if rng.chance(300) => scene.call.stop_supervising(now, one, out),
        9 if rng.chance(10) => scene.call.force_drop(now, out),
        14 if rng.chance(300) => {
            scene.call.second_line(now, leg, kind, goal(&["110", "12366"]), rng.chance(300), out).map(|_| ())
        }
        14 if rng.chance(300) => scene.call.take_place(now, leg, one, rng.chance(300), out).map(|_| ()),
        n => {
            match n {
                9 | 10 => scene.answer(leg),
                11 if rng.chance(150) => scene.end(leg, [EndedBy::Peer, EndedBy::Network][rng.below(2) as usize], Some(486)),
                12 => scene.leg(leg, LegEvent::Media(media([Direction::RecvOnly, Direction::SendRecv][rng.below(2) as usize]))),
                _ if scene.call.waits() && !scene.call.rings_seat(one) => scene.ring(one),
                _ => scene.wait(Duration::from_millis(rng.below(40_000))),
            }
            Ok(())
        }
    };
    scene.audit();
}

/// Verbs, hang-ups, answers and time in every order: nobody is left alone, in silence, or ringing for nobody (`audit`), and
/// whenever the call ends it leaves nobody behind.
#[test]
fn verbs_and_hang_ups_in_any_order_leave_nobody_behind() {
    let mut seen = [0; 3];
    for seed in 0..3000 {
        let mut rng = Rng::from_number(seed);
        let mut scene = if rng.chance(800) { talking() } else { Scene::start(vec![queue()]) };
        for _ in 0..1 + rng.below(60) {
            anything(&mut scene, &mut rng);
        }
        let told = |wanted: fn(&Output) -> bool| usize::from(scene.effects.iter().any(wanted));
        seen[0] += told(|e| matches!(e, Output::Supervising { mode: None, .. }));
        seen[1] += told(|e| matches!(e, Output::HoldForgotten { .. }));
        seen[2] += told(|e| matches!(e, Output::TransferEnded { .. }));
        scene.call.stop(scene.now, &mut scene.effects);
        let (call, effects) = (&scene.call, &scene.effects);
        assert_eq!(call.parties.len(), 0, "seed {seed}");
        let dialled = effects.iter().filter_map(|e| match e {
            Output::Dial { leg, .. } => Some(*leg),
            _ => None,
        });
        for leg in dialled {
            assert!(effects.contains(&Output::Close { leg }), "seed {seed}: {leg:?} is never closed");
        }
    }
    assert!(seen.iter().all(|times| *times > 200), "too little happened: {seen:?}");
}
