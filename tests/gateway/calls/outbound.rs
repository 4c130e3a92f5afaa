//! Seats call out by their toolbar: the seat's phone first, then the person, through the trunk; from the callback list too, with a
//! kill -9 in the middle.

use super::toolbar::{Stream, snapshot, verb};
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::rtp::pattern;
use crate::support::{http, wait_for};
use serde_json::{Value, json};

const PERSON: &str = "13900139000";
const ALWAYS: &str = "[outbound]\nhours = [\"daily 00:00-24:00\"]\nper_callee = 3";

fn started(seats: Vec<u32>) -> Gateway {
    Gateway::start(&Spec { seats, calls: ALWAYS, desks: "sign_in = \"asked\"\n", ..Spec::default() })
}

fn signed_in(gateway: &Gateway) -> (Stream, u64) {
    let answer = verb(gateway, "login", &json!({}));
    assert_eq!(answer.0, 200, "{}", answer.1);
    let n = answer.1["n"].as_u64().unwrap();
    (Stream::after(gateway, n), n)
}

fn callbacks(gateway: &Gateway) -> Vec<Value> {
    let (status, text) = gateway.get("/api/v1/callback-list").unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["callbacks"].as_array().unwrap().clone()
}

#[test]
fn a_seat_calls_somebody_and_both_hear_each_other() {
    let gateway = started(vec![1]);
    let (mut stream, _) = signed_in(&gateway);
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let mut person = Phone::new("person", gateway.target, &gateway);
    let wanted = json!({ "to": PERSON, "ticket": "T-7", "request_id": "one" });
    let first = verb(&gateway, "call", &wanted);
    assert_eq!(first.0, 200, "{}", first.1);
    let rung = seat.ring();
    assert!(rung.header("From").contains(PERSON), "the seat sees whom it calls: {rung}");
    assert_eq!(verb(&gateway, "call", &wanted), first, "a request that comes twice");
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON, "ticket": "T-7" })).0, 200, "a double click");
    let ringing = stream.until("ringing");
    assert_eq!((&ringing["data"]["cause"], &ringing["call"]["number"]), (&json!("outbound"), &json!("12345")));
    assert_eq!(person.unread(), [""; 0], "nobody is called before the seat is there");
    seat.answer();
    let called = person.ring();
    assert!(called.start_line().contains(&format!("sip:{PERSON}@")), "{called}");
    for header in ["From", "P-Asserted-Identity"] {
        assert!(called.header(header).contains("<sip:12345@"), "{header}: {called}");
    }
    assert_eq!(called.headers("History-Info"), [""; 0], "{called}");
    assert_eq!(snapshot(&gateway)["calls"][0]["state"], "calling");
    person.answer();
    let mouths = (seat.speak(&rung, 1), person.speak(&called, 2));
    person.ear.wait_to_hear("the seat", 40, &pattern(1, 0..100));
    seat.ear.wait_to_hear("the person", 40, &pattern(2, 0..100));
    drop(mouths);
    stream.until("talking");
    let hold = verb(&gateway, "hold", &json!({}));
    assert_eq!(hold.0, 200, "{}", hold.1);
    person.bye();
    seat.hung_up();
    stream.until("released");
    let record = gateway.record();
    assert_eq!((&record["direction"], &record["result"]), (&json!("outbound"), &json!("answered")), "{record:#}");
    assert_eq!((&record["caller"], &record["hotline"]["number"]), (&json!(PERSON), &json!("12345")), "{record:#}");
    assert_eq!((&record["trunk"], &record["data"]["ticket"]), (&json!("seat:desk-0"), &json!("T-7")), "{record:#}");
    assert_eq!((&record["seat"]["id"], &record["hangup_by"]), (&json!("desk-0"), &json!("caller")), "{record:#}");
    let legs = record["legs"].as_array().unwrap();
    assert_eq!(legs[0]["sip_call_id"], *called.header("Call-ID"), "{record:#}");
    assert_eq!((legs.len(), record["sip_call_ids"].as_array().unwrap().len()), (2, 2), "{record:#}");
    assert!(record["sip_answered"].is_string() && record["handed_to_queue"].is_null(), "{record:#}");
    assert!(legs.iter().all(|leg| leg["media"]["received"]["packets"].as_u64().unwrap() >= 40), "{record:#}");
    let figures = || -> Value { serde_json::from_str(&gateway.get("/api/v1/figures").unwrap().1).unwrap() };
    let of = wait_for("the figures", || {
        let text = figures().to_string();
        text.contains("\"placed\":1").then_some(figures())
    });
    assert!(of.to_string().contains("\"offered\":0") && !of.to_string().contains("\"offered\":1"), "{of:#}");
}

#[test]
fn a_person_who_is_busy_and_a_seat_that_changes_its_mind() {
    let gateway = started(vec![1]);
    let (mut stream, _) = signed_in(&gateway);
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let mut person = Phone::new("person", gateway.target, &gateway);
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON })).0, 200);
    seat.ring();
    seat.answer();
    person.ring();
    person.refuse(486);
    seat.hung_up();
    let failed = stream.until("outbound_failed");
    assert_eq!((&failed["data"]["status"], &failed["data"]["q850"]), (&json!(486), &json!(17)), "{failed}");
    let record = gateway.record();
    assert_eq!((&record["result"], &record["sip_code"], &record["q850"]), (&json!("failed"), &json!(486), &json!(17)));
    assert_eq!((&record["direction"], &record["seat_answered"]), (&json!("outbound"), &Value::Null), "{record:#}");
    // It hangs up by its toolbar while the other phone rings.
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON })).0, 200);
    seat.ring();
    seat.answer();
    let rung = person.ring();
    let (status, problem) = verb(&gateway, "reject", &json!({}));
    assert_eq!((status, &problem["code"]), (409, &json!("no_call")), "its own phone rings no more: {problem}");
    let (_, calls) = gateway.get("/api/v1/calls").unwrap();
    assert!(calls.contains("\"state\":\"ringing\"") && calls.contains("\"state\":\"waiting\""), "{calls}");
    assert_eq!(verb(&gateway, "hang-up", &json!({})).0, 200);
    assert_eq!(person.cancelled().header("Call-ID"), rung.header("Call-ID"));
    seat.hung_up();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["hangup_by"]), (&json!("abandoned_ringing"), &json!("callee")), "{record:#}");
    assert_eq!(record["q850"], 16, "{record:#}");
    // Its own phone refuses: nobody was called, and it counts for nobody.
    for _ in 0..2 {
        assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON })).0, 200);
        seat.ring();
        seat.refuse(486);
        assert_eq!(gateway.record()["result"], "no_seat");
    }
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON })).0, 200, "the third that reaches for this number");
    seat.ring();
    seat.answer();
    person.ring();
    person.refuse(404);
    seat.hung_up();
    gateway.record();
    let (status, problem) = verb(&gateway, "call", &json!({ "to": PERSON }));
    assert_eq!((status, &problem["code"], &problem["retry"]), (409, &json!("called_too_often"), &json!(true)), "{problem}");
    assert!(person.unread().is_empty());
}

#[test]
fn what_may_not_be_called_is_refused_in_words_and_changes_nothing() {
    let gateway = started(vec![1]);
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON })).1["code"], "signed_out");
    let (_stream, before) = signed_in(&gateway);
    for (body, status, code) in [
        (json!({ "to": "110" }), 422, "emergency_number"),
        (json!({ "to": "0691-110" }), 422, "emergency_number"),
        (json!({ "to": "12345" }), 422, "hotline_number"),
        (json!({ "to": "+8669112366" }), 422, "hotline_number"),
        (json!({ "to": "0044207946000" }), 422, "number_not_allowed"),
        // An area's or another carrier's code before a mobile number would hide it from lists and counts.
        (json!({ "to": format!("0691{PERSON}") }), 422, "number_not_allowed"),
        (json!({ "to": format!("12593{PERSON}") }), 422, "number_not_allowed"),
        (json!({ "to": "9".repeat(30) }), 422, "number_not_allowed"),
        (json!({ "to": "911" }), 422, "number_not_allowed"),
        (json!({ "to": "112" }), 422, "emergency_number"),
        (json!({ "to": PERSON, "hotline": "12336" }), 422, "unknown_hotline"),
        (json!({ "to": "nobody" }), 422, "no_number"),
        (json!({ "to": "seat:desk-0" }), 422, "unsupported"),
        (json!({ "to": PERSON, "hotline": "99999" }), 422, "unknown_hotline"),
        (json!({ "to": PERSON, "hotline": "110" }), 422, "unknown_hotline"),
        (json!({ "callback": "nope" }), 404, "no_such_row"),
        (json!({}), 422, "nobody_to_call"),
        (json!({ "to": PERSON, "number": "1" }), 422, "body"),
    ] {
        let (found, problem) = verb(&gateway, "call", &body);
        assert_eq!((found, problem["code"].as_str().unwrap_or_default()), (status, code), "{body}: {problem}");
    }
    let block = json!({ "number": PERSON, "list": "blocked", "reason": "r", "approver": "a" }).to_string();
    let blocked = http::send(gateway.http, "POST", "/api/v1/numbers", "Content-Type: application/json\r\n", &block).unwrap();
    assert_eq!(blocked.0, 202, "{}", blocked.1);
    let headers = "Content-Type: application/json\r\nAccept-Language: zh\r\n";
    let body = json!({ "to": PERSON }).to_string();
    let (status, text) = http::send(gateway.http, "POST", "/api/v1/seats/desk-0/call", headers, &body).unwrap();
    assert!(status == 422 && text.contains("blocked_number") && text.contains("黑名单"), "{text}");
    assert_eq!(snapshot(&gateway)["seat"]["n"].as_u64(), Some(before));
    gateway.wait_until_idle();
}

#[test]
fn whom_a_seat_was_shown_is_shown_no_longer_when_its_shift_ends() {
    let gateway = started(vec![1]);
    let (mut stream, _) = signed_in(&gateway);
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON, "preview": true })).0, 200);
    stream.until("preview");
    assert_eq!(verb(&gateway, "logout", &json!({})).0, 200);
    stream.until("preview_ended");
    assert!(snapshot(&gateway)["preview"].is_null());
    // Shown again, and placed with a ticket that came to mind later.
    assert_eq!(verb(&gateway, "login", &json!({})).0, 200);
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON, "ticket": "T-1", "preview": true })).0, 200);
    assert_eq!(verb(&gateway, "call", &json!({ "ticket": "T-2" })).0, 200);
    seat.ring();
    seat.refuse(486);
    assert_eq!(gateway.record()["data"]["ticket"], "T-2");
}

#[test]
fn a_missed_caller_is_rung_back_once_also_when_the_process_dies_meanwhile() {
    let mut gateway = started(vec![1, 1]);
    signed_in(&gateway);
    let rings = gateway.seat(0, "seat_rings").start();
    gateway.caller("caller_cancels", "12345").lasts(500).start().finish();
    rings.finish();
    assert_eq!(gateway.record()["result"], "abandoned_ringing");
    let row = wait_for("the row", || callbacks(&gateway).first().cloned());
    let id = row["id"].as_str().unwrap().to_owned();
    let other = |name: &str, body: &Value| {
        let path = format!("/api/v1/seats/desk-1/{name}");
        let text = http::send(gateway.http, "POST", &path, "Content-Type: application/json\r\n", &body.to_string()).unwrap().1;
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(other("login", &json!({}))["intent"], "ready");
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let mut person = Phone::new("person", gateway.target, &gateway);
    let n = snapshot(&gateway)["seat"]["n"].as_u64().unwrap();
    let mut stream = Stream::after(&gateway, n);
    // It looks first; meanwhile nobody else has the row.
    let shown = verb(&gateway, "call", &json!({ "callback": id, "preview": true }));
    assert_eq!((shown.0, &shown.1["preview"]["callback"]), (200, &json!(id)), "{}", shown.1);
    assert_eq!(stream.until("preview")["preview"]["to"], "138******00", "masked for who is not the seat");
    assert_eq!(other("call", &json!({ "callback": id }))["code"], "leased");
    assert_eq!(verb(&gateway, "reject", &json!({})).0, 200);
    assert_eq!(stream.until("preview_ended")["data"]["why"], "declined");
    assert!(callbacks(&gateway)[0]["seat"].is_null());
    // Now it calls, and the process dies while the other phone rings.
    assert_eq!(verb(&gateway, "call", &json!({ "callback": id })).0, 200);
    seat.ring();
    assert_eq!(stream.until("ringing")["data"]["cause"], "callback");
    seat.answer();
    assert!(person.ring().start_line().contains("13800138000"));
    assert_eq!(other("call", &json!({ "callback": id }))["code"], "leased", "two who click at once are one");
    gateway.kill("-KILL");
    gateway.restart();
    let record = gateway.record();
    assert_eq!((&record["result"], &record["direction"]), (&json!("interrupted"), &json!("outbound")), "{record:#}");
    assert_eq!(record["data"]["callback"], id, "{record:#}");
    let rows = callbacks(&gateway);
    assert_eq!((rows.len(), &rows[0]["under_way"], &rows[0]["seat"]), (1, &json!(false), &json!("desk-0")), "{rows:?}");
    let listed = gateway.command(&["callbacks", "ls", "--url", &format!("http://{}", gateway.http)]).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("attempt 1") && listed.contains("desk-0  not over"), "neither lost nor doubled: {listed}");
    // The dead process' dialogs are nobody's any more.
    let (mut seat, mut person) = {
        drop((seat, person));
        (Phone::new("desk-0", gateway.seats[0], &gateway), Phone::new("person", gateway.target, &gateway))
    };
    let again = verb(&gateway, "call", &json!({ "callback": id }));
    assert_eq!(again.0, 200, "{}", again.1);
    seat.ring();
    seat.answer();
    person.ring();
    person.answer();
    wait_for("the conversation", || (snapshot(&gateway)["calls"][0]["state"] == "talking").then_some(()));
    seat.bye();
    person.hung_up();
    assert_eq!(gateway.record()["result"], "answered");
    wait_for("the row to go", || callbacks(&gateway).is_empty().then_some(()));
}

/// A program whose request got no answer, as the gateway was killed, repeats it: nobody is called a second time.
#[test]
fn a_request_that_is_repeated_after_a_kill_9_calls_nobody_twice() {
    let mut gateway = started(vec![1]);
    signed_in(&gateway);
    let (mut seat, person) = (Phone::new("desk-0", gateway.seats[0], &gateway), Phone::new("person", gateway.target, &gateway));
    let wanted = json!({ "to": PERSON, "request_id": "order-7" });
    assert_eq!(verb(&gateway, "call", &wanted).0, 200);
    seat.ring();
    gateway.kill("-KILL");
    gateway.restart();
    assert_eq!(gateway.record()["result"], "interrupted");
    drop((seat, person));
    let seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let again = verb(&gateway, "call", &wanted);
    assert_eq!((again.0, &again.1["calls"]), (200, &json!([])), "{}", again.1);
    let (status, other) = verb(&gateway, "call", &json!({ "to": "13900139001", "request_id": "order-7" }));
    // The answer to the repeated one is remembered by now, as that of any request.
    assert_eq!(status, 422, "{other}");
    gateway.kill("-KILL");
    gateway.restart();
    let (status, other) = verb(&gateway, "call", &json!({ "to": "13900139001", "request_id": "order-7" }));
    assert_eq!((status, &other["code"]), (422, &json!("other_request")), "{other}");
    assert!(seat.unread().is_empty(), "nobody was called");
    let number = rusqlite::Connection::open(gateway.folder.path().join("var/journal.db")).unwrap();
    let rows: Vec<u8> =
        number.query_row("SELECT CAST(value AS BLOB) FROM facts WHERE kind = 'request'", [], |row| row.get(0)).unwrap();
    assert!(!String::from_utf8_lossy(&rows).contains(PERSON), "no number is kept for it");
    // One that was not placed is tried again by the same id.
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON, "request_id": "order-8", "hotline": "99999" })).0, 422);
    assert_eq!(verb(&gateway, "call", &json!({ "to": PERSON, "request_id": "order-8" })).0, 200);
}
