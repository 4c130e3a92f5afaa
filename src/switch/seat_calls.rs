//! Verbs of a seat's toolbar that are about its calls. Each finds the call and the seat's leg in it by itself: a toolbar knows of
//! one seat, and no numbers of legs.

use super::{Active, Output, Switch};
use crate::base::{CallId, Masked, Now};
use crate::call::{CALLER, Call, LegNo, Refusal, Request};
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
            SeatVerb::Cancel => self.ask(now, seat, Request::Cancel),
            SeatVerb::Alternate => self.ask(now, seat, Request::Swap),
            SeatVerb::Complete => self.ask(now, seat, Request::Complete),
            SeatVerb::Conference => self.ask(now, seat, Request::Merge),
            SeatVerb::Leave => self.ask(now, seat, Request::Leave),
            SeatVerb::Retake => self.retake_for(now, seat),
            SeatVerb::PickUp { seat: of } => self.pick_up_for(now, seat, &of),
            SeatVerb::SetData { key, value } => self.set_data(now, seat, key, value, out),
            SeatVerb::ForceDrop => self.force_drop(now, seat, by),
            SeatVerb::Record(verb) => self.record_for(now, seat, by, verb, out),
            verb => self.supervision(now, seat, by, verb),
        }
    }

    /// The seat's newest conversation, and its leg there.
    pub(super) fn talk_of(&self, seat: &str) -> Result<(CallId, LegNo), Why> {
        self.call_of_seat(seat).ok_or(Why::Seat(SeatRefusal::NoCall))
    }

    /// The newest call of which `of` says where the seat is in it.
    pub(super) fn newest<T>(&self, of: impl Fn(&Call) -> Option<T>) -> Option<(CallId, T)> {
        let found = self.calls.iter().filter_map(|(id, active)| Some((*id, of(&active.call)?)));
        found.max_by_key(|(id, _)| *id)
    }

    /// The newest call that rings the seat.
    fn ringing_of(&self, seat: &str) -> Option<(CallId, LegNo)> {
        self.newest(|call| call.ringing_leg_of(seat))
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
        match (self.call_of_seat(seat), self.ringing_of(seat)) {
            (Some(_), _) => Ok(()),
            // It was asked to in the INVITE.
            (None, Some(_)) if self.answers_itself(seat) => Ok(()),
            (None, Some(_)) => Err(SeatRefusal::CannotAnswer.into()),
            (None, None) => Err(SeatRefusal::NoCall.into()),
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
        let placed = |(id, active): (&CallId, &Active)| {
            let is = active.legs.get(&CALLER).is_some_and(|leg| leg.seat.as_deref() == Some(seat) && !leg.ended);
            is.then_some((*id, CALLER))
        };
        // Its own phone may wait for the person whom it calls.
        let found = self.call_of_seat(seat).or_else(|| self.newest(|call| call.leg_of(seat)));
        let found = found.or_else(|| self.calls.iter().filter_map(placed).max_by_key(|(id, _)| *id));
        let (id, leg) = found.ok_or(SeatRefusal::NoCall)?;
        self.act(now, id, |call, done| call.hang_up(now, leg, done))
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
        let (id, ()) = self.newest(|call| call.was_left_by(seat).then_some(())).ok_or(SeatRefusal::NoCall)?;
        self.is_idle(seat)?;
        self.act(now, id, |call, done| call.retake(now, seat, done))
    }

    fn pick_up_for(&mut self, now: Now, seat: &str, of: &str) -> Result<(), Why> {
        let (id, ()) = self.newest(|call| (call.waits() && call.rings_seat(of)).then_some(())).ok_or(SeatRefusal::NoCall)?;
        self.is_idle(seat)?;
        self.act(now, id, |call, done| call.pick_up(now, of, seat, done))
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
        let (id, _) = self.talk_of(seat)?;
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
        let (id, _) = self.talk_of(seat)?;
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

/// Verbs about another's call are a supervisor's.
pub(super) fn by_supervisor(by: &Author) -> Result<(), Why> {
    match by.kind {
        AuthorKind::Supervisor | AuthorKind::Operator => Ok(()),
        AuthorKind::Seat | AuthorKind::Phone | AuthorKind::Gateway => Err(SeatRefusal::NotSupervisor.into()),
    }
}
