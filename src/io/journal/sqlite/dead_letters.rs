//! Carries out what people decide about deliveries: refused ones are tried again or dropped, and records sent anew.

use super::reader::{View, call_id};
use super::{Transaction, damage, payload};
use crate::base::{CallId, Wall};
use crate::event::What;
use crate::io::journal::dead_letters::{DeadLetter, Decision, EndedCall, Replay, Selection};
use crate::io::journal::error::Error;
use crate::io::journal::search::first_id;
use crate::record::cloudevent::Kind;
use rusqlite::{Row, params};

/// Among `deliveries d`, those of one backend and one call.
const CHOSEN: &str = "(?1 IS NULL OR d.backend = ?1) AND (?2 IS NULL OR d.call = ?2)";
/// Those among them that a person decides about: dead letters, and what lanes wait for that are set aside.
const REFUSED: &str = "(?1 IS NULL OR d.backend = ?1) AND (?2 IS NULL OR d.call = ?2) AND (d.state = 'dead'
    OR d.state = 'pending' AND d.error IS NOT NULL
    AND EXISTS (SELECT 1 FROM lanes l WHERE l.backend = d.backend AND l.call = d.call AND l.aside = 1))";

impl Transaction<'_> {
    /// Counts what it was about.
    pub fn decide(&self, decision: &Decision) -> rusqlite::Result<usize> {
        match decision {
            Decision::Retry(selection) => self.retry(selection),
            Decision::Drop(selection) => self.drop_refused(selection),
            Decision::Replay(replay) => self.replay(replay),
            Decision::DamageSeen => damage::seen(self.db),
        }
    }

    fn retry(&self, selection: &Selection) -> rusqlite::Result<usize> {
        let lanes = format!(
            "INSERT INTO lanes (backend, call, next_at) SELECT DISTINCT d.backend, d.call, 0 FROM deliveries d WHERE {REFUSED}
             ON CONFLICT DO UPDATE SET next_at = 0, attempts = 0, since = NULL, aside = NULL"
        );
        let states = format!("UPDATE deliveries AS d SET state = 'pending', attempts = 0 WHERE d.state = 'dead' AND {CHOSEN}");
        self.carry_out(selection, &[&lanes, &states])
    }

    fn drop_refused(&self, selection: &Selection) -> rusqlite::Result<usize> {
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
        self.carry_out(selection, &[&settled, &states, &over, &next])
    }

    fn carry_out(&self, selection: &Selection, steps: &[&str]) -> rusqlite::Result<usize> {
        let chosen = params![selection.backend, bytes(selection)];
        let count = format!("SELECT count(*) FROM deliveries d WHERE {REFUSED}");
        let count: i64 = self.db.query_row(&count, chosen, |row| row.get(0))?;
        steps.iter().try_for_each(|sql| self.db.execute(sql, chosen).map(drop))?;
        self.written.set(super::Written { posted: true, ..self.written.get() });
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn replay(&self, replay: &Replay) -> rusqlite::Result<usize> {
        let Replay { backend, calls } = replay;
        let mut sent = 0;
        for call in calls {
            let Some(sequence) = self.record_of(*call)? else { continue };
            if !self.is_its_own(*call, backend)? {
                // A backend that has a record must hear what changes in it.
                self.add_recipients(*call, std::slice::from_ref(backend))?;
            }
            let sql = "INSERT INTO deliveries (backend, call, sequence, kind) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET state = 'pending', attempts = 0, error = NULL";
            let id = call.0.as_bytes();
            self.db.prepare_cached(sql)?.execute(params![backend, id, sequence, Kind::Record.name()])?;
            let lane = "INSERT OR IGNORE INTO lanes (backend, call, next_at) VALUES (?1, ?2, 0)";
            self.db.prepare_cached(lane)?.execute(params![backend, id])?;
            sent += 1;
        }
        self.written.set(super::Written { posted: true, ..self.written.get() });
        Ok(sent)
    }
}

impl View {
    /// Events that backends refused, of the newest calls first.
    pub fn dead_letters(&self, selection: &Selection) -> Result<Vec<DeadLetter>, Error> {
        let sql = format!(
            "SELECT d.backend, d.call, d.kind, d.attempts, d.error, iif(d.state = 'dead', 'dead', 'aside')
             FROM deliveries d WHERE {REFUSED} ORDER BY d.call DESC, d.backend, d.sequence"
        );
        let letter = |row: &Row<'_>| {
            let (backend, event, attempts) = (row.get(0)?, row.get(2)?, row.get(3)?);
            let call = call_id(row, 1)?.to_string();
            Ok(DeadLetter { backend, call, event, attempts, error: row.get(4)?, state: row.get(5)? })
        };
        self.ask(|db| db.prepare(&sql)?.query_map(params![selection.backend, bytes(selection)], letter)?.collect())
    }

    /// The calls since then that have ended and have a final record.
    pub fn ended_calls(&self, backend: &str, since: Wall) -> Result<Vec<EndedCall>, Error> {
        let sql = "SELECT e.call, e.seq, e.what,
                       EXISTS (SELECT 1 FROM recipients r WHERE r.call = c.call AND r.backend = ?2)
                       OR EXISTS (SELECT 1 FROM deliveries d WHERE d.backend = ?2 AND d.call = c.call)
                   FROM calls c JOIN entries e ON e.call = c.call
                   WHERE c.call >= ?1 AND c.open = 0 ORDER BY e.call, e.seq";
        self.ask(|db| {
            let mut rows = db.prepare(sql)?;
            let mut rows = rows.query(params![first_id(since), backend])?;
            let mut found: Vec<EndedCall> = Vec::new();
            while let Some(row) = rows.next()? {
                let call = call_id(row, 0)?;
                let what = payload::decode(&self.sealer, call, row.get(1)?, row.get_ref(2)?);
                if what.is_ok_and(|what| is_final(&what)) && found.last().is_none_or(|last| last.call != call) {
                    found.push(EndedCall { call, its_own: row.get(3)? });
                }
            }
            Ok(found)
        })
    }
}

fn is_final(what: &What) -> bool {
    Kind::of(what).contains(&Kind::Record)
}

fn bytes(selection: &Selection) -> Option<[u8; 16]> {
    selection.call.map(|call: CallId| call.0.into_bytes())
}
