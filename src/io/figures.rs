//! Figures while the gateway runs, and figures of days that are over: both are folds of the journal. Those that run take what has
//! come to the disk, on the journal's thread, and begin with what the processes before this one have left there.

use crate::base::{CallId, Text, Wall};
use crate::figure::{By, Counts, Figures, MINUTE, Table};
use crate::io::clock;
use crate::io::journal::{Added, Error, Reader};
use crate::io::metrics::Metric;
use crate::io::process::threads;
use crate::record::zone::Zone;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

const THREAD: &str = "figures";
/// The longest window is a local day, which may have 25 hours.
const PAST: i64 = 26 * 60 * MINUTE;
/// A seat's state may have begun so long before the days that are asked for.
const STATES: i64 = 7 * 24 * 60 * MINUTE;
/// A conversation may have, too.
const TALKS: i64 = 24 * 60 * MINUTE;
/// Calls of the past that are read at the start, the newest ones.
const CALLS: u32 = 1_000_000;
/// Entries of the log of seats that are read at once.
const CHUNK: u32 = 1000;
/// Names that are told to Prometheus, of hotlines and of queues.
const NAMES: usize = 100;

/// Minutes of the rolling windows.
pub const QUARTER: i64 = 15;
pub const DAY: i64 = 24 * 60;

/// The figures of the running gateway. The journal's thread adds to them and never waits for somebody who reads them.
pub struct Live {
    /// None while the past is being read.
    figures: Mutex<Option<Figures>>,
    /// This came to the disk while they were read or in use. Taken with `figures` held alone, so that it stays in order.
    inbox: Mutex<Vec<Added>>,
    pub zone: Zone,
    pub within: Duration,
}

/// All that a journal has of the past, at one moment before anything is added.
pub struct Past {
    calls: Vec<CallId>,
    /// The log of seats, after the first number up to the second.
    seats: (u64, u64),
}

impl Past {
    /// `newest`: of the log of seats.
    pub fn of(reader: &Reader, newest: u64, now: Wall) -> Result<Past, Error> {
        let mut calls = reader.calls(Some(Wall(now.0.saturating_sub(PAST + TALKS))), CALLS)?;
        calls.reverse();
        let first = reader.seat_entries_before(Wall(now.0.saturating_sub(STATES)))?;
        Ok(Past { calls, seats: (first.min(newest), newest) })
    }

    fn read(&self, reader: &Reader, figures: &mut Figures) -> Result<(), Error> {
        for call in &self.calls {
            reader.entries(*call, u32::MAX)?.iter().for_each(|entry| figures.entry(entry));
        }
        let (mut after, newest) = self.seats;
        while let Some(last) = seats(reader, after, |entry| entry.n <= newest, figures)? {
            after = last;
        }
        Ok(())
    }
}

/// Takes the next entries of the log of seats, and gives the number of the last that may come; none when there are no more.
fn seats(
    reader: &Reader,
    after: u64,
    may: impl Fn(&crate::event::SeatEntry) -> bool,
    figures: &mut Figures,
) -> Result<Option<u64>, Error> {
    let entries = reader.seat_entries(None, after, CHUNK)?;
    let taken = entries.iter().take_while(|entry| may(entry));
    Ok(taken.map(|entry| (figures.seat(entry), entry.n).1).last())
}

impl Default for Live {
    /// Without a past.
    fn default() -> Live {
        let within = Duration::from_secs(15);
        Live { figures: Mutex::new(Some(Figures::new(within))), inbox: Mutex::default(), zone: Zone::default(), within }
    }
}

impl Live {
    /// The past is read by a thread of its own: callers need not wait for it.
    pub fn start(within: Duration, zone: Zone, reader: Reader, past: Past) -> Result<Arc<Live>, Text> {
        let live = Arc::new(Live { figures: Mutex::new(None), inbox: Mutex::default(), zone, within });
        let of = live.clone();
        let spawned = threads::thread(THREAD, move || {
            let mut figures = Figures::new(of.within);
            if let Err(trouble) = past.read(&reader, &mut figures) {
                tracing::error!("figures begin without a part of the past: {trouble}");
            }
            of.is_read(figures);
        });
        spawned.map_err(|e| both!("cannot start a thread: {e}", "无法启动线程：{e}"))?;
        Ok(live)
    }

    fn is_read(&self, figures: Figures) {
        let mut of = held(&self.figures);
        *of = Some(figures);
        self.catch_up(&mut of);
    }

    /// Takes what has come to the disk, at once or as soon as nobody reads the figures.
    pub fn take(&self, all: Vec<Added>) {
        held(&self.inbox).extend(all);
        match self.figures.try_lock() {
            Ok(mut figures) => self.catch_up(&mut figures),
            // Somebody panicked while reading them: whatever comes is counted all the same.
            Err(TryLockError::Poisoned(figures)) => self.catch_up(&mut figures.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn catch_up(&self, figures: &mut Option<Figures>) {
        if let Some(figures) = figures {
            let added = mem::take(&mut *held(&self.inbox));
            added.iter().for_each(|added| take(figures, added));
        }
    }

    /// The figures of the last so many minutes; none while the past is being read.
    pub fn last(&self, minutes: i64) -> Option<Table> {
        self.ask(|figures| figures.last(minutes, clock::now().wall))
    }

    /// The figures of this day up to now.
    pub fn today(&self) -> Option<Table> {
        let now = clock::now().wall;
        let (from, to) = self.zone.day(now);
        self.ask(|figures| figures.window(from, to, now))
    }

    /// May last: a window has each minute of each name.
    fn ask(&self, question: impl FnOnce(&Figures) -> Table) -> Option<Table> {
        let mut figures = held(&self.figures);
        self.catch_up(&mut figures);
        figures.as_ref().map(question)
    }

    /// Those of the rolling windows, of calls alone.
    pub fn metrics(&self) -> Vec<Metric> {
        let now = clock::now().wall;
        let of = |(window, minutes)| Some((window, self.ask(|figures| figures.last_calls(minutes, now))?));
        let windows = [("15m", QUARTER), ("24h", DAY)].map(of);
        windows.into_iter().flatten().flat_map(|(window, table)| metrics(window, &table)).collect()
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(figures: &mut Figures, added: &Added) {
    match added {
        Added::Entry(entry) => figures.entry(entry),
        Added::Seat(entry) => figures.seat(entry),
        Added::Keep(_) => {}
    }
}

/// The figures from one moment to another, day by day of the zone, as the journal has them. Only its own calls are in it.
pub fn recompute(reader: &Reader, zone: &Zone, within: Duration, (from, to): (Wall, Wall), now: Wall) -> Result<Table, Error> {
    let mut calls = reader.calls(Some(Wall(from.0.saturating_sub(TALKS))), u32::MAX)?;
    let mut after = reader.seat_entries_before(Wall(from.0.saturating_sub(STATES)))?;
    let (mut figures, mut table) = (Figures::new(within), Table::default());
    let mut at = from;
    while at < to {
        let end = zone.day(at).1.min(to);
        // The newest stand first.
        while let Some(call) = calls.pop_if(|call| began(*call) < end.0) {
            reader.entries(call, u32::MAX)?.iter().for_each(|entry| figures.entry(entry));
        }
        while let Some(last) = seats(reader, after, |entry| entry.wall < end, &mut figures)? {
            after = last;
        }
        table.add(&figures.window(at, end, now));
        if end <= at {
            break;
        }
        at = end;
    }
    Ok(table)
}

/// The moment of a call's first entry, to the millisecond, as its id has it (RFC 9562 §5.7).
fn began(call: CallId) -> i64 {
    let (seconds, nanos) = call.0.get_timestamp().map_or((0, 0), |at| at.to_unix());
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000).saturating_add(i64::from(nanos / 1000))
}

fn metrics(window: &'static str, table: &Table) -> Vec<Metric> {
    let hotlines = table.hotlines.iter().take(NAMES).map(|(name, counts)| ("hotline", name, counts));
    let queues = table.queues.iter().take(NAMES).map(|(name, counts)| ("queue", name, counts));
    hotlines.chain(queues).flat_map(|(kind, name, counts)| of(window, kind, name, counts)).collect()
}

fn of(window: &'static str, kind: &'static str, name: &str, counts: &Counts) -> Vec<Metric> {
    let gauge = |metric, help, value: u64| {
        Metric::gauge(metric, help, usize::try_from(value).unwrap_or(usize::MAX)).labelled(&[(kind, name), ("window", window)])
    };
    let mut all = match kind {
        "hotline" => vec![
            gauge("hotline_offered", "Calls of the window, by the hotline that was dialled.", counts.offered),
            gauge("hotline_answered", "Those of them that somebody talked to.", counts.answered),
            gauge("hotline_answered_within", "Those answered in time (figures.within).", counts.within),
            gauge("hotline_emergencies", "Moves to an emergency line.", counts.emergencies),
            gauge("hotline_wait_ms_sum", "Waits of those answered, together, in milliseconds.", counts.wait.sum_ms),
            gauge("hotline_wait_ms_max", "The longest wait of those answered, in milliseconds.", counts.wait.max_ms),
        ],
        _ => vec![
            gauge("queue_offered", "Callers of the window that were handed to the queue.", counts.offered),
            gauge("queue_answered", "Those of them that a seat of it answered.", counts.answered),
            gauge("queue_answered_within", "Those answered in time (figures.within).", counts.within),
            gauge("queue_moved_on", "Those that went on to another queue.", counts.moved_on),
        ],
    };
    let name_of = if kind == "hotline" { "hotline_lost" } else { "queue_lost" };
    let lost = counts.lost.iter().map(|(result, count)| {
        let value = usize::try_from(*count).unwrap_or(usize::MAX);
        let labels = [(kind, name), ("window", window), ("result", result.as_ref())];
        Metric::gauge(name_of, "Those that nobody talked to, by how they ended.", value).labelled(&labels)
    });
    all.extend(lost);
    all
}

/// Leaves the rows of one kind alone.
pub fn only(mut table: Table, by: Option<By>) -> Table {
    let wanted = |kind: By| by.is_none_or(|by| by == kind);
    if !wanted(By::Hotline) {
        table.hotlines.clear();
    }
    if !wanted(By::Queue) {
        table.queues.clear();
    }
    if !wanted(By::Seat) {
        table.seats.clear();
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Mono;
    use crate::event::seat::{BreakKind, Device};
    use crate::event::{Author, By as Ender, Entry, Mode, Offered, Party, Result as Outcome, SeatEntry, SeatWhat, What};
    use crate::io::journal::{Journal, Options, Report};
    use uuid::Builder;

    const WITHIN: Duration = Duration::from_secs(15);
    const MIDNIGHT: i64 = 1_638_288_000_000_000;

    fn call_at(wall: i64, n: u64) -> Vec<Entry> {
        let call = CallId(Builder::from_unix_timestamp_millis((wall / 1000) as u64, &[n as u8; 10]).into_uuid());
        let party = || Party::Seat { name: format!("seat{}", n % 3), queue: "front".into() };
        let offered = Offered { leg: 1, number: "12345".into(), mode: Mode::Front, ..Offered::default() };
        let ended = |result| What::Ended { result, by: Ender::Caller, status: None, q850: None };
        let joined = What::Joined { leg: 2, party: party(), sip_call_id: None, label: None };
        let mut log = vec![(0, What::Offered(Box::new(offered))), (1, What::Queued { queue: "front".into() })];
        if n.is_multiple_of(4) {
            log.push((30, ended(Outcome::AbandonedQueue)));
        } else {
            log.extend([(n % 25, joined), (200, ended(Outcome::Answered))]);
        }
        let entry = |(seq, (second, what)): (u32, (u64, What))| {
            let micros = second * 1_000_000;
            Entry { call, seq, wall: Wall(wall + micros as i64), mono: Mono(wall as u64 + micros), what }
        };
        (1..).zip(log).map(entry).collect()
    }

    fn seat_at(n: u64, wall: i64) -> SeatEntry {
        let by = Author::gateway();
        let what = match n % 3 {
            0 => SeatWhat::LoggedIn { by, device: Device::Sip, kicked: false },
            1 => SeatWhat::Break { kind: BreakKind::Busy, reason: "tea".into(), seconds: None, by },
            _ => SeatWhat::Ready { by },
        };
        SeatEntry { n, seat: "seat1".into(), wall: Wall(wall), mono: Mono(wall as u64), what }
    }

    /// Calls and states, a few an hour, over some days.
    fn all(from: i64, hours: u64) -> Vec<Added> {
        let mut all = Vec::new();
        for n in 0..hours * 5 {
            let wall = from + n as i64 * 720_000_000;
            all.extend(call_at(wall, n).into_iter().map(Added::Entry));
            all.push(Added::Seat(seat_at(n + 1, wall + 1_000_000)));
        }
        all
    }

    fn journal(dir: &tempfile::TempDir, added: &[Added]) -> (Journal, Reader) {
        let path = dir.path().join("journal.db");
        let (tell, reports) = crossbeam_channel::unbounded();
        let (journal, _) = Journal::open(Options::new(&path), Wall(1), move |report| drop(tell.send(report))).unwrap();
        for (ticket, added) in (1..).zip(added) {
            assert!(journal.appender().add(ticket, added.clone()));
        }
        let last = added.len() as u64;
        while reports.recv_timeout(Duration::from_secs(60)).unwrap() != Report::Durable(last) {}
        (journal, Reader::open(&path, Zone::default()).unwrap())
    }

    #[test]
    fn days_that_are_computed_anew_are_those_that_ran() {
        let dir = tempfile::tempdir().unwrap();
        let added = all(MIDNIGHT - 3 * 3_600_000_000, 60);
        let (_journal, reader) = journal(&dir, &added);
        let zone = Zone::default();
        let mut running = Figures::new(WITHIN);
        let (mut together, mut days) = (Table::default(), Vec::new());
        let mut left = &added[..];
        for day in 0..2 {
            let (from, to) = zone.day(Wall(MIDNIGHT + day * 86_400_000_000));
            // The entries of a day are there at its end, and so are those that its last calls have yet to write.
            let until = left.iter().position(|added| matches!(added, Added::Entry(entry) if entry.seq == 1 && entry.wall >= to));
            let (now, later) = left.split_at(until.unwrap_or(left.len()));
            now.iter().for_each(|added| take(&mut running, added));
            left = later;
            days.push(running.window(from, to, to));
            let anew = recompute(&reader, &zone, WITHIN, (from, to), to).unwrap();
            assert!(anew.all.offered == 120 && anew.all.answered == 90 && anew.seats["seat1"].break_ms > 0);
            let last = days.last().unwrap();
            assert_eq!((&anew.all, &anew.queues, &anew.hotlines), (&last.all, &last.queues, &last.hotlines));
            assert_eq!(anew.seats, last.seats, "day {day}");
            together.add(last);
        }
        let both = (Wall(MIDNIGHT), Wall(MIDNIGHT + 2 * 86_400_000_000));
        assert_eq!(recompute(&reader, &zone, WITHIN, both, both.1).unwrap(), together);
        assert_eq!(recompute(&reader, &zone, WITHIN, (both.1, both.0), both.1).unwrap().all, Counts::default());
    }

    #[test]
    fn the_journal_does_not_wait_for_a_reader_and_what_came_meanwhile_is_counted_once() {
        let live = Live::default();
        let minute = clock::now().wall.0 / MINUTE * MINUTE;
        let entries = |n| call_at(minute - 600 * 1_000_000, n).into_iter().map(Added::Entry).collect::<Vec<_>>();
        let read = live.figures.lock().unwrap();
        live.take(entries(1));
        live.take(entries(2));
        drop(read);
        assert_eq!(live.last(DAY).unwrap().all.offered, 2);
        live.take(entries(3));
        let table = live.last(DAY).unwrap();
        assert_eq!((table.all.offered, table.all.answered), (3, 3));
        assert!(held(&live.inbox).is_empty());
    }

    #[test]
    fn what_comes_after_a_panic_of_a_reader_is_counted_and_does_not_pile_up() {
        let live = Live::default();
        let reads = || live.ask(|_| panic!("a reader's"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(reads)).is_err() && live.figures.is_poisoned());
        let minute = clock::now().wall.0 / MINUTE * MINUTE;
        for n in 1..=3 {
            live.take(call_at(minute - 600 * 1_000_000, n).into_iter().map(Added::Entry).collect());
            assert!(held(&live.inbox).is_empty());
        }
        assert_eq!(live.last(DAY).unwrap().all.offered, 3);
    }

    #[test]
    fn figures_survive_the_process_and_nothing_is_counted_twice() {
        let dir = tempfile::tempdir().unwrap();
        let now = clock::now().wall;
        let minute = now.0 / MINUTE * MINUTE;
        let added = all(minute - 10 * 3_600_000_000, 9);
        let (journal, reader) = journal(&dir, &added);
        let whole = || {
            let mut figures = Figures::new(WITHIN);
            added.iter().for_each(|added| take(&mut figures, added));
            figures.last(DAY, clock::now().wall)
        };
        let past = Past::of(&reader, 45, now).unwrap();
        let live = Live::start(WITHIN, Zone::default(), reader, past).unwrap();
        // Entries that come to the disk while the past is read are not of the past.
        let more = call_at(minute - 1000 * 1_000_000, 1);
        live.take(more.iter().cloned().map(Added::Entry).collect());
        let began = std::time::Instant::now();
        let table = loop {
            match live.last(DAY) {
                Some(table) => break table,
                None if began.elapsed() > Duration::from_secs(60) => panic!("the past is never read"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert_eq!((table.all.offered, table.all.answered), (whole().all.offered + 1, whole().all.answered + 1));
        assert_eq!(table.seats["seat1"].breaks.keys().collect::<Vec<_>>(), ["tea"]);
        let told = live.metrics();
        let value = |name: &str, window: &str| {
            let found = told.iter().find(|metric| metric.name == name && metric.labels.contains(&("window", window.to_owned())));
            found.map(|metric| metric.value)
        };
        assert_eq!(
            (value("hotline_offered", "24h"), value("queue_answered", "24h")),
            (Some(46), Some(table.queues["front"].answered))
        );
        assert!(value("hotline_lost", "24h").is_some_and(|lost| lost > 0));
        journal.close();
    }
}
