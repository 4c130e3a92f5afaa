//! Durations of calls that people set alarms on, told as they end.

use crate::base::Mono;
use crate::event::What;
use std::time::Duration;

/// A duration that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// From the INVITE to the final response that left to the caller. Once for each call.
    CallSetup(Duration),
    /// From the place in a queue until somebody answered, or the caller left it. Once for each wait.
    QueueWait(Duration),
}

/// The part of a call's state that these are made of.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    queued: Option<Mono>,
    /// The caller's final response is made: it leaves as soon as it may.
    made: bool,
    left: bool,
}

impl Stopwatch {
    /// Begins for a call whose final response comes to us: it has no set-up time of ours.
    pub fn of_placed() -> Stopwatch {
        Stopwatch { left: true, ..Stopwatch::default() }
    }

    /// Notes an entry of the call's log; gives the wait that ends with it.
    pub fn note(&mut self, now: Mono, what: &What) -> Option<Timed> {
        let before = match what {
            What::Queued { .. } => self.queued.replace(now),
            What::Joined { .. } => self.queued.take(),
            What::CallerAnswered => {
                self.made = true;
                None
            }
            What::Ended { .. } => {
                self.made = true;
                self.queued.take()
            }
            _ => None,
        };
        before.map(|since| Timed::QueueWait(now.since(since)))
    }

    /// Final responses may leave now: gives the set-up time of a call whose final response does.
    pub fn may_leave(&mut self, since: Mono, now: Mono) -> Option<Timed> {
        let leaves = self.made && !std::mem::replace(&mut self.left, self.made);
        leaves.then(|| Timed::CallSetup(now.since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{By, Result};

    const fn second(n: u64) -> Mono {
        Mono(n * 1_000_000)
    }

    fn queued(queue: &str) -> What {
        What::Queued { queue: queue.to_owned() }
    }

    fn ended() -> What {
        What::Ended { result: Result::Answered, by: By::Caller, status: None, q850: None }
    }

    #[test]
    fn each_wait_is_told_once_and_another_queue_begins_another() {
        let mut stopwatch = Stopwatch::default();
        assert_eq!(stopwatch.note(second(10), &queued("a")), None);
        assert_eq!(stopwatch.note(second(13), &queued("b")), Some(Timed::QueueWait(Duration::from_secs(3))));
        assert_eq!(stopwatch.note(second(20), &ended()), Some(Timed::QueueWait(Duration::from_secs(7))));
        assert_eq!(stopwatch.note(second(21), &ended()), None);
    }

    #[test]
    fn a_final_response_that_waits_for_the_journal_is_told_when_it_leaves() {
        let mut stopwatch = Stopwatch::default();
        assert_eq!(stopwatch.may_leave(second(10), second(11)), None, "there is none yet");
        stopwatch.note(second(12), &What::CallerAnswered);
        assert_eq!(stopwatch.may_leave(second(10), second(14)), Some(Timed::CallSetup(Duration::from_secs(4))));
        stopwatch.note(second(20), &ended());
        assert_eq!(stopwatch.may_leave(second(10), second(20)), None, "a call has one");
    }
}
