//! Refusals whose code means what the trunk's map of causes says.

use super::tests::*;
use super::*;
use crate::base::{About, Meaning};
use crate::dialog::{End, EndedBy};
use crate::event::TransferKind;
use crate::plan::{Advance, Target};
use crate::sip::{Refused, Rest};

fn refusal(code: u16, status: u16, about: About) -> End {
    let meaning = Meaning { means: "x".into(), about, en: "x".into(), zh: "x".into() };
    let refused = Some(Arc::new(Refused { code, q850: None, text: String::new(), status, rest: Rest::Usual, meaning }));
    End { refused, ..End::new(EndedBy::Peer, Some(code)) }
}

fn dialled(scene: &Scene) -> Vec<String> {
    let of = |effect: &Output| match effect {
        Output::Dial { party: Dialled::Target(target), .. } => Some(target.number.to_string()),
        _ => None,
    };
    scene.effects.iter().filter_map(of).collect()
}

#[test]
fn a_number_that_its_network_refuses_is_tried_by_no_other_way() {
    for (about, all) in [(About::Number, &["1", "2"][..]), (About::Line, &["1", "1", "2"])] {
        let mut scene = Scene::start(vec![ring(&["1", "1", "2", "1"]), ring(&["1"])]);
        for (leg, number) in (1..).zip(all) {
            assert_eq!(dialled(&scene).last().map(String::as_str), Some(*number), "{about:?}");
            let about = if *number == "1" { about } else { About::Number };
            scene.leg(LegNo(leg), LegEvent::Ended(refusal(482, 403, about)));
        }
        let more: &[&str] = if about == About::Line { &["1", "1", "2", "1"] } else { all };
        assert_eq!(dialled(&scene), more);
        if about == About::Number {
            assert_eq!(scene.status(), Some(403), "no loop");
        }
        let kept = |effect: &&Output| matches!(effect, Output::Journal(What::Refused { .. }));
        assert_eq!(scene.effects.iter().filter(kept).count(), all.len());
        let failed = What::RingFailed { leg: 1, status: Some(482), q850: None };
        assert!(scene.has(&Output::Journal(failed)), "the record has the code that came");
    }
}

#[test]
fn another_line_is_tried_though_the_plan_leaves_refusals_to_the_caller() {
    for (about, tried) in [(About::Line, 2), (About::Number, 1)] {
        let Step::Ring { targets, timeout, .. } = ring(&["1", "2"]) else { panic!("a ring") };
        let advance = Advance::of(["busy", "no-answer", "failed"].into_iter());
        let mut scene = Scene::start(vec![Step::Ring { targets, timeout, advance }]);
        scene.leg(LegNo(1), LegEvent::Ended(refusal(432, 403, about)));
        assert_eq!(dialled(&scene).len(), tried, "{about:?}");
    }
}

#[test]
fn an_emergency_line_is_tried_by_every_way() {
    let Step::Ring { targets, timeout, advance } = ring(&["110", "110", "110"]) else { panic!("a ring") };
    let targets = targets.into_iter().map(|target| Target { emergency: true, ..target }).collect();
    let mut scene = Scene::start(vec![Step::Ring { targets, timeout, advance }]);
    for leg in 1..=3 {
        scene.leg(LegNo(leg), LegEvent::Ended(refusal(482, 403, About::Number)));
    }
    assert_eq!(dialled(&scene).len(), 3);
}

#[test]
fn a_move_goes_on_with_other_numbers_and_a_later_one_may_ask_for_it_again() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(LegNo(1));
    let target = |number: &str| Dialled::Target(Target { number: number.into(), trunk: None, emergency: false });
    let goal = || Goal::Ring { to: "1".into(), chain: ["1", "1", "2"].map(target).to_vec(), timeout: Duration::from_secs(20) };
    for begun in [0, 2] {
        scene.request(LegNo(1), Request::Transfer { kind: TransferKind::Consult, goal: goal() }).unwrap();
        scene.leg(LegNo(2 + begun), LegEvent::Ended(refusal(473, 403, About::Number)));
        scene.leg(LegNo(3 + begun), LegEvent::Ended(refusal(473, 403, About::Number)));
    }
    assert_eq!(dialled(&scene), ["1", "2", "1", "2"]);
}

#[test]
fn a_caller_that_another_answered_tells_so_to_whom_we_call() {
    let mut scene = Scene::start(vec![ring(&["1"])]);
    let end = End { elsewhere: true, ..End::new(EndedBy::Peer, Some(487)) };
    scene.leg(CALLER, LegEvent::Ended(end));
    let told = |effect: &Output| matches!(effect, Output::Hangup { leg: LegNo(1), cause } if cause.elsewhere);
    assert!(scene.effects.iter().any(told), "{:?}", scene.effects);
}
