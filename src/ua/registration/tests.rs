//! The registration of an account in virtual time, against a registrar that is told what to answer.

mod binding;

use super::*;
use crate::base::{MapSeed, Proto, Transport, Wall};
use crate::sip::{Message, Name, Request, Response, Status};
use crate::ua::{Config, Event, Sent, Usage};
use std::collections::BTreeSet;

const CHALLENGE: &str = "Digest realm=\"sh.ctcims.cn\", nonce=\"1\", qop=\"auth\"";

const HOP_TIMEOUT: Duration = Duration::from_secs(4);

struct World {
    now: Now,
    ua: Ua,
    all: Registrations,
    hops: Vec<Flow>,
    news: Vec<News>,
    /// REGISTERs that nobody has answered.
    asked: Vec<(Flow, Request)>,
    /// Call-ID and number of all that were sent: one that is repeated is the same.
    seen: BTreeSet<(Vec<u8>, u32)>,
}

fn flow(host: u8) -> Flow {
    let at = |text: String| text.parse().unwrap();
    Flow { proto: Proto::Udp, local: at("10.0.0.1:5060".into()), remote: at(format!("10.0.0.{host}:5060")) }
}

fn settings(name: &str) -> Settings {
    Settings {
        trunk: "mobile".into(),
        name: name.into(),
        aor: Uri::parse(format!("sip:+8621{name}@sh.ctcims.cn").as_bytes()).unwrap(),
        login: Login { user: format!("+8621{name}@sh2.ctcims.cn"), password: "secret".into(), realm: None },
        contact: format!("+8621{name}"),
        expires: Duration::from_secs(3600),
        routes: Vec::new(),
        outbound: false,
        target: Target::at(Transport::Udp, flow(2).remote),
        shows: Shows::Own,
    }
}

impl World {
    fn new(all: Vec<Settings>) -> World {
        let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) };
        let ua = Ua::new(Config::default(), Rng::from_number(1), MapSeed(1, 2));
        let (all_of_them, hops) = (Registrations::new(Rng::from_number(2), HOP_TIMEOUT), vec![flow(2)]);
        let mut world = World { now, ua, all: all_of_them, hops, news: Vec::new(), asked: Vec::new(), seen: BTreeSet::new() };
        world.configure(all);
        world
    }

    fn one() -> World {
        World::new(vec![settings("1")])
    }

    fn configure(&mut self, all: Vec<Settings>) {
        self.all.configure(&mut self.ua, self.now, all, &mut self.news);
        self.serve();
    }

    fn serve(&mut self) {
        loop {
            while let Some(event) = self.ua.next_event() {
                let Event::Of(Usage::Registration(id), event) = event else { panic!("{event:?}") };
                self.all.hear(&mut self.ua, self.now, id, event, &mut self.news);
            }
            let finds = |news: &News| if let News::Find(id) = news { Some(*id) } else { None };
            let Some(id) = self.news.iter().find_map(finds) else { break };
            self.news.retain(|news| *news != News::Find(id));
            self.all.reached(&mut self.ua, self.now, id, self.hops.clone(), &mut self.news);
        }
        let sent: Vec<Sent> = self.ua.sent().collect();
        for Sent { flow, data } in sent {
            let Ok(Message::Request(request)) = Message::parse(data) else { panic!("no request") };
            let key = (request.headers.call_id().unwrap().to_vec(), request.headers.cseq().unwrap().seq);
            if self.seen.insert(key) {
                self.asked.push((flow, request));
            }
        }
    }

    /// Whatever is due within so long happens at its time; ends with the next REGISTER.
    fn wait(&mut self, most: Duration) -> Option<Duration> {
        let (begun, end) = (self.now.mono, self.now.mono.after(most));
        while self.asked.is_empty() {
            let next = [self.all.deadline(), self.ua.deadline()].into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else {
                self.now = self.now.after(end.since(self.now.mono));
                return None;
            };
            self.now = self.now.after(next.since(self.now.mono));
            self.all.tick(&mut self.ua, self.now, &mut self.news);
            self.ua.tick(self.now);
            self.serve();
        }
        Some(self.now.mono.since(begun))
    }

    /// The next REGISTER, which comes within so many seconds.
    fn next(&mut self, seconds: u64) -> (Flow, Request) {
        self.wait(Duration::from_secs(seconds)).expect("a REGISTER");
        self.asked.remove(0)
    }

    fn answer(&mut self, (flow, request): &(Flow, Request), status: u16, headers: &[(Name, &str)]) {
        let mut response: Response = request.reply(Status(status), Some("t"));
        headers.iter().for_each(|(name, value)| response.headers.push(name.clone(), (*value).to_owned()));
        self.ua.received(self.now, *flow, Message::Response(response));
        self.serve();
    }

    /// 200 with our Contact, for so long.
    fn accept(&mut self, asked: &(Flow, Request), seconds: u32, more: &[(Name, &str)]) {
        let contact = text(&asked.1, &Name::Contact);
        let contact = format!("{};expires={seconds}", contact.split(";expires").next().unwrap());
        let headers: Vec<(Name, &str)> = [(Name::Contact, &*contact)].into_iter().chain(more.iter().cloned()).collect();
        self.answer(asked, 200, &headers);
    }

    fn challenge(&mut self, asked: &(Flow, Request), value: &str) {
        self.answer(asked, 401, &[(Name::WwwAuthenticate, value)]);
    }

    /// Challenged once, then taken for so long.
    fn register(&mut self, seconds: u32) {
        let first = self.next(70);
        self.challenge(&first, CHALLENGE);
        let signed = self.next(0);
        self.accept(&signed, seconds, &[]);
    }

    fn account(&self) -> &Account {
        self.all.all().next().unwrap()
    }

    fn standing(&self) -> Standing {
        self.account().standing(self.now.mono)
    }

    fn cause(&self) -> Option<Cause> {
        self.account().trouble().map(|trouble| trouble.cause)
    }
}

fn text(request: &Request, name: &Name) -> String {
    request.headers.text(name).unwrap_or_default()
}

#[test]
fn a_register_names_the_domain_and_goes_to_the_proxy() {
    let with_route = Settings { routes: vec![NameAddr::parse(b"<sip:10.0.0.2:5060;lr>").unwrap()], ..settings("1") };
    let mut world = World::new(vec![with_route]);
    let (flow, register) = world.next(1);
    assert_eq!(flow.remote, world.hops[0].remote);
    assert_eq!(register.uri.to_string(), "sip:sh.ctcims.cn");
    assert_eq!(text(&register, &Name::To), "<sip:+86211@sh.ctcims.cn>");
    assert_eq!(text(&register, &Name::Route), "<sip:10.0.0.2:5060;lr>");
    assert_eq!(text(&register, &Name::Contact), "<sip:+86211@10.0.0.1:5060>;expires=3600");
    assert_eq!((text(&register, &Name::Expires), text(&register, &Name::Authorization)), ("3600".into(), String::new()));
    assert_eq!(world.standing(), Standing::Trying);
    world.challenge(&(flow, register.clone()), CHALLENGE);
    let (_, signed) = world.next(0);
    let answer = text(&signed, &Name::Authorization);
    assert!(answer.contains("username=\"+86211@sh2.ctcims.cn\"") && answer.contains("uri=\"sip:sh.ctcims.cn\""), "{answer}");
    assert_eq!(signed.headers.call_id(), register.headers.call_id());
    assert_eq!(signed.headers.cseq().unwrap().seq, register.headers.cseq().unwrap().seq + 1);
    let routes = [(Name::ServiceRoute, "<sip:orig@scscf.sh.ctcims.cn;lr;x=1>"), (Name::Path, "<sip:pcscf;lr>")];
    let known = (Name::PAssociatedUri, "<sip:+862100@sh.ctcims.cn>");
    world.accept(&(flow, signed), 3600, &[&routes[..], &[known]].concat());
    let bound = world.account().bound(world.now.mono).unwrap().clone();
    assert_eq!(bound.service_route.iter().map(ToString::to_string).collect::<Vec<_>>(), ["<sip:orig@scscf.sh.ctcims.cn;lr;x=1>"]);
    assert_eq!(bound.identities[0].to_string(), "sip:+862100@sh.ctcims.cn");
    let id = world.account().id();
    assert_eq!(world.news, [News::Registered(id)]);
}

#[test]
fn it_never_gives_up_and_asks_at_least_once_a_minute() {
    let mut world = World::one();
    world.hops = vec![flow(2)];
    let mut rests = Vec::new();
    for _ in 0..40 {
        let asked = world.next(120);
        world.answer(&asked, 500, &[]);
        rests.push(world.account().next().unwrap().since(world.now.mono).as_secs_f64());
    }
    for (rest, most) in rests.iter().zip([1.0, 2.0, 5.0, 10.0, 20.0, 40.0].into_iter().chain(std::iter::repeat(60.0))) {
        assert!(*rest <= most && *rest >= most * 0.75, "{rest} of {most}");
    }
    assert_ne!(rests[38], rests[39], "by chance, so that many do not come at once");
    assert_eq!(world.news.len(), 1, "said once: {:?}", world.news);
    world.register(3600);
    assert_eq!(world.standing(), Standing::Registered);
    let asked = world.next(3600);
    world.answer(&asked, 500, &[]);
    assert!(world.account().next().unwrap().since(world.now.mono) <= Duration::from_secs(1), "a new row begins");
    assert_eq!(world.standing(), Standing::Registered, "while its time lasts");
}

#[test]
fn a_carrier_s_wish_to_wait_is_heard_within_bounds() {
    let mut world = World::one();
    for (after, least, most) in [("120", 120, 120), ("999999", 1800, 1800), ("0", 0, 5)] {
        let asked = world.next(2000);
        world.answer(&asked, 503, &[(Name::RetryAfter, after)]);
        let rest = world.account().next().unwrap().since(world.now.mono).as_secs();
        assert!((least..=most).contains(&rest), "{after}: {rest}");
    }
}

#[test]
fn each_state_has_a_deadline_and_silence_is_no_end() {
    let mut world = World::one();
    let lost = world.next(1);
    assert!(world.all.deadline().is_some());
    assert!(world.wait(Duration::from_secs(60)).is_some(), "asked again after timer F");
    assert_eq!((world.cause(), world.standing()), (Some(Cause::Silence), Standing::Failing));
    // The answer to a request that is over changes nothing.
    world.accept(&lost, 3600, &[]);
    assert_eq!(world.standing(), Standing::Failing);
    world.hops.clear();
    world.asked.clear();
    let account = world.account().id();
    world.all.wish(&mut world.ua, world.now, false, &mut world.news);
    assert!(world.all.get(account).is_some());
    let mut world = World::one();
    world.hops.clear();
    assert!(world.wait(Duration::from_secs(600)).is_none());
    assert_eq!((world.cause(), world.all.deadline().is_some()), (Some(Cause::NoAddress), true));
}

#[test]
fn a_wrong_password_is_tried_once_more_then_slowly_and_takes_the_account_out_of_service() {
    let mut world = World::one();
    let first = world.next(1);
    world.challenge(&first, CHALLENGE);
    let second = world.next(0);
    world.challenge(&second, &CHALLENGE.replace("\"1\"", "\"2\""));
    let third = world.next(0);
    assert!(text(&third.1, &Name::Authorization).contains("nonce=\"2\""), "the new nonce is tried once");
    world.challenge(&third, &CHALLENGE.replace("\"1\"", "\"3\""));
    assert!(world.asked.is_empty());
    assert_eq!((world.cause(), world.standing()), (Some(Cause::WrongPassword), Standing::Refused));
    assert!(world.account().next().unwrap().since(world.now.mono) >= Duration::from_secs(225));
    let same_nonce = World::one();
    let mut world = same_nonce;
    let first = world.next(1);
    world.challenge(&first, CHALLENGE);
    let second = world.next(0);
    world.challenge(&second, CHALLENGE);
    assert_eq!(world.cause(), Some(Cause::WrongPassword), "the same nonce would get the same answer");
    world.register_after_refusal();
}

impl World {
    /// The carrier has mended it.
    fn register_after_refusal(&mut self) {
        let asked = self.next(301);
        self.challenge(&asked, CHALLENGE);
        let signed = self.next(0);
        self.accept(&signed, 3600, &[]);
        assert_eq!((self.standing(), self.cause()), (Standing::Registered, None));
    }
}

#[test]
fn a_registered_account_that_is_refused_is_out_of_service_at_once() {
    let mut world = World::one();
    world.register(1000);
    let refresh = world.next(600);
    world.answer(&refresh, 403, &[]);
    assert_eq!((world.standing(), world.cause()), (Standing::Refused, Some(Cause::Refused)));
    let id = world.account().id();
    assert!(matches!(world.news[..], [News::Registered(_), News::Failed(of, _)] if of == id), "{:?}", world.news);
}

#[test]
fn a_stale_nonce_and_one_that_was_forgotten_are_no_refusals() {
    let mut world = World::one();
    world.register(1000);
    for word in [", stale=true", ""] {
        let refresh = world.next(600);
        assert!(text(&refresh.1, &Name::Authorization).contains("nc="), "the nonce is used on");
        world.challenge(&refresh, &format!("{}{word}", CHALLENGE.replace("\"1\"", &format!("\"7{}\"", word.len()))));
        let signed = world.next(0);
        world.accept(&signed, 1000, &[]);
        assert_eq!(world.standing(), Standing::Registered);
    }
    let refresh = world.next(600);
    world.accept(&refresh, 1000, &[(Name::AuthenticationInfo, "nextnonce=\"99\"")]);
    let refresh = world.next(600);
    assert!(text(&refresh.1, &Name::Authorization).contains("nonce=\"99\""), "as Authentication-Info says");
    let mut world = World::one();
    let mut asked = world.next(1);
    for turn in 0..5 {
        world.challenge(&asked, &format!("{}, stale=true", CHALLENGE.replace("\"1\"", &format!("\"{turn}\""))));
        asked = world.next(0);
    }
    world.challenge(&asked, &format!("{CHALLENGE}, stale=true"));
    assert_eq!(world.cause(), Some(Cause::Endless), "never for ever");
}

#[test]
fn it_asks_for_the_configured_time_anew_and_refreshes_from_the_granted_one() {
    let mut world = World::one();
    let mut granted = 3600;
    world.register(granted);
    for _ in 0..5 {
        granted /= 2;
        let (flow, refresh) = world.next(3600);
        assert_eq!(text(&refresh, &Name::Expires), "3600");
        world.accept(&(flow, refresh), granted, &[]);
        let left = world.account().bound(world.now.mono).unwrap().until.since(world.now.mono);
        assert_eq!(left, Duration::from_secs(granted.into()));
        let next = world.account().next().unwrap().since(world.now.mono);
        assert!(next <= left / 2 || left - next >= Duration::from_secs(600), "{next:?} of {left:?}");
    }
    let refresh = world.next(3600);
    world.answer(&refresh, 200, &[(Name::Contact, "<sip:someone@else>;expires=0")]);
    assert_eq!(world.cause(), Some(Cause::NotBound));
}

#[test]
fn a_longer_time_that_is_asked_for_is_taken_once() {
    let mut world = World::new(vec![Settings { expires: Duration::from_secs(60), ..settings("1") }]);
    let asked = world.next(1);
    world.answer(&asked, 423, &[(Name::MinExpires, "1800")]);
    let again = world.next(0);
    assert_eq!(text(&again.1, &Name::Expires), "1800");
    world.answer(&again, 423, &[(Name::MinExpires, "1800")]);
    assert_eq!(world.cause(), Some(Cause::Unavailable), "it has what it asked for");
    let asked = world.next(5);
    world.answer(&asked, 423, &[(Name::MinExpires, "99999999")]);
    assert!(world.asked.is_empty(), "nobody means a year");
}

#[test]
fn a_first_hop_without_outbound_gets_a_register_without_it() {
    let mut world = World::new(vec![Settings { outbound: true, ..settings("1") }]);
    let asked = world.next(1);
    let contact = text(&asked.1, &Name::Contact);
    assert!(contact.starts_with("<sip:+86211@10.0.0.1:5060;ob>;reg-id=1;+sip.instance=\"<urn:uuid:"), "{contact}");
    assert_eq!(text(&asked.1, &Name::Supported), "path, outbound");
    world.answer(&asked, 439, &[]);
    let plain = world.next(0);
    assert_eq!(text(&plain.1, &Name::Contact), "<sip:+86211@10.0.0.1:5060>;expires=3600");
    world.accept(&plain, 3600, &[]);
    assert_eq!(world.standing(), Standing::Registered);
}

#[test]
fn challenges_that_are_not_ours_are_told_apart() {
    for (value, realm, cause) in [
        ("Digest realm=\"x\", nonce=\"1\", algorithm=AKAv1-MD5", None, Cause::UnknownChallenge),
        ("Bearer x", None, Cause::UnknownChallenge),
        (CHALLENGE, Some("other"), Cause::WrongRealm),
    ] {
        let login = Login { realm: realm.map(str::to_owned), ..settings("1").login };
        let mut world = World::new(vec![Settings { login, ..settings("1") }]);
        let asked = world.next(1);
        world.challenge(&asked, value);
        assert_eq!((world.cause(), world.standing()), (Some(cause), Standing::Refused), "{value}");
    }
}

#[test]
fn a_registrar_and_a_proxy_may_both_ask_for_proof() {
    let mut world = World::one();
    let asked = world.next(1);
    world.answer(&asked, 407, &[(Name::ProxyAuthenticate, "Digest realm=\"edge\", nonce=\"p\"")]);
    let asked = world.next(0);
    world.challenge(&asked, CHALLENGE);
    let asked = world.next(0);
    let both = (text(&asked.1, &Name::Authorization), text(&asked.1, &Name::ProxyAuthorization));
    assert!(both.0.contains("sh.ctcims.cn") && both.1.contains("edge"), "{both:?}");
    world.accept(&asked, 3600, &[]);
    assert_eq!(world.standing(), Standing::Registered);
}

#[test]
fn the_next_hop_is_asked_where_one_is_silent_or_busy() {
    let mut world = World::one();
    world.hops = vec![flow(2), flow(3), flow(4)];
    let first = world.next(1);
    world.answer(&first, 503, &[]);
    let (flow_of_second, _) = world.next(0);
    assert_eq!(flow_of_second, flow(3));
    let third = world.next(40);
    assert_eq!(third.0, flow(4), "after timer F");
    world.accept(&third, 3600, &[]);
    let refresh = world.next(3600);
    assert_eq!(refresh.0, flow(4), "where it is registered");
}

#[test]
fn an_account_that_is_gone_or_not_wanted_is_withdrawn() {
    let mut world = World::new(vec![settings("1"), settings("2")]);
    world.register(3600);
    world.register(3600);
    world.configure(vec![settings("2")]);
    let (flow, gone) = world.next(0);
    assert_eq!((text(&gone, &Name::Expires), text(&gone, &Name::To)), ("0".into(), "<sip:+86211@sh.ctcims.cn>".into()));
    world.challenge(&(flow, gone), &CHALLENGE.replace("\"1\"", "\"5\""));
    let (flow, gone) = world.next(0);
    assert_eq!(text(&gone, &Name::Expires), "0", "also when it must prove itself anew");
    world.answer(&(flow, gone), 200, &[]);
    assert_eq!((world.all.all().count(), world.all.figures().open), (1, 1));
    world.all.wish(&mut world.ua, world.now, false, &mut world.news);
    world.serve();
    let asked = world.next(0);
    assert_eq!((text(&asked.1, &Name::Expires), world.standing()), ("0".into(), Standing::Withdrawn));
    world.answer(&asked, 200, &[]);
    assert_eq!(world.all.figures().open, 0);
    world.all.wish(&mut world.ua, world.now, true, &mut world.news);
    world.serve();
    let asked = world.next(0);
    assert_eq!(text(&asked.1, &Name::Expires), "3600");
}

#[test]
fn other_settings_do_not_touch_other_accounts_and_wait_for_the_answer_that_is_due() {
    let mut world = World::new(vec![settings("1"), settings("2")]);
    world.register(3600);
    let out = world.next(1);
    let other = |name: &str| Settings { expires: Duration::from_secs(120), ..settings(name) };
    world.configure(vec![settings("1"), other("2")]);
    assert!(world.asked.is_empty(), "no second REGISTER before the answer to the first (RFC 3261 §10.2)");
    world.answer(&out, 403, &[]);
    let (_, asked) = world.next(0);
    assert_eq!((text(&asked, &Name::Expires), text(&asked, &Name::To)), ("120".into(), "<sip:+86212@sh.ctcims.cn>".into()));
    assert_eq!(world.all.figures().registered, 1, "the first is untouched");
}

#[test]
fn a_connection_that_is_gone_is_opened_again_soon() {
    let by_tcp = Flow { proto: Proto::Tcp, ..flow(2) };
    let mut world = World::one();
    world.hops = vec![by_tcp];
    world.register(3600);
    world.wait(Duration::from_secs(60));
    world.all.flow_failed(&mut world.ua, world.now, flow(3), &mut world.news);
    assert!(world.wait(Duration::from_secs(5)).is_none(), "another's");
    world.all.flow_failed(&mut world.ua, world.now, by_tcp, &mut world.news);
    let (_, asked) = world.next(2);
    assert_eq!(text(&asked, &Name::Contact), "<sip:+86211@10.0.0.1:5060;transport=tcp>;expires=3600");
}

#[test]
fn a_carrier_that_closes_after_each_answer_is_not_asked_all_the_time() {
    let by_tcp = Flow { proto: Proto::Tcp, ..flow(2) };
    let mut world = World::one();
    world.hops = vec![by_tcp];
    world.register(3600);
    world.wait(Duration::from_secs(60));
    let mut asked = 0;
    let end = world.now.mono.after(Duration::from_secs(60));
    while world.now.mono < end {
        world.all.flow_failed(&mut world.ua, world.now, by_tcp, &mut world.news);
        let again = world.next(11);
        world.accept(&again, 3600, &[]);
        asked += 1;
    }
    assert!(asked <= 7, "{asked} times in a minute");
    world.all.flow_failed(&mut world.ua, world.now, by_tcp, &mut world.news);
    let again = world.next(11);
    world.answer(&again, 503, &[(Name::RetryAfter, "600")]);
    world.all.flow_failed(&mut world.ua, world.now, by_tcp, &mut world.news);
    assert!(world.wait(Duration::from_secs(590)).is_none(), "it asked for ten minutes");
}

#[test]
fn calls_are_proved_in_the_realm_alone_where_the_registrar_has_taken_the_password() {
    let mut world = World::one();
    assert_eq!(world.account().login().realm, None);
    let asked = world.next(1);
    world.challenge(&asked, CHALLENGE);
    let signed = world.next(0);
    world.accept(&signed, 3600, &[]);
    assert_eq!(world.account().login().realm.as_deref(), world.account().proofs.realm());
    assert!(world.account().login().realm.is_some());
}
