//! Tells whether a file is a journal of ours, before anything is done with it.

use super::mark::{self, Mark};
use super::migrations::{APPLICATION, SCHEMA};
use crate::base::Text;
use crate::io::journal::error::{Cause, Error, another_kind};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// SQLite's file format §1.3.
const HEAD: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// There is none.
    Absent,
    /// A journal of this version.
    Ours(i64),
    /// It was one, or should be.
    Damaged(Text),
}

/// Refuses what is another program's, or a later release's.
pub fn look(path: &Path) -> Result<Identity, Error> {
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(gone(path)),
        about => about.map_err(|e| unreadable(path, &e))?,
    };
    if !about.is_file() {
        return Err(foreign(path, both!("it is no file", "它不是文件")));
    }
    let mut head = [0; HEAD];
    if about.len() == 0 {
        return Ok(Identity::Damaged(both!("it is empty", "文件为空")));
    }
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut head[..HEAD.min(about.len() as usize)], 0));
    read.map_err(|e| unreadable(path, &e))?;
    match head_of(&head, about.len(), &mark::log_of(path)) {
        Head::Good => tables(path),
        Head::Short(whole) => {
            let size = about.len();
            Ok(Identity::Damaged(both!(
                "it is cut off: {size} of {whole} bytes",
                "文件不完整：共 {whole} 字节，只有 {size} 字节"
            )))
        }
        // Where we have written before, it is ours and broken.
        Head::Foreign if Mark::read(path).is_some() => {
            Ok(Identity::Damaged(both!("its first bytes are damaged", "文件开头已损坏")))
        }
        Head::Foreign => Err(foreign(path, both!("file is not a database of ours", "不是本系统的数据库文件"))),
    }
}

fn gone(path: &Path) -> Identity {
    match Mark::read(path) {
        Some(mark) if mark.groups > 0 => {
            let at = mark::time(mark.at);
            Identity::Damaged(both!("it is gone; it was written last at {at}", "文件已丢失，最后写入于 {at}"))
        }
        _ => Identity::Absent,
    }
}

enum Head {
    Good,
    Foreign,
    /// Length that it should have.
    Short(u64),
}

fn head_of(head: &[u8; HEAD], size: u64, log: &Path) -> Head {
    let number = |at: usize| u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let application = number(68) as i64;
    if !head.starts_with(MAGIC) || ![0, APPLICATION].contains(&application) {
        return Head::Foreign;
    }
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        page => page,
    };
    // Pages that the log still has may be missing here.
    let logged = fs::metadata(log).is_ok_and(|about| about.len() > 0);
    let whole = page * number(28);
    if whole > size && !logged { Head::Short(whole) } else { Head::Good }
}

/// By what the file and its log say together.
fn tables(path: &Path) -> Result<Identity, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ask = || {
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(super::BUSY)?;
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let named = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('calls', 'entries', 'deliveries')";
        let all = "SELECT count(*) FROM sqlite_master";
        Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?, number(named)? == 3, number(all)? == 0))
    };
    let (application, version, named, empty) = match ask() {
        Ok(told) => told,
        Err(error) => {
            let trouble = Error::sqlite(path, error);
            return if trouble.is_damage() { Ok(Identity::Damaged(trouble.what)) } else { Err(trouble) };
        }
    };
    match version {
        _ if empty => Ok(Identity::Damaged(both!("it holds no tables", "其中没有任何数据表"))),
        _ if application != APPLICATION && !named => {
            Err(foreign(path, both!("it is the database of another program", "它是其他程序的数据库")))
        }
        version if version > SCHEMA => Err(newer(path, version)),
        1.. if named => Ok(Identity::Ours(version)),
        _ => Ok(Identity::Damaged(both!("tables of it are missing", "缺少数据表"))),
    }
}

fn newer(path: &Path, version: i64) -> Error {
    let what =
        both!("it has version {version} and this release reads up to {SCHEMA}", "其版本为 {version}，本版程序最高支持 {SCHEMA}");
    let remedy = both!("use the release that wrote it, or name another path", "请使用写入它的版本，或换一个路径");
    Error::new(Cause::Wrong, path, what, remedy)
}

/// For who only reads: a whole journal of this release, or why not.
pub fn must_be_ours(path: &Path) -> Result<(), Error> {
    match look(path)? {
        Identity::Ours(SCHEMA) => Ok(()),
        Identity::Ours(version) => {
            let what =
                both!("it has version {version} and this release reads {SCHEMA}", "其版本为 {version}，本版程序读取 {SCHEMA}");
            Err(Error::new(
                Cause::Wrong,
                path,
                what,
                both!("start the gateway once, which brings it up", "请启动一次网关，由其升级"),
            ))
        }
        Identity::Absent => {
            let remedy = both!("name the file that the gateway writes", "请指明网关写入的文件");
            Err(Error::new(Cause::Wrong, path, both!("there is none", "没有这个文件"), remedy))
        }
        Identity::Damaged(what) => Err(Error::damaged(path, what)),
    }
}

fn foreign(path: &Path, what: Text) -> Error {
    Error::new(Cause::Wrong, path, what, another_kind())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let remedy = both!("let the user that runs this program read it", "请让运行本程序的用户可读该文件");
    Error::new(Cause::Wrong, path, crate::io::process::files::told(error), remedy)
}
