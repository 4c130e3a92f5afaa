//! The verbs of a seat's toolbar, and what it is told.

use crate::base::CallId;
use crate::event::Strategy;
use crate::event::seat::{Author, Device, Misses, Skills, SuperviseMode};
use crate::event::{Intent, TransferKind};
pub use crate::seat::{DeviceState, Refusal as SeatRefusal};
use std::sync::Arc;
use std::time::Duration;

/// Characters of the key and of the value of one datum of a call, of a notice, and keys pressed by one verb.
pub const DATA_KEY: usize = 32;
pub const DATA_VALUE: usize = 256;
pub const NOTICE: usize = 900;
pub const DIGITS: usize = 32;

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

impl SeatVerb {
    /// Somebody hears others by it or ceases to, or acts in their place: it is noted who, before it is done.
    pub fn is_supervision(&self) -> bool {
        use SeatVerb::{ForceDrop, Intercept, StopSupervising, Supervise, SuperviseMode};
        matches!(self, Supervise { .. } | SuperviseMode { .. } | StopSupervising | Intercept { .. } | ForceDrop)
    }
}

/// A call that a seat places by its toolbar.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// None: the caller of the row, or whom the seat was shown.
    pub to: Option<String>,
    /// The hotline in whose name it is placed.
    pub hotline: Option<String>,
    /// The row of the callback list that it is for.
    pub callback: Option<String>,
    /// The ticket that it is for.
    pub ticket: Option<String>,
    /// The seat looks at it first, and calls by the same verb without this.
    pub preview: bool,
    /// None: the same, asked once more, is another call.
    pub request: Option<RequestId>,
}

/// A request that is to place one call, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// Made of its id and of who sent it.
    pub id: Arc<str>,
    /// Made of what it asks for.
    pub asked: Arc<str>,
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
    /// Calls in vain since it last talked, by their causes.
    pub missed: Misses,
    pub queues: Vec<Arc<str>>,
    pub calls: Vec<CallId>,
    /// The call that the seat is to place or to decline.
    pub preview: Option<PreviewView>,
    /// The log of seats stood here.
    pub n: u64,
}

/// A call that a seat is shown before it places it.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewView {
    /// In full.
    pub to: String,
    pub hotline: Arc<str>,
    pub callback: Option<Arc<str>>,
    pub ticket: Option<Arc<str>>,
    pub left: Duration,
}

/// A queue at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    pub queue: Arc<str>,
    pub strategy: Strategy,
    pub waiting: usize,
    /// The longest wait of those who wait now.
    pub longest: Duration,
    /// Seats of it, and those of them that are ready, that take a call now, and that talk.
    pub seats: usize,
    pub ready: usize,
    pub free: usize,
    pub talking: usize,
    /// Seats of it on a break, or in wrap-up.
    pub on_break: usize,
}
