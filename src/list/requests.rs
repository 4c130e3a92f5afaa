//! Requests by which seats placed calls. A program that got no answer, because the gateway was just started again, repeats its
//! request: nobody is called a second time by it.

use crate::base::Wall;
use crate::event::fact::RequestFact;
use crate::event::{Fact, FactKind, Keep};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The newest that are remembered, and how long.
const MOST: usize = 10_000;
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Those that are remembered.
#[derive(Debug, Default)]
pub struct Requests {
    rows: BTreeMap<Arc<str>, RequestFact>,
    /// In the order in which they came.
    order: BTreeSet<(Wall, Arc<str>)>,
}

impl Requests {
    /// Takes a row that was kept.
    pub fn remember(&mut self, row: RequestFact) {
        self.order.insert((row.at, row.id.clone()));
        self.rows.insert(row.id.clone(), row);
    }

    /// The request of this id has placed a call: `Some(true)`, and asked for the same; `Some(false)`, for another.
    pub fn placed(&self, now: Wall, id: &str, asked: &str) -> Option<bool> {
        let row = self.rows.get(id).filter(|row| row.at.after(KEPT) > now)?;
        Some(*row.asked == *asked)
    }

    /// This request places a call. The oldest go.
    pub fn add(&mut self, at: Wall, id: &Arc<str>, asked: &Arc<str>, keeps: &mut Vec<Keep>) {
        if let Some(old) = self.rows.remove(id) {
            self.order.remove(&(old.at, old.id));
        }
        while let Some((first, old)) = self.order.first().cloned()
            && (self.rows.len() >= MOST || first.after(KEPT) <= at)
        {
            self.order.pop_first();
            self.rows.remove(&old);
            keeps.push(Keep::Forget { kind: FactKind::Request, key: old.to_string() });
        }
        let row = RequestFact { id: id.clone(), asked: asked.clone(), at };
        keeps.push(Keep::Set(Box::new(Fact::Request(row.clone()))));
        self.remember(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kept;

    fn at(seconds: i64) -> Wall {
        Wall(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_request_is_known_for_a_day_also_by_the_next_process_and_the_oldest_go() {
        let (mut requests, mut kept) = (Requests::default(), Kept::default());
        let mut add = |requests: &mut Requests, seconds: i64, id: &str| {
            let mut keeps = Vec::new();
            requests.add(at(seconds), &id.into(), &"13800138000".into(), &mut keeps);
            keeps.into_iter().for_each(|keep| kept.take(keep));
            let mut again = Requests::default();
            for fact in &kept.facts {
                if let Fact::Request(row) = fact {
                    again.remember(row.clone());
                }
            }
            again
        };
        let again = add(&mut requests, 0, "a");
        for known in [&requests, &again] {
            assert_eq!(known.placed(at(1), "a", "13800138000"), Some(true));
            assert_eq!(known.placed(at(1), "a", "13900139000"), Some(false), "another body");
            assert_eq!((known.placed(at(1), "b", "13800138000"), known.placed(at(86_400), "a", "13800138000")), (None, None));
        }
        let mut again = add(&mut requests, 10, "b");
        let last = add(&mut again, 86_405, "c");
        assert_eq!((last.rows.len(), last.placed(at(86_406), "b", "13800138000")), (2, Some(true)), "`a` is gone from the disk");
        let mut keeps = Vec::new();
        (0..MOST + 5).for_each(|n| again.add(at(86_405), &format!("{n}").into(), &"x".into(), &mut keeps));
        assert_eq!((again.rows.len(), again.order.len()), (MOST, MOST));
    }
}
