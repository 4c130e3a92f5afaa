//! The recorder's copies of a call's audio: of each party from its first packet to its last, and of all that the caller
//! hears, whole through consult, merge and drop. The gateway runs in this process, since a recorder does.

use crate::support::gateway::{Gateway, Spec};
use crate::support::rtp::Packet;
use crate::support::tone::{Hum, heard};
use crate::support::wait_for;
use crate::transfer::Scene;
use hotline::io::config;
use hotline::io::gateway::Gateway as Running;
use hotline::io::tap::Frame;
use hotline::media::{Law, Side};
use serde_json::{Value, json};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

fn start(spec: &Spec) -> (Running, Scene) {
    let files = Gateway::prepared(spec);
    let site = files.folder.path().join("site.toml");
    let running = Running::start(config::load(Some(&site)).unwrap(), Some(&site)).unwrap();
    wait_for("ports to be bound", || files.get("/readyz").filter(|(status, _)| *status == 200));
    (running, Scene::on(files))
}

/// Consult, merge, and the seat leaves; each heard by its parties.
fn moved(scene: &mut Scene) {
    let mut hums: Vec<Hum> = vec![scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT)];
    let hears = |scene: &Scene, caller: &[u32]| {
        wait_for(&format!("{caller:?}"), || (heard(&scene.caller.ear, &ALL) == caller).then_some(()));
    };
    hears(scene, &[SEAT]);
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "1").0, 202);
    let fetched = scene.target.ring();
    scene.target.answer();
    hums.push(scene.target.hum(&fetched, TARGET));
    wait_for("the target", || (heard(&scene.seat.ear, &ALL) == [TARGET]).then_some(()));
    assert_eq!(scene.api("POST", "/transfer/merge", Value::Null, "2").0, 202);
    hears(scene, &[SEAT, TARGET]);
    assert_eq!(scene.api("DELETE", "/legs/1", Value::Null, "3").0, 202);
    scene.seat.hung_up();
    hears(scene, &[TARGET]);
    drop(hums);
    scene.caller.bye();
    scene.target.hung_up();
}

/// One stream of frames without a hole: each begins where the one before ended.
fn assert_whole(frames: &[&Frame], name: &str) {
    assert!(frames.len() > 20, "{name}: only {} frames", frames.len());
    for pair in frames.windows(2) {
        let end = pair[0].timestamp.wrapping_add(pair[0].codes().len() as u32);
        assert_eq!(pair[1].timestamp, end, "{name}: a hole");
    }
}

#[test]
fn recording_never_stops_through_consult_merge_and_drop() {
    let (mut running, mut scene) = start(&Spec { media: "tap_queue = 20000", ..Spec::default() });
    moved(&mut scene);
    scene.gateway.record();
    let frames: Vec<Frame> = running.taps.take().unwrap().try_iter().collect();
    assert!(frames.iter().all(|f| f.call.to_string() == scene.call && f.law == Law::A));
    let of = |part: u64, side: Side| frames.iter().filter(|f| f.part == part && f.side == side).collect::<Vec<&Frame>>();
    for (part, name) in [(0, "the caller"), (1, "the seat"), (2, "the target")] {
        assert_whole(&of(part, Side::Said), name);
    }
    // What the caller heard: every packet that reached it, through every change, as it was.
    let copied: Vec<(u32, &[u8])> = of(0, Side::Heard).iter().map(|f| (f.timestamp, f.codes())).collect();
    wait_for("the caller's last packet", || (scene.caller.ear.packets().len() >= copied.len()).then_some(()));
    let packets: Vec<Packet> = scene.caller.ear.packets();
    assert_eq!(copied, packets.iter().map(|p| (p.timestamp, p.payload.as_slice())).collect::<Vec<_>>());
    assert_eq!(scene.gateway.metric("tap_frames_total"), frames.len() as u64);
    assert_eq!(scene.gateway.metric("tap_lost_total"), 0);
    running.stop();
}

#[test]
fn a_recorder_that_takes_nothing_costs_copies_and_nothing_else() {
    let (running, mut scene) = start(&Spec { media: "tap_queue = 10", ..Spec::default() });
    moved(&mut scene);
    assert_eq!(scene.gateway.metric("tap_frames_total"), 10);
    assert!(scene.gateway.metric("tap_lost_total") > 100);
    scene.caller.ear.assert_one_stream();
    running.stop();
}

#[test]
fn nothing_is_copied_unless_asked_for() {
    let (running, mut scene) = start(&Spec::default());
    moved(&mut scene);
    assert!(running.taps.is_none());
    assert!(!scene.gateway.get("/metrics").unwrap().1.contains("hotline_tap_"));
    running.stop();
}
