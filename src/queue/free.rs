//! The seats of a queue that take a call now, in the order in which they are rung. A seat is found by any skill of its in as
//! many steps as there are levels, however many seats there are.

use super::waiter::Need;
use crate::event::seat::Skills;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Levels of a skill; 0: none of it is needed.
pub(super) const LEVELS: RangeInclusive<u8> = 1..=9;

/// A seat's place among the free seats of one queue: the lowest is rung first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The strategy's own order.
    pub rank: [u64; 2],
    pub seat: Arc<str>,
}

/// A free seat, as it was listed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub key: Key,
    /// It did not answer lately: all others come before it.
    pub doubtful: bool,
    /// It is rung by whoever needs a skill of its, and by others when they have waited for long.
    pub expert: bool,
    /// The skills that calls of this queue may need.
    pub skills: Skills,
}

/// A call is content with this now.
pub(super) struct Reach<'a> {
    pub need: &'a Need,
    /// The least level of its skill.
    pub level: u8,
    /// The most skilled comes first, whoever has been idle for longer.
    pub skill_first: bool,
    pub experts: bool,
}

/// All free seats of a queue: those in no doubt, and the others.
#[derive(Debug, Default)]
pub(super) struct Free {
    sides: [Side; 2],
}

#[derive(Debug, Default)]
struct Side {
    /// All but experts.
    common: BTreeSet<Key>,
    experts: BTreeSet<Key>,
    /// All that have such a skill at such a level.
    skilled: BTreeMap<(Arc<str>, u8), BTreeSet<Key>>,
}

impl Free {
    pub fn len(&self) -> usize {
        self.sides.iter().map(|side| side.common.len() + side.experts.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        *self = Free::default();
    }

    pub fn insert(&mut self, seat: &Listed) {
        let side = &mut self.sides[usize::from(seat.doubtful)];
        let all = if seat.expert { &mut side.experts } else { &mut side.common };
        all.insert(seat.key.clone());
        for (skill, level) in &seat.skills {
            side.skilled.entry((skill.clone(), *level)).or_default().insert(seat.key.clone());
        }
    }

    pub fn remove(&mut self, seat: &Listed) {
        let side = &mut self.sides[usize::from(seat.doubtful)];
        let all = if seat.expert { &mut side.experts } else { &mut side.common };
        all.remove(&seat.key);
        for (skill, level) in &seat.skills {
            if let Some(seats) = side.skilled.get_mut(&(skill.clone(), *level)) {
                seats.remove(&seat.key);
            }
        }
    }

    /// The seats that such a call may be given, in the order in which they are rung, and whether each is in doubt. One may come
    /// twice.
    pub fn candidates<'a>(&'a self, reach: &Reach<'a>) -> impl Iterator<Item = (&'a Key, bool)> + use<'a> {
        let [sure, doubtful] = &self.sides;
        let sure = sure.candidates(reach).map(|key| (key, false));
        sure.chain(doubtful.candidates(reach).map(|key| (key, true)))
    }
}

impl Side {
    fn candidates<'a>(&'a self, reach: &Reach<'a>) -> impl Iterator<Item = &'a Key> + use<'a> {
        let (skilled, common) = match reach.need {
            Need::Any => (None, Some(&self.common)),
            Need::Skill(skill) => (Some(self.skilled(skill, reach)), None),
            Need::Seat(_) => (None, None),
        };
        let experts = (reach.experts && !matches!(reach.need, Need::Seat(_))).then_some(&self.experts);
        skilled.into_iter().flatten().chain(common.into_iter().flatten()).chain(experts.into_iter().flatten())
    }

    /// Those that have so much of a skill or more, experts among them: the most skilled first, or all in the strategy's order.
    /// Where none of it is needed, all others too.
    fn skilled<'a>(&'a self, skill: &Arc<str>, reach: &Reach<'_>) -> impl Iterator<Item = &'a Key> + use<'a> {
        let levels = reach.level.max(*LEVELS.start())..=*LEVELS.end();
        let of = |level| self.skilled.get(&(skill.clone(), level));
        let common = (reach.level == 0).then_some(&self.common);
        let runs = levels.rev().map(of).chain([common]).flatten();
        let mut runs: Vec<_> = runs.map(|keys| keys.iter().peekable()).collect();
        let skill_first = reach.skill_first;
        iter::from_fn(move || {
            let heads = runs.iter_mut().enumerate().filter_map(|(run, keys)| keys.peek().map(|key| (*key, run)));
            let run = if skill_first { heads.map(|(_, run)| run).next() } else { heads.min().map(|(_, run)| run) };
            runs[run?].next()
        })
    }
}
