//! The feed: every event of every call under one number, for those who follow. Its home is the journal. The newest events
//! are kept ready, made once for all; who is further behind reads the journal at its own pace. Nobody is waited for.

use super::Error;
use super::{FeedItem, Reader};
use crate::io::process::places::Places;
use crate::record::cloudevent::CloudEvent;
use bytes::Bytes;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::watch;

/// Events that are kept ready.
const READY: usize = 1024;
/// Read at once: nobody keeps the others from the journal for longer.
const CHUNK: u32 = 200;
/// Those who follow at once.
const PLACES: usize = 64;
/// Each token has at most so many of these places: one that comes back without end leaves room for others.
const SHARE: usize = 16;

pub struct Feed {
    live: Mutex<Live>,
    past: Mutex<Reader>,
    newest: watch::Receiver<u64>,
    pub places: Places,
}

/// The newest events, without a gap.
struct Live {
    reader: Reader,
    /// The number before the first.
    from: u64,
    events: VecDeque<Arc<FeedEvent>>,
}

/// One event, written down when first asked for.
pub struct FeedEvent {
    pub n: u64,
    /// The hotline's number.
    pub line: String,
    event: Option<CloudEvent>,
    masked: OnceLock<Bytes>,
    full: OnceLock<Bytes>,
}

/// Why nobody can follow from a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Older than what is kept.
    TooOld { oldest: u64 },
    /// It was never given: another gateway's, or the journal was made anew.
    Unknown { newest: u64 },
}

impl Feed {
    pub fn new(live: Reader, past: Reader, newest: watch::Receiver<u64>) -> Result<Feed, Error> {
        let (_, from) = live.feed_ends()?;
        let live = Live { reader: live, from, events: VecDeque::new() };
        Ok(Feed { live: Mutex::new(live), past: Mutex::new(past), newest, places: Places::new(PLACES, SHARE) })
    }

    /// The number after which to go on: the one that is asked for, or the newest. 0 is before the oldest that is kept.
    pub fn start(&self, since: Option<u64>) -> Result<Result<u64, Gone>, Error> {
        let (oldest, newest) = lock(&self.past).feed_ends()?;
        Ok(match since {
            None => Ok(newest),
            Some(0) => Ok(oldest.saturating_sub(1)),
            Some(n) if n > newest => Err(Gone::Unknown { newest }),
            Some(n) if n + 1 < oldest => Err(Gone::TooOld { oldest }),
            Some(n) => Ok(n),
        })
    }

    /// The events after this number; none when there are no more yet.
    pub fn after(&self, n: u64) -> Result<Vec<Arc<FeedEvent>>, Error> {
        let mut live = lock(&self.live);
        live.catch_up(*self.newest.borrow())?;
        if n >= live.from {
            return Ok(live.events.iter().filter(|told| told.n > n).take(CHUNK as usize).cloned().collect());
        }
        drop(live);
        read(&lock(&self.past), n)
    }

    /// Changes with every new event.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }
}

impl Live {
    /// Events that nobody followed for long are left to the journal.
    fn catch_up(&mut self, newest: u64) -> Result<(), Error> {
        if newest > self.end() + READY as u64 {
            (self.from, self.events) = (newest - READY as u64, VecDeque::new());
        }
        if newest > self.end() {
            self.events.extend(read(&self.reader, self.end())?);
        }
        while self.events.len() > READY {
            self.from = self.events.pop_front().map_or(self.from, |told| told.n);
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        self.events.back().map_or(self.from, |told| told.n)
    }
}

impl FeedEvent {
    pub fn kind(&self) -> &'static str {
        self.event.as_ref().map_or("", |event| event.kind)
    }

    /// The event as JSON; none when the journal does not have it any more.
    pub fn json(&self, unmasked: bool) -> Option<&Bytes> {
        let event = self.event.as_ref()?;
        Some(match unmasked {
            true => self.full.get_or_init(|| json!(event).to_string().into()),
            false => self.masked.get_or_init(|| {
                let data = event.data.clone().masked();
                json!(CloudEvent { data, ..event.clone() }).to_string().into()
            }),
        })
    }
}

fn read(reader: &Reader, after: u64) -> Result<Vec<Arc<FeedEvent>>, Error> {
    let told = |FeedItem { n, line, item }| {
        let event = item.map(|item| reader.event(&item)).transpose()?.flatten();
        Ok(Arc::new(FeedEvent { n, line, event, masked: OnceLock::new(), full: OnceLock::new() }))
    };
    reader.feed(after, CHUNK)?.into_iter().map(told).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Wall};
    use crate::event::{By, Entry, Offered, Result as Outcome, What};
    use crate::io::journal::{Journal, Options, Outbox, Report};
    use crate::record::zone::Zone;
    use std::time::Duration;
    use tempfile::TempDir;
    use uuid::Uuid;

    struct Bench {
        folder: TempDir,
        journal: Journal,
        feed: Feed,
    }

    impl Bench {
        fn new(keep: u64) -> Bench {
            Bench::open(tempfile::tempdir().unwrap(), keep)
        }

        fn open(folder: TempDir, keep: u64) -> Bench {
            let path = folder.path().join("journal.db");
            let (fed, newest) = watch::channel(0);
            let outbox = Outbox { backends: Vec::new(), feed: keep };
            let report = move |report| {
                if let Report::Fed(newest) = report {
                    fed.send_replace(newest);
                }
            };
            let (journal, _) = Journal::open(Options { outbox, ..Options::new(&path) }, Wall(1), report).unwrap();
            let reader = || Reader::open(&path, Zone::default()).unwrap();
            let feed = Feed::new(reader(), reader(), newest).unwrap();
            Bench { folder, journal, feed }
        }

        /// Adds calls of three events each, the odd ones of another line.
        fn calls(&self, numbers: std::ops::Range<u64>) {
            let last = 3 * numbers.end;
            for n in numbers {
                let call = CallId(Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(n)));
                let number = if n % 2 == 0 { "12345" } else { "12366" }.to_owned();
                let caller = Some("13800138000".to_owned());
                let offered = What::Offered(Box::new(Offered { number, caller, ..Offered::default() }));
                let ended = What::Ended { result: Outcome::Rejected, by: By::Gateway, status: Some(410), q850: Some(22) };
                for (seq, what) in (1..).zip([offered, ended]) {
                    assert!(
                        self.journal.appender().append(1, Entry { call, seq, wall: Wall(1), mono: Default::default(), what })
                    );
                }
            }
            let mut newest = self.feed.newest();
            while *newest.borrow_and_update() < last {
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        fn all(&self, mut n: u64) -> Vec<Arc<FeedEvent>> {
            let mut all = Vec::new();
            loop {
                let more = self.feed.after(n).unwrap();
                let Some(last) = more.last() else { return all };
                n = last.n;
                all.extend(more);
            }
        }
    }

    #[test]
    fn nothing_is_missed_or_told_twice_from_wherever_one_follows() {
        let bench = Bench::new(1_000_000);
        bench.calls(0..700);
        for from in [0, 1, 99, 1000, 1076, 1077, 2099, 2100] {
            let numbers: Vec<u64> = bench.all(from).iter().map(|told| told.n).collect();
            assert_eq!(numbers, (from + 1..=2100).collect::<Vec<_>>(), "after {from}");
        }
        assert!(lock(&bench.feed.live).events.len() <= READY);
        let kinds: Vec<_> = bench.all(2097).iter().map(|told| (told.kind(), told.line.clone())).collect();
        let expected = ["call.offered", "call.ended", "call.record"].map(|kind| (kind, "12366".to_owned()));
        assert_eq!(kinds, expected);
    }

    #[test]
    fn an_event_is_made_once_and_masked_unless_asked_for() {
        let bench = Bench::new(1000);
        bench.calls(0..1);
        let (one, other) = (bench.all(0), bench.all(0));
        assert!(Arc::ptr_eq(&one[0], &other[0]));
        let text = |unmasked| String::from_utf8(one[0].json(unmasked).unwrap().to_vec()).unwrap();
        assert!(text(false).contains("138******00") && !text(false).contains("13800138000"));
        assert!(text(true).contains("13800138000"));
    }

    #[test]
    fn after_a_restart_one_goes_on_and_what_was_forgotten_or_never_was_is_refused() {
        let bench = Bench::new(300);
        bench.calls(0..200);
        let Bench { folder, journal, .. } = bench;
        journal.close();
        let bench = Bench::open(folder, 300);
        bench.calls(200..201);
        let start = |since| bench.feed.start(since).unwrap();
        assert_eq!(start(None), Ok(603));
        assert_eq!(start(Some(600)), Ok(600));
        assert_eq!(bench.all(600).iter().map(|told| told.n).collect::<Vec<_>>(), [601, 602, 603]);
        assert_eq!(start(Some(604)), Err(Gone::Unknown { newest: 603 }));
        assert_eq!((start(Some(211)), start(Some(212))), (Err(Gone::TooOld { oldest: 213 }), Ok(212)));
        assert_eq!(start(Some(0)), Ok(212));
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let bench = Bench::new(10);
        let mut places: Vec<_> = (0..SHARE).map(|_| bench.feed.places.take("greedy").unwrap()).collect();
        assert!(bench.feed.places.take("greedy").is_none() && bench.feed.places.taken() == SHARE, "one token has its share");
        places.extend((SHARE..PLACES).map(|n| bench.feed.places.take(&format!("token {}", n / SHARE)).unwrap()));
        assert!(bench.feed.places.take("another").is_none() && bench.feed.places.taken() == PLACES);
        places.truncate(1);
        assert!(bench.feed.places.take("greedy").is_some() && bench.feed.places.take("another").is_some());
        drop(places);
        assert_eq!(bench.feed.places.taken(), 0);
    }
}
