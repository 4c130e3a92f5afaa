//! A person decides here about deliveries, beside the gateway that may be running: refused ones are tried again or dropped,
//! and records sent anew. The gateway looks into its journal every few seconds and finds them.

use super::reader::{call_id, first_id};
use super::totals::Totals;
use super::{Trouble, identity, payload};
use crate::base::{CallId, Wall};
use crate::event::What;
use crate::record::cloudevent::Kind;
use crate::record::seal::Sealer;
use rusqlite::{Connection, OpenFlags, Row, params};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An event that a backend refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    pub backend: String,
    pub call: String,
    pub event: String,
    /// `dead`, or `aside`: set aside, to be tried again by itself.
    pub state: String,
    pub attempts: u32,
    pub error: Option<String>,
}

/// Among `deliveries d`, those of one backend and one call.
const CHOSEN: &str = "(?1 IS NULL OR d.backend = ?1) AND (?2 IS NULL OR d.call = ?2)";
/// Those among them that a person decides about: dead letters, and what lanes wait for that are set aside.
const REFUSED: &str = "(?1 IS NULL OR d.backend = ?1) AND (?2 IS NULL OR d.call = ?2) AND (d.state = 'dead'
    OR d.state = 'pending' AND d.error IS NOT NULL
    AND EXISTS (SELECT 1 FROM lanes l WHERE l.backend = d.backend AND l.call = d.call AND l.aside = 1))";

/// Chooses among them; a field that is not set does not matter.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub backend: Option<String>,
    pub call: Option<CallId>,
}

/// Chooses the calls scope records go to a backend once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayScope {
    /// Those that its lines and subjects gave it, and those of which it got anything.
    ItsOwn,
    All,
}

/// Records that went to a backend, and those that did not because the calls are not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub sent: usize,
    pub left_out: usize,
}

#[derive(Clone)]
struct Final {
    call: CallId,
    sequence: u64,
    its_own: bool,
}

/// The journal, opened to be written beside its gateway.
pub struct DeadLetters {
    db: Connection,
    totals: Totals,
    path: PathBuf,
    sealer: Arc<Sealer>,
}

impl DeadLetters {
    pub fn open(path: &Path) -> Result<DeadLetters, Trouble> {
        identity::must_be_ours(path)?;
        let open = || {
            // Its directory and tables are the gateway's to make.
            let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.pragma_update(None, "synchronous", "FULL")?;
            let totals = Totals::of(&db)?;
            Ok((db, totals))
        };
        let (db, totals) = open().map_err(|e| Trouble::sqlite(path, e))?;
        Ok(DeadLetters { db, totals, path: path.to_owned(), sealer: Arc::default() })
    }

    /// Reads what was sealed, too.
    pub fn unsealing(self, sealer: Arc<Sealer>) -> DeadLetters {
        DeadLetters { sealer, ..self }
    }

    /// The newest calls first.
    pub fn refused(&self, selection: &Selection) -> Result<Vec<DeadLetter>, Trouble> {
        let sql = format!(
            "SELECT d.backend, d.call, d.kind, d.attempts, d.error, iif(d.state = 'dead', 'dead', 'aside')
             FROM deliveries d WHERE {REFUSED} ORDER BY d.call DESC, d.backend, d.sequence"
        );
        let letter = |row: &Row<'_>| {
            let (backend, event, attempts) = (row.get(0)?, row.get(2)?, row.get(3)?);
            Ok(DeadLetter {
                backend,
                call: call_id(row, 1)?.to_string(),
                event,
                attempts,
                error: row.get(4)?,
                state: row.get(5)?,
            })
        };
        self.ask(|db| db.prepare(&sql)?.query_map(params![selection.backend, bytes(selection)], letter)?.collect())
    }

    /// Lets them be tried again at once, as if for the first time. How many.
    pub fn retry(&mut self, selection: &Selection) -> Result<usize, Trouble> {
        let lanes = format!(
            "INSERT INTO lanes (backend, call, next_at) SELECT DISTINCT d.backend, d.call, 0 FROM deliveries d WHERE {REFUSED}
             ON CONFLICT DO UPDATE SET next_at = 0, attempts = 0, since = NULL, aside = NULL"
        );
        let states = format!("UPDATE deliveries AS d SET state = 'pending', attempts = 0 WHERE d.state = 'dead' AND {CHOSEN}");
        self.decide(selection, &[&lanes, &states])
    }

    /// Gives them up; they stay in the journal as `dropped`, and what their calls have left goes on. How many.
    pub fn drop(&mut self, selection: &Selection) -> Result<usize, Trouble> {
        // Nobody waits for them any more: their time to be purged begins.
        let settled = format!(
            "UPDATE calls SET settled = max(unixepoch() * 1000000, (SELECT at FROM header))
             WHERE call IN (SELECT d.call FROM deliveries d WHERE {REFUSED})"
        );
        // With what the refused one stands for.
        let states = format!(
            "UPDATE deliveries AS d SET state = 'dropped' WHERE {CHOSEN} AND (d.state = 'dead' OR d.state = 'pending'
             AND d.sequence <= (SELECT max(e.sequence) FROM deliveries e JOIN lanes l ON l.backend = e.backend AND l.call = e.call
                 WHERE e.backend = d.backend AND e.call = d.call AND e.state = 'pending' AND e.error IS NOT NULL AND l.aside = 1))"
        );
        let over = format!(
            "DELETE FROM lanes AS d WHERE d.aside = 1 AND {CHOSEN} AND NOT EXISTS (SELECT 1 FROM deliveries e
             WHERE e.backend = d.backend AND e.call = d.call AND e.state = 'pending')"
        );
        let next =
            format!("UPDATE lanes AS d SET next_at = 0, attempts = 0, since = NULL, aside = NULL WHERE d.aside = 1 AND {CHOSEN}");
        self.decide(selection, &[&settled, &states, &over, &next])
    }

    /// Counts what it was about.
    fn decide(&mut self, selection: &Selection, steps: &[&str]) -> Result<usize, Trouble> {
        let chosen = params![selection.backend, bytes(selection)];
        self.write(|tx| {
            let count = format!("SELECT count(*) FROM deliveries d WHERE {REFUSED}");
            let count: i64 = tx.query_row(&count, chosen, |row| row.get(0))?;
            steps.iter().try_for_each(|sql| tx.execute(sql, chosen).map(drop))?;
            Ok(usize::try_from(count).unwrap_or(0))
        })
    }

    /// Sends the final records of calls since then to this backend, whether it got them or not: of its own calls, or of
    /// all, which are its own from then on. A dry run changes nothing.
    pub fn replay(&mut self, backend: &str, since: Wall, scope: ReplayScope, dry_run: bool) -> Result<Replayed, Trouble> {
        let (theirs, others): (Vec<Final>, _) = self.finals(backend, since)?.into_iter().partition(|last| last.its_own);
        let (records, left_out) = match scope {
            ReplayScope::ItsOwn => (theirs, others.len()),
            ReplayScope::All => ([theirs, others].concat(), 0),
        };
        let replayed = Replayed { sent: records.len(), left_out };
        if dry_run {
            return Ok(replayed);
        }
        self.write(|tx| records.iter().try_for_each(|last| send(tx, backend, last)))?;
        Ok(replayed)
    }

    /// The final record of each call that has ended.
    fn finals(&self, backend: &str, since: Wall) -> Result<Vec<Final>, Trouble> {
        let sql = "SELECT e.call, e.seq, e.what,
                       ifnull(instr(char(10) || c.backends || char(10), char(10) || ?2 || char(10)), 0) > 0
                       OR EXISTS (SELECT 1 FROM deliveries d WHERE d.backend = ?2 AND d.call = c.call)
                   FROM calls c JOIN entries e ON e.call = c.call
                   WHERE c.call >= ?1 AND c.open = 0 ORDER BY e.call, e.seq";
        self.ask(|db| {
            let mut rows = db.prepare(sql)?;
            let mut rows = rows.query(params![first_id(since), backend])?;
            let mut found: Vec<Final> = Vec::new();
            while let Some(row) = rows.next()? {
                let call = call_id(row, 0)?;
                let what = payload::decode(&self.sealer, call, row.get(1)?, row.get_ref(2)?);
                let ends = what.is_ok_and(|what| is_final(&what));
                if ends && found.last().is_none_or(|last| last.call != call) {
                    found.push(Final { call, sequence: Kind::Record.sequence(row.get(1)?), its_own: row.get(3)? });
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
            self.totals.begin();
            let done = work(&tx)?;
            self.totals.note(&tx)?;
            tx.commit().map(|()| done)
        };
        run().map_err(|e| Trouble::sqlite(&self.path, e))
    }
}

fn send(tx: &Connection, backend: &str, last: &Final) -> rusqlite::Result<()> {
    let Final { call, sequence, its_own } = last;
    let id = call.0.as_bytes();
    let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
    let sql = "INSERT INTO deliveries (backend, call, sequence, kind) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET state = 'pending', attempts = 0, error = NULL";
    tx.prepare_cached(sql)?.execute(params![backend, id, sequence, Kind::Record.name()])?;
    tx.prepare_cached("INSERT OR IGNORE INTO lanes (backend, call, next_at) VALUES (?1, ?2, 0)")?
        .execute(params![backend, id])?;
    if !its_own {
        // A backend that has a record must hear what changes in it.
        let sql = "UPDATE calls SET backends = iif(backends = '', ?2, backends || char(10) || ?2) WHERE call = ?1";
        tx.prepare_cached(sql)?.execute(params![id, backend])?;
    }
    Ok(())
}

fn is_final(what: &What) -> bool {
    Kind::of(what).contains(&Kind::Record)
}

fn bytes(selection: &Selection) -> Option<[u8; 16]> {
    selection.call.map(|call| call.0.into_bytes())
}
