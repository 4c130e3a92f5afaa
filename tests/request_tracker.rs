//! Sixty calls, and a real Request Tracker 5 that is slowed, cut off, made to refuse, killed and restarted meanwhile: at
//! the end as many tickets, each with its call's fields. `tests/rt` installs what it needs and runs it.

// Processes and sockets live by the real clock.
#![allow(clippy::disallowed_methods)]
// A test may fail in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The other tests use more of it.
#![allow(dead_code)]

#[path = "request_tracker/proxy.rs"]
mod proxy;
#[path = "request_tracker/server.rs"]
mod server;
mod support;

use proxy::{Mood, Proxy};
use serde_json::Value;
use server::RequestTracker;
use std::time::{Duration, Instant};
use support::gateway::{Gateway, Spec};

const CALLS: u32 = 60;

#[test]
fn every_call_has_one_ticket_with_its_fields_whatever_happens_to_request_tracker() {
    let mut tracker = RequestTracker::start();
    let proxy = Proxy::start(tracker.port);
    let gateway = Gateway::start(&Spec { records: site(&tracker, &proxy), ..Spec::default() });
    let seat = gateway.seat(0, "seat_answers").lasts(100).start_calls(CALLS, 120);
    let callers = gateway.caller("caller_hangs_up", "12345").lasts(700).arg("-r").arg("2").start_calls(CALLS, 120);
    proxy.is(Mood::Changing);
    support::pass(14_000);
    tracker.kill();
    support::pass(3_000);
    tracker.restart();
    proxy.is(Mood::Refuse);
    support::pass(3_000);
    proxy.is(Mood::Changing);
    callers.finish();
    seat.finish();

    support::pass(15_000);
    proxy.is(Mood::Well);
    let left = until_delivered(&gateway);
    let records = records(&gateway);
    assert_eq!(records.len(), CALLS as usize);
    records.iter().for_each(|record| compare(&tracker, record));
    let all = tracker.get("/tickets?per_page=1&query=Queue%3D%27Hotline%27");
    assert_eq!(all["total"], CALLS, "no ticket too many");
    eprintln!("{CALLS} calls, {CALLS} tickets; the last delivery {:.1} s after the last call; {proxy}", left.as_secs_f32());
}

/// The profile as it is shipped, but for how long an unanswered create is given: the proxy holds nothing longer than that.
fn site(tracker: &RequestTracker, proxy: &Proxy) -> &'static str {
    let shipped = include_str!("../config/backends/request-tracker-5.toml");
    let profile = tracker.folder().join("profile.toml");
    std::fs::write(&profile, format!("settle = \"10s\"\n{shipped}")).unwrap();
    let text = format!(
        "[records.backends.main]\nprofile = \"{}\"\nurl = \"http://127.0.0.1:{}\"\ntimeout = \"3s\"\n\
         credentials = {{ token = \"{}\" }}\n",
        profile.display(),
        proxy.port,
        tracker.token
    );
    Box::leak(text.into_boxed_str())
}

/// How long it took. Nothing may be a dead letter.
fn until_delivered(gateway: &Gateway) -> Duration {
    let start = Instant::now();
    loop {
        let states = deliveries(gateway);
        assert!(!states.iter().any(|(state, _)| state == "dead"), "{states:?}");
        if !states.iter().any(|(state, _)| state == "pending") {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(300), "{states:?}\n{}", gateway.log());
        support::pass(500);
    }
}

fn deliveries(gateway: &Gateway) -> Vec<(String, i64)> {
    let journal = rusqlite::Connection::open(gateway.folder.path().join("var/journal.db")).unwrap();
    let sql = "SELECT state, count(*) FROM deliveries WHERE backend = 'main' GROUP BY state";
    let mut rows = journal.prepare(sql).unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

fn records(gateway: &Gateway) -> Vec<Value> {
    let output = gateway.command(&["records", "ls", "--json", "--unmasked", "--limit", "1000"]);
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn compare(tracker: &RequestTracker, record: &Value) {
    let call = record["call_id"].as_str().unwrap();
    let found = tracker.get(&format!("/tickets?query=%27CF.%7Bcall_id%7D%27%3D%27{call}%27"));
    assert_eq!(found["total"], 1, "tickets of call {call}: {found:#}");
    let id = found["items"][0]["id"].as_str().unwrap();
    assert_eq!(record["tickets"][0]["id"], id, "the ticket came back");
    let ticket = tracker.get(&format!("/ticket/{id}"));
    let seconds = (record["talk_ms"].as_f64().unwrap() / 1000.0).round();
    let times = |name: &str| record[name].as_str().map(utc).unwrap();
    for (name, wanted) in [
        ("caller", record["caller"].as_str().unwrap().to_string()),
        ("called_hotline", "12345".to_string()),
        ("area", String::new()),
        ("result", record["result"].as_str().unwrap().to_string()),
        ("agent", "desk-0".to_string()),
        ("duration_s", format!("{seconds}")),
        ("call_start", times("start")),
        ("call_answer", times("seat_answered")),
        ("call_end", times("ended")),
    ] {
        assert_eq!(server::field(&ticket, name), wanted, "{name} of ticket {id}: {record:#}");
    }
    assert_eq!((record["result"].as_str(), ticket["Status"].as_str()), (Some("answered"), Some("open")));
}

/// As Request Tracker prints it.
fn utc(time: &str) -> String {
    let at: jiff::Timestamp = time.parse().unwrap();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
