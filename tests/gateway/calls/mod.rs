//! The running gateway against real SIPp callers and seats, telephones with real RTP, softphones, and trouble. Each scenario
//! file holds the order of messages and their codes; the tests here look into what was received and at the final record.

mod accounts;
mod asked;
mod bad_input;
mod busy_hour;
mod carrier;
mod channels;
mod codes;
mod disk;
mod flows;
mod gaps;
mod keys;
mod kills;
mod listed;
mod merged;
mod messages;
mod modes;
mod names;
mod odd;
mod outbound;
mod platform;
mod recorder;
mod refer;
mod registered;
mod rows;
mod rules;
mod sealed;
mod seats;
mod softphones;
mod stages;
mod supervised;
mod toolbar;
mod transfer;
mod trouble;
mod trunks;
mod voice;
mod watching;

use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use serde_json::Value;

/// The first message received that is this response.
fn response(messages: &[Message], status: u16) -> &Message {
    let found = messages.iter().find(|m| m.status() == status);
    found.unwrap_or_else(|| panic!("no {status} among {messages:?}"))
}

fn request<'a>(messages: &'a [Message], method: &str) -> &'a Message {
    let found = messages.iter().find(|m| m.is_request(method));
    found.unwrap_or_else(|| panic!("no {method} among {messages:?}"))
}

/// Checks what every call that a seat answered shows in its record.
fn assert_answered(record: &Value, number: &str, by: &str) {
    assert_eq!(record["result"], "answered", "{record:#}");
    assert_eq!(record["hangup_by"], by, "{record:#}");
    assert_eq!(record["hotline"]["number"], number);
    assert_eq!(record["caller"], "13800138000");
    for time in ["start", "sip_answered", "seat_answered", "ended"] {
        assert!(record[time].is_string(), "{time} is missing in {record:#}");
    }
}

#[test]
fn a_caller_of_12345_is_answered_by_a_seat_and_hangs_up() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(300).start();
    let caller = gateway.caller("caller_hangs_up", "12345").lasts(700).start();
    let heard = caller.finish();
    let rung = seat.finish();

    let early = response(&heard, 183);
    assert!(early.has_sdp("a=sendrecv") || early.has_sdp("a=sendonly"), "{early}");
    assert!(early.header("P-Early-Media").contains("send"), "{early}");
    let answer = response(&heard, 200);
    assert_eq!(answer.formats(), ["8", "101"], "the caller's own order and numbers");
    assert_eq!(answer.media_port(), early.media_port());

    let invite = request(&rung, "INVITE");
    let record = gateway.record();
    assert_eq!(invite.header("X-Hotline-Call-ID"), record["call_id"]);
    assert!(invite.header("P-Asserted-Identity").contains("13800138000"), "{invite}");
    assert!(invite.headers("History-Info").iter().any(|h| h.contains("sip:12345@")), "{invite}");
    assert_eq!(invite.formats()[0], "8", "the caller's codec is offered first");
    assert_ne!(invite.header("Call-ID"), answer.header("Call-ID"));
    assert!(request(&rung, "BYE").header("Reason").contains("cause=16"));

    assert_answered(&record, "12345", "caller");
    assert_eq!(record["seat"]["name"], "desk-0");
    assert_eq!(record["hotline"]["mode"], "front");
    assert_eq!(record["hotline"]["unit"], "州政府办公室");
    let talk = record["talk_ms"].as_u64().unwrap();
    assert!((600..1500).contains(&talk), "{talk} ms");
    assert!(record["ring_ms"].as_u64().unwrap() >= 250, "{record:#}");
}

#[test]
fn a_seat_that_hangs_up_ends_the_call() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_hangs_up").lasts(400).start();
    let heard = gateway.caller("caller_is_left", "12345").start().finish();
    seat.finish();
    assert!(request(&heard, "BYE").header("Reason").contains("Q.850"));
    assert_answered(&gateway.record(), "12345", "callee");
}

#[test]
fn a_busy_seat_is_passed_over_for_the_next() {
    let gateway = Gateway::start(&Spec { seats: vec![1, 1], ..Spec::default() });
    let busy = gateway.seat(0, "seat_is_busy").start();
    let seat = gateway.seat(1, "seat_answers").lasts(100).start();
    gateway.caller("caller_hangs_up", "12345").lasts(200).start().finish();
    busy.finish();
    seat.finish();
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["seat"]["name"], "desk-1");
    assert!(record["legs"].as_array().unwrap().iter().any(|leg| leg["sip_code"] == 486), "{record:#}");
}

#[test]
fn a_seat_that_does_not_answer_is_cancelled_and_the_next_rings() {
    let gateway = Gateway::start(&Spec { seats: vec![1, 1], queue: "ring_timeout = \"1s\"", ..Spec::default() });
    let silent = gateway.seat(0, "seat_rings").start();
    let seat = gateway.seat(1, "seat_answers").lasts(100).start();
    gateway.caller("caller_hangs_up", "12345").lasts(200).start().finish();
    let cancel = silent.finish();
    seat.finish();
    let reason = request(&cancel, "CANCEL").headers("Reason").concat();
    assert!(!reason.contains("cause=200"), "nobody else had answered: {reason}");
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["seat"]["name"], "desk-1");
    assert!(record["ring_ms"].as_u64().unwrap() >= 1000, "{record:#}");
}

#[test]
fn when_all_seats_ring_the_first_to_answer_wins() {
    let gateway = Gateway::start(&Spec { seats: vec![1, 1], queue: "strategy = \"all\"", ..Spec::default() });
    let slow = gateway.seat(0, "seat_rings").start();
    let seat = gateway.seat(1, "seat_answers").lasts(400).start();
    gateway.caller("caller_hangs_up", "12345").lasts(200).start().finish();
    let cancel = slow.finish();
    seat.finish();
    let reason = request(&cancel, "CANCEL").header("Reason");
    assert!(reason.starts_with("SIP") && reason.contains("cause=200"), "RFC 3326 §2: {reason}");
    assert_eq!(gateway.record()["seat"]["name"], "desk-1");
}

#[test]
fn a_second_caller_waits_until_the_seat_is_free() {
    let gateway = Gateway::start(&Spec { seats: vec![1], ..Spec::default() });
    let seat = gateway.seat(0, "seat_answers").lasts(100).start_calls(2, 20);
    let first = gateway.caller("caller_hangs_up", "12345").lasts(1500).start();
    first.wait_to_receive("the first caller's answer", |m| m.status() == 200);
    let second = gateway.caller("caller_hangs_up", "12345").lasts(300).start();
    first.finish();
    let heard = second.finish();
    seat.finish();
    response(&heard, 183);
    let records = [gateway.record(), gateway.record()];
    for record in &records {
        assert_answered(record, "12345", "caller");
    }
    let waited = records[1]["queue_ms"].as_u64().unwrap();
    assert!((800..4000).contains(&waited), "{waited} ms");
    assert!(records[1]["handed_to_queue"].is_string());
}

#[test]
fn a_caller_who_hangs_up_in_the_queue_is_an_abandoned_one() {
    let gateway = Gateway::start(&Spec { seats: vec![1], ..Spec::default() });
    let busy = gateway.seat(0, "seat_is_busy").start();
    let heard = gateway.caller("caller_cancels", "12345").lasts(400).start().finish();
    busy.finish();
    assert!(response(&heard, 183).has_sdp("a=rtpmap:8 PCMA/8000"));
    let record = gateway.record();
    assert_eq!(record["result"], "abandoned_queue", "{record:#}");
    assert_eq!(record["hangup_by"], "caller");
    assert_eq!(record["sip_code"], 487);
    assert!(record["sip_answered"].is_null() && record["seat_answered"].is_null());
}

#[test]
fn a_caller_who_hangs_up_while_a_seat_rings_stops_it() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_rings").start();
    gateway.caller("caller_cancels", "12345").lasts(500).start().finish();
    let rung = seat.finish();
    request(&rung, "CANCEL");
    let record = gateway.record();
    assert_eq!(record["result"], "abandoned_ringing", "{record:#}");
    assert!(record["sip_answered"].is_null());
}

#[test]
fn a_caller_who_waited_too_long_hears_an_apology_and_gets_480() {
    let gateway = Gateway::start(&Spec { seats: vec![1], queue: "max_wait = \"1s\"", ..Spec::default() });
    let busy = gateway.seat(0, "seat_is_busy").start();
    let heard = gateway.caller("caller_gets_480", "12345").start().finish();
    busy.finish();
    assert!(response(&heard, 480).header("Reason").contains("Q.850"));
    let record = gateway.record();
    assert_eq!(record["result"], "timeout", "{record:#}");
    assert_eq!(record["sip_code"], 480);
    assert!(record["prompts"].as_array().unwrap().iter().any(|p| p["name"] == "apology"), "{record:#}");
}

#[test]
fn a_full_queue_turns_the_next_caller_away() {
    let gateway = Gateway::start(&Spec { seats: vec![1], queue: "max_length = 1", ..Spec::default() });
    let _busy = gateway.seat(0, "seat_is_busy").start();
    let waiting = gateway.caller("caller_cancels", "12345").lasts(3000).start();
    waiting.wait_to_receive("183", |m| m.status() == 183);
    gateway.caller("caller_gets_480", "12345").start().finish();
    assert_eq!(gateway.record()["result"], "queue_full");
    waiting.finish();
    assert_eq!(gateway.record()["result"], "abandoned_queue");
}

#[test]
fn a_caller_who_waits_long_is_answered_before_the_carrier_gives_up() {
    let gateway = Gateway::start(&Spec { seats: vec![1], ..Spec::default() });
    // The plan says after how long: 1 s for this number.
    let seat = gateway.seat(0, "seat_answers").lasts(2500).start();
    let caller = gateway.caller("caller_hangs_up", "12348").lasts(2500).start();
    caller.finish();
    seat.finish();
    let record = gateway.record();
    assert_answered(&record, "12348", "caller");
    assert!(record["sip_answered"].as_str() < record["seat_answered"].as_str(), "{record:#}");
}
