//! How a call ends: legs first, then media, then the record, then nothing is left.

use super::profile::Agreed;
use super::{CALLER, Call, Caller, LegNo, Outcome, Output, QueueCommand, Stage, Then, status_map};
use crate::base::Now;
use crate::base::RtpStats;
use crate::dialog::{Cause, End, EndedBy};
use crate::event::{By, MessageEnd, Result, TransferResult, What};

impl Outcome {
    /// The plan sends the caller away.
    pub(super) fn rejected(status: u16, q850: u8) -> Outcome {
        Outcome { result: Result::Rejected, by: By::Gateway, status: Some(status), q850: Some(q850) }
    }

    /// Every target failed: the caller gets what the last one's refusal means for it.
    pub(super) fn nobody(failure: Option<(u16, Option<u8>)>) -> Outcome {
        let (refused, q850) = failure.unwrap_or((480, Some(19)));
        let q850 = q850.or(Some(status_map::cause(refused)));
        Outcome { result: Result::Failed, by: By::Gateway, status: Some(status_map::status(refused)), q850 }
    }
}

impl Call {
    /// Sends the caller away by decision of ours.
    pub(super) fn refuse(&mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    pub(super) fn caller_ended(&mut self, now: Now, end: End) {
        if self.caller == Caller::Gone {
            return;
        }
        self.caller = Caller::Gone;
        self.elsewhere = end.elsewhere;
        self.note_refusal(CALLER, None, &end);
        let by = match end.by {
            EndedBy::Peer => By::Caller,
            EndedBy::Us => By::Gateway,
            EndedBy::Network => By::Network,
        };
        let status = end.status.map(|s| s.0);
        self.journal(What::LegEnded { leg: CALLER.0, by, status, q850: end.q850 });
        self.left_by = Some((by, end.q850));
        if self.others_talk_on() {
            return;
        }
        if let Some(outcome) = self.over_but_for_words().or_else(|| self.unreached_person(by, &end)) {
            return self.finish(outcome);
        }
        let kept = self.message_ended(now, MessageEnd::HungUp) == Some(true);
        let result = match (&self.stage, by) {
            _ if kept => Result::Message,
            (Stage::Talking(_), _) => Result::Answered,
            (Stage::Announcing { then: Then::Refuse(outcome), .. }, _) => outcome.result,
            (_, By::Network | By::Gateway) | (Stage::Opening, _) => Result::Failed,
            (Stage::Asking(_) | Stage::Message(_), _) if self.lost_as().is_some() => Result::AbandonedQueue,
            (Stage::Announcing { .. } | Stage::Offering { .. } | Stage::Asking(_) | Stage::Message(_), _) => {
                Result::AbandonedAnnouncement
            }
            (Stage::Queued { .. }, _) if self.parties.is_empty() => Result::AbandonedQueue,
            _ => Result::AbandonedRinging,
        };
        self.finish(Outcome { result, by, status, q850: end.q850 });
    }

    /// The gateway is about to end: temporary failure (Q.850 cause 41) for whoever is not talking yet.
    pub fn stop(&mut self, now: Now, out: &mut Vec<Output>) {
        if let Some(outcome) = self.over_but_for_words() {
            self.finish(outcome);
        }
        let kept = self.message_ended(now, MessageEnd::Interrupted) == Some(true);
        let (result, status) = match self.stage {
            _ if kept => (Result::Message, None),
            Stage::Talking(_) => (Result::Answered, None),
            _ => (Result::Failed, Some(503)),
        };
        self.finish(Outcome { result, by: By::Gateway, status, q850: Some(41) });
        self.flush(now, out);
    }

    /// The conversation or the message is over, and the caller is asked for its opinion or thanked: whoever ends this does not end
    /// the call.
    fn over_but_for_words(&self) -> Option<Outcome> {
        match &self.stage {
            Stage::Asking(asking) => asking.outcome(),
            Stage::Announcing { then: Then::Refuse(outcome), .. }
                if matches!(outcome.result, Result::Answered | Result::Message) =>
            {
                Some(*outcome)
            }
            _ => None,
        }
    }

    pub(super) fn talked_too_long(&mut self) {
        self.max_talk_at = None;
        if matches!(self.stage, Stage::Talking(_)) {
            // Q.850 cause 102: recovery on timer expiry.
            self.finish(Outcome { result: Result::Answered, by: By::Gateway, status: None, q850: Some(102) });
        }
    }

    /// Ends every leg and closes all media. The first outcome stands.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        if self.outcome.is_some() {
            return;
        }
        self.outcome = Some(outcome);
        self.early_until = None;
        self.max_talk_at = None;
        self.end_move();
        self.dismiss_watchers();
        self.leave_seats();
        self.hang_up_parties(true);
        if self.caller != Caller::Gone {
            self.caller = Caller::Gone;
            let cause = Cause { status: outcome.status.unwrap_or(480), q850: outcome.q850, ..Cause::default() };
            self.out.push(Output::Hangup { leg: CALLER, cause });
        }
        self.close_caller();
        self.stage = Stage::Clearing;
        self.close_record();
    }

    /// The caller is lost, but seat and target have each other: they keep talking.
    fn others_talk_on(&mut self) -> bool {
        let Stage::Talking(talk) = &mut self.stage else { return false };
        talk.leave(CALLER);
        // A supervisor who joined in to hear the caller does not keep the seat.
        if self.only_seats() {
            self.dismiss_watchers();
        }
        if !self.talk().is_some_and(|talk| talk.goes_on()) {
            return false;
        }
        self.close_caller();
        true
    }

    /// Nobody is left to talk to each other.
    pub(super) fn conversation_over(&mut self) {
        if self.asks_opinion() {
            return;
        }
        let (by, q850) = self.left_by.unwrap_or((By::Gateway, None));
        self.finish(Outcome { result: Result::Answered, by, status: None, q850: q850.or(Some(16)) });
    }

    /// Once: the caller's media is closed when it leaves, whether or not the call goes on.
    fn close_caller(&mut self) {
        if self.media.contains_key(&CALLER) && !std::mem::replace(&mut self.caller_closed, true) {
            self.out.push(Output::Close { leg: CALLER });
        }
    }

    /// The move that the call ends in has come to nothing: a phone that asked for it is told before it is hung up.
    fn end_move(&mut self) {
        if let Some(transfer) = self.talk().and_then(|talk| talk.transfer.take()) {
            self.move_ended(transfer.seq, TransferResult::Failed);
        }
    }

    fn leave_seats(&mut self) {
        match &self.stage {
            Stage::Queued { .. } => self.out.push(Output::Queue(QueueCommand::Leave)),
            Stage::Talking(_) => self.free_seat(),
            _ => {}
        }
    }

    pub(super) fn hang_up_parties(&mut self, normal: bool) {
        let q850 = Some(if normal { 16 } else { 19 });
        self.taking = None;
        for leg in std::mem::take(&mut self.parties).into_keys() {
            let cause = Cause { status: 480, q850, elsewhere: self.elsewhere, ..Cause::default() };
            self.out.push(Output::Hangup { leg, cause });
            self.out.push(Output::Close { leg });
        }
    }

    pub(super) fn media_closed(&mut self, leg: LegNo, stats: RtpStats) {
        if let Some(agreed) = self.media.remove(&leg) {
            if let Some(Agreed { codec, srtp }) = agreed {
                self.journal(What::LegMedia { leg: leg.0, codec: codec.to_owned(), srtp, stats });
            }
            self.close_record();
        }
    }

    /// The last entry, once nothing more can happen.
    pub(super) fn close_record(&mut self) {
        if self.stage != Stage::Clearing || !self.media.is_empty() {
            return;
        }
        if let Some(outcome) = self.outcome {
            self.tell(Output::Ended(outcome));
            self.stage = Stage::Done;
        }
    }

    /// The entry that frees the call is the journal's word for its last one.
    pub(super) fn journaled(&mut self) {
        if self.stage == Stage::Done {
            self.out.push(Output::Done);
        }
    }
}
