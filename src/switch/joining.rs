//! INVITEs that belong to a call under way: a phone that takes another's place (RFC 3891), and the second line of a seat
//! that talks.

use super::admit::Placer;
use super::command::status_of;
use super::keys::Keypad;
use super::proof::Proof;
use super::{Dtmf, Leg, Output, Switch, identity};
use crate::base::{CallId, LegId, Masked, Now, Shown};
use crate::call::{self, Call, LegNo, LegStage, Refusal};
use crate::control::Why;
use crate::dialog::{Cause, Command, Incoming};
use crate::event::TransferKind;
use std::sync::Arc;

impl Switch {
    /// Tells whether the INVITE is one of these; then all that it needs is done.
    pub(super) fn joins(&mut self, now: Now, incoming: &Incoming, placer: &Placer, out: &mut Vec<Output>) -> bool {
        let seat = match placer {
            Placer::Seat(i) if self.is_own_line(*i, incoming.flow) => self.setup.seats.get(*i).map(|seat| seat.name.clone()),
            _ => None,
        };
        let joined = match (incoming.replaces, &seat) {
            (Some(old), Some(seat)) => self.replace(now, incoming, old, seat, out),
            // Only our own phones know each other's dialogs; a carrier's would be a caller's, or stolen.
            (Some(_), None) => Err(Why::Call(Refusal::NotAllowed)),
            (None, Some(seat)) => match self.leg_at(seat, |stage| stage == LegStage::Talks) {
                Some((id, first, _)) => self.second_line(now, incoming, id, first, out),
                None => return false,
            },
            (None, None) => return false,
        };
        if let Err(why) = joined {
            tracing::warn!(seat = seat.as_deref().unwrap_or("-"), "a phone's INVITE in a call: {}", why.words().0);
            self.turn_away(now, incoming.leg, status_of(why), out);
        }
        true
    }

    /// REFER with Replaces: the seat on `leg` wants its caller to be with whom its other line has.
    pub(super) fn refer_to_line(&mut self, now: Now, id: CallId, leg_no: LegNo, other: LegId) -> Result<(), Why> {
        match self.leg_calls.get(&other) {
            Some(&(same, line)) if same == id => {
                let one_seat = self.calls.get(&id).is_some_and(|active| active.call.are_one_seat(leg_no, line));
                if !one_seat {
                    return Err(Why::Call(Refusal::NotAllowed));
                }
                self.request(now, id, Some(leg_no), call::Request::Complete)
            }
            // Two callers are never joined to each other.
            Some(_) => Err(Why::Call(Refusal::NotAllowed)),
            None => Err(Why::NoSuchLeg),
        }
    }

    fn second_line(&mut self, now: Now, incoming: &Incoming, id: CallId, first: LegNo, out: &mut Vec<Output>) -> Result<(), Why> {
        let to = identity::number_in(&incoming.uri);
        let (goal, kind) = self.may_go(now, id, &to, TransferKind::Consult)?;
        let late = incoming.offer.is_none();
        let help = kind == TransferKind::Emergency;
        self.enter(now, incoming, (id, help), out, |call, done| call.second_line(now, first, kind, goal, late, done))?;
        self.is_emergency(id, kind);
        tracing::info!(call = %id, leg = first.0, to = %Masked(&to), "a seat's second line");
        Ok(())
    }

    fn replace(&mut self, now: Now, incoming: &Incoming, old: LegId, seat: &Arc<str>, out: &mut Vec<Output>) -> Result<(), Why> {
        let (id, leg_no) = self.leg_calls.get(&old).copied().ok_or(Why::NoSuchLeg)?;
        let late = incoming.offer.is_none();
        self.enter(now, incoming, (id, false), out, |call, done| call.take_place(now, leg_no, seat, late, done))
    }

    /// The call's first entry is long written: final responses of the new leg may leave at once.
    fn enter(
        &mut self,
        now: Now,
        incoming: &Incoming,
        (id, help): (CallId, bool),
        out: &mut Vec<Output>,
        enter: impl FnOnce(&mut Call, &mut Vec<call::Output>) -> Result<LegNo, Refusal>,
    ) -> Result<(), Why> {
        let placer = self.placer(incoming);
        let dtmf = placer.as_ref().map_or(Dtmf::Auto, |placer| self.dtmf(placer));
        let help = help || self.calls.get(&id).is_some_and(|active| active.emergency);
        let srtp = placer.as_ref().and_then(|placer| self.keys_for(placer, incoming, help));
        let origins = placer.map(|placer| self.origins(&placer, incoming.flow.remote.ip())).unwrap_or_default();
        let home = self.homes.hold(incoming.flow.remote.ip());
        let leg_no = self.act(now, id, enter)?;
        let call_id = Some(Shown(&String::from_utf8_lossy(&incoming.call_id)).to_string());
        let new = Leg::new(incoming.leg, incoming.flow.remote, None, origins, self.setup.clone());
        let (theirs, pad, proof) = (incoming.call_id.clone(), Keypad::new(dtmf), Proof::by(incoming.flow));
        let leg = Leg { call_id, theirs, pad, srtp, proof, ipv6: incoming.ipv6, home, ..new };
        // The call wants things of it, which are work that is done later.
        if let Some(active) = self.calls.get_mut(&id) {
            active.legs.insert(leg_no, leg);
        }
        self.leg_calls.insert(incoming.leg, (id, leg_no));
        self.leg_command(now, Command::Release { leg: incoming.leg }, out);
        Ok(())
    }

    pub(super) fn turn_away(&mut self, now: Now, leg: LegId, status: u16, out: &mut Vec<Output>) {
        let cause = Cause { status, ..Cause::default() };
        self.leg_command(now, Command::Release { leg }, out);
        self.leg_command(now, Command::Hangup { leg, cause }, out);
    }
}
