//! Others have two ends of the journal: one takes entries, one takes what comes from outside.

use super::dead_letters::Decision;
use super::health::Health;
use super::{Acceptance, Callback, Tagging};
use crate::base::{CallId, Text, Wall};
use crate::event::{Entry, Keep, SeatEntry};
use crate::io::journal::sqlite::scan::Found;
use crate::record::delivery::Settlement;
use crate::record::recording::Recorded;
use crossbeam_channel::{Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One addition to the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Added {
    /// To a call's log.
    Entry(Entry),
    /// To the log of seats.
    Seat(SeatEntry),
    /// To the facts, or from them.
    Keep(Keep),
}

impl Added {
    /// Logs that it is lost, and why. `lost` counts those.
    pub(super) fn lost(&self, lost: u64, why: &str) {
        match self {
            Added::Entry(entry) => tracing::error!(call = %entry.call, seq = entry.seq, lost, "a journal entry is lost: {why}"),
            Added::Seat(entry) => {
                tracing::error!(seat = %entry.seat, n = entry.n, lost, "an entry of the log of seats is lost: {why}")
            }
            Added::Keep(Keep::Set(fact)) => tracing::error!(kind = fact.kind().name(), lost, "a fact is lost: {why}"),
            Added::Keep(Keep::Forget { kind, .. }) => {
                tracing::error!(kind = kind.name(), lost, "a fact stays though it is over: {why}")
            }
        }
    }
}

/// Hands entries to the journal without ever waiting.
#[derive(Clone)]
pub struct Appender {
    pub(super) entries: Sender<(u64, Added)>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) purged: Arc<AtomicU64>,
    pub(super) health: Arc<Health>,
}

impl Appender {
    /// False when memory is full, or the journal gone, and the entry lost.
    pub fn append(&self, ticket: u64, entry: Entry) -> bool {
        self.add(ticket, Added::Entry(entry))
    }

    /// The same, to any part of the journal.
    pub fn add(&self, ticket: u64, added: Added) -> bool {
        let Err(refused) = self.entries.try_send((ticket, added)) else { return true };
        let (TrySendError::Full((_, added)) | TrySendError::Disconnected((_, added))) = refused;
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.is_power_of_two() {
            added.lost(lost, "the disk refuses and the memory for what waits is full");
        }
        false
    }

    /// Counts the entries that found no room.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts the calls that were purged since the start.
    pub fn purged(&self) -> u64 {
        self.purged.load(Ordering::Relaxed)
    }

    /// Tells what of the journal is damaged.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Counts those that wait.
    pub fn waiting(&self) -> usize {
        self.entries.len()
    }
}

/// Makes durable what comes from outside: a delivery's outcome, a record, a message.
#[derive(Clone)]
pub struct Settler(pub(super) Sender<Control>);

impl Settler {
    /// `done` runs on the journal's thread when the outcome is on disk. Who settles bounds how many are under way.
    pub fn settle(&self, backend: &str, settlement: Settlement, done: impl FnOnce() + Send + 'static) {
        self.hand(Request::Settled(backend.to_owned(), settlement), Box::new(|_| done()));
    }

    /// A create is about to be asked of this backend; `done` as above.
    pub fn creating(&self, backend: &str, call: CallId, at: Wall, done: impl FnOnce() + Send + 'static) {
        self.hand(Request::Creating(backend.to_owned(), call, at), Box::new(|_| done()));
    }

    /// A call that others took; `done` learns what became of it.
    pub fn report(&self, entry: Entry, done: impl FnOnce(Acceptance) + Send + 'static) {
        self.hand(Request::Reported(entry), accepted(done));
    }

    /// A backend's message, once its signature held; messages that arrived longer ago than `remember` are forgotten.
    pub fn called_back(&self, callback: Callback, remember: Duration, done: impl FnOnce(Acceptance) + Send + 'static) {
        self.hand(Request::CalledBack(callback, remember), accepted(done));
    }

    /// Notes what became of a call's recording; `done` as above.
    pub fn recorded(&self, call: CallId, recorded: Recorded, done: impl FnOnce(Acceptance) + Send + 'static) {
        self.hand(Request::Recorded(call, recorded), accepted(done));
    }

    /// Notes what somebody says that a call was about.
    pub fn tagged(&self, tagging: Tagging, done: impl FnOnce(Acceptance) + Send + 'static) {
        self.hand(Request::Tagged(tagging), accepted(done));
    }

    /// Carries out what a person decides; `done` learns how many events or places it was about.
    pub fn decide(&self, decision: Decision, done: impl FnOnce(usize) + Send + 'static) {
        let done = move |outcome| {
            if let Outcome::Decided(count) = outcome {
                done(count);
            }
        };
        self.hand(Request::Decided(decision), Box::new(done));
    }

    fn hand(&self, request: Request, done: Box<dyn FnOnce(Outcome) + Send>) {
        let _ = self.0.send(Control::Request(Box::new(Pending { request, done })));
    }
}

pub(super) enum Control {
    Request(Box<Pending>),
    /// Somebody has found the file damaged.
    Damaged(Text),
    /// Rows, and tables, that are not as they were written.
    Aside(Found),
    Close,
}

pub(super) enum Request {
    Settled(String, Settlement),
    Creating(String, CallId, Wall),
    Reported(Entry),
    CalledBack(Callback, Duration),
    Recorded(CallId, Recorded),
    Tagged(Tagging),
    Decided(Decision),
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Settled,
    Accepted(Acceptance),
    /// Counts the events or places that a decision was about.
    Decided(usize),
}

pub(super) struct Pending {
    pub request: Request,
    pub done: Box<dyn FnOnce(Outcome) + Send>,
}

fn accepted(done: impl FnOnce(Acceptance) + Send + 'static) -> Box<dyn FnOnce(Outcome) + Send> {
    Box::new(move |outcome| {
        if let Outcome::Accepted(acceptance) = outcome {
            done(acceptance);
        }
    })
}
