//! Chooses the backends that get a call: those that its line names, or else all but those that wait for a subject; and those
//! that a subject adds. Their names stand with the call, so that a restart, another configuration or another plan changes
//! nothing of it.

use super::{Backend, Transaction};
use crate::base::CallId;
use crate::event::What;
use crate::record::cloudevent::Kind;
use rusqlite::params;
use std::collections::BTreeSet;

/// Backends by their names. One that gets every call need not be among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recipients(BTreeSet<String>);

impl Recipients {
    fn of<'a>(names: impl IntoIterator<Item = &'a String>) -> Recipients {
        Recipients(names.into_iter().cloned().collect())
    }

    pub fn include(&self, backend: &Backend) -> bool {
        backend.always || self.0.contains(&backend.name)
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
        let sql = "SELECT chosen IS NOT NULL, open = 1 FROM calls WHERE call = ?1";
        let known = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        match self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], known)? {
            (true, _) => self.written_down(call),
            (false, true) => Ok(self.first_recipients(&[], &[])),
            (false, false) => self.served(call),
        }
    }

    fn written_down(&self, call: CallId) -> rusqlite::Result<Recipients> {
        let mut names = self.db.prepare_cached("SELECT backend FROM recipients WHERE call = ?1")?;
        names.query_map([call.0.as_bytes()], |row| row.get(0))?.collect::<Result<_, _>>().map(Recipients)
    }

    fn served(&self, call: CallId) -> rusqlite::Result<Recipients> {
        let mut recipients = Recipients::default();
        let sql = "SELECT 1 FROM deliveries WHERE backend = ?1 AND call = ?2";
        for name in self.unnamed() {
            if self.db.prepare_cached(sql)?.exists(params![name, call.0.as_bytes()])? {
                recipients.0.insert(name.clone());
            }
        }
        Ok(recipients)
    }

    /// Writes down that these get the call, whose row is there.
    pub(super) fn choose(&self, call: CallId, recipients: &Recipients) -> rusqlite::Result<()> {
        let id = call.0.as_bytes();
        self.db.prepare_cached("UPDATE calls SET chosen = '' WHERE call = ?1")?.execute([id])?;
        let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO recipients (call, backend) VALUES (?1, ?2)")?;
        recipients.0.iter().try_for_each(|name| insert.execute(params![id, name]).map(drop))
    }

    /// A call of an older release, or whose beginning was lost, ends for everybody.
    pub(super) fn choose_at_the_end(&self, call: CallId) -> rusqlite::Result<()> {
        let sql = "SELECT 1 FROM calls WHERE call = ?1 AND open = 1 AND chosen IS NULL";
        if self.db.prepare_cached(sql)?.exists([call.0.as_bytes()])? {
            self.choose(call, &self.first_recipients(&[], &[]))?;
        }
        Ok(())
    }

    /// From now on these get the call too.
    pub(super) fn add_recipients(&self, call: CallId, names: &[String]) -> rusqlite::Result<()> {
        let mut recipients = self.recipients(call)?;
        recipients.0.extend(names.iter().cloned());
        self.choose(call, &recipients)
    }

    /// Tells whether a backend got anything of a call, or will.
    pub(super) fn is_its_own(&self, call: CallId, backend: &str) -> rusqlite::Result<bool> {
        let id = call.0.as_bytes();
        let sql = "SELECT 1 FROM recipients WHERE call = ?1 AND backend = ?2
                   UNION ALL SELECT 1 FROM deliveries WHERE call = ?1 AND backend = ?2";
        self.db.prepare_cached(sql)?.exists(params![id, backend])
    }

    /// A backend that has no record of a call that has ended gets it first.
    pub(super) fn choose_for_subject(&self, call: CallId, names: &[String]) -> rusqlite::Result<()> {
        self.add_recipients(call, names)?;
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
    fn who_gets_every_call_gets_those_of_others_too() {
        let backend = |name: &str, always| Backend { name: name.to_owned(), kinds: Vec::new(), later: Vec::new(), always };
        assert_eq!([true, false].map(|always| Recipients::default().include(&backend("w", always))), [true, false]);
        let recipients = Recipients::of(&["a", "bc"].map(str::to_owned));
        let named = ["a", "bc", "b", "c", ""].map(|name| recipients.include(&backend(name, false)));
        assert_eq!(named, [true, true, false, false, false], "by the whole name");
    }
}
