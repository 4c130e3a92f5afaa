//! The lock that lets one process alone write a journal. It falls with the process.

use super::error::{Cause, Error};
use crate::base::Text;
use crate::io::process::files;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Held by the process that writes a journal.
pub struct Lock(File);

/// The process that writes a journal now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where its HTTP interface is; none: it has none, or has not said so yet.
    pub api: Option<SocketAddr>,
}

impl Lock {
    /// `api`: where the holder can be asked.
    pub fn take(journal: &Path, api: Option<SocketAddr>) -> Result<Lock, Error> {
        let remedy = || both!("let the user that runs the gateway write the directory", "请让运行网关的用户可写该文件夹");
        let refused = |what: Text| Error::new(Cause::Disk, journal, what, remedy());
        if let Some(parent) = journal.parent() {
            let made = fs::create_dir_all(parent);
            made.map_err(|e| refused(both!("cannot make its directory: {e}", "无法创建其文件夹：{e}")))?;
        }
        let path = beside(journal);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let name = path.display();
        let unopened = |e| refused(both!("cannot open {name}: {e}", "无法打开 {name}：{e}"));
        let file = file.map_err(unopened)?;
        file.try_lock().map_err(|_| {
            let what = both!("another gateway is writing it", "另一个网关正在写入");
            let remedy = both!("stop that one or give this one a path of its own", "请停止它，或换一个路径");
            Error::new(Cause::Busy, journal, what, remedy)
        })?;
        let said = file.set_len(0).and_then(|()| match api {
            Some(api) => std::io::Write::write_all(&mut &file, api.to_string().as_bytes()),
            None => Ok(()),
        });
        said.map_err(unopened)?;
        Ok(Lock(file))
    }

    /// The process that writes the journal, if one does.
    pub fn holder(journal: &Path) -> Option<Holder> {
        let path = beside(journal);
        let taken = File::options().write(true).open(&path).is_ok_and(|file| file.try_lock_shared().is_err());
        taken.then(|| Holder { api: files::text(&path, 256).ok().and_then(|text| text.trim().parse().ok()) })
    }

    pub fn is_taken(journal: &Path) -> bool {
        Lock::holder(journal).is_some()
    }
}

impl Drop for Lock {
    /// Nobody is asked there any more.
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

fn beside(journal: &Path) -> PathBuf {
    journal.with_extension("lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_says_where_its_holder_is_asked_and_falls_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("var/journal.db");
        assert_eq!(Lock::holder(&journal), None);
        let api: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let lock = Lock::take(&journal, Some(api)).unwrap();
        assert_eq!(Lock::holder(&journal), Some(Holder { api: Some(api) }));
        assert_eq!(Lock::take(&journal, None).err().map(|error| error.cause), Some(Cause::Busy));
        drop(lock);
        assert_eq!(Lock::holder(&journal), None);
        let _lock = Lock::take(&journal, None).unwrap();
        assert_eq!(Lock::holder(&journal), Some(Holder { api: None }));
    }
}
