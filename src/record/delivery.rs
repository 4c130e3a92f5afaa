use super::cloudevent::Kind;
use crate::base::{CallId, Wall};

/// One event on its way to one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub call: CallId,
    pub sequence: u64,
    pub kind: Kind,
    /// How often it, or what it replaces, failed before.
    pub attempts: u32,
    /// When it first failed.
    pub failing_since: Option<Wall>,
}

/// What became of an event, to be made durable before anything else of its call is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub call: CallId,
    pub sequence: u64,
    /// Earlier events of the call that this one's snapshot stands for.
    pub merged: Vec<u64>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Again at `at`; failing since `since`.
    Retry {
        at: Wall,
        since: Wall,
        error: String,
    },
    /// Not again, unless somebody says so.
    Dead {
        error: String,
    },
}
