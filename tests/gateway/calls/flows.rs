//! The ways by which phones that register are reached, and by which they call: another port than that of their flow, a proxy
//! between (RFC 3327), several phones of which some are gone (RFC 5626), keep-alives, and a certificate that is renewed.

use super::bad_input::answered;
use crate::support::baresip::Baresip;
use crate::support::gateway::{Gateway, Spec, prompt};
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::registrant::Registrant;
use crate::support::softphone::Softphone;
use crate::support::tone::heard;
use crate::support::{PATIENCE, wait_for, wait_until};
use hotline::io::net::tls::{self, Roots};
use rustls::ClientConnection;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "aLongPassword2026";
const SEAT: u32 = 700;

fn started(sources: Option<&'static str>) -> Gateway {
    let phones = Some((PASSWORD, "\"SHA-256\", \"MD5\""));
    Gateway::start(&Spec { phones, sources, seats: Vec::new(), ..Spec::default() })
}

fn registered(gateway: &Gateway) -> Registrant {
    let mut phone = Registrant::new(gateway, "1001", PASSWORD);
    let contact = phone.contact();
    assert_eq!(phone.registers(&[contact]).status(), 200);
    phone
}

/// The next request of this method that the phone hears; all else is left unanswered.
fn asked(phone: &Registrant, method: &str) -> Message {
    wait_for(method, || phone.hears(PATIENCE).filter(|heard| heard.is_request(method)))
}

/// A response without a body.
fn says(phone: &Registrant, to: &Message, status: &str) {
    let full = answered(to, phone);
    let head = full.split("\r\nContact:").next().unwrap().replace("SIP/2.0 200 OK", &format!("SIP/2.0 {status}"));
    phone.sends(&format!("{head}\r\nContent-Length: 0\r\n\r\n"));
}

/// The host is a phone's; beside the phone's own port it is anybody's on that machine.
#[test]
fn an_invite_from_beside_the_flow_of_a_phone_must_be_signed() {
    let gateway = started(Some("[\"127.0.0.1\"]"));
    let phone = registered(&gateway);
    let mut beside = Registrant::new(&gateway, "1001", PASSWORD);
    let unsigned = beside.invite("99999");
    let challenge = beside.asks(&unsigned);
    assert_eq!(challenge.status(), 401, "{challenge}");
    let mut guess = Registrant::new(&gateway, "1001", "aWrongPassword2026");
    guess.challenged(&challenge);
    let wrong = guess.invite("99999");
    assert_eq!(guess.asks(&wrong).status(), 401);
    beside.challenged(&challenge);
    let signed = beside.invite("99999");
    assert_eq!(beside.asks(&signed).status(), 404, "it may call; nobody has this number");
    // A signature for one number calls no other, and not twice.
    for stolen in [signed.replacen("sip:99999@", "sip:12345@", 1), signed.clone()] {
        let stolen = stolen.replace(";branch=z9hG4bK", ";branch=z9hG4bKagain").replace("Call-ID: ", "Call-ID: again-");
        let answer = beside.asks(&stolen);
        assert!([400, 401].contains(&answer.status()), "{answer}");
    }
    // By its own flow it needs no signature.
    let mut own = phone;
    let text = own.invite("99999");
    let plain: String =
        text.lines().filter(|line| !line.starts_with("Authorization")).map(|line| format!("{line}\r\n")).collect();
    assert_eq!(own.asks(&plain).status(), 404);
    // Another host that knows the password has no phone.
    let far = SocketAddr::from((Ipv4Addr::new(127, 201, 201, 201), 0));
    let port = std::net::UdpSocket::bind(far).unwrap().local_addr().unwrap();
    let mut far = Registrant::at(port, &gateway, "1001", PASSWORD);
    far.challenged(&challenge);
    let text = far.invite("99999");
    far.sends(&text);
    assert!(far.hears(Duration::from_millis(300)).is_none(), "nothing is heard of a host without a phone");
    assert_eq!((gateway.metric("callers_waiting"), gateway.metric("phones_registered")), (0, 1));
}

#[test]
fn a_phone_behind_a_proxy_is_called_by_the_path_that_it_registered_with() {
    let gateway = started(None);
    let mut proxy = Registrant::new(&gateway, "1001", PASSWORD);
    let path = format!("<sip:{};lr>", proxy.own);
    let contact = format!("<sip:1001@192.0.2.77:5060>\r\nSupported: path\r\nPath: {path}");
    let bound = proxy.registers(&[contact]);
    assert_eq!((bound.status(), bound.header("Path")), (200, &*path), "{bound}");
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    let ring = asked(&proxy, "INVITE");
    assert!(ring.start_line().starts_with("INVITE sip:1001@192.0.2.77:5060 "), "{ring}");
    assert_eq!(ring.header("Route"), path, "{ring}");
    // It stays on the way.
    let answer = answered(&ring, &proxy).replace(&proxy.contact(), "<sip:1001@192.0.2.77:5060>");
    let answer = answer.replacen("SIP/2.0 200 OK\r\n", &format!("SIP/2.0 200 OK\r\nRecord-Route: {path}\r\n"), 1);
    proxy.sends(&answer);
    caller.status(200, "INVITE");
    caller.ack();
    let ack = asked(&proxy, "ACK");
    assert_eq!((ack.header("Route"), ack.start_line()), (&*path, "ACK sip:1001@192.0.2.77:5060 SIP/2.0"), "{ack}");
    caller.bye();
    let bye = asked(&proxy, "BYE");
    assert_eq!(bye.header("Route"), path, "{bye}");
    says(&proxy, &bye, "200 OK");
    assert_eq!(gateway.record()["result"], "answered");
}

/// A proxy says 430 of a flow that is gone (RFC 5626 §11.5); a phone that was switched off says nothing.
#[test]
fn of_several_phones_the_next_is_called_where_one_is_gone() {
    let gateway = started(None);
    let (first, second) = (registered(&gateway), registered(&gateway));
    wait_until("both to be registered", || gateway.metric("phones_registered") == 2);
    for gone in ["430 Flow Failed", ""] {
        let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
        caller.invite("12345");
        let ring = asked(&second, "INVITE");
        if !gone.is_empty() {
            says(&second, &ring, gone);
        }
        let ring = asked(&first, "INVITE");
        first.sends(&answered(&ring, &first));
        caller.status(200, "INVITE");
        caller.ack();
        asked(&first, "ACK");
        caller.bye();
        says(&first, &asked(&first, "BYE"), "200 OK");
        let record = gateway.record();
        assert_eq!((&record["result"], &record["seat"]["name"]), (&"answered".into(), &"phone".into()), "{record:#}");
    }
}

/// RFC 5626 §3.5.1: two empty lines by TCP are a ping, and the pong is one.
#[test]
fn a_phones_keep_alive_by_tcp_is_answered_and_its_flow_stays_bound() {
    let gateway = started(None);
    let mut phone = Registrant::new(&gateway, "1001", PASSWORD);
    let contact = format!("<sip:1001@{};transport=tcp>", phone.own);
    let mut stream = TcpStream::connect((gateway.host.ip, gateway.sip)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = |stream: &mut TcpStream, end: &str| {
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        text
    };
    let by_tcp = |text: String| text.replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    stream.write_all(by_tcp(phone.signed(std::slice::from_ref(&contact))).as_bytes()).unwrap();
    phone.challenged(&Message::new(&hear(&mut stream, "\r\n\r\n")));
    stream.write_all(by_tcp(phone.signed(&[contact])).as_bytes()).unwrap();
    assert_eq!(Message::new(&hear(&mut stream, "\r\n\r\n")).status(), 200);
    for _ in 0..3 {
        stream.write_all(b"\r\n\r\n").unwrap();
        assert_eq!(hear(&mut stream, "\r\n"), "\r\n");
    }
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    assert!(hear(&mut stream, "\r\n").contains("INVITE sip:1001@"), "by the same flow");
    drop(stream);
    wait_until("the flow to be gone", || gateway.metric("phones_registered") == 0);
}

/// Tells whether the gateway shows this certificate to a phone that connects now.
fn shown(gateway: &Gateway, name: &str) -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(format!("{name}.pem"));
    let trusting = tls::client(Roots::File(&file)).unwrap();
    let mut session = ClientConnection::new(Arc::new(trusting), "127.0.0.1".try_into().unwrap()).unwrap();
    let Ok(mut socket) = TcpStream::connect((gateway.host.ip, gateway.tls)) else { return false };
    while session.is_handshaking() {
        if session.complete_io(&mut socket).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_certificate_is_renewed_while_a_phone_talks_by_tls() {
    let phones = Some((PASSWORD, "\"MD5\""));
    let gateway = Gateway::start(&Spec { phones, seats: Vec::new(), ..Spec::default() });
    let mut seat = Baresip::registered(&gateway, "1001", PASSWORD, ("tls", gateway.tls), SEAT);
    wait_until("the phone to be registered", || gateway.metric("phones_registered") == 1);
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12345");
    seat.answers();
    caller.status(200, "INVITE");
    caller.ack();
    seat.talks();
    assert!(shown(&gateway, "first") && !shown(&gateway, "second"));
    gateway.shows("second");
    wait_until("the new certificate", || shown(&gateway, "second"));
    assert!(!shown(&gateway, "first"));
    // The call goes on, and so does what the phone says by its connection.
    seat.holds();
    caller.ear.wait_to_hear("music", 20, &prompt("music"));
    seat.resumes();
    wait_for("the seat to be heard", || (heard(&caller.ear, &[SEAT]) == [SEAT]).then_some(()));
    assert_eq!(gateway.metric("phones_registered"), 1);
    seat.hangs_up();
    caller.hung_up();
    assert_eq!(gateway.record()["result"], "answered");
}
