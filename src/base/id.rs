use crate::base::{Rng, Wall};
use std::fmt;
use std::str::FromStr;
use uuid::{Builder, Uuid};

/// One call through the gateway, on every leg, in every record and log line: a UUIDv7 (RFC 9562 §5.7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub Uuid);

impl CallId {
    pub fn new(wall: Wall, rng: &mut Rng) -> CallId {
        CallId(Builder::from_unix_timestamp_millis(wall.millis(), &rng.bytes()).into_uuid())
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for CallId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<CallId, uuid::Error> {
        text.parse().map(CallId)
    }
}

/// One party's connection to the gateway: a SIP dialog and its media. Never reused in a process's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
