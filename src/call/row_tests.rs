//! Ways in which other systems get stuck, each by its number in the field's list of them, as far as the call decides them.

use super::tests::{Scene, queue};
use super::*;
use crate::dialog::EndedBy;

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
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })), "its channel is free");
    assert!(scene.effects.iter().any(|effect| matches!(effect, Output::Queue(QueueCommand::Join { head: true, .. }))));
    assert!(!scene.hung_up(CALLER), "and the caller stays");
    scene.ring("s2");
    scene.answer(LegNo(3));
    assert_eq!((joined(&scene), scene.hears(CALLER)), (2, Audio::Relay(LegNo(3))));
}
