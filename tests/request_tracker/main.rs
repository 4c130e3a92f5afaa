//! Sixty calls, some of them transferred, and a real Request Tracker 5 that is slowed, cut off, made to refuse, killed
//! and restarted meanwhile: at the end as many tickets, each with its call's fields. `tests/rt` installs what it needs
//! and runs it.

// Processes and sockets live by the real clock.
#![allow(clippy::disallowed_methods)]
// A test may fail in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The other tests use more of it.
#![allow(dead_code)]

mod proxy;
mod server;
#[path = "../support/mod.rs"]
mod support;

use proxy::{Mood, Proxy};
use serde_json::{Value, json};
use server::RequestTracker;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::gateway::{Gateway, Spec};
use support::http;

/// `tests/rt 300` makes more.
fn calls() -> u32 {
    std::env::var("HOTLINE_CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(60)
}

#[test]
fn every_call_has_one_ticket_with_its_fields_whatever_happens_to_request_tracker() {
    let (calls, seconds) = (calls(), calls() + 60);
    let mut tracker = RequestTracker::start();
    let proxy = Proxy::start(tracker.port);
    let gateway = Gateway::start(&Spec { records: site(&tracker, &proxy), ..Spec::default() });
    let seat = gateway.seat(0, "seat_answers").lasts(100).start_calls(1_000_000, 3600);
    let target = gateway.target("seat_answers").lasts(100).start_calls(1_000_000, 3600);
    // A caller who was sent to a target and comes back is not sent there again: each has a number of its own.
    let callers = gateway.caller("caller_hangs_up", "12345").of_many_callers().lasts(1500).arg("-r").arg("1");
    let callers = callers.start_calls(calls, seconds);
    let (over, api) = (AtomicBool::new(false), gateway.http);
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| move_callers(api, &over));
        proxy.is(Mood::Changing);
        support::pass(14_000);
        tracker.kill();
        support::pass(3_000);
        tracker.restart();
        proxy.is(Mood::Refuse);
        support::pass(3_000);
        proxy.is(Mood::Changing);
        callers.finish();
    });
    support::wait_for("the calls' end", || (gateway.metric("calls") == 0).then_some(()));
    drop((seat, target));

    support::pass(15_000);
    proxy.is(Mood::Well);
    let left = until_delivered(&gateway);
    let records = records(&gateway);
    assert_eq!(records.len(), calls as usize);
    let moved = records.iter().filter(|record| !record["transfers"].as_array().unwrap().is_empty()).count();
    assert!(moved > records.len() / 4, "{moved} calls were moved");
    records.iter().for_each(|record| compare(&tracker, record));
    let all = tracker.get("/tickets?per_page=1&query=Queue%3D%27Hotline%27");
    assert_eq!(all["total"], calls, "no ticket too many");
    let left = left.as_secs_f32();
    eprintln!(
        "{calls} calls, {moved} of them moved, {calls} tickets; the last delivery {left:.1} s after the last call; {proxy}"
    );
}

/// However the calls come out, moving them is over then.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Every second call, in each way in turn; one consultation is completed, the next one cancelled.
fn move_callers(api: SocketAddr, over: &AtomicBool) {
    let mut seen = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        support::pass(200);
        let Some((200, list)) = http::get(api, "/api/v1/calls") else { continue };
        let list: Value = serde_json::from_str(&list).unwrap();
        for call in list["calls"].as_array().unwrap() {
            let id = call["id"].as_str().unwrap();
            if call["state"] != "talking" || !seen.insert(id.to_string()) || seen.len() % 2 == 0 {
                continue;
            }
            let (mode, then) =
                [("blind", ""), ("consult", "complete"), ("three-way", ""), ("consult", "cancel")][seen.len() / 2 % 4];
            let ask = |path: &str, body: &str| http::send(api, "POST", path, "Content-Type: application/json\r\n", body);
            let wanted = json!({ "to": "12366", "mode": mode }).to_string();
            ask(&format!("/api/v1/calls/{id}/transfer"), &wanted);
            support::pass(400);
            if !then.is_empty() {
                ask(&format!("/api/v1/calls/{id}/transfer/{then}"), "");
            }
            if mode == "three-way" {
                // Otherwise these two would talk on without the caller.
                http::send(api, "DELETE", &format!("/api/v1/calls/{id}/legs/2"), "", "");
            }
        }
    }
}

/// The profile as it is shipped, but for how long an unanswered create is given: the proxy holds nothing longer than that.
fn site(tracker: &RequestTracker, proxy: &Proxy) -> &'static str {
    let shipped = include_str!("../../config/backends/request-tracker-5.toml");
    let profile = tracker.folder().join("profile.toml");
    std::fs::write(&profile, format!("settle = \"10s\"\n{shipped}")).unwrap();
    let text = format!(
        "[records.backends.main]\nprofile = \"{}\"\nurl = \"http://127.0.0.1:{}\"\ntimeout = \"3s\"\nparallel = 2\n\
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
        assert!(start.elapsed() < Duration::from_secs(900), "{states:?}\n{}", gateway.log());
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
    let output = gateway.ask(&["records", "ls", "--json", "--unmasked", "--limit", "1000"]);
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
    let moves = record["transfers"].as_array().unwrap();
    let transfers = |what: &str| moves.iter().map(|of| of[what].as_str().unwrap_or("…")).collect::<Vec<_>>().join(", ");
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
        ("transferred_to", transfers("to")),
        ("transfer_results", transfers("result")),
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
