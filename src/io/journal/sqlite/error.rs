//! Trouble with the journal's file, and what can be done about it; and the lock that keeps two gateways from one file.

use crate::base::Text;
use crate::io::process::descriptors::{self, Purpose};
use rusqlite::{ErrorCode, ffi};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub path: PathBuf,
    pub what: Text,
    pub remedy: Box<Text>,
    /// The file itself is at fault: another try changes nothing.
    pub damage: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal {}: {}; {}", self.path.display(), self.what, self.remedy)
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for Text {
    fn from(trouble: Trouble) -> Text {
        let (path, what) = (trouble.path.display(), trouble.what);
        both!("journal {path}: {}; ", "日志数据库 {path}：{}；"; what).then(&trouble.remedy)
    }
}

impl Trouble {
    pub fn sqlite(path: &Path, error: rusqlite::Error) -> Trouble {
        let code = error.sqlite_error_code();
        let mut said = error.to_string();
        let (zh, remedy) = match code {
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if descriptors::none_left(Purpose::Journal) => {
                said = format!("no file or socket is left for it: {said}");
                ("没有可用的文件描述符", descriptors::raise_it())
            }
            Some(ErrorCode::DiskFull) => (
                "磁盘或数据库已满",
                both!("free space on its disk or raise the bound of its size", "请腾出磁盘空间，或提高其大小上限"),
            ),
            Some(ErrorCode::NotADatabase) => ("不是数据库文件", another_kind()),
            Some(ErrorCode::DatabaseCorrupt) => (
                "数据库已损坏",
                both!(
                    "start the gateway, which sets it aside and keeps what can be read, or restore a backup",
                    "请启动网关（它会将其移到一旁并保留可读内容），或恢复备份"
                ),
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
                "无法打开或不可写",
                both!(
                    "let the user that runs the gateway write the file and its directory",
                    "请让运行网关的用户可写该文件及其所在文件夹"
                ),
            ),
            Some(ErrorCode::SystemIoFailure) => ("磁盘读写出错", look_at_the_disk()),
            _ => ("数据库出错", both!("see whether another program holds the file", "请检查是否有其他程序占用该文件")),
        };
        // A log that ends before what was written to it.
        let cut = error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHORT_READ);
        let damage = cut || matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) || is_strange(&error);
        Trouble {
            path: path.to_owned(),
            what: Text { zh: format!("{zh}（{said}）"), en: said },
            remedy: Box::new(remedy),
            damage,
        }
    }

    pub fn file(path: &Path, what: Text, remedy: Text) -> Trouble {
        Trouble { path: path.to_owned(), what, remedy: Box::new(remedy), damage: false }
    }

    pub fn damaged(path: &Path, what: Text) -> Trouble {
        let remedy = both!(
            "restore a backup (`hotline records restore`), or start the gateway, which sets the file aside",
            "请恢复备份（`hotline records restore`），或启动网关，由其将该文件移到一旁"
        );
        Trouble { path: path.to_owned(), what, remedy: Box::new(remedy), damage: true }
    }
}

/// A column of another type, a table that is not there: what we write never is so.
fn is_strange(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnIndex, InvalidColumnType, SqlInputError, SqliteFailure,
        Utf8Error,
    };
    match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnIndex(_) | InvalidColumnType(..) => true,
        Utf8Error(..) => true,
        SqliteFailure(_, Some(said)) | SqlInputError { msg: said, .. } => {
            said.starts_with("no such") || said.starts_with("malformed")
        }
        _ => false,
    }
}

pub fn look_at_the_disk() -> Text {
    both!("look at the disk and at the system's log", "请检查磁盘及系统日志")
}

pub fn another_kind() -> Text {
    both!("this is another kind of file: move it away or name another path", "这是其他类型的文件：请移走，或换一个路径")
}

/// Keeps two gateways from writing one journal. It falls with the process.
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    pub fn take(journal: &Path) -> Result<Lock, Trouble> {
        let remedy = || both!("let the user that runs the gateway write the directory", "请让运行网关的用户可写该文件夹");
        if let Some(parent) = journal.parent() {
            let made = fs::create_dir_all(parent);
            made.map_err(|e| Trouble::file(journal, both!("cannot make its directory: {e}", "无法创建其文件夹：{e}"), remedy()))?;
        }
        let path = journal.with_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let name = path.display();
        let file =
            file.map_err(|e| Trouble::file(journal, both!("cannot open {name}: {e}", "无法打开 {name}：{e}"), remedy()))?;
        file.try_lock().map_err(|_| {
            let what = both!("another gateway is writing it", "另一个网关正在写入");
            Trouble::file(journal, what, both!("stop that one or give this one a path of its own", "请停止它，或换一个路径"))
        })?;
        Ok(Lock(file))
    }

    /// A gateway writes it now.
    pub fn is_taken(journal: &Path) -> bool {
        File::options().write(true).open(journal.with_extension("lock")).is_ok_and(|file| file.try_lock_shared().is_err())
    }
}
