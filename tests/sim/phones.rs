//! Phones that register, through the whole switch: whoever may call at all reaches an emergency line, whatever it says of itself and
//! whatever others at its host have done.

use crate::flood::Gateway;
use crate::hops::{header, invites};
use crate::switch::address;
use bytes::Bytes;
use hotline::base::{Flow, Proto, Target, Transport};
use hotline::control::{Command, Reply, SeatVerb};
use hotline::event::seat::Author;
use hotline::sip::digest::{Algorithm, Challenge, Client, Secret, Signed};
use hotline::switch::{Input, Setup};
use hotline::ua::registrar::{Account, Config};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const CARRIER: u8 = 2;
const SECOND: Duration = Duration::from_secs(1);
/// The phones' NAT.
const NAT: u8 = 50;
/// A desk phone that has no registrar.
const DESK: u8 = 10;

/// `seat-0` has an address; `first` and `second` register.
fn phones(setup: &mut Setup) {
    for user in ["first", "second"] {
        let mut seat = setup.live.seats[0].clone();
        (seat.name, seat.aor.user, seat.target, seat.sources) = (user.into(), Some(user.to_owned()), None, Vec::new());
        setup.live.seats.push(seat);
    }
    setup.live.seats.iter_mut().for_each(|seat| seat.channels = 1);
    let account = |user: &str| {
        let secrets = vec![Secret::new(Algorithm::Md5, user, "hotline", user)];
        (user.to_owned(), Account { seat: user.into(), secrets })
    };
    setup.live.registrar = Some(Arc::new(Config {
        realm: "hotline".into(),
        algorithms: vec![Algorithm::Md5],
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        expires: 600 * SECOND,
        least_expires: 60 * SECOND,
        most_expires: 3600 * SECOND,
        contacts: 4,
        nonce_life: 300 * SECOND,
        tries: 3,
        ban: 600 * SECOND,
        accounts: ["first", "second"].map(account).into(),
    }));
}

/// One who sends from a port of the NAT.
struct Sender<'a> {
    gateway: &'a mut Gateway,
    from: SocketAddr,
    n: u32,
}

impl Sender<'_> {
    fn nat(gateway: &mut Gateway, port: u16) -> Sender<'_> {
        Sender { gateway, from: SocketAddr::new(address(NAT).ip(), port), n: u32::from(port) * 100 }
    }

    /// The answers.
    fn sends(&mut self, text: String) -> Vec<String> {
        let flow = Flow { proto: Proto::Udp, local: address(1), remote: self.from };
        self.gateway.pass(Duration::from_millis(1));
        self.gateway.input(Input::Sip { flow, data: Bytes::from(text) });
        let own = |(to, text): &(SocketAddr, String)| *to == self.from && text.starts_with("SIP/2.0 ");
        let answers = self.gateway.sent.iter().filter(|sent| own(sent)).map(|(_, text)| text.clone()).collect();
        self.gateway.sent.retain(|sent| !own(sent));
        answers
    }

    fn request(&mut self, method: &str, uri: &str, from: &str, to: &str, more: &str) -> String {
        self.n += 1;
        let (n, own) = (self.n, self.from);
        let ip = own.ip();
        let sdp = format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n");
        let (kind, body) = if method == "INVITE" { ("Content-Type: application/sdp\r\n", &*sdp) } else { ("", "") };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKp{n};rport\r\nFrom: {from};tag=t{n}\r\nTo: {to}\r\n\
             Call-ID: p{n}\r\nCSeq: 1 {method}\r\n{more}Max-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn register(&mut self, user: &str, password: &str) -> u16 {
        let (own, uri) = (self.from, "sip:10.0.0.1");
        let contact = format!("Contact: <sip:{user}-phone@{own}>\r\n");
        let aor = format!("<sip:{user}@10.0.0.1>");
        let asks = self.request("REGISTER", uri, &aor, &aor, &contact);
        let asked = self.sends(asks);
        let Some(asked) = asked.first() else { return 0 };
        let signed = contact + &signed(asked, "REGISTER", uri, user, password);
        let again = self.request("REGISTER", uri, &aor, &aor, &signed);
        self.sends(again).first().map_or(0, |answer| status(answer))
    }

    /// The statuses that the INVITE gets.
    fn invite(&mut self, number: &str, from: &str, more: &str) -> Vec<String> {
        let uri = format!("sip:{number}@10.0.0.1");
        let invite = self.request("INVITE", &uri, from, &format!("<{uri}>"), more);
        self.sends(invite)
    }
}

fn signed(challenged: &str, method: &str, uri: &str, user: &str, password: &str) -> String {
    let challenge = Challenge::parse(header(challenged, "WWW-Authenticate").as_bytes()).unwrap();
    let secret = Secret::new(challenge.algorithm, user, "hotline", password);
    let answer = Client::new(challenge).answer(user, &secret, Signed { method, uri, body: b"" }, "cnonce").unwrap();
    format!("Authorization: {answer}\r\n")
}

fn status(answer: &str) -> u16 {
    answer[8..11].parse().unwrap()
}

fn is_served(answers: &[String]) -> bool {
    !answers.is_empty() && answers.iter().all(|answer| status(answer) < 300)
}

fn device(gateway: &mut Gateway, seat: &str) -> &'static str {
    gateway.input(Input::Command { id: 1, command: Command::SeatOf(seat.into()) });
    match gateway.replies.pop() {
        Some(Reply::Seat(view)) => view.device.name(),
        other => panic!("{other:?}"),
    }
}

const FROMS: [&str; 5] = [
    "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
    "<sip:13800138000@10.0.0.50>",
    "<tel:+8613800138000>",
    "<sip:10.0.0.50>",
    "<sip:first@10.0.0.50>",
];

/// Every source that may call, with every name that it may give itself.
#[test]
fn whoever_may_call_reaches_an_emergency_line_whatever_it_says_of_itself() {
    for from in FROMS {
        for contact in ["", "Contact: <sip:x@10.0.0.50>\r\n", "Contact: *\r\n"] {
            for (source, accounts) in [("one account", &["first"][..]), ("two accounts", &["first", "second"])] {
                let mut gateway = Gateway::new(phones);
                let mut phone = Sender::nat(&mut gateway, 40_000);
                assert!(accounts.iter().all(|user| phone.register(user, user) == 200));
                assert!(is_served(&phone.invite("110", from, contact)), "{source}, {from}, {contact}");
            }
            for (source, host, port) in [("a trunk", CARRIER, 5060), ("a desk", DESK, 5060), ("another port", DESK, 7000)] {
                let mut gateway = Gateway::new(phones);
                let from_there = SocketAddr::new(address(host).ip(), port);
                let mut peer = Sender { gateway: &mut gateway, from: from_there, n: 0 };
                assert!(is_served(&peer.invite("110", from, contact)), "{source}, {from}, {contact}");
            }
            // A phone beside its flow, by its password.
            let mut gateway = Gateway::new(phones);
            assert_eq!(Sender::nat(&mut gateway, 40_000).register("first", "first"), 200);
            let mut phone = Sender::nat(&mut gateway, 40_001);
            let asked = phone.invite("110", from, contact);
            assert_eq!(asked.iter().map(|answer| status(answer)).collect::<Vec<_>>(), [401], "{from}");
            let proof = contact.to_owned() + &signed(&asked[0], "INVITE", "sip:110@10.0.0.1", "first", "first");
            assert!(is_served(&phone.invite("110", from, &proof)), "{from}, {contact}");
            assert_eq!(gateway.switch.counters().shed, 0);
        }
    }
}

#[test]
fn accounts_of_one_phone_are_told_apart_by_where_it_wants_to_be_reached_or_by_its_own_word() {
    let anonymous = FROMS[0];
    let calls = |from: &str, more: &str| {
        let mut gateway = Gateway::new(phones);
        let mut phone = Sender::nat(&mut gateway, 40_000);
        assert!(["first", "second"].iter().all(|user| phone.register(user, user) == 200));
        assert!(is_served(&phone.invite("12345", from, more)), "{from}, {more}");
        ["first", "second"].map(|seat| device(&mut gateway, seat) == "talking")
    };
    assert_eq!(calls("<sip:second@10.0.0.1>", ""), [false, true]);
    assert_eq!(calls(anonymous, "Contact: <sip:second-phone@10.0.0.50:40000>\r\n"), [false, true]);
    assert_eq!(calls(anonymous, "P-Preferred-Identity: <sip:second@10.0.0.1>\r\n"), [false, true]);
    assert_eq!(calls(anonymous, ""), [false, false], "or else it is nobody's own");
}

/// An exchange behind which three people sit, who have an address and no registration.
const EXCHANGE: u8 = 60;

fn desks(setup: &mut Setup) {
    phones(setup);
    for (user, port) in [("desk1", 5060), ("desk2", 5060), ("desk3", 5060), ("own", 5070)] {
        let mut seat = setup.live.seats[0].clone();
        let at = SocketAddr::new(address(EXCHANGE).ip(), port);
        (seat.name, seat.aor.user) = (user.into(), Some(user.to_owned()));
        (seat.target, seat.sources) = (Some(Target::at(Transport::Udp, at)), vec![at.ip().into()]);
        setup.live.seats.push(seat);
    }
}

fn at_exchange(gateway: &mut Gateway, port: u16) -> Sender<'_> {
    Sender { gateway, from: SocketAddr::new(address(EXCHANGE).ip(), port), n: u32::from(port) * 100 }
}

fn devices(gateway: &mut Gateway) -> Vec<&'static str> {
    ["desk1", "desk2", "desk3", "own"].into_iter().filter(|seat| device(gateway, seat) != "idle").collect()
}

#[test]
fn a_nameless_call_for_help_is_nobodys_own_and_no_seats_channels_keep_it_out() {
    let mut gateway = Gateway::new(desks);
    for n in 0..6 {
        assert!(is_served(&at_exchange(&mut gateway, 5060 + 100 * n).invite("110", FROMS[0], "")), "call {n}");
    }
    assert_eq!((gateway.switch.gauges().calls, devices(&mut gateway)), (6, vec![]), "they take queue calls");
    for seat in ["desk1", "desk2", "desk3", "own"] {
        let seat: Arc<str> = seat.into();
        let verb = Box::new(SeatVerb::HangUp);
        gateway.input(Input::Command { id: 2, command: Command::Seat { by: Author::seat(&seat), seat, verb } });
        let answer = gateway.replies.pop();
        assert!(matches!(answer, Some(Reply::Refused(why)) if why.name() == "no_call"), "{answer:?}");
    }
    assert_eq!(gateway.switch.gauges().calls, 6, "a stranger's call for help goes on");
    // Others, too, are bounded by all the channels that are there.
    let mut ordinary = Gateway::new(desks);
    let served = (0..10).filter(|n| is_served(&at_exchange(&mut ordinary, 6000 + n).invite("12345", FROMS[0], ""))).count();
    assert_eq!((served, devices(&mut ordinary)), (4, vec![]));
    assert!(is_served(&at_exchange(&mut ordinary, 6100).invite("110", FROMS[0], "")));
}

#[test]
fn a_seat_with_an_address_is_told_by_where_it_wants_to_be_reached_by_its_own_word_or_by_its_own_port() {
    let own = |port, from, more: &str| {
        let mut gateway = Gateway::new(desks);
        assert!(is_served(&at_exchange(&mut gateway, port).invite("110", from, more)), "{from}, {more}");
        devices(&mut gateway)
    };
    let (anonymous, abroad) = (FROMS[0], FROMS[1]);
    assert_eq!(own(5060, "<sip:desk2@10.0.0.60>", ""), ["desk2"]);
    assert_eq!(own(5060, anonymous, "Contact: <sip:desk2@10.0.0.60>\r\n"), ["desk2"]);
    assert_eq!(own(5060, anonymous, "P-Preferred-Identity: <sip:desk3@10.0.0.1>\r\n"), ["desk3"]);
    assert_eq!(own(5070, anonymous, ""), ["own"], "no other is at that port");
    assert_eq!(own(5060, anonymous, ""), [""; 0]);
    assert_eq!(own(5060, abroad, "Contact: <sip:first-phone@10.0.0.60>\r\n"), [""; 0], "a seat of another place");
    // Outside callers come from an exchange's port, too.
    let mut many = Gateway::new(|setup| {
        desks(setup);
        setup.live.seats.iter_mut().filter(|seat| *seat.name == *"own").for_each(|seat| seat.channels = 30);
    });
    assert!(is_served(&at_exchange(&mut many, 5070).invite("110", abroad, "")));
    assert_eq!(devices(&mut many), [""; 0]);
}

/// Two accounts register from one port: what it says of itself is not believed, and nobody's number is told for it.
#[test]
fn a_nameless_phone_lends_nobodys_number() {
    for from in FROMS.iter().filter(|from| !from.contains("first")) {
        let mut gateway = Gateway::new(phones);
        let mut phone = Sender::nat(&mut gateway, 40_000);
        assert!(["first", "second"].iter().all(|user| phone.register(user, user) == 200));
        assert!(is_served(&phone.invite("110", from, "P-Asserted-Identity: <sip:13800138000@10.0.0.1>\r\n")));
        let rung = [2, 3].into_iter().find_map(|trunk| invites(&mut gateway, trunk).pop()).unwrap();
        assert!(header(&rung, "From").contains("anonymous"), "{from}: {rung}");
        assert!(!rung.contains("first") && !rung.contains("second") && !rung.contains("13800138000"), "{from}: {rung}");
    }
}

/// The host is banned for what others at it have tried; a phone there has lost its port to the NAT.
#[test]
fn a_ban_does_not_silence_a_phone_that_calls_for_help_and_proves_itself() {
    let mut gateway = Gateway::new(phones);
    assert_eq!(Sender::nat(&mut gateway, 40_000).register("first", "first"), 200);
    let mut thief = Sender::nat(&mut gateway, 41_000);
    for _ in 0..3 {
        assert_eq!(thief.register("second", "guess"), 401);
        thief.gateway.pass(2 * SECOND);
    }
    assert_eq!(thief.register("second", "second"), 0, "it is banned");
    let mut phone = Sender::nat(&mut gateway, 40_001);
    let [first, anonymous] = ["<sip:first@10.0.0.1>", FROMS[0]];
    assert_eq!(status(&phone.invite("12345", first, "")[0]), 401, "it is not taken for the one that it calls");
    assert!(phone.invite("12345", anonymous, "").is_empty());
    let asked = phone.invite("110", anonymous, "");
    assert_eq!(status(&asked[0]), 401);
    for (password, user) in [("guess", "second"), ("guess", "nobody")] {
        let asked = phone.invite("110", anonymous, "");
        let proof = signed(&asked[0], "INVITE", "sip:110@10.0.0.1", user, password);
        assert!(phone.invite("110", anonymous, &proof).is_empty(), "a guess is told nothing");
    }
    let proof = signed(&asked[0], "INVITE", "sip:110@10.0.0.1", "first", "first");
    assert!(is_served(&phone.invite("110", anonymous, &proof)));
    // It has ended no ban by that.
    assert_eq!(Sender::nat(&mut gateway, 41_001).register("second", "second"), 0);
    // The same where its own name was tried.
    let mut thief = Sender::nat(&mut gateway, 42_000);
    for _ in 0..3 {
        assert_eq!(thief.register("first", "guess"), 401);
        thief.gateway.pass(2 * SECOND);
    }
    let mut phone = Sender::nat(&mut gateway, 40_002);
    assert!(phone.invite("12345", first, "").is_empty());
    let asked = phone.invite("110", first, "");
    let proof = signed(&asked[0], "INVITE", "sip:110@10.0.0.1", "first", "first");
    assert!(is_served(&phone.invite("110", first, &proof)));
}

/// A peer that a reload took away is heard for its calls that go on. It is no seat for saying so.
#[test]
fn a_seat_s_name_without_its_password_is_worth_nothing_from_a_peer_that_is_leaving() {
    let mut gateway = Gateway::new(phones);
    assert!(gateway.call(CARRIER, "13800138000", "12345").is_some_and(|status| status < 300));
    let mut without = gateway.setup();
    without.live.trunks.remove(0);
    without.live.default_route = 0;
    gateway.input(Input::Reload(Box::new(without.live)));
    let name = "Authorization: Digest username=\"first\", realm=\"hotline\", nonce=\"x\", uri=\"sip:110@10.0.0.1\", \
                response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"x\"\r\n";
    let mut peer = Sender { gateway: &mut gateway, from: address(CARRIER), n: 700 };
    let answers = peer.invite("12345", "<sip:first@10.0.0.1>", name);
    assert_eq!(answers.last().map(|answer| status(answer)), Some(503));
    assert_ne!(device(&mut gateway, "first"), "talking");
}
