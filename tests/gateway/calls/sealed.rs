//! Audio by SRTP, with keys by SDES: softphones at seats that register by TLS, and a caller whose packets others change and repeat.

use super::assert_answered;
use super::softphones::takes_a_call;
use crate::support::baresip::Baresip;
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::linphone::Linphone;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::rtp::{pattern, voice};
use crate::support::softphone::Softphone;
use crate::support::tone::heard;
use crate::support::{pass, wait_for, wait_until};
use hotline::base::{MasterKey, SrtpKeys, Suite};
use hotline::media::Srtp;
use serde_json::Value;
use std::net::UdpSocket;
use std::sync::Arc;

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const ALL: [u32; 2] = [CALLER, SEAT];
const PASSWORD: &str = "aLongPassword2026";

/// A caller without SRTP and a softphone that has nothing else hear each other; the seat holds and resumes. Every word of it is
/// sealed at the seat by this suite.
fn talks_sealed<S: Softphone>(mandatory: bool, suite: &str) {
    let desks = if mandatory { "srtp = \"require\"" } else { "srtp = \"offer\"" };
    let spec = Spec { phones: Some((PASSWORD, "\"MD5\"")), seats: Vec::new(), desks, ..Spec::default() };
    let gateway = Gateway::start(&spec);
    let mut seat = S::sealed(&gateway, PASSWORD, mandatory, SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    let (mut caller, answer) = takes_a_call(&gateway, &mut seat);
    let _hum = caller.hum(&answer, CALLER);
    let hears = |tones: &[u32]| wait_for("tones", || (heard(&caller.ear, &ALL) == tones).then_some(()));
    hears(&[SEAT]);
    seat.hears(&[CALLER], &ALL);
    let (_, live) = gateway.get("/api/v1/calls").unwrap();
    let live: Value = serde_json::from_str(&live).unwrap();
    let sealed: Vec<&Value> = live["calls"][0]["legs"].as_array().unwrap().iter().map(|leg| &leg["srtp"]).collect();
    assert_eq!(sealed, [&Value::Null, &Value::from(suite)], "{live:#}");
    seat.holds();
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.resumes();
    hears(&[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.hangs_up();
    caller.hung_up();
    caller.ear.assert_one_stream();
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    let sealed = |leg: usize| &record["legs"][leg]["media"]["srtp"];
    assert_eq!((sealed(0), sealed(1)), (&Value::Null, &Value::from(suite)), "{record:#}");
    assert!(!gateway.log().contains("inline:"), "no key in the log");
}

#[test]
fn a_baresip_seat_talks_sealed() {
    talks_sealed::<Baresip>(true, "AEAD_AES_256_GCM");
}

#[test]
fn a_baresip_seat_takes_keys_that_it_may_pass_over() {
    talks_sealed::<Baresip>(false, "AEAD_AES_256_GCM");
}

#[test]
fn a_linphone_seat_talks_sealed() {
    talks_sealed::<Linphone>(true, "AES_CM_128_HMAC_SHA1_80");
}

/// A caller's end of the media that its offer and this answer have settled.
fn settled(key: &MasterKey, answer: &Message) -> Srtp {
    let suite = Suite::Counter32;
    let theirs = answer.sdp("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:");
    let theirs = MasterKey::parse(suite, theirs).expect("a key of the suite that was offered");
    Srtp::new(Arc::new(SrtpKeys { suite, sent: *key, received: theirs }))
}

fn sealed(srtp: &mut Srtp, packet: Vec<u8>) -> Vec<u8> {
    let mut out = packet;
    let at = srtp.seal(&mut out, 0).unwrap();
    out.split_off(at)
}

#[test]
fn only_who_has_the_key_is_heard_and_once() {
    let gateway = Gateway::start(&Spec { trunk: "srtp = \"offer\"", ..Spec::default() });
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let key = MasterKey::new(Suite::Counter32, &[0x5C; 46]);
    caller.crypto = format!("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:{}|2^31\r\n", key.text());
    caller.invite("12345");
    let invite = seat.ring();
    seat.answer();
    let answer = caller.status(200, "INVITE");
    caller.ack();
    assert!(answer.sdp("m=audio ").contains(" RTP/SAVP "), "{}", answer.body());
    let mut srtp = settled(&key, &answer);
    let stranger = UdpSocket::bind((gateway.host.ip, 0)).unwrap();
    let mut say = |numbers: std::ops::Range<u32>, to: &Message| {
        for number in numbers {
            let plain = voice(1, number, 8).write();
            let good = sealed(&mut srtp, plain.clone());
            let mut forged = good.clone();
            forged[50] ^= 1;
            for packet in [&plain, &forged, &good, &good, &forged] {
                caller.send_rtp(to, packet);
            }
            stranger.send_to(&good, (gateway.host.ip, to.media_port())).unwrap();
            pass(20);
        }
    };
    say(0..60, &answer);
    wait_until("all of it to be heard", || seat.ear.numbers_of(1).len() >= 60);
    assert_eq!(seat.ear.numbers_of(1), (0..60).collect::<Vec<_>>());
    // The words to it are sealed, by the key of the answer.
    let _mouth = seat.speak(&invite, 2);
    wait_until("something sealed", || caller.ear.packets().len() > 20);
    let mut end = settled(&key, &answer);
    let heard = caller.ear.packets();
    let opened: Vec<Vec<u8>> = heard
        .iter()
        .filter_map(|packet| {
            let mut bytes = packet.write();
            let length = end.open(&mut bytes)?;
            Some(bytes[12..length].to_vec())
        })
        .collect();
    assert_eq!(opened.len(), heard.len(), "each packet is sealed");
    assert!(opened.iter().filter(|payload| pattern(2, 0..1000).contains(payload)).count() > 10);
}

#[test]
fn keys_stay_through_hold_and_who_has_no_key_of_ours_is_told_so() {
    let gateway = Gateway::start(&Spec { trunk: "srtp = \"offer\"", ..Spec::default() });
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    let key = MasterKey::new(Suite::Counter32, &[0x5C; 46]);
    caller.crypto = format!("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:{}\r\n", key.text());
    caller.invite("12345");
    seat.ring();
    seat.answer();
    let answer = caller.status(200, "INVITE");
    caller.ack();
    let mut srtp = settled(&key, &answer);
    // The numbers pass their end between these, and the counter goes on through hold.
    for (numbers, direction) in [(0..30u32, "sendonly"), (30..60, "sendrecv"), (60..90, "sendrecv")] {
        for number in numbers {
            caller.send_rtp(&answer, &sealed(&mut srtp, voice(1, number, 8).write()));
            pass(5);
        }
        caller.reinvite(direction);
        let again = caller.status(200, "INVITE");
        caller.ack();
        assert_eq!(again.sdp("a=crypto:"), answer.sdp("a=crypto:"), "our key stays");
    }
    let heard = |numbers: std::ops::Range<u32>| numbers.clone().all(|number| seat.ear.numbers_of(1).contains(&number));
    wait_until("the words before hold and after", || heard(0..30) && heard(60..90));
    caller.bye();
    seat.hung_up();
    let mut desk = Phone::new("desk", gateway.host.port(), &gateway);
    desk.crypto = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA\r\n".to_owned();
    desk.invite("12345");
    let refused = desk.status(488, "INVITE");
    assert!(refused.header("Warning").starts_with("302 hotline \"SRTP wants a=crypto"), "{refused}");
}
