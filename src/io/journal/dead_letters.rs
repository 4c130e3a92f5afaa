//! Deliveries that backends refused, and the decisions that people take about them.

use crate::base::CallId;
use serde::{Deserialize, Serialize};

/// An event that a backend refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    pub backend: String,
    pub call: String,
    pub event: String,
    /// `dead`, or `aside`: set aside, to be tried again by itself.
    pub state: String,
    pub attempts: u32,
    pub error: Option<String>,
}

/// Chooses among them; a field that is not set does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub backend: Option<String>,
    pub call: Option<CallId>,
}

/// Something that a person decides about the journal. Only who writes the journal carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Lets refused events be tried again at once, as if for the first time.
    Retry(Selection),
    /// Gives refused events up. They stay in the journal as `dropped`, and what their calls have left goes on.
    Drop(Selection),
    /// Sends the final records of these calls to a backend once more, whether it got them or not. Calls that were not its own
    /// are from then on.
    Replay(Replay),
    /// Somebody has looked at all that is known to be damaged.
    DamageSeen,
}

/// Calls whose final records go to a backend once more; at most [`Replay::MOST`] of them at a time, so that nothing else
/// waits for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub backend: String,
    #[serde(with = "calls")]
    pub calls: Vec<CallId>,
}

impl Replay {
    pub const MOST: usize = 500;
}

/// A call that has ended, as one backend sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedCall {
    pub call: CallId,
    /// A line or a subject gave it to the backend, or it got anything of it.
    pub its_own: bool,
}

/// Call ids as text.
mod calls {
    use super::CallId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(calls: &[CallId], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(calls.iter().map(CallId::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CallId>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| text.parse().map_err(|_| D::Error::custom("no call id"))).collect()
    }
}
