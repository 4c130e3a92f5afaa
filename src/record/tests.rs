//! Typical calls and the whole of their records.

use super::cloudevent::{CloudEvent, Kind};
use super::fold::fold;
use super::zone::Zone;
use crate::base::RtpStats;
use crate::base::{CallId, Mono, Wall};
use crate::event::{By, DialledFrom, Division, Entry, Mode, Offered, Party, Phase, Result, What};
use serde_json::{Value, json};

const CALL: &str = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80";

/// A log from (milliseconds since the INVITE, what); the INVITE came on 2021-12-01 at 08:00 in China.
pub(super) fn log(steps: Vec<(u64, What)>) -> Vec<Entry> {
    let call: CallId = CALL.parse().unwrap();
    let entry = |((ms, what), seq)| {
        let wall = Wall(1_638_316_800_000_000 + ms as i64 * 1000);
        Entry { call, seq, wall, mono: Mono(7_000_000 + ms * 1000), what }
    };
    steps.into_iter().zip(1..).map(entry).collect()
}

fn record(steps: Vec<(u64, What)>) -> Value {
    serde_json::to_value(fold(&log(steps), &Zone::default()).unwrap()).unwrap()
}

fn offered() -> What {
    What::Offered(Box::new(Offered {
        direction: crate::event::CallDirection::Inbound,
        listed: None,
        tickets: Vec::new(),
        recorded: false,
        withheld: Vec::new(),
        leg: 1,
        sip_call_id: "a@10.0.0.1".into(),
        trunk: "mobile".into(),
        dialled: "069112315".into(),
        dialled_from: DialledFrom::RequestUri,
        dialled_by_rules: Vec::new(),
        number: "12315".into(),
        caller: Some("13800138000".into()),
        caller_raw: "+8613800138000".into(),
        caller_anonymous: false,
        line: "12315".into(),
        mode: Mode::Merged,
        phase: Some(Phase::AnnounceAndConnect),
        unit: Some("州市场监督管理局".into()),
        area: Some("691".into()),
        area_source: "trunk".into(),
        division: Some(Division { code: "532800".into(), name: "西双版纳傣族自治州".into() }),
        diverted_from: None,
        plan: "xishuangbanna".into(),
        plan_revision: "1".into(),
        node: "a".into(),
    }))
}

fn announcing(prompt: &str) -> What {
    What::Announcing { prompt: prompt.to_owned(), version: None }
}

#[test]
fn a_message_is_in_the_record_from_its_tone_on_and_ends_with_the_process() {
    use crate::event::{Discarded, MessageEnd};
    let message = |ms, ended, discarded| What::Message { ms, ended, discarded };
    let told = |steps: Vec<(u64, What)>| record([vec![(0, offered())], steps].concat())["message"].clone();
    let (at, id) = ("2021-12-01T08:00:09.000+08:00", CALL);
    let begun = told(vec![(9000, What::MessageBegun)]);
    assert_eq!(begun, json!({ "at": at, "ms": null, "ended": null, "discarded": null, "recording": id }));
    let kept = told(vec![(9000, What::MessageBegun), (14_000, message(5000, MessageEnd::Key, None))]);
    assert_eq!(kept, json!({ "at": at, "ms": 5000, "ended": "key", "discarded": null, "recording": id }));
    let short = message(400, MessageEnd::HungUp, Some(Discarded::TooShort));
    let short = told(vec![(9000, What::MessageBegun), (9400, short)]);
    assert_eq!(short, json!({ "at": at, "ms": 400, "ended": "hung_up", "discarded": "too_short", "recording": null }));
    let none = told(vec![(9000, message(0, MessageEnd::NoRoom, None))]);
    assert_eq!(none, json!({ "at": null, "ms": 0, "ended": "no_room", "discarded": null, "recording": null }));
    let cut = told(vec![(9000, What::MessageBegun), (12_000, What::Silent { leg: 1 }), (99_000, What::Interrupted)]);
    assert_eq!(cut, json!({ "at": at, "ms": 3000, "ended": "interrupted", "discarded": null, "recording": id }));
    assert_eq!(told(vec![]), Value::Null);
}

/// A party of which no more is known.
pub(super) fn joined(leg: u64, party: Party) -> What {
    What::Joined { leg, party, sip_call_id: None, label: None }
}

fn ringing(leg: u64) -> What {
    let (sip_call_id, label) = (Some(format!("{leg}@10.0.0.9")), Some("李明".to_owned()));
    What::Ringing { leg, party: seat(), sip_call_id, label, choice: None }
}

fn seat() -> Party {
    Party::Seat { name: "1001".into(), queue: "12345".into() }
}

fn ended(result: Result, by: By, status: u16, q850: u8) -> What {
    What::Ended { result, by, status: Some(status), q850: Some(q850) }
}

fn media(leg: u64) -> What {
    let stats = RtpStats { received: 500, sent: 510, lost: 2, jitter_ms: 1.5, peer_lost: 1, strangers: 0 };
    What::LegMedia { leg, codec: "PCMA".into(), srtp: None, stats }
}

fn leg_media() -> Value {
    json!({
        "received": { "codec": "PCMA", "packets": 500, "lost": 2, "jitter_ms": 1.5 },
        "sent": { "codec": "PCMA", "packets": 510, "lost": 1, "jitter_ms": null },
    })
}

fn heard(name: &str) -> Value {
    json!({ "name": name, "version": null })
}

/// All that every record of these callers has in common, and has before anything happened.
fn expected(differences: Value) -> Value {
    let mut record = json!({
        "call_id": CALL,
        "sip_call_ids": ["a@10.0.0.1"],
        "transfers": [],
        "trunk": "mobile",
        "hotline": {
            "dialled": "069112315",
            "number": "12315",
            "line": "12315",
            "mode": "merged",
            "phase": "announce-and-connect",
            "unit": "州市场监督管理局",
            "diverted_from": null,
        },
        "caller": "13800138000",
        "caller_raw": "+8613800138000",
        "caller_anonymous": false,
        "area": { "code": "532800", "name": "西双版纳傣族自治州", "phone": "691", "source": "trunk" },
        "start": "2021-12-01T08:00:00.000+08:00",
        "handed_to_queue": null,
        "sip_answered": null,
        "seat_answered": null,
        "ended": null,
        "announce_ms": 0,
        "queue_ms": 0,
        "ring_ms": 0,
        "talk_ms": 0,
        "hold_ms": 0,
        "result": null,
        "hangup_by": null,
        "sip_code": null,
        "q850": null,
        "seat": null,
        "target": null,
        "queue": null,
        "prompts": [],
        "legs": [caller_leg(json!({}))],
        "reported_by": null,
        "survey": null,
        "recording": null,
        "tickets": [],
        "subjects": [],
        "data": {},
        "node": "a",
        "plan": "xishuangbanna",
        "plan_revision": "1",
        "estimated": false,
    });
    merge(&mut record, differences);
    record
}

fn caller_leg(differences: Value) -> Value {
    let mut leg = json!({
        "leg": 1, "party": null, "sip_call_id": "a@10.0.0.1", "started": "2021-12-01T08:00:00.000+08:00", "answered": null, "ended": null,
        "ended_by": null, "sip_code": null, "q850": null, "silent_ms": 0, "media": null,
    });
    merge(&mut leg, differences);
    leg
}

fn merge(into: &mut Value, from: Value) {
    let into = into.as_object_mut().unwrap();
    for (key, value) in from.as_object().unwrap() {
        assert!(into.insert(key.clone(), value.clone()).is_some(), "{key}");
    }
}

pub(super) fn answered() -> Vec<(u64, What)> {
    vec![
        (0, offered()),
        (20, announcing("merged-connect")),
        (6_020, What::Queued { queue: "12345".into() }),
        (6_030, ringing(2)),
        (9_030, What::RingFailed { leg: 2, status: Some(486), q850: Some(17) }),
        (10_030, ringing(3)),
        (13_030, What::CallerAnswered),
        (13_040, joined(3, seat())),
        (20_000, What::Held { leg: 3 }),
        (25_000, What::Resumed { leg: 3 }),
        (30_000, What::Silent { leg: 1 }),
        (30_700, What::Heard { leg: 1 }),
        (43_040, What::LegEnded { leg: 3, by: By::Callee, status: None, q850: Some(16) }),
        (43_050, What::LegEnded { leg: 1, by: By::Gateway, status: None, q850: Some(16) }),
        (43_060, media(3)),
        (43_061, media(1)),
        (43_062, ended(Result::Answered, By::Callee, 200, 16)),
    ]
}

#[test]
fn an_answered_call() {
    let seat_json = json!({ "kind": "seat", "name": "1001", "queue": "12345" });
    let busy = json!({
        "leg": 2, "party": seat_json, "sip_call_id": "2@10.0.0.9", "started": "2021-12-01T08:00:06.030+08:00", "answered": null,
        "ended": "2021-12-01T08:00:09.030+08:00", "ended_by": null, "sip_code": 486, "q850": 17, "silent_ms": 0, "media": null,
    });
    let joined = json!({
        "leg": 3, "party": seat_json, "sip_call_id": "3@10.0.0.9", "started": "2021-12-01T08:00:10.030+08:00", "answered": "2021-12-01T08:00:13.040+08:00",
        "ended": "2021-12-01T08:00:43.040+08:00", "ended_by": "callee", "sip_code": null, "q850": 16, "silent_ms": 0,
        "media": leg_media(),
    });
    let caller = caller_leg(json!({
        "answered": "2021-12-01T08:00:13.030+08:00", "ended": "2021-12-01T08:00:43.050+08:00", "ended_by": "gateway",
        "q850": 16, "silent_ms": 700, "media": leg_media(),
    }));
    let expected = expected(json!({
        "handed_to_queue": "2021-12-01T08:00:06.020+08:00",
        "sip_answered": "2021-12-01T08:00:13.030+08:00",
        "seat_answered": "2021-12-01T08:00:13.040+08:00",
        "ended": "2021-12-01T08:00:43.050+08:00",
        "announce_ms": 6_000,
        "queue_ms": 7_020,
        "ring_ms": 6_010,
        "talk_ms": 30_000,
        "hold_ms": 5_000,
        "result": "answered",
        "hangup_by": "callee",
        "sip_code": 200,
        "q850": 16,
        "sip_call_ids": ["a@10.0.0.1", "2@10.0.0.9", "3@10.0.0.9"],
        "seat": { "id": "1001", "name": "李明" },
        "queue": "12345",
        "prompts": [heard("merged-connect")],
        "legs": [caller, busy, joined],
        "tickets": [],
        "subjects": [],
        "data": {},
    }));
    assert_eq!(record(answered()), expected);
}

#[test]
fn a_caller_who_gave_up_in_the_queue() {
    let steps = vec![
        (0, offered()),
        (10, What::Queued { queue: "12345".into() }),
        (9_000, announcing("still-waiting")),
        (20_010, What::LegEnded { leg: 1, by: By::Caller, status: Some(487), q850: Some(16) }),
        (20_500, media(1)),
        (20_510, ended(Result::AbandonedQueue, By::Caller, 487, 16)),
    ];
    let caller = caller_leg(json!({
        "ended": "2021-12-01T08:00:20.010+08:00", "ended_by": "caller", "sip_code": 487, "q850": 16, "media": leg_media(),
    }));
    let expected = expected(json!({
        "handed_to_queue": "2021-12-01T08:00:00.010+08:00",
        "ended": "2021-12-01T08:00:20.010+08:00",
        "queue_ms": 20_000,
        "result": "abandoned_queue",
        "hangup_by": "caller",
        "sip_code": 487,
        "q850": 16,
        "queue": "12345",
        "prompts": [heard("still-waiting")],
        "legs": [caller],
        "tickets": [],
        "subjects": [],
        "data": {},
    }));
    assert_eq!(record(steps), expected);
}

#[test]
fn a_caller_whom_the_plan_sent_away() {
    let steps = vec![
        (0, offered()),
        (5, announcing("dial-12345")),
        (8_005, What::LegEnded { leg: 1, by: By::Gateway, status: Some(410), q850: Some(22) }),
        (8_010, ended(Result::Rejected, By::Gateway, 410, 22)),
    ];
    let caller = caller_leg(json!({
        "ended": "2021-12-01T08:00:08.005+08:00", "ended_by": "gateway", "sip_code": 410, "q850": 22,
    }));
    let expected = expected(json!({
        "ended": "2021-12-01T08:00:08.005+08:00",
        "announce_ms": 8_000,
        "result": "rejected",
        "hangup_by": "gateway",
        "sip_code": 410,
        "q850": 22,
        "prompts": [heard("dial-12345")],
        "legs": [caller],
        "tickets": [],
        "subjects": [],
        "data": {},
    }));
    assert_eq!(record(steps), expected);
}

#[test]
fn a_call_in_which_the_gateway_died() {
    let mut entries = log(answered().into_iter().take(9).collect());
    let after =
        Entry { seq: 10, wall: Wall(1_700_000_000_000_000), mono: Mono(3), what: What::Interrupted, ..entries[0].clone() };
    entries.push(after);
    let record = serde_json::to_value(fold(&entries, &Zone::default()).unwrap()).unwrap();
    let mut living = serde_json::to_value(fold(&entries[..9], &Zone::default()).unwrap()).unwrap();
    assert_eq!(living["talk_ms"], 6_960);
    merge(&mut living, json!({ "result": "interrupted", "estimated": true, "ended": "2021-12-01T08:00:20.000+08:00" }));
    assert_eq!(record, living);
}

#[test]
fn an_end_that_the_journal_holds_is_not_an_interruption() {
    let mut steps = answered();
    steps.push((50_000, What::Interrupted));
    assert_eq!(record(steps), record(answered()));
}

#[test]
fn a_step_of_the_wall_clock_bends_no_figure() {
    let mut entries = log(answered());
    entries[8..].iter_mut().for_each(|entry| entry.wall.0 -= 3_600_000_000);
    let record = fold(&entries, &Zone::default()).unwrap();
    assert_eq!((record.talk_ms, record.queue_ms), (30_000, 7_020));
}

#[test]
fn every_part_of_a_log_folds() {
    assert_eq!(fold([], &Zone::default()), None);
    let entries = log(answered());
    for from in 0..entries.len() {
        for to in from + 1..=entries.len() {
            let record = fold(&entries[from..to], &Zone::default()).unwrap();
            assert_eq!(record.call_id, CALL);
            assert_eq!(record.result.is_some(), to == entries.len());
        }
    }
}

/// The seat's phone gets our BYE then; nobody else would say so.
#[test]
fn whoever_is_left_when_the_caller_goes_ends_with_the_call() {
    let mut steps: Vec<_> = answered().into_iter().filter(|(at, _)| *at <= 25_000).collect();
    steps.push((43_040, What::LegEnded { leg: 1, by: By::Caller, status: None, q850: Some(16) }));
    steps.push((43_062, ended(Result::Answered, By::Caller, 200, 16)));
    let record = record(steps);
    let seat = &record["legs"][2];
    assert_eq!((&seat["ended"], seat["ended_by"].as_str()), (&json!("2021-12-01T08:00:43.040+08:00"), Some("gateway")));
    assert_eq!((&record["ended"], &record["legs"][1]["ended_by"]), (&seat["ended"], &Value::Null));
}

#[test]
fn a_withheld_number_stays_here_for_who_may_see_numbers() {
    let What::Offered(mut offered) = offered() else { unreachable!() };
    offered.caller_anonymous = true;
    let entries = log(vec![(0, What::Offered(offered))]);
    let told = CloudEvent::new(&entries, Kind::Offered, &Zone::default()).unwrap().data;
    assert_eq!((told.caller.as_deref(), told.caller_raw.as_deref(), told.caller_anonymous), (None, None, true));
    let kept = fold(&entries, &Zone::default()).unwrap();
    assert_eq!((kept.caller.as_deref(), kept.caller_anonymous), (Some("13800138000"), true));
    assert_eq!(kept.masked().caller.as_deref(), Some("138******00"));
}
