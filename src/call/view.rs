//! Shows operators a call.

use super::event::Party;
use super::{CALLER, Call, Called, Dialled, Part, Stage};
use crate::base::Mono;

/// A leg as an operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LegView {
    pub leg: u64,
    /// `caller`, the seat's name or the target's number.
    pub party: String,
    /// `ringing`, `talking` (with the caller), `aside` (in a consultation) or `waiting` (a caller with nobody yet).
    pub part: &'static str,
    pub on_hold: bool,
}

impl Call {
    pub fn legs(&self) -> Vec<LegView> {
        let caller = (!self.caller_closed && self.outcome.is_none()).then(|| (CALLER, "caller".to_owned()));
        let parties = self.parties.iter().map(|(part, called)| (*part, called.party.name().to_owned()));
        caller.into_iter().chain(parties).map(|(part, party)| self.leg(part, party)).collect()
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

    /// Parties so far, and those of now: while these two stand, the parties are the same.
    pub fn turnover(&self) -> (u64, usize) {
        (self.next_part, self.parties.len())
    }

    /// The target of these that the caller is with, and since when.
    pub fn met(&self, chain: &[Dialled]) -> Option<(Part, Mono)> {
        let Stage::Talking(talk) = &self.stage else { return None };
        let is = |number: &str| chain.iter().any(|it| matches!(it, Dialled::Target(target) if *target.number == *number));
        let there = |part: &Part| match self.parties.get(part) {
            Some(Called { party: Party::Target { number }, met: Some(met), .. }) if is(number) => Some((*part, *met)),
            _ => None,
        };
        talk.main.iter().filter(|_| talk.main.contains(&CALLER)).find_map(there)
    }

    /// Notes targets that are with the caller now.
    pub(super) fn meet(&mut self, now: Mono) {
        let Stage::Talking(talk) = &self.stage else { return };
        for part in talk.main.iter().filter(|_| talk.main.contains(&CALLER)) {
            if let Some(called) = self.parties.get_mut(part)
                && matches!(called.party, Party::Target { .. })
            {
                called.met.get_or_insert(now);
            }
        }
    }

    pub fn is_seat(&self, part: Part) -> bool {
        self.parties.get(&part).is_some_and(|called| matches!(called.party, Party::Seat { .. }))
    }

    /// The parts that hear this one now.
    pub fn hearers(&self, part: Part) -> Vec<Part> {
        match &self.stage {
            Stage::Talking(talk) if talk.has(part) => talk.others(part).collect(),
            _ => Vec::new(),
        }
    }

    fn leg(&self, part: Part, party: String) -> LegView {
        let (place, on_hold) = match &self.stage {
            Stage::Talking(talk) if talk.main.contains(&part) => ("talking", talk.holds.contains(&part)),
            Stage::Talking(talk) if talk.aside.contains(&part) => ("aside", talk.holds.contains(&part)),
            _ if part == CALLER => ("waiting", false),
            _ => ("ringing", false),
        };
        LegView { leg: part.0, party, part: place, on_hold }
    }
}

impl Party {
    /// The seat's name or the target's number.
    pub fn name(&self) -> &str {
        match self {
            Party::Seat { name, .. } => name,
            Party::Target { number } => number,
        }
    }
}
