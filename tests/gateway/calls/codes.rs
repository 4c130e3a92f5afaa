//! Carriers with ways of their own: codes that are not the RFCs', numbers in other spellings and places, identities that they ask for.

use super::toolbar::{Stream, verb};
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use serde_json::{Value, json};

const PLAN: &str = r#"
[plan]
name = "test"
area = "691"

[[line]]
number = "12345"
mode = "front"

[[line]]
number = "12366"
mode = "linked"
targets = ["12366", { number = "12366", trunk = "loopback" }, "2122110"]

[[line]]
number = "12336"
mode = "merged"
connect-from = 2020-01-01
announce-only-from = 2021-01-01

[[line]]
number = "110"
mode = "emergency"
targets = ["110", { number = "110", trunk = "loopback" }]

[prompts.connect]
text = "您拨打的{number}已并入12345。"
[prompts.announce-only]
text = "请拨12345。"
"#;

const ALWAYS: &str = "[outbound]\nhours = [\"daily 00:00-24:00\"]";

fn gateway(trunk: &'static str, calls: &'static str) -> Gateway {
    let plan = Some(PLAN.to_owned());
    Gateway::start(&Spec { trunk, calls, plan, seats: vec![1], desks: "sign_in = \"asked\"\n", ..Spec::default() })
}

fn phones(gateway: &Gateway) -> (Phone, Phone) {
    let caller = Phone::new("caller", gateway.host.port(), gateway);
    (caller, Phone::new("target", gateway.target, gateway))
}

/// The number that is called by this INVITE.
fn called(invite: &crate::support::message::Message) -> String {
    let line = invite.start_line();
    line.split("sip:").nth(1).and_then(|rest| rest.split('@').next()).unwrap_or_default().to_owned()
}

fn legs(record: &Value) -> Vec<(Value, Value)> {
    let legs = record["legs"].as_array().unwrap().iter().skip(1);
    legs.map(|leg| (leg["sip_code"].clone(), leg["refusal"]["means"].clone())).collect()
}

#[test]
fn a_number_that_its_network_refuses_is_tried_by_no_other_way() {
    let gateway = gateway("causes = \"ims-cn\"", "");
    for (status, means) in [(482, "blocked_number"), (473, "called_too_often")] {
        let (mut caller, mut target) = phones(&gateway);
        caller.invite("12366");
        assert_eq!(called(&target.ring()), "12366");
        target.refuse(status);
        assert_eq!(called(&target.ring()), "06912122110", "not the same number by another way");
        target.refuse(478);
        let told = caller.status(403, "INVITE");
        assert!(told.header("Reason").contains("Q.850;cause=21"), "{told}");
        caller.ack();
        let record = gateway.record();
        assert_eq!(legs(&record), [(json!(status), json!(means)), (json!(478), json!("outside_hours"))], "{record:#}");
        assert_eq!((&record["sip_code"], &record["q850"]), (&json!(403), &json!(21)), "{record:#}");
        let refusal = &record["legs"][1]["refusal"];
        assert!(refusal["zh"].as_str().unwrap().starts_with("被叫") && refusal["about"] == "number", "{refusal}");
    }
    assert_eq!(gateway.metric("lines_refused_total"), 0);
}

#[test]
fn a_line_that_is_suspended_costs_no_number_its_other_way() {
    let gateway = gateway("causes = \"ims-cn\"", "");
    let (mut caller, mut target) = phones(&gateway);
    caller.invite("12366");
    assert_eq!(called(&target.ring()), "12366");
    target.refuse_saying("503 Line Suspended");
    assert_eq!(called(&target.ring()), "12366", "the same number by another way");
    target.refuse_saying("503 Service Unavailable");
    assert_eq!(called(&target.ring()), "06912122110");
    target.refuse(486);
    caller.status(486, "INVITE");
    caller.ack();
    let record = gateway.record();
    let plain = |status: u16| (json!(status), Value::Null);
    assert_eq!(legs(&record), [(json!(503), json!("suspended")), plain(503), plain(486)], "{record:#}");
    assert_eq!(gateway.metric("lines_refused_total"), 1);
}

#[test]
fn an_emergency_line_is_tried_by_every_way_whatever_the_code() {
    let gateway = gateway("causes = \"ims-cn\"", "");
    let (mut caller, mut target) = phones(&gateway);
    caller.invite("110");
    for status in [482, 474] {
        assert_eq!(called(&target.ring()), "110");
        target.refuse(status);
    }
    caller.status(480, "INVITE");
    caller.ack();
    assert_eq!(legs(&gateway.record()), [(json!(482), Value::Null), (json!(474), Value::Null)]);
}

#[test]
fn without_a_map_codes_mean_what_the_rfcs_say() {
    let gateway = gateway("", "");
    let (mut caller, mut target) = phones(&gateway);
    caller.invite("12366");
    for number in ["12366", "12366", "06912122110"] {
        assert_eq!(called(&target.ring()), number);
        target.refuse(482);
    }
    caller.status(482, "INVITE");
    caller.ack();
    let record = gateway.record();
    assert!(!record.to_string().contains("refusal"), "{record:#}");
}

#[test]
fn a_seat_is_told_in_words_why_a_network_refused_and_asks_again_in_vain() {
    let gateway = gateway("causes = \"ims-cn\"", ALWAYS);
    let answer = verb(&gateway, "login", &json!({}));
    assert_eq!(answer.0, 200, "{}", answer.1);
    let mut stream = Stream::after(&gateway, answer.1["n"].as_u64().unwrap());
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let mut person = Phone::new("person", gateway.target, &gateway);
    let wanted = json!({ "to": "13900139000" });
    assert_eq!(verb(&gateway, "call", &wanted).0, 200);
    seat.ring();
    seat.answer();
    person.ring();
    person.refuse(474);
    seat.hung_up();
    let failed = stream.until("outbound_failed");
    assert_eq!((&failed["data"]["status"], &failed["data"]["q850"]), (&json!(474), &json!(21)), "{failed}");
    let refusal = &failed["data"]["refusal"];
    assert_eq!((&refusal["means"], &refusal["zh"]), (&json!("blocked_number"), &json!("被叫在黑名单中")), "{failed}");
    let record = gateway.record();
    assert_eq!((&record["sip_code"], &record["legs"][0]["refusal"]["about"]), (&json!(474), &json!("number")), "{record:#}");
    let (status, problem) = verb(&gateway, "call", &wanted);
    assert_eq!((status, &problem["code"], &problem["retry"]), (409, &json!("refused_by_network"), &json!(true)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("240 min"), "{problem}");
    let other = verb(&gateway, "call", &json!({ "to": "13900139001" }));
    assert_eq!(other.0, 200, "another number is another matter: {}", other.1);
}

#[test]
fn a_trunk_is_refused_by_the_code_that_it_wants() {
    let gateway = gateway("causes = \"own\"", "[causes.own]\nours = [{ code = 410, sends = 404 }]");
    let (mut caller, _) = phones(&gateway);
    caller.invite("12336");
    let told = caller.status(404, "INVITE");
    assert!(told.header("Reason").contains("Q.850;cause=22"), "{told}");
    caller.ack();
    assert_eq!(gateway.record()["sip_code"], 410, "the record has our own");
}

#[test]
fn a_hotline_is_found_where_the_trunk_says_it_and_in_its_spelling() {
    let trunk = "dialled_from = [\"request-uri\", \"history-info\", \"to\"]\n\
                 called_in = [{ match = \"95512366\", strip = 3 }]\ncaller_in = [{ match = \"91??????????\", strip = 1 }]\n\
                 called_out = [{ match = \"0*\", strip = 1, prepend = \"+86\" }]";
    let gateway = gateway(trunk, "");
    for (headers, dialled) in [
        ("History-Info: <sip:95512366@carrier>;index=1\r\nHistory-Info: <sip:account7@gw>;index=1.1\r\n", "account7"),
        ("", "95512366"),
    ] {
        let (mut caller, mut target) = phones(&gateway);
        (caller.headers, caller.number) = (headers, "913800138000".to_owned());
        caller.invite(dialled);
        let first = target.ring();
        assert_eq!(called(&first), "12366");
        let history = first.headers("History-Info").join(" ");
        assert!(history.contains("<sip:12366@") && !history.contains("account7"), "{first}");
        target.refuse(486);
        target.ring();
        target.refuse(486);
        assert_eq!(called(&target.ring()), "+866912122110", "as the trunk writes it");
        target.refuse(486);
        caller.status(486, "INVITE");
        caller.ack();
        let record = gateway.record();
        assert_eq!((&record["hotline"]["number"], &record["caller"]), (&json!("12366"), &json!("13800138000")), "{record:#}");
        assert_eq!(record["hotline"]["diverted_from"], Value::Null, "{record:#}");
    }
}

#[test]
fn a_trunk_sees_its_own_number_and_an_emergency_line_the_caller_s() {
    let trunk = "identity = \"own\"\nnumber = \"+8669112345\"\nhistory = \"diversion\"";
    let gateway = gateway(trunk, "");
    for (dialled, shown) in [("12366", "+8669112345"), ("110", "13800138000")] {
        let (mut caller, mut target) = phones(&gateway);
        caller.invite(dialled);
        let invite = target.ring();
        for header in ["From", "P-Asserted-Identity"] {
            assert!(invite.header(header).contains(&format!("<sip:{shown}@")), "{header}: {invite}");
        }
        assert!(invite.header("Diversion").starts_with(&format!("<sip:{dialled}@")), "{invite}");
        assert!(invite.headers("History-Info").is_empty(), "{invite}");
        caller.cancel();
        target.cancelled();
        gateway.record();
    }
}

/// No header and no rule for many numbers comes between whoever dials 110 and 110; and the record says where a hotline was found.
#[test]
fn an_emergency_in_the_request_goes_there_whatever_headers_say() {
    let trunk = "dialled_from = [\"to\", \"history-info\", \"request-uri\"]\ncalled_in = [{ match = \"95512366\", strip = 3 }]";
    let gateway = gateway(trunk, "");
    let story = "History-Info: <sip:12366@carrier>;index=1\r\n";
    let forged = "History-Info: <sip:12366@carrier>;index=1\r\nHistory-Info: <sip:0691110@carrier>;index=1.1\r\n";
    for (headers, dialled, number, place) in [
        (story, "110", "110", Value::Null),
        (forged, "account7", "12366", json!("history-info")),
        ("", "95512366", "12366", json!("to")),
    ] {
        let (mut caller, mut target) = phones(&gateway);
        caller.headers = headers;
        caller.invite(dialled);
        assert_eq!(called(&target.ring()), number);
        caller.cancel();
        target.cancelled();
        let record = gateway.record();
        let hotline = &record["hotline"];
        assert_eq!((&hotline["number"], &hotline["dialled_from"]), (&json!(number), &place), "{record:#}");
        let rules = if place == "to" { json!([1]) } else { Value::Null };
        assert_eq!(hotline["dialled_by_rules"], rules, "{record:#}");
        assert_eq!(hotline["dialled"], if place == "history-info" { "12366" } else { dialled }, "{record:#}");
    }
}
