//! The machine's clocks, as the core counts them, and its randomness. Every thread reads the same two clocks.

pub mod moment;

use crate::base::{Mono, Now, Rng, Steady, Text, Turn, Wall};
use nix::time::{ClockId, clock_gettime};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
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
        let known: Option<i64> = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        let now = match known {
            Some(known) if is_unset() => {
                KNOWN.store(known.max(NEVER).saturating_sub(i64::try_from(now.mono.0).unwrap_or(0)), Ordering::Relaxed);
                Now { wall: Wall(known.max(NEVER)), ..now }
            }
            _ => now,
        };
        if is_unset() {
            tracing::error!(
                "the wall clock was never set: look at the machine's time; until it is, times are counted on from the last that was known \
                 系统时钟未校准：请检查系统时间；校准之前从上次已知时间起推算"
            );
        }
        let known = known.map(Wall);
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

    /// The time to judge by what others have signed, and until when it holds: a jump that is not believed yet makes nothing
    /// valid again that is over, and nothing invalid that is not.
    pub fn likely(&self, now: Now) -> Wall {
        self.wall(now);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.steady.doubts() { state.steady.expected(now) } else { now.wall }
    }

    /// When something was finished that is deleted some time later: never too early, whatever the clock shows. None of it is
    /// known by a clock that was never set, which [`crate::io::journal::Store::purge`] makes up for.
    pub fn stamp(&self, now: Now) -> Wall {
        if is_unset() { Wall(i64::MAX) } else { now.wall.max(self.expected(now)) }
    }

    fn expected(&self, now: Now) -> Wall {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).steady.expected(now)
    }

    pub fn doubts(&self) -> bool {
        is_unset() || self.state.lock().unwrap_or_else(PoisonError::into_inner).steady.doubts()
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

/// The clock of deliveries: it runs while the gateway runs, goes on after a restart where it stood, and knows nothing of what
/// is done to the machine's wall clock. Its times look like times of day, and may be behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    from: Wall,
    began: Mono,
}

impl Running {
    pub fn from(stood: Wall, began: Mono) -> Running {
        Running { from: stood, began }
    }

    pub fn at(&self, mono: Mono) -> Wall {
        self.now(mono).wall
    }

    /// For machines that take both clocks.
    pub fn now(&self, mono: Mono) -> Now {
        let passed = i64::try_from(mono.0.saturating_sub(self.began.0)).unwrap_or(i64::MAX);
        Now { mono, wall: Wall(self.from.0.saturating_add(passed)) }
    }
}

/// 2020-01-01T00:00:00Z. A clock that shows less was never set: the program is younger.
pub const NEVER: i64 = 1_577_836_800_000_000;

/// The time at the machine's start as far as it is known, for a clock that was never set.
static KNOWN: AtomicI64 = AtomicI64::new(NEVER);

pub fn now() -> Now {
    let (mono, real) = (mono(), real());
    Now { mono, wall: believable(real, mono, KNOWN.load(Ordering::Relaxed)) }
}

/// The machine's clock was never set, and what is told of the time is counted on from what was known last.
pub fn is_unset() -> bool {
    real() < NEVER
}

fn real() -> i64 {
    i64::try_from(micros(ClockId::CLOCK_REALTIME)).unwrap_or(i64::MAX)
}

fn believable(real: i64, mono: Mono, known: i64) -> Wall {
    let counted = known.saturating_add(i64::try_from(mono.0).unwrap_or(i64::MAX));
    Wall(if real < NEVER { counted } else { real })
}

pub fn mono() -> Mono {
    Mono(micros(ClockId::CLOCK_MONOTONIC))
}

pub fn rng() -> Result<Rng, Text> {
    let mut seed = [0; 32];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    read.map(|()| Rng::from_seed(seed)).map_err(|e| both!("/dev/urandom: {e}", "无法读取 /dev/urandom：{e}"))
}

/// Linux has both clocks always; before 1970 counts as 1970.
fn micros(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec()).unwrap_or(0) / 1000)
}

#[cfg(test)]
mod jump_tests;
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
    fn a_clock_that_was_never_set_is_counted_on_from_what_was_known() {
        let known = 1_790_000_000_000_000;
        let mono = Mono(40_000_000);
        assert_eq!(believable(30_000_000, mono, known), Wall(known + 40_000_000), "1970");
        assert_eq!(believable(NEVER - 1, mono, NEVER), Wall(NEVER + 40_000_000), "a firmware of long ago");
        assert_eq!(believable(NEVER, mono, known), Wall(NEVER));
        let year = 365 * 86_400_000_000;
        assert_eq!(believable(known - year, mono, known), Wall(known - year), "it may have been ahead until now");
    }

    #[test]
    fn what_is_finished_under_a_clock_that_jumped_is_never_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let begin = Now { mono: Mono(1), wall: Wall(1_790_000_000_000_000) };
        let year = 365 * 86_400_000_000;
        let clock = Trusted::beside(&folder.path().join("journal.db"), begin);
        clock.wall(begin);
        let later = begin.after(Duration::from_secs(60));
        assert_eq!(clock.stamp(Now { wall: Wall(later.wall.0 - 3 * year), ..later }), later.wall);
        let ahead = Wall(later.wall.0 + 3 * year);
        assert_eq!(clock.stamp(Now { wall: ahead, ..later }), ahead);
    }

    #[test]
    fn the_clock_of_deliveries_knows_no_jump() {
        let clock = Running::from(Wall(7_000_000), Mono(1_000_000));
        assert_eq!(clock.at(Mono(3_500_000)), Wall(9_500_000));
        assert_eq!(Running::from(clock.at(Mono(3_500_000)), Mono(5)).at(Mono(5)), Wall(9_500_000), "after a restart");
    }

    #[test]
    fn both_clocks_run_forward() {
        let (a, b) = (now(), now());
        assert!(a.mono.0 > 0 && a.mono <= b.mono);
        assert!(a.wall.0 > 1_700_000_000_000_000 && a.wall <= b.wall);
    }
}
