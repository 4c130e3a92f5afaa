//! A trunk whose carrier wants us registered: which calls go out by it and come in, against a registrar that is told what to say,
//! and one that loses, delays, challenges, shortens and refuses by chance.

use crate::flood::Gateway;
use crate::hops::{header, invites, next_register, requests, respond};
use crate::switch::address;
use hotline::base::{Place, Rng, Target, Transport};
use hotline::control::{Command, Reply, TrunkView};
use hotline::sip::{NameAddr, Uri};
use hotline::switch::{Input, Setup};
use hotline::ua::Login;
use hotline::ua::registration::{Settings, Shows};
use std::time::Duration;

/// The trunk that callers come by, and the one of the targets, where the account is.
const OTHER: u8 = 2;
const CARRIER: u8 = 3;
/// The addresses of a proxy that has a name.
const FIRST: u8 = 33;
const SECOND_HOP: u8 = 34;
const SECOND: Duration = Duration::from_secs(1);
const CHALLENGE: &str = "Digest realm=\"ims.invalid\", nonce=\"7\", qop=\"auth\"";

fn with_account(shows: Shows) -> impl FnOnce(&mut Setup) {
    move |setup| {
        let trunk = &mut setup.live.trunks[1];
        trunk.registrations = vec![Settings {
            trunk: trunk.name.clone(),
            name: "main".into(),
            aor: Uri::parse(b"sip:+8669112345@ims.invalid").unwrap(),
            login: Login { user: "+8669112345@ims.invalid".into(), password: "secret".into(), realm: None },
            contact: "line-1".into(),
            expires: Duration::from_secs(600),
            routes: Vec::new(),
            outbound: false,
            target: trunk.target.clone(),
            shows,
        }];
    }
}

/// The response to a REGISTER; `lines` are whole headers.
fn answer(gateway: &mut Gateway, register: &str, status: &str, lines: &str) {
    answer_at(gateway, CARRIER, register, status, lines);
}

fn answer_at(gateway: &mut Gateway, host: u8, register: &str, status: &str, lines: &str) {
    let same = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(register, name))).concat();
    let to = header(register, "To");
    gateway.receive(host, format!("SIP/2.0 {status}\r\n{same}To: {to};tag=r\r\n{lines}Content-Length: 0\r\n\r\n"));
}

fn accept(gateway: &mut Gateway, register: &str, seconds: u64) {
    answer(gateway, register, "200 OK", &granted(register, seconds));
}

fn granted(register: &str, seconds: u64) -> String {
    let contact = header(register, "Contact").split(";expires").next().unwrap();
    format!("Contact: {contact};expires={seconds}\r\nService-Route: <sip:orig@10.0.0.3:5060;lr;x=1>\r\n")
}

fn registered(shows: Shows) -> Gateway {
    let mut gateway = Gateway::new(with_account(shows));
    gateway.pass(SECOND);
    let register = requests(&mut gateway, "REGISTER", CARRIER).remove(0);
    assert!(register.starts_with("REGISTER sip:ims.invalid SIP/2.0\r\n"), "{register}");
    accept(&mut gateway, &register, 600);
    assert!(trunk(&mut gateway).usable);
    gateway
}

fn trunk(gateway: &mut Gateway) -> TrunkView {
    gateway.input(Input::Command { id: 9, command: Command::Trunks });
    match gateway.replies.pop() {
        Some(Reply::Trunks(trunks)) => trunks.into_iter().nth(1).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_goes_out_by_the_service_route_as_the_account_and_proves_itself() {
    let (caller, own) = ("<sip:13800138000@ims.invalid>", "<sip:+8669112345@ims.invalid>");
    // An emergency line sees the caller, whatever others do.
    for (dialled, shows, from, asserted) in
        [("12366", Shows::Own, own, None), ("12366", Shows::Caller, caller, Some(own)), ("110", Shows::Own, caller, Some(own))]
    {
        let mut gateway = registered(shows);
        gateway.call(OTHER, "13800138000", dialled);
        let invite = invites(&mut gateway, CARRIER).remove(0);
        let uri = invite.split(' ').nth(1).unwrap();
        assert!(uri.starts_with("sip:") && uri.ends_with("@ims.invalid"), "{invite}");
        assert_eq!(header(&invite, "Route"), "<sip:orig@10.0.0.3:5060;lr;x=1>");
        assert_eq!(header(&invite, "Contact"), "<sip:line-1@10.0.0.1:5060>");
        assert!(header(&invite, "From").starts_with(from), "{invite}");
        let pai: Vec<&str> = invite.lines().filter_map(|line| line.strip_prefix("P-Asserted-Identity: ")).collect();
        assert_eq!(pai, asserted.into_iter().collect::<Vec<_>>());
        let same = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(&invite, name))).concat();
        let challenge = format!("Proxy-Authenticate: {CHALLENGE}\r\nContent-Length: 0\r\n\r\n");
        gateway.receive(CARRIER, format!("SIP/2.0 407 Prove It\r\n{same}{challenge}"));
        let again = invites(&mut gateway, CARRIER).remove(0);
        assert!(header(&again, "Proxy-Authorization").contains(&format!("uri=\"{uri}\"")), "{again}");
        assert_eq!((header(&again, "CSeq"), header(&again, "Call-ID")), ("2 INVITE", header(&invite, "Call-ID")));
        respond(&mut gateway, CARRIER, &again, "200 OK");
        assert_eq!(gateway.statuses(OTHER).last(), Some(&200));
        gateway.audit().unwrap();
    }
}

#[test]
fn without_a_registration_only_calls_for_help_are_tried() {
    let mut gateway = Gateway::new(with_account(Shows::Own));
    gateway.pass(SECOND);
    let register = requests(&mut gateway, "REGISTER", CARRIER).remove(0);
    answer(&mut gateway, &register, "403 Forbidden", "");
    let view = trunk(&mut gateway);
    assert_eq!((view.usable, view.registrations[0].state), (false, "refused"));
    let refused = gateway.call(OTHER, "13800138000", "12366");
    assert!(invites(&mut gateway, CARRIER).is_empty() && refused.is_some_and(|status| status >= 400), "{refused:?}");
    gateway.call(OTHER, "13800138000", "110");
    let invite = invites(&mut gateway, CARRIER).remove(0);
    assert!(invite.starts_with("INVITE sip:110@ims.invalid SIP/2.0\r\n"), "{invite}");
}

#[test]
fn a_trunk_is_asked_whether_it_is_there_as_the_account_that_is_registered_and_where_it_is() {
    let mut gateway = Gateway::new(|setup| {
        with_account(Shows::Own)(setup);
        setup.live.trunks[1].ping = Some(30 * SECOND);
    });
    gateway.pass(20 * SECOND);
    let register = requests(&mut gateway, "REGISTER", CARRIER).remove(0);
    assert!(requests(&mut gateway, "OPTIONS", CARRIER).is_empty(), "nobody is asked who does not know us yet");
    accept(&mut gateway, &register, 600);
    gateway.pass(31 * SECOND);
    let options = requests(&mut gateway, "OPTIONS", CARRIER).remove(0);
    assert!(options.starts_with("OPTIONS sip:ims.invalid SIP/2.0\r\n"), "{options}");
    assert!(header(&options, "From").starts_with("<sip:+8669112345@ims.invalid>;tag="), "{options}");
    assert_eq!(header(&options, "Route"), "<sip:orig@10.0.0.3:5060;lr;x=1>");
    assert_eq!(header(&options, "Contact"), "<sip:line-1@10.0.0.1:5060>");
    // It misses some, and calls go elsewhere.
    gateway.pass(100 * SECOND);
    assert_eq!(gateway.switch.gauges().down, 1);
    // Where it is registered no more nobody is asked, and nobody is down.
    requests(&mut gateway, "OPTIONS", CARRIER);
    gateway.pass(700 * SECOND);
    assert!(!trunk(&mut gateway).usable);
    requests(&mut gateway, "OPTIONS", CARRIER);
    gateway.pass(100 * SECOND);
    assert_eq!((requests(&mut gateway, "OPTIONS", CARRIER).len(), gateway.switch.gauges().down), (0, 0));
}

#[test]
fn a_call_for_our_contact_is_for_the_number_whatever_the_contact_is_called() {
    let mut gateway = registered(Shows::Own);
    let mut number = 0;
    let mut invite = |uri: &str, more: &str| {
        number += 1;
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bK{number}\r\nFrom: <sip:13800138000@x>;tag=c\r\n\
             To: <sip:x@y>\r\nCall-ID: in{number}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:c@10.0.0.3:5060>\r\n{more}\
             Content-Length: 0\r\n\r\n"
        )
    };
    gateway.receive(CARRIER, invite("sip:line-1@10.0.0.1:5060", ""));
    let sent: Vec<String> =
        gateway.sent.iter().map(|(_, text)| text.clone()).filter(|text| text.contains("CSeq: 1 INVITE")).collect();
    assert!(sent.iter().any(|text| text.contains("Contact: <sip:line-1@10.0.0.1:5060>")), "{sent:#?}");
    assert!(gateway.statuses(CARRIER).iter().all(|status| *status < 300), "12345 is in the plan");
    gateway.receive(CARRIER, invite("sip:line-1@10.0.0.1:5060", "P-Called-Party-ID: <sip:99999@ims.invalid>\r\n"));
    assert!(gateway.statuses(CARRIER).last().is_some_and(|status| *status >= 400), "which 99999 is not");
    // Its user tells it, whatever host and port one between us writes, and no other user does.
    let called = "P-Called-Party-ID: <sip:12345@ims.invalid>\r\n";
    let answered = |gateway: &mut Gateway, invite: String| {
        gateway.receive(CARRIER, invite);
        gateway.statuses(CARRIER).last().copied().unwrap()
    };
    assert!(answered(&mut gateway, invite("sip:line-1@10.0.0.1:5060", called)) < 300);
    assert!(answered(&mut gateway, invite("sip:line-1@10.0.0.1;x=y", called)) < 300, "parameters are the carrier's");
    for uri in ["sip:line-1@10.0.0.1:5070", "sip:line-1@ims.invalid"] {
        assert!(answered(&mut gateway, invite(uri, called)) < 300, "{uri}");
    }
    assert!(answered(&mut gateway, invite("sip:line-2@10.0.0.1:5060", called)) >= 400);
    // From elsewhere the name means nothing.
    let foreign = invite("sip:line-1@10.0.0.1", called).replace("10.0.0.3", "10.0.0.2");
    gateway.receive(OTHER, foreign);
    assert!(gateway.statuses(OTHER).last().is_some_and(|status| *status >= 400));
    let refresh = next_register(&mut gateway, CARRIER);
    answer(&mut gateway, &refresh, "403 Forbidden", "");
    gateway.statuses(CARRIER);
    assert!(
        answered(&mut gateway, invite("sip:line-1@10.0.0.1:5060", called)) < 300,
        "its carrier may have it still from before"
    );
}

#[test]
fn who_takes_no_new_calls_withdraws_when_the_last_call_is_over() {
    let mut gateway = registered(Shows::Own);
    gateway.call(OTHER, "13800138000", "110");
    let invite = invites(&mut gateway, CARRIER).remove(0);
    gateway.input(Input::Command { id: 1, command: Command::Drain });
    gateway.pass(10 * SECOND);
    assert!(requests(&mut gateway, "REGISTER", CARRIER).is_empty(), "a carrier may end the calls of an account that is gone");
    invites(&mut gateway, CARRIER);
    respond(&mut gateway, CARRIER, &invite, "486 Busy Here");
    gateway.input(Input::HangUp);
    gateway.pass(SECOND);
    let gone = requests(&mut gateway, "REGISTER", CARRIER).remove(0);
    assert_eq!(header(&gone, "Expires"), "0");
    answer(&mut gateway, &gone, "200 OK", "");
    assert_eq!(gateway.switch.gauges().accounts.open, 0);
}

/// Two accounts at a proxy with two addresses; each is registered at one of them, where `both` are.
fn at_two_proxies(both: bool) -> Gateway {
    let mut gateway = Gateway::new(|setup| {
        with_account(Shows::Own)(setup);
        let trunk = &mut setup.live.trunks[1];
        trunk.target = Target { transport: Transport::Udp, place: Place::Named("proxy.example.cn".into(), Some(5060)) };
        trunk.sources = vec!["10.0.0.32/29".parse().unwrap()];
        let one = Settings { target: trunk.target.clone(), ..trunk.registrations[0].clone() };
        let aor = Uri::parse(b"sip:+8669112346@ims.invalid").unwrap();
        let other = Settings { name: "other".into(), aor, contact: "line-2".into(), ..one.clone() };
        trunk.registrations = vec![one, other];
    });
    let hosts = [FIRST, SECOND_HOP].map(|host| address(host).ip()).to_vec();
    gateway.names = Some([("proxy.example.cn".to_owned(), hosts)].into());
    gateway.pass(SECOND);
    for register in requests(&mut gateway, "REGISTER", FIRST) {
        match header(&register, "To").contains("+8669112345") {
            true => answer_at(&mut gateway, FIRST, &register, "200 OK", &granted(&register, 3600)),
            false if both => answer_at(&mut gateway, FIRST, &register, "503 Full", ""),
            false => answer_at(&mut gateway, FIRST, &register, "403 Forbidden", ""),
        }
    }
    for register in requests(&mut gateway, "REGISTER", SECOND_HOP) {
        let lines = granted(&register, 3600);
        answer_at(&mut gateway, SECOND_HOP, &register, "200 OK", &lines);
    }
    gateway.pass(60 * SECOND);
    gateway
}

/// As whom we call by an INVITE: From's user and our Contact.
fn caller_of(invite: &str) -> (&str, &str) {
    let from = header(invite, "From").split(['@', ';']).next().unwrap();
    (from, header(invite, "Contact"))
}

#[test]
fn a_call_whose_proxy_is_dead_goes_on_by_another_account_and_the_dead_one_registers_elsewhere_soon() {
    let mut gateway = at_two_proxies(true);
    gateway.call(OTHER, "13800138000", "12366");
    let first = invites(&mut gateway, FIRST).remove(0);
    assert_eq!(caller_of(&first), ("<sip:+8669112345", "<sip:line-1@10.0.0.1:5060>"));
    gateway.pass(4 * SECOND + Duration::from_millis(10));
    let second = invites(&mut gateway, SECOND_HOP).remove(0);
    assert_eq!(caller_of(&second), ("<sip:+8669112346", "<sip:line-2@10.0.0.1:5060>"));
    assert_eq!(header(&first, "Call-ID"), header(&second, "Call-ID"));
    gateway.pass(3 * SECOND);
    let register = requests(&mut gateway, "REGISTER", SECOND_HOP).remove(0);
    assert!(header(&register, "To").contains("+8669112345"), "{register}");
    answer_at(&mut gateway, SECOND_HOP, &register, "200 OK", &granted(&register, 3600));
    respond(&mut gateway, SECOND_HOP, &second, "200 OK");
    assert_eq!(gateway.statuses(OTHER).last(), Some(&200));
    // The next caller does not wait.
    invites(&mut gateway, FIRST);
    invites(&mut gateway, SECOND_HOP);
    gateway.call(OTHER, "13800138001", "12366");
    let third = invites(&mut gateway, SECOND_HOP).remove(0);
    assert_eq!(caller_of(&third).0, "<sip:+8669112345");
    gateway.audit().unwrap();
}

#[test]
fn a_call_by_the_only_account_goes_on_by_another_address_of_its_proxy() {
    for status in [None, Some("503 Service Unavailable"), Some("486 Busy Here")] {
        let mut gateway = at_two_proxies(false);
        gateway.call(OTHER, "13800138000", "12366");
        let first = invites(&mut gateway, FIRST).remove(0);
        match status {
            None => gateway.pass(4 * SECOND + Duration::from_millis(10)),
            Some(status) => respond(&mut gateway, FIRST, &first, status),
        }
        let next = invites(&mut gateway, SECOND_HOP);
        assert_eq!(next.len(), usize::from(status != Some("486 Busy Here")), "{status:?}");
        assert!(next.iter().all(|next| caller_of(next) == caller_of(&first)));
    }
}

#[test]
fn an_emergency_line_is_called_by_every_account_and_then_without_one() {
    let mut gateway = at_two_proxies(false);
    gateway.call(OTHER, "13800138000", "110");
    let (one, other) = ("<sip:line-1@10.0.0.1:5060>", "<sip:line-2@10.0.0.1:5060>");
    for (host, contact, domain) in [
        (FIRST, one, "ims.invalid"),
        (SECOND_HOP, one, "ims.invalid"),
        (FIRST, other, "ims.invalid"),
        (FIRST, "<sip:10.0.0.1:5060>", "proxy.example.cn:5060"),
    ] {
        let invite = invites(&mut gateway, host).remove(0);
        assert!(invite.starts_with(&format!("INVITE sip:110@{domain} SIP/2.0\r\n")), "{invite}");
        assert_eq!((header(&invite, "Contact"), caller_of(&invite).0), (contact, "<sip:13800138000"), "{invite}");
        assert_eq!(invite.contains("Route: "), contact == one, "{invite}");
        if domain == "ims.invalid" {
            respond(&mut gateway, host, &invite, "403 Forbidden");
        } else {
            respond(&mut gateway, host, &invite, "200 OK");
        }
    }
    assert_eq!(gateway.statuses(OTHER).last(), Some(&200));
    gateway.audit().unwrap();
}

#[test]
fn a_service_route_stands_in_the_place_of_our_own() {
    let route = NameAddr::parse(b"<sip:10.0.0.3:5060;lr>").unwrap();
    let mut gateway = Gateway::new(|setup| {
        with_account(Shows::Own)(setup);
        setup.live.trunks[1].registrations[0].routes = vec![route];
    });
    gateway.pass(SECOND);
    let register = requests(&mut gateway, "REGISTER", CARRIER).remove(0);
    assert_eq!(header(&register, "Route"), "<sip:10.0.0.3:5060;lr>");
    accept(&mut gateway, &register, 600);
    gateway.call(OTHER, "13800138000", "12366");
    let invite = invites(&mut gateway, CARRIER).remove(0);
    let routes: Vec<&str> = invite.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(routes, ["Route: <sip:orig@10.0.0.3:5060;lr;x=1>"], "RFC 3608 §6.1");
    let refresh = next_register(&mut gateway, CARRIER);
    let routes: Vec<&str> = refresh.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(routes, ["Route: <sip:10.0.0.3:5060;lr>"], "and never in a REGISTER");
}

/// Two hours of a registrar that does what registrars do.
fn two_hours(seed: u64) {
    let mut rng = Rng::from_number(seed);
    let mut gateway = Gateway::new(with_account(Shows::Own));
    let (mut registers, mut waiting, mut granted) = (0_u64, Vec::new(), 600);
    for _ in 0..7200 {
        gateway.pass(SECOND);
        let mut new = requests(&mut gateway, "REGISTER", CARRIER);
        registers += new.len() as u64;
        new.retain(|_| rng.chance(700));
        waiting.extend(new.into_iter().map(|register| (rng.below(6), register)));
        for (late, register) in std::mem::take(&mut waiting) {
            match rng.below(10) {
                _ if late > 0 => waiting.push((late - 1, register)),
                0 => answer(&mut gateway, &register, "500 Oops", ""),
                1 => answer(&mut gateway, &register, "503 Later", "Retry-After: 30\r\n"),
                2 => answer(&mut gateway, &register, "423 Too Brief", "Min-Expires: 900\r\n"),
                3 => answer(&mut gateway, &register, "401 Prove It", &format!("WWW-Authenticate: {CHALLENGE}, stale=true\r\n")),
                _ if !register.contains("Authorization:") => {
                    answer(&mut gateway, &register, "401 Prove It", &format!("WWW-Authenticate: {CHALLENGE}\r\n"));
                }
                _ => {
                    granted = (granted / 2).max(60);
                    accept(&mut gateway, &register, granted);
                }
            }
        }
        gateway.audit().unwrap();
    }
    assert!((60..4000).contains(&registers), "{registers} in two hours");
    for _ in 0..180 {
        gateway.pass(SECOND);
        for register in requests(&mut gateway, "REGISTER", CARRIER) {
            match register.contains("Authorization:") {
                true => accept(&mut gateway, &register, 600),
                false => answer(&mut gateway, &register, "401 Prove It", &format!("WWW-Authenticate: {CHALLENGE}\r\n")),
            }
        }
    }
    let view = trunk(&mut gateway);
    assert!(view.usable, "seed {seed}: {view:?}");
}

#[test]
fn a_registrar_that_loses_delays_challenges_and_shortens_has_us_again_when_it_is_well() {
    (0..20).for_each(two_hours);
    assert_eq!(address(CARRIER).port(), 5060);
}
