//! Shows operators a call.

use super::{CALLER, Call, Called, Caller, Dialled, LegNo, Stage};
use crate::base::{Mono, Suite};
use crate::event::seat::{RingCause, TalkRole};
use crate::event::{Party, TransferKind};
use std::sync::Arc;

/// How far a party is in a call, from what matters least to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegStage {
    /// A caller with nobody yet.
    Waits,
    /// A supervisor's phone, which is there for another seat.
    Supervises,
    /// Its phone rings, and the call is another's.
    Rings,
    /// The seat places this call, and its own phone rings.
    Places,
    /// The seat places this call, and the person has not answered.
    Calls,
    Talks,
}

impl LegStage {
    /// The call is the party's own: it talks in it, or has placed it.
    pub fn is_own(self) -> bool {
        self >= LegStage::Places
    }
}

/// A leg as an operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LegView {
    pub leg: u64,
    /// `caller`, the seat's name or the target's number.
    pub party: String,
    /// `ringing`, `talking` (with the caller), `aside` (in a consultation), `supervising` or `waiting`: a caller with nobody yet,
    /// or again, and a seat whose person is called.
    pub state: &'static str,
    pub on_hold: bool,
    /// A seat that the others do not hear, by its own wish.
    pub muted: bool,
    /// The suite by which its audio is sealed.
    pub srtp: Option<Suite>,
}

impl Call {
    pub fn legs(&self) -> Vec<LegView> {
        let caller = (!self.caller_closed && self.outcome.is_none()).then(|| (CALLER, "caller".to_owned()));
        let parties = self.parties.iter().map(|(leg, called)| (*leg, called.party.name().to_owned()));
        caller.into_iter().chain(parties).map(|(leg, party)| self.leg(leg, party)).collect()
    }

    /// Its end is decided.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Tells whether a seat of this name or a target of this number is in the call.
    pub fn has_party(&self, wanted: &str) -> bool {
        self.parties.values().any(|called| called.party.name() == wanted)
    }

    /// The seats that are in the call, with those that ring.
    pub fn seats(&self) -> impl Iterator<Item = &str> + Clone {
        self.parties.values().filter_map(|called| match &called.party {
            Party::Seat { name, .. } => Some(name.as_str()),
            Party::Target { .. } => None,
        })
    }

    /// The seat that this leg is.
    pub fn seat_of(&self, leg: LegNo) -> Option<&str> {
        match &self.parties.get(&leg)?.party {
            Party::Seat { name, .. } => Some(name.as_str()),
            Party::Target { .. } => None,
        }
    }

    /// Why this party is called, as the person at a seat is told.
    pub fn ring_cause(&self, leg: LegNo) -> RingCause {
        let Stage::Talking(talk) = &self.stage else { return RingCause::Direct };
        match talk.transfer.as_ref().filter(|transfer| transfer.leg == leg).map(|transfer| transfer.kind) {
            _ if talk.desk.watchers.contains_key(&leg) => RingCause::Monitor,
            Some(TransferKind::Consult | TransferKind::ThreeWay) => RingCause::Consult,
            Some(_) => RingCause::Transfer,
            None => RingCause::Direct,
        }
    }

    /// The part of this seat, while whoever has fetched it is there.
    pub fn role(&self, leg: LegNo) -> TalkRole {
        match self.parties.get(&leg).and_then(|called| called.assists.as_deref()) {
            Some(by) if self.has_party(by) => TalkRole::Assistant,
            _ => TalkRole::Main,
        }
    }

    /// It is fetched for this one.
    pub(super) fn assists(&mut self, leg: LegNo, by: LegNo) {
        let by = self.parties.get(&by).map(|called| Arc::from(called.party.name()));
        if let Some(called) = self.parties.get_mut(&leg).filter(|called| matches!(called.party, Party::Seat { .. })) {
            called.assists = by;
        }
    }

    /// A seat that talks, and is left by whoever had fetched it: each once.
    pub fn promoted(&mut self) -> Option<Arc<str>> {
        loop {
            let left = |called: &Called| called.assists.as_deref().is_some_and(|by| !self.has_party(by));
            let leg = *self.parties.iter().find(|(_, called)| left(called))?.0;
            self.parties.get_mut(&leg)?.assists = None;
            if self.stage_of(leg) == LegStage::Talks {
                return self.seat_of(leg).map(Arc::from);
            }
        }
    }

    /// The target of this consultation has answered, by this leg.
    pub fn consults(&self, leg: LegNo, seq: u32) -> bool {
        let Stage::Talking(talk) = &self.stage else { return false };
        talk.consulting().is_some_and(|transfer| transfer.leg == leg && transfer.seq == seq)
    }

    /// The legs that talk to each other now.
    pub fn talkers(&self) -> impl Iterator<Item = LegNo> + '_ {
        let Stage::Talking(talk) = &self.stage else { return None.into_iter().flatten() };
        Some(talk.main.iter().copied()).into_iter().flatten()
    }

    /// Parties so far, and those of now: while these two stand, the parties are the same.
    pub fn turnover(&self) -> (u64, usize) {
        (self.next_leg, self.parties.len())
    }

    /// The target of these that the caller is with, and since when.
    pub fn met(&self, chain: &[Dialled]) -> Option<(LegNo, Mono)> {
        let Stage::Talking(talk) = &self.stage else { return None };
        let is = |number: &str| chain.iter().any(|it| matches!(it, Dialled::Target(target) if *target.number == *number));
        let there = |leg: &LegNo| match self.parties.get(leg) {
            Some(Called { party: Party::Target { number }, met: Some(met), .. }) if is(number) => Some((*leg, *met)),
            _ => None,
        };
        talk.main.iter().filter(|_| talk.main.contains(&CALLER)).find_map(there)
    }

    /// A target of these that has been called, and whether it has not been with the caller yet.
    pub fn called(&self, is: impl Fn(&str) -> bool) -> Option<(LegNo, bool)> {
        let mut parties = self.parties.iter();
        parties.find_map(|(leg, called)| match &called.party {
            Party::Target { number } if is(number) => Some((*leg, called.met.is_none())),
            _ => None,
        })
    }

    /// Notes targets that are with the caller now.
    pub(super) fn meet(&mut self, now: Mono) {
        let Stage::Talking(talk) = &self.stage else { return };
        for leg in talk.main.iter().filter(|_| talk.main.contains(&CALLER)) {
            if let Some(called) = self.parties.get_mut(leg)
                && matches!(called.party, Party::Target { .. })
            {
                called.met.get_or_insert(now);
            }
        }
    }

    /// The leg by which the gateway has called this seat, or its first line, and how far it is.
    pub fn seat_at(&self, seat: &str) -> Option<(LegNo, LegStage)> {
        let leg = self.leg_of_seat(seat)?;
        Some((leg, self.stage_of(leg)))
    }

    /// How far a leg of this call is.
    pub fn stage_of(&self, leg: LegNo) -> LegStage {
        match &self.stage {
            Stage::Talking(talk) if talk.has(leg) => LegStage::Talks,
            Stage::Talking(talk) if talk.watched_by(leg).is_some() => LegStage::Supervises,
            Stage::Calling(_) if leg == CALLER && self.caller == Caller::Called => LegStage::Rings,
            _ if leg == CALLER => LegStage::Waits,
            Stage::Calling(_) if self.placer_waits(leg) => LegStage::Calls,
            Stage::Calling(_) => LegStage::Places,
            _ => LegStage::Rings,
        }
    }

    pub fn is_seat(&self, leg: LegNo) -> bool {
        self.parties.get(&leg).is_some_and(|called| matches!(called.party, Party::Seat { .. }))
    }

    /// The legs that hear this one now.
    pub fn hearers(&self, leg: LegNo) -> Vec<LegNo> {
        match &self.stage {
            Stage::Talking(talk) if talk.has(leg) => talk.others(leg).collect(),
            _ => Vec::new(),
        }
    }

    fn leg(&self, leg: LegNo, party: String) -> LegView {
        let talk = if let Stage::Talking(talk) = &self.stage { Some(talk) } else { None };
        let state = match self.stage_of(leg) {
            LegStage::Talks if talk.is_some_and(|talk| talk.aside.contains(&leg)) => "aside",
            LegStage::Talks => "talking",
            LegStage::Supervises => "supervising",
            LegStage::Calls | LegStage::Waits => "waiting",
            LegStage::Rings | LegStage::Places => "ringing",
        };
        let on_hold = talk.is_some_and(|talk| talk.has(leg) && !talk.is_open(leg));
        let muted = talk.is_some_and(|talk| talk.desk.muted.contains(&leg));
        let srtp = self.media.get(&leg).copied().flatten().and_then(|agreed| agreed.srtp);
        LegView { leg: leg.0, party, state, on_hold, muted, srtp }
    }
}
