//! Looking for records: by their line, caller, time and how they ended, the newest first, a page at a time.

use super::{View, call_id};
use crate::base::CallId;
use crate::io::journal::error::Error;
use crate::io::journal::search::{Page, Search, first_id};
use rusqlite::params;

/// Calls whose ids are read at once.
const CHUNK: u32 = 256;

impl View {
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
