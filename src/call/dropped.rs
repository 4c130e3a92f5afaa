//! A party that answers and is gone before anybody could be heard has served nobody, whatever it was called for. A caller of a
//! queue goes back to its head, and the seat has missed it; after a target of the plan, or of a move, the next is called.

use super::{CALLER, Call, LegNo, Output, QueueCommand, Stage};
use crate::base::{Mono, Now};
use crate::event::TransferKind;
use crate::plan::Failure;

/// The party that answered last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fresh {
    pub leg: LegNo,
    /// A party that leaves before this has not been heard.
    pub until: Mono,
    /// The cue of what the caller is told first: meanwhile the two do not have each other.
    pub greeting: Option<u32>,
    /// Its place in the chain of the plan's step.
    pub target: Option<usize>,
}

impl Call {
    /// This party has answered. `target`: its place in the chain of the plan's step.
    pub(super) fn has_answered(&mut self, now: Now, leg: LegNo, target: Option<usize>) {
        let least = self.policy.least_talk;
        if let Some(talk) = self.talk().filter(|_| !least.is_zero()) {
            let greeting = talk.notice.as_ref().filter(|notice| notice.leg == CALLER).map(|notice| notice.cue);
            talk.fresh = Some(Fresh { leg, until: now.mono.after(least), greeting, target });
        }
    }

    /// The words that were spoken to a party of the conversation have come to their end.
    pub(super) fn noticed(&mut self, now: Now, finished: u32) {
        let least = self.policy.least_talk;
        let Some(talk) = self.talk() else { return };
        talk.notice.take_if(|notice| notice.cue == finished);
        if let Some(fresh) = talk.fresh.as_mut().filter(|fresh| fresh.greeting == Some(finished)) {
            (fresh.greeting, fresh.until) = (None, now.mono.after(least));
        }
    }

    /// The party hangs up: true when it has served nobody, and the caller, or the move, goes on without it.
    pub(super) fn dropped(&mut self, now: Now, leg: LegNo) -> bool {
        let Some(talk) = self.talk() else { return false };
        let Some(fresh) = talk.fresh.take_if(|fresh| fresh.leg == leg) else { return false };
        if fresh.greeting.is_none() && fresh.until <= now.mono || !talk.has(CALLER) {
            return false;
        }
        self.next_of_move(now, leg) || self.back_in_line(now, leg, fresh.target)
    }

    /// It was the target of a move.
    fn next_of_move(&mut self, now: Now, leg: LegNo) -> bool {
        let Some(talk) = self.talk() else { return false };
        let unproven = talk.unproven.take_if(|(transfer, _)| transfer.leg == leg).map(|(transfer, _)| transfer);
        let moved = talk.consulting().filter(|transfer| transfer.leg == leg).cloned().or(unproven);
        let other = talk.transfer.as_ref().is_some_and(|transfer| transfer.leg != leg);
        let Some(transfer) = moved.filter(|transfer| transfer.kind != TransferKind::Return && !other) else { return false };
        let index = transfer.index + 1;
        talk.leave(leg);
        talk.transfer = Some(transfer);
        self.ring_next(now, index);
        true
    }

    /// The caller was alone with it.
    fn back_in_line(&mut self, now: Now, leg: LegNo, target: Option<usize>) -> bool {
        let Some(talk) = self.talk() else { return false };
        if !talk.members().eq([CALLER, leg]) || talk.transfer.is_some() || talk.home.is_none() && target.is_none() {
            return false;
        }
        talk.leave(leg);
        let queue = talk.home.clone();
        if let Some(lease) = talk.lease.take() {
            self.out.push(Output::Queue(QueueCommand::Dropped { queue: lease.queue, seat: lease.seat }));
        }
        self.max_talk_at = None;
        match (queue, target) {
            (None, Some(target)) => {
                self.failure = Some((480, Some(19)));
                self.stage = Stage::Ringing { leg, target, until: now.mono };
                self.advance_chain(now, Failure::Failed);
            }
            _ => self.nobody_left(now),
        }
        true
    }
}
