//! Errors of the database: whose matter each is, and what can be done about it.

use crate::base::Text;
use crate::io::journal::error::{Cause, Error, another_kind, look_at_the_disk};
use crate::io::process::descriptors::{self, Purpose};
use rusqlite::{ErrorCode, ffi};
use std::path::Path;

impl Error {
    pub fn sqlite(path: &Path, error: rusqlite::Error) -> Error {
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
        let cause = cause_of(&error);
        Error::new(cause, path, Text { zh: format!("{zh}（{said}）"), en: said }, remedy)
    }
}

/// Tells whose matter it is.
fn cause_of(error: &rusqlite::Error) -> Cause {
    // A log that ends before what was written to it.
    let cut = error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHORT_READ);
    match error.sqlite_error_code() {
        _ if cut || is_strange(error) => Cause::Damage,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Cause::Damage,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Cause::Busy,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory,
        ) => Cause::Disk,
        _ => Cause::Program,
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
