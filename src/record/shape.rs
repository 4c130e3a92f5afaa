//! The record's shape as JSON. Every field is always there; what is not known, or not yet, is `null`. The comments are
//! the descriptions of its JSON Schema.

use crate::base::{Masked, Meaning};
use crate::event::fact::Listed;
use crate::event::{
    Author, By, CallDirection, DialledFrom, Discarded, MessageEnd, Mode, Party, Phase, RecordingAction, RecordingCause, Result,
    TransferKind, TransferResult,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The full snapshot of a call. Durations count in milliseconds of the monotonic clock; times are RFC 3339 with the city's
/// offset, to the millisecond.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// A UUIDv7.
    pub call_id: String,
    /// The system that handed the record in: a call that never crossed this gateway. Null: this gateway's own.
    pub reported_by: Option<Reporter>,
    /// `outbound`: a seat called, and `caller` is the person whom it called; left out for callers of the hotline.
    #[serde(skip_serializing_if = "CallDirection::is_inbound")]
    pub direction: CallDirection,
    /// The Call-ID of each SIP dialog, the caller's first; of an outbound call in the order of their INVITEs.
    pub sip_call_ids: Vec<String>,
    /// Where the call came from.
    pub trunk: String,
    pub hotline: Hotline,
    /// Normalised. One that the caller withheld is told to no ticket system, only to who may see numbers here.
    pub caller: Option<String>,
    /// As received; as above.
    pub caller_raw: Option<String>,
    pub caller_anonymous: bool,
    pub area: Area,
    /// The INVITE.
    #[schemars(extend("format" = "date-time"))]
    pub start: Option<String>,
    /// The caller came to the human queue: the 15 s clock of GB/T 33358 starts.
    #[schemars(extend("format" = "date-time"))]
    pub handed_to_queue: Option<String>,
    /// The caller's 200: charging starts.
    #[schemars(extend("format" = "date-time"))]
    pub sip_answered: Option<String>,
    /// The first seat or target that was joined to the caller.
    #[schemars(extend("format" = "date-time"))]
    pub seat_answered: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ended: Option<String>,
    /// Prompts before and beside the queue; those heard while waiting belong to `queue_ms`.
    pub announce_ms: u64,
    /// Waiting for a seat, ringing included.
    pub queue_ms: u64,
    /// At least one seat or target was ringing.
    pub ring_ms: u64,
    /// Joined to a seat or target, hold included.
    pub talk_ms: u64,
    pub hold_ms: u64,
    /// Null while the call lasts.
    pub result: Option<Result>,
    pub hangup_by: Option<By>,
    pub sip_code: Option<u16>,
    pub q850: Option<u8>,
    /// The seat that was joined to the caller last.
    pub seat: Option<Seat>,
    /// The number of the plan's target that was joined to the caller last.
    pub target: Option<String>,
    pub queue: Option<String>,
    /// The place in the queue, and the wait, that the caller was told last; left out for who was told none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// The caller asked to be rung back; left out for who did not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub callback_wanted: bool,
    /// The message that the caller left, or began to leave; left out for who did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<LeftMessage>,
    /// The caller's number was turned away, or went before others; left out for numbers that stand on no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// The prompts that the caller heard, in order.
    pub prompts: Vec<PlayedPrompt>,
    /// Every move of the caller, in order.
    pub transfers: Vec<Transfer>,
    pub legs: Vec<Leg>,
    /// Call data that its seats have set (随路数据), by key.
    pub data: BTreeMap<String, String>,
    /// Subjects of the call, as seats and ticket systems told them, in that order.
    pub subjects: Vec<String>,
    /// The caller's opinion of it, once asked.
    pub survey: Option<Survey>,
    pub recording: Option<Recording>,
    /// Its tickets that were known at this moment.
    pub tickets: Vec<Ticket>,
    /// The gateway's name.
    pub node: String,
    pub plan: String,
    pub plan_revision: String,
    /// The end was inferred after the gateway died in the call.
    pub estimated: bool,
}

impl Record {
    /// As others get it: a number that the caller withheld stays here.
    pub fn withheld(mut self) -> Record {
        if self.caller_anonymous {
            (self.caller, self.caller_raw) = (None, None);
        }
        self
    }

    /// As logs, the API and the console may show it: the caller's number masked, its voice not for everybody.
    pub fn masked(mut self) -> Record {
        for number in [&mut self.caller, &mut self.caller_raw].into_iter().flatten() {
            *number = Masked(number).to_string();
        }
        // A link that opens by itself is for those who get numbers in full, too.
        let own = self.recording.as_mut().filter(|_| self.reported_by.is_none());
        if let Some(url) = own.and_then(|recording| recording.url.as_mut()) {
            url.truncate(url.find('?').unwrap_or(url.len()));
        }
        self
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reporter {
    /// The name of the token that it came with.
    pub source: String,
    /// The call's id there.
    pub id: String,
}

/// The number that was dialled, and what the plan makes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Hotline {
    /// As it stood in the INVITE.
    pub dialled: String,
    /// Where it stood there; left out where that is the Request-URI.
    #[serde(skip_serializing_if = "DialledFrom::is_request")]
    pub dialled_from: DialledFrom,
    /// The rules of the trunk's `called_in` that have rewritten it, from 1; left out where none has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dialled_by_rules: Vec<usize>,
    /// Normalised.
    pub number: String,
    /// Its name in the plan.
    pub line: String,
    pub mode: Mode,
    pub phase: Option<Phase>,
    /// The responsible unit.
    pub unit: Option<String>,
    /// The number that the call was diverted from before it came here.
    pub diverted_from: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Area {
    /// GB/T 2260; null when unknown.
    pub code: Option<String>,
    pub name: Option<String>,
    /// Telephone area code without the leading 0.
    pub phone: Option<String>,
    /// Where it was learned.
    pub source: String,
}

/// A sound as it was on that day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlayedPrompt {
    pub name: String,
    /// The beginning of the SHA-256 of its A-law bytes.
    pub version: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ticket {
    /// Its name in the configuration.
    pub backend: String,
    pub id: String,
    pub url: Option<String>,
}

/// The caller's satisfaction: `score` of `scale`, more is better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Survey {
    pub score: u8,
    pub scale: u8,
    /// The system that asked.
    pub source: String,
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// Words of an announcement to a caller who waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told {
    /// Callers ahead.
    pub ahead: Option<u32>,
    /// Minutes that it would take.
    pub minutes: Option<u32>,
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// A link, never a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recording {
    /// The call's id, where it is this gateway's own.
    pub id: String,
    /// Opens by itself while its signature holds; without one it asks for a token with the role `listener`.
    pub url: Option<String>,
    /// The hash of the file.
    pub sha256: Option<String>,
    pub ms: Option<u64>,
    /// Parts of the call that are not in it, in order; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// When it began, where that was later than the call; left out where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// `pending` (the call lasts, or its file is not done), `ready`, `partial` (some audio was lost in the gateway),
    /// `interrupted` (the gateway died in the call; what it had written), `empty` (there was nothing to hear), `missing`
    /// (nothing could be written), `discarded` (a message that was none), `purged`. Of what others hand in: `ready`, `elsewhere`.
    pub state: String,
}

/// The beginning of a recording in the midst of its call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Begun {
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    pub by: Author,
    pub cause: RecordingCause,
}

/// A part of the call that its recording leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// `masked`: silence of the same length stands for it. `paused` and `stopped`: the file goes on without it.
    pub how: RecordingAction,
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    pub by: Author,
    /// Null while it lasts.
    #[schemars(extend("format" = "date-time"))]
    pub to: Option<String>,
    /// The one who ended it.
    pub ended_by: Option<Author>,
    /// Why it ended.
    pub ended: Option<RecordingCause>,
    pub ms: Option<u64>,
}

/// A caller's message (留言).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftMessage {
    /// The tone had been heard. Null: nothing could be recorded.
    #[schemars(extend("format" = "date-time"))]
    pub at: Option<String>,
    /// Null while it lasts.
    pub ms: Option<u64>,
    pub ended: Option<MessageEnd>,
    /// Why it is not kept; null: it is, or there is none.
    pub discarded: Option<Discarded>,
    /// The id of the recording that has it: all of it, or its end where the call was recorded anyway. Null: there is no message.
    pub recording: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Seat {
    /// Its name in the configuration.
    pub id: String,
    /// For people; the id where it has none.
    pub name: String,
}

/// One move: who asked for it (a leg's number), where to, how it came out.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Transfer {
    pub seq: u32,
    pub kind: TransferKind,
    pub from: u64,
    pub to: String,
    #[schemars(extend("format" = "date-time"))]
    pub started: String,
    #[schemars(extend("format" = "date-time"))]
    pub ended: Option<String>,
    /// Null while it lasts, or where the process died in it.
    pub result: Option<TransferResult>,
}

/// One party's part in the call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Leg {
    pub leg: u64,
    /// Null: the caller.
    pub party: Option<Party>,
    pub sip_call_id: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub started: String,
    #[schemars(extend("format" = "date-time"))]
    pub answered: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    pub ended: Option<String>,
    pub ended_by: Option<By>,
    pub sip_code: Option<u16>,
    pub q850: Option<u8>,
    /// The meaning of the code with which its network refused, where the trunk's map of causes has it; left out where not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Meaning>,
    /// It should have sent RTP and did not.
    pub silent_ms: u64,
    pub media: Option<Media>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Media {
    /// The suite by which all of its audio was sealed (SRTP); left out where any was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp: Option<String>,
    /// From the party to us.
    pub received: Direction,
    /// From us to the party; the loss is what its receiver reports said.
    pub sent: Direction,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Direction {
    pub codec: String,
    pub packets: u64,
    /// Packets; negative where more came than were sent (RFC 3550 §6.4.1).
    pub lost: i64,
    /// RFC 3550 §6.4.1; null where we do not measure it.
    pub jitter_ms: Option<f32>,
}
