//! A call that others took by themselves, as they tell of it. The comments are the descriptions of its JSON Schema.

use super::{By, Mode, Result};
use crate::base::subject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The record of a call that never crossed this gateway: a sub-center's, a utility's, a kept seat's. Times are RFC 3339 with
/// an offset. A field that is left out is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Call taken elsewhere")]
pub struct Report {
    /// The call's id with its sender: the same id is the same call.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// The hotline that was dialled, as the dial plan names it: `12366`.
    #[schemars(regex(pattern = "^[0-9]{2,15}$"))]
    pub hotline: String,
    /// The caller's number, without spaces or hyphens; left out when it was withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^\+?[0-9]{3,20}$"))]
    pub caller: Option<String>,
    /// The caller asked for anonymity; then there is no `caller`.
    #[serde(default)]
    pub caller_anonymous: bool,
    /// GB/T 2260.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]{6}$"))]
    pub area: Option<String>,
    /// When the call came.
    #[schemars(extend("format" = "date-time"))]
    pub start: String,
    /// When it came to the human queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub handed_to_queue: Option<String>,
    /// When a seat answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub answered: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ended: String,
    pub result: Result,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangup_by: Option<By>,
    /// Time on hold, milliseconds.
    #[serde(default)]
    #[schemars(range(max = 86_400_000))]
    pub hold_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<ReportedSeat>,
    /// Its ticket with the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<ReportedTicket>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<ReportedSurvey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<ReportedRecording>,
    /// Subjects of the call; one that the dial plan has for a ticket system sends the record there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = subject::MOST), inner(length(min = 1, max = subject::LONGEST), regex(pattern = subject::PATTERN)))]
    pub subjects: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedSeat {
    #[schemars(length(min = 1, max = 64))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedTicket {
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^https?://"), length(max = 1024))]
    pub url: Option<String>,
}

/// `score` of `scale`, more is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedSurvey {
    #[schemars(range(min = 1, max = 100))]
    pub score: u8,
    #[schemars(range(min = 1, max = 100))]
    pub scale: u8,
}

/// A link to it, and what tells whether it is the same file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedRecording {
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^https?://"), length(max = 1024))]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
}

/// A report with what the gateway knows besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The name of the token that it came with.
    pub source: String,
    pub report: Report,
    /// The caller's number as the dial plan reads it.
    #[serde(default)]
    pub caller: Option<String>,
    /// The dial plan's words on the hotline.
    pub line: String,
    pub mode: Mode,
    pub unit: Option<String>,
    /// The ticket backends that its line and its subjects choose; none: all but `withheld`.
    pub tickets: Vec<String>,
    /// Those that wait for a subject.
    #[serde(default)]
    pub withheld: Vec<String>,
    pub area_name: Option<String>,
    pub plan: String,
    pub plan_revision: String,
    pub node: String,
}
