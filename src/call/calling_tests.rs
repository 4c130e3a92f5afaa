use super::tests::{Scene, music};
use super::*;
use crate::base::RtpStats;
use crate::dialog::EndedBy;
use crate::event::Result as Ended;
use crate::plan::Target;

const SEAT: LegNo = LegNo(1);

/// A seat has clicked: its phone rings.
fn clicked(home: Option<&str>) -> Scene {
    let mut scene = Scene::new(Vec::new());
    let to = Target { number: "13800138000".into(), trunk: None, emergency: false };
    let (ring_seat, ring) = (Duration::from_secs(20), Duration::from_secs(60));
    let placed = Placed { seat: "s1".into(), to, home: home.map(Arc::from), ring_seat, ring };
    scene.call.place(scene.now, placed, &mut scene.effects);
    scene.audit();
    scene
}

/// The seat has answered, and the person's phone is called.
fn dialled() -> Scene {
    let mut scene = clicked(Some("12345"));
    scene.answer(SEAT);
    scene
}

fn talking(home: Option<&str>) -> Scene {
    let mut scene = clicked(home);
    scene.answer(SEAT);
    scene.answer(CALLER);
    scene
}

fn calls_person(scene: &Scene) -> bool {
    scene
        .effects
        .iter()
        .any(|e| matches!(e, Output::Dial { leg: CALLER, party: Dialled::Target(to) } if *to.number == *"13800138000"))
}

#[test]
fn the_seats_phone_comes_first_and_then_the_person() {
    let mut scene = clicked(Some("12345"));
    assert!(
        scene.effects.iter().any(|e| matches!(e, Output::Dial { leg: SEAT, party: Dialled::Seat { name } } if **name == *"s1"))
    );
    assert!(!calls_person(&scene), "nobody is called before the seat is there");
    scene.answer(SEAT);
    assert!(calls_person(&scene) && scene.has(&Output::CallerDialled));
    assert_eq!(scene.hears(SEAT), Audio::Ringback);
    scene.leg(CALLER, LegEvent::EarlyMedia { sends: true });
    assert_eq!(scene.hears(SEAT), Audio::Early(CALLER), "a carrier's words about a number that is not in service");
    scene.answer(CALLER);
    assert!(scene.has(&Output::Journal(What::CallerAnswered)));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Joined { leg: SEAT, .. })));
    assert_eq!((scene.hears(SEAT), scene.hears(CALLER)), (Audio::Relay(CALLER), Audio::Relay(SEAT)));
    assert!(!scene.answered(), "nobody has called us");
    scene.end(CALLER, EndedBy::Peer, None);
    assert!(scene.hung_up(SEAT));
    assert_eq!(scene.clear(), (Ended::Answered, By::Caller));
}

#[test]
fn each_loss_ends_in_one_state() {
    // The seat's own phone.
    let mut scene = clicked(None);
    scene.end(SEAT, EndedBy::Peer, Some(486));
    assert!(!calls_person(&scene));
    assert_eq!(scene.clear(), (Ended::NoSeat, By::Callee));
    let mut scene = clicked(None);
    scene.wait(Duration::from_secs(20));
    assert!(scene.hung_up(SEAT));
    assert_eq!(scene.clear(), (Ended::NoSeat, By::Gateway));
    // The person's.
    for (status, by) in [(486, EndedBy::Peer), (404, EndedBy::Peer), (603, EndedBy::Peer), (503, EndedBy::Us)] {
        let mut scene = dialled();
        scene.end(CALLER, by, Some(status));
        assert!(scene.hung_up(SEAT), "{status}");
        let by = if by == EndedBy::Peer { By::Caller } else { By::Gateway };
        assert_eq!(scene.clear(), (Ended::Failed, by), "{status}");
    }
    let mut scene = dialled();
    scene.wait(Duration::from_secs(60));
    assert!(scene.has(&Output::Unreached { leg: CALLER }), "it gave no sign");
    assert!(scene.hung_up(SEAT) && scene.hung_up(CALLER));
    assert_eq!(scene.clear(), (Ended::Failed, By::Gateway));
    // The seat goes while the person's phone rings.
    for (by, ended) in [(EndedBy::Peer, By::Callee), (EndedBy::Network, By::Network)] {
        let mut scene = dialled();
        scene.leg(CALLER, LegEvent::Rings);
        scene.end(SEAT, by, None);
        assert!(scene.hung_up(CALLER), "CANCEL");
        assert_eq!(scene.clear(), (Ended::AbandonedRinging, ended));
    }
}

#[test]
fn a_seat_that_dies_while_the_persons_phone_rings_is_told_as_lost() {
    let lost = |scene: &Scene| {
        let is = |e: &&Output| matches!(e, Output::Queue(QueueCommand::Lost { queue, seat }) if (&**queue, &**seat) == ("12345", "s1"));
        scene.effects.iter().filter(is).count()
    };
    for (by, told) in [(EndedBy::Network, 1), (EndedBy::Peer, 0)] {
        let mut scene = dialled();
        scene.end(SEAT, by, None);
        assert_eq!(lost(&scene), told, "{by:?}");
        let mut scene = talking(Some("12345"));
        scene.end(SEAT, by, None);
        assert_eq!(lost(&scene), told, "{by:?}, to the person");
    }
    let mut scene = dialled();
    scene.end(CALLER, EndedBy::Network, None);
    assert_eq!(lost(&scene), 0, "it is the person's phone that is gone");
    let mut scene = clicked(None);
    scene.answer(SEAT);
    scene.end(SEAT, EndedBy::Network, None);
    assert_eq!(lost(&scene), 0, "the hotline has no queue that could be told");
}

#[test]
fn a_seat_may_hang_up_by_its_toolbar_at_every_moment() {
    for answered in [0, 1, 2] {
        let mut scene = clicked(None);
        [SEAT, CALLER].into_iter().take(answered).for_each(|leg| scene.answer(leg));
        scene.call.hang_up(scene.now, SEAT, &mut scene.effects).unwrap();
        scene.audit();
        assert_eq!(scene.hung_up(CALLER), answered > 0);
        let ended = [Ended::NoSeat, Ended::AbandonedRinging, Ended::Answered][answered];
        assert_eq!(scene.clear(), (ended, By::Callee));
    }
}

#[test]
fn a_call_that_a_seat_places_is_ended_from_outside_at_every_moment() {
    type End = fn(&mut Scene) -> std::result::Result<(), Refusal>;
    let force: End = |scene| scene.call.force_drop(scene.now, &mut scene.effects);
    let seat: End = |scene| scene.call.request(scene.now, None, Request::Drop(SEAT), &mut scene.effects);
    let person: End = |scene| scene.call.request(scene.now, None, Request::Drop(CALLER), &mut scene.effects);
    for (end, ends) in [
        (force, [Some((Ended::NoSeat, By::Gateway)), Some((Ended::AbandonedRinging, By::Gateway))]),
        (seat, [Some((Ended::NoSeat, By::Callee)), Some((Ended::AbandonedRinging, By::Callee))]),
        (person, [None, Some((Ended::AbandonedRinging, By::Gateway))]),
    ] {
        for (mut scene, wanted) in [clicked(None), dialled()].into_iter().zip(ends) {
            let dialled = calls_person(&scene);
            assert_eq!(end(&mut scene).is_ok(), wanted.is_some());
            scene.audit();
            let Some(wanted) = wanted else {
                assert!(!scene.hung_up(SEAT) && scene.call.seat_at("s1") == Some((SEAT, LegStage::Places)));
                continue;
            };
            assert_eq!((scene.hung_up(SEAT), scene.hung_up(CALLER)), (true, dialled));
            assert!(end(&mut scene).is_err(), "twice");
            assert_eq!(scene.clear(), wanted);
        }
    }
    let mut scene = talking(None);
    force(&mut scene).unwrap();
    assert_eq!(scene.clear(), (Ended::Answered, By::Gateway));
}

#[test]
fn a_seat_is_as_far_in_its_call_as_it_is() {
    let mut scene = clicked(Some("12345"));
    let is = |scene: &Scene, stage, words: [&str; 2]| {
        assert_eq!(scene.call.seat_at("s1"), Some((SEAT, stage)));
        let shown: Vec<_> = scene.call.legs().into_iter().map(|leg| leg.state).collect();
        assert!(shown.iter().eq(words.iter().filter(|word| !word.is_empty())), "{shown:?}");
    };
    is(&scene, LegStage::Places, ["waiting", "ringing"]);
    scene.answer(SEAT);
    is(&scene, LegStage::Calls, ["ringing", "waiting"]);
    scene.answer(CALLER);
    is(&scene, LegStage::Talks, ["talking", "talking"]);
    let goal = super::tests::goal(&["12366"]);
    scene.request(SEAT, Request::Transfer { kind: crate::event::TransferKind::Consult, goal }).unwrap();
    assert_eq!(scene.call.stage_of(LegNo(2)), LegStage::Rings);
    assert_eq!(scene.call.legs()[1].state, "aside");
    scene.call.request(scene.now, None, Request::Drop(LegNo(2)), &mut scene.effects).unwrap();
    scene.audit();
    assert!(scene.hung_up(LegNo(2)), "a target that rings is dropped as if it had refused");
    is(&scene, LegStage::Talks, ["talking", "talking"]);
    let mut queued = Scene::start(vec![super::tests::queue()]);
    queued.ring("s1");
    is(&queued, LegStage::Rings, ["waiting", "ringing"]);
    assert_eq!(queued.call.force_drop(queued.now, &mut Vec::new()), Ok(()));
}

#[test]
fn a_person_whose_seat_dies_waits_at_the_queues_head() {
    let mut scene = talking(Some("12345"));
    scene.end(SEAT, EndedBy::Network, None);
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))));
    scene.ring("s2");
    scene.answer(LegNo(2));
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
    let mut scene = talking(None);
    scene.end(SEAT, EndedBy::Network, None);
    assert!(scene.hung_up(CALLER), "the hotline has no queue");
}

#[test]
fn a_conversation_that_a_seat_began_is_one_like_any_other() {
    let mut scene = talking(Some("12345"));
    scene.request(SEAT, Request::Hold).unwrap();
    assert_eq!(scene.hears(CALLER), music());
    scene.request(SEAT, Request::Retrieve).unwrap();
    let goal = super::tests::goal(&["12366"]);
    scene.request(SEAT, Request::Transfer { kind: crate::event::TransferKind::Consult, goal }).unwrap();
    scene.answer(LegNo(2));
    scene.request(SEAT, Request::Complete).unwrap();
    assert!(scene.hung_up(SEAT));
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));
}

#[test]
fn news_of_legs_that_come_late_or_twice_change_nothing() {
    let mut scene = dialled();
    scene.answer(SEAT);
    scene.end(CALLER, EndedBy::Peer, Some(486));
    scene.answer(CALLER);
    scene.end(SEAT, EndedBy::Peer, None);
    scene.wait(Duration::from_secs(120));
    assert_eq!(scene.effects.iter().filter(|e| **e == Output::CallerDialled).count(), 1);
    for leg in [SEAT, CALLER] {
        scene.handle(Input::Closed { leg, stats: RtpStats::default() });
    }
    assert_eq!(scene.effects.iter().filter(|e| matches!(e, Output::Ended(_))).count(), 1);
}
