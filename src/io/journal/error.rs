//! Errors of the journal: what is wrong with it, whose matter that is, and what can be done about it.

use crate::base::Text;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why the journal could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub path: PathBuf,
    pub cause: Cause,
    pub what: Text,
    pub remedy: Box<Text>,
}

/// The one whose matter an error is, and so whether another try helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The file is not as it was written: another try changes nothing, and the gateway sets it aside.
    Damage,
    /// The operator's disk, permissions or limits: another try may succeed once that is put right.
    Disk,
    /// Another process has the file: another try may succeed.
    Busy,
    /// The file or key that was named is not the one that is meant: the operator names another.
    Wrong,
    /// The program itself.
    Program,
}

impl Cause {
    /// Another try may succeed without anybody naming something else.
    pub fn may_pass(self) -> bool {
        matches!(self, Cause::Disk | Cause::Busy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal {}: {}; {}", self.path.display(), self.what, self.remedy)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Text {
    fn from(error: Error) -> Text {
        let (path, what) = (error.path.display(), error.what);
        both!("journal {path}: {}; ", "日志数据库 {path}：{}；"; what).then(&error.remedy)
    }
}

impl Error {
    pub fn new(cause: Cause, path: &Path, what: Text, remedy: Text) -> Error {
        Error { path: path.to_owned(), cause, what, remedy: Box::new(remedy) }
    }

    pub fn damaged(path: &Path, what: Text) -> Error {
        let remedy = both!(
            "restore a backup (`hotline records restore`), or start the gateway, which sets the file aside",
            "请恢复备份（`hotline records restore`），或启动网关，由其将该文件移到一旁"
        );
        Error::new(Cause::Damage, path, what, remedy)
    }

    pub fn is_damage(&self) -> bool {
        self.cause == Cause::Damage
    }
}

pub fn look_at_the_disk() -> Text {
    both!("look at the disk and at the system's log", "请检查磁盘及系统日志")
}

pub fn another_kind() -> Text {
    both!("this is another kind of file: move it away or name another path", "这是其他类型的文件：请移走，或换一个路径")
}
