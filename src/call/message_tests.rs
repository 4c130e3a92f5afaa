//! Callers leave messages: each way in which one ends, and each in which there is none.

use super::tests::{Scene, media, queue};
use super::*;
use crate::dialog::EndedBy;
use crate::event::Discarded;
use crate::sip::Direction;

const KEPT: (Result, By) = (Result::Message, By::Gateway);

fn message() -> Step {
    Step::Message { prompt: "message".into(), key: '#', most: Duration::from_secs(120) }
}

fn callback() -> Step {
    Step::Callback { prompt: "offer".into(), key: '1', wait: Duration::from_secs(8) }
}

/// A caller whom queue 12345 did not take, and who comes to these steps.
fn lost(overflow: Vec<Step>) -> Scene {
    started(overflow, FirstOffer::Invite)
}

fn started(overflow: Vec<Step>, offer: FirstOffer) -> Scene {
    let mut scene = Scene::new(vec![queue()]);
    let overflow_within = Duration::from_secs(60);
    let waiting = Waiting { overflow: overflow.into(), overflow_within, ..Waiting::default() };
    let messages =
        Messages { least: Duration::from_secs(2), silence: Duration::from_secs(8), thanks: Some("message-thanks".into()) };
    let waiting = BTreeMap::from([("12345".into(), Arc::new(waiting))]);
    let callers = Callers { waiting, messages, ..Callers::default() };
    scene.call.policy = Arc::new(Policy { callers, ..Policy::clone(&scene.call.policy) });
    scene.call.start(scene.now, offer, &mut scene.effects);
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    scene
}

/// The caller has heard the tone.
fn speaking() -> Scene {
    let mut scene = lost(vec![message(), callback()]);
    scene.handle(Input::MessageRoom { room: true });
    played(&mut scene);
    scene
}

/// The caller has spoken for so long.
fn spoken(seconds: u64) -> Scene {
    let mut scene = speaking();
    scene.handle(Input::Speaks);
    scene.wait(Duration::from_secs(seconds));
    scene
}

fn played(scene: &mut Scene) {
    let (Audio::Words { cue, .. } | Audio::Prompt { cue, .. }) = scene.hears(CALLER) else { panic!("{:?}", scene.call) };
    scene.handle(Input::Played { cue });
}

fn prompt(scene: &Scene) -> String {
    if let Audio::Prompt { name, .. } = scene.hears(CALLER) { name.to_string() } else { String::new() }
}

/// How messages ended.
fn ends(scene: &Scene) -> Vec<(MessageEnd, Option<Discarded>)> {
    let of = |effect: &Output| match effect {
        Output::Message(MessageCommand::End { ended, discarded }) => Some((*ended, *discarded)),
        _ => None,
    };
    scene.effects.iter().filter_map(of).collect()
}

#[test]
fn a_caller_is_answered_asked_and_heard_alone() {
    let mut scene = lost(vec![message()]);
    assert!(scene.has(&Output::Message(MessageCommand::Ask)) && prompt(&scene) == "music" && !scene.answered());
    scene.handle(Input::MessageRoom { room: true });
    assert!(scene.answered(), "a voice comes by an answered leg");
    let Audio::Words { words, .. } = scene.hears(CALLER) else { panic!("{:?}", scene.call) };
    assert_eq!(words.iter().map(|word| &**word).collect::<Vec<_>>(), ["message", spoken::TONE]);
    scene.handle(Input::Key { key: '#' });
    assert!(ends(&scene).is_empty() && scene.call.awaits_key(), "before the tone it is no end");
    played(&mut scene);
    assert!(scene.has(&Output::Message(MessageCommand::Begin { silence: Duration::from_secs(8) })));
    assert_eq!(scene.hears(CALLER), Audio::Mix(Vec::new()), "silence, but the leg lives");
}

#[test]
fn each_way_of_ending_a_message_keeps_it_and_thanks_its_caller() {
    type Ending = (MessageEnd, fn(&mut Scene));
    let endings: [Ending; 3] = [
        (MessageEnd::Key, |scene| scene.handle(Input::Key { key: '#' })),
        (MessageEnd::Silence, |scene| scene.handle(Input::Quiet)),
        (MessageEnd::Limit, |scene| scene.wait(Duration::from_secs(115))),
    ];
    for (ended, end) in endings {
        let mut scene = spoken(5);
        scene.handle(Input::Key { key: '5' });
        end(&mut scene);
        for more in [Input::Key { key: '#' }, Input::Quiet, Input::Speaks, Input::MessageRoom { room: false }] {
            scene.handle(more);
        }
        assert_eq!(ends(&scene), [(ended, None)]);
        assert_eq!(prompt(&scene), "message-thanks", "{ended:?}");
        played(&mut scene);
        assert!(scene.hung_up(CALLER));
        assert_eq!(scene.clear(), KEPT, "{ended:?}");
    }
}

#[test]
fn who_hangs_up_has_left_a_message_and_who_is_thanked_may() {
    let mut scene = spoken(5);
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(ends(&scene), [(MessageEnd::HungUp, None)]);
    assert_eq!(scene.clear(), (Result::Message, By::Caller));
    let mut lost = spoken(5);
    lost.end(CALLER, EndedBy::Network, None);
    assert_eq!(lost.clear(), (Result::Message, By::Network), "what was said was said");
    let mut thanked = spoken(5);
    thanked.handle(Input::Key { key: '#' });
    thanked.end(CALLER, EndedBy::Peer, None);
    assert_eq!(ends(&thanked), [(MessageEnd::Key, None)]);
    assert_eq!(thanked.clear(), KEPT);
}

#[test]
fn a_caller_who_has_gone_before_the_tone_is_lost_as_one_who_waited() {
    for room in [false, true] {
        let mut scene = lost(vec![message()]);
        if room {
            scene.handle(Input::MessageRoom { room });
        }
        scene.end(CALLER, EndedBy::Peer, None);
        scene.handle(Input::MessageRoom { room: true });
        assert!(ends(&scene).is_empty());
        assert_eq!(scene.clear(), (Result::AbandonedQueue, By::Caller));
    }
}

#[test]
fn what_is_too_short_or_silent_is_thrown_away_and_the_chain_goes_on() {
    let mut short = spoken(1);
    short.handle(Input::Key { key: '#' });
    assert_eq!(ends(&short), [(MessageEnd::Key, Some(Discarded::TooShort))]);
    assert_eq!(prompt(&short), "offer");
    let mut silent = speaking();
    silent.wait(Duration::from_secs(8));
    silent.handle(Input::Quiet);
    assert_eq!(ends(&silent), [(MessageEnd::Silence, Some(Discarded::Silent))]);
    assert_eq!(prompt(&silent), "offer");
    let mut gone = spoken(1);
    gone.end(CALLER, EndedBy::Peer, None);
    assert_eq!(ends(&gone), [(MessageEnd::HungUp, Some(Discarded::TooShort))]);
    assert_eq!(gone.clear(), (Result::AbandonedQueue, By::Caller));
}

#[test]
fn without_a_recorder_the_chain_goes_on_and_at_its_end_stands_an_apology() {
    let mut scene = lost(vec![message(), callback()]);
    scene.handle(Input::MessageRoom { room: false });
    assert_eq!(prompt(&scene), "offer");
    let mut alone = lost(vec![message()]);
    alone.handle(Input::MessageRoom { room: false });
    assert_eq!(prompt(&alone), "apology");
    played(&mut alone);
    assert_eq!(alone.clear(), (Result::NoSeat, By::Gateway));
    let mut after_the_tone = speaking();
    after_the_tone.handle(Input::MessageRoom { room: false });
    assert_eq!(prompt(&after_the_tone), "offer");
    after_the_tone.handle(Input::Speaks);
    after_the_tone.handle(Input::Quiet);
    assert!(ends(&after_the_tone).is_empty());
    let mut unanswered = lost(vec![message()]);
    unanswered.wait(Duration::from_secs(31));
    assert_eq!(prompt(&unanswered), "apology", "nobody waits for ever for a word of the recorder");
}

#[test]
fn the_gateway_that_ends_keeps_what_was_said() {
    let mut scene = spoken(5);
    scene.call.stop(scene.now, &mut scene.effects);
    assert_eq!(ends(&scene), [(MessageEnd::Interrupted, None)]);
    assert_eq!(scene.clear(), KEPT);
    let mut thanked = spoken(5);
    thanked.handle(Input::Key { key: '#' });
    thanked.call.stop(thanked.now, &mut thanked.effects);
    assert_eq!(thanked.clear(), KEPT);
}

#[test]
fn a_caller_who_hears_nothing_before_the_answer_is_answered_for_a_message() {
    let mut scene = Scene::new(vec![message()]);
    scene.call.start(scene.now, FirstOffer::Answer, &mut scene.effects);
    assert!(scene.answered());
    scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
    scene.handle(Input::MessageRoom { room: true });
    played(&mut scene);
    scene.handle(Input::Speaks);
    scene.wait(Duration::from_secs(3));
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(scene.clear(), (Result::Message, By::Caller));
}
