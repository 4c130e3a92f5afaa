//! The journal's file: one SQLite database in WAL mode with `synchronous=FULL`, so that a committed transaction is on
//! disk and a torn tail of the log is noticed by its checksums and left out.
//!
//! `entries` is the append-only log. `calls` says which calls are open, that is, have no end yet. `deliveries` is the
//! outbox: a row for each event that a backend must get, written in the transaction of the entry that causes it. `lanes`
//! says when a (backend, call) may be sent next; a lane exists while one of its deliveries is pending. `feed` numbers all
//! events in one order, for those who follow them. `seat_entries` is the log of seats, `facts` what is kept besides. `recipients` names the backends that get a call. `postscripts` is what others tell of a call.

mod amendments;
pub(super) mod backup;
mod checksum;
pub(super) mod damage;
mod dead_letters;
mod error;
pub(super) mod identity;
pub(super) mod mark;
mod migrations;
mod pages;
pub(super) mod payload;
mod purge;
pub(super) mod reader;
mod recipients;
pub(super) mod repair;
pub(super) mod scan;
mod seats;
mod totals;
mod verbs;
mod wal;

pub(super) use crate::io::journal::engine::Written;
pub use amendments::{Acceptance, Callback, Tagging};

use crate::base::trap::{self, Trap};
use crate::base::{CallId, Mono, Wall};
use crate::event::{Entry, RecordingAction, What};
use crate::io::clock::{self, Running};
use crate::io::journal::error::{Cause, Error, look_at_the_disk};
use crate::record::cloudevent::Kind;
use crate::record::delivery::{Settlement, Verdict};
use crate::record::exchange::Change;
use crate::record::seal::Sealer;
use identity::Identity;
use mark::{Header, Mark};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use scan::Watch;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use totals::Totals;
use uuid::Uuid;

/// Old rows of the feed go every so many new ones.
const TRIM: u64 = 256;
/// Others may hold the file so long.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Somebody who gets events of these kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub name: String,
    pub kinds: Vec<Kind>,
    /// And these once the call's record is out: who has the record only would else keep one that is not true any more.
    pub later: Vec<Kind>,
    /// Gets every call, whoever its line names.
    pub always: bool,
}

impl Backend {
    /// It gets something of every call: all events, or the final records and what changes them.
    pub fn of_all_calls(name: &str, all_events: bool) -> Backend {
        let kinds = if all_events { Kind::ALL.to_vec() } else { vec![Kind::Record] };
        Backend { name: name.to_owned(), kinds, later: Kind::UPDATES.to_vec(), always: true }
    }

    fn wants(&self, kind: Kind, ended: bool) -> bool {
        self.kinds.contains(&kind) || (ended && self.later.contains(&kind))
    }
}

/// The one connection that writes. The journal's thread has it; simulations drive it by their own clock.
pub struct Store {
    db: Connection,
    totals: Totals,
    path: PathBuf,
    outbox: Outbox,
    sealer: Arc<Sealer>,
    mark: Mark,
    header: Header,
    watch: Watch,
    /// Deliveries go by this clock.
    pub running: Running,
}

/// The backends and followers that get the events.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub backends: Vec<Backend>,
    /// The most events that those who follow the feed can go back.
    pub feed: u64,
}

impl Store {
    pub fn open(path: &Path, max_bytes: Option<u64>, outbox: Outbox) -> Result<Store, Error> {
        let version = match identity::look(path)? {
            Identity::Absent => make(path, max_bytes)?,
            Identity::Ours(version) => version,
            Identity::Damaged(what) => return Err(Error::damaged(path, what)),
        };
        let sqlite = |e| Error::sqlite(path, e);
        let db = prepare(path, max_bytes).map_err(sqlite)?;
        // Before anything is written over what may be there.
        if let Some(gap) = mark::gap(path, &db, true)? {
            abandon(&db);
            return Err(Error::damaged(path, gap));
        }
        wal::settle_log(&db, path)?;
        build(&db, version).map_err(sqlite)?;
        if totals::unknown(&db).map_err(sqlite)? {
            totals::renew(&db).map_err(sqlite)?;
        }
        let totals = Totals::of(&db).map_err(sqlite)?;
        let header = Header::read(&db).map_err(sqlite)?;
        let header = header.ok_or_else(|| Error::damaged(path, both!("its header is missing", "缺少文件头记录")))?;
        let mark = Mark::open(path).and_then(|mark| mark.write(&header).map(|()| mark));
        let mark = mark.map_err(|e| {
            let name = Mark::beside(path);
            let name = name.display();
            Error::new(Cause::Disk, path, both!("cannot write {name}: {e}", "无法写入 {name}：{e}"), look_at_the_disk())
        })?;
        db.execute("UPDATE header SET held = 1", []).map_err(sqlite)?;
        let running = Running::from(header.clock, clock::mono());
        Ok(Store {
            db,
            totals,
            path: path.to_owned(),
            outbox,
            sealer: Arc::default(),
            mark,
            header,
            watch: Watch::of(path),
            running,
        })
    }

    /// Everything in `work` or nothing of it.
    pub fn transaction(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<Written, Error> {
        let path = self.path.clone();
        self.transact(work, |error| error).map_err(|e| Error::sqlite(&path, e))
    }

    /// The same, where `work` has errors of its own.
    fn transact<E>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), E>,
        told: impl Fn(rusqlite::Error) -> E,
    ) -> Result<Written, E> {
        let now = clock::now();
        let header =
            Header { groups: self.header.groups + 1, at: now.wall, clock: self.running.at(now.mono), ..self.header.clone() };
        let tx = self.db.transaction().map_err(&told)?;
        self.totals.begin();
        let written = Cell::default();
        work(&Transaction { db: &tx, outbox: &self.outbox, sealer: &self.sealer, written: &written })?;
        let sql = "UPDATE header SET groups = ?1, at = ?2, clock = ?3, sum = ?4, totals = totalled(totals)";
        let groups = i64::try_from(header.groups).unwrap_or(i64::MAX);
        let values = params![groups, header.at.0, header.clock.0, header.sum()];
        tx.prepare_cached(sql).and_then(|mut update| update.execute(values)).map_err(&told)?;
        tx.commit().map_err(&told)?;
        // A mark that is behind claims nothing that is not true.
        let _ = self.mark.write(&header);
        self.header = header;
        Ok(written.get())
    }

    /// Ends what the last process left open; which calls they were.
    pub fn begin(&mut self, now: Wall) -> Result<Vec<CallId>, Error> {
        let interrupted = self.interrupt(now)?;
        self.wake_lanes()?;
        // The file alone tells from now on that it is in use.
        let _ = self.bring_in();
        Ok(interrupted)
    }

    pub fn groups(&self) -> u64 {
        self.header.groups
    }

    /// Closes it as it is.
    pub fn abandon(self) {
        abandon(&self.db);
    }

    /// Nobody who delivers waits for what a process before this one has planned.
    pub fn wake_lanes(&mut self) -> Result<(), Error> {
        self.transaction(|tx| tx.db.execute("UPDATE lanes SET next_at = 0 WHERE next_at > 0", []).map(drop)).map(drop)
    }

    /// Ends every call that the journal shows open, and says which they were.
    pub fn interrupt(&mut self, wall: Wall) -> Result<Vec<CallId>, Error> {
        let mut open = Vec::new();
        self.transaction(|tx| {
            open = tx.open_calls()?;
            open.iter().try_for_each(|call| tx.interrupt(*call, wall))
        })?;
        Ok(open)
    }
}

/// Under another name first: what stands under its own is never half made. Gives its version.
fn make(path: &Path, max_bytes: Option<u64>) -> Result<i64, Error> {
    let new = path.with_extension("new");
    let failed =
        |e: std::io::Error| Error::new(Cause::Disk, path, both!("cannot be made: {e}", "无法创建：{e}"), look_at_the_disk());
    for old in [new.clone(), mark::log_of(&new)] {
        let removed = fs::remove_file(old);
        removed.or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) }).map_err(failed)?;
    }
    let made = prepare(&new, max_bytes).and_then(|db| {
        build(&db, 0)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    });
    made.map_err(|e| Error::sqlite(path, e))?;
    fs::rename(&new, path).and_then(|()| sync_folder(path)).map_err(failed)?;
    Ok(migrations::SCHEMA)
}

/// The log's content stays there when it is closed: it may be damaged.
fn abandon(db: &Connection) {
    let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// A name in it is on the disk.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::options().read(true).open(folder)?.sync_all()
}

/// Brings a file of this version up.
fn build(db: &Connection, version: i64) -> rusqlite::Result<()> {
    match usize::try_from(version).ok().and_then(|version| migrations::MIGRATIONS.get(version..)) {
        None | Some([]) => Ok(()),
        Some(steps) => db.execute_batch(&format!("BEGIN;{}COMMIT;", steps.concat())),
    }
}

fn prepare(path: &Path, max_bytes: Option<u64>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // Only an empty file takes this: pages of what is purged can go back to the disk.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Deleted bytes are overwritten.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if let Some(bytes) = max_bytes {
        let page: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        db.pragma_update(None, "max_page_count", bytes / page.max(1))?;
    }
    Ok(db)
}

/// Entries that are written together, or not at all.
pub struct Transaction<'a> {
    db: &'a Connection,
    outbox: &'a Outbox,
    sealer: &'a Sealer,
    written: &'a Cell<Written>,
}

impl Transaction<'_> {
    pub fn append(&self, entry: &Entry) -> rusqlite::Result<()> {
        let what = payload::encode(self.sealer, entry.call, entry.seq, &entry.what)?;
        let call = entry.call.0;
        let mono = i64::try_from(entry.mono.0).unwrap_or(i64::MAX);
        let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let sum = what.sum(call.as_bytes(), i64::from(entry.seq), entry.wall.0, mono);
        if insert.execute(params![call.as_bytes(), entry.seq, entry.wall.0, mono, what, sum])? == 0 {
            return self.again(entry);
        }
        trap::spring(Trap::Journal);
        self.mark(entry)?;
        self.index(entry.call, &entry.what)?;
        let kinds = Kind::of(&entry.what);
        let events: Vec<_> = kinds.iter().map(|kind| (kind.sequence(entry.seq), *kind)).collect();
        self.post(entry.call, &events)
    }

    /// A transaction whose sync failed is written again, and may be there by then.
    fn again(&self, entry: &Entry) -> rusqlite::Result<()> {
        let sql = "SELECT what FROM entries WHERE call = ?1 AND seq = ?2";
        let stored = |row: &rusqlite::Row<'_>| Ok(payload::decode(self.sealer, entry.call, entry.seq, row.get_ref(0)?).ok());
        let stored = self.db.prepare_cached(sql)?.query_row(params![entry.call.0.as_bytes(), entry.seq], stored)?;
        if stored.as_ref() != Some(&entry.what) {
            tracing::error!(call = %entry.call, seq = entry.seq, "a journal entry came twice; the first one stays");
            return Ok(());
        }
        // Nobody was told then.
        let newest = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0);
        let newest = self.db.prepare_cached("SELECT max(n) FROM feed")?.query_row([], newest)?;
        self.written.set(Written { posted: true, fed: newest.and_then(|n| u64::try_from(n).ok()) });
        Ok(())
    }

    /// A call is open from its first entry to its end, and stays closed if something follows.
    fn mark(&self, entry: &Entry) -> rusqlite::Result<()> {
        self.open_or_end(entry)?;
        let (line, recipients) = match &entry.what {
            What::Offered(offered) => (&offered.number, self.first_recipients(&offered.tickets, &offered.withheld)),
            What::Recording { action: RecordingAction::Started, .. } => {
                let sql = "UPDATE calls SET recording = 1 WHERE call = ?1 AND recording IS NULL";
                self.db.prepare_cached(sql)?.execute([entry.call.0.as_bytes()])?;
                return Ok(());
            }
            What::Reported(r) => (&r.report.hotline, self.first_recipients(&r.tickets, &r.withheld)),
            _ => return Ok(()),
        };
        let recorded = matches!(&entry.what, What::Offered(offered) if offered.recorded).then_some(1);
        let sql = "UPDATE calls SET line = ?2, recording = ?3 WHERE call = ?1";
        self.db.prepare_cached(sql)?.execute(params![entry.call.0.as_bytes(), line, recorded])?;
        self.choose(entry.call, &recipients)
    }

    fn open_or_end(&self, entry: &Entry) -> rusqlite::Result<()> {
        let id = entry.call.0;
        self.db.prepare_cached("INSERT OR IGNORE INTO calls (call, open) VALUES (?1, 1)")?.execute([id.as_bytes()])?;
        match entry.what {
            What::Ended { .. } | What::Interrupted => self.choose_at_the_end(entry.call)?,
            What::Reported(_) => {}
            _ => return Ok(()),
        }
        self.db.prepare_cached("UPDATE calls SET open = 0 WHERE call = ?1")?.execute([id.as_bytes()]).map(drop)
    }

    fn post(&self, call: CallId, events: &[(u64, Kind)]) -> rusqlite::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let recipients = self.recipients(call)?;
        let sql = "SELECT open = 0 FROM calls WHERE call = ?1";
        let ended = self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], |row| row.get(0))?;
        let gets = |backend: &&Backend, kind| recipients.include(backend) && backend.wants(kind, ended);
        for (sequence, kind) in events {
            let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
            self.feed(call, sequence, *kind)?;
            for backend in self.outbox.backends.iter().filter(|backend| gets(backend, *kind)) {
                self.post_to(&backend.name, call, sequence, *kind)?;
            }
        }
        Ok(())
    }

    /// The oldest go now and then.
    fn feed(&self, call: CallId, sequence: i64, kind: Kind) -> rusqlite::Result<()> {
        let sql = "INSERT INTO feed (call, sequence, kind) VALUES (?1, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute(params![call.0.as_bytes(), sequence, kind.name()])?;
        let n = u64::try_from(self.db.last_insert_rowid()).unwrap_or(0);
        self.written.set(Written { fed: Some(n), ..self.written.get() });
        if n.is_multiple_of(TRIM) {
            let oldest = i64::try_from(n.saturating_sub(self.outbox.feed)).unwrap_or(0);
            self.db.prepare_cached("DELETE FROM feed WHERE n <= ?1")?.execute([oldest])?;
        }
        Ok(())
    }

    fn post_to(&self, backend: &str, call: CallId, sequence: i64, kind: Kind) -> rusqlite::Result<()> {
        let call = call.0;
        let sql = "INSERT OR IGNORE INTO deliveries (backend, call, sequence, kind) VALUES (?1, ?2, ?3, ?4)";
        if self.db.prepare_cached(sql)?.execute(params![backend, call.as_bytes(), sequence, kind.name()])? == 0 {
            // It has it. A lane without anything to send would stay for ever.
            return Ok(());
        }
        self.written.set(Written { posted: true, ..self.written.get() });
        self.db
            .prepare_cached("INSERT OR IGNORE INTO lanes (backend, call, next_at) VALUES (?1, ?2, 0)")?
            .execute(params![backend, call.as_bytes()])
            .map(drop)
    }

    /// A create is about to be asked.
    pub fn creating(&self, backend: &str, call: CallId, at: Wall) -> rusqlite::Result<()> {
        let sql = "INSERT INTO tickets (backend, call, creating) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET creating = ?3";
        self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes(), at.0]).map(drop)
    }

    fn change(&self, backend: &str, call: CallId, change: &Change, wall: Wall) -> rusqlite::Result<()> {
        match change {
            Change::None => Ok(()),
            Change::NotCreated => {
                let sql = "UPDATE tickets SET creating = NULL WHERE backend = ?1 AND call = ?2";
                self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes()]).map(drop)
            }
            Change::Linked { id, url } => self.linked(backend, call, id, url.as_deref(), wall),
        }
    }

    /// `stamp`: when a call is finished by which it is purged some time later.
    pub fn settle(&self, backend: &str, settled: &Settlement, wall: Wall, stamp: Wall) -> rusqlite::Result<()> {
        for sequence in &settled.merged {
            self.set_state(backend, settled.call, *sequence, "merged", None)?;
        }
        let (call, sequence) = (settled.call, settled.sequence);
        self.change(backend, call, &settled.change, wall)?;
        match &settled.verdict {
            Verdict::Done => self.set_state(backend, call, sequence, "done", None)?,
            Verdict::Dead { error } => self.set_state(backend, call, sequence, "dead", Some(error))?,
            Verdict::Retry { at, since, error } | Verdict::Aside { at, since, error } => {
                self.set_state(backend, call, sequence, "pending", Some(error))?;
                let aside = matches!(settled.verdict, Verdict::Aside { .. }).then_some(1);
                let sql = "UPDATE lanes SET next_at = ?3, attempts = attempts + 1, since = ?4, aside = ?5
                           WHERE backend = ?1 AND call = ?2";
                self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes(), at.0, since.0, aside])?;
                return Ok(());
            }
        }
        self.advance(backend, call, stamp)
    }

    fn set_state(&self, backend: &str, call: CallId, sequence: u64, state: &str, error: Option<&str>) -> rusqlite::Result<()> {
        let sql = "UPDATE deliveries SET state = ?4, error = ?5, attempts = attempts + (?4 <> 'merged')
                   WHERE backend = ?1 AND call = ?2 AND sequence = ?3";
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes(), sequence, state, error]).map(drop)
    }

    /// The lane's next event starts afresh; a lane with nothing left goes.
    fn advance(&self, backend: &str, call: CallId, wall: Wall) -> rusqlite::Result<()> {
        let pending = "SELECT 1 FROM deliveries WHERE backend = ?1 AND call = ?2 AND state = 'pending'";
        let more = self.db.prepare_cached(pending)?.exists(params![backend, call.0.as_bytes()])?;
        if !more {
            self.settled_at(call, wall)?;
        }
        let sql = match more {
            true => "UPDATE lanes SET next_at = 0, attempts = 0, since = NULL, aside = NULL WHERE backend = ?1 AND call = ?2",
            false => "DELETE FROM lanes WHERE backend = ?1 AND call = ?2",
        };
        self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes()]).map(drop)
    }

    fn open_calls(&self) -> rusqlite::Result<Vec<CallId>> {
        let mut open = self.db.prepare("SELECT call FROM calls WHERE open = 1 ORDER BY call")?;
        let calls = open.query_map([], |row| row.get::<_, [u8; 16]>(0).map(|id| CallId(Uuid::from_bytes(id))))?;
        calls.collect()
    }

    /// The entry carries the last one's monotonic time: this process's clock has nothing to do with the call's.
    fn interrupt(&self, call: CallId, wall: Wall) -> rusqlite::Result<()> {
        let sql = "SELECT seq, mono FROM entries WHERE call = ?1 ORDER BY seq DESC LIMIT 1";
        let last = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?));
        let last = self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], last).optional()?;
        let (seq, mono) = last.unwrap_or((0, 0));
        let mono = Mono(u64::try_from(mono).unwrap_or(0));
        self.append(&Entry { call, seq: seq.saturating_add(1), wall, mono, what: What::Interrupted })
    }
}
