//! The journal's thread. It drains its queue, writes all of it in one transaction, syncs once, and then says which
//! entries are on disk (group commit): under load many calls share one sync.
//!
//! It never blocks who appends. While the disk refuses, what came waits in bounded memory and is tried again; what
//! finds that memory full is lost, counted and logged.

pub mod dead_letters;
pub mod disk;
pub mod engine;
mod error;
pub mod feed;
mod handles;
mod health;
pub mod interrupted;
mod lock;
mod reader;
pub mod search;
mod sqlite;
mod writer;

use crate::base::{CallId, Text, Wall};
use crate::event::Kept;
use crate::io::clock::{self, Running, Trusted};
use crate::io::process::threads;
use crate::record::seal::Sealer;
use crate::record::zone::Zone;
use crossbeam_channel::{Sender, bounded, unbounded};
use dead_letters::Decision;
use engine::Write;
pub use error::{Cause, Error};
use handles::Control;
pub use handles::{Added, Appender, Settler};
use health::Inspector;
pub use health::{Damaged, Health, told_of};
pub use lock::{Holder, Lock};
pub use reader::{Backlog, Caller, Delivery, FeedItem, Reader};
pub use sqlite::backup::{Copied, backup, restore};
pub use sqlite::damage::list as damage;
pub use sqlite::mark::time;
pub use sqlite::{Acceptance, Backend, Callback, Outbox, Store, Tagging};
use sqlite::{identity, repair};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;
use writer::{Batch, Writer};

const THREAD: &str = "journal";
#[derive(Clone, Debug)]
pub struct Options {
    pub path: PathBuf,
    /// The most entries that wait in memory while the disk is slow or refuses.
    pub queue: usize,
    /// The file's bound; at it the journal is down until space returns.
    pub max_bytes: Option<u64>,
    /// How long a disk that refused is left alone.
    pub retry: Duration,
    pub outbox: Outbox,
    /// How long after its delivery a call's entries are kept; none: for ever.
    pub keep: Option<Duration>,
    /// It says how late it is for that.
    pub clock: Arc<Trusted>,
    pub sealer: Arc<Sealer>,
    pub inspection: Inspection,
    /// Where others ask the process that writes the journal.
    pub api: Option<SocketAddr>,
}

/// How often the file is looked through for what is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The least pause between two looks.
    pub every: Duration,
    /// The most of one processor that they may take, in per cent.
    pub percent: u32,
}

impl Default for Inspection {
    fn default() -> Inspection {
        Inspection { every: Duration::from_secs(10), percent: 2 }
    }
}

impl Options {
    pub fn new(path: impl Into<PathBuf>) -> Options {
        let path = path.into();
        Options {
            clock: Arc::new(Trusted::beside(&path, clock::now())),
            path,
            queue: 65_536,
            max_bytes: None,
            retry: Duration::from_secs(1),
            outbox: Outbox::default(),
            keep: None,
            sealer: Arc::default(),
            inspection: Inspection::default(),
            api: None,
        }
    }

    /// The engine, ready to write.
    fn open(&self) -> Result<Box<dyn Write>, Error> {
        let store = Store::open_mended(&self.path, self.max_bytes, &self.outbox)?;
        Ok(Box::new(store.sealing(self.sealer.clone())?))
    }

    fn mend(&self, why: &Text) -> Result<(), Error> {
        repair::mend(&self.path, why, self.max_bytes, &self.outbox)
    }

    /// With what the last process left in it done.
    fn begin(&self, now: Wall) -> Result<(Box<dyn Write>, Recovered), Error> {
        let recover = |store: &mut Box<dyn Write>| {
            let kept = store.kept()?;
            Ok(Recovered { interrupted: store.begin(now)?, kept })
        };
        let mut store = self.open()?;
        let recovered = match recover(&mut store) {
            Err(error) if Error::is_damage(&error) => {
                store.abandon();
                self.mend(&error.what)?;
                store = self.open()?;
                recover(&mut store)?
            }
            recovered => recovered?,
        };
        Ok((store, recovered))
    }
}

/// Reports of the journal's thread.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Every entry with a ticket up to this one is on disk.
    Durable(u64),
    /// All that came to the disk just now, in the order in which it was handed over.
    Added(Vec<Added>),
    /// It cannot write, and why.
    Down(String),
    /// It can again.
    Up,
    /// A backend has something new to get.
    Posted,
    /// The feed goes up to this number.
    Fed(u64),
}

/// The state that opening found.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// Calls in which the last process died; each has its record now.
    pub interrupted: Vec<CallId>,
    /// The facts, and how far the log of seats had got.
    pub kept: Kept,
}

/// The journal's thread. Closing or dropping it writes what waits.
pub struct Journal {
    appender: Appender,
    control: Sender<Control>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    sealer: Arc<Sealer>,
    clock: Arc<Trusted>,
    running: Running,
    inspector: Option<Inspector>,
}

impl Journal {
    /// Opens or makes the file, ends the calls that it shows open, starts the thread. `report` runs on that thread.
    pub fn open(options: Options, now: Wall, report: impl FnMut(Report) + Send + 'static) -> Result<(Journal, Recovered), Error> {
        let lock = Lock::take(&options.path, options.api)?;
        let (store, recovered) = options.begin(now)?;
        let running = store.running();
        let (appender, entries) = bounded(options.queue);
        let (control, controls) = unbounded();
        let (path, sealer) = (options.path.clone(), options.sealer.clone());
        let health = Arc::new(Health::default());
        health.look(&path);
        let inspector = Inspector::start(&path, control.clone(), health.clone(), options.inspection);
        let (purged, clock) = (Arc::<AtomicU64>::default(), options.clock.clone());
        let lost = Arc::<AtomicU64>::default();
        let writer = Writer {
            batch: Batch::default(),
            tries: 0,
            lost: lost.clone(),
            store: Some(store),
            options,
            entries,
            controls,
            report: Box::new(report),
            down: false,
            closing: false,
            held: Vec::new(),
            ahead: 0,
            purge_at: crate::io::clock::mono(),
            purged: purged.clone(),
            running,
            damaged: None,
            still_open: false,
            health: health.clone(),
            _lock: lock,
        };
        let spawned = threads::thread(THREAD, move || writer.run());
        let thread = spawned.map_err(|e| {
            let what = both!("cannot start its thread: {e}", "无法启动其线程：{e}");
            Error::new(Cause::Disk, &path, what, both!("raise the limit of threads", "请提高线程数上限"))
        })?;
        let appender = Appender { entries: appender, lost, purged, health };
        Ok((Journal { appender, control, thread: Some(thread), path, sealer, clock, running, inspector }, recovered))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The clock that deletions go by.
    pub fn clock(&self) -> Arc<Trusted> {
        self.clock.clone()
    }

    /// Deliveries go by this clock.
    pub fn running(&self) -> Running {
        self.running
    }

    /// For who reads: what is sealed, too.
    pub fn reader(&self, zone: Zone) -> Result<Reader, Error> {
        Ok(Reader::open(&self.path, zone)?.unsealing(self.sealer.clone()))
    }

    /// For the switch's thread.
    pub fn appender(&self) -> Appender {
        self.appender.clone()
    }

    /// For who delivers.
    pub fn settler(&self) -> Settler {
        Settler(self.control.clone())
    }

    /// Writes what waits and ends the thread. Nothing may be appended any more.
    pub fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.inspector.take();
        let _ = self.control.send(Control::Close);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Carries out what a person decides about a journal that no process writes. It counts what it was about.
pub fn decide_alone(path: &Path, sealer: Arc<Sealer>, decision: &Decision) -> Result<usize, Error> {
    identity::must_be_ours(path)?;
    let _lock = Lock::take(path, None)?;
    let mut store: Box<dyn Write> = Box::new(Store::open(path, None, Outbox::default())?.sealing(sealer)?);
    let mut count = 0;
    store.group(&mut |group| {
        count = group.decide(decision)?;
        Ok(())
    })?;
    store.close();
    Ok(count)
}

#[cfg(test)]
mod tests;
