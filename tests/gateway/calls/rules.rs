//! Rules of what must never happen to a caller who is moved: where each is kept, and which test sees it broken. Below are
//! those that are the switch's to keep: full trunks, overload, loops.

use super::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::tone::heard;
use crate::support::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

/// The rule; the function that keeps it; the tests that fail without.
const RULES: &[(&str, &str, &[&str])] = &[
    (
        "The caller's leg is never released or moved before the target answered and both hear each other.",
        "src/call/transfer.rs target_answered",
        &["consult_then_complete", "no_gap_when_a_consultation_is_completed"],
    ),
    (
        "A target that is busy or fails: a notice, the next route, the same seat, the queue's head; a silent one counts as \
         failed, but for an emergency line.",
        "src/call/transfer.rs transfer_failed",
        &[
            "a_target_that_fails_gives_way_to_the_next_route_then_the_seat_hears_of_it",
            "a_blind_transfer_that_fails_comes_back_to_the_seat_then_to_the_head_of_the_queue",
            "a_silent_target_is_no_target_but_an_emergency_line_is_never_ended_for_silence",
        ],
    ),
    (
        "The caller survives the seat's hang-up and its phone's death.",
        "src/call/leave.rs left",
        &["the_caller_survives_the_seat_whatever_the_seat_s_end", "the_caller_survives_the_first_line"],
    ),
    (
        "Any one leaving a three-way call leaves the other two talking.",
        "src/call/leave.rs settle",
        &["any_one_leaving_a_three_way_call_leaves_the_other_two_talking", "no_gap_when_a_third_comes_and_goes"],
    ),
    (
        "Emergencies skip limits and have channels of their own.",
        "src/switch/command.rs is_emergency",
        &["an_emergency_finds_a_channel_where_everybody_else_finds_none", "the_last_channels_are_for_emergencies"],
    ),
    (
        "Caller, hotline and one call id go along every leg.",
        "src/switch/identity.rs headers",
        &["every_leg_learns_the_call_the_caller_and_the_hotline", "every_seed_ends_clean"],
    ),
    (
        "Recording never stops through consult, merge and drop.",
        "src/switch/recording.rs tap",
        &["recording_never_stops_through_consult_merge_and_drop", "every_seed_ends_clean"],
    ),
    (
        "Races end in one defined state; a repeated one-key press does nothing more.",
        "src/call/transfer.rs transfer",
        &["a_second_key_press_does_nothing_more_and_the_key_goes_before_other_moves", "every_seed_ends_clean"],
    ),
    (
        "A caller lost in the move leaves seat and target talking.",
        "src/call/clear.rs others_talk_on",
        &[
            "a_caller_lost_in_an_emergency_leaves_seat_and_line_with_each_other",
            "two_seats_do_not_stay_joined_over_a_caller_who_has_gone",
            "nobody_rings_for_nobody_in_whatever_order_two_three_or_four_leave",
        ],
    ),
    (
        "Overload sheds new ordinary calls first; draining finishes live ones.",
        "src/switch/refused.rs full",
        &["overload_and_draining_turn_new_callers_away_and_leave_live_calls_alone"],
    ),
    (
        "Platforms that send callers to each other do not do so for ever.",
        "src/switch/circle.rs goes_in_circles",
        &["a_caller_who_comes_back_is_not_sent_in_a_circle", "another_person_of_the_same_number_came_from_elsewhere"],
    ),
];

fn read_all(folder: &Path, sources: &mut String) {
    for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            *sources += &fs::read_to_string(path).unwrap();
        }
    }
}

/// Every function and test that the table names is there.
#[test]
fn every_rule_has_its_function_and_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    read_all(&root.join("src"), &mut sources);
    read_all(&root.join("tests"), &mut sources);
    for (rule, function, tests) in RULES {
        let (file, name) = function.split_once(' ').unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains(&format!("fn {name}(")), "{rule} {function} is gone");
        for test in *tests {
            assert!(sources.contains(&format!("fn {test}() {{")), "{rule} {test} is gone");
        }
    }
}

fn transfer(scene: &Scene, to: &str, mode: &str, key: &str) -> (u16, Value) {
    scene.api("POST", "/transfer", json!({ "to": to, "mode": mode }), key)
}

/// Another call of the caller's number, for which the seat's phone rings; gives its phone and the call of before.
fn calls_again(scene: &mut Scene) -> (Phone, String) {
    let mut again = Phone::new("again", scene.gateway.host.port(), &scene.gateway);
    again.invite("12345");
    let invite = scene.seat.ring();
    scene.seat.answer();
    again.status(200, "INVITE");
    again.ack();
    let before = std::mem::replace(&mut scene.call, invite.header("X-Hotline-Call-ID").to_string());
    (again, before)
}

fn hears(phone: &Phone, tones: &[u32]) {
    wait_for(&format!("{tones:?}"), || (heard(&phone.ear, &ALL) == tones).then_some(()));
}

#[test]
fn an_emergency_finds_a_channel_where_everybody_else_finds_none() {
    let mut scene = Scene::with(&Spec { trunk: "channels = 2\nreserved = 1", ..Spec::default() });
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    hears(&scene.seat, &[CALLER]);
    assert_eq!(transfer(&scene, "12366", "three-way", "ordinary").0, 202);
    wait_for("its failure", || {
        let (_, shown) = scene.api("GET", "", Value::Null, "look");
        (shown["legs"].as_array().map(Vec::len) == Some(2)).then_some(())
    });
    scene.seat.press(&scene.invite, "*110#");
    let fetched = scene.target.ring();
    assert!(fetched.start_line().starts_with("INVITE sip:110@"), "{fetched}");
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    hears(&scene.caller, &[SEAT, TARGET]);
    scene.caller.bye();
    scene.seat.bye();
    scene.target.hung_up();
    let record = scene.gateway.record();
    let results: Vec<&Value> = record["transfers"].as_array().unwrap().iter().map(|t| &t["result"]).collect();
    assert_eq!(results, ["failed", "joined"], "{record:#}");
}

#[test]
fn overload_and_draining_turn_new_callers_away_and_leave_live_calls_alone() {
    let mut scene = Scene::with(&Spec { trunk: "channels = 2\nreserved = 1", ..Spec::default() });
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    let turned_away = |scene: &Scene| {
        let mut late = Phone::new("late", scene.gateway.host.port(), &scene.gateway);
        late.invite("12345");
        let refused = late.status(503, "INVITE");
        late.ack();
        assert_eq!(refused.headers("Retry-After").len(), 1, "{refused}");
    };
    turned_away(&scene);
    hears(&scene.caller, &[SEAT]);
    let address = scene.gateway.http;
    let (status, _) = crate::support::http::send(address, "POST", "/api/v1/drain", "", "").unwrap();
    assert!(status < 300, "{status}");
    turned_away(&scene);
    // A live call is served to its end, a move to an emergency line included.
    scene.seat.press(&scene.invite, "*110#");
    let fetched = scene.target.ring();
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    hears(&scene.caller, &[SEAT, TARGET]);
    hears(&scene.seat, &[CALLER, TARGET]);
    scene.caller.bye();
    scene.seat.bye();
    scene.target.hung_up();
    assert_eq!(scene.gateway.record()["result"], "answered");
}

#[test]
fn a_caller_who_comes_back_is_not_sent_in_a_circle() {
    let mut scene = Scene::with(&Spec::default());
    assert_eq!(transfer(&scene, "12366", "blind", "first").0, 202);
    let fetched = scene.target.ring();
    assert_eq!(fetched.header("Max-Forwards"), "69", "one less than the caller's");
    let history = fetched.headers("History-Info");
    assert!(history[0].contains("12345") && history[1].contains("12366"), "{history:?}");
    scene.seat.hung_up();
    scene.target.answer();
    // The platform there sends the same caller here: another call, without any header that would tell.
    let (_again, first) = calls_again(&mut scene);
    let (status, problem) = transfer(&scene, "12366", "blind", "second");
    assert_eq!(status, 409, "{problem}");
    let (_, shown) = scene.api("GET", "", Value::Null, "look");
    assert_eq!(shown["legs"].as_array().unwrap().len(), 2, "who has the caller keeps it: {shown:#}");
    assert_eq!(transfer(&scene, "110", "emergency", "third").0, 202, "an emergency is no circle");
    scene.call = first;
    assert_eq!(scene.target.request_received("INVITE").start_line().split('@').next(), Some("INVITE sip:110"));
}

#[test]
fn another_person_of_the_same_number_came_from_elsewhere() {
    let mut scene = Scene::with(&Spec::default());
    assert_eq!(transfer(&scene, "12366", "consult", "first").0, 202);
    scene.target.ring();
    scene.target.answer();
    // A colleague, whose company shows one number, calls while the seat still consults.
    let (_colleague, first) = calls_again(&mut scene);
    let second = std::mem::replace(&mut scene.call, first);
    assert_eq!(scene.api("POST", "/transfer/complete", Value::Null, "on").0, 202);
    scene.call = second;
    let (status, problem) = transfer(&scene, "12366", "consult", "second");
    assert_eq!(status, 202, "the first is there since this one came: {problem}");
}

/// A caller who comes back and a colleague look alike where all calls come from one address. The target knows which it is.
#[test]
fn the_target_is_asked_where_nothing_tells_two_people_apart() {
    let mut scene = Scene::with(&Spec::default());
    assert_eq!(transfer(&scene, "12366", "blind", "first").0, 202);
    scene.target.ring();
    scene.seat.hung_up();
    scene.target.answer();
    let (_colleague, _) = calls_again(&mut scene);
    for mode in ["consult", "three-way"] {
        let (status, problem) = transfer(&scene, "12366", mode, mode);
        assert_eq!(status, 202, "{mode}: {problem}");
        assert_eq!(scene.api("POST", "/transfer/cancel", Value::Null, &format!("not {mode}")).0, 202);
    }
    assert_eq!(transfer(&scene, "12366", "blind", "unheard").0, 409);
}

const KEPT: &str = r#"
[plan]
name = "test"
queue = "12345"

[[line]]
number = "12345"
mode = "front"

[[line]]
number = "12348"
mode = "parallel"
seats = "kept"
targets = ["0691100"]
ring = "3s"
early-max = "1s"
"#;

#[test]
fn a_target_that_gives_no_sign_answers_nobody_and_costs_one_caller_its_time() {
    let gateway = Gateway::start(&Spec { plan: Some(KEPT.to_string()), seats: vec![2], ..Spec::default() });
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut silent = Phone::new("silent", gateway.target, &gateway);
    let figure = |name: &str| {
        let metrics = gateway.get("/metrics").unwrap().1;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap()
    };
    let mut first = Phone::new("first", gateway.host.port(), &gateway);
    first.invite("12348");
    silent.request_received("INVITE");
    // The early time is over after a second. When the queue waits it is answered, though nobody has talked to it.
    let began = Instant::now();
    first.status(200, "INVITE");
    assert!(began.elapsed() > Duration::from_secs(2), "not for a target that gives no sign");
    first.ack();
    seat.ring();
    // They are posted ten times a second.
    wait_for("the peer's absence", || (figure("hotline_trunk_peers_out") == 1).then_some(()));
    assert_eq!(figure("hotline_calls_answered_total"), 0);
    first.bye();
    assert_eq!(gateway.record()["result"], "abandoned_ringing");
    assert_eq!(figure("hotline_calls_answered_total"), 0);
    let mut second = Phone::new("second", gateway.host.port(), &gateway);
    second.invite("12348");
    let began = Instant::now();
    seat.ring();
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for that target again");
    seat.answer();
    second.status(200, "INVITE");
    second.ack();
    wait_for("the second to be counted", || (figure("hotline_calls_answered_total") == 1).then_some(()));
}
