//! The steps of the plan, one after another, until one ends in a conversation or a refusal.

use super::{CALLER, Call, Caller, Outcome, Output, QueueCommand, QueueEvent, Stage, Then};
use crate::base::Now;
use crate::event::{Result, What};
use crate::plan::Step;
use crate::queue::Priority;
use crate::sip::Status;
use std::sync::Arc;

impl Call {
    pub(super) fn next_step(&mut self, now: Now) {
        let steps = self.steps.clone();
        if self.is_deaf() && self.worth_answering() {
            // The ACK brings its media, and this step comes anew.
            self.answer_caller();
            self.stage = Stage::Opening;
            return;
        }
        self.skip_waiting(now);
        let step = steps.get(self.next);
        if let Some(prompt) = self.told_before(step) {
            self.progress(now);
            return self.play_prompt(prompt, Then::NextStep);
        }
        self.next += 1;
        match step {
            Some(Step::Announce { prompt, answered }) => self.announce(now, prompt.clone(), *answered),
            Some(Step::Queue { queue, high }) => self.join_queue(now, queue.clone(), *high, false),
            Some(Step::Ring { targets, timeout, .. }) => self.ring_target(now, targets, *timeout, 0),
            Some(Step::Offer { key, wait }) => {
                self.progress(now);
                self.stage = Stage::Offering { key: *key, until: now.mono.after(*wait) };
            }
            Some(Step::Reject { status, q850 }) => self.refuse(Outcome::rejected(*status, *q850)),
            Some(Step::Callback { .. }) if self.unlisted => self.next_step(now),
            Some(step @ (Step::Menu { .. } | Step::Callback { .. })) => self.ask_step(now, step),
            Some(Step::Message { prompt, key, most }) => self.take_message(now, prompt.clone(), *key, *most),
            None => self.out_of_steps(),
        }
    }

    /// Tells whether a key of the caller's means something to the plan now.
    pub fn awaits_key(&self) -> bool {
        matches!(self.stage, Stage::Asking(_) | Stage::Message(_)) || self.offered_key().is_some()
    }

    /// The key that is offered, or will be when the prompts before it have been spoken.
    fn offered_key(&self) -> Option<char> {
        match &self.stage {
            Stage::Offering { key, .. } => Some(*key),
            Stage::Announcing { then: Then::NextStep, .. } => {
                let mut ahead = self.steps.iter().skip(self.next).skip_while(|step| matches!(step, Step::Announce { .. }));
                if let Some(Step::Offer { key, .. }) = ahead.next() { Some(*key) } else { None }
            }
            _ => None,
        }
    }

    /// Nobody has to hear the offer to its end.
    pub(super) fn key(&mut self, now: Now, pressed: char) {
        if matches!(self.stage, Stage::Asking(_)) {
            self.answered_with(now, pressed);
        } else if matches!(self.stage, Stage::Message(_)) {
            self.message_key(now, pressed);
        } else if self.offered_key() == Some(pressed) {
            let from = self.next.saturating_sub(1);
            let offer = self.steps.iter().skip(from).position(|step| matches!(step, Step::Offer { .. }));
            self.next = from + offer.unwrap_or(0) + 1;
            self.next_step(now);
        }
    }

    /// A caller whose first offer can only come with our 200 hears nothing before it.
    pub(super) fn is_deaf(&self) -> bool {
        self.late && self.caller != Caller::Answered
    }

    /// True when something must be heard now: a queue's music, a key that is offered, or a voice, with the prompts before them. Before
    /// targets that may not answer, or a refusal, prompts are left out: nobody is charged for those.
    fn worth_answering(&self) -> bool {
        let mut ahead = self.steps.iter().skip(self.next);
        let answered = matches!(ahead.clone().next(), Some(Step::Announce { answered: true, .. }));
        let then = ahead.find(|step| !matches!(step, Step::Announce { .. }));
        let heard = |step: &Step| !matches!(step, Step::Announce { .. } | Step::Ring { .. } | Step::Reject { .. });
        answered || then.is_some_and(heard)
    }

    fn announce(&mut self, now: Now, prompt: Arc<str>, answered: bool) {
        if self.is_deaf() {
            return self.next_step(now);
        }
        if answered {
            self.answer_caller();
        } else {
            self.progress(now);
        }
        self.play_prompt(prompt, Then::NextStep);
    }

    pub(super) fn play_prompt(&mut self, prompt: Arc<str>, then: Then) {
        self.next_cue += 1;
        let cue = self.next_cue;
        self.tell(Output::Announcing { prompt: prompt.clone() });
        self.stage = Stage::Announcing { cue, prompt, then };
    }

    pub(super) fn played(&mut self, now: Now, finished: u32) {
        self.told(finished);
        match self.stage {
            Stage::Announcing { cue, then: Then::NextStep, .. } if cue == finished => self.next_step(now),
            Stage::Announcing { cue, then: Then::Refuse(outcome), .. } if cue == finished => self.refuse(outcome),
            Stage::Queued { .. } => {
                self.announcer.played(finished);
                self.asked_to_accept(finished);
            }
            Stage::Asking(_) => self.asked(now, finished),
            Stage::Message(_) => self.message_begins(now, finished),
            Stage::Talking(_) => self.noticed(now, finished),
            _ => {}
        }
    }

    pub(super) fn join_queue(&mut self, now: Now, queue: Arc<str>, high: bool, head: bool) {
        self.dismiss_watchers();
        self.progress(now);
        self.journal(What::Queued { queue: queue.to_string() });
        self.high |= high;
        let priority = match (self.high, self.preferred) {
            (true, _) => Priority::HIGH,
            (false, true) => Priority::PREFERRED,
            (false, false) => Priority::NORMAL,
        };
        self.stage = Stage::Queued { queue: queue.clone() };
        self.begin_announcements(now);
        self.out.push(Output::Queue(QueueCommand::Join { queue, priority, head }));
    }

    pub(super) fn queue_event(&mut self, now: Now, event: QueueEvent) {
        match (&self.stage, event) {
            (Stage::Queued { queue }, QueueEvent::Ring { seat, choice }) => {
                let queue = queue.clone();
                self.ring_seat(&queue, seat, choice);
            }
            (Stage::Queued { .. }, QueueEvent::Stop { seat, elsewhere }) => self.stop_seat(&seat, elsewhere),
            (Stage::Queued { .. }, QueueEvent::NoSeat) => self.leave_queue(now, Result::NoSeat),
            (Stage::Queued { .. }, QueueEvent::Full) => self.leave_queue(now, Result::QueueFull),
            (Stage::Queued { .. }, QueueEvent::TimedOut) => {
                let result = if self.rang { Result::Timeout } else { Result::NoSeat };
                self.leave_queue(now, result);
            }
            (Stage::Queued { .. }, QueueEvent::Place { ahead, wait }) => self.told_place(ahead, wait),
            _ => {}
        }
    }

    /// 183 with our SDP, so that the caller hears prompts, music and ringback made by us (RFC 3960 §3.2).
    pub(super) fn progress(&mut self, now: Now) {
        if self.caller != Caller::Trying {
            return;
        }
        self.caller = Caller::Early;
        // One that does not hear us makes a ringing tone of its own.
        let (status, media) = if self.is_deaf() { (180, false) } else { (183, true) };
        self.out.push(Output::Progress { leg: CALLER, status: Status(status), media });
        self.early_until = Some(now.mono.after(self.early_max));
    }

    /// 200 to the caller, once: charging starts.
    pub(super) fn answer_caller(&mut self) {
        if matches!(self.caller, Caller::Trying | Caller::Early) {
            self.caller = Caller::Answered;
            self.early_until = None;
            self.out.push(Output::Answer { leg: CALLER });
            self.journal(What::CallerAnswered);
        }
    }

    /// The early phase lasted as long as a carrier bears, and it is not for nothing.
    pub(super) fn answer_long_wait(&mut self, now: Now) {
        if self.early_until.is_some_and(|at| at <= now.mono) && self.may_answer() {
            self.out.retain(|output| !matches!(output, Output::Progress { leg: CALLER, .. }));
            self.answer_caller();
        }
    }

    /// A caller is answered, and so charged, where a human or a queue waits: a target that rings, a queue that it is in or
    /// will come to. Never for a target that gives no sign.
    pub(super) fn may_answer(&self) -> bool {
        match &self.stage {
            Stage::Queued { .. } => true,
            Stage::Ringing { leg, .. } => self.parties.get(leg).is_some_and(|called| called.rings),
            Stage::Announcing { then: Then::NextStep, .. } | Stage::Offering { .. } | Stage::Asking(_) => {
                self.steps.iter().skip(self.next).any(|step| matches!(step, Step::Queue { .. }))
            }
            _ => false,
        }
    }
}
