//! Bad input and bad days: each shows a clear error, and nothing is lost.

use super::assert_answered;
use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::program::Program;
use crate::support::{pass, wait_for, wait_until};
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// A bare socket that sends anything, from any address of the loopback network.
struct Stranger {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Stranger {
    fn new(address: &str, gateway: &Gateway) -> Stranger {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        Stranger { socket, gateway: (gateway.host.ip, gateway.sip).into() }
    }

    fn send(&self, data: &[u8]) {
        self.socket.send_to(data, self.gateway).unwrap();
    }

    fn answer(&self) -> Option<Message> {
        let mut buffer = [0; 65_535];
        let n = self.socket.recv(&mut buffer).ok()?;
        Some(Message::new(&String::from_utf8_lossy(&buffer[..n])))
    }

    fn request(&self, method: &str, more: &str) -> String {
        let local = self.socket.local_addr().unwrap();
        format!(
            "{method} sip:12345@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:13800138000@{local}>;tag=x\r\nTo: <sip:12345@127.0.0.1>\r\n\
             Call-ID: stranger-{local}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{local}>\r\n{more}Content-Length: 0\r\n\r\n",
            self.gateway,
            local.port(),
        )
    }
}

#[test]
fn broken_datagrams_are_survived_and_answered_where_they_can_be() {
    let gateway = Gateway::start(&Spec::default());
    let stranger = Stranger::new("127.0.0.1", &gateway);
    let options = stranger.request("OPTIONS", "");
    for broken in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", &[0xff; 1400], &[b'A'; 65_000]] {
        stranger.send(broken);
    }
    for end in (1..options.len()).step_by(7) {
        stranger.send(&options.as_bytes()[..end]);
    }
    while stranger.answer().is_some() {}
    let no_cseq = options.replace("CSeq: 1 OPTIONS\r\n", "");
    stranger.send(no_cseq.replace("branch=z9hG4bK", "branch=z9hG4bKa").as_bytes());
    assert!(stranger.answer().is_none_or(|m| m.status() == 400));
    let version = options.replacen("SIP/2.0\r\n", "SIP/3.0\r\n", 1).replace("branch=z9hG4bK", "branch=z9hG4bKb");
    stranger.send(version.as_bytes());
    assert!(stranger.answer().is_none_or(|m| m.status() == 505));
    let unknown = stranger.request("FLY", "");
    stranger.send(unknown.as_bytes());
    let refused = stranger.answer().expect("an answer to an unknown method");
    assert!([405, 501].contains(&refused.status()), "{refused}");
    let stray = stranger.request("BYE", "").replace("To: <sip:12345@127.0.0.1>", "To: <sip:12345@127.0.0.1>;tag=nobody");
    stranger.send(stray.as_bytes());
    assert_eq!(stranger.answer().expect("an answer to a stray BYE").status(), 481);
    let fresh = stranger.request("OPTIONS", "").replace("branch=z9hG4bK", "branch=z9hG4bKc").replace("Call-ID: ", "Call-ID: c");
    stranger.send(fresh.as_bytes());
    assert_eq!(stranger.answer().expect("an answer to OPTIONS").status(), 200);
    assert!(gateway.metric("messages_malformed_total") > 0);

    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    gateway.caller("caller_hangs_up", "12345").lasts(100).start().finish();
    seat.finish();
    assert_answered(&gateway.record(), "12345", "caller");
}

#[test]
fn an_unknown_source_gets_silence_or_403_as_configured() {
    let quiet = Gateway::start(&Spec { sources: Some("[\"127.0.0.9\"]"), ..Spec::default() });
    let stranger = Stranger::new("127.0.0.10", &quiet);
    stranger.send(stranger.request("OPTIONS", "").as_bytes());
    assert!(stranger.answer().is_none(), "silence");
    let known = Stranger::new("127.0.0.9", &quiet);
    known.send(known.request("OPTIONS", "").as_bytes());
    assert_eq!(known.answer().expect("the trunk is served").status(), 200);

    let plain = Gateway::start(&Spec { sources: Some("[\"127.0.0.9\"]"), sip: "unknown_source = \"refuse\"", ..Spec::default() });
    let stranger = Stranger::new("127.0.0.10", &plain);
    stranger.send(stranger.request("INVITE", "").as_bytes());
    assert_eq!(stranger.answer().expect("a refusal").status(), 403);
}

#[test]
fn a_record_waits_for_a_backend_that_fails_and_comes_once() {
    let gateway = Gateway::start(&Spec::default());
    gateway.backend.answer_with(503);
    gateway.caller("caller_gets_404", "55555").start().finish();
    let refused = gateway.backend.next("call.record");
    assert_eq!(refused.status, 503);
    gateway.backend.answer_with(200);
    let taken = loop {
        let post = gateway.backend.next("call.record");
        if post.status == 200 {
            break post;
        }
    };
    assert_eq!(taken.event["id"], refused.event["id"], "a repetition is known by its id");
    assert_eq!(taken.event["data"], refused.event["data"]);
    assert!(taken.header("content-type").is_some_and(|value| value.starts_with("application/cloudevents+json")));
    pass(1500);
    assert!(gateway.backend.rest().iter().all(|post| post.event["type"] != "call.record"), "taken once, sent once");
}

#[test]
fn an_unreachable_backend_loses_nothing_and_says_so() {
    let gateway = Gateway::start(&Spec { webhook: Some("http://127.0.0.1:9/nobody"), ..Spec::default() });
    gateway.caller("caller_gets_404", "55555").start().finish();
    let records = wait_for("the record in the journal", || {
        let listed = listed(&gateway);
        (!listed.is_empty()).then_some(listed)
    });
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["result"], "rejected", "{:#}", records[0]);
    let shown = gateway.ask(&["records", "show", records[0]["call_id"].as_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("\"pending\""), "{shown:?}");
    wait_for("a word in the log", || gateway.log().contains("Connection refused").then_some(()));
    assert!(!gateway.log().contains("13800138000"), "callers are masked in logs");
}

/// The records that `hotline records ls --json` shows: a record a line.
fn listed(gateway: &Gateway) -> Vec<Value> {
    let output = gateway.ask(&["records", "ls", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("13800138000"), "callers are masked");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_call_cut_by_kill_9_leaves_an_interrupted_record() {
    let mut gateway = Gateway::start(&Spec::default());
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    caller.invite("12345");
    seat.ring();
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    pass(200);
    gateway.kill("-KILL");
    gateway.restart();
    let record = gateway.record();
    assert_eq!(record["result"], "interrupted", "{record:#}");
    assert_eq!(record["estimated"], true);
    assert_eq!(record["seat"]["name"], "desk-0");
    let seat = gateway.target("seat_answers").lasts(50).start();
    gateway.caller("caller_hangs_up", "12366").lasts(100).start().finish();
    seat.finish();
    assert_eq!(gateway.record()["result"], "answered");
}

#[test]
fn a_journal_without_room_refuses_calls_until_there_is_some() {
    let gateway = Gateway::start(&Spec::default());
    wait_until("the seats' first lines are on the disk", || gateway.metric("journal_sync_seconds_count") > 0);
    gateway.limit_files(Some(1));
    gateway.caller("caller_gets_404", "55555").start().finish();
    wait_for("an alarm", || gateway.get("/readyz").filter(|(status, _)| *status == 503));
    assert_eq!(gateway.metric("journal_down"), 1);
    gateway.caller("caller_gets_503", "12345").start().finish();
    gateway.limit_files(None);
    wait_for("the alarm's end", || gateway.get("/readyz").filter(|(status, _)| *status == 200));
    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    gateway.caller("caller_hangs_up", "12345").lasts(100).start().finish();
    seat.finish();
    let mut results = [gateway.record(), gateway.record()].map(|record| record["result"].as_str().unwrap().to_string());
    results.sort();
    assert_eq!(results, ["answered", "rejected"], "what happened while the disk was full is told when it is not");
}

#[test]
fn a_polite_end_lets_calls_finish() {
    let mut gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    let caller = gateway.caller("caller_hangs_up", "12345").lasts(1500).start();
    caller.wait_to_receive("the answer", |m| m.status() == 200);
    gateway.signal("-TERM");
    pass(300);
    gateway.caller("caller_gets_503", "12345").start().finish();
    caller.finish();
    seat.finish();
    assert_answered(&gateway.record(), "12345", "caller");
    assert!(gateway.ended().success());
}

#[test]
fn http_beyond_loopback_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("site.toml"), "[http]\nlisten = \"0.0.0.0:8080\"\n").unwrap();
    let mut program = Program::new(folder, ([127, 0, 0, 1], 8080).into());
    program.config = Some("site.toml");
    let output = program.ask(&["check"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("site.toml:2:") && said.contains("token"), "{said}");
}

#[test]
fn a_call_outlives_its_trunk_and_its_seat() {
    let gateway = Gateway::start(&Spec::default());
    let mut phone = Phone::new("caller", gateway.host.port(), &gateway);
    phone.invite("12345");
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    seat.ring();
    seat.answer();
    phone.status(200, "INVITE");
    phone.ack();
    let path = gateway.folder.path().join("site.toml");
    let (site, ip) = (fs::read_to_string(&path).unwrap(), gateway.host.ip);
    let gone = site.replace(&format!("addresses = [\"{ip}\", \"127.0.0.0/8\"]"), "addresses = [\"10.9.9.9\"]");
    let gone = gone.replace(&format!("address = \"{ip}:"), "address = \"10.9.9.8:");
    assert_ne!(gone, site);
    fs::write(&path, gone).unwrap();
    gateway.signal("-HUP");
    wait_for("the trunk is gone", || (gateway.metric("reloads_total") > 0).then_some(()));
    assert_eq!(gateway.metric("former_setups"), 1, "held by the call");
    phone.bye();
    seat.hung_up();
    assert_eq!(gateway.record()["result"], "answered");
    wait_for("the former setup is forgotten", || (gateway.metric("former_setups") == 0).then_some(()));
    let strangers = gateway.metric("messages_from_strangers_total");
    Phone::new("late", gateway.host.port(), &gateway).invite("12345");
    wait_for("the late caller is a stranger", || (gateway.metric("messages_from_strangers_total") > strangers).then_some(()));
}

/// A phone that refuses for a while (do not disturb) is rung again and again, also beyond what `calls.max_parties` lets a call
/// try; free again, it serves all who wait, in their order, and each at once after the one before.
#[test]
fn callers_of_a_seat_that_refused_for_long_are_all_served_once_it_is_free() {
    let (queue, calls) = ("rest_after_failure = \"100ms\"\nrest_max = \"200ms\"\nrefusal_max = \"100ms\"", "max_parties = 4");
    let gateway = Gateway::start(&Spec { seats: vec![1], queue, calls, ..Spec::default() });
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut callers: Vec<Phone> = ["first", "second", "third"]
        .into_iter()
        .map(|name| {
            let mut caller = Phone::new(name, gateway.host.port(), &gateway);
            caller.invite("12345");
            for _ in 0..6 {
                seat.ring();
                seat.refuse(486);
            }
            caller
        })
        .collect();
    for caller in &mut callers {
        seat.ring();
        seat.answer();
        caller.status(200, "INVITE");
        caller.ack();
        caller.bye();
        seat.hung_up();
    }
    // The INVITEs that were refused wait 32 s for copies of the refusal (timer D).
    wait_for("no call is left", || (gateway.metric("calls") == 0 && gateway.metric("seat_channels_taken") == 0).then_some(()));
}
