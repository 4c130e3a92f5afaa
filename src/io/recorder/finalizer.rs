//! The thread that finishes recordings: header, sync, hash, its own name, and then the journal, which tells everybody. It
//! finishes first what another process left behind, and deletes what is too old.

use super::FINALIZER;
use super::figures::Figures;
use super::files::Done;
use super::store::{PART, RecordingStore, WAV, call_of, entries};
use crate::base::{CallId, Mono, Wall};
use crate::io::clock::{self, Trusted};
use crate::io::journal::{Acceptance, Settler};
use crate::io::process::audit::Audit;
use crate::io::process::threads;
use crate::media::wav::Format;
use crate::record::digest::Spelling;
use crate::record::recording::{Recorded, State};
use crossbeam_channel::{Receiver, Sender, bounded};
use ring::digest::{Context, SHA256};
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often it is looked whether something is too old.
const PURGE_LOOK: Duration = Duration::from_secs(3600);
/// How often what could not be finished is tried again, and how many wait for that; the next start finds the others.
const AGAIN: Duration = Duration::from_secs(60);
const STUCK: usize = 10_000;
/// Limits the recordings that wait for the journal's answer at once.
const UNDER_WAY: usize = 256;
/// At shutdown the journal may let us wait so long.
const PATIENCE: Duration = Duration::from_secs(1);
const PIECE: usize = 1 << 20;

/// How long files are kept.
pub struct Retention {
    /// 0: for ever.
    pub days: u32,
    pub clock: Arc<Trusted>,
}

pub struct Finalizer {
    store: Arc<RecordingStore>,
    figures: Arc<Figures>,
    journal: Settler,
    audit: Audit,
    keep: Retention,
    purge_at: Mono,
    /// One is taken for what the journal is told, and given back when that is on disk.
    slots: (Sender<()>, Receiver<()>),
    stop: Arc<AtomicBool>,
    /// The journal was down when we had to stop.
    gave_up: bool,
    /// Recordings that could not be finished yet.
    stuck: Vec<Done>,
    again_at: Mono,
}

impl Finalizer {
    pub fn new(
        store: Arc<RecordingStore>,
        figures: Arc<Figures>,
        journal: Settler,
        audit: Audit,
        keep: Retention,
        stop: Arc<AtomicBool>,
    ) -> Finalizer {
        let (slots, gave_up, stuck) = (bounded(UNDER_WAY), false, Vec::new());
        let (purge_at, again_at) = (Mono(0), Mono(0));
        Finalizer { store, figures, journal, audit, keep, purge_at, slots, stop, gave_up, stuck, again_at }
    }

    /// `owed`: calls in which the last process died, or died before it told what became of their recordings.
    pub fn run(mut self, owed: Vec<CallId>, done: &Receiver<Done>) {
        owed.into_iter().for_each(|call| self.guarded(Done { call, state: State::Interrupted }));
        threads::turns(FINALIZER, || {
            threads::guarded(FINALIZER, || self.purge());
            self.try_again();
            match done.recv_timeout(AGAIN) {
                Ok(done) => self.guarded(done),
                Err(error) if error.is_disconnected() => return ControlFlow::Break(()),
                Err(_) => {}
            }
            ControlFlow::Continue(())
        });
    }

    fn try_again(&mut self) {
        let now = clock::mono();
        if now >= self.again_at {
            self.again_at = now.after(AGAIN);
            std::mem::take(&mut self.stuck).into_iter().for_each(|done| self.guarded(done));
        }
    }

    /// A recording whose end has panicked is tried again like one that the disk refused.
    pub(super) fn guarded(&mut self, done: Done) {
        if threads::guarded(FINALIZER, || self.finish(done)).is_none() && self.stuck.len() < STUCK {
            self.stuck.push(done);
        }
    }

    fn finish(&mut self, done: Done) {
        let Done { call, state } = done;
        let told = match state {
            State::Ready | State::Partial | State::Interrupted => match self.file(call, state) {
                Ok(told) => told,
                Err(error) => {
                    tracing::error!(%call, %error, "a recording cannot be finished yet");
                    if self.stuck.len() < STUCK {
                        self.stuck.push(done);
                    }
                    return;
                }
            },
            State::Empty | State::Missing | State::Discarded | State::Purged => {
                // Perhaps a header, and then the disk was full.
                let _ = self.store.file(call, PART).map(fs::remove_file);
                Recorded::without_file(state)
            }
        };
        self.tell(call, told);
    }

    fn tell(&mut self, call: CallId, recorded: Recorded) {
        self.figures.told(recorded.state);
        if !self.slot() {
            return tracing::error!(%call, "the journal is down: what became of a call's recording is told after the next start");
        }
        let free = self.slots.1.clone();
        let quiet = recorded.is_purge();
        self.journal.recorded(call, recorded, move |taken| {
            if taken == Acceptance::NoSuchCall && !quiet {
                tracing::error!(%call, "it cannot be told what became of a call's recording: the journal has no such call");
            }
            let _ = free.try_recv();
        });
    }

    /// A journal that is down gives none back until it is up. A finalizer that must end by then leaves the rest to the next
    /// start.
    fn slot(&mut self) -> bool {
        let patience = if self.gave_up { Duration::ZERO } else { PATIENCE };
        while self.slots.0.send_timeout((), patience).is_err() {
            self.gave_up = self.stop.load(Ordering::Relaxed);
            if self.gave_up {
                return false;
            }
        }
        true
    }

    /// Brings a file into its final form and place.
    fn file(&self, call: CallId, state: State) -> io::Result<Recorded> {
        let missing = || Recorded::without_file(State::Missing);
        let (Some(part), Some(path)) = (self.store.file(call, PART), self.store.file(call, WAV)) else { return Ok(missing()) };
        if part.exists() {
            if !mend(&part)? {
                fs::remove_file(&part)?;
                return Ok(missing());
            }
            fs::rename(&part, &path)?;
            path.parent().map_or(Ok(()), |day| File::open(day)?.sync_all())?;
        }
        match File::open(&path) {
            Ok(file) => {
                let (sha256, ms) = measure(&file)?;
                let url = self.store.link(call, self.keep.clock.wall(clock::now()));
                Ok(Recorded { state, url, sha256: Some(sha256), ms: Some(ms) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(missing()),
            Err(error) => Err(error),
        }
    }

    /// Its folder's name says so already; but a call that came under a wrong clock stands in a folder of long ago.
    fn is_old(&self, path: &Path, today: Wall) -> bool {
        let kept = i64::from(self.keep.days).saturating_mul(24 * 3600 * 1_000_000);
        match written(path, today) {
            Ok(at) => at.0.saturating_add(kept) <= today.0,
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "a recording's age is not known, and it is kept");
                false
            }
        }
    }

    /// The journal is told of a deletion first.
    fn purge(&mut self) {
        let now = clock::now();
        if self.keep.days == 0 || now.mono < self.purge_at {
            return;
        }
        self.purge_at = now.mono.after(PURGE_LOOK);
        let today = self.keep.clock.wall(now);
        for day in self.store.old_days(today, self.keep.days) {
            let ours = entries(&day).into_iter().filter(|path| call_of(path).is_some());
            let files: Vec<_> = ours.filter(|path| self.is_old(path, today)).collect();
            if files.is_empty() && !entries(&day).is_empty() {
                continue;
            }
            let what = format!("{}: {} recordings, older than {} days", day.display(), files.len(), self.keep.days);
            if let Err(why) = self.audit.note(now.wall, "hotline", "recordings purged", &what) {
                return tracing::error!("recordings are not purged: {why}");
            }
            tracing::info!(day = %day.display(), recordings = files.len(), "purged");
            for path in files {
                call_of(&path).into_iter().for_each(|call| self.tell(call, Recorded::without_file(State::Purged)));
                if let Err(error) = fs::remove_file(&path) {
                    tracing::error!(file = %path.display(), %error, "a recording cannot be deleted");
                }
            }
            // Other files there are not ours.
            let _ = fs::remove_dir(&day);
        }
    }
}

/// A file that was written under a clock that was never set is as old as today, from the day on which the clock is right.
fn written(path: &Path, today: Wall) -> io::Result<Wall> {
    let file = File::open(path)?;
    let time = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok());
    match time(file.metadata()?.modified()?).filter(|at| *at >= clock::NEVER) {
        Some(at) => Ok(Wall(at)),
        None => {
            let at = Duration::from_micros(u64::try_from(today.0).unwrap_or(0));
            file.set_modified(UNIX_EPOCH + at)?;
            Ok(today)
        }
    }
}

/// Makes the header fit what is there, and brings all to the disk. False when there is no audio.
fn mend(part: &Path) -> io::Result<bool> {
    let file = File::options().read(true).write(true).open(part)?;
    let Some((format, data)) = audio(&file)? else { return Ok(false) };
    file.set_len(format.header_length() + data)?;
    file.write_all_at(&format.header(data), 0)?;
    file.sync_all()?;
    Ok(data > 0)
}

/// In which form, and how many bytes.
fn audio(file: &File) -> io::Result<Option<(Format, u64)>> {
    let mut start = [0; 22];
    let length = file.metadata()?.len();
    if length < Format::Pcm.header_length() {
        return Ok(None);
    }
    file.read_exact_at(&mut start, 0)?;
    let format = Format::of(&start);
    Ok(format
        .map(|format| (format, length.saturating_sub(format.header_length()) / format.frame() as u64 * format.frame() as u64)))
}

/// A finished file's hash and how long it lasts.
fn measure(file: &File) -> io::Result<(String, u64)> {
    let (mut hash, mut piece, mut at) = (Context::new(&SHA256), vec![0; PIECE], 0);
    loop {
        let count = file.read_at(&mut piece, at)?;
        if count == 0 {
            break;
        }
        hash.update(&piece[..count]);
        at += count as u64;
    }
    Ok((Spelling::Hex.spell(hash.finish().as_ref()), audio(file)?.map_or(0, |(format, data)| format.millis(data))))
}

/// The same of a file by its path.
pub fn measured(path: &Path) -> io::Result<(String, u64)> {
    measure(&File::open(path)?)
}

/// Copies a recording.
pub fn copy_into(path: &Path, to: &mut File) -> io::Result<u64> {
    io::copy(&mut File::open(path)?, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::io::config::Config;
    use crate::io::journal::{Journal, Options};

    #[test]
    fn a_clock_that_jumped_deletes_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.node.state = folder.path().to_owned();
        let (journal, _) = Journal::open(Options::new(config.journal()), Wall(0), |_| {}).unwrap();
        let store = Arc::new(RecordingStore::of(&config).unwrap());
        let now = clock::now();
        let call = CallId::new(Wall(now.wall.0 - 3 * 365 * 86_400_000_000), &mut Rng::from_number(1));
        let wav = store.file(call, WAV).unwrap();
        fs::create_dir_all(wav.parent().unwrap()).unwrap();
        fs::write(&wav, "a voice").unwrap();
        let at = |wall: i64| UNIX_EPOCH + Duration::from_micros(wall as u64);
        let set = |wall: i64| File::options().write(true).open(&wav).unwrap().set_modified(at(wall)).unwrap();
        let years_ago = now.wall.0 - 3 * 365 * 86_400_000_000;
        set(years_ago);
        let purge = |known: i64| {
            // A process before this one believed that it was so late.
            fs::write(folder.path().join("journal.clock"), known.to_string()).unwrap();
            let keep = Retention { days: 30, clock: Arc::new(Trusted::beside(&config.journal(), now)) };
            let (audit, stop) = (Audit::of(&config.node.state), Arc::default());
            Finalizer::new(store.clone(), Arc::default(), journal.settler(), audit, keep, stop).purge();
            wav.exists()
        };
        assert!(purge(years_ago), "three years in a moment");
        // It came under a clock of long ago that was set right since: a machine that woke in 1970, one that was three years slow.
        for (written, kept) in [(1_000_000, true), (now.wall.0, true), (now.wall.0 - 29 * 86_400_000_000, true)] {
            set(written);
            assert_eq!(purge(now.wall.0), kept, "{written}");
        }
        set(years_ago);
        assert!(!purge(now.wall.0));
        journal.close();
    }

    #[test]
    fn what_cannot_be_finished_is_tried_again_and_keeps_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.node.state = folder.path().to_owned();
        let (journal, _) = Journal::open(Options::new(config.journal()), Wall(0), |_| {}).unwrap();
        let (store, stop) = (Arc::new(RecordingStore::of(&config).unwrap()), Arc::default());
        let keep = Retention { days: 0, clock: journal.clock() };
        let mut finalizer =
            Finalizer::new(store.clone(), Arc::default(), journal.settler(), Audit::of(&config.node.state), keep, stop);
        let call = CallId::new(clock::now().wall, &mut Rng::from_number(1));
        let (part, wav) = (store.file(call, PART).unwrap(), store.file(call, WAV).unwrap());
        fs::create_dir_all(&wav).unwrap();
        fs::write(&part, [Format::Pcm.header(0).to_vec(), vec![0; 400]].concat()).unwrap();
        let done = Done { call, state: State::Ready };
        finalizer.finish(done);
        assert_eq!(finalizer.stuck, [done], "a folder is in its place");
        finalizer.try_again();
        assert_eq!(finalizer.stuck, [done]);
        fs::remove_dir(&wav).unwrap();
        finalizer.try_again();
        assert_eq!(finalizer.stuck, [done], "not at once");
        finalizer.again_at = Mono(0);
        finalizer.try_again();
        assert!(finalizer.stuck.is_empty() && wav.is_file() && !part.exists());
        journal.close();
    }
}
