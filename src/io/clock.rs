//! The machine's clocks, as the core counts them, and its randomness. Every thread reads the same two clocks.

use crate::base::{Mono, Now, Rng, Steady, Turn, Wall};
use nix::time::{ClockId, clock_gettime};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often it is written down what is believed.
const NOTE: Duration = Duration::from_secs(3600);

/// The wall clock that deletions go by ([`Steady`]). A file beside the journal keeps what was believed last, so that a
/// restart believes no jump either.
#[derive(Debug)]
pub struct Trusted {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    steady: Steady,
    noted: Option<Mono>,
}

impl Trusted {
    pub fn beside(journal: &Path, now: Now) -> Trusted {
        let path = journal.with_extension("clock");
        let known = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()).map(Wall);
        Trusted { path, state: Mutex::new(State { steady: Steady::new(now, known), noted: None }) }
    }

    pub fn wall(&self, now: Now) -> Wall {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, turn) = state.steady.look(now);
        match turn {
            Some(Turn::Jumped(by)) => tracing::error!(
                seconds = by / 1_000_000,
                "the wall clock has jumped: look at the machine's time; until this has lasted a day, nothing is deleted by it \
                 时钟跳变：请检查系统时间；持续一天之前不据此删除"
            ),
            Some(Turn::Back) => tracing::warn!("the wall clock is where it was expected again 时钟已恢复"),
            Some(Turn::Believed) => {
                tracing::warn!("the wall clock's jump has lasted a day and is believed 时钟跳变已满一天，予以采信")
            }
            None => {}
        }
        if state.noted.is_none_or(|noted| now.mono.since(noted) >= NOTE) {
            state.noted = Some(now.mono);
            if let Err(error) = note(&self.path, wall) {
                tracing::warn!(file = %self.path.display(), %error, "what the clock shows cannot be written down");
            }
        }
        wall
    }

    pub fn doubts(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).steady.doubts()
    }
}

/// Whole or not at all.
fn note(path: &Path, wall: Wall) -> io::Result<()> {
    let part = path.with_extension("clock.part");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    writeln!(file, "{}", wall.0)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

pub fn now() -> Now {
    Now { mono: mono(), wall: Wall(i64::try_from(micros(ClockId::CLOCK_REALTIME)).unwrap_or(i64::MAX)) }
}

pub fn mono() -> Mono {
    Mono(micros(ClockId::CLOCK_MONOTONIC))
}

pub fn rng() -> Result<Rng, String> {
    let mut seed = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    read.map(|()| Rng::from_seed(seed)).map_err(|e| format!("/dev/urandom: {e}"))
}

/// Linux has both clocks always; before 1970 counts as 1970.
fn micros(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec()).unwrap_or(0) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_believes_no_jump_either() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let begin = Now { mono: Mono(1), wall: Wall(1_700_000_000_000_000) };
        assert_eq!(Trusted::beside(&journal, begin).wall(begin), begin.wall);
        let jumped = Now { wall: Wall(begin.wall.0 + 3 * 365 * 86_400_000_000), ..begin };
        let clock = Trusted::beside(&journal, jumped);
        assert_eq!(clock.wall(jumped), begin.wall);
        assert!(clock.doubts());
        fs::write(journal.with_extension("clock"), "no number").unwrap();
        assert!(!Trusted::beside(&journal, begin).doubts());
    }

    #[test]
    fn both_clocks_run_forward() {
        let (a, b) = (now(), now());
        assert!(a.mono.0 > 0 && a.mono <= b.mono);
        assert!(a.wall.0 > 1_700_000_000_000_000 && a.wall <= b.wall);
    }
}
