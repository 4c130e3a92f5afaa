//! The log beside the journal's file.

use super::{LOOK_AT_THE_DISK, Store, Trouble};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

impl Store {
    /// Writes the log's bytes once more and syncs them. A sync that failed may have left what was written in the system's
    /// memory alone, where it is read like anything else, and another sync would not bring it to the disk.
    pub(super) fn settle_log(&self) -> Result<(), Trouble> {
        let sqlite = |e| Trouble::sqlite(&self.path, e);
        // Nobody else may write meanwhile.
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
        let settled = rewrite(&log_of(&self.path));
        self.db.execute_batch("ROLLBACK").map_err(sqlite)?;
        settled.map_err(|e| Trouble::file(&self.path, format!("cannot write its log anew: {e}"), LOOK_AT_THE_DISK))
    }

    /// Brings the log into the file, so that the file alone is all there is. Readers may hold that up.
    pub fn checkpoint(&self) {
        let done = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if done != Ok(0) {
            tracing::warn!(journal = %self.path.display(), ?done, "the journal's log stays beside it: copy both");
        }
    }
}

/// As SQLite names it.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
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
