//! Callers who were missed. One row for a caller and a hotline, however often; gone when the caller gets through; leased to
//! one seat for a time; and one attempt at once, each with its own number. A row is the attempt's as long as that lasts: its lease
//! does not end, nor does it leave the list.

use super::{MessageLeft, Refusal};
use crate::base::{CallId, Meaning, Wall};
use crate::event::fact::{Attempt, CallbackFact, CallbackLease};
use crate::event::{Fact, FactKind, Keep, Result as Loss};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

/// Attempts, and messages, that a row remembers.
const REMEMBERED: usize = 10;

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Callers who were lost so are rung back; those who ask for it are in any case.
    pub losses: Vec<Loss>,
    pub rows: usize,
    /// A caller who was missed so long ago is not rung back any more.
    pub keep: Duration,
    /// How long a seat has a row to itself, from the last it did with it.
    pub lease: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let losses = [Loss::AbandonedQueue, Loss::AbandonedRinging, Loss::NoSeat, Loss::QueueFull, Loss::Timeout];
        let (keep, lease) = (Duration::from_secs(72 * 3600), Duration::from_secs(600));
        Limits { losses: losses.to_vec(), rows: 10_000, keep, lease }
    }
}

/// A call that was lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    pub call: CallId,
    pub caller: Arc<str>,
    pub hotline: Arc<str>,
    pub line: Arc<str>,
    pub loss: Loss,
    /// The caller asked for it.
    pub wanted: bool,
    pub message: MessageLeft,
}

#[derive(Debug)]
pub struct Callbacks {
    limits: Limits,
    rows: BTreeMap<Arc<str>, CallbackFact>,
    /// By caller and hotline.
    known: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// Rows in the order in which their callers were missed last.
    order: BTreeMap<(Wall, Arc<str>), ()>,
}

impl Callbacks {
    pub fn new(limits: Limits) -> Callbacks {
        Callbacks { limits, rows: BTreeMap::new(), known: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// Takes a row that was kept.
    pub fn remember(&mut self, row: CallbackFact) {
        self.put(row);
    }

    /// No call of the process before this one is left: nobody is being rung back. Who had a row has it for its time.
    pub fn begin(&mut self, now: Wall, keeps: &mut Vec<Keep>) {
        let longest = now.after(self.limits.lease);
        let rows: Vec<CallbackFact> = self.rows.values().filter(|row| under_way(row)).cloned().collect();
        for row in rows {
            if got_through(&row) {
                self.remove(&row.id, keeps);
                continue;
            }
            let lease = row.lease.map(|lease| CallbackLease { attempt: None, until: lease.until.min(longest), ..lease });
            self.replace(CallbackFact { lease, ..row }, keeps);
        }
    }

    pub fn configure(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Every row, who was missed first coming first.
    #[cfg(test)]
    pub fn list(&self, now: Wall) -> Vec<CallbackFact> {
        let mut rows = self.page(now, None, usize::MAX);
        rows.sort_by_key(|row| row.first);
        rows
    }

    /// At most so many rows, by id, behind this one. Leases that are over are not shown.
    pub fn page(&self, now: Wall, after: Option<&Arc<str>>, most: usize) -> Vec<CallbackFact> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        let stays = |row: &&CallbackFact| !self.is_old(now, row) && !got_through(row);
        let rows = self.rows.range::<Arc<str>, _>(behind).map(|(_, row)| row).filter(stays);
        let mut rows: Vec<CallbackFact> = rows.take(most).cloned().collect();
        rows.iter_mut().for_each(|row| _ = row.lease.take_if(|lease| !holds(lease, now)));
        rows
    }

    pub fn get(&self, id: &str) -> Option<&CallbackFact> {
        self.rows.get(id)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Tells whether a caller who was lost so is rung back. One who asked for it, left a message or should have been able to is,
    /// whatever `losses` say.
    pub fn lists(&self, loss: Loss, wanted: bool, message: MessageLeft) -> bool {
        wanted || message != MessageLeft::No || self.limits.losses.contains(&loss)
    }

    /// A caller was lost. Where the list is full the one goes who was missed longest ago and whom nobody has in hand.
    pub fn missed(&mut self, now: Wall, missed: Missed, keeps: &mut Vec<Keep>) {
        if !self.lists(missed.loss, missed.wanted, missed.message) {
            return;
        }
        let message = (missed.message == MessageLeft::Kept).then_some(missed.call);
        self.forget_old(now, keeps);
        let key = (missed.caller.clone(), missed.hotline.clone());
        let known = self.known.get(&key).cloned().and_then(|id| self.take(&id));
        let message = message.filter(|call| !known.as_ref().is_some_and(|row| row.messages.contains(call)));
        let row = match known {
            // The same call is told of again: its caller was missed once.
            Some(row) if row.call == missed.call && !got_through(&row) => CallbackFact {
                loss: missed.loss,
                wanted: row.wanted || missed.wanted,
                messages: remembered(row.messages, message),
                ..row
            },
            Some(row) => CallbackFact {
                calls: row.calls.saturating_add(1),
                first: if got_through(&row) { now } else { row.first },
                last: now,
                call: missed.call,
                loss: missed.loss,
                wanted: row.wanted || missed.wanted,
                messages: remembered(row.messages, message),
                ..row
            },
            None if !self.makes_room(now, keeps) => return,
            None => CallbackFact {
                id: missed.call.to_string().into(),
                caller: missed.caller,
                hotline: missed.hotline,
                line: missed.line,
                calls: 1,
                first: now,
                last: now,
                call: missed.call,
                loss: missed.loss,
                wanted: missed.wanted,
                messages: message.into_iter().collect(),
                lease: None,
                tried: 0,
                attempts: Vec::new(),
            },
        };
        self.keep(row, keeps);
    }

    /// The caller has got through. While it is rung back the row stays, so that nobody else rings it, and goes with the attempt.
    pub fn served(&mut self, caller: &str, hotline: &str, keeps: &mut Vec<Keep>) {
        if self.rows.is_empty() {
            return;
        }
        if let Some(id) = self.known.get(&(Arc::from(caller), Arc::from(hotline))).cloned() {
            self.settle(&id, keeps);
        }
    }

    /// The seat has this row to itself for a time; who has it already has it longer.
    pub fn lease(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<CallbackFact, Refusal> {
        let until = now.after(self.limits.lease);
        let row = self.held_by(now, id, seat)?;
        let attempt = row.lease.and_then(|lease| lease.attempt);
        let row = CallbackFact { lease: Some(CallbackLease { seat: seat.clone(), until, attempt }), ..row };
        self.replace(row.clone(), keeps);
        Ok(row)
    }

    pub fn give_back(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        let row = self.held_by(now, id, seat)?;
        if under_way(&row) {
            return Err(Refusal::UnderWay);
        }
        if row.lease.is_some() {
            self.replace(CallbackFact { lease: None, ..row }, keeps);
        }
        Ok(())
    }

    /// The seat rings the caller back now. The number of the attempt, of which there is one at once.
    pub fn attempt(&mut self, now: Wall, id: &str, seat: &Arc<str>, keeps: &mut Vec<Keep>) -> Result<u32, Refusal> {
        let row = self.held_by(now, id, seat)?;
        if under_way(&row) {
            return Err(Refusal::UnderWay);
        }
        let tried = row.tried.saturating_add(1);
        let lease = CallbackLease { seat: seat.clone(), until: now.after(self.limits.lease), attempt: Some(tried) };
        let attempt = Attempt { attempt: tried, seat: seat.clone(), at: now, reached: None, refusal: None };
        let attempts = remembered(row.attempts.clone(), Some(attempt));
        self.replace(CallbackFact { lease: Some(lease), tried, attempts, ..row }, keeps);
        Ok(tried)
    }

    /// The network has refused the attempt that is under way; what it means is kept when the attempt is over.
    pub fn note_refusal(&mut self, id: &str, attempt: u32, refusal: Meaning) {
        let attempts = self.rows.get_mut(id).into_iter().flat_map(|row| row.attempts.iter_mut());
        attempts.filter(|known| known.attempt == attempt).for_each(|known| known.refusal = Some(refusal.clone()));
    }

    /// The attempt is over. A caller who was reached is rung back no more; the seat has the row of another for a time. An
    /// attempt that is not the one under way changes nothing.
    pub fn over(&mut self, now: Wall, id: &str, attempt: u32, reached: bool, keeps: &mut Vec<Keep>) {
        let Some(row) = self.rows.get(id).cloned() else { return };
        let Some(lease) = row.lease.clone().filter(|lease| lease.attempt == Some(attempt)) else { return };
        if reached || got_through(&row) {
            return self.remove(&row.id, keeps);
        }
        let mut row =
            CallbackFact { lease: Some(CallbackLease { until: now.after(self.limits.lease), attempt: None, ..lease }), ..row };
        if let Some(known) = row.attempts.iter_mut().find(|known| known.attempt == attempt) {
            known.reached = Some(false);
        }
        self.replace(row, keeps);
    }

    /// Nobody needs to ring this caller back: a seat has done it in another way, or an operator says so.
    pub fn done(&mut self, now: Wall, id: &str, seat: Option<&Arc<str>>, keeps: &mut Vec<Keep>) -> Result<(), Refusal> {
        if let Some(seat) = seat {
            self.held_by(now, id, seat)?;
        }
        let id = self.rows.get(id).filter(|row| !got_through(row)).ok_or(Refusal::NoSuchRow)?.id.clone();
        self.settle(&id, keeps);
        Ok(())
    }

    /// Nobody is to ring this caller back any more.
    fn settle(&mut self, id: &str, keeps: &mut Vec<Keep>) {
        match self.rows.get(id) {
            Some(row) if under_way(row) => self.replace(CallbackFact { calls: 0, wanted: false, ..row.clone() }, keeps),
            _ => self.remove(id, keeps),
        }
    }

    /// The row, unless it is another seat's at this moment.
    fn held_by(&self, now: Wall, id: &str, seat: &Arc<str>) -> Result<CallbackFact, Refusal> {
        let stays = |row: &&CallbackFact| !self.is_old(now, row) && !got_through(row);
        let mut row = self.rows.get(id).filter(stays).cloned().ok_or(Refusal::NoSuchRow)?;
        row.lease.take_if(|lease| !holds(lease, now));
        match &row.lease {
            Some(lease) if lease.seat != *seat => Err(Refusal::Leased),
            _ => Ok(row),
        }
    }

    fn is_old(&self, now: Wall, row: &CallbackFact) -> bool {
        row.last.after(self.limits.keep) <= now && !under_way(row)
    }

    fn forget_old(&mut self, now: Wall, keeps: &mut Vec<Keep>) {
        let long_ago = self.order.keys().take_while(|(last, _)| last.after(self.limits.keep) <= now).map(|(_, id)| id);
        let old: Vec<Arc<str>> = long_ago.filter(|id| self.rows.get(*id).is_none_or(|row| !under_way(row))).cloned().collect();
        old.iter().for_each(|id| self.remove(id, keeps));
    }

    fn makes_room(&mut self, now: Wall, keeps: &mut Vec<Keep>) -> bool {
        if self.rows.len() < self.limits.rows {
            return true;
        }
        let idle = |id: &Arc<str>| self.rows.get(id).is_none_or(|row| row.lease.as_ref().is_none_or(|it| !holds(it, now)));
        let Some(id) = self.order.keys().map(|(_, id)| id).find(|id| idle(id)).cloned() else { return false };
        self.remove(&id, keeps);
        true
    }

    fn put(&mut self, row: CallbackFact) {
        self.known.insert((row.caller.clone(), row.hotline.clone()), row.id.clone());
        self.order.insert((row.last, row.id.clone()), ());
        self.rows.insert(row.id.clone(), row);
    }

    fn take(&mut self, id: &str) -> Option<CallbackFact> {
        let row = self.rows.remove(id)?;
        self.known.remove(&(row.caller.clone(), row.hotline.clone()));
        self.order.remove(&(row.last, row.id.clone()));
        Some(row)
    }

    fn keep(&mut self, row: CallbackFact, keeps: &mut Vec<Keep>) {
        self.put(row.clone());
        keeps.push(Keep::Set(Box::new(Fact::Callback(row))));
    }

    fn replace(&mut self, row: CallbackFact, keeps: &mut Vec<Keep>) {
        self.take(&row.id);
        self.keep(row, keeps);
    }

    fn remove(&mut self, id: &str, keeps: &mut Vec<Keep>) {
        if let Some(row) = self.take(id) {
            keeps.push(Keep::Forget { kind: FactKind::Callback, key: row.id.to_string() });
        }
    }
}

/// The caller is being rung back.
fn under_way(row: &CallbackFact) -> bool {
    row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some())
}

/// No call of the caller's was lost since it got through: the row is there for the attempt alone.
fn got_through(row: &CallbackFact) -> bool {
    row.calls == 0
}

/// The row is a seat's at this moment. An attempt holds it for as long as its call lasts, whatever the wall clock does meanwhile: the
/// end of each call ends it.
fn holds(lease: &CallbackLease, now: Wall) -> bool {
    lease.attempt.is_some() || now < lease.until
}

/// The last of these, with one more.
fn remembered<T>(mut all: Vec<T>, one: Option<T>) -> Vec<T> {
    all.extend(one);
    all.drain(..all.len().saturating_sub(REMEMBERED));
    all
}

#[cfg(test)]
#[path = "callbacks_tests.rs"]
mod tests;
