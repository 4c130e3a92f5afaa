use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a caller is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferKind {
    /// Seat and target speak first, the caller hears music.
    Consult,
    /// The target joins seat and caller.
    ThreeWay,
    /// The seat leaves at once; on failure the caller comes back to it.
    Blind,
    /// As three-way: one action, no limits, never ended for silence.
    Emergency,
    /// Back to the one who sent the caller away, after a blind transfer failed.
    Return,
}

/// How a move came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferResult {
    /// The target talks to the caller together with who moved it.
    Joined,
    /// The caller is with the target, or in the queue.
    Completed,
    /// The caller is back with who had sent it away.
    Returned,
    Cancelled,
    Failed,
}

impl TransferResult {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            TransferResult::Joined => "joined",
            TransferResult::Completed => "completed",
            TransferResult::Returned => "returned",
            TransferResult::Cancelled => "cancelled",
            TransferResult::Failed => "failed",
        }
    }
}

impl TransferKind {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            TransferKind::Consult => "consult",
            TransferKind::ThreeWay => "three-way",
            TransferKind::Blind => "blind",
            TransferKind::Emergency => "emergency",
            TransferKind::Return => "return",
        }
    }

    /// The kinds that people and programs may ask for.
    pub fn named(name: &str) -> Option<TransferKind> {
        let asked = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];
        asked.into_iter().find(|kind| kind.name() == name)
    }
}
