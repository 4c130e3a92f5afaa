//! The record's shape as JSON. Every field is always there; what is not known, or not yet, is `null`.

use crate::call::event::{By, Party, Result};
use serde::Serialize;

/// The full snapshot of a call. Durations count in milliseconds of the monotonic clock, times carry their zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Record {
    pub call_id: String,
    /// The Call-ID of each SIP dialog, the caller's first.
    pub sip_call_ids: Vec<String>,
    pub trunk: String,
    pub hotline: Hotline,
    /// Normalised; null when the caller withheld it.
    pub caller: Option<String>,
    pub caller_raw: Option<String>,
    pub caller_anonymous: bool,
    pub area: Area,
    /// The INVITE.
    pub start: Option<String>,
    /// The caller came to the human queue: the 15 s clock of GB/T 33358 starts.
    pub handed_to_queue: Option<String>,
    /// The caller's 200: charging starts.
    pub sip_answered: Option<String>,
    /// The first seat or target that was joined to the caller.
    pub seat_answered: Option<String>,
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
    /// Who was joined to the caller last.
    pub seat: Option<Seat>,
    pub target: Option<String>,
    pub queue: Option<String>,
    /// What the caller heard, in order.
    pub prompts: Vec<String>,
    /// Every move of the caller, in order.
    pub transfers: Vec<Transfer>,
    pub legs: Vec<Leg>,
    /// Its tickets that were known at this moment.
    pub tickets: Vec<Ticket>,
    pub node: String,
    pub plan: String,
    pub plan_revision: String,
    /// The end was inferred after the gateway died in the call.
    pub estimated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hotline {
    pub dialled: String,
    pub number: String,
    pub line: String,
    pub mode: String,
    pub phase: Option<String>,
    /// The responsible unit.
    pub unit: Option<String>,
    pub diverted_from: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Area {
    /// GB/T 2260, or null when unknown.
    pub code: Option<String>,
    /// Where it was learned.
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ticket {
    pub backend: String,
    pub id: String,
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seat {
    pub name: String,
}

/// One move: who asked for it (a leg's number), where to, how it came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transfer {
    pub seq: u32,
    /// `consult`, `three-way`, `blind`, `emergency`, `return`.
    pub kind: String,
    pub from: u64,
    pub to: String,
    pub started: String,
    pub ended: Option<String>,
    /// `joined`, `completed`, `returned`, `cancelled`, `failed`; null while it lasts, or where the call ended in it.
    pub result: Option<String>,
}

/// One party's part in the call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Leg {
    pub leg: u64,
    /// Null: the caller.
    pub party: Option<Party>,
    pub started: String,
    pub answered: Option<String>,
    pub ended: Option<String>,
    pub ended_by: Option<By>,
    pub sip_code: Option<u16>,
    pub q850: Option<u8>,
    /// It should have sent RTP and did not.
    pub silent_ms: u64,
    pub media: Option<Media>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Media {
    /// From the party to us.
    pub received: Direction,
    /// From us to the party; the loss is what its receiver reports said.
    pub sent: Direction,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Direction {
    pub codec: String,
    pub packets: u64,
    pub lost: i64,
    /// RFC 3550 §6.4.1; null where we do not measure it.
    pub jitter_ms: Option<f32>,
}
