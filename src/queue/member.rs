use crate::seat::SeatState;
use std::sync::Arc;

/// A seat's place in the queues that it serves.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub queues: Vec<Arc<str>>,
    /// Its place in the queues' order of idle seats, while it is there.
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
    pub fn of(seat: &Arc<str>, state: &SeatState) -> Option<Idle> {
        let SeatState { ringing, last_work, .. } = *state;
        state.is_free().then(|| Idle { doubtful: state.is_doubtful(), ringing, last_work, seat: seat.clone() })
    }
}
