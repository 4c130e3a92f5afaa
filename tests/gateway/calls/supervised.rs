//! A supervisor at work on a seat's call, judged by what arrives at each ear, and by the audit.

use super::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::tone::heard;
use crate::support::{http, wait_for};
use serde_json::{Value, json};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const BOSS: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, BOSS];
const TOKENS: &str = "[http.tokens.boss]\nroles = [\"supervisor\"]\nsecret = \"0123456789abcdef-boss\"\n";

fn send(gateway: &Gateway, method: &str, path: &str, body: &Value) -> Value {
    let headers = "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef-boss\r\n";
    let (status, text) = http::send(gateway.http, method, &format!("/api/v1/seats/{path}"), headers, &body.to_string()).unwrap();
    assert_eq!(status, 200, "{path} {body}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn hears(phone: &Phone, who: &str, tones: &[u32]) {
    wait_for(&format!("{tones:?} at the {who}"), || (heard(&phone.ear, &ALL) == tones).then_some(()));
}

#[test]
fn a_whisper_is_the_seat_s_a_barge_is_everybody_s_and_an_interception_frees_the_seat() {
    let mut scene = Scene::with(&Spec { seats: vec![1, 1], records: TOKENS, ..Spec::default() });
    let mut boss = Phone::new("boss", scene.gateway.seats[1], &scene.gateway);
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    let verb = |gateway: &Gateway, verb: &str, body: Value| send(gateway, "POST", &format!("desk-1/{verb}"), &body);
    verb(&scene.gateway, "monitor", json!({ "seat": "desk-0" }));
    let rung = boss.ring();
    boss.answer();
    let _boss = boss.hum(&rung, BOSS);
    hears(&boss, "supervisor", &[CALLER, SEAT]);
    hears(&scene.seat, "seat", &[CALLER]);
    hears(&scene.caller, "caller", &[SEAT]);
    verb(&scene.gateway, "switch", json!({ "mode": "whisper" }));
    hears(&scene.seat, "seat", &[CALLER, BOSS]);
    hears(&boss, "supervisor", &[CALLER, SEAT]);
    // All that the caller heard while the seat heard the whisper.
    hears(&scene.caller, "caller", &[SEAT]);
    verb(&scene.gateway, "switch", json!({ "mode": "barge" }));
    hears(&scene.caller, "caller", &[SEAT, BOSS]);
    hears(&scene.seat, "seat", &[CALLER, BOSS]);
    hears(&boss, "supervisor", &[CALLER, SEAT]);
    verb(&scene.gateway, "intercept", json!({ "seat": "desk-0" }));
    scene.seat.hung_up();
    hears(&scene.caller, "caller", &[BOSS]);
    hears(&boss, "supervisor", &[CALLER]);
    let seat = wait_for("a seat that is free", || {
        Some(send(&scene.gateway, "GET", "desk-0", &Value::Null)["seat"].take()).filter(|seat| seat["device"] == "idle")
    });
    assert_eq!((&seat["intent"], &seat["calls"]), (&json!("ready"), &json!([])));
    scene.caller.bye();
    boss.hung_up();
    assert_eq!(scene.gateway.record()["result"], "answered");
    let audit = std::fs::read_to_string(scene.gateway.folder.path().join("var/audit.log")).unwrap();
    let lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let noted: Vec<String> =
        lines.map(|line| format!("{} {}", line["who"].as_str().unwrap(), line["did"].as_str().unwrap())).collect();
    assert_eq!(noted, ["boss monitor", "boss switch", "boss switch", "boss intercept"], "{audit}");
}
