//! The parties a call rings and talks to.

use super::accepting::Accept;
use super::begin::Begun;
use super::leave::Left;
use super::profile::{Agreed, on_hold, profile};
use super::{CALLER, Call, Called, Dialled, LegNo, Outcome, Output, QueueCommand, Stage};
use crate::base::Now;
use crate::dialog::{Cause, End, EndedBy, Media};
use crate::event::seat::MissCause;
use crate::event::{By, Choice, Party, What};
use crate::plan::{Failure, Step, Target};
use std::sync::Arc;
use std::time::Duration;

impl Call {
    /// Offer and answer are settled on a leg, first or anew.
    pub(super) fn media_settled(&mut self, now: Now, leg: LegNo, media: &Media) {
        let Some(agreed) = self.media.get_mut(&leg) else { return };
        *agreed = Some(Agreed::new(media, *agreed));
        self.out.push(Output::Profile { leg, profile: profile(media), keys: media.srtp.clone() });
        if leg == CALLER && self.stage == Stage::Opening {
            return self.next_step(now);
        }
        self.place_taken(now, leg, false);
        self.hold_changed(leg, on_hold(media));
    }

    /// Notes whether a ringing party's network has something to say before it answers. An exchange's announcement in a seat's place
    /// is not for callers.
    pub(super) fn early_media(&mut self, leg: LegNo, sends: bool) {
        let unheard =
            |party: &Party| matches!(party, Party::Seat { name, .. } if self.policy.callers.unheard.contains(name.as_str()));
        if let Some(called) = self.parties.get_mut(&leg) {
            called.early_media = sends && !unheard(&called.party);
        }
    }

    fn hold_changed(&mut self, leg: LegNo, held: bool) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let changed = match held {
            true => talk.has(leg) && talk.holds.insert(leg),
            false => talk.holds.remove(&leg),
        };
        if changed && !talk.desk.held.contains(&leg) {
            self.journal(if held { What::Held { leg: leg.0 } } else { What::Resumed { leg: leg.0 } });
        }
    }

    pub(super) fn ring_seat(&mut self, queue: &str, seat: Arc<str>, choice: Box<Choice>) {
        self.rang = true;
        let party = Party::Seat { name: seat.to_string(), queue: queue.to_owned() };
        self.dial_chosen(party, Dialled::Seat { name: seat }, Some(choice));
    }

    /// There is somebody who may answer.
    pub(super) fn rings(&mut self, leg: LegNo) {
        let Some(called) = self.parties.get_mut(&leg).filter(|called| !called.rings) else { return };
        called.rings = true;
        if let (Stage::Queued { .. }, Party::Seat { name, .. }) = (&self.stage, &called.party) {
            self.out.push(Output::Queue(QueueCommand::Rang { seat: name.as_str().into() }));
        }
    }

    /// A seat's phone sends its person's calls elsewhere: a mobile or a voicemail is not to answer the queue's callers.
    pub(super) fn forwards(&mut self, leg: LegNo) {
        let seat = match (&self.stage, self.parties.get(&leg).map(|called| &called.party)) {
            (Stage::Queued { .. }, Some(Party::Seat { name, .. })) => Arc::from(name.as_str()),
            _ => return self.rings(leg),
        };
        self.give_up(leg, false);
        self.out.push(Output::Queue(QueueCommand::Refused { seat, failure: MissCause::Dnd }));
    }

    /// Rings a target of the plan's chain; at the chain's end the plan goes on.
    pub(super) fn ring_target(&mut self, now: Now, targets: &[Target], timeout: Duration, index: usize) {
        self.progress(now);
        let mut there = targets.iter().enumerate().skip(index).filter(|(_, target)| !self.is_refused(target));
        let Some((index, target)) = there.next() else { return self.next_step(now) };
        if !self.may_try() {
            return self.next_step(now);
        }
        let party = Party::Target { number: target.number.to_string() };
        let leg = self.dial(party, Dialled::Target(target.clone()));
        self.stage = Stage::Ringing { leg, target: index, until: now.mono.after(timeout) };
    }

    /// Its network has refused this number for itself: another way to it would be refused as well.
    pub(super) fn is_refused(&self, target: &Target) -> bool {
        !target.emergency && self.refused.iter().any(|number| **number == *target.number)
    }

    /// A refusal whose code means what its trunk's map of causes says.
    pub(super) fn note_refusal(&mut self, leg: LegNo, number: Option<&str>, end: &End) {
        let Some(refused) = &end.refused else { return };
        self.refused.extend(number.filter(|_| refused.is_of_number()).map(str::to_owned));
        self.journal(What::Refused { leg: leg.0, meaning: Box::new(refused.meaning.clone()) });
    }

    /// Tells whether one more party may be tried for this call; then it is counted.
    pub(super) fn may_try(&mut self) -> bool {
        let may = self.tried < self.policy.max_parties;
        self.tried += u64::from(may);
        may
    }

    pub(super) fn dial(&mut self, party: Party, dialled: Dialled) -> LegNo {
        self.dial_chosen(party, dialled, None)
    }

    fn dial_chosen(&mut self, party: Party, dialled: Dialled, choice: Option<Box<Choice>>) -> LegNo {
        let leg = self.new_leg(party.clone(), false);
        // In this order, so that the entry can name the INVITE's Call-ID.
        self.out.push(Output::Dial { leg, party: dialled });
        self.tell(Output::Ringing { leg, party, choice });
        leg
    }

    /// One more leg; `unanswered`: it called us.
    pub(super) fn new_leg(&mut self, party: Party, unanswered: bool) -> LegNo {
        let leg = LegNo(self.next_leg);
        self.next_leg += 1;
        self.parties.insert(leg, Called::new(party, unanswered));
        self.media.insert(leg, None);
        leg
    }

    /// The queue took the seat back: its time is over, or another one answered.
    pub(super) fn stop_seat(&mut self, seat: &str, elsewhere: bool) {
        let Some(leg) = self.leg_of_seat(seat) else { return };
        if !elsewhere {
            self.unreached(leg);
        }
        self.give_up(leg, elsewhere);
    }

    pub(super) fn ring_timed_out(&mut self, now: Now, leg: LegNo) {
        self.unreached(leg);
        self.give_up(leg, false);
        self.advance_chain(now, Failure::NoAnswer);
    }

    /// The time of a target, or of a seat behind a trunk, is over: whoever calls it next wants to know that it gave no sign.
    pub(super) fn unreached(&mut self, leg: LegNo) {
        let by_trunk = |party: &Party| match party {
            Party::Target { .. } => true,
            Party::Seat { name, .. } => self.policy.callers.unheard.contains(name.as_str()),
        };
        let silent = |called: &Called| !called.rings && by_trunk(&called.party);
        if self.parties.get(&leg).is_some_and(silent) {
            self.out.push(Output::Unreached { leg });
        }
    }

    /// CANCELs a ringing party.
    pub(super) fn give_up(&mut self, leg: LegNo, elsewhere: bool) {
        self.taking.take_if(|taking| taking.new == leg);
        if self.parties.remove(&leg).is_some() {
            let cause = Cause { status: 480, q850: (!elsewhere).then_some(19), elsewhere, retry_after: None };
            self.out.push(Output::Hangup { leg, cause });
            self.out.push(Output::Close { leg });
            self.failure = Some((480, Some(19)));
            self.journal(What::RingFailed { leg: leg.0, status: None, q850: None });
        }
    }

    /// The next target rings, unless the plan leaves this failure to the caller.
    pub(super) fn advance_chain(&mut self, now: Now, failure: Failure) {
        let Stage::Ringing { target, .. } = self.stage else { return };
        let steps = self.steps.clone();
        if let Some(Step::Ring { targets, timeout, advance }) = self.next.checked_sub(1).and_then(|i| steps.get(i)) {
            if !advance.on(failure) {
                return self.refuse(Outcome::nobody(self.failure));
            }
            self.ring_target(now, targets, *timeout, target + 1);
        }
    }

    pub(super) fn party_answered(&mut self, now: Now, leg: LegNo) {
        if self.watcher_answered(leg) || self.place_taken(now, leg, true) || self.asks_to_accept(leg) {
            return;
        }
        if matches!(self.stage, Stage::Calling(_)) {
            return self.dial_caller(now, leg);
        }
        let how = match (&self.stage, self.parties.get(&leg).map(|called| &called.party)) {
            (Stage::Talking(talk), Some(party)) if talk.ringing().is_some_and(|t| t.leg == leg) => {
                let party = party.clone();
                self.tell(Output::Joined { leg, party });
                return self.target_answered(now, leg);
            }
            (Stage::Queued { queue }, Some(Party::Seat { .. })) => Begun::Leased { queue: queue.clone() },
            (Stage::Ringing { leg: ringing, target, .. }, Some(_)) if *ringing == leg => Begun::Target(*target),
            _ => return,
        };
        self.begin_talk(now, leg, how);
    }

    /// First answer wins: the others learn that the call was completed elsewhere (RFC 3326 §2).
    pub(super) fn cancel_others(&mut self, winner: LegNo) {
        let others: Vec<LegNo> = self.parties.keys().copied().filter(|p| *p != winner).collect();
        for leg in others {
            self.give_up(leg, true);
        }
    }

    pub(super) fn party_ended(&mut self, now: Now, leg: LegNo, end: End) {
        if end.by == EndedBy::Network {
            self.unreached(leg);
        }
        let Some(called) = self.parties.remove(&leg) else { return };
        self.out.push(Output::Close { leg });
        let status = end.status.map(|s| s.0);
        if self.taking.take_if(|taking| taking.new == leg).is_some() {
            return;
        }
        let by = by_callee(&end);
        let watched = self.talk().is_some_and(|talk| talk.desk.watchers.contains_key(&leg));
        if self.watcher_ended(leg) {
            return self.journal(What::LegEnded { leg: leg.0, by: By::Callee, status, q850: end.q850 });
        }
        if matches!(&self.stage, Stage::Talking(talk) if talk.has(leg)) {
            self.journal(What::LegEnded { leg: leg.0, by, status, q850: end.q850 });
            self.left_by = Some((by, end.q850));
            if end.by == EndedBy::Peer && self.dropped(now, leg) {
                return;
            }
            let unmeant = self.leaves_for_refusal(now, leg);
            let how = match by {
                // That a supervisor's phone goes means nothing for seats.
                By::Network if !watched => Left::Died,
                _ if unmeant => Left::ByMistake,
                _ => Left::Willingly,
            };
            return self.left(now, leg, &called.party, how);
        }
        if self.placer_waits(leg) {
            self.journal(What::LegEnded { leg: leg.0, by, status, q850: end.q850 });
            if by == By::Network {
                self.lose_seat(leg, &called.party);
            }
            return self.placing_over(by, status, end.q850);
        }
        self.failure = Some((end.said().unwrap_or(480), end.q850));
        let number = if let Party::Target { number } = &called.party { Some(number.as_str()) } else { None };
        self.note_refusal(leg, number, &end);
        self.journal(What::RingFailed { leg: leg.0, status, q850: end.q850 });
        match (&self.stage, called.party) {
            (Stage::Queued { .. }, Party::Seat { name, .. }) => {
                self.out
                    .push(Output::Queue(QueueCommand::Refused { seat: name.into(), failure: seat_failure(&end, called.rings) }));
            }
            (Stage::Ringing { leg: ringing, .. }, _) if *ringing == leg => self.advance_chain(now, failure_of(&end)),
            (Stage::Calling(_), _) => self.placing_over(by, status, end.q850),
            (Stage::Talking(talk), _) if talk.ringing().is_some_and(|t| t.leg == leg) => self.target_lost(now),
            _ => {}
        }
    }

    /// Neither RTP nor RTCP for the configured time.
    pub(super) fn silent(&mut self, now: Now, leg: LegNo) {
        self.journal(What::Silent { leg: leg.0 });
        self.target_silent(now, leg);
    }

    pub(super) fn leg_of_seat(&self, seat: &str) -> Option<LegNo> {
        let is = |party: &Party| matches!(party, Party::Seat { name, .. } if name == seat);
        self.parties.iter().find(|(_, called)| is(&called.party)).map(|(leg, _)| *leg)
    }
}

impl Called {
    pub(super) fn new(party: Party, unanswered: bool) -> Called {
        Called { party, unanswered, early_media: false, rings: false, accept: Accept::Unasked, met: None, assists: None }
    }
}

/// The side that ended a leg of a party that we called.
fn by_callee(end: &End) -> By {
    if end.by == EndedBy::Peer { By::Callee } else { By::Network }
}

/// Reads from a seat's end what is the matter with the seat. Statuses that say that nobody is there say so whoever sent them:
/// the phone's proxy, or we when nothing came.
fn seat_failure(end: &End, rings: bool) -> MissCause {
    match (end.by, end.said().unwrap_or(480)) {
        (EndedBy::Us, _) => MissCause::Ours,
        (_, 408 | 480 | 487) if rings => MissCause::NoAnswer,
        (EndedBy::Network, _) | (_, 408 | 500..600) => MissCause::Unreachable,
        (_, 404 | 410 | 430 | 480) => MissCause::NotRegistered,
        (_, 486 | 600) => MissCause::Busy,
        // It forwards: it is not for another to take the queue's callers.
        (_, 300..400) => MissCause::Dnd,
        _ => MissCause::Rejected,
    }
}

/// Why a target did not answer, from the status it gave; none: it died.
/// A refusal of the line says nothing of the party, however the map of its trunk writes it.
fn failure_of(end: &End) -> Failure {
    if end.refused.as_ref().is_some_and(|refused| !refused.is_of_number()) {
        return Failure::Failed;
    }
    match end.said() {
        Some(486 | 600) => Failure::Busy,
        Some(408 | 480 | 487) => Failure::NoAnswer,
        Some(401 | 403 | 407 | 603 | 607 | 608) => Failure::Rejected,
        _ => Failure::Failed,
    }
}
