//! A total over all rows of each table: what is changed, lost or added from outside shows by it, wherever the file does not
//! notice by itself. Triggers of the connection count each row in and out as it is written, so that no statement can forget
//! it; the totals stand in the header and are written in the same transaction.

use super::migrations::SCHEMA;
use crate::base::Text;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};
use std::sync::{Arc, Mutex, PoisonError};

/// Each table with the columns that count. Entries and postscripts have a checksum a row, which stands for their text. A new
/// table comes last.
const TABLES: [(&str, &str); 15] = [
    ("calls", "call, open, chosen, line, settled, recording"),
    ("entries", "call, seq, sum"),
    ("postscripts", "call, sequence, sum"),
    ("deliveries", "backend, call, sequence, kind, state, attempts, error"),
    ("lanes", "backend, call, next_at, attempts, since, aside"),
    ("tickets", "call, backend, id, url, creating"),
    ("feed", "n, call, sequence, kind"),
    ("reports", "source, id, call"),
    ("callbacks", "backend, id, sent, at"),
    ("seals", "key, sample"),
    ("callers", "hash, call"),
    ("damaged", "n, at, call, place, why, row, seen"),
    ("recipients", "call, backend"),
    ("seat_entries", "n, seat, wall, mono, what, sum"),
    ("facts", "kind, key, value, sum"),
];

type Sums = [i64; TABLES.len()];

/// The rows that a connection has written since its transaction began.
#[derive(Clone, Default)]
pub struct Totals(Arc<Mutex<Sums>>);

impl Totals {
    /// From now on what this connection writes is counted.
    pub fn of(db: &Connection) -> rusqlite::Result<Totals> {
        let total = Totals::default();
        let (counted, added) = (total.clone(), total.clone());
        let plain = FunctionFlags::SQLITE_UTF8;
        db.create_scalar_function("total_row", -1, plain, move |row| {
            let (table, sign) = (usize::try_from(row.get::<i64>(0)?).unwrap_or(usize::MAX), row.get::<i64>(1)?);
            if let Some(total) = counted.all().get_mut(table) {
                *total = total.wrapping_add(sign.wrapping_mul(sum_of(row, 2)));
            }
            Ok(0)
        })?;
        db.create_scalar_function("totalled", 1, plain, move |row| {
            Ok(read(row.get_raw(0), TABLES.len()).map(|before| added.after(&before)))
        })?;
        db.execute_batch("PRAGMA temp_store = MEMORY")?;
        for (n, (table, columns)) in TABLES.iter().enumerate() {
            let row = |row: &str| format!("{row}.{}", columns.replace(", ", &format!(", {row}.")));
            let (new, old) = (row("new"), row("old"));
            db.execute_batch(&format!(
                "CREATE TEMP TRIGGER total_in_{table} AFTER INSERT ON main.{table} BEGIN SELECT total_row({n}, 1, {new}); END;
                 CREATE TEMP TRIGGER total_out_{table} AFTER DELETE ON main.{table} BEGIN SELECT total_row({n}, -1, {old}); END;
                 CREATE TEMP TRIGGER total_on_{table} AFTER UPDATE ON main.{table} BEGIN
                     SELECT total_row({n}, -1, {old}), total_row({n}, 1, {new}); END;"
            ))?;
        }
        Ok(total)
    }

    /// A transaction begins.
    pub fn begin(&self) {
        *self.all() = Sums::default();
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn after(&self, before: &[i64]) -> Vec<u8> {
        let all = self.all();
        before.iter().zip(all.iter()).flat_map(|(before, counted)| before.wrapping_add(*counted).to_be_bytes()).collect()
    }
}

/// None: they are not known, or not all of them.
fn read(stored: ValueRef<'_>, tables: usize) -> Option<Vec<i64>> {
    let bytes = stored.as_blob().ok().filter(|bytes| bytes.len() == tables * 8)?;
    bytes.chunks_exact(8).map(|bytes| bytes.try_into().ok().map(i64::from_be_bytes)).collect()
}

/// Any single change of a row changes it.
fn sum_of(row: &Context<'_>, from: usize) -> i64 {
    let mut bytes = Vec::with_capacity(128);
    for n in from..row.len() {
        let (kind, value): (u8, &[u8]) = match row.get_raw(n) {
            ValueRef::Null => (b'n', &[]),
            ValueRef::Integer(number) => {
                bytes.push(b'i');
                bytes.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            ValueRef::Real(number) => {
                bytes.push(b'r');
                bytes.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            ValueRef::Text(text) => (b't', text),
            ValueRef::Blob(blob) => (b'b', blob),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    i64::from(super::checksum::of(&[&bytes]))
}

/// The tables that a file of this version has, with their columns.
fn tables(version: i64) -> Vec<(&'static str, String)> {
    let since = |table: &str| match table {
        "recipients" => 10,
        "seat_entries" | "facts" => 11,
        _ => 0,
    };
    let there = TABLES.iter().filter(|(table, _)| since(table) <= version);
    let chosen = if version >= 10 { "chosen" } else { "backends" };
    there.map(|(table, columns)| (*table, columns.replace("chosen", chosen))).collect()
}

/// The totals of the rows that are there.
fn count(db: &Connection, tables: &[(&str, String)]) -> rusqlite::Result<Vec<i64>> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("row_sum", -1, flags, |row| Ok(sum_of(row, 0)))?;
    let sum = |(table, columns): &(&str, String)| {
        db.query_row(&format!("SELECT ifnull(sum(row_sum({columns})), 0) FROM {table}"), [], |row| row.get(0))
    };
    tables.iter().map(sum).collect()
}

/// Counts all rows anew, and believes them.
pub fn renew(db: &Connection) -> rusqlite::Result<()> {
    let all: Vec<u8> = count(db, &tables(SCHEMA))?.iter().flat_map(|total| total.to_be_bytes()).collect();
    db.execute("UPDATE header SET totals = ?1", [all]).map(drop)
}

/// They are not known: a file of an older release, or one that was put together anew.
pub fn unknown(db: &Connection) -> rusqlite::Result<bool> {
    let known = |row: &rusqlite::Row<'_>| Ok(read(row.get_ref(0)?, TABLES.len()).is_some());
    Ok(!db.query_row("SELECT totals FROM header", [], known).optional()?.unwrap_or(true))
}

/// The tables whose rows are not those that were written, in one moment.
pub fn unlike(db: &Connection) -> rusqlite::Result<Vec<&'static str>> {
    let tx = db.unchecked_transaction()?;
    let tables = tables(tx.query_row("PRAGMA user_version", [], |row| row.get(0))?);
    let written = tx.query_row("SELECT totals FROM header", [], |row| Ok(read(row.get_ref(0)?, tables.len())))?;
    let Some(written) = written else { return Ok(Vec::new()) };
    let there = count(&tx, &tables)?;
    let pairs = tables.iter().zip(written.iter().zip(there));
    Ok(pairs.filter(|(_, (written, there))| **written != *there).map(|((table, _), _)| *table).collect())
}

/// For whoever reads a copy.
pub fn told(tables: &[&str]) -> Text {
    let names = tables.join(", ");
    both!("rows of these tables are not as they were written: {names}", "以下数据表中有记录与写入时不同：{names}")
}
