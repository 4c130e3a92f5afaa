//! The number that a call has dialled, as its peer says it: by the places, the rules and the area of its trunk. Whoever asks for it asks
//! here, so that admission, floods, rates, the circle test, the log and the record mean one number.

use super::access::Owner;
use super::identity::{number_in, number_of};
use super::{DialledFrom, Switch, Trunk};
use crate::base::Flow;
use crate::dialog::Incoming;
use crate::plan::Plan;
use crate::sip::{Header, Message, Name, NameAddr, Request, Uri};
use bytes::Bytes;

/// Values of one header that are looked at: more than honest routing makes.
const MOST: usize = 16;
const LONGEST_HEADER: usize = 8192;

/// An INVITE, as far as it says where it goes.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub uri: &'a Uri,
    pub to: Option<&'a NameAddr>,
    pub headers: &'a [Header],
}

/// How the calls of one peer are read. A seat has no rules, and says it in the Request-URI.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub plan: &'a Plan,
    pub trunk: Option<&'a Trunk>,
}

/// The number that was dialled, and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    /// As rules have made it: what the plan is asked.
    pub text: String,
    /// As it stands in the INVITE, where that is another text.
    pub written: Option<String>,
    pub place: DialledFrom,
    /// The rules of `called_in` that have, by their places.
    pub rules: Vec<usize>,
    /// A story that anybody may have written names an emergency line: it is called, and goes before nobody for it.
    pub unproven: bool,
}

impl<'a> From<&'a Incoming> for Said<'a> {
    fn from(incoming: &'a Incoming) -> Said<'a> {
        Said { uri: &incoming.uri, to: Some(&incoming.to), headers: &incoming.headers }
    }
}

impl Number {
    pub fn is_by_request(&self) -> bool {
        self.place == DialledFrom::RequestUri
    }
}

impl<'a> Reading<'a> {
    pub fn area(&self) -> Option<&'a str> {
        self.trunk?.area.as_deref()
    }

    /// The number that was dialled: the first that the plan has, of the trunk's places in their order; where it has none, the request's.
    ///
    /// A request for an emergency line goes there, whatever else stands in it. And no story that its sender may have written makes a call
    /// for help of another, where the trunk's carrier is not known to look after these: only of one that would come nowhere else.
    pub fn called(&self, said: Said<'_>) -> Number {
        let request = self.read(number_in(said.uri), DialledFrom::RequestUri);
        let places = self.places();
        if places == [DialledFrom::RequestUri] || self.is_for_help(&request) {
            return request;
        }
        let counts = |called: &Number| {
            self.plan.has(&called.text, self.area()) && (self.may_call_for_help(called.place) || !self.is_for_help(called))
        };
        for place in places {
            let found = match place {
                DialledFrom::RequestUri => Some(&request).filter(|request| counts(request)).cloned(),
                _ => written(said, *place).map(|number| self.read(number, *place)).find(counts),
            };
            if let Some(found) = found {
                return found;
            }
        }
        if self.plan.has(&request.text, self.area()) {
            return request;
        }
        let stories = places.iter().filter(|place| !self.may_call_for_help(**place));
        let told = stories.flat_map(|place| written(said, *place).map(|number| self.read(number, *place)));
        let unproven = told.into_iter().find(|called| self.is_for_help(called));
        unproven.map_or(request, |called| Number { unproven: true, ..called })
    }

    /// It is a call for help that goes before others.
    pub fn goes_first(&self, called: &Number) -> bool {
        !called.unproven && self.is_for_help(called)
    }

    pub fn is_for_help(&self, called: &Number) -> bool {
        self.plan.is_emergency(&called.text, self.area())
    }

    /// A number of the call's story, as the plan names it.
    pub fn number(&self, written: &str) -> String {
        match self.trunk.and_then(|trunk| trunk.numbers.called_in.apply(written)) {
            Some(rewritten) => self.plan.number(&rewritten.number, self.area()),
            None => self.plan.number(written, self.area()),
        }
    }

    /// The caller's number, by the trunk's rules.
    pub fn caller(&self, written: String) -> String {
        match self.trunk.and_then(|trunk| trunk.numbers.caller_in.apply(&written)) {
            Some(rewritten) => rewritten.number,
            None => written,
        }
    }

    fn places(&self) -> &'a [DialledFrom] {
        self.trunk.map_or(&[DialledFrom::RequestUri], |trunk| &trunk.dialled_from)
    }

    fn read(&self, written: String, place: DialledFrom) -> Number {
        match self.trunk.and_then(|trunk| trunk.numbers.called_in.apply(&written)) {
            Some(rewritten) => {
                let (text, rules) = (rewritten.number, rewritten.rules);
                Number { text, written: Some(written), place, rules, unproven: false }
            }
            None => Number { text: written, written: None, place, rules: Vec::new(), unproven: false },
        }
    }

    fn may_call_for_help(&self, place: DialledFrom) -> bool {
        let story = matches!(place, DialledFrom::HistoryInfo | DialledFrom::Diversion);
        !story || self.trunk.is_some_and(|trunk| trunk.emergency_history)
    }
}

/// The numbers in one place, those nearest to us first: they are the ones that are looked at.
fn written(said: Said<'_>, place: DialledFrom) -> impl Iterator<Item = String> {
    let named = |name: Name| said.headers.iter().filter(move |header| header.name == name);
    let (mut to, mut down, mut up) = (None, None, None);
    match place {
        DialledFrom::RequestUri | DialledFrom::Account => {}
        DialledFrom::To => to = said.to.map(number_of),
        // The newest entry stands last (RFC 7044 §5), the newest diversion first (RFC 5806 §4).
        DialledFrom::HistoryInfo => up = Some(named(Name::HistoryInfo).rev().take(MOST)),
        DialledFrom::Diversion => down = Some(named(Name::Diversion).take(MOST)),
        DialledFrom::PCalledPartyId => down = Some(named(Name::PCalledPartyId).take(MOST)),
    }
    let listed = up.into_iter().flatten().chain(down.into_iter().flatten());
    to.into_iter().chain(listed.filter_map(|header| Some(number_of(&NameAddr::parse(&header.value)?))))
}

/// The story of a call whose hotline was not found in its request: what comes after the hotline led to us.
pub(super) fn before(mut history: Vec<String>, this: &str) -> Vec<String> {
    if let Some(at) = history.iter().rposition(|number| number == this) {
        history.truncate(at);
    }
    history
}

impl Switch {
    pub(super) fn reading<'a>(&'a self, trunk: Option<&'a Trunk>) -> Reading<'a> {
        Reading { plan: &self.setup.plan, trunk }
    }

    /// The same of what comes this way for this URI, before it is known which of its seats calls: theirs are read by the rules of a
    /// trunk that has their address, which leave emergency lines what they are.
    pub(super) fn reading_at(&self, flow: Flow, uri: &Uri) -> Reading<'_> {
        let by_address = match self.access.find(flow.remote.ip()) {
            Some(Owner::Trunk(trunk)) => Some(trunk),
            _ => None,
        };
        let trunk = self.by_account(flow, uri).map(|(trunk, _)| trunk).or(by_address);
        self.reading(trunk.and_then(|trunk| self.setup.trunks.get(trunk)))
    }

    /// Tells whether an INVITE that nobody has parsed yet calls for help. Where its first line does not say so, and its trunk's calls
    /// may say it elsewhere, all of it is read.
    pub(super) fn calls_for_help(&self, flow: Flow, data: &[u8]) -> bool {
        let Some(uri) = first_line(data) else { return false };
        let reading = self.reading_at(flow, &uri);
        if reading.goes_first(&reading.called(Said { uri: &uri, to: None, headers: &[] })) {
            return true;
        }
        if reading.places() == [DialledFrom::RequestUri] && self.by_account(flow, &uri).is_none() {
            return false;
        }
        // Nobody's honest header is longer, and a flood is to cost little.
        if !data.get(..LONGEST_HEADER.min(data.len())).is_some_and(|head| head.windows(4).any(|end| end == b"\r\n\r\n")) {
            return false;
        }
        let Ok(Message::Request(request)) = Message::parse(Bytes::copy_from_slice(data)) else { return false };
        reading.goes_first(&self.called_by(flow, &request, reading))
    }

    /// The number that a request has dialled, of which no leg has been made.
    fn called_by(&self, flow: Flow, request: &Request, reading: Reading<'_>) -> Number {
        let (to, headers) = (request.headers.to(), request.headers.0.as_slice());
        let by_account = self.called_by_account(flow, &request.uri, headers).map(|(uri, _)| uri);
        reading.called(Said { uri: by_account.as_ref().unwrap_or(&request.uri), to: to.as_ref(), headers })
    }
}

/// The one that an INVITE calls, read from its first line alone.
fn first_line(data: &[u8]) -> Option<Uri> {
    let rest = data.strip_prefix(b"INVITE ")?;
    Uri::parse(rest.split(|b| *b == b' ').next()?)
}

#[cfg(test)]
#[path = "dialled_tests.rs"]
mod tests;
