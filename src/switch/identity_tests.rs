//! Tests of who calls and what was dialled.

use super::*;
use crate::base::{Flow, LegId, Proto, Rng, Wall};

pub(in crate::switch) fn incoming(headers: &[(Name, &'static str)], from: &str) -> Incoming {
    let address = SocketAddr::from(([127, 0, 0, 1], 5060));
    let uri = Uri::sip("12345", Host::Ip(address.ip()), None);
    Incoming {
        leg: LegId(1),
        flow: Flow { proto: Proto::Udp, local: address, remote: address },
        to: NameAddr::new(uri.clone()),
        uri,
        from: NameAddr::parse(from.as_bytes()).unwrap(),
        call_id: "a@b".into(),
        max_forwards: 70,
        contact: None,
        headers: headers.iter().map(|(name, value)| Header { name: name.clone(), value: (*value).into() }).collect(),
        offer: None,
        sealed: false,
        ipv6: false,
        reliable: false,
        replaces: None,
    }
}

#[test]
fn the_network_s_word_goes_before_the_phone_s() {
    let asserted = (Name::PAssertedIdentity, "<tel:+8613800138000>");
    let call = incoming(&[asserted], "<sip:faked@10.0.0.1>;tag=1");
    assert_eq!(caller(&call), ("+8613800138000".to_owned(), false));
    let named = (Name::PAssertedIdentity, "\"Zhang\" <sip:zhang.san@ims.example>");
    let number = (Name::PAssertedIdentity, "<tel:2122110;phone-context=%2B86691>");
    let from = "<sip:faked@10.0.0.1>;tag=1";
    for values in [vec![named.clone(), number.clone()], vec![number.clone(), named.clone()]] {
        assert_eq!(caller(&incoming(&values, from)).0, "2122110;phone-context=+86691");
    }
    assert_eq!(caller(&incoming(&[named], from)).0, "zhang.san", "the network's word, though it is no number");
    let bare = (Name::PAssertedIdentity, "tel:2122110;phone-context=+86691");
    assert_eq!(caller(&incoming(&[bare], from)).0, "2122110;phone-context=+86691");
    let ported = (Name::PAssertedIdentity, "<sip:+8613800138000;npdi;rn=+8613900@ims.example;user=phone>");
    assert_eq!(plan::is_number(&caller(&incoming(&[ported], from)).0).then_some(()), Some(()));
    assert_eq!(caller(&incoming(&[], "<sip:06912122110@10.0.0.1>;tag=1")).0, "06912122110");
}

#[test]
fn anonymity_is_asked_for_in_three_ways() {
    let number = "<sip:13800138000@10.0.0.1>;tag=1";
    assert!(!caller(&incoming(&[(Name::Privacy, "none")], number)).1);
    for lines in
        [&["critical; id"][..], &["ID"], &["Id;Critical"], &["User"], &["none", "id"], &["history", " HEADER "], &["history,id"]]
    {
        let lines: Vec<(Name, &str)> = lines.iter().map(|line| (Name::Privacy, *line)).collect();
        assert!(caller(&incoming(&lines, number)).1, "{lines:?}");
    }
    for other in ["history", "session", "critical", "identity", "id-x"] {
        assert!(!caller(&incoming(&[(Name::Privacy, other)], number)).1, "{other}");
    }
    assert!(caller(&incoming(&[], "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1")).1);
    assert!(caller(&incoming(&[], "<sip:c8oqz84zk7z@anonymous.invalid>;tag=1")).1);
}

fn story(headers: &[(Name, &'static str)], this: &str) -> Vec<String> {
    let plan = crate::plan::tests::plan();
    history(&incoming(headers, "<sip:1@c>;tag=1"), this, |written| plan.number(written, None))
}

#[test]
fn a_retired_number_is_found_in_history_or_diversion() {
    let older = (Name::HistoryInfo, "<sip:12336@c>;index=1");
    let newer = (Name::HistoryInfo, "<sip:12345@c>;index=1.1");
    assert_eq!(story(&[older, newer], "12345"), ["12336"]);
    let diversions = [(Name::Diversion, "<sip:12319@c>;reason=unknown"), (Name::Diversion, "<sip:12336@c>")];
    assert_eq!(story(&diversions, "12345"), ["12336", "12319"]);
    assert_eq!(story(&[(Name::HistoryInfo, "<sip:12345@c>;index=1")], "12345"), [""; 0]);
}

#[test]
fn a_history_is_as_long_as_honest_routing_makes_it() {
    let numbers: Vec<String> = (0..40).map(|i| format!("<sip:0691100{i:02}@c>;index=1.{i}")).collect();
    let headers: Vec<Header> =
        numbers.iter().map(|value| Header { name: Name::HistoryInfo, value: Bytes::copy_from_slice(value.as_bytes()) }).collect();
    let call = Incoming { headers, ..incoming(&[], "<sip:1@c>;tag=1") };
    let story = history(&call, "12345", str::to_owned);
    let ends = (story.first().map(String::as_str), story.last().map(String::as_str));
    assert_eq!((story.len(), ends), (MOST_HISTORY, (Some("069110000"), Some("069110039"))), "where it began, and what led to us");
}

#[test]
fn a_number_in_the_history_is_one_number_however_it_is_spelt() {
    for spelling in [
        "<sip:069112345@ims.example>",
        "<sip:+8669112345@ims.example;user=phone>",
        "<tel:+86-691-12345>",
        "tel:12345;phone-context=+86691",
        "<sip:0691-12345@ims.example>;index=1",
        "<tel:12345;phone-context=%2B86691>",
        "<sip:12345;phone-context=+86691@ims.example;user=phone>",
        "<sip:%2B86(691)12345;npdi@ims.example>",
        "<sip:+8669112345;rn=+8669199;npdi@ims.example;user=phone>",
        "<TEL:+8669112345;RN=1>",
        "<sip:12345;Phone-Context=+86-691@ims.example>",
        "<sip:12345@ims.example;phone-context=+86691;user=phone>",
    ] {
        let (history, diversion) = ((Name::HistoryInfo, spelling), (Name::Diversion, spelling));
        assert_eq!(story(std::slice::from_ref(&history), "12345"), [""; 0], "{spelling}");
        assert_eq!(story(&[diversion], "12345"), [""; 0], "{spelling}");
        let before = (Name::HistoryInfo, "<sip:12336@c>;index=1");
        assert_eq!(story(&[before.clone(), history.clone(), history.clone()], "12345"), ["12336"], "{spelling}");
        assert_eq!(story(&[history, before], "110"), ["12345", "12336"], "{spelling}");
    }
}

#[test]
fn what_is_longer_than_a_number_makes_no_message_long() {
    let long: &'static str = Box::leak(format!("<sip:{}@h>;index=1", "ÿ".repeat(3000)).into_boxed_str());
    let call = incoming(&[(Name::PAssertedIdentity, long), (Name::HistoryInfo, long)], "<sip:1@c>;tag=1");
    assert_eq!(caller(&call).0.len(), LONGEST);
    assert_eq!(story(&[(Name::HistoryInfo, long)], "12345"), [""; 0]);
    assert_eq!(number_in(&NameAddr::parse(long.as_bytes()).unwrap().uri).len(), LONGEST);
}

/// As a party sees it that asks for nothing else.
fn usual(all: bool) -> (&'static Presents, &'static NumberRules, bool) {
    static PRESENTS: Presents = Presents { identity: Presented::Caller, number: None, history: History::HistoryInfo };
    static RULES: NumberRules = NumberRules::NONE;
    (&PRESENTS, &RULES, all)
}

#[test]
fn a_trunk_is_told_who_calls_as_it_asks_for_it() {
    let mut identity = Identity {
        caller: Some("06912122110".to_owned()),
        withheld: false,
        number: "12345".to_owned(),
        dialled_from: DialledFrom::RequestUri,
        dialled_by_rules: Vec::new(),
        line: "12345".into(),
        trunk: "carrier".into(),
        area: None,
        history: vec!["12336".to_owned()],
        codecs: vec![],
        max_forwards: 70,
        shows: None,
    };
    let local = SocketAddr::from(([10, 0, 0, 1], 5060));
    let target = Uri::sip("110", Host::Ip(local.ip()), None);
    let rules = NumberRules::new(vec![plan::NumberRule::new("0*", 1, "+86", true).unwrap()]);
    let told = |identity: &Identity, presented, history| {
        let presents = Presents { identity: presented, number: Some("+8669112345".into()), history };
        let id = CallId::new(Wall(1_700_000_000_000_000), &mut Rng::from_number(1));
        let mut all = vec![identity.from(local, (&presents, &rules, false)).uri.user.unwrap_or_default()];
        let headers = identity.headers(id, (local, &target), (&presents, &rules, false));
        all.extend(headers.iter().skip(1).map(|header| {
            let name = String::from_utf8_lossy(header.name.as_bytes()).into_owned();
            format!("{name}: {}", String::from_utf8_lossy(&header.value))
        }));
        all
    };
    let asserted = |number: &str| format!("P-Asserted-Identity: <sip:{number}@10.0.0.1>");
    let (theirs, own) = ("+866912122110", "+8669112345");
    assert_eq!(told(&identity, Presented::Caller, History::None), [theirs.to_owned(), asserted(theirs)]);
    assert_eq!(told(&identity, Presented::Own, History::None), [own.to_owned(), asserted(own)]);
    assert_eq!(told(&identity, Presented::CallerWithOwnPai, History::None), [theirs.to_owned(), asserted(own)]);
    let both = told(&identity, Presented::Caller, History::Both);
    assert_eq!(
        both[2..4],
        [
            "Diversion: <sip:12345@10.0.0.1>;reason=unconditional;counter=1",
            "Diversion: <sip:12336@10.0.0.1>;reason=unconditional;counter=1"
        ]
    );
    assert_eq!((both.len(), both[6].as_str()), (7, "History-Info: <sip:110@10.0.0.1>;index=1.1.1"));
    assert_eq!(told(&identity, Presented::Caller, History::Diversion).len(), 4);
    identity.withheld = true;
    assert_eq!(told(&identity, Presented::Caller, History::None), ["anonymous", "Privacy: id"]);
    assert_eq!(told(&identity, Presented::Own, History::None), [own.to_owned(), asserted(own)]);
    let private = ["anonymous".to_owned(), "Privacy: id".to_owned(), asserted(own)];
    assert_eq!(told(&identity, Presented::CallerWithOwnPai, History::None), private);
}

#[test]
fn every_leg_learns_the_call_the_caller_and_the_hotline() {
    let mut identity = Identity {
        caller: Some("13800138000".to_owned()),
        withheld: false,
        number: "12345".to_owned(),
        dialled_from: DialledFrom::RequestUri,
        dialled_by_rules: Vec::new(),
        line: "12345".into(),
        trunk: "carrier".into(),
        area: None,
        history: vec!["12336".to_owned()],
        codecs: vec![Codec::Pcmu],
        max_forwards: 70,
        shows: None,
    };
    let id = CallId::new(Wall(1_700_000_000_000_000), &mut Rng::from_number(1));
    let local = SocketAddr::from(([10, 0, 0, 1], 5060));
    let target = Uri::sip("seat", Host::Ip(local.ip()), None);
    let text = |identity: &Identity, all: bool| {
        let headers = identity.headers(id, (local, &target), usual(all));
        headers.iter().map(|h| String::from_utf8_lossy(&h.value).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        text(&identity, false)[1..],
        [
            "<sip:13800138000@10.0.0.1>",
            "<sip:12336@10.0.0.1>;index=1",
            "<sip:12345@10.0.0.1>;index=1.1",
            "<sip:seat@10.0.0.1>;index=1.1.1"
        ]
    );
    identity.withheld = true;
    assert!(!text(&identity, false).iter().any(|h| h.contains("138")), "a withheld number goes nowhere");
    assert_eq!(identity.from(local, usual(false)).uri.user.as_deref(), Some("anonymous"));
    assert_eq!(text(&identity, true)[1..3], ["id", "<sip:13800138000@10.0.0.1>"], "but to an emergency line");
    assert_eq!(identity.from(local, usual(true)).uri.user.as_deref(), Some("13800138000"));
    assert_eq!(identity.offer_order(&[Codec::Pcma, Codec::Pcmu]), [Codec::Pcmu, Codec::Pcma]);
    let called = identity.of_hotline();
    assert_eq!(text(&called, false)[1..], ["<sip:12345@10.0.0.1>"], "whom a seat calls sees the hotline, and nothing else");
    assert_eq!(called.from(local, usual(false)).uri.user.as_deref(), Some("12345"));
    let shown = Identity { shows: Some("069112345".into()), ..identity }.of_hotline();
    assert_eq!(shown.from(local, usual(false)).uri.user.as_deref(), Some("069112345"));
}
