//! Recordings: what each party says is in the call's file, from its first packet to its last, through consult, merge and drop;
//! and whatever happens to the file, the call and its record know nothing of it.

use super::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::tone::{Hum, heard, strength, tones};
use crate::support::{disk, http, pass, wait_for};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];
/// Samples of a look at a channel.
const LOOK: usize = 3200;

fn recorded(more: &'static str) -> Spec {
    Spec { recording: Some(more), ..Spec::default() }
}

fn hears(scene: &Scene, caller: &[u32]) {
    wait_for(&format!("{caller:?}"), || (heard(&scene.caller.ear, &ALL) == caller).then_some(()));
}

/// Caller and seat hum to each other.
fn talk(scene: &Scene) -> Vec<Hum> {
    let hums = vec![scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT)];
    hears(scene, &[SEAT]);
    hums
}

/// Consult, merge, and the seat leaves; each heard by its parties.
fn moved(scene: &mut Scene) {
    let mut hums = talk(scene);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "1").0, 202);
    let fetched = scene.target.ring();
    scene.target.answer();
    hums.push(scene.target.hum(&fetched, TARGET));
    wait_for("the target", || (heard(&scene.seat.ear, &ALL) == [TARGET]).then_some(()));
    hears(scene, &[]);
    assert_eq!(scene.api("POST", "/transfer/merge", Value::Null, "2").0, 202);
    hears(scene, &[SEAT, TARGET]);
    assert_eq!(scene.api("DELETE", "/legs/1", Value::Null, "3").0, 202);
    scene.seat.hung_up();
    hums.remove(1);
    hears(scene, &[TARGET]);
    // Long enough to be heard alone.
    pass(LOOK as u64 / 8);
    drop(hums);
    scene.caller.bye();
    scene.target.hung_up();
}

fn ended(scene: &mut Scene) {
    scene.caller.bye();
    scene.seat.hung_up();
}

/// The record as it is once it is known what became of the recording; the final record came before.
fn told(gateway: &Gateway) -> Value {
    ready(gateway)["data"]["recording"].clone()
}

/// The event that tells of a recording, after the record that said it was pending.
pub fn ready(gateway: &Gateway) -> Value {
    let record = gateway.backend.next("call.record").event;
    assert_eq!(record["data"]["recording"]["state"], "pending", "{record:#}");
    let ready = gateway.backend.next("recording.ready").event;
    assert_eq!(ready["subject"], record["subject"]);
    assert!(ready["sequence"].as_str() > record["sequence"].as_str());
    assert_eq!(ready["data"]["result"], record["data"]["result"]);
    ready
}

pub fn fetch(gateway: &Gateway, recording: &Value, headers: &str) -> (u16, String, Vec<u8>) {
    let url = recording["url"].as_str().unwrap();
    let address = gateway.http;
    http::fetch(address, url.strip_prefix(&format!("http://{address}")).unwrap(), headers)
}

/// Its channels, left and right, once its hash is the record's.
pub fn channels(file: &[u8], recording: &Value) -> [Vec<i16>; 2] {
    let sha256 = HEXLOWER.encode(digest(&SHA256, file).as_ref());
    assert_eq!(recording["sha256"], sha256);
    let mut reader = hound::WavReader::new(Cursor::new(file)).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate, reader.spec().bits_per_sample), (2, 8000, 16));
    assert_eq!(recording["ms"], reader.duration() / 8);
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    [0, 1].map(|channel| samples.iter().skip(channel).step_by(2).copied().collect())
}

/// The tones of a channel over time, without what lies between two of them and what is none.
fn course(channel: &[i16]) -> Vec<Vec<u32>> {
    let mut course: Vec<Vec<u32>> = channel.windows(LOOK).step_by(400).map(|piece| tones(piece, &ALL)).collect();
    course.retain(|tones| *tones != [0] && !tones.is_empty());
    course.dedup();
    course
}

fn part(gateway: &Gateway) -> Option<PathBuf> {
    let days = fs::read_dir(gateway.folder.path().join("var/recordings")).ok()?;
    let files = days.flatten().flat_map(|day| fs::read_dir(day.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).find(|path| path.extension().is_some_and(|ending| ending == "part"))
}

/// Waits until so many bytes of the call are on the disk.
pub fn written(gateway: &Gateway, bytes: u64) {
    let enough = || part(gateway).and_then(|path| fs::metadata(path).ok()).filter(|file| file.len() >= bytes);
    wait_for("a recording to grow", enough);
}

#[test]
fn recording_never_stops_through_consult_merge_and_drop() {
    let mut scene = Scene::with(&recorded(""));
    moved(&mut scene);
    let recording = told(&scene.gateway);
    assert_eq!((&recording["state"], &recording["id"]), (&json!("ready"), &json!(scene.call)), "{recording:#}");
    let (status, head, file) = fetch(&scene.gateway, &recording, "");
    assert!(status == 200 && head.contains("audio/wav"), "{head}");
    let [left, right] = channels(&file, &recording);
    assert_eq!(course(&left), [[CALLER]], "the caller, and nobody else");
    assert_eq!(course(&right), [vec![SEAT], vec![SEAT, TARGET], vec![TARGET]], "the consultation too");
    // From its first packet to its last without a hole, and without a step in time.
    let first = left.iter().position(|sample| *sample > 4000).unwrap();
    let last = left.iter().rposition(|sample| *sample > 4000).unwrap();
    let hum = &left[first..last];
    assert!(hum.len() > 8000 && strength(hum, CALLER) > 7900.0, "{} of {} samples", strength(hum, CALLER), hum.len());
    assert!(right[..first].iter().any(|sample| *sample != 0), "the music while the caller waited");

    let (status, head, piece) = fetch(&scene.gateway, &recording, "Range: bytes=1000-1999\r\n");
    assert!(status == 206 && head.contains(&format!("bytes 1000-1999/{}", file.len())), "{head}");
    assert_eq!(piece, file[1000..2000]);
    let audit = fs::read_to_string(scene.gateway.folder.path().join("var/audit.log")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{audit}");
    assert!(lines.iter().all(|line| line["who"] == "link" && line["what"].as_str().unwrap().starts_with(&scene.call)));
    let mut forged = recording.clone();
    forged["url"] = json!(recording["url"].as_str().unwrap().replace("expires=", "expires=1"));
    assert_eq!(fetch(&scene.gateway, &forged, "").0, 403);
    let address = scene.gateway.http;
    assert_eq!(http::fetch(address, &format!("/api/v1/recordings/{}", scene.call), "").0, 403, "nobody has no name");
    assert_eq!(scene.gateway.metric("tap_lost_total"), 0);
}

#[test]
fn a_recorder_that_does_not_keep_up_loses_audio_and_nothing_else() {
    let mut scene = Scene::with(&recorded("queue = 2"));
    moved(&mut scene);
    let recording = told(&scene.gateway);
    assert_eq!(recording["state"], "partial", "{recording:#}");
    assert!(scene.gateway.metric("tap_lost_total") > 100);
    scene.caller.ear.assert_one_stream();
}

#[test]
fn a_full_disk_costs_a_piece_of_the_recording_and_nothing_else() {
    let mut scene = Scene::with(&Spec { frail: true, ..recorded("") });
    let hums = talk(&scene);
    written(&scene.gateway, 20_000);
    disk::fault(scene.gateway.folder.path(), "full");
    wait_for("the alarm", || (scene.gateway.metric("recording_down") == 1).then_some(()));
    assert_eq!(scene.gateway.get("/readyz").unwrap().0, 200);
    disk::fault(scene.gateway.folder.path(), "nothing");
    wait_for("the end of the alarm", || (scene.gateway.metric("recording_down") == 0).then_some(()));
    hears(&scene, &[SEAT]);
    drop(hums);
    ended(&mut scene);
    let recording = told(&scene.gateway);
    assert_eq!(recording["state"], "partial", "{recording:#}");
    let [left, _] = channels(&fetch(&scene.gateway, &recording, "").2, &recording);
    let lost = scene.gateway.metric("recording_lost_ms_total") as usize;
    assert!((500..5000).contains(&lost), "{lost} ms");
    let silence = left.split(|sample| *sample != 0).map(<[i16]>::len).max().unwrap();
    assert!(silence >= lost * 8, "{silence} samples of silence in the place of {lost} ms");
    assert_eq!((tones(&left[left.len() - 2 * LOOK..][..LOOK], &ALL)), [CALLER], "and then the caller again");
    scene.caller.ear.assert_one_stream();
}

#[test]
fn kill_9_in_a_call_leaves_what_was_written_and_is_told_once() {
    let mut scene = Scene::with(&recorded(""));
    let hums = talk(&scene);
    written(&scene.gateway, 60_000);
    scene.gateway.kill("-KILL");
    drop(hums);
    scene.gateway.restart();
    let first = ready(&scene.gateway);
    let recording = &first["data"]["recording"];
    assert_eq!(recording["state"], "interrupted", "{recording:#}");
    let [left, right] = channels(&fetch(&scene.gateway, recording, "").2, recording);
    assert!(left.len() * 4 >= 59_000, "{} samples", left.len());
    assert_eq!((course(&left), course(&right)), (vec![vec![CALLER]], vec![vec![SEAT]]));
    scene.gateway.kill("-KILL");
    scene.gateway.restart();
    wait_for("all to be delivered", || {
        let shown = scene.gateway.ask(&["records", "show", &scene.call]);
        String::from_utf8(shown.stdout).unwrap().contains("interrupted").then_some(())
    });
    // An event whose delivery was not settled on the disk when the process died comes again under its own id.
    let again = scene.gateway.backend.rest();
    let mut of_recordings = again.iter().filter(|post| post.event["type"] == "recording.ready");
    assert!(of_recordings.all(|post| post.event["id"] == first["id"]), "told twice");
}

#[test]
fn only_what_is_asked_for_is_recorded() {
    for spec in [Spec::default(), recorded("lines = [\"12366\"]")] {
        let mut scene = Scene::with(&spec);
        drop(talk(&scene));
        ended(&mut scene);
        assert_eq!(scene.gateway.backend.next("call.record").event["data"]["recording"], Value::Null);
        let (_, metrics) = scene.gateway.get("/metrics").unwrap();
        assert!(!metrics.lines().any(|line| line.starts_with("hotline_tap_frames_total") && !line.ends_with(" 0")));
        assert!(!scene.gateway.folder.path().join("var/recordings").exists());
    }
}
