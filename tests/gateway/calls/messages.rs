//! Callers whom nobody takes leave messages: what they say is in the file, in the record, in the callback list and on the command line;
//! and where nothing can be recorded they are sent on with words.

use crate::calls::recorder::{channels, fetch, ready, written};
use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::tone::{Hum, tones};
use crate::support::{disk, http, wait_for};
use serde_json::{Value, json};

const CALLER: u32 = 400;
/// Samples of a look at a channel.
const LOOK: usize = 3200;

/// The seat is nowhere, prompts are short, and none of the losses makes a row by itself.
fn spec() -> Spec {
    Spec {
        seats: vec![1],
        queue: "max_wait = \"1s\"\noverflow = [\"message\"]\n[messages]\nprompt = \"connect-12396\"\nthanks = \"announce-only\"\n\
                [callbacks]\nlosses = []\n",
        recording: Some("lines = []\non_demand = true"),
        ..Spec::default()
    }
}

/// A caller who has been answered for a message, and hums.
fn invited(gateway: &Gateway) -> (Phone, Message, Hum) {
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    caller.invite("12345");
    let answer = caller.status(200, "INVITE");
    caller.ack();
    let hum = caller.hum(&answer, CALLER);
    (caller, answer, hum)
}

fn rows(gateway: &Gateway) -> Vec<Value> {
    let (_, text) = http::get(gateway.http, "/api/v1/callback-list").unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["callbacks"].as_array().unwrap().clone()
}

fn told(gateway: &Gateway, args: &[&str]) -> (i32, String) {
    let output = gateway.ask(args);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// The files of recordings there are.
fn files(gateway: &Gateway) -> usize {
    let days = std::fs::read_dir(gateway.folder.path().join("var/recordings")).into_iter().flatten().flatten();
    days.flat_map(|day| std::fs::read_dir(day.path()).into_iter().flatten()).count()
}

pub fn prompts(record: &Value) -> Vec<&str> {
    record["prompts"].as_array().unwrap().iter().filter_map(|prompt| prompt["name"].as_str()).collect()
}

/// The caller's voice alone, and nothing that was said before the tone.
fn holds_the_voice(gateway: &Gateway, recording: &Value) -> usize {
    let [left, right] = channels(&fetch(gateway, recording, "").2, recording);
    assert!(left.len() > 2 * LOOK, "{recording}");
    for piece in left[LOOK / 4..].chunks_exact(LOOK) {
        assert_eq!(tones(piece, &[CALLER]), [CALLER]);
    }
    assert!(right.iter().all(|sample| sample.abs() < 50), "nobody else is heard");
    left.len() / 8
}

#[test]
fn a_message_is_heard_in_its_file_listed_told_and_verified() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, hum) = invited(&gateway);
    written(&gateway, 90_000);
    caller.press(&answer, "1#");
    caller.hung_up();
    drop(hum);
    let data = ready(&gateway)["data"].clone();
    let (call, message) = (data["call_id"].as_str().unwrap(), &data["message"]);
    assert_eq!((&data["result"], &data["hangup_by"]), (&json!("message"), &json!("gateway")), "{data:#}");
    assert_eq!((&message["ended"], &message["discarded"]), (&json!("key"), &Value::Null), "{message}");
    assert_eq!((&message["recording"], &data["recording"]["id"]), (&json!(call), &json!(call)));
    assert_eq!(data["recording"]["begun"]["cause"], "message", "{data:#}");
    assert_eq!(prompts(&data), ["connect-12396", "announce-only"]);
    let ms = message["ms"].as_u64().unwrap() as usize;
    let length = holds_the_voice(&gateway, &data["recording"]);
    assert!(ms >= 2500 && length <= ms + 100 && length + 600 >= ms, "{length} ms of {ms} ms");
    let [row] = &rows(&gateway)[..] else { panic!("{:?}", rows(&gateway)) };
    assert_eq!((&row["messages"], &row["loss"]), (&json!([call]), &json!("message")), "{row}");

    let (_, table) = told(&gateway, &["recordings", "ls"]);
    let line = table.lines().find(|line| line.contains(call)).unwrap_or_default();
    assert!(line.contains(" message ") && line.contains(" ready "), "{table}");
    assert_eq!(told(&gateway, &["recordings", "verify", "--all"]).0, 0);
    let (_, list) = told(&gateway, &["callbacks", "ls", "--url", &format!("http://{}", gateway.http)]);
    assert!(list.contains(&format!("message {call}")), "{list}");
    let (_, figures) = told(&gateway, &["figures", "--url", &format!("http://{}", gateway.http)]);
    assert!(figures.contains("MESSAGE"), "{figures}");
}

#[test]
fn what_is_too_short_leaves_no_file_and_who_hangs_up_has_left_a_message() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, hum) = invited(&gateway);
    written(&gateway, 10);
    caller.press(&answer, "#");
    caller.hung_up();
    drop(hum);
    let record = gateway.backend.next("call.record").event["data"].take();
    assert_eq!(record["message"]["discarded"], "too_short", "{record:#}");
    assert_eq!((&record["message"]["recording"], &record["result"]), (&Value::Null, &json!("timeout")), "{record:#}");
    assert_eq!(prompts(&record), ["connect-12396", "apology"], "it is sent away with words");
    let told_of = gateway.backend.next("recording.ready").event;
    assert_eq!((&told_of["data"]["recording"]["state"], files(&gateway)), (&json!("discarded"), 0), "{told_of:#}");
    assert_eq!(told(&gateway, &["recordings", "verify", "--all"]).0, 0);
    assert!(rows(&gateway).is_empty(), "it is lost as it was, which here makes no row");

    drop(caller);
    let (mut caller, _, hum) = invited(&gateway);
    written(&gateway, 90_000);
    caller.bye();
    drop(hum);
    let data = ready(&gateway)["data"].clone();
    assert_eq!((&data["result"], &data["hangup_by"]), (&json!("message"), &json!("caller")), "{data:#}");
    assert_eq!(data["message"]["ended"], "hung_up");
    holds_the_voice(&gateway, &data["recording"]);
}

#[test]
fn without_room_on_the_disk_a_caller_is_sent_on_with_words_and_listed() {
    let mut gateway = Gateway::prepared(&Spec { frail: true, ..spec() });
    disk::fault(gateway.folder.path(), "full");
    gateway.restart();
    wait_for("the alarm", || (gateway.metric("recording_down") == 1).then_some(()));
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    caller.status(480, "INVITE");
    caller.ack();
    let record = gateway.record();
    assert_eq!((&record["message"]["ended"], &record["message"]["recording"]), (&json!("no_room"), &Value::Null), "{record:#}");
    assert_eq!((prompts(&record), &record["recording"]), (vec!["apology"], &Value::Null), "{record:#}");
    let row = rows(&gateway).pop().expect("the caller is rung back all the same");
    assert_eq!((&row["messages"], &row["loss"]), (&json!([]), &record["result"]), "{row}");
    assert_eq!(gateway.metric("messages_refused_total"), 1);
    // It is seen by itself that there is room again.
    disk::fault(gateway.folder.path(), "nothing");
    wait_for("the end of the alarm", || (gateway.metric("recording_down") == 0).then_some(()));
    drop(caller);
    let (mut caller, _, _hum) = invited(&gateway);
    written(&gateway, 90_000);
    caller.bye();
    assert_eq!(ready(&gateway)["data"]["result"], "message");
}

#[test]
fn kill_9_in_a_message_leaves_what_was_said_and_is_told_once() {
    let mut gateway = Gateway::start(&spec());
    let (_caller, _, hum) = invited(&gateway);
    written(&gateway, 60_000);
    gateway.kill("-KILL");
    drop(hum);
    gateway.restart();
    let data = ready(&gateway)["data"].clone();
    assert_eq!((&data["result"], &data["message"]["ended"]), (&json!("interrupted"), &json!("interrupted")), "{data:#}");
    assert_eq!((&data["recording"]["state"], &data["message"]["recording"]), (&json!("interrupted"), &data["call_id"]));
    holds_the_voice(&gateway, &data["recording"]);
    assert_eq!(told(&gateway, &["recordings", "verify", "--all"]).0, 0);
    gateway.kill("-KILL");
    gateway.restart();
    wait_for("all to be on the disk", || (gateway.metric("journal_unwritten") == 0).then_some(()));
    let again = gateway.backend.rest();
    assert!(again.iter().all(|post| post.event["subject"] != data["call_id"]), "{}", again.len());
}
