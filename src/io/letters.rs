//! What a person does about deliveries, beside the gateway that may be running: dead letters tried again or dropped, and
//! records sent anew. The gateway looks into its journal every few seconds and finds them.

use super::ledger::{call_id, first_id};
use super::store::Trouble;
use super::store::payload;
use crate::base::{CallId, Wall};
use crate::call::event::What;
use crate::record::cloudevent::Kind;
use crate::record::seal::Sealer;
use rusqlite::{Connection, OpenFlags, Row, params};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An event that a backend refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    pub backend: String,
    pub call: String,
    pub event: String,
    pub attempts: u32,
    pub error: Option<String>,
}

/// Which ones; whatever is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct Which {
    pub backend: Option<String>,
    pub call: Option<CallId>,
}

/// The journal, opened to be written beside its gateway.
pub struct Letters {
    db: Connection,
    path: PathBuf,
    sealer: Arc<Sealer>,
}

impl Letters {
    pub fn open(path: &Path) -> Result<Letters, Trouble> {
        let open = || {
            // Its directory and tables are the gateway's to make.
            let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.prepare("SELECT 1 FROM tickets")?;
            Ok(db)
        };
        let db = open().map_err(|e| Trouble::sqlite(path, e))?;
        Ok(Letters { db, path: path.to_owned(), sealer: Arc::default() })
    }

    /// Reads what was sealed, too.
    pub fn unsealing(self, sealer: Arc<Sealer>) -> Letters {
        Letters { sealer, ..self }
    }

    /// The dead ones, the newest calls first.
    pub fn dead(&self, which: &Which) -> Result<Vec<Letter>, Trouble> {
        let sql = "SELECT backend, call, kind, attempts, error FROM deliveries
                   WHERE state = 'dead' AND (?1 IS NULL OR backend = ?1) AND (?2 IS NULL OR call = ?2)
                   ORDER BY call DESC, backend, sequence";
        let letter = |row: &Row<'_>| {
            let (backend, event, attempts) = (row.get(0)?, row.get(2)?, row.get(3)?);
            Ok(Letter { backend, call: call_id(row, 1)?.to_string(), event, attempts, error: row.get(4)? })
        };
        self.ask(|db| db.prepare(sql)?.query_map(params![which.backend, bytes(which)], letter)?.collect())
    }

    /// Lets dead ones be tried again as if for the first time. How many.
    pub fn retry(&mut self, which: &Which) -> Result<usize, Trouble> {
        let lanes = "INSERT INTO lanes (backend, call, next_at)
                     SELECT DISTINCT backend, call, 0 FROM deliveries
                     WHERE state = 'dead' AND (?1 IS NULL OR backend = ?1) AND (?2 IS NULL OR call = ?2)
                     ON CONFLICT DO NOTHING";
        let states = "UPDATE deliveries SET state = 'pending', attempts = 0
                      WHERE state = 'dead' AND (?1 IS NULL OR backend = ?1) AND (?2 IS NULL OR call = ?2)";
        self.write(|tx| {
            tx.execute(lanes, params![which.backend, bytes(which)])?;
            tx.execute(states, params![which.backend, bytes(which)])
        })
    }

    /// Gives dead ones up; they stay in the journal as `dropped`. How many.
    pub fn drop(&mut self, which: &Which) -> Result<usize, Trouble> {
        let sql = "UPDATE deliveries SET state = 'dropped'
                   WHERE state = 'dead' AND (?1 IS NULL OR backend = ?1) AND (?2 IS NULL OR call = ?2)";
        // Nobody waits for them any more: their time to be purged begins.
        let settled = "UPDATE calls SET settled = unixepoch() * 1000000 WHERE call IN (SELECT call FROM deliveries
                       WHERE state = 'dead' AND (?1 IS NULL OR backend = ?1) AND (?2 IS NULL OR call = ?2))";
        self.write(|tx| {
            tx.execute(settled, params![which.backend, bytes(which)])?;
            tx.execute(sql, params![which.backend, bytes(which)])
        })
    }

    /// Sends the final records of calls since then to this backend, whether it got them or not. How many; a dry run
    /// changes nothing.
    pub fn replay(&mut self, backend: &str, since: Wall, dry_run: bool) -> Result<usize, Trouble> {
        let records = self.finals(since)?;
        if dry_run {
            return Ok(records.len());
        }
        self.write(|tx| {
            for (call, sequence) in &records {
                let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
                tx.prepare_cached(
                    "INSERT INTO deliveries (backend, call, sequence, kind) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET state = 'pending', attempts = 0, error = NULL",
                )?
                .execute(params![backend, call.0.as_bytes(), sequence, Kind::Record.name()])?;
                tx.prepare_cached("INSERT OR IGNORE INTO lanes (backend, call, next_at) VALUES (?1, ?2, 0)")?
                    .execute(params![backend, call.0.as_bytes()])?;
            }
            Ok(records.len())
        })
    }

    /// The final record's sequence of each call that has ended.
    fn finals(&self, since: Wall) -> Result<Vec<(CallId, u64)>, Trouble> {
        let sql = "SELECT e.call, e.seq, e.what FROM calls c JOIN entries e ON e.call = c.call
                   WHERE c.call >= ?1 AND c.open = 0 ORDER BY e.call, e.seq";
        self.ask(|db| {
            let mut rows = db.prepare(sql)?;
            let mut rows = rows.query([first_id(since)])?;
            let mut found: Vec<(CallId, u64)> = Vec::new();
            while let Some(row) = rows.next()? {
                let call = call_id(row, 0)?;
                let what = payload::decode(&self.sealer, call, row.get(1)?, row.get_ref(2)?);
                let ends = what.is_ok_and(|what| is_final(&what));
                if ends && found.last().is_none_or(|(last, _)| *last != call) {
                    found.push((call, Kind::Record.sequence(row.get(1)?)));
                }
            }
            Ok(found)
        })
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        question(&self.db).map_err(|e| Trouble::sqlite(&self.path, e))
    }

    fn write<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let run = || {
            let tx = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit().map(|()| done)
        };
        run().map_err(|e| Trouble::sqlite(&self.path, e))
    }
}

fn is_final(what: &What) -> bool {
    Kind::of(what).contains(&Kind::Record)
}

fn bytes(which: &Which) -> Option<[u8; 16]> {
    which.call.map(|call| call.0.into_bytes())
}
