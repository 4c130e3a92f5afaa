//! Commands that operators and programs may give about live calls, and what they are told. JSON shapes stand at the edge.

mod access;
pub mod seat;
mod trunk;

pub use access::{Holder, Missing, Reach, Right, Role};

use crate::base::{CallId, Text};
pub use crate::call::LegView;
use crate::call::Refusal;
pub use crate::call::feature_codes::{FeatureCodes, ShiftCode};
pub use crate::event::TransferKind;
use crate::event::fact::{CallbackFact, ListedFact};
use crate::event::seat::Author;
use crate::event::{CallDirection, DialledFrom};
use crate::list::Refusal as ListRefusal;
pub use seat::{QueueView, SeatRefusal, SeatVerb, SeatView};
use std::sync::Arc;
pub use trunk::{FailureView, PeerView, RegistrationView, TrunkView};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Calls(Numbers),
    Call(CallId, Numbers),
    /// A call that this seat is in; nobody's any more once it has left.
    CallOf {
        seat: Arc<str>,
        call: CallId,
        numbers: Numbers,
    },
    Transfer {
        call: CallId,
        to: String,
        kind: TransferKind,
    },
    Complete(CallId),
    Cancel(CallId),
    Swap(CallId),
    /// Consultation becomes a three-way call.
    Merge(CallId),
    Drop {
        call: CallId,
        leg: u64,
    },
    /// No new calls from now on; live ones finish.
    Drain,
    /// New calls are taken again.
    Undrain,
    /// At most [`PAGE`] of them, by name, behind this one.
    Seats {
        after: Option<Arc<str>>,
    },
    /// One seat, as it stands.
    SeatOf(Arc<str>),
    Queues,
    /// Trunks, and our accounts there.
    Trunks,
    /// A verb of a seat's toolbar.
    Seat {
        seat: Arc<str>,
        by: Author,
        verb: Box<SeatVerb>,
    },
    /// Missed callers who are to be rung back: at most [`PAGE`] rows, by id, behind this one.
    Callbacks {
        after: Option<Arc<str>>,
    },
    /// A row of that list; without a seat an operator does it.
    Callback {
        id: Arc<str>,
        seat: Option<Arc<str>>,
        verb: ListVerb,
    },
    /// Numbers that are turned away, or go before others: at most [`PAGE`], behind this one.
    Numbers {
        after: Option<Arc<str>>,
    },
    ListNumber(Box<ListedFact>),
    UnlistNumber(String),
    /// The seat's toolbar is there.
    Heard {
        seat: Arc<str>,
        by: Author,
    },
}

/// An act on a row of the callback list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListVerb {
    /// The seat has it to itself for a time.
    Take,
    GiveBack,
    /// Nobody needs to ring this caller back.
    Done,
}

/// How callers' numbers are told, and what seats have noted of their calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    #[default]
    Masked,
    Full,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// At most [`MOST_CALLS`] of them, and how many there are in all.
    Calls {
        calls: Vec<CallView>,
        total: usize,
    },
    Call(Box<CallView>),
    Done,
    Refused(Why),
    /// [`Why::AreaUnknown`], and the area codes to choose from.
    Choose(Vec<Arc<str>>),
    /// Number of calls in progress.
    Left(usize),
    Seat(Box<SeatView>),
    Seats(Vec<SeatView>),
    Queues(Vec<QueueView>),
    Trunks(Vec<TrunkView>),
    Callbacks(Vec<CallbackFact>),
    Numbers(Vec<ListedFact>),
}

/// The most that is made of a list at once on the switch's thread; a shorter answer has the end of it.
pub const PAGE: usize = 200;

/// A list longer than this is of no use to a person, and long to make on the switch's thread.
pub const MOST_CALLS: usize = 1000;

#[derive(Clone, Debug, PartialEq)]
pub struct CallView {
    pub id: CallId,
    pub direction: CallDirection,
    pub line: String,
    pub number: String,
    /// Where the number stood that was dialled, and the rules of its trunk's `called_in` that have rewritten it, from 1.
    pub dialled_from: DialledFrom,
    pub dialled_by_rules: Vec<usize>,
    /// Masked unless asked for in full.
    pub caller: Option<String>,
    /// `announcing`, `queued`, `ringing`, `talking` …
    pub state: &'static str,
    pub legs: Vec<LegView>,
    /// `recording`, `paused`, `masked` or `off`.
    pub recording: &'static str,
    /// Call data in the order in which it was set; its values where numbers are told in full.
    pub data: Vec<(String, Option<String>)>,
}

/// Why nothing was done; the conversation is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    NoSuchCall,
    NoSuchLeg,
    /// The dial plan has no party for this number.
    UnknownTarget,
    /// An emergency line that each city has of its own, and the caller's city is not known.
    AreaUnknown,
    /// An address that is not ours: only numbers of the dial plan can be reached.
    ForeignHost,
    /// The call already is with this party.
    SameParty,
    /// The caller was sent to this target a short while ago and came back: the first receiver keeps it (首接负责).
    Loop,
    /// The gateway has been told to end: it takes no calls any more.
    Ending,
    Call(Refusal),
    Seat(SeatRefusal),
    List(ListRefusal),
}

impl Why {
    /// In a word, as programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Why::NoSuchCall => "no_such_call",
            Why::NoSuchLeg => "no_such_leg",
            Why::UnknownTarget => "unknown_target",
            Why::AreaUnknown => "area_unknown",
            Why::ForeignHost => "foreign_host",
            Why::SameParty => "same_party",
            Why::Loop => "loop",
            Why::Ending => "ending",
            Why::Call(Refusal::NotTalking) => "not_talking",
            Why::Call(Refusal::Busy) => "busy",
            Why::Call(Refusal::HelpRings) => "help_rings",
            Why::Call(Refusal::NotAllowed) => "not_allowed",
            Why::Call(Refusal::Nothing) => "nothing",
            Why::Call(Refusal::TooMany) => "too_many",
            Why::Seat(refusal) => refusal.name(),
            Why::List(refusal) => refusal.name(),
        }
    }

    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (Text, bool) {
        match self {
            Why::NoSuchCall => (both!("there is no such call, or it is over", "没有此通话，或已结束"), false),
            Why::NoSuchLeg => {
                (both!("the call has no such leg, or it may not be dropped", "通话中没有此方，或不能挂断它"), false)
            }
            Why::UnknownTarget => (both!("the dial plan has nobody to call for this number", "号码方案中此号码无人可呼"), false),
            Why::AreaUnknown => (
                both!(
                    "the caller's city is not known: say whose line it is, by the area code",
                    "不知道来电人所在城市：请用区号说明是哪个城市的热线"
                ),
                false,
            ),
            Why::ForeignHost => (
                both!(
                    "that address is another host's: only numbers of the dial plan can be reached",
                    "该地址属于其他主机：只能呼叫号码方案中的号码"
                ),
                false,
            ),
            Why::SameParty => (both!("the call is with this party already", "通话已在与此方进行"), false),
            Why::Loop => (
                both!(
                    "this caller has been there and came back: the first receiver keeps the call",
                    "来电人已转去过并被转回：由首接方继续办理"
                ),
                false,
            ),
            Why::Seat(refusal) => refusal.words(),
            Why::List(refusal) => refusal.words(),
            Why::Ending => (both!("the gateway is ending", "网关正在退出"), false),
            Why::Call(Refusal::NotTalking) => (both!("nobody talks in this call now", "此通话目前无人交谈"), true),
            Why::Call(Refusal::Busy) => (both!("another transfer of this call is under way", "此通话的另一转接正在进行"), true),
            Why::Call(Refusal::HelpRings) => (
                both!(
                    "another emergency line rings, and this one was not called: ask again when that has answered, or cancel it",
                    "另一紧急热线正在振铃，本次未呼叫：请待其应答后再试，或先取消"
                ),
                true,
            ),
            Why::Call(Refusal::NotAllowed) => {
                (both!("this party may not do that in this call", "此方不能在此通话中这样操作"), false)
            }
            Why::Call(Refusal::Nothing) => {
                (both!("no transfer is under way that this could apply to", "没有可如此操作的转接"), false)
            }
            Why::Call(Refusal::TooMany) => (both!("no more parties can be called in this call", "此通话不能再呼叫更多方"), false),
        }
    }
}

impl From<SeatRefusal> for Why {
    fn from(refusal: SeatRefusal) -> Why {
        Why::Seat(refusal)
    }
}

impl From<Refusal> for Why {
    fn from(refusal: Refusal) -> Why {
        Why::Call(refusal)
    }
}
