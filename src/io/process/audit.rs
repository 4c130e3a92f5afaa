//! The audit notes who saw callers' numbers in full or heard their voices, and when: a file of one JSON object a line that is
//! only ever appended to, on disk before anything is shown. It is opened for each line, so that it may be moved away at any
//! time.

use crate::base::{Text, Wall};
use crate::io::process::descriptors::{self, Purpose};
use crate::io::process::files;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub struct Audit {
    path: PathBuf,
}

#[derive(Serialize)]
struct Line<'a> {
    /// In UTC.
    at: jiff::Timestamp,
    who: &'a str,
    did: &'a str,
    what: &'a str,
}

impl Audit {
    /// `state`: the gateway's folder.
    pub fn of(state: &Path) -> Audit {
        Audit { path: state.join("audit.log") }
    }

    /// Returns when it is on disk. A thing that cannot be noted is not to be shown.
    pub fn note(&self, at: Wall, who: &str, did: &str, what: &str) -> Result<(), Text> {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        let line = serde_json::json!(Line { at, who, did, what });
        let path = self.path.display();
        let wrong = |e: io::Error| {
            descriptors::missed(Purpose::Audit, &e);
            both!("this is shown only where it can be noted who saw it: {path}: ", "只有能记录谁查看过时才显示：{path}：")
                .then(&files::told(&e))
        };
        self.append(&format!("{line}\n")).map_err(wrong)
    }

    /// In one write, so that lines of several processes do not mix.
    fn append(&self, line: &str) -> io::Result<()> {
        let new = !self.path.exists();
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        match self.path.parent().filter(|_| new) {
            Some(folder) => File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn each_line_is_added_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let audit = Audit { path: path.clone() };
        audit.note(Wall(1_700_000_000_000_000), "console", "GET /api/v1/calls", "3 calls").unwrap();
        std::fs::rename(&path, folder.path().join("audit.old")).unwrap();
        audit.note(Wall(0), "a\n\"b\"", "records ls", "").unwrap();
        audit.note(Wall(0), "c", "records ls", "").unwrap();
        let old = std::fs::read_to_string(folder.path().join("audit.old")).unwrap();
        assert_eq!(
            old,
            "{\"at\":\"2023-11-14T22:13:20Z\",\"did\":\"GET /api/v1/calls\",\"what\":\"3 calls\",\"who\":\"console\"}\n"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let nowhere = Audit { path: "/proc/nowhere/audit.log".into() };
        assert!(nowhere.note(Wall(0), "a", "b", "c").unwrap_err().en.contains("/proc/nowhere/audit.log"));
    }
}
