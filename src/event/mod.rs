//! Events of calls and of seats, as the journal keeps them. The record is a fold over these. An entry tells what happened and is complete
//! when it is made; it makes nobody act.

mod choice;
pub mod fact;
mod hotline;
mod message;
mod recording;
mod report;
pub mod seat;
#[cfg(test)]
mod tests;
mod transfer;

pub use choice::{Asked, Because, Choice, Strategy};
pub use fact::{BindingFact, BindingsFact, DialledFact, Fact, FactKind, Keep, Kept, SeatFact};
pub use hotline::{DialledFrom, Mode, Phase};
pub use message::{Discarded, MessageEnd};
pub use recording::{RecordingAction, RecordingCause};
pub use report::{Report, Reported, ReportedTicket};
pub use seat::{Author, Intent, SeatEntry, SeatWhat};
pub use transfer::{TransferKind, TransferResult};

use crate::base::{CallId, Meaning, Mono, RtpStats, Suite, Wall};
use schemars::JsonSchema;
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
        /// The sound of the prompt at that time: the beginning of its hash.
        #[serde(default)]
        version: Option<String>,
    },
    /// The caller is handed to the human queue: the 15 s clock of GB/T 33358 starts.
    Queued {
        queue: String,
    },
    /// A caller who waits was told how many are ahead, and for how long that will be.
    Position {
        ahead: Option<u32>,
        minutes: Option<u32>,
    },
    /// The caller asked to be rung back.
    CallbackWanted,
    /// A seat or target is being called.
    Ringing {
        leg: u64,
        party: Party,
        /// None: the INVITE could not leave.
        #[serde(default)]
        sip_call_id: Option<String>,
        /// A seat's name for people, where it has one.
        #[serde(default)]
        label: Option<String>,
        /// A seat that a queue chose, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choice: Option<Box<Choice>>,
    },
    /// It did not answer.
    RingFailed {
        leg: u64,
        status: Option<u16>,
        q850: Option<u8>,
    },
    /// The meaning of a refusal whose code is not the RFCs'.
    Refused {
        leg: u64,
        meaning: Box<Meaning>,
    },
    /// The person whom a seat calls is being called, as the call's caller.
    Dialled {
        leg: u64,
        /// None: the INVITE could not leave.
        sip_call_id: Option<String>,
    },
    /// The caller's 200 leaves, or that of the person whom a seat called has come: charging starts.
    CallerAnswered,
    /// The party answered and is joined to the caller.
    Joined {
        leg: u64,
        party: Party,
        #[serde(default)]
        sip_call_id: Option<String>,
        #[serde(default)]
        label: Option<String>,
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
    /// A move of the caller was asked for.
    TransferStarted {
        seq: u32,
        kind: TransferKind,
        by: u64,
        to: String,
    },
    TransferEnded {
        seq: u32,
        result: TransferResult,
    },
    /// After the conversation the caller was asked for an opinion: more is better, none was not given.
    Survey {
        score: Option<u8>,
        scale: u8,
    },
    /// A supervisor's phone is called for the seat of another leg, or is in the call in another way; none: not any more. It is
    /// no party of the conversation, and nothing that the call took.
    Supervised {
        leg: u64,
        of: u64,
        by: String,
        mode: Option<seat::SuperviseMode>,
    },
    /// The caller has been on hold for too long; who is told.
    HoldForgotten {
        leg: u64,
        alarm: seat::HoldAlarm,
    },
    /// The recording of the call has begun, is left out for a time, or goes on.
    Recording {
        action: RecordingAction,
        by: Author,
        cause: RecordingCause,
    },
    /// The caller has heard the tone: what it says from here on is its message.
    MessageBegun,
    /// The message is over, or there is none.
    Message {
        ms: u64,
        ended: MessageEnd,
        /// Why it is not kept.
        #[serde(default)]
        discarded: Option<Discarded>,
    },
    /// Call data (随路数据) that a seat has set: it goes along with every move.
    Data {
        key: String,
        value: String,
    },
    /// After the shard closed the leg.
    LegMedia {
        leg: u64,
        codec: String,
        /// All of its audio was sealed, by this suite.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        srtp: Option<Suite>,
        stats: RtpStats,
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
    /// A call that others took by themselves: the only entry of its log.
    Reported(Box<Reported>),
}

/// Facts of the INVITE and of the plan's decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    pub leg: u64,
    #[serde(default, skip_serializing_if = "CallDirection::is_inbound")]
    pub direction: CallDirection,
    pub sip_call_id: String,
    pub trunk: String,
    /// As dialled, and normalised.
    pub dialled: String,
    /// Where it stood in the INVITE.
    #[serde(default, skip_serializing_if = "DialledFrom::is_request")]
    pub dialled_from: DialledFrom,
    /// The rules of the trunk's `called_in` that have rewritten it, from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialled_by_rules: Vec<usize>,
    pub number: String,
    /// Normalised; none when withheld.
    pub caller: Option<String>,
    pub caller_raw: String,
    pub caller_anonymous: bool,
    pub line: String,
    pub mode: Mode,
    pub phase: Option<Phase>,
    pub unit: Option<String>,
    /// Telephone area code without the leading 0.
    pub area: Option<String>,
    pub area_source: String,
    /// The division that has this area code, where it is known.
    #[serde(default)]
    pub division: Option<Division>,
    /// A hotline that the call was diverted from (History-Info, Diversion).
    pub diverted_from: Option<String>,
    /// The list that the caller's number stands on.
    #[serde(default)]
    pub listed: Option<fact::Listed>,
    /// The ticket backends that the line names; none: all but `withheld`.
    #[serde(default)]
    pub tickets: Vec<String>,
    /// The call is recorded.
    #[serde(default)]
    pub recorded: bool,
    /// Those that wait for a subject.
    #[serde(default)]
    pub withheld: Vec<String>,
    pub plan: String,
    pub plan_revision: String,
    pub node: String,
}

/// The side that wanted the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// A caller of the hotline.
    #[default]
    Inbound,
    /// A seat, in the hotline's name.
    Outbound,
}

/// An administrative division.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Division {
    /// GB/T 2260.
    pub code: String,
    pub name: String,
}

/// The party that the gateway called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// The side that ended a leg or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Caller,
    /// The seat or target.
    Callee,
    Gateway,
    Network,
}

/// How a call ended (one word of the record).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Nobody took the caller, who has left a message.
    Message,
    Interrupted,
}

impl CallDirection {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            CallDirection::Inbound => "inbound",
            CallDirection::Outbound => "outbound",
        }
    }

    pub fn is_inbound(&self) -> bool {
        *self == CallDirection::Inbound
    }
}

impl By {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            By::Caller => "caller",
            By::Callee => "callee",
            By::Gateway => "gateway",
            By::Network => "network",
        }
    }
}

impl Result {
    pub const ALL: [Result; 11] = [
        Result::Answered,
        Result::AbandonedAnnouncement,
        Result::AbandonedQueue,
        Result::AbandonedRinging,
        Result::NoSeat,
        Result::QueueFull,
        Result::Timeout,
        Result::Failed,
        Result::Rejected,
        Result::Message,
        Result::Interrupted,
    ];

    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Result::Answered => "answered",
            Result::AbandonedAnnouncement => "abandoned_announcement",
            Result::AbandonedQueue => "abandoned_queue",
            Result::AbandonedRinging => "abandoned_ringing",
            Result::NoSeat => "no_seat",
            Result::QueueFull => "queue_full",
            Result::Timeout => "timeout",
            Result::Failed => "failed",
            Result::Rejected => "rejected",
            Result::Message => "message",
            Result::Interrupted => "interrupted",
        }
    }
}

impl Party {
    /// The seat's name or the target's number.
    pub fn name(&self) -> &str {
        match self {
            Party::Seat { name, .. } => name,
            Party::Target { number } => number,
        }
    }
}
