//! Logs on standard error. A thread of its own writes them, since whoever reads them may stand still (a hung journald, a
//! stopped `| tee`, a full pipe of a container): no call, no health page and no signal waits for a line.

use crate::base::{Shown, Text};
use crate::io::process::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::io::{self, IsTerminal, Write, stderr};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload::Handle;

/// Lines that wait, whatever their length.
const LINES: usize = 16 << 10;
/// How long the end of the process waits for what is not written yet, and how often it looks.
const GOODBYE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

const THREAD: &str = "log";
/// Beginnings of the standard library's words about a panic. It quotes values behind them.
const BEGINNINGS: &[&str] = &[
    "assertion ",
    "attempt to ",
    "byte index ",
    "called `Option::expect()`",
    "called `Option::unwrap()`",
    "called `Result::expect()`",
    "called `Result::unwrap()`",
    "called `Result::unwrap_err()`",
    "index out of bounds",
    "range end index ",
    "range start index ",
    "slice index starts at ",
];

/// The settings of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
    /// Bytes that wait for whoever reads the log.
    pub buffer: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub drain: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
/// The form of its lines.
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Gives a log another level.
type Change = Box<dyn Fn(&str) -> Result<(), Text> + Send + Sync>;

/// The log of this process, once it has one.
static LEVEL: OnceLock<Change> = OnceLock::new();

/// Lines that nobody took in time, since the start.
static LOST: AtomicU64 = AtomicU64::new(0);

pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Once a process. Drop what it gives when the last line has been said.
pub fn start(log: &Log) -> Result<Logging, Text> {
    let filter = EnvFilter::try_new(&log.level).map_err(|e| both!("log.level: {e}", "log.level 有误：{e}"))?;
    let coloured = stderr().is_terminal();
    let guard = match log.format {
        LogFormat::Text if coloured => |line: &str| Shown::event(line, true),
        LogFormat::Text => |line: &str| Shown::event(line, false),
        LogFormat::Json => Shown::json,
    };
    let lines = to_thread(stderr(), guard, log.buffer, &LOST)
        .map_err(|e| both!("cannot start the log's thread: {e}", "无法启动日志线程：{e}"))?;
    let logging = Logging(lines.clone());
    // A line that cannot be written (a full disk behind standard error) is lost. The library would report that by
    // `eprintln!`, which panics then and takes the thread along.
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).log_internal_errors(false);
    match log.format {
        LogFormat::Text => {
            let format = format.with_ansi(coloured).with_filter_reloading();
            may_change(format.reload_handle());
            format.try_init()
        }
        LogFormat::Json => {
            let format = format.json().flatten_event(true).with_filter_reloading();
            may_change(format.reload_handle());
            format.try_init()
        }
    }
    .map_err(|e| both!("cannot start the log: {e}", "无法启动日志：{e}"))?;
    panic::set_hook(Box::new(panicked));
    Ok(logging)
}

/// From here on this log says what its new level asks for. In a process without one nothing happens.
pub fn change(level: &str) -> Result<(), Text> {
    LEVEL.get().map_or(Ok(()), |change| change(level))
}

fn may_change<S: 'static>(filter: Handle<EnvFilter, S>) {
    let change = move |level: &str| {
        let new = EnvFilter::try_new(level).map_err(|e| both!("log.level: {e}", "log.level 有误：{e}"))?;
        filter.reload(new).map_err(|e| both!("log.level: {e}", "log.level 有误：{e}"))
    };
    // A second log would not have started.
    let _ = LEVEL.set(Box::new(change));
}

/// The standard hook writes to standard error by itself, and would wait there.
fn panicked(info: &PanicHookInfo<'_>) {
    let current = thread::current();
    let thread = current.name().unwrap_or("unnamed");
    // A line about the log's own thread would come back to it; it is counted.
    if thread != THREAD {
        tracing::error!(thread, place = place(info), "panicked: {}", said(info.payload()));
    }
}

/// For commands that have no log.
pub fn panics_on_terminal() {
    panic::set_hook(Box::new(|info| {
        let _ = writeln!(stderr(), "hotline: panicked at {}: {}", place(info), said(info.payload()));
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map(ToString::to_string).unwrap_or_default()
}

/// The words of a panic. Those that stand in the program are shown. Others are put together while it runs and may quote a
/// caller's number or a secret: only a beginning that is known to quote nothing is shown of them.
fn said(payload: &(dyn Any + Send)) -> String {
    if let Some(words) = payload.downcast_ref::<&str>() {
        return (*words).to_owned();
    }
    let made = payload.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
    match BEGINNINGS.iter().find(|beginning| made.starts_with(**beginning)) {
        Some(beginning) => format!("{} …", beginning.trim_end()),
        None => "…".to_owned(),
    }
}

/// Waits, but not for ever, until what was said is written.
pub struct Logging(Lines);

impl Drop for Logging {
    fn drop(&mut self) {
        for _ in 0..GOODBYE.as_millis() / LOOK.as_millis() {
            if self.0.waiting.load(Ordering::Relaxed) == 0 {
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// Takes a line at a time and never waits.
#[derive(Clone)]
struct Lines {
    thread: Sender<Box<[u8]>>,
    /// Bytes that are not written yet, and how many there may be.
    waiting: Arc<AtomicUsize>,
    most: usize,
    lost: &'static AtomicU64,
}

impl Lines {
    fn put(&self, line: &[u8]) {
        let waiting = self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        if waiting + line.len() > self.most || self.thread.try_send(line.into()).is_err() {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Write for Lines {
    /// The library hands over each line whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// Makes a line harmless: whatever stands in it, nothing of it acts.
type Guard = fn(&str) -> String;

fn to_thread(to: impl Write + Send + 'static, guard: Guard, most: usize, lost: &'static AtomicU64) -> io::Result<Lines> {
    let (thread, lines) = bounded(LINES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let written = waiting.clone();
    threads::thread(THREAD, move || write(to, guard, &lines, &written, lost))?;
    Ok(Lines { thread, waiting, most, lost })
}

fn write(mut to: impl Write, guard: Guard, lines: &Receiver<Box<[u8]>>, written: &AtomicUsize, lost: &AtomicU64) {
    let mut told = 0;
    for line in lines {
        let written_out = threads::counted(THREAD, || to.write_all(guard(&String::from_utf8_lossy(&line)).as_bytes()));
        let taken = matches!(written_out, Some(Ok(())));
        if !taken {
            lost.fetch_add(1, Ordering::Relaxed);
        }
        written.fetch_sub(line.len(), Ordering::Relaxed);
        let now = lost.load(Ordering::Relaxed);
        // Where no line is taken, one about lost lines would be lost as well, and another one follow it without end.
        if taken && now > told && lines.is_empty() {
            told = now;
            let warn = || tracing::warn!(lost = now, "lines of this log were lost since the start, for nobody took them in time");
            threads::counted(THREAD, warn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Instant;

    /// Stands still in its first line until it is told to go on; then gives what it gets.
    struct Reader {
        go_on: mpsc::Receiver<()>,
        got: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.go_on.recv();
            let _ = self.got.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stands_still_and_what_is_lost_is_counted() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (go, go_on) = mpsc::channel();
        let (got, read) = mpsc::channel();
        let mut lines = to_thread(Reader { go_on, got }, Shown::lines, 1000, &COUNT).unwrap();
        let begun = Instant::now();
        for _ in 0..100_000 {
            lines.write_all(b"ten bytes\n").unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(2));
        let lost = COUNT.load(Ordering::Relaxed);
        assert_eq!(lost, 99_900, "a hundred have room in a thousand bytes");
        drop(go);
        for _ in 0..100 {
            assert_eq!(read.recv_timeout(Duration::from_secs(5)).unwrap(), b"ten bytes\n");
        }
        drop(Logging(lines.clone()));
        lines.write_all(b"again\n").unwrap();
        assert_eq!(read.recv_timeout(Duration::from_secs(5)).unwrap(), b"again\n");
        assert_eq!(COUNT.load(Ordering::Relaxed), lost);
    }

    /// Panics at a line that says so.
    struct Touchy(mpsc::Sender<Vec<u8>>);

    impl Write for Touchy {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            assert!(line != b"panic\n", "as it was told to");
            let _ = self.0.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_panics_is_lost_and_the_next_one_is_written() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (got, read) = mpsc::channel();
        let mut lines = to_thread(Touchy(got), Shown::lines, 1000, &COUNT).unwrap();
        for line in ["before\n", "panic\n", "after\n"] {
            lines.write_all(line.as_bytes()).unwrap();
        }
        for line in ["before\n", "after\n"] {
            assert_eq!(read.recv_timeout(Duration::from_secs(5)).unwrap(), line.as_bytes());
        }
        assert_eq!(COUNT.load(Ordering::Relaxed), 1);
        drop(Logging(lines.clone()));
        assert_eq!(lines.waiting.load(Ordering::Relaxed), 0, "it takes no room");
        assert!(threads::metrics().iter().any(|metric| metric.labels == [("thread", "log".to_owned())] && metric.value > 0));
    }

    #[test]
    fn a_panic_quotes_neither_a_caller_nor_a_secret() {
        let caller = "13800138000";
        let words = |act: Box<dyn Fn()>| said(&*panic::catch_unwind(panic::AssertUnwindSafe(act)).unwrap_err());
        let digits: Result<u8, _> = "hunter2".parse::<u8>().map_err(|e| format!("hunter2: {e}"));
        let words_of = digits.clone();
        for (act, shown) in [
            (Box::new(|| assert!(std::hint::black_box(false), "a plain word")) as Box<dyn Fn()>, Some("a plain word")),
            (Box::new(move || assert!(caller.is_empty(), "{caller} called")), Some("…")),
            (Box::new(move || assert!(digits.clone().unwrap() > 0)), Some("called `Result::unwrap()` …")),
            (Box::new(move || assert!(words_of.clone().expect("a word") > 0)), Some("…")),
            (Box::new(move || assert_eq!(caller, "110", "{caller}")), Some("assertion …")),
            (Box::new(|| assert!(vec![1, 2][std::hint::black_box(5)] > 0)), Some("index out of bounds …")),
            (Box::new(move || drop(caller[std::hint::black_box(3)..2].to_owned())), None),
            (Box::new(|| drop("电话13800138000"[std::hint::black_box(1)..].to_owned())), None),
            (Box::new(|| panic::panic_any(13_800_138_000_u64)), Some("…")),
        ] {
            let said = words(act);
            assert!(!["138", "hunter", "电话"].iter().any(|quoted| said.contains(quoted)), "{said}");
            assert!(shown.is_none_or(|shown| said == shown), "{said}");
        }
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (_go, go_on) = mpsc::channel();
        let mut lines = to_thread(Reader { go_on, got: mpsc::channel().0 }, Shown::lines, 1000, &COUNT).unwrap();
        lines.write_all(b"x\n").unwrap();
        let begun = Instant::now();
        drop(Logging(lines));
        assert!(begun.elapsed() < GOODBYE * 3);
    }
}
