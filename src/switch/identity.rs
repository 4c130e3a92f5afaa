//! The caller's identity and what was dialled: read from an INVITE once, told to every leg of the call.

use crate::base::CallId;
use crate::dialog::Incoming;
use crate::plan;
use crate::sip::{Codec, Header, Host, Name, NameAddr, Params, Uri, unescape};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The caller's number, normalised.
    pub caller: Option<String>,
    /// It is told to nobody but emergency lines, where policy lets them see it.
    pub withheld: bool,
    /// The hotline as the plan names it.
    pub number: String,
    pub line: Arc<str>,
    /// The trunk it came by, and the area code that the plan found.
    pub trunk: Arc<str>,
    pub area: Option<Arc<str>>,
    /// The numbers that the call was meant for before it reached us, oldest first.
    pub history: Vec<String>,
    /// Codecs that the caller's leg may use, the caller's order first.
    pub codecs: Vec<Codec>,
    pub max_forwards: u8,
    /// A seat's call: the number that the person whom it calls is shown, who is the call's caller.
    pub shows: Option<Arc<str>>,
}

/// Entries of a call's History-Info that go on with it: more than honest routing makes.
const MOST_HISTORY: usize = 16;

/// No number is longer, in bytes; what goes on to other parties, escaped and in several headers, stays short with it.
const LONGEST: usize = 128;

/// The number part of a URI as the plan reads it: its user, which in a sip URI may hold the parameters of a tel number
/// (RFC 3261 §19.1.6), or its number with the context that stands beside it.
pub(super) fn dialled(uri: &Uri) -> String {
    in_context(uri, &uri.params)
}

fn in_context(uri: &Uri, params: &Params) -> String {
    let user = uri.user.clone().unwrap_or_default();
    match params.get("phone-context").and_then(|context| unescape(context.as_bytes())) {
        Some(context) if !user.contains(';') => short(format!("{user};phone-context={}", String::from_utf8_lossy(&context))),
        _ => short(user),
    }
}

fn short(mut text: String) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

/// The same of an identity. Without angle brackets the parameters of its number are the header's (RFC 3261 §20).
fn number_of(address: &NameAddr) -> String {
    let own = address.uri.params.get("phone-context").is_some();
    in_context(&address.uri, if own { &address.uri.params } else { &address.params })
}

/// The caller as received: P-Asserted-Identity before From (RFC 3325 §9.1), of two the one that is a number. The flag says
/// that it asked to be withheld (RFC 3323 §4.2, RFC 3325 §9.3): one line of Privacy that says so suffices.
pub(super) fn caller(incoming: &Incoming) -> (String, bool) {
    let asserted: Vec<NameAddr> = all(incoming, &Name::PAssertedIdentity).filter_map(|value| NameAddr::parse(value)).collect();
    let number = asserted.iter().find(|address| plan::is_number(&number_of(address)));
    let address = number.or(asserted.first()).unwrap_or(&incoming.from);
    let private = ["id", "user", "header"].iter().any(|kind| all(incoming, &Name::Privacy).any(|value| holds(value, kind)));
    let anonymous = private || hidden(&address.uri) || hidden(&incoming.from.uri);
    (number_of(address), anonymous)
}

/// RFC 3323 §4.2 parts the kinds with semicolons, and there are systems that write commas.
fn holds(value: &[u8], kind: &str) -> bool {
    value.split(|b| b";,".contains(b)).any(|token| token.trim_ascii().eq_ignore_ascii_case(kind.as_bytes()))
}

fn hidden(uri: &Uri) -> bool {
    let by_user = uri.user.as_deref().is_none_or(|u| u.eq_ignore_ascii_case("anonymous"));
    by_user || matches!(&uri.host, Host::Name(name) if name.eq_ignore_ascii_case("anonymous.invalid"))
}

/// The numbers the call was meant for before this one, oldest first: History-Info (RFC 7044), else Diversion (RFC 5806:
/// each diverting party puts its value on top). A longer story than [`MOST_HISTORY`] keeps its beginning.
///
/// Each is as `number` normalises it. The last ones are how the call came to `this`, however each hop spells it.
pub(super) fn history(incoming: &Incoming, this: &str, number: impl Fn(&str) -> String) -> Vec<String> {
    let numbers = |name: &Name| -> Vec<String> {
        let values = all(incoming, name).filter_map(|value| Some(number_of(&NameAddr::parse(value)?)));
        values.filter(|written| !written.is_empty() && written.len() < LONGEST).map(|written| number(&written)).collect()
    };
    let mut history = numbers(&Name::HistoryInfo);
    if history.is_empty() {
        history = numbers(&Name::Diversion);
        history.reverse();
    }
    while history.pop_if(|last| last == this).is_some() {}
    history.dedup();
    history.truncate(MOST_HISTORY);
    history
}

fn all<'a>(incoming: &'a Incoming, name: &'a Name) -> impl Iterator<Item = &'a Bytes> + 'a {
    incoming.headers.iter().filter(move |h| h.name == *name).map(|h| &h.value)
}

impl Identity {
    /// The number as this party may see it: `all` sees one that is withheld, too.
    fn shown(&self, all: bool) -> Option<&String> {
        self.caller.as_ref().filter(|_| all || !self.withheld)
    }

    pub fn from(&self, local: SocketAddr, all: bool) -> NameAddr {
        match self.shown(all) {
            Some(number) => NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None)),
            None => NameAddr::new(Uri::sip("anonymous", Host::Name("anonymous.invalid".to_owned()), None)),
        }
    }

    /// The identity that the person sees whom a seat calls: the hotline's. It was meant for nobody else before.
    pub fn of_hotline(&self) -> Identity {
        let shown = self.shows.as_deref().unwrap_or(&self.number);
        Identity { caller: Some(shown.to_owned()), withheld: false, number: String::new(), ..self.clone() }
    }

    /// The call id on every leg, the caller where it may be told, and the hotline that was dialled (RFC 7044).
    pub fn headers(&self, call: CallId, local: SocketAddr, target: &Uri, all: bool) -> Vec<Header> {
        let mut headers = vec![Header::printed(Name::XHotlineCallId, call)];
        // A peer that sees the number is told that others may not (RFC 3325 §9.3).
        if self.withheld {
            headers.push(Header { name: Name::Privacy, value: "id".into() });
        }
        if let Some(number) = self.shown(all) {
            let asserted = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(Header::printed(Name::PAssertedIdentity, asserted));
        }
        if self.number.is_empty() {
            return headers;
        }
        let mut index = "1".to_owned();
        for number in self.history.iter().chain([&self.number]) {
            let entry = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(Header::printed(Name::HistoryInfo, format_args!("{entry};index={index}")));
            index.push_str(".1");
        }
        let target = NameAddr::new(target.clone());
        headers.push(Header::printed(Name::HistoryInfo, format_args!("{target};index={index}")));
        headers
    }

    /// The caller's codecs first, so that nothing is transcoded without need.
    pub fn offer_order(&self, allowed: &[Codec]) -> Vec<Codec> {
        let first = self.codecs.iter().filter(|c| allowed.contains(c));
        let rest = allowed.iter().filter(|c| !self.codecs.contains(c));
        first.chain(rest).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Flow, LegId, Proto, Rng, Wall};

    fn incoming(headers: &[(Name, &'static str)], from: &str) -> Incoming {
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
        for lines in [
            &["critical; id"][..],
            &["ID"],
            &["Id;Critical"],
            &["User"],
            &["none", "id"],
            &["history", " HEADER "],
            &["history,id"],
        ] {
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
        let headers: Vec<Header> = numbers
            .iter()
            .map(|value| Header { name: Name::HistoryInfo, value: Bytes::copy_from_slice(value.as_bytes()) })
            .collect();
        let call = Incoming { headers, ..incoming(&[], "<sip:1@c>;tag=1") };
        let story = history(&call, "12345", str::to_owned);
        assert_eq!((story.len(), story.first().map(String::as_str)), (MOST_HISTORY, Some("069110000")));
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
        assert_eq!(dialled(&NameAddr::parse(long.as_bytes()).unwrap().uri).len(), LONGEST);
    }

    #[test]
    fn every_leg_learns_the_call_the_caller_and_the_hotline() {
        let mut identity = Identity {
            caller: Some("13800138000".to_owned()),
            withheld: false,
            number: "12345".to_owned(),
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
            let headers = identity.headers(id, local, &target, all);
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
        assert_eq!(identity.from(local, false).uri.user.as_deref(), Some("anonymous"));
        assert_eq!(text(&identity, true)[1..3], ["id", "<sip:13800138000@10.0.0.1>"], "but to an emergency line");
        assert_eq!(identity.from(local, true).uri.user.as_deref(), Some("13800138000"));
        assert_eq!(identity.offer_order(&[Codec::Pcma, Codec::Pcmu]), [Codec::Pcmu, Codec::Pcma]);
        let called = identity.of_hotline();
        assert_eq!(text(&called, false)[1..], ["<sip:12345@10.0.0.1>"], "whom a seat calls sees the hotline, and nothing else");
        assert_eq!(called.from(local, false).uri.user.as_deref(), Some("12345"));
        let shown = Identity { shows: Some("069112345".into()), ..identity }.of_hotline();
        assert_eq!(shown.from(local, false).uri.user.as_deref(), Some("069112345"));
    }
}
