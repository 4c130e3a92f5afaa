//! Softphones that people use, as seats and callers: what they do with our messages, and who hears whom.

use crate::assert_answered;
use crate::support::baresip::Baresip;
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::linphone::Linphone;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::tone::heard;
use crate::support::wait_for;

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

fn hears(phone: &Phone, tones: &[u32]) {
    wait_for(&format!("{tones:?} to be heard"), || (heard(&phone.ear, &ALL) == tones).then_some(()));
}

/// A caller and a baresip at desk-0 in conversation. The caller's answer says where to speak.
fn talk_to_baresip(gateway: &Gateway) -> (Phone, Message, Baresip) {
    let mut seat = Baresip::start(gateway, "desk-0", gateway.seats[0], SEAT);
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    caller.invite("12345");
    seat.event("CALL_INCOMING");
    seat.command("accept", "");
    let answer = caller.status(200, "INVITE");
    caller.ack();
    seat.event("CALL_ESTABLISHED");
    (caller, answer, seat)
}

#[test]
fn a_baresip_seat_answers_holds_and_resumes() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_baresip(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.command("hold", "");
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    hears(&caller, &[]);
    seat.command("resume", "");
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.command("hangup", "");
    caller.hung_up();
    caller.ear.assert_one_stream();
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    assert!(record["hold_ms"].as_u64().unwrap() >= 350, "{record:#}");
}

#[test]
fn a_baresip_seat_sends_its_caller_on() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_baresip(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    seat.command("transfer", &format!("sip:12366@{}:{}", gateway.host.ip, gateway.sip));
    let fetched = target.ring();
    target.answer();
    seat.event("CALL_CLOSED");
    let _other = target.hum(&fetched, TARGET);
    hears(&caller, &[TARGET]);
    hears(&target, &[CALLER]);
    target.bye();
    caller.hung_up();
    let record = gateway.record();
    assert_eq!(record["transfers"][0]["kind"], "blind", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed", "{record:#}");
}

#[test]
fn a_baresip_seat_rings_again_when_nobody_takes_its_caller() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_baresip(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let busy = gateway.target("seat_is_busy").start();
    // It hangs up when its REFER is refused, as for the number that does not exist.
    for number in ["99999", "12366"] {
        seat.command("transfer", &format!("sip:{number}@{}:{}", gateway.host.ip, gateway.sip));
        seat.event("CALL_INCOMING");
        seat.command("accept", "");
        seat.event("CALL_ESTABLISHED");
        hears(&caller, &[SEAT]);
    }
    busy.finish();
    seat.hears(&[CALLER], &ALL);
    caller.ear.assert_one_stream();
    caller.bye();
    seat.event("CALL_CLOSED");
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["transfers"][0]["result"], "failed", "{record:#}");
}

#[test]
fn one_key_on_baresip_brings_in_110() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_baresip(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    seat.command("sndcode", "*110#");
    let fetched = target.ring();
    target.answer();
    let _other = target.hum(&fetched, TARGET);
    hears(&caller, &[SEAT, TARGET]);
    seat.hears(&[CALLER, TARGET], &ALL);
    hears(&target, &[CALLER, SEAT]);
    seat.command("hangup", "");
    hears(&caller, &[TARGET]);
    caller.bye();
    target.hung_up();
    assert_eq!(gateway.record()["transfers"][0]["kind"], "emergency");
}

/// A caller and a Linphone at desk-0 in conversation.
fn talk_to_linphone(gateway: &Gateway) -> (Phone, Message, Linphone) {
    let mut seat = Linphone::start(gateway, "desk-0", gateway.seats[0], SEAT);
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    caller.invite("12345");
    seat.shows("assigned id 1");
    seat.types("answer");
    let answer = caller.status(200, "INVITE");
    caller.ack();
    seat.shows("Media streams established");
    (caller, answer, seat)
}

/// Linphone wants its first line held before it calls on its second.
fn call_beside(gateway: &Gateway, seat: &mut Linphone, number: &str) {
    seat.types("pause");
    seat.shows("is now paused");
    seat.types(&format!("call sip:{number}@{}:{}", gateway.host.ip, gateway.sip));
}

#[test]
fn a_linphone_seat_consults_on_its_second_line_and_completes() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_linphone(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    call_beside(&gateway, &mut seat, "12366");
    let fetched = target.ring();
    target.answer();
    seat.shows("Media streams established");
    let _other = target.hum(&fetched, TARGET);
    seat.hears(&[TARGET], &ALL);
    hears(&target, &[SEAT]);
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.types("transfer 1 --to-call 2");
    hears(&caller, &[TARGET]);
    hears(&target, &[CALLER]);
    seat.shows("Call 1 with");
    seat.shows("ended");
    caller.ear.assert_one_stream();
    target.ear.assert_one_stream();
    caller.bye();
    target.hung_up();
    let record = gateway.record();
    assert_answered(&record, "12345", "caller");
    assert_eq!(record["transfers"][0]["kind"], "consult", "{record:#}");
    assert_eq!(record["transfers"][0]["result"], "completed", "{record:#}");
}

#[test]
fn a_linphone_seat_dials_110_and_all_three_talk() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_linphone(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    call_beside(&gateway, &mut seat, "110");
    let fetched = target.ring();
    target.answer();
    let _other = target.hum(&fetched, TARGET);
    hears(&caller, &[SEAT, TARGET]);
    seat.hears(&[CALLER, TARGET], &ALL);
    hears(&target, &[CALLER, SEAT]);
    caller.bye();
    seat.types("terminate all");
    target.hung_up();
    assert_eq!(gateway.record()["transfers"][0]["kind"], "emergency");
}

#[test]
fn a_linphone_seat_answers_pauses_and_resumes() {
    let gateway = Gateway::start(&Spec::default());
    let (mut caller, answer, mut seat) = talk_to_linphone(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.types(&format!("transfer sip:99999@{}:{}", gateway.host.ip, gateway.sip));
    seat.logs("SIP/2.0 404 Not Found");
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.types("pause");
    seat.shows("is now paused");
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.types("resume");
    seat.shows("Media streams established");
    hears(&caller, &[SEAT]);
    seat.types("terminate");
    caller.hung_up();
    caller.ear.assert_one_stream();
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    assert!(record["hold_ms"].as_u64().unwrap() >= 350, "{record:#}");
}

#[test]
fn a_baresip_caller_hears_the_announcement_and_then_the_seat() {
    let gateway = Gateway::start(&Spec::default());
    let mut caller = Baresip::start(&gateway, "13800138000", gateway.host.port(), CALLER);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    caller.command("dial", &format!("sip:12396@{}:{}", gateway.host.ip, gateway.sip));
    caller.event("CALL_PROGRESS");
    let invite = seat.ring();
    seat.answer();
    caller.event("CALL_ESTABLISHED");
    let _hum = seat.hum(&invite, SEAT);
    hears(&seat, &[CALLER]);
    caller.hears(&[SEAT], &ALL);
    caller.command("hangup", "");
    seat.hung_up();
    let record = gateway.record();
    assert_answered(&record, "12396", "caller");
}
