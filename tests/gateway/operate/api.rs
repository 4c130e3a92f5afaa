//! The API as its OpenAPI document has it: what the running gateway answers is held against the schemas that it serves.

use super::bench::{Bench, Running};
use crate::support::wait_until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::UdpSocket;

/// Lists what a value has that the schema does not allow. Knows the words that the document uses, and fails on any other.
fn complaints(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                complaints(document, document.pointer(pointer).unwrap(), value, at, found);
            }
            "type" => {
                let types: Vec<&str> = rule.as_array().map_or_else(|| vec![rule.as_str().unwrap()], |all| names(all));
                if !types.iter().any(|kind| is(value, kind)) {
                    found.push(format!("{at}: {value} is no {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => found.push(format!("{at}: {value} is none of {rule}")),
            "required" => {
                for name in
                    names(rule.as_array().unwrap()).into_iter().filter(|name| value[name].is_null() && value.get(name).is_none())
                {
                    found.push(format!("{at}: no {name}"));
                }
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        complaints(document, schema, value, &format!("{at}.{name}"), found);
                    }
                }
            }
            "additionalProperties" => {
                let known: BTreeSet<&String> =
                    schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
                for (key, value) in value.as_object().unwrap().iter().filter(|(key, _)| !known.contains(key)) {
                    match rule {
                        Value::Object(_) => complaints(document, rule, value, &format!("{at}.{key}"), found),
                        _ => found.push(format!("{at}: {key} is not in the document")),
                    }
                }
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    complaints(document, rule, value, &format!("{at}[{i}]"), found);
                }
            }
            "minimum" => {
                if value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap()) {
                    found.push(format!("{at}: {value} is less than {rule}"));
                }
            }
            "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut found = Vec::new();
                    complaints(document, schema, value, at, &mut found);
                    found.is_empty()
                };
                if rule.as_array().unwrap().iter().filter(fits).count() != 1 {
                    found.push(format!("{at}: {value} is not just one of {rule}"));
                }
            }
            "const" if value != rule => found.push(format!("{at}: {value} is not {rule}")),
            "enum" | "const" | "format" | "description" => {}
            word => panic!("{at}: this test does not know `{word}`"),
        }
    }
}

fn names(list: &[Value]) -> Vec<&str> {
    list.iter().map(|name| name.as_str().unwrap()).collect()
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        _ => panic!("no type {kind}"),
    }
}

#[test]
fn the_judge_says_no() {
    let served = Bench::new().start().get("/api/v1/openapi.json").unwrap().1;
    let document: Value = serde_json::from_str(&served).unwrap();
    let leg = serde_json::json!({ "leg": 1, "party": "desk", "state": "talking", "on_hold": false, "muted": false });
    let judge = |change: fn(&mut Value)| {
        let (mut leg, mut found) = (leg.clone(), Vec::new());
        change(&mut leg);
        complaints(&document, &document["components"]["schemas"]["Leg"], &leg, "leg", &mut found);
        found
    };
    assert!(judge(|_| {}).is_empty());
    assert_eq!(judge(|leg| leg["leg"] = "1".into()), ["leg.leg: \"1\" is no \"integer\""]);
    assert_eq!(judge(|leg| leg["state"] = "away".into()).len(), 1);
    assert_eq!(judge(|leg| leg["more"] = true.into()), ["leg: more is not in the document"]);
    assert_eq!(judge(|leg| drop(leg.as_object_mut().unwrap().remove("party"))), ["leg: no party"]);
}

/// A gateway with a call in which caller and seat talk.
struct Scene {
    bench: Bench,
    document: Value,
    call: String,
    /// Where targets are called: nobody answers there.
    _target: UdpSocket,
    _caller: std::process::Child,
    _seat: Running,
}

impl Scene {
    fn talking() -> Scene {
        let target = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = target.local_addr().unwrap().port().to_string();
        let bench = Bench::new().set("TRUNKS__LOOPBACK__PORT", &port).start();
        let seat = bench.seat();
        let caller = bench.call("12345", &["-m", "1", "-d", "15000"]);
        wait_until("answered", || bench.metric("calls_answered_total") == 1);
        let document = serde_json::from_str(&bench.get("/api/v1/openapi.json").unwrap().1).unwrap();
        let (_, calls) = bench.get("/api/v1/calls").unwrap();
        let calls: Value = serde_json::from_str(&calls).unwrap();
        let call = calls["calls"][0]["id"].as_str().unwrap().to_string();
        Scene { bench, document, call, _target: target, _caller: caller, _seat: seat }
    }

    /// Asks, and holds the answer against what the document says of it.
    fn ask(&self, method: &str, template: &str, rest: &[(&str, &str)], body: &str) -> (u16, Value) {
        let path = rest.iter().fold(template.replace("{id}", &self.call), |path, (name, value)| path.replace(name, value));
        let (status, answer) = self.bench.http_full(method, &path, "", body).unwrap();
        let value: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{path}: {answer}"));
        let responses = &self.document["paths"][template][method.to_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        assert!(response.is_object(), "{method} {template}: {status} is not in the document: {answer}");
        let response = response["$ref"].as_str().map_or(response, |r| self.document.pointer(&r[1..]).unwrap());
        let (_, content) = response["content"].as_object().unwrap().iter().next().unwrap();
        let mut found = Vec::new();
        complaints(&self.document, &content["schema"], &value, template, &mut found);
        assert!(found.is_empty(), "{method} {path}: {answer}\n{}", found.join("\n"));
        (status, value)
    }
}

#[test]
fn real_answers_are_as_the_document_has_them() {
    let scene = Scene::talking();
    let transfer = "/api/v1/calls/{id}/transfer";
    let acts = format!("{transfer}/{{act}}");
    let legs = "/api/v1/calls/{id}/legs/{leg}";
    assert_eq!(scene.ask("GET", "/healthz", &[], "").0, 200);
    assert_eq!(scene.ask("GET", "/readyz", &[], "").0, 200);
    assert_eq!(scene.ask("GET", "/api/v1/status", &[], "").1["calls"], 1);
    assert_eq!(scene.ask("GET", "/api/v1/calls", &[], "").1["total"], 1);
    assert_eq!(scene.ask("GET", "/api/v1/calls/{id}", &[], "").1["legs"].as_array().unwrap().len(), 2);
    assert_eq!(scene.ask("GET", "/api/v1/calls/{id}", &[(&scene.call, "no-uuid")], "").0, 400);
    assert_eq!(scene.ask("GET", "/api/v1/calls/{id}", &[(&scene.call, "01890000-0000-7000-8000-000000000000")], "").0, 404);
    assert_eq!(scene.ask("POST", transfer, &[], "{").0, 400);
    assert_eq!(scene.ask("POST", transfer, &[], r#"{"to": "99999", "mode": "blind"}"#).0, 422);
    assert_eq!(scene.ask("POST", &acts, &[("{act}", "complete")], "").0, 409);
    assert_eq!(scene.ask("DELETE", legs, &[("{leg}", "9")], "").0, 404);
    let subjects = "/api/v1/calls/{id}/subjects";
    assert_eq!(scene.ask("POST", subjects, &[], r#"{"subjects": ["旅游投诉"]}"#).1["status"], "tagged");
    assert_eq!(scene.ask("POST", subjects, &[], r#"{"subjects": []}"#).0, 422);
    assert_eq!(scene.ask("GET", "/api/v1/records", &[], "").1["records"][0]["call_id"], *scene.call);
    assert_eq!(scene.ask("POST", "/api/v1/reload", &[], "").0, 200);
    assert_eq!(scene.ask("POST", "/api/v1/drain", &[], "").0, 202);
    wait_until("draining", || scene.ask("GET", "/readyz", &[], "").0 == 503);
    assert_eq!(scene.ask("DELETE", "/api/v1/drain", &[], "").0, 202);
    wait_until("ready", || scene.ask("GET", "/readyz", &[], "").0 == 200);
    assert_eq!(scene.ask("DELETE", legs, &[("{leg}", "1")], "").0, 202);
}

#[test]
fn the_command_line_shows_calls_and_moves_them() {
    let scene = Scene::talking();
    let (bench, call) = (&scene.bench, scene.call.as_str());
    let listed = bench.answer(&["calls"]);
    let row = listed.lines().find(|line| line.starts_with(call)).unwrap();
    assert!(row.contains("12345") && row.contains("talking") && row.contains("desk talking"), "{listed}");
    let json: Value = serde_json::from_str(&bench.answer(&["calls", "--json"])).unwrap();
    assert_eq!(json["calls"][0]["id"], call);
    assert!(bench.answer(&["calls", "show", call]).contains("leg 1   desk talking"));
    let refused = |arguments: &[&str], why: &str| {
        let output = bench.ask(&[&["calls"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(why), "{arguments:?}: {text}");
    };
    refused(&["show", "01890000-0000-7000-8000-000000000000"], "there is no such call, or it is over");
    refused(&["transfer", call, "99999"], "the dial plan has nobody to call for this number");
    refused(&["complete", call], "no transfer is under way");
    refused(&["show", "twelve"], "invalid value 'twelve'");
    assert!(bench.answer(&["calls", "transfer", call, "110", "--mode", "emergency"]).starts_with("under way"));
    wait_until("the target is called", || bench.answer(&["calls", "show", call]).contains("110 ringing"));
    bench.answer(&["calls", "cancel", call]);
    wait_until("it is not any more", || !bench.answer(&["calls", "show", call]).contains("110 "));
    bench.answer(&["calls", "drop", call, "1"]);
    wait_until("the call has ended", || bench.answer(&["calls"]).contains("no calls"));
}

#[test]
fn drain_waits_for_the_last_call_and_may_be_undone() {
    let scene = Scene::talking();
    let bench = &scene.bench;
    assert_eq!(bench.answer(&["drain", "--status"]), "taking calls; 1 call in progress\n");
    let output = bench.ask(&["drain", "--within", "300ms"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 calls are left"), "{output:?}");
    assert_eq!(bench.answer(&["drain", "--undo"]), "new calls are taken again\n");
    wait_until("ready", || bench.get("/readyz").unwrap().0 == 200);
    bench.answer(&["drain", "--no-wait"]);
    let waits = bench.command(&["drain"]).spawn().unwrap();
    wait_until("draining", || bench.get("/readyz").unwrap().0 == 503);
    bench.answer(&["calls", "drop", &scene.call, "1"]);
    let output = waits.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.ends_with("draining; no call in progress\n"), "{shown}");
}

#[test]
fn the_command_line_says_why_a_gateway_cannot_be_asked() {
    let bench = Bench::new();
    let complains = |arguments: &[&str], why: &str| {
        let output = bench.command(arguments).env_remove("HOTLINE_TOKEN").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(why), "{arguments:?}: {text}");
    };
    complains(&["calls"], &format!("no gateway answers at http://{}: start one", bench.http));
    complains(&["drain", "--url", "nonsense"], "nonsense is no address such as http://127.0.0.1:8080");
    complains(&["drain", "--token-file", "nowhere"], "nowhere: No such file");

    let token = "a-token-for-whoever-looks";
    let site = format!("[http.tokens.a]\nroles = ['viewer']\nsecret = '{token}'\n");
    let bench = Bench::new().site(&site).start();
    let ask = |arguments: &[&str], token: &str| {
        let output = bench.command(arguments).env("HOTLINE_TOKEN", token).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(ask(&["calls"], token).0, Some(0));
    let (code, why) = ask(&["calls"], "");
    assert!(code == Some(2) && why.contains("a bearer token is needed") && why.contains("--token-file"), "{why}");
    assert!(ask(&["calls"], "wrong").1.contains("none of [http.tokens]"));
    assert!(ask(&["drain"], token).1.contains("this needs the role admin; `a` has: viewer"));
    std::fs::write(bench.folder.path().join("token"), format!("{token}\n")).unwrap();
    bench.answer(&["calls", "--token-file", "token"]);
}
