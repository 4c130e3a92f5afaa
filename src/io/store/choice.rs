//! Which backends get a call: those that its line names, or else all but those that wait for a subject; and whomever a
//! subject adds. It stands with the call, so that a restart, another configuration or another plan changes nothing of it.

use super::{Backend, Transaction};
use crate::base::CallId;
use crate::call::event::What;
use crate::record::cloudevent::Kind;
use rusqlite::params;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// None: all but the withheld.
    named: Option<Vec<String>>,
    withheld: Vec<String>,
}

impl Choice {
    pub fn new(named: &[String], withheld: &[String]) -> Choice {
        Choice { named: Some(named.to_vec()).filter(|named| !named.is_empty()), withheld: withheld.to_vec() }
    }

    pub fn gets(&self, backend: &Backend) -> bool {
        backend.always || self.has(&backend.name)
    }

    pub fn has(&self, name: &String) -> bool {
        self.named.as_ref().map_or_else(|| !self.withheld.contains(name), |named| named.contains(name))
    }

    fn add(&mut self, names: &[String]) {
        self.withheld.retain(|name| !names.contains(name));
        if let Some(named) = &mut self.named {
            let new: Vec<String> = names.iter().filter(|name| !named.contains(name)).cloned().collect();
            named.extend(new);
        }
    }
}

impl Transaction<'_> {
    pub(super) fn choice(&self, call: CallId) -> rusqlite::Result<Choice> {
        let sql = "SELECT backends, withheld FROM calls WHERE call = ?1";
        let names = |text: Option<String>| text.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], |row| {
            Ok(Choice { named: names(row.get(0)?), withheld: names(row.get(1)?).unwrap_or_default() })
        })
    }

    pub(super) fn choose(&self, call: CallId, choice: &Choice) -> rusqlite::Result<()> {
        let withheld = Some(choice.withheld.join("\n")).filter(|names| !names.is_empty());
        let named = choice.named.as_ref().map(|named| named.join("\n"));
        let sql = "UPDATE calls SET backends = ?2, withheld = ?3 WHERE call = ?1";
        self.db.prepare_cached(sql)?.execute(params![call.0.as_bytes(), named, withheld]).map(drop)
    }

    /// From now on these get the call too. One that is new to a call that has ended gets its record first.
    pub(super) fn choose_also(&self, call: CallId, names: &[String]) -> rusqlite::Result<()> {
        let before = self.choice(call)?;
        let mut choice = before.clone();
        choice.add(names);
        self.choose(call, &choice)?;
        let new = |backend: &&Backend| choice.gets(backend) && !before.gets(backend) && backend.kinds.contains(&Kind::Record);
        let new: Vec<&Backend> = self.outbox.backends.iter().filter(new).collect();
        let record = if new.is_empty() { None } else { self.record_of(call)? };
        for (backend, sequence) in new.into_iter().zip(record.into_iter().cycle()) {
            self.post_to(&backend.name, call, sequence, Kind::Record)?;
        }
        Ok(())
    }

    /// The place of the final record among the call's events, once it is written.
    fn record_of(&self, call: CallId) -> rusqlite::Result<Option<i64>> {
        for entry in self.entries(call)? {
            let (seq, what): (u32, Option<What>) = entry;
            if what.is_some_and(|what| Kind::of(&what).contains(&Kind::Record)) {
                return Ok(i64::try_from(Kind::Record.sequence(seq)).ok());
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn gets(choice: &Choice) -> String {
        let backend = |name: &str| Backend { name: name.to_owned(), kinds: Vec::new(), later: Vec::new(), always: name == "w" };
        ["w", "a", "b", "c"].iter().filter(|name| choice.gets(&backend(name))).copied().collect()
    }

    #[test]
    fn a_line_names_some_or_means_all_that_do_not_wait() {
        assert_eq!(gets(&Choice::default()), "wabc");
        assert_eq!(gets(&Choice::new(&[], &names(&["b"]))), "wac");
        assert_eq!(gets(&Choice::new(&names(&["a"]), &[])), "wa");
    }

    #[test]
    fn a_subject_adds_and_takes_nothing_away() {
        let added = |named: &[&str], withheld: &[&str], more: &[&str]| {
            let mut choice = Choice::new(&names(named), &names(withheld));
            choice.add(&names(more));
            choice.add(&names(more));
            gets(&choice)
        };
        assert_eq!(added(&[], &["b", "c"], &["b"]), "wab");
        assert_eq!(added(&["a"], &[], &["b"]), "wab");
        assert_eq!(added(&["a"], &[], &["a", "x"]), "wa");
        assert_eq!(added(&[], &[], &["b"]), "wabc");
    }
}
