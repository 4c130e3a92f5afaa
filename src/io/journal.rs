//! The journal's thread. It drains its queue, writes all of it in one transaction, syncs once, and then says which
//! entries are on disk (group commit): under load many calls share one sync.
//!
//! It never blocks who appends. While the disk refuses, what came waits in bounded memory and is tried again; what
//! finds that memory full is lost, counted and logged.

mod hands;
mod health;

pub use super::store::backup::{Copied, backup, restore};
pub use super::store::mark::time;
use super::store::scan::{Bad, Watch};
pub use super::store::{Backend, Callback, Outbox, Store, Tagging, Taken, Trouble};
use super::store::{Lock, Written, mend};
use crate::base::{CallId, Mono, Text, Wall};
use crate::call::event::Entry;
use crate::io::clock::{self, Running, Trusted};
use crate::io::ledger::Ledger;
use crate::record::seal::Sealer;
use crate::record::zone::Zone;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
pub use hands::{Appender, Settler};
use hands::{Control, Matter, Settle};
use health::Inspector;
pub use health::{Health, damage, told_of};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// At most so many entries share a transaction.
const BATCH: usize = 4096;
/// How long the first entry waits for others. A call writes its entries in spurts; a sync for each would cost more CPU than
/// the call. A final response waits that much longer for its call's first entry, where that is not on disk already.
const GATHER: Duration = Duration::from_millis(20);
/// Calls that are purged at once, how soon the next ones, and how often it is looked whether there are any.
const PURGED: u32 = 64;
const PURGE_ON: Duration = Duration::from_secs(1);
const PURGE_LOOK: Duration = Duration::from_secs(60);
/// At shutdown a disk that refuses is tried so often.
const LAST_TRIES: u32 = 3;

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
        }
    }

    fn open(&self) -> Result<Store, Trouble> {
        Store::open_mended(&self.path, self.max_bytes, &self.outbox)?.sealing(self.sealer.clone())
    }

    fn mend(&self, why: &Text) -> Result<(), Trouble> {
        mend::mend(&self.path, why, self.max_bytes, &self.outbox)
    }

    /// With what the last process left in it done.
    fn begin(&self, now: Wall) -> Result<(Store, Vec<CallId>), Trouble> {
        let mut store = self.open()?;
        match store.begin(now) {
            Err(trouble) if trouble.damage => {
                store.abandon();
                self.mend(&trouble.what)?;
                store = self.open()?;
                store.begin(now).map(|interrupted| (store, interrupted))
            }
            begun => begun.map(|interrupted| (store, interrupted)),
        }
    }
}

/// Reports of the journal's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every entry with a ticket up to this one is on disk.
    Durable(u64),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Calls in which the last process died; each has its record now.
    pub interrupted: Vec<CallId>,
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
    pub fn open(
        options: Options,
        now: Wall,
        report: impl FnMut(Report) + Send + 'static,
    ) -> Result<(Journal, Recovered), Trouble> {
        let lock = Lock::take(&options.path)?;
        let (store, interrupted) = options.begin(now)?;
        let running = store.running;
        let (appender, entries) = bounded(options.queue);
        let (control, controls) = unbounded();
        let (path, sealer) = (options.path.clone(), options.sealer.clone());
        let health = Arc::new(Health::default());
        health.look(&path);
        let inspector = Inspector::start(&path, control.clone(), health.clone());
        let (purged, clock) = (Arc::<AtomicU64>::default(), options.clock.clone());
        let writer = Writer {
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
            watch: Watch::of(&path),
            _lock: lock,
        };
        let spawned = thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run());
        let thread = spawned.map_err(|e| Trouble {
            path: path.clone(),
            what: both!("cannot start its thread: {e}", "无法启动其线程：{e}"),
            remedy: Box::new(both!("raise the limit of threads", "请提高线程数上限")),
            damage: false,
        })?;
        let appender = Appender { entries: appender, lost: Arc::default(), purged, health };
        Ok((
            Journal { appender, control, thread: Some(thread), path, sealer, clock, running, inspector },
            Recovered { interrupted },
        ))
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
    pub fn ledger(&self, zone: Zone) -> Result<Ledger, Trouble> {
        Ok(Ledger::open(&self.path, zone)?.unsealing(self.sealer.clone()))
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
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(journal = %self.path.display(), "the journal's thread died");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Writer {
    /// None after a failure: the next try opens the file anew.
    store: Option<Store>,
    options: Options,
    entries: Receiver<(u64, Entry)>,
    controls: Receiver<Control>,
    report: Box<dyn FnMut(Report) + Send>,
    down: bool,
    closing: bool,
    /// Settlements wait until the entries are on disk that came before them, of which so many are not: else they would meet
    /// a journal that does not know its call yet.
    held: Vec<Settle>,
    ahead: usize,
    /// When it is looked next whether calls are to be purged.
    purge_at: Mono,
    purged: Arc<AtomicU64>,
    running: Running,
    /// The file is at fault in this, until it is mended.
    damaged: Option<Text>,
    /// Whatever became of its name, what we have open may be whole.
    still_open: bool,
    health: Arc<Health>,
    watch: Watch,
    _lock: Lock,
}

#[derive(Default)]
struct Batch {
    entries: Vec<(u64, Entry)>,
    settlements: Vec<Settle>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.settlements.is_empty()
    }
}

impl Writer {
    fn run(mut self) {
        loop {
            let mut batch = Batch::default();
            self.gather(&mut batch);
            if batch.is_empty() && self.closing {
                return self.store.iter().for_each(Store::checkpoint);
            }
            self.look();
            if !batch.is_empty() {
                self.write(batch);
            }
            self.purge();
        }
    }

    /// A few calls at a time, so that nobody who appends waits long.
    fn purge(&mut self) {
        let now = clock::now();
        let (Some(keep), Some(store)) = (self.options.keep, self.store.as_mut()) else { return };
        if self.closing || now.mono < self.purge_at {
            return;
        }
        let today = self.options.clock.wall(now);
        if !self.options.clock.doubts()
            && let Err(trouble) = store.restamp(today)
        {
            tracing::error!("nothing could be purged: {trouble}");
        }
        let until = Wall(today.0.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)));
        let more = match store.purge(until, PURGED) {
            Ok((seen, gone)) => {
                self.purged.fetch_add(gone as u64, Ordering::Relaxed);
                if gone > 0 {
                    tracing::info!(calls = gone, "what was said in these calls is purged from the journal");
                }
                seen == PURGED as usize
            }
            Err(trouble) => {
                tracing::error!("nothing could be purged: {trouble}");
                false
            }
        };
        self.purge_at = now.mono.after(if more { PURGE_ON } else { PURGE_LOOK });
    }

    /// Waits for something, then takes what else is there.
    fn gather(&mut self, batch: &mut Batch) {
        if !self.closing && self.held.is_empty() {
            let (entries, controls) = (self.entries.clone(), self.controls.clone());
            select! {
                recv(entries) -> entry => entry.map_or_else(|_| self.closing = true, |entry| batch.entries.push(entry)),
                recv(controls) -> control => self.control(control.unwrap_or(Control::Close)),
                default(PURGE_ON) => {}
            }
        }
        let something = !batch.is_empty() || !self.held.is_empty();
        if something && !self.closing {
            thread::sleep(GATHER);
        }
        while self.ahead == 0 && self.held.len() < BATCH {
            let Ok(control) = self.controls.try_recv() else { break };
            self.control(control);
        }
        if self.ahead == 0 {
            self.ahead = self.entries.len();
        }
        let waiting = batch.entries.len();
        batch.entries.extend(self.entries.try_iter().take(BATCH));
        self.ahead = self.ahead.saturating_sub(batch.entries.len() - waiting);
        if self.ahead == 0 {
            batch.settlements = std::mem::take(&mut self.held);
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Settle(settle) => self.held.push(*settle),
            Control::Damaged(what) => self.damaged = Some(what),
            Control::Aside(bad) => self.set_aside(&bad),
            Control::Close => self.closing = true,
        }
    }

    /// Tries until the batch is on disk; gives up only when the gateway is shutting down.
    fn write(&mut self, batch: Batch) {
        let mut tries = 0;
        loop {
            match self.commit(&batch) {
                Ok((written, taken)) => return self.written(batch, written, taken),
                Err(trouble) => self.failed(&trouble),
            }
            tries = if self.closing { tries + 1 } else { 0 };
            if tries >= LAST_TRIES {
                tracing::error!(lost = batch.entries.len(), "shutting down with a journal that cannot write");
                return;
            }
            self.pause();
        }
    }

    /// Leaves the disk alone for a while; only who closes does not wait for that.
    fn pause(&mut self) {
        let until = clock::mono().after(self.options.retry);
        while let left = until.since(clock::mono())
            && !left.is_zero()
            && let Ok(control) = self.controls.recv_timeout(left)
        {
            let closing = matches!(control, Control::Close);
            self.control(control);
            if closing {
                break;
            }
        }
        self.ahead = self.entries.len();
    }

    /// The journal, opened anew after a failure and mended where it is damaged.
    fn ready(&mut self) -> Result<&mut Store, Trouble> {
        if let Some(why) = &self.damaged {
            match self.store.take().filter(|_| self.still_open).map(|store| store.rescue(why)) {
                Some(Ok(())) => {}
                _ => self.options.mend(why)?,
            }
            (self.damaged, self.still_open) = (None, false);
        }
        if self.store.is_none() {
            let store = self.store.insert(self.options.open()?);
            store.running = self.running;
            self.health.look(&self.options.path);
            self.watch = Watch::of(&self.options.path);
        }
        self.store.as_mut().ok_or_else(|| Trouble::damaged(&self.options.path, Text::default()))
    }

    /// Notices what was done to the files from outside, and mends what was found damaged, though nothing is to be written.
    fn look(&mut self) {
        if let Some(store) = &self.store
            && let Some(what) = self.watch.look(&self.options.path, store)
        {
            (self.damaged, self.still_open) = (Some(what), true);
        }
        if self.damaged.is_some()
            && let Err(trouble) = self.ready().map(drop)
        {
            self.failed(&trouble);
        }
    }

    fn set_aside(&mut self, bad: &[Bad]) {
        let done = self.ready().and_then(|store| store.set_aside(bad));
        if let Err(trouble) = done {
            tracing::error!("what is damaged cannot be set aside: {trouble}");
            self.failed(&trouble);
        }
        self.health.look(&self.options.path);
    }

    fn commit(&mut self, batch: &Batch) -> Result<(Written, Vec<Taken>), Trouble> {
        let (running, trusted) = (self.running, self.options.clock.clone());
        let store = self.ready()?;
        let (at, mut taken) = (clock::now(), Vec::new());
        let (now, heard, stamp) = (at.wall, running.at(at.mono), trusted.stamp(at));
        let written = store.transaction(|tx| {
            batch.entries.iter().try_for_each(|(_, entry)| tx.append(entry))?;
            for settle in &batch.settlements {
                taken.push(match &settle.matter {
                    Matter::Settled(backend, settlement) => {
                        tx.settle(backend, settlement, now, stamp)?;
                        Taken::New(settlement.call)
                    }
                    Matter::Creating(backend, call, at) => {
                        tx.creating(backend, *call, *at)?;
                        Taken::New(*call)
                    }
                    Matter::Reported(entry) => tx.report(entry)?,
                    Matter::CalledBack(callback, remember) => tx.called_back(callback, now, heard, *remember)?,
                    Matter::Recorded(call, recorded) => tx.recorded(*call, recorded, now)?,
                    Matter::Tagged(tagging) => tx.tagged(tagging, now)?,
                });
            }
            Ok(())
        })?;
        Ok((written, taken))
    }

    fn written(&mut self, batch: Batch, written: Written, taken: Vec<Taken>) {
        if std::mem::take(&mut self.down) {
            tracing::warn!("the journal writes again");
            (self.report)(Report::Up);
        }
        self.watch = Watch::of(&self.options.path);
        if let Some((ticket, _)) = batch.entries.last() {
            (self.report)(Report::Durable(*ticket));
        }
        batch.settlements.into_iter().zip(taken).for_each(|(settle, taken)| (settle.done)(taken));
        if written.posted {
            (self.report)(Report::Posted);
        }
        if let Some(newest) = written.fed {
            (self.report)(Report::Fed(newest));
        }
    }

    fn failed(&mut self, trouble: &Trouble) {
        if trouble.damage {
            self.damaged = Some(trouble.what.clone());
        }
        self.store.take().into_iter().for_each(|store| {
            if trouble.damage {
                store.abandon()
            }
        });
        if !std::mem::replace(&mut self.down, true) {
            tracing::error!("{trouble}");
            (self.report)(Report::Down(trouble.to_string()));
        }
    }
}

#[cfg(test)]
mod tests;
