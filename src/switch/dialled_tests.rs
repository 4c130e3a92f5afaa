//! Tests of where the number stands that was dialled.

use super::*;
use crate::plan::tests::read;
use crate::plan::{NumberRule, NumberRules};
use crate::sip::Host;
use crate::switch::channels::tests::trunk;
use crate::switch::identity::tests::incoming;
use crate::switch::{Numbers, Trunk};
use DialledFrom::{Diversion, HistoryInfo, PCalledPartyId, RequestUri, To};
use std::sync::Arc;

const PLAN: &str = r#"
[plan]
name = "x"
area = "691"
[[line]]
number = "12345"
mode = "front"
[[line]]
number = "12336"
mode = "linked"
[[line]]
number = ["12315", "2122110"]
mode = "linked"
[[line]]
number = "110"
mode = "emergency"
"#;

fn plan() -> Plan {
    read(PLAN).unwrap()
}

/// A trunk with these places and rules.
fn by(places: &[DialledFrom], called_in: &[(&str, usize, &str)]) -> Trunk {
    let rules = called_in.iter().map(|(pattern, strip, prepend)| NumberRule::new(pattern, *strip, prepend, true).unwrap());
    let numbers = Numbers { called_in: NumberRules::new(rules.collect()).keeping(&plan().kept()), ..Numbers::default() };
    Trunk { dialled_from: places.to_vec(), numbers: Arc::new(numbers), ..trunk("carrier", 10, 0) }
}

fn call(request: &str, to: &str, headers: &[(Name, &'static str)]) -> Incoming {
    let mut call = incoming(headers, "<sip:1@c>;tag=1");
    call.uri = Uri::sip(request, Host::Name("c".into()), None);
    call.to = NameAddr::parse(to.as_bytes()).unwrap();
    call
}

fn called(trunk: &Trunk, call: &Incoming) -> Number {
    Reading { plan: &plan(), trunk: Some(trunk) }.called(call.into())
}

#[test]
fn the_number_that_was_dialled_is_found_where_the_trunk_says_it() {
    let headers = [
        (Name::HistoryInfo, "<sip:12336@c>;index=1"),
        (Name::HistoryInfo, "<sip:contact7@c>;index=1.1"),
        (Name::Diversion, "<sip:+8669112315@c>"),
        (Name::Diversion, "<sip:12336@c>"),
        (Name::PCalledPartyId, "<sip:110@c>"),
    ];
    let there = call("contact7", "<tel:2122110;phone-context=+86691>", &headers);
    for (places, text) in [
        (&[To][..], "2122110;phone-context=+86691"),
        (&[HistoryInfo], "12336"),
        (&[Diversion, To], "+8669112315"),
        (&[PCalledPartyId, To], "110"),
        (&[RequestUri, HistoryInfo, To], "12336"),
    ] {
        let found = called(&by(places, &[]), &there);
        let place = if places == [RequestUri, HistoryInfo, To] { HistoryInfo } else { places[0] };
        assert_eq!((found.text.as_str(), found.place, found.written), (text, place, None), "{places:?}");
    }
    assert_eq!(called(&by(&[RequestUri], &[]), &there).text, "contact7");
    let nowhere = call("contact7", "<sip:contact7@c>", &[]);
    let found = called(&by(&[To, HistoryInfo, Diversion, PCalledPartyId, RequestUri], &[]), &nowhere);
    assert!(found.text == "contact7" && found.is_by_request());
    let story = ["12319", "12336", "contact7"].map(str::to_owned).to_vec();
    assert_eq!(
        (before(story.clone(), "12336"), before(story, "1")),
        (vec!["12319".to_owned()], vec!["12319".into(), "12336".into(), "contact7".into()])
    );
}

#[test]
fn a_number_is_told_with_its_place_and_rules() {
    let rules = [("95512336", 3, ""), ("8*", 1, "")];
    let found = called(&by(&[RequestUri, To], &rules), &call("account7", "<sip:95512336@c>", &[]));
    let expected = Number { text: "12336".into(), written: Some("95512336".into()), place: To, rules: vec![0], unproven: false };
    assert_eq!(found, expected);
}

/// Whoever dials an emergency line gets there, whatever headers say; and no story makes a call for help of another where the carrier is
/// not trusted with it.
#[test]
fn an_emergency_in_the_request_wins_and_a_story_makes_none() {
    let elsewhere = [(Name::HistoryInfo, "<sip:12336@c>;index=1"), (Name::PCalledPartyId, "<sip:12345@c>")];
    for request in ["110", "0691110", "+8669111 0", "95110"] {
        let rules = [("95110", 2, "")];
        for places in [&[HistoryInfo, RequestUri][..], &[PCalledPartyId], &[To]] {
            let found = called(&by(places, &rules), &call(request, "<sip:12336@c>", &elsewhere));
            let reading = by(places, &rules);
            let reading = Reading { plan: &plan(), trunk: Some(&reading) };
            assert!(reading.is_for_help(&found) && found.is_by_request(), "{request} {places:?}: {found:?}");
        }
    }
    let forged = |name: Name| call("contact7", "<sip:12345@c>", &[(name.clone(), "<sip:12336@c>"), (name, "<sip:0691110@c>")]);
    for (place, name, older) in [(HistoryInfo, Name::HistoryInfo, "12336"), (Diversion, Name::Diversion, "12336")] {
        let mut trunk = by(&[place, To], &[]);
        assert_eq!(called(&trunk, &forged(name.clone())).text, older);
        trunk.emergency_history = true;
        let first = if place == HistoryInfo { "0691110" } else { "12336" };
        assert_eq!(called(&trunk, &forged(name)).text, first, "its carrier is trusted");
    }
    let own = call("contact7", "<sip:110@c>", &[]);
    assert_eq!(called(&by(&[To], &[]), &own).text, "110");
    // One that would come nowhere else is connected, and goes before nobody.
    let alone = |request: &str| call(request, "<sip:contact7@c>", &[(Name::Diversion, "<sip:110@c>")]);
    let found = called(&by(&[Diversion], &[]), &alone("contact7"));
    assert_eq!((found.text.as_str(), found.place, found.unproven), ("110", Diversion, true));
    let plan = plan();
    let reading = Reading { plan: &plan, trunk: None };
    assert!(reading.is_for_help(&found) && !reading.goes_first(&found));
    assert_eq!(called(&by(&[Diversion], &[]), &alone("12345")).text, "12345", "the plan has the request's number");
}

#[test]
fn of_a_long_story_what_is_nearest_to_us_is_looked_at() {
    let story = |numbers: &[&str], name: Name| {
        let headers = numbers.iter().map(|number| Header { name: name.clone(), value: format!("<sip:{number}@c>").into() });
        Incoming { headers: headers.collect(), ..call("contact7", "<sip:contact7@c>", &[]) }
    };
    let mut numbers = vec!["12315"; 1];
    numbers.extend(["13800138000"; 20]);
    numbers.push("12336");
    let found = |numbers: &[&str], place, name| called(&by(&[place], &[]), &story(numbers, name)).text;
    assert_eq!(found(&numbers, HistoryInfo, Name::HistoryInfo), "12336", "the newest stands last");
    assert_eq!(found(&numbers, Diversion, Name::Diversion), "12315", "the newest stands first");
    numbers.pop();
    assert_eq!(found(&numbers, HistoryInfo, Name::HistoryInfo), "contact7", "too far away");
}

#[test]
fn whom_an_invite_calls_stands_in_its_first_line() {
    let user = |text: &[u8]| first_line(text).and_then(|uri| uri.user);
    assert_eq!(user(b"INVITE sip:110@h SIP/2.0\r\nVia: x").as_deref(), Some("110"));
    assert_eq!((user(b"INVITE sip:110@h"), user(b"INVITE "), user(b"BYE sip:110@h SIP/2.0")), (Some("110".into()), None, None));
}
