//! Emergency lines and platforms that send callers to each other: whose 110 it is, who comes first, where a circle ends.

use crate::support::gateway::{Gateway, Spec};
use crate::support::http;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::wait_for;
use serde_json::{Value, json};

const PLAN: &str = r#"
[plan]
name = "某省12345"

[[line]]
number = "12345"
mode = "front"

[[line]]
number = "110"
mode = "emergency"
targets = [{ number = "0971-110", area = "971" }, { number = "0970-110", area = "970" }, "110"]

[[line]]
number = "0971-12345"
mode = "platform"

[[line]]
number = "12380"
mode = "guided"
guide-prompt = "guide"

[[line]]
number = "12388"
mode = "guided"
guide-prompt = "guide"
offer = "1"

[prompts.guide]
text = "请拨打{number}。"
"#;

/// A phone that brings a call by the trunk, and a seat that has answered it.
struct Scene {
    gateway: Gateway,
    caller: Phone,
    seat: Phone,
    call: String,
}

fn gateway(seats: &[u32]) -> Gateway {
    Gateway::start(&Spec { plan: Some(PLAN.to_string()), seats: seats.to_vec(), ..Spec::default() })
}

impl Scene {
    fn talking(headers: &'static str, dialled: &str) -> Scene {
        let gateway = gateway(&[1]);
        let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
        let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
        caller.headers = headers;
        caller.invite(dialled);
        let call = answered(&mut seat, &mut caller).header("X-Hotline-Call-ID").to_string();
        Scene { gateway, caller, seat, call }
    }

    fn moves(&self, to: Value) -> (u16, Value) {
        let path = format!("/api/v1/calls/{}/transfer", self.call);
        let address = self.gateway.http;
        let (status, body) = http::send(address, "POST", &path, "Content-Type: application/json\r\n", &to.to_string()).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }
}

fn answered(seat: &mut Phone, caller: &mut Phone) -> Message {
    let invite = seat.ring();
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    invite
}

#[test]
fn the_seat_chooses_whose_110_it_is_where_the_callers_city_is_unknown() {
    let mut scene = Scene::talking("", "12345");
    let (status, problem) = scene.moves(json!({ "to": "110", "mode": "emergency" }));
    assert_eq!((status, &problem["areas"]), (409, &json!(["970", "971"])), "{problem:#}");
    assert_eq!(problem["detail"], "the caller's city is not known: say whose line it is, by the area code");
    scene.seat.headers = "Refer-To: <tel:110>\r\n";
    scene.seat.refer();
    scene.seat.status(484, "REFER");

    let mut target = Phone::new("target", scene.gateway.target, &scene.gateway);
    assert_eq!(scene.moves(json!({ "to": "110", "mode": "emergency", "area": "970" })).0, 202);
    assert!(target.ring().start_line().starts_with("INVITE sip:0970110@"));
    target.answer();
    scene.caller.bye();
    scene.seat.bye();
    target.hung_up();
    assert_eq!(scene.gateway.record()["transfers"][0]["kind"], "emergency");
}

#[test]
fn a_key_that_cannot_say_whose_110_is_answered_by_a_voice() {
    let mut scene = Scene::talking("", "12345");
    for key in "*110#".chars() {
        scene.seat.info(key);
    }
    wait_for("the notice", || spoken(&scene.seat, "choose-area").then_some(()));
    assert!(!spoken(&scene.caller, "choose-area"), "the caller's ear is spared");
}

/// Tells whether a piece of the prompt has come, sample by sample.
fn spoken(phone: &Phone, prompt: &str) -> bool {
    let sound = std::fs::read(format!("dialplans/prompts/{prompt}.al")).unwrap();
    let piece = &sound[4000..4160];
    phone.ear.packets().iter().any(|packet| packet.payload == piece)
}

#[test]
fn a_seat_has_the_number_spoken_to_a_caller_it_may_not_connect() {
    let scene = Scene::talking("", "12345");
    assert_eq!(scene.moves(json!({ "to": "12380", "mode": "blind" })).0, 202);
    wait_for("the number", || spoken(&scene.caller, "guide-12380").then_some(()));
    assert!(!spoken(&scene.seat, "guide-12380"));
    let legs = scene.gateway.get(&format!("/api/v1/calls/{}", scene.call)).unwrap().1;
    assert!(legs.contains("desk-0"), "the seat stays: {legs}");
}

#[test]
fn a_guided_line_names_its_number_and_connects_by_a_key() {
    let gateway = gateway(&[1]);
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let mut target = Phone::new("target", gateway.target, &gateway);
    caller.invite("12388");
    let early = caller.status(183, "INVITE");
    wait_for("the number", || spoken(&caller, "guide-12388").then_some(()));
    caller.press(&early, "21");
    assert!(target.ring().start_line().starts_with("INVITE sip:12388@"));
    target.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    target.hung_up();
    assert_eq!(gateway.record()["hotline"]["mode"], "guided");
}

#[test]
fn a_caller_that_110_sends_goes_before_those_who_wait_where_its_trunk_is_believed() {
    for believed in ["emergency_history = true", ""] {
        sent_by_110(believed);
    }
}

fn sent_by_110(trunk: &'static str) {
    let gateway = Gateway::start(&Spec { plan: Some(PLAN.to_string()), seats: vec![1], trunk, ..Spec::default() });
    let mut phones: Vec<Phone> = (0..3).map(|_| Phone::new("caller", gateway.host.port(), &gateway)).collect();
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    phones[0].invite("12345");
    answered(&mut seat, &mut phones[0]);
    phones[1].invite("12345");
    phones[1].status(183, "INVITE");
    phones[2].headers = "History-Info: <sip:110@127.0.0.1>;index=1\r\nHistory-Info: <sip:12345@127.0.0.1>;index=1.1\r\n";
    phones[2].invite("12345");
    phones[2].status(183, "INVITE");
    seat.bye();
    let (first, second) = if trunk.is_empty() { (1, 2) } else { (2, 1) };
    let one = answered(&mut seat, &mut phones[first]);
    seat.bye();
    let other = answered(&mut seat, &mut phones[second]);
    let sent = if first == 2 { one } else { other };
    assert!(sent.headers("History-Info")[0].starts_with("<sip:110@"), "where it comes from is shown: {sent}");
}

#[test]
fn a_circle_of_platforms_ends_at_the_first_receiver() {
    // It was here, went to Xining, and is back for Xining.
    let round = "History-Info: <sip:12345@127.0.0.1>;index=1\r\nHistory-Info: <sip:097112345@127.0.0.1>;index=1.1\r\n\
                 History-Info: <sip:12345@127.0.0.1>;index=1.1.1\r\n";
    let scene = Scene::talking(round, "097112345");
    let (status, problem) = scene.moves(json!({ "to": "0971-12345", "mode": "consult" }));
    assert_eq!(
        (status, problem["detail"].as_str()),
        (409, Some("this caller has been there and came back: the first receiver keeps the call"))
    );
    // Anybody else is connected.
    let mut other = Phone::new("other", scene.gateway.host.port(), &scene.gateway);
    let mut target = Phone::new("target", scene.gateway.target, &scene.gateway);
    other.invite("097112345");
    let invite = target.ring();
    assert_eq!(invite.header("Max-Forwards"), "69");
    target.answer();
    other.status(200, "INVITE");
    other.ack();
}

/// A platform whose exchange sends callers back, by a trunk that is told nothing of where a call has been.
fn blind(trunk: &'static str) -> (Gateway, Phone, Phone) {
    let gateway = Gateway::start(&Spec { plan: Some(PLAN.to_string()), seats: vec![1], trunk, ..Spec::default() });
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let target = Phone::new("target", gateway.target, &gateway);
    caller.invite("097112345");
    (gateway, caller, target)
}

/// The platform's exchange sends the call back: as the header lines say, in the name of this number.
fn sent_back(gateway: &Gateway, number: &str, headers: String) -> Phone {
    let mut back = Phone::new("back", gateway.host.port(), gateway);
    (back.number, back.headers) = (number.to_owned(), headers.leak());
    back.invite("097112345");
    back
}

#[test]
fn a_call_that_its_target_sends_back_stays_here_though_no_history_tells() {
    // Our mark has come through.
    let (gateway, caller, mut target) = blind("history = \"none\"");
    let invite = target.ring();
    assert_eq!((invite.headers("History-Info").len(), invite.header("Max-Forwards")), (0, "69"));
    let mark = format!("X-Hotline-Call-ID: {}\r\n", invite.header("X-Hotline-Call-ID"));
    let mut back = sent_back(&gateway, "13900139000", mark);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    assert_eq!(answered(&mut seat, &mut back).header("Max-Forwards"), "69");
    seat.bye();
    caller.cancel();
    // The number that the trunk shows is nobody else's.
    let (gateway, _caller, mut target) = blind("history = \"none\"\nidentity = \"own\"\nnumber = \"097188888888\"");
    target.ring();
    let mut back = sent_back(&gateway, "097188888888", String::new());
    answered(&mut Phone::new("seat", gateway.seats[0], &gateway), &mut back);
    // A Diversion of ours beside a History-Info of theirs.
    let (gateway, _caller, mut target) = blind("history = \"diversion\"");
    assert!(target.ring().header("Diversion").starts_with("<sip:097112345@"));
    let headers = "History-Info: <sip:12380@x>;index=1\r\nDiversion: <sip:12345@x>\r\nDiversion: <sip:097112345@x>\r\n";
    let mut back = sent_back(&gateway, "13900139000", headers.to_owned());
    answered(&mut Phone::new("seat", gateway.seats[0], &gateway), &mut back);
}

/// Only the caller's number comes through, and all come from one address: some may be other people of that number.
#[test]
fn a_circle_that_nothing_but_the_caller_tells_of_ends_after_a_few_rounds() {
    let (gateway, caller, mut target) = blind("history = \"none\"");
    target.ring();
    let mut rounds = Vec::new();
    for _ in 0..7 {
        rounds.push(sent_back(&gateway, &caller.number, String::new()));
        target.ring();
    }
    let mut back = sent_back(&gateway, &caller.number, String::new());
    answered(&mut Phone::new("seat", gateway.seats[0], &gateway), &mut back);
    // Somebody else is connected there all the same.
    let _other = sent_back(&gateway, "13900139001", String::new());
    target.ring();
}
