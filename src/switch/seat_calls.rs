//! Verbs of a seat's toolbar that are about its calls. Each finds the call and the seat's leg in it by itself: a toolbar knows of
//! one seat, and no numbers of legs.

use super::{Active, Output, Switch};
use crate::base::{CallId, Masked, Now};
use crate::call::{CALLER, Call, LegNo, LegStage, Refusal, Request};
use crate::control::seat::{DATA_KEY, DATA_VALUE, DIGITS, SeatVerb};
use crate::control::{SeatRefusal, Why};
use crate::event::seat::{Author, AuthorKind, HoldAlarm};
use crate::event::{SeatWhat, TransferKind, What};
use std::sync::Arc;

/// Keys of call data, and bytes of all.
const MOST_DATA: usize = 16;
const ALL_DATA: usize = 1024;

impl Switch {
    /// Carries out a verb about calls, or says why not and changes nothing.
    pub(super) fn seat_call(
        &mut self,
        now: Now,
        seat: &Arc<str>,
        by: &Author,
        verb: SeatVerb,
        out: &mut Vec<Output>,
    ) -> Result<(), Why> {
        match verb {
            SeatVerb::Call(wanted) => self.call_for(now, seat, wanted, out),
            SeatVerb::Answer => self.answer_for(seat),
            SeatVerb::Reject => self.reject_for(now, seat, out),
            SeatVerb::HangUp => self.hang_up_for(now, seat),
            SeatVerb::Hold => self.ask(now, seat, Request::Hold),
            SeatVerb::Retrieve => self.ask(now, seat, Request::Retrieve),
            SeatVerb::Mute => self.ask(now, seat, Request::Mute(true)),
            SeatVerb::Unmute => self.ask(now, seat, Request::Mute(false)),
            SeatVerb::Dtmf { digits } => self.press_for(now, seat, &digits, out),
            SeatVerb::Consult { to } => self.move_for(now, seat, &to, TransferKind::Consult),
            SeatVerb::Transfer { to, kind } => self.move_for(now, seat, &to, kind),
            SeatVerb::Cancel => self.cancel_for(now, seat, out),
            SeatVerb::Alternate => self.ask(now, seat, Request::Swap),
            SeatVerb::Complete => self.ask(now, seat, Request::Complete),
            SeatVerb::Conference => self.ask(now, seat, Request::Merge),
            SeatVerb::Leave => said(self.ask(now, seat, Request::Leave), Refusal::Nothing, SeatRefusal::NotThree),
            SeatVerb::Retake => self.retake_for(now, seat),
            SeatVerb::PickUp { seat: of } => self.pick_up_for(now, seat, &of),
            SeatVerb::SetData { key, value } => self.set_data(now, seat, key, value, out),
            SeatVerb::ForceDrop => self.force_drop(now, seat, by),
            SeatVerb::Record(verb) => self.record_for(now, seat, by, verb, out),
            verb => self.supervision(now, seat, by, verb),
        }
    }

    /// The seat's leg in a call, among those stages that `is` takes: of several the one that is farthest, and the newest of these.
    /// Every verb asks here.
    pub(super) fn leg_at(&self, seat: &str, is: impl Fn(LegStage) -> bool) -> Option<(CallId, LegNo, LegStage)> {
        let of = |(id, active): (CallId, &Active)| {
            let (leg, stage) = active.call.seat_at(seat)?;
            is(stage).then_some((id, leg, stage))
        };
        self.calls_of(seat).filter_map(of).max_by_key(|(id, _, stage)| (*stage, *id))
    }

    /// The newest call that the seat's phone has placed by itself, where it is the caller.
    fn dialled_by(&self, seat: &str) -> Option<(CallId, LegNo)> {
        let is = |(id, active): (CallId, &Active)| (&**active.placed_by()? == seat).then_some((id, CALLER));
        self.calls_of(seat).rev().find_map(is)
    }

    /// The seat's newest call that is its own, and its leg there.
    fn own_call(&self, seat: &str) -> Result<(CallId, LegNo), Why> {
        let own = self.leg_at(seat, LegStage::is_own).map(|(id, leg, _)| (id, leg));
        own.or_else(|| self.dialled_by(seat)).ok_or_else(|| self.no_call(seat))
    }

    /// The seat's newest conversation, and its leg there.
    pub(super) fn talk_of(&self, seat: &str) -> Result<(CallId, LegNo), Why> {
        let talk = self.leg_at(seat, |stage| stage == LegStage::Talks);
        talk.map(|(id, leg, _)| (id, leg)).ok_or_else(|| self.no_call(seat))
    }

    /// Why there is no such call: none at all, or none that anybody has answered.
    fn no_call(&self, seat: &str) -> Why {
        let rings = self.leg_at(seat, |stage| stage >= LegStage::Rings).is_some();
        Why::Seat(if rings { SeatRefusal::NotAnswered } else { SeatRefusal::NoCall })
    }

    /// The seat's newest call of which `of` says where the seat is in it.
    pub(super) fn newest<T>(&self, seat: &str, of: impl Fn(&Call) -> Option<T>) -> Option<(CallId, T)> {
        self.calls_of(seat).rev().find_map(|(id, active)| Some((id, of(&active.call)?)))
    }

    /// The newest call that rings the seat's phone.
    fn ringing_of(&self, seat: &str) -> Option<(CallId, LegNo)> {
        let rings = |stage| matches!(stage, LegStage::Rings | LegStage::Places);
        self.leg_at(seat, rings).map(|(id, leg, _)| (id, leg))
    }

    pub(super) fn ask(&mut self, now: Now, seat: &str, request: Request) -> Result<(), Why> {
        let (id, leg) = self.talk_of(seat)?;
        self.request(now, id, Some(leg), request)
    }

    /// Lets a call act, and hears how that came out.
    pub(super) fn act<T>(
        &mut self,
        now: Now,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Vec<crate::call::Output>) -> Result<T, Refusal>,
    ) -> Result<T, Why> {
        let mut answer = Err(Why::NoSuchCall);
        self.with_call(now, id, |call, done| answer = act(call, done).map_err(Why::Call));
        answer
    }

    /// The phone must do it: we cannot.
    fn answer_for(&self, seat: &str) -> Result<(), Why> {
        match self.leg_at(seat, |stage| stage >= LegStage::Rings) {
            Some((_, _, LegStage::Talks | LegStage::Calls)) => Ok(()),
            // It was asked to in the INVITE.
            Some(_) if self.answers_itself(seat) => Ok(()),
            Some(_) => Err(SeatRefusal::CannotAnswer.into()),
            None => Err(SeatRefusal::NoCall.into()),
        }
    }

    /// Its phone is asked to answer by itself.
    pub(super) fn answers_itself(&self, seat: &str) -> bool {
        self.queues.seats().get(seat).is_some_and(|state| state.shift.auto_answer)
    }

    /// The call that rings; where none does, the one that the seat is shown before it places it.
    fn reject_for(&mut self, now: Now, seat: &Arc<str>, out: &mut Vec<Output>) -> Result<(), Why> {
        let Some((id, leg)) = self.ringing_of(seat) else { return self.decline(now, seat, out) };
        self.act(now, id, |call, done| call.hang_up(now, leg, done))
    }

    /// A conversation, a call that rings, or one that the seat's phone has placed.
    fn hang_up_for(&mut self, now: Now, seat: &str) -> Result<(), Why> {
        let found = self.leg_at(seat, |_| true).map(|(id, leg, _)| (id, leg));
        let (id, leg) = found.or_else(|| self.dialled_by(seat)).ok_or(SeatRefusal::NoCall)?;
        self.act(now, id, |call, done| call.hang_up(now, leg, done))
    }

    /// A move or a consultation, a call that the seat places and nobody has answered, or one that it is shown.
    fn cancel_for(&mut self, now: Now, seat: &Arc<str>, out: &mut Vec<Output>) -> Result<(), Why> {
        match self.leg_at(seat, LegStage::is_own) {
            Some((id, leg, LegStage::Talks)) => self.request(now, id, Some(leg), Request::Cancel),
            Some((id, leg, _)) => self.act(now, id, |call, done| call.hang_up(now, leg, done)),
            None => self.decline(now, seat, out).map_err(|_| self.no_call(seat)),
        }
    }

    /// Second dialling (二次拨号): keys to whoever hears the seat.
    fn press_for(&mut self, now: Now, seat: &str, digits: &str, out: &mut Vec<Output>) -> Result<(), Why> {
        let key = |c: char| c.is_ascii_digit() || "*#ABCD".contains(c);
        if digits.is_empty() || digits.len() > DIGITS || !digits.chars().all(key) {
            return Err(SeatRefusal::BadDigits.into());
        }
        let (id, leg) = self.talk_of(seat)?;
        self.pass_on(now, id, leg, digits, false, out);
        Ok(())
    }

    fn move_for(&mut self, now: Now, seat: &str, to: &str, kind: TransferKind) -> Result<(), Why> {
        let (id, leg) = self.talk_of(seat)?;
        if kind == TransferKind::Return {
            return Err(Why::Call(Refusal::NotAllowed));
        }
        let moved = self.transfer(now, id, Some(leg), to, kind);
        if moved.is_ok() {
            tracing::info!(call = %id, seat, to = %Masked(to), kind = kind.name(), "a seat moves its caller by its toolbar");
        }
        moved
    }

    fn retake_for(&mut self, now: Now, seat: &str) -> Result<(), Why> {
        // It is in that call no more.
        let left = self.calls.iter().filter(|(_, active)| active.call.was_left_by(seat)).map(|(id, _)| *id);
        let id = left.max().ok_or(SeatRefusal::NoCall)?;
        self.is_idle(seat)?;
        said(self.act(now, id, |call, done| call.retake(now, seat, done)), Refusal::Nothing, SeatRefusal::NoCall)
    }

    fn pick_up_for(&mut self, now: Now, seat: &str, of: &str) -> Result<(), Why> {
        let (id, ()) = self.newest(of, |call| (call.waits() && call.rings_seat(of)).then_some(())).ok_or(SeatRefusal::NoCall)?;
        self.is_idle(seat)?;
        let picked_up = self.act(now, id, |call, done| call.pick_up(now, of, seat, done));
        said(said(picked_up, Refusal::Nothing, SeatRefusal::NoCall), Refusal::Busy, SeatRefusal::PickedUp)
    }

    /// Its phone is to ring: there must be one, and it must be free.
    pub(super) fn is_idle(&self, seat: &str) -> Result<(), Why> {
        let state = self.queues.seats().get(seat).ok_or(SeatRefusal::UnknownSeat)?;
        match state {
            state if state.bindings.is_empty() => Err(SeatRefusal::Gone.into()),
            state if state.taken >= state.channels => Err(SeatRefusal::InCall.into()),
            _ => Ok(()),
        }
    }

    fn set_data(&mut self, now: Now, seat: &str, key: String, value: String, out: &mut Vec<Output>) -> Result<(), Why> {
        let (id, _) = self.own_call(seat)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good = !key.is_empty() && key.len() <= DATA_KEY && key.chars().all(plain);
        let bounded = value.chars().count() <= DATA_VALUE && !value.contains(|c: char| c.is_control() && c != '\n');
        let active = self.calls.get_mut(&id).ok_or(Why::NoSuchCall)?;
        let others: Vec<_> = active.data.iter().filter(|(known, _)| *known != key).collect();
        let bytes: usize = others.iter().map(|(key, value)| key.len() + value.len()).sum();
        if !good || !bounded || others.len() >= MOST_DATA || bytes + key.len() + value.len() > ALL_DATA {
            return Err(SeatRefusal::BadData.into());
        }
        if active.data.iter().any(|known| known.0 == key && known.1 == value) {
            return Ok(());
        }
        active.data.retain(|(known, _)| *known != key);
        active.data.push((key.clone(), value.clone()));
        self.write(now, id, What::Data { key, value }, out);
        Ok(())
    }

    fn force_drop(&mut self, now: Now, seat: &str, by: &Author) -> Result<(), Why> {
        by_supervisor(by)?;
        let (id, _) = self.own_call(seat)?;
        self.not_emergency(id)?;
        tracing::warn!(call = %id, seat, by = %by.name, "a supervisor ends a call");
        self.act(now, id, |call, done| call.force_drop(now, done))
    }

    /// Nobody takes an emergency call from its parties.
    pub(super) fn not_emergency(&self, id: CallId) -> Result<(), Why> {
        match self.calls.get(&id).is_some_and(|active| active.emergency) {
            true => Err(SeatRefusal::Emergency.into()),
            false => Ok(()),
        }
    }

    /// Those who are to act are told.
    pub(super) fn hold_forgotten(
        &mut self,
        now: Now,
        (id, leg): (CallId, LegNo),
        seat: &Arc<str>,
        alarm: HoldAlarm,
        out: &mut Vec<Output>,
    ) {
        tracing::warn!(call = %id, %seat, ?alarm, "a caller on hold is forgotten");
        self.tell_seat(now, seat, SeatWhat::HoldForgotten { call: id, leg: leg.0, alarm }, out);
    }
}

/// A call refuses in words of transfers; a verb that is about none has words of its own.
pub(super) fn said(answer: Result<(), Why>, refusal: Refusal, own: SeatRefusal) -> Result<(), Why> {
    answer.map_err(|why| if why == Why::Call(refusal) { own.into() } else { why })
}

/// Verbs about another's call are a supervisor's.
pub(super) fn by_supervisor(by: &Author) -> Result<(), Why> {
    match by.kind {
        AuthorKind::Supervisor | AuthorKind::Operator => Ok(()),
        AuthorKind::Seat | AuthorKind::Phone | AuthorKind::Gateway => Err(SeatRefusal::NotSupervisor.into()),
    }
}
