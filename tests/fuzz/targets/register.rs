//! One REGISTER, and what the registrar makes of it: no binding without a proof, never more than there is room for, none that
//! cannot be called, told or kept, and none that is there after its time.

use bytes::Bytes;
use hotline::base::{Flow, Mono, Now, Proto, Wall};
use hotline::sip::digest::{Algorithm, Challenge, Client, Secret, Signed};
use hotline::sip::{Message, Method, Name, NameAddr, Request, Uri};
use hotline::ua::registrar::{Account, Answer, Config, Outcome, Registrar};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::work::counted;

const ROOM: usize = 3;
const USERS: [&str; 2] = ["1001", "1002"];
/// A case that has it there knows the password of whom it names in To.
const SIGNED: &[u8] = b"{signed}";

pub fn target(data: &[u8]) {
    let Ok(Message::Request(mut request)) = Message::parse(Bytes::copy_from_slice(data)) else { return };
    if request.method != Method::Register {
        return;
    }
    let mut registrar = Registrar::new(b"a key", Arc::new(config()));
    let flow = Flow { proto: Proto::Udp, local: "10.0.0.1:5060".parse().unwrap(), remote: "10.0.0.7:5060".parse().unwrap() };
    // Each seat has a phone elsewhere.
    for user in USERS {
        let own = Flow { remote: "10.0.0.99:5060".parse().unwrap(), ..flow };
        let mut first = of(user);
        sign(&mut registrar, own, &mut first, user);
        assert!(matches!(registrar.register(now(0), own, &first), Outcome::Bound(..)));
    }
    let before = kept(&registrar);
    let knows = request.headers.all(&Name::Authorization).any(|value| **value == *SIGNED);
    let named = request.headers.to().and_then(|to| to.uri.user).unwrap_or_default();
    if knows {
        sign(&mut registrar, flow, &mut request, &named);
    }
    let (outcome, work) = counted(|| registrar.register(now(1), flow, &request));
    work.is_at_most(data.len(), (4_000, 8), (256 << 10, 400));
    match &outcome {
        Outcome::Silence => panic!("nobody has failed yet"),
        Outcome::Answer(answer) => {
            assert_eq!(kept(&registrar), before, "refused, and yet done: {answer:?}");
            is_fit(&request, answer);
        }
        Outcome::Bound(seat, answer) => {
            assert!(knows && **seat == *format!("seat-{named}"), "{seat} without its password");
            is_fit(&request, answer);
        }
    }
    for user in USERS {
        let seat = format!("seat-{user}");
        assert!(registrar.bindings(&seat).len() <= ROOM);
        assert!(user == named || registrar.kept(now(1), &seat) == before[&seat], "another's");
        let ways: Vec<_> = registrar.ways(&seat).collect();
        assert!(ways.iter().all(|way| Uri::parse(way.uri.to_string().as_bytes()).is_some()), "{ways:?}");
        let mut next = Registrar::new(b"another key", Arc::new(config()));
        next.restore(now(1), &seat, &registrar.kept(now(1), &seat));
        assert_eq!(next.ways(&seat).collect::<Vec<_>>(), ways, "as after a restart");
    }
    registrar.tick(now(10_000).mono);
    assert_eq!((registrar.figures().bindings, registrar.deadline()), (0, None), "nobody lasts longer than is allowed");
}

/// The answer can be sent, and what it tells be read.
fn is_fit(request: &Request, answer: &Answer) {
    assert!(matches!(answer.status, 200 | 400 | 401 | 403 | 423 | 500), "{answer:?}");
    for header in answer.headers.iter().filter(|header| header.name == Name::Contact) {
        assert!(NameAddr::parse(&header.value).is_some(), "{:?}", header.value.escape_ascii().to_string());
    }
    let mut response = request.reply(hotline::sip::Status(answer.status), Some("tag"));
    response.headers.0.extend(answer.headers.clone());
    assert!(hotline::sip::declared_length(&Message::Response(response).to_bytes()).is_ok());
}

fn kept(registrar: &Registrar) -> BTreeMap<String, Vec<hotline::ua::registrar::Kept>> {
    USERS.iter().map(|user| format!("seat-{user}")).map(|seat| (seat.clone(), registrar.kept(now(1), &seat))).collect()
}

fn of(user: &str) -> Request {
    let text = format!(
        "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.99;branch=z9hG4bK0\r\nFrom: <sip:{user}@10.0.0.1>;tag=f\r\n\
         To: <sip:{user}@10.0.0.1>\r\nCall-ID: first-{user}\r\nCSeq: 1 REGISTER\r\nContact: <sip:{user}@10.0.0.99>\r\n\r\n"
    );
    match Message::parse(text.into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Asks for a challenge and answers it, as this user.
fn sign(registrar: &mut Registrar, flow: Flow, request: &mut Request, user: &str) {
    request.headers.0.retain(|header| header.name != Name::Authorization);
    let Outcome::Answer(asked) = registrar.register(now(0), flow, request) else { panic!("it proves nothing yet") };
    let challenges = asked.headers.iter().filter(|header| header.name == Name::WwwAuthenticate);
    let challenge = challenges.filter_map(|header| Challenge::parse(&header.value)).next().expect("a challenge");
    let secret = Secret::new(challenge.algorithm, user, "hotline", "secret");
    let (method, uri) = ("REGISTER", request.uri.to_string());
    let signed = Signed { method, uri: &uri, body: &request.body };
    let answer = Client::new(challenge).answer(user, &secret, signed, "cnonce").expect("an answer");
    request.headers.push(Name::Authorization, answer.to_string());
}

fn config() -> Config {
    let account = |user: &str| {
        let secrets = [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| Secret::new(algorithm, user, "hotline", "secret"));
        (user.to_owned(), Account { seat: format!("seat-{user}").into(), secrets: secrets.into() })
    };
    Config {
        realm: "hotline".into(),
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        expires: Duration::from_secs(600),
        least_expires: Duration::from_secs(60),
        most_expires: Duration::from_secs(3600),
        contacts: ROOM,
        nonce_life: Duration::from_secs(300),
        tries: 10,
        ban: Duration::from_secs(600),
        accounts: USERS.map(account).into(),
    }
}

fn now(seconds: u64) -> Now {
    Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) }.after(Duration::from_secs(seconds))
}
