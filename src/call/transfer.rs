//! Moving a caller: one state machine for keys, REFER and the API.
//!
//! ```text
//!   Talking ──ask──▶ ringing target ──answer──▶ consulting ⇄ swapped   (consult)
//!      ▲                 │    │                     │  │
//!      │    next of chain│    │answer               │  └─ merge ─▶ three-way
//!      ├───── failed ────┘    └──▶ three-way        └─ complete / seat leaves ─▶ caller with target
//!      └───── cancel ◀── ringing, consulting
//!   blind: the seat leaves first; failed ─▶ returning to the seat ─▶ head of its queue
//! ```
//!
//! The caller's leg stays with us through all of it, and is in `main` whatever happens elsewhere.

use super::talk::{Goal, Notice, Refusal, Talk, Transfer};
use super::{CALLER, Call, Dialled, LegNo, Output, Stage, status_map};
use crate::base::Now;
use crate::event::{Party, TransferKind, TransferResult};
use std::sync::Arc;
use std::time::Duration;

/// How long the one who sent a caller away rings when the caller comes back.
const RETURN_RING: Duration = Duration::from_secs(20);
/// How long after its answer a target's silence counts as a failure of the move.
const PROOF: Duration = Duration::from_secs(10);

/// A move that may be asked of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Transfer {
        kind: TransferKind,
        goal: Goal,
    },
    /// The seat leaves, the caller stays with the target: at the end of a consultation, and where three talk.
    Complete,
    Cancel,
    Swap,
    /// Consultation becomes a three-way call.
    Merge,
    /// This party is sent away; the others keep talking.
    Drop(LegNo),
    /// The seat holds the conversation: the others hear music, or each other.
    Hold,
    Retrieve,
    Mute(bool),
    /// Where three talk the seat leaves, and may come back.
    Leave,
}

impl Call {
    /// Does what was asked, or says why not and leaves everything as it was. `by` is who asked; the serving seat when
    /// a supervisor or program did.
    pub fn request(&mut self, now: Now, by: Option<LegNo>, request: Request, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let answer = self.requested(now, by, request);
        self.flush(now, out);
        answer
    }

    fn requested(&mut self, now: Now, by: Option<LegNo>, request: Request) -> Result<(), Refusal> {
        if let (None, Request::Drop(leg)) = (by, &request) {
            return self.drop_leg(now, *leg);
        }
        let Stage::Talking(talk) = &self.stage else { return Err(Refusal::NotTalking) };
        let by = by.or_else(|| self.server(talk)).ok_or(Refusal::NotAllowed)?;
        let urgent = matches!(request, Request::Transfer { kind: TransferKind::Emergency, .. });
        if by == CALLER || !talk.has(by) || !urgent && talk.desk.watchers.contains_key(&by) {
            return Err(Refusal::NotAllowed);
        }
        let moves = matches!(request, Request::Transfer { .. } | Request::Cancel | Request::Swap | Request::Merge);
        let answer = self.carried_out(now, by, request);
        // A seat that moves its caller is at work for it: its hold is over.
        if moves && answer.is_ok() {
            let _ = self.retrieve(by);
        }
        answer
    }

    fn carried_out(&mut self, now: Now, by: LegNo, request: Request) -> Result<(), Refusal> {
        match request {
            Request::Transfer { kind, goal } => self.transfer(now, by, kind, goal),
            Request::Complete => self.complete(now, by),
            Request::Cancel => self.cancel(),
            Request::Swap => self.talk().ok_or(Refusal::NotTalking)?.swap(),
            Request::Merge => self.merge(),
            Request::Drop(leg) => self.drop_leg(now, leg),
            Request::Hold => self.hold(by),
            Request::Retrieve => self.retrieve(by),
            Request::Mute(on) => self.mute(by, on),
            Request::Leave => self.leave_others(now, by),
        }
    }

    /// The leg that serves the caller: the leased seat, else whoever is there.
    fn server(&self, talk: &Talk) -> Option<LegNo> {
        let leased = talk.lease.as_ref().map(|l| l.leg).filter(|p| talk.has(*p));
        let serves = |leg: &LegNo| *leg != CALLER && !talk.desk.watchers.contains_key(leg);
        leased.or_else(|| talk.main.iter().chain(&talk.aside).copied().find(serves))
    }

    /// The number of the move that was begun last.
    pub fn newest_move(&self) -> u32 {
        self.transfers
    }

    pub(super) fn talk(&mut self) -> Option<&mut Talk> {
        match &mut self.stage {
            Stage::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    fn transfer(&mut self, now: Now, by: LegNo, kind: TransferKind, goal: Goal) -> Result<(), Refusal> {
        let Some(talk) = self.talk() else { return Err(Refusal::NotTalking) };
        let urgent = kind == TransferKind::Emergency;
        if !urgent && !talk.may_be_moved_by(by) {
            return Err(Refusal::NotAllowed);
        }
        // A repeated one-key press does nothing more; the key goes before any other move, but for another emergency line's.
        if let Some(help) = talk.fetched_help().filter(|_| urgent) {
            let again = matches!(&goal, Goal::Ring { chain, .. } if help.is_for(chain));
            return if again { Ok(()) } else { Err(Refusal::HelpRings) };
        }
        if !urgent && talk.transfer.is_some() {
            return Err(Refusal::Busy);
        }
        if let Goal::Ring { chain, .. } = &goal {
            self.may_fetch(kind, chain, 1)?;
        }
        if urgent {
            self.stop_moving();
        }
        match goal {
            Goal::Queue { queue, high } => return self.send_to_queue(now, by, queue, high),
            Goal::Guide { prompt } => return self.guide(prompt),
            Goal::Ring { to, chain, timeout } => self.send_to_parties(now, by, kind, &to, chain, timeout),
        }
        Ok(())
    }

    /// Tells whether so many more parties may be tried, the last of them one of these. An emergency line always may.
    pub(super) fn may_fetch(&self, kind: TransferKind, chain: &[Dialled], parties: u64) -> Result<(), Refusal> {
        let tried = self.tried + parties > self.policy.max_parties;
        if chain.is_empty() || kind != TransferKind::Emergency && tried { Err(Refusal::TooMany) } else { Ok(()) }
    }

    /// The caller is told the number to dial (话务引导).
    fn guide(&mut self, prompt: Arc<str>) -> Result<(), Refusal> {
        if !self.talk().is_some_and(|talk| talk.has(CALLER)) {
            return Err(Refusal::NotAllowed);
        }
        self.tell(Output::Announcing { prompt: prompt.clone() });
        self.speak_to(CALLER, Some(prompt));
        Ok(())
    }

    /// The caller waits for a human again; who sent it there leaves.
    fn send_to_queue(&mut self, now: Now, by: LegNo, queue: Arc<str>, high: bool) -> Result<(), Refusal> {
        let Some(talk) = self.talk() else { return Err(Refusal::NotTalking) };
        if talk.people() > 2 || !talk.main.contains(&CALLER) {
            return Err(Refusal::NotAllowed);
        }
        self.failure = None;
        let seat = self.seat_of(by).map(Arc::from);
        let seq = self.started(TransferKind::Blind, by, queue.to_string(), seat);
        // Its phone is told before it is hung up.
        self.move_ended(seq, TransferResult::Completed);
        self.dismiss_seat(by);
        self.free_seat();
        self.join_queue(now, queue, high, false);
        Ok(())
    }

    pub(super) fn send_to_parties(
        &mut self,
        now: Now,
        by: LegNo,
        kind: TransferKind,
        to: &str,
        chain: Vec<Dialled>,
        timeout: Duration,
    ) {
        let back = self.dialled_of(by);
        // Not at the way back: who asked is still to be told of the target.
        self.failure = None;
        self.refused.clear();
        let seat = self.seat_of(by).map(Arc::from);
        let seq = self.started(kind, by, to.to_owned(), seat);
        if let Some(talk) = self.talk() {
            talk.notice = None;
            if kind == TransferKind::Consult {
                talk.main.remove(&by);
                talk.aside.insert(by);
            }
            talk.transfer = Some(Transfer { back, ..Transfer::new(seq, kind, by, chain, timeout) });
        }
        self.ring_next(now, 0);
        // Not before somebody rings: the caller is never left alone.
        if kind == TransferKind::Blind && self.talk().is_some_and(|t| t.ringing().is_some()) {
            self.dismiss_seat(by);
        }
    }

    fn started(&mut self, kind: TransferKind, by: LegNo, to: String, seat: Option<Arc<str>>) -> u32 {
        self.transfers += 1;
        let seq = self.transfers;
        self.tell(Output::TransferStarted { seq, kind, by, to, seat });
        seq
    }

    /// Nobody has refused a move that came to nothing otherwise.
    pub(super) fn move_ended(&mut self, seq: u32, result: TransferResult) {
        let named = |(status, q850): (u16, Option<u8>)| (status, q850.or(Some(status_map::cause(status))));
        let failure = self.failure.filter(|_| result == TransferResult::Failed).map(named);
        self.tell(Output::TransferEnded { seq, result, failure });
    }

    /// The destination to call to reach this party again.
    pub(super) fn dialled_of(&self, leg: LegNo) -> Option<Dialled> {
        match &self.parties.get(&leg)?.party {
            Party::Seat { name, .. } => Some(Dialled::Seat { name: name.as_str().into() }),
            Party::Target { number } => {
                Some(Dialled::Target(crate::plan::Target { number: number.as_str().into(), trunk: None, emergency: false }))
            }
        }
    }

    /// Calls the chain's party at `index`, or gives up when there is none.
    pub(super) fn ring_next(&mut self, now: Now, index: usize) {
        let Stage::Talking(talk) = &self.stage else { return };
        let Some(transfer) = &talk.transfer else { return };
        let (until, urgent) = (now.mono.after(transfer.timeout), transfer.kind == TransferKind::Emergency);
        let is_out = |dialled: &Dialled| matches!(dialled, Dialled::Target(target) if !urgent && self.is_refused(target));
        let next = transfer.chain.iter().enumerate().skip(index).find(|(_, dialled)| !is_out(dialled));
        let Some((index, dialled)) = next.map(|(index, dialled)| (index, dialled.clone())) else {
            return self.transfer_failed(now);
        };
        if !urgent && !self.may_try() {
            return self.transfer_failed(now);
        }
        let party = match &dialled {
            Dialled::Seat { name } => Party::Seat { name: name.to_string(), queue: String::new() },
            Dialled::Target(target) => Party::Target { number: target.number.to_string() },
        };
        let leg = self.dial(party, dialled);
        if let Some(transfer) = self.talk().and_then(|t| t.transfer.as_mut()) {
            (transfer.index, transfer.leg, transfer.until) = (index, leg, Some(until));
            if matches!(transfer.kind, TransferKind::Consult | TransferKind::ThreeWay) {
                let by = transfer.by;
                self.assists(leg, by);
            }
        }
    }

    /// The target answered: into the room that waits for it.
    pub(super) fn target_answered(&mut self, now: Now, leg: LegNo) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let name = self.parties.get(&leg).map(|called| called.party.name());
        let Some(transfer) = talk.transfer.as_mut().filter(|t| t.leg == leg) else { return };
        transfer.until = None;
        let (kind, seq) = (transfer.kind, transfer.seq);
        self.failure = None;
        if kind == TransferKind::Consult {
            let by = transfer.by;
            talk.aside.insert(leg);
            self.has_answered(now, leg, None);
            return self.answer_party(by);
        }
        talk.main.insert(leg);
        talk.unproven = talk.transfer.clone().map(|t| (t, now.mono.after(PROOF)));
        // The seat that was kept for the caller has it again. Another that comes back to it has no part in that.
        if let Some(lease) = talk.lease.as_mut().filter(|lease| kind == TransferKind::Return && name == Some(&*lease.seat)) {
            lease.leg = leg;
        }
        self.has_answered(now, leg, None);
        let result = match kind {
            TransferKind::Return => TransferResult::Returned,
            TransferKind::Blind => TransferResult::Completed,
            _ => TransferResult::Joined,
        };
        self.transfer_over(seq, result);
    }

    /// A target that answered and sends nothing is no target: the next route, or back. An emergency line is never ended
    /// for silence: desks suppress it.
    pub(super) fn target_silent(&mut self, now: Now, leg: LegNo) {
        let Some(talk) = self.talk() else { return };
        let unproven = talk.unproven.take_if(|(t, until)| t.leg == leg && now.mono <= *until).map(|(t, _)| t);
        let Some(transfer) = talk.consulting().filter(|t| t.leg == leg).cloned().or(unproven) else { return };
        if matches!(transfer.kind, TransferKind::Emergency | TransferKind::Return)
            || talk.transfer.as_ref().is_some_and(|t| t.leg != leg)
        {
            return;
        }
        let index = transfer.index + 1;
        talk.transfer = Some(transfer);
        self.dismiss(leg);
        self.ring_next(now, index);
    }

    pub(super) fn transfer_over(&mut self, seq: u32, result: TransferResult) {
        self.move_ended(seq, result);
        if let Some(talk) = self.talk() {
            talk.transfer = None;
        }
    }

    /// The party that rang refused, failed or let it ring: the next route, else give up.
    pub(super) fn target_lost(&mut self, now: Now) {
        let Some(index) = self.talk().and_then(|t| t.transfer.as_ref()).map(|t| t.index + 1) else { return };
        self.ring_next(now, index);
    }

    /// Every route failed. The seat hears of it and has the caller again; a caller whose seat has left goes back to it,
    /// then to the head of its queue.
    fn transfer_failed(&mut self, now: Now) {
        let Some(transfer) = self.talk().and_then(|t| t.transfer.take()) else { return };
        self.move_ended(transfer.seq, TransferResult::Failed);
        self.drop_second();
        let Some(talk) = self.talk() else { return };
        talk.merge();
        // Others may have each other though who asked has left: by a line of the seat's own, or after it had joined them.
        let (asked, people, caller) = (talk.has(transfer.by), talk.people(), talk.has(CALLER));
        match transfer.back {
            _ if people > 1 && asked => self.speak_to(transfer.by, self.policy.transfer_failed.clone()),
            _ if people > 1 || asked || !caller => {}
            Some(back) if transfer.kind == TransferKind::Blind => self.return_to(now, back, transfer.by),
            _ => self.nobody_left(now),
        }
    }

    pub(super) fn return_to(&mut self, now: Now, back: Dialled, by: LegNo) {
        let seat = if let Dialled::Seat { name } = &back { Some(name.clone()) } else { None };
        let seq = self.started(TransferKind::Return, by, "seat".to_owned(), seat);
        if let Some(talk) = self.talk() {
            talk.transfer = Some(Transfer::new(seq, TransferKind::Return, by, vec![back], RETURN_RING));
        }
        self.ring_next(now, 0);
    }

    /// A party that asked in vain by keys hears of it; `choose_area`: because it must say which city it means.
    pub fn announce_failure(&mut self, now: Now, leg: LegNo, choose_area: bool, out: &mut Vec<Output>) {
        let prompt = if choose_area { &self.policy.choose_area } else { &self.policy.transfer_failed };
        let prompt = prompt.clone();
        if self.talk().is_some_and(|talk| talk.has(leg)) {
            self.speak_to(leg, prompt);
        }
        self.flush(now, out);
    }

    /// Spoken to one party in place of the conversation.
    fn speak_to(&mut self, leg: LegNo, prompt: Option<Arc<str>>) {
        let Some(prompt) = prompt else { return };
        self.next_cue += 1;
        let cue = self.next_cue;
        if let Some(talk) = self.talk() {
            talk.notice = Some(Notice { leg, words: vec![prompt], cue });
        }
    }

    /// When three are together, the one that asked leaves the others to each other.
    fn complete(&mut self, now: Now, asked: LegNo) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let together = talk.transfer.is_none() && talk.people() > 2;
        let Some(transfer) = talk.transfer.as_mut().filter(|t| t.kind == TransferKind::Consult) else {
            return match talk.second {
                None if together => self.drop_leg(now, asked),
                _ => self.leave_by_both_lines(),
            };
        };
        let (by, seq) = (transfer.by, transfer.seq);
        if transfer.until.is_some() {
            // Still ringing: it becomes a blind transfer, and the caller comes back if it fails.
            transfer.kind = TransferKind::Blind;
            talk.merge();
            self.dismiss_seat(by);
            return Ok(());
        }
        talk.merge();
        self.transfer_over(seq, TransferResult::Completed);
        self.dismiss_seat(by);
        Ok(())
    }

    /// Ends the move and its target; the seat has the caller again.
    pub(super) fn cancel(&mut self) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let transfer = talk.transfer.as_ref().filter(|t| t.kind != TransferKind::Return).ok_or(Refusal::Nothing)?;
        if !talk.has(transfer.by) {
            return Err(Refusal::NotAllowed);
        }
        self.abandon_move(TransferResult::Cancelled);
        self.back_together();
        Ok(())
    }

    /// The move under way comes to nothing, whoever asked for it: its target is let go.
    pub(super) fn abandon_move(&mut self, result: TransferResult) {
        let Some(transfer) = self.talk().and_then(|talk| talk.transfer.as_ref()) else { return };
        let (leg, seq, rings) = (transfer.leg, transfer.seq, transfer.until.is_some());
        self.transfer_over(seq, result);
        if rings { self.give_up(leg, false) } else { self.dismiss(leg) }
    }

    /// An emergency goes before the move under way. Those who are there are together; a seat that consults by a second line is
    /// so by that.
    pub(super) fn stop_moving(&mut self) {
        self.abandon_move(TransferResult::Cancelled);
        let Some(talk) = self.talk() else { return };
        talk.merge();
        if let Some(second) = talk.second {
            self.answer_party(second.leg);
        }
    }

    /// A consultation is over: the seat has the caller again, on its first line where it has two.
    pub(super) fn back_together(&mut self) {
        self.drop_second();
        if let Some(talk) = self.talk() {
            talk.merge();
        }
    }

    fn merge(&mut self) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let seq = talk.consulting().ok_or(Refusal::Nothing)?.seq;
        talk.merge();
        self.transfer_over(seq, TransferResult::Joined);
        Ok(())
    }
}
