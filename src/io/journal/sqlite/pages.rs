//! A database's rows as they lie on the disk (SQLite's file format §1 and §4), read without its trees: of a file that is
//! damaged in some places, all that stands in the others. Checksums tell later which rows are good.

use super::mark::log_of;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// As SQLite makes them where nobody says otherwise.
const PAGE: usize = 4096;
const FRAME_HEAD: usize = 24;
const LOG_HEAD: u64 = 32;
/// Kinds of pages that have rows: leaves and inner pages of tables that are their own index, leaves of others.
const INDEX_LEAF: u8 = 10;
const INDEX_INNER: u8 = 2;
const TABLE_LEAF: u8 = 13;
/// Limits the bits that may be flipped in a salt of 64.
const FEW_BITS: u32 = 6;
/// A row is never longer.
const MAX_ROW: usize = 1 << 20;

pub struct Pages {
    file: Option<File>,
    count: u32,
    log: Option<File>,
    /// Where a page stands in the log, the newest last, each with whether its checksum fits.
    frames: BTreeMap<u32, Vec<(u64, bool)>>,
}

impl Pages {
    pub fn open(path: &Path) -> io::Result<Pages> {
        let there = |path: &Path| match File::options().read(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => file.map(Some),
        };
        let (file, log) = (there(path)?, there(&log_of(path))?);
        let length = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|about| about.len()))?;
        let count = u32::try_from(length / PAGE as u64).unwrap_or(u32::MAX);
        let mut pages = Pages { file, count, log, frames: BTreeMap::new() };
        pages.read_log()?;
        Ok(pages)
    }

    /// Each row, by its page: the newest of a page; of one that is broken, those before it too, until one is not.
    pub fn rows(&self, mut found: impl FnMut(Vec<Value>)) {
        let last = self.frames.last_key_value().map_or(0, |(page, _)| *page).max(self.count);
        for number in 1..=last {
            for page in self.versions(number) {
                self.rows_of(&page, &mut found);
            }
        }
    }

    fn versions(&self, number: u32) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for (at, good) in self.frames.get(&number).into_iter().flatten().rev() {
            all.extend(read(self.log.as_ref(), *at));
            if *good {
                return all;
            }
        }
        all.extend(read(self.file.as_ref(), (u64::from(number) - 1) * PAGE as u64));
        all
    }

    /// Up to the last commit. Sound pages after it were never said to be written; where one is broken it may have been the
    /// commit, so they are taken.
    fn read_log(&mut self) -> io::Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let mut head = [0; LOG_HEAD as usize];
        if log.read_exact_at(&mut head, 0).is_err() {
            return Ok(());
        }
        let little = head[3] & 1 == 0;
        let (salt, mut sum) = (head[16..24].to_vec(), (be(&head, 24), be(&head, 28)));
        let (mut at, mut frame, mut since, mut kept) = (LOG_HEAD, vec![0; FRAME_HEAD + PAGE], Vec::new(), Vec::new());
        while log.read_exact_at(&mut frame, at).is_ok() {
            let stored = (be(&frame, 16), be(&frame, 20));
            let counted = add(add(sum, &frame[..8], little), &frame[FRAME_HEAD..], little);
            let good = counted == stored && frame[8..16] == salt;
            // Frames of an earlier log, which stand behind the end of this one, have a salt that is wholly another.
            let ours = unlike(&frame[8..16], &salt) <= FEW_BITS;
            if ours {
                since.push((be(&frame, 0), at + FRAME_HEAD as u64, good));
            }
            if ours && be(&frame, 4) > 0 {
                kept.append(&mut since);
            }
            // After a broken one the next is judged by what was written, as its writer did.
            (sum, at) = (stored, at + frame.len() as u64);
        }
        if since.iter().any(|(_, _, good)| !good) {
            kept.append(&mut since);
        }
        for (page, at, good) in kept {
            self.frames.entry(page).or_default().push((at, good));
        }
        Ok(())
    }

    fn rows_of(&self, page: &[u8], found: &mut impl FnMut(Vec<Value>)) {
        let cells = usize::from(u16::from_be_bytes([page[3], page[4]]));
        let kind = page[0];
        let (head, skip) = match kind {
            INDEX_LEAF | TABLE_LEAF => (8, 0),
            INDEX_INNER => (12, 4),
            _ => return,
        };
        for n in 0..cells {
            let at = head + 2 * n;
            let Some(pointer) = page.get(at..at + 2) else { return };
            let start = usize::from(u16::from_be_bytes([pointer[0], pointer[1]])) + skip;
            let cell = self.cell(page, start, kind == TABLE_LEAF);
            if let Some((mut row, id)) = cell.and_then(|(payload, id)| Some((record(&payload)?, id))) {
                // A number that is its row's own name is not written twice.
                if let (Some(first @ Value::Null), Some(id)) = (row.first_mut(), id) {
                    *first = Value::Integer(id);
                }
                found(row);
            }
        }
    }

    /// A cell's payload, with what of it is on pages of its own; and its row's number.
    fn cell(&self, page: &[u8], start: usize, table: bool) -> Option<(Vec<u8>, Option<i64>)> {
        let mut cell = page.get(start..)?;
        let length = usize::try_from(varint(&mut cell)?).ok().filter(|length| *length <= MAX_ROW)?;
        let id = if table { Some(varint(&mut cell)? as i64) } else { None };
        let most = if table { PAGE - 35 } else { (PAGE - 12) * 64 / 255 - 23 };
        if length <= most {
            return Some((cell.get(..length)?.to_vec(), id));
        }
        let least = (PAGE - 12) * 32 / 255 - 23;
        let spilt = least + (length - least) % (PAGE - 4);
        let here = if spilt <= most { spilt } else { least };
        let mut payload = cell.get(..here)?.to_vec();
        let mut next = be(cell.get(here..here + 4)?, 0);
        while payload.len() < length {
            let more = self.versions(next.max(1)).into_iter().next().filter(|_| next > 0)?;
            let part = (length - payload.len()).min(PAGE - 4);
            payload.extend_from_slice(more.get(4..4 + part)?);
            next = be(&more, 0);
        }
        Some((payload, id))
    }
}

fn read(file: Option<&File>, at: u64) -> Option<Vec<u8>> {
    let mut page = vec![0; PAGE];
    file?.read_exact_at(&mut page, at).ok().map(|()| page)
}

fn be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// SQLite's file format §4.2.
fn add(sum: (u32, u32), bytes: &[u8], little: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| if little { be(bytes, 0).swap_bytes() } else { be(bytes, 0) };
    bytes.chunks_exact(8).fold(sum, |(a, b), pair| {
        let a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        (a, b.wrapping_add(word(&pair[4..])).wrapping_add(a))
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for n in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if n == 8 {
            return Some(value << 8 | u64::from(*byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

/// The values of a record, none where it is none.
fn record(payload: &[u8]) -> Option<Vec<Value>> {
    let mut head = payload;
    let length = usize::try_from(varint(&mut head)?).ok()?;
    let read = payload.len() - head.len();
    let (mut head, mut body) = (head.get(..length.checked_sub(read)?)?, payload.get(length..)?);
    let mut row = Vec::new();
    while !head.is_empty() {
        let (value, size) = value(varint(&mut head)?, body)?;
        row.push(value);
        body = &body[size..];
    }
    body.is_empty().then_some(row)
}

fn value(kind: u64, body: &[u8]) -> Option<(Value, usize)> {
    let integer = |size: usize| {
        let bytes = body.get(..size)?;
        let sign = if bytes[0] & 0x80 > 0 { -1 } else { 0 };
        Some((Value::Integer(bytes.iter().fold(sign, |all, byte| all << 8 | i64::from(*byte))), size))
    };
    match kind {
        0 => Some((Value::Null, 0)),
        1..=4 => integer(kind as usize),
        5 => integer(6),
        6 => integer(8),
        8 | 9 => Some((Value::Integer(kind as i64 - 8), 0)),
        12.. => {
            let size = usize::try_from((kind - 12) / 2).ok()?;
            let bytes = body.get(..size)?.to_vec();
            let value = if kind.is_multiple_of(2) {
                Value::Blob(bytes)
            } else {
                Value::Text(String::from_utf8_lossy(&bytes).into_owned())
            };
            Some((value, size))
        }
        _ => None,
    }
}

fn unlike(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}
