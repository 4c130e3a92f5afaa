//! The text of an entry or an amendment as the file has it: plain, or sealed bytes where the configuration names a key.

use super::{Store, Transaction};
use crate::base::{CallId, Text};
use crate::event::What;
use crate::io::journal::error::{Cause, Error};
use crate::record::amendment::Update;
use crate::record::codec::{self, Unreadable};
use crate::record::seal::{self, Sealer, Unopened};
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The text whose sealed form stands in `seals`: with a wrong key it does not open.
const SAMPLE: &str = "sample";
const NOBODY: CallId = CallId(Uuid::nil());

pub struct Payload(Value);

impl Payload {
    /// The checksum of the row that it stands in.
    pub fn sum(&self, call: &[u8], number: i64, wall: i64, mono: i64) -> i64 {
        sum_of(call, [number, wall, mono], ValueRef::from(&self.0))
    }
}

pub fn sum_of(call: &[u8], numbers: [i64; 3], what: ValueRef<'_>) -> i64 {
    // One bit makes sealed bytes of a text, so the kind counts too.
    let (kind, what): (u8, &[u8]) = match what {
        ValueRef::Text(text) => (b't', text),
        ValueRef::Blob(bytes) => (b'b', bytes),
        _ => (b'n', &[]),
    };
    let [a, b, c] = numbers.map(i64::to_be_bytes);
    i64::from(super::checksum::of(&[call, &a, &b, &c, &[kind], what]))
}

/// Rows of an older release have no checksum.
pub fn is_whole(call: &[u8], numbers: [i64; 3], what: ValueRef<'_>, sum: Option<i64>) -> bool {
    sum.is_none_or(|sum| sum == sum_of(call, numbers, what))
}

impl ToSql for Payload {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

/// Why an entry cannot be had.
#[derive(Debug)]
pub enum Lost {
    /// A key is missing: the entry is there, and another try may have it.
    Sealed(Unopened),
    Unreadable(Unreadable),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Sealed(why) => why.fmt(f),
            Lost::Unreadable(why) => why.fmt(f),
        }
    }
}

pub fn encode(sealer: &Sealer, call: CallId, seq: u32, what: &What) -> rusqlite::Result<Payload> {
    closed(sealer, call, seq, codec::encode(what).map_err(unwritable)?)
}

pub fn encode_update(sealer: &Sealer, call: CallId, sequence: u64, update: &Update) -> rusqlite::Result<Payload> {
    closed(sealer, call, beside(sequence), serde_json::to_string(update).map_err(unwritable)?)
}

/// None: it is none of this release's.
pub fn decode_update(sealer: &Sealer, call: CallId, sequence: u64, stored: ValueRef<'_>) -> Result<Option<Update>, Unopened> {
    let text = match stored {
        ValueRef::Blob(sealed) => sealer.open(call, beside(sequence), sealed)?,
        stored => stored.as_str().unwrap_or_default().to_owned(),
    };
    Ok(serde_json::from_str(&text).ok())
}

/// An amendment's place, which is none of an entry's.
fn beside(sequence: u64) -> u32 {
    u32::try_from(sequence).unwrap_or(u32::MAX) | 1 << 31
}

fn closed(sealer: &Sealer, call: CallId, seq: u32, text: String) -> rusqlite::Result<Payload> {
    sealed_at(sealer, &seal::place(call, seq), text)
}

pub fn decode(sealer: &Sealer, call: CallId, seq: u32, stored: ValueRef<'_>) -> Result<What, Lost> {
    match stored {
        ValueRef::Blob(sealed) => {
            let text = sealer.open(call, seq, sealed).map_err(Lost::Sealed)?;
            codec::decode(&text).map_err(Lost::Unreadable)
        }
        stored => codec::decode(stored.as_str().unwrap_or_default()).map_err(Lost::Unreadable),
    }
}

/// The text of a row that belongs to no call, sealed for its place.
pub fn sealed_at(sealer: &Sealer, place: &[u8], text: String) -> rusqlite::Result<Payload> {
    if sealer.current().is_none() {
        return Ok(Payload(Value::Text(text)));
    }
    let sealed = sealer.seal_at(place, nonce()?, &text);
    sealed.map(|bytes| Payload(Value::Blob(bytes))).ok_or_else(|| unwritable(Unopened::Form))
}

pub fn opened_at(sealer: &Sealer, place: &[u8], stored: ValueRef<'_>) -> Result<String, Unopened> {
    match stored {
        ValueRef::Blob(sealed) => sealer.open_at(place, sealed),
        stored => Ok(stored.as_str().unwrap_or_default().to_owned()),
    }
}

fn nonce() -> rusqlite::Result<[u8; 24]> {
    let mut nonce = [0; 24];
    SystemRandom::new().fill(&mut nonce).map_err(|_| unwritable(std::fmt::Error))?;
    Ok(nonce)
}

pub(super) fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

impl Store {
    /// From now on entries are sealed as the configuration has it. Refuses a key that is not the one of its name.
    pub fn sealing(mut self, sealer: Arc<Sealer>) -> Result<Store, Error> {
        self.sealer = sealer;
        let samples = self.samples().map_err(|e| Error::sqlite(&self.path, e))?;
        for (name, sealed) in samples.iter().filter(|(name, _)| self.sealer.has(name)) {
            if self.sealer.open(NOBODY, 0, sealed).is_err() {
                let what = both!(
                    "`{name}` of [records.keys] is not the key that its entries were sealed with",
                    "[records.keys] 中的 `{name}` 不是加密这些记录的密钥"
                );
                let remedy =
                    both!("put the right one there, or give the new one another name", "请放入正确的密钥，或给新密钥另起名称");
                return Err(Error::new(Cause::Wrong, &self.path, what, remedy));
            }
        }
        for (name, _) in samples.iter().filter(|(name, _)| !self.sealer.has(name)) {
            tracing::warn!(key = name, "entries that were sealed with this key cannot be read: it is not in [records.keys]");
        }
        if let Some(name) = self.sealer.current().filter(|current| samples.iter().all(|(name, _)| name != current)) {
            let (sealer, name) = (self.sealer.clone(), name.to_owned());
            self.transaction(|tx| add_sample(tx.db, &sealer, &name))?;
        }
        Ok(self)
    }

    fn samples(&self) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
        let mut samples = self.db.prepare("SELECT key, sample FROM seals")?;
        samples.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

fn add_sample(db: &Connection, sealer: &Sealer, name: &str) -> rusqlite::Result<()> {
    let sample = sealer.seal(NOBODY, 0, nonce()?, SAMPLE);
    db.execute("INSERT OR IGNORE INTO seals (key, sample) VALUES (?1, ?2)", params![name, sample]).map(drop)
}

impl Transaction<'_> {
    /// Enters the hash by which the caller's calls are found, where there is a key for it.
    pub(super) fn index(&self, call: CallId, what: &What) -> rusqlite::Result<()> {
        let caller = match what {
            What::Offered(offered) => offered.caller.as_deref(),
            What::Reported(reported) => reported.caller.as_deref().or(reported.report.caller.as_deref()),
            _ => None,
        };
        let Some(hash) = caller.and_then(|caller| self.sealer.hash(caller)) else { return Ok(()) };
        let sql = "INSERT OR IGNORE INTO callers (hash, call) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![hash, call.0.as_bytes()]).map(drop)
    }

    /// The first entry of a call, if it can be read.
    pub(super) fn first(&self, call: CallId) -> rusqlite::Result<Option<What>> {
        let sql = "SELECT what FROM entries WHERE call = ?1 AND seq = 1";
        let what = |row: &rusqlite::Row<'_>| Ok(decode(self.sealer, call, 1, row.get_ref(0)?).ok());
        let found = self.db.prepare_cached(sql)?.query_row([call.0.as_bytes()], what).optional()?;
        Ok(found.flatten())
    }

    /// All entries of a call by their numbers; none for what cannot be read.
    pub(super) fn entries(&self, call: CallId) -> rusqlite::Result<Vec<(u32, Option<What>)>> {
        let sql = "SELECT seq, what FROM entries WHERE call = ?1 ORDER BY seq";
        let mut entries = self.db.prepare_cached(sql)?;
        let entry = |row: &rusqlite::Row<'_>| {
            let seq = row.get(0)?;
            Ok((seq, decode(self.sealer, call, seq, row.get_ref(1)?).ok()))
        };
        entries.query_map([call.0.as_bytes()], entry)?.collect()
    }
}

/// The first row whose checksum does not fit. A file of an older release has none.
pub fn first_damaged(db: &Connection) -> rusqlite::Result<Option<Text>> {
    if db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? < 8 {
        return Ok(None);
    }
    for sql in [
        "SELECT call, seq, wall, mono, what, sum FROM entries WHERE sum IS NOT NULL",
        "SELECT call, sequence, wall, 0, news, sum FROM postscripts WHERE sum IS NOT NULL",
    ] {
        let mut all = db.prepare(sql)?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (call, numbers) = (row.get_ref(0)?.as_blob().unwrap_or_default(), [row.get(1)?, row.get(2)?, row.get(3)?]);
            if !is_whole(call, numbers, row.get_ref(4)?, row.get(5)?) {
                let (call, number) = (Uuid::from_slice(call).unwrap_or_default(), numbers[0]);
                return Ok(Some(both!("entry {number} of call {call} is damaged", "通话 {call} 的第 {number} 条记录已损坏")));
            }
        }
    }
    Ok(None)
}
