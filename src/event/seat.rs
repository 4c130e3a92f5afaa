//! The log of seats, beside the logs of calls: what people at seats did, and what became of their seats. Figures, and the
//! streams that toolbars follow, are read from it.

use super::{RecordingAction, RecordingCause, TransferKind, TransferResult};
use crate::base::{CallId, Meaning, Mono, Wall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One line of the log of seats.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatEntry {
    /// Counts up over all seats and never comes again, with gaps where the process began anew.
    pub n: u64,
    pub seat: Arc<str>,
    pub wall: Wall,
    pub mono: Mono,
    pub what: SeatWhat,
}

/// Skills, each with a level from 1 to 9.
pub type Skills = BTreeMap<Arc<str>, u8>;

/// Calls in vain, by their causes.
pub type Misses = BTreeMap<MissCause, u32>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatWhat {
    LoggedIn {
        by: Author,
        device: Device,
        /// Somebody else had been signed in there, and is not any more.
        kicked: bool,
    },
    LoggedOut {
        by: Author,
        why: LogoutWhy,
    },
    Ready {
        by: Author,
    },
    Break {
        kind: BreakKind,
        reason: Arc<str>,
        /// Its length, where it has one.
        seconds: Option<u64>,
        by: Author,
    },
    /// The intent that follows the call which the seat is in: somebody wished it meanwhile.
    Planned {
        intent: Intent,
        by: Author,
    },
    /// The break has lasted longer than it should; it goes on.
    BreakOverdue {
        reason: Arc<str>,
    },
    WrapUp {
        /// The call that it follows; none where the seat asked for it.
        call: Option<CallId>,
        seconds: u64,
        by: Author,
    },
    WrapUpExtended {
        /// The time that is left now.
        seconds: u64,
        by: Author,
    },
    Skills {
        skills: Skills,
        by: Author,
    },
    AutoAnswer {
        on: bool,
        by: Author,
    },
    /// No place is left where the seat could be reached, or it does not answer.
    DeviceGone,
    DeviceBack,
    /// A queue called the seat in vain.
    Missed {
        call: CallId,
        cause: MissCause,
    },
    Ringing {
        call: CallId,
        cause: RingCause,
        queue: Option<Arc<str>>,
    },
    Talking {
        call: CallId,
        #[serde(default)]
        role: TalkRole,
    },
    Held {
        call: CallId,
    },
    Resumed {
        call: CallId,
        #[serde(default)]
        role: TalkRole,
    },
    /// The seat is not heard by the others, by its own wish.
    Muted {
        call: CallId,
    },
    Unmuted {
        call: CallId,
    },
    /// The seat moves its caller, or consults somebody about it, however it asked for that.
    TransferStarted {
        call: CallId,
        /// Counts the moves of the call.
        seq: u32,
        kind: TransferKind,
        /// The number, `seat:NAME` or the queue's name.
        to: Arc<str>,
    },
    /// The one that the seat consults has answered.
    TransferAnswered {
        call: CallId,
        seq: u32,
    },
    TransferEnded {
        call: CallId,
        seq: u32,
        kind: TransferKind,
        result: TransferResult,
        /// The answer of the last one that was tried, where all failed.
        status: Option<u16>,
        q850: Option<u8>,
    },
    /// The seat's caller has been on hold for too long; those who are to act are told.
    HoldForgotten {
        call: CallId,
        leg: u64,
        alarm: HoldAlarm,
    },
    Conference {
        call: CallId,
        parties: u64,
    },
    /// The recording of the seat's call has begun, is left out for a time, or goes on.
    Recording {
        call: CallId,
        action: RecordingAction,
        by: Author,
        cause: RecordingCause,
    },
    /// The call uses the seat no more.
    Released {
        call: CallId,
        talked: bool,
        #[serde(default)]
        by: ReleasedBy,
    },
    /// Somebody is shown to the seat, who calls or declines within this time.
    Preview {
        callback: Option<Arc<str>>,
        ticket: Option<Arc<str>>,
        hotline: Arc<str>,
        seconds: u64,
    },
    PreviewEnded {
        why: PreviewEnd,
    },
    /// The call that the seat placed reached nobody.
    OutboundFailed {
        call: CallId,
        status: Option<u16>,
        q850: Option<u8>,
        /// The meaning of the network's refusal, where the trunk's map of causes has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Meaning>,
    },
    Supervised {
        call: CallId,
        mode: SuperviseMode,
        by: Author,
    },
    SupervisionEnded {
        call: CallId,
        by: Author,
    },
    /// A message for the person at the seat.
    Notice {
        text: Arc<str>,
        by: Author,
    },
}

/// The wish of the person at a seat; the state of the phone is another matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    LoggedOut,
    Ready,
    Break {
        kind: BreakKind,
        reason: Arc<str>,
        /// Its length, where it has one.
        seconds: Option<u64>,
    },
    WrapUp {
        call: Option<CallId>,
        seconds: u64,
    },
}

impl Intent {
    /// In a word, as programs read it.
    pub fn name(&self) -> &'static str {
        match self {
            Intent::LoggedOut => "logged_out",
            Intent::Ready => "ready",
            Intent::Break { .. } => "break",
            Intent::WrapUp { .. } => "wrap_up",
        }
    }
}

/// The one who wanted a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    pub kind: AuthorKind,
    /// The token's name, or the seat's.
    pub name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The person at the seat, by the toolbar.
    Seat,
    /// The same, by keys of the phone or by its registration.
    Phone,
    Supervisor,
    Operator,
    Gateway,
}

impl SeatWhat {
    /// It changes nothing that must survive: the seat's calls end with the process, and their own logs have them; a preview
    /// ends with it, too.
    pub fn passes(&self) -> bool {
        use SeatWhat::{Conference, Held, Muted, Preview, PreviewEnded, Released, Resumed, Ringing, Talking, Unmuted};
        use SeatWhat::{TransferAnswered, TransferEnded, TransferStarted};
        let call = matches!(self, Ringing { .. } | Talking { .. } | Held { .. } | Resumed { .. } | Released { .. });
        let wish = matches!(self, Muted { .. } | Unmuted { .. } | Preview { .. } | PreviewEnded { .. });
        let moved = matches!(self, TransferStarted { .. } | TransferAnswered { .. } | TransferEnded { .. });
        call || wish || moved || matches!(self, Conference { .. })
    }
}

impl Author {
    pub fn gateway() -> Author {
        Author { kind: AuthorKind::Gateway, name: "gateway".into() }
    }

    pub fn phone(seat: &Arc<str>) -> Author {
        Author { kind: AuthorKind::Phone, name: seat.clone() }
    }

    /// A program that tells by signs of life whether its person is there.
    pub fn is_toolbar(&self) -> bool {
        !matches!(self.kind, AuthorKind::Phone | AuthorKind::Gateway)
    }

    pub fn seat(seat: &Arc<str>) -> Author {
        Author { kind: AuthorKind::Seat, name: seat.clone() }
    }
}

impl MissCause {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            MissCause::Busy => "busy",
            MissCause::Rejected => "rejected",
            MissCause::NoAnswer => "no_answer",
            MissCause::NotRegistered => "not_registered",
            MissCause::Unreachable => "unreachable",
            MissCause::Dnd => "dnd",
            MissCause::Dropped => "dropped",
            MissCause::Ours => "ours",
        }
    }

    /// Tells whether too many of these put a seat on a break: its line may be busy with work, and what fails here is not its
    /// person's doing.
    pub fn pauses(self) -> bool {
        !matches!(self, MissCause::Busy | MissCause::Ours)
    }
}

/// The phone that a seat has said it uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    #[default]
    Sip,
    Webrtc,
    Pstn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutWhy {
    Asked,
    /// Nothing was heard of its toolbar for too long.
    Heartbeat,
    /// Its phone's registration is over.
    Unregistered,
    /// The seat is configured no more.
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// 示忙: without an end of its own.
    Busy,
    /// 小休: for some minutes.
    Rest,
    /// It let too many calls ring; it ends by itself.
    Missed,
}

/// Why a queue called a seat in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissCause {
    Busy,
    Rejected,
    NoAnswer,
    NotRegistered,
    Unreachable,
    /// Do not disturb, or its phone forwards.
    Dnd,
    /// It answered, and was gone before anybody could be heard.
    Dropped,
    /// No port, no channel, no way: a reason of ours.
    Ours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingCause {
    Queue,
    Direct,
    Outbound,
    Callback,
    Consult,
    Transfer,
    Monitor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuperviseMode {
    /// The supervisor hears all and is heard by nobody.
    Monitor,
    /// The seat alone hears the supervisor.
    Whisper,
    /// All hear each other.
    Barge,
}

impl SuperviseMode {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            SuperviseMode::Monitor => "monitor",
            SuperviseMode::Whisper => "whisper",
            SuperviseMode::Barge => "barge",
        }
    }
}

/// The part of a seat in its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TalkRole {
    /// The caller is its own.
    #[default]
    Main,
    /// Another seat has fetched it, to ask it or to talk as three, and is still there.
    Assistant,
}

/// The side that has ended a seat's part in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedBy {
    /// The person who called, or whom a seat has called.
    Caller,
    /// The seat itself, by its phone or its toolbar; also by moving its caller.
    Seat,
    /// Another seat or a target; also one that has answered first.
    Other,
    /// A supervisor or an operator.
    Supervisor,
    /// A time that was over, or the gateway's own end.
    #[default]
    Gateway,
    /// The phone or the line is dead.
    Network,
}

/// The end of a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviewEnd {
    Called,
    Declined,
    /// The seat did neither in time.
    Expired,
    /// Another preview has its place, or the seat has signed out.
    Replaced,
}

/// Those who are to act on a forgotten hold, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldAlarm {
    Seat,
    Supervisor,
    /// The caller goes back to the head of its queue.
    Queue,
}
