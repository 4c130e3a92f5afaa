//! Callers whose numbers are on a list: one that is blocked hears why and is turned away, and is helped all the same; one with
//! priority goes before others.

use super::messages::prompts;
use crate::support::gateway::{Gateway, Spec};
use crate::support::http;
use crate::support::phone::Phone;
use serde_json::{Value, json};

const BLOCKED: &str = "13800138000";
const PREFERRED: &str = "13900139000";

fn phone(gateway: &Gateway, number: &str) -> Phone {
    let mut phone = Phone::new("caller", gateway.host.port(), gateway);
    phone.number = number.to_owned();
    phone
}

fn post(gateway: &Gateway, path: &str, body: Value) {
    let headers = "Content-Type: application/json\r\n";
    let (status, text) = http::send(gateway.http, "POST", path, headers, &body.to_string()).unwrap();
    assert_eq!(status, 202, "{path} {body}: {text}");
}

fn list(gateway: &Gateway, number: &str, list: &str) {
    let body = json!({ "number": number, "list": list, "reason": "骚扰电话", "approver": "王处", "days": 30 });
    post(gateway, "/api/v1/numbers", body);
}

#[test]
fn a_blocked_caller_hears_why_is_turned_away_and_reaches_110() {
    let gateway = Gateway::start(&Spec { seats: vec![1], calls: "blocked = \"announce-only\"", ..Spec::default() });
    list(&gateway, "+86 138-0013-8000", "blocked");
    let mut caller = phone(&gateway, BLOCKED);
    caller.invite("12345");
    assert!(caller.status(183, "INVITE").has_sdp("a=rtpmap:8 PCMA/8000"), "it hears why");
    let refused = caller.status(603, "INVITE");
    assert!(refused.header("Reason").contains("Q.850") && refused.header("Reason").contains("cause=21"), "{refused}");
    caller.ack();
    assert!(!caller.ear.packets().is_empty());
    let record = gateway.record();
    assert_eq!((&record["listed"], &record["sip_code"]), (&json!("blocked"), &json!(603)), "{record:#}");
    assert_eq!((prompts(&record), &record["seat"]), (vec!["announce-only"], &Value::Null), "{record:#}");

    let mut target = Phone::new("target", gateway.target, &gateway);
    let mut caller = phone(&gateway, BLOCKED);
    caller.invite("110");
    target.ring();
    target.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    target.hung_up();
    let record = gateway.record();
    assert_eq!((&record["listed"], &record["result"]), (&Value::Null, &json!("answered")), "{record:#}");

    // The same number in other digits: the last word on it holds.
    post(&gateway, "/api/v1/numbers/remove", json!({ "number": "008613800138000" }));
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut caller = phone(&gateway, BLOCKED);
    caller.invite("12345");
    seat.ring();
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    seat.hung_up();
    assert_eq!(gateway.record()["listed"], Value::Null);
}

#[test]
fn a_caller_with_priority_goes_before_one_who_came_earlier() {
    let gateway = Gateway::start(&Spec { seats: vec![1], ..Spec::default() });
    list(&gateway, "0086 139 0013 9000", "priority");
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let (mut first, mut earlier, mut preferred) =
        (phone(&gateway, BLOCKED), phone(&gateway, "13700137000"), phone(&gateway, PREFERRED));
    first.invite("12345");
    seat.ring();
    seat.answer();
    first.status(200, "INVITE");
    first.ack();
    for waits in [&mut earlier, &mut preferred] {
        waits.invite("12345");
        waits.status(183, "INVITE");
    }
    first.bye();
    seat.hung_up();
    for caller in [&mut preferred, &mut earlier] {
        let number = caller.number.clone();
        let rung = seat.ring();
        assert!(rung.header("P-Asserted-Identity").contains(&number), "{number}: {rung}");
        seat.answer();
        caller.status(200, "INVITE");
        caller.ack();
        caller.bye();
        seat.hung_up();
    }
    for _ in 0..3 {
        let record = gateway.record();
        let wanted = if record["caller"] == PREFERRED { json!("priority") } else { Value::Null };
        assert_eq!(record["listed"], wanted, "{record:#}");
    }
}
