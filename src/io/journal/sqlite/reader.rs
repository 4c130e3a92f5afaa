//! Reads the journal's file beside the thread that writes it: the records, and what is to be delivered.

mod search;

use super::payload::{self, Lost};
use super::{identity, mark};
use crate::base::{CallId, Mono, Text, Wall};
use crate::event::Entry;
use crate::io::journal::error::{Cause, Error};
use crate::io::journal::lock::Lock;
use crate::io::journal::search::{Search, first_id};
use crate::io::journal::{Backlog, Delivery, FeedItem};
use crate::io::process::threads;
use crate::record::amendment::{Amendment, amend};
use crate::record::cloudevent::{CloudEvent, Kind, entry_of};
use crate::record::delivery::Item;
use crate::record::exchange;
use crate::record::fold::fold;
use crate::record::seal::{Sealer, Unopened};
use crate::record::shape::Record;
use crate::record::zone::Zone;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::cell::{Ref, RefCell};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// No call's log is read further than this.
const MAX_ENTRIES: u32 = 100_000;

/// A read-only view; each question sees the journal as it is then.
pub struct View {
    open: RefCell<Open>,
    path: PathBuf,
    zone: Zone,
    pub(super) sealer: Arc<Sealer>,
    /// Entries that could not be read.
    unreadable: RefCell<Vec<Text>>,
}

struct Open {
    db: Connection,
    /// Tells that another one stands in its place by now.
    file: Option<(u64, u64)>,
}

impl Open {
    fn new(path: &Path) -> Result<Open, Error> {
        // A gateway that mends its journal puts another one in its place.
        let mut tries = if Lock::is_taken(path) { TRIES } else { 0 };
        while let Err(trouble) = identity::must_be_ours(path) {
            if tries == 0 {
                return Err(trouble);
            }
            tries -= 1;
            std::thread::sleep(TRY);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = file_of(path);
        let open = || {
            let db = Connection::open_with_flags(path, flags)?;
            db.busy_timeout(Duration::from_secs(5))?;
            Ok(db)
        };
        Ok(Open { db: open().map_err(|e| Error::sqlite(path, e))?, file })
    }
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// Tries, and the time between two, in which a journal is looked for that is there in a moment.
const TRIES: u32 = 100;
const TRY: Duration = Duration::from_millis(20);

/// Limits the unreadable entries that are told.
const UNREADABLE: usize = 100;

impl View {
    pub fn open(path: &Path, zone: Zone) -> Result<View, Error> {
        let open = RefCell::new(Open::new(path)?);
        Ok(View { open, path: path.to_owned(), zone, sealer: Arc::default(), unreadable: RefCell::default() })
    }

    /// Tells what is missing of the journal as a whole.
    pub fn gap(&self) -> Result<Option<Text>, Error> {
        mark::gap(&self.path, &*self.db()?, false)
    }

    /// Tells what of all that was asked for could not be read.
    pub fn unreadable(&self) -> Vec<Text> {
        self.unreadable.take()
    }

    /// One that was damaged is replaced while others have it open.
    fn db(&self) -> Result<Ref<'_, Connection>, Error> {
        if self.open.borrow().file != file_of(&self.path) {
            let open = Open::new(&self.path)?;
            *self.open.borrow_mut() = open;
        }
        Ok(Ref::map(self.open.borrow(), |open| &open.db))
    }

    fn sealed(&self, call: CallId, why: &Unopened) -> Error {
        let remedy = both!(
            "put the key that it was sealed with into [records.keys], under its name",
            "请把加密它的密钥以原名称放入 [records.keys]"
        );
        Error::new(Cause::Wrong, &self.path, both!("call {call}: {why}", "通话 {call}：{why}"), remedy)
    }

    /// The newest calls first, open ones too; `since` leaves out what began before.
    pub fn records(&self, since: Option<Wall>, limit: u32) -> Result<Vec<Record>, Error> {
        Ok(self.search(&Search { since, limit, look: u32::MAX, ..Search::default() })?.records)
    }

    /// Calls that were recorded of which nobody has told yet what became of that.
    pub fn owed_recordings(&self) -> Result<Vec<CallId>, Error> {
        self.ask(|db| {
            let mut calls = db.prepare("SELECT call FROM calls WHERE recording = 1 ORDER BY call")?;
            calls.query_map([], |row| call_id(row, 0))?.collect()
        })
    }

    /// As [`View::records`], by their ids alone.
    pub fn calls(&self, since: Option<Wall>, limit: u32) -> Result<Vec<CallId>, Error> {
        self.ask(|db| {
            let sql = "SELECT call FROM calls WHERE call >= ?1 ORDER BY call DESC LIMIT ?2";
            let mut calls = db.prepare_cached(sql)?;
            calls.query_map(params![since.map_or([0; 16], first_id), limit], |row| call_id(row, 0))?.collect()
        })
    }

    /// The latest event of this kind that a call has given rise to.
    pub fn latest(&self, call: CallId, kind: Kind) -> Result<Option<CloudEvent>, Error> {
        let told = self.amendments(call, u64::MAX)?.into_iter().rev().find(|amendment| amendment.update.kind() == kind);
        if let Some(Amendment { sequence, .. }) = told {
            return self.event(&Item { call, sequence, kind, attempts: 0, failing_since: None });
        }
        let entries = self.entries(call, MAX_ENTRIES)?;
        let last = entries.iter().rev().find(|entry| Kind::of(&entry.what).contains(&kind));
        let Some(sequence) = last.map(|entry| kind.sequence(entry.seq)) else { return Ok(None) };
        self.event(&Item { call, sequence, kind, attempts: 0, failing_since: None })
    }

    pub fn record(&self, call: CallId) -> Result<Option<Record>, Error> {
        let entries = self.entries(call, MAX_ENTRIES)?;
        Ok(self.folded(call, &entries, &self.amendments(call, u64::MAX)?))
    }

    /// A call whose record cannot be made is left out: the others are worth having.
    fn folded(&self, call: CallId, entries: &[Entry], amendments: &[Amendment]) -> Option<Record> {
        let folded = threads::guarded("record", || {
            let mut record = fold(entries, &self.zone)?;
            amend(&mut record, amendments, &self.zone);
            Some(record)
        });
        folded.unwrap_or_else(|| {
            tracing::error!(%call, "a call's record cannot be made: the program has panicked in it");
            self.cannot_be_read(both!("call {call} is left out: {}", "通话 {call} 未计入：{}"; threads::fault()));
            None
        })
    }

    /// An event as its backend gets it.
    pub fn event(&self, item: &Item) -> Result<Option<CloudEvent>, Error> {
        let entries = self.entries(item.call, entry_of(item.sequence))?;
        let amendments = self.amendments(item.call, item.sequence)?;
        let record = self.folded(item.call, &entries, &amendments);
        let (Some(last), Some(record)) = (entries.last(), record) else { return Ok(None) };
        let told = amendments.last().filter(|last| last.sequence == item.sequence);
        let wall = told.map_or(last.wall, |told| told.wall);
        Ok(Some(CloudEvent::of(item.call, item.kind, item.sequence, wall, record, &self.zone)))
    }

    /// Reads what others told of a call up to this event, so that an event is the same whenever it is made.
    pub fn amendments(&self, call: CallId, up_to: u64) -> Result<Vec<Amendment>, Error> {
        self.ask(|db| amendments(db, &self.sealer, call, up_to))?.map_err(|why| self.sealed(call, &why))
    }

    /// Reads what is known of a call's ticket in this backend.
    pub fn ticket(&self, backend: &str, call: CallId) -> Result<exchange::Ticket, Error> {
        self.ask(|db| {
            let sql = "SELECT id, url, creating FROM tickets WHERE backend = ?1 AND call = ?2";
            let ticket = |row: &Row<'_>| {
                let creating = row.get::<_, Option<i64>>(2)?.map(Wall);
                Ok(exchange::Ticket { id: row.get(0)?, url: row.get(1)?, creating })
            };
            let known = db.prepare_cached(sql)?.query_row(params![backend, call.0.as_bytes()], ticket).optional()?;
            Ok(known.unwrap_or_default())
        })
    }

    /// A call's log up to this entry. One that cannot be read is left out and logged: the rest is worth having.
    pub fn entries(&self, call: CallId, up_to: u32) -> Result<Vec<Entry>, Error> {
        let rows = self.ask(|db| {
            let sql = "SELECT seq, wall, mono, what, sum FROM entries WHERE call = ?1 AND seq <= ?2 ORDER BY seq";
            let mut rows = db.prepare_cached(sql)?;
            let row = |row: &Row<'_>| {
                let what: Value = row.get(3)?;
                let (seq, wall, mono) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let whole =
                    payload::is_whole(call.0.as_bytes(), [i64::from(seq), wall, mono], ValueRef::from(&what), row.get(4)?);
                Ok((seq, wall, mono, what, whole))
            };
            rows.query_map(params![call.0.as_bytes(), up_to], row)?.collect::<Result<Vec<(u32, i64, i64, Value, bool)>, _>>()
        })?;
        let mut entries = Vec::with_capacity(rows.len());
        for (seq, wall, mono, what, whole) in rows {
            match payload::decode(&self.sealer, call, seq, ValueRef::from(&what)) {
                _ if !whole => self.left_out(call, seq, &"its checksum does not fit"),
                Ok(what) => {
                    entries.push(Entry { call, seq, wall: Wall(wall), mono: Mono(u64::try_from(mono).unwrap_or(0)), what })
                }
                Err(Lost::Unreadable(error)) => self.left_out(call, seq, &error),
                Err(Lost::Sealed(why)) => return Err(self.sealed(call, &why)),
            }
        }
        Ok(entries)
    }

    fn left_out(&self, call: CallId, seq: u32, why: &dyn std::fmt::Display) {
        tracing::error!(%call, seq, "a journal entry is damaged and left out: {why}");
        self.cannot_be_read(both!(
            "entry {seq} of call {call} is damaged and left out: {why}",
            "通话 {call} 的第 {seq} 条记录已损坏，未计入：{why}"
        ));
    }

    fn cannot_be_read(&self, what: Text) {
        let mut unreadable = self.unreadable.borrow_mut();
        if unreadable.len() < UNREADABLE {
            unreadable.push(what);
        }
    }

    /// The oldest and the newest number of the feed; zeros while it is empty.
    pub fn feed_ends(&self) -> Result<(u64, u64), Error> {
        let ends = |row: &Row<'_>| Ok((number(row, 0)?, number(row, 1)?));
        self.ask(|db| db.prepare_cached("SELECT ifnull(min(n), 0), ifnull(max(n), 0) FROM feed")?.query_row([], ends))
    }

    /// The feed's events after this number, in order.
    pub fn feed(&self, after: u64, most: u32) -> Result<Vec<FeedItem>, Error> {
        self.ask(|db| {
            let sql =
                "SELECT f.n, ifnull(c.line, ''), f.call, f.sequence, f.kind FROM feed f LEFT JOIN calls c ON c.call = f.call
                       WHERE f.n > ?1 ORDER BY f.n LIMIT ?2";
            let mut rows = db.prepare_cached(sql)?;
            let fed = |row: &Row<'_>| {
                let (call, sequence, kind) = (call_id(row, 2)?, number(row, 3)?, Kind::named(&row.get::<_, String>(4)?));
                let item = kind.map(|kind| Item { call, sequence, kind, attempts: 0, failing_since: None });
                Ok(FeedItem { n: number(row, 0)?, line: row.get(1)?, item })
            };
            rows.query_map(params![i64::try_from(after).unwrap_or(i64::MAX), most], fed)?.collect()
        })
    }

    /// Reads what became of a call's events.
    pub fn deliveries(&self, call: CallId) -> Result<Vec<Delivery>, Error> {
        self.ask(|db| {
            let sql = "SELECT backend, kind, state, attempts, error FROM deliveries WHERE call = ?1 ORDER BY backend, sequence";
            let mut rows = db.prepare_cached(sql)?;
            let delivery = |row: &Row<'_>| {
                let (backend, event, state) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Delivery { backend, event, state, attempts: row.get(3)?, error: row.get(4)? })
            };
            rows.query_map([call.0.as_bytes()], delivery)?.collect()
        })
    }

    /// The pending events of the lanes that are due, the longest due first, each lane's in sequence.
    pub fn due(&self, backend: &str, now: Wall, lanes: u32) -> Result<Vec<Item>, Error> {
        self.ask(|db| {
            let sql = "SELECT d.call, d.sequence, d.kind, l.attempts, l.since
                       FROM (SELECT call, next_at, attempts, since FROM lanes
                             WHERE backend = ?1 AND next_at <= ?2 ORDER BY next_at, call LIMIT ?3) l
                       JOIN deliveries d ON d.backend = ?1 AND d.call = l.call AND d.state = 'pending'
                       ORDER BY l.next_at, d.call, d.sequence";
            let mut rows = db.prepare_cached(sql)?;
            let items = rows.query_map(params![backend, now.0, lanes], item)?;
            items.filter_map(Result::transpose).collect()
        })
    }

    /// Counts what waits for each backend for which something does.
    pub fn backlog(&self, now: Wall) -> Result<Vec<Backlog>, Error> {
        let waiting = |row: &Row<'_>| {
            let began = call_id(row, 2)?.0.get_timestamp().map_or(0, |at| at.to_unix().0);
            let now = u64::try_from(now.0 / 1_000_000).unwrap_or(0);
            Ok(Backlog {
                backend: row.get(0)?,
                calls: number(row, 1)?,
                oldest_seconds: now.saturating_sub(began),
                ..Backlog::default()
            })
        };
        self.ask(|db| {
            let sql = "SELECT backend, count(*), min(call) FROM lanes GROUP BY backend";
            let mut all = db.prepare_cached(sql)?.query_map([], waiting)?.collect::<Result<Vec<Backlog>, _>>()?;
            let aside = "SELECT backend, count(*) FROM lanes WHERE aside = 1 GROUP BY backend";
            let dead = "SELECT backend, count(*) FROM deliveries WHERE state = 'dead' GROUP BY backend";
            let count = |sql: &str| {
                let counted = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, number(row, 1)?));
                db.prepare_cached(sql)?.query_map([], counted)?.collect::<Result<Vec<_>, _>>()
            };
            for (backend, n) in count(aside)? {
                backlog_of(&mut all, backend).aside = n;
            }
            for (backend, n) in count(dead)? {
                backlog_of(&mut all, backend).dead = n;
            }
            Ok(all)
        })
    }

    /// When the next lane after `now` is due, if there is one.
    pub fn next_due(&self, backend: &str, now: Wall) -> Result<Option<Wall>, Error> {
        let sql = "SELECT min(next_at) FROM lanes WHERE backend = ?1 AND next_at > ?2";
        let next = |row: &Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.map(Wall));
        self.ask(|db| db.prepare_cached(sql)?.query_row(params![backend, now.0], next))
    }

    pub(super) fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        question(&*self.db()?).map_err(|e| Error::sqlite(&self.path, e))
    }
}

fn backlog_of(all: &mut Vec<Backlog>, backend: String) -> &mut Backlog {
    let at = all.iter().position(|one| one.backend == backend).unwrap_or_else(|| {
        all.push(Backlog { backend, ..Backlog::default() });
        all.len() - 1
    });
    &mut all[at]
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0))
}

/// None for a kind that only a later release knows; it stays pending for that one.
fn item(row: &Row<'_>) -> rusqlite::Result<Option<Item>> {
    let Some(kind) = Kind::named(&row.get::<_, String>(2)?) else { return Ok(None) };
    let sequence = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
    let failing_since = row.get::<_, Option<i64>>(4)?.map(Wall);
    Ok(Some(Item { call: call_id(row, 0)?, sequence, kind, attempts: row.get(3)?, failing_since }))
}

/// One that is none of this release's is left out; without its key there are none at all.
pub(super) fn amendments(
    db: &Connection,
    sealer: &Sealer,
    call: CallId,
    up_to: u64,
) -> rusqlite::Result<Result<Vec<Amendment>, Unopened>> {
    let sql = "SELECT sequence, wall, news, sum FROM postscripts WHERE call = ?1 AND sequence <= ?2 ORDER BY sequence";
    let mut rows = db.prepare_cached(sql)?;
    let amendment = |row: &Row<'_>| {
        let (sequence, wall) = (number(row, 0)?, Wall(row.get(1)?));
        if !payload::is_whole(call.0.as_bytes(), [row.get(0)?, wall.0, 0], row.get_ref(2)?, row.get(3)?) {
            tracing::error!(%call, sequence, "what was told of a call is damaged and left out");
            return Ok(Ok(None));
        }
        let update = payload::decode_update(sealer, call, sequence, row.get_ref(2)?);
        Ok(update.map(|update| update.map(|update| Amendment { sequence, wall, update })))
    };
    let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
    let found = rows.query_map(params![call.0.as_bytes(), up_to], amendment)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().filter_map(Result::transpose).collect())
}

pub(super) fn call_id(row: &Row<'_>, column: usize) -> rusqlite::Result<CallId> {
    row.get::<_, [u8; 16]>(column).map(|id| CallId(Uuid::from_bytes(id)))
}
