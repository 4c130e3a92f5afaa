//! Callers moved by the API and by a seat's REFER: who hears whom is judged by what arrives.

use crate::support::gateway::{Gateway, Spec};
use crate::support::http;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::tone::heard;
use crate::support::{pass, wait_for};
use serde_json::{Value, json};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

/// Three phones; caller and seat talk.
pub struct Scene {
    pub gateway: Gateway,
    pub caller: Phone,
    pub seat: Phone,
    pub target: Phone,
    pub call: String,
    /// The answer whose SDP says where caller and seat speak.
    pub answer: Message,
    pub invite: Message,
}

impl Scene {
    fn talking() -> Scene {
        Scene::with(&Spec::default())
    }

    /// The first seat has the caller.
    pub fn with(spec: &Spec) -> Scene {
        Scene::on(Gateway::start(spec))
    }

    pub fn on(gateway: Gateway) -> Scene {
        let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
        let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
        let target = Phone::new("target", gateway.target, &gateway);
        caller.invite("12345");
        let invite = seat.ring();
        wait_for("the music", || caller.ear.packets().first().map(|_| ()));
        seat.answer();
        let answer = caller.status(200, "INVITE");
        caller.ack();
        let call = invite.header("X-Hotline-Call-ID").to_string();
        Scene { gateway, caller, seat, target, call, answer, invite }
    }

    pub fn api(&self, method: &str, path: &str, body: Value, key: &str) -> (u16, Value) {
        let address = self.gateway.http;
        let path = format!("/api/v1/calls/{}{path}", self.call);
        let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        let (status, body) = http::send(address, method, &path, &headers, &body.to_string()).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn hears(&self, phone: &Phone, tones: &[u32]) {
        wait_for(&format!("{tones:?} to be heard"), || (heard(&phone.ear, &ALL) == tones).then_some(()));
    }
}

#[test]
fn three_talk_and_any_one_may_leave() {
    let mut scene = Scene::talking();
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    scene.hears(&scene.caller, &[SEAT]);
    let wanted = json!({ "to": "12366", "mode": "three-way" });
    assert_eq!(scene.api("POST", "/transfer", wanted.clone(), "once").0, 202);
    assert_eq!(scene.api("POST", "/transfer", wanted, "once").0, 202, "the same key asks nothing anew");
    let fetched = scene.target.ring();
    assert_eq!(fetched.header("X-Hotline-Call-ID"), scene.call);
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    scene.hears(&scene.caller, &[SEAT, TARGET]);
    scene.hears(&scene.seat, &[CALLER, TARGET]);
    scene.hears(&scene.target, &[CALLER, SEAT]);
    let (_, shown) = scene.api("GET", "", Value::Null, "look");
    assert_eq!(shown["legs"].as_array().unwrap().len(), 3, "{shown:#}");

    assert_eq!(scene.api("DELETE", "/legs/1", Value::Null, "drop").0, 202);
    scene.seat.hung_up();
    scene.hears(&scene.caller, &[TARGET]);
    scene.hears(&scene.target, &[CALLER]);
    scene.caller.ear.assert_one_stream();
    scene.caller.bye();
    scene.target.hung_up();
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["kind"], "three-way", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "joined");
    assert_eq!(record["result"], "answered");
}

#[test]
fn a_consultation_is_heard_by_two_and_completed_or_cancelled() {
    let mut scene = Scene::talking();
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    let consult = json!({ "to": "12366", "mode": "consult" });
    scene.api("POST", "/transfer", consult.clone(), "1");
    let fetched = scene.target.ring();
    scene.target.answer();
    let third = scene.target.hum(&fetched, TARGET);
    scene.hears(&scene.seat, &[TARGET]);
    scene.hears(&scene.target, &[SEAT]);
    scene.hears(&scene.caller, &[]);
    assert_eq!(scene.api("POST", "/transfer/cancel", Value::Null, "2").0, 202);
    scene.target.hung_up();
    drop(third);
    scene.hears(&scene.caller, &[SEAT]);

    scene.caller.bye();
    scene.seat.hung_up();
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["result"], "cancelled", "{record:#}");
}

#[test]
fn a_seat_s_phone_sends_its_caller_on_by_refer() {
    let mut scene = Scene::talking();
    let _hum = scene.caller.hum(&scene.answer, CALLER);
    scene.seat.headers = line(format!("Refer-To: <sip:12366@{}>", scene.gateway.host.ip));
    scene.seat.refer();
    scene.seat.status(202, "REFER");
    let fetched = scene.target.ring();
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    scene.hears(&scene.caller, &[TARGET]);
    scene.hears(&scene.target, &[CALLER]);
    assert_eq!(fetched.header("X-Hotline-Call-ID"), scene.call);
    scene.target.bye();
    scene.caller.hung_up();
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["kind"], "blind", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed");
}

#[test]
fn a_phone_hears_at_once_that_its_caller_hung_up_before_the_target_answered() {
    let mut scene = Scene::talking();
    scene.seat.headers = line(format!("Refer-To: <sip:12366@{}>", scene.gateway.host.ip));
    scene.seat.refer();
    scene.seat.status(202, "REFER");
    scene.target.ring();
    scene.caller.bye();
    scene.target.request_received("CANCEL");
    let told = scene.seat.told();
    assert!(told.body().starts_with("SIP/2.0 503"), "{told}");
    assert_eq!(told.header("Subscription-State"), "terminated;reason=noresource");
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["result"], "failed", "{record:#}");
}

#[test]
fn a_phone_hears_how_its_own_move_came_out_and_not_the_one_before() {
    let mut scene = Scene::talking();
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "consult").0, 202);
    scene.target.ring();
    scene.target.answer();
    scene.seat.headers = line(format!("Refer-To: <sip:110@{}>", scene.gateway.host.ip));
    scene.seat.refer();
    scene.seat.status(202, "REFER");
    let fetched = scene.target.ring();
    assert!(fetched.start_line().starts_with("INVITE sip:110@"), "{fetched}");
    scene.target.answer();
    let told = scene.seat.told();
    assert!(told.body().starts_with("SIP/2.0 200"), "{told}");
    scene.caller.bye();
    scene.seat.bye();
    let record = scene.gateway.record();
    let results: Vec<&str> = record["transfers"].as_array().unwrap().iter().filter_map(|t| t["result"].as_str()).collect();
    assert_eq!(results, ["cancelled", "joined"], "{record:#}");
}

/// A header line that only the test's run knows.
pub fn line(text: String) -> &'static str {
    Box::leak(format!("{text}\r\n").into_boxed_str())
}

/// The seat's phone on a second line, which holds the caller and has dialled.
pub fn second_line(scene: &mut Scene, number: &str) -> Phone {
    scene.seat.reinvite("sendonly");
    scene.seat.status(200, "INVITE");
    scene.seat.ack();
    let mut line = Phone::new("line2", scene.gateway.host.port(), &scene.gateway);
    line.number = "desk-0".to_string();
    line.invite(number);
    line
}

#[test]
fn a_phone_with_two_lines_consults_and_sends_its_caller_on_by_replaces() {
    let mut scene = Scene::talking();
    let _hum = scene.caller.hum(&scene.answer, CALLER);
    let mut second = second_line(&mut scene, "12366");
    let fetched = scene.target.ring();
    assert_eq!(fetched.header("X-Hotline-Call-ID"), scene.call, "one call");
    second.status(183, "INVITE");
    scene.target.answer();
    let answer = second.status(200, "INVITE");
    second.ack();
    let hums = (scene.target.hum(&fetched, TARGET), second.hum(&answer, SEAT));
    scene.hears(&second, &[TARGET]);
    scene.hears(&scene.target, &[SEAT]);
    scene.seat.headers = line(format!(
        "Refer-To: <sip:12366@{}?Replaces={}>",
        scene.gateway.host.ip,
        second.replaces().replace(';', "%3B").replace('=', "%3D").replace('@', "%40")
    ));
    scene.seat.refer();
    scene.seat.status(202, "REFER");
    drop(hums.1);
    let told = scene.seat.request_received("NOTIFY");
    assert!(told.body().starts_with("SIP/2.0 "), "{told}");
    second.hung_up();
    scene.hears(&scene.caller, &[TARGET]);
    scene.hears(&scene.target, &[CALLER]);
    scene.target.bye();
    scene.caller.hung_up();
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["kind"], "consult", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed");
}

#[test]
fn a_button_that_dials_110_is_one_key() {
    let mut scene = Scene::talking();
    let _hum = scene.caller.hum(&scene.answer, CALLER);
    let mut second = second_line(&mut scene, "110");
    let answer = second.status(200, "INVITE");
    second.ack();
    let _second = second.hum(&answer, SEAT);
    scene.hears(&scene.caller, &[SEAT]);
    let fetched = scene.target.ring();
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    scene.hears(&scene.caller, &[SEAT, TARGET]);
    scene.hears(&scene.target, &[CALLER, SEAT]);
    second.bye();
    scene.hears(&scene.caller, &[TARGET]);
    scene.target.bye();
    scene.caller.bye();
    let record = scene.gateway.record();
    assert_eq!((record["transfers"][0]["kind"].as_str(), record["result"].as_str()), (Some("emergency"), Some("answered")));
}

#[test]
fn another_phone_takes_a_conversation_over_and_nobody_may_take_the_caller() {
    let mut scene = Scene::with(&Spec { seats: vec![1, 1], ..Spec::default() });
    let _hum = scene.caller.hum(&scene.answer, CALLER);
    let mut other = Phone::new("other", scene.gateway.host.port(), &scene.gateway);
    other.number = "desk-1".to_string();
    other.headers = line(format!("Replaces: {}", scene.caller.replaces()));
    other.invite("12345");
    other.status(603, "INVITE");
    other.ack();
    let mut other = Phone::new("other", scene.gateway.host.port(), &scene.gateway);
    other.number = "desk-1".to_string();
    other.headers = line(format!("Replaces: {}", scene.seat.replaces()));
    other.invite("12345");
    let answer = other.status(200, "INVITE");
    other.ack();
    scene.seat.hung_up();
    let _other = other.hum(&answer, SEAT);
    scene.hears(&scene.caller, &[SEAT]);
    scene.hears(&other, &[CALLER]);
    scene.caller.bye();
    other.hung_up();
}

/// Broken, doubled and far too many requests.
fn bad_requests(scene: &Scene) {
    let address = scene.gateway.http;
    let path = format!("/api/v1/calls/{}/transfer", scene.call);
    let send = |headers: &str, body: &str| http::send(address, "POST", &path, headers, body).unwrap();
    for (body, status) in
        [("", 400), ("{", 400), (r#"{"to": "12366"}"#, 400), (&*format!("{{\"to\": \"{}\"", "1".repeat(9000)), 413)]
    {
        let (found, problem) = send("", body);
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!((found, problem["status"].as_u64()), (status, Some(status.into())), "{problem}");
    }
    let nobody = |n: u32| format!(r#"{{"to": "9999{n}", "mode": "three-way"}}"#);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let storm =
            |thread: u32| (0..25).map(|n| send(&format!("Idempotency-Key: {thread}-{n}\r\n"), &nobody(n)).0).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || storm(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses, [422; 200]);
}

#[test]
fn what_cannot_be_is_said_clearly_and_the_conversation_goes_on() {
    let mut scene = Scene::talking();
    let _hums = (scene.caller.hum(&scene.answer, CALLER), scene.seat.hum(&scene.invite, SEAT));
    let ask =
        |scene: &Scene, to: &str, mode: &str, key: &str| scene.api("POST", "/transfer", json!({ "to": to, "mode": mode }), key);
    let (status, problem) = ask(&scene, "99999", "consult", "a");
    assert_eq!((status, problem["detail"].as_str().unwrap()), (422, "the dial plan has nobody to call for this number"));
    assert_eq!(ask(&scene, "12366", "emergency", "b").0, 422, "not an emergency line");
    let (status, problem) = ask(&scene, "12366", "quickly", "c");
    assert_eq!((status, problem["detail"].as_str().unwrap()), (400, "mode is one of consult, three-way, blind, emergency"));
    assert_eq!(ask(&scene, "seat:desk-0", "consult", "d").0, 409, "the seat itself");
    assert_eq!(scene.api("POST", "/transfer/complete", Value::Null, "e").0, 409);
    assert_eq!(scene.api("DELETE", "/legs/7", Value::Null, "f").0, 404);
    assert_eq!(scene.api("DELETE", "/legs/0", Value::Null, "g").0, 404, "the caller is not dropped");
    let dead = std::mem::replace(&mut scene.call, "01890000-0000-7000-8000-000000000000".to_string());
    assert_eq!(ask(&scene, "12366", "consult", "h").0, 404);
    scene.call = dead;
    bad_requests(&scene);
    for (to, status) in [
        ("Refer-To: <tel:99999>\r\n", 404),
        ("Refer-To: <sip:12366@elsewhere.example>\r\n", 403),
        ("Refer-To: <sip:12366@192.0.2.1>\r\n", 403),
        ("", 400),
        ("Refer-To: <tel:12366>\r\nRefer-To: <tel:12367>\r\n", 400),
    ] {
        scene.seat.headers = to;
        scene.seat.refer();
        scene.seat.status(status, "REFER");
    }
    scene.hears(&scene.caller, &[SEAT]);
    scene.hears(&scene.seat, &[CALLER]);
    scene.caller.bye();
    scene.seat.hung_up();
}

#[test]
fn one_key_brings_in_110_and_no_tone_of_it_reaches_the_caller() {
    let mut scene = Scene::talking();
    let caller = scene.caller.hum(&scene.answer, CALLER);
    scene.hears(&scene.seat, &[CALLER]);
    scene.seat.press(&scene.invite, "*110#");
    let fetched = scene.target.ring();
    assert!(fetched.start_line().starts_with("INVITE sip:110@"), "{fetched}");
    scene.target.answer();
    let _third = scene.target.hum(&fetched, TARGET);
    scene.hears(&scene.caller, &[TARGET]);
    scene.hears(&scene.target, &[CALLER]);
    scene.hears(&scene.seat, &[CALLER, TARGET]);
    assert!(scene.caller.ear.packets().iter().all(|p| p.payload_type == 8), "a key of the seat's reached the caller");
    drop(caller);
    scene.caller.bye();
    pass(300);
    scene.seat.bye();
    scene.target.hung_up();
    let record = scene.gateway.record();
    assert_eq!(record["transfers"][0]["kind"], "emergency", "{record:#}");
    assert_eq!(record["transfers"][0]["to"], "110");
}

#[test]
fn a_phone_hears_the_target_s_own_status_and_has_its_caller_again() {
    let mut scene = Scene::talking();
    scene.seat.headers = line(format!("Refer-To: <sip:12366@{}>", scene.gateway.host.ip));
    scene.seat.refer();
    scene.seat.status(202, "REFER");
    scene.target.ring();
    scene.target.refuse(407);
    let told = scene.seat.told();
    assert!(told.body().starts_with("SIP/2.0 407"), "{told}");
    assert_eq!(told.header("Subscription-State"), "terminated;reason=noresource");
}
