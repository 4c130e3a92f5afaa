//! The order of callers and of seats, by the rules.

use super::model::{CallerModel, Model, SeatModel};
use super::plan::QUEUES;
use super::shift::Mood;
use hotline::base::Mono;
use hotline::queue::{Priority, Strategy};
use std::collections::BTreeSet;

/// A caller's needs after its wait.
#[derive(Clone, Copy)]
pub struct Need {
    /// The skill that is asked for, and its level.
    pub skill: Option<usize>,
    level: u8,
    experts: bool,
    skill_first: bool,
}

impl Need {
    /// The most skilled first where the strategy says so, experts last; none: not for this caller, or not yet.
    fn tier(self, seat: &SeatModel) -> Option<u8> {
        let has = self.skill.map_or(0, |skill| seat.levels[skill]);
        match has {
            1.. if has >= self.level && self.skill_first => Some(10 - has),
            1.. if has >= self.level => Some(11),
            _ if !seat.expert && self.level == 0 => Some(11),
            _ if seat.expert && self.experts => Some(12),
            _ => None,
        }
    }
}

impl Model {
    /// Tells whether the caller wants one more seat to ring.
    pub fn wants(&self, caller: &CallerModel) -> bool {
        let all = self.rules(caller.queue).strategy == Strategy::RingAll;
        all || caller.ringing.iter().all(|ring| self.seats[ring.seat].is_doubtful())
    }

    /// The caller is content with this by now.
    pub fn need(&self, now: Mono, caller: &CallerModel) -> Need {
        let rules = self.rules(caller.queue);
        let waited = now.since(caller.start);
        let skill_first = rules.strategy == Strategy::SkillFirst;
        let asks = skill_first || !rules.levels.is_empty();
        let level = rules.levels.iter().rev().find(|(after, _)| *after <= waited).map_or(0, |(_, level)| *level);
        let experts = rules.experts_after.is_some_and(|after| after <= waited);
        let skill = self.skills[caller.queue].unwrap_or(caller.hotline);
        Need { skill: asks.then_some(skill), level, experts, skill_first }
    }

    /// The seat's place in the order in which seats are rung for this caller: the lowest first; none when it is not to be.
    pub fn rank(&self, now: Mono, caller: &CallerModel, need: Need, seat: usize) -> Option<(u32, bool, u8, [u64; 2], usize)> {
        let it = &self.seats[seat];
        let place = it.places[caller.queue]?;
        if !it.is_free() {
            return None;
        }
        let tier = match caller.kept {
            Some((kept, _)) => (kept == seat).then_some(0),
            None => need.tier(it),
        }?;
        let (times, until) = caller.failures(seat);
        let rings = caller.ringing.iter().any(|ring| ring.seat == seat);
        let strategy = self.rules(caller.queue).strategy;
        let one_doubtful = it.is_doubtful() && strategy != Strategy::RingAll && !caller.ringing.is_empty();
        if rings || one_doubtful || until.is_some_and(|until| now < until) {
            return None;
        }
        let order = match strategy {
            Strategy::LongestIdle | Strategy::RingAll | Strategy::SkillFirst => [u64::from(it.rings), it.last_work],
            Strategy::FewestCalls => [it.served, it.last_work],
            Strategy::RoundRobin => [it.turns[caller.queue], place as u64],
        };
        Some((times, it.is_doubtful(), tier, order, seat))
    }

    /// Where the caller stands: the lowest is served first.
    pub fn place(&self, caller: &CallerModel) -> (bool, bool, i128, u64) {
        let worth = self.rules(caller.queue).ageing.as_micros() as i128 * i128::from(caller.priority.level());
        (caller.priority != Priority::HIGH, !caller.head, i128::from(caller.start.0) - worth, caller.serial)
    }

    /// The seat is rung for the caller: that was right.
    pub fn check_ring(&self, now: Mono, call: u64, seat: usize) -> Result<(), String> {
        let Some(caller) = self.callers.get(&call) else { return Err(format!("{call} does not wait and rings")) };
        let it = &self.seats[seat];
        if it.taken() >= it.channels || it.mood != Mood::Ready || it.next.is_some() {
            return Err(format!("seat {seat} is rung, and is not to be had: {it:?}"));
        }
        let need = self.need(now, caller);
        let Some(rank) = self.rank(now, caller, need, seat) else {
            return Err(format!("seat {seat} is not for call {call}: {it:?} {caller:?}"));
        };
        if !self.wants(caller) {
            return Err(format!("call {call} wants no more seats: {caller:?}"));
        }
        let before = |other: &usize| self.rank(now, caller, need, *other).is_some_and(|of| of < rank);
        if let Some(better) = self.free().find(before) {
            let of = self.rank(now, caller, need, better);
            return Err(format!("seat {seat} is rung for {call} ({rank:?}), and {better} was before it ({of:?})"));
        }
        let place = self.place(caller);
        let overtaken = |(other, of): &(&u64, &CallerModel)| {
            let for_it = || self.rank(now, of, self.need(now, of), seat).is_some();
            it.places[of.queue].is_some() && **other != call && self.place(of) < place && self.wants(of) && for_it()
        };
        match self.callers.iter().find(overtaken) {
            Some((other, _)) => Err(format!("seat {seat} is rung for {call}, and {other} was before it")),
            None => Ok(()),
        }
    }

    /// A seat that has nothing to do, and a caller whom it could serve.
    pub fn idle_while_waiting(&self, now: Mono) -> Option<(usize, u64)> {
        let mut alike = BTreeSet::new();
        let mut free = Vec::new();
        for (call, caller) in self.callers.iter().filter(|(_, caller)| self.wants(caller)) {
            let need = self.need(now, caller);
            // One of those that differ in nothing is enough to look at.
            if caller.is_plain() && !alike.insert((caller.queue, need.skill, need.level, need.experts)) {
                continue;
            }
            if free.is_empty() {
                free.extend(self.free());
            }
            let could = free.iter().find(|seat| self.rank(now, caller, need, **seat).is_some());
            if let Some(seat) = could {
                return Some((*seat, *call));
            }
            if free.is_empty() {
                return None;
            }
        }
        None
    }

    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        self.seats.iter().enumerate().filter(|(_, seat)| seat.is_free()).map(|(n, _)| n)
    }

    /// A caller of whom nobody knows when it will be given up.
    pub fn overdue(&self, now: Mono) -> Option<u64> {
        self.callers.iter().find(|(_, caller)| self.limit(caller) <= now).map(|(call, _)| *call)
    }

    pub fn waiting_in(&self, queue: usize) -> usize {
        assert!(queue < QUEUES.len());
        self.callers.values().filter(|caller| caller.queue == queue).count()
    }
}
