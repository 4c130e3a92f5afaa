//! Calls whose INVITE brings no description (RFC 3261 §13.2.1, late offer).

use super::tests::*;
use super::*;
use crate::dialog::EndedBy;
use crate::event::{By, Result};
use crate::sip::{Direction, Status};

#[test]
fn a_late_offer_is_answered_before_any_prompt() {
    let mut scene = Scene::new(vec![announce("merged"), queue()]);
    scene.call.start(scene.now, FirstOffer::Answer, &mut scene.effects);
    assert!(scene.answered());
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Play { leg: CALLER, .. })));
    assert!(!scene.effects.iter().any(|e| matches!(e, Output::Progress { .. })));
}

fn late(steps: Vec<Step>) -> Scene {
    let mut scene = Scene::new(steps);
    scene.call.start(scene.now, FirstOffer::Answer, &mut scene.effects);
    scene
}

#[test]
fn a_late_offer_is_answered_for_nobody() {
    let ringing = Output::Progress { leg: CALLER, status: Status(180), media: false };
    let mut scene = late(vec![announce("welcome"), ring(&["12366"])]);
    assert!(!scene.answered() && scene.has(&ringing));
    scene.answer(LegNo(1));
    assert!(scene.answered());
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(1)));
    let mut scene = late(vec![ring(&["12366"])]);
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert!(!scene.answered());
    assert_eq!(scene.status(), Some(486), "as one with an offer");
    assert_eq!(scene.clear(), (Result::Failed, By::Gateway));
    let scene = late(vec![announce("dial-12345"), Step::Reject { status: 410, q850: 22 }]);
    assert!(!scene.answered() && !scene.has(&ringing));
    assert_eq!(scene.status(), Some(410));
    assert_eq!(scene.clear(), (Result::Rejected, By::Gateway));
}

#[test]
fn a_late_offer_is_answered_where_it_must_be_heard() {
    let mut scene = late(vec![ring(&["12366"]), announce("busy"), queue()]);
    assert!(!scene.answered());
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert!(scene.answered());
    assert_eq!(scene.hears(CALLER), Audio::Silence, "its media come with the ACK");
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    assert!(matches!(scene.hears(CALLER), Audio::Prompt { .. }));
    let offered = [announce("guide"), Step::Offer { key: '0', wait: Duration::from_secs(9) }, ring(&["12366"])];
    assert!(late(offered.to_vec()).answered());
    let answered = Step::Announce { prompt: "guide".into(), answered: true };
    assert!(late(vec![answered, ring(&["12366"])]).answered());
}

#[test]
fn our_offer_goes_in_a_provisional_response_where_one_is_taken() {
    let mut scene = Scene::new(vec![announce("welcome"), ring(&["12366"])]);
    scene.call.start(scene.now, FirstOffer::Provisional, &mut scene.effects);
    assert!(scene.has(&Output::Progress { leg: CALLER, status: Status(183), media: true }) && !scene.answered());
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    assert!(matches!(scene.hears(CALLER), Audio::Prompt { .. }), "it hears what one with an offer would");
    scene.handle(Input::Played { cue: 1 });
    assert_eq!(scene.effects.iter().filter(|e| matches!(e, Output::Progress { .. })).count(), 1);
    assert!(!scene.answered());
}
