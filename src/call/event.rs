//! What happens in a call, as its journal keeps it. The record is a fold over these.

use crate::base::{CallId, LegId, Mono, Wall};
use crate::media::Stats;
use serde::{Deserialize, Serialize};

/// One line of a call's append-only log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub call: CallId,
    /// 1, 2, 3 … within the call.
    pub seq: u32,
    pub wall: Wall,
    /// Durations are differences of this, so that a step of the wall clock bends no figure.
    pub mono: Mono,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The INVITE. Durable before any 2xx or final response goes to the caller.
    Offered(Box<Offered>),
    /// A prompt starts towards the caller; `text` is what it says.
    Announcing {
        prompt: String,
    },
    /// The caller is handed to the human queue: the 15 s clock of GB/T 33358 starts.
    Queued {
        queue: String,
    },
    /// A seat or target is being called.
    Ringing {
        leg: u64,
        party: Party,
    },
    /// It did not answer.
    RingFailed {
        leg: u64,
        status: Option<u16>,
        q850: Option<u8>,
    },
    /// The caller's 200 leaves: charging starts.
    CallerAnswered,
    /// The party answered and is joined to the caller.
    Joined {
        leg: u64,
        party: Party,
    },
    Held {
        leg: u64,
    },
    Resumed {
        leg: u64,
    },
    /// No RTP from this leg for the configured time, and its return.
    Silent {
        leg: u64,
    },
    Heard {
        leg: u64,
    },
    LegEnded {
        leg: u64,
        by: By,
        status: Option<u16>,
        q850: Option<u8>,
    },
    /// A move of the caller was asked for. `kind`: consult, three-way, blind, emergency, return.
    TransferStarted {
        seq: u32,
        kind: String,
        by: u64,
        to: String,
    },
    /// `joined` (three-way), `completed`, `returned`, `cancelled` or `failed`.
    TransferEnded {
        seq: u32,
        result: String,
    },
    /// After the shard closed the leg.
    LegMedia {
        leg: u64,
        codec: String,
        stats: Stats,
    },
    /// The call is over; `call.record` follows from it.
    Ended {
        result: Result,
        by: By,
        status: Option<u16>,
        q850: Option<u8>,
    },
    /// Written at start-up for a call that the journal shows open: the process died in it.
    Interrupted,
}

/// Facts of the INVITE and of the plan's decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    pub leg: u64,
    pub sip_call_id: String,
    pub trunk: String,
    /// As dialled, and normalised.
    pub dialled: String,
    pub number: String,
    /// Normalised; none when withheld.
    pub caller: Option<String>,
    pub caller_raw: String,
    pub caller_anonymous: bool,
    pub line: String,
    pub mode: String,
    pub phase: Option<String>,
    pub unit: Option<String>,
    pub area: Option<String>,
    pub area_source: String,
    /// A hotline that the call was diverted from (History-Info, Diversion).
    pub diverted_from: Option<String>,
    /// The ticket backends that the line names; none: all.
    #[serde(default)]
    pub tickets: Vec<String>,
    pub plan: String,
    pub plan_revision: String,
    pub node: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Party {
    Seat {
        name: String,
        queue: String,
    },
    /// A number of the dial plan: a sub-center, an emergency line …
    Target {
        number: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Caller,
    /// The seat or target.
    Callee,
    Gateway,
    Network,
}

/// How a call ended (one word of the record).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    Answered,
    AbandonedAnnouncement,
    AbandonedQueue,
    AbandonedRinging,
    NoSeat,
    QueueFull,
    Timeout,
    Failed,
    /// The plan sent the caller away (announce-only, released, unknown number).
    Rejected,
    Interrupted,
}

impl From<LegId> for u64 {
    fn from(leg: LegId) -> u64 {
        leg.0
    }
}
