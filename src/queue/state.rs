use super::crew::Crew;
use super::free::{Free, Key, LEVELS, Listed, Reach};
use super::pace::Pace;
use super::ranks::Ranks;
use super::waiter::{Group, Need, Place, Waiter};
use super::{Priority, Queue, Strategy};
use crate::base::{CallId, Counts, Mono};
use crate::seat::SeatState;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// A queue and what happens in it.
pub(super) struct QueueState {
    pub config: Queue,
    /// The configuration no longer names it: nobody joins, those inside are served.
    pub closed: bool,
    pub waiting: usize,
    pub pace: Pace,
    /// Number of them that each source has.
    sources: Counts<Arc<str>>,
    /// The same calls by when each came, the one that has waited longest first.
    starts: Ranks<(Mono, CallId)>,
    /// The seats that serve it, by how they are.
    pub crew: Crew,
    /// Calls that want (more) seats to ring.
    unserved: BTreeSet<(Group, Place)>,
    ranks: Ranks<Place>,
    /// Seats that take a call now.
    pub free: Free,
    /// Since when nobody could serve callers who ask for such a skill.
    pub deserted: BTreeMap<Option<Arc<str>>, Mono>,
}

impl QueueState {
    /// Those who wait in `old`, which had its name before a reload, wait here.
    pub fn new(config: Queue, old: Option<QueueState>) -> QueueState {
        let (waiting, pace, sources, starts) =
            old.map_or_else(Default::default, |queue| (queue.waiting, queue.pace, queue.sources, queue.starts));
        let (unserved, ranks, free) = (BTreeSet::new(), Ranks::default(), Free::default());
        let (deserted, crew) = (BTreeMap::new(), Crew::default());
        QueueState { config, closed: false, waiting, pace, sources, starts, crew, unserved, ranks, free, deserted }
    }

    /// True when there is no place for one more of this source.
    pub fn is_full(&self, priority: Priority, source: &Arc<str>) -> bool {
        let Queue { max_length, share, reserved, .. } = self.config;
        let taken = self.sources.of(source);
        match priority {
            Priority::HIGH => self.waiting >= max_length,
            _ => self.waiting >= max_length.saturating_sub(reserved) || taken >= share,
        }
    }

    pub fn enter(&mut self, waiter: &Waiter) {
        self.waiting += 1;
        self.sources.add(waiter.source.clone());
        self.starts.insert((waiter.start, waiter.place.call));
    }

    pub fn exit(&mut self, waiter: &Waiter) {
        self.waiting = self.waiting.saturating_sub(1);
        self.sources.remove(&waiter.source);
        self.starts.remove((waiter.start, waiter.place.call));
    }

    /// When the call came that has waited longest.
    pub fn oldest(&self) -> Option<Mono> {
        self.starts.first().map(|(start, _)| start)
    }

    /// Forgets who is inside, before that is worked out anew.
    pub fn empty(&mut self) {
        self.waiting = 0;
        self.sources.clear();
        self.starts.clear();
    }

    /// Forgets who wants, who is free and how its seats are, before these are worked out anew.
    pub fn clear(&mut self) {
        self.unserved.clear();
        self.ranks.clear();
        self.free.clear();
        self.crew = Crew::default();
    }
}

/// Calls that want a seat.
impl QueueState {
    pub fn wants(&mut self, waiter: &Waiter) {
        self.unserved.insert((waiter.group.clone(), waiter.place));
        self.ranks.insert(waiter.place);
    }

    pub fn content(&mut self, waiter: &Waiter) {
        self.unserved.remove(&(waiter.group.clone(), waiter.place));
        self.ranks.remove(waiter.place);
    }

    pub fn has(&self, waiter: &Waiter) -> bool {
        self.unserved.contains(&(waiter.group.clone(), waiter.place))
    }

    pub fn has_any(&self) -> bool {
        !self.unserved.is_empty()
    }

    /// Number of calls that stand before this place, whatever they ask for.
    pub fn ahead(&self, place: Place) -> usize {
        self.ranks.before(place)
    }

    /// The first call of each group.
    pub fn heads(&self) -> impl Iterator<Item = &(Group, Place)> {
        let mut next = self.unserved.first();
        iter::from_fn(move || {
            let head = next?;
            next = self.after(&head.0, Place::LAST);
            Some(head)
        })
    }

    /// The next call of the same group.
    pub fn behind(&self, group: &Group, place: Place) -> Option<Place> {
        self.after(group, place).filter(|(of, _)| of == group).map(|(_, place)| *place)
    }

    /// The calls that wait for this seat alone.
    pub fn kept_for(&self, seat: &Arc<str>) -> Vec<CallId> {
        let need = Need::Seat(seat.clone());
        let first = Group { need: need.clone(), priority: Priority::HIGH, behind_head: false };
        let all = self.unserved.range((first, Place::FIRST)..).take_while(|(group, _)| group.need == need);
        all.map(|(_, place)| place.call).collect()
    }

    fn after(&self, group: &Group, place: Place) -> Option<&(Group, Place)> {
        self.unserved.range((Excluded((group.clone(), place)), Unbounded)).next()
    }
}

/// The needs of calls, and the seats that meet them.
impl QueueState {
    pub fn need(&self, skill: Option<&Arc<str>>) -> Need {
        skill.filter(|_| self.config.asks_for_skill()).map_or(Need::Any, |skill| Need::Skill(skill.clone()))
    }

    /// The call is content with this after its wait.
    pub fn reach<'a>(&self, now: Mono, waiter: &'a Waiter) -> Reach<'a> {
        let waited = now.since(waiter.start);
        let config = &self.config;
        let level = match waiter.group.need {
            Need::Skill(_) => config.levels.iter().rev().find(|(after, _)| *after <= waited).map_or(0, |(_, level)| *level),
            _ => 0,
        };
        let experts = config.experts_after.is_some_and(|after| after <= waited);
        Reach { need: &waiter.group.need, level, skill_first: config.strategy == Strategy::SkillFirst, experts }
    }

    /// When the call will be content with less.
    pub fn widens(&self, now: Mono, waiter: &Waiter) -> Option<Mono> {
        let waited = now.since(waiter.start);
        let levels = self.config.levels.iter().map(|(after, _)| *after).filter(|_| waiter.skill.is_some());
        let stay = matches!(waiter.group.need, Need::Seat(_)).then_some(self.config.sticky_wait);
        let next = levels.chain(self.config.experts_after).chain(stay).filter(|after| *after > waited).min();
        next.map(|after| waiter.start.after(after))
    }

    /// Tells whether the seat could be rung for whoever asks for this skill, now or later, when it is content with the least.
    pub fn could_ring(&self, skill: Option<&Arc<str>>, state: &SeatState) -> bool {
        let least = self.config.levels.last().map_or(0, |(_, level)| *level);
        let has = skill.filter(|_| self.config.asks_for_skill()).and_then(|skill| state.skills.get(skill)).copied();
        let skilled = has.is_some_and(|level| level >= least.max(*LEVELS.start()));
        let any = if state.expert { self.config.experts_after.is_some() } else { least == 0 };
        state.may_come() && (skilled || any)
    }

    /// The seat as it is listed here; none while it takes no call.
    pub fn listing(&self, seat: &Arc<str>, state: &SeatState, (turn, place): (u64, u64)) -> Option<Listed> {
        if !state.is_free() {
            return None;
        }
        let rank = match self.config.strategy {
            // Fewer calls ringing, then longest idle.
            Strategy::LongestIdle | Strategy::RingAll | Strategy::SkillFirst => [u64::from(state.ringing), state.last_work],
            Strategy::FewestCalls => [state.served, state.last_work],
            Strategy::RoundRobin => [turn, place],
        };
        let asked = |(skill, level): &(&Arc<str>, &u8)| self.config.may_ask_for(skill) && LEVELS.contains(level);
        let skills = state.skills.iter().filter(asked).map(|(skill, level)| (skill.clone(), *level)).collect();
        let key = Key { rank, seat: seat.clone() };
        Some(Listed { key, doubtful: state.is_doubtful(), expert: state.expert, skills })
    }
}
