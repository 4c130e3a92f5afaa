//! Commands that operators and programs may give about live calls, and what they are told. JSON shapes stand at the edge.

mod access;

pub use access::{Holder, Missing, Right, Role};

use crate::base::CallId;
use crate::call::Refusal;
pub use crate::call::keys::Codes;
pub use crate::call::{LegView, Mode};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Calls(Numbers),
    Call(CallId, Numbers),
    Transfer {
        call: CallId,
        to: String,
        mode: Mode,
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
}

/// How callers' numbers are told.
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
    /// How many calls are in progress.
    Left(usize),
}

/// A list longer than this is of no use to a person, and long to make on the switch's thread.
pub const MOST_CALLS: usize = 1000;

#[derive(Clone, Debug, PartialEq)]
pub struct CallView {
    pub id: CallId,
    pub line: String,
    pub number: String,
    /// Masked unless asked for in full.
    pub caller: Option<String>,
    /// `announcing`, `queued`, `ringing`, `talking` …
    pub state: &'static str,
    pub legs: Vec<LegView>,
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
}

impl Why {
    /// One sentence for people, and whether asking again later may help.
    pub fn words(self) -> (&'static str, bool) {
        match self {
            Why::NoSuchCall => ("there is no such call, or it is over", false),
            Why::NoSuchLeg => ("the call has no such leg, or it may not be dropped", false),
            Why::UnknownTarget => ("the dial plan has nobody to call for this number", false),
            Why::AreaUnknown => ("the caller's city is not known: say whose line it is, by the area code", false),
            Why::ForeignHost => ("that address is another host's: only numbers of the dial plan can be reached", false),
            Why::SameParty => ("the call is with this party already", false),
            Why::Loop => ("this caller has been there and came back: the first receiver keeps the call", false),
            Why::Ending => ("the gateway is ending", false),
            Why::Call(Refusal::NotTalking) => ("nobody talks in this call now", true),
            Why::Call(Refusal::Busy) => ("another transfer of this call is under way", true),
            Why::Call(Refusal::NotAllowed) => ("this party may not do that in this call", false),
            Why::Call(Refusal::Nothing) => ("no transfer is under way that this could apply to", false),
            Why::Call(Refusal::TooMany) => ("no more parties can be called in this call", false),
        }
    }
}

impl From<Refusal> for Why {
    fn from(refusal: Refusal) -> Why {
        Why::Call(refusal)
    }
}
