//! Structured header values. Each has `parse(&[u8]) -> Option<Self>` and prints what it parses.

use crate::base::{Dotted, Proto};
use crate::sip::text::{find, is_token, is_token_byte, lossy, number, quoted_end, split, unquote, write_quoted};
use crate::sip::{Host, Method, Uri};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Parameters in order; names compare without case. A value in quotes is held unquoted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Params(pub Vec<(String, Option<String>)>);

/// A name-addr or addr-spec with header parameters: From, To, Contact, Route, P-Asserted-Identity, History-Info …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameAddr {
    /// Unquoted; empty when absent. Bytes that are not UTF-8 become U+FFFD.
    pub display: String,
    pub uri: Uri,
    pub params: Params,
}

/// A Via value (RFC 3261 §20.42, RFC 3581). It borrows what it was read from: each message's is read several times, for one
/// or two of its parameters.
#[derive(Clone, Debug)]
pub struct Via<'a> {
    /// `None` for any but UDP and TCP: no other tells where a response goes.
    pub proto: Option<Proto>,
    /// The transport as written: `UDP`.
    pub transport: &'a str,
    pub host: Host,
    pub port: Option<u16>,
    /// As written; [`Params::parse`] takes them.
    params: &'a [u8],
}

/// A CSeq value: number below 2^31 and method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub seq: u32,
    pub method: Method,
}

impl Params {
    /// More parameters than this on one value are refused.
    pub const MAX: usize = 64;

    /// Header parameters: nothing, or `;name=value…`. Empty ones (`;;`) are passed over.
    pub fn parse(text: &[u8]) -> Option<Params> {
        let mut params = Params(Vec::with_capacity(text.iter().filter(|b| **b == b';').count().min(Params::MAX)));
        for (count, piece) in pieces(text)?.enumerate() {
            let (name, value) = param(piece).filter(|_| count < Params::MAX)?;
            params.0.push((lossy(name), value.map(|value| value_text(value).into_owned())));
        }
        Some(params)
    }

    /// Tells whether [`Params::parse`] takes them.
    fn are_good(text: &[u8]) -> bool {
        pieces(text).is_some_and(|pieces| pieces.enumerate().all(|(count, piece)| count < Params::MAX && param(piece).is_some()))
    }

    /// The value of a parameter; `Some("")` for one without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_deref().unwrap_or(""))
    }

    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.map(str::to_owned)));
    }
}

impl NameAddr {
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr { display: String::new(), uri, params: Params::default() }
    }

    /// A display name need not be quoted, whatever it holds, as long as `<` follows: a call is not lost over a comma.
    pub fn parse(text: &[u8]) -> Option<NameAddr> {
        let (display, uri, params) = NameAddr::parts(text)?;
        let display = if display.is_empty() { String::new() } else { value_text(display).into_owned() };
        Some(NameAddr { display, uri: Uri::parse(uri)?, params: Params::parse(params)? })
    }

    /// Tells whether [`NameAddr::parse`] takes it.
    pub fn is_good(text: &[u8]) -> bool {
        NameAddr::parts(text).is_some_and(|(_, uri, params)| Params::are_good(params) && Uri::parse(uri).is_some())
    }

    /// Display name, URI and parameters as written.
    fn parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
        let text = text.trim_ascii();
        let end = if text.first()? == &b'"' { quoted_end(text)? } else { open_angle(text).unwrap_or(0) };
        let (display, rest) = text.split_at(end);
        match rest.trim_ascii_start().strip_prefix(b"<") {
            Some(rest) => {
                let close = rest.iter().position(|b| *b == b'>')?;
                Some((display.trim_ascii_end(), rest[..close].trim_ascii(), &rest[close + 1..]))
            }
            None if display.is_empty() => addr_spec(text),
            None => None,
        }
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }
}

/// The tag of a From or To value, found without reading the rest (RFC 3261 §20.10).
pub fn tag(value: &[u8]) -> Option<&[u8]> {
    // Nothing within a URI's brackets is quoted or a parameter of the header's: most values are found by this step.
    let behind = if value.first() == Some(&b'<') { value.iter().position(|b| *b == b'>')? } else { 0 };
    split(&value[behind..], b';').skip(1).find_map(|param| {
        let (name, tag) = param.split_at(param.iter().position(|b| *b == b'=')?);
        name.trim_ascii_end().eq_ignore_ascii_case(b"tag").then(|| tag[1..].trim_ascii_start())
    })
}

/// Where the URI's bracket opens. One within quotes is a parameter's, as in `sip:a@b;+sip.instance="<urn:…>"` (RFC 3261 §25.1,
/// quoted-string); a quote that nothing closes is part of a display name that should have been quoted.
fn open_angle(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'<' => return Some(at),
            b'"' => at += quoted_end(&text[at..]).unwrap_or(1),
            _ => at += 1,
        }
    }
}

/// Without angle brackets what follows `;` belongs to the header, and the URI may hold neither `,` nor `?`
/// (RFC 3261 §20).
fn addr_spec(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (uri, params) = text.split_at(find(text, b';').unwrap_or(text.len()));
    let uri = uri.trim_ascii_end();
    (!uri.iter().any(|b| b",?".contains(b))).then_some((b"", uri, params))
}

/// The parameters as written, one by one.
fn pieces(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let text = text.trim_ascii();
    let begins = text.is_empty() || text.first() == Some(&b';');
    begins.then(|| split(text, b';').filter(|piece| !piece.is_empty()))
}

/// A parameter's name, and its value as written.
fn param(piece: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let equals = piece.iter().position(|b| *b == b'=');
    let name = piece[..equals.unwrap_or(piece.len())].trim_ascii_end();
    let value = equals.map(|at| piece[at + 1..].trim_ascii_start());
    let closed = value.is_none_or(|value| value.first() != Some(&b'"') || quoted_end(value) == Some(value.len()));
    (closed && is_token(name)).then_some((name, value))
}

fn value_text(value: &[u8]) -> Cow<'_, str> {
    match value.first() {
        Some(b'"') => unquote(&value[1..value.len() - 1]).into(),
        _ => std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed),
    }
}

impl<'a> Via<'a> {
    pub fn parse(text: &'a [u8]) -> Option<Via<'a>> {
        let mut protocol = text.splitn(3, |b| *b == b'/').map(<[u8]>::trim_ascii);
        let sip = protocol.next()?.eq_ignore_ascii_case(b"SIP") && protocol.next()? == b"2.0";
        let rest = protocol.next().filter(|_| sip)?;
        let (transport, rest) = rest.split_at(rest.iter().position(u8::is_ascii_whitespace)?);
        let (sent_by, params) = rest.split_at(rest.iter().position(|b| *b == b';').unwrap_or(rest.len()));
        let (host, port) = Host::parse_with_port(sent_by.trim_ascii())?;
        let transport = std::str::from_utf8(transport).ok().filter(|text| is_token(text.as_bytes()))?;
        let proto = [Proto::Udp, Proto::Tcp].into_iter().find(|p| transport.eq_ignore_ascii_case(p.via()));
        Params::are_good(params).then_some(Via { proto, transport, host, port, params })
    }

    /// The value of a parameter; `Some("")` for one without a value.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        let is = |piece| param(piece).filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        let (_, value) = pieces(self.params)?.find_map(is)?;
        Some(value.map_or(Cow::Borrowed(""), value_text))
    }

    pub fn branch(&self) -> Option<Cow<'a, str>> {
        self.param("branch")
    }

    /// A value that tells besides from where its request came, in `received` and, where asked for, `rport` (RFC 3261 §18.2.1,
    /// RFC 3581 §4). Sender's parameters of these names are replaced, all else stays as it was written.
    pub fn noted(value: &[u8], source: IpAddr, port: Option<u16>) -> Vec<u8> {
        let mut out = Vec::with_capacity(value.len() + 48);
        let mut pieces = split(value, b';');
        out.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let name = piece.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii_end();
            let replaced = name.eq_ignore_ascii_case(b"received") || port.is_some() && name.eq_ignore_ascii_case(b"rport");
            if !replaced {
                out.push(b';');
                out.extend_from_slice(piece);
            }
        }
        // Writing to a Vec does not fail.
        let _ = write!(out, ";received={}", Dotted(source));
        let _ = port.map(|port| write!(out, ";rport={port}"));
        out
    }

    /// Where a response goes over UDP (RFC 3261 §18.2.2, RFC 3581 §4): the address it came from, at the port of rport
    /// or else of sent-by. Over TCP it goes back over the connection, whatever the Via says.
    ///
    /// `arrived` is the request's source. The address never comes from the message: a maddr or a forged received
    /// would aim our responses at others.
    pub fn response_to(&self, arrived: SocketAddr) -> SocketAddr {
        match (self.proto, self.param("rport"), self.port) {
            (Some(Proto::Tcp), _, _) | (_, Some(_), _) => arrived,
            (_, None, port) => SocketAddr::new(arrived.ip(), port.unwrap_or(5060)),
        }
    }
}

impl CSeq {
    pub fn parse(text: &[u8]) -> Option<CSeq> {
        let (seq, method) = text.split_at(text.iter().position(u8::is_ascii_whitespace)?);
        let seq = number(seq).filter(|n| *n < 1 << 31)?;
        Some(CSeq { seq, method: Method::parse(method.trim_ascii())? })
    }
}

/// Prints `;name=value` for each, quoting values that need it.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that is no token cannot be a parameter's, so it cannot begin a parameter or a header of its own.
        for (name, value) in self.0.iter().filter(|(n, _)| is_token(n.as_bytes())) {
            write!(f, ";{name}")?;
            match value {
                None => {}
                Some(v) if !v.is_empty() && v.bytes().all(|b| is_token_byte(b) || b"[]:".contains(&b)) => write!(f, "={v}")?,
                Some(v) => {
                    f.write_str("=")?;
                    write_quoted(f, v)?;
                }
            }
        }
        Ok(())
    }
}

/// Prints `"display" <uri>;params`, always with angle brackets.
impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write_quoted(f, &self.display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", Params::parse(self.params).unwrap_or_default())
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, String::from_utf8_lossy(self.method.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_in_quotes_is_a_parameters() {
        let read = |text: &str| {
            let read = NameAddr::parse(text.as_bytes()).unwrap();
            (read.display.clone(), read.uri.to_string(), read.params.0)
        };
        let instance = |value: &str| vec![("+sip.instance".to_owned(), Some(value.to_owned()))];
        let uri = "sip:p1@192.0.2.1:5070".to_owned();
        for text in [
            "sip:p1@192.0.2.1:5070;+sip.instance=\"<urn:gsma:imei:35>\"",
            "sip:p1@192.0.2.1:5070 ; +sip.instance = \"<urn:gsma:imei:35>\"",
            "<sip:p1@192.0.2.1:5070>;+sip.instance=\"<urn:gsma:imei:35>\"",
        ] {
            assert_eq!(read(text), (String::new(), uri.clone(), instance("<urn:gsma:imei:35>")), "{text}");
        }
        let sly = "sip:p1@192.0.2.1:5070;+sip.instance=\"<sip:x@y>\\\"<sip:z>\"";
        assert_eq!(read(sly), (String::new(), uri.clone(), instance("<sip:x@y>\"<sip:z>")));
        assert_eq!(read("tel:+8612345;p=\"<\"").1, "tel:+8612345");
        for display in ["Joe \"the <one>\" Bloggs", "O\"Neil", "张\"三"] {
            assert_eq!(read(&format!("{display} <sip:p1@192.0.2.1:5070>")), (display.to_owned(), uri.clone(), vec![]));
        }
        assert_eq!(NameAddr::parse(b"sip:a@b;p=\"<y>"), None, "a quote that nothing closes");
    }

    #[test]
    fn a_response_over_udp_goes_to_rport_or_sent_by() {
        let arrived: SocketAddr = "192.0.2.7:40000".parse().unwrap();
        let to = |via: &str| Via::parse(via.as_bytes()).unwrap().response_to(arrived).to_string();
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1:5066;rport;branch=b"), "192.0.2.7:40000");
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1:5066;maddr=203.0.113.1;received=203.0.113.2"), "192.0.2.7:5066");
        assert_eq!(to("SIP/2.0/UDP 10.0.0.1"), "192.0.2.7:5060");
        assert_eq!(to("SIP/2.0/TCP 10.0.0.1"), "192.0.2.7:40000");
    }
}
