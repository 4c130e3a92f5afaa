//! Finds a way for a caller whom a queue does not serve: the steps of the plan's line go on; at their end the queue's own chain
//! does, once; at its end stands an apology. The chain has one deadline, after which nobody is waited for any more.

use super::{Call, Outcome, Output, QueueCommand, Stage, Then};
use crate::base::{Mono, Now};
use crate::event::{By, Result};
use crate::plan::Step;

/// The chain that a caller goes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overflow {
    /// Until when somebody may be waited for.
    until: Mono,
    /// Why the queue did not serve the caller.
    result: Result,
}

impl Call {
    /// Nobody took the caller.
    pub(super) fn leave_queue(&mut self, now: Now, result: Result) {
        let Stage::Queued { queue } = &self.stage else { return };
        let queue = queue.clone();
        self.hang_up_parties(false);
        if self.next < self.steps.len() {
            return self.next_step(now);
        }
        let chain = self.policy.callers.waiting.get(&queue).filter(|waiting| !waiting.overflow.is_empty());
        match chain {
            Some(waiting) if self.overflow.is_none() => {
                self.overflow = Some(Overflow { until: now.mono.after(waiting.overflow_within), result });
                (self.steps, self.next) = (waiting.overflow.clone(), 0);
                self.next_step(now);
            }
            _ => self.apologise(result),
        }
    }

    /// The caller is sent away, with words where it hears any.
    pub(super) fn apologise(&mut self, result: Result) {
        let result = self.overflow.map_or(result, |overflow| overflow.result);
        let outcome = Outcome { result, by: By::Gateway, status: Some(480), q850: Some(19) };
        match self.policy.apology.clone().filter(|_| !self.is_deaf()) {
            Some(prompt) => self.play_prompt(prompt, Then::Refuse(outcome)),
            None => self.refuse(outcome),
        }
    }

    /// The steps came to their end, and nobody answered.
    pub(super) fn out_of_steps(&mut self) {
        match self.overflow {
            Some(overflow) => self.apologise(overflow.result),
            None => self.refuse(Outcome::nobody(self.failure)),
        }
    }

    /// When the chain waits for nobody any more.
    pub(super) fn overflow_ends(&self) -> Option<Mono> {
        self.overflow.filter(|_| matches!(self.stage, Stage::Queued { .. } | Stage::Ringing { .. })).map(|it| it.until)
    }

    /// Steps over what would wait for somebody, once the chain's time is over.
    pub(super) fn skip_waiting(&mut self, now: Now) {
        let waits = |step: &Step| matches!(step, Step::Queue { .. } | Step::Ring { .. } | Step::Menu { .. });
        if self.overflow.is_some_and(|overflow| overflow.until <= now.mono) {
            self.next += self.steps.iter().skip(self.next).take_while(|step| waits(step)).count();
        }
    }

    /// The chain's time is over while the caller waits.
    pub(super) fn overflow_is_over(&mut self, now: Now) {
        if self.overflow_ends().is_none_or(|until| until > now.mono) {
            return;
        }
        if matches!(self.stage, Stage::Queued { .. }) {
            self.out.push(Output::Queue(QueueCommand::Leave));
        }
        self.hang_up_parties(false);
        self.next_step(now);
    }

    /// The reason for which the caller is lost, once a queue has not served it.
    pub fn lost_as(&self) -> Option<Result> {
        self.overflow.map(|overflow| overflow.result)
    }

    /// Somebody has taken the caller: if it comes back, all is as at first.
    pub(super) fn served(&mut self) {
        self.overflow = None;
    }
}
