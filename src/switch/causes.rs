//! Codes that mean at one trunk what the RFCs do not say: what a refusal there means for the call, its seat and its number, and
//! which code of ours a trunk is given.

use super::{Active, Output, Switch, Trunk};
use crate::base::{CallId, Masked, Meaning, Now, Wall};
use crate::call::{CALLER, LegNo};
use crate::dialog::{Cause, End};
use crate::event::SeatWhat;
use crate::sip::Rest;

impl Switch {
    /// A leg ends by a refusal of which the trunk's map of causes says something.
    pub(super) fn note_end(&mut self, (id, leg_no): (CallId, LegNo), end: &End) {
        let (Some(refused), Some(active)) = (&end.refused, self.calls.get_mut(&id)) else { return };
        let trunk = active.legs.get(&leg_no).and_then(|leg| leg.trunk.clone());
        let Meaning { means, en, zh, .. } = &refused.meaning;
        let (status, trunk) = (refused.code, trunk.as_deref());
        let placed = active.outbound.as_mut().filter(|_| leg_no == CALLER);
        placed.into_iter().for_each(|placing| placing.refusal = Some(refused.clone()));
        if refused.is_of_number() {
            return tracing::info!(call = %id, trunk, status, means, "the network refuses a number: {en} {zh}");
        }
        self.counters.lines_refused += 1;
        tracing::warn!(call = %id, trunk, status, means, "the network refuses a trunk's line: {en} {zh}");
    }

    /// The person whom a seat called was not reached: what the seat, the row of the callback list and the number's count are told.
    pub(super) fn person_not_reached(&mut self, now: Now, id: CallId, told: (Option<u16>, Option<u8>), out: &mut Vec<Output>) {
        let Some(active) = self.calls.get(&id) else { return };
        let Some(placing) = active.outbound.as_deref() else { return };
        let number = active.identity.caller.clone().unwrap_or_default();
        let (seat, refused, row) = (placing.seat.clone(), placing.refusal.clone(), placing.callback.clone());
        let refusal = refused.as_ref().map(|refused| refused.meaning.clone());
        let (status, q850) = told;
        self.queues.seats_mut().note(&seat, SeatWhat::OutboundFailed { call: id, status, q850, refusal: refusal.clone() });
        let Some(refusal) = refusal else { return };
        if let Some((row, attempt)) = row {
            self.lists.callbacks.note_refusal(&row, attempt, refusal);
        }
        if let Some(rest) = refused.filter(|refused| refused.is_of_number()).map(|refused| refused.rest) {
            let (day, until) = (self.setup.plan.day_of(now.wall), self.rests_until(now, rest));
            let minutes = until.0.saturating_sub(now.wall.0) / 60_000_000;
            tracing::info!(call = %id, to = %Masked(&number), minutes, "no seat calls the number for a while");
            self.listed_anew(out, |lists, keeps| lists.dialled.refused(now.wall, day, id, (&number, until), keeps));
        }
    }

    /// A network that refuses by the time of day opens with our hours. Where these are open, its own are others than ours: it is asked
    /// again no later than after any refusal.
    fn rests_until(&self, now: Now, rest: Rest) -> Wall {
        let outbound = &self.setup.outbound;
        let usual = now.wall.after(outbound.after_refusal);
        match rest {
            Rest::Usual => usual,
            Rest::For(time) => now.wall.after(time),
            Rest::Hours => match outbound.hours.opening(now.wall, self.setup.plan.zone()) {
                Some(opening) if outbound.hours.open(now.wall, self.setup.plan.zone()) => opening.min(usual),
                Some(opening) => opening,
                None => usual,
            },
        }
    }

    /// A refusal of ours as the caller's trunk wants it. A call for help that we cannot take gets 503, by which its network tries another
    /// gateway.
    pub(super) fn as_the_trunk_says(&self, id: CallId, leg_no: LegNo, cause: Cause) -> Cause {
        let stands = |active: &Active| leg_no != CALLER || active.emergency && cause.status == 503;
        let caller = self.calls.get(&id).filter(|active| !stands(active));
        let trunk = caller.and_then(|active| {
            let name = active.legs.get(&leg_no)?.trunk.as_ref()?;
            active.setup.trunks.iter().find(|trunk| trunk.name == *name)
        });
        trunk.map_or(cause.clone(), |trunk| trunk.says(cause))
    }
}

impl Trunk {
    /// Our refusal by the code that its network wants; what else is said with it stays.
    pub(super) fn says(&self, cause: Cause) -> Cause {
        match &self.causes {
            Some(causes) => Cause { status: causes.ours(cause.status, cause.q850), ..cause },
            None => cause,
        }
    }
}
