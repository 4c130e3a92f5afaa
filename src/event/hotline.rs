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
