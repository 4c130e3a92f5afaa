//! A caller's message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a caller's message ended, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageEnd {
    /// The caller pressed the key that ends it.
    Key,
    /// The caller hung up, or its leg was lost.
    HungUp,
    /// The caller said nothing more.
    Silence,
    /// It was as long as messages may be.
    Limit,
    /// The gateway ended or died in it; what was said so far is kept.
    Interrupted,
    /// Nothing could be recorded: the caller went on to the next step.
    NoRoom,
}

/// Why a message is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discarded {
    /// It was too short to be one.
    TooShort,
    /// The caller said nothing.
    Silent,
}
