//! Callers who wait, are announced to, overflow, are asked, and hear whose number it is.

use super::tests::{SEAT, Scene, music, queue, ring};
use super::*;
use crate::dialog::EndedBy;
use crate::plan::{MenuGoal, MenuKey};

/// Queue 12345 with these settings.
fn scene(steps: Vec<Step>, waiting: Waiting) -> Scene {
    let mut scene = Scene::new(steps);
    let survey = Survey {
        prompt: "survey".into(),
        thanks: Some("thanks".into()),
        keys: "123".into(),
        wait: Duration::from_secs(8),
        tries: 3,
    };
    let callers = Callers {
        waiting: BTreeMap::from([("12345".into(), Arc::new(waiting))]),
        seat_numbers: BTreeMap::from([("s1".into(), "8012".into())]),
        survey: Some(survey),
        callback_taken: Some("taken".into()),
        blocked: None,
        ..Callers::default()
    };
    scene.call.policy = Arc::new(Policy { callers, ..Policy::clone(&scene.call.policy) });
    scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
    scene.leg(CALLER, LegEvent::Media(super::tests::media(crate::sip::Direction::SendRecv)));
    scene
}

fn announcing() -> Waiting {
    let (announce_after, announce_every) = (Duration::from_secs(5), Duration::from_secs(30));
    Waiting { announce_after, announce_every, position: true, wait: true, prompt: Some("hold".into()), ..Waiting::default() }
}

fn place(scene: &mut Scene, ahead: u32, wait: Option<u64>) {
    scene.handle(Input::Queue(QueueEvent::Place { ahead, wait: wait.map(Duration::from_secs) }));
}

fn asked(scene: &Scene) -> usize {
    scene.effects.iter().filter(|effect| **effect == Output::Queue(QueueCommand::Ask)).count()
}

/// The words that the caller hears, and their cue.
fn words(scene: &Scene) -> (Vec<String>, u32) {
    match scene.hears(CALLER) {
        Audio::Words { words, cue } => (words.iter().map(ToString::to_string).collect(), cue),
        _ => (Vec::new(), 0),
    }
}

fn positions(scene: &Scene) -> Vec<Option<u32>> {
    let of = |effect: &Output| if let Output::Journal(What::Position { ahead, .. }) = effect { Some(*ahead) } else { None };
    scene.effects.iter().filter_map(of).collect()
}

/// The prompt that plays has been played.
fn played(scene: &mut Scene) {
    let cue = match scene.hears(CALLER) {
        Audio::Words { cue, .. } | Audio::Prompt { cue, .. } => cue,
        other => panic!("{other:?}"),
    };
    scene.handle(Input::Played { cue });
}

fn prompt(scene: &Scene) -> String {
    if let Audio::Prompt { name, .. } = scene.hears(CALLER) { name.to_string() } else { String::new() }
}

#[test]
fn announcements_come_between_the_music_and_by_one_timer() {
    let mut scene = scene(vec![queue()], announcing());
    assert_eq!(scene.hears(CALLER), music());
    scene.wait(Duration::from_secs(5));
    assert_eq!(asked(&scene), 1);
    place(&mut scene, 12, Some(170));
    let said = ["queue-ahead", "digit-10", "digit-2", "queue-people", "queue-about", "digit-3", "queue-minutes", "hold"];
    assert_eq!(words(&scene).0, said);
    played(&mut scene);
    assert_eq!(scene.hears(CALLER), music(), "music until the next one");
    scene.wait(Duration::from_secs(29));
    assert_eq!(asked(&scene), 1);
    scene.wait(Duration::from_secs(1));
    assert_eq!(asked(&scene), 2);
    place(&mut scene, 0, None);
    assert_eq!(words(&scene).0, ["queue-next", "hold"]);
}

#[test]
fn row_15_an_announced_position_never_rises() {
    let mut scene = scene(vec![queue()], announcing());
    for (ahead, said) in [(7, true), (8, false), (7, true), (9, false), (3, true), (4, false), (0, true), (1, false)] {
        place(&mut scene, ahead, None);
        assert_eq!(words(&scene).0.len() > 1, said, "{ahead}: {:?}", words(&scene));
        assert!(words(&scene).0.contains(&"hold".to_owned()), "the caller is not left without a word");
        played(&mut scene);
    }
    assert_eq!(positions(&scene), [7, 7, 3, 0].map(Some));
}

#[test]
fn row_06_a_seat_that_answers_cuts_an_announcement_short() {
    let mut scene = scene(vec![queue()], announcing());
    place(&mut scene, 2, None);
    let (_, cue) = words(&scene);
    scene.ring("s1");
    assert_eq!(words(&scene).1, cue, "what was begun is said while the seat rings");
    place(&mut scene, 1, None);
    assert_eq!(words(&scene).1, cue, "and nothing else is");
    scene.effects.clear();
    scene.answer(SEAT);
    assert!(scene.has(&Output::Play { leg: CALLER, audio: Audio::Relay(SEAT) }), "in the same step");
    scene.handle(Input::Played { cue });
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT), "the end of those words, that crosses it, changes nothing");
}

#[test]
fn nothing_is_announced_while_a_seat_rings() {
    let mut scene = scene(vec![queue()], announcing());
    scene.ring("s1");
    scene.wait(Duration::from_secs(10));
    assert_eq!(asked(&scene), 0);
    assert_eq!(scene.hears(CALLER), Audio::Ringback);
    scene.end(SEAT, EndedBy::Peer, Some(486));
    scene.wait(Duration::from_secs(30));
    assert_eq!(asked(&scene), 1);
}

#[test]
fn the_number_of_the_seat_is_said_first_and_the_seat_hears_the_caller() {
    let mut scene = scene(vec![queue()], Waiting { seat_number: true, ..Waiting::default() });
    scene.ring("s1");
    scene.answer(SEAT);
    assert_eq!(words(&scene).0, ["seat-number", "digit-8", "digit-0", "digit-1", "digit-2", "seat-serves"]);
    assert_eq!(scene.hears(SEAT), Audio::Relay(CALLER));
    played(&mut scene);
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT));
}

#[test]
fn a_seat_without_a_number_is_joined_at_once() {
    let mut scene = scene(vec![queue()], Waiting { seat_number: true, ..Waiting::default() });
    scene.ring("s2");
    scene.answer(SEAT);
    assert_eq!(scene.hears(CALLER), Audio::Relay(SEAT));
}

/// A conversation that the seat has ended.
fn left_by_seat() -> Scene {
    let mut scene = scene(vec![queue()], Waiting { survey: true, ..Waiting::default() });
    scene.ring("s1");
    scene.answer(SEAT);
    scene.effects.clear();
    scene.end(SEAT, EndedBy::Peer, None);
    scene
}

fn opinion(scene: &Scene) -> Vec<Option<u8>> {
    let of = |effect: &Output| if let Output::Journal(What::Survey { score, .. }) = effect { Some(*score) } else { None };
    scene.effects.iter().filter_map(of).collect()
}

#[test]
fn an_opinion_is_given_by_a_key_after_the_seat_has_hung_up() {
    for (key, score) in [('1', 3), ('2', 2), ('3', 1)] {
        let mut scene = left_by_seat();
        assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })), "the seat is free at once");
        assert_eq!(prompt(&scene), "survey");
        assert!(scene.call.awaits_key());
        scene.handle(Input::Key { key });
        assert_eq!((opinion(&scene), prompt(&scene)), (vec![Some(score)], "thanks".to_owned()));
        scene.handle(Input::Key { key: '3' });
        played(&mut scene);
        assert_eq!(opinion(&scene), [Some(score)], "one is enough");
        assert_eq!(scene.clear(), (Result::Answered, By::Callee));
    }
}

#[test]
fn an_opinion_is_asked_for_three_times_at_most() {
    let mut scene = left_by_seat();
    scene.handle(Input::Key { key: '7' });
    assert_eq!((prompt(&scene).as_str(), opinion(&scene).len()), ("survey", 0));
    played(&mut scene);
    assert_eq!(scene.hears(CALLER), music());
    scene.wait(Duration::from_secs(8));
    played(&mut scene);
    assert_eq!(opinion(&scene).len(), 0);
    scene.wait(Duration::from_secs(8));
    assert_eq!(opinion(&scene), [None]);
    assert_eq!(scene.clear(), (Result::Answered, By::Callee));
}

#[test]
fn who_hangs_up_in_a_survey_does_not_end_the_call_in_the_seats_place() {
    let mut scene = left_by_seat();
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(scene.clear(), (Result::Answered, By::Callee));
    let mut scene = left_by_seat();
    scene.call.stop(scene.now, &mut scene.effects);
    assert_eq!(scene.clear(), (Result::Answered, By::Callee), "nor does the end of the process");
}

#[test]
fn no_opinion_is_asked_of_a_caller_who_has_gone_or_goes_on() {
    let mut scene = scene(vec![queue()], Waiting { survey: true, ..Waiting::default() });
    scene.ring("s1");
    scene.answer(SEAT);
    scene.end(CALLER, EndedBy::Peer, None);
    assert!(opinion(&scene).is_empty());
    assert_eq!(scene.clear(), (Result::Answered, By::Caller));
}

fn overflowing(steps: Vec<Step>) -> Waiting {
    Waiting { overflow: steps.into(), overflow_within: Duration::from_secs(60), ..Waiting::default() }
}

fn expert() -> Step {
    Step::Queue { queue: "expert".into(), high: false }
}

fn callback() -> Step {
    Step::Callback { prompt: "offer".into(), key: '1', wait: Duration::from_secs(8) }
}

#[test]
fn a_chain_is_gone_through_once_and_ends_with_an_apology() {
    let mut scene = scene(vec![queue()], overflowing(vec![expert(), ring(&["12366"]), callback()]));
    scene.handle(Input::Queue(QueueEvent::Full));
    assert!(scene.has(&Output::Queue(QueueCommand::Join {
        queue: "expert".into(),
        priority: crate::queue::Priority::NORMAL,
        head: false
    })));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert_eq!(prompt(&scene), "offer");
    scene.handle(Input::Key { key: '2' });
    assert_eq!(prompt(&scene), "apology");
    played(&mut scene);
    assert_eq!(scene.status(), Some(480));
    assert_eq!(scene.clear(), (Result::QueueFull, By::Gateway), "the first loss is the call's");
}

#[test]
fn row_17_a_chain_has_one_deadline_whatever_its_links_wait_for() {
    let mut scene = scene(vec![queue()], overflowing(vec![expert(), ring(&["12366"]), callback()]));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    assert_eq!(scene.call.deadline(), Some(scene.now.mono.after(Duration::from_secs(30))), "the early answer comes first");
    scene.wait(Duration::from_secs(59));
    scene.effects.clear();
    scene.wait(Duration::from_secs(1));
    assert!(scene.has(&Output::Queue(QueueCommand::Leave)));
    assert_eq!(prompt(&scene), "offer", "what waits for nobody is done all the same");
    played(&mut scene);
    scene.wait(Duration::from_secs(8));
    assert_eq!(prompt(&scene), "apology");
    played(&mut scene);
    assert_eq!(scene.clear(), (Result::NoSeat, By::Gateway));
}

#[test]
fn a_caller_who_wants_to_be_rung_back_is_told_so_and_lost_as_it_was() {
    let mut scene = scene(vec![queue()], overflowing(vec![callback()]));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    scene.handle(Input::Key { key: '1' });
    assert!(scene.has(&Output::WantsCallback));
    scene.handle(Input::Key { key: '1' });
    assert_eq!(scene.effects.iter().filter(|effect| **effect == Output::WantsCallback).count(), 1);
    assert_eq!(prompt(&scene), "taken");
    played(&mut scene);
    assert_eq!(scene.clear(), (Result::NoSeat, By::Gateway));
}

#[test]
fn whoever_was_served_out_of_a_chain_has_it_again_when_it_comes_back() {
    let mut scene = scene(vec![queue()], overflowing(vec![expert()]));
    scene.handle(Input::Queue(QueueEvent::TimedOut));
    scene.ring("e1");
    scene.answer(SEAT);
    scene.wait(Duration::from_secs(300));
    scene.effects.clear();
    scene.end(SEAT, EndedBy::Network, None);
    assert!(scene.call.waits(), "the head of the queue, and no deadline of long ago");
    scene.wait(Duration::from_secs(1));
    assert!(scene.call.waits());
}

#[test]
fn a_menu_chooses_a_queue_and_who_presses_nothing_goes_on() {
    let menu = || Step::Menu {
        prompt: "menu".into(),
        wrong: None,
        keys: [MenuKey { key: '2', goal: MenuGoal::Queue("enterprise".into()) }].into(),
        wait: Duration::from_secs(5),
        tries: 2,
    };
    let joined = |scene: &Scene| {
        let of = |effect: &Output| match effect {
            Output::Queue(QueueCommand::Join { queue, .. }) => Some(queue.to_string()),
            _ => None,
        };
        scene.effects.iter().filter_map(of).collect::<Vec<_>>()
    };
    let mut chosen = scene(vec![menu(), queue()], Waiting::default());
    chosen.handle(Input::Key { key: '2' });
    assert_eq!(joined(&chosen), ["enterprise"]);
    chosen.handle(Input::Queue(QueueEvent::Full));
    assert_eq!(joined(&chosen), ["enterprise"], "the other one is not in its place as well");
    let mut silent = scene(vec![menu(), queue()], Waiting::default());
    silent.handle(Input::Key { key: '9' });
    assert_eq!(prompt(&silent), "menu", "asked again");
    played(&mut silent);
    silent.wait(Duration::from_secs(5));
    assert_eq!(joined(&silent), ["12345"]);
}

#[test]
fn a_key_that_a_menu_has_not_is_said_so_and_a_line_that_nobody_answers_at_leads_on() {
    let line = Arc::from([ring(&["12366"]), Step::Reject { status: 480, q850: 20 }]);
    let menu = || Step::Menu {
        prompt: "menu".into(),
        wrong: Some("wrong-key".into()),
        keys: [MenuKey { key: '3', goal: MenuGoal::Line { number: "12366".into(), steps: Arc::clone(&line) } }].into(),
        wait: Duration::from_secs(5),
        tries: 2,
    };
    let words = |scene: &Scene| match scene.hears(CALLER) {
        Audio::Words { words, .. } => words.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let mut asked = scene(vec![menu(), queue()], Waiting::default());
    assert_eq!(prompt(&asked), "menu");
    asked.handle(Input::Key { key: '9' });
    assert_eq!(words(&asked), ["wrong-key", "menu"]);
    played(&mut asked);
    asked.handle(Input::Key { key: '9' });
    assert!(asked.call.waits(), "asked twice, and a human comes");
    // It rings there, nobody answers, and the caller has the queue.
    let mut led = scene(vec![menu(), queue()], Waiting::default());
    led.handle(Input::Key { key: '3' });
    assert!(!led.call.waits() && led.effects.iter().any(|effect| matches!(effect, Output::Dial { .. })));
    led.end(SEAT, EndedBy::Peer, Some(486));
    assert!(led.call.waits() && led.status().is_none());
}

#[test]
fn a_lines_own_word_about_opinions_goes_before_the_queues() {
    let asked = |queues: bool, asks: Option<bool>, own: Option<&str>| {
        let mut scene = scene(vec![queue()], Waiting { survey: queues, ..Waiting::default() });
        scene.call.line_survey = Some(Arc::new(LineSurvey { asks, prompt: own.map(Arc::from) }));
        scene.ring("s1");
        scene.answer(SEAT);
        scene.end(SEAT, EndedBy::Peer, None);
        prompt(&scene)
    };
    for (queues, asks, own, want) in [
        (true, Some(false), None, ""),
        (false, Some(true), None, "survey"),
        (true, None, None, "survey"),
        (false, None, Some("own"), ""),
        (true, None, Some("own"), "own"),
        (false, Some(true), Some("own"), "own"),
    ] {
        assert_eq!(asked(queues, asks, own), want, "{queues} {asks:?} {own:?}");
    }
}
