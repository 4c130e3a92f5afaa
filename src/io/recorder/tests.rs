use super::*;
use crate::base::{Mono, Rng, Wall};
use crate::event::{By, Entry, Offered, Result as Outcome, What};
use crate::io::config::SealingKey;
use crate::io::journal::Reader;
use crate::io::journal::{Journal, Options};
use crate::io::recorder::store::{PART, WAV};
use crate::io::shards::tap;
use crate::media::wav::Format;
use crate::media::{Law, Side};
use crate::record::recording::{Recorded, State};
use crate::record::shape::Recording;
use crate::record::zone::Zone;
use crate::switch;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A journal and a folder, and the recorder that works with them.
struct Bench {
    folder: TempDir,
    config: Config,
    journal: Journal,
    recorder: Recorder,
    sink: Sink,
    ticket: u64,
}

impl Bench {
    fn new() -> Bench {
        Bench::on(tempfile::tempdir().unwrap(), |_| {})
    }

    fn on(folder: TempDir, change: impl FnOnce(&mut Config)) -> Bench {
        let mut config = Config::default();
        config.node.state = folder.path().to_owned();
        config.http.public_url = "https://a.example".to_owned();
        config.recording.lines = vec!["all".to_owned()];
        (config.recording.calls, config.recording.buffer, config.recording.link_days) = (10, 1 << 20, 30);
        config.recording.link_key = "links".to_owned();
        let key = SealingKey { secret: "01".repeat(32), ..SealingKey::default() };
        config.records.keys.insert("links".to_owned(), key);
        change(&mut config);
        let (journal, _) = Journal::open(Options::new(config.journal()), clock::now().wall, |_| {}).unwrap();
        let (sink, frames) = tap::queue(1000);
        let owed = journal.reader(Zone::default()).unwrap().owed_recordings().unwrap();
        let (settler, clock) = (journal.settler(), journal.clock());
        let parts = Parts {
            journal: settler,
            owed,
            clock,
            frames: Some((frames, sink.clone())),
            seed: MapSeed(1, 2),
            down: Box::new(|_| {}),
        };
        let recorder = Recorder::start(&config, parts).unwrap();
        Bench { folder, config, journal, recorder, sink, ticket: 0 }
    }

    /// As the switch's thread does it.
    fn entry(&mut self, call: CallId, seq: u32, what: What) {
        self.ticket += 1;
        let at = clock::mono();
        match &what {
            What::Offered(offered) if offered.recorded => self.note(switch::Recording::Begins { call, at }),
            What::Ended { .. } => self.note(switch::Recording::Ends { call, at }),
            _ => {}
        }
        let entry = Entry { call, seq, wall: clock::now().wall, mono: at, what };
        assert!(self.journal.appender().append(self.ticket, entry));
    }

    fn note(&self, recording: switch::Recording) {
        self.recorder.notes().unwrap().note(recording);
    }

    fn begin(&mut self, call: CallId) {
        self.entry(call, 1, What::Offered(Box::new(Offered { recorded: true, number: "12345".into(), ..Offered::default() })));
    }

    fn end(&mut self, call: CallId) {
        self.entry(call, 2, What::Ended { result: Outcome::Answered, by: By::Caller, status: None, q850: None });
    }

    fn say(&self, call: CallId, leg: u64, frames: u32) {
        for n in 0..frames {
            let tapped = Tapped { call, leg, side: Side::Said, law: Law::A, timestamp: n * 160, at: clock::mono() };
            self.sink.take(&tapped, &[0xAA; 160]);
        }
    }

    fn reader(&self) -> Reader {
        self.journal.reader(Zone::default()).unwrap()
    }

    /// Once it is known what became of it.
    fn told(&self, call: CallId) -> Recording {
        self.told_other_than(call, "pending")
    }

    fn told_other_than(&self, call: CallId, state: &str) -> Recording {
        loop {
            let recording = self.reader().record(call).unwrap().and_then(|record| record.recording);
            match recording {
                Some(recording) if recording.state != state => return recording,
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// How often it was told, by the feed.
    fn times(&self, call: CallId) -> usize {
        let ours = |fed: &crate::io::journal::FeedItem| {
            fed.item.as_ref().is_some_and(|item| item.call == call && item.kind.name() == "recording.ready")
        };
        self.reader().feed(0, 1000).unwrap().iter().filter(|fed| ours(fed)).count()
    }

    fn file(&self, call: CallId, ending: &str) -> PathBuf {
        RecordingStore::of(&self.config).unwrap().file(call, ending).unwrap()
    }

    fn stop(self) -> TempDir {
        self.recorder.stop();
        self.journal.close();
        self.folder
    }
}

fn call(n: u64) -> CallId {
    CallId::new(Wall(1_638_316_800_000_000), &mut Rng::from_number(n))
}

fn hash(file: &PathBuf) -> String {
    HEXLOWER.encode(digest(&SHA256, &fs::read(file).unwrap()).as_ref())
}

#[test]
fn a_call_becomes_a_file_and_an_event_after_its_record() {
    let mut bench = Bench::new();
    bench.begin(call(1));
    assert_eq!(bench.told_other_than(call(1), "ready"), crate::record::recording::pending(&call(1).to_string()));
    bench.say(call(1), 0, 50);
    bench.say(call(1), 1, 50);
    bench.end(call(1));
    let told = bench.told(call(1));
    let file = bench.file(call(1), WAV);
    assert_eq!((told.state.as_str(), told.sha256.unwrap()), ("ready", hash(&file)));
    assert!(told.url.unwrap().starts_with(&format!("https://a.example/api/v1/recordings/{}?expires=", call(1))));
    let reader = hound::WavReader::open(&file).unwrap();
    assert_eq!((reader.duration() / 8) as u64, told.ms.unwrap());
    assert!(reader.duration() >= 160 && reader.into_samples::<i16>().any(|sample| sample.unwrap() != 0));
    let kinds: Vec<_> = bench.reader().feed(0, 10).unwrap().into_iter().map(|fed| fed.item.unwrap().kind.name()).collect();
    assert_eq!(kinds, ["call.offered", "call.ended", "call.record", "recording.ready"]);
    let masked = bench.reader().record(call(1)).unwrap().unwrap().masked().recording.unwrap();
    assert!(masked.url.unwrap().ends_with(&call(1).to_string()), "a link that opens by itself is not for everybody");
    bench.stop();
}

#[test]
fn a_call_without_a_sound_and_one_too_many_are_told_too() {
    let mut bench = Bench::on(tempfile::tempdir().unwrap(), |config| config.recording.calls = 1);
    bench.begin(call(1));
    bench.begin(call(2));
    let missing = bench.told(call(2));
    assert_eq!((missing.state.as_str(), missing.url, missing.ms), ("missing", None, None));
    bench.end(call(1));
    assert_eq!(bench.told(call(1)).state, "empty");
    bench.end(call(2));
    let folder = bench.stop();
    let bench = Bench::on(folder, |_| {});
    assert_eq!((bench.times(call(1)), bench.times(call(2))), (1, 1));
    bench.stop();
}

#[test]
fn what_another_process_left_behind_is_finished_and_told_once() {
    let mut bench = Bench::new();
    (1..=4).for_each(|n| bench.begin(call(n)));
    // Calls 1 to 3 are open as the process dies; 4 has ended, and it was not told yet.
    fs::create_dir_all(bench.file(call(1), PART).parent().unwrap()).unwrap();
    let audio = [Format::ALaw.header(0), vec![0x55; 16_001]].concat();
    fs::write(bench.file(call(1), PART), audio).unwrap();
    fs::write(bench.file(call(2), PART), [0; 30]).unwrap();
    fs::write(bench.file(call(4), WAV), [Format::Pcm.header(32_000), vec![1; 32_000]].concat()).unwrap();
    let appended = Entry {
        call: call(4),
        seq: 2,
        wall: Wall(0),
        mono: Mono(0),
        what: What::Ended { result: Outcome::Answered, by: By::Caller, status: None, q850: None },
    };
    assert!(bench.journal.appender().append(9, appended));
    let mut folder = bench.stop();
    for _ in 0..2 {
        let bench = Bench::on(folder, |_| {});
        let told = |n| bench.told(call(n));
        let file = bench.file(call(1), WAV);
        assert_eq!((told(1).state.as_str(), told(1).ms, told(1).sha256.unwrap()), ("interrupted", Some(1000), hash(&file)));
        assert_eq!(fs::read(&file).unwrap()[..58], Format::ALaw.header(16_000), "its own form, not the configured one");
        assert_eq!(fs::metadata(&file).unwrap().len(), 16_058, "half a frame is none");
        assert_eq!((told(2).state.as_str(), told(3).state.as_str()), ("missing", "missing"));
        assert_eq!((told(4).state.as_str(), told(4).ms), ("interrupted", Some(1000)));
        assert!((1..=4).all(|n| bench.times(call(n)) == 1));
        assert!(!bench.file(call(1), PART).exists() && !bench.file(call(2), PART).exists());
        folder = bench.stop();
    }
}

#[test]
fn what_is_too_old_is_deleted_where_that_can_be_noted_and_the_record_keeps_its_hash() {
    let mut bench = Bench::new();
    bench.begin(call(1));
    bench.say(call(1), 0, 50);
    bench.end(call(1));
    let sha256 = bench.told(call(1)).sha256;
    let (file, audit) = (bench.file(call(1), WAV), bench.folder.path().join("audit.log"));
    let folder = bench.stop();
    // As old as its name says.
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_638_316_800);
    fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    fs::create_dir(&audit).unwrap();
    let bench = Bench::on(folder, |config| config.recording.keep_days = 730);
    let folder = bench.stop();
    assert!(file.exists(), "it cannot be noted");
    fs::remove_dir(&audit).unwrap();
    let bench = Bench::on(folder, |config| config.recording.keep_days = 730);
    let told = bench.told_other_than(call(1), "ready");
    assert_eq!((told.state.as_str(), told.url, told.sha256), ("purged", None, sha256));
    while file.parent().unwrap().exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let line = fs::read_to_string(&audit).unwrap();
    assert!(line.contains("recordings purged") && line.contains("2021-12-01: 1 recordings, older than 730 days"), "{line}");
    assert_eq!(bench.times(call(1)), 1, "no event tells of a purge");
    bench.stop();
}

/// The writing thread's work, in steps.
struct Writing {
    files: Files,
    done: Receiver<Done>,
    folder: TempDir,
}

impl Writing {
    fn new(format: &str) -> Writing {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.recording.folder = folder.path().join("deep/down");
        if format == "a-law" {
            config.recording.format = crate::io::config::Sound::ALaw;
        }
        let (store, figures) = (Arc::new(RecordingStore::of(&config).unwrap()), Arc::new(Figures::default()));
        figures.free.store(1000, Ordering::Relaxed);
        let (done, finished) = bounded(10);
        let files = Files {
            store,
            figures,
            min_free: 2000,
            done,
            late: VecDeque::new(),
            open: BTreeMap::new(),
            looked: Some(clock::mono()),
            down: Box::new(|_| {}),
            told: false,
            looks: 1,
        };
        Writing { files, done: finished, folder }
    }

    fn audio(&mut self, skipped: u64, byte: u8) {
        self.files.figures.waiting.fetch_add(8, Ordering::Relaxed);
        self.files.take(Job::Audio { call: call(1), skipped, bytes: vec![byte; 8] });
    }

    fn look(&mut self) {
        self.files.looked = None;
        self.files.look();
    }

    fn whole(&mut self, lost: bool) -> State {
        self.files.take(Job::Whole { call: call(1), lost });
        self.done.try_recv().unwrap().state
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.files.store.file(call(1), PART).unwrap()).unwrap()[self.files.store.format.header_length() as usize..]
            .to_vec()
    }
}

#[test]
fn silence_stands_where_audio_was_lost() {
    for (format, silence, frames) in [("pcm", 0, 2), ("a-law", 0xD5, 4)] {
        let mut w = Writing::new(format);
        w.audio(0, 1);
        w.audio(3, 2);
        w.files.figures.free.store(999, Ordering::Relaxed);
        w.audio(0, 3);
        assert_eq!(w.files.figures.lost_frames.load(Ordering::Relaxed), frames);
        w.files.figures.free.store(1000, Ordering::Relaxed);
        w.audio(0, 4);
        let gap = |frames: usize| vec![silence; frames * w.files.store.format.frame()];
        assert_eq!(w.bytes(), [vec![1; 8], gap(3), vec![2; 8], gap(frames as usize), vec![4; 8]].concat());
        assert_eq!(w.whole(false), State::Partial);
        assert_eq!(w.files.figures.waiting.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn what_could_be_written_says_how_it_went() {
    let mut w = Writing::new("pcm");
    assert_eq!((w.whole(false), w.whole(true)), (State::Empty, State::Missing));
    w.audio(0, 1);
    assert_eq!(w.whole(false), State::Ready);
    w.audio(0, 1);
    assert_eq!(w.whole(true), State::Partial);
    fs::remove_dir_all(w.folder.path()).unwrap();
    fs::write(w.folder.path(), "in the way").unwrap();
    w.audio(0, 1);
    assert_eq!(w.whole(false), State::Missing);
    assert!(w.files.figures.metrics().iter().any(|metric| metric.name == "recording_down" && metric.value == 1));
    fs::remove_file(w.folder.path()).unwrap();
}

#[test]
fn ends_that_nobody_takes_hold_up_no_audio() {
    let mut w = Writing::new("pcm");
    for n in 10..30_000 {
        w.files.take(Job::Missed { call: call(n) });
    }
    w.audio(0, 1);
    assert_eq!(w.bytes(), [1; 8]);
    let mut taken = 0;
    while !w.done.is_empty() {
        taken += w.done.try_iter().count();
        w.look();
    }
    assert_eq!(taken, 29_990, "they come when somebody takes them again");
}

#[test]
fn a_disk_with_too_little_room_is_down_until_there_is_enough() {
    let mut w = Writing::new("pcm");
    w.files.min_free = u64::MAX;
    w.look();
    w.audio(0, 1);
    for _ in 0..5 {
        assert!(w.files.figures.down() && w.files.told);
        w.look();
    }
    w.files.min_free = 0;
    w.look();
    assert!(!w.files.figures.down() && !w.files.told);
}

#[test]
fn a_folder_of_the_day_that_takes_nothing_is_found_out() {
    let mut w = Writing::new("pcm");
    w.files.min_free = 0;
    let day = w.files.store.day(clock::now().wall).unwrap();
    fs::create_dir_all(day.parent().unwrap()).unwrap();
    fs::write(&day, "in the way").unwrap();
    (w.files.looks, w.files.told) = (0, false);
    w.look();
    assert!(w.files.figures.down() && w.files.told);
    fs::remove_file(&day).unwrap();
    w.look();
    assert!(!w.files.figures.down() && !w.files.told);
}

#[test]
fn what_finds_no_room_on_its_way_to_the_disk_is_counted() {
    let (jobs, handed) = bounded(10);
    let (sink, frames) = tap::queue(1);
    let mut assembler = Assembler {
        frames,
        sink,
        lost: 0,
        notes: bounded(1).1,
        recordings: Recordings::new(Format::Pcm, 1, MapSeed(1, 2)),
        jobs,
        frame: 4,
        buffer: 20,
        skipped: BTreeMap::new(),
        figures: Arc::default(),
    };
    let audio = || Made::Audio { call: call(1), bytes: vec![0; 12] };
    assembler.hand(audio());
    assembler.hand(audio());
    assert_eq!(assembler.figures.lost_frames.load(Ordering::Relaxed), 3);
    assembler.figures.waiting.fetch_sub(12, Ordering::Relaxed);
    assembler.hand(audio());
    assembler.hand(Made::Whole { call: call(1), lost: false });
    let jobs: Vec<Job> = handed.try_iter().collect();
    assert!(matches!(jobs[..], [Job::Audio { skipped: 0, .. }, Job::Audio { skipped: 3, .. }, Job::Whole { lost: true, .. }]));
    let none = Recorded::without_file(State::Missing);
    assert!(none.url.is_none() && assembler.skipped.is_empty());
}

#[test]
fn a_journal_that_is_down_does_not_hold_up_the_end() {
    let mut bench = Bench::new();
    let gate = rusqlite::Connection::open(bench.config.journal()).unwrap();
    gate.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let missed = bench.config.recording.calls as u64 + 300;
    (0..missed).for_each(|n| bench.begin(call(n)));
    // The one that finds no slot any more is counted, too.
    let told = |metric: &Metric| (metric.name == "recordings_total").then_some(metric.value);
    while bench.recorder.metrics()().iter().filter_map(told).sum::<u64>() <= 256 {
        thread::sleep(Duration::from_millis(1));
    }
    bench.recorder.stop();
    gate.execute_batch("COMMIT").unwrap();
    bench.journal.close();
}

#[test]
fn a_panic_costs_one_recording_and_no_thread() {
    use crate::base::trap::{self, Trap};
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.state = folder.path().to_owned();
    config.recording.lines = vec!["all".to_owned()];
    let (store, figures) = (Arc::new(RecordingStore::of(&config).unwrap()), Arc::new(Figures::default()));
    let (done, finished) = bounded(10);
    figures.free.store(u64::MAX, Ordering::Relaxed);
    let mut files = Files {
        store,
        figures: figures.clone(),
        min_free: 0,
        done,
        late: VecDeque::new(),
        open: BTreeMap::new(),
        looked: None,
        down: Box::new(|_| {}),
        told: false,
        looks: 1,
    };
    let calls: Vec<CallId> = (0..2).map(|n| CallId::new(Wall(n), &mut Rng::from_number(n as u64 + 1))).collect();
    for (n, call) in calls.iter().enumerate() {
        figures.waiting.fetch_add(640, Ordering::Relaxed);
        files.guarded(Job::Audio { call: *call, skipped: 0, bytes: vec![0; 640] });
        if n == 0 {
            figures.waiting.fetch_add(640, Ordering::Relaxed);
            trap::set(Trap::Recording, 0);
            files.guarded(Job::Audio { call: *call, skipped: 0, bytes: vec![0; 640] });
        }
    }
    calls.iter().for_each(|call| files.guarded(Job::Whole { call: *call, lost: false }));
    let told: Vec<Done> = finished.try_iter().collect();
    assert_eq!(told, [Done { call: calls[0], state: State::Partial }, Done { call: calls[1], state: State::Ready }]);
    assert_eq!(figures.waiting.load(Ordering::Relaxed), 0, "no room is lost with it");
}
