//! What a backend tells of a call of ours: its ticket's number, the caller's satisfaction.

use super::postscript::News;
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
    pub fn news(self, backend: &str) -> Vec<News> {
        let own = || backend.to_owned();
        let linked = self.ticket.map(|ticket| News::Linked { backend: own(), id: ticket.id, url: ticket.url, instead_of: None });
        let surveyed = self.survey.map(|s| News::Surveyed { score: s.score, scale: s.scale, source: own() });
        linked.into_iter().chain(surveyed).collect()
    }
}
