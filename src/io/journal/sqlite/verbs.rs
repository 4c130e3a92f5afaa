//! The journal's verbs, carried out on its database.

use super::reader::View;
use super::scan::Found;
use super::{Acceptance, Callback, Store, Tagging, Transaction};
use crate::base::{CallId, Text, Wall};
use crate::event::{Entry, Fact, Keep, Kept, SeatEntry};
use crate::io::clock::Running;
use crate::io::journal::dead_letters::{DeadLetter, Decision, EndedCall, Selection};
use crate::io::journal::engine::{Group, Read, Write, Written};
use crate::io::journal::error::Error;
use crate::io::journal::search::{Page, Search};
use crate::io::journal::{Backlog, Delivery, FeedItem};
use crate::record::amendment::Amendment;
use crate::record::cloudevent::{CloudEvent, Kind};
use crate::record::delivery::{Item, Settlement};
use crate::record::exchange::Ticket;
use crate::record::recording::Recorded;
use crate::record::seal::Sealer;
use crate::record::shape::Record;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A transaction, whose errors name the file.
struct Named<'a> {
    tx: &'a Transaction<'a>,
    path: &'a Path,
}

impl Named<'_> {
    fn told<T>(&self, done: rusqlite::Result<T>) -> Result<T, Error> {
        done.map_err(|error| Error::sqlite(self.path, error))
    }
}

impl Group for Named<'_> {
    fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.told(self.tx.append(entry))
    }

    fn seat(&self, entry: &SeatEntry) -> Result<(), Error> {
        self.told(self.tx.seat(entry))
    }

    fn keep(&self, keep: &Keep) -> Result<(), Error> {
        self.told(self.tx.keep(keep))
    }

    fn settle(&self, backend: &str, settled: &Settlement, wall: Wall, stamp: Wall) -> Result<(), Error> {
        self.told(self.tx.settle(backend, settled, wall, stamp))
    }

    fn creating(&self, backend: &str, call: CallId, at: Wall) -> Result<(), Error> {
        self.told(self.tx.creating(backend, call, at))
    }

    fn report(&self, entry: &Entry) -> Result<Acceptance, Error> {
        self.told(self.tx.report(entry))
    }

    fn called_back(&self, callback: &Callback, wall: Wall, heard: Wall, remember: Duration) -> Result<Acceptance, Error> {
        self.told(self.tx.called_back(callback, wall, heard, remember))
    }

    fn recorded(&self, call: CallId, recorded: &Recorded, wall: Wall) -> Result<Acceptance, Error> {
        self.told(self.tx.recorded(call, recorded, wall))
    }

    fn tagged(&self, tagging: &Tagging, wall: Wall) -> Result<Acceptance, Error> {
        self.told(self.tx.tagged(tagging, wall))
    }

    fn decide(&self, decision: &Decision) -> Result<usize, Error> {
        self.told(self.tx.decide(decision))
    }
}

impl Write for Store {
    fn group(&mut self, work: &mut dyn FnMut(&dyn Group) -> Result<(), Error>) -> Result<Written, Error> {
        let path = self.path.clone();
        let written = self.transact(|tx| work(&Named { tx, path: &path }), |error| Error::sqlite(&path, error))?;
        self.watched();
        Ok(written)
    }

    fn begin(&mut self, now: Wall) -> Result<Vec<CallId>, Error> {
        Store::begin(self, now)
    }

    fn kept(&self) -> Result<Kept, Error> {
        Store::kept(self)
    }

    fn restamp(&mut self, today: Wall) -> Result<(), Error> {
        Store::restamp(self, today)
    }

    fn purge(&mut self, until: Wall, most: u32) -> Result<(usize, usize), Error> {
        Store::purge(self, until, most)
    }

    fn purge_seats(&mut self, until: Wall, most: u32) -> Result<usize, Error> {
        Store::purge_seats(self, until, most)
    }

    fn set_aside(&mut self, found: &Found) -> Result<(), Error> {
        Store::set_aside(self, found)
    }

    fn interference(&mut self) -> Option<Text> {
        Store::interference(self)
    }

    fn running(&self) -> Running {
        self.running
    }

    fn run_by(&mut self, running: Running) {
        self.running = running;
    }

    fn close(self: Box<Self>) {
        self.checkpoint();
    }

    fn abandon(self: Box<Self>) {
        Store::abandon(*self);
    }

    fn rescue(self: Box<Self>, why: &Text) -> Result<(), Error> {
        Store::rescue(*self, why)
    }
}

impl Read for View {
    fn unseal(&mut self, sealer: Arc<Sealer>) {
        self.sealer = sealer;
    }

    fn gap(&self) -> Result<Option<Text>, Error> {
        View::gap(self)
    }

    fn unreadable(&self) -> Vec<Text> {
        View::unreadable(self)
    }

    fn record(&self, call: CallId) -> Result<Option<Record>, Error> {
        View::record(self, call)
    }

    fn records(&self, since: Option<Wall>, limit: u32) -> Result<Vec<Record>, Error> {
        View::records(self, since, limit)
    }

    fn calls(&self, since: Option<Wall>, limit: u32) -> Result<Vec<CallId>, Error> {
        View::calls(self, since, limit)
    }

    fn search(&self, search: &Search) -> Result<Page, Error> {
        View::search(self, search)
    }

    fn entries(&self, call: CallId, up_to: u32) -> Result<Vec<Entry>, Error> {
        View::entries(self, call, up_to)
    }

    fn facts(&self) -> Result<Vec<Fact>, Error> {
        View::facts(self)
    }

    fn seat_entries(&self, seat: Option<&str>, after: u64, most: u32) -> Result<Vec<SeatEntry>, Error> {
        View::seat_entries(self, seat, after, most)
    }

    fn seat_entries_before(&self, since: Wall) -> Result<u64, Error> {
        View::seat_entries_before(self, since)
    }

    fn amendments(&self, call: CallId, up_to: u64) -> Result<Vec<Amendment>, Error> {
        View::amendments(self, call, up_to)
    }

    fn event(&self, item: &Item) -> Result<Option<CloudEvent>, Error> {
        View::event(self, item)
    }

    fn latest(&self, call: CallId, kind: Kind) -> Result<Option<CloudEvent>, Error> {
        View::latest(self, call, kind)
    }

    fn owed_recordings(&self) -> Result<Vec<CallId>, Error> {
        View::owed_recordings(self)
    }

    fn due(&self, backend: &str, now: Wall, lanes: u32) -> Result<Vec<Item>, Error> {
        View::due(self, backend, now, lanes)
    }

    fn next_due(&self, backend: &str, now: Wall) -> Result<Option<Wall>, Error> {
        View::next_due(self, backend, now)
    }

    fn ticket(&self, backend: &str, call: CallId) -> Result<Ticket, Error> {
        View::ticket(self, backend, call)
    }

    fn deliveries(&self, call: CallId) -> Result<Vec<Delivery>, Error> {
        View::deliveries(self, call)
    }

    fn backlog(&self, now: Wall) -> Result<Vec<Backlog>, Error> {
        View::backlog(self, now)
    }

    fn feed_ends(&self) -> Result<(u64, u64), Error> {
        View::feed_ends(self)
    }

    fn feed(&self, after: u64, most: u32) -> Result<Vec<FeedItem>, Error> {
        View::feed(self, after, most)
    }

    fn dead_letters(&self, selection: &Selection) -> Result<Vec<DeadLetter>, Error> {
        View::dead_letters(self, selection)
    }

    fn ended_calls(&self, backend: &str, since: Wall) -> Result<Vec<EndedCall>, Error> {
        View::ended_calls(self, backend, since)
    }
}
