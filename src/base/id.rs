use crate::base::{Rng, Wall};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use uuid::{Builder, Uuid};

/// One call through the gateway, on every leg, in every record and log line: a UUIDv7 (RFC 9562 §5.7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(pub Uuid);

impl CallId {
    pub fn new(wall: Wall, rng: &mut Rng) -> CallId {
        CallId(Builder::from_unix_timestamp_millis(wall.millis(), &rng.bytes()).into_uuid())
    }
}

impl JsonSchema for CallId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CallId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
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

impl TryFrom<String> for CallId {
    type Error = uuid::Error;
    fn try_from(text: String) -> Result<CallId, uuid::Error> {
        text.parse()
    }
}

impl From<CallId> for String {
    fn from(call: CallId) -> String {
        call.to_string()
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
