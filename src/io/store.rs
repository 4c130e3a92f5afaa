//! The journal's file: one SQLite database in WAL mode with `synchronous=FULL`, so that a committed transaction is on
//! disk and a torn tail of the log is noticed by its checksums and left out.
//!
//! `entries` is the append-only log. `calls` says which calls are open, that is, have no end yet. `deliveries` is the
//! outbox: a row for each event that a backend must get, written in the transaction of the entry that causes it. `lanes`
//! says when a (backend, call) may be sent next; a lane exists while one of its deliveries is pending. `feed` numbers all
//! events in one order, for those who follow them. `postscripts` is what others tell of a call.

mod choice;
mod news;
pub(super) mod payload;
mod purge;
mod wal;

pub use news::{Callback, Tagging, Taken};

use crate::base::{CallId, Mono, Wall};
use crate::call::event::{Entry, What};
use crate::record::cloudevent::Kind;
use crate::record::delivery::{Settlement, Verdict};
use crate::record::exchange::Change;
use crate::record::seal::Sealer;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::cell::Cell;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Raised with every change of the tables, together with a step that brings an older file up.
const SCHEMA: i64 = 7;
/// Old rows of the feed go every so many new ones.
const TRIM: u64 = 256;
const TABLES: &str = "
    CREATE TABLE calls (call BLOB PRIMARY KEY, open INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX open_calls ON calls (call) WHERE open = 1;
    CREATE TABLE entries (
        call BLOB NOT NULL, seq INTEGER NOT NULL, wall INTEGER NOT NULL, mono INTEGER NOT NULL, what TEXT NOT NULL,
        PRIMARY KEY (call, seq)) WITHOUT ROWID;
    CREATE TABLE deliveries (
        backend TEXT NOT NULL, call BLOB NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, error TEXT,
        PRIMARY KEY (backend, call, sequence)) WITHOUT ROWID;
    CREATE TABLE lanes (
        backend TEXT NOT NULL, call BLOB NOT NULL, next_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, since INTEGER,
        PRIMARY KEY (backend, call)) WITHOUT ROWID;
    CREATE INDEX due_lanes ON lanes (backend, next_at, call);
    PRAGMA user_version = 1;";
/// From version 1. `calls.backends` names who gets a call's events, one a line; NULL: everybody. `tickets` is what is known
/// of a call's ticket in a backend, from `creating` on, when its create was asked; `after` is the last entry at its link.
const TICKETS: &str = "
    ALTER TABLE calls ADD COLUMN backends TEXT;
    CREATE TABLE tickets (
        backend TEXT NOT NULL, call BLOB NOT NULL, id TEXT, url TEXT, creating INTEGER, after INTEGER,
        PRIMARY KEY (call, backend)) WITHOUT ROWID;
    PRAGMA user_version = 2;";

/// From version 2. `calls.line` is the hotline's number. `feed.n` counts on without gaps; the oldest rows go.
/// `postscripts.sequence` is the event's own, after the entry that it followed. `reports` tells records from others apart,
/// `callbacks` messages that were taken already. An entry's events had two numbers before.
const NEWS: &str = "
    ALTER TABLE calls ADD COLUMN line TEXT;
    CREATE TABLE feed (n INTEGER PRIMARY KEY AUTOINCREMENT, call BLOB NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL);
    CREATE TABLE postscripts (
        call BLOB NOT NULL, sequence INTEGER NOT NULL, wall INTEGER NOT NULL, news TEXT NOT NULL,
        PRIMARY KEY (call, sequence)) WITHOUT ROWID;
    CREATE TABLE reports (source TEXT NOT NULL, id TEXT NOT NULL, call BLOB NOT NULL, PRIMARY KEY (source, id)) WITHOUT ROWID;
    CREATE TABLE callbacks (
        backend TEXT NOT NULL, id TEXT NOT NULL, sent INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (backend, id)) WITHOUT ROWID;
    CREATE INDEX old_callbacks ON callbacks (at);
    UPDATE deliveries SET sequence = sequence / 2 * 1000 + sequence % 2;
    INSERT INTO postscripts SELECT t.call, after * 1000 + 1 + row_number() OVER (PARTITION BY t.call, after ORDER BY backend),
        e.wall, json_object('linked', json_object('backend', backend, 'id', id, 'url', url))
        FROM tickets t JOIN entries e ON e.call = t.call AND e.seq = after WHERE id IS NOT NULL;
    ALTER TABLE tickets DROP COLUMN after;
    PRAGMA user_version = 3;";
const LOOK_AT_THE_DISK: &str = "look at the disk and at the system's log";

/// From version 3. `calls.settled` is when a backend had all of a call last; `seals` has each key's sample; `callers` finds a
/// caller's calls by a hash.
const SEALS: &str = "
    ALTER TABLE calls ADD COLUMN settled INTEGER;
    CREATE INDEX settled_calls ON calls (settled) WHERE settled IS NOT NULL;
    UPDATE calls SET settled = unixepoch() * 1000000 WHERE open = 0 AND call IN (SELECT call FROM deliveries);
    CREATE TABLE seals (key TEXT PRIMARY KEY, sample BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE callers (hash BLOB NOT NULL, call BLOB NOT NULL, PRIMARY KEY (hash, call)) WITHOUT ROWID;
    CREATE INDEX callers_of ON callers (call);
    PRAGMA user_version = 4;";

/// From version 4. `calls.recording` is 1 until it is told what became of the call's recording.
const RECORDINGS: &str = "
    ALTER TABLE calls ADD COLUMN recording INTEGER;
    CREATE INDEX owed_recordings ON calls (call) WHERE recording = 1;
    PRAGMA user_version = 5;";

/// From version 5. `calls.backends` names everybody who gets a call; NULL only in calls of before.
const NAMED: &str = "
    PRAGMA user_version = 6;";

/// From version 6. `lanes.aside` is 1 while the backend refuses the lane's next event.
const ASIDE: &str = "
    ALTER TABLE lanes ADD COLUMN aside INTEGER;
    CREATE INDEX lanes_aside ON lanes (backend, call) WHERE aside = 1;
    CREATE INDEX dead_letters ON deliveries (backend, call) WHERE state = 'dead';
    PRAGMA user_version = 7;";

/// Statements that bring a file of each version up, by the version.
const STEPS: [&str; SCHEMA as usize] = [TABLES, TICKETS, NEWS, SEALS, RECORDINGS, NAMED, ASIDE];

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
        Backend { name: name.to_owned(), kinds, later: Kind::NEWS.to_vec(), always: true }
    }

    fn wants(&self, kind: Kind, ended: bool) -> bool {
        self.kinds.contains(&kind) || (ended && self.later.contains(&kind))
    }
}

/// Trouble with the journal's file, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub path: PathBuf,
    pub what: String,
    pub remedy: &'static str,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal {}: {}; {}", self.path.display(), self.what, self.remedy)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> Trouble {
        let remedy = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "free space on its disk or raise the bound of its size",
            Some(ErrorCode::NotADatabase) => "this is another kind of file: move it away or name another path",
            Some(ErrorCode::DatabaseCorrupt) => "move it and its -wal file away, keep both, and start again",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "let the user that runs the gateway write the file and its directory"
            }
            Some(ErrorCode::SystemIoFailure) => LOOK_AT_THE_DISK,
            _ => "see whether another program holds the file",
        };
        Trouble { path: path.to_owned(), what: error.to_string(), remedy }
    }

    fn file(path: &Path, what: String, remedy: &'static str) -> Trouble {
        Trouble { path: path.to_owned(), what, remedy }
    }
}

/// Keeps two gateways from writing one journal. It falls with the process.
pub(super) struct Lock(#[allow(dead_code)] File);

impl Lock {
    pub fn take(journal: &Path) -> Result<Lock, Trouble> {
        let remedy = "let the user that runs the gateway write the directory";
        if let Some(parent) = journal.parent() {
            fs::create_dir_all(parent).map_err(|e| Trouble::file(journal, format!("cannot make its directory: {e}"), remedy))?;
        }
        let path = journal.with_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| Trouble::file(journal, format!("cannot open {}: {e}", path.display()), remedy))?;
        let taken = "another gateway is writing it";
        file.try_lock()
            .map_err(|_| Trouble::file(journal, taken.to_owned(), "stop that one or give this one a path of its own"))?;
        Ok(Lock(file))
    }
}

/// The one connection that writes. The journal's thread has it; simulations drive it by their own clock.
pub struct Store {
    db: Connection,
    path: PathBuf,
    outbox: Outbox,
    sealer: Arc<Sealer>,
}

/// The backends and followers that get the events.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub backends: Vec<Backend>,
    /// How many events those who follow the feed can go back.
    pub feed: u64,
}

/// The effects of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// A backend has something new to get.
    pub posted: bool,
    /// The feed's newest number, where there is a new one.
    pub fed: Option<u64>,
}

impl Store {
    pub fn open(path: &Path, max_bytes: Option<u64>, outbox: Outbox) -> Result<Store, Trouble> {
        let db = prepare(path, max_bytes).map_err(|e| Trouble::sqlite(path, e))?;
        let store = Store { db, path: path.to_owned(), outbox, sealer: Arc::default() };
        store.settle_log()?;
        let version = store.version().map_err(|e| Trouble::sqlite(path, e))?;
        match usize::try_from(version).ok().and_then(|version| STEPS.get(version..)) {
            Some([]) => Ok(store),
            Some(steps) => store.build(steps),
            None => {
                let what = format!("it has version {version} and this release writes {SCHEMA}");
                Err(Trouble::file(path, what, "start the release that wrote it, or name another path"))
            }
        }
    }

    fn build(self, steps: &[&str]) -> Result<Store, Trouble> {
        self.db.execute_batch(&format!("BEGIN;{}COMMIT;", steps.concat())).map_err(|e| Trouble::sqlite(&self.path, e))?;
        Ok(self)
    }

    fn version(&self) -> rusqlite::Result<i64> {
        self.db.query_row("PRAGMA user_version", [], |row| row.get(0))
    }

    /// Everything in `work` or nothing of it.
    pub fn transaction(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<Written, Trouble> {
        let run = || {
            let tx = self.db.transaction()?;
            let written = Cell::default();
            work(&Transaction { db: &tx, outbox: &self.outbox, sealer: &self.sealer, written: &written })?;
            tx.commit().map(|()| written.get())
        };
        run().map_err(|e| Trouble::sqlite(&self.path, e))
    }

    /// Ends every call that the journal shows open, and says which they were.
    pub fn interrupt(&mut self, wall: Wall) -> Result<Vec<CallId>, Trouble> {
        let mut open = Vec::new();
        self.transaction(|tx| {
            open = tx.open_calls()?;
            open.iter().try_for_each(|call| tx.interrupt(*call, wall))
        })?;
        Ok(open)
    }
}

fn prepare(path: &Path, max_bytes: Option<u64>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
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
        let mut insert = self.db.prepare_cached("INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3, ?4, ?5)")?;
        if insert.execute(params![call.as_bytes(), entry.seq, entry.wall.0, mono, what])? == 0 {
            return self.again(entry);
        }
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
        let id = entry.call.0;
        self.open_or_end(entry)?;
        let (line, choice) = match &entry.what {
            What::Offered(offered) => (&offered.number, self.first_choice(&offered.tickets, &offered.withheld)),
            What::Reported(r) => (&r.report.hotline, self.first_choice(&r.tickets, &r.withheld)),
            _ => return Ok(()),
        };
        let recorded = matches!(&entry.what, What::Offered(offered) if offered.recorded).then_some(1);
        let sql = "UPDATE calls SET line = ?2, recording = ?3, backends = ?4 WHERE call = ?1";
        self.db.prepare_cached(sql)?.execute(params![id.as_bytes(), line, recorded, choice.names()]).map(drop)
    }

    fn open_or_end(&self, entry: &Entry) -> rusqlite::Result<()> {
        let id = entry.call.0;
        if matches!(entry.what, What::Ended { .. } | What::Interrupted | What::Reported(_)) {
            // One of an older release, or whose beginning was lost, ends for everybody.
            let sql = "INSERT INTO calls (call, open, backends) VALUES (?1, 0, ?2) ON CONFLICT
                       DO UPDATE SET open = 0, backends = CASE open WHEN 1 THEN coalesce(backends, ?2) ELSE backends END";
            let all = self.first_choice(&[], &[]);
            self.db.prepare_cached(sql)?.execute(params![id.as_bytes(), all.names()]).map(drop)
        } else {
            let sql = "INSERT OR IGNORE INTO calls (call, open) VALUES (?1, 1)";
            self.db.prepare_cached(sql)?.execute([id.as_bytes()]).map(drop)
        }
    }

    fn post(&self, call: CallId, events: &[(u64, Kind)]) -> rusqlite::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let choice = self.choice(call)?;
        let sql = "SELECT open = 0 FROM calls WHERE call = ?1";
        let ended = self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], |row| row.get(0))?;
        let gets = |backend: &&Backend, kind| choice.gets(backend) && backend.wants(kind, ended);
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

    pub fn settle(&self, backend: &str, settled: &Settlement, wall: Wall) -> rusqlite::Result<()> {
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
        self.advance(backend, call, wall)
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
