//! Who calls, what was dialled: read from an INVITE once, told to every leg of the call.

use crate::base::CallId;
use crate::dialog::Incoming;
use crate::sip::{Codec, Header, Host, Name, NameAddr, Scheme, Uri};
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The caller's number, normalised; none when it is withheld.
    pub caller: Option<String>,
    /// The hotline as the plan names it.
    pub number: String,
    pub line: Arc<str>,
    /// The trunk it came by, and the area code that the plan found.
    pub trunk: Arc<str>,
    pub area: Option<Arc<str>>,
    /// The numbers that the call was meant for before it reached us, oldest first.
    pub history: Vec<String>,
    /// What the caller's leg may use, the caller's order first.
    pub codecs: Vec<Codec>,
    pub max_forwards: u8,
}

/// Entries of a call's History-Info that go on with it: more than honest routing makes.
const MOST_HISTORY: usize = 16;

/// The number part of a URI as the plan reads it: the user of a sip URI, or a tel number with its context.
pub(super) fn dialled(uri: &Uri) -> String {
    let user = uri.user.clone().unwrap_or_default();
    match (uri.scheme, uri.params.get("phone-context")) {
        (Scheme::Tel, Some(context)) => format!("{user};phone-context={context}"),
        _ => user,
    }
}

/// The caller as received: P-Asserted-Identity before From (RFC 3325 §9.1). The flag says that it asked to be withheld
/// (RFC 3323 §4.2, RFC 3325 §9.3).
pub(super) fn caller(incoming: &Incoming) -> (String, bool) {
    let asserted = find(incoming, &Name::PAssertedIdentity).and_then(|v| NameAddr::parse(v));
    let private = find(incoming, &Name::Privacy)
        .is_some_and(|v| v.split(|b| *b == b';' || *b == b',').any(|p| matches!(p.trim_ascii(), b"id" | b"user" | b"header")));
    let from_hidden = hidden(&incoming.from.uri);
    let uri = asserted.map(|a| a.uri).unwrap_or_else(|| incoming.from.uri.clone());
    let anonymous = private || hidden(&uri) || from_hidden;
    (uri.user.unwrap_or_default(), anonymous)
}

fn hidden(uri: &Uri) -> bool {
    let by_user = uri.user.as_deref().is_none_or(|u| u.eq_ignore_ascii_case("anonymous"));
    by_user || matches!(&uri.host, Host::Name(name) if name.eq_ignore_ascii_case("anonymous.invalid"))
}

/// The numbers the call was meant for before this one, oldest first: History-Info (RFC 7044), else Diversion (RFC 5806:
/// each diverting party puts its value on top). A longer story than [`MOST_HISTORY`] keeps its beginning.
pub(super) fn history(incoming: &Incoming, number: &str) -> Vec<String> {
    let users = |name: Name| -> Vec<String> {
        let values = incoming.headers.iter().filter(|h| h.name == name);
        values.filter_map(|h| NameAddr::parse(&h.value)?.uri.user).filter(|user| !user.is_empty()).collect()
    };
    let mut history = users(Name::HistoryInfo);
    if history.is_empty() {
        history = users(Name::Diversion);
        history.reverse();
    }
    history.pop_if(|last| last == number);
    history.truncate(MOST_HISTORY);
    history
}

fn find<'a>(incoming: &'a Incoming, name: &Name) -> Option<&'a bytes::Bytes> {
    incoming.headers.iter().find(|h| h.name == *name).map(|h| &h.value)
}

impl Identity {
    pub fn from(&self, local: SocketAddr) -> NameAddr {
        match &self.caller {
            Some(number) => NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None)),
            None => NameAddr::new(Uri::sip("anonymous", Host::Name("anonymous.invalid".to_owned()), None)),
        }
    }

    /// The call id on every leg, the caller where it may be told, and the hotline that was dialled (RFC 7044).
    pub fn headers(&self, call: CallId, local: SocketAddr, target: &Uri) -> Vec<Header> {
        let header = |name, value: String| Header { name, value: value.into() };
        let mut headers = vec![header(Name::XHotlineCallId, call.to_string())];
        if let Some(number) = &self.caller {
            let asserted = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(header(Name::PAssertedIdentity, asserted.to_string()));
        }
        let mut index = "1".to_owned();
        for number in self.history.iter().chain([&self.number]) {
            let entry = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(header(Name::HistoryInfo, format!("{entry};index={index}")));
            index.push_str(".1");
        }
        headers.push(header(Name::HistoryInfo, format!("{};index={index}", NameAddr::new(target.clone()))));
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
            headers: headers.iter().map(|(name, value)| Header { name: name.clone(), value: (*value).into() }).collect(),
            offer: None,
            reliable: false,
            replaces: None,
        }
    }

    #[test]
    fn the_network_s_word_goes_before_the_phone_s() {
        let asserted = (Name::PAssertedIdentity, "<tel:+8613800138000>");
        let call = incoming(&[asserted], "<sip:faked@10.0.0.1>;tag=1");
        assert_eq!(caller(&call), ("+8613800138000".to_owned(), false));
        assert_eq!(caller(&incoming(&[], "<sip:06912122110@10.0.0.1>;tag=1")).0, "06912122110");
    }

    #[test]
    fn anonymity_is_asked_for_in_three_ways() {
        let number = "<sip:13800138000@10.0.0.1>;tag=1";
        assert!(!caller(&incoming(&[(Name::Privacy, "none")], number)).1);
        assert!(caller(&incoming(&[(Name::Privacy, "critical; id")], number)).1);
        assert!(caller(&incoming(&[], "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1")).1);
        assert!(caller(&incoming(&[], "<sip:c8oqz84zk7z@anonymous.invalid>;tag=1")).1);
    }

    #[test]
    fn a_retired_number_is_found_in_history_or_diversion() {
        let older = (Name::HistoryInfo, "<sip:12336@c>;index=1");
        let newer = (Name::HistoryInfo, "<sip:12345@c>;index=1.1");
        let from = "<sip:1@c>;tag=1";
        assert_eq!(history(&incoming(&[older, newer], from), "12345"), ["12336"]);
        let diversions = [(Name::Diversion, "<sip:12319@c>;reason=unknown"), (Name::Diversion, "<sip:12336@c>")];
        assert_eq!(history(&incoming(&diversions, from), "12345"), ["12336", "12319"]);
        assert_eq!(history(&incoming(&[(Name::HistoryInfo, "<sip:12345@c>;index=1")], from), "12345"), [""; 0]);
    }

    #[test]
    fn every_leg_learns_the_call_the_caller_and_the_hotline() {
        let mut identity = Identity {
            caller: Some("13800138000".to_owned()),
            number: "12345".to_owned(),
            line: "12345".into(),
            trunk: "carrier".into(),
            area: None,
            history: vec!["12336".to_owned()],
            codecs: vec![Codec::Pcmu],
            max_forwards: 70,
        };
        let id = CallId::new(Wall(1_700_000_000_000_000), &mut Rng::from_number(1));
        let local = SocketAddr::from(([10, 0, 0, 1], 5060));
        let target = Uri::sip("seat", Host::Ip(local.ip()), None);
        let text = |identity: &Identity| {
            let headers = identity.headers(id, local, &target);
            headers.iter().map(|h| String::from_utf8_lossy(&h.value).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            text(&identity)[1..],
            [
                "<sip:13800138000@10.0.0.1>",
                "<sip:12336@10.0.0.1>;index=1",
                "<sip:12345@10.0.0.1>;index=1.1",
                "<sip:seat@10.0.0.1>;index=1.1.1"
            ]
        );
        identity.caller = None;
        assert!(!text(&identity).iter().any(|h| h.contains("138")), "a withheld number goes nowhere");
        assert_eq!(identity.from(local).uri.user.as_deref(), Some("anonymous"));
        assert_eq!(identity.offer_order(&[Codec::Pcma, Codec::Pcmu]), [Codec::Pcmu, Codec::Pcma]);
    }
}
