//! Numbers that are turned away, and numbers that go before others: each with a reason, who said so, and until when.

use super::Refusal;
use crate::base::Wall;
use crate::event::fact::{Listed, ListedFact};
use crate::event::{Fact, FactKind, Keep};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// Numbers that a list may have: more are a job for the carrier.
const MOST: usize = 100_000;

#[derive(Debug, Default)]
pub struct Numbers {
    rows: BTreeMap<Arc<str>, ListedFact>,
    /// Numbers whose time ends, the next one first.
    ends: BTreeSet<(Wall, Arc<str>)>,
}

impl Numbers {
    /// Takes a row that was kept.
    pub fn remember(&mut self, row: ListedFact) {
        self.take(&row.number);
        self.ends.extend(row.until.map(|until| (until, row.number.clone())));
        self.rows.insert(row.number.clone(), row);
    }

    /// At most so many rows that hold, by number, behind this one.
    pub fn page(&self, now: Wall, after: Option<&Arc<str>>, most: usize) -> Vec<ListedFact> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        self.rows.range::<Arc<str>, _>(behind).map(|(_, row)| row).filter(|row| holds(row, now)).take(most).cloned().collect()
    }

    /// Tells what a caller's number stands there as.
    pub fn of(&self, number: &str, now: Wall) -> Option<Listed> {
        self.rows.get(number).filter(|row| holds(row, now)).map(|row| row.listed)
    }

    /// One row for a number: the last word on it stands.
    pub fn put(&mut self, now: Wall, row: ListedFact, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        if row.number.is_empty() {
            return Err(Refusal::NoNumber);
        }
        if row.until.is_some_and(|until| until <= now) {
            return Err(Refusal::NotAllowed);
        }
        self.forget_old(now, keeps);
        let known = self.rows.get(&row.number).map(|known| known.id.clone());
        if known.is_none() && self.rows.len() >= MOST {
            return Err(Refusal::Full);
        }
        let row = ListedFact { id: known.unwrap_or(row.id), ..row };
        self.remember(row.clone());
        keeps.push(Keep::Set(Box::new(Fact::Listed(row))));
        Ok(())
    }

    pub fn remove(&mut self, number: &str, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        let row = self.take(number).ok_or(Refusal::NoSuchRow)?;
        keeps.push(Keep::Forget { kind: FactKind::Listed, key: row.id.to_string() });
        Ok(())
    }

    fn forget_old(&mut self, now: Wall, keeps: &mut Vec<Keep>) {
        while self.ends.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, number)) = self.ends.pop_first()
        {
            // It is there, since its end was.
            let _ = self.remove(&number, keeps);
        }
    }

    fn take(&mut self, number: &str) -> Option<ListedFact> {
        let row = self.rows.remove(number)?;
        row.until.iter().for_each(|until| _ = self.ends.remove(&(*until, row.number.clone())));
        Some(row)
    }
}

fn holds(row: &ListedFact, now: Wall) -> bool {
    row.until.is_none_or(|until| until > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: &str, listed: Listed, until: Option<i64>) -> ListedFact {
        let (reason, approver, by) = ("abuse".into(), "王处".into(), "desk".into());
        let id = format!("id-{number}-{until:?}").into();
        ListedFact { id, number: number.into(), listed, reason, approver, by, since: Wall(0), until: until.map(Wall) }
    }

    #[test]
    fn the_last_word_on_a_number_holds_until_its_time() {
        let (mut numbers, mut keeps) = (Numbers::default(), Vec::new());
        numbers.put(Wall(1), row("13800138000", Listed::Blocked, Some(10)), &mut keeps).unwrap();
        assert_eq!(numbers.of("13800138000", Wall(9)), Some(Listed::Blocked));
        assert_eq!((numbers.of("13800138000", Wall(10)), numbers.page(Wall(10), None, 9).len()), (None, 0));
        assert_eq!(numbers.of("13900139000", Wall(9)), None);
        numbers.put(Wall(2), row("13800138000", Listed::Priority, None), &mut keeps).unwrap();
        assert_eq!(numbers.of("13800138000", Wall(99)), Some(Listed::Priority));
        let ids = |keep: &Keep| if let Keep::Set(fact) = keep { fact.key() } else { String::new() };
        assert_eq!(ids(&keeps[0]), ids(&keeps[1]), "one row for a number on the disk, too");
        numbers.remove("13800138000", &mut keeps).unwrap();
        assert_eq!(numbers.remove("13800138000", &mut keeps), Err(Refusal::NoSuchRow));
        assert_eq!(keeps.last(), Some(&Keep::Forget { kind: FactKind::Listed, key: ids(&keeps[0]) }));
    }

    #[test]
    fn rows_whose_time_is_over_go_with_the_next_and_pages_show_each_row_once() {
        let (mut numbers, mut keeps) = (Numbers::default(), Vec::new());
        for n in 0..10_i64 {
            let until = (n % 2 == 0).then_some(100 + n);
            numbers.put(Wall(1), row(&format!("1380013800{n}"), Listed::Blocked, until), &mut keeps).unwrap();
        }
        // The last word takes the end of the one before with it.
        numbers.put(Wall(2), row("13800138000", Listed::Blocked, None), &mut keeps).unwrap();
        let (mut all, mut pages): (Vec<ListedFact>, Vec<usize>) = Default::default();
        loop {
            let page = numbers.page(Wall(103), all.last().map(|row| row.number.clone()).as_ref(), 3);
            pages.push(page.len());
            all.extend(page);
            if pages.last() < Some(&3) {
                break;
            }
        }
        let shown: Vec<&str> = all.iter().map(|row| &row.number[10..]).collect();
        assert_eq!((shown, pages), (vec!["0", "1", "3", "4", "5", "6", "7", "8", "9"], vec![3, 3, 3, 0]));
        keeps.clear();
        numbers.put(Wall(105), row("13900139000", Listed::Blocked, None), &mut keeps).unwrap();
        let gone = keeps.iter().filter(|keep| matches!(keep, Keep::Forget { .. })).count();
        assert_eq!((gone, numbers.rows.len(), numbers.ends.len()), (2, 9, 2), "2 and 4");
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let (mut numbers, mut keeps) = (Numbers::default(), Vec::new());
        assert_eq!(numbers.put(Wall(5), row("", Listed::Blocked, None), &mut keeps), Err(Refusal::NoNumber));
        assert_eq!(numbers.put(Wall(5), row("1380", Listed::Blocked, Some(5)), &mut keeps), Err(Refusal::NotAllowed));
        assert!(keeps.is_empty() && numbers.page(Wall(0), None, 9).is_empty());
    }
}
