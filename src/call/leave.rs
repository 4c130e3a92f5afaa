//! Parties leave a conversation, and this decides what becomes of those who stay: they are together, or the caller goes where
//! it came from, or the call is over.

use super::talk::{Lease, Refusal, Talk};
use super::{CALLER, Call, Caller, LegNo, Output, QueueCommand, Stage};
use crate::base::Now;
use crate::dialog::Cause;
use crate::event::{By, Party, TransferKind, TransferResult, What};
use crate::sip::Status;
use std::time::Duration;

/// How long after a refusal a phone's hanging up is taken for its answer to it. A person who hangs up so soon after
/// asking for a move has not seen it refused either: that caller, too, was to be sent on.
const AT_REFUSAL: Duration = Duration::from_millis(500);

/// How somebody left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Willingly,
    /// It took a refusal for its answer.
    ByMistake,
    Died,
}

/// The part that somebody who left had in the move under way.
enum Loss {
    Nothing,
    /// It asked for the move, and a target rings: that goes on.
    Mover,
    /// It consulted with the target of this move.
    Consultant(u32),
    /// It was this move's target, and had answered.
    Target(u32),
}

impl Call {
    /// Hangs up a party of the conversation.
    pub(super) fn dismiss(&mut self, leg: LegNo) {
        if let Some(talk) = self.talk() {
            talk.leave(leg);
        }
        if self.parties.remove(&leg).is_some() {
            self.out.push(Output::Hangup { leg, cause: Cause { status: 480, q850: Some(16), ..Cause::default() } });
            self.out.push(Output::Close { leg });
            self.journal(What::LegEnded { leg: leg.0, by: By::Gateway, status: None, q850: Some(16) });
        }
    }

    /// A party is sent away by command, however far it is: one that rings as if it had refused.
    pub(super) fn drop_leg(&mut self, now: Now, leg: LegNo) -> Result<(), Refusal> {
        match &self.stage {
            Stage::Calling(_) if leg == CALLER && self.caller == Caller::Called => {
                self.placing_over(By::Gateway, None, Some(16));
                Ok(())
            }
            _ if leg == CALLER => Err(Refusal::NotAllowed),
            Stage::Talking(talk) if talk.has(leg) => {
                let party = self.parties.get(&leg).map(|called| called.party.clone()).ok_or(Refusal::NotAllowed)?;
                self.dismiss(leg);
                self.left(now, leg, &party, Left::Willingly);
                Ok(())
            }
            _ => self.hung_up(now, leg, Status(603), 21),
        }
    }

    /// The queue may give the seat another caller.
    pub(super) fn free_seat(&mut self) {
        if let Some(Lease { seat, .. }) = self.talk().and_then(|t| t.lease.take()) {
            self.out.push(Output::Queue(QueueCommand::Freed { seat }));
        }
    }

    /// The seat's phone is dead: the caller's queue is not to ring it at once, however the seat came to the caller.
    /// Nor does the caller come back to it from a move that it asked for.
    pub(super) fn lose_seat(&mut self, leg: LegNo, party: &Party) {
        let Party::Seat { name, .. } = party else { return };
        let (lease, home) = match &mut self.stage {
            Stage::Talking(talk) => (talk.lease.take_if(|lease| lease.leg == leg), talk.home.clone()),
            Stage::Calling(calling) => (None, calling.home()),
            _ => return,
        };
        let there = lease.is_none() && self.leg_of_seat(name).is_some();
        let Some(queue) = lease.map(|lease| lease.queue).or(home).filter(|_| !there) else { return };
        if let Some(transfer) = self.talk().and_then(|talk| talk.transfer.as_mut()).filter(|transfer| transfer.by == leg) {
            transfer.back = None;
        }
        self.out.push(Output::Queue(QueueCommand::Lost { queue, seat: name.as_str().into() }));
    }

    /// Somebody has left the conversation (its leg is over): the others stay together.
    pub(super) fn left(&mut self, now: Now, leg: LegNo, party: &Party, how: Left) {
        self.line_lost(leg);
        let Some(talk) = self.talk() else { return };
        let served = talk.is_served_by(leg);
        let loss = talk.lose(leg);
        if how == Left::Died {
            self.lose_seat(leg, party);
        }
        match loss {
            // The lease stays with one that lives: the caller may come back to its seat.
            Loss::Mover => return,
            Loss::Consultant(seq) => self.transfer_over(seq, TransferResult::Completed),
            Loss::Target(seq) => self.target_left(seq),
            Loss::Nothing => {}
        }
        if how != Left::Willingly && self.talk().is_some_and(|t| t.people() < 2 && t.ringing().is_none()) {
            return self.nobody_left(now);
        }
        if served {
            self.free_seat();
        }
    }

    /// The target of a consultation hung up: the seat has the caller again.
    fn target_left(&mut self, seq: u32) {
        self.transfer_over(seq, TransferResult::Failed);
        self.back_together();
    }

    /// After each input: goes on with whoever is there, or ends the call. So no order of leaving and no answer to a question
    /// can leave somebody alone, or ringing for nobody.
    pub(super) fn settle(&mut self, now: Now) {
        let Some(talk) = self.talk() else { return };
        if talk.ringing().is_some_and(|transfer| !talk.in_company(transfer)) {
            self.abandon_move(TransferResult::Failed);
            self.back_together();
        }
        let Some(talk) = self.talk() else { return };
        if talk.is_over() {
            return self.conversation_over();
        }
        if talk.ringing().is_none() && talk.lease.as_ref().is_some_and(|lease| !talk.has(lease.leg)) {
            self.free_seat();
        }
        self.bound_linger(now);
    }

    /// Two seats do not stay joined over a caller who has gone, nor does a consultation about it.
    fn bound_linger(&mut self, now: Now) {
        let until = now.mono.after(self.policy.after_caller);
        let seats = self.only_seats();
        let Some(talk) = self.talk() else { return };
        let moving = talk.transfer.as_ref();
        let bounded = !talk.has(CALLER) && moving.map_or(seats, |transfer| transfer.kind != TransferKind::Emergency);
        talk.linger = bounded.then(|| talk.linger.unwrap_or(until));
    }

    /// True when all that is left are seats of ours.
    pub(super) fn only_seats(&self) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        talk.members().all(|leg| self.is_seat(leg))
    }

    /// True for a conversation of which the caller has gone, and which has a bound.
    pub fn lingers(&self) -> bool {
        matches!(&self.stage, Stage::Talking(talk) if talk.linger.is_some())
    }

    /// The seats that talk on without a caller, with no move under way: they end as soon as others wait for one of them.
    pub fn idle_seats(&self) -> Vec<&str> {
        let Stage::Talking(talk) = &self.stage else { return Vec::new() };
        if talk.linger.is_none() || talk.transfer.is_some() || !self.only_seats() {
            return Vec::new();
        }
        talk.members().filter_map(|leg| self.parties.get(&leg)).map(|called| called.party.name()).collect()
    }

    /// Other callers wait for a seat that talks on without one, or it did so for long enough: the consultation ends, then
    /// the call.
    pub(super) fn lingered(&mut self) {
        let Some(talk) = self.talk() else { return };
        talk.linger = None;
        if talk.transfer.is_none() {
            return self.conversation_over();
        }
        self.abandon_move(TransferResult::Failed);
        self.back_together();
    }

    /// The caller has been left alone: the head of the queue it came from, else the end.
    pub(super) fn nobody_left(&mut self, now: Now) {
        let queue = self.talk().and_then(|t| t.home.clone());
        self.free_seat();
        match queue {
            Some(queue) if self.caller == Caller::Answered => self.join_queue(now, queue, false, true),
            _ => self.conversation_over(),
        }
    }

    /// A REFER of this party cannot be served.
    pub fn refer_refused(&mut self, now: Now, leg: LegNo) {
        if let Some(talk) = self.talk() {
            talk.refused = Some((leg, now.mono));
        }
    }

    /// There are phones that hang up when their REFER is refused: the caller was to be sent on, not to be hung up on.
    pub(super) fn leaves_for_refusal(&mut self, now: Now, leg: LegNo) -> bool {
        let refused = self.talk().and_then(|talk| talk.refused.take());
        refused.is_some_and(|(by, at)| by == leg && now.mono.since(at) < AT_REFUSAL)
    }
}

impl Talk {
    /// Takes a party out; the move under way becomes what can be had without it.
    fn lose(&mut self, leg: LegNo) -> Loss {
        self.leave(leg);
        let Some(transfer) = self.transfer.as_mut() else { return Loss::Nothing };
        let (seq, rings) = (transfer.seq, transfer.until.is_some());
        let loss = match transfer.kind {
            TransferKind::Emergency if transfer.by == leg && rings => Loss::Mover,
            // As if it had sent the caller away.
            _ if transfer.by == leg && rings => {
                transfer.kind = TransferKind::Blind;
                Loss::Mover
            }
            // That completes it.
            TransferKind::Consult if transfer.by == leg => Loss::Consultant(seq),
            _ if transfer.leg == leg && !rings => return Loss::Target(seq),
            _ => return Loss::Nothing,
        };
        self.merge();
        loss
    }

    /// Tells whether nobody is left who could be together.
    fn is_over(&mut self) -> bool {
        if self.main.len() < 2 && self.transfer.is_none() {
            self.merge();
        }
        !self.goes_on()
    }
}
