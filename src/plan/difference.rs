//! Lists what a new plan changes, by number: an operator sees it before the day, and in the log after a reload.

use super::Plan;
use super::entry::Entry;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

/// Names that came, went, or now mean something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
}

impl Change {
    pub fn between<K: Ord + Display, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Change {
        let mut change = Change::default();
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            match (old.get(name), new.get(name)) {
                (None, _) => change.added.push(name.to_string()),
                (_, None) => change.removed.push(name.to_string()),
                (before, after) if before != after => change.changed.push(name.to_string()),
                _ => {}
            }
        }
        change
    }

    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// `+12336 -12312 ~110`
impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = [('+', &self.added), ('-', &self.removed), ('~', &self.changed)];
        let all = signed.iter().flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign}{name}")));
        f.write_str(&all.collect::<Vec<_>>().join(" "))
    }
}

impl Plan {
    /// The numbers whose calls would go otherwise in `new`. Where a rule stands in its file is no difference.
    pub fn difference(&self, new: &Plan) -> Change {
        Change::between(&self.meanings(), &new.meanings())
    }

    fn meanings(&self) -> BTreeMap<&str, Meaning<'_>> {
        self.numbers.iter().map(|(number, first)| (&**number, Meaning { plan: self, first: *first })).collect()
    }
}

/// All that a number may come to.
struct Meaning<'a> {
    plan: &'a Plan,
    first: usize,
}

impl PartialEq for Meaning<'_> {
    fn eq(&self, other: &Meaning<'_>) -> bool {
        let (mine, others) = (self.plan.chain(self.first), other.plan.chain(other.first));
        self.plan.zone == other.plan.zone && mine.count() == others.count() && {
            let pairs = self.plan.chain(self.first).zip(other.plan.chain(other.first));
            pairs.into_iter().all(|(a, b)| same(a, b))
        }
    }
}

fn same(a: &Entry, b: &Entry) -> bool {
    let eras = a.eras.iter().zip(&b.eras).all(|(a, b)| (a.from, a.phase, &a.steps) == (b.from, b.phase, &b.steps));
    let what = (&a.line, a.mode, &a.unit, &a.tickets) == (&b.line, b.mode, &b.unit, &b.tickets);
    let how = (a.early_max, &a.gates, &a.when) == (b.early_max, &b.gates, &b.when);
    a.eras.len() == b.eras.len() && eras && what && how
}

#[cfg(test)]
mod tests {
    use crate::plan::tests::read;

    const TEXT: &str = "[plan]\nname = \"x\"\n[[line]]\nnumber = \"12345\"\nmode = \"front\"\n[[line]]\nnumber = [\"110\", \"119\"]\nmode = \"emergency\"\n";

    #[test]
    fn numbers_come_go_and_change() {
        let old = read(TEXT).unwrap();
        let moved = read(&format!("# a comment above moves every rule\n{TEXT}")).unwrap();
        assert!(old.revision != moved.revision && old.difference(&moved).is_empty());
        let text = TEXT.replace(", \"119\"", ", \"120\"").replace("mode = \"front\"", "mode = \"front\"\npriority = \"high\"");
        let change = old.difference(&read(&text).unwrap());
        assert_eq!(change.to_string(), "+120 -119 ~12345");
    }

    #[test]
    fn dates_and_hours_are_differences() {
        let calendar = "[calendars.c]\nhours = \"mon 08:00-09:00\"\n";
        let text = format!("{TEXT}targets = [{{ number = \"110\", open = \"c\" }}, \"112\"]\n{calendar}");
        let changed = |from: &str, to: &str| read(&text).unwrap().difference(&read(&text.replace(from, to)).unwrap()).to_string();
        assert_eq!(changed("08:00", "08:30"), "~110 ~119");
        assert_eq!(changed("\"front\"", "\"front\"\nfrom = 2021-01-01"), "~12345");
        assert_eq!(changed("name = \"x\"", "name = \"x\"\nzone = \"UTC\""), "~110 ~119 ~12345");
    }
}
