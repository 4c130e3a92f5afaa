//! Chooses the backends that get a call: those that its line names, or else all but those that wait for a subject; and those
//! that a subject adds. Their names stand with the call, so that a restart, another configuration or another plan changes
//! nothing of it.

use super::{Backend, Transaction};
use crate::base::CallId;
use crate::event::What;
use crate::record::cloudevent::Kind;
use rusqlite::params;

/// Names, one a line. A backend that gets every call need not be among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recipients(String);

impl Recipients {
    fn of<'a>(names: impl IntoIterator<Item = &'a String>) -> Recipients {
        let mut recipients = Recipients::default();
        names.into_iter().for_each(|name| recipients.add(name));
        recipients
    }

    pub fn gets(&self, backend: &Backend) -> bool {
        backend.always || self.has(&backend.name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.lines().any(|chosen| chosen == name)
    }

    pub fn names(&self) -> &str {
        &self.0
    }

    fn add(&mut self, name: &str) {
        if !self.has(name) {
            let between = if self.0.is_empty() { "" } else { "\n" };
            self.0.extend([between, name]);
        }
    }
}

impl Transaction<'_> {
    /// Chooses for a call whose line names these and leaves those to its subjects.
    pub(super) fn first_recipients(&self, named: &[String], withheld: &[String]) -> Recipients {
        match named {
            [] => Recipients::of(self.unnamed().filter(|name| !withheld.contains(name))),
            named => Recipients::of(named),
        }
    }

    fn unnamed(&self) -> impl Iterator<Item = &String> {
        self.outbox.backends.iter().filter(|backend| !backend.always).map(|backend| &backend.name)
    }

    /// For a call that ended before this was written down, it is those that were sent something of it.
    pub(super) fn recipients(&self, call: CallId) -> rusqlite::Result<Recipients> {
        let sql = "SELECT backends, open = 1 FROM calls WHERE call = ?1";
        let written = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get(1)?));
        match self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], written)? {
            (Some(names), _) => Ok(Recipients(names)),
            (None, true) => Ok(self.first_recipients(&[], &[])),
            (None, false) => self.served(call),
        }
    }

    fn served(&self, call: CallId) -> rusqlite::Result<Recipients> {
        let mut recipients = Recipients::default();
        let sql = "SELECT 1 FROM deliveries WHERE backend = ?1 AND call = ?2";
        for name in self.unnamed() {
            if self.db.prepare_cached(sql)?.exists(params![name, call.0.as_bytes()])? {
                recipients.add(name);
            }
        }
        Ok(recipients)
    }

    /// From now on these get the call too. One that has no record of a call that has ended gets it first.
    pub(super) fn add_recipients(&self, call: CallId, names: &[String]) -> rusqlite::Result<()> {
        let mut recipients = self.recipients(call)?;
        names.iter().for_each(|name| recipients.add(name));
        let sql = "UPDATE calls SET backends = ?2 WHERE call = ?1";
        self.db.prepare_cached(sql)?.execute(params![call.0.as_bytes(), recipients.names()])?;
        let theirs = |backend: &&Backend| names.contains(&backend.name) && backend.kinds.contains(&Kind::Record);
        let theirs: Vec<&Backend> = self.outbox.backends.iter().filter(theirs).collect();
        let record = if theirs.is_empty() { None } else { self.record_of(call)? };
        for (backend, sequence) in theirs.into_iter().zip(record.into_iter().cycle()) {
            self.post_to(&backend.name, call, sequence, Kind::Record)?;
        }
        Ok(())
    }

    /// The place of the final record among the call's events, once it is written.
    pub(super) fn record_of(&self, call: CallId) -> rusqlite::Result<Option<i64>> {
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

    #[test]
    fn a_name_stands_once_and_only_as_a_whole() {
        let names = ["a", "bc", "a"].map(str::to_owned);
        let mut recipients = Recipients::of(&names);
        recipients.add("bc");
        assert_eq!(recipients.names(), "a\nbc");
        assert_eq!(["a", "bc", "b", "c", ""].map(|name| recipients.has(name)), [true, true, false, false, false]);
        assert!(!Recipients::default().has(""));
    }

    #[test]
    fn who_gets_every_call_gets_those_of_others_too() {
        let backend = |always| Backend { name: "w".to_owned(), kinds: Vec::new(), later: Vec::new(), always };
        assert_eq!([true, false].map(|always| Recipients::default().gets(&backend(always))), [true, false]);
    }
}
