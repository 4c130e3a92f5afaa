//! The entries of a call's journal: each is made here of what the call tells and of what the switch knows of its prompts and
//! parties, and is complete when it is written.

use super::identity::Identity;
use super::{Active, Output, Switch, route};
use crate::base::{CallId, Mono, Now};
use crate::call::{LegNo, Outcome};
use crate::event::{Choice, Offered, Party, TransferResult, What};
use crate::record::ending::Ending;

/// An act that follows a call's last entry.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Its recording ends.
    Recording,
    /// Its caller comes to the callback list, or is on it no more.
    Missed,
    /// A seat's attempt to ring its caller back is over.
    Attempt,
}

/// Those acts of one call that are not done yet. One in which the program has panicked is tried once more, and then it is the only
/// one that is lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    outcome: Outcome,
    done: usize,
    tries: u8,
}

impl Owed {
    const ACTS: [Act; 3] = [Act::Recording, Act::Missed, Act::Attempt];
    const TRIES: u8 = 2;

    fn next(&mut self) -> Option<(Act, Outcome)> {
        if self.tries >= Owed::TRIES {
            self.is_done();
        }
        self.tries += 1;
        Some((*Owed::ACTS.get(self.done)?, self.outcome))
    }

    fn is_done(&mut self) {
        (self.done, self.tries) = (self.done + 1, 0);
    }
}

impl Switch {
    /// The call's first entry.
    pub(super) fn write_offered(&mut self, now: Now, id: CallId, offered: Offered, out: &mut Vec<Output>) {
        if offered.recorded {
            self.recording_begins(now, id, out);
        }
        self.write(now, id, What::Offered(Box::new(offered)), out);
    }

    pub(super) fn announcing(&mut self, now: Now, id: CallId, prompt: &str, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let version = active.setup.prompts.get(prompt).map(|prompt| prompt.version.clone());
        self.write(now, id, What::Announcing { prompt: prompt.to_owned(), version }, out);
    }

    pub(super) fn ringing(
        &mut self,
        now: Now,
        id: CallId,
        leg_no: LegNo,
        party: Party,
        choice: Option<Box<Choice>>,
        out: &mut Vec<Output>,
    ) {
        let (sip_call_id, label) = self.known_of(id, leg_no, &party);
        self.write(now, id, What::Ringing { leg: leg_no.0, party, sip_call_id, label, choice }, out);
    }

    /// A party that was only answered, to hear music, has not talked to anybody.
    pub(super) fn joined(&mut self, now: Now, id: CallId, leg_no: LegNo, party: Party, out: &mut Vec<Output>) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        let first = !std::mem::replace(&mut active.talked, true);
        self.counters.answered += u64::from(first && active.outbound.is_none());
        if let Party::Seat { name, .. } = &party {
            self.queues.talks(id, name);
        }
        let (sip_call_id, label) = self.known_of(id, leg_no, &party);
        self.write(now, id, What::Joined { leg: leg_no.0, party, sip_call_id, label }, out);
    }

    /// The Call-ID of its dialog, and a seat's name for people.
    fn known_of(&self, id: CallId, leg_no: LegNo, party: &Party) -> (Option<String>, Option<String>) {
        let Some(active) = self.calls.get(&id) else { return (None, None) };
        let call_id = active.legs.get(&leg_no).and_then(|leg| leg.call_id.clone());
        let label = match party {
            Party::Seat { name, .. } => {
                let seat = self.known_seat(name).or_else(|| route::former(&active.setup, name));
                seat.and_then(|seat| seat.label.as_deref()).map(str::to_owned)
            }
            Party::Target { .. } => None,
        };
        (call_id, label)
    }

    pub(super) fn transfer_started(&mut self, id: CallId, seq: u32) {
        if let Some(active) = self.calls.get_mut(&id) {
            active.open_move = Some(seq);
        }
    }

    /// A phone that asked for it hears of it.
    pub(super) fn transfer_ended(
        &mut self,
        now: Now,
        id: CallId,
        seq: u32,
        (result, failure): (TransferResult, Option<(u16, Option<u8>)>),
        out: &mut Vec<Output>,
    ) {
        self.notify_referrer(now, id, seq, (result, failure), out);
        if let Some(active) = self.calls.get_mut(&id) {
            active.open_move = None;
        }
    }

    /// The call's last entry; the log has its end, with the figures of its record.
    pub(super) fn ended(&mut self, now: Now, id: CallId, outcome: Outcome, out: &mut Vec<Output>) {
        let Outcome { result, by, status, q850 } = outcome;
        self.message_cut(now, id, out);
        self.write(now, id, What::Ended { result, by, status, q850 }, out);
        let Some(active) = self.calls.get_mut(&id) else { return };
        // At once: a panic in what follows must not end it twice.
        active.over = Some(Owed { outcome, done: 0, tries: 0 });
        active.ending(now.mono).log(id, "the call is over");
        self.placed.remove(&id);
        self.owed(now, id, out);
    }

    /// Does what is still owed of a call whose record is closed.
    pub(super) fn owed(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        while let Some((act, outcome)) = self.calls.get_mut(&id).and_then(|active| active.over.as_mut()?.next()) {
            match act {
                Act::Recording => self.recording_ends(now, id, out),
                Act::Missed => self.note_missed(now, id, outcome.result, out),
                Act::Attempt => self.outbound_over(now, id, &outcome, out),
            }
            self.calls.get_mut(&id).and_then(|active| active.over.as_mut()).into_iter().for_each(Owed::is_done);
        }
    }
}

impl Active {
    /// Nothing more is known of it. Its end was told before, or else never will be.
    pub(super) fn forgotten(&self, id: CallId, now: Now) {
        if self.timing.end.is_none() {
            self.ending(now.mono).log(id, "the call is gone, and its record has no end");
        }
    }

    fn ending(&self, now: Mono) -> Ending<'_> {
        let Identity { number, caller, withheld, .. } = &self.identity;
        Ending::of(&self.timing, now, number, caller.as_deref(), *withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{By, Result};

    #[test]
    fn an_act_that_fails_twice_costs_no_other() {
        let outcome = Outcome { result: Result::Failed, by: By::Gateway, status: None, q850: None };
        let mut owed = Owed { outcome, done: 0, tries: 0 };
        let mut next = || owed.next().map(|(act, _)| act);
        // Nothing says that it is done: it has panicked.
        assert!(matches!([next(), next()], [Some(Act::Recording), Some(Act::Recording)]));
        assert!(matches!(next(), Some(Act::Missed)));
        owed.is_done();
        let mut next = || owed.next().map(|(act, _)| act);
        assert!(matches!([next(), next(), next(), next()], [Some(Act::Attempt), Some(Act::Attempt), None, None]));
    }
}
