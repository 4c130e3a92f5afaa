//! Why a queue rang this seat for a caller, and no other: kept with the ringing, so that a caller's wait and a seat's share
//! of work can be explained afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The order in which a queue rings its free seats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One seat after another, the longest idle first.
    #[default]
    #[serde(alias = "one-by-one")]
    LongestIdle,
    /// One after another, the one with the fewest conversations first.
    FewestCalls,
    /// One after another, the one whose turn was longest ago.
    RoundRobin,
    /// One after another, the one that has most of the skill that the call needs.
    SkillFirst,
    /// All free seats at once; the first answer wins.
    #[serde(alias = "all")]
    RingAll,
}

/// A seat was chosen for a caller, out of these and for this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    pub strategy: Strategy,
    pub because: Because,
    /// How long the caller had waited, in milliseconds.
    pub waited: u64,
    /// The caller's priority, from 0 to 9.
    pub priority: u8,
    /// Seats of the queue that were free then, this one among them.
    pub free: u32,
    /// Free seats that were passed over for this caller, whom they had failed or still rang for.
    pub passed: u32,
    /// The next in the order, at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<Asked>,
}

/// The reason for a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It was the first in the strategy's order.
    #[default]
    Order,
    /// The caller was served by it before.
    LastSeat,
    /// The caller had waited for so long that experts are rung too.
    Expert,
    /// No seat was free but such as did not answer lately.
    Doubtful,
    /// Each free seat had failed this caller, this one least often.
    FailedLeast,
}

/// The skill that the call needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    pub skill: Arc<str>,
    /// The level that sufficed after this wait.
    pub level: u8,
    /// The level that the seat has.
    pub has: u8,
}
