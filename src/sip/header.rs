use crate::sip::{CSeq, NameAddr, Via};
use bytes::Bytes;

/// A header's name. Compact forms (RFC 3261 §7.3.3) parse to the long name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Name {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    MaxForwards,
    Route,
    RecordRoute,
    ContentType,
    ContentLength,
    Expires,
    Allow,
    Supported,
    Require,
    ProxyRequire,
    Unsupported,
    RSeq,
    RAck,
    Reason,
    RetryAfter,
    UserAgent,
    Server,
    Accept,
    Date,
    Timestamp,
    Warning,
    PAssertedIdentity,
    PPreferredIdentity,
    PEarlyMedia,
    Privacy,
    HistoryInfo,
    Diversion,
    ReferTo,
    ReferredBy,
    Replaces,
    SessionExpires,
    MinSe,
    Event,
    SubscriptionState,
    CallInfo,
    XHotlineCallId,
    Other(Bytes),
}

/// One header value. A comma list of a header that is a list (RFC 3261 §7.3.1) arrives as one `Header` per element.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub name: Name,
    /// Without surrounding white space, unfolded; not necessarily UTF-8.
    pub value: Bytes,
}

/// Headers in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(pub Vec<Header>);

impl Headers {
    /// The first value of that name.
    pub fn get(&self, name: &Name) -> Option<&Bytes> {
        self.0.iter().find(|h| h.name == *name).map(|h| &h.value)
    }

    /// The first value of that name as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self, name: &Name) -> Option<String> {
        self.get(name).map(|v| String::from_utf8_lossy(v).into_owned())
    }

    /// Every value of that name, in order.
    pub fn all<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Bytes> + 'a {
        self.0.iter().filter(move |h| h.name == *name).map(|h| &h.value)
    }

    pub fn push(&mut self, name: Name, value: impl Into<Bytes>) {
        self.0.push(Header { name, value: value.into() });
    }

    /// Puts the value before all others (a new topmost Via).
    pub fn push_front(&mut self, name: Name, value: impl Into<Bytes>) {
        self.0.insert(0, Header { name, value: value.into() });
    }

    /// Replaces every value of that name by this one.
    pub fn set(&mut self, name: Name, value: impl Into<Bytes>) {
        self.remove(&name);
        self.push(name, value);
    }

    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|h| h.name != *name);
    }

    /// True when a token list (Require, Supported, Allow …) holds the token, in any case.
    pub fn lists(&self, name: &Name, token: &str) -> bool {
        self.all(name).any(|v| v.split(|b| *b == b',').any(|t| t.trim_ascii().eq_ignore_ascii_case(token.as_bytes())))
    }

    /// The topmost Via, typed.
    pub fn via(&self) -> Option<Via> {
        Via::parse(self.get(&Name::Via)?)
    }

    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get(&Name::From)?)
    }

    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get(&Name::To)?)
    }

    pub fn contact(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get(&Name::Contact)?)
    }

    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.get(&Name::CSeq)?)
    }

    pub fn call_id(&self) -> Option<&Bytes> {
        self.get(&Name::CallId)
    }

    pub fn max_forwards(&self) -> Option<u8> {
        std::str::from_utf8(self.get(&Name::MaxForwards)?).ok()?.parse().ok()
    }
}
