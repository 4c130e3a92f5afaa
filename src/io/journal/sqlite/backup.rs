//! A whole copy of the journal while its gateway writes it, and the way back. A copy is made beside its place, read through,
//! and gets its name when it is known to be good; nothing is ever overwritten.

use super::identity::{self, Identity};
use super::mark::{self, Header, Mark};
use super::{BUSY, payload, seats, sync_folder, totals};
use crate::base::{Text, Wall};
use crate::io::journal::error::{Cause, Error};
use crate::io::journal::lock::Lock;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The content of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub calls: u64,
    pub entries: u64,
    /// When the last of it was written.
    pub at: Wall,
    /// This was missing of the original, and so it is of the copy.
    pub gap: Option<Text>,
    /// Where the journal is that stood in its place.
    pub aside: Option<PathBuf>,
}

/// Rows of a journal, counted in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    groups: u64,
    rows: [u64; COUNTED.len()],
}

const COUNTED: [&str; 8] = ["calls", "entries", "postscripts", "deliveries", "tickets", "feed", "seat_entries", "facts"];
/// Followers of the feed know numbers of after the backup, too: none of them is used again.
const FEED_AHEAD: i64 = 1_000_000;

/// Writes a copy of `journal`, which may be in use, to `to`, where nothing may stand yet.
pub fn backup(journal: &Path, to: &Path) -> Result<Copied, Error> {
    identity::must_be_ours(journal)?;
    if to.symlink_metadata().is_ok() {
        return Err(there_already(to));
    }
    let part = Part::make(to)?;
    let copied = part.copy(journal)?;
    // A link is never put over a file, as a new name might be.
    fs::hard_link(&part.0, to).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => there_already(to),
        _ => unwritable(to, &e),
    })?;
    drop(part);
    sync_folder(to).map_err(|e| unwritable(to, &e))?;
    Ok(copied)
}

/// Puts a copy in the place of `journal`, which no gateway may hold; a journal that stands there is set aside where `instead`
/// says so.
pub fn restore(from: &Path, journal: &Path, instead: bool) -> Result<Copied, Error> {
    let _lock = Lock::take(journal, None)?;
    match identity::look(from)? {
        Identity::Ours(_) => {}
        Identity::Absent => {
            let remedy =
                both!("name a file that `hotline records backup` has made", "请指明由 `hotline records backup` 制作的文件");
            return Err(Error::new(Cause::Wrong, from, both!("there is none", "没有这个文件"), remedy));
        }
        Identity::Damaged(what) => return Err(useless(from, what)),
    }
    let there = [journal.to_owned(), mark::log_of(journal)].iter().any(|file| file.symlink_metadata().is_ok());
    if there && !instead {
        let what = both!("there is a journal already", "已有日志数据库");
        let remedy = both!("`--replace` sets it aside, and deletes nothing", "`--replace` 会将其移到一旁，不删除任何内容");
        return Err(Error::new(Cause::Wrong, journal, what, remedy));
    }
    let part = Part::make(journal)?;
    let mut copied = part.copy(from)?;
    part.renew().map_err(|e| Error::sqlite(journal, e))?;
    let failed = |e| unwritable(journal, &e);
    let aside = aside_of(journal, "replaced").map_err(failed)?;
    copied.aside = set_aside(journal, &aside).map_err(failed)?.then_some(aside);
    fs::rename(&part.0, journal).and_then(|()| sync_folder(journal)).map_err(failed)?;
    Ok(copied)
}

/// A name beside the journal's that nothing has yet.
pub fn aside_of(journal: &Path, why: &str) -> std::io::Result<PathBuf> {
    let seconds = crate::io::clock::now().wall.0 / 1_000_000;
    let name = |n: u32| {
        let mut name = journal.as_os_str().to_owned();
        name.push(format!(".{why}-{seconds}-{n}"));
        PathBuf::from(name)
    };
    let taken = |aside: &PathBuf| aside.symlink_metadata().is_ok() || mark::log_of(aside).symlink_metadata().is_ok();
    (1..).map(name).find(|aside| !taken(aside)).ok_or(ErrorKind::AlreadyExists.into())
}

/// Gives the journal and what belongs to it this name; false where there is nothing.
pub fn set_aside(journal: &Path, aside: &Path) -> std::io::Result<bool> {
    let (log, own_mark) = (mark::log_of(journal), Mark::beside(journal));
    let away = |from: &Path, to: &Path| match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true),
    };
    // First the log: without it the file is read as if it were whole.
    let moved = [away(&log, &mark::log_of(aside))?, away(&own_mark, &Mark::beside(aside))?, away(journal, aside)?];
    let mut index = journal.as_os_str().to_owned();
    index.push("-shm");
    let _ = fs::remove_file(index);
    Ok(moved.contains(&true))
}

/// A file that is not done; it goes with what failed.
struct Part(PathBuf);

impl Part {
    fn make(beside: &Path) -> Result<Part, Error> {
        let mut name = beside.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let made = File::options().write(true).create_new(true).mode(0o600).open(&part);
        made.map(|_| Part(part.clone())).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => there_already(&part),
            _ => unwritable(&part, &e),
        })
    }

    /// The state of one moment, however much is written meanwhile; then it is read through.
    fn copy(&self, from: &Path) -> Result<Copied, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let db = Connection::open_with_flags(from, flags)?;
            db.busy_timeout(BUSY)?;
            Ok(db)
        };
        let db = open().map_err(|e| Error::sqlite(from, e))?;
        let gap = mark::gap(from, &db, false)?;
        let count = || Counts::of(&db).map_err(|e| Error::sqlite(from, e));
        let before = count()?;
        let name = self.0.to_string_lossy().into_owned();
        db.execute("VACUUM INTO ?1", [&name]).map_err(|e| Error::sqlite(&self.0, e))?;
        let after = count()?;
        let copy = Connection::open(&self.0).map_err(|e| Error::sqlite(&self.0, e))?;
        let copied = Counts::of(&copy).map_err(|e| Error::sqlite(&self.0, e))?;
        if !copied.lies_between(&before, &after) {
            return Err(useless(&self.0, both!("the copy has not what the original has", "副本与原文件内容不一致")));
        }
        let at = self.finish(&copy)?;
        Ok(Copied { calls: copied.rows[0], entries: copied.rows[1], at, gap, aside: None })
    }

    /// Judges it, and marks it as one that no gateway holds.
    fn finish(&self, copy: &Connection) -> Result<Wall, Error> {
        let sqlite = |e| Error::sqlite(&self.0, e);
        let said = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)).map_err(sqlite)?;
        if said != "ok" {
            return Err(useless(&self.0, both!("it is damaged: {said}", "已损坏：{said}")));
        }
        if let Some(what) = payload::first_damaged(copy).map_err(sqlite)? {
            return Err(useless(&self.0, what));
        }
        let version = copy.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).map_err(sqlite)?;
        let unlike = if version < 9 { Vec::new() } else { totals::unlike(copy).map_err(sqlite)? };
        if !unlike.is_empty() {
            return Err(useless(&self.0, totals::told(&unlike)));
        }
        let header = Header::read(copy).map_err(sqlite)?;
        if header.is_some() {
            copy.execute("UPDATE header SET held = 0", []).map_err(sqlite)?;
        }
        File::options().write(true).open(&self.0).and_then(|file| file.sync_all()).map_err(|e| unwritable(&self.0, &e))?;
        Ok(header.map_or(Wall(0), |header| header.at))
    }

    /// It becomes a journal of its own: marks of the one before say nothing about it.
    fn renew(&self) -> rusqlite::Result<()> {
        let copy = Connection::open(&self.0)?;
        if Header::read(&copy)?.is_some() {
            copy.execute("UPDATE header SET id = randomblob(16)", [])?;
            Header::renew(&copy)?;
        }
        copy.execute("UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'feed'", [FEED_AHEAD])?;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let mut log = self.0.as_os_str().to_owned();
        log.push("-journal");
        let _ = fs::remove_file(log);
    }
}

impl Counts {
    /// In one transaction.
    fn of(db: &Connection) -> rusqlite::Result<Counts> {
        let version = db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
        // A file of an older release has not all of them.
        let there = |table: &str| version >= 11 || !seats::TABLES.contains(&table);
        let counted = |table: &str| if there(table) { format!("(SELECT count(*) FROM {table})") } else { "0".to_owned() };
        let tables: Vec<String> = COUNTED.into_iter().map(counted).collect();
        let groups = match Header::read(db)? {
            Some(_) => "(SELECT groups FROM header)",
            None => "0",
        };
        let count = |row: &rusqlite::Row<'_>, n: usize| row.get::<_, i64>(n).map(|n| u64::try_from(n).unwrap_or(0));
        db.query_row(&format!("SELECT {groups}, {}", tables.join(", ")), [], |row| {
            let mut rows = [0; COUNTED.len()];
            for (n, rows) in rows.iter_mut().enumerate() {
                *rows = count(row, n + 1)?;
            }
            Ok(Counts { groups: count(row, 0)?, rows })
        })
    }

    /// Where nothing was written meanwhile, it is the same; calls are never deleted.
    fn lies_between(&self, before: &Counts, after: &Counts) -> bool {
        let range = |of: fn(&Counts) -> u64| (of(before)..=of(after)).contains(&of(self));
        range(|counts| counts.groups)
            && range(|counts| counts.rows[0])
            && (before.groups < after.groups || before.rows == self.rows || before.rows != after.rows)
    }
}

fn there_already(path: &Path) -> Error {
    let remedy = both!("move it away or name another one: no file is overwritten", "请移走它，或换一个文件名：不会覆盖任何文件");
    Error::new(Cause::Wrong, path, both!("there is such a file already", "已有同名文件"), remedy)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    let what = both!("cannot be written: ", "无法写入：").then(&crate::io::process::files::told(error));
    Error::new(Cause::Wrong, path, what, both!("name another place, or make room there", "请换一个位置，或腾出空间"))
}

fn useless(path: &Path, what: Text) -> Error {
    let remedy = both!("nothing was changed: use another backup", "未做任何更改：请使用其他备份");
    Error::new(Cause::Wrong, path, what, remedy)
}
