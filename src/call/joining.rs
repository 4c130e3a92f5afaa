//! Parties that come into a call by an INVITE of their own: a seat's second line, by which its phone consults or brings
//! an emergency line in, and a phone that takes the place of another (RFC 3891).
//!
//! A phone that can do an attended transfer knows nothing of ours: it puts the caller on hold, dials the target, and
//! sends REFER with Replaces. Both its lines are parties of one call here, so that this is a consultation like any other.

use super::begin::Begun;
use super::talk::{Goal, Refusal, Second, Talk};
use super::{Call, Dialled, LegNo, Output, Stage, Taking, status_map};
use crate::base::Now;
use crate::dialog::Cause;
use crate::event::{Party, TransferKind, TransferResult};
use crate::sip::Status;

impl Call {
    /// The seat's phone dials somebody while its caller waits on `first`. An emergency line joins the caller at once;
    /// anybody else is consulted. The answer is the new line's number.
    pub fn second_line(
        &mut self,
        now: Now,
        first: LegNo,
        kind: TransferKind,
        goal: Goal,
        late_offer: bool,
        out: &mut Vec<Output>,
    ) -> Result<LegNo, Refusal> {
        let answer = self.dialled_by(now, first, kind, goal, late_offer);
        self.flush(now, out);
        answer
    }

    /// A seat's phone asks for the place of another seat's leg: one that talks, or one that still rings (a pick-up).
    /// Nobody may have the caller's. The new leg is in once its media is settled; until then nothing changes.
    pub fn take_place(
        &mut self,
        now: Now,
        old: LegNo,
        name: &str,
        late_offer: bool,
        out: &mut Vec<Output>,
    ) -> Result<LegNo, Refusal> {
        let answer = self.asked_for_place(old, name, late_offer);
        self.flush(now, out);
        answer
    }

    /// Tells whether these two legs are of one seat.
    pub fn are_one_seat(&self, one: LegNo, other: LegNo) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        talk.second.is_some_and(|Second { first, leg }| [(first, leg), (leg, first)].contains(&(one, other)))
    }

    fn dialled_by(&mut self, now: Now, first: LegNo, kind: TransferKind, goal: Goal, late: bool) -> Result<LegNo, Refusal> {
        let Stage::Talking(talk) = &self.stage else { return Err(Refusal::NotTalking) };
        let Goal::Ring { to, chain, timeout } = goal else { return Err(Refusal::NotAllowed) };
        let urgent = kind == TransferKind::Emergency;
        if !urgent && !talk.may_be_moved_by(first) || !self.is_seat(first) || !talk.has(first) {
            return Err(Refusal::NotAllowed);
        }
        if let Some(help) = talk.fetched_help() {
            return Err(if urgent && !help.is_for(&chain) { Refusal::HelpRings } else { Refusal::Busy });
        }
        if !urgent && (talk.second.is_some() || talk.transfer.is_some()) {
            return Err(Refusal::Busy);
        }
        // The line itself, and whom it is for.
        self.may_fetch(kind, &chain, 2)?;
        let first = if urgent { self.make_way(first) } else { first };
        let party = self.parties.get(&first).map(|c| c.party.clone()).ok_or(Refusal::NotAllowed)?;
        self.tried += 1;
        let leg = self.admit(party, late);
        if let Some(talk) = self.talk() {
            talk.second = Some(Second { first, leg });
            talk.main.insert(leg);
        }
        if urgent {
            // Seat and caller hear each other by this line while the emergency line rings.
            self.answer_party(leg);
        } else if !late {
            self.out.push(Output::Progress { leg, status: Status(183), media: true });
        }
        self.send_to_parties(now, leg, kind, &to, chain, timeout);
        Ok(leg)
    }

    fn asked_for_place(&mut self, old: LegNo, name: &str, late: bool) -> Result<LegNo, Refusal> {
        let there = match &self.stage {
            // Nobody takes a supervisor's.
            Stage::Talking(talk) => talk.has(old) && !talk.desk.watchers.contains_key(&old),
            Stage::Queued { .. } => true,
            _ => false,
        };
        if !there || !self.is_seat(old) {
            return Err(Refusal::NotAllowed);
        }
        // Nobody could tell which of two lines the other takes.
        let two_lines = matches!(&self.stage, Stage::Talking(talk) if talk.second.is_some());
        if self.taking.is_some() || two_lines {
            return Err(Refusal::Busy);
        }
        if !self.may_try() {
            return Err(Refusal::TooMany);
        }
        let leg = self.admit(Party::Seat { name: name.to_owned(), queue: String::new() }, late);
        self.taking = Some(Taking { new: leg, old, until: None });
        Ok(leg)
    }

    /// A party that called us. Without an offer its media can only be settled by our 200 (RFC 3261 §13.2.1).
    fn admit(&mut self, party: Party, late: bool) -> LegNo {
        let leg = self.new_leg(party, true);
        self.out.push(Output::Attach { leg });
        if late {
            self.answer_party(leg);
        }
        leg
    }

    /// 200, once, to a party that called us.
    pub(super) fn answer_party(&mut self, leg: LegNo) {
        if let Some(called) = self.parties.get_mut(&leg).filter(|called| called.unanswered) {
            called.unanswered = false;
            let party = called.party.clone();
            self.out.push(Output::Answer { leg });
            self.tell(Output::Joined { leg, party });
        }
    }

    /// The party that asked for another's place has its media, or has `answered` where we called it: now it has the place.
    /// False: it asked for none.
    pub(super) fn place_taken(&mut self, now: Now, leg: LegNo, answered: bool) -> bool {
        let taking = self.taking.take_if(|taking| taking.new == leg && taking.until.is_some() == answered);
        let Some(Taking { old, .. }) = taking else { return false };
        match &mut self.stage {
            Stage::Talking(talk) if talk.has(old) && talk.second.is_none() => {
                self.answer_party(leg);
                self.replace(old, leg);
            }
            Stage::Queued { queue } if answered || self.parties.contains_key(&old) => {
                let queue = queue.clone();
                self.begin_talk(now, leg, Begun::PickedUp { queue, dialled: !answered });
            }
            _ => self.dismiss(leg),
        }
        true
    }

    /// `new` has the place that `old` had, in its room and in a move that is about it. The seat of `old` is let go, and free.
    pub(super) fn replace(&mut self, old: LegNo, new: LegNo) {
        let back = self.dialled_of(new);
        let Some(talk) = self.talk() else { return };
        let served = talk.is_served_by(old);
        talk.replace(old, new, back);
        if served {
            self.free_seat();
        }
        self.dismiss(old);
    }

    /// An emergency line is fetched: the move under way is over, whoever asked for it, and those who are there are together. A
    /// seat that has two lines keeps the one that it speaks by; the answer is the line by which `leg` is there then.
    fn make_way(&mut self, leg: LegNo) -> LegNo {
        self.stop_moving();
        let Some(second) = self.talk().and_then(|talk| talk.second.take()) else { return leg };
        self.first_lost(second);
        self.dismiss(second.first);
        if second.first == leg { second.leg } else { leg }
    }

    /// A consultation is over, so the line that the seat dialled it by is: with what the target's refusal means for it where
    /// nobody answered. The caller is on the seat's first line.
    pub(super) fn drop_second(&mut self) {
        let Some(talk) = self.talk() else { return };
        let Some(second) = talk.second.take_if(|second| talk.aside.contains(&second.leg)) else { return };
        talk.leave(second.leg);
        if self.parties.remove(&second.leg).is_some() {
            let (refused, q850) = self.failure.unwrap_or((480, Some(16)));
            let cause = Cause { status: status_map::status(refused), q850, ..Cause::default() };
            self.out.push(Output::Hangup { leg: second.leg, cause });
            self.out.push(Output::Close { leg: second.leg });
        }
    }

    /// One of a seat's two lines is over; the other is the seat from now on.
    pub(super) fn line_lost(&mut self, leg: LegNo) {
        let Some(talk) = self.talk() else { return };
        let Some(second) = talk.second.take_if(|second| second.leg == leg || second.first == leg) else { return };
        if second.leg == leg { self.second_lost(second) } else { self.first_lost(second) }
    }

    /// The seat hung up on the one it consulted, or stopped dialling: it has its caller again. An emergency line that
    /// rings is not given up for it.
    fn second_lost(&mut self, second: Second) {
        let Some(talk) = self.talk() else { return };
        let Some(transfer) = talk.transfer.as_mut().filter(|t| t.by == second.leg) else { return };
        if transfer.kind != TransferKind::Consult {
            transfer.by = second.first;
            return;
        }
        self.abandon_move(TransferResult::Cancelled);
    }

    /// The seat hung up the line with the caller: the caller comes to the other one.
    fn first_lost(&mut self, second: Second) {
        let Some(talk) = self.talk() else { return };
        if let Some(lease) = talk.lease.as_mut().filter(|l| l.leg == second.first) {
            lease.leg = second.leg;
        }
        let consulting = talk.transfer.as_mut().filter(|t| t.by == second.leg && t.kind == TransferKind::Consult);
        let answered = consulting.map(|transfer| {
            transfer.kind = TransferKind::ThreeWay;
            transfer.until.is_none().then_some(transfer.seq)
        });
        talk.merge();
        self.answer_party(second.leg);
        if let Some(Some(seq)) = answered {
            self.transfer_over(seq, TransferResult::Joined);
        }
    }

    /// Both lines of a seat leave.
    pub(super) fn dismiss_seat(&mut self, leg: LegNo) {
        let pair = self.talk().and_then(|t| t.second.take_if(|s| s.leg == leg || s.first == leg));
        match pair {
            Some(Second { first, leg }) => [first, leg].into_iter().for_each(|leg| self.dismiss(leg)),
            None => self.dismiss(leg),
        }
    }

    /// The seat is done with its two lines though nothing is left to complete: its target joined the caller before.
    pub(super) fn leave_by_both_lines(&mut self) -> Result<(), Refusal> {
        let second = self.talk().and_then(|t| t.second).ok_or(Refusal::Nothing)?;
        self.dismiss_seat(second.leg);
        Ok(())
    }
}

impl Talk {
    fn replace(&mut self, old: LegNo, new: LegNo, back: Option<Dialled>) {
        for room in [&mut self.main, &mut self.aside] {
            if room.remove(&old) {
                room.insert(new);
            }
        }
        let unproven = self.unproven.as_mut().map(|(transfer, _)| transfer);
        for transfer in self.transfer.as_mut().into_iter().chain(unproven) {
            if transfer.by == old {
                (transfer.by, transfer.back) = (new, back.clone());
            }
            if transfer.leg == old {
                transfer.leg = new;
            }
        }
        self.fresh.as_mut().filter(|fresh| fresh.leg == old).into_iter().for_each(|fresh| fresh.leg = new);
    }
}
