//! The journal's thread at work: what came since its last turn is written in one transaction.
//!
//! A panic costs the entry that was being written: what is written with it is written again without it.

use super::handles::{Added, Control, Outcome, Pending, Request};
use super::health::Health;
use super::lock::Lock;
use super::{Cause, Error, Options, Report, THREAD};
use crate::base::{Mono, Text, Wall};
use crate::io::clock::{self, Running};
use crate::io::journal::engine::{Group, Write, Written};
use crate::io::journal::sqlite::scan::Found;
use crate::io::metrics;
use crate::io::process::threads;
use crossbeam_channel::{Receiver, select};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// At most so many entries share a transaction.
pub(super) const BATCH: usize = 4096;
/// How long the first entry waits for others. A call writes its entries in spurts; a sync for each would cost more CPU than
/// the call. A final response waits that much longer for its call's first entry, where that is not on disk already.
const GATHER: Duration = Duration::from_millis(20);
/// Calls that are purged at once, how soon the next ones, and how often it is looked whether there are any.
const PURGED: u32 = 64;
const SEATS_PURGED: u32 = 1000;
const PURGE_ON: Duration = Duration::from_secs(1);
const PURGE_LOOK: Duration = Duration::from_secs(60);
/// At shutdown a disk that refuses is tried so often.
const LAST_TRIES: u32 = 3;

/// The state of the journal's thread.
pub(super) struct Writer {
    /// None after a failure: the next try opens the file anew.
    pub store: Option<Box<dyn Write>>,
    pub options: Options,
    pub entries: Receiver<(u64, Added)>,
    pub controls: Receiver<Control>,
    pub report: Box<dyn FnMut(Report) + Send>,
    /// Entries that are not written yet, and how often that was tried while closing.
    pub batch: Batch,
    pub tries: u32,
    pub lost: Arc<AtomicU64>,
    pub down: bool,
    pub closing: bool,
    /// Settlements wait until the entries are on disk that came before them, of which so many are not: else they would meet
    /// a journal that does not know its call yet.
    pub held: Vec<Pending>,
    pub ahead: usize,
    /// When it is looked next whether calls are to be purged.
    pub purge_at: Mono,
    pub purged: Arc<AtomicU64>,
    pub running: Running,
    /// The file is at fault in this, until it is mended.
    pub damaged: Option<Text>,
    /// Whatever became of its name, what we have open may be whole.
    pub still_open: bool,
    pub health: Arc<Health>,
    pub _lock: Lock,
}

#[derive(Default)]
pub(super) struct Batch {
    pub entries: Vec<(u64, Added)>,
    pub settlements: Vec<Pending>,
    /// The last entry's, also where that one is lost.
    pub ticket: Option<u64>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.settlements.is_empty()
    }
}

impl Writer {
    pub fn run(mut self) {
        threads::turns(THREAD, || self.turn());
    }

    fn turn(&mut self) -> ControlFlow<()> {
        if self.batch.is_empty() {
            self.gather();
            self.batch.ticket = self.batch.entries.last().map(|(ticket, _)| *ticket);
            if self.batch.is_empty() && self.closing {
                self.store.take().into_iter().for_each(|store| store.close());
                return ControlFlow::Break(());
            }
            threads::guarded(THREAD, || self.look());
        }
        if !self.batch.is_empty() {
            self.write();
        }
        if self.batch.is_empty() {
            self.purge();
        }
        ControlFlow::Continue(())
    }

    /// A few calls at a time, so that nobody who appends waits long.
    fn purge(&mut self) {
        let now = clock::now();
        let (Some(keep), Some(store)) = (self.options.keep, self.store.as_mut()) else { return };
        if self.closing || now.mono < self.purge_at {
            return;
        }
        self.purge_at = now.mono.after(PURGE_LOOK);
        let today = self.options.clock.wall(now);
        if !self.options.clock.doubts()
            && let Err(trouble) = store.restamp(today)
        {
            tracing::error!("nothing could be purged: {trouble}");
        }
        let until = Wall(today.0.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)));
        let seats = store.purge_seats(until, SEATS_PURGED);
        let more = match seats.and_then(|seats| Ok((seats, store.purge(until, PURGED)?))) {
            Ok((seats, (seen, gone))) => {
                self.purged.fetch_add(gone as u64, Ordering::Relaxed);
                if gone > 0 {
                    tracing::info!(calls = gone, "what was said in these calls is purged from the journal");
                }
                seen == PURGED as usize || seats == SEATS_PURGED as usize
            }
            Err(trouble) => {
                tracing::error!("nothing could be purged: {trouble}");
                false
            }
        };
        if more {
            self.purge_at = now.mono.after(PURGE_ON);
        }
    }

    /// Waits for something, then takes what else is there.
    fn gather(&mut self) {
        if !self.closing && self.held.is_empty() {
            let (entries, controls) = (self.entries.clone(), self.controls.clone());
            select! {
                recv(entries) -> entry => entry.map_or_else(|_| self.closing = true, |entry| self.batch.entries.push(entry)),
                recv(controls) -> control => self.control(control.unwrap_or(Control::Close)),
                default(PURGE_ON) => {}
            }
        }
        let something = !self.batch.is_empty() || !self.held.is_empty();
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
        let waiting = self.batch.entries.len();
        self.batch.entries.extend(self.entries.try_iter().take(BATCH));
        self.ahead = self.ahead.saturating_sub(self.batch.entries.len() - waiting);
        if self.ahead == 0 {
            self.batch.settlements = std::mem::take(&mut self.held);
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Request(pending) => self.held.push(*pending),
            Control::Damaged(what) => self.damaged = Some(what),
            Control::Aside(found) => self.set_aside(&found),
            Control::Close => self.closing = true,
        }
    }

    /// Tries once to bring the batch to the disk; gives it up only when the gateway is shutting down.
    fn write(&mut self) {
        let (batch, at_work) = (std::mem::take(&mut self.batch), Cell::new(None));
        let done = threads::guarded(THREAD, || self.commit(&batch, &at_work));
        self.batch = batch;
        let trouble = match (done, at_work.get()) {
            (Some(Ok((written, outcomes))), _) => {
                self.tries = 0;
                return self.written(written, outcomes);
            }
            (Some(Err(trouble)), _) => trouble,
            (None, Some(place)) => return self.spoilt(place),
            (None, None) => self.fault(),
        };
        self.failed(&trouble);
        self.tries = if self.closing { self.tries + 1 } else { 0 };
        if self.tries >= LAST_TRIES {
            let lost = std::mem::take(&mut self.batch).entries.len();
            tracing::error!(lost, "shutting down with a journal that cannot write");
            return;
        }
        self.pause();
    }

    /// The program has panicked in what stands at this place of the batch, which is given up.
    fn spoilt(&mut self, place: usize) {
        self.store = None;
        if place < self.batch.entries.len() {
            let (_, added) = self.batch.entries.remove(place);
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            added.lost(lost, "the program has panicked in it");
        } else if let Some(place) = place.checked_sub(self.batch.entries.len()).filter(|n| *n < self.batch.settlements.len()) {
            drop(self.batch.settlements.remove(place));
            tracing::error!("what was to be noted in the journal is lost: the program has panicked in it");
        }
        if self.batch.is_empty() {
            // Its call waits for a word about it, and goes on like one whose entry found no room.
            self.written(Written::default(), Vec::new());
        }
    }

    fn fault(&self) -> Error {
        let remedy = both!("report it, with the lines of the log before this one", "请连同此前的日志行一起报告");
        Error::new(Cause::Program, &self.options.path, both!("the program has panicked in it", "程序在此处发生内部错误"), remedy)
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
    fn ready(&mut self) -> Result<&mut dyn Write, Error> {
        if let Some(why) = &self.damaged {
            match self.store.take().filter(|_| self.still_open).map(|store| store.rescue(why)) {
                Some(Ok(())) => {}
                _ => self.options.mend(why)?,
            }
            (self.damaged, self.still_open) = (None, false);
        }
        if self.store.is_none() {
            let store = self.store.insert(self.options.open()?);
            store.run_by(self.running);
            self.health.look(&self.options.path);
        }
        match &mut self.store {
            Some(store) => Ok(store.as_mut()),
            None => Err(Error::damaged(&self.options.path, Text::default())),
        }
    }

    /// Notices what was done to the files from outside, and mends what was found damaged, though nothing is to be written.
    fn look(&mut self) {
        if let Some(what) = self.store.as_mut().and_then(|store| store.interference()) {
            (self.damaged, self.still_open) = (Some(what), true);
        }
        if self.damaged.is_some()
            && let Err(trouble) = self.ready().map(drop)
        {
            self.failed(&trouble);
        }
    }

    fn set_aside(&mut self, found: &Found) {
        let done = self.ready().and_then(|store| store.set_aside(found));
        if let Err(trouble) = done {
            tracing::error!("what is damaged cannot be set aside: {trouble}");
            self.failed(&trouble);
        }
        self.health.look(&self.options.path);
    }

    /// `at_work` tells which of the batch is being written, its entries first.
    fn commit(&mut self, batch: &Batch, at_work: &Cell<Option<usize>>) -> Result<(Written, Vec<Outcome>), Error> {
        let (running, trusted) = (self.running, self.options.clock.clone());
        let store = self.ready()?;
        let (at, mut outcomes) = (clock::now(), Vec::new());
        let times = Times { now: at.wall, heard: running.at(at.mono), stamp: trusted.stamp(at) };
        let written = store.group(&mut |group| {
            for (place, (_, added)) in batch.entries.iter().enumerate() {
                at_work.set(Some(place));
                match added {
                    Added::Entry(entry) => group.append(entry)?,
                    Added::Seat(entry) => group.seat(entry)?,
                    Added::Keep(keep) => group.keep(keep)?,
                }
            }
            for (place, pending) in (batch.entries.len()..).zip(&batch.settlements) {
                at_work.set(Some(place));
                outcomes.push(times.carry_out(&pending.request, group)?);
            }
            at_work.set(None);
            Ok(())
        })?;
        metrics::JOURNAL_SYNC.observe(clock::mono().since(at.mono));
        Ok((written, outcomes))
    }

    fn written(&mut self, written: Written, outcomes: Vec<Outcome>) {
        let batch = std::mem::take(&mut self.batch);
        if std::mem::take(&mut self.down) {
            tracing::warn!("the journal writes again");
            self.tell(Report::Up);
        }
        if let Some(ticket) = batch.ticket {
            self.tell(Report::Durable(ticket));
        }
        if !batch.entries.is_empty() {
            self.tell(Report::Added(batch.entries.into_iter().map(|(_, added)| added).collect()));
        }
        for (pending, outcome) in batch.settlements.into_iter().zip(outcomes) {
            threads::guarded(THREAD, || (pending.done)(outcome));
        }
        if written.posted {
            self.tell(Report::Posted);
        }
        if let Some(newest) = written.fed {
            self.tell(Report::Fed(newest));
        }
    }

    /// A panic of those who are told is theirs.
    fn tell(&mut self, report: Report) {
        threads::guarded(THREAD, || (self.report)(report));
    }

    fn failed(&mut self, trouble: &Error) {
        if trouble.is_damage() {
            self.damaged = Some(trouble.what.clone());
        }
        self.store.take().into_iter().for_each(|store| {
            if trouble.is_damage() {
                store.abandon()
            }
        });
        if !std::mem::replace(&mut self.down, true) {
            tracing::error!("{trouble}");
            self.tell(Report::Down(trouble.to_string()));
        }
    }
}

/// The moment of a group, by the clocks that its requests go by.
struct Times {
    now: Wall,
    /// By the clock of deliveries.
    heard: Wall,
    /// By the clock that deletions go by.
    stamp: Wall,
}

impl Times {
    fn carry_out(&self, request: &Request, group: &dyn Group) -> Result<Outcome, Error> {
        Ok(match request {
            Request::Settled(backend, settlement) => {
                group.settle(backend, settlement, self.now, self.stamp)?;
                Outcome::Settled
            }
            Request::Creating(backend, call, at) => {
                group.creating(backend, *call, *at)?;
                Outcome::Settled
            }
            Request::Reported(entry) => Outcome::Accepted(group.report(entry)?),
            Request::CalledBack(callback, remember) => {
                Outcome::Accepted(group.called_back(callback, self.now, self.heard, *remember)?)
            }
            Request::Recorded(call, recorded) => Outcome::Accepted(group.recorded(*call, recorded, self.now)?),
            Request::Tagged(tagging) => Outcome::Accepted(group.tagged(tagging, self.now)?),
            Request::Decided(decision) => Outcome::Decided(group.decide(decision)?),
        })
    }
}
