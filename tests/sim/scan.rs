//! Phones that register from addresses that nobody names, while others send whatever they like from everywhere.

use crate::flood::{Gateway, from};
use crate::switch::address;
use hotline::seat::{Rules, SignIn};
use hotline::sip::digest::{Algorithm, Challenge, Client, Secret, Signed};
use hotline::transport::{Bounds, Lanes};
use hotline::ua::registrar::{Account, Config};
use std::sync::Arc;
use std::time::Duration;

const PHONE: u8 = 77;
const SCAN: std::ops::Range<u8> = 100..200;
const URI: &str = "sip:10.0.0.1";

fn gateway() -> Gateway {
    let secret = Secret::new(Algorithm::Sha256, "seat-0", "hotline", "right");
    let account = Account { seat: "seat-0".into(), secrets: vec![secret] };
    let config = Config {
        realm: "hotline".into(),
        algorithms: vec![Algorithm::Sha256],
        networks: vec!["0.0.0.0/0".parse().unwrap()],
        expires: Duration::from_secs(60),
        least_expires: Duration::from_secs(60),
        most_expires: Duration::from_secs(600),
        contacts: 2,
        nonce_life: Duration::from_secs(300),
        tries: 5,
        ban: Duration::from_secs(600),
        accounts: [("seat-0".to_owned(), account)].into(),
    };
    Gateway::new(|setup| {
        setup.live.seats.truncate(1);
        let seat = &mut setup.live.seats[0];
        (seat.target, seat.sources, seat.channels) = (None, Vec::new(), 1);
        seat.rules = Rules { sign_in: SignIn::Registration, ..Rules::default() };
        setup.live.queues[0].seats = vec!["seat-0".into()];
        setup.live.registrar = Some(Arc::new(config));
        (setup.live.peers.per_second, setup.live.peers.burst, setup.live.peers.max_sources) = (1, 5, 4);
    })
}

fn register(host: u8, n: u32, client: Option<&mut Client>) -> String {
    let signed = client.and_then(|client| {
        let secret = Secret::new(client.challenge().algorithm, "seat-0", "hotline", "right");
        client.answer("seat-0", &secret, Signed { method: "REGISTER", uri: URI, body: b"" }, "cnonce")
    });
    let signed = signed.map_or(String::new(), |answer| format!("Authorization: {answer}\r\n"));
    format!(
        "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{host}:5060;branch=z9hG4bKr{host}x{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:seat-0@10.0.0.1>;tag=r\r\nTo: <sip:seat-0@10.0.0.1>\r\nCall-ID: r{host}\r\nCSeq: {n} REGISTER\r\n\
         Contact: <sip:seat-0@10.0.0.{host}:5060>\r\n{signed}Content-Length: 0\r\n\r\n"
    )
}

/// The status of the answer to it, and its challenge.
fn asks(gateway: &mut Gateway, host: u8, text: String) -> Option<(u16, Option<Challenge>)> {
    gateway.sent.clear();
    gateway.receive(host, text);
    let (_, answer) = gateway.sent.iter().rfind(|(to, _)| *to == address(host))?;
    let challenge = answer.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: "));
    let challenge = challenge.and_then(|value| Challenge::parse(value.as_bytes()));
    Some((answer.split(' ').nth(1)?.parse().ok()?, challenge))
}

fn registers(gateway: &mut Gateway) -> Client {
    let (status, challenge) = asks(gateway, PHONE, register(PHONE, 1, None)).unwrap();
    assert_eq!(status, 401);
    let mut client = Client::new(challenge.unwrap());
    let signed = register(PHONE, 2, Some(&mut client));
    assert_eq!(asks(gateway, PHONE, signed).map(|(status, _)| status), Some(200));
    client
}

/// Whoever scans the network fills the lane of those whom nobody knows, also with what is dropped last.
#[test]
fn a_registered_phone_has_a_lane_of_its_own_beside_a_scan() {
    let mut gateway = gateway();
    let of = |gateway: &Gateway, host: u8| gateway.switch.source(address(host).ip());
    assert_eq!(of(&gateway, PHONE), of(&gateway, SCAN.start), "nobody knows it yet");
    registers(&mut gateway);
    let mut lanes = Lanes::new(Bounds { messages: 400, bytes: 1 << 20 });
    let mut offer = |gateway: &Gateway, host: u8, text: &'static str| {
        let spared = |_: &(u8, &str)| gateway.switch.spares(from(host), text.as_bytes());
        lanes.offer(of(gateway, host), text.len(), (host, text), spared)
    };
    let scanned = (0..100).flat_map(|_| SCAN);
    let taken = scanned.filter(|host| offer(&gateway, *host, "SIP/2.0 200 OK\r\nforged")).count();
    assert_eq!(taken, 500, "the lane and what is spared");
    let of_phone = ["SIP/2.0 200 OK", "REGISTER sip:10.0.0.1 SIP/2.0", "INVITE sip:12345@10.0.0.1 SIP/2.0", "BYE sip:x SIP/2.0"];
    assert!(of_phone.into_iter().all(|text| offer(&gateway, PHONE, text)), "there is room");
    let mut served = Vec::new();
    for _ in 0..2 * of_phone.len() {
        lanes.serve(|(host, text)| {
            served.extend((host == PHONE).then_some(text));
            1
        });
    }
    assert_eq!(served, of_phone, "none of them waits for more than one of the scan's");
    // It has gone, and what its calls could still send is over.
    gateway.pass(Duration::from_secs(60 + 64 + 5));
    gateway.call(2, "13800138000", "12345");
    gateway.pass(Duration::from_secs(200));
    assert_eq!(of(&gateway, PHONE), of(&gateway, SCAN.start));
}

/// Each address of a scan would otherwise take a bucket, and those that are known share what is left.
#[test]
fn strangers_who_try_to_register_take_no_bucket_from_phones() {
    let mut gateway = gateway();
    let mut client = registers(&mut gateway);
    gateway.pass(Duration::from_secs(20));
    for (n, host) in (0..5).flat_map(|n| SCAN.map(move |host| (n, host))) {
        gateway.receive(host, register(host, n, None));
    }
    for n in 3..6 {
        let signed = register(PHONE, n, Some(&mut client));
        assert_eq!(asks(&mut gateway, PHONE, signed).map(|(status, _)| status), Some(200));
    }
}
