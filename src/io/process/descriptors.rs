//! The files and sockets that this process may hold, and the alarm when there is none to be had.

use crate::base::{Mono, Text};
use crate::io::clock;
use crate::io::metrics::Metric;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A database and its log.
pub const EACH_DATABASE: usize = 2;

/// The most that this process may hold, once it has asked for it.
pub fn most() -> usize {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(_, hard)| usize::try_from(hard).unwrap_or(usize::MAX))
}

/// Asks for the most; gives what this process may hold now.
pub fn raise() -> usize {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}

/// Counts those that this process holds.
fn open() -> usize {
    const HELD: &str = "/proc/self/fd";
    // Linux tells the number as the folder's size since 6.2; to read the folder opens one more.
    match std::fs::metadata(HELD).map_or(0, |folder| folder.len()) {
        0 => std::fs::read_dir(HELD).map_or(0, |held| held.count().saturating_sub(1)),
        count => usize::try_from(count).unwrap_or(usize::MAX),
    }
}

/// Why a descriptor is wanted while calls come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Media,
    Sip,
    Http,
    Recording,
    Audit,
    Journal,
}

impl Purpose {
    const ALL: [Purpose; 6] = [Purpose::Media, Purpose::Sip, Purpose::Http, Purpose::Recording, Purpose::Audit, Purpose::Journal];

    fn name(self) -> &'static str {
        match self {
            Purpose::Media => "media",
            Purpose::Sip => "sip",
            Purpose::Http => "http",
            Purpose::Recording => "recording",
            Purpose::Audit => "audit",
            Purpose::Journal => "journal",
        }
    }

    fn told(self) -> Text {
        match self {
            Purpose::Media => both!("calls' voice", "通话语音"),
            Purpose::Sip => both!("SIP connections", "SIP 连接"),
            Purpose::Http => both!("HTTP clients", "HTTP 客户端"),
            Purpose::Recording => both!("recordings", "录音"),
            Purpose::Audit => both!("the audit log", "审计日志"),
            Purpose::Journal => both!("the journal", "日志数据库"),
        }
    }
}

static MISSED: [AtomicU64; Purpose::ALL.len()] = [const { AtomicU64::new(0) }; Purpose::ALL.len()];
/// When, in microseconds of the monotonic clock; zero: never.
static LAST: [AtomicU64; Purpose::ALL.len()] = [const { AtomicU64::new(0) }; Purpose::ALL.len()];
/// Time for which a lack is an alarm after the last time that it was felt.
const LATELY: Duration = Duration::from_secs(60);

/// True when the error says that this process or this machine has no descriptor, or no memory for one, to give: then it
/// is counted, and said now and then.
pub fn missed(purpose: Purpose, error: &io::Error) -> bool {
    if !is(error, &[Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM]) {
        return false;
    }
    LAST[purpose as usize].store(clock::mono().0.max(1), Ordering::Relaxed);
    let times = MISSED[purpose as usize].fetch_add(1, Ordering::Relaxed) + 1;
    if times.is_power_of_two() {
        let (purpose, open) = (purpose.name(), open());
        tracing::error!(purpose, %error, times, open, "no file or socket to be had; raise the limit of open files (LimitNOFILE, ulimit -n)");
    }
    true
}

/// True when the error says that there is no descriptor.
pub fn is_lack(error: &io::Error) -> bool {
    is(error, &[Errno::EMFILE, Errno::ENFILE])
}

fn is(error: &io::Error, codes: &[Errno]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&Errno::from_raw(code)))
}

/// True when not even as many are left as a database takes: SQLite says only that it cannot open or write a file.
pub fn none_left(purpose: Purpose) -> bool {
    let pairs: io::Result<Vec<_>> = (0..EACH_DATABASE).map(|_| UnixStream::pair()).collect();
    pairs.is_err_and(|error| missed(purpose, &error))
}

/// The alarm while descriptors are short: for what there was none of late.
pub fn shortage() -> Option<Text> {
    shortage_at(clock::mono(), &LAST)
}

fn shortage_at(now: Mono, last: &[AtomicU64; Purpose::ALL.len()]) -> Option<Text> {
    let lately = |at: &AtomicU64| Some(at.load(Ordering::Relaxed)).is_some_and(|at| at > 0 && now.since(Mono(at)) < LATELY);
    let missing = Purpose::ALL.into_iter().zip(last).filter(|(_, at)| lately(at)).map(|(purpose, _)| purpose.told());
    let missing: Vec<Text> = missing.collect();
    (!missing.is_empty()).then(|| {
        let what = both!("no file or socket is left for {}", "没有可用的文件描述符，影响：{}"; Text::joined(&missing));
        what.then(&both!("; ", "；")).then(&raise_it())
    })
}

pub fn raise_it() -> Text {
    both!("raise the limit of open files (LimitNOFILE, ulimit -n)", "请提高打开文件数上限（LimitNOFILE、ulimit -n）")
}

pub fn metrics() -> Vec<Metric> {
    let help = "How often there was no file or socket to be had.";
    let missed = Purpose::ALL.iter().zip(&MISSED).map(|(purpose, count)| {
        let metric = Metric::counter("descriptors_missed_total", help, count.load(Ordering::Relaxed));
        metric.labelled(&[("purpose", purpose.name())])
    });
    let open = Metric::gauge("descriptors_open", "Files and sockets that this process holds.", open());
    [open].into_iter().chain(missed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_is_an_alarm_that_names_what_it_is_felt_by_and_goes() {
        let last = [const { AtomicU64::new(0) }; Purpose::ALL.len()];
        let told = |seconds: u64| shortage_at(Mono(seconds * 1_000_000), &last);
        assert_eq!(told(100), None);
        last[Purpose::Journal as usize].store(100_000_000, Ordering::Relaxed);
        last[Purpose::Audit as usize].store(130_000_000, Ordering::Relaxed);
        let both = told(131).unwrap();
        assert!(both.en.starts_with("no file or socket is left for the audit log, the journal; raise the limit"), "{both}");
        assert!(both.zh.contains("文件描述符") && both.zh.contains("审计日志；日志数据库"), "{}", both.zh);
        assert!(!told(161).unwrap().en.contains("journal"));
        assert_eq!(told(191), None);
        assert!(!none_left(Purpose::Journal), "there are some");
    }

    #[test]
    fn only_what_is_missing_is_counted_as_missing() {
        let count = || MISSED[Purpose::Audit as usize].load(Ordering::Relaxed);
        let before = count();
        assert!(!missed(Purpose::Audit, &io::Error::from_raw_os_error(Errno::EADDRINUSE as i32)));
        assert!(!missed(Purpose::Audit, &io::Error::other("no code")));
        assert!(missed(Purpose::Audit, &io::Error::from_raw_os_error(Errno::EMFILE as i32)));
        assert!(missed(Purpose::Audit, &io::Error::from_raw_os_error(Errno::ENFILE as i32)));
        assert_eq!(count() - before, 2);
        assert!(open() > 3);
    }
}
