//! Wishes of a conversation's seats: which of them holds it or is muted, who supervises it, and which has left and may come
//! back. They move nobody from room to room; `audio.rs` reads them.

use super::LegNo;
use super::talk::Talk;
use crate::base::{Mono, Offset};
use crate::event::seat::SuperviseMode;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Desk {
    /// Seats that hold the conversation by a verb: such a one hears nobody in it and is heard by nobody.
    pub held: BTreeSet<LegNo>,
    pub muted: BTreeSet<LegNo>,
    /// Supervisors' phones.
    pub watchers: BTreeMap<LegNo, Watcher>,
    /// Seats that left others to each other, each with its last leg.
    pub left: BTreeMap<String, LegNo>,
    /// Since when the caller has been on hold with nobody at work for it, and the alarms given so far.
    pub forgotten: Option<(Mono, u8)>,
}

/// A supervisor's phone in a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watcher {
    /// The leg of the seat that is supervised, and its name.
    pub of: LegNo,
    pub seat: Arc<str>,
    pub mode: SuperviseMode,
    /// It is to have the seat's place as soon as it answers.
    pub takes_over: bool,
    /// Until when it may ring; none once it has answered.
    pub until: Option<Mono>,
}

/// A watcher's fields, in their order.
type WatcherSnapshot = (LegNo, Arc<str>, SuperviseMode, bool, Option<Offset>);

/// The wishes at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DeskSnapshot {
    held: BTreeSet<LegNo>,
    muted: BTreeSet<LegNo>,
    watchers: BTreeMap<LegNo, WatcherSnapshot>,
    left: BTreeMap<String, LegNo>,
    forgotten: Option<(Offset, u8)>,
}

impl Desk {
    /// The leg is in the conversation no more.
    pub fn forget(&mut self, leg: LegNo) {
        self.held.remove(&leg);
        self.muted.remove(&leg);
        self.watchers.remove(&leg);
    }

    /// Supervisors who whisper to this leg.
    fn whisper_to(&self, leg: LegNo) -> impl Iterator<Item = LegNo> + '_ {
        let does = move |w: &Watcher| w.of == leg && w.mode == SuperviseMode::Whisper && w.until.is_none();
        self.watchers.iter().filter(move |(_, watcher)| does(watcher)).map(|(leg, _)| *leg)
    }

    pub fn snapshot(&self, now: Mono) -> DeskSnapshot {
        let Desk { held, muted, watchers, left, forgotten } = self.clone();
        let of = |(leg, w): (LegNo, Watcher)| (leg, (w.of, w.seat, w.mode, w.takes_over, w.until.map(|at| at.offset_from(now))));
        let forgotten = forgotten.map(|(since, alarms)| (since.offset_from(now), alarms));
        DeskSnapshot { held, muted, watchers: watchers.into_iter().map(of).collect(), left, forgotten }
    }

    pub fn restore(now: Mono, snapshot: DeskSnapshot) -> Desk {
        let DeskSnapshot { held, muted, watchers, left, forgotten } = snapshot;
        let watchers = watchers.into_iter().map(|(leg, (of, seat, mode, takes_over, until))| {
            (leg, Watcher { of, seat, mode, takes_over, until: until.map(|until| now.at(until)) })
        });
        let forgotten = forgotten.map(|(since, alarms)| (now.at(since), alarms));
        Desk { held, muted, watchers: watchers.collect(), left, forgotten }
    }
}

impl Talk {
    /// The legs that this one hears: those in its room, and a supervisor who whispers to it.
    pub fn speakers(&self, hearer: LegNo) -> impl Iterator<Item = LegNo> + '_ {
        let apart = self.desk.held.contains(&hearer);
        let room = self.others(hearer).filter(move |leg| !apart && self.is_open(*leg) && !self.desk.muted.contains(leg));
        room.chain(self.desk.whisper_to(hearer))
    }

    /// The legs that a supervisor of this one hears: the seat's room, whoever holds whom in it.
    pub fn overheard(&self, of: LegNo) -> impl Iterator<Item = LegNo> + '_ {
        let room = self.others(of).chain([of]);
        room.filter(|leg| !self.holds.contains(leg) && !self.desk.muted.contains(leg))
    }

    /// It holds the conversation neither by its phone nor by a verb.
    pub fn is_open(&self, leg: LegNo) -> bool {
        !self.holds.contains(&leg) && !self.desk.held.contains(&leg)
    }

    /// Somebody is there who would be heard, and is muted: that is quiet, and no reason for music.
    pub fn is_quiet_for(&self, hearer: LegNo) -> bool {
        let muted = |leg: LegNo| self.is_open(leg) && self.desk.muted.contains(&leg);
        !self.desk.held.contains(&hearer) && self.others(hearer).any(muted)
    }

    /// The seat that a supervisor listens to from outside of its room; none for one who rings, or who has joined in.
    pub fn watched_by(&self, leg: LegNo) -> Option<LegNo> {
        let watcher = self.desk.watchers.get(&leg).filter(|watcher| watcher.until.is_none())?;
        (!self.has(leg)).then_some(watcher.of)
    }

    /// All others hold the caller, and nobody does anything for it meanwhile.
    pub fn is_held_by_all(&self) -> bool {
        let idle = self.aside.is_empty() && self.transfer.is_none() && self.notice.is_none();
        let caller = self.main.contains(&super::CALLER) && self.main.len() > 1;
        caller && idle && self.main.iter().all(|leg| *leg == super::CALLER || !self.is_open(*leg))
    }
}
