//! The running gateway as an operator is told of it: in its log, by its commands, at once.

use super::bench::Bench;
use crate::support::phone::Phone;
use crate::support::wait_until;
use serde_json::Value;
use std::net::UdpSocket;

/// The lines that have this in them, of a log in JSON.
fn lines(bench: &Bench, part: &str) -> Vec<Value> {
    bench.log().lines().filter(|line| line.contains(part)).map(|line| serde_json::from_str(line).unwrap()).collect()
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
    assert!(lines(&bench, OVER)[0]["talk_ms"].as_u64().unwrap() >= 250, "{}", bench.log());
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
    assert!(bench.log().contains("SIGTERM") && bench.log().contains("draining: no new calls are taken"));
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
    let told = |what: &str| bench.log().lines().filter(|line| line.contains(what) && line.contains("ops")).count();
    assert_eq!((told("draining: no new calls are taken"), told("new calls are taken again")), (20, 20));

    // A caller whom nobody answers: counted from its 100 on.
    let _silent = UdpSocket::bind(bench.seat).unwrap();
    let mut callers: Vec<Phone> = (1..=11).map(|n| caller(&bench, n)).collect();
    for (n, caller) in (1..=10).zip(&mut callers) {
        caller.invite("12345");
        caller.status(100, "INVITE");
        assert_eq!(get(&bench, "/api/v1/status").1["calls"], n, "the calls in progress");
    }
    asked(&bench, &["drain", "--no-wait"]);
    callers[10].invite("12345");
    wait_until("it is refused", || bench.log().contains("why=\"draining\" number=12345 caller=138*******11"));
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
    let talk = |number: u32| {
        let mut seat = Phone::at("seat", bench.seat, bench.sip);
        seat.formats = "8";
        let mut caller = caller(&bench, number);
        caller.always = "Authorization: Digest response=\"s3cret\"\r\n";
        caller.invite("12345");
        seat.ring();
        seat.answer();
        caller.status(200, "INVITE");
        caller.ack();
        caller.info('7');
        seat.key_told("200 OK");
        caller.bye();
        seat.hung_up();
        wait_until("the end is told", || bench.log().matches(OVER).count() == number as usize);
        wait_until("the seat has answered", || bench.metric("calls") == 0);
    };
    talk(1);
    assert!(!bench.log().contains("hotline::sip"), "it is off");
    let reload = |level: &str| {
        std::fs::write(bench.folder.path().join("config/site.toml"), format!("[log]\nlevel = '{level}'\n")).unwrap();
        let report = bench.http("POST", "/api/v1/reload").unwrap().1;
        assert!(report.contains("\"needs_restart\":[]"), "{report}");
    };
    reload("info,hotline::sip=trace");
    talk(2);
    let records = bench.records();
    let call = records[0]["call_id"].as_str().unwrap();
    let text = bench.log();
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
    assert_eq!(bench.log().lines().filter(|line| line.contains("TRACE hotline::sip")).count(), all, "it is off again");
}

fn caller(bench: &Bench, number: u32) -> Phone {
    let mut phone = Phone::at(&format!("caller{number}"), ([127, 0, 0, 1], 0).into(), bench.sip);
    phone.number = format!("1380013800{number}");
    // So that keys go to the seat by INFO.
    phone.formats = "8";
    phone
}
