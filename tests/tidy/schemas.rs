//! The JSON Schemas of `config/schemas` against the program that makes them and what it writes.

use hotline::base::{CallId, Mono, RtpStats, Suite, Wall};
use hotline::event::{By, Division, Entry, Offered, Party, Result as Outcome, TransferKind, TransferResult, What};
use hotline::record::amendment::{Amendment, Update, amend};
use hotline::record::cloudevent::{CloudEvent, Kind};
use hotline::record::recording::{Recorded, State};
use hotline::record::schema;
use hotline::record::zone::Zone;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("config/schemas/{name}.json"))
}

fn validator(name: &str) -> Validator {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// `HOTLINE_PRINT=1 cargo test --test tidy schemas` writes them anew.
#[test]
fn the_files_are_what_the_program_says() {
    for (name, schema) in schema::all() {
        let now = format!("{schema:#}\n");
        if std::env::var_os("HOTLINE_PRINT").is_some() {
            std::fs::write(file(name), &now).unwrap();
        }
        let there = std::fs::read_to_string(file(name)).unwrap();
        assert!(there == now, "config/schemas/{name}.json is not what the program prints");
    }
}

fn log() -> Vec<Entry> {
    let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
    let division = Some(Division { code: "532800".into(), name: "西双版纳傣族自治州".into() });
    let offered =
        Offered { number: "12345".into(), node: "a".into(), caller: Some("13800138000".into()), division, ..Offered::default() };
    let seat = || Party::Seat { name: "1001".into(), queue: "12345".into() };
    let ringing = |leg| What::Ringing { leg, party: seat(), sip_call_id: Some(format!("{leg}@a")), label: None, choice: None };
    let joined = |leg, party| What::Joined { leg, party, sip_call_id: None, label: None };
    let stats = RtpStats { received: 1, sent: 2, lost: -3, jitter_ms: 0.25, peer_lost: 4, strangers: 5 };
    let steps = [
        What::Offered(Box::new(offered)),
        What::Announcing { prompt: "welcome".into(), version: None },
        What::Queued { queue: "12345".into() },
        ringing(1),
        What::RingFailed { leg: 1, status: Some(486), q850: Some(17) },
        ringing(2),
        What::CallerAnswered,
        joined(2, seat()),
        What::TransferStarted { seq: 1, kind: TransferKind::Consult, by: 2, to: "110".into() },
        joined(3, Party::Target { number: "110".into() }),
        What::TransferEnded { seq: 1, result: TransferResult::Failed },
        What::TransferEnded { seq: 1, result: TransferResult::Joined },
        What::LegEnded { leg: 0, by: By::Caller, status: None, q850: Some(16) },
        What::LegMedia { leg: 0, codec: "PCMA".into(), srtp: Some(Suite::Counter80), stats },
        What::Ended { result: Outcome::Answered, by: By::Caller, status: None, q850: Some(16) },
    ];
    let entry = |(seq, what): (u32, What)| {
        let at = i64::from(seq) * 1_000_000;
        Entry { call, seq, wall: Wall(1_638_316_800_000_000 + at), mono: Mono(at as u64), what }
    };
    (1..).zip(steps).map(entry).collect()
}

/// Every event of a call in which all kinds of things happen.
fn events() -> Vec<Value> {
    let (log, zone) = (log(), Zone::default());
    let mut events = Vec::new();
    for upto in 1..=log.len() {
        for kind in Kind::of(&log[upto - 1].what) {
            events.push(CloudEvent::new(&log[..upto], *kind, &zone).unwrap());
        }
    }
    let last = events.last().unwrap().clone();
    let linked = Update::Linked { backend: "rt".into(), id: "7".into(), url: Some("https://t/7".into()), instead_of: None };
    let recorded = Update::Recorded(Recorded { state: State::Ready, url: None, sha256: Some("0".repeat(64)), ms: Some(7) });
    let surveyed = Update::Surveyed { score: 3, scale: 3, source: "rt".into() };
    let tagged = Update::Tagged { subjects: vec!["旅游投诉".into()], backends: vec!["tourism".into()], by: "desk".into() };
    for update in [linked, recorded, tagged, surveyed] {
        let mut data = last.data.clone();
        let wall = Wall(1_638_316_900_000_000);
        amend(&mut data, &[Amendment { sequence: 15_002, wall, update: update.clone() }], &zone);
        events.push(CloudEvent::of(log[0].call, update.kind(), 15_002, wall, data, &zone));
    }
    events.into_iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

#[test]
fn every_kind_of_event_is_as_the_schema_says() {
    let (event, record) = (validator("event"), validator("record"));
    let mut kinds = BTreeSet::new();
    for value in events() {
        let wrong: Vec<String> = event.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {value:#}");
        assert!(record.is_valid(&value["data"]));
        kinds.insert(value["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds.len(), Kind::ALL.len(), "{kinds:?}");
}

#[test]
fn what_is_wrong_is_seen() {
    let (event, sound) = (validator("event"), events().pop().unwrap());
    let cases = [
        ("/data/start", json!("2021-12-01 08:00:00")),
        ("/data/start", json!(1_638_316_800)),
        ("/data/talk_ms", json!(-1)),
        ("/data/talk_ms", json!("61000")),
        ("/data/result", json!("hung up")),
        ("/data/legs/0/leg", json!("caller")),
        ("/data/survey/score", json!(null)),
        ("/type", json!("call.started")),
        ("/sequence", json!("12")),
        ("/id", json!("7")),
    ];
    for (pointer, value) in cases {
        let mut broken = sound.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        let first = event.iter_errors(&broken).next().unwrap_or_else(|| panic!("{pointer} is taken"));
        assert!(first.instance_path().to_string().starts_with("/data") == pointer.starts_with("/data"), "{pointer}: {first}");
    }
    for field in ["survey", "recording", "tickets", "subjects", "sip_call_ids", "estimated", "plan_revision"] {
        let mut broken = sound.clone();
        broken["data"].as_object_mut().unwrap().remove(field).unwrap();
        assert!(!event.is_valid(&broken), "a record without {field} is taken");
    }
}

/// Descriptions say what units and zones there are.
#[test]
fn every_time_and_duration_says_what_it_is() {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file("record")).unwrap()).unwrap();
    let fields = schema["properties"].as_object().unwrap();
    for field in ["start", "handed_to_queue", "sip_answered", "seat_answered", "ended"] {
        assert_eq!(fields[field]["format"], "date-time", "{field}");
    }
    let durations = fields.keys().filter(|name| name.ends_with("_ms")).count();
    assert_eq!(durations, 5);
    assert!(schema["description"].as_str().unwrap().contains("milliseconds"));
}

#[test]
fn a_report_needs_what_a_record_cannot_do_without() {
    let report = validator("report");
    let sound = json!({ "id": "1", "hotline": "12366", "start": "2021-12-01T08:00:00+08:00",
        "ended": "2021-12-01T08:03:00+08:00", "result": "answered" });
    assert!(report.is_valid(&sound));
    for (field, value) in [
        ("hotline", json!("12366 ")),
        ("caller", json!("138 0013 8000")),
        ("start", json!("2021-12-01 08:00:00")),
        ("result", json!("interrupted")),
        ("agent", json!("1001")),
        ("subjects", json!("旅游投诉")),
        ("subjects", json!(["旅游投诉 "])),
        ("subjects", json!(["a\nb"])),
        ("subjects", json!(["诉".repeat(65)])),
        ("subjects", json!(vec!["a"; 17])),
    ] {
        let mut broken = sound.clone();
        broken[field] = value;
        assert!(!report.is_valid(&broken), "{field}");
    }
}
