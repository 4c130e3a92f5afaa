//! Others tell us of a call of ours: its ticket's number, the caller's satisfaction, what it was about.

use super::amendment::Update;
use crate::base::subject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The native form; a profile names where each part stands in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Callback")]
pub struct Message {
    #[schemars(extend("format" = "uuid"))]
    pub call_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Linked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Surveyed>,
    /// The subjects of the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = subject::MOST), inner(length(min = 1, max = subject::LONGEST), regex(pattern = subject::PATTERN)))]
    pub subjects: Vec<String>,
}

/// The subjects of a call, as a seat says them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tag")]
pub struct Tag {
    #[schemars(length(min = 1, max = subject::MOST), inner(length(min = 1, max = subject::LONGEST), regex(pattern = subject::PATTERN)))]
    pub subjects: Vec<String>,
}

/// The ticket's or work order's number, and its page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linked {
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^https?://"), length(max = 1024))]
    pub url: Option<String>,
}

/// `score` of `scale`, more is better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surveyed {
    #[schemars(range(min = 1, max = 100))]
    pub score: u8,
    #[schemars(range(min = 1, max = 100))]
    pub scale: u8,
}

impl Message {
    /// `chosen`: the ticket backends of these subjects.
    pub fn updates(self, backend: &str, chosen: impl FnOnce(&[String]) -> Vec<String>) -> Vec<Update> {
        let own = || backend.to_owned();
        let linked =
            self.ticket.map(|ticket| Update::Linked { backend: own(), id: ticket.id, url: ticket.url, instead_of: None });
        let surveyed = self.survey.map(|s| Update::Surveyed { score: s.score, scale: s.scale, source: own() });
        let subjects = Some(self.subjects).filter(|subjects| !subjects.is_empty());
        let tagged = subjects.map(|subjects| Update::Tagged { backends: chosen(&subjects), subjects, by: own() });
        linked.into_iter().chain(surveyed).chain(tagged).collect()
    }
}
