//! `kill -9` under load, again and again: whoever heard the end of setting up a call finds it in the records, once, and of
//! each recording it is told once what became of it.

use crate::support::gateway::{Gateway, Spec};
use crate::support::http::{self, Post};
use crate::support::message::Message;
use crate::support::pass;
use crate::support::sipp::Running;
use hotline::base::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// As `tests/load/kill` sets it.
fn kills() -> u64 {
    std::env::var("HOTLINE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

#[test]
fn kill_9_at_random_moments_under_load_loses_no_record_and_doubles_none() {
    let seed = std::env::var("HOTLINE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (mut rng, start) = (Rng::from_number(seed), Instant::now());
    let mut gateway = Gateway::start(&Spec { recording: Some(""), ..Spec::default() });
    let seat = gateway.seat(0, "seat_answers").lasts(60).start_calls(1_000_000, 3600);
    let target = gateway.target("seat_answers").lasts(60).start_calls(1_000_000, 3600);
    let (mut covered, mut taken) = (BTreeSet::new(), Taken::default());
    for left in (0..kills()).rev() {
        let callers = callers(&gateway, &mut rng);
        gateway.backend.answer_with(if rng.chance(300) { 503 } else { 200 });
        let moment = 300 + rng.below(1200);
        pass(moment / 2);
        move_somebody(&gateway, &mut rng);
        pass(moment - moment / 2);
        gateway.kill("-KILL");
        // Messages that the dead process sent last are read too.
        pass(50);
        covered.extend(callers.iter().flat_map(|caller| finals(&caller.heard())));
        drop(callers);
        taken.add(gateway.backend.rest());
        if left == 0 {
            // A start offers at once what waits for its next attempt; after the fifth one that may be ten minutes.
            gateway.backend.answer_with(200);
        }
        gateway.restart();
    }
    until_delivered(&gateway);
    taken.add(gateway.backend.rest());
    drop((seat, target));

    let records = taken.records();
    for call in &covered {
        let of = records.iter().filter(|record| record["sip_call_ids"].as_array().unwrap().contains(&json!(call)));
        assert_eq!(of.count(), 1, "records of {call}, whose caller heard how it came out (HOTLINE_SEED={seed})");
    }
    assert_eq!(taken.recorded(), taken.calls(), "each recording is told of once");
    let count = |result: &str| records.iter().filter(|record| record["result"] == result).count();
    let moved = records.iter().filter(|record| record["transfers"].as_array().is_some_and(|moves| !moves.is_empty())).count();
    eprintln!(
        "{} kills in {:.0} s: {} callers heard a final response, {} records, {} of them interrupted, {moved} with a transfer; {:?}",
        kills(),
        start.elapsed().as_secs_f32(),
        covered.len(),
        records.len(),
        count("interrupted"),
        taken.states(),
    );
    assert!(covered.len() as u64 > 5 * kills() && count("interrupted") as u64 > kills() && count("rejected") > 5);
}

/// Callers who talk, who are sent away, who listen to an announcement, and who give up.
fn callers(gateway: &Gateway, rng: &mut Rng) -> Vec<Running> {
    let kinds = [("caller_hangs_up", "12345", 200), ("caller_hangs_up", "12345", 3000), ("caller_gets_404", "55555", 0)];
    let more = [("caller_gets_410", "12336", 0), ("caller_cancels", "12396", 300)];
    let caller = |(scenario, number, lasts)| {
        let rate = (2 + rng.below(8)).to_string();
        gateway.caller(scenario, number).of_many_callers().lasts(lasts).arg("-r").arg(&rate).start_calls(10_000, 3600)
    };
    kinds.into_iter().chain(more).map(caller).collect()
}

/// Asks for a transfer of some call, if there is one.
fn move_somebody(gateway: &Gateway, rng: &mut Rng) {
    let address = gateway.http;
    let Some((200, list)) = http::get(address, "/api/v1/calls") else { return };
    let list: Value = serde_json::from_str(&list).unwrap();
    let calls = list["calls"].as_array().unwrap();
    for call in calls.iter().filter_map(|call| call["id"].as_str()) {
        let mode = ["blind", "consult", "three-way"][rng.below(3) as usize];
        let body = json!({ "to": "12366", "mode": mode }).to_string();
        let path = format!("/api/v1/calls/{call}/transfer");
        let _ = http::send(address, "POST", &path, "Content-Type: application/json\r\n", &body);
    }
}

/// The Call-IDs of INVITEs that were answered or refused, but for those that were turned away at the door.
fn finals(heard: &[Message]) -> Vec<String> {
    let is_final = |m: &&Message| m.status() >= 200 && m.headers("CSeq").iter().any(|cseq| cseq.ends_with("INVITE"));
    let shed = |m: &Message| m.status() == 503 && !m.headers("Retry-After").is_empty();
    heard.iter().filter(is_final).filter(|m| !shed(m)).map(|m| m.header("Call-ID").to_string()).collect()
}

/// The final records that the backend accepted, and what it was told of recordings, by the events' ids.
#[derive(Default)]
struct Taken {
    records: BTreeMap<String, Value>,
    recordings: BTreeMap<String, Value>,
}

impl Taken {
    fn add(&mut self, posts: Vec<Post>) {
        for post in posts.into_iter().filter(|post| post.status == 200) {
            let id = post.event["id"].as_str().unwrap().to_string();
            let before = match post.event["type"].as_str().unwrap() {
                "call.record" => self.records.insert(id, post.event.clone()),
                "recording.ready" => self.recordings.insert(id, post.event.clone()),
                _ => continue,
            };
            assert!(before.is_none_or(|before| before == post.event), "an event came again and was another: {:#}", post.event);
        }
    }

    /// The data of each; one a call.
    fn records(&self) -> Vec<&Value> {
        assert_eq!(self.calls().len(), self.records.len(), "a call has two records");
        self.records.values().map(|event| &event["data"]).collect()
    }

    fn calls(&self) -> BTreeSet<&str> {
        self.records.values().map(|event| event["subject"].as_str().unwrap()).collect()
    }

    /// Calls of whose recordings it was told; of each once.
    fn recorded(&self) -> BTreeSet<&str> {
        let calls: BTreeSet<&str> = self.recordings.values().map(|event| event["subject"].as_str().unwrap()).collect();
        assert_eq!(calls.len(), self.recordings.len(), "a recording was told of twice");
        calls
    }

    /// Counts the recordings by how they came out.
    fn states(&self) -> BTreeMap<&str, usize> {
        let mut states = BTreeMap::new();
        for event in self.recordings.values() {
            *states.entry(event["data"]["recording"]["state"].as_str().unwrap()).or_default() += 1;
        }
        states
    }
}

fn until_delivered(gateway: &Gateway) {
    let journal = rusqlite::Connection::open(gateway.folder.path().join("var/journal.db")).unwrap();
    journal.busy_timeout(Duration::from_secs(5)).unwrap();
    let count = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let end = Instant::now() + Duration::from_secs(180);
    let left = "SELECT (SELECT count(*) FROM deliveries WHERE state <> 'done')
                + (SELECT count(*) FROM calls WHERE open OR recording = 1)";
    while count(left) > 0 {
        assert!(Instant::now() < end, "deliveries are left\n{}", gateway.log());
        pass(200);
    }
}
