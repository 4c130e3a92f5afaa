//! The verbs of a seat's toolbar, and what it is told.

use crate::base::{CallId, Text};
use crate::event::seat::{Author, Device, Skills, SuperviseMode};
use crate::event::{Intent, TransferKind};
use std::sync::Arc;
use std::time::Duration;

/// A verb of a seat's toolbar (软电话条). It is given by the seat itself, or by one who may give it in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum SeatVerb {
    Login {
        /// Another who is signed in there is signed out.
        force: bool,
        device: Device,
        /// None: those of the configuration.
        skills: Option<Skills>,
        /// None: ready at once.
        busy: Option<Arc<str>>,
    },
    Logout,
    Ready,
    NotReady {
        reason: Arc<str>,
    },
    Break {
        minutes: u32,
        reason: Arc<str>,
    },
    EndBreak,
    WrapUpEnter,
    WrapUpLeave,
    WrapUpExtend {
        seconds: u32,
    },
    AutoAnswer {
        on: bool,
    },
    SetSkills {
        skills: Skills,
    },
    Notice {
        text: Arc<str>,
    },
    Call(Outgoing),
    Answer,
    Reject,
    HangUp,
    Hold,
    Retrieve,
    Mute,
    Unmute,
    Dtmf {
        digits: String,
    },
    Consult {
        to: String,
    },
    Cancel,
    Alternate,
    Transfer {
        to: String,
        kind: TransferKind,
    },
    /// The consultation is over and the caller stays with its target.
    Complete,
    Conference,
    Leave,
    Retake,
    PickUp {
        /// The seat that rings.
        seat: Arc<str>,
    },
    Supervise {
        /// The seat that is supervised.
        seat: Arc<str>,
        mode: SuperviseMode,
    },
    SuperviseMode {
        mode: SuperviseMode,
    },
    StopSupervising,
    Intercept {
        seat: Arc<str>,
    },
    ForceDrop,
    SetData {
        key: String,
        value: String,
    },
    Record(RecordVerb),
}

impl SeatVerb {
    /// In a word, as the API's path has it.
    pub fn name(&self) -> &'static str {
        match self {
            SeatVerb::Login { .. } => "login",
            SeatVerb::Logout => "logout",
            SeatVerb::Ready => "ready",
            SeatVerb::NotReady { .. } => "not-ready",
            SeatVerb::Break { .. } => "break",
            SeatVerb::EndBreak => "end-break",
            SeatVerb::WrapUpEnter => "wrap-up",
            SeatVerb::WrapUpLeave => "end-wrap-up",
            SeatVerb::WrapUpExtend { .. } => "extend-wrap-up",
            SeatVerb::AutoAnswer { .. } => "auto-answer",
            SeatVerb::SetSkills { .. } => "skills",
            SeatVerb::Notice { .. } => "notice",
            SeatVerb::Call(_) => "call",
            SeatVerb::Answer => "answer",
            SeatVerb::Reject => "reject",
            SeatVerb::HangUp => "hang-up",
            SeatVerb::Hold => "hold",
            SeatVerb::Retrieve => "retrieve",
            SeatVerb::Mute => "mute",
            SeatVerb::Unmute => "unmute",
            SeatVerb::Dtmf { .. } => "dtmf",
            SeatVerb::Consult { .. } => "consult",
            SeatVerb::Cancel => "cancel",
            SeatVerb::Alternate => "alternate",
            SeatVerb::Transfer { .. } => "transfer",
            SeatVerb::Complete => "complete",
            SeatVerb::Conference => "conference",
            SeatVerb::Leave => "leave",
            SeatVerb::Retake => "retake",
            SeatVerb::PickUp { .. } => "pick-up",
            SeatVerb::Supervise { mode, .. } => mode.name(),
            SeatVerb::SuperviseMode { .. } => "switch",
            SeatVerb::StopSupervising => "stop",
            SeatVerb::Intercept { .. } => "intercept",
            SeatVerb::ForceDrop => "force-drop",
            SeatVerb::SetData { .. } => "data",
            SeatVerb::Record(_) => "record",
        }
    }
}

/// A call that a seat places by its toolbar.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    pub to: String,
    /// The hotline in whose name it is placed.
    pub hotline: Option<String>,
    /// The row of the callback list that it is for.
    pub callback: Option<String>,
    /// The ticket that it is for.
    pub ticket: Option<String>,
    /// The seat looks at it first, and calls by the same verb without this.
    pub preview: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordVerb {
    Start,
    Pause,
    /// Silence of the same length stands for what is said.
    Mask,
    Resume,
    Stop,
}

/// A seat's two axes at one moment, and its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatView {
    pub seat: Arc<str>,
    pub label: Option<Arc<str>>,
    pub intent: Intent,
    /// How long it has been so.
    pub since: Duration,
    /// How long until it ends by itself, or is overdue.
    pub left: Option<Duration>,
    pub overdue: bool,
    pub next: Option<Intent>,
    pub by: Author,
    pub device: DeviceState,
    pub phone: Device,
    pub skills: Skills,
    pub auto_answer: bool,
    pub misses: u32,
    pub queues: Vec<Arc<str>>,
    pub calls: Vec<CallId>,
    /// The log of seats stood here.
    pub n: u64,
}

/// The axis of the phone: it follows from bindings and live legs, and nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    Gone,
    Idle,
    Ringing,
    Talking,
}

impl DeviceState {
    pub fn name(self) -> &'static str {
        match self {
            DeviceState::Gone => "gone",
            DeviceState::Idle => "idle",
            DeviceState::Ringing => "ringing",
            DeviceState::Talking => "talking",
        }
    }
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    pub queue: Arc<str>,
    pub waiting: usize,
    /// The longest wait of those who wait now.
    pub longest: Duration,
    /// Seats of it, and those of them that are ready, that take a call now, and that talk.
    pub seats: usize,
    pub ready: usize,
    pub free: usize,
    pub talking: usize,
}

/// Why a verb was not carried out; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatRefusal {
    UnknownSeat,
    SignedOut,
    /// Another is signed in there.
    Taken,
    NotOnBreak,
    NotInWrapUp,
    /// Longer than what is allowed.
    TooLong,
    UnknownSkill,
    /// The seat has no call that this could be about.
    NoCall,
    /// It is in a call.
    InCall,
    /// Its phone cannot be reached.
    Gone,
}

impl SeatRefusal {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            SeatRefusal::UnknownSeat => "unknown_seat",
            SeatRefusal::SignedOut => "signed_out",
            SeatRefusal::Taken => "taken",
            SeatRefusal::NotOnBreak => "not_on_break",
            SeatRefusal::NotInWrapUp => "not_in_wrap_up",
            SeatRefusal::TooLong => "too_long",
            SeatRefusal::UnknownSkill => "unknown_skill",
            SeatRefusal::NoCall => "no_call",
            SeatRefusal::InCall => "in_call",
            SeatRefusal::Gone => "gone",
        }
    }

    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (Text, bool) {
        match self {
            SeatRefusal::UnknownSeat => (both!("there is no such seat", "没有此座席"), false),
            SeatRefusal::SignedOut => (both!("the seat is signed out: sign in first", "座席未签入：请先签入"), false),
            SeatRefusal::Taken => {
                (both!("another is signed in at this seat: sign in with `force`", "此座席已有他人签入：可强制签入"), false)
            }
            SeatRefusal::NotOnBreak => (both!("the seat is on no break", "座席不在示忙或小休状态"), false),
            SeatRefusal::NotInWrapUp => (both!("the seat is not in wrap-up", "座席不在话后整理状态"), false),
            SeatRefusal::TooLong => (both!("longer than is allowed", "超过允许的时长或长度"), false),
            SeatRefusal::UnknownSkill => (both!("no queue knows this skill", "没有队列使用此技能"), false),
            SeatRefusal::NoCall => (both!("the seat has no such call now", "座席目前没有此类通话"), true),
            SeatRefusal::InCall => (both!("the seat is in a call", "座席正在通话"), true),
            SeatRefusal::Gone => (both!("the seat's phone cannot be reached", "座席话机无法接通"), true),
        }
    }
}
