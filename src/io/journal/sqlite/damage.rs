//! The list of what is known to be damaged.

use super::{BUSY, identity, mark};
use crate::base::{CallId, Wall};
use crate::io::clock;
use crate::io::journal::error::Error;
use crate::io::journal::health::Damaged;
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;
use uuid::Uuid;

/// Adds to the list.
pub fn note(db: &Connection, call: Option<&[u8]>, place: &str, why: &str, row: Option<&str>) -> rusqlite::Result<()> {
    let sql = "INSERT INTO damaged (at, call, place, why, row) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![clock::now().wall.0, call, place, why, row]).map(drop)
}

/// Somebody has looked at all of it; counts what was new.
pub fn seen(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("UPDATE damaged SET seen = 1 WHERE seen IS NULL", [])
}

/// Counts all, and what nobody has looked at. None: the file cannot be read just now.
pub fn counts(path: &Path) -> Option<(u64, u64)> {
    let count = || {
        let sql = "SELECT count(*), count(*) - count(seen) FROM damaged";
        open(path)?.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
    };
    let (all, unseen) = count().ok()?;
    Some((u64::try_from(all).unwrap_or(0), u64::try_from(unseen).unwrap_or(0)))
}

/// Lists it.
pub fn list(path: &Path) -> Result<Vec<Damaged>, Error> {
    identity::must_be_ours(path)?;
    open(path).and_then(|db| read(&db)).map_err(|e| Error::sqlite(path, e))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

fn read(db: &Connection) -> rusqlite::Result<Vec<Damaged>> {
    let mut all = db.prepare("SELECT at, call, place, why, seen IS NOT NULL FROM damaged ORDER BY n")?;
    let one = |row: &rusqlite::Row<'_>| {
        let call = row.get::<_, Option<Vec<u8>>>(1)?.and_then(|call| Uuid::from_slice(&call).ok());
        Ok(Damaged {
            at: mark::time(Wall(row.get(0)?)),
            call: call.map(|call| CallId(call).to_string()),
            place: row.get(2)?,
            why: row.get(3)?,
            seen: row.get(4)?,
        })
    };
    all.query_map([], one)?.collect()
}
