//! The caller's identity and the call's story: read from an INVITE once, told to every leg of the call.

use super::{DialledFrom, History, Presented, Presents};
use crate::base::CallId;
use crate::dialog::Incoming;
use crate::plan::{self, NumberRules};
use crate::sip::{Codec, Header, Host, Name, NameAddr, Params, Uri, unescape};
use bytes::Bytes;
use std::borrow::Cow;
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
    /// Where it stood in the INVITE, and the rules of `called_in` that have rewritten it, from 1.
    pub dialled_from: DialledFrom,
    pub dialled_by_rules: Vec<usize>,
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
pub(super) fn number_in(uri: &Uri) -> String {
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
pub(super) fn number_of(address: &NameAddr) -> String {
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
/// each diverting party puts its value on top). Of a longer story than [`MOST_HISTORY`] its beginning stays, and what is nearest to us.
///
/// Each is as `number` normalises it. The last ones are how the call came to `this`, however each hop spells it.
pub(super) fn history(incoming: &Incoming, this: &str, number: impl Fn(&str) -> String) -> Vec<String> {
    let told = story(incoming, &Name::HistoryInfo, this, &number);
    let mut history = told.or_else(|| diversions(incoming, this, &number)).unwrap_or_default();
    history.dedup();
    if let Some(most) = history.len().checked_sub(MOST_HISTORY) {
        history.drain(1..=most);
    }
    history
}

/// The same by Diversion alone, beside which another's History-Info may stand; none where there is none.
pub(super) fn diversions(incoming: &Incoming, this: &str, number: impl Fn(&str) -> String) -> Option<Vec<String>> {
    story(incoming, &Name::Diversion, this, number)
}

fn story(incoming: &Incoming, name: &Name, this: &str, number: impl Fn(&str) -> String) -> Option<Vec<String>> {
    let values = all(incoming, name).filter_map(|value| Some(number_of(&NameAddr::parse(value)?)));
    let written = values.filter(|written| !written.is_empty() && written.len() < LONGEST);
    let mut numbers: Vec<String> = written.map(|written| number(&written)).collect();
    if *name == Name::Diversion {
        numbers.reverse();
    }
    let none = numbers.is_empty();
    while numbers.pop_if(|last| last == this).is_some() {}
    (!none).then_some(numbers)
}

fn all<'a>(incoming: &'a Incoming, name: &'a Name) -> impl Iterator<Item = &'a Bytes> + 'a {
    incoming.headers.iter().filter(move |h| h.name == *name).map(|h| &h.value)
}

impl Identity {
    /// The number as this party may see it: `all` sees one that is withheld, too.
    fn shown(&self, all: bool) -> Option<&String> {
        self.caller.as_ref().filter(|_| all || !self.withheld)
    }

    pub fn from(&self, local: SocketAddr, (presents, rules, all): (&Presents, &NumberRules, bool)) -> NameAddr {
        let own = presents.number.as_deref().filter(|_| presents.identity == Presented::Own);
        let shown = own.map(Cow::Borrowed).or_else(|| Some(spelt(rules, self.shown(all)?)));
        match shown {
            Some(number) => NameAddr::new(Uri::sip(&number, Host::Ip(local.ip()), None)),
            None => NameAddr::new(Uri::sip("anonymous", Host::Name("anonymous.invalid".to_owned()), None)),
        }
    }

    /// The identity that the person sees whom a seat calls: the hotline's. It was meant for nobody else before.
    pub fn of_hotline(&self) -> Identity {
        let shown = self.shows.as_deref().unwrap_or(&self.number);
        Identity { caller: Some(shown.to_owned()), withheld: false, number: String::new(), ..self.clone() }
    }

    /// The call id on every leg, the caller where it may be told, and the hotline that was dialled (RFC 7044).
    pub fn headers(
        &self,
        call: CallId,
        (local, target): (SocketAddr, &Uri),
        (presents, rules, all): (&Presents, &NumberRules, bool),
    ) -> Vec<Header> {
        let mut headers = vec![Header::printed(Name::XHotlineCallId, call)];
        // A peer that sees the number is told that others may not (RFC 3325 §9.3). Our own is no secret.
        if self.withheld && presents.identity != Presented::Own {
            headers.push(Header { name: Name::Privacy, value: "id".into() });
        }
        let own = presents.number.as_deref().filter(|_| presents.identity != Presented::Caller);
        if let Some(number) = own.map(Cow::Borrowed).or_else(|| Some(spelt(rules, self.shown(all)?))) {
            let asserted = NameAddr::new(Uri::sip(&number, Host::Ip(local.ip()), None));
            headers.push(Header::printed(Name::PAssertedIdentity, asserted));
        }
        if self.number.is_empty() {
            return headers;
        }
        if matches!(presents.history, History::Diversion | History::Both) {
            self.diverted(local, &mut headers);
        }
        if matches!(presents.history, History::HistoryInfo | History::Both) {
            self.told_history(local, target, &mut headers);
        }
        headers
    }

    /// The number that diverted it last stands on top (RFC 5806 §4): the hotline itself.
    fn diverted(&self, local: SocketAddr, headers: &mut Vec<Header>) {
        for number in [&self.number].into_iter().chain(self.history.iter().rev()) {
            let entry = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(Header::printed(Name::Diversion, format_args!("{entry};reason=unconditional;counter=1")));
        }
    }

    fn told_history(&self, local: SocketAddr, target: &Uri, headers: &mut Vec<Header>) {
        let mut index = "1".to_owned();
        for number in self.history.iter().chain([&self.number]) {
            let entry = NameAddr::new(Uri::sip(number, Host::Ip(local.ip()), None));
            headers.push(Header::printed(Name::HistoryInfo, format_args!("{entry};index={index}")));
            index.push_str(".1");
        }
        let target = NameAddr::new(target.clone());
        headers.push(Header::printed(Name::HistoryInfo, format_args!("{target};index={index}")));
    }

    /// The caller's codecs first, so that nothing is transcoded without need.
    pub fn offer_order(&self, allowed: &[Codec]) -> Vec<Codec> {
        let first = self.codecs.iter().filter(|c| allowed.contains(c));
        let rest = allowed.iter().filter(|c| !self.codecs.contains(c));
        first.chain(rest).copied().collect()
    }
}

/// A caller's number as the trunk writes it.
fn spelt<'a>(rules: &NumberRules, number: &'a str) -> Cow<'a, str> {
    rules.apply(number).map_or(Cow::Borrowed(number), |rewritten| Cow::Owned(rewritten.number))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
pub(super) mod tests;
