//! The running gateway as an operator is told of it: in its log, by its commands, at once.

use super::bench::{Bench, free_port, wait_until};
use serde_json::Value;
use std::net::UdpSocket;

fn log(bench: &Bench) -> String {
    std::fs::read_to_string(bench.folder.path().join("log")).unwrap()
}

/// The lines that have this in them, of a log in JSON.
fn lines(bench: &Bench, part: &str) -> Vec<Value> {
    log(bench).lines().filter(|line| line.contains(part)).map(|line| serde_json::from_str(line).unwrap()).collect()
}

const OVER: &str = "the call is over";

/// Each call has one line, with what its record says.
fn told_as_recorded(bench: &Bench) {
    for record in bench.records() {
        let id = record["call_id"].as_str().unwrap();
        wait_until("the end is told", || !lines(bench, OVER).iter().all(|line| line["call"] != id));
        let told: Vec<Value> = lines(bench, OVER).into_iter().filter(|line| line["call"] == id).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let line = &told[0];
        for (told, known) in [
            ("result", "/result"),
            ("hangup_by", "/hangup_by"),
            ("sip_code", "/sip_code"),
            ("q850", "/q850"),
            ("seat", "/seat/id"),
            ("to", "/target"),
            ("number", "/hotline/number"),
            ("wait_ms", "/queue_ms"),
            ("ring_ms", "/ring_ms"),
            ("talk_ms", "/talk_ms"),
            ("hold_ms", "/hold_ms"),
            ("announce_ms", "/announce_ms"),
        ] {
            assert_eq!(&line[told], record.pointer(known).unwrap_or(&Value::Null), "{told}: {line}\n{record}");
        }
    }
}

#[test]
fn the_end_of_each_call_is_told_with_the_figures_of_its_record() {
    let bench = Bench::new().set("LOG__FORMAT", "json").start();
    {
        let _seat = bench.seat();
        assert!(bench.call("12345", &["-m", "2", "-r", "10", "-d", "300"]).wait().unwrap().success());
        // A number that the plan does not know, and a hotline that is no more.
        assert!(!bench.call("99999", &["-m", "1"]).wait().unwrap().success());
    }
    wait_until("three ends", || lines(&bench, OVER).len() == 3);
    wait_until("all are closed", || bench.metric("calls") == 0);
    told_as_recorded(&bench);
    let results: Vec<Value> = lines(&bench, OVER).into_iter().map(|line| line["result"].clone()).collect();
    assert_eq!(results, ["answered", "answered", "rejected"]);
    assert!(lines(&bench, OVER)[0]["talk_ms"].as_u64().unwrap() >= 250, "{}", log(&bench));
}

#[test]
fn calls_that_the_process_ended_in_are_told_at_its_end_or_after_the_next_start() {
    let mut bench = Bench::new().set("LOG__FORMAT", "json").set("LOG__DRAIN", "100ms").start();
    let talking = |bench: &Bench, calls| {
        let call = bench.call("12345", &["-m", "1", "-d", "20000"]);
        wait_until("answered", || bench.metric("calls_answered_total") == calls && bench.metric("journal_unwritten") == 0);
        call
    };
    let _seat = bench.seat();
    let mut callers = vec![talking(&bench, 1)];
    bench.kill("-KILL");
    bench.restart();
    let told = lines(&bench, OVER);
    assert!(told.len() == 1 && told[0]["result"] == "interrupted" && told[0]["seat"] == "desk", "{told:?}");
    callers.push(talking(&bench, 1));
    assert_eq!(bench.kill("-TERM"), Some(0));
    told_as_recorded(&bench);
    let told = lines(&bench, OVER);
    assert!(told.len() == 2 && told[1]["result"] == "answered" && told[1]["hangup_by"] == "gateway", "{told:?}");
    assert!(log(&bench).contains("SIGTERM") && log(&bench).contains("draining: no new calls are taken"));
    for mut caller in callers {
        let _ = caller.kill();
        let _ = caller.wait();
    }
}

#[test]
fn what_is_disabled_is_not_counted() {
    let bench = Bench::new().site("[seats.second]\nenabled = false\naddress = '127.0.0.1:5072'\n[trunks.old]\nenabled = false\n");
    let told = bench.answer(&["check"]);
    assert!(told.contains(": 1 trunks, 1 seats, 1 queues"), "{told}");
}

/// No look is repeated: each is true the first time.
#[test]
fn what_is_asked_after_a_command_is_true_at_once() {
    let site = "[http.tokens.ops]\nroles = ['admin']\nsecret = 'abcdefghijklmnop-ops'\n";
    let mut bench = Bench::new().set("MEDIA__SHARDS", "1").site(site).start();
    std::fs::write(bench.folder.path().join("token"), "abcdefghijklmnop-ops\n").unwrap();
    let asked = |bench: &Bench, arguments: &[&str]| bench.answer(&[arguments, &["--token-file", "token"]].concat());
    let get = |bench: &Bench, path: &str| {
        let (status, body) = bench.http_with("GET", path, "Authorization: Bearer abcdefghijklmnop-ops\r\n").unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    for _ in 0..20 {
        asked(&bench, &["drain", "--no-wait"]);
        assert_eq!(get(&bench, "/readyz").0, 503);
        assert_eq!(get(&bench, "/api/v1/status").1["draining"], true);
        assert_eq!(asked(&bench, &["drain", "--status"]), "draining; no call in progress\n");
        asked(&bench, &["drain", "--undo"]);
        assert_eq!(get(&bench, "/readyz").0, 200);
        assert_eq!(asked(&bench, &["drain", "--status"]), "taking calls; no call in progress\n");
        assert_eq!(get(&bench, "/api/v1/status").1["ready"], true);
    }
    // One drain and one undrain a round.
    let told = |what: &str| log(&bench).lines().filter(|line| line.contains(what) && line.contains("ops")).count();
    assert_eq!((told("draining: no new calls are taken"), told("new calls are taken again")), (20, 20));

    // A caller whom nobody answers: counted from its 100 on.
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    caller.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let _silent = UdpSocket::bind(bench.seat).unwrap();
    for n in 1..=10 {
        caller.send_to(invite(&bench, &caller, n).as_bytes(), bench.sip).unwrap();
        let mut buffer = [0; 2000];
        caller.recv(&mut buffer).unwrap();
        while !buffer.starts_with(b"SIP/2.0 100") {
            caller.recv(&mut buffer).unwrap();
        }
        assert_eq!(get(&bench, "/api/v1/status").1["calls"], n, "the calls in progress");
    }
    asked(&bench, &["drain", "--no-wait"]);
    caller.send_to(invite(&bench, &caller, 11).as_bytes(), bench.sip).unwrap();
    wait_until("it is refused", || log(&bench).contains("why=\"draining\" number=12345 caller=138*******11"));
    asked(&bench, &["drain", "--undo"]);
    let scraped = bench.http_with("GET", "/metrics", "Authorization: Bearer abcdefghijklmnop-ops\r\n").unwrap().1;
    assert!(scraped.contains("\nhotline_calls 10\n"), "{scraped}");
    assert_eq!(asked(&bench, &["drain", "--status"]), "taking calls; 10 calls in progress\n");
    bench.kill("-KILL");
}

/// A call's messages on both of its legs are found by the call's id, and by nothing of its caller.
#[test]
fn the_messages_of_a_call_are_logged_when_asked_for_and_masked() {
    let bench = Bench::new().site("[log]\nlevel = 'info'\n").start();
    let _seat = bench.seat();
    let talk = |number: u32| {
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.set_read_timeout(Some(super::PATIENCE)).unwrap();
        caller.send_to(invite(&bench, &caller, number).as_bytes(), bench.sip).unwrap();
        let mut buffer = vec![0; 4000];
        let ok = loop {
            let length = caller.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("SIP/2.0 200") {
                break text;
            }
        };
        let line = |name: &str| ok.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let target = line("Contact:").split(['<', '>']).nth(1).unwrap().to_owned();
        for (cseq, method, more) in [(1, "ACK", ""), (2, "INFO", "Signal=7\r\nDuration=160\r\n"), (3, "BYE", "")] {
            let kind = if more.is_empty() { "" } else { "Content-Type: application/dtmf-relay\r\n" };
            let from = caller.local_addr().unwrap();
            let request = format!(
                "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number}{method}\r\n{}\r\n{}\r\n{}\r\n\
                 CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nAuthorization: Digest response=\"s3cret\"\r\n{kind}\
                 Content-Length: {}\r\n\r\n{more}",
                line("From:"),
                line("To:"),
                line("Call-ID:"),
                more.len()
            );
            caller.send_to(request.as_bytes(), bench.sip).unwrap();
            if method != "ACK" {
                let length = caller.recv(&mut buffer).unwrap();
                assert!(buffer[..length].starts_with(b"SIP/2.0 200"));
            }
        }
        wait_until("the end is told", || log(&bench).matches(OVER).count() == number as usize);
        wait_until("the seat has answered", || bench.metric("calls") == 0);
    };
    talk(1);
    assert!(!log(&bench).contains("hotline::sip"), "it is off");
    let reload = |level: &str| {
        std::fs::write(bench.folder.path().join("config/site.toml"), format!("[log]\nlevel = '{level}'\n")).unwrap();
        let report = bench.http("POST", "/api/v1/reload").unwrap().1;
        assert!(report.contains("\"needs_restart\":[]"), "{report}");
    };
    reload("info,hotline::sip=trace");
    talk(2);
    let records = bench.records();
    let call = records[0]["call_id"].as_str().unwrap();
    let text = log(&bench);
    let of_call: Vec<&str> = text.lines().filter(|line| line.contains("TRACE hotline::sip") && line.contains(call)).collect();
    for (way, starts) in [
        ("received", "INVITE sip:12345@"),
        ("sent", "SIP/2.0 100 "),
        ("sent", "INVITE sip:"),
        ("received", "SIP/2.0 200 "),
        ("sent", "SIP/2.0 200 "),
        ("received", "ACK sip:"),
        ("sent", "ACK sip:"),
        ("received", "INFO sip:"),
        ("received", "BYE sip:"),
        ("sent", "BYE sip:"),
    ] {
        let told = of_call.iter().any(|line| line.contains(&format!(": {way} ")) && line.contains(&format!("sip={starts}")));
        assert!(told, "{way} {starts}: {text}");
    }
    for id in records[0]["sip_call_ids"].as_array().unwrap() {
        assert!(of_call.iter().any(|line| line.contains(&format!("sip_call_id={} ", id.as_str().unwrap()))), "{id}");
    }
    let all = text.lines().filter(|line| line.contains("TRACE hotline::sip")).count();
    assert_eq!(all, of_call.len(), "each message is some call's");
    for secret in ["13800138002", "s3cret", "Signal=", "Duration"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    reload("info");
    talk(3);
    assert_eq!(log(&bench).lines().filter(|line| line.contains("TRACE hotline::sip")).count(), all, "it is off again");
}

pub fn invite(bench: &Bench, caller: &UdpSocket, n: u32) -> String {
    let (to, from) = (bench.sip, caller.local_addr().unwrap());
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
        free_port().port()
    );
    format!(
        "INVITE sip:12345@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{n}\r\nFrom: <sip:1380013800{n}@{from}>;tag=c{n}\r\n\
         To: <sip:12345@{to}>\r\nCall-ID: {n}@told\r\nCSeq: 1 INVITE\r\nContact: <sip:1380013800{n}@{from}>\r\n\
         Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}
