//! Recordings that are listened to: all parts of a call that is moved, parts that are left out by a verb, the words that tell the
//! caller of it, and a kill -9 in the midst.

use crate::calls::recorder::{channels, fetch, ready, written};
use crate::calls::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::tone::{heard, tones};
use crate::support::{http, pass, wait_for};
use serde_json::{Value, json};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const EXPERT: u32 = 1500;
const ALL: [u32; 4] = [CALLER, SEAT, TARGET, EXPERT];
/// Samples of a look at a channel.
const LOOK: usize = 3200;
/// A millisecond.
const MS: usize = 8;

/// A verb about the recording of a seat's call.
fn record(gateway: &Gateway, seat: &str, body: Value, token: &str) -> (u16, Value) {
    verb(gateway, seat, "record", body, token)
}

fn verb(gateway: &Gateway, seat: &str, verb: &str, body: Value, token: &str) -> (u16, Value) {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let headers = format!("Content-Type: application/json\r\n{token}");
    let path = format!("/api/v1/seats/{seat}/{verb}");
    let (status, text) = http::send(gateway.http, "POST", &path, &headers, &body.to_string()).unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text}")))
}

fn done(gateway: &Gateway, action: &str) {
    let (status, answer) = record(gateway, "desk-0", json!({ "action": action }), "");
    assert_eq!(status, 200, "{action}: {answer}");
}

fn hears(scene: &Scene, caller: &[u32]) {
    wait_for(&format!("{caller:?}"), || (heard(&scene.caller.ear, &ALL) == caller).then_some(()));
}

/// The tones of a channel over time, without what lies between two of them and what is none.
fn course(channel: &[i16]) -> Vec<Vec<u32>> {
    let mut course: Vec<Vec<u32>> = channel.windows(LOOK).step_by(400).map(|piece| tones(piece, &ALL)).collect();
    course.retain(|tones| *tones != [0] && !tones.is_empty());
    course.dedup();
    course
}

/// The longest time without any sound, in milliseconds, between the first and the last.
fn silence(channel: &[i16]) -> usize {
    channel.split(|sample| *sample != 0).map(<[i16]>::len).max().unwrap_or(0) / MS
}

fn recorded(queue: &'static str, more: &'static str) -> (Scene, Phone) {
    let scene = Scene::with(&Spec { seats: vec![1, 1], queue, recording: Some(more), ..Spec::default() });
    let expert = Phone::new("expert", scene.gateway.seats[1], &scene.gateway);
    (scene, expert)
}

const EXPERTS: &str = "[queues.experts]\nseats = [\"desk-1\"]\n";

/// Queue, mask, hold, another queue, consultation, conference: each part is in the file, and the masked one is silent and exactly
/// as long as it was.
#[test]
fn row_24_each_part_of_a_call_that_is_moved_is_heard_in_its_recording() {
    let (mut scene, mut expert) = recorded(EXPERTS, "");
    let caller = scene.caller.hum(&scene.answer, CALLER);
    let seat = scene.seat.hum(&scene.invite, SEAT);
    hears(&scene, &[SEAT]);
    pass(LOOK as u64 / 8);
    done(&scene.gateway, "mask");
    pass(1500);
    done(&scene.gateway, "resume");
    pass(LOOK as u64 / 8);
    assert_eq!(verb(&scene.gateway, "desk-0", "hold", json!({}), "").0, 200);
    hears(&scene, &[]);
    assert_eq!(verb(&scene.gateway, "desk-0", "retrieve", json!({}), "").0, 200);
    hears(&scene, &[SEAT]);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "queue:experts", "mode": "blind" }), "1").0, 202);
    scene.seat.hung_up();
    drop(seat);
    let rung = expert.ring();
    expert.answer();
    let second = expert.hum(&rung, EXPERT);
    hears(&scene, &[EXPERT]);
    pass(LOOK as u64 / 4);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "2").0, 202);
    let fetched = scene.target.ring();
    scene.target.answer();
    let third = scene.target.hum(&fetched, TARGET);
    hears(&scene, &[]);
    assert_eq!(scene.api("POST", "/transfer/merge", Value::Null, "3").0, 202);
    hears(&scene, &[TARGET, EXPERT]);
    pass(LOOK as u64 / 4);
    expert.bye();
    drop(second);
    hears(&scene, &[TARGET]);
    pass(LOOK as u64 / 8);
    drop((caller, third));
    scene.caller.bye();
    scene.target.hung_up();

    let data = ready(&scene.gateway)["data"].clone();
    let recording = &data["recording"];
    assert_eq!((&recording["state"], &recording["id"]), (&json!("ready"), &json!(scene.call)), "{recording:#}");
    let [masked] = &recording["left_out"].as_array().unwrap()[..] else { panic!("{recording:#}") };
    assert_eq!((&masked["how"], &masked["ended"]), (&json!("masked"), &json!("verb")), "{masked}");
    let ms = masked["ms"].as_u64().unwrap() as usize;
    let [left, right] = channels(&fetch(&scene.gateway, recording, "").2, recording);
    assert_eq!(course(&left), [[CALLER]], "the caller in each part, and nobody else");
    let parts = course(&right);
    let heard = |part: &[u32]| parts.iter().any(|tones| tones == part);
    assert!([&[SEAT][..], &[EXPERT], &[TARGET, EXPERT], &[TARGET]].into_iter().all(heard), "{parts:?}");
    let first = left.iter().position(|sample| *sample > 4000).unwrap();
    let last = left.iter().rposition(|sample| *sample > 4000).unwrap();
    let quiet = silence(&left[first..last]);
    // A packet that came on either side of its end is on neither.
    assert!((ms..ms + 60).contains(&(quiet + 1)), "silent for {quiet} ms, masked for {ms} ms");
    let begin = left[first..last].windows(ms * MS).position(|piece| piece.iter().all(|sample| *sample == 0)).unwrap() + first;
    assert!(right[begin..begin + ms * MS].iter().all(|sample| *sample == 0), "nor is the seat heard then");
}

/// The words come before the queue, and never before an emergency line; a queue that records begins with a caller who is moved
/// to it, who is told then.
#[test]
fn a_caller_is_told_once_before_anybody_is_called_or_when_the_recording_begins() {
    let more = "on_demand = true\nlines = [\"12345\", \"110\"]\nnotice = \"apology\"";
    let spec = Spec { seats: vec![1], recording: Some(more), ..Spec::default() };
    let mut scene = Scene::with(&spec);
    scene.caller.bye();
    scene.seat.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    assert_eq!(data["prompts"].as_array().unwrap().iter().map(|it| &it["name"]).collect::<Vec<_>>(), ["apology"], "{data:#}");
    assert!(
        data["announce_ms"].as_u64().unwrap() >= 900 && data["queue_ms"].as_u64().unwrap() < 900,
        "before the queue: {data:#}"
    );
    let mut other = Phone::new("other", scene.gateway.host.port(), &scene.gateway);
    other.invite("110");
    scene.target.ring();
    scene.target.answer();
    other.status(200, "INVITE");
    other.ack();
    other.bye();
    scene.target.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    assert_eq!((&data["prompts"], &data["hotline"]["number"]), (&json!([]), &json!("110")), "{data:#}");
    drop(scene);

    let queue = "[queues.experts]\nseats = [\"desk-1\"]\nrecord = \"yes\"\n";
    let (mut scene, mut expert) = recorded(queue, "lines = []\non_demand = true\nnotice = \"apology\"");
    let _caller = scene.caller.hum(&scene.answer, CALLER);
    let seat = scene.seat.hum(&scene.invite, SEAT);
    hears(&scene, &[SEAT]);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "queue:experts", "mode": "blind" }), "1").0, 202);
    scene.seat.hung_up();
    drop(seat);
    let rung = expert.ring();
    expert.answer();
    let _second = expert.hum(&rung, EXPERT);
    hears(&scene, &[EXPERT]);
    pass(LOOK as u64 / 8);
    scene.caller.bye();
    expert.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    let begun = &data["recording"]["begun"];
    assert_eq!((&begun["cause"], &begun["by"]["kind"]), (&json!("queue"), &json!("gateway")), "{data:#}");
    assert!(data["prompts"].as_array().unwrap().iter().all(|it| it["name"] == "apology"), "{data:#}");
    assert!(!data["prompts"].as_array().unwrap().is_empty(), "{data:#}");
    let [left, right] = channels(&fetch(&scene.gateway, &data["recording"], "").2, &data["recording"]);
    assert_eq!(course(&left), [[CALLER]]);
    assert!(course(&right).contains(&vec![EXPERT]) && !course(&right).contains(&vec![SEAT]), "{:?}", course(&right));
}

/// Twice, in the wrong state, with words that are none: a clear answer, and nothing has changed.
#[test]
fn a_verb_given_twice_or_in_the_wrong_state_changes_nothing_and_a_forgotten_mask_ends_by_itself() {
    let (mut scene, _expert) = recorded(EXPERTS, "lines = []\non_demand = true\npause_most = \"1s\"");
    let gateway = &scene.gateway;
    let log = |gateway: &Gateway| verb(gateway, "desk-0", "mute", json!({}), "").1["n"].clone();
    let refused = |action: &str, code: &str| {
        let before = log(gateway);
        let (status, problem) = record(gateway, "desk-0", json!({ "action": action }), "");
        assert_eq!((status, &problem["code"]), (409, &json!(code)), "{action}: {problem}");
        assert_eq!(log(gateway), before, "{action} has changed something");
    };
    ["pause", "mask", "resume"].into_iter().for_each(|action| refused(action, "not_recorded"));
    done(gateway, "stop");
    for wrong in [json!({}), json!({ "action": "erase" }), json!({ "action": "mask", "for": 5 }), json!({ "action": 1 })] {
        assert_eq!(record(gateway, "desk-0", wrong, "").0, 422);
    }
    assert_eq!(record(gateway, "desk-9", json!({ "action": "mask" }), "").0, 404);
    let (status, idle) = record(gateway, "desk-1", json!({ "action": "mask" }), "");
    assert_eq!((status, &idle["code"]), (409, &json!("no_call")));
    let caller = scene.caller.hum(&scene.answer, CALLER);
    for action in ["start", "pause", "mask"] {
        done(gateway, action);
        let before = log(gateway);
        done(gateway, action);
        assert_eq!(log(gateway), before, "{action} given twice");
    }
    refused("start", "recording_left_out");
    // Nobody ends it, and it ends.
    let ended = || (record(gateway, "desk-0", json!({ "action": "start" }), "").0 == 200).then_some(());
    wait_for("the end of the mask", ended);
    pass(LOOK as u64 / 8);
    done(gateway, "stop");
    refused("resume", "not_recorded");
    pass(200);
    done(gateway, "start");
    pass(LOOK as u64 / 8);
    drop(caller);
    scene.caller.bye();
    scene.seat.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    let left_out = data["recording"]["left_out"].as_array().unwrap();
    let parts: Vec<(&Value, &Value)> = left_out.iter().map(|part| (&part["how"], &part["ended"])).collect();
    let expected = [("paused", "verb"), ("masked", "limit"), ("stopped", "verb")].map(|(how, ended)| (json!(how), json!(ended)));
    assert_eq!(parts, expected.iter().map(|(how, ended)| (how, ended)).collect::<Vec<_>>(), "{data:#}");
    assert_eq!(left_out[1]["ended_by"]["kind"], "gateway");
    assert_eq!(data["recording"]["begun"]["cause"], "verb");
}

const TOKENS: &str = "[http.tokens.desk-0]\nroles = [\"seat\"]\nseat = \"desk-0\"\nsecret = \"0123456789abcdef-desk-0\"\n\
     [http.tokens.desk-1]\nroles = [\"seat\"]\nseat = \"desk-1\"\nsecret = \"0123456789abcdef-desk-1\"\n\
     [http.tokens.boss]\nroles = [\"supervisor\"]\nsecret = \"0123456789abcdef-boss\"\n";

/// A mask ends when the seat that has set it leaves, and when an emergency line is fetched; then no seat may leave out anything.
#[test]
fn what_a_seat_leaves_out_ends_with_its_part_in_the_call_and_an_emergency_is_recorded_whole() {
    let spec = Spec { seats: vec![1, 1], queue: EXPERTS, recording: Some(""), records: TOKENS, ..Spec::default() };
    let mut scene = Scene::with(&spec);
    let mut expert = Phone::new("expert", scene.gateway.seats[1], &scene.gateway);
    let (seat, boss) = ("0123456789abcdef-desk-0", "0123456789abcdef-boss");
    let _caller = scene.caller.hum(&scene.answer, CALLER);
    assert_eq!(record(&scene.gateway, "desk-0", json!({ "action": "mask" }), seat).0, 200);
    assert_eq!(record(&scene.gateway, "desk-1", json!({ "action": "mask" }), seat).0, 403, "another's call");
    let moved = verb(&scene.gateway, "desk-0", "transfer", json!({ "to": "queue:experts" }), seat);
    assert_eq!(moved.0, 200, "{}", moved.1);
    scene.seat.hung_up();
    expert.ring();
    expert.answer();
    let masked = || (record(&scene.gateway, "desk-1", json!({ "action": "mask" }), boss).0 == 200).then_some(());
    wait_for("the other seat's call", masked);
    let fetched = verb(&scene.gateway, "desk-1", "transfer", json!({ "to": "110", "mode": "emergency" }), boss);
    assert_eq!(fetched.0, 200, "{}", fetched.1);
    scene.target.ring();
    scene.target.answer();
    let (status, problem) = record(&scene.gateway, "desk-1", json!({ "action": "pause" }), "0123456789abcdef-desk-1");
    assert_eq!((status, &problem["code"]), (409, &json!("emergency_recorded")), "{problem}");
    scene.caller.bye();
    scene.target.bye();
    expert.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    let parts: Vec<&Value> = data["recording"]["left_out"].as_array().unwrap().iter().map(|part| &part["ended"]).collect();
    assert_eq!(parts, ["seat_left", "emergency"], "{data:#}");
    let by: Vec<&Value> = data["recording"]["left_out"].as_array().unwrap().iter().map(|part| &part["by"]["kind"]).collect();
    assert_eq!(by, ["seat", "supervisor"], "{data:#}");
}

/// A recording whose call was masked, and then paused, when the process died: closed, playable, and told of.
#[test]
fn kill_9_while_a_recording_is_masked_and_while_it_is_paused_leaves_it_closed_and_playable() {
    let (mut scene, _expert) = recorded(EXPERTS, "");
    let caller = scene.caller.hum(&scene.answer, CALLER);
    for (verb, bytes) in [("mask", 40_000), ("pause", 0)] {
        written(&scene.gateway, bytes.max(20_000));
        done(&scene.gateway, verb);
        pass(900);
    }
    scene.gateway.kill("-KILL");
    drop(caller);
    scene.gateway.restart();
    let data = ready(&scene.gateway)["data"].clone();
    let recording = &data["recording"];
    assert_eq!(recording["state"], "interrupted", "{recording:#}");
    let parts = recording["left_out"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = parts.iter().map(|part| (&part["how"], &part["ended"])).collect();
    assert_eq!(told, [(&json!("masked"), &json!("verb")), (&json!("paused"), &json!("call_ended"))], "{recording:#}");
    assert!(parts.iter().all(|part| part["to"].is_string()), "{recording:#}");
    let [left, _] = channels(&fetch(&scene.gateway, recording, "").2, recording);
    let first = left.iter().position(|sample| *sample > 4000).unwrap();
    assert_eq!(tones(&left[first..][..LOOK], &ALL), [CALLER]);
    assert!(silence(&left) > 300, "the masked time is silent");
}

/// Listed, handed out with its facts, and held against the journal: a file that was changed or taken away is found.
#[test]
fn recordings_are_listed_exported_and_verified_from_the_command_line() {
    let (mut scene, _expert) = recorded(EXPERTS, "");
    let caller = scene.caller.hum(&scene.answer, CALLER);
    pass(LOOK as u64 / 8);
    drop(caller);
    scene.caller.bye();
    scene.seat.hung_up();
    let data = ready(&scene.gateway)["data"].clone();
    let run = |args: &[&str]| {
        let output = scene.gateway.ask(&[&["recordings"], args].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let call = scene.call.as_str();
    let (_, table, _) = run(&["ls", "--number", "12345"]);
    assert!(table.contains(call) && table.contains("ready"), "{table}");
    assert_eq!(run(&["ls", "--number", "12315", "--json"]).1, "");
    assert!(run(&["ls", "--day", "2020-01-01"]).2.contains("no recording fits"));
    let out = scene.gateway.folder.path().join("out");
    let export = || run(&["export", call, "--to", out.to_str().unwrap()]);
    assert_eq!(export().0, 2, "no such folder");
    std::fs::create_dir(&out).unwrap();
    let (status, files, error) = export();
    assert_eq!((status, files.lines().count()), (0, 2), "{error}");
    channels(&std::fs::read(out.join(format!("{call}.wav"))).unwrap(), &data["recording"]);
    let facts: Value = serde_json::from_slice(&std::fs::read(out.join(format!("{call}.json"))).unwrap()).unwrap();
    assert_eq!((&facts["call_id"], &facts["recording"]["sha256"]), (&json!(call), &data["recording"]["sha256"]));
    assert!(export().2.contains("is there already"), "nothing is overwritten");
    let audit = std::fs::read_to_string(scene.gateway.folder.path().join("var/audit.log")).unwrap();
    assert_eq!(audit.lines().filter(|line| line.contains("recording exported") && line.contains(call)).count(), 1, "{audit}");
    assert_eq!(run(&["verify", "--all"]).0, 0);
    let days = std::fs::read_dir(scene.gateway.folder.path().join("var/recordings")).unwrap();
    let file = days.flatten().next().unwrap().path().join(format!("{call}.wav"));
    let whole = std::fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[5000] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let (status, told, _) = run(&["verify"]);
    assert!(status == 1 && told.contains(&format!("changed {call}")), "{status} {told}");
    assert_eq!(run(&["export", call, "--to", "/nowhere"]).0, 2);
    std::fs::remove_file(&file).unwrap();
    let (status, told, _) = run(&["verify", "--call", call]);
    assert!(status == 1 && told.contains(&format!("missing {call}")), "{status} {told}");
    std::fs::write(file.with_file_name("01938000-0000-7000-8000-000000000001.wav"), &whole).unwrap();
    let (status, told, _) = run(&["verify", "--all"]);
    assert!(status == 1 && told.contains("unknown to the journal"), "{status} {told}");
}
