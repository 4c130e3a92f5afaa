//! A deadline for whatever a call waits for that others must do, so that no stage is for ever; and what must hold between
//! two inputs, for tests that ask after each.

use super::talk::{Lease, Talk};
use super::{Audio, Call, Caller, LegNo, Outcome, Stage};
use crate::base::RtpStats;
use crate::base::{Mono, Now};
use crate::event::{By, Party, Result as Ended};
use std::time::Duration;

/// A caller's media is settled by the INVITE, or by the ACK of a late offer's answer, which the leg waits for no longer.
const SETTLING: Duration = Duration::from_secs(60);
/// Media is closed within a turn of its thread.
const CLOSING: Duration = Duration::from_secs(30);

/// Work that others have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The caller's media is settled.
    Media,
    /// A prompt has been played to its end.
    Prompt(u32),
    /// It is known whether a message can be recorded.
    Room,
    /// All media is closed.
    Closing,
}

impl Call {
    fn awaited(&self) -> Option<Awaited> {
        match &self.stage {
            // An offer in the INVITE is settled at once.
            Stage::Opening if self.caller != Caller::Trying => Some(Awaited::Media),
            Stage::Announcing { cue, .. } => Some(Awaited::Prompt(*cue)),
            Stage::Queued { .. } => self.announcer.cue().map(Awaited::Prompt),
            Stage::Asking(asking) => asking.cue().map(Awaited::Prompt),
            Stage::Message(message) => message.awaited(),
            Stage::Talking(talk) => talk.notice.as_ref().map(|notice| Awaited::Prompt(notice.cue)),
            Stage::Clearing => Some(Awaited::Closing),
            _ => None,
        }
    }

    /// Arms the deadline when what is waited for has changed.
    pub(super) fn watch(&mut self, now: Mono) {
        let awaited = self.awaited();
        if self.watched.map(|(what, _)| what) != awaited {
            self.watched = awaited.map(|what| (what, now.after(self.patience(what))));
        }
    }

    fn patience(&self, awaited: Awaited) -> Duration {
        match awaited {
            Awaited::Media => SETTLING,
            Awaited::Prompt(_) => self.policy.longest_prompt,
            Awaited::Room | Awaited::Closing => CLOSING,
        }
    }

    /// The call goes on as if it had been done.
    pub(super) fn overdue(&mut self, now: Now) {
        let Some((awaited, _)) = self.watched.take_if(|(_, until)| *until <= now.mono) else { return };
        tracing::error!(?awaited, "a call waits in vain, and goes on without");
        match awaited {
            // Q.850 cause 102: recovery on timer expiry.
            Awaited::Media => {
                self.finish(Outcome { result: Ended::Failed, by: By::Gateway, status: Some(408), q850: Some(102) });
            }
            Awaited::Prompt(cue) => self.played(now, cue),
            Awaited::Room => self.message_room(now, false),
            Awaited::Closing => {
                let open: Vec<LegNo> = self.media.keys().copied().collect();
                open.into_iter().for_each(|leg| self.media_closed(leg, RtpStats::default()));
            }
        }
    }

    /// Checks what must hold between two inputs, whatever came before: a stage has a deadline, nobody rings or talks for
    /// nobody. The switch asks for the deadline of a call that waits in a queue there.
    pub fn audit(&self) -> Result<(), String> {
        let bounded = matches!(self.stage, Stage::Queued { .. } | Stage::Done) || self.deadline().is_some();
        let stray = self.parties.iter().find(|(leg, called)| !self.has_place(**leg, &called.party));
        let alone = matches!(&self.stage, Stage::Talking(talk) if !talk.goes_on());
        let unheard = matches!(&self.stage, Stage::Talking(talk) if talk.ringing().is_some_and(|t| !talk.in_company(t)));
        let deaf =
            |leg: &LegNo| self.media.contains_key(leg) && self.hearing.get(leg).unwrap_or(&Audio::Silence) == &Audio::Silence;
        let silence = matches!(&self.stage, Stage::Talking(talk) if talk.members().any(|leg| deaf(&leg)));
        let dead = matches!(&self.stage, Stage::Talking(talk) if talk.has_dead_move());
        let strange = |lease: &Lease| self.seat_of(lease.leg).is_some_and(|seat| *seat != *lease.seat);
        let stolen = matches!(&self.stage, Stage::Talking(talk) if talk.lease.as_ref().is_some_and(strange));
        match stray {
            _ if dead => Err(format!("a move is about somebody who is not there: {self:?}")),
            _ if stolen => Err(format!("a seat is kept by another's leg: {self:?}")),
            _ if silence => Err(format!("somebody is left in silence: {self:?}")),
            _ if !bounded => Err(format!("no deadline: {self:?}")),
            _ if alone => Err(format!("somebody is alone: {self:?}")),
            _ if unheard => Err(format!("somebody rings for nobody: {self:?}")),
            Some((leg, _)) => Err(format!("{leg:?} belongs nowhere: {self:?}")),
            None => Ok(()),
        }
    }

    /// Tells whether a party rings or talks where the call stands.
    fn has_place(&self, leg: LegNo, party: &Party) -> bool {
        let taking = self.taking.is_some_and(|taking| taking.new == leg);
        taking
            || match &self.stage {
                Stage::Queued { .. } => matches!(party, Party::Seat { .. }),
                Stage::Ringing { leg: ringing, .. } => *ringing == leg,
                Stage::Calling(_) => self.places(leg),
                Stage::Talking(talk) if talk.desk.watchers.contains_key(&leg) => true,
                Stage::Talking(talk) => talk.has(leg) || talk.ringing().is_some_and(|transfer| transfer.leg == leg),
                _ => false,
            }
    }

    /// Tells whether it has called this seat.
    pub fn rings_seat(&self, seat: &str) -> bool {
        self.leg_of_seat(seat).is_some()
    }

    /// The caller waits in a queue.
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Queued { .. })
    }
}

impl Talk {
    /// A move whose target has answered, and is gone, or whose seat that consults is.
    fn has_dead_move(&self) -> bool {
        let answered = self.transfer.as_ref().filter(|transfer| transfer.until.is_none());
        answered.is_some_and(|transfer| !self.has(transfer.leg) || !self.has(transfer.by))
    }
}
