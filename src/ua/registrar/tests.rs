//! REGISTER as phones send it, and as those do who would like to be phones.

mod attack;

use super::*;
use crate::base::{Flow, Proto, Wall};
use crate::sip::digest::{Challenge, Client, Qop, Signed};
use crate::sip::{Method, Uri};

const LIFE: Duration = Duration::from_secs(300);
const BAN: Duration = Duration::from_secs(600);

fn account(user: &str, password: &str) -> (String, Account) {
    let secret = |algorithm| Secret::new(algorithm, user, "hotline", password);
    let secrets = [Algorithm::Sha256, Algorithm::Md5].map(secret).into();
    (user.to_owned(), Account { seat: format!("seat-{user}").into(), secrets })
}

fn config() -> Config {
    Config {
        realm: "hotline".into(),
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        expires: Duration::from_secs(600),
        least_expires: Duration::from_secs(60),
        most_expires: Duration::from_secs(3600),
        contacts: 3,
        nonce_life: LIFE,
        tries: 5,
        ban: BAN,
        accounts: [account("1001", "right"), account("1002", "too")].into(),
    }
}

fn at(seconds: u64) -> Now {
    Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) }.after(Duration::from_secs(seconds))
}

fn flow(proto: Proto, remote: &str) -> Flow {
    Flow { proto, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap() }
}

/// A phone that knows a password, or thinks so.
struct Phone {
    user: &'static str,
    password: &'static str,
    algorithm: Algorithm,
    flow: Flow,
    call_id: &'static str,
    cseq: u32,
    client: Option<Client>,
}

impl Phone {
    fn new(user: &'static str, password: &'static str, flow: Flow) -> Phone {
        Phone { user, password, algorithm: Algorithm::Sha256, flow, call_id: "c1", cseq: 0, client: None }
    }

    fn request(&mut self, headers: &[(Name, &str)]) -> Request {
        self.cseq += 1;
        let mut request = Request::new(Method::Register, Uri::parse(b"sip:192.0.2.1").unwrap());
        request.headers.push(Name::Via, "SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1;rport");
        request.headers.push(Name::From, format!("<sip:{}@192.0.2.1>;tag=t", self.user));
        request.headers.push(Name::To, format!("<sip:{}@192.0.2.1>", self.user));
        request.headers.push(Name::CallId, self.call_id);
        request.headers.push(Name::CSeq, format!("{} REGISTER", self.cseq));
        headers.iter().for_each(|(name, value)| request.headers.push(name.clone(), (*value).to_owned()));
        self.sign(&mut request);
        request
    }

    fn sign(&mut self, request: &mut Request) {
        let secret = Secret::new(self.algorithm, self.user, "hotline", self.password);
        let uri = request.uri.to_string();
        let signed = Signed { method: "REGISTER", uri: &uri, body: b"" };
        if let Some(answer) = self.client.as_mut().and_then(|client| client.answer(self.user, &secret, signed, "cnonce")) {
            request.headers.push(Name::Authorization, answer.to_string());
        }
    }

    /// Takes the challenge of its algorithm.
    fn challenged(&mut self, answer: &Answer) -> bool {
        let challenges = answer.headers.iter().filter(|header| header.name == Name::WwwAuthenticate);
        let challenge = challenges.filter_map(|header| Challenge::parse(&header.value)).find(|c| c.algorithm == self.algorithm);
        let stale = challenge.as_ref().is_some_and(|challenge| challenge.stale);
        self.client = challenge.map(Client::new);
        stale
    }

    fn registers(&mut self, registrar: &mut Registrar, now: Now, headers: &[(Name, &str)]) -> Outcome {
        let request = self.request(headers);
        let outcome = registrar.register(now, self.flow, &request);
        let Outcome::Answer(answer) = &outcome else { return outcome };
        if answer.status != 401 || self.client.is_some() {
            return outcome;
        }
        self.challenged(answer);
        let request = self.request(headers);
        registrar.register(now, self.flow, &request)
    }
}

fn registrar() -> Registrar {
    Registrar::new(b"a key", Arc::new(config()))
}

fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Silence => 0,
        Outcome::Answer(answer) | Outcome::Bound(_, answer) => answer.status,
    }
}

fn told(outcome: &Outcome, name: &Name) -> Vec<String> {
    let (Outcome::Answer(answer) | Outcome::Bound(_, answer)) = outcome else { return Vec::new() };
    let of = answer.headers.iter().filter(|header| header.name == *name);
    of.map(|header| String::from_utf8_lossy(&header.value).into_owned()).collect()
}

const CONTACT: (Name, &str) = (Name::Contact, "<sip:1001@10.0.0.7:5060>");
const UDP: &str = "192.0.2.7:40000";

#[test]
fn a_phone_is_challenged_by_both_algorithms_and_registers_by_either() {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let mut registrar = registrar();
        let mut phone = Phone { algorithm, ..Phone::new("1001", "right", flow(Proto::Udp, UDP)) };
        let request = phone.request(&[CONTACT]);
        let asked = registrar.register(at(0), phone.flow, &request);
        let challenges = told(&asked, &Name::WwwAuthenticate);
        assert_eq!((status(&asked), challenges.len()), (401, 2));
        assert!(challenges[0].contains("SHA-256") && challenges[1].contains("MD5"), "{challenges:?}");
        let bound = phone.registers(&mut registrar, at(0), &[CONTACT]);
        assert!(matches!(&bound, Outcome::Bound(seat, _) if &**seat == "seat-1001"), "{bound:?}");
        assert_eq!(told(&bound, &Name::Contact), ["<sip:1001@10.0.0.7:5060>;expires=600"]);
        let ways: Vec<Way> = registrar.ways("seat-1001").collect();
        assert_eq!(ways.len(), 1);
        assert_eq!((ways[0].flow, ways[0].uri.to_string().as_str()), (phone.flow, "sip:1001@10.0.0.7:5060"), "by its flow");
        assert!(registrar.is_direct(phone.flow) && registrar.is_home("192.0.2.7".parse().unwrap()));
        assert!(!registrar.is_direct(flow(Proto::Udp, "192.0.2.7:40001")), "another port of that host");
    }
}

#[test]
fn a_seat_s_phones_are_offered_what_they_can_take_and_nothing_else_proves_them() {
    let mut config = config();
    config.accounts.get_mut("1002").unwrap().secrets.retain(|secret| secret.algorithm() == Algorithm::Md5);
    let mut registrar = Registrar::new(b"a key", Arc::new(config));
    let offered = |registrar: &mut Registrar, user| {
        let mut phone = Phone::new(user, "", flow(Proto::Udp, UDP));
        let request = phone.request(&[CONTACT]);
        told(&registrar.register(at(0), phone.flow, &request), &Name::WwwAuthenticate)
    };
    assert_eq!(["1001", "1002", "nobody"].map(|user| offered(&mut registrar, user).len()), [2, 1, 2]);
    assert!(offered(&mut registrar, "1002")[0].contains("algorithm=MD5"));
    let mut phone = Phone { algorithm: Algorithm::Md5, ..Phone::new("1002", "too", flow(Proto::Udp, UDP)) };
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    // With the nonce of a challenge that it was given, and an algorithm that it was not.
    let Challenge { nonce, realm, .. } = phone.client.take().unwrap().challenge().clone();
    let other =
        Challenge { nonce, realm, opaque: None, algorithm: Algorithm::Sha256, sess: false, stale: false, qops: vec![Qop::Auth] };
    (phone.algorithm, phone.client) = (Algorithm::Sha256, Some(Client::new(other)));
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 401);
}

#[test]
fn another_order_of_algorithms_ends_no_binding() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    let mut new = config();
    new.accounts.get_mut("1001").unwrap().secrets.remove(0);
    assert!(registrar.configure(b"another key", Arc::new(new)).is_empty());
    assert_eq!(registrar.bindings("seat-1001").len(), 1);
}

#[test]
fn nothing_is_bound_by_wrong_words() {
    let mut registrar = registrar();
    for (user, password) in [("1001", "wrong"), ("9999", "right"), ("1001", "")] {
        let mut phone = Phone::new(user, password, flow(Proto::Udp, UDP));
        assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 401);
        registrar.guard.clear();
    }
    // A right password of another seat.
    let mut phone = Phone::new("1002", "too", flow(Proto::Udp, UDP));
    let ask = phone.request(&[]);
    let asked = registrar.register(at(0), phone.flow, &ask);
    phone.challenged(match &asked {
        Outcome::Answer(answer) => answer,
        other => panic!("{other:?}"),
    });
    let mut request = phone.request(&[CONTACT]);
    request.headers.set(Name::To, "<sip:1001@192.0.2.1>");
    assert_eq!(status(&registrar.register(at(0), phone.flow, &request)), 403);
    assert_eq!(registrar.figures().bindings, 0);
}

#[test]
fn an_answer_to_one_request_is_none_to_another_and_a_repeated_one_is_stale() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    let request = phone.request(&[CONTACT]);
    let thief = flow(Proto::Udp, "192.0.2.66:5060");
    assert_eq!(status(&registrar.register(at(1), phone.flow, &request)), 200);
    let again = registrar.register(at(1), thief, &request);
    assert!(phone.challenged(match &again {
        Outcome::Answer(answer) if answer.status == 401 => answer,
        other => panic!("{other:?}"),
    }));
    let mut elsewhere = phone.request(&[CONTACT]);
    elsewhere.uri = Uri::parse(b"sip:198.51.100.1").unwrap();
    assert_eq!(status(&registrar.register(at(1), thief, &elsewhere)), 400);
    assert_eq!(registrar.bindings("seat-1001").len(), 1);
    assert!(!registrar.is_home(thief.remote.ip()));
}

#[test]
fn an_old_nonce_is_stale_and_the_phone_goes_on_with_a_new_one() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    let request = phone.request(&[CONTACT]);
    let asked = registrar.register(at(301), phone.flow, &request);
    let Outcome::Answer(answer) = &asked else { panic!("{asked:?}") };
    assert!(phone.challenged(answer), "{asked:?}");
    assert_eq!(status(&phone.registers(&mut registrar, at(301), &[CONTACT])), 200);
    assert_eq!(registrar.figures().failed, 0, "that is no failure");
}

#[test]
fn failures_ban_their_source_and_not_the_phones_beside_it() {
    let mut registrar = registrar();
    let mut good = Phone::new("1002", "too", flow(Proto::Udp, "192.0.2.7:41000"));
    assert_eq!(status(&good.registers(&mut registrar, at(0), &[CONTACT])), 200);
    let mut second = 10;
    let mut guesses = 0;
    while registrar.figures().bans == 0 {
        let mut guess = Phone::new("1001", "guess", flow(Proto::Udp, UDP));
        guesses += usize::from(status(&guess.registers(&mut registrar, at(second), &[CONTACT])) == 401);
        second += 1;
        assert!(second < 60);
    }
    assert!(guesses <= 5 + 5, "each guess beyond the first waits longer: {guesses}");
    let mut right = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    assert_eq!(right.registers(&mut registrar, at(second), &[CONTACT]), Outcome::Silence);
    // The one that was there goes on, also from another port: its phone was started anew.
    assert_eq!(status(&good.registers(&mut registrar, at(second), &[CONTACT])), 200);
    good.flow = flow(Proto::Udp, "192.0.2.7:41001");
    (good.client, good.call_id) = (None, "c2");
    assert_eq!(status(&good.registers(&mut registrar, at(second), &[CONTACT])), 200);
    let mut elsewhere = Phone::new("1001", "right", flow(Proto::Udp, "192.0.2.8:5060"));
    assert_eq!(status(&elsewhere.registers(&mut registrar, at(second), &[CONTACT])), 200, "another host");
    let later = at(second).after(BAN);
    let mut right = Phone { call_id: "c3", ..Phone::new("1001", "right", flow(Proto::Udp, UDP)) };
    assert_eq!(status(&right.registers(&mut registrar, later, &[CONTACT])), 200, "the ban has ended");
}

#[test]
fn a_thousand_contacts_are_refused_and_phones_one_after_the_other_make_room() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    let all: Vec<String> = (0..1000).map(|n| format!("<sip:1001@10.0.1.1:{}>", 1024 + n)).collect();
    let many: Vec<(Name, &str)> = all.iter().map(|contact| (Name::Contact, contact.as_str())).collect();
    assert_eq!(status(&phone.registers(&mut registrar, at(1), &many)), 403);
    assert_eq!(registrar.ways("seat-1001").next().unwrap().uri.to_string(), "sip:1001@10.0.0.7:5060", "nothing has changed");
    for contact in &many {
        assert_eq!(status(&phone.registers(&mut registrar, at(1), std::slice::from_ref(contact))), 200);
    }
    let ports: Vec<Option<u16>> = registrar.ways("seat-1001").map(|way| way.uri.port).collect();
    assert_eq!(ports, [Some(2023), Some(2022), Some(2021)]);
}

#[test]
fn expiry_has_bounds_and_ends_a_binding() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    let brief = phone.registers(&mut registrar, at(0), &[CONTACT, (Name::Expires, "59")]);
    assert_eq!((status(&brief), told(&brief, &Name::MinExpires)), (423, vec!["60".to_owned()]));
    let long = phone.registers(&mut registrar, at(0), &[CONTACT, (Name::Expires, "99999999")]);
    assert_eq!(told(&long, &Name::Contact), ["<sip:1001@10.0.0.7:5060>;expires=3600"]);
    let own =
        phone.registers(&mut registrar, at(0), &[(Name::Contact, "<sip:1001@10.0.0.7:5060>;expires=90"), (Name::Expires, "9")]);
    assert_eq!(told(&own, &Name::Contact), ["<sip:1001@10.0.0.7:5060>;expires=90"]);
    assert_eq!(registrar.deadline(), Some(at(90).mono));
    assert!(registrar.tick(at(89).mono).is_empty());
    assert_eq!(registrar.tick(at(90).mono), ["seat-1001".into()]);
    assert!(registrar.bindings("seat-1001").is_empty() && !registrar.is_direct(phone.flow) && registrar.deadline().is_none());
}

#[test]
fn contacts_are_removed_one_by_one_and_all_at_once() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    let other = (Name::Contact, "<sip:1001@10.0.0.8>");
    assert_eq!(told(&phone.registers(&mut registrar, at(0), &[CONTACT, other.clone()]), &Name::Contact).len(), 2);
    let removed = phone.registers(&mut registrar, at(1), &[(Name::Contact, "<sip:1001@10.0.0.7:5060>;expires=0")]);
    assert_eq!(told(&removed, &Name::Contact), ["<sip:1001@10.0.0.8>;expires=599"]);
    let star = (Name::Contact, "*");
    for wrong in [vec![star.clone()], vec![star.clone(), (Name::Expires, "60")], vec![star.clone(), other, (Name::Expires, "0")]]
    {
        assert_eq!(status(&phone.registers(&mut registrar, at(1), &wrong)), 400);
    }
    let gone = phone.registers(&mut registrar, at(1), &[star, (Name::Expires, "0")]);
    assert_eq!((status(&gone), told(&gone, &Name::Contact).len()), (200, 0));
}

#[test]
fn what_comes_too_late_changes_nothing() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    phone.cseq = 10;
    assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    phone.cseq = 5;
    assert_eq!(status(&phone.registers(&mut registrar, at(1), &[CONTACT, (Name::Expires, "0")])), 500);
    assert_eq!(registrar.bindings("seat-1001").len(), 1);
    for bad in ["<mailto:a@b>", "<sips:1001@10.0.0.7>", "<<>>", "<sip:1001@>"] {
        phone.cseq = 20;
        assert_eq!(status(&phone.registers(&mut registrar, at(1), &[(Name::Contact, bad)])), 400, "{bad}");
    }
}

#[test]
fn a_new_flow_of_the_same_phone_replaces_the_old_one_and_a_dead_flow_is_gone_at_once() {
    let mut registrar = registrar();
    let outbound = |number: u32| format!("<sip:1001@10.0.0.7;transport=tcp;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id={number}");
    let supported = (Name::Supported, "path, outbound");
    let mut phone = Phone::new("1001", "right", flow(Proto::Tls, "192.0.2.7:40000"));
    let first = phone.registers(&mut registrar, at(0), &[(Name::Contact, &outbound(1)), supported.clone()]);
    assert_eq!(told(&first, &Name::Require), ["outbound"]);
    assert!(told(&first, &Name::Contact)[0].contains(";+sip.instance=\"<urn:uuid:1>\";reg-id=1;expires=600"), "{first:?}");
    let old = phone.flow;
    (phone.flow, phone.call_id, phone.client) = (flow(Proto::Tls, "192.0.2.7:40002"), "c2", None);
    assert_eq!(status(&phone.registers(&mut registrar, at(1), &[(Name::Contact, &outbound(1)), supported.clone()])), 200);
    assert_eq!(registrar.ways("seat-1001").map(|way| way.flow).collect::<Vec<_>>(), [phone.flow]);
    assert!(registrar.flow_failed(old).is_empty() && registrar.bindings("seat-1001").len() == 1, "nothing hangs on the old one");
    let second = flow(Proto::Tls, "192.0.2.7:40003");
    (phone.flow, phone.call_id, phone.client) = (second, "c3", None);
    assert_eq!(status(&phone.registers(&mut registrar, at(2), &[(Name::Contact, &outbound(2)), supported])), 200);
    assert_eq!(registrar.bindings("seat-1001").len(), 2, "another flow of the same phone");
    assert_eq!(registrar.flow_failed(second), ["seat-1001".into()]);
    assert_eq!(registrar.bindings("seat-1001").len(), 1);
}

#[test]
fn a_path_is_kept_used_and_told_and_who_speaks_by_a_proxy_is_not_taken_for_the_phone() {
    let mut registrar = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, "192.0.2.9:5060"));
    let path = (Name::Path, "<sip:192.0.2.9;lr>");
    let bound = phone.registers(&mut registrar, at(0), &[CONTACT, path, (Name::Supported, "path")]);
    assert_eq!(told(&bound, &Name::Path), ["<sip:192.0.2.9;lr>"]);
    let way = registrar.ways("seat-1001").next().unwrap();
    assert_eq!(way.routes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["<sip:192.0.2.9;lr>"]);
    assert!(!registrar.is_direct(phone.flow) && registrar.at(phone.flow).next().is_none());
}

#[test]
fn new_settings_end_the_bindings_of_seats_that_are_gone_or_have_another_password() {
    let mut registrar = registrar();
    for (user, password, port) in [("1001", "right", 1), ("1002", "too", 2)] {
        let mut phone = Phone::new(user, password, flow(Proto::Udp, &format!("192.0.2.7:{}", 40_000 + port)));
        assert_eq!(status(&phone.registers(&mut registrar, at(0), &[CONTACT])), 200);
    }
    assert!(registrar.configure(b"another key", Arc::new(config())).is_empty(), "nothing has changed");
    let mut new = config();
    new.accounts.extend([account("1001", "other")]);
    new.accounts.remove("1002");
    assert_eq!(registrar.configure(b"another key", Arc::new(new)), ["seat-1001".into(), "seat-1002".into()]);
    assert_eq!(registrar.figures().bindings, 0);
}

#[test]
fn bindings_of_datagrams_outlive_the_process() {
    let mut before = registrar();
    let mut phone = Phone::new("1001", "right", flow(Proto::Udp, UDP));
    let contact = (Name::Contact, "\"x\" <sip:1001@10.0.0.7:5060;ob>;+sip.instance=\"<urn:uuid:1>\"");
    assert_eq!(status(&phone.registers(&mut before, at(0), &[contact, (Name::Path, "<sip:192.0.2.9;lr>")])), 200);
    let mut stream = Phone { call_id: "c2", ..Phone::new("1001", "right", flow(Proto::Tcp, "192.0.2.7:40009")) };
    let connected = (Name::Contact, "<sip:1001@10.0.0.8:5060;transport=tcp>");
    assert_eq!(status(&stream.registers(&mut before, at(1), &[connected])), 200);
    let kept = before.kept(at(2), "seat-1001");
    assert_eq!(kept.len(), 2);
    let later = Now { mono: Mono(77), ..at(100) };
    let mut after = registrar();
    after.restore(later, "seat-1001", &kept);
    assert_eq!(after.ways("seat-1001").collect::<Vec<_>>(), [before.ways("seat-1001").nth(1).unwrap()]);
    assert_eq!(after.deadline(), Some(later.mono.after(Duration::from_secs(500))));
    for (seat, now) in [("nobody", later), ("seat-1001", Now { mono: Mono(77), ..at(601) })] {
        let mut after = registrar();
        after.restore(now, seat, &kept);
        assert_eq!(after.figures().bindings, 0);
    }
}
