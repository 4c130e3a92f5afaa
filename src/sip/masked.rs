//! A message as the log may show it: one line, without callers' numbers and secrets. Nothing is shown but what is known to
//! hold neither; so a header, a parameter or a body that nobody has thought of is told by its name and length alone.

use crate::base::{Masked, Shown};
use crate::sip::text::{is_token, lossy, quoted_end, split, unescape};
use crate::sip::{Content, Message, Name};
use bytes::Bytes;
use std::fmt::Write as _;

/// The most characters of a line; a longer message is cut.
pub(super) const MOST: usize = 8_192;
/// Number of digits in a row that may be somebody's number (see [`Masked`]).
const DIGITS: usize = 7;
/// How a move came out (RFC 3420).
const FRAGMENT: &[u8] = b"message/sipfrag";
/// Numbers that are looked for wherever else they stand.
const NUMBERS: usize = 32;

/// A message for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// As it came; none where it cannot be read.
    pub call_id: Option<Vec<u8>>,
    /// As it may be shown.
    pub shown_call_id: Option<String>,
    /// Start line, headers and description, parted by ` | `.
    pub text: String,
}

/// How a header's value is shown.
enum Kind {
    /// The protocol's own words, as they are but for what looks like a number: peers make tokens of what they like.
    Plain,
    /// Without what may be a number.
    Words,
    /// The protocol and cause of each, without a text.
    Reasons,
    /// Without display names, with users masked.
    Addresses,
    /// By its length.
    Hidden,
}

impl Name {
    fn kind(&self) -> Kind {
        match self {
            Name::Via | Name::CallId | Name::CSeq | Name::MaxForwards | Name::ContentType | Name::ContentLength => Kind::Plain,
            Name::Expires | Name::Allow | Name::Supported | Name::Require | Name::ProxyRequire | Name::Unsupported => Kind::Plain,
            Name::RSeq | Name::RAck | Name::Accept | Name::Date | Name::Timestamp | Name::PEarlyMedia => Kind::Plain,
            Name::ReferSub | Name::Replaces | Name::SessionExpires | Name::MinSe | Name::Event | Name::AllowEvents => Kind::Plain,
            Name::SubscriptionState | Name::ContentEncoding | Name::AcceptEncoding | Name::ContentDisposition => Kind::Plain,
            Name::ContentTransferEncoding | Name::XHotlineCallId | Name::Privacy | Name::MinExpires => Kind::Plain,
            Name::Reason => Kind::Reasons,
            Name::RetryAfter | Name::UserAgent | Name::Server | Name::Warning => Kind::Words,
            Name::From | Name::To | Name::Contact | Name::Route | Name::RecordRoute | Name::PAssertedIdentity => Kind::Addresses,
            Name::PPreferredIdentity | Name::Path | Name::HistoryInfo | Name::Diversion | Name::ReferTo | Name::ReferredBy => {
                Kind::Addresses
            }
            Name::ServiceRoute | Name::PAssociatedUri | Name::PCalledPartyId => Kind::Addresses,
            Name::Other(name) => other(name),
            // From a signature whoever reads it could try passwords.
            Name::CallInfo | Name::Subject | Name::Authorization | Name::WwwAuthenticate => Kind::Hidden,
            Name::ProxyAuthenticate | Name::ProxyAuthorization | Name::AuthenticationInfo => Kind::Hidden,
        }
    }
}

fn other(name: &[u8]) -> Kind {
    const PLAIN: [&str; 1] = ["mime-version"];
    const ADDRESSES: [&str; 2] = ["remote-party-id", "reply-to"];
    let among = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    match () {
        () if among(&PLAIN) => Kind::Plain,
        () if among(&ADDRESSES) => Kind::Addresses,
        () => Kind::Hidden,
    }
}

/// Parameters of addresses and URIs whose values say nothing of a person.
const PARAMS: [&str; 28] = [
    "branch",
    "cause",
    "counter",
    "expires",
    "id-type",
    "index",
    "limit",
    "lr",
    "maddr",
    "method",
    "mp",
    "np",
    "ob",
    "party",
    "privacy",
    "q",
    "rc",
    "reason",
    "received",
    "refresher",
    "rport",
    "screen",
    "tag",
    "to-tag",
    "from-tag",
    "transport",
    "ttl",
    "user",
];
/// Attributes of a description that hold no key and no name.
const ATTRIBUTES: [&str; 21] = [
    "candidate",
    "connection",
    "content",
    "curr",
    "des",
    "fmtp",
    "group",
    "inactive",
    "label",
    "maxptime",
    "mid",
    "ptime",
    "recvonly",
    "rtcp",
    "rtcp-fb",
    "rtcp-mux",
    "rtpmap",
    "sendonly",
    "sendrecv",
    "setup",
    "silenceSupp",
];

/// As the log may show it.
pub fn masked(data: &Bytes) -> Traced {
    let mut writer = Writer::default();
    let (head, body) = split_head(data);
    let mut lines = unfolded(head).into_iter();
    writer.start_line(&lines.next().unwrap_or_default());
    let mut call_id = None;
    for line in lines {
        writer.header(&line, &mut call_id);
    }
    writer.body(data, body);
    let Writer { mut text, numbers } = writer;
    let mut shown_call_id = call_id.as_deref().map(opaque);
    for number in &numbers {
        let hidden = Masked(number).to_string();
        for place in shown_call_id.iter_mut().chain([&mut text]).filter(|place| place.contains(number.as_str())) {
            *place = place.replace(number, &hidden);
        }
    }
    if let Some((cut, _)) = text.char_indices().nth(MOST) {
        text.truncate(cut);
        text.push('…');
    }
    Traced { call_id, shown_call_id, text }
}

/// The head, and what stands behind its empty line.
fn split_head(data: &[u8]) -> (&[u8], &[u8]) {
    let begin = data.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(data.len());
    let ends = |at: &usize| data[*at..].starts_with(b"\n\r\n") || data[*at..].starts_with(b"\n\n");
    let end = (begin..data.len()).find(ends);
    let body = end.map_or(data.len(), |at| at + if data[at + 1] == b'\r' { 3 } else { 2 });
    (&data[begin..end.unwrap_or(data.len())], &data[body..])
}

/// Its lines; one that begins with white space goes on with the one before (RFC 3261 §7.3.1).
fn unfolded(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|b| matches!(b, b'\r' | b'\n' | 0)).filter(|line| !line.is_empty()) {
        match lines.last_mut().filter(|_| line.starts_with(b" ") || line.starts_with(b"\t")) {
            Some(last) => {
                last.push(b' ');
                last.extend(line.trim_ascii());
            }
            None => lines.push(line.to_vec()),
        }
    }
    lines
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Users that were masked, as written and as dialled.
    numbers: Vec<String>,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn hidden(&mut self, bytes: usize) {
        // Writing to a String does not fail.
        let _ = write!(self.text, "({bytes} bytes)");
    }

    fn start_line(&mut self, line: &[u8]) {
        if let Some(status) = line.strip_prefix(b"SIP/2.0 ") {
            self.put("SIP/2.0 ");
            return self.status(status);
        }
        let mut parts = line.splitn(2, |b| *b == b' ');
        let (method, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (uri, version) = match rest.strip_suffix(b" SIP/2.0") {
            Some(uri) => (uri, " SIP/2.0"),
            None => (rest, ""),
        };
        if !is_token(method) || method.len() > 32 {
            return self.hidden(line.len());
        }
        self.put(&words(method, "-"));
        self.put(" ");
        self.uri(uri);
        self.put(version);
    }

    /// The reason phrase is the peer's: whatever it likes.
    fn status(&mut self, status: &[u8]) {
        let code = status.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        self.put(&shown(&status[..code]));
        self.put(&words(&status[code..], "- "));
    }

    fn header(&mut self, line: &[u8], call_id: &mut Option<Vec<u8>>) {
        self.put(" | ");
        let Some(colon) = line.iter().position(|b| *b == b':') else { return self.hidden(line.len()) };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        let Some(name) = Name::parse(name) else { return self.hidden(line.len()) };
        self.put(&words(name.as_bytes(), "-"));
        self.put(": ");
        match name.kind() {
            Kind::Plain => self.put(&opaque(value)),
            Kind::Words => self.put(&words(&unspoken(value), "- ")),
            Kind::Reasons => self.reasons(value),
            Kind::Addresses => self.addresses(value),
            Kind::Hidden => self.hidden(value.len()),
        }
        if name == Name::CallId {
            call_id.get_or_insert_with(|| value.to_vec());
        }
    }

    fn reasons(&mut self, value: &[u8]) {
        for (n, reason) in split(value, b',').enumerate() {
            let (protocol, params) = parted(reason, b';');
            self.put(if n > 0 { ", " } else { "" });
            self.put(&words(protocol, "- "));
            self.params(params);
        }
    }

    fn addresses(&mut self, value: &[u8]) {
        for (n, address) in split(value, b',').enumerate() {
            if n > 0 {
                self.put(", ");
            }
            self.address(address);
        }
    }

    /// Without angle brackets the parameters are the header's, and shown by the same rule.
    fn address(&mut self, address: &[u8]) {
        let open = address.iter().position(|b| *b == b'<');
        let quote = address.iter().position(|b| *b == b'"');
        // A quoted name may hold anything, also a bracket.
        let behind = match quote.filter(|quote| open.is_none_or(|open| *quote < open)) {
            Some(quote) => match quoted_end(&address[quote..]) {
                Some(end) => quote + end,
                None => return self.hidden(address.len()),
            },
            None => 0,
        };
        let Some(open) = address[behind..].iter().position(|b| *b == b'<').map(|at| behind + at) else {
            return if address == b"*" { self.put("*") } else { self.uri(&address[behind..]) };
        };
        if !address[..open].trim_ascii().is_empty() {
            self.put("\"…\" ");
        }
        let inside = &address[open + 1..];
        let close = inside.iter().position(|b| *b == b'>').unwrap_or(inside.len());
        self.put("<");
        self.uri(&inside[..close]);
        self.put(">");
        self.params(inside.get(close + 1..).unwrap_or_default());
    }

    fn uri(&mut self, uri: &[u8]) {
        let uri = uri.trim_ascii();
        let scheme = uri.iter().position(|b| *b == b':').map(|colon| uri[..colon].to_ascii_lowercase());
        let rest = &uri[scheme.as_ref().map_or(0, |scheme| scheme.len() + 1)..];
        match scheme.as_deref() {
            Some(b"tel") => {
                let (number, params) = parted(rest, b';');
                self.put("tel:");
                self.user(number);
                self.params(params);
            }
            Some(scheme @ (b"sip" | b"sips")) => {
                self.put(&lossy(scheme));
                self.put(":");
                // The last one: whatever stands before it, also unescaped, is no host.
                let at = rest.iter().rposition(|b| *b == b'@');
                if let Some(at) = at {
                    let (user, password) = parted(&rest[..at], b':');
                    self.user(user);
                    self.put(if password.is_empty() { "@" } else { ":…@" });
                }
                let (place, headers) = parted(&rest[at.map_or(0, |at| at + 1)..], b'?');
                let (host, params) = parted(place, b';');
                self.put(&words(host, "-"));
                self.params(params);
                self.put(if headers.is_empty() { "" } else { "?…" });
            }
            _ => self.hidden(uri.len()),
        }
    }

    fn user(&mut self, user: &[u8]) {
        let user = unescape(user).map_or_else(|| lossy(user), |user| lossy(&user));
        let _ = write!(self.text, "{}", Masked(&user));
        let digits: String = user.chars().filter(char::is_ascii_digit).collect();
        // A number is written with or without its country's code.
        let national = digits.strip_prefix("86").or(digits.strip_prefix("0086")).unwrap_or(&digits).trim_start_matches('0');
        for number in [&user, &digits, national] {
            if number.len() >= DIGITS && self.numbers.len() < NUMBERS && !self.numbers.iter().any(|known| known == number) {
                self.numbers.push(number.to_owned());
            }
        }
    }

    fn params(&mut self, params: &[u8]) {
        for param in split(params, b';').filter(|param| !param.is_empty()) {
            let (name, value) = parted(param, b'=');
            self.put(";");
            self.put(&words(name.trim_ascii(), "-"));
            let known = PARAMS.iter().any(|known| name.trim_ascii().eq_ignore_ascii_case(known.as_bytes()));
            match value {
                [] => {}
                value if known => {
                    self.put("=");
                    self.put(&opaque(value));
                }
                _ => self.put("=…"),
            }
        }
    }

    /// A description is shown, alone or beside other parts; of all else its kind and length are.
    fn body(&mut self, data: &Bytes, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        self.put(" | ");
        self.hidden(body.len());
        let Ok(message) = Message::parse(data.clone()) else { return };
        let body = match &message {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        };
        let fragment =
            message.headers().get(&Name::ContentType).is_some_and(|kind| kind.to_ascii_lowercase().starts_with(FRAGMENT));
        if let Some(status) = body.strip_prefix(b"SIP/2.0 ").filter(|_| fragment) {
            self.put(" | SIP/2.0 ");
            self.status(status.split(|b| matches!(b, b'\r' | b'\n' | 0)).next().unwrap_or_default());
        }
        if let Some((_, sdp)) = Content::session(message.headers(), body).and_then(|content| content.found) {
            for line in sdp.split(|b| matches!(b, b'\r' | b'\n' | 0)).filter(|line| !line.is_empty()) {
                self.put(" | ");
                self.described(line);
            }
        }
    }

    fn described(&mut self, line: &[u8]) {
        let (kind, value) = parted(line, b'=');
        let plain = |writer: &mut Writer| writer.put(&words(line, "-"));
        match kind {
            b"v" | b"c" | b"b" | b"t" | b"m" => plain(self),
            // The first word is whom the description says it is of (RFC 8866 §5.2).
            b"o" => {
                let (_, rest) = parted(value, b' ');
                self.put("o=… ");
                self.put(&words(rest, "-"));
            }
            b"a" => {
                let (name, value) = parted(value, b':');
                if ATTRIBUTES.iter().any(|known| known.as_bytes() == name) {
                    return plain(self);
                }
                self.put("a=");
                self.put(&words(name, "-"));
                self.put(if value.is_empty() { "" } else { ":…" });
            }
            kind => {
                self.put(&words(kind, "-"));
                self.put("=…");
            }
        }
    }
}

/// Before and behind the first of these bytes.
fn parted(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == at) {
        Some(found) => (&text[..found], &text[found + 1..]),
        None => (text, b""),
    }
}

/// Quoted text and comments are people's.
fn unspoken(value: &[u8]) -> Vec<u8> {
    let (mut kept, mut at) = (Vec::with_capacity(value.len()), 0);
    while let Some(b) = value.get(at) {
        let length = match b {
            b'"' => quoted_end(&value[at..]).unwrap_or(value.len() - at),
            b'(' => value[at..].iter().rposition(|b| *b == b')').map_or(value.len() - at, |end| end + 1),
            _ => 0,
        };
        kept.extend_from_slice(if length > 0 { "…".as_bytes() } else { std::slice::from_ref(b) });
        at += length.max(1);
    }
    kept
}

/// Text in which digits that may be a number are masked, also where these characters stand between them.
fn words(text: &[u8], between: &str) -> String {
    masking(text, between, |run| run.chars().filter(|c| c.is_numeric()).count() >= DIGITS)
}

/// A token as a peer made it. Most digits in one are a counter or a clock, by which a call is found in other logs: only what is
/// as long as a number with its area code is taken for one.
fn opaque(text: &[u8]) -> String {
    let length = |run: &str| run.chars().count();
    let whole = masking(text, "", |run| length(run) > 10 || length(run) == 10 && run.starts_with('0'));
    masking(whole.as_bytes(), "-", |run| {
        let digits: String = run.chars().filter(|c| c.is_numeric()).collect();
        let national = digits.strip_prefix("0086").or(digits.strip_prefix("86")).unwrap_or(&digits);
        let (mobile, fixed) = (national.starts_with('1'), national.starts_with('0'));
        mobile && length(national) == 11 || fixed && (10..=12).contains(&length(national))
    })
}

/// Text in which the runs of digits are masked of which `is_number` is true.
fn masking(text: &[u8], between: &str, is_number: impl Fn(&str) -> bool) -> String {
    let (text, mut out) = (lossy(text), String::with_capacity(text.len()));
    let mut rest = text.as_str();
    while let Some(begin) = rest.find(char::is_numeric) {
        let (before, from) = rest.split_at(begin);
        out.push_str(&shown(before.as_bytes()));
        let length = from.find(|c: char| !c.is_numeric() && !between.contains(c)).unwrap_or(from.len());
        let run = from[..length].trim_end_matches(|c: char| !c.is_numeric());
        if is_number(run) {
            let _ = write!(out, "{}", Masked(run));
        } else {
            out.push_str(&shown(run.as_bytes()));
        }
        rest = &from[run.len()..];
    }
    out + &shown(rest.as_bytes())
}

/// Foreign text of which nothing acts, and nothing looks like the beginning of the next header.
fn shown(text: &[u8]) -> String {
    Shown::whole(&lossy(text)).replace('|', "\\u{7c}")
}
