//! A conversation: who is together, who waits, who is being fetched.
//!
//! Two rooms are enough for every way of moving a caller (the notices' 三方通话, 一键转接): `main`, where the caller is,
//! and `aside`, where seat and target consult while the caller hears music. Nothing is asked of the carrier or of an
//! emergency centre beyond answering a call; all legs stay here (the conference-aware transfer of NENA's i3).

mod snapshot;

pub use snapshot::TalkSnapshot;

use super::desk::Desk;
use super::dropped::Fresh;
use super::{CALLER, Dialled, LegNo};
use crate::base::Mono;
use crate::event::TransferKind;
use crate::plan::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Talk {
    pub main: BTreeSet<LegNo>,
    pub aside: BTreeSet<LegNo>,
    /// Parties that have put us on hold (RFC 3264 §8.4).
    pub holds: BTreeSet<LegNo>,
    pub transfer: Option<Transfer>,
    /// The last target that joined, until its silence would no longer count against it.
    pub unproven: Option<(Transfer, Mono)>,
    /// The seat that the queue gave the caller, while it is there or may have the caller back.
    pub lease: Option<Lease>,
    /// The queue that the caller came from: where it goes back to when everybody else is lost.
    pub home: Option<Arc<str>>,
    /// The party that answered last, until it is gone or another has.
    pub fresh: Option<Fresh>,
    /// Something spoken to one party in place of the conversation.
    pub notice: Option<Notice>,
    /// The seat's phone has dialled a target by itself.
    pub second: Option<Second>,
    /// The leg whose REFER was refused last, and when.
    pub refused: Option<(LegNo, Mono)>,
    /// The caller has gone: how long those who stay talk on, where that has a bound.
    pub linger: Option<Mono>,
    pub desk: Desk,
}

/// One seat, two lines: `first` has the caller, `leg` is the one that the seat's phone called us by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Second {
    pub first: LegNo,
    pub leg: LegNo,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub queue: Arc<str>,
    pub seat: Arc<str>,
    pub leg: LegNo,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Notice {
    pub leg: LegNo,
    /// Prompts, one after another.
    pub words: Vec<Arc<str>>,
    pub cue: u32,
}

/// Where to.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// Parties to try, one after another.
    Ring {
        to: String,
        chain: Vec<Dialled>,
        timeout: Duration,
    },
    Queue {
        queue: Arc<str>,
        high: bool,
    },
    /// Nobody: the caller hears which number to dial, and stays with the seat.
    Guide {
        prompt: Arc<str>,
    },
}

/// A move under way: a target that rings, or one that seat consults with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transfer {
    pub seq: u32,
    pub kind: TransferKind,
    pub by: LegNo,
    pub chain: Vec<Dialled>,
    /// The place in the chain of the one that rings or answered.
    pub index: usize,
    pub timeout: Duration,
    pub leg: LegNo,
    /// Until when it may ring; none once it has answered.
    pub until: Option<Mono>,
    /// The destination to call when all fails after the seat has left.
    pub back: Option<Dialled>,
}

/// Why a move cannot be made. The conversation is untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody talks in this call now.
    NotTalking,
    /// Another move is under way.
    Busy,
    /// Another emergency line rings. It is not given up for this one, which can be asked for when that has answered.
    HelpRings,
    /// The caller may not, or the party is not in the conversation.
    NotAllowed,
    /// Nothing to complete, cancel or swap.
    Nothing,
    /// No party can be called any more in this call.
    TooMany,
}

impl Goal {
    pub fn targets(to: &str, targets: &[Target], timeout: Duration) -> Goal {
        Goal::Ring { to: to.to_owned(), chain: targets.iter().cloned().map(Dialled::Target).collect(), timeout }
    }
}

impl Transfer {
    /// Nobody rings yet.
    pub fn new(seq: u32, kind: TransferKind, by: LegNo, chain: Vec<Dialled>, timeout: Duration) -> Transfer {
        Transfer { seq, kind, by, chain, index: 0, timeout, leg: LegNo(0), until: None, back: None }
    }

    /// Tells whether it fetches the one whom these ways lead to. Ways that give no sign have come to a chain's end meanwhile.
    pub fn is_for(&self, chain: &[Dialled]) -> bool {
        self.chain.len() == chain.len() && chain.iter().all(|way| self.chain.contains(way))
    }
}

impl Talk {
    pub fn between(leg: LegNo, lease: Option<Lease>, home: Option<Arc<str>>) -> Talk {
        let (aside, holds) = (BTreeSet::new(), BTreeSet::new());
        let main = BTreeSet::from([CALLER, leg]);
        let (transfer, unproven, notice, second, refused, linger, fresh) = (None, None, None, None, None, None, None);
        let desk = Desk::default();
        Talk { main, aside, holds, transfer, unproven, lease, home, fresh, notice, second, refused, linger, desk }
    }

    /// Everybody but those who still ring; a seat with two lines is one person.
    pub fn people(&self) -> usize {
        (self.main.len() + self.aside.len()).saturating_sub(usize::from(self.second.is_some()))
    }

    pub fn has(&self, leg: LegNo) -> bool {
        self.main.contains(&leg) || self.aside.contains(&leg)
    }

    pub fn leave(&mut self, leg: LegNo) {
        self.main.remove(&leg);
        self.aside.remove(&leg);
        self.holds.remove(&leg);
        self.desk.forget(leg);
        if self.notice.as_ref().is_some_and(|n| n.leg == leg) {
            self.notice = None;
        }
    }

    /// It has the lease of the seat that serves the caller.
    pub fn is_served_by(&self, leg: LegNo) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.leg == leg)
    }

    /// From the caller to the consultation, or back.
    pub fn swap(&mut self) -> Result<(), Refusal> {
        let by = self.consulting().ok_or(Refusal::Nothing)?.by;
        if self.aside.remove(&by) {
            self.main.insert(by);
        } else if self.main.remove(&by) {
            self.aside.insert(by);
        }
        Ok(())
    }

    /// Both rooms become one.
    pub fn merge(&mut self) {
        self.main.append(&mut self.aside);
    }

    pub fn ringing(&self) -> Option<&Transfer> {
        self.transfer.as_ref().filter(|t| t.until.is_some())
    }

    /// The emergency line that rings.
    pub fn fetched_help(&self) -> Option<&Transfer> {
        self.ringing().filter(|transfer| transfer.kind == TransferKind::Emergency)
    }

    /// Tells whether this leg may send the caller to somebody, or ask somebody about it: not one who supervises, and nobody is
    /// moved who has gone. An emergency line may be fetched in any case.
    pub fn may_be_moved_by(&self, leg: LegNo) -> bool {
        self.has(CALLER) && !self.desk.watchers.contains_key(&leg)
    }

    /// Tells whether somebody is there for whom the target rings: the caller, or who asked for it and is not alone. An
    /// emergency line is fetched for a seat that has lost its caller too.
    pub fn in_company(&self, transfer: &Transfer) -> bool {
        let asked = self.has(transfer.by) && (transfer.kind == TransferKind::Emergency || self.people() > 1);
        self.has(CALLER) || asked
    }

    /// Tells whether those who are there have each other, or somebody who is fetched for them.
    pub fn goes_on(&self) -> bool {
        self.people() > 1 || self.ringing().is_some_and(|transfer| self.in_company(transfer))
    }

    /// Everybody in the conversation.
    pub fn members(&self) -> impl Iterator<Item = LegNo> + '_ {
        self.main.iter().chain(&self.aside).copied()
    }

    /// Seat and target have each other's ear, or would but for a swap.
    pub fn consulting(&self) -> Option<&Transfer> {
        self.transfer.as_ref().filter(|t| t.kind == TransferKind::Consult && t.until.is_none())
    }

    /// The others in the room of this leg.
    pub fn others(&self, leg: LegNo) -> impl Iterator<Item = LegNo> + '_ {
        let room = if self.aside.contains(&leg) { &self.aside } else { &self.main };
        room.iter().copied().filter(move |other| *other != leg)
    }

    /// The caller alone is left, and nobody is fetched for it.
    pub fn is_left_by_seat(&self) -> bool {
        self.home.is_some() && self.transfer.is_none() && self.members().eq([CALLER])
    }

    /// Somebody rings who will come into the room of this leg.
    pub fn awaits(&self, leg: LegNo) -> bool {
        self.ringing().is_some_and(|t| (t.kind == TransferKind::Consult) == self.aside.contains(&leg))
    }
}
