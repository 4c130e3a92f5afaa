//! Softphones that people use, as seats and callers: what they do with our messages, and who hears whom.

use super::assert_answered;
use crate::support::baresip::Baresip;
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::linphone::Linphone;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::softphone::Softphone;
use crate::support::tone::heard;
use crate::support::wait_for;

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const TARGET: u32 = 1100;
const ALL: [u32; 3] = [CALLER, SEAT, TARGET];

/// The softphones bind RTP to all addresses, so that it comes from the first one of the loopback network, not from the host
/// of their SDP.
fn spec() -> Spec {
    Spec { desks: "media = [\"127.0.0.1\"]", ..Spec::default() }
}

fn hears(phone: &Phone, tones: &[u32]) {
    wait_for(&format!("{tones:?} to be heard"), || (heard(&phone.ear, &ALL) == tones).then_some(()));
}

fn address(gateway: &Gateway, number: &str) -> String {
    format!("sip:{number}@{}:{}", gateway.host.ip, gateway.sip)
}

/// A caller whom a softphone has answered. Its answer says where to speak.
pub(super) fn takes_a_call<S: Softphone>(gateway: &Gateway, seat: &mut S) -> (Phone, Message) {
    let mut caller = Phone::new("caller", gateway.host.port(), gateway);
    caller.invite("12345");
    seat.answers();
    let answer = caller.status(200, "INVITE");
    caller.ack();
    seat.talks();
    (caller, answer)
}

/// A caller and a softphone at desk-0 in conversation.
fn talk_to<S: Softphone>(gateway: &Gateway) -> (Phone, Message, S) {
    let mut seat = S::at_desk(gateway, SEAT);
    let (caller, answer) = takes_a_call(gateway, &mut seat);
    (caller, answer, seat)
}

fn holds_and_resumes<S: Softphone>() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<S>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.holds();
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    hears(&caller, &[]);
    seat.resumes();
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.hangs_up();
    caller.hung_up();
    caller.ear.assert_one_stream();
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    assert!(record["hold_ms"].as_u64().unwrap() >= 350, "{record:#}");
}

#[test]
fn a_baresip_seat_holds_and_resumes() {
    holds_and_resumes::<Baresip>();
}

#[test]
fn a_linphone_seat_holds_and_resumes() {
    holds_and_resumes::<Linphone>();
}

fn sends_its_caller_on<S: Softphone>() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<S>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    seat.sends_on(&address(&gateway, "12366"));
    let fetched = target.ring();
    target.answer();
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
fn a_baresip_seat_sends_its_caller_on() {
    sends_its_caller_on::<Baresip>();
}

#[test]
fn a_linphone_seat_sends_its_caller_on() {
    sends_its_caller_on::<Linphone>();
}

fn fetches_110_and_leaves<S: Softphone>() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<S>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    seat.fetches_110(&gateway);
    let fetched = target.ring();
    target.answer();
    let _other = target.hum(&fetched, TARGET);
    hears(&caller, &[SEAT, TARGET]);
    seat.hears(&[CALLER, TARGET], &ALL);
    hears(&target, &[CALLER, SEAT]);
    seat.hangs_up();
    hears(&caller, &[TARGET]);
    caller.bye();
    target.hung_up();
    assert_eq!(gateway.record()["transfers"][0]["kind"], "emergency");
}

#[test]
fn one_key_on_baresip_brings_in_110() {
    fetches_110_and_leaves::<Baresip>();
}

#[test]
fn a_second_line_on_linphone_brings_in_110() {
    fetches_110_and_leaves::<Linphone>();
}

#[test]
fn a_baresip_seat_rings_again_when_nobody_takes_its_caller() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<Baresip>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let busy = gateway.target("seat_is_busy").start();
    // It hangs up when its REFER is refused, as for the number that does not exist.
    for number in ["99999", "12366"] {
        seat.sends_on(&address(&gateway, number));
        seat.answers();
        seat.talks();
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
fn a_linphone_seat_consults_on_its_second_line_and_completes() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<Linphone>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    let mut target = Phone::new("target", gateway.target, &gateway);
    seat.calls_beside(&gateway, "12366");
    let fetched = target.ring();
    target.answer();
    seat.talks();
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
fn a_linphone_seat_whose_transfer_is_refused_keeps_its_caller() {
    let gateway = Gateway::start(&spec());
    let (mut caller, answer, mut seat) = talk_to::<Linphone>(&gateway);
    let _hum = caller.hum(&answer, CALLER);
    hears(&caller, &[SEAT]);
    seat.sends_on(&address(&gateway, "99999"));
    seat.logs("SIP/2.0 404 Not Found");
    // A seat that hangs up at once is taken for a phone that answers its refusal so.
    seat.holds();
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.resumes();
    hears(&caller, &[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.hangs_up();
    caller.hung_up();
    assert_answered(&gateway.record(), "12345", "callee");
}

#[test]
fn a_baresip_caller_hears_the_announcement_and_then_the_seat() {
    let gateway = Gateway::start(&spec());
    let mut caller = Baresip::start(&gateway, "13800138000", gateway.host.port(), CALLER);
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    caller.command("dial", &address(&gateway, "12396"));
    caller.event("CALL_PROGRESS");
    let invite = seat.ring();
    seat.answer();
    caller.talks();
    let _hum = seat.hum(&invite, SEAT);
    hears(&seat, &[CALLER]);
    caller.hears(&[SEAT], &ALL);
    caller.hangs_up();
    seat.hung_up();
    let record = gateway.record();
    assert_answered(&record, "12396", "caller");
}
