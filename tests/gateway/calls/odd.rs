//! Tests of what carriers do beyond the plain call: hold, repeated and lost messages, 100rel, late offers.

use super::{assert_answered, request, response};
use crate::support::gateway::{Gateway, Spec};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::wait_for;

/// The final answers to INVITEs, in order, repetitions left out.
fn answers(messages: &[Message]) -> Vec<&Message> {
    let mut answers: Vec<&Message> =
        messages.iter().filter(|m| m.status() == 200 && m.header("CSeq").ends_with("INVITE")).collect();
    answers.dedup_by_key(|m| m.header("CSeq"));
    answers
}

#[test]
fn a_caller_holds_and_resumes() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    let heard = gateway.caller("caller_holds", "12345").lasts(700).start().finish();
    let rung = seat.finish();
    let answers = answers(&heard);
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[1].has_sdp("a=recvonly"), "sendonly is answered by recvonly (RFC 3264 §6.1): {}", answers[1]);
    assert!(answers[2].has_sdp("a=sendrecv") || !answers[2].body().contains("only"), "{}", answers[2]);
    let version = |m: &Message| m.sdp("o=").split(' ').nth(2).unwrap().parse::<u64>().unwrap();
    assert!(version(answers[1]) > version(answers[0]) && version(answers[2]) > version(answers[1]));
    assert_eq!(rung.iter().filter(|m| m.is_request("INVITE")).count(), 1, "hold is not forwarded");
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    let held = record["hold_ms"].as_u64().unwrap();
    assert!((600..1300).contains(&held), "{held} ms");
}

#[test]
fn a_seat_holds_and_resumes() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_holds").lasts(700).start();
    let heard = gateway.caller("caller_is_left", "12345").start().finish();
    let rung = seat.finish();
    let answers = answers(&rung);
    assert!(answers[0].has_sdp("a=recvonly"), "{}", answers[0]);
    assert!(!answers[1].has_sdp("a=recvonly"), "{}", answers[1]);
    assert!(heard.iter().all(|m| !m.is_request("INVITE")), "hold is not forwarded");
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    assert!((600..1300).contains(&record["hold_ms"].as_u64().unwrap()), "{record:#}");
}

#[test]
fn a_repeated_invite_is_the_same_call() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(400).start();
    let heard = gateway.caller("caller_retransmits", "12345").lasts(200).start().finish();
    seat.finish();
    let early: Vec<&Message> = heard.iter().filter(|m| m.status() == 183).collect();
    assert!(early.len() >= 2, "the last provisional response comes again (RFC 3261 §17.2.1): {heard:?}");
    assert!(early.windows(2).all(|pair| pair[0].text == pair[1].text));
    assert_answered(&gateway.record(), "12345", "caller");
    assert!(gateway.backend.rest().iter().all(|post| post.event["type"] != "call.record"), "one call, one record");
}

#[test]
fn a_lost_ack_is_asked_for_again() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    let heard = gateway.caller("caller_loses_ack", "12345").lasts(300).start().finish();
    seat.finish();
    let copies = heard.iter().filter(|m| m.status() == 200 && m.header("CSeq").ends_with("INVITE")).count();
    assert!((2..=3).contains(&copies), "{copies} times 200 within 1.2 s");
    assert_answered(&gateway.record(), "12345", "caller");
}

#[test]
fn a_caller_that_never_acknowledges_is_hung_up_after_32_seconds() {
    // With T1 at 100 ms: 64·T1 = 6.4 s.
    let gateway = Gateway::start(&Spec { sip: "t1 = \"100ms\"\nt2 = \"800ms\"", ..Spec::default() });
    let seat = gateway.seat(0, "seat_answers").lasts(50).start();
    let heard = gateway.caller("caller_never_acks", "12345").start().finish();
    seat.finish();
    let copies = heard.iter().filter(|m| m.status() == 200).count();
    assert!((9..=13).contains(&copies), "{copies} times 200");
    request(&heard, "BYE");
    let record = gateway.record();
    assert_ne!(record["hangup_by"], "caller", "{record:#}");
    gateway.wait_until_idle();
}

#[test]
fn required_reliable_responses_are_reliable() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(300).start();
    let heard = gateway.caller("caller_pracks", "12345").lasts(300).start().finish();
    seat.finish();
    let reliable = response(&heard, 183);
    assert!(reliable.header("RSeq").parse::<u32>().unwrap() > 0);
    assert!(heard.iter().all(|m| m.status() != 420));
    assert!(heard.iter().any(|m| m.status() == 200 && m.header("CSeq").ends_with("PRACK")));
    assert_answered(&gateway.record(), "12345", "caller");
}

#[test]
fn a_late_offer_is_answered_before_anything_is_played() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(100).start();
    let heard = gateway.caller("caller_offers_late", "12345").lasts(600).start().finish();
    seat.finish();
    let offer = answers(&heard)[0];
    assert!(offer.formats().contains(&"8"), "our 200 brings the offer: {offer}");
    assert!(heard.iter().all(|m| m.status() != 183 || m.body().is_empty()), "{heard:?}");
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert!(record["sip_answered"].as_str() <= record["handed_to_queue"].as_str(), "{record:#}");
}

#[test]
fn a_late_offer_is_answered_for_nobody() {
    for scenario in ["caller_offers_late_in_vain", "caller_offers_late_and_pracks"] {
        let gateway = Gateway::start(&Spec::default());
        let busy = gateway.target("seat_is_busy").start();
        let heard = gateway.caller(scenario, "12366").start().finish();
        busy.finish();
        let answered = heard.iter().any(|m| m.status() == 200 && m.header("CSeq").ends_with("INVITE"));
        assert!(!answered, "{scenario}: {heard:?}");
        let record = gateway.record();
        assert_eq!((&record["result"], &record["sip_code"]), (&"failed".into(), &486.into()), "{scenario}: {record:#}");
        wait_for("no leg and no port", || (gateway.metric("legs") + gateway.metric("rtp_ports") == 0).then_some(()));
    }
}

#[test]
fn a_description_beside_an_isup_message_is_taken() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(300).start();
    let caller = gateway.caller("caller_sends_isup", "12345").lasts(600).start();
    wait_for("music or the seat", || (!caller.ear.packets().is_empty()).then_some(()));
    let heard = caller.finish();
    seat.finish();
    assert_eq!(answers(&heard)[0].formats(), ["8", "101"]);
    assert_answered(&gateway.record(), "12345", "caller");
}

#[test]
fn an_invitation_that_expires_ends_the_call() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_rings").start();
    gateway.caller("caller_expires", "12345").start().finish();
    request(&seat.finish(), "CANCEL");
    let record = gateway.record();
    assert_eq!(record["result"], "abandoned_ringing", "{record:#}");
    assert_eq!((record["hangup_by"].as_str(), record["sip_code"].as_u64()), (Some("caller"), Some(487)));
}

#[test]
fn an_invitation_to_an_emergency_line_does_not_expire() {
    let gateway = Gateway::start(&Spec::default());
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let mut other = Phone::new("other", gateway.host.port(), &gateway);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut target = Phone::new("target", gateway.target, &gateway);
    caller.headers = "Expires: 1\r\n";
    caller.invite("110");
    target.ring();
    // By the time that this later one is over, the first has expired.
    (other.headers, other.number) = ("Expires: 1\r\n", "13900139000".to_string());
    other.invite("12345");
    seat.ring();
    other.status(487, "INVITE");
    target.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    target.hung_up();
}

#[test]
fn a_caller_by_tcp_reaches_a_seat_by_udp() {
    let gateway = Gateway::start(&Spec::default());
    let seat = gateway.seat(0, "seat_answers").lasts(100).start();
    let caller = gateway.caller("caller_hangs_up", "12345").arg("-t").arg("t1").lasts(300);
    let heard = caller.start().finish();
    seat.finish();
    assert!(response(&heard, 200).header("Contact").contains("transport=tcp"), "{heard:?}");
    assert_answered(&gateway.record(), "12345", "caller");
}

#[test]
fn a_caller_who_wants_no_name_shown_has_none() {
    let gateway = Gateway::start(&Spec::default());
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    caller.headers = "Privacy: id\r\nP-Asserted-Identity: <tel:+8613800138000>\r\n";
    caller.invite("12345");
    let invite = seat.ring();
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    let (status, shown) = gateway.get("/api/v1/calls").unwrap();
    assert!(status == 200 && shown.contains("12345") && !shown.contains("138"), "the beginning is not shown either: {shown}");
    caller.bye();
    seat.hung_up();
    assert!(!invite.text.contains("13800138000"), "{invite}");
    assert!(invite.header("From").contains("anonymous"), "{invite}");
    let record = gateway.record();
    assert_eq!((&record["caller"], &record["caller_anonymous"]), (&serde_json::Value::Null, &true.into()));
    assert!(!gateway.log().contains("13800138000"));
}

#[test]
fn an_emergency_line_sees_a_number_that_others_may_not() {
    let gateway = Gateway::start(&Spec::default());
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let mut target = Phone::new("target", gateway.target, &gateway);
    caller.headers = "Privacy: none\r\nPrivacy: ID\r\nP-Asserted-Identity: <tel:+8613800138000>\r\n";
    caller.invite("110");
    let fetched = target.ring();
    assert!(fetched.header("From").contains("sip:13800138000@"), "{fetched}");
    assert!(fetched.header("P-Asserted-Identity").contains("13800138000"), "{fetched}");
    assert_eq!(fetched.header("Privacy"), "id", "others may still not see it");
    target.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    target.hung_up();
    let told = gateway.record();
    assert_eq!((&told["caller"], &told["caller_anonymous"]), (&serde_json::Value::Null, &true.into()), "no ticket has it");
    let shown = |arguments: &[&str]| String::from_utf8(gateway.ask(arguments).stdout).unwrap();
    let id = told["call_id"].as_str().unwrap();
    assert!(shown(&["records", "show", id]).contains("138******00"));
    assert!(shown(&["records", "show", id, "--unmasked"]).contains("13800138000"));
    assert!(!gateway.log().contains("13800138000"));
}
