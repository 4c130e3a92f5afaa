//! What must never happen to a caller who is moved, where it is the switch's to prevent: full trunks, overload, loops. The
//! rest stands in `call/transfer_tests.rs` and `call/lines_tests.rs`; `call/transfer.rs` has the list.

use crate::support::gateway::Spec;
use crate::support::phone::Phone;
use crate::support::tone::heard;
use crate::support::wait_for;
use crate::transfer::Scene;
use serde_json::{Value, json};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

fn transfer(scene: &Scene, to: &str, mode: &str, key: &str) -> (u16, Value) {
    scene.api("POST", "/transfer", json!({ "to": to, "mode": mode }), key)
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
    let address = (scene.gateway.host.ip, scene.gateway.http).into();
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
    let mut again = Phone::new("again", scene.gateway.host.port(), &scene.gateway);
    again.invite("12345");
    let invite = scene.seat.ring();
    scene.seat.answer();
    again.status(200, "INVITE");
    again.ack();
    let first = std::mem::replace(&mut scene.call, invite.header("X-Hotline-Call-ID").to_string());
    let (status, problem) = transfer(&scene, "12366", "blind", "second");
    assert_eq!(status, 409, "{problem}");
    let (_, shown) = scene.api("GET", "", Value::Null, "look");
    assert_eq!(shown["legs"].as_array().unwrap().len(), 2, "who has the caller keeps it: {shown:#}");
    assert_eq!(transfer(&scene, "110", "emergency", "third").0, 202, "an emergency is no circle");
    scene.call = first;
    assert_eq!(scene.target.request_received("INVITE").start_line().split('@').next(), Some("INVITE sip:110"));
}
