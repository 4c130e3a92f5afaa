use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a number takes part (the notices' words stand in the plan's guide).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Front,
    Merged,
    Parallel,
    SubCenter,
    RemoteSeats,
    Linked,
    Emergency,
    Guided,
    Platform,
    /// No line of the plan has this number.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Where a merged number stands on the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    NotYet,
    AnnounceAndConnect,
    AnnounceOnly,
    Released,
}

/// A place of an INVITE where the number may stand that was dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DialledFrom {
    #[default]
    RequestUri,
    To,
    /// RFC 7044, the newest entry first.
    HistoryInfo,
    /// RFC 5806, the topmost first.
    Diversion,
    /// RFC 7315 §4.2.
    PCalledPartyId,
    /// Nowhere: the call has come by an account of ours, and is for its own number.
    Account,
}

impl DialledFrom {
    /// As the configuration, records and the log spell it.
    pub fn name(self) -> &'static str {
        match self {
            DialledFrom::RequestUri => "request-uri",
            DialledFrom::To => "to",
            DialledFrom::HistoryInfo => "history-info",
            DialledFrom::Diversion => "diversion",
            DialledFrom::PCalledPartyId => "p-called-party-id",
            DialledFrom::Account => "account",
        }
    }

    pub fn is_request(&self) -> bool {
        *self == DialledFrom::RequestUri
    }
}

impl Mode {
    /// As plans, records and `explain` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Front => "front",
            Mode::Merged => "merged",
            Mode::Parallel => "parallel",
            Mode::SubCenter => "sub-center",
            Mode::RemoteSeats => "remote-seats",
            Mode::Linked => "linked",
            Mode::Emergency => "emergency",
            Mode::Guided => "guided",
            Mode::Platform => "platform",
            Mode::Unknown => "unknown",
        }
    }
}

impl Phase {
    /// As records and `explain` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::NotYet => "not-yet",
            Phase::AnnounceAndConnect => "announce-and-connect",
            Phase::AnnounceOnly => "announce-only",
            Phase::Released => "released",
        }
    }
}
