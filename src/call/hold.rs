//! Hold and mute by a seat's verbs, made here and not by its phone; and the hold that everybody has forgotten.

use super::talk::Refusal;
use super::{CALLER, Call, LegNo, Output, Stage};
use crate::base::{Mono, Now};
use crate::event::What;
use crate::event::seat::HoldAlarm;

impl Call {
    pub(super) fn hold(&mut self, by: LegNo) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let was_open = talk.is_open(by);
        talk.desk.held.insert(by);
        if was_open {
            self.journal(What::Held { leg: by.0 });
        }
        Ok(())
    }

    pub(super) fn retrieve(&mut self, by: LegNo) -> Result<(), Refusal> {
        let talk = self.talk().ok_or(Refusal::NotTalking)?;
        let held = talk.desk.held.remove(&by);
        if held && talk.is_open(by) {
            self.journal(What::Resumed { leg: by.0 });
        }
        Ok(())
    }

    pub(super) fn mute(&mut self, by: LegNo, on: bool) -> Result<(), Refusal> {
        let muted = &mut self.talk().ok_or(Refusal::NotTalking)?.desk.muted;
        if if on { muted.insert(by) } else { muted.remove(&by) } {
            self.tell(Output::Muted { leg: by, on });
        }
        Ok(())
    }

    /// After each input: notes since when seats have had the caller on hold with nobody at work for it. Others, such as an
    /// emergency line, may take their time.
    pub(super) fn watch_hold(&mut self, now: Mono) {
        let Stage::Talking(talk) = &self.stage else { return };
        let forgotten = talk.is_held_by_all() && talk.main.iter().all(|leg| *leg == CALLER || self.is_seat(*leg));
        let Some(talk) = self.talk() else { return };
        talk.desk.forgotten = forgotten.then(|| talk.desk.forgotten.unwrap_or((now, 0)));
    }

    /// The next alarm of a forgotten hold: the seat's, then the supervisor's, then the caller goes back to its queue.
    pub(super) fn hold_due(&self) -> Option<(Mono, HoldAlarm)> {
        let Stage::Talking(talk) = &self.stage else { return None };
        let (since, alarms) = talk.desk.forgotten?;
        let (alarm, most) = (self.policy.hold_alarm, self.policy.hold_most);
        match alarms {
            0 => Some((since.after(alarm.min(most)), HoldAlarm::Seat)),
            1 => Some((since.after((2 * alarm).min(most)), HoldAlarm::Supervisor)),
            _ => talk.home.as_ref().map(|_| (since.after(most), HoldAlarm::Queue)),
        }
    }

    pub(super) fn hold_forgotten(&mut self, now: Now) {
        while let Some((at, alarm)) = self.hold_due()
            && at <= now.mono
        {
            let Some(talk) = self.talk() else { return };
            let others: Vec<LegNo> = talk.main.iter().copied().filter(|leg| *leg != CALLER).collect();
            if let Some((_, alarms)) = &mut talk.desk.forgotten {
                *alarms += 1;
            }
            for leg in others.iter().copied() {
                let seat = self.parties.get(&leg).map(|called| called.party.name().to_owned()).unwrap_or_default();
                self.tell(Output::HoldForgotten { leg, seat, alarm });
            }
            if alarm == HoldAlarm::Queue {
                others.into_iter().for_each(|leg| self.dismiss_seat(leg));
                return self.nobody_left(now);
            }
        }
    }
}
