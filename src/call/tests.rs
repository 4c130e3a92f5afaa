use super::*;
use crate::base::{RtpStats, Wall};
use crate::dialog::{Cause, End, EndedBy, Media};
use crate::event::{By, Result, What};
use crate::plan::{Advance, Target};
use crate::sip::{Codec, Direction, Status};

/// A call with a clock of its own; every effect since the last look.
pub(super) struct Scene {
    pub call: Call,
    pub now: Now,
    pub effects: Vec<Output>,
}

impl Scene {
    pub fn new(steps: Vec<Step>) -> Scene {
        let policy = Policy {
            max_talk: Duration::from_secs(3600),
            apology: Some("apology".into()),
            music: "music".into(),
            transfer_failed: Some("transfer-failed".into()),
            choose_area: Some("choose-area".into()),
            max_parties: 100,
            after_caller: Duration::from_secs(20),
            longest_prompt: Duration::from_secs(60),
            callers: Default::default(),
            hold_alarm: Duration::from_secs(60),
            hold_most: Duration::from_secs(300),
            least_talk: Duration::ZERO,
        };
        let now = Now { mono: Mono(1), wall: Wall(0) };
        Scene { call: Call::new(steps.into(), Duration::from_secs(30), Arc::new(policy)), now, effects: Vec::new() }
    }

    pub fn start(steps: Vec<Step>) -> Scene {
        let mut scene = Scene::new(steps);
        scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
        scene.leg(CALLER, LegEvent::Media(media(Direction::SendRecv)));
        scene
    }

    pub fn handle(&mut self, input: Input) {
        self.call.handle(self.now, input, &mut self.effects);
        self.audit();
    }

    /// Checks what must hold after whatever happened.
    pub fn audit(&self) {
        if let Err(fault) = self.call.audit() {
            panic!("{fault}");
        }
    }

    pub fn leg(&mut self, leg: LegNo, event: LegEvent) {
        self.handle(Input::Leg { leg, event });
    }

    pub fn ring(&mut self, seat: &str) {
        self.handle(Input::Queue(QueueEvent::Ring { seat: seat.into(), choice: Box::default() }));
    }

    pub fn answer(&mut self, leg: LegNo) {
        self.leg(leg, LegEvent::Media(media(Direction::SendRecv)));
        self.leg(leg, LegEvent::Answered);
    }

    pub fn end(&mut self, leg: LegNo, by: EndedBy, status: Option<u16>) {
        self.leg(leg, LegEvent::Ended(End::new(by, status)));
    }

    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.call.tick(self.now, &mut self.effects);
        self.audit();
    }

    /// Closes all media and says that everything is on disk; what remains is the outcome.
    pub fn clear(mut self) -> (Result, By) {
        for leg in 0..10 {
            if self.effects.contains(&Output::Close { leg: LegNo(leg) }) {
                self.handle(Input::Closed { leg: LegNo(leg), stats: RtpStats::default() });
            }
        }
        self.handle(Input::Journaled);
        assert_eq!(self.effects.iter().filter(|e| **e == Output::Done).count(), 1, "{:?}", self.effects);
        assert_eq!(self.call.deadline(), None);
        let ends = self.effects.iter().filter_map(|e| match e {
            Output::Ended(Outcome { result, by, .. }) => Some((*result, *by)),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        assert_eq!(ends.len(), 1);
        ends[0]
    }

    pub fn request(&mut self, by: LegNo, request: Request) -> std::result::Result<(), Refusal> {
        let answer = self.call.request(self.now, Some(by), request, &mut self.effects);
        self.audit();
        answer
    }

    /// The audio that a leg was last told to hear.
    pub fn hears(&self, leg: LegNo) -> Audio {
        self.call.hearing.get(&leg).cloned().unwrap_or(Audio::Silence)
    }

    pub fn has(&self, wanted: &Output) -> bool {
        self.effects.contains(wanted)
    }

    pub fn hung_up(&self, leg: LegNo) -> bool {
        self.effects.iter().any(|e| matches!(e, Output::Hangup { leg: p, .. } if *p == leg))
    }

    /// The moves that began, as `blind…`, and how moves ended.
    pub fn moves(&self) -> Vec<String> {
        let of = |e: &Output| match e {
            Output::TransferStarted { kind, .. } => Some(format!("{}…", kind.name())),
            Output::TransferEnded { result, .. } => serde_json::to_value(result).unwrap().as_str().map(str::to_owned),
            _ => None,
        };
        self.effects.iter().filter_map(of).collect()
    }

    /// How moves ended.
    pub fn results(&self) -> Vec<String> {
        self.moves().into_iter().filter(|word| !word.ends_with('…')).collect()
    }

    pub fn answered(&self) -> bool {
        self.has(&Output::Answer { leg: CALLER })
    }

    pub fn status(&self) -> Option<u16> {
        self.effects.iter().find_map(|e| match e {
            Output::Hangup { leg: CALLER, cause } => Some(cause.status),
            _ => None,
        })
    }
}

/// The first party.
pub(super) const SEAT: LegNo = LegNo(1);

/// A caller with a seat of the queue.
pub(super) fn talking() -> Scene {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(SEAT);
    scene.effects.clear();
    scene
}

/// Numbers to try, one after another.
/// The queue has its seat again, and was told whether the phone died.
pub(super) fn gives_back(scene: &Scene, by: EndedBy) -> bool {
    let seat = "s1".into();
    scene.has(&Output::Queue(match by {
        EndedBy::Network => QueueCommand::Lost { queue: "12345".into(), seat },
        _ => QueueCommand::Freed { seat },
    }))
}

pub(super) fn goal(numbers: &[&str]) -> Goal {
    let Step::Ring { targets, timeout, .. } = ring(numbers) else { panic!("a ring") };
    Goal::targets(numbers[0], &targets, timeout)
}

/// The music that a waiting caller hears.
pub(super) fn music() -> Audio {
    Audio::Prompt { name: "music".into(), repeat: true, cue: 0 }
}

pub(super) fn media(direction: Direction) -> Media {
    Media {
        rtp: Some(([127, 0, 0, 1], 4000).into()),
        rtcp: None,
        rtcp_mux: false,
        codec: Codec::Pcma,
        payload_type: 8,
        event_out: Some(101),
        event_in: Some(101),
        ptime: 20,
        srtp: None,
        direction,
    }
}

pub(super) fn queue() -> Step {
    Step::Queue { queue: "12345".into(), high: false }
}

pub(super) fn announce(prompt: &str) -> Step {
    Step::Announce { prompt: prompt.into(), answered: false }
}

pub(super) fn ring(numbers: &[&str]) -> Step {
    let targets = numbers.iter().map(|n| Target { number: (*n).into(), trunk: None, emergency: false }).collect();
    Step::Ring { targets, timeout: Duration::from_secs(20), advance: Advance::default() }
}

#[test]
fn a_chain_goes_on_only_after_the_causes_that_the_plan_names() {
    let chain = |causes: &[&str]| {
        let Step::Ring { targets, timeout, .. } = ring(&["12366", "12367"]) else { panic!("a ring") };
        vec![Step::Ring { targets, timeout, advance: Advance::of(causes.iter().copied()) }, queue()]
    };
    for (status, causes) in [(486, "busy"), (480, "no-answer"), (603, "rejected"), (500, "failed")] {
        let mut scene = Scene::start(chain(&[causes]));
        scene.end(LegNo(1), EndedBy::Peer, Some(status));
        assert_eq!(scene.status(), None, "{causes} goes on");
        let others: Vec<&str> = ["busy", "no-answer", "rejected", "failed"].into_iter().filter(|c| *c != causes).collect();
        let mut scene = Scene::start(chain(&others));
        scene.end(LegNo(1), EndedBy::Peer, Some(status));
        assert_eq!(scene.status(), Some(status), "{causes} is the caller's");
    }
    let mut scene = Scene::start(chain(&["busy"]));
    scene.wait(Duration::from_secs(21));
    assert_eq!(scene.status(), Some(480), "nobody answered, and that is the caller's");
}

#[test]
fn a_targets_refusal_reaches_the_caller_as_what_it_means_for_it() {
    for (refused, told, cause) in [(407, 480, 21), (302, 480, 31), (503, 500, 34), (484, 404, 28), (486, 486, 17), (580, 500, 47)]
    {
        let mut scene = Scene::start(vec![ring(&["12366"])]);
        scene.end(LegNo(1), EndedBy::Peer, Some(refused));
        let cause = Cause { status: told, q850: Some(cause), ..Cause::default() };
        assert!(scene.has(&Output::Hangup { leg: CALLER, cause }), "{refused}: {:?}", scene.effects);
        let kept = What::RingFailed { leg: 1, status: Some(refused), q850: None };
        assert!(scene.has(&Output::Journal(kept)), "the record has what the target said");
    }
}

#[test]
fn a_number_nobody_has_is_refused_without_media() {
    let mut scene = Scene::new(vec![Step::Reject { status: 404, q850: 1 }]);
    scene.call.start(scene.now, FirstOffer::Invite, &mut scene.effects);
    assert_eq!(scene.status(), Some(404));
    assert!(!scene.has(&Output::Attach { leg: CALLER }));
    assert_eq!(scene.clear(), (Result::Rejected, By::Gateway));
}

#[test]
fn announce_only_is_never_answered_however_long_the_prompt() {
    let mut scene = Scene::start(vec![announce("dial-12345"), Step::Reject { status: 410, q850: 22 }]);
    assert!(scene.has(&Output::Progress { leg: CALLER, status: Status(183), media: true }));
    scene.wait(Duration::from_secs(31));
    assert!(!scene.answered());
    scene.handle(Input::Played { cue: 1 });
    assert_eq!(scene.status(), Some(410));
    assert_eq!(scene.clear(), (Result::Rejected, By::Gateway));
}

#[test]
fn prompt_then_queue_then_seat_then_both_hear_each_other() {
    let mut scene = Scene::start(vec![announce("merged"), queue()]);
    scene.handle(Input::Played { cue: 1 });
    scene.ring("s1");
    assert!(!scene.answered(), "charging starts with a human");
    scene.answer(LegNo(1));
    assert!(scene.answered());
    assert!(scene.has(&Output::Play { leg: CALLER, audio: Audio::Relay(LegNo(1)) }));
    assert!(scene.has(&Output::Play { leg: LegNo(1), audio: Audio::Relay(CALLER) }));
    assert!(scene.has(&Output::Queue(QueueCommand::Answered { seat: "s1".into() })));
    scene.end(LegNo(1), EndedBy::Peer, None);
    assert!(scene.has(&Output::Queue(QueueCommand::Freed { seat: "s1".into() })));
    assert_eq!(scene.clear(), (Result::Answered, By::Callee));
}

#[test]
fn the_first_of_many_seats_wins_and_the_others_learn_it() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.ring("s2");
    scene.answer(LegNo(2));
    let elsewhere = scene.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), cause } if cause.elsewhere));
    assert!(elsewhere);
    scene.answer(LegNo(1));
    assert!(!scene.has(&Output::Play { leg: LegNo(1), audio: Audio::Relay(CALLER) }), "a late answer joins nobody");
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(scene.clear(), (Result::Answered, By::Caller));
}

#[test]
fn losses_are_told_apart() {
    let mut announced = Scene::start(vec![announce("merged"), queue()]);
    announced.end(CALLER, EndedBy::Peer, Some(487));
    assert_eq!(announced.clear().0, Result::AbandonedAnnouncement);

    let mut queued = Scene::start(vec![queue()]);
    queued.end(CALLER, EndedBy::Peer, Some(487));
    assert!(queued.has(&Output::Queue(QueueCommand::Leave)));
    assert_eq!(queued.clear().0, Result::AbandonedQueue);

    let mut ringing = Scene::start(vec![queue()]);
    ringing.ring("s1");
    ringing.end(CALLER, EndedBy::Peer, Some(487));
    assert!(ringing.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), .. })));
    assert_eq!(ringing.clear().0, Result::AbandonedRinging);
}

#[test]
fn a_full_queue_and_a_long_wait_end_in_an_apology_and_480() {
    for (event, rings, result) in [
        (QueueEvent::Full, false, Result::QueueFull),
        (QueueEvent::TimedOut, true, Result::Timeout),
        (QueueEvent::TimedOut, false, Result::NoSeat),
    ] {
        let mut scene = Scene::start(vec![queue()]);
        if rings {
            scene.ring("s1");
        }
        scene.handle(Input::Queue(event));
        assert_eq!(scene.status(), None, "first the apology");
        scene.handle(Input::Played { cue: 1 });
        assert_eq!(scene.status(), Some(480));
        assert_eq!(scene.clear().0, result);
    }
}

#[test]
fn a_chain_goes_on_past_busy_and_silence_then_overflows_into_the_queue() {
    let mut scene = Scene::start(vec![ring(&["12366", "12367"]), queue()]);
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Dial { leg: LegNo(2), .. })));
    scene.wait(Duration::from_secs(20));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(2), .. })));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { .. }))));
    scene.end(CALLER, EndedBy::Peer, Some(487));
    assert_eq!(scene.clear().0, Result::AbandonedQueue);
}

#[test]
fn a_chain_without_overflow_ends_with_the_last_target_s_own_status() {
    let mut scene = Scene::start(vec![ring(&["110"])]);
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert_eq!(scene.status(), Some(486));
    assert_eq!(scene.clear().0, Result::Failed);
}

#[test]
fn what_a_ringing_network_says_is_heard_unless_several_ring() {
    let early = |leg, sends| (LegNo(leg), LegEvent::EarlyMedia { sends });
    let mut scene = Scene::start(vec![ring(&["12366", "12367"])]);
    assert_eq!(scene.hears(CALLER), Audio::Ringback);
    scene.leg(LegNo(1), LegEvent::Media(media(Direction::SendRecv)));
    assert_eq!(scene.hears(CALLER), Audio::Ringback, "its SDP alone says nothing");
    let (leg, event) = early(1, true);
    scene.leg(leg, event);
    assert_eq!(scene.hears(CALLER), Audio::Early(LegNo(1)));
    let (leg, event) = early(1, false);
    scene.leg(leg, event);
    assert_eq!(scene.hears(CALLER), Audio::Ringback, "P-Early-Media took it back");
    let (leg, event) = early(1, true);
    scene.leg(leg, event);
    scene.end(LegNo(1), EndedBy::Peer, Some(486));
    assert_eq!(scene.hears(CALLER), Audio::Ringback, "the next of the chain rings");
    let (leg, event) = early(2, true);
    scene.leg(leg, event);
    scene.answer(LegNo(2));
    assert_eq!(scene.hears(CALLER), Audio::Relay(LegNo(2)));

    let mut all = Scene::start(vec![queue()]);
    all.ring("a");
    let (leg, event) = early(1, true);
    all.leg(leg, event);
    assert_eq!(all.hears(CALLER), Audio::Early(LegNo(1)));
    all.ring("b");
    assert_eq!(all.hears(CALLER), Audio::Ringback, "of several none");
    all.end(LegNo(2), EndedBy::Peer, Some(486));
    assert_eq!(all.hears(CALLER), Audio::Early(LegNo(1)));
}

#[test]
fn hold_plays_music_to_the_other_side_and_resume_joins_again() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(LegNo(1));
    scene.effects.clear();
    scene.leg(LegNo(1), LegEvent::Media(media(Direction::RecvOnly)));
    let music = Audio::Prompt { name: "music".into(), repeat: true, cue: 0 };
    assert!(scene.has(&Output::Play { leg: CALLER, audio: music }));
    scene.effects.clear();
    scene.leg(LegNo(1), LegEvent::Media(media(Direction::SendRecv)));
    assert!(scene.has(&Output::Play { leg: CALLER, audio: Audio::Relay(LegNo(1)) }));
}

#[test]
fn a_seat_whose_phone_dies_sends_the_caller_to_the_head_of_the_queue() {
    let mut scene = Scene::start(vec![queue()]);
    scene.ring("s1");
    scene.answer(LegNo(1));
    scene.effects.clear();
    scene.end(LegNo(1), EndedBy::Network, None);
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Queue(QueueCommand::Join { head: true, .. }))));
    assert_eq!(scene.status(), None);
    scene.ring("s2");
    scene.answer(LegNo(2));
    scene.end(CALLER, EndedBy::Peer, None);
    assert_eq!(scene.clear(), (Result::Answered, By::Caller));
}

#[test]
fn an_endless_conversation_ends_at_its_limit() {
    let mut scene = Scene::start(vec![ring(&["110"])]);
    scene.answer(LegNo(1));
    scene.wait(Duration::from_secs(3600));
    assert!(scene.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), .. })));
    assert_eq!(scene.clear(), (Result::Answered, By::Gateway));
}

#[test]
fn a_gateway_that_stops_hangs_up_and_closes_its_records() {
    for answered in [true, false] {
        let mut scene = Scene::start(vec![queue()]);
        scene.ring("s1");
        if answered {
            scene.answer(LegNo(1));
        }
        scene.call.stop(scene.now, &mut scene.effects);
        assert!(scene.effects.iter().any(|e| matches!(e, Output::Hangup { leg: LegNo(1), .. })));
        assert_eq!(scene.status(), Some(if answered { 480 } else { 503 }));
        assert_eq!(scene.clear(), (if answered { Result::Answered } else { Result::Failed }, By::Gateway));
    }
}

#[test]
fn a_key_connects_a_caller_who_has_heard_the_offer_or_part_of_it() {
    let offer = || Step::Offer { key: '1', wait: Duration::from_secs(10) };
    let steps = || vec![announce("guide"), offer(), ring(&["12380"])];
    let dialled = |scene: &Scene| scene.effects.iter().any(|e| matches!(e, Output::Dial { .. }));
    let mut patient = Scene::start(steps());
    patient.handle(Input::Played { cue: 1 });
    assert!(patient.call.awaits_key() && !dialled(&patient));
    patient.handle(Input::Key { key: '2' });
    assert!(!dialled(&patient));
    patient.handle(Input::Key { key: '1' });
    assert!(dialled(&patient) && !patient.call.awaits_key());
    let mut quick = Scene::start(steps());
    quick.handle(Input::Key { key: '1' });
    assert!(dialled(&quick));
    let mut silent = Scene::start(steps());
    silent.handle(Input::Played { cue: 1 });
    silent.wait(Duration::from_secs(10));
    assert_eq!((silent.status(), silent.answered()), (Some(480), false), "never charged");
    assert_eq!(silent.clear().0, Result::Rejected);
}
