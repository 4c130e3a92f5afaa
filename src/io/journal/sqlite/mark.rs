//! How far the journal had got, in a small file beside it that is written after each group: what is missing of the journal,
//! or of its log, shows by it. Nothing waits for it to reach the disk, so it is never ahead of what was synced.

use crate::base::{Text, Wall};
use crate::io::journal::error::Error;
use crate::io::journal::lock::Lock;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rusqlite::{Connection, OptionalExtension};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LENGTH: usize = 95;

/// The journal's header, which the mark repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub id: [u8; 16],
    /// Groups of entries that were written.
    pub groups: u64,
    /// When the last one was.
    pub at: Wall,
    /// The clock of deliveries then.
    pub clock: Wall,
    /// A gateway has it open, or died with it.
    pub held: bool,
    /// It is as it was written.
    pub whole: bool,
}

impl Header {
    /// None: a file of an older release.
    pub fn read(db: &Connection) -> rusqlite::Result<Option<Header>> {
        let version = db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
        if version < 8 {
            return Ok(None);
        }
        let header = |row: &rusqlite::Row<'_>| {
            let mut header = Header {
                id: row.get(0)?,
                groups: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                at: Wall(row.get(2)?),
                clock: Wall(row.get(3)?),
                held: row.get(4)?,
                whole: true,
            };
            header.whole = row.get::<_, Option<i64>>(5)?.is_none_or(|sum| sum == header.sum());
            Ok(header)
        };
        let sum = if version < 9 { "NULL" } else { "sum" };
        db.query_row(&format!("SELECT id, groups, at, clock, held, {sum} FROM header"), [], header).optional()
    }

    /// The checksum that stands beside it.
    pub fn sum(&self) -> i64 {
        let [groups, at, clock] = [self.groups, self.at.0 as u64, self.clock.0 as u64].map(u64::to_be_bytes);
        i64::from(super::checksum::of(&[&self.id, &groups, &at, &clock]))
    }

    /// It was changed by hand.
    pub fn renew(db: &Connection) -> rusqlite::Result<()> {
        let Some(header) = Header::read(db)? else { return Ok(()) };
        db.execute("UPDATE header SET sum = ?1", [header.sum()]).map(drop)
    }

    fn line(&self) -> String {
        let id = HEXLOWER.encode(&self.id);
        let told = format!("{id} {} {}", self.groups, self.at.0);
        format!("{told:<85} {:08x}\n", super::checksum::of(&[told.as_bytes()]))
    }

    fn parse(line: &str) -> Option<Header> {
        let (told, sum) = line.trim_end().rsplit_once(' ')?;
        let told = told.trim_end();
        if format!("{:08x}", super::checksum::of(&[told.as_bytes()])) != sum {
            return None;
        }
        let mut words = told.split(' ');
        let id = HEXLOWER_PERMISSIVE.decode(words.next()?.as_bytes()).ok()?;
        let (groups, at) = (words.next()?.parse().ok()?, Wall(words.next()?.parse().ok()?));
        Some(Header { id: id.try_into().ok()?, groups, at, clock: Wall(0), held: false, whole: true })
    }
}

pub struct Mark(File);

impl Mark {
    pub fn beside(journal: &Path) -> PathBuf {
        journal.with_extension("mark")
    }

    pub fn open(journal: &Path) -> io::Result<Mark> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(Mark::beside(journal))?;
        file.set_len(LENGTH as u64)?;
        Ok(Mark(file))
    }

    pub fn write(&self, header: &Header) -> io::Result<()> {
        self.0.write_all_at(header.line().as_bytes(), 0)
    }

    /// None where there is none, or none that can be believed.
    pub fn read(journal: &Path) -> Option<Header> {
        Header::parse(&crate::io::process::files::text(&Mark::beside(journal), 4096).ok()?)
    }
}

/// Tells what is missing of a journal that can be read otherwise. `mine`: it is this process that holds it.
pub fn gap(path: &Path, db: &Connection, mine: bool) -> Result<Option<Text>, Error> {
    let sqlite = |e| Error::sqlite(path, e);
    let Some(header) = Header::read(db).map_err(sqlite)? else { return Ok(None) };
    if !header.whole {
        return Ok(Some(both!("its header is damaged", "文件头记录已损坏")));
    }
    let mark = Mark::read(path);
    if mark.as_ref().is_some_and(|mark| mark.id != header.id) && header.held {
        return Ok(Some(both!("its log (-wal) is of another journal", "其日志文件（-wal）属于另一个日志数据库")));
    }
    match mark.filter(|mark| mark.id == header.id) {
        Some(mark) if mark.groups > header.groups => {
            let (count, from, to) = (mark.groups - header.groups, time(header.at), time(mark.at));
            Ok(Some(both!(
                "its last {count} groups of entries are missing, written between {from} and {to}: its log (-wal) is damaged, gone or of another time",
                "缺少最后 {count} 组记录（写于 {from} 至 {to}）：其日志文件（-wal）已损坏、丢失或不属于此时"
            )))
        }
        Some(_) => Ok(None),
        None if header.held && !has_log(path) && (mine || !Lock::is_taken(path)) => {
            let calls: i64 = db.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).map_err(sqlite)?;
            let at = time(header.at);
            Ok(Some(both!(
                "it was copied without its log (-wal) while a gateway was writing it: it has {calls} calls and nothing after {at}; `hotline records backup` makes a whole copy",
                "它是在网关写入期间复制的，且没有带上日志文件（-wal）：只有 {calls} 路通话，{at} 之后的内容缺失；请用 `hotline records backup` 制作完整副本"
            )))
        }
        None => Ok(None),
    }
}

/// As SQLite names it.
pub fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn has_log(path: &Path) -> bool {
    std::fs::metadata(log_of(path)).is_ok_and(|about| about.len() > 0)
}

/// As people read it.
pub fn time(at: Wall) -> String {
    match at {
        Wall(0) => "the beginning".to_owned(),
        at => jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.0}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_was_written_halfway_is_not_believed() {
        let header =
            Header { id: [0xab; 16], groups: 42, at: Wall(1_700_000_000_000_000), clock: Wall(0), held: false, whole: true };
        let line = header.line();
        assert_eq!((line.len() <= LENGTH, Header::parse(&line)), (true, Some(header)));
        for at in 0..line.len() - 1 {
            let mut broken = line.clone().into_bytes();
            broken[at] ^= 1;
            let broken = String::from_utf8(broken).unwrap();
            assert!(Header::parse(&broken).is_none_or(|read| Some(read) == Header::parse(&line)), "{at}: {broken}");
        }
        assert_eq!(Header::parse(""), None);
    }
}
