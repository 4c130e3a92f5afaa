//! Looking for records: by their line, caller, time and how they ended, the newest first, a page at a time.

use super::{Caller, Reader, call_id, first_id};
use crate::base::{CallId, Wall};
use crate::call::event;
use crate::io::journal::error::Error;
use crate::record::shape::Record;
use rusqlite::params;

/// Calls whose ids are read at once.
const CHUNK: u32 = 256;

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
    fn fits(&self, record: &Record) -> bool {
        let caller = self.caller.as_ref().is_none_or(|caller| record.caller.as_deref().is_some_and(|known| caller.is(known)));
        let line = self.line.as_ref().is_none_or(|line| *line == record.hotline.number || *line == record.hotline.line);
        caller && line && (self.outcomes.is_empty() || self.outcomes.contains(&Outcome::of(record)))
    }

    /// The ids of the calls before this one are smaller.
    fn end(&self) -> [u8; 16] {
        let until = self.until.map_or([u8::MAX; 16], first_id);
        self.before.map_or(until, |before| until.min(before.0.into_bytes()))
    }
}

impl Reader {
    pub fn search(&self, search: &Search) -> Result<Page, Error> {
        let (mut page, mut end, mut looked) = (Page::default(), search.end(), 0);
        loop {
            let calls = self.candidates(search, end)?;
            for call in &calls {
                if page.records.len() >= search.limit as usize || looked >= search.look {
                    return Ok(page);
                }
                looked += 1;
                page.next = Some(*call);
                page.records.extend(self.record(*call)?.filter(|record| search.fits(record)));
            }
            match calls.last() {
                Some(last) if calls.len() >= CHUNK as usize => end = last.0.into_bytes(),
                _ => return Ok(Page { next: None, ..page }),
            }
        }
    }

    /// The newest calls below this id that may fit: a caller's by the blind index, where there is one.
    fn candidates(&self, search: &Search, end: [u8; 16]) -> Result<Vec<CallId>, Error> {
        let since = search.since.map_or([0; 16], first_id);
        let hash = |number: &String| self.sealer.hash(number);
        let hashes = search.caller.as_ref().and_then(|caller| Some((hash(&caller.number)?, hash(&caller.written)?)));
        self.ask(|db| match hashes {
            Some((number, written)) => {
                let sql = "SELECT DISTINCT call FROM callers WHERE hash IN (?1, ?2) AND call >= ?3 AND call < ?4
                           ORDER BY call DESC LIMIT ?5";
                let mut calls = db.prepare_cached(sql)?;
                calls.query_map(params![number, written, since, end, CHUNK], |row| call_id(row, 0))?.collect()
            }
            None => {
                // Calls of the first releases have no line there.
                let sql = "SELECT call FROM calls WHERE call >= ?1 AND call < ?2 AND (?3 IS NULL OR line IS NULL OR line = ?3)
                           ORDER BY call DESC LIMIT ?4";
                let number = search.line.as_deref().filter(|line| line.bytes().all(|b| b.is_ascii_digit()));
                let mut calls = db.prepare_cached(sql)?;
                calls.query_map(params![since, end, number, CHUNK], |row| call_id(row, 0))?.collect()
            }
        })
    }
}
