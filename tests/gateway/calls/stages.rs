//! A seat whose phone rings, or that waits for whom it calls, is in a call that nobody talks in yet: what each verb answers then,
//! what operators see and may drop, and what a kill -9 leaves of it.

use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::{http, wait_for, wait_until};
use serde_json::{Value, json};

const PERSON: &str = "13900139000";
const ALWAYS: &str = "[outbound]\nhours = [\"daily 00:00-24:00\"]\nper_callee = 100";
const TOKENS: &str = "[http.tokens.boss]\nroles = [\"supervisor\", \"operator\"]\nsecret = \"0123456789abcdef-boss\"\n";

/// A phone anywhere that calls by this number.
fn phone(gateway: &Gateway, number: &str) -> Phone {
    let mut phone = Phone::new("caller", gateway.host.port(), gateway);
    phone.number = number.to_owned();
    phone
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Idle,
    /// It looks at whom it is to call.
    Shown,
    /// A caller of the queue.
    Rings,
    /// Its own phone rings first for the call that it places.
    Places,
    /// The person's phone rings.
    Calls,
    /// Its phone has dialled a number by itself, which rings.
    Dials,
}

use Stage::{Calls, Dials, Idle, Places, Rings, Shown};

struct Scene {
    gateway: Gateway,
    seat: Phone,
    person: Phone,
    caller: Phone,
}

impl Scene {
    fn new() -> Scene {
        let spec = Spec { seats: vec![1, 1], calls: ALWAYS, desks: "sign_in = \"asked\"\n", records: TOKENS, ..Spec::default() };
        let gateway = Gateway::start(&spec);
        let seat = Phone::new("desk-0", gateway.seats[0], &gateway);
        let (person, caller) = (Phone::new("person", gateway.target, &gateway), phone(&gateway, "13800138000"));
        let scene = Scene { gateway, seat, person, caller };
        assert_eq!(scene.verb("desk-0", "login", &json!({})).0, 200);
        scene
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef-boss\r\n";
        let (status, text) = http::send(self.gateway.http, method, path, headers, &body.to_string()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn verb(&self, seat: &str, verb: &str, body: &Value) -> (u16, Value) {
        self.send("POST", &format!("/api/v1/seats/{seat}/{verb}"), body)
    }

    fn calls(&self) -> Vec<Value> {
        self.send("GET", "/api/v1/calls", &Value::Null).1["calls"].as_array().unwrap().clone()
    }

    fn enter(&mut self, stage: Stage) {
        match stage {
            Idle => {}
            Shown => assert_eq!(self.verb("desk-0", "call", &json!({ "to": PERSON, "preview": true })).0, 200),
            Rings => {
                self.caller = phone(&self.gateway, "13800138000");
                self.caller.invite("12345");
                self.seat.ring();
                wait_until("a seat that rings", || self.legs() == ["caller waiting", "desk-0 ringing"]);
            }
            Places | Calls => {
                let placed = self.verb("desk-0", "call", &json!({ "to": PERSON }));
                assert_eq!(placed.0, 200, "{}", placed.1);
                self.seat.ring();
                if stage == Calls {
                    self.seat.answer();
                    self.person.ring();
                    wait_until("a person who rings", || self.legs() == ["caller ringing", "desk-0 waiting"]);
                }
            }
            Dials => {
                self.caller = phone(&self.gateway, "desk-0");
                self.caller.invite("12366");
                self.person.ring();
            }
        }
    }

    /// Each leg of the one call, and its state.
    fn legs(&self) -> Vec<String> {
        let calls = self.calls();
        let legs = calls.first().and_then(|call| call["legs"].as_array().cloned()).unwrap_or_default();
        legs.iter().map(|leg| format!("{} {}", leg["party"].as_str().unwrap(), leg["state"].as_str().unwrap())).collect()
    }

    /// Whatever rings is over, at the phones too; the caller of the queue is there still, where there was one.
    fn is_over(&mut self, stage: Stage) {
        match stage {
            Idle | Shown => {}
            Places => _ = self.seat.cancelled(),
            Calls => {
                self.person.cancelled();
                self.seat.hung_up();
            }
            Dials => {
                self.person.cancelled();
                self.caller.status(480, "INVITE");
                self.caller.ack();
            }
            Rings => {
                self.seat.cancelled();
                wait_until("a caller who waits", || self.legs().first().is_some_and(|leg| leg == "caller waiting"));
                self.caller.cancel();
                self.caller.status(487, "INVITE");
                self.caller.ack();
            }
        }
        wait_until("no call", || self.calls().is_empty());
    }
}

/// A verb, its body, and what it answers in each stage: `done`, and nothing rings any more; `kept`, and all is as it was; or the
/// code of its refusal, after which all is as it was, too.
type Row = (&'static str, Value, [&'static str; 6]);

const STAGES: [Stage; 6] = [Idle, Shown, Rings, Places, Calls, Dials];

fn rows() -> Vec<Row> {
    let (no, un) = ("no_call", "not_answered");
    let talk = [no, no, un, un, un, no];
    let one = || json!({});
    vec![
        ("answer", one(), [no, no, "cannot_answer", "cannot_answer", "kept", no]),
        ("hold", one(), talk),
        ("retrieve", one(), talk),
        ("mute", one(), talk),
        ("unmute", one(), talk),
        ("dtmf", json!({ "digits": "1" }), talk),
        ("consult", json!({ "to": "12366" }), talk),
        ("transfer", json!({ "to": "12366" }), talk),
        ("transfer", json!({ "to": "110", "mode": "emergency" }), talk),
        ("alternate", one(), talk),
        ("conference", one(), talk),
        ("complete", one(), talk),
        ("leave", one(), talk),
        ("retake", one(), [no; 6]),
        ("record", json!({ "action": "start" }), talk),
        ("data", json!({ "key": "subject", "value": "供水" }), [no, no, un, "kept", "kept", "kept"]),
        ("reject", one(), [no, "done", "done", "done", no, no]),
        ("hang-up", one(), [no, no, "done", "done", "done", "done"]),
        ("cancel", one(), [no, "done", un, "done", "done", no]),
        ("force-drop", one(), [no, no, un, "done", "done", "done"]),
    ]
}

#[test]
fn each_verb_answers_in_each_stage_of_a_call_that_nobody_talks_in() {
    let mut scene = Scene::new();
    for (at, stage) in STAGES.into_iter().enumerate() {
        scene.enter(stage);
        let before = scene.legs();
        let (stays, ends): (Vec<Row>, Vec<Row>) = rows().into_iter().partition(|(_, _, wanted)| wanted[at] != "done");
        for (verb, body, wanted) in stays {
            let (status, answer) = scene.verb("desk-0", verb, &body);
            let code = if status == 200 { "kept" } else { answer["code"].as_str().unwrap_or_default() };
            assert_eq!(code, wanted[at], "{verb} {body} in {stage:?}: {answer}");
            assert_eq!(scene.legs(), before, "{verb} in {stage:?} changes nothing");
        }
        // Another's verbs about it.
        for verb in ["monitor", "whisper", "barge", "intercept"] {
            let (status, answer) = scene.verb("desk-1", verb, &json!({ "seat": "desk-0" }));
            let wanted = if [Rings, Places, Calls].contains(&stage) { "not_answered" } else { "no_call" };
            assert_eq!((status, answer["code"].as_str()), (409, Some(wanted)), "{verb} in {stage:?}: {answer}");
        }
        let mut ends = ends.into_iter().peekable();
        while let Some((verb, body, _)) = ends.next() {
            let (status, answer) = scene.verb("desk-0", verb, &body);
            assert_eq!(status, 200, "{verb} in {stage:?}: {answer}");
            assert!(answer["preview"].is_null() || verb != "reject", "{answer}");
            scene.is_over(stage);
            scene.enter(if ends.peek().is_some() { stage } else { Idle });
        }
    }
}

/// An operator drops either leg of a call that a seat places, and a seat that rings; nobody drops a caller who waits.
#[test]
fn an_operator_drops_a_leg_at_each_stage() {
    let mut scene = Scene::new();
    for (stage, legs) in
        [(Places, [("1", 202), ("0", 404)]), (Calls, [("0", 202), ("1", 202)]), (Rings, [("1", 202), ("0", 404)])]
    {
        for (leg, wanted) in legs {
            scene.enter(stage);
            let id = scene.calls()[0]["id"].as_str().unwrap().to_owned();
            let drop = |scene: &Scene, leg: &str| scene.send("DELETE", &format!("/api/v1/calls/{id}/legs/{leg}"), &Value::Null);
            let (status, answer) = drop(&scene, leg);
            assert_eq!(status, wanted, "{leg} in {stage:?}: {answer}");
            assert_eq!(drop(&scene, "7").0, 404);
            if wanted != 202 {
                assert_eq!(drop(&scene, "1").0, 202);
            }
            scene.is_over(stage);
        }
    }
}

#[test]
fn a_person_who_was_never_dialled_counts_for_no_day_also_after_a_kill_9() {
    let calls = "[outbound]\nhours = [\"daily 00:00-24:00\"]\nper_callee = 1";
    let spec = Spec { seats: vec![1, 1], calls, desks: "sign_in = \"asked\"\n", ..Spec::default() };
    let mut gateway = Gateway::start(&spec);
    let verb = |gateway: &Gateway, seat: &str, verb: &str, body: &Value| {
        let path = format!("/api/v1/seats/{seat}/{verb}");
        let (status, text) =
            http::send(gateway.http, "POST", &path, "Content-Type: application/json\r\n", &body.to_string()).unwrap();
        (status, serde_json::from_str::<Value>(&text).unwrap()["code"].as_str().unwrap_or_default().to_owned())
    };
    for seat in ["desk-0", "desk-1"] {
        assert_eq!(verb(&gateway, seat, "login", &json!({})).0, 200);
    }
    let to = json!({ "to": PERSON });
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    assert_eq!(verb(&gateway, "desk-0", "call", &to).0, 200);
    seat.ring();
    let often = (409, "called_too_often".to_owned());
    assert_eq!(verb(&gateway, "desk-1", "call", &to), often, "the one that is placed counts as long as it may reach the person");
    gateway.kill("-KILL");
    gateway.restart();
    assert_eq!(gateway.record()["result"], "interrupted");
    drop(seat);
    let mut seat = Phone::new("desk-1", gateway.seats[1], &gateway);
    let mut person = Phone::new("person", gateway.target, &gateway);
    assert_eq!(verb(&gateway, "desk-1", "call", &to), (200, String::new()), "nobody was called");
    seat.ring();
    seat.answer();
    person.ring();
    // Both counts, of the number and of the seat, are on the disk.
    wait_for("the row", || {
        let journal = rusqlite::Connection::open(gateway.folder.path().join("var/journal.db")).ok()?;
        let count = journal.query_row("SELECT count(*) FROM facts WHERE kind = 'dialled'", [], |row| row.get::<_, i64>(0));
        count.ok().filter(|count| *count == 2)
    });
    gateway.kill("-KILL");
    gateway.restart();
    gateway.record();
    drop(seat);
    assert_eq!(verb(&gateway, "desk-0", "call", &to), often, "whose phone rang was called");
}

/// A row that nobody may dial would stay for ever: who cannot be rung back is neither listed nor asked for a key.
#[test]
fn who_cannot_be_rung_back_is_neither_offered_that_nor_listed() {
    let queue = "overflow = [\"callback\"]\nwhen_no_seat = \"overflow\"\n[callbacks]\nwait = \"1s\"";
    let gateway = Gateway::start(&Spec { seats: vec![1], queue, desks: "sign_in = \"asked\"\n", ..Spec::default() });
    let rows = || {
        let (_, text) = gateway.get("/api/v1/callback-list").unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["callbacks"].as_array().unwrap().len()
    };
    let asked = |record: &Value| record["prompts"].as_array().unwrap().iter().any(|prompt| prompt["name"] == "callback-offer");
    let lost = |number: &str, headers: &'static str| {
        let mut caller = phone(&gateway, number);
        caller.headers = headers;
        caller.invite("12345");
        caller.status(480, "INVITE");
        caller.ack();
        let record = gateway.record();
        assert_eq!(record["result"], "no_seat", "{record:#}");
        record
    };
    for (number, headers) in [
        ("110", ""),
        ("0691-110", ""),
        ("12366", ""),
        ("0044207946000", ""),
        ("8001", ""),
        ("anonymous", ""),
        ("13700137000", "Privacy: id\r\n"),
    ] {
        let record = lost(number, headers);
        assert!(!asked(&record), "{number}: {record:#}");
        assert_eq!(rows(), 0, "{number}");
    }
    assert!(asked(&lost("13700137000", "")));
    wait_until("a row", || rows() == 1);
}
