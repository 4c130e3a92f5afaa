//! The files that a configuration was read from, and the check whether they have changed since.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// It tells one version of a file from another; none: the file is not there.
type Stamp = Option<(SystemTime, u64)>;

/// Files in the state in which they were looked for first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail(RefCell<BTreeMap<PathBuf, Stamp>>);

impl Trail {
    /// Call it before the file is read: a change while it is read is then a change.
    pub fn note(&self, path: &Path) {
        self.0.borrow_mut().entry(path.to_path_buf()).or_insert_with(|| stamp(path));
    }

    /// The same files as they are now.
    pub fn again(&self) -> Trail {
        Trail(RefCell::new(self.0.borrow().keys().map(|path| (path.clone(), stamp(path))).collect()))
    }

    /// Notes what another trail knows and this one does not.
    pub fn join(&self, other: &Trail) {
        other.0.borrow().keys().for_each(|path| self.note(path));
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_arrivals_and_departures_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (here, absent) = (folder.path().join("here"), folder.path().join("absent"));
        std::fs::write(&here, "1").unwrap();
        let trail = Trail::default();
        trail.note(&here);
        trail.note(&absent);
        assert_eq!(trail.again(), trail);
        std::fs::write(&absent, "").unwrap();
        assert_ne!(trail.again(), trail);
        std::fs::remove_file(&absent).unwrap();
        assert_eq!(trail.again(), trail);
        std::fs::write(&here, "22").unwrap();
        assert_ne!(trail.again(), trail);
        let later = Trail::default();
        later.join(&trail);
        assert_eq!(later, trail.again());
    }
}
