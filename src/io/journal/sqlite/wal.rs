//! The log beside the journal's file.

use super::Store;
use super::mark::log_of;
use crate::io::journal::error::{Cause, Error, look_at_the_disk};
use rusqlite::Connection;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Writes the log's bytes once more and syncs them. A sync that failed may have left what was written in the system's
/// memory alone, where it is read like anything else, and another sync would not bring it to the disk.
pub(super) fn settle_log(db: &Connection, path: &Path) -> Result<(), Error> {
    let sqlite = |e| Error::sqlite(path, e);
    // Nobody else may write meanwhile.
    db.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
    let settled = rewrite(&log_of(path));
    db.execute_batch("ROLLBACK").map_err(sqlite)?;
    let what = |e| both!("cannot write its log anew: {e}", "无法重写其日志文件：{e}");
    settled.map_err(|e| Error::new(Cause::Disk, path, what(e), look_at_the_disk()))
}

impl Store {
    /// Brings the log into the file, so that the file alone is all there is. Readers may hold that up.
    pub fn checkpoint(&self) {
        let done = self.db.execute("UPDATE header SET held = 0", []).and_then(|_| self.bring_in());
        if done != Ok(0) {
            tracing::warn!(journal = %self.path.display(), ?done, "the journal's log stays beside it: copy both");
        }
    }

    /// 0: all of it.
    pub fn bring_in(&self) -> rusqlite::Result<i64> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
    }
}

fn rewrite(log: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let (mut block, mut at) = (vec![0; 1 << 20], 0);
    loop {
        let count = file.read_at(&mut block, at)?;
        if count == 0 {
            return file.sync_all();
        }
        file.write_all_at(&block[..count], at)?;
        at += count as u64;
    }
}
