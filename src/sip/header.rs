use crate::sip::text::{is_token, number};
use crate::sip::{CSeq, NameAddr, Via};
use bytes::Bytes;
use std::fmt::{self, Write as _};

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
    ReferSub,
    Replaces,
    SessionExpires,
    MinSe,
    Event,
    AllowEvents,
    SubscriptionState,
    CallInfo,
    ContentEncoding,
    AcceptEncoding,
    ContentDisposition,
    ContentTransferEncoding,
    Subject,
    XHotlineCallId,
    Authorization,
    WwwAuthenticate,
    MinExpires,
    Path,
    ProxyAuthenticate,
    ProxyAuthorization,
    AuthenticationInfo,
    ServiceRoute,
    PAssociatedUri,
    PCalledPartyId,
    /// As written; looking one up is case-sensitive, so a header that we read gets a variant of its own.
    Other(Bytes),
}

/// Names as we print them with their compact forms, the most frequent first.
static NAMES: [(Name, &str, u8); 60] = [
    (Name::Via, "Via", b'v'),
    (Name::From, "From", b'f'),
    (Name::To, "To", b't'),
    (Name::CallId, "Call-ID", b'i'),
    (Name::CSeq, "CSeq", 0),
    (Name::Contact, "Contact", b'm'),
    (Name::MaxForwards, "Max-Forwards", 0),
    (Name::ContentLength, "Content-Length", b'l'),
    (Name::ContentType, "Content-Type", b'c'),
    (Name::Allow, "Allow", 0),
    (Name::Supported, "Supported", b'k'),
    (Name::UserAgent, "User-Agent", 0),
    (Name::Route, "Route", 0),
    (Name::RecordRoute, "Record-Route", 0),
    (Name::PAssertedIdentity, "P-Asserted-Identity", 0),
    (Name::Require, "Require", 0),
    (Name::SessionExpires, "Session-Expires", b'x'),
    (Name::MinSe, "Min-SE", 0),
    (Name::PEarlyMedia, "P-Early-Media", 0),
    (Name::Accept, "Accept", 0),
    (Name::Expires, "Expires", 0),
    (Name::Server, "Server", 0),
    (Name::RSeq, "RSeq", 0),
    (Name::RAck, "RAck", 0),
    (Name::Reason, "Reason", 0),
    (Name::HistoryInfo, "History-Info", 0),
    (Name::Diversion, "Diversion", 0),
    (Name::Privacy, "Privacy", 0),
    (Name::PPreferredIdentity, "P-Preferred-Identity", 0),
    (Name::ProxyRequire, "Proxy-Require", 0),
    (Name::Unsupported, "Unsupported", 0),
    (Name::RetryAfter, "Retry-After", 0),
    (Name::Date, "Date", 0),
    (Name::Timestamp, "Timestamp", 0),
    (Name::Warning, "Warning", 0),
    (Name::ReferTo, "Refer-To", b'r'),
    (Name::ReferredBy, "Referred-By", b'b'),
    (Name::ReferSub, "Refer-Sub", 0),
    (Name::Replaces, "Replaces", 0),
    (Name::Event, "Event", b'o'),
    (Name::SubscriptionState, "Subscription-State", 0),
    (Name::CallInfo, "Call-Info", 0),
    (Name::ContentEncoding, "Content-Encoding", b'e'),
    (Name::AcceptEncoding, "Accept-Encoding", 0),
    (Name::ContentDisposition, "Content-Disposition", 0),
    (Name::ContentTransferEncoding, "Content-Transfer-Encoding", 0),
    (Name::Subject, "Subject", b's'),
    (Name::XHotlineCallId, "X-Hotline-Call-ID", 0),
    (Name::AllowEvents, "Allow-Events", b'u'),
    (Name::Authorization, "Authorization", 0),
    (Name::WwwAuthenticate, "WWW-Authenticate", 0),
    (Name::MinExpires, "Min-Expires", 0),
    (Name::Path, "Path", 0),
    (Name::ProxyAuthenticate, "Proxy-Authenticate", 0),
    (Name::ProxyAuthorization, "Proxy-Authorization", 0),
    (Name::AuthenticationInfo, "Authentication-Info", 0),
    (Name::ServiceRoute, "Service-Route", 0),
    (Name::PAssociatedUri, "P-Associated-URI", 0),
    (Name::PCalledPartyId, "P-Called-Party-ID", 0),
    (Name::Other(Bytes::from_static(b"Accept-Contact")), "Accept-Contact", b'a'),
];

impl Name {
    /// The header that goes by this name; compares without case.
    pub fn parse(name: &[u8]) -> Option<Name> {
        let same = |long: &str, short: u8| match name {
            [one] => one.to_ascii_lowercase() == short && short != 0,
            _ => long.len() == name.len() && long.as_bytes().eq_ignore_ascii_case(name),
        };
        let known = NAMES.iter().find(|(_, long, short)| same(long, *short)).map(|(n, _, _)| n.clone());
        known.or_else(|| is_token(name).then(|| Name::Other(Bytes::copy_from_slice(name))))
    }

    pub fn as_bytes(&self) -> &[u8] {
        if let Name::Other(name) = self {
            return name;
        }
        NAMES.iter().find(|(n, _, _)| n == self).map_or(b"", |(_, long, _)| long.as_bytes())
    }

    /// A header whose comma list is split into one header for each element.
    pub(super) fn is_list(&self) -> bool {
        matches!(
            self,
            Name::Via
                | Name::Route
                | Name::RecordRoute
                | Name::Contact
                | Name::PAssertedIdentity
                | Name::PPreferredIdentity
                | Name::HistoryInfo
                | Name::Diversion
                | Name::Reason
                | Name::Path
                | Name::ServiceRoute
                | Name::PAssociatedUri
        )
    }

    /// A header that may stand only once (RFC 3261 §7.3.1).
    pub(super) fn is_single(&self) -> bool {
        matches!(
            self,
            Name::From | Name::To | Name::CallId | Name::CSeq | Name::MaxForwards | Name::ContentLength | Name::ContentType
        )
    }
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

impl Header {
    /// With a value that prints itself, into room for most: text that grows while it is written is allocated at each step.
    pub fn printed(name: Name, value: impl fmt::Display) -> Header {
        let mut text = String::with_capacity(128);
        // Writing to a String does not fail.
        let _ = write!(text, "{value}");
        Header { name, value: text.into() }
    }
}

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
    pub fn via(&self) -> Option<Via<'_>> {
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

    /// Seconds; one that is no number says nothing.
    pub fn expires(&self) -> Option<u32> {
        number(self.get(&Name::Expires)?)
    }

    /// The least time of a 423, in seconds.
    pub fn min_expires(&self) -> Option<u32> {
        number(self.get(&Name::MinExpires)?)
    }

    pub fn max_forwards(&self) -> Option<u8> {
        number(self.get(&Name::MaxForwards)?)
    }
}
