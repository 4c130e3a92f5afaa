//! The DNS, asked by ourselves: NAPTR, SRV and addresses of the host names of trunks and seats (RFC 3263), with a cache that
//! outlives its servers. The bytes are read and written by hickory; what is asked next (`lookup`) and what is kept (`cache`) are
//! state machines without a clock.

pub mod ask;
#[cfg(test)]
mod ask_tests;
pub mod cache;
pub mod lookup;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

/// A question: a name in lower case without the last dot, and the kind of records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub name: Arc<str>,
    pub kind: Kind,
}

/// The records that a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    A,
    Aaaa,
    Srv,
    Naptr,
}

impl Kind {
    /// A call goes on without it: some line's servers are silent about kinds that they do not know.
    pub fn is_aside(self) -> bool {
        matches!(self, Kind::Aaaa | Kind::Naptr)
    }
}

impl Question {
    pub fn new(name: &str, kind: Kind) -> Question {
        Question { name: name.to_ascii_lowercase().into(), kind }
    }
}

/// The records that answer a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Addresses(Vec<std::net::IpAddr>),
    Services(Vec<Service>),
    Pointers(Vec<Pointer>),
    /// Another name has them (CNAME), of which the server said nothing more.
    Alias(Arc<str>),
    /// There are none.
    Nothing,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub host: Arc<str>,
}

/// A NAPTR record that leads to SRV records (RFC 3263 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    pub order: u16,
    pub preference: u16,
    /// In upper case: `SIP+D2U`.
    pub service: String,
    pub name: Arc<str>,
}

/// An answer, and how long it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub answer: Answer,
    pub ttl: Duration,
}
