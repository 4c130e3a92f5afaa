//! A seat's shift by its toolbar alone, through the gateway's ends: verbs, the stream of what happens, and a kill -9 between.

use crate::calls::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::{PATIENCE, http, wait_for};
use serde_json::{Value, json};
use std::net::TcpStream;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

pub fn signed_in_by_toolbar() -> Gateway {
    Gateway::start(&Spec { seats: vec![1], desks: "sign_in = \"asked\"\n", ..Spec::default() })
}

/// Status and answer of a verb of the seat.
pub fn verb(gateway: &Gateway, verb: &str, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/seats/desk-0/{verb}");
    let (status, text) =
        http::send(gateway.http, "POST", &path, "Content-Type: application/json\r\n", &body.to_string()).unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

pub fn snapshot(gateway: &Gateway) -> Value {
    let (status, text) = gateway.get("/api/v1/seats/desk-0").unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

pub struct Stream(WebSocket<TcpStream>);

impl Stream {
    pub fn after(gateway: &Gateway, n: u64) -> Stream {
        let stream = TcpStream::connect(gateway.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = format!("ws://{}/api/v1/seats/desk-0/events?after={n}", gateway.http);
        Stream(tungstenite::client(address.into_client_request().unwrap(), stream).unwrap().0)
    }

    fn next(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                let message: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(message["number"], message["event"]["n"]);
                return message["event"].clone();
            }
        }
    }

    /// The next event of this kind; those between are other kinds.
    pub fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["type"] == kind {
                return event;
            }
        }
    }
}

#[test]
fn a_shift_by_the_toolbar_alone() {
    let mut gateway = signed_in_by_toolbar();
    let refused = verb(&gateway, "ready", &json!({}));
    assert_eq!((refused.0, &refused.1["code"], &refused.1["fault"]), (409, &json!("signed_out"), &json!("state")));
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    let before = snapshot(&gateway)["seat"].clone();
    assert_eq!((&before["intent"], &before["queues"]), (&json!("logged_out"), &json!(["12345"])));
    let mut stream = Stream::after(&gateway, before["n"].as_u64().unwrap());
    let first = verb(&gateway, "login", &json!({ "request_id": "in" }));
    assert_eq!((first.0, &first.1["intent"]), (200, &json!("ready")));
    assert_eq!(verb(&gateway, "login", &json!({ "request_id": "in" })), first, "a request that comes twice");
    assert_eq!(verb(&gateway, "ready", &json!({})).1["n"], first.1["n"], "a verb that holds already writes nothing");
    stream.until("logged_in");

    let mut caller = Phone::new("13800138000", gateway.host.port(), &gateway);
    caller.invite("12345");
    seat.ring();
    let ringing = stream.until("ringing");
    assert_eq!((&ringing["data"]["cause"], &ringing["call"]["number"]), (&json!("queue"), &json!("12345")));
    assert!(!ringing.to_string().contains("13800138000"), "nobody's token may see it");
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    let call = stream.until("talking")["data"]["call"].clone();
    let wanted = json!({ "minutes": 10, "reason": "午餐" });
    let answer = verb(&gateway, "break", &wanted);
    assert_eq!((answer.0, &answer.1["intent"], &answer.1["next"]), (200, &json!("ready"), &json!("break")), "after the call");
    assert_eq!(snapshot(&gateway)["calls"][0]["id"], call);
    caller.bye();
    seat.hung_up();
    let last = stream.until("break");
    assert_eq!(last["data"]["reason"], "午餐");

    gateway.kill("-KILL");
    gateway.restart();
    let mut stream = Stream::after(&gateway, last["n"].as_u64().unwrap());
    let now = snapshot(&gateway)["seat"].clone();
    assert_eq!((&now["intent"], &now["reason"], &now["kind"]), (&json!("break"), &json!("午餐"), &json!("rest")));
    let ready = verb(&gateway, "end-break", &json!({}));
    assert_eq!((ready.0, &ready.1["intent"]), (200, &json!("ready")));
    assert_eq!(stream.until("ready")["seat"], "desk-0");
    assert_eq!(verb(&gateway, "end-break", &json!({})).1["code"], "not_on_break");
    assert_eq!(verb(&gateway, "logout", &json!({})).1["intent"], "logged_out");
    assert_eq!(stream.until("logged_out")["data"]["why"], "asked");
}

#[test]
fn what_no_seat_can_do_is_refused_and_changes_nothing() {
    let gateway = signed_in_by_toolbar();
    assert_eq!(verb(&gateway, "login", &json!({})).0, 200);
    let before = wait_for("the seat", || Some(snapshot(&gateway)["seat"].clone()));
    for (name, body, status, code) in [
        ("hold", json!({}), 409, "no_call"),
        ("skills", json!({ "skills": { "no such skill": 3 } }), 422, "unknown_skill"),
        ("end-wrap-up", json!({}), 409, "not_in_wrap_up"),
        ("break", json!({ "minutes": 0 }), 422, "body"),
        ("break", json!({ "minutes": 5, "rason": "x" }), 422, "body"),
        ("monitor", json!({ "seat": "desk-0" }), 403, "forbidden"),
    ] {
        let (found, problem) = verb(&gateway, name, &body);
        assert_eq!((found, problem["code"].as_str().unwrap_or_default()), (status, code), "{name} {body}: {problem}");
    }
    let (status, text) = gateway.http("POST", "/api/v1/seats/nobody/ready").unwrap();
    assert!(status == 404 && text.contains("unknown_seat"), "{text}");
    let page = http::send(gateway.http, "POST", "/api/v1/seats/desk-0/logout", "Origin: http://evil.example\r\n", "").unwrap();
    assert_eq!(page.0, 401, "{}", page.1);
    let after = snapshot(&gateway)["seat"].clone();
    assert_eq!((&after["n"], &after["intent"]), (&before["n"], &json!("ready")));
}

/// A ticket that one seat has noted of its call, for each who looks: the seat that gets the call, and a supervisor.
#[test]
fn what_a_seat_notes_of_its_call_goes_along_with_it_and_into_its_record() {
    const TOKENS: &str = "[http.tokens.desk-0]\nroles = [\"seat\"]\nseat = \"desk-0\"\nsecret = \"0123456789abcdef-desk-0\"\n\
         [http.tokens.desk-1]\nroles = [\"seat\"]\nseat = \"desk-1\"\nsecret = \"0123456789abcdef-desk-1\"\n\
         [http.tokens.boss]\nroles = [\"supervisor\"]\nsecret = \"0123456789abcdef-boss\"\n";
    let mut scene = Scene::with(&Spec { seats: vec![1, 1], records: TOKENS, ..Spec::default() });
    let mut other = Phone::new("other", scene.gateway.seats[1], &scene.gateway);
    assert!(scene.invite.headers("X-Hotline-Data").is_empty(), "nothing is noted yet");
    let at = scene.gateway.http;
    let ask = |method: &str, path: &str, who: &str, body: Value| {
        let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef-{who}\r\n");
        let (status, text) = http::send(at, method, &format!("/api/v1/seats/{path}"), &headers, &body.to_string()).unwrap();
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let given = |path: &str, who: &str, body: Value| {
        let (status, answer) = ask("POST", path, who, body);
        assert_eq!(status, 200, "{path}: {answer}");
    };
    let data = |seat: &str, who: &str| ask("GET", seat, who, Value::Null).1["calls"][0]["data"].clone();
    assert_eq!(data("desk-0", "desk-0"), json!({}));
    given("desk-0/data", "desk-0", json!({ "key": "ticket", "value": "工单 7" }));
    assert_eq!(ask("POST", "desk-0/data", "desk-0", json!({ "key": "bad key", "value": "x" })).0, 422);
    assert_eq!(ask("POST", "desk-1/data", "desk-0", json!({ "key": "ticket", "value": "x" })).0, 403, "another's call");
    assert_eq!(data("desk-0", "desk-0"), json!({ "ticket": "工单 7" }));
    given("desk-0/consult", "desk-0", json!({ "to": "seat:desk-1" }));
    let rung = other.ring();
    assert_eq!(rung.header("X-Hotline-Data"), "ticket=%E5%B7%A5%E5%8D%95%207", "{rung}");
    assert_eq!(data("desk-1", "desk-1"), json!({ "ticket": "工单 7" }), "while it rings");
    other.answer();
    let moved = || (ask("POST", "desk-0/complete", "desk-0", json!({})).0 == 200).then_some(());
    wait_for("the consultation", moved);
    scene.seat.hung_up();
    given("desk-1/data", "desk-1", json!({ "key": "by", "value": "desk-1" }));
    let all = json!({ "ticket": "工单 7", "by": "desk-1" });
    assert_eq!(data("desk-1", "desk-1"), all);
    assert_eq!(data("desk-1", "boss"), json!({ "ticket": null, "by": null }), "as numbers are masked");
    assert_eq!(data("desk-0", "desk-0"), Value::Null, "it is no call of that seat any more");
    scene.caller.bye();
    other.hung_up();
    assert_eq!(scene.gateway.record()["data"], all);
    let log = scene.gateway.log();
    assert!(!log.contains("工单") && !log.contains("%E5%B7%A5"), "{log}");
}
