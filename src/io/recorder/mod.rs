//! Recordings: frames from the media threads in, a WAV file for each call out, and an event that tells of it. Three threads,
//! so that what a disk takes its time for costs no audio: one puts the audio together and never touches a disk, one writes it,
//! one finishes files. A queue that is full loses audio and counts it; no call, no media thread and no journal entry waits.

mod figures;
mod files;
mod finalizer;
pub mod store;

use crate::base::{CallId, MapSeed, Text};
use crate::io::clock;
use crate::io::clock::Trusted;
use crate::io::config::Config;
use crate::io::journal::Settler;
use crate::io::journal::disk;
use crate::io::metrics::Metric;
use crate::io::process::audit::Audit;
use crate::io::process::threads;
use crate::io::shards::tap::{Frame, Sink};
use crate::media::Tapped;
use crate::media::recording::{Made, Recordings};
use crate::switch::Recording;
use crossbeam_channel::{Receiver, Sender, bounded};
use figures::Figures;
use files::{Done, Files, Job};
use finalizer::{Finalizer, Retention};
pub use finalizer::{copy_into, measured};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use store::RecordingStore;

/// How often the frames that came are looked at.
const TURN: Duration = Duration::from_millis(50);
/// Beginnings and ends of calls that wait for it.
const NOTES: usize = 65_536;
/// Limits the jobs that wait for the disk, and for being finished; audio has a bound of its own.
const JOBS: usize = 65_536;
const FINISHED: usize = 10_000;
/// The threads' names.
const ASSEMBLER: &str = "recorder";
const FILES: &str = "recordings";
const FINALIZER: &str = "recordings-kept";

/// The threads.
pub struct Recorder {
    store: Arc<RecordingStore>,
    figures: Arc<Figures>,
    sink: Option<Sink>,
    notes: Option<Notes>,
    /// As long as there is one, the finalizer waits for work.
    held: Option<Sender<Done>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The parts that a recorder works with.
pub struct Parts {
    pub journal: Settler,
    /// Calls that were recorded and of which nobody has told yet what became of that.
    pub owed: Vec<CallId>,
    /// The clock that deletions go by.
    pub clock: Arc<Trusted>,
    /// None: nothing is recorded; what there is is finished and kept all the same.
    pub frames: Option<(Receiver<Frame>, Sink)>,
    pub seed: MapSeed,
    /// Is told when recordings cannot be written (true) and can again (false).
    pub down: Down,
}

pub type Down = Box<dyn Fn(bool) + Send>;

/// The switch's end: which calls begin and end.
#[derive(Clone)]
pub struct Notes(Sender<Recording>);

impl Recorder {
    pub fn start(config: &Config, parts: Parts) -> Result<Recorder, Text> {
        let Parts { journal, owed, clock, frames, seed, down } = parts;
        let (store, audit) = (Arc::new(RecordingStore::of(config)?), Audit::of(&config.node.state));
        let (figures, stop) = (Arc::new(Figures::default()), Arc::new(AtomicBool::new(false)));
        let mut recorder = Recorder {
            store: store.clone(),
            figures: figures.clone(),
            sink: frames.as_ref().map(|(_, sink)| sink.clone()),
            notes: None,
            held: None,
            stop: stop.clone(),
            threads: Vec::new(),
        };
        let (done, finished) = bounded(FINISHED);
        let days = config.recording.keep_days;
        let keep = Retention { days, clock };
        let finalizer = Finalizer::new(store.clone(), figures.clone(), journal, audit, keep, stop.clone());
        recorder.thread(FINALIZER, move || finalizer.run(owed, &finished))?;
        let Some((frames, sink)) = frames else {
            recorder.held = Some(done);
            return Ok(recorder);
        };
        let (jobs, wanted) = bounded(JOBS);
        figures.free.store(disk::free(&store.folder), Ordering::Relaxed);
        let min_free = config.recording.min_free;
        let (late, open, looked, told, looks) = (VecDeque::new(), BTreeMap::new(), None, false, 0);
        let files =
            Files { store: store.clone(), figures: figures.clone(), min_free, done, late, open, looked, down, told, looks };
        recorder.thread(FILES, move || files.run(&wanted))?;
        let (notes, noted) = bounded(NOTES);
        recorder.notes = Some(Notes(notes));
        let assembler = Assembler {
            frames,
            sink,
            lost: 0,
            notes: noted,
            recordings: Recordings::new(store.format, config.recording.calls, seed),
            jobs,
            frame: store.format.frame(),
            buffer: config.recording.buffer,
            skipped: BTreeMap::new(),
            figures,
        };
        recorder.thread(ASSEMBLER, move || assembler.run(&stop))?;
        Ok(recorder)
    }

    /// For who reads recordings.
    pub fn store(&self) -> Arc<RecordingStore> {
        self.store.clone()
    }

    /// For the switch's thread; none where nothing is recorded.
    pub fn notes(&self) -> Option<Notes> {
        self.notes.clone()
    }

    pub fn metrics(&self) -> Arc<dyn Fn() -> Vec<Metric> + Send + Sync> {
        let (figures, sink) = (self.figures.clone(), self.sink.clone());
        Arc::new(move || {
            let tapped = sink.iter().flat_map(|sink| {
                [
                    Metric::counter("tap_frames_total", "Pieces of calls' audio queued for the recorder.", sink.queued()),
                    Metric::counter("tap_lost_total", "Pieces that found its queue full.", sink.lost()),
                ]
            });
            tapped.chain(figures.metrics()).collect()
        })
    }

    /// Finishes what has ended. A recording that has not is finished by the next start.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.held);
        for thread in self.threads.into_iter().rev() {
            let _ = thread.join();
        }
    }

    fn thread(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Text> {
        let thread = threads::thread(name, run);
        self.threads.push(thread.map_err(
            |e| both!("cannot start the thread {name}: {}", "无法启动线程 {name}：{}"; crate::io::process::files::told(&e)),
        )?);
        Ok(())
    }
}

impl Notes {
    pub fn note(&self, recording: Recording) {
        if self.0.try_send(recording).is_err() {
            let call = recording.call();
            tracing::error!(%call, "the recorder does not keep up: it was not told of a call");
        }
    }
}

/// The thread that puts audio together.
struct Assembler {
    frames: Receiver<Frame>,
    sink: Sink,
    /// Frames that the sink has lost, as far as it is known here.
    lost: u64,
    notes: Receiver<Recording>,
    recordings: Recordings,
    jobs: Sender<Job>,
    /// Bytes of a frame.
    frame: usize,
    buffer: usize,
    /// Frames that found no room since the last that did, of calls that lost any.
    skipped: BTreeMap<CallId, u64>,
    figures: Arc<Figures>,
}

impl Assembler {
    fn run(mut self, stop: &AtomicBool) {
        let mut made = Vec::new();
        threads::turns(ASSEMBLER, || {
            let last = stop.load(Ordering::Relaxed);
            self.turn(&mut made);
            if last {
                return ControlFlow::Break(());
            }
            thread::sleep(TURN);
            ControlFlow::Continue(())
        });
    }

    /// All frames that came before this moment; those of a call come after the word that it begins, and before its end.
    fn turn(&mut self, made: &mut Vec<Made>) {
        let horizon = clock::mono();
        let frames: Vec<Frame> = self.frames.try_iter().take(self.frames.len()).collect();
        while let Ok(note) = self.notes.try_recv() {
            self.guarded(made, |assembler, _| assembler.note(note));
        }
        for frame in &frames {
            let Frame { call, leg, side, law, timestamp, at, .. } = *frame;
            let tapped = Tapped { call, leg, side, law, timestamp, at };
            self.guarded(made, |assembler, _| assembler.recordings.frame(&tapped, frame.codes()));
        }
        let lost = self.sink.lost();
        if std::mem::replace(&mut self.lost, lost) != lost {
            self.recordings.lose();
        }
        self.guarded(made, |assembler, made| assembler.recordings.advance(horizon, made));
        for made in made.drain(..) {
            threads::guarded(ASSEMBLER, || self.hand(made));
        }
        self.figures.calls.store(self.recordings.len(), Ordering::Relaxed);
    }

    /// A panic costs the recording of one call, or what it was about where it was of none.
    fn guarded(&mut self, made: &mut Vec<Made>, act: impl FnOnce(&mut Assembler, &mut Vec<Made>)) {
        if threads::guarded(ASSEMBLER, || act(self, made)).is_none() {
            self.recordings.recover(made);
        }
    }

    fn note(&mut self, recording: Recording) {
        match recording {
            Recording::Begins { call, at } if !self.recordings.begin(at, call) => send(&self.jobs, Job::Missed { call }),
            Recording::Begins { .. } => {}
            Recording::Turns { call, at, keeping } => self.recordings.turn(at, call, keeping),
            Recording::Ends { call, at } => self.recordings.end(at, call),
            Recording::Discarded { call, at } => self.recordings.discard(at, call),
        }
    }

    fn hand(&mut self, made: Made) {
        match made {
            Made::Audio { call, bytes } => {
                let waiting = self.figures.waiting.load(Ordering::Relaxed);
                if waiting + bytes.len() > self.buffer {
                    let frames = (bytes.len() / self.frame) as u64;
                    *self.skipped.entry(call).or_default() += frames;
                    self.figures.lost_frames.fetch_add(frames, Ordering::Relaxed);
                    return;
                }
                self.figures.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
                let skipped = self.skipped.get_mut(&call).map_or(0, std::mem::take);
                send(&self.jobs, Job::Audio { call, skipped, bytes });
            }
            Made::Whole { call, lost } => {
                let lost = self.skipped.remove(&call).is_some() || lost;
                send(&self.jobs, Job::Whole { call, lost });
            }
            Made::Discarded { call } => {
                self.skipped.remove(&call);
                send(&self.jobs, Job::Discarded { call });
            }
        }
    }
}

/// Waits while the queue is full, which audio cannot make it: frames wait in theirs meanwhile.
fn send(jobs: &Sender<Job>, job: Job) {
    if jobs.send(job).is_err() {
        tracing::error!("nobody writes recordings any more");
    }
}

#[cfg(test)]
mod tests;
