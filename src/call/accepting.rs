//! A seat that must accept: it may be a machine that answers its phone, the voicemail of a mobile or an exchange's announcement. Who
//! answers hears who calls, and has the caller after a key. Until then it rings, as far as the caller and the queue know, and the
//! queue's time for one ringing bounds it.

use super::{Audio, Call, LegNo, Stage, spoken};
use crate::base::Now;
use crate::event::Party;

/// How far a party is that has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// It was not asked.
    Unasked,
    /// It hears the question, which has this cue.
    Asked(u32),
    Done,
}

impl Call {
    /// True when the party that has answered is asked to accept the caller first.
    pub(super) fn asks_to_accept(&mut self, leg: LegNo) -> bool {
        let Stage::Queued { .. } = &self.stage else { return false };
        let Some(called) = self.parties.get(&leg) else { return false };
        let Party::Seat { name, .. } = &called.party else { return false };
        if called.accept != Accept::Unasked || !self.policy.callers.accept.contains_key(name.as_str()) {
            return false;
        }
        self.rings(leg);
        self.ask_to_accept(leg);
        true
    }

    fn ask_to_accept(&mut self, leg: LegNo) {
        self.next_cue += 1;
        let cue = self.next_cue;
        self.parties.get_mut(&leg).into_iter().for_each(|called| called.accept = Accept::Asked(cue));
    }

    /// The question has been spoken: it is asked again.
    pub(super) fn asked_to_accept(&mut self, finished: u32) {
        let asked = self.parties.iter().find(|(_, called)| called.accept == Accept::Asked(finished)).map(|(leg, _)| *leg);
        asked.into_iter().for_each(|leg| self.ask_to_accept(leg));
    }

    /// Tells whether a key of this party's accepts the caller.
    pub fn awaits_key_of(&self, leg: LegNo) -> bool {
        self.parties.get(&leg).is_some_and(|called| matches!(called.accept, Accept::Asked(_)))
    }

    /// A key of a party's; another than the one that is asked for changes nothing.
    pub(super) fn accepts(&mut self, now: Now, leg: LegNo, pressed: char) {
        if !self.awaits_key_of(leg) || self.accept_key(leg) != Some(pressed) {
            return;
        }
        self.parties.get_mut(&leg).into_iter().for_each(|called| called.accept = Accept::Done);
        self.party_answered(now, leg);
    }

    /// 12345 来电，请按 1 接听.
    pub(super) fn accept_audio(&self, leg: LegNo) -> Option<Audio> {
        let (Stage::Queued { queue }, Accept::Asked(cue)) = (&self.stage, self.parties.get(&leg)?.accept) else { return None };
        Some(Audio::Words { words: spoken::asks_to_accept(queue, self.accept_key(leg)?).into(), cue })
    }

    fn accept_key(&self, leg: LegNo) -> Option<char> {
        self.policy.callers.accept.get(self.parties.get(&leg)?.party.name()).copied()
    }
}
