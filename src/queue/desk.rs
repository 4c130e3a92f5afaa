use crate::seat;
use std::sync::Arc;

/// A seat's place in the lines that it serves.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub lines: Vec<Arc<str>>,
    /// Its place in the lines' order of idle seats, while it is there.
    pub listed: Option<Idle>,
}

/// The order in which free seats are tried: those in no doubt, fewer calls ringing, then longest idle, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Idle {
    pub doubtful: bool,
    ringing: u32,
    last_work: u64,
    pub seat: Arc<str>,
}

impl Idle {
    /// Where it stands among idle seats; none: it takes no call now.
    pub fn of(seat: &Arc<str>, state: &seat::State) -> Option<Idle> {
        let seat::State { ringing, last_work, .. } = *state;
        state.is_free().then(|| Idle { doubtful: state.is_doubtful(), ringing, last_work, seat: seat.clone() })
    }
}
