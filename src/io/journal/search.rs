//! Records as others look for them: by their line, caller, time and how they ended.

use super::reader::Caller;
use crate::base::{CallId, Wall};
use crate::event;
use crate::record::shape::Record;
use uuid::Builder;

/// The records that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// None: all.
    pub caller: Option<Caller>,
    /// The hotline, by its number or its name in the plan; none: all.
    pub line: Option<String>,
    /// None of them: all.
    pub outcomes: Vec<Outcome>,
    /// Calls that began at this moment or later.
    pub since: Option<Wall>,
    /// Calls that began before this moment.
    pub until: Option<Wall>,
    /// Only those that stand behind this call in the list.
    pub before: Option<CallId>,
    /// Limits the records of one answer.
    pub limit: u32,
    /// Limits the calls that are looked at, whatever fits.
    pub look: u32,
}

/// How a call ended; none: it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(Option<event::Result>);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub records: Vec<Record>,
    /// The list goes on behind this call.
    pub next: Option<CallId>,
}

impl Outcome {
    pub const OPEN: &str = "open";

    pub fn words() -> impl Iterator<Item = &'static str> {
        event::Result::ALL.into_iter().map(event::Result::name).chain([Outcome::OPEN])
    }

    pub fn named(word: &str) -> Option<Outcome> {
        let ended = event::Result::ALL.into_iter().find(|result| result.name() == word).map(Some);
        ended.or((word == Outcome::OPEN).then_some(None)).map(Outcome)
    }

    pub fn of(record: &Record) -> Outcome {
        Outcome(record.result)
    }

    pub fn word(self) -> &'static str {
        self.0.map_or(Outcome::OPEN, event::Result::name)
    }
}

impl Search {
    pub(super) fn fits(&self, record: &Record) -> bool {
        let caller = self.caller.as_ref().is_none_or(|caller| record.caller.as_deref().is_some_and(|known| caller.is(known)));
        let line = self.line.as_ref().is_none_or(|line| *line == record.hotline.number || *line == record.hotline.line);
        caller && line && (self.outcomes.is_empty() || self.outcomes.contains(&Outcome::of(record)))
    }

    /// The ids of the calls before this one are smaller.
    pub(super) fn end(&self) -> [u8; 16] {
        let until = self.until.map_or([u8::MAX; 16], first_id);
        self.before.map_or(until, |before| until.min(before.0.into_bytes()))
    }
}

/// Call ids begin with their time (RFC 9562 §5.7), so they sort by it.
pub(super) fn first_id(since: Wall) -> [u8; 16] {
    Builder::from_unix_timestamp_millis(since.millis(), &[0; 10]).into_uuid().into_bytes()
}
