//! The parties a call rings and talks to.

use super::event::{By, Party, What};
use super::profile::{codec_name, on_hold, profile};
use super::talk::{Lease, Talk};
use super::{CALLER, Call, Called, Dialled, Outcome, Output, Part, QueueCommand, Stage};
use crate::base::Now;
use crate::dialog::{Cause, End, EndedBy, Media};
use crate::plan::{Failure, Step, Target};
use crate::queue;
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
        self.place_taken(now, part);
        self.hold_changed(part, on_hold(media));
    }

    /// Notes whether a ringing party's network has something to say before it answers.
    pub(super) fn early_media(&mut self, part: Part, sends: bool) {
        if let Some(called) = self.parties.get_mut(&part) {
            called.early_media = sends;
        }
    }

    fn hold_changed(&mut self, part: Part, held: bool) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let changed = match held {
            true => talk.has(part) && talk.holds.insert(part),
            false => talk.holds.remove(&part),
        };
        if changed {
            self.journal(if held { What::Held { leg: part.0 } } else { What::Resumed { leg: part.0 } });
        }
    }

    pub(super) fn ring_seat(&mut self, queue: Arc<str>, seat: Arc<str>) {
        self.rang = true;
        let party = Party::Seat { name: seat.to_string(), queue: queue.to_string() };
        self.dial(party, Dialled::Seat { name: seat });
    }

    /// There is somebody who may answer.
    pub(super) fn rings(&mut self, part: Part) {
        let Some(called) = self.parties.get_mut(&part).filter(|called| !called.rings) else { return };
        called.rings = true;
        if let (Stage::Queued { .. }, Party::Seat { name, .. }) = (&self.stage, &called.party) {
            self.out.push(Output::Queue(QueueCommand::Rang { seat: name.as_str().into() }));
        }
    }

    /// Rings a target of the plan's chain; at the chain's end the plan goes on.
    pub(super) fn ring_target(&mut self, now: Now, targets: &[Target], timeout: Duration, index: usize) {
        self.progress(now);
        let Some(target) = targets.get(index) else { return self.next_step(now) };
        if !self.may_try() {
            return self.next_step(now);
        }
        let party = Party::Target { number: target.number.to_string() };
        let part = self.dial(party, Dialled::Target(target.clone()));
        self.stage = Stage::Ringing { part, target: index, until: now.mono.after(timeout) };
    }

    /// Tells whether one more party may be tried for this call; then it is counted.
    pub(super) fn may_try(&mut self) -> bool {
        let may = self.tried < self.policy.max_parties;
        self.tried += u64::from(may);
        may
    }

    pub(super) fn dial(&mut self, party: Party, dialled: Dialled) -> Part {
        let part = Part(self.next_part);
        self.next_part += 1;
        self.parties.insert(part, Called::new(party.clone(), false));
        self.media.insert(part, "");
        // In this order, so that the entry can name the INVITE's Call-ID.
        self.out.push(Output::Dial { part, party: dialled });
        self.journal(What::ringing(part.0, party));
        part
    }

    /// The queue took the seat back: its time is over, or another one answered.
    pub(super) fn stop_seat(&mut self, seat: &str, elsewhere: bool) {
        let Some(part) = self.part_of_seat(seat) else { return };
        self.give_up(part, elsewhere);
    }

    pub(super) fn ring_timed_out(&mut self, now: Now, part: Part) {
        self.unreached(part);
        self.give_up(part, false);
        self.advance_chain(now, Failure::NoAnswer);
    }

    /// The time of a target is over: whoever calls it next wants to know that it gave no sign.
    pub(super) fn unreached(&mut self, part: Part) {
        let silent = |called: &Called| !called.rings && matches!(called.party, Party::Target { .. });
        if self.parties.get(&part).is_some_and(silent) {
            self.out.push(Output::Unreached { part });
        }
    }

    /// CANCELs a ringing party.
    pub(super) fn give_up(&mut self, part: Part, elsewhere: bool) {
        self.taking.take_if(|(new, _)| *new == part);
        if self.parties.remove(&part).is_some() {
            let cause = Cause { status: 480, q850: (!elsewhere).then_some(19), elsewhere, retry_after: None };
            self.out.push(Output::Hangup { part, cause });
            self.out.push(Output::Close { part });
            self.failure = Some((480, Some(19)));
            self.journal(What::RingFailed { leg: part.0, status: None, q850: None });
        }
    }

    /// The next target rings, unless the plan leaves this failure to the caller.
    fn advance_chain(&mut self, now: Now, failure: Failure) {
        let Stage::Ringing { target, .. } = self.stage else { return };
        let steps = self.steps.clone();
        if let Some(Step::Ring { targets, timeout, advance }) = self.next.checked_sub(1).and_then(|i| steps.get(i)) {
            if !advance.on(failure) {
                return self.refuse(Outcome::nobody(self.failure));
            }
            self.ring_target(now, targets, *timeout, target + 1);
        }
    }

    pub(super) fn party_answered(&mut self, now: Now, part: Part) {
        let Some(called) = self.parties.get(&part).cloned() else { return };
        let lease = match (&self.stage, &called.party) {
            (Stage::Talking(talk), _) if talk.ringing().is_some_and(|t| t.part == part) => {
                self.journal(What::joined(part.0, called.party));
                return self.target_answered(now, part);
            }
            (Stage::Queued { line }, Party::Seat { name, .. }) => {
                Some(Lease { line: line.clone(), seat: name.as_str().into(), part })
            }
            (Stage::Ringing { part: ringing, .. }, _) if *ringing == part => None,
            _ => return,
        };
        self.answer_caller();
        let seat = lease.as_ref().map(|l| l.seat.clone());
        self.stage = Stage::Talking(Box::new(Talk::between(part, lease)));
        self.max_talk_at = Some(now.mono.after(self.policy.max_talk));
        self.journal(What::joined(part.0, called.party));
        if let Some(seat) = seat {
            self.cancel_others(part);
            self.out.push(Output::Queue(QueueCommand::Answered { seat }));
        }
    }

    /// First answer wins: the others learn that the call was completed elsewhere (RFC 3326 §2).
    pub(super) fn cancel_others(&mut self, winner: Part) {
        let others: Vec<Part> = self.parties.keys().copied().filter(|p| *p != winner).collect();
        for part in others {
            self.give_up(part, true);
        }
    }

    pub(super) fn party_ended(&mut self, now: Now, part: Part, end: End) {
        if end.by == EndedBy::Network {
            self.unreached(part);
        }
        let Some(called) = self.parties.remove(&part) else { return };
        self.out.push(Output::Close { part });
        let status = end.status.map(|s| s.0);
        if self.taking.take_if(|(new, _)| *new == part).is_some() {
            return;
        }
        if matches!(&self.stage, Stage::Talking(talk) if talk.has(part)) {
            let by = if end.by == EndedBy::Peer { By::Callee } else { By::Network };
            self.journal(What::LegEnded { leg: part.0, by, status, q850: end.q850 });
            self.left_by = Some((by, end.q850));
            let unmeant = self.leaves_for_refusal(now, part);
            return self.left(now, part, by == By::Network || unmeant);
        }
        self.failure = Some((status.unwrap_or(480), end.q850));
        self.journal(What::RingFailed { leg: part.0, status, q850: end.q850 });
        match (&self.stage, called.party) {
            (Stage::Queued { .. }, Party::Seat { name, .. }) => {
                self.out
                    .push(Output::Queue(QueueCommand::Refused { seat: name.into(), failure: seat_failure(&end, called.rings) }));
            }
            (Stage::Ringing { part: ringing, .. }, _) if *ringing == part => self.advance_chain(now, failure_of(status)),
            (Stage::Talking(talk), _) if talk.ringing().is_some_and(|t| t.part == part) => self.target_lost(now),
            _ => {}
        }
    }

    /// Neither RTP nor RTCP for the configured time.
    pub(super) fn silent(&mut self, now: Now, part: Part) {
        self.journal(What::Silent { leg: part.0 });
        self.target_silent(now, part);
    }

    pub(super) fn part_of_seat(&self, seat: &str) -> Option<Part> {
        let is = |party: &Party| matches!(party, Party::Seat { name, .. } if name == seat);
        self.parties.iter().find(|(_, called)| is(&called.party)).map(|(part, _)| *part)
    }
}

impl Called {
    pub(super) fn new(party: Party, unanswered: bool) -> Called {
        Called { party, unanswered, early_media: false, rings: false, met: None }
    }
}

/// Reads from a seat's end what is the matter with the seat. Statuses that say that nobody is there say so whoever sent them:
/// the phone's proxy, or we when nothing came.
fn seat_failure(end: &End, rings: bool) -> queue::Failure {
    match (end.by, end.status.map_or(480, |status| status.0)) {
        (EndedBy::Us, _) => queue::Failure::Ours,
        (_, 408 | 480 | 487) if rings => queue::Failure::Missed,
        (EndedBy::Network, _) | (_, 404 | 408 | 410 | 430 | 480 | 500..600) => queue::Failure::Unreachable,
        _ => queue::Failure::Declined,
    }
}

/// Why a target did not answer, from the status it gave; none: it died.
fn failure_of(status: Option<u16>) -> Failure {
    match status {
        Some(486 | 600) => Failure::Busy,
        Some(408 | 480 | 487) => Failure::NoAnswer,
        Some(401 | 403 | 407 | 603 | 607 | 608) => Failure::Rejected,
        _ => Failure::Failed,
    }
}
