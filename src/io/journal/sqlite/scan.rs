//! Looks through the journal for what is not as it was written, and at what is done to its files from outside.

use super::damage::note;
use super::mark::{Header, log_of};
use super::repair::{ends, lanes, owed};
use super::{BUSY, Store, payload, totals};
use crate::base::{CallId, Text};
use crate::io::journal::error::Error;
use crate::record::cloudevent::Kind;
use rusqlite::{Connection, OpenFlags, params};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use uuid::Uuid;

/// Rows that are read at once: nobody waits for longer than that takes.
const CHUNK: usize = 2000;
/// Limits the damaged rows that are set aside at once.
const MOST: usize = 1000;

/// A row whose checksum does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    pub call: Vec<u8>,
    pub number: i64,
    /// It is one of `entries`, or one of `postscripts`.
    pub entry: bool,
}

/// The findings of a look.
#[derive(Debug, Default)]
pub struct Found {
    /// The file as a whole is at fault.
    pub broken: Option<Text>,
    /// Rows of these tables are not as they were written.
    pub unlike: Vec<&'static str>,
    pub bad: Vec<Bad>,
}

/// Reads everything, from the disk and not from what another connection remembers. `go_on` is asked now and then.
pub fn scan(path: &Path, go_on: &dyn Fn() -> bool) -> Found {
    match Found::look(path, go_on) {
        Ok(found) => found,
        Err(error) => {
            let trouble = Error::sqlite(path, error);
            if !trouble.is_damage() {
                tracing::warn!("the journal cannot be looked through just now: {trouble}");
            }
            Found { broken: trouble.is_damage().then_some(trouble.what), ..Found::default() }
        }
    }
}

impl Found {
    /// Single rows of it are known to be damaged.
    fn explains(&self, table: &str) -> bool {
        self.bad.iter().any(|bad| table == if bad.entry { "entries" } else { "postscripts" })
    }

    fn look(path: &Path, go_on: &dyn Fn() -> bool) -> rusqlite::Result<Found> {
        let db = open(path)?;
        let mut found = Found::default();
        let said: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            found.broken = Some(Text { zh: format!("数据库结构已损坏（{said}）"), en: said });
            return Ok(found);
        }
        if let Some(what) = shape(&db)? {
            found.broken = Some(what);
            return Ok(found);
        }
        let states = "SELECT count(*) FROM deliveries WHERE state NOT IN ('pending', 'done', 'merged', 'dead', 'dropped')";
        if db.query_row(states, [], |row| row.get::<_, i64>(0))? > 0 {
            found.broken = Some(both!("states of deliveries are damaged", "推送状态已损坏"));
            return Ok(found);
        }
        for entry in [true, false] {
            found.rows(&db, entry, go_on)?;
        }
        found.unlike = totals::unlike(&db)?;
        Ok(found)
    }

    fn rows(&mut self, db: &Connection, entry: bool, go_on: &dyn Fn() -> bool) -> rusqlite::Result<()> {
        let sql = match entry {
            true => {
                "SELECT call, seq, wall, mono, what, sum FROM entries WHERE (call, seq) > (?1, ?2) ORDER BY call, seq LIMIT ?3"
            }
            false => {
                "SELECT call, sequence, wall, 0, news, sum FROM postscripts WHERE (call, sequence) > (?1, ?2)
                 ORDER BY call, sequence LIMIT ?3"
            }
        };
        let (mut chunk, mut last) = (db.prepare(sql)?, (Vec::new(), i64::MIN));
        while go_on() {
            let mut rows = chunk.query(params![last.0, last.1, CHUNK as i64])?;
            let mut read = 0;
            while let Some(row) = rows.next()? {
                let (call, number) = (row.get_ref(0)?.as_blob().unwrap_or_default(), row.get(1)?);
                if !payload::is_whole(call, [number, row.get(2)?, row.get(3)?], row.get_ref(4)?, row.get(5)?)
                    && self.bad.len() < MOST
                {
                    self.bad.push(Bad { call: call.to_vec(), number, entry });
                }
                (last, read) = ((call.to_vec(), number), read + 1);
            }
            if read < CHUNK {
                break;
            }
        }
        Ok(())
    }
}

/// Tells what is wrong with the tables themselves.
fn shape(db: &Connection) -> rusqlite::Result<Option<Text>> {
    if Header::read(db)?.is_none_or(|header| !header.whole) {
        return Ok(Some(both!("its header is damaged", "文件头记录已损坏")));
    }
    let model = Connection::open_in_memory()?;
    super::build(&model, 0)?;
    let columns = |db: &Connection| -> rusqlite::Result<Vec<String>> {
        let sql = "SELECT concat_ws(' ', m.type, m.name, m.tbl_name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk)
                   FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite!_%' ESCAPE '!'
                   ORDER BY m.name, c.cid";
        db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let same = columns(db)? == columns(&model)?;
    Ok((!same).then(|| both!("what its tables are made of is damaged", "数据表结构已损坏")))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

impl Store {
    /// Tells what was done to the files from outside that matters, if anything was.
    pub fn interference(&mut self) -> Option<Text> {
        let mut watch = self.watch.clone();
        let told = watch.look(&self.path, self);
        self.watch = watch;
        told
    }

    /// The files are as they were left just now.
    pub(super) fn watched(&mut self) {
        self.watch = Watch::of(&self.path);
    }

    /// Takes rows out of the way that are not as they were written, and keeps them. Of other tables nobody knows which rows
    /// these are: it tells of the table, and makes good what follows from the entries.
    pub fn set_aside(&mut self, found: &Found) -> Result<(), Error> {
        let (outbox, sealer, totals) = (self.outbox.clone(), self.sealer.clone(), self.totals.clone());
        self.transaction(|tx| {
            found.bad.iter().try_for_each(|bad| bad.set_aside(tx.db))?;
            if !found.unlike.is_empty() {
                found.unlike.iter().filter(|table| !found.explains(table)).try_for_each(|table| unlike(tx.db, table))?;
                ends(tx.db)?;
                owed(tx.db, &outbox, &sealer)?;
                totals::renew(tx.db)?;
                // All that was done so far is counted in there; the rest is counted as ever.
                totals.begin();
            }
            lanes(tx.db).map(drop)
        })
        .map(drop)
    }
}

impl Bad {
    fn set_aside(&self, tx: &Connection) -> rusqlite::Result<()> {
        let Bad { call, number, entry } = self;
        let (table, column, text, place) = match entry {
            true => ("entries", "seq", "what", format!("entry {number}")),
            false => ("postscripts", "sequence", "news", format!("postscript {number}")),
        };
        let id = CallId(Uuid::from_slice(call).unwrap_or_default());
        tracing::error!(call = %id, place, "a row of the journal is damaged and set aside 日志数据库中有一条记录损坏，已移到一旁");
        let sql = format!("SELECT quote(CAST({text} AS BLOB)) FROM {table} WHERE call = ?1 AND {column} = ?2");
        let row: String = tx.query_row(&sql, params![call, number], |row| row.get(0))?;
        note(tx, Some(call), &place, "its checksum does not fit", Some(&row))?;
        tx.execute(&format!("DELETE FROM {table} WHERE call = ?1 AND {column} = ?2"), params![call, number]).map(drop)
    }
}

fn unlike(tx: &Connection, table: &str) -> rusqlite::Result<()> {
    tracing::error!(table, "rows of the journal are not as they were written 日志数据库中有记录与写入时不同");
    note(tx, None, &format!("table {table}"), "its rows are not as they were written", None)?;
    match table {
        "lanes" => tx.execute("DELETE FROM lanes", []).map(drop),
        "deliveries" => {
            let kinds = Kind::ALL.map(|kind| format!("'{}'", kind.name())).join(", ");
            tx.execute(&format!("DELETE FROM deliveries WHERE kind NOT IN ({kinds})"), []).map(drop)
        }
        table if super::seats::TABLES.contains(&table) => super::seats::set_aside(tx, table),
        _ => Ok(()),
    }
}

/// The journal's files as they were left: others read them, and nobody else writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    file: Option<(u64, u64)>,
    log: Option<(u64, u64, u64)>,
}

impl Watch {
    pub fn of(path: &Path) -> Watch {
        let about = |path: &Path| std::fs::metadata(path).ok();
        let file = about(path).map(|about| (about.dev(), about.ino()));
        Watch { file, log: about(&log_of(path)).map(|about| (about.dev(), about.ino(), about.len())) }
    }

    /// Tells what was done to them that matters, if anything was.
    pub fn look(&mut self, path: &Path, store: &Store) -> Option<Text> {
        let now = Watch::of(path);
        let grew = |before: Option<(u64, u64, u64)>, now: Option<(u64, u64, u64)>| match (before, now) {
            (Some(before), Some(now)) => (before.0, before.1) == (now.0, now.1) && before.2 <= now.2,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if self.file == now.file && grew(self.log, now.log) {
            *self = now;
            return None;
        }
        let there = open(path).and_then(|db| Header::read(&db)).ok().flatten();
        let same = self.file == now.file && there.is_some_and(|there| there.groups == store.groups());
        *self = Watch::of(path);
        // Somebody has brought the log into the file.
        if same && now.log.is_some() {
            return None;
        }
        Some(both!("its files were replaced, cut off or removed while they were in use", "使用期间其文件被替换、截断或删除"))
    }
}
