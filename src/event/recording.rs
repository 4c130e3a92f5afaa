//! How a call's recording went: begun, left out for a time, ended, and by whose word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step that was done to a call's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingAction {
    Started,
    /// Nothing is kept of this time, not even its length.
    Paused,
    /// Silence of the same length stands for it.
    Masked,
    Resumed,
    /// It ended before the call.
    Stopped,
}

/// Why it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingCause {
    /// Somebody asked for it by a verb.
    Verb,
    /// The caller came to a queue that records.
    Queue,
    /// The caller leaves a message.
    Message,
    /// It had been paused or masked for as long as that may be.
    Limit,
    /// The seat that had paused or masked it has left the conversation.
    SeatLeft,
    /// An emergency line is fetched.
    Emergency,
    /// The call has ended.
    CallEnded,
}

impl RecordingAction {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            RecordingAction::Started => "started",
            RecordingAction::Paused => "paused",
            RecordingAction::Masked => "masked",
            RecordingAction::Resumed => "resumed",
            RecordingAction::Stopped => "stopped",
        }
    }

    /// Nothing of the conversation is kept from then on.
    pub fn leaves_out(self) -> bool {
        matches!(self, RecordingAction::Paused | RecordingAction::Masked | RecordingAction::Stopped)
    }
}
