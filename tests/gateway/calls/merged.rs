//! Tests of how calls to merged numbers, and refused ones, look in messages and records; `modes.rs` has each mode and phase.

use super::{assert_answered, request, response};
use crate::support::gateway::{Gateway, Spec};

#[test]
fn in_transition_a_merged_number_announces_and_connects() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(100).start();
    let heard = gateway.caller("caller_hangs_up", "069112396").lasts(200).start().finish();
    let rung = seat.finish();
    assert!(response(&heard, 183).header("P-Early-Media").contains("send"));
    let invite = request(&rung, "INVITE");
    assert!(invite.headers("History-Info").iter().any(|h| h.contains("sip:12396@")), "the retired hotline: {invite}");
    let record = gateway.record();
    assert_answered(&record, "12396", "caller");
    assert_eq!(record["hotline"]["dialled"], "069112396");
    assert_eq!(record["hotline"]["phase"], "announce-and-connect");
    assert_eq!(record["hotline"]["unit"], "州科技局");
    let announced = record["announce_ms"].as_u64().unwrap();
    assert!((950..1300).contains(&announced), "{announced} ms");
}

#[test]
fn a_caller_who_hangs_up_in_the_announcement_is_told_apart() {
    let gateway = Gateway::start(&Spec::default());
    gateway.caller("caller_cancels", "12396").lasts(400).start().finish();
    let record = gateway.record();
    assert_eq!(record["result"], "abandoned_announcement", "{record:#}");
    assert!(record["handed_to_queue"].is_null());
}

#[test]
fn after_it_a_merged_number_only_announces_and_is_never_answered() {
    let gateway = Gateway::start(&Spec::default());
    let heard = gateway.caller("caller_gets_410", "12336").start().finish();
    assert!(response(&heard, 183).header("P-Early-Media").contains("send"));
    let reason = response(&heard, 410).header("Reason");
    assert!(reason.contains("Q.850") && reason.contains("cause=22"), "{reason}");
    let record = gateway.record();
    assert_eq!(record["result"], "rejected");
    assert_eq!((&record["sip_code"], &record["q850"]), (&410.into(), &22.into()));
    assert_eq!(record["hotline"]["phase"], "announce-only");
    assert!(record["sip_answered"].is_null());
    assert!((950..1300).contains(&record["announce_ms"].as_u64().unwrap()), "{record:#}");
}

#[test]
fn an_unknown_number_does_not_exist() {
    let gateway = Gateway::start(&Spec::default());
    let heard = gateway.caller("caller_gets_404", "55555").start().finish();
    assert!(response(&heard, 404).header("Reason").contains("cause=1"));
    assert!(heard.iter().all(|m| m.status() != 183), "no media for nothing: {heard:?}");
    let record = gateway.record();
    assert_eq!(record["result"], "rejected", "{record:#}");
    assert_eq!(record["hotline"]["mode"], "unknown");
}

#[test]
fn a_busy_target_hands_its_status_to_the_caller() {
    let gateway = Gateway::start(&Spec::default());
    let busy = gateway.target("seat_is_busy").start();
    gateway.caller("caller_gets_486", "12366").start().finish();
    busy.finish();
    let record = gateway.record();
    assert_eq!(record["result"], "failed", "{record:#}");
    assert_eq!(record["sip_code"], 486);
}
