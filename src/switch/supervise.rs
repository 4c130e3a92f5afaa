//! Supervision of seats: a supervisor's phone is rung into the call of the seat, and each change is told to that seat and stands
//! in the call's log.

use super::seat_calls::{by_supervisor, said};
use super::{Output, Switch};
use crate::base::{CallId, Now};
use crate::call::{LegNo, Refusal};
use crate::control::seat::SeatVerb;
use crate::control::{SeatRefusal, Why};
use crate::event::SeatWhat;
use crate::event::seat::{Author, AuthorKind, SuperviseMode};
use std::sync::Arc;

impl Switch {
    /// `seat`: the supervisor's own, whose phone hears and speaks.
    pub(super) fn supervision(&mut self, now: Now, seat: &Arc<str>, by: &Author, verb: SeatVerb) -> Result<(), Why> {
        match verb {
            SeatVerb::Supervise { seat: of, mode } => self.supervise(now, seat, by, &of, mode),
            SeatVerb::SuperviseMode { mode } => {
                by_supervisor(by)?;
                let (id, _) = self.supervised_by(seat)?;
                said(
                    self.act(now, id, |call, done| call.supervise_as(now, seat, mode, done)),
                    Refusal::Nothing,
                    SeatRefusal::NoCall,
                )
            }
            SeatVerb::StopSupervising => {
                let (id, _) = self.supervised_by(seat)?;
                said(
                    self.act(now, id, |call, done| call.stop_supervising(now, seat, done)),
                    Refusal::Nothing,
                    SeatRefusal::NoCall,
                )
            }
            SeatVerb::Intercept { seat: of } => self.intercept(now, seat, by, &of),
            _ => Err(SeatRefusal::Unsupported.into()),
        }
    }

    /// The call in which this supervisor's phone is, and the leg of the seat that it supervises.
    fn supervised_by(&self, supervisor: &str) -> Result<(CallId, LegNo), Why> {
        self.newest(supervisor, |call| call.supervised_by(supervisor)).ok_or(Why::Seat(SeatRefusal::NoCall))
    }

    fn supervise(&mut self, now: Now, seat: &str, by: &Author, of: &str, mode: SuperviseMode) -> Result<(), Why> {
        by_supervisor(by)?;
        let (id, leg) = self.talk_of(of)?;
        self.free_to_supervise(seat, (id, leg))?;
        let answer = self.act(now, id, |call, done| call.supervise(now, seat, leg, mode, false, done));
        said(answer, Refusal::Busy, SeatRefusal::InCall)
    }

    /// The supervisor goes on with the caller, and the seat is idle (拦截).
    fn intercept(&mut self, now: Now, seat: &str, by: &Author, of: &str) -> Result<(), Why> {
        by_supervisor(by)?;
        let (id, leg) = self.talk_of(of)?;
        self.not_emergency(id)?;
        self.free_to_supervise(seat, (id, leg))?;
        self.act(now, id, |call, done| call.supervise(now, seat, leg, SuperviseMode::Monitor, true, done))
    }

    /// The supervisor's phone supervises this one already, or is free for it.
    fn free_to_supervise(&self, seat: &str, of: (CallId, LegNo)) -> Result<(), Why> {
        match self.supervised_by(seat) {
            Ok(known) if known == of => Ok(()),
            Ok(_) => Err(SeatRefusal::InCall.into()),
            Err(_) => self.is_idle(seat),
        }
    }

    /// The call has a supervisor, in another way, or none any more.
    pub(super) fn supervising(
        &mut self,
        now: Now,
        id: CallId,
        by: &str,
        seat: &Arc<str>,
        mode: Option<SuperviseMode>,
        out: &mut Vec<Output>,
    ) {
        tracing::info!(call = %id, supervisor = by, %seat, ?mode, "supervision");
        let by = Author { kind: AuthorKind::Supervisor, name: by.into() };
        let what = match mode {
            Some(mode) => SeatWhat::Supervised { call: id, mode, by },
            None => SeatWhat::SupervisionEnded { call: id, by },
        };
        self.tell_seat(now, seat, what, out);
    }
}
