//! The parties a call rings and talks to.

use super::event::{By, Party, Result, What};
use super::profile::{codec_name, on_hold, profile};
use super::{CALLER, Call, Called, Dialled, Outcome, Output, Part, QueueCommand, Stage};
use crate::base::Now;
use crate::dialog::{Cause, End, EndedBy, Media};
use crate::plan::{Step, Target};
use std::sync::Arc;
use std::time::Duration;

impl Call {
    /// Offer and answer are settled on a leg, first or anew.
    pub(super) fn media_settled(&mut self, now: Now, part: Part, media: &Media) {
        let Some(codec) = self.media.get_mut(&part) else { return };
        *codec = codec_name(media);
        self.out.push(Output::Profile { part, profile: profile(media) });
        if part == CALLER && self.stage == Stage::Opening {
            return self.next_step(now);
        }
        self.hold_changed(part, on_hold(media));
    }

    fn hold_changed(&mut self, part: Part, held: bool) {
        let Stage::Talking { part: peer, .. } = self.stage else { return };
        let Some(called) = self.parties.get_mut(&peer) else { return };
        let was = if part == CALLER { &mut called.caller_holds } else { &mut called.holds };
        if (part != CALLER && part != peer) || *was == held {
            return;
        }
        *was = held;
        self.journal(if held { What::Held { leg: part.0 } } else { What::Resumed { leg: part.0 } });
    }

    pub(super) fn ring_seat(&mut self, queue: Arc<str>, seat: Arc<str>) {
        self.rang = true;
        let party = Party::Seat { name: seat.to_string(), queue: queue.to_string() };
        if self.dial(party, Dialled::Seat { name: seat.clone() }).is_none() {
            self.out.push(Output::Queue(QueueCommand::Refused { seat }));
        }
    }

    /// Rings a target of the plan's chain; at the chain's end the plan goes on.
    pub(super) fn ring_target(&mut self, now: Now, targets: &[Target], timeout: Duration, index: usize) {
        self.progress(now);
        let Some(target) = targets.get(index) else { return self.next_step(now) };
        let party = Party::Target { number: target.number.to_string() };
        match self.dial(party, Dialled::Target(target.clone())) {
            Some(part) => {
                self.stage = Stage::Ringing { part, target: index, until: now.mono.after(timeout) };
            }
            None => self.next_step(now),
        }
    }

    fn dial(&mut self, party: Party, dialled: Dialled) -> Option<Part> {
        if self.next_part > self.policy.max_parties {
            return None;
        }
        let part = Part(self.next_part);
        self.next_part += 1;
        self.parties.insert(part, Called { party: party.clone(), holds: false, caller_holds: false });
        self.media.insert(part, "");
        self.journal(What::Ringing { leg: part.0, party });
        self.out.push(Output::Dial { part, party: dialled });
        Some(part)
    }

    /// The queue took the seat back: its time is over, or another one answered.
    pub(super) fn stop_seat(&mut self, seat: &str, elsewhere: bool) {
        let Some(part) = self.part_of_seat(seat) else { return };
        self.give_up(part, elsewhere);
    }

    pub(super) fn ring_timed_out(&mut self, now: Now, part: Part) {
        self.give_up(part, false);
        self.advance_chain(now);
    }

    /// CANCELs a ringing party.
    fn give_up(&mut self, part: Part, elsewhere: bool) {
        if self.parties.remove(&part).is_some() {
            let cause = Cause { status: 480, q850: (!elsewhere).then_some(19), elsewhere, retry_after: None };
            self.out.push(Output::Hangup { part, cause });
            self.out.push(Output::Close { part });
            self.failure = Some((480, Some(19)));
            self.journal(What::RingFailed { leg: part.0, status: None, q850: None });
        }
    }

    fn advance_chain(&mut self, now: Now) {
        let Stage::Ringing { target, .. } = self.stage else { return };
        let steps = self.steps.clone();
        if let Some(Step::Ring { targets, timeout }) = self.next.checked_sub(1).and_then(|i| steps.get(i)) {
            self.ring_target(now, targets, *timeout, target + 1);
        }
    }

    pub(super) fn party_answered(&mut self, now: Now, part: Part) {
        let Some(called) = self.parties.get(&part).cloned() else { return };
        let queue = match (&self.stage, &called.party) {
            (Stage::Queued { line }, Party::Seat { name, .. }) => Some((line.clone(), Arc::<str>::from(name.as_str()))),
            (Stage::Ringing { part: ringing, .. }, _) if *ringing == part => None,
            _ => return,
        };
        self.answer_caller();
        self.stage = Stage::Talking { part, queue: queue.clone() };
        self.max_talk_at = Some(now.mono.after(self.policy.max_talk));
        self.journal(What::Joined { leg: part.0, party: called.party });
        if let Some((_, seat)) = queue {
            self.cancel_others(part);
            self.out.push(Output::Queue(QueueCommand::Answered { seat }));
        }
    }

    /// First answer wins: the others learn that the call was completed elsewhere (RFC 3326 §2).
    fn cancel_others(&mut self, winner: Part) {
        let others: Vec<Part> = self.parties.keys().copied().filter(|p| *p != winner).collect();
        for part in others {
            self.give_up(part, true);
        }
    }

    pub(super) fn party_ended(&mut self, now: Now, part: Part, end: End) {
        let Some(called) = self.parties.remove(&part) else { return };
        self.out.push(Output::Close { part });
        if matches!(&self.stage, Stage::Talking { part: talking, .. } if *talking == part) {
            return self.conversation_ended(now, part, end);
        }
        let status = end.status.map(|s| s.0);
        self.failure = Some((status.unwrap_or(480), end.q850));
        self.journal(What::RingFailed { leg: part.0, status, q850: end.q850 });
        match (&self.stage, called.party) {
            (Stage::Queued { .. }, Party::Seat { name, .. }) => {
                self.out.push(Output::Queue(QueueCommand::Refused { seat: name.into() }));
            }
            (Stage::Ringing { part: ringing, .. }, _) if *ringing == part => self.advance_chain(now),
            _ => {}
        }
    }

    /// The seat hung up, or its phone died: then the caller goes back to the head of the queue rather than be dropped.
    fn conversation_ended(&mut self, now: Now, part: Part, end: End) {
        let by = if end.by == EndedBy::Peer { By::Callee } else { By::Network };
        self.journal(What::LegEnded { leg: part.0, by, status: end.status.map(|s| s.0), q850: end.q850 });
        self.max_talk_at = None;
        let Stage::Talking { queue, .. } = self.stage.clone() else { return };
        if let Some((_, seat)) = &queue {
            self.out.push(Output::Queue(QueueCommand::Freed { seat: seat.clone() }));
        }
        match queue {
            Some((line, _)) if by == By::Network => self.join_queue(now, line, false, true),
            _ => self.finish(Outcome { result: Result::Answered, by, status: None, q850: end.q850.or(Some(16)) }),
        }
    }

    fn part_of_seat(&self, seat: &str) -> Option<Part> {
        let is = |party: &Party| matches!(party, Party::Seat { name, .. } if name == seat);
        self.parties.iter().find(|(_, called)| is(&called.party)).map(|(part, _)| *part)
    }
}
