//! A journal that is damaged is set aside, whole as it is, and a new one is made of what can be read of it: every entry whose
//! checksum fits, and what says how far deliveries have got. What is lost is named.

use super::backup::{aside_of, set_aside};
use super::damage::note;
use super::pages::Pages;
use super::{Backend, Outbox, Store, Transaction, make, mark, payload, prepare, seats};
use crate::base::{CallId, Text};
use crate::event::What;
use crate::io::journal::error::{Cause, Error, look_at_the_disk};
use crate::record::cloudevent::Kind;
use crate::record::codec;
use crate::record::seal::Sealer;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params, params_from_iter};
use std::collections::BTreeSet;
use std::path::Path;

/// Rows that share a transaction.
const ROWS: usize = 20_000;
/// Followers of the feed may know numbers that are lost: none is used again.
const FEED_AHEAD: i64 = 1_000_000;
/// The text of the longest place.
const LOST: usize = 10_000;

/// The states of a delivery.
const STATES: [&str; 5] = ["pending", "done", "merged", "dead", "dropped"];

/// Leaves a sound journal at `path`, which is opened as ever.
pub fn mend(path: &Path, why: &Text, max_bytes: Option<u64>, outbox: &Outbox) -> Result<(), Error> {
    tracing::error!(
        journal = %path.display(),
        "the journal is damaged: {why}; it is set aside, and what can be read of it is kept 日志数据库已损坏，已移到一旁，可读内容予以保留：{}",
        why.zh
    );
    let failed =
        |e: std::io::Error| Error::new(Cause::Disk, path, both!("cannot be mended: {e}", "无法修复：{e}"), look_at_the_disk());
    let mark = mark::Mark::read(path);
    // It is made beside the damaged one, so that nobody finds none for long.
    let (aside, new) = (aside_of(path, "damaged").map_err(failed)?, path.with_extension("mended"));
    for old in [new.clone(), mark::log_of(&new)] {
        let _ = std::fs::remove_file(old);
    }
    make(&new, max_bytes)?;
    let db = prepare(&new, max_bytes).map_err(|e| Error::sqlite(path, e))?;
    let mut salvage = Salvage { db: &db, bad: BTreeSet::new(), why, feed: 0, lost: BTreeSet::new() };
    let mut all = || -> rusqlite::Result<()> {
        db.execute_batch("BEGIN")?;
        salvage.take(&Pages::open(path).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?)?;
        salvage.finish(&aside, mark.as_ref(), outbox)?;
        db.execute_batch("COMMIT")?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    all().map_err(|e| Error::sqlite(path, e))?;
    drop(db);
    set_aside(path, &aside).map_err(failed)?;
    std::fs::rename(&new, path).and_then(|()| super::sync_folder(path)).map_err(failed)?;
    tracing::error!(journal = %path.display(), aside = ?aside, "a new journal was made of what could be read 已用可读内容建立新的日志数据库");
    Ok(())
}

struct Salvage<'a> {
    db: &'a Connection,
    /// Entries of which what was found is not what was written.
    bad: BTreeSet<(Vec<u8>, i64, bool)>,
    why: &'a Text,
    /// The highest number of the feed.
    feed: i64,
    /// Rows of seats that are not as they were written.
    lost: BTreeSet<String>,
}

/// A row's shape tells which table it is of.
enum Row {
    Entry,
    Amendment,
    Call,
    Recipient,
    Delivery,
    Ticket,
    Report,
    Callback,
    Seal,
    Caller,
    Fed,
    Damaged,
    SeatEntry,
    Fact,
}

impl Salvage<'_> {
    fn take(&mut self, pages: &Pages) -> rusqlite::Result<()> {
        let (mut rows, mut failed) = (0, None);
        pages.rows(|row| {
            let Some(kind) = shape(&row) else { return };
            rows += 1;
            let taken = self.row(&kind, row).and_then(|()| match rows % ROWS {
                0 => self.db.execute_batch("COMMIT; BEGIN"),
                _ => Ok(()),
            });
            failed = failed.take().or(taken.err());
        });
        failed.map_or(Ok(()), Err)
    }

    fn row(&mut self, kind: &Row, row: Vec<Value>) -> rusqlite::Result<()> {
        let insert = |table: &str, columns: usize, row: &[Value]| {
            let places: Vec<String> = (1..=columns).map(|n| format!("?{n}")).collect();
            let sql = format!("INSERT OR IGNORE INTO {table} VALUES ({})", places.join(", "));
            let padded = row.iter().chain(std::iter::repeat(&Value::Null)).take(columns);
            self.db.prepare_cached(&sql)?.execute(params_from_iter(padded)).map(drop)
        };
        match kind {
            Row::Entry | Row::Amendment => {
                let entry = matches!(kind, Row::Entry);
                if !is_good(&row, entry) {
                    if self.bad.len() < LOST {
                        self.bad.insert((bytes(&row[0]), number(&row[1]), entry));
                    }
                    return Ok(());
                }
                if entry { insert("entries", 6, &row) } else { insert("postscripts", 5, &row) }
            }
            Row::Call => self.call(row),
            Row::Recipient => insert("recipients", 2, &row),
            Row::Delivery => insert("deliveries", 7, &row),
            Row::Ticket => {
                let sql = "INSERT OR IGNORE INTO tickets (call, backend, id, url, creating) VALUES (?1, ?2, ?3, ?4, ?5)";
                self.db.prepare_cached(sql)?.execute(params_from_iter(&row)).map(drop)
            }
            Row::Report => insert("reports", 3, &row),
            Row::Callback => insert("callbacks", 4, &row),
            Row::Seal => insert("seals", 2, &row),
            Row::Caller => insert("callers", 2, &row),
            Row::Fed => {
                self.feed = self.feed.max(number(&row[0]));
                insert("feed", 4, &row)
            }
            Row::Damaged => insert("damaged", 7, &row),
            Row::SeatEntry => self.whole("seat_entries", &row, format!("seat entry {}", number(&row[0]))),
            Row::Fact => self.whole("facts", &row, format!("fact {} {}", text(&row[0]), text(&row[1]))),
        }
    }

    /// A row that has its checksum last.
    fn whole(&mut self, table: &str, row: &[Value], place: String) -> rusqlite::Result<()> {
        let (is_whole, sql) = match row {
            [n, seat, wall, mono, what, sum] => {
                let numbers = [number(n), number(wall), number(mono)];
                let whole = payload::is_whole(text(seat).as_bytes(), numbers, ValueRef::from(what), Some(number(sum)));
                (whole, format!("INSERT OR IGNORE INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6)"))
            }
            [kind, key, value, sum] => {
                let place = seats::fact_place(text(kind), text(key));
                let whole = payload::is_whole(&place, [0; 3], ValueRef::from(value), Some(number(sum)));
                (whole, format!("INSERT OR IGNORE INTO {table} VALUES (?1, ?2, ?3, ?4)"))
            }
            _ => return Ok(()),
        };
        if is_whole {
            self.lost.remove(&place);
            return self.db.prepare_cached(&sql)?.execute(params_from_iter(row)).map(drop);
        }
        if self.lost.len() < LOST {
            self.lost.insert(place);
        }
        Ok(())
    }

    /// A file of an older release names the backends in the call's own row.
    fn call(&self, mut row: Vec<Value>) -> rusqlite::Result<()> {
        row.resize(6, Value::Null);
        if let Value::Text(names) = std::mem::replace(&mut row[2], Value::Null) {
            row[2] = Value::Text(String::new());
            let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO recipients (call, backend) VALUES (?1, ?2)")?;
            names.lines().try_for_each(|name| insert.execute(params![row[0], name]).map(drop))?;
        }
        let sql = "INSERT OR IGNORE INTO calls (call, open, chosen, line, settled, recording) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.db.prepare_cached(sql)?.execute(params_from_iter(&row)).map(drop)
    }

    /// Adds what follows from the rows that are there, and tells of those that are not.
    fn finish(&mut self, aside: &Path, mark: Option<&mark::Header>, outbox: &Outbox) -> rusqlite::Result<()> {
        ends(self.db)?;
        owed(self.db, outbox, &Sealer::default())?;
        lanes(self.db)?;
        self.db.execute("DELETE FROM sqlite_sequence WHERE name = 'feed'", [])?;
        self.db.execute("INSERT INTO sqlite_sequence VALUES ('feed', ?1)", [self.feed.saturating_add(FEED_AHEAD)])?;
        for place in &self.lost {
            note(self.db, None, place, "its checksum does not fit", None)?;
        }
        if let Some(mark) = mark {
            let groups = i64::try_from(mark.groups).unwrap_or(i64::MAX);
            self.db.execute("UPDATE header SET groups = ?1, at = ?2, clock = max(clock, ?2)", params![groups, mark.at.0])?;
            mark::Header::renew(self.db)?;
        }
        for (call, number, entry) in &self.bad {
            let (table, column) = if *entry { ("entries", "seq") } else { ("postscripts", "sequence") };
            let there = format!("SELECT 1 FROM {table} WHERE call = ?1 AND {column} = ?2");
            if !self.db.prepare_cached(&there)?.exists(params![call, number])? {
                let place = if *entry { format!("entry {number}") } else { format!("postscript {number}") };
                note(self.db, Some(call), &place, "its checksum does not fit", None)?;
            }
        }
        let why = format!("{}; set aside as {}", self.why, aside.display());
        note(self.db, None, "journal", &why, None)
    }
}

/// Calls whose own row is lost are there again; those that have ended are not open, whatever their row says.
pub fn ends(db: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO calls (call, open) SELECT DISTINCT call, 1 FROM entries
               WHERE call NOT IN (SELECT call FROM calls)";
    db.execute(sql, [])?;
    let mut last = db.prepare("SELECT e.call, e.what FROM entries e JOIN calls c ON c.call = e.call WHERE c.open = 1")?;
    let mut rows = last.query([])?;
    let mut ended = Vec::new();
    while let Some(row) = rows.next()? {
        let what = row.get_ref(1)?.as_str().ok().and_then(|text| codec::decode(text).ok());
        if matches!(what, Some(What::Ended { .. } | What::Interrupted | What::Reported(_))) {
            ended.push(row.get_ref(0)?.as_blob().unwrap_or_default().to_vec());
        }
    }
    ended.iter().try_for_each(|call| db.execute("UPDATE calls SET open = 0 WHERE call = ?1", [call]).map(drop))
}

/// A record of which nothing says that a backend has got it goes there again, which tells it by its id: of calls since the
/// backend got its first.
pub fn owed(db: &Connection, outbox: &Outbox, sealer: &Sealer) -> rusqlite::Result<()> {
    let written = std::cell::Cell::default();
    let tx = Transaction { db, outbox, sealer, written: &written };
    for backend in &outbox.backends {
        for call in without_record(db, backend)? {
            if tx.recipients(call)?.include(backend)
                && let Some(sequence) = tx.record_of(call)?
            {
                tx.post_to(&backend.name, call, sequence, Kind::Record)?;
            }
        }
    }
    Ok(())
}

fn without_record(db: &Connection, backend: &Backend) -> rusqlite::Result<Vec<CallId>> {
    let sql = "SELECT call FROM calls WHERE open = 0 AND call >= (SELECT min(call) FROM deliveries WHERE backend = ?1)
               AND EXISTS (SELECT 1 FROM entries e WHERE e.call = calls.call)
               AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.backend = ?1 AND d.call = calls.call AND d.kind = ?2)";
    let mut calls = db.prepare(sql)?;
    calls.query_map(params![backend.name, Kind::Record.name()], |row| super::reader::call_id(row, 0))?.collect()
}

/// A lane for each call that has something pending.
pub fn lanes(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("INSERT OR IGNORE INTO lanes (backend, call, next_at) SELECT DISTINCT backend, call, 0 FROM deliveries WHERE state = 'pending'", [])
}

fn is_good(row: &[Value], entry: bool) -> bool {
    let (what, sum) = if entry { (4, 5) } else { (3, 4) };
    let call = bytes(&row[0]);
    let numbers = [number(&row[1]), number(&row[2]), if entry { number(&row[3]) } else { 0 }];
    match row.get(sum) {
        Some(Value::Integer(sum)) => payload::is_whole(&call, numbers, ValueRef::from(&row[what]), Some(*sum)),
        // An older release wrote it: it is what it can be read as.
        Some(Value::Null) | None => match &row[what] {
            Value::Text(text) => serde_json::from_str::<serde_json::Value>(text).is_ok(),
            _ => true,
        },
        Some(_) => false,
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    if let Value::Blob(bytes) = value { bytes.clone() } else { Vec::new() }
}

fn text(value: &Value) -> &str {
    if let Value::Text(text) = value { text } else { "" }
}

fn number(value: &Value) -> i64 {
    if let Value::Integer(number) = value { *number } else { 0 }
}

fn shape(row: &[Value]) -> Option<Row> {
    use Value::{Blob, Integer, Null, Text};
    let id = |value: &Value| matches!(value, Blob(bytes) if bytes.len() == 16);
    let kind = |text: &str| Kind::named(text).is_some();
    match row {
        [call, Integer(_), Integer(_), Integer(_), Text(_) | Blob(_), ..] if id(call) && row.len() <= 6 => Some(Row::Entry),
        [call, Integer(_), Integer(_), Text(_) | Blob(_), ..] if id(call) && row.len() <= 5 => Some(Row::Amendment),
        [call, Integer(0 | 1)] if id(call) => Some(Row::Call),
        [call, Text(_)] if id(call) => Some(Row::Recipient),
        [call, Integer(0 | 1), Text(_) | Null, ..] if id(call) && (3..=6).contains(&row.len()) => Some(Row::Call),
        [Text(_), call, Integer(_), Text(named), Text(state), Integer(_), Text(_) | Null] if id(call) => {
            (kind(named) && STATES.contains(&state.as_str())).then_some(Row::Delivery)
        }
        [call, Text(_), Text(_) | Null, Text(_) | Null, Integer(_) | Null] if id(call) => Some(Row::Ticket),
        [Text(_), Text(_), call] if id(call) => Some(Row::Report),
        [Text(_), Text(_), Integer(_), Integer(_)] => Some(Row::Callback),
        [Text(_), Blob(sample)] if sample.len() > 16 => Some(Row::Seal),
        [Blob(hash), call] if id(call) && hash.len() > 16 => Some(Row::Caller),
        [Integer(_), Text(_), Integer(_), Integer(_), Text(_) | Blob(_), Integer(_)] => Some(Row::SeatEntry),
        [Text(_), Text(_), Text(_) | Blob(_), Integer(_)] => Some(Row::Fact),
        [Integer(_), call, Integer(_), Text(named)] if id(call) && kind(named) => Some(Row::Fed),
        [Integer(_), Integer(_), Blob(_) | Null, Text(_), Text(_), Text(_) | Null, Integer(_) | Null] => Some(Row::Damaged),
        _ => None,
    }
}

impl Store {
    /// Puts what it has open into the place of what stands there now: who has a file open still has it when its name is gone.
    pub fn rescue(self, why: &Text) -> Result<(), Error> {
        let path = self.path.clone();
        let failed = |e: std::io::Error| {
            Error::new(Cause::Disk, &path, both!("cannot be saved: {e}", "无法保存：{e}"), look_at_the_disk())
        };
        let sqlite = |e| Error::sqlite(&path, e);
        let saved = path.with_extension("saved");
        let _ = std::fs::remove_file(&saved);
        let copied = self.db.execute("VACUUM INTO ?1", [saved.to_string_lossy()]).map(drop);
        self.abandon();
        copied.map_err(sqlite)?;
        let copy = Connection::open(&saved).map_err(sqlite)?;
        note(&copy, None, "journal", &why.en, None).map_err(sqlite)?;
        copy.execute("UPDATE header SET totals = NULL", []).map_err(sqlite)?;
        drop(copy);
        tracing::error!(journal = %path.display(), "{why}; what was in use is put back 已恢复使用中的内容：{}", why.zh);
        aside_of(&path, "damaged").and_then(|aside| set_aside(&path, &aside)).map_err(failed)?;
        std::fs::rename(&saved, &path).and_then(|()| super::sync_folder(&path)).map_err(failed)
    }

    /// As [`Store::open`]; of a journal that is damaged, what can be read.
    pub fn open_mended(path: &Path, max_bytes: Option<u64>, outbox: &Outbox) -> Result<Store, Error> {
        match Store::open(path, max_bytes, outbox.clone()) {
            Err(trouble) if trouble.is_damage() => {
                mend(path, &trouble.what, max_bytes, outbox)?;
                Store::open(path, max_bytes, outbox.clone())
            }
            store => store,
        }
    }
}
