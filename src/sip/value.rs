//! Structured header values. Each has `parse(&[u8]) -> Option<Self>` and prints what it parses.

use crate::base::Proto;
use crate::sip::{Host, Method, Uri};
use std::fmt;

/// Parameters in order; names compare without case. A value in quotes is held unquoted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub Vec<(String, Option<String>)>);

/// A name-addr or addr-spec with header parameters: From, To, Contact, Route, P-Asserted-Identity, History-Info …
#[derive(Clone, Debug, PartialEq)]
pub struct NameAddr {
    /// Unquoted; empty when absent. Bytes that are not UTF-8 become U+FFFD.
    pub display: String,
    pub uri: Uri,
    pub params: Params,
}

/// A Via value (RFC 3261 §20.42, RFC 3581).
#[derive(Clone, Debug, PartialEq)]
pub struct Via {
    /// `None` for a transport we do not speak.
    pub proto: Option<Proto>,
    /// The transport as written: `UDP`.
    pub transport: String,
    pub host: Host,
    pub port: Option<u16>,
    pub params: Params,
}

/// A CSeq value: number below 2^31 and method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub seq: u32,
    pub method: Method,
}

impl Params {
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

    pub fn parse(text: &[u8]) -> Option<NameAddr> {
        let _ = text;
        todo!()
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }
}

impl Via {
    pub fn parse(text: &[u8]) -> Option<Via> {
        let _ = text;
        todo!()
    }

    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }
}

impl CSeq {
    pub fn parse(text: &[u8]) -> Option<CSeq> {
        let _ = text;
        todo!()
    }
}

/// Prints `;name=value` for each, quoting values that need it.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

/// Prints `"display" <uri>;params`, always with angle brackets.
impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
