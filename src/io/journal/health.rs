//! Tells whoever asks what of the journal is damaged; and the thread that looks, from the start on and as long as it runs.

use super::Inspection;
use super::handles::Control;
use crate::base::trap::{self, Trap};
use crate::base::{Mono, Text};
use crate::io::clock;
use crate::io::journal::Error;
use crate::io::journal::sqlite::scan::scan;
use crate::io::journal::sqlite::{self, identity};
use crate::io::process::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const THREAD: &str = "journal-looks";
/// At the start nobody waits longer for the first look to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that is known to be damaged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damaged {
    pub at: String,
    pub call: Option<String>,
    pub place: String,
    pub why: String,
    pub seen: bool,
}

/// Figures of what is damaged.
#[derive(Default)]
pub struct Health {
    all: AtomicU64,
    unseen: AtomicU64,
    /// When the last look ended, by the monotonic clock, and how long it took; microseconds.
    looked: AtomicU64,
    took: AtomicU64,
}

impl Health {
    /// Places that were found damaged, and are set aside.
    pub fn damaged(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// How long ago the last look through the file ended, and how long it took.
    pub fn looked(&self) -> (Duration, Duration) {
        let (looked, took) = (Mono(self.looked.load(Ordering::Relaxed)), self.took.load(Ordering::Relaxed));
        (clock::mono().since(looked), Duration::from_micros(took))
    }

    /// Why new calls had better go elsewhere until somebody has looked.
    pub fn obstacle(&self) -> Option<Text> {
        let unseen = self.unseen.load(Ordering::Relaxed);
        (unseen > 0).then(|| {
            both!(
                "the journal is damaged in {unseen} places (`hotline records damage`)",
                "日志数据库有 {unseen} 处损坏（`hotline records damage`）"
            )
        })
    }

    pub(super) fn look(&self, path: &Path) {
        // A file that cannot be read just now is looked at again.
        let Some((all, unseen)) = sqlite::damage::counts(path) else { return };
        self.all.store(all, Ordering::Relaxed);
        self.unseen.store(unseen, Ordering::Relaxed);
    }

    /// Known before it is set aside.
    fn found(&self, count: usize) {
        self.unseen.fetch_max(count as u64, Ordering::Relaxed);
    }
}

pub(super) struct Inspector {
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inspector {
    /// Returns when all has been looked through once, or has taken too long for that.
    pub fn start(path: &Path, control: Sender<Control>, health: Arc<Health>, often: Inspection) -> Option<Inspector> {
        let (stop, stopped) = bounded(0);
        let (done, first) = bounded(1);
        let looks = Look { path: path.to_owned(), control, health, stopped, often };
        let thread = threads::thread(THREAD, move || looks.run(&done));
        match thread {
            Ok(thread) => {
                let _ = first.recv_timeout(PATIENCE);
                Some(Inspector { stop: Some(stop), thread: Some(thread) })
            }
            Err(error) => {
                tracing::error!(%error, "nobody looks whether the journal is damaged");
                None
            }
        }
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Look {
    path: PathBuf,
    control: Sender<Control>,
    health: Arc<Health>,
    stopped: Receiver<()>,
    often: Inspection,
}

impl Look {
    fn run(self, first: &Sender<()>) {
        loop {
            let began = clock::mono();
            threads::guarded(THREAD, || self.look());
            let _ = first.try_send(());
            let (now, took) = (clock::mono(), took(began));
            self.health.looked.store(now.0, Ordering::Relaxed);
            self.health.took.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            let rest = self.often.every.max(took * 100 / self.often.percent.max(1));
            if self.stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn look(&self) {
        self.health.look(&self.path);
        trap::spring(Trap::Look);
        let go_on = || self.stopped.try_recv() != Err(crossbeam_channel::TryRecvError::Disconnected);
        let found = scan(&self.path, &go_on);
        if let Some(what) = found.broken {
            self.health.found(1);
            let _ = self.control.send(Control::Damaged(what));
        } else if !(found.bad.is_empty() && found.unlike.is_empty()) {
            self.health.found(found.bad.len() + found.unlike.len());
            let _ = self.control.send(Control::Aside(found));
        }
    }
}

fn took(began: Mono) -> Duration {
    clock::mono().since(began)
}

/// For `hotline check`: refuses a journal that is there, or tells what is wrong with it.
pub fn told_of(path: &Path) -> Result<Option<Text>, Error> {
    use identity::Identity;
    match identity::look(path)? {
        Identity::Absent | Identity::Ours(_) => Ok(None),
        Identity::Damaged(what) => Ok(Some(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_panics_is_followed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let (stop, stopped) = bounded(0);
        let (done, first) = bounded(1);
        let (control, _controls) = crossbeam_channel::unbounded();
        let often = Inspection::default();
        let looks = Look { path: dir.path().join("journal.db"), control, health: Arc::default(), stopped, often };
        let looking = std::thread::spawn(move || {
            trap::set(Trap::Look, 0);
            looks.run(&done);
        });
        // Whoever starts waits for it no longer than for any other.
        assert_eq!(first.recv_timeout(Duration::from_secs(20)), Ok(()));
        drop(stop);
        assert!(looking.join().is_ok());
        let told =
            |metric: &crate::io::metrics::Metric| metric.labels == [("thread", "journal-looks".to_owned())] && metric.value > 0;
        assert!(threads::metrics().iter().any(told));
    }
}
