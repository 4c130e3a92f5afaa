use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A refusal's meaning at a trunk whose network has codes of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meaning {
    /// A word for programs.
    pub means: String,
    pub about: About,
    /// For people.
    pub en: String,
    pub zh: String,
}

/// The matter of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The number that was called: by no other way will it be had.
    #[default]
    Number,
    /// The line by which it was called: by another it may be had.
    Line,
}
