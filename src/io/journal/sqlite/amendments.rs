//! Others tell news: tickets of our calls, callers' satisfaction, what calls were about, calls that they took by themselves.

use super::reader;
use super::{Transaction, payload};
use crate::base::{CallId, Wall};
use crate::event::{Entry, What};
use crate::record::amendment::{Amendment, Update, amend};
use crate::record::cloudevent::{EVENTS_AN_ENTRY, Kind};
use crate::record::recording::Recorded;
use crate::record::shape::Record;
use crate::record::zone::Zone;
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

/// A message from a backend about a call of ours.
#[derive(Clone, Debug)]
pub struct Callback {
    pub backend: String,
    /// The same when the message is sent again, and no other message's.
    pub id: String,
    /// The text that its sender signed; the same text is the same message, wherever its parts begin and end.
    pub seal: Option<String>,
    /// When its sender says that it left: another one when it is sent again.
    pub sent: Wall,
    pub call: CallId,
    pub updates: Vec<Update>,
}

/// Says what a call was about, as somebody tells it; `backends` get it for that.
#[derive(Clone, Debug)]
pub struct Tagging {
    pub call: CallId,
    pub subjects: Vec<String>,
    pub backends: Vec<String>,
    pub by: String,
}

/// Before a seal among the ids of messages: no header holds it.
const SEALED: &str = "\n";
/// Subjects of one call.
const SUBJECTS: usize = 32;

/// The outcome of something that others told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    New(CallId),
    /// It was told before, and nothing has changed.
    Known(CallId),
    /// The same id was used for something else.
    Conflict,
    /// Not only told before: the very same message.
    Replayed,
    NoSuchCall,
    /// One call takes no more news.
    TooMany,
}

impl Transaction<'_> {
    /// The exchange's own ticket, as later updates address it.
    pub(super) fn linked(&self, backend: &str, call: CallId, id: &str, url: Option<&str>, wall: Wall) -> rusqlite::Result<()> {
        let sql = "SELECT id FROM tickets WHERE backend = ?1 AND call = ?2";
        let before = self.db.prepare_cached(sql)?.query_row(params![backend, call.0.as_bytes()], |row| row.get(0)).optional()?;
        let before: Option<String> = before.flatten();
        let sql = "INSERT INTO tickets (backend, call, id, url) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET id = ?3, url = ?4, creating = NULL";
        self.db.prepare_cached(sql)?.execute(params![backend, call.0.as_bytes(), id, url])?;
        if before.as_deref() == Some(id) {
            return Ok(());
        }
        let (backend, id, url) = (backend.to_owned(), id.to_owned(), url.map(str::to_owned));
        if !self.note(call, &Update::Linked { backend, id, url, instead_of: before }, wall)? {
            tracing::error!(%call, "a ticket was linked, and no event tells it: the call has too many already");
        }
        Ok(())
    }

    /// Adds an amendment with its event; false when the call takes no more.
    fn note(&self, call: CallId, update: &Update, wall: Wall) -> rusqlite::Result<bool> {
        let sql =
            "SELECT (SELECT max(seq) FROM entries WHERE call = ?1), (SELECT max(sequence) FROM postscripts WHERE call = ?1)";
        let last = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<u32>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (entry, amendment) = self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], last)?;
        let Some(entry) = entry else { return Ok(false) };
        let record = Kind::Record.sequence(entry);
        let sequence = amendment.and_then(|last| u64::try_from(last).ok()).unwrap_or(0).max(record) + 1;
        if sequence >= record + EVENTS_AN_ENTRY - 1 {
            return Ok(false);
        }
        let text = payload::encode_update(self.sealer, call, sequence, update)?;
        let number = i64::try_from(sequence).unwrap_or(i64::MAX);
        let sum = text.sum(call.0.as_bytes(), number, wall.0, 0);
        if let Update::Tagged { backends, .. } = update {
            self.choose_for_subject(call, backends)?;
        }
        self.db
            .prepare_cached("INSERT INTO postscripts (call, sequence, wall, news, sum) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![call.0.as_bytes(), number, wall.0, text, sum])?;
        if !matches!(update, Update::Recorded(recorded) if recorded.is_purge()) {
            self.post(call, &[(sequence, update.kind())])?;
        }
        Ok(true)
    }

    /// Notes what became of a call's recording; it is told once, however often it is said.
    pub fn recorded(&self, call: CallId, recorded: &Recorded, wall: Wall) -> rusqlite::Result<Acceptance> {
        self.db.prepare_cached("UPDATE calls SET recording = 0 WHERE call = ?1")?.execute([call.0.as_bytes()])?;
        let update = Update::Recorded(recorded.clone());
        if update.is_known(&self.known(call)?) {
            return Ok(Acceptance::Known(call));
        }
        Ok(if self.note(call, &update, wall)? { Acceptance::New(call) } else { Acceptance::NoSuchCall })
    }

    /// A call that others took; the entry is the whole of it.
    pub fn report(&self, entry: &Entry) -> rusqlite::Result<Acceptance> {
        let What::Reported(reported) = &entry.what else { return Ok(Acceptance::Conflict) };
        let sql = "SELECT call FROM reports WHERE source = ?1 AND id = ?2";
        let known = |row: &rusqlite::Row<'_>| reader::call_id(row, 0);
        let known = self.db.prepare_cached(sql)?.query_row([&reported.source, &reported.report.id], known).optional()?;
        if let Some(call) = known {
            // One that was purged, or cannot be read now, is not taken again. The plan's word on it may be new.
            let same = |what| matches!(what, What::Reported(first) if first.report == reported.report);
            let same = self.first(call)?.is_none_or(same);
            return Ok(if same { Acceptance::Known(call) } else { Acceptance::Conflict });
        }
        self.db.prepare_cached("INSERT INTO reports (source, id, call) VALUES (?1, ?2, ?3)")?.execute(params![
            reported.source,
            reported.report.id,
            entry.call.0.as_bytes()
        ])?;
        self.append(entry)?;
        Ok(Acceptance::New(entry.call))
    }

    /// `heard`: now, by the clock of deliveries, which no jump of the machine's moves. `remember`: messages that arrived longer
    /// ago need not be told from new ones any more.
    pub fn called_back(&self, callback: &Callback, wall: Wall, heard: Wall, remember: Duration) -> rusqlite::Result<Acceptance> {
        let Callback { backend, id, seal, sent, call, updates } = callback;
        let before = heard.0.saturating_sub(i64::try_from(remember.as_micros()).unwrap_or(i64::MAX));
        self.db.prepare_cached("DELETE FROM callbacks WHERE at < ?1")?.execute([before])?;
        let sql = "SELECT sent FROM callbacks WHERE backend = ?1 AND id = ?2";
        let taken = |id: &String| self.db.prepare_cached(sql)?.query_row([backend, id], |row| row.get::<_, i64>(0)).optional();
        let seal = seal.as_ref().map(|seal| format!("{SEALED}{seal}"));
        let before = taken(id)?;
        if before != Some(sent.0) && seal.as_ref().map(taken).transpose()?.flatten().is_some() {
            return Ok(Acceptance::Replayed);
        }
        if let Some(before) = before {
            return Ok(if before == sent.0 { Acceptance::Replayed } else { Acceptance::Known(*call) });
        }
        if !self.db.prepare_cached("SELECT 1 FROM calls WHERE call = ?1")?.exists([call.0.as_bytes()])? {
            return Ok(Acceptance::NoSuchCall);
        }
        for id in [id].into_iter().chain(&seal) {
            self.db
                .prepare_cached("INSERT INTO callbacks (backend, id, sent, at) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![backend, id, sent.0, heard.0])?;
        }
        match self.told(*call, updates, wall)? {
            Acceptance::Known(call) => Ok(Acceptance::New(call)),
            taken => Ok(taken),
        }
    }

    /// Takes a call in progress, or one that has ended and was not purged yet.
    pub fn tagged(&self, tagging: &Tagging, wall: Wall) -> rusqlite::Result<Acceptance> {
        let Tagging { call, subjects, backends, by } = tagging.clone();
        if !self.db.prepare_cached("SELECT 1 FROM entries WHERE call = ?1")?.exists([call.0.as_bytes()])? {
            return Ok(Acceptance::NoSuchCall);
        }
        self.told(call, &[Update::Tagged { subjects, backends, by }], wall)
    }

    fn told(&self, call: CallId, updates: &[Update], wall: Wall) -> rusqlite::Result<Acceptance> {
        let mut taken = Acceptance::Known(call);
        for update in updates {
            let mut known = self.known(call)?;
            if update.is_known(&known) && self.has_all(call, update)? {
                continue;
            }
            amend(&mut known, &[Amendment { sequence: 0, wall, update: update.clone() }], &Zone::default());
            if known.subjects.len() > SUBJECTS || !self.note(call, update, wall)? {
                return Ok(Acceptance::TooMany);
            }
            taken = Acceptance::New(call);
        }
        Ok(taken)
    }

    /// The backends that a subject chooses get the call already, those that there are. A plan that has learned of a subject
    /// since is told by tagging it again.
    fn has_all(&self, call: CallId, update: &Update) -> rusqlite::Result<bool> {
        let Update::Tagged { backends, .. } = update else { return Ok(true) };
        let recipients = self.recipients(call)?;
        let mut chosen = self.outbox.backends.iter().filter(|backend| backends.contains(&backend.name));
        Ok(chosen.all(|backend| recipients.include(backend)))
    }

    /// An amendment that cannot be opened is left out, and may be told again.
    fn amendments(&self, call: CallId) -> rusqlite::Result<Vec<Amendment>> {
        Ok(reader::amendments(self.db, self.sealer, call, u64::MAX)?.unwrap_or_default())
    }

    /// Gathers what was told of a call so far, in a record that is otherwise empty.
    fn known(&self, call: CallId) -> rusqlite::Result<Record> {
        let mut record = Record::default();
        if let Some(What::Reported(reported)) = self.first(call)? {
            record.subjects = reported.report.subjects;
        }
        amend(&mut record, &self.amendments(call)?, &Zone::default());
        Ok(record)
    }
}
