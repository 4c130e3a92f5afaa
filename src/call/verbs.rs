//! A seat takes a call, refuses it, leaves it and comes back to it, by verbs of its toolbar instead of keys of its phone. Each
//! has the consequences that the phone's own doing would have.

use super::talk::Refusal;
use super::{CALLER, Call, Dialled, LegNo, Outcome, Output, Stage, Taking};
use crate::base::Now;
use crate::dialog::{Cause, End, EndedBy};
use crate::event::{By, Party, Result as Ended, TransferKind};
use crate::sip::Status;
use std::time::Duration;

/// How long a seat rings that picks a call up, takes one back, or supervises.
pub(super) const RING: Duration = Duration::from_secs(20);

impl Call {
    /// The seat hangs up, or refuses what rings.
    pub fn hang_up(&mut self, now: Now, leg: LegNo, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let answer = self.hung_up(now, leg, Status(603), 21);
        self.flush(now, out);
        answer
    }

    /// `by`: the caller itself, by its toolbar, or us.
    fn hang_up_caller(&mut self, now: Now, by: EndedBy) {
        let cause = Cause { status: 480, q850: Some(16), ..Cause::default() };
        self.out.push(Output::Hangup { leg: CALLER, cause });
        self.caller_ended(now, End { q850: Some(16), ..End::new(by, None) });
    }

    pub(super) fn hung_up(&mut self, now: Now, leg: LegNo, status: Status, refused: u8) -> Result<(), Refusal> {
        if leg == CALLER && self.outcome.is_none() {
            self.hang_up_caller(now, EndedBy::Peer);
            return Ok(());
        }
        if !self.parties.contains_key(&leg) {
            return Err(Refusal::NotAllowed);
        }
        let talks = matches!(&self.stage, Stage::Talking(talk) if talk.has(leg) || talk.watched_by(leg).is_some());
        let talks = talks || self.placer_waits(leg);
        let q850 = Some(if talks { 16 } else { refused });
        self.out.push(Output::Hangup { leg, cause: Cause { status: 480, q850, ..Cause::default() } });
        let status = (!talks).then_some(status);
        self.party_ended(now, leg, End { q850, ..End::new(EndedBy::Peer, status.map(|status| status.0)) });
        Ok(())
    }

    /// Where three talk the seat leaves the others to each other, and may come back.
    pub(super) fn leave_others(&mut self, now: Now, by: LegNo) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let party = Party::Seat { name: String::new(), queue: String::new() };
        if talk.transfer.is_some() || talk.second.is_some() || talk.people() < 3 || !talk.main.contains(&by) {
            return Err(Refusal::Nothing);
        }
        let name = self.parties.get(&by).map_or(party, |called| called.party.clone()).name().to_owned();
        if let Some(talk) = self.talk() {
            talk.desk.left.insert(name, by);
        }
        self.hung_up(now, by, Status(480), 16)
    }

    /// A seat that left takes the call back: its phone is rung, and it joins those who talk.
    pub fn retake(&mut self, now: Now, seat: &str, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let answer = self.taken_back(now, seat);
        self.flush(now, out);
        answer
    }

    fn taken_back(&mut self, now: Now, seat: &str) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let by = *talk.desk.left.get(seat).ok_or(Refusal::Nothing)?;
        if !talk.has(CALLER) {
            return Err(Refusal::NotAllowed);
        }
        match &talk.transfer {
            Some(transfer) if transfer.kind == TransferKind::Return && transfer.by == by => return Ok(()),
            Some(_) => return Err(Refusal::Busy),
            None => {}
        }
        talk.desk.left.remove(seat);
        self.return_to(now, Dialled::Seat { name: seat.into() }, by);
        Ok(())
    }

    /// Tells whether this seat left others in this call and may come back.
    pub fn was_left_by(&self, seat: &str) -> bool {
        matches!(&self.stage, Stage::Talking(talk) if talk.desk.left.contains_key(seat))
    }

    /// A seat takes a call that rings for another (代答): its phone is rung, and the caller is its own when it answers.
    pub fn pick_up(&mut self, now: Now, of: &str, seat: &str, out: &mut Vec<Output>) -> Result<(), Refusal> {
        let answer = self.picks_up(now, of, seat);
        self.flush(now, out);
        answer
    }

    fn picks_up(&mut self, now: Now, of: &str, seat: &str) -> Result<(), Refusal> {
        let Stage::Queued { queue } = &self.stage else { return Err(Refusal::Nothing) };
        let queue = queue.to_string();
        let old = self.leg_of_seat(of).ok_or(Refusal::Nothing)?;
        if self.taking.is_some() {
            return Err(Refusal::Busy);
        }
        if !self.may_try() {
            return Err(Refusal::TooMany);
        }
        let leg = self.dial(Party::Seat { name: seat.to_owned(), queue }, Dialled::Seat { name: seat.into() });
        self.taking = Some(Taking { new: leg, old, until: Some(now.mono.after(RING)) });
        Ok(())
    }

    /// Ends the call for everybody, however far it is.
    pub fn force_drop(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), Refusal> {
        if self.outcome.is_some() {
            return Err(Refusal::NotTalking);
        }
        match &self.stage {
            Stage::Talking(_) => {
                self.finish(Outcome { result: Ended::Answered, by: By::Gateway, status: None, q850: Some(16) });
            }
            Stage::Calling(_) => self.placing_over(By::Gateway, None, Some(16)),
            _ => self.hang_up_caller(now, EndedBy::Us),
        }
        self.flush(now, out);
        Ok(())
    }
}
