//! Entries as journals of earlier releases hold them.

use super::*;
use serde_json::{Value, json};

/// The entry, read and written again.
fn again(line: &Value) -> Value {
    let what: What = serde_json::from_value(line.clone()).unwrap();
    serde_json::to_value(what).unwrap()
}

#[test]
fn a_journal_of_before_reads_on_and_new_entries_are_spelt_alike() {
    for kind in ["consult", "three-way", "blind", "emergency", "return"] {
        let line = json!({ "transfer_started": { "seq": 1, "kind": kind, "by": 1, "to": "12366" } });
        assert_eq!(again(&line), line);
        let named = TransferKind::named(kind).map(TransferKind::name);
        assert_eq!(named, Some(kind).filter(|kind| *kind != "return"), "nobody asks for a return");
    }
    for result in ["joined", "completed", "returned", "cancelled", "failed"] {
        let line = json!({ "transfer_ended": { "seq": 1, "result": result } });
        assert_eq!(again(&line), line);
    }
    let party = json!({ "kind": "seat", "name": "1001", "queue": "12345" });
    for line in [
        json!({ "announcing": { "prompt": "welcome", "version": null } }),
        json!({ "ringing": { "leg": 1, "party": party, "sip_call_id": "a@b", "label": null } }),
        json!({ "leg_media": { "leg": 1, "codec": "PCMA", "stats": { "received": 1, "sent": 2, "lost": -3, "jitter_ms": 0.25,
            "peer_lost": 4, "strangers": 5 } } }),
        json!({ "ended": { "result": "abandoned_queue", "by": "caller", "status": null, "q850": 16 } }),
        json!("caller_answered"),
    ] {
        assert_eq!(again(&line), line);
    }
}

#[test]
fn the_mode_and_the_phase_are_spelt_as_ever_and_a_mode_of_a_later_release_is_unknown() {
    let offered = |mode: &str, phase: Value| {
        let mut line = serde_json::to_value(Offered::default()).unwrap();
        (line["mode"], line["phase"]) = (json!(mode), phase);
        json!({ "offered": line })
    };
    let modes = ["front", "merged", "parallel", "sub-center", "remote-seats", "linked", "emergency", "guided", "platform"];
    let phases = ["not-yet", "announce-and-connect", "announce-only", "released"];
    for mode in modes.into_iter().chain(["unknown"]) {
        let line = offered(mode, Value::Null);
        assert_eq!(again(&line), line);
        let read: Mode = serde_json::from_value(json!(mode)).unwrap();
        assert_eq!(read.name(), mode);
    }
    for phase in phases {
        let line = offered("merged", json!(phase));
        assert_eq!(again(&line), line);
        let read: Phase = serde_json::from_value(json!(phase)).unwrap();
        assert_eq!(read.name(), phase);
    }
    for other in ["", "video"] {
        assert_eq!(again(&offered(other, Value::Null)), offered("unknown", Value::Null));
    }
}
