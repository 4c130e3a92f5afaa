//! Counts that can be added up.

use crate::event::{Result, TransferKind, TransferResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Waits are told apart by these bounds, in seconds; the last count has all that were longer.
pub const WAITS: [u64; 9] = [5, 10, 15, 20, 30, 60, 120, 300, 600];

/// A word of events, as they spell it.
pub type Word = Cow<'static, str>;

/// Durations: how many, how long together, and the longest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    pub count: u64,
    pub sum_ms: u64,
    pub max_ms: u64,
    /// Counts those no longer than 5, 10, 15, 20, 30, 60, 120, 300 and 600 seconds and longer than the bound before, and last
    /// those longer than all.
    pub up_to: [u64; WAITS.len() + 1],
}

/// Calls that seats placed; no other figure counts them, but talk of seats, transfers and opinions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outbound {
    pub placed: u64,
    /// Those in which the seat talked to somebody.
    pub answered: u64,
    /// The others, by how they ended.
    pub lost: BTreeMap<Word, u64>,
    pub talk: Spread,
}

/// The figures of a hotline, or of a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Calls to the hotline, or callers handed to the queue.
    pub offered: u64,
    /// Those that were handed to people: to a queue, or to a phone that rang.
    pub handed: u64,
    /// Those that somebody talked to.
    pub answered: u64,
    /// Those answered in time, from the hand-over.
    pub within: u64,
    /// Calls that nobody talked to, by how they ended.
    pub lost: BTreeMap<Word, u64>,
    /// Callers who went on from this queue to another.
    pub moved_on: u64,
    /// Conversations that the process's death cut off.
    pub interrupted: u64,
    /// From the hand-over to the answer.
    pub wait: Spread,
    /// From the call's first moment to the answer.
    pub wait_from_start: Spread,
    /// From the hand-over to the end of those that were lost.
    pub wait_of_lost: Spread,
    /// Conversations.
    pub talk: Spread,
    pub transfers: Vec<Transfer>,
    /// One-key moves to an emergency line.
    pub emergencies: u64,
    /// Opinions, by score.
    pub surveys: BTreeMap<u8, u64>,
    /// Callers who were asked and gave none.
    pub surveys_unanswered: u64,
    /// Callers who asked to be rung back.
    pub callbacks_wanted: u64,
    #[serde(default)]
    pub outbound: Outbound,
}

/// A kind of transfer, where to and with what result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// As events spell it.
    pub kind: Word,
    pub result: Word,
}

/// Transfers to one target, of one kind and result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    #[serde(flatten)]
    pub moved: Moved,
    pub to: String,
    pub count: u64,
}

/// The figures of a seat. What it did counts when it did it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeatCounts {
    /// Times that its phone rang for a caller.
    pub rung: u64,
    pub answered: u64,
    /// Callers that a queue offered in vain, by cause.
    pub missed: BTreeMap<Word, u64>,
    /// Its own conversations: a caller who was moved on is not counted for it any more.
    pub talk_ms: u64,
    pub longest_talk_ms: u64,
    pub hold_ms: u64,
    pub signed_in_ms: u64,
    pub ready_ms: u64,
    pub wrap_up_ms: u64,
    pub break_ms: u64,
    /// Breaks by their reason, in milliseconds.
    pub breaks: BTreeMap<String, u64>,
    pub overdue: u64,
    pub transfers: Vec<Transfer>,
    #[serde(default)]
    pub outbound: Outbound,
}

/// Targets that are told apart for each name.
const TARGETS: usize = 64;

impl Spread {
    pub fn note(&mut self, ms: u64) {
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.max_ms = self.max_ms.max(ms);
        let place = WAITS.iter().position(|bound| ms <= bound * 1000).unwrap_or(WAITS.len());
        if let Some(count) = self.up_to.get_mut(place) {
            *count += 1;
        }
    }

    pub fn add(&mut self, other: &Spread) {
        self.count += other.count;
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        self.up_to.iter_mut().zip(other.up_to).for_each(|(count, more)| *count += more);
    }

    pub fn mean_ms(&self) -> u64 {
        self.sum_ms.checked_div(self.count).unwrap_or(0)
    }
}

impl Outbound {
    pub fn add(&mut self, other: &Outbound) {
        self.placed += other.placed;
        self.answered += other.answered;
        other.lost.iter().for_each(|(how, count)| *self.lost.entry(how.clone()).or_default() += count);
        self.talk.add(&other.talk);
    }
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.offered += other.offered;
        self.handed += other.handed;
        self.answered += other.answered;
        self.within += other.within;
        self.moved_on += other.moved_on;
        self.interrupted += other.interrupted;
        self.emergencies += other.emergencies;
        self.surveys_unanswered += other.surveys_unanswered;
        self.callbacks_wanted += other.callbacks_wanted;
        other.lost.iter().for_each(|(how, count)| *self.lost.entry(how.clone()).or_default() += count);
        other.surveys.iter().for_each(|(score, count)| *self.surveys.entry(*score).or_default() += count);
        self.wait.add(&other.wait);
        self.wait_from_start.add(&other.wait_from_start);
        self.wait_of_lost.add(&other.wait_of_lost);
        self.talk.add(&other.talk);
        self.outbound.add(&other.outbound);
        other
            .transfers
            .iter()
            .for_each(|transfer| transferred(&mut self.transfers, &transfer.moved, &transfer.to, transfer.count));
    }

    /// Those who still wait, or hear an announcement.
    pub fn undecided(&self) -> u64 {
        self.offered.saturating_sub(self.answered + self.all_lost() + self.moved_on)
    }

    pub fn all_lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Calls that were lost in this way.
    pub fn lost_as(&self, result: Result) -> u64 {
        self.lost.get(result.name()).copied().unwrap_or(0)
    }
}

impl SeatCounts {
    pub fn add(&mut self, other: &SeatCounts) {
        self.rung += other.rung;
        self.answered += other.answered;
        self.talk_ms += other.talk_ms;
        self.longest_talk_ms = self.longest_talk_ms.max(other.longest_talk_ms);
        self.hold_ms += other.hold_ms;
        self.signed_in_ms += other.signed_in_ms;
        self.ready_ms += other.ready_ms;
        self.wrap_up_ms += other.wrap_up_ms;
        self.break_ms += other.break_ms;
        self.overdue += other.overdue;
        self.outbound.add(&other.outbound);
        other.missed.iter().for_each(|(cause, count)| *self.missed.entry(cause.clone()).or_default() += count);
        for (reason, ms) in &other.breaks {
            *self.breaks.entry(reason.clone()).or_default() += ms;
        }
        other
            .transfers
            .iter()
            .for_each(|transfer| transferred(&mut self.transfers, &transfer.moved, &transfer.to, transfer.count));
    }

    /// The share of the time signed in, breaks left out, in which it talked or wrote up; none where it was never signed in.
    pub fn occupancy(&self) -> Option<f64> {
        let present = self.signed_in_ms.saturating_sub(self.break_ms);
        let busy = (self.talk_ms + self.wrap_up_ms).min(present);
        (present > 0).then(|| busy as f64 / present as f64)
    }
}

/// Counts a transfer; too many targets are counted together.
pub(super) fn transferred(all: &mut Vec<Transfer>, moved: &Moved, to: &str, count: u64) {
    let to = if all.iter().any(|known| known.to == to) || all.len() < TARGETS { to } else { super::OTHERS };
    let place = all.binary_search_by(|known| (&known.moved, known.to.as_str()).cmp(&(moved, to)));
    match place {
        Ok(place) => all.get_mut(place).into_iter().for_each(|known| known.count += count),
        Err(place) => all.insert(place, Transfer { moved: moved.clone(), to: to.to_owned(), count }),
    }
}

impl Moved {
    pub fn of(kind: TransferKind, result: TransferResult) -> Moved {
        Moved { kind: kind.name().into(), result: result.name().into() }
    }
}
