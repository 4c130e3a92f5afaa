//! One binding under changing names, and the time for which the carrier says that it holds.

use super::*;

impl World {
    fn settings_of(&self, trunk: &str) -> Vec<String> {
        self.all.of(trunk).map(|account| account.settings().name.to_string()).collect()
    }

    fn is_bound(&self) -> bool {
        self.account().bound(self.now.mono).is_some()
    }
}

/// At this host, of a trunk of this name.
fn at(trunk: &str, name: &str, host: u8) -> Settings {
    let target = Target::at(Transport::Udp, flow(host).remote);
    Settings { trunk: trunk.into(), name: name.into(), target, ..settings("1") }
}

#[test]
fn a_binding_whose_trunk_or_account_is_renamed_is_carried_over_untouched() {
    let mut world = World::one();
    world.register(3600);
    for (trunk, name) in [("telecom", "1"), ("telecom", "main"), ("mobile", "other")] {
        let renamed = Settings { trunk: trunk.into(), name: name.into(), shows: Shows::Caller, ..settings("1") };
        world.configure(vec![renamed]);
        assert!(world.is_bound() && world.wait(Duration::from_secs(60)).is_none(), "nothing is said to the carrier");
        assert_eq!((world.settings_of(trunk), world.all.serves(trunk)), (vec![name.to_owned()], true));
        assert_eq!(world.account().settings().shows, Shows::Caller);
    }
    assert!(world.settings_of("telecom").is_empty());
    let upper = Settings { aor: Uri::parse(b"sip:+86211@SH.ctcims.cn;user=phone").unwrap(), ..settings("1") };
    world.configure(vec![upper]);
    let (_, asked) = world.next(0);
    assert_eq!(
        text(&asked, &Name::Expires),
        "3600",
        "the registrar compares without case and parameters: it is no other binding"
    );
}

#[test]
fn numbers_at_two_proxies_keep_each_its_own_when_their_trunks_change_names() {
    let mut world = World::new(vec![at("a", "x", 2), at("b", "x", 3)]);
    world.register(3600);
    world.register(3600);
    let id = |world: &World, trunk: &str| world.all.of(trunk).next().unwrap().id();
    let before = (id(&world, "a"), id(&world, "b"));
    world.configure(vec![at("a", "x", 3), at("b", "x", 2)]);
    assert_eq!((id(&world, "b"), id(&world, "a")), before);
    assert!(world.wait(Duration::from_secs(60)).is_none());
}

#[test]
fn a_binding_at_another_proxy_is_not_withdrawn_where_the_same_registrar_may_be_behind_it() {
    let mut world = World::one();
    world.register(3600);
    world.hops = vec![flow(3)];
    world.configure(vec![at("mobile", "1", 3)]);
    assert!(!world.is_bound(), "the other one knows nothing of it yet");
    let (to, asked) = world.next(0);
    assert_eq!((to, &*text(&asked, &Name::Expires)), (flow(3), "3600"));
    world.accept(&(to, asked), 3600, &[]);
    assert!(world.is_bound() && world.wait(Duration::from_secs(60)).is_none());
}

#[test]
fn an_account_that_comes_back_while_it_is_withdrawn_is_registered_after_that_and_stays_so() {
    for lost in [false, true] {
        let mut world = World::one();
        world.register(3600);
        world.configure(Vec::new());
        let gone = world.next(0);
        assert_eq!(text(&gone.1, &Name::Expires), "0");
        world.configure(vec![settings("1")]);
        assert!(world.asked.is_empty() && !world.is_bound(), "one after the other (RFC 3261 §10.2)");
        if !lost {
            world.answer(&gone, 200, &[]);
        }
        let again = world.next(if lost { 41 } else { 0 });
        assert_eq!(text(&again.1, &Name::Expires), "3600");
        assert!(again.1.headers.cseq().unwrap().seq > gone.1.headers.cseq().unwrap().seq, "in the order of one account");
        world.accept(&again, 3600, &[]);
        assert!(world.is_bound() && world.wait(Duration::from_secs(600)).is_none());
    }
    // The same where a drain is called off.
    let mut world = World::one();
    world.register(3600);
    let wish = |world: &mut World, wanted| {
        world.all.wish(&mut world.ua, world.now, wanted, &mut world.news);
        world.serve();
    };
    wish(&mut world, false);
    let gone = world.next(0);
    wish(&mut world, true);
    assert!(!world.is_bound(), "it is about to be none");
    world.answer(&gone, 200, &[]);
    let again = world.next(0);
    world.accept(&again, 3600, &[]);
    assert!(world.is_bound());
}

#[test]
fn accounts_are_found_by_their_trunk_without_a_look_at_all_others() {
    let mut rng = Rng::from_number(7);
    let mut world = World::new(Vec::new());
    let trunks = ["a", "b", "c"];
    for _ in 0..300 {
        let all: Vec<Settings> = (0..rng.below(7))
            .map(|number| {
                let trunk = trunks[usize::try_from(rng.below(3)).unwrap()];
                Settings { trunk: trunk.into(), ..settings(&number.to_string()) }
            })
            .collect();
        world.configure(all);
        world.wait(Duration::from_millis(200));
        for asked in std::mem::take(&mut world.asked) {
            match rng.below(4) {
                0 => world.answer(&asked, 403, &[]),
                1 => world.answer(&asked, 500, &[]),
                _ => world.accept(&asked, 60, &[]),
            }
        }
        let is = |account: &&Account, trunk: &str| *account.settings().trunk == *trunk;
        for trunk in trunks {
            let of: BTreeSet<AccountId> = world.all.of(trunk).map(Account::id).collect();
            let all: BTreeSet<AccountId> = world.all.all().filter(|it| is(it, trunk)).map(Account::id).collect();
            assert_eq!(of, all);
            let mut bound: Vec<&Account> = world.all.all().filter(|it| is(it, trunk) && it.is_bound()).collect();
            bound.sort_by_key(|it| it.settings().name.clone());
            assert_eq!(world.all.serves(trunk), !bound.is_empty());
            let ways = world.all.ways(trunk, 8);
            assert_eq!(ways.len(), all.len());
            assert_eq!(ways.first().map(|it| it.id()), bound.first().map(|it| it.id()).or(ways.first().map(|it| it.id())));
            assert_eq!(ways.iter().take_while(|it| it.is_bound()).count(), bound.len(), "the registered ones first");
        }
        let unserved = |trunk: &&str| world.all.of(trunk).next().is_some() && !world.all.serves(trunk);
        assert_eq!(world.all.has_unserved(), trunks.iter().any(unserved));
    }
}

#[test]
fn who_is_registered_where_a_call_found_nobody_asks_soon_and_elsewhere() {
    let mut world = World::new((0..3).map(|number| settings(&number.to_string())).collect());
    world.hops = vec![flow(2), flow(3)];
    (0..3).for_each(|_| world.register(3600));
    world.wait(Duration::from_secs(60));
    let suspect = |world: &mut World, host: u8| {
        let peer = flow(host).remote;
        world.all.suspect(&mut world.ua, world.now, peer, &mut world.news);
    };
    suspect(&mut world, 4);
    assert!(world.wait(Duration::from_secs(30)).is_none(), "nobody is registered there");
    suspect(&mut world, 2);
    for _ in 0..3 {
        let asked = world.next(3);
        assert_eq!(asked.0, flow(3));
        world.accept(&asked, 3600, &[]);
        // Whatever more calls say.
        suspect(&mut world, 2);
    }
    assert!(world.wait(Duration::from_secs(600)).is_none());
    // One that fails already, or is refused, is not asked sooner for that.
    let mut world = World::one();
    world.register(3600);
    let refresh = world.next(3600);
    world.answer(&refresh, 503, &[(Name::RetryAfter, "100")]);
    suspect(&mut world, 2);
    assert!(world.wait(Duration::from_secs(90)).is_none());
}

#[test]
fn a_hop_that_says_nothing_is_soon_passed_over_and_one_that_works_is_waited_for() {
    let mut world = World::one();
    world.hops = vec![flow(2), flow(3)];
    let first = world.next(1);
    let waited = world.wait(Duration::from_secs(40)).unwrap();
    assert!(waited <= HOP_TIMEOUT + Duration::from_millis(1), "{waited:?}");
    let second = world.next(0);
    assert_eq!((first.0, second.0), (flow(2), flow(3)));
    let mut world = World::one();
    world.hops = vec![flow(2), flow(3)];
    let first = world.next(1);
    world.answer(&first, 100, &[]);
    assert!(world.wait(Duration::from_secs(20)).is_none());
    world.accept(&first, 3600, &[]);
    assert!(world.is_bound());
}

#[test]
fn the_time_that_is_granted_is_that_of_our_own_contact() {
    const OURS: &str = "<sip:+86211@10.0.0.1:5060>";
    for (contacts, expires, seconds) in [
        (vec![format!("{OURS};expires=300")], None, 300),
        (vec![format!("{OURS};expires=300"), "<sip:+86211@10.0.0.9:5060>;expires=90".into()], None, 300),
        (vec!["<sip:+86211@10.0.0.9:5060>;expires=90".into(), format!("{OURS};expires=300")], None, 300),
        (vec!["<sip:+86211@10.0.0.1:5060;x=1>;expires=90".into(), format!("{OURS};expires=300")], None, 90),
        (vec!["<sip:+86211@10.0.0.1:5060;transport=tcp>;expires=90".into(), format!("{OURS};expires=300")], None, 300),
        (vec![format!("{OURS};expires=300"), format!("{OURS};expires=120")], None, 120),
        (vec!["<SIP:%2b8621%31@10.0.0.1:5060>;expires=120;q=0.5".into(), "<sip:x@y>;expires=90".into()], None, 120),
        (vec!["<sip:+86211@10.0.0.1;transport=udp>;expires=120".into(), "<sip:+86211@10.0.0.9>;expires=90".into()], None, 120),
        (vec!["<sip:+86211@203.0.113.7:6000>;expires=120".into(), "<sip:x@y>;expires=90".into()], None, 120),
        (vec![OURS.to_owned()], Some("600"), 600),
        (vec![OURS.to_owned(), "<sip:x@y>;expires=90".into()], Some("600"), 600),
        (vec![format!("{OURS};expires=300")], Some("600"), 300),
        (vec![format!("{OURS};expires=soon")], Some("600"), 600),
        (vec![OURS.to_owned()], None, 3600),
        (vec![], Some("600"), 600),
        (vec![], None, 3600),
        (vec![format!("{OURS};expires=0")], Some("600"), 0),
        (vec![OURS.to_owned()], Some("0"), 0),
    ] {
        let mut world = World::one();
        let asked = world.next(1);
        let headers: Vec<(Name, &str)> = contacts.iter().map(|contact| (Name::Contact, contact.as_str())).collect();
        let expires: Vec<(Name, &str)> = expires.map(|expires| (Name::Expires, expires)).into_iter().collect();
        world.answer(&asked, 200, &[headers, expires].concat());
        let left = world.account().bound(world.now.mono).map(|bound| bound.until.since(world.now.mono).as_secs());
        assert_eq!(left.unwrap_or(0), seconds, "{contacts:?}");
        assert_eq!(world.cause(), (seconds == 0).then_some(Cause::NotBound), "{contacts:?}");
    }
}

#[test]
fn an_account_whose_carrier_says_that_it_keeps_it_no_more_is_registered_no_more() {
    let mut world = World::one();
    world.register(1000);
    let refresh = world.next(600);
    world.news.clear();
    world.answer(&refresh, 200, &[(Name::Contact, "<sip:+86211@10.0.0.1:5060>;expires=0")]);
    assert!(!world.is_bound());
    let id = world.account().id();
    assert!(matches!(world.news[..], [News::Lost(of), News::Failed(..)] if of == id), "{:?}", world.news);
}

#[test]
fn a_wait_that_the_carrier_asks_for_does_not_let_a_registration_end() {
    for (asked, least, most) in [("60", 60, 280), ("300", 300, 300), ("1800", 240, 280), ("549", 240, 280)] {
        let mut world = World::one();
        world.register(1000);
        let refresh = world.next(600);
        world.answer(&refresh, 503, &[(Name::RetryAfter, asked)]);
        let next = world.account().next().unwrap().since(world.now.mono).as_secs();
        assert!((least..=most).contains(&next), "{asked}: {next} s");
        assert!(world.wait(Duration::from_secs(most + 1)).is_some() && world.is_bound());
    }
    // However often it says so, and for as long as it is registered; not in a storm.
    let mut world = World::one();
    world.register(1000);
    let mut times = 0;
    while world.is_bound() {
        let asked = world.next(1000);
        world.answer(&asked, 503, &[(Name::RetryAfter, "1800")]);
        times += 1;
    }
    assert!((6..15).contains(&times), "{times}");
    assert!(world.wait(Duration::from_secs(1700)).is_none(), "then as it says");
}
