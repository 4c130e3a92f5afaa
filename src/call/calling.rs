//! A call that a seat places (外呼、回访): its phone rings first, and when it has answered the person is dialled as the call's
//! caller. From their answer on it is a conversation like any other, so that hold, consultation, transfer, supervision and what
//! follows the talk are the same.

use super::begin::Begun;
use super::{CALLER, Call, Caller, Dialled, LegNo, Outcome, Output, Stage, status_map};
use crate::base::{Mono, Now};
use crate::dialog::End;
use crate::event::{By, Party, Result, What};
use crate::plan::Target;
use std::sync::Arc;
use std::time::Duration;

/// A call that a seat wants placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub seat: Arc<str>,
    /// The person whom it calls.
    pub to: Target,
    /// The queue at whose head the person waits when the seat's phone dies; none: the call is over then.
    pub home: Option<Arc<str>>,
    /// How long the seat's phone rings, and the person's.
    pub ring_seat: Duration,
    pub ring: Duration,
}

/// Such a call, until the person answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calling {
    placed: Placed,
    seat: LegNo,
    /// Until when the phone rings that rings now.
    until: Mono,
    /// The seat has answered, and the person is called.
    dialled: bool,
    /// There is somebody who may answer.
    rings: bool,
    /// The person's network speaks before the answer.
    early_media: bool,
}

impl Calling {
    /// The queue that the seat is told to be dead in, and that the person would come to.
    pub fn home(&self) -> Option<Arc<str>> {
        self.placed.home.clone()
    }
}

impl Call {
    /// Begins a call that a seat places: its phone rings.
    pub fn place(&mut self, now: Now, placed: Placed, out: &mut Vec<Output>) {
        // Nobody is there yet.
        self.caller = Caller::Gone;
        let party = Party::Seat { name: placed.seat.to_string(), queue: String::new() };
        let seat = self.dial(party, Dialled::Seat { name: placed.seat.clone() });
        let until = now.mono.after(placed.ring_seat);
        let calling = Calling { placed, seat, until, dialled: false, rings: false, early_media: false };
        self.stage = Stage::Calling(Box::new(calling));
        self.flush(now, out);
    }

    /// The seat has answered: now the person is called.
    pub(super) fn dial_caller(&mut self, now: Now, leg: LegNo) {
        let Stage::Calling(calling) = &mut self.stage else { return };
        if calling.seat != leg || calling.dialled {
            return;
        }
        calling.dialled = true;
        calling.until = now.mono.after(calling.placed.ring);
        let party = Dialled::Target(calling.placed.to.clone());
        self.caller = Caller::Called;
        self.media.insert(CALLER, None);
        self.out.push(Output::Dial { leg: CALLER, party });
        self.tell(Output::CallerDialled);
    }

    /// The person's network gives a sign; `sends`: whether it speaks, where it says so.
    pub(super) fn caller_rings(&mut self, sends: Option<bool>) {
        if let Stage::Calling(calling) = &mut self.stage {
            calling.rings |= sends.is_none();
            calling.early_media = sends.unwrap_or(calling.early_media);
        }
    }

    /// The person has answered, and talks to the seat.
    pub(super) fn caller_answered(&mut self, now: Now) {
        let Stage::Calling(calling) = &self.stage else { return };
        let (seat, home) = (calling.seat, calling.placed.home.clone());
        self.caller = Caller::Answered;
        self.journal(What::CallerAnswered);
        self.begin_talk(now, seat, Begun::Placed { home });
    }

    /// The seat's side ends the call before anybody talked.
    pub(super) fn placing_over(&mut self, by: By, status: Option<u16>, q850: Option<u8>) {
        let Stage::Calling(calling) = &self.stage else { return };
        let outcome = match calling.dialled {
            true => Outcome { result: Result::AbandonedRinging, by, status: Some(487), q850: q850.or(Some(16)) },
            false => {
                let q850 = q850.or(status.map(status_map::cause)).or(Some(18));
                Outcome { result: Result::NoSeat, by, status: status.or(Some(480)), q850 }
            }
        };
        self.finish(outcome);
    }

    /// The seat's leg has answered, and the person's rings: its end is that of a leg, and no refusal.
    pub(super) fn placer_waits(&self, leg: LegNo) -> bool {
        matches!(&self.stage, Stage::Calling(calling) if calling.seat == leg && calling.dialled)
    }

    /// The outcome of a call whose person could not be had.
    pub(super) fn unreached_person(&self, by: By, end: &End) -> Option<Outcome> {
        let Stage::Calling(_) = &self.stage else { return None };
        let status = end.status.map_or(480, |status| status.0);
        let q850 = end.q850.or(Some(status_map::cause(end.said().unwrap_or(480))));
        Some(Outcome { result: Result::Failed, by, status: Some(status), q850 })
    }

    /// The phone that rings now has rung for long enough.
    pub(super) fn calling_in_vain(&mut self, now: Now) {
        let Stage::Calling(calling) = &self.stage else { return };
        if calling.until > now.mono {
            return;
        }
        let (seat, dialled, rings) = (calling.seat, calling.dialled, calling.rings);
        if !dialled {
            self.give_up(seat, false);
            let outcome = Outcome { result: Result::NoSeat, by: By::Gateway, status: Some(480), q850: Some(18) };
            return self.finish(outcome);
        }
        if !rings {
            self.out.push(Output::Unreached { leg: CALLER });
        }
        // Q.850 cause 19: it rang; 18: nobody gave a sign.
        let q850 = Some(if rings { 19 } else { 18 });
        self.finish(Outcome { result: Result::Failed, by: By::Gateway, status: Some(480), q850 });
    }

    pub(super) fn calling_until(&self) -> Option<Mono> {
        if let Stage::Calling(calling) = &self.stage { Some(calling.until) } else { None }
    }

    /// This leg is the seat's, which waits for the person; `true` where that one's network speaks already.
    pub(super) fn hears_calling(&self, leg: LegNo) -> Option<bool> {
        let Stage::Calling(calling) = &self.stage else { return None };
        (calling.seat == leg && calling.dialled).then_some(calling.early_media)
    }

    /// The seat's place in a call that it places.
    pub(super) fn places(&self, leg: LegNo) -> bool {
        matches!(&self.stage, Stage::Calling(calling) if calling.seat == leg)
    }
}
