//! Callers and what they said are not kept for ever: some time after every backend has a call's events, its
//! entries go. The call's id and its tickets stay.

use super::reader::call_id;
use super::{Store, Transaction};
use crate::base::{CallId, Wall};
use crate::io::journal::error::Error;
use rusqlite::params;

/// Pages that are given back to the disk at once.
const PAGES: u32 = 256;
/// Microseconds that a clock may be off without a reason to doubt it.
const AHEAD: i64 = 600_000_000;

impl Store {
    /// A call that was finished later than now is finished now: the clock was ahead then, or it was not known.
    pub fn restamp(&mut self, today: Wall) -> Result<(), Error> {
        let sql = "UPDATE calls SET settled = ?1 WHERE settled > ?1 + ?2";
        self.transaction(|tx| tx.db.execute(sql, params![today.0, AHEAD]).map(drop)).map(drop)
    }

    /// Takes the entries of at most `most` calls away that were delivered before `until`. How many calls were looked at,
    /// and how many went.
    pub fn purge(&mut self, until: Wall, most: u32) -> Result<(usize, usize), Error> {
        let (mut seen, mut gone) = (0, 0);
        self.transaction(|tx| {
            for call in tx.settled(until, most)? {
                seen += 1;
                gone += usize::from(tx.purge(call)?);
            }
            Ok(())
        })?;
        if gone > 0 {
            self.give_back().map_err(|e| Error::sqlite(&self.path, e))?;
        }
        Ok((seen, gone))
    }

    /// A page a step.
    fn give_back(&self) -> rusqlite::Result<()> {
        let mut vacuum = self.db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }
}

impl Transaction<'_> {
    /// A backend has nothing more to get of this call for now.
    pub(super) fn settled_at(&self, call: CallId, wall: Wall) -> rusqlite::Result<()> {
        let sql = "UPDATE calls SET settled = ?2 WHERE call = ?1";
        self.db.prepare_cached(sql)?.execute(params![call.0.as_bytes(), wall.0]).map(drop)
    }

    fn settled(&self, until: Wall, most: u32) -> rusqlite::Result<Vec<CallId>> {
        let sql = "SELECT call FROM calls WHERE settled < ?1 AND open = 0 ORDER BY settled LIMIT ?2";
        let mut calls = self.db.prepare_cached(sql)?;
        calls.query_map(params![until.0, most], |row| call_id(row, 0))?.collect()
    }

    /// False while a backend still waits for it, or has refused it and nobody has decided about that: it is looked at
    /// again when something of it has been settled.
    fn purge(&self, call: CallId) -> rusqlite::Result<bool> {
        let id = call.0.as_bytes();
        self.db.prepare_cached("UPDATE calls SET settled = NULL WHERE call = ?1")?.execute([id])?;
        let owed = "SELECT 1 FROM deliveries WHERE backend = ?1 AND call = ?2 AND state IN ('pending', 'dead')";
        for backend in &self.outbox.backends {
            if self.db.prepare_cached(owed)?.exists(params![backend.name, id])? {
                return Ok(false);
            }
        }
        for backend in &self.outbox.backends {
            let sql = "DELETE FROM deliveries WHERE backend = ?1 AND call = ?2";
            self.db.prepare_cached(sql)?.execute(params![backend.name, id])?;
        }
        for table in ["entries", "postscripts", "callers", "recipients"] {
            self.db.prepare_cached(&format!("DELETE FROM {table} WHERE call = ?1"))?.execute([id])?;
        }
        Ok(true)
    }
}
