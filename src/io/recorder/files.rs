//! The thread that writes calls' audio to their files, and does not mind what that takes: who makes the audio goes on.

use super::figures::Figures;
use super::store::{PART, RecordingStore};
use super::{Down, FILES};
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Mono};
use crate::io::clock;
use crate::io::process::threads;
use crate::record::recording::State;
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is looked how much room is left.
const LOOK: Duration = Duration::from_secs(1);
/// It is tried whether anything can be written at every so many looks, and at each while nothing could.
const PROBE: u64 = 10;
/// Recordings that wait for the one who finishes them while that one waits for the journal, beyond its own queue.
const LATE: usize = 100_000;
/// Frames of silence that are written at once.
const SILENCE: u64 = 8000;

pub enum Job {
    /// The next frames of a call, after so many that found no room on the way.
    Audio { call: CallId, skipped: u64, bytes: Vec<u8> },
    /// These were all; some may have been lost on the way.
    Whole { call: CallId, lost: bool },
    /// Nothing of it is to be kept.
    Discarded { call: CallId },
    /// The call is not recorded: too many are.
    Missed { call: CallId },
}

/// A call whose file waits to be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub call: CallId,
    pub state: State,
}

pub struct Files {
    pub store: Arc<RecordingStore>,
    pub figures: Arc<Figures>,
    pub min_free: u64,
    pub done: Sender<Done>,
    /// Those for which there was no room there.
    pub late: VecDeque<Done>,
    pub open: BTreeMap<CallId, Open>,
    pub looked: Option<Mono>,
    /// Is told when nothing can be written; what it was told last.
    pub down: Down,
    pub told: bool,
    pub looks: u64,
}

/// A file that is being written.
#[derive(Default)]
pub struct Open {
    file: Option<File>,
    /// The bytes of audio in it.
    bytes: u64,
    /// Frames that could not be written: silence in their place, once something can.
    owed: u64,
    lost: bool,
}

impl Files {
    pub fn run(mut self, jobs: &Receiver<Job>) {
        threads::turns(FILES, || {
            match jobs.recv_timeout(LOOK) {
                Ok(job) => self.guarded(job),
                Err(error) if error.is_disconnected() => return ControlFlow::Break(()),
                Err(_) => {}
            }
            self.look();
            ControlFlow::Continue(())
        });
    }

    /// A panic costs the call's recording: its next start finds what there is of it.
    pub fn guarded(&mut self, job: Job) {
        let (call, size, last) = match &job {
            Job::Audio { call, bytes, .. } => (*call, bytes.len(), false),
            Job::Whole { call, .. } | Job::Discarded { call } | Job::Missed { call } => (*call, 0, true),
        };
        if threads::guarded(FILES, || self.take(job)).is_some() {
            return;
        }
        self.figures.waiting.fetch_sub(size, Ordering::Relaxed);
        self.open.entry(call).or_default().lost = true;
        if last {
            self.open.remove(&call);
            self.finish(Done { call, state: State::Interrupted });
        }
    }

    pub fn take(&mut self, job: Job) {
        trap::spring(Trap::Recording);
        match job {
            Job::Audio { call, skipped, bytes } => self.audio(call, skipped, &bytes),
            Job::Whole { call, lost } => self.whole(call, lost),
            Job::Discarded { call } => {
                self.open.remove(&call);
                self.finish(Done { call, state: State::Discarded });
            }
            Job::Missed { call } => self.finish(Done { call, state: State::Missing }),
        }
    }

    fn audio(&mut self, call: CallId, skipped: u64, bytes: &[u8]) {
        let room = self.has_room();
        let open = self.open.entry(call).or_default();
        open.owed += skipped;
        let written = if room { open.write(&self.store, call, bytes) } else { Err(io::ErrorKind::StorageFull.into()) };
        if written.is_err() {
            let frames = (bytes.len() / self.store.format.frame()) as u64;
            open.owed += frames;
            open.lost = true;
            self.figures.lost_frames.fetch_add(frames, Ordering::Relaxed);
        }
        self.figures.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        self.figures.disk(written);
        self.tell();
    }

    /// Those who would begin to be recorded hear of it.
    fn tell(&mut self) {
        let down = !self.has_room() || self.figures.down();
        if std::mem::replace(&mut self.told, down) != down {
            (self.down)(down);
        }
    }

    fn has_room(&self) -> bool {
        self.figures.free.load(Ordering::Relaxed) >= self.min_free / 2
    }

    fn whole(&mut self, call: CallId, lost: bool) {
        let state = match self.open.remove(&call) {
            None if lost => State::Missing,
            None => State::Empty,
            Some(open) if open.bytes == 0 => State::Missing,
            Some(open) if lost || open.lost || open.owed > 0 => State::Partial,
            Some(_) => State::Ready,
        };
        self.finish(Done { call, state });
    }

    /// Calls that go on do not lose their audio for a journal that stands still: the recording waits. Where too many do, the next
    /// start finishes it.
    fn finish(&mut self, done: Done) {
        if self.late.len() >= LATE {
            return tracing::error!(call = %done.call, "nobody finishes recordings now; the next start will");
        }
        self.late.push_back(done);
        self.hand_on();
    }

    fn hand_on(&mut self) {
        while self.late.front().is_some_and(|done| self.done.try_send(*done).is_ok()) {
            self.late.pop_front();
        }
    }

    pub fn look(&mut self) {
        let now = clock::now();
        if self.looked.is_some_and(|at| now.mono.since(at) < LOOK) {
            return;
        }
        self.looked = Some(now.mono);
        self.hand_on();
        let free = crate::io::journal::disk::free(&self.store.folder);
        self.figures.free.store(free, Ordering::Relaxed);
        self.figures.room(free, self.min_free);
        // Where messages alone are recorded, nobody would find out in time. A disk with too little room takes a byte all the same.
        if self.has_room() && (self.figures.down() || self.looks.is_multiple_of(PROBE)) {
            self.figures.disk(self.store.day(now.wall).map_or(Ok(()), |day| probe(&day)));
        }
        self.looks += 1;
        self.tell();
    }
}

impl Open {
    fn write(&mut self, store: &RecordingStore, call: CallId, bytes: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => create(store, &store.file(call, PART).ok_or(io::ErrorKind::InvalidInput)?)?,
        };
        let file = self.file.insert(file);
        let (format, header) = (store.format, store.format.header_length());
        while self.owed > 0 {
            let frames = self.owed.min(SILENCE);
            let silence = vec![format.silence(); frames as usize * format.frame()];
            file.write_all_at(&silence, header + self.bytes)?;
            self.bytes += silence.len() as u64;
            self.owed -= frames;
        }
        file.write_all_at(bytes, header + self.bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Tries whether anything can be written.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join("probe.part");
    folders(folder)?;
    let written = File::create(&path).and_then(|file| file.write_all_at(b".", 0));
    fs::remove_file(&path).and(written)
}

fn folders(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Nobody else reads it.
fn create(store: &RecordingStore, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(day) = path.parent() {
        folders(day)?;
    }
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all_at(&store.format.header(0), 0)?;
    Ok(file)
}
