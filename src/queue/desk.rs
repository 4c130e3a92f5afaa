use crate::base::Mono;
use std::sync::Arc;
use std::time::Duration;

/// A seat as the queue sees it: its channels and who holds them.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    /// 0 once the configuration no longer names it: it finishes its calls.
    pub channels: u32,
    pub ringing: u32,
    pub talking: u32,
    /// Passed over until then; none: it is not resting.
    pub rests_until: Option<Mono>,
    /// How often in a row it did not answer; above 0 it is in doubt.
    pub misses: u32,
    /// Serial number of its last work: the lower, the longer idle.
    pub last_work: u64,
    /// The lines that it serves.
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

impl Desk {
    pub fn taken(&self) -> u32 {
        self.ringing + self.talking
    }

    /// One phone of one person, whose absence concerns every call.
    pub fn is_phone(&self) -> bool {
        self.channels <= 1
    }

    pub fn is_gone(&self) -> bool {
        self.channels == 0 && self.taken() == 0
    }

    /// Where it stands among idle seats; none: it takes no call now.
    pub fn idle(&self, seat: &Arc<str>) -> Option<Idle> {
        let free = self.rests_until.is_none() && self.taken() < self.channels;
        let doubtful = self.misses > 0;
        free.then(|| Idle { doubtful, ringing: self.ringing, last_work: self.last_work, seat: seat.clone() })
    }

    /// How long it rests after a failure: twice as long each time it is missed.
    pub fn rest(&self, (shortest, longest): (Duration, Duration)) -> Duration {
        let doubled = 1_u32.checked_shl(self.misses.saturating_sub(1)).unwrap_or(u32::MAX);
        shortest.saturating_mul(doubled).min(longest.max(shortest))
    }
}
