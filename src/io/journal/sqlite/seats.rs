//! Rows that belong to no call: the log of seats, and facts, of which each is one row that is replaced whole.

use super::damage::note;
use super::reader::View;
use super::{Store, Transaction, payload};
use crate::base::trap::{self, Trap};
use crate::base::{Mono, Wall};
use crate::event::{Fact, FactKind, Keep, Kept, SeatEntry, SeatWhat};
use crate::io::journal::error::Error;
use crate::record::seal::Sealer;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The tables of this file, whose damaged rows are known by their own checksum.
pub(super) const TABLES: [&str; 2] = ["seat_entries", "facts"];

impl Transaction<'_> {
    /// A transaction whose sync failed is written again, and may be there by then.
    pub fn seat(&self, entry: &SeatEntry) -> rusqlite::Result<()> {
        let (n, mono) = (signed(entry.n), signed(entry.mono.0));
        let text = serde_json::to_string(&entry.what).map_err(payload::unwritable)?;
        let what = payload::sealed_at(self.sealer, &seat_place(n), text)?;
        let sum = what.sum(entry.seat.as_bytes(), n, entry.wall.0, mono);
        let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO seat_entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        if insert.execute(params![n, &*entry.seat, entry.wall.0, mono, what, sum])? == 0 {
            let sql = "SELECT n, seat, wall, mono, what, sum FROM seat_entries WHERE n = ?1";
            let there = self.db.prepare_cached(sql)?.query_row([n], |row| seat_entry(self.sealer, row))?;
            if there.as_ref() != Some(entry) {
                tracing::error!(seat = %entry.seat, n, "an entry of the log of seats came twice; the first one stays");
            }
            return Ok(());
        }
        trap::spring(Trap::Journal);
        Ok(())
    }

    pub fn keep(&self, keep: &Keep) -> rusqlite::Result<()> {
        match keep {
            Keep::Set(fact) => {
                let (kind, key) = (fact.kind().name(), fact.key());
                let place = fact_place(kind, &key);
                let text = serde_json::to_string(fact).map_err(payload::unwritable)?;
                let value = payload::sealed_at(self.sealer, &place, text)?;
                let sum = value.sum(&place, 0, 0, 0);
                let sql = "INSERT INTO facts (kind, key, value, sum) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT DO UPDATE SET value = ?3, sum = ?4";
                self.db.prepare_cached(sql)?.execute(params![kind, key, value, sum]).map(drop)
            }
            Keep::Forget { kind, key } => {
                let sql = "DELETE FROM facts WHERE kind = ?1 AND key = ?2";
                self.db.prepare_cached(sql)?.execute(params![kind.name(), key]).map(drop)
            }
        }
    }
}

impl Store {
    /// All that the process before this one left, and the newest number in the log of seats.
    pub fn kept(&self) -> Result<Kept, Error> {
        let read = || {
            let newest = "SELECT ifnull(max(n), 0) FROM seat_entries";
            let newest = self.db.query_row(newest, [], |row| row.get::<_, i64>(0))?;
            Ok(Kept { facts: facts(&self.db, &self.sealer)?, seat_n: u64::try_from(newest).unwrap_or(0) })
        };
        read().map_err(|e| Error::sqlite(&self.path, e))
    }

    /// Takes away at most `most` of the oldest entries of the log of seats that were written before `until`.
    pub fn purge_seats(&mut self, until: Wall, most: u32) -> Result<usize, Error> {
        let mut gone = 0;
        let sql = "DELETE FROM seat_entries WHERE n IN (SELECT n FROM seat_entries WHERE wall < ?1 ORDER BY wall LIMIT ?2)";
        let any = "SELECT 1 FROM seat_entries WHERE wall < ?1";
        let old =
            self.db.prepare_cached(any).and_then(|mut any| any.exists([until.0])).map_err(|e| Error::sqlite(&self.path, e))?;
        if old {
            self.transaction(|tx| {
                gone = tx.db.prepare_cached(sql)?.execute(params![until.0, most])?;
                Ok(())
            })?;
        }
        Ok(gone)
    }
}

impl View {
    pub fn facts(&self) -> Result<Vec<Fact>, Error> {
        self.ask(|db| facts(db, &self.sealer))
    }

    /// The entries of a seat, or of all, after this number, in order. One that cannot be read is left out and logged.
    pub fn seat_entries(&self, seat: Option<&str>, after: u64, most: u32) -> Result<Vec<SeatEntry>, Error> {
        self.ask(|db| {
            let of_seat = if seat.is_some() { "seat = ?3 AND" } else { "?3 IS NULL AND" };
            let sql =
                format!("SELECT n, seat, wall, mono, what, sum FROM seat_entries WHERE {of_seat} n > ?1 ORDER BY n LIMIT ?2");
            let mut rows = db.prepare_cached(&sql)?;
            let found = rows.query_map(params![signed(after), most, seat], |row| seat_entry(&self.sealer, row))?;
            found.filter_map(Result::transpose).collect()
        })
    }

    /// The number before the first entry of the log of seats that was written since then.
    pub fn seat_entries_before(&self, since: Wall) -> Result<u64, Error> {
        let sql = "SELECT min(n) FROM seat_entries WHERE wall >= ?1";
        let first = |row: &Row<'_>| row.get::<_, Option<i64>>(0);
        let first = self.ask(|db| db.prepare_cached(sql)?.query_row([since.0], first))?;
        Ok(first.map_or(u64::MAX, |n| u64::try_from(n - 1).unwrap_or(0)))
    }
}

/// Takes the rows of this table out of the way that are not as they were written, and keeps them.
pub(super) fn set_aside(tx: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut bad = Vec::new();
    if table == "seat_entries" {
        let mut all = tx.prepare("SELECT n, seat, wall, mono, what, sum, quote(CAST(what AS BLOB)) FROM seat_entries")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            if !whole_entry(row)? {
                bad.push((
                    format!("seat entry {}", row.get::<_, i64>(0)?),
                    row.get::<_, String>(6)?,
                    row.get::<_, i64>(0)?,
                    None,
                ));
            }
        }
    } else {
        let mut all = tx.prepare("SELECT kind, key, value, sum, quote(CAST(value AS BLOB)) FROM facts")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            if !whole_fact(row)? {
                let (kind, key) = (text(row, 0)?, text(row, 1)?);
                bad.push((format!("fact {kind} {key}"), row.get(4)?, 0, Some((kind, key))));
            }
        }
    }
    for (place, row, n, fact) in bad {
        tracing::error!(place, "a row of the journal is damaged and set aside 日志数据库中有一条记录损坏，已移到一旁");
        note(tx, None, &place, "its checksum does not fit", Some(&row))?;
        match fact {
            None => tx.execute("DELETE FROM seat_entries WHERE n = ?1", [n])?,
            Some((kind, key)) => tx.execute("DELETE FROM facts WHERE kind = ?1 AND key = ?2", [kind, key])?,
        };
    }
    Ok(())
}

fn facts(db: &Connection, sealer: &Sealer) -> rusqlite::Result<Vec<Fact>> {
    let mut rows = db.prepare("SELECT kind, key, value, sum FROM facts ORDER BY kind, key")?;
    let found = rows.query_map([], |row| fact(sealer, row))?;
    found.filter_map(Result::transpose).collect()
}

/// None for what cannot be read: it is logged, and the rest is worth having.
fn fact(sealer: &Sealer, row: &Row<'_>) -> rusqlite::Result<Option<Fact>> {
    let (kind, key) = (text(row, 0)?, text(row, 1)?);
    let place = fact_place(&kind, &key);
    let known = FactKind::named(&kind).is_some();
    if !known || !whole_fact(row)? {
        tracing::error!(kind, known, "a fact of the journal is left out: it is damaged, or of a later release");
        return Ok(None);
    }
    Ok(parsed(sealer, &place, row.get_ref(2)?))
}

fn seat_entry(sealer: &Sealer, row: &Row<'_>) -> rusqlite::Result<Option<SeatEntry>> {
    let (n, wall, mono): (i64, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
    if !whole_entry(row)? {
        tracing::error!(n, "an entry of the log of seats is damaged and left out");
        return Ok(None);
    }
    let seat = Arc::from(text(row, 1)?);
    let what: Option<SeatWhat> = parsed(sealer, &seat_place(n), row.get_ref(4)?);
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(what.map(|what| SeatEntry { n: number(n), seat, wall: Wall(wall), mono: Mono(number(mono)), what }))
}

fn parsed<T: DeserializeOwned>(sealer: &Sealer, place: &[u8], stored: ValueRef<'_>) -> Option<T> {
    let place_of = String::from_utf8_lossy(place.get(..4).unwrap_or_default());
    let text = payload::opened_at(sealer, place, stored);
    let text = text.map_err(|why| tracing::error!("a {place_of} of the journal is left out: {why}")).ok()?;
    let read = serde_json::from_str(&text);
    read.map_err(|why| tracing::error!("a {place_of} of the journal is left out: it cannot be read at column {}", why.column()))
        .ok()
}

fn whole_entry(row: &Row<'_>) -> rusqlite::Result<bool> {
    let numbers = [row.get(0)?, row.get(2)?, row.get(3)?];
    Ok(payload::is_whole(bytes(row, 1)?, numbers, row.get_ref(4)?, row.get(5)?))
}

fn whole_fact(row: &Row<'_>) -> rusqlite::Result<bool> {
    Ok(payload::is_whole(&fact_place(&text(row, 0)?, &text(row, 1)?), [0; 3], row.get_ref(2)?, row.get(3)?))
}

fn bytes<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    })
}

/// A text whose bits were changed is still worth its name.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(String::from_utf8_lossy(bytes(row, column)?).into_owned())
}

/// The place that an entry is sealed for; none of a call's.
fn seat_place(n: i64) -> Vec<u8> {
    [&b"seat"[..], &n.to_be_bytes()].concat()
}

pub(super) fn fact_place(kind: &str, key: &str) -> Vec<u8> {
    [b"fact", kind.as_bytes(), &[0], key.as_bytes()].concat()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
