//! `kill -9` in a busy hour: all that people at seats said and did is there after the restart, down to the last verb that was
//! answered.

use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::registrant::Registrant;
use crate::support::sipp::Running;
use crate::support::tone::Hum;
use crate::support::{PATIENCE, http, pass, wait_for, wait_until};
use hotline::base::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PASSWORD: &str = "aLongPassword2026";
const JSON: &str = "Content-Type: application/json\r\n";

struct Hour {
    gateway: Gateway,
    /// The phone of the seat that registers.
    phone: Registrant,
    /// One who talks, and the seat that has it, while the process dies; and the id of their call.
    talking: (Phone, Phone),
    _hums: [Hum; 2],
    call: String,
    /// The row of the callback list that a seat has taken.
    row: String,
}

impl Hour {
    fn begin() -> Hour {
        let gateway = Gateway::start(&Spec {
            seats: vec![1; 4],
            desks: "sign_in = \"asked\"\nskills = { 12315 = 3 }",
            queue: "wrap_up = \"10m\"\nstrategy = \"skill-first\"\nskill = \"12315\"",
            phones: Some((PASSWORD, "\"SHA-256\", \"MD5\"")),
            recording: Some(""),
            ..Spec::default()
        });
        let mut phone = Registrant::new(&gateway, "1001", PASSWORD);
        let contact = phone.contact();
        assert_eq!(phone.registers(&[contact]).status(), 200);
        // One seat after the other, so that each gets the caller that is meant for it.
        give(&gateway, "desk-1", "login", json!({}));
        let (mut caller, mut seat, ..) = talk(&gateway, 1);
        caller.bye();
        seat.hung_up();
        wait_until("desk-1 to write about its call", || seats(&gateway)["desk-1"]["intent"] == "wrap_up");
        give(&gateway, "desk-0", "login", json!({ "device": "sip" }));
        let (caller, seat, answer, invite) = talk(&gateway, 0);
        let hums = [caller.hum(&answer, 400), seat.hum(&invite, 700)];
        let call = invite.header("X-Hotline-Call-ID").to_string();
        give(&gateway, "desk-2", "login", json!({}));
        give(&gateway, "desk-2", "break", json!({ "minutes": 30, "reason": "午餐" }));
        give(&gateway, "phone", "login", json!({ "skills": { "12315": 7 } }));
        give(&gateway, "phone", "not-ready", json!({ "reason": "培训" }));
        let row = a_callback_that_desk_2_takes(&gateway);
        Hour { gateway, phone, talking: (caller, seat), _hums: hums, call, row }
    }

    /// Callers who give up and callers whose number does not exist, more than one at once.
    fn load(&self, rng: &mut Rng) -> Vec<Running> {
        let kinds = [("caller_cancels", "12345", 200), ("caller_cancels", "12345", 700), ("caller_gets_404", "55555", 0)];
        let caller = |(scenario, number, lasts)| {
            let rate = (3 + rng.below(6)).to_string();
            let caller = self.gateway.caller(scenario, number).of_many_callers().lasts(lasts);
            caller.arg("-r").arg(&rate).start_calls(10_000, 3600)
        };
        kinds.into_iter().map(caller).collect()
    }
}

/// Says something for a seat; it must be let.
fn give(gateway: &Gateway, seat: &str, verb: &str, body: Value) -> Value {
    let path = format!("/api/v1/seats/{seat}/{verb}");
    let (status, text) = http::send(gateway.http, "POST", &path, JSON, &body.to_string()).unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn get(gateway: &Gateway, path: &str) -> Value {
    let (status, text) = gateway.get(path).unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// By name.
fn seats(gateway: &Gateway) -> BTreeMap<String, Value> {
    let mut told = get(gateway, "/api/v1/seats")["seats"].take();
    told.as_array_mut().unwrap().drain(..).map(|seat| (seat["seat"].as_str().unwrap().to_owned(), seat)).collect()
}

fn callbacks(gateway: &Gateway) -> BTreeMap<String, Value> {
    let mut told = get(gateway, "/api/v1/callback-list")["callbacks"].take();
    told.as_array_mut().unwrap().drain(..).map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect()
}

/// A caller whom the one ready seat takes; with what their SDP stands in.
fn talk(gateway: &Gateway, index: usize) -> (Phone, Phone, Message, Message) {
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    let mut seat = Phone::new("seat", gateway.seats[index], gateway);
    caller.invite("12345");
    let invite = seat.ring();
    seat.answer();
    let answer = caller.status(200, "INVITE");
    caller.ack();
    (caller, seat, answer, invite)
}

fn a_callback_that_desk_2_takes(gateway: &Gateway) -> String {
    gateway.caller("caller_cancels", "12345").lasts(300).start().finish();
    let row = wait_for("a missed caller", || callbacks(gateway).into_keys().next());
    let path = format!("/api/v1/callback-list/{row}/take");
    let (status, text) = http::send(gateway.http, "POST", &path, JSON, "{\"seat\": \"desk-2\"}").unwrap();
    assert_eq!(status, 200, "{text}");
    row
}

/// All of a seat that does not count time and that no phone decides.
fn said(seat: &Value) -> Value {
    let mut said = seat.clone();
    let counted = ["n", "since", "since_seconds", "left_seconds", "device", "calls"];
    said.as_object_mut().unwrap().retain(|name, _| !counted.contains(&name.as_str()));
    said
}

#[test]
fn kill_9_in_a_busy_hour_leaves_all_that_people_said_and_did() {
    let seed = std::env::var("HOTLINE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut rng = Rng::from_number(seed);
    let mut hour = Hour::begin();
    let load = hour.load(&mut rng);
    pass(500 + rng.below(1500));
    let rows = callbacks(&hour.gateway);
    let figures = offered(&hour.gateway);
    // The last word before the end is one that was answered.
    let level = 1 + rng.below(9);
    match rng.below(3) {
        0 => give(&hour.gateway, "phone", "skills", json!({ "skills": { "12315": level } })),
        1 => give(&hour.gateway, "desk-2", "break", json!({ "minutes": 20 + level, "reason": format!("午餐 {level}") })),
        _ => give(&hour.gateway, "desk-1", "extend-wrap-up", json!({ "seconds": 60 * level })),
    };
    let (before, cut) = (seats(&hour.gateway), Instant::now());
    hour.gateway.kill("-KILL");
    drop(load);
    hour.gateway.restart();

    let after = seats(&hour.gateway);
    let (saids, were): (Vec<_>, Vec<_>) = (after.values().map(said).collect(), before.values().map(said).collect());
    assert_eq!(saids, were, "HOTLINE_SEED={seed}");
    for (intent, seat) in
        [("ready", "desk-0"), ("wrap_up", "desk-1"), ("break", "desk-2"), ("logged_out", "desk-3"), ("break", "phone")]
    {
        assert_eq!(after[seat]["intent"], intent, "{seat}");
        let left = |of: &BTreeMap<String, Value>| of[seat]["left_seconds"].as_u64();
        let passed = cut.elapsed().as_secs() + 2;
        let good = match (left(&before), left(&after)) {
            (Some(before), Some(after)) => after <= before && before - after <= passed,
            (before, after) => before == after,
        };
        assert!(good, "{seat}: {} {}", before[seat], after[seat]);
    }
    assert_eq!(hour.gateway.metric("phones_registered"), 1);
    let kept = callbacks(&hour.gateway);
    assert_eq!((&kept[&hour.row], &kept[&hour.row]["seat"]), (&rows[&hour.row], &json!("desk-2")), "who rings back whom");
    assert!(rows.len() > 1 && rows.keys().all(|row| kept.contains_key(row)), "{rows:#?} {kept:#?}");
    figures_are_those_of_the_journal(&hour.gateway, figures);
    its_recording_is_there(&hour);
    // The registered phone is rung where it was.
    let mut caller = Phone::new("next", hour.gateway.host.port(), &hour.gateway);
    give(&hour.gateway, "desk-0", "logout", json!({}));
    give(&hour.gateway, "phone", "ready", json!({}));
    caller.invite("12345");
    let rung = || hour.phone.hears(PATIENCE).filter(|heard| heard.is_request("INVITE"));
    wait_for("the registered phone to ring", rung);
}

/// Callers of 12345 within a day.
fn offered(gateway: &Gateway) -> u64 {
    let told = gateway.answer(&["figures", "--csv", "--window", "24h"]);
    let row = told.lines().find(|line| line.starts_with("12345,")).unwrap_or_default();
    row.split(',').nth(1).map_or(0, |count| count.parse().unwrap())
}

fn figures_are_those_of_the_journal(gateway: &Gateway, before: u64) {
    wait_until("the past is read", || gateway.ask(&["figures", "--window", "24h"]).status.success());
    for by in ["hotline", "queue", "seat"] {
        let asked = ["figures", "--csv", "--window", "24h", "--by", by];
        let (running, anew) = (gateway.answer(&asked), gateway.answer(&[&asked[..], &["--recompute"]].concat()));
        // A seat's times go on while we look.
        let counts = |told: &str| match by {
            "seat" => told.lines().map(|row| row.split(',').take(4).collect::<Vec<_>>().join(",")).collect::<Vec<_>>(),
            _ => told.lines().map(str::to_owned).collect(),
        };
        assert_eq!(counts(&running), counts(&anew), "{by}");
    }
    assert!(before > 2 && offered(gateway) >= before, "{before} {}", offered(gateway));
}

/// Those who talked when the process died have a record that says so, and what was said until then.
fn its_recording_is_there(hour: &Hour) {
    let Hour { gateway, call, talking, .. } = hour;
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let ready = gateway.backend.next("recording.ready").event;
        assert!(Instant::now() < end, "no word of the recording of {call}");
        if ready["subject"] == **call {
            let recording = &ready["data"]["recording"];
            assert_eq!(
                (&ready["data"]["result"], &recording["state"]),
                (&json!("interrupted"), &json!("interrupted")),
                "{ready:#}"
            );
            assert!(recording["ms"].as_u64().is_some_and(|ms| ms > 300), "{recording}");
            break;
        }
    }
    assert!(talking.0.unread().iter().all(|line| !line.starts_with("BYE")), "nobody is left to say it");
}
