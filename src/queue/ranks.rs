//! The callers of one queue in an order of theirs: by place, or by when each came. How many stand before one is found without a
//! walk over all of them: thousands who wait are told their places.

/// A run that is longer is cut in two.
const LONGEST: usize = 256;

/// Runs of such places, each sorted and before the next. None is empty but the only one.
#[derive(Debug)]
pub(super) struct Ranks<K> {
    runs: Vec<Vec<K>>,
}

impl<K> Default for Ranks<K> {
    fn default() -> Ranks<K> {
        Ranks { runs: Vec::new() }
    }
}

impl<K: Copy + Ord> Ranks<K> {
    pub fn insert(&mut self, place: K) {
        if self.runs.is_empty() {
            self.runs.push(Vec::new());
        }
        let at = self.run_of(place);
        let run = &mut self.runs[at];
        if let Err(n) = run.binary_search(&place) {
            run.insert(n, place);
        }
        if run.len() > LONGEST {
            let rest = run.split_off(LONGEST / 2);
            self.runs.insert(at + 1, rest);
        }
    }

    pub fn remove(&mut self, place: K) {
        let at = self.run_of(place);
        let Some(run) = self.runs.get_mut(at) else { return };
        if let Ok(n) = run.binary_search(&place) {
            run.remove(n);
        }
        // The only one is kept, so that a queue in which nobody waits asks for no memory when somebody comes.
        if run.is_empty() && self.runs.len() > 1 {
            self.runs.remove(at);
        }
    }

    pub fn first(&self) -> Option<K> {
        self.runs.first()?.first().copied()
    }

    /// Number of places before this one, which need not be among them.
    pub fn before(&self, place: K) -> usize {
        let at = self.run_of(place);
        let earlier: usize = self.runs.iter().take(at).map(Vec::len).sum();
        earlier + self.runs.get(at).map_or(0, |run| run.partition_point(|other| *other < place))
    }

    pub fn clear(&mut self) {
        self.runs.clear();
    }

    /// The run in which the place stands, or would.
    fn run_of(&self, place: K) -> usize {
        self.runs.partition_point(|run| run.first().is_some_and(|first| *first <= place)).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Mono, Rng};
    use crate::queue::tests::queue;
    use crate::queue::waiter::{Group, Need, Place};
    use crate::queue::{Priority, Strategy};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn place(rng: &mut Rng, n: u64) -> Place {
        let priority = [Priority::HIGH, Priority::NORMAL, Priority::PREFERRED][rng.below(3) as usize];
        let group = Group { need: Need::Any, priority, behind_head: rng.chance(900) };
        let queue = queue("12345", &[], Strategy::LongestIdle);
        Place::new(CallId(Uuid::from_u128(n.into())), n, Mono(rng.below(600_000_000)), &group, &queue)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_rank_is_the_number_that_a_walk_finds(seed in any::<u64>(), steps in 0..3000_u64, growth in 400..800_u32) {
            let mut rng = Rng::from_number(seed);
            let (mut ranks, mut walked) = (Ranks::default(), BTreeSet::new());
            for n in 0..steps {
                let place = place(&mut rng, n);
                match walked.range(place..).next().copied() {
                    Some(gone) if !rng.chance(growth.into()) => {
                        walked.remove(&gone);
                        ranks.remove(gone);
                    }
                    _ => {
                        walked.insert(place);
                        ranks.insert(place);
                    }
                }
                if n % 16 == 0 {
                    prop_assert_eq!(ranks.first(), walked.first().copied());
                    prop_assert_eq!(ranks.before(place), walked.iter().filter(|other| **other < place).count());
                    // One that is there twice is there once; one that is not there is not taken out.
                    walked.first().iter().for_each(|first| ranks.insert(**first));
                    ranks.remove(place_of_nobody(n));
                }
            }
            prop_assert_eq!(ranks.before(Place::LAST), walked.len());
            prop_assert!(ranks.runs.len() <= 1 || ranks.runs.iter().all(|run| !run.is_empty() && run.len() <= LONGEST));
            walked.iter().for_each(|place| ranks.remove(*place));
            prop_assert_eq!(ranks.before(Place::LAST), 0);
        }
    }

    fn place_of_nobody(n: u64) -> Place {
        place(&mut Rng::from_number(n), u64::MAX - 1)
    }
}
