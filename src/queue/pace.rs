//! How fast a queue moves: from it follows how long a caller will wait.

use crate::base::Mono;
use std::time::Duration;

/// One answer among so many of late.
const WEIGHT: u64 = 8;

/// The mean time between two answers while callers wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    mean: Option<u64>,
    /// The last answer, where others waited on after it.
    last: Option<Mono>,
}

impl Pace {
    /// A caller was answered; `others` wait on. Time in which nobody waits says nothing.
    pub fn answered(&mut self, now: Mono, others: bool) {
        if let Some(last) = self.last {
            let gap = u64::try_from(now.since(last).as_micros()).unwrap_or(u64::MAX);
            self.mean = Some(self.mean.map_or(gap, |mean| mean - mean / WEIGHT + gap / WEIGHT));
        }
        self.last = others.then_some(now);
    }

    /// The wait of a caller with so many ahead; none: not known yet.
    pub fn wait(&self, ahead: usize) -> Option<Duration> {
        let turns = u64::try_from(ahead).unwrap_or(u64::MAX).saturating_add(1);
        self.mean.map(|mean| Duration::from_micros(mean.saturating_mul(turns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_answers_while_others_wait() {
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        let mut pace = Pace::default();
        assert_eq!(pace.wait(3), None);
        pace.answered(at(100), true);
        assert_eq!(pace.wait(3), None, "one answer is no pace");
        pace.answered(at(110), false);
        assert_eq!(pace.wait(3), Some(Duration::from_secs(40)));
        pace.answered(at(5000), true);
        assert_eq!(pace.wait(0), Some(Duration::from_secs(10)), "nobody waited in between");
        for n in 1..100 {
            pace.answered(at(5000 + 2 * n), true);
        }
        let wait = pace.wait(0).unwrap();
        assert!(wait >= Duration::from_millis(1990) && wait < Duration::from_millis(2010), "{wait:?}");
    }
}
