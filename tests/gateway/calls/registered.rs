//! Seats whose phones register: softphones that people use, and those who would like to be one.

use super::assert_answered;
use super::softphones::takes_a_call;
use crate::support::baresip::Baresip;
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::linphone::Linphone;
use crate::support::phone::Phone;
use crate::support::registrant::Registrant;
use crate::support::softphone::Softphone;
use crate::support::tone::heard;
use crate::support::{PATIENCE, wait_for, wait_until};
use serde_json::Value;
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant};

const CALLER: u32 = 400;
const SEAT: u32 = 700;
const OTHER: u32 = 1100;
const ALL: [u32; 2] = [CALLER, SEAT];
const PASSWORD: &str = "aLongPassword2026";
/// baresip 1.0 gives up where another than MD5 is offered, before it or after it.
const MD5: &str = "\"MD5\"";
const BOTH: &str = "\"SHA-256\", \"MD5\"";

/// Nobody but the caller's trunk is known by its address.
fn spec(algorithms: &'static str) -> Spec {
    Spec { phones: Some((PASSWORD, algorithms)), seats: Vec::new(), ..Spec::default() }
}

fn by<'a>(gateway: &Gateway, transport: &'a str) -> (&'a str, u16) {
    (transport, if transport == "tls" { gateway.tls } else { gateway.sip })
}

fn registers_talks_and_holds<S: Softphone>(algorithms: &'static str, transport: &str) {
    let gateway = Gateway::start(&spec(algorithms));
    let mut seat = S::registered(&gateway, PASSWORD, by(&gateway, transport), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    let (mut caller, answer) = takes_a_call(&gateway, &mut seat);
    let _hum = caller.hum(&answer, CALLER);
    let hears = |tones: &[u32]| wait_for("tones", || (heard(&caller.ear, &ALL) == tones).then_some(()));
    hears(&[SEAT]);
    seat.hears(&[CALLER], &ALL);
    seat.holds();
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.resumes();
    hears(&[SEAT]);
    seat.hangs_up();
    caller.hung_up();
    let record = gateway.record();
    assert_answered(&record, "12345", "callee");
    assert_eq!(record["seat"]["name"], "phone");
    assert_eq!(gateway.metric("register_failed_total"), 0);
    let log = gateway.log();
    assert!(!log.contains(PASSWORD) && !log.contains("response=") && !log.contains("nonce="), "{log}");
}

#[test]
fn a_baresip_seat_registers_by_udp() {
    registers_talks_and_holds::<Baresip>(MD5, "udp");
}

#[test]
fn a_baresip_seat_registers_by_tcp() {
    registers_talks_and_holds::<Baresip>(MD5, "tcp");
}

#[test]
fn a_baresip_seat_registers_by_tls() {
    registers_talks_and_holds::<Baresip>(MD5, "tls");
}

#[test]
fn a_linphone_seat_registers_by_udp() {
    registers_talks_and_holds::<Linphone>(BOTH, "udp");
}

#[test]
fn a_linphone_seat_registers_by_tcp() {
    registers_talks_and_holds::<Linphone>(BOTH, "tcp");
}

#[test]
fn a_linphone_seat_registers_by_tls() {
    registers_talks_and_holds::<Linphone>(BOTH, "tls");
}

#[test]
fn a_linphone_seat_answers_by_the_best_algorithm_that_it_is_asked_for() {
    for (asked, answered) in [("\"SHA-256\"", "SHA-256"), (MD5, "MD5"), (BOTH, "SHA-256")] {
        let gateway = Gateway::start(&spec(asked));
        let seat = Linphone::registered(&gateway, "1001", PASSWORD, by(&gateway, "udp"), SEAT);
        wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
        let log = seat.log();
        let answer = log.lines().find(|line| line.starts_with("Authorization:")).expect("it has answered");
        assert!(
            answer.contains(&format!("algorithm={answered},")) || answer.ends_with(&format!("algorithm={answered}")),
            "{answer}"
        );
    }
}

#[test]
fn a_phone_that_knows_md5_alone_registers_beside_those_that_are_offered_sha_256() {
    let gateway = Gateway::start(&Spec { desks: "algorithms = [\"MD5\"]", ..spec(BOTH) });
    let _seat = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, "udp"), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
}

fn intent(gateway: &Gateway) -> Value {
    let (_, text) = gateway.get("/api/v1/seats/phone").unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["seat"]["intent"].clone()
}

/// The person has a phone and nothing else.
fn signs_in_pauses_and_goes_on_by_code<S: Softphone>(algorithms: &'static str, transport: &str) {
    let gateway = Gateway::start(&Spec { desks: "sign_in = \"asked\"", ..spec(algorithms) });
    let by = by(&gateway, transport);
    let mut seat = S::registered(&gateway, PASSWORD, by, SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    assert_eq!(intent(&gateway), "logged_out");
    seat.dials(&gateway, by, "*71");
    wait_until("the seat to be ready", || intent(&gateway) == "ready");
    seat.dials(&gateway, by, "*75");
    wait_until("the seat's break", || intent(&gateway) == "break");
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    wait_until("the caller to wait", || gateway.metric("callers_waiting") == 1);
    assert_eq!(gateway.metric("seat_channels_taken"), 0, "nobody is rung");
    seat.dials(&gateway, by, "*73");
    seat.answers();
    caller.status(200, "INVITE");
    caller.ack();
    seat.talks();
    caller.bye();
}

#[test]
fn a_baresip_seat_pauses_by_code() {
    signs_in_pauses_and_goes_on_by_code::<Baresip>(MD5, "tls");
}

#[test]
fn a_linphone_seat_pauses_by_code() {
    signs_in_pauses_and_goes_on_by_code::<Linphone>(BOTH, "tcp");
}

#[test]
fn a_phone_that_was_registered_is_called_after_a_kill_9() {
    let mut gateway = Gateway::start(&spec(MD5));
    let mut seat = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, "udp"), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    // A call's record comes after what was written before it.
    call(&gateway, &mut seat);
    seat.event("CALL_CLOSED");
    gateway.record();
    gateway.kill("-KILL");
    gateway.restart();
    wait_until("the phone to be there again", || gateway.metric("phones_registered") == 1);
    call(&gateway, &mut seat);
}

fn call(gateway: &Gateway, seat: &mut Baresip) {
    let (mut caller, _) = takes_a_call(gateway, seat);
    caller.bye();
}

#[test]
fn row_21_a_seat_whose_phone_is_not_registered_is_not_rung_until_it_is() {
    let gateway = Gateway::start(&spec(MD5));
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    wait_until("the caller to wait", || gateway.metric("callers_waiting") == 1);
    assert_eq!(gateway.metric("seat_channels_taken"), 0, "nobody is rung");
    let mut seat = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, "udp"), SEAT);
    seat.answers();
    caller.status(200, "INVITE");
    caller.ack();
    seat.talks();
    caller.bye();
}

#[test]
fn a_phone_whose_network_is_cut_while_it_talks_is_noticed_and_its_caller_waits_at_the_head() {
    is_cut_off_while_it_talks("udp");
}

#[test]
fn so_is_one_whose_connection_is_cut_which_says_nothing_for_minutes() {
    is_cut_off_while_it_talks("tcp");
}

/// Frozen, it neither speaks nor answers, as one whose cable is cut.
fn is_cut_off_while_it_talks(transport: &str) {
    let gateway = Gateway::start(&spec(MD5));
    let mut seat = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, transport), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    let (mut caller, answer) = takes_a_call(&gateway, &mut seat);
    let _hum = caller.hum(&answer, CALLER);
    wait_for("the seat to be heard", || (heard(&caller.ear, &ALL) == [SEAT]).then_some(()));
    seat.freeze();
    let cut = Instant::now();
    while gateway.metric("callers_waiting") == 0 {
        assert!(cut.elapsed() < Duration::from_secs(32), "{}", gateway.log());
        sleep(Duration::from_millis(200));
    }
    caller.bye();
}

/// The caller's place is before one who came while it talked. By TLS, where the connection itself tells nothing for minutes.
#[test]
fn a_tls_phone_whose_network_is_cut_is_noticed_and_its_caller_goes_before_those_who_came_later() {
    // Nobody else is there, and so the silent phone is tried once more, in vain.
    let soon = "ring_timeout = \"3s\"\nrest_after_failure = \"1s\"";
    let gateway = Gateway::start(&Spec { queue: soon, ..spec(MD5) });
    let mut seat = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, "tls"), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    let (mut caller, _) = takes_a_call(&gateway, &mut seat);
    wait_for("the seat to be heard", || (heard(&caller.ear, &ALL) == [SEAT]).then_some(()));
    let mut later = Phone::new("later", gateway.host.port(), &gateway);
    later.invite("12345");
    wait_until("another caller to wait", || gateway.metric("callers_waiting") == 1);
    seat.freeze();
    let cut = Instant::now();
    while gateway.metric("callers_waiting") < 2 {
        assert!(cut.elapsed() < Duration::from_secs(32), "{}", gateway.log());
        sleep(Duration::from_millis(200));
    }
    let mut other = Baresip::registered(&gateway, "1001", PASSWORD, by(&gateway, "tls"), OTHER);
    other.answers();
    other.talks();
    wait_for("the other phone to be heard", || (heard(&caller.ear, &[SEAT, OTHER]) == [OTHER]).then_some(()));
    caller.bye();
    other.answers();
    later.status(200, "INVITE");
    later.ack();
    later.bye();
}

/// RFC 5626 §4.4.2: a phone whose keep-alive gets no answer takes its flow for failed. Nobody else is told anything.
#[test]
fn a_registered_phone_s_stun_keep_alive_is_answered_and_is_no_message() {
    let gateway = Gateway::start(&Spec { sources: Some("[\"127.0.0.1\"]"), ..spec(BOTH) });
    let mut phone = Registrant::new(&gateway, "1001", PASSWORD);
    let asked = b"\x00\x01\x00\x00\x21\x12\xa4\x42keep-alive-1";
    assert_eq!(phone.pings(asked, Duration::from_millis(300)), None, "a stranger's");
    let contact = phone.contact();
    assert_eq!(phone.registers(&[contact]).status(), 200);
    let answer = phone.pings(asked, PATIENCE).expect("an answer");
    assert_eq!((&answer[..2], &answer[4..20]), (&b"\x01\x01"[..], &asked[4..20]));
    assert_eq!(u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112, phone.own.port());
    assert_eq!(gateway.metric("messages_malformed_total"), 0);
}

#[test]
fn who_does_not_know_the_password_gets_nowhere_and_is_not_heard_after_a_while() {
    let gateway = Gateway::start(&Spec { sources: Some("[\"127.0.0.1\"]"), ..spec(BOTH) });
    let guess = |port: u16, method: &str| {
        let socket = UdpSocket::bind((gateway.host.ip, port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let (ip, sip) = (gateway.host.ip, gateway.sip);
        let text = format!(
            "{method} sip:{ip}:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};branch=z9hG4bK{port};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:1001@{ip}>;tag=x\r\nTo: <sip:1001@{ip}>\r\nCall-ID: {port}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:1001@{ip}:{port}>\r\nAuthorization: Digest username=\"1001\", realm=\"hotline\", nonce=\"x\", \
             uri=\"sip:{ip}:{sip}\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, nc=00000001, \
             cnonce=\"x\"\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), (ip, sip)).unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(guess(gateway.host.port(), "INVITE"), None, "a stranger's INVITE gets no answer");
    assert_eq!(guess(gateway.host.port(), "OPTIONS"), None);
    assert_eq!(guess(gateway.host.port(), "REGISTER").as_deref(), Some("SIP/2.0 401 Unauthorized"));
    wait_until("the source to be banned", || {
        guess(gateway.host.port(), "REGISTER");
        gateway.metric("register_bans_total") == 1 || gateway.metric("register_failed_total") >= 5
    });
    assert_eq!(gateway.metric("phones_registered"), 0);
    assert_eq!(gateway.metric("calls_total"), 0);
}
