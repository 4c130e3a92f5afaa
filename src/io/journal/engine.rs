//! The verbs of a journal's engine. The thread that writes, those who deliver, the HTTP interface and the command line speak
//! to an engine by these alone; SQLite is one, and another can stand beside it.

use super::dead_letters::{DeadLetter, Decision, EndedCall, Selection};
use super::error::Error;
use super::search::{Page, Search};
use super::sqlite::scan::Found;
use super::{Acceptance, Backlog, Callback, Delivery, FeedItem, Tagging};
use crate::base::{CallId, Text, Wall};
use crate::event::{Entry, Fact, Keep, Kept, SeatEntry};
use crate::io::clock::Running;
use crate::record::amendment::Amendment;
use crate::record::cloudevent::{CloudEvent, Kind};
use crate::record::delivery::{Item, Settlement};
use crate::record::exchange::Ticket;
use crate::record::recording::Recorded;
use crate::record::seal::Sealer;
use crate::record::shape::Record;
use std::sync::Arc;
use std::time::Duration;

/// The effects of a group of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// A backend has something new to get.
    pub posted: bool,
    /// The feed's newest number, where there is a new one.
    pub fed: Option<u64>,
}

/// A group of writes under way: all of it is on disk together, or nothing of it.
pub trait Group {
    /// Adds an entry to its call's log, with the events that it gives rise to.
    fn append(&self, entry: &Entry) -> Result<(), Error>;
    /// Adds an entry to the log of seats.
    fn seat(&self, entry: &SeatEntry) -> Result<(), Error>;
    /// Puts a fact into the place of the one of its kind and key, or takes it away.
    fn keep(&self, keep: &Keep) -> Result<(), Error>;
    /// Notes what became of a delivery. `stamp`: when a call is finished by which it is purged some time later.
    fn settle(&self, backend: &str, settled: &Settlement, wall: Wall, stamp: Wall) -> Result<(), Error>;
    /// Notes that a ticket's create is about to be asked.
    fn creating(&self, backend: &str, call: CallId, at: Wall) -> Result<(), Error>;
    /// Takes a call that others took; the entry is the whole of it.
    fn report(&self, entry: &Entry) -> Result<Acceptance, Error>;
    /// Takes a backend's message. `heard`: now, by the clock of deliveries; messages that arrived longer ago than `remember`
    /// need not be told from new ones any more.
    fn called_back(&self, callback: &Callback, wall: Wall, heard: Wall, remember: Duration) -> Result<Acceptance, Error>;
    /// Amends a call by what became of its recording.
    fn recorded(&self, call: CallId, recorded: &Recorded, wall: Wall) -> Result<Acceptance, Error>;
    /// Amends a call by what somebody says that it was about.
    fn tagged(&self, tagging: &Tagging, wall: Wall) -> Result<Acceptance, Error>;
    /// Carries out what a person decides; counts what it was about.
    fn decide(&self, decision: &Decision) -> Result<usize, Error>;
}

/// The one writer of a journal.
pub trait Write: Send {
    /// Everything in `work` or nothing of it.
    fn group(&mut self, work: &mut dyn FnMut(&dyn Group) -> Result<(), Error>) -> Result<Written, Error>;
    /// Ends what the last process left open; which calls they were.
    fn begin(&mut self, now: Wall) -> Result<Vec<CallId>, Error>;
    /// All that the last process left besides calls.
    fn kept(&self) -> Result<Kept, Error>;
    /// A call that was finished later than now is finished now: the clock was ahead then, or it was not known.
    fn restamp(&mut self, today: Wall) -> Result<(), Error>;
    /// Takes the entries of at most `most` calls away that were delivered before `until`. How many calls were looked at, and
    /// how many went.
    fn purge(&mut self, until: Wall, most: u32) -> Result<(usize, usize), Error>;
    /// Takes away at most `most` of the oldest entries of the log of seats that were written before `until`; counts them.
    fn purge_seats(&mut self, until: Wall, most: u32) -> Result<usize, Error>;
    /// Takes out of the way what is not as it was written, and keeps it.
    fn set_aside(&mut self, found: &Found) -> Result<(), Error>;
    /// Tells what was done to the journal from outside that matters, if anything was.
    fn interference(&mut self) -> Option<Text>;
    /// The clock that deliveries go by.
    fn running(&self) -> Running;
    /// It goes on from this one, where the process has one already.
    fn run_by(&mut self, running: Running);
    /// Leaves everything in its place for the next process.
    fn close(self: Box<Self>);
    /// Closes it as it is: it may be damaged.
    fn abandon(self: Box<Self>);
    /// Puts what it has open into the place of what stands there now.
    fn rescue(self: Box<Self>, why: &Text) -> Result<(), Error>;
}

/// A view of a journal beside its writer; each question sees the journal as it is then.
pub trait Read: Send {
    /// Reads what was sealed, too.
    fn unseal(&mut self, sealer: Arc<Sealer>);
    /// Tells what is missing of the journal as a whole.
    fn gap(&self) -> Result<Option<Text>, Error>;
    /// Tells what of all that was asked for could not be read.
    fn unreadable(&self) -> Vec<Text>;
    /// A call's record, as far as it has come.
    fn record(&self, call: CallId) -> Result<Option<Record>, Error>;
    /// The newest calls first, open ones too; `since` leaves out what began before.
    fn records(&self, since: Option<Wall>, limit: u32) -> Result<Vec<Record>, Error>;
    /// As `records`, by their ids alone.
    fn calls(&self, since: Option<Wall>, limit: u32) -> Result<Vec<CallId>, Error>;
    /// Looks for records, a page at a time.
    fn search(&self, search: &Search) -> Result<Page, Error>;
    /// A call's log up to this entry.
    fn entries(&self, call: CallId, up_to: u32) -> Result<Vec<Entry>, Error>;
    /// The facts, as they stand.
    fn facts(&self) -> Result<Vec<Fact>, Error>;
    /// The entries of a seat, or of all seats, after this number, in order.
    fn seat_entries(&self, seat: Option<&str>, after: u64, most: u32) -> Result<Vec<SeatEntry>, Error>;
    /// The number before the first entry of the log of seats that was written since then.
    fn seat_entries_before(&self, since: Wall) -> Result<u64, Error>;
    /// All that others told of a call up to this event.
    fn amendments(&self, call: CallId, up_to: u64) -> Result<Vec<Amendment>, Error>;
    /// An event as its backend gets it.
    fn event(&self, item: &Item) -> Result<Option<CloudEvent>, Error>;
    /// The latest event of this kind that a call has given rise to.
    fn latest(&self, call: CallId, kind: Kind) -> Result<Option<CloudEvent>, Error>;
    /// Calls that were recorded of which nobody has told yet what became of that.
    fn owed_recordings(&self) -> Result<Vec<CallId>, Error>;
    /// The pending events of the lanes that are due, the longest due first, each lane's in sequence.
    fn due(&self, backend: &str, now: Wall, lanes: u32) -> Result<Vec<Item>, Error>;
    /// When the next lane after `now` is due, if there is one.
    fn next_due(&self, backend: &str, now: Wall) -> Result<Option<Wall>, Error>;
    /// All that is known of a call's ticket in this backend.
    fn ticket(&self, backend: &str, call: CallId) -> Result<Ticket, Error>;
    /// The outcomes of a call's events.
    fn deliveries(&self, call: CallId) -> Result<Vec<Delivery>, Error>;
    /// Counts what waits for each backend for which something does.
    fn backlog(&self, now: Wall) -> Result<Vec<Backlog>, Error>;
    /// The oldest and the newest number of the feed; zeros while it is empty.
    fn feed_ends(&self) -> Result<(u64, u64), Error>;
    /// The feed's events after this number, in order.
    fn feed(&self, after: u64, most: u32) -> Result<Vec<FeedItem>, Error>;
    /// Events that backends refused, of the newest calls first.
    fn dead_letters(&self, selection: &Selection) -> Result<Vec<DeadLetter>, Error>;
    /// The calls since then that have ended and have a final record.
    fn ended_calls(&self, backend: &str, since: Wall) -> Result<Vec<EndedCall>, Error>;
}
