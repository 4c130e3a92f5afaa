//! People mistype, programs err and strangers try at seats: each gets a clear answer, and seats, queues, lists and
//! registrations are afterwards as they were.

use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::registrant::Registrant;
use crate::support::{PATIENCE, http, wait_for, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PASSWORD: &str = "aLongPassword2026";
const JSON: &str = "Content-Type: application/json\r\n";

/// A seat whose phone is registered and who has signed in, another who has no phone, and what they look like.
struct Desk {
    gateway: Gateway,
    phone: Registrant,
    before: Value,
}

impl Desk {
    fn new() -> Desk {
        Desk::with("")
    }

    fn with(records: &'static str) -> Desk {
        let other = "strategy = \"skill-first\"\nskill = \"12315\"\n[seats.other]\nsign_in = \"asked\"\naor = \"sip:1002@127.0.0.1\"\nregister = true\n[queues.night]\nseats = [\"other\"]";
        let desks = "sign_in = \"asked\"\nskills = { 12315 = 3 }";
        let phones = Some((PASSWORD, "\"SHA-256\", \"MD5\""));
        let gateway = Gateway::start(&Spec { seats: Vec::new(), phones, desks, queue: other, records, ..Spec::default() });
        let mut phone = Registrant::new(&gateway, "1001", PASSWORD);
        let contact = phone.contact();
        assert_eq!(phone.registers(&[contact]).status(), 200);
        let mut desk = Desk { gateway, phone, before: Value::Null };
        assert_eq!(desk.verb("phone", "login", &json!({})).0, 200);
        wait_until("the phone is there", || desk.state()["seats"][1]["device"] == "idle");
        desk.before = desk.state();
        desk
    }

    fn stranger(&self, user: &'static str, password: &'static str) -> Registrant {
        Registrant::new(&self.gateway, user, password)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = http::send(self.gateway.http, "POST", path, JSON, &body.to_string()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn verb(&self, seat: &str, verb: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("/api/v1/seats/{seat}/{verb}"), body)
    }

    /// All of seats, queues, lists and registrations that does not count time.
    fn state(&self) -> Value {
        let of = |path: &str, key: &str| {
            let (status, text) = self.gateway.get(path).unwrap();
            assert_eq!(status, 200, "{path}: {text}");
            let mut found = serde_json::from_str::<Value>(&text).unwrap()[key].take();
            without_clocks(&mut found);
            found
        };
        json!({
            "seats": of("/api/v1/seats", "seats"),
            "queues": of("/api/v1/queues", "queues"),
            "callbacks": of("/api/v1/callback-list", "callbacks"),
            "numbers": of("/api/v1/numbers", "numbers"),
            "phones": self.gateway.metric("phones_registered"),
            "bindings": self.bindings(),
        })
    }

    /// As the journal keeps them.
    fn bindings(&self) -> Vec<String> {
        let journal = rusqlite::Connection::open(self.gateway.folder.path().join("var/journal.db")).unwrap();
        journal.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut rows = journal.prepare("SELECT key, hex(value) FROM facts WHERE kind = 'bindings' ORDER BY key").unwrap();
        let rows = rows.query_map([], |row| Ok(format!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn nothing_has_changed(&self) {
        assert_eq!(self.state(), self.before);
    }
}

/// Numbers that go on by themselves.
fn without_clocks(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| {
                !["n", "since", "since_seconds", "left_seconds", "longest_wait_seconds"].contains(&name.as_str())
            });
            members.values_mut().for_each(without_clocks);
        }
        Value::Array(all) => all.iter_mut().for_each(without_clocks),
        _ => {}
    }
}

#[test]
fn bad_input_wrong_passwords_are_refused_then_slowed_down_then_not_heard() {
    let desk = Desk::new();
    let mut guess = desk.stranger("1002", "aWrongPassword2026");
    let contact = guess.contact();
    for _ in 0..2 {
        assert_eq!(guess.registers(std::slice::from_ref(&contact)).status(), 401);
    }
    let text = guess.signed(&[contact]);
    guess.sends(&text);
    assert!(guess.hears(Duration::from_millis(500)).is_none(), "after three it has to wait");
    assert!(desk.gateway.metric("register_failed_total") >= 3 && desk.gateway.metric("register_unheard_total") >= 1);
    assert!(!desk.gateway.log().contains("aWrongPassword2026"));
    desk.nothing_has_changed();
}

#[test]
fn bad_input_a_replayed_nonce_is_stale_and_binds_nothing() {
    let mut desk = Desk::new();
    let contact = desk.phone.contact();
    let heard = desk.phone.signed(&[contact]);
    assert_eq!(desk.phone.asks(&heard).status(), 200);
    desk.before = desk.state();
    let thief = desk.stranger("1001", "");
    let own = format!("{};rport;branch=z9hG4bKthief", thief.own);
    let via = Message::new(&heard).header("Via").to_owned();
    let theirs = heard.replace(via.strip_prefix("SIP/2.0/UDP ").unwrap(), &own).replace(&desk.phone.contact(), &thief.contact());
    assert_eq!(thief.asks(&theirs).status(), 482, "the same request by two ways");
    let answer = thief.asks(&theirs.replace("Call-ID: ", "Call-ID: x").replace("Kthief", "Kagain"));
    assert_eq!(answer.status(), 401);
    assert!(answer.header("WWW-Authenticate").contains("stale=true"), "{answer}");
    desk.nothing_has_changed();
}

/// Each is signed with the right password, for something else than what is asked. The phone's own flow is heard all the same.
#[test]
fn bad_input_a_digest_that_was_made_for_something_else_binds_nothing() {
    let mut desk = Desk::new();
    let contact = "<sip:1001@192.0.2.66:5060>".to_owned();
    let fresh = desk.stranger("1001", PASSWORD);
    let challenge = fresh.asks(&desk.phone.unsigned(&fresh, &contact));
    assert_eq!(challenge.status(), 401);
    let challenged = |desk: &mut Desk, text: &str| desk.phone.challenged(&Message::new(text));
    let whole = challenge.to_string();
    let nonce = Message::new(&whole).header("WWW-Authenticate").split("nonce=\"").nth(1).unwrap()[..64].to_owned();
    let moved: String = nonce.chars().rev().collect();
    let later = format!("f{}", &nonce[1..]);
    // Digits of a nonce that were moved, one with another time, one of another gateway: the secret is right, the nonce is not.
    for (other, why) in [(moved, "moved"), (later, "another time"), ("0".repeat(64), "another gateway's")] {
        challenged(&mut desk, &whole.replace(&nonce, &other));
        let text = desk.phone.signed(std::slice::from_ref(&contact));
        let answer = desk.phone.asks(&text);
        assert!(answer.status() == 401 && answer.header("WWW-Authenticate").contains("stale=true"), "{why}: {answer}");
        desk.nothing_has_changed();
    }
    challenged(&mut desk, &whole);
    let peer = (desk.gateway.host.ip, desk.gateway.sip);
    let uri = format!("sip:{}:{}", peer.0, peer.1);
    for (from, to, status, why) in [
        ("realm=\"hotline\"", "realm=\"elsewhere\"", 401, "another realm"),
        ("username=\"1001\"", "username=\"1002\"", 401, "another seat's name"),
        ("username=\"1001\"", "username=\"nobody\"", 401, "nobody's name"),
        ("algorithm=SHA-256", "algorithm=MD5", 401, "the hash of another algorithm"),
        ("algorithm=SHA-256", "algorithm=SHA-1", 400, "an unknown algorithm"),
        ("qop=auth", "qop=auth-int", 401, "another protection"),
        ("nc=0000000", "nc=1000000", 401, "another count"),
        ("cnonce=\"", "cnonce=\"x", 401, "another nonce of the client"),
        ("response=\"", "response=\"0", 401, "another hash"),
        ("uri=\"sip:", "uri=\"sip:x@", 401, "another URI in the digest"),
        ("Digest ", "Basic ", 400, "another scheme"),
    ] {
        let text = desk.phone.signed(std::slice::from_ref(&contact));
        let (head, signature) = text.split_once("Authorization: ").unwrap();
        assert!(signature.contains(from), "{from}: {signature}");
        let answer = desk.phone.asks(&format!("{head}Authorization: {}", signature.replacen(from, to, 1)));
        assert_eq!(answer.status(), status, "{why}: {answer}");
        desk.nothing_has_changed();
    }
    // Signed for another request, and one signature for two.
    let text = desk.phone.signed(std::slice::from_ref(&contact));
    let elsewhere = text.replacen(&format!("REGISTER {uri} "), "REGISTER sip:example.org ", 1);
    assert_eq!(desk.phone.asks(&elsewhere).status(), 400, "the URI of the digest is not the request's");
    let call = desk.phone.invite("12345");
    let of_call = call.lines().find(|line| line.starts_with("Authorization: ")).unwrap().to_owned();
    let plain = desk.phone.signed(std::slice::from_ref(&contact));
    let own = plain.lines().find(|line| line.starts_with("Authorization: ")).unwrap();
    assert_eq!(desk.phone.asks(&plain.replace(own, &of_call)).status(), 401, "the digest of an INVITE");
    let text = desk.phone.signed(std::slice::from_ref(&contact));
    let own = text.lines().find(|line| line.starts_with("Authorization: ")).unwrap().to_owned();
    let mixed = own.replace("algorithm=SHA-256", "algorithm=MD5");
    assert_eq!(desk.phone.asks(&text.replace(&own, &format!("{mixed}\r\n{own}"))).status(), 401, "two algorithms mixed");
    desk.nothing_has_changed();
}

/// Nothing of a list in which one is wrong is bound, and nothing removed.
#[test]
fn bad_input_one_wrong_contact_of_a_list_spoils_the_list() {
    let mut desk = Desk::new();
    let (own, other) = (desk.phone.contact(), "<sip:1001@192.0.2.66:5060>".to_owned());
    for (contacts, status) in [
        (vec!["*".to_owned(), other.clone()], 400),
        (vec!["*\r\nExpires: 3600".to_owned()], 400),
        (vec![format!("*\r\nExpires: 0\r\nContact: {other}")], 400),
        (vec![format!("{own};expires=0"), "<tel:+8613800138000>".to_owned()], 400),
        (vec![format!("{own};expires=0"), "<sips:1001@192.0.2.66>".to_owned()], 400),
        (vec![format!("{own};expires=0"), "<sip:>".to_owned()], 400),
        (vec![format!("{own};expires=0"), format!("{other};expires=1")], 423),
        (vec![format!("{own};expires=0"), format!("<sip:{}@192.0.2.66>", "x".repeat(1100))], 400),
        (vec![format!("{own};expires=0\r\nPath: nonsense<")], 400),
    ] {
        let answer = desk.phone.registers(&contacts);
        assert_eq!(answer.status(), status, "{contacts:?}: {answer}");
        desk.nothing_has_changed();
    }
    // A time without end is as long as one may be.
    for expires in ["4294967295", "99999999999999999999", "-1", "soon"] {
        let answer = desk.phone.registers(&[format!("{own};expires={expires}")]);
        let granted = answer.header("Contact").split("expires=").nth(1).and_then(|text| text.parse::<u32>().ok());
        assert!(answer.status() == 200 && granted.is_some_and(|seconds| (1..=3600).contains(&seconds)), "{expires}: {answer}");
    }
    assert_eq!(desk.gateway.metric("phones_registered"), 1);
}

#[test]
fn bad_input_a_request_id_that_was_used_for_something_else_does_nothing() {
    let mut desk = Desk::new();
    assert_eq!(desk.verb("phone", "break", &json!({ "minutes": 5, "reason": "午餐", "request_id": "one" })).0, 200);
    desk.before = desk.state();
    for (seat, verb, body) in [
        ("phone", "break", json!({ "minutes": 6, "reason": "午餐", "request_id": "one" })),
        ("phone", "end-break", json!({ "request_id": "one" })),
        ("other", "break", json!({ "minutes": 5, "reason": "午餐", "request_id": "one" })),
        ("phone", "call", json!({ "to": "13900139000", "request_id": "one" })),
    ] {
        let (status, problem) = desk.verb(seat, verb, &body);
        assert_eq!(status, 422, "{seat} {verb} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("another request")), "{problem}");
        desk.nothing_has_changed();
    }
}

#[test]
fn bad_input_a_thousand_contacts_are_refused() {
    let mut desk = Desk::new();
    let contacts = |count: u16| (0..count).map(|n| format!("<sip:1001@192.0.2.1:{}>", 1024 + n)).collect::<Vec<_>>();
    assert_eq!(desk.phone.registers(&contacts(1000)).status(), 513, "no message has so many headers");
    assert_eq!(desk.phone.registers(&contacts(200)).status(), 403);
    assert_eq!(desk.phone.registers(&["<sip:1001@192.0.2.1:-2>".to_owned()]).status(), 400);
    assert_eq!(desk.phone.registers(&["*".to_owned()]).status(), 400, "without Expires: 0");
    desk.nothing_has_changed();
}

#[test]
fn bad_input_unknown_seats_queues_and_skills_are_named_as_such() {
    let desk = Desk::new();
    let long = "x".repeat(300);
    for (seat, verb, body, status, code) in [
        ("nobody", "ready", json!({}), 404, "unknown_seat"),
        ("phone%20", "ready", json!({}), 404, "unknown_seat"),
        (long.as_str(), "ready", json!({}), 404, "unknown_seat"),
        ("phone", "skills", json!({ "skills": { "no such": 3 } }), 422, "unknown_skill"),
        ("phone", "skills", json!({ "skills": { "12315": 10 } }), 422, "body"),
        ("other", "login", json!({ "skills": { "no such": 3 } }), 422, "unknown_skill"),
        ("phone", "pick-up", json!({ "seat": "nobody" }), 409, "no_call"),
    ] {
        let (found, problem) = desk.verb(seat, verb, &body);
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{seat} {verb} {body}: {problem}");
    }
    let (status, text) = desk.gateway.get("/api/v1/queues/nowhere").unwrap();
    assert!(status == 404 && text.contains("unknown_queue"), "{text}");
    desk.nothing_has_changed();
}

#[test]
fn bad_input_contradictory_configuration_is_refused_and_the_running_one_goes_on() {
    let desk = Desk::new();
    let file = desk.gateway.folder.path().join("site.toml");
    let good = fs::read_to_string(&file).unwrap();
    for (from, to, said) in [
        ("register = true\n[queues", "register = true\naddress = \"192.0.2.7:5060\"\n[queues", "exclude each other"),
        ("sip:1002@", "sip:1001@", "registers as the same user"),
        ("seats = [\"other\"]", "seats = [\"nobody\"]", "nobody"),
        ("algorithms = [\"SHA-256\", \"MD5\"]", "algorithms = []", "names no algorithm"),
        ("algorithms = [\"SHA-256\", \"MD5\"]", "algorithms = [\"SHA-1\"]", "SHA-1"),
        ("sign_in = \"asked\"\nskills", "sign_in = \"sometimes\"\nskills", "sometimes"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let checked = desk.gateway.ask(&["check"]);
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.code() == Some(2) && told.contains(said), "{to}: {told}");
        let (status, answer) = desk.post("/api/v1/reload", &Value::Null);
        assert!((400..500).contains(&status), "{to}: {answer}");
        desk.nothing_has_changed();
    }
}

#[test]
fn bad_input_codes_by_those_who_are_no_seat_are_numbers_that_do_not_exist() {
    let desk = Desk::new();
    let mut caller = Phone::new("caller", desk.gateway.host.port(), &desk.gateway);
    for code in ["*71", "*72", "*74", "*75"] {
        caller.invite(code);
        caller.status(404, "INVITE");
        caller.ack();
    }
    desk.nothing_has_changed();
    // Nor do the keys of a caller who talks to the seat count.
    caller.invite("12345");
    let invite = wait_for("the seat's phone to ring", || desk.phone.hears(PATIENCE).filter(|heard| heard.is_request("INVITE")));
    desk.phone.sends(&answered(&invite, &desk.phone));
    let answer = caller.status(200, "INVITE");
    caller.ack();
    caller.press(&answer, "*74");
    caller.bye();
    wait_until("the seat to be free", || {
        if let Some(bye) = desk.phone.hears(Duration::from_millis(20)).filter(|heard| heard.is_request("BYE")) {
            desk.phone.sends(&answered(&bye, &desk.phone));
        }
        desk.gateway.metric("seat_channels_taken") == 0
    });
    let seat = &desk.state()["seats"][1];
    assert_eq!((&seat["intent"], &seat["next"]), (&json!("ready"), &Value::Null), "{seat}");
}

/// 200, with SDP where it is to an INVITE.
pub(super) fn answered(to: &Message, phone: &Registrant) -> String {
    let copied: String = ["Via", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| to.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let tag = if to.is_request("INVITE") { ";tag=phone" } else { "" };
    let ip = phone.own.ip();
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n");
    let sdp = if to.is_request("INVITE") { sdp } else { String::new() };
    format!(
        "SIP/2.0 200 OK\r\n{copied}To: {}{tag}\r\nContact: {}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        to.header("To"),
        phone.contact(),
        sdp.len()
    )
}

#[test]
fn bad_input_a_verb_twice_is_done_once() {
    let mut desk = Desk::new();
    for (verb, body) in [
        ("login", json!({})),
        ("ready", json!({})),
        ("break", json!({ "minutes": 30, "reason": "午餐", "request_id": "b" })),
        ("end-break", json!({ "request_id": "e" })),
        ("auto-answer", json!({ "on": true })),
        ("logout", json!({})),
    ] {
        let first = desk.verb("phone", verb, &body);
        assert_eq!(first.0, 200, "{verb}: {}", first.1);
        desk.before = desk.state();
        let (status, again) = desk.verb("phone", verb, &body);
        assert_eq!((status, &again["n"]), (200, &first.1["n"]), "{verb} wrote something");
        desk.nothing_has_changed();
    }
}

#[test]
fn bad_input_a_verb_in_the_wrong_state_says_why() {
    let desk = Desk::new();
    for (seat, verb, body, status, code) in [
        ("other", "ready", json!({}), 409, "signed_out"),
        ("other", "break", json!({ "minutes": 5, "reason": "x" }), 409, "signed_out"),
        ("other", "logout", json!({ "forced": 1 }), 422, "body"),
        ("phone", "end-break", json!({}), 409, "not_on_break"),
        ("phone", "end-wrap-up", json!({}), 409, "not_in_wrap_up"),
        ("phone", "extend-wrap-up", json!({ "seconds": 30 }), 409, "not_in_wrap_up"),
        ("phone", "hold", json!({}), 409, "no_call"),
        ("phone", "hang-up", json!({}), 409, "no_call"),
        ("phone", "transfer", json!({ "to": "12366", "mode": "blind" }), 409, "no_call"),
        ("phone", "complete", json!({}), 409, "no_call"),
        ("phone", "retake", json!({}), 409, "no_call"),
        ("phone", "break", json!({ "minutes": 0, "reason": "x" }), 422, "body"),
        ("phone", "break", json!({ "minutes": -1, "reason": "\u{1b}" }), 422, "body"),
        ("phone", "notice", json!({ "text": "字".repeat(901) }), 422, "body"),
    ] {
        let (found, problem) = desk.verb(seat, verb, &body);
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{seat} {verb} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        desk.nothing_has_changed();
    }
    assert_eq!(desk.verb("phone", "notice", &json!({ "text": "字".repeat(900) })).0, 200, "as many as the schema allows");
}

/// A stream whose reader is away while more happens than is kept is told so first, and has all that is kept.
#[test]
fn bad_input_a_stream_that_falls_behind_is_told_of_the_gap() {
    let desk = Desk::with("seat_log = 5");
    let n = serde_json::from_str::<Value>(&desk.gateway.get("/api/v1/seats/phone").unwrap().1).unwrap()["seat"]["n"].clone();
    for n in 0..20 {
        assert_eq!(desk.verb("phone", "notice", &json!({ "text": format!("第 {n} 条") })).0, 200);
    }
    let mut stream = TcpStream::connect(desk.gateway.http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = desk.gateway.http;
    write!(stream, "GET /api/v1/seats/phone/events?after={n} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut heard = String::new();
    while !heard.contains("第 19 条") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    let kinds: Vec<&str> = heard.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds[0], "gap", "{heard}");
    drop(stream);
    desk.nothing_has_changed();
}
