//! The gateway's files are for its own user: they hold calls, callers and voices.

use nix::sys::stat::{Mode, umask};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A folder that all may write to is not ours to close.
const STICKY: u32 = 0o1000;

/// Nobody else may read a file that this process makes from now on.
pub fn from_now_on() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Nobody else may read what is in this folder already. A file that cannot be changed is named.
pub fn tighten(folder: &Path) {
    if let Err(error) = close(folder) {
        tracing::warn!(folder = %folder.display(), %error, "others may read what is kept here");
    }
}

fn close(path: &Path) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    let mode = about.permissions().mode();
    if about.is_symlink() || mode & STICKY != 0 {
        return Ok(());
    }
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o700))?;
    }
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            close(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let (state, day) = (folder.path().join("var"), folder.path().join("var/recordings/2026-03-02"));
        fs::create_dir_all(&day).unwrap();
        let (journal, voice) = (state.join("journal.db"), day.join("a.wav"));
        for (path, mode) in [(&journal, 0o644), (&voice, 0o664)] {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
        tighten(&state);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&state), mode(&day), mode(&journal), mode(&voice)], [0o700, 0o700, 0o600, 0o600]);
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        tighten(&open);
        assert_eq!(mode(&open), 0o777, "a folder of all is left alone");
    }
}
