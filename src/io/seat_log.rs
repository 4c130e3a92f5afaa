//! The newest lines of the log of seats, for those who follow it. Lines that only tell of a call stand nowhere else; whoever has
//! missed more than is kept here reads what the journal has, which is all that people at seats did.
//!
//! Nobody is told of a line that a crash could take back: one that the journal is to keep waits for the journal's word, and so do
//! those after it. While the journal cannot write they are told at once, as replies to verbs are.

use crate::event::SeatEntry;
use crate::io::journal::{Error, Reader};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

pub struct SeatLog {
    lines: Mutex<VecDeque<Arc<SeatEntry>>>,
    waiting: Mutex<Waiting>,
    /// The last line that is kept ready no more; 0: none.
    dropped: AtomicU64,
    /// The most lines that are kept ready.
    most: usize,
    /// None where there is no journal.
    past: Option<Mutex<Reader>>,
    newest: watch::Sender<u64>,
    /// The same for the lines of each seat that is followed alone: two thousand toolbars do not wake for each other's lines.
    of_seats: Mutex<BTreeMap<Arc<str>, OfSeat>>,
    /// The lines up to this number, of the processes before, are in the journal alone.
    begun: u64,
}

/// A seat that is followed alone.
struct OfSeat {
    newest: watch::Sender<u64>,
    /// As `dropped`, of its lines.
    dropped: u64,
}

/// Lines that are not told yet.
#[derive(Default)]
struct Waiting {
    /// In order, each with the ticket that it waits for.
    lines: VecDeque<(u64, SeatEntry)>,
    /// The journal has everything up to this ticket.
    written: u64,
    down: bool,
}

impl Default for SeatLog {
    fn default() -> SeatLog {
        SeatLog::new(None, 0, 1000)
    }
}

impl SeatLog {
    /// `newest`: the number up to which the journal has it.
    pub fn new(past: Option<Reader>, newest: u64, most: usize) -> SeatLog {
        SeatLog {
            lines: Mutex::default(),
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            most,
            past: past.map(Mutex::new),
            newest: watch::channel(newest).0,
            of_seats: Mutex::default(),
            begun: newest,
        }
    }

    /// The next line; with the ticket under which the journal was given it.
    pub fn push(&self, ticket: Option<u64>, line: SeatEntry) {
        let mut waiting = lock(&self.waiting);
        waiting.lines.push_back((ticket.unwrap_or(0), line));
        self.tell_those_that_may(&mut waiting);
    }

    /// The journal has everything up to this ticket.
    pub fn written(&self, ticket: u64) {
        let mut waiting = lock(&self.waiting);
        waiting.written = ticket;
        self.tell_those_that_may(&mut waiting);
    }

    /// The journal cannot write (true) or can again (false).
    pub fn journal_down(&self, down: bool) {
        let mut waiting = lock(&self.waiting);
        waiting.down = down;
        self.tell_those_that_may(&mut waiting);
    }

    fn tell_those_that_may(&self, waiting: &mut Waiting) {
        while let Some((ticket, _)) = waiting.lines.front()
            && (waiting.down || *ticket <= waiting.written)
            && let Some((_, line)) = waiting.lines.pop_front()
        {
            self.tell(line);
        }
    }

    fn tell(&self, line: SeatEntry) {
        let (n, seat) = (line.n, line.seat.clone());
        let (mut lines, mut of_seats) = (lock(&self.lines), lock(&self.of_seats));
        while lines.len() >= self.most.max(1) {
            if let Some(line) = lines.pop_front() {
                self.dropped.store(line.n, Ordering::Relaxed);
                of_seats.get_mut(&line.seat).into_iter().for_each(|of| of.dropped = line.n);
            }
        }
        lines.push_back(Arc::new(line));
        drop(lines);
        if let Some(of) = of_seats.get(&seat) {
            of.newest.send_replace(n);
            if of.newest.receiver_count() == 0 {
                of_seats.remove(&seat);
            }
        }
        drop(of_seats);
        self.newest.send_replace(n);
    }

    /// The lines of `after`, where none of them must be read from the disk.
    pub fn at_hand(&self, seat: Option<&str>, n: u64, most: usize) -> Option<Vec<Arc<SeatEntry>>> {
        let (_, ready) = self.ready(seat, n, most);
        // Looked at last, as one may be dropped meanwhile.
        (n >= self.begun.max(self.dropped(seat)) || self.past.is_none()).then_some(ready)
    }

    /// At most so many lines of a seat, or of all seats, after this number, in order; none when there are no more yet. It may
    /// read the disk.
    pub fn after(&self, seat: Option<&str>, n: u64, most: usize) -> Result<Vec<Arc<SeatEntry>>, Error> {
        let newest = *self.newest.borrow();
        let (first, ready) = self.ready(seat, n, most);
        let Some(past) = self.past.as_ref().filter(|_| first > n.saturating_add(1)) else { return Ok(ready) };
        let most_read = u32::try_from(most).unwrap_or(u32::MAX);
        let mut lines: Vec<_> = lock(past).seat_entries(seat, n, most_read)?.into_iter().map(Arc::new).collect();
        // The journal may have lines that are not told yet, with others before them.
        lines.retain(|line| line.n < first && line.n <= newest);
        lines.extend(ready);
        lines.truncate(most);
        Ok(lines)
    }

    /// The number of the first line that is kept ready, and those of them that are wanted.
    fn ready(&self, seat: Option<&str>, n: u64, most: usize) -> (u64, Vec<Arc<SeatEntry>>) {
        let lines = lock(&self.lines);
        let first = lines.front().map_or(u64::MAX, |line| line.n);
        let from = lines.partition_point(|line| line.n <= n);
        let wanted = lines.range(from..).filter(|line| seat.is_none_or(|seat| *line.seat == *seat));
        (first, wanted.take(most).cloned().collect())
    }

    /// Tells whether no line after this number is missing here. Else those that the journal has can be had all the same. A number
    /// that no line has had yet is another gateway's, or of a journal that is gone.
    pub fn has_all_after(&self, n: u64) -> bool {
        let newest = *self.newest.borrow();
        n == newest || n < newest && lock(&self.lines).front().is_some_and(|first| first.n <= n.saturating_add(1))
    }

    /// The number of the last line that was kept ready and is no more, of a seat that is followed, or of all seats.
    pub fn dropped(&self, seat: Option<&str>) -> u64 {
        let of_seat = seat.and_then(|seat| lock(&self.of_seats).get(seat).map(|of| of.dropped));
        of_seat.unwrap_or_else(|| self.dropped.load(Ordering::Relaxed))
    }

    /// The number of the newest line of all.
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Changes with every new line of this seat, or of all seats.
    pub fn follow(&self, seat: Option<&Arc<str>>) -> watch::Receiver<u64> {
        let Some(seat) = seat else { return self.newest.subscribe() };
        let mut of_seats = lock(&self.of_seats);
        let new = || OfSeat { newest: watch::channel(self.newest()).0, dropped: self.dropped(None) };
        of_seats.entry(seat.clone()).or_insert_with(new).newest.subscribe()
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mono, Wall};
    use crate::event::SeatWhat;
    use crate::io::journal::{Added, Journal, Options, Report};
    use crate::record::zone::Zone;
    use crossbeam_channel::unbounded;
    use std::time::Duration;

    fn line(n: u64, seat: &str) -> SeatEntry {
        SeatEntry { n, seat: seat.into(), wall: Wall(n as i64), mono: Mono(n), what: SeatWhat::DeviceGone }
    }

    fn seat_of(n: u64) -> &'static str {
        if n.is_multiple_of(3) { "li" } else { "zhang" }
    }

    fn numbers(log: &SeatLog, seat: Option<&str>, after: u64, most: usize) -> Vec<u64> {
        log.after(seat, after, most).unwrap().iter().map(|line| line.n).collect()
    }

    #[test]
    fn whoever_follows_gets_every_line_once_and_in_order_however_far_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, reports) = unbounded();
        let path = dir.path().join("journal.db");
        let (journal, _) = Journal::open(Options::new(&path), Wall(1), move |report| drop(tell.send(report))).unwrap();
        for n in 1..=20 {
            assert!(journal.appender().add(n, Added::Seat(line(n, seat_of(n)))));
        }
        while reports.recv_timeout(Duration::from_secs(20)).unwrap() != Report::Durable(20) {}
        let log = SeatLog::new(Some(Reader::open(&path, Zone::default()).unwrap()), 20, 8);
        assert_eq!((log.newest(), numbers(&log, None, 17, 10)), (20, vec![18, 19, 20]));
        let newest = log.follow(None);
        for n in 21..=40 {
            log.push(None, line(n, seat_of(n)));
            assert_eq!(*newest.borrow(), n);
            // Some stand in both places.
            if n < 37 {
                assert!(journal.appender().add(n, Added::Seat(line(n, seat_of(n)))));
            }
        }
        while reports.recv_timeout(Duration::from_secs(20)).unwrap() != Report::Durable(36) {}
        for (seat, most) in [(None, 1), (None, 7), (None, 100), (Some("li"), 1), (Some("li"), 5), (Some("zhang"), 100)] {
            for after in 0..=40 {
                let (mut got, mut n) = (Vec::new(), after);
                while let Some(last) = numbers(&log, seat, n, most).last().copied() {
                    got.extend(numbers(&log, seat, n, most));
                    n = last;
                }
                let all = (after + 1..=40).filter(|n| seat.is_none_or(|seat| seat == seat_of(*n)));
                assert_eq!(got, all.collect::<Vec<_>>(), "{seat:?} after {after}, {most} at once");
            }
        }
        assert!(numbers(&log, Some("nobody"), 0, 100).is_empty());
    }

    #[test]
    fn a_line_is_told_once_the_journal_has_it_and_those_behind_it_wait() {
        let log = SeatLog::new(None, 0, 100);
        let told = || numbers(&log, None, 0, 100);
        log.push(None, line(1, "zhang"));
        assert_eq!(told(), [1], "no line before it waits");
        log.push(Some(7), line(2, "zhang"));
        log.push(None, line(3, "li"));
        log.push(Some(9), line(4, "li"));
        assert_eq!((told(), log.newest()), (vec![1], 1));
        log.written(6);
        assert_eq!(told(), [1]);
        log.written(8);
        assert_eq!((told(), log.newest()), (vec![1, 2, 3], 3));
        log.journal_down(true);
        assert_eq!(told(), [1, 2, 3, 4], "a disk that fails keeps nobody waiting");
        log.push(Some(10), line(5, "li"));
        assert_eq!(told(), [1, 2, 3, 4, 5]);
        log.journal_down(false);
        log.push(Some(11), line(6, "li"));
        assert_eq!(told(), [1, 2, 3, 4, 5]);
        log.written(11);
        log.push(Some(11), line(7, "li"));
        assert_eq!(told(), [1, 2, 3, 4, 5, 6, 7]);
    }

    /// One who follows: how far it is, what it was told, and whether of a gap.
    struct Follower {
        seat: Option<&'static str>,
        at: u64,
        told: Vec<u64>,
        gap: bool,
        there: bool,
    }

    impl Follower {
        /// As the stream begins it: with the number that it has, unless nobody has had that one yet.
        fn comes(&mut self, log: &SeatLog) {
            self.gap |= !log.has_all_after(self.at);
            self.at = self.at.min(log.newest());
            self.there = true;
        }

        fn reads(&mut self, log: &SeatLog, most: usize) {
            let told = numbers(log, self.seat, self.at, most);
            self.at = told.last().copied().unwrap_or(self.at);
            self.told.extend(told);
        }
    }

    struct Life {
        dir: tempfile::TempDir,
        journal: Option<Journal>,
        reports: crossbeam_channel::Receiver<Report>,
        log: SeatLog,
        n: u64,
        ticket: u64,
        /// All lines that anybody may have been told, with those that the journal has.
        lines: std::collections::BTreeMap<u64, bool>,
        waiting: Vec<(u64, bool)>,
    }

    impl Life {
        fn new() -> Life {
            let (dir, lines) = (tempfile::tempdir().unwrap(), std::collections::BTreeMap::new());
            let (reports, log) = (unbounded().1, SeatLog::default());
            let mut life = Life { dir, journal: None, reports, log, n: 0, ticket: 0, lines, waiting: Vec::new() };
            life.begins();
            life
        }

        /// A process begins, after one that was killed: what nobody was told may be on the disk, and may not.
        fn begins(&mut self) {
            self.journal.take();
            let path = self.dir.path().join("journal.db");
            let (tell, reports) = unbounded();
            let (journal, recovered) =
                Journal::open(Options::new(&path), Wall(1), move |report| drop(tell.send(report))).unwrap();
            let reader = Reader::open(&path, Zone::default()).unwrap();
            for line in reader.seat_entries(None, 0, 10_000).unwrap() {
                self.lines.insert(line.n, true);
            }
            self.waiting.clear();
            (self.journal, self.reports, self.ticket) = (Some(journal), reports, 0);
            self.log = SeatLog::new(Some(reader), recovered.kept.seat_n, 6);
            // As the clock on the wall gives it: above all before.
            self.n += 1000;
        }

        fn happens(&mut self, kept: bool) {
            self.n += 1;
            let line = line(self.n, seat_of(self.n));
            if kept {
                self.ticket += 1;
                assert!(self.journal.as_ref().unwrap().appender().add(self.ticket, Added::Seat(line.clone())));
            }
            self.waiting.push((self.n, kept));
            self.log.push(kept.then_some(self.ticket), line);
            if self.waiting.iter().all(|(_, kept)| !kept) {
                self.lines.extend(self.waiting.drain(..));
            }
        }

        fn is_written(&mut self) {
            while self.ticket > 0
                && !self.waiting.is_empty()
                && self.reports.recv_timeout(Duration::from_secs(20)).unwrap() != Report::Durable(self.ticket)
            {}
            self.lines.extend(self.waiting.drain(..));
            self.log.written(self.ticket);
        }
    }

    /// Followers come and go at any number, also over restarts: each is told all of its seat in order and once, or of a gap; then
    /// it has all that the journal keeps.
    #[test]
    fn no_order_of_followers_and_restarts_loses_a_line_or_tells_it_twice() {
        for seed in 0..3 {
            let mut rng = crate::base::Rng::from_number(seed);
            let mut life = Life::new();
            let seats = [None, Some("li"), Some("zhang"), Some("nobody")];
            let new = |at: usize| Follower { seat: seats[at % 4], at: 0, told: Vec::new(), gap: false, there: false };
            let mut followers: Vec<Follower> = (0..8).map(new).collect();
            for _ in 0..120 {
                match rng.below(40) {
                    0..15 => life.happens(rng.chance(500)),
                    15..18 => life.is_written(),
                    18 => {
                        life.begins();
                        followers.iter_mut().for_each(|follower| follower.there = false);
                    }
                    n => {
                        let follower = &mut followers[n as usize % 8];
                        match follower.there {
                            true if rng.chance(300) => follower.there = false,
                            true => follower.reads(&life.log, 1 + rng.below(4) as usize),
                            false => follower.comes(&life.log),
                        }
                    }
                }
            }
            life.is_written();
            for (n, follower) in followers.iter_mut().enumerate() {
                follower.comes(&life.log);
                (0..200).for_each(|_| follower.reads(&life.log, 5));
                let of_seat = |line: &u64| follower.seat.is_none_or(|seat| seat == seat_of(*line));
                let all: Vec<u64> = life.lines.keys().copied().filter(of_seat).collect();
                let kept = life.lines.iter().filter(|(line, kept)| **kept && of_seat(line)).map(|(line, _)| *line);
                let told = &follower.told;
                assert!(told.is_sorted_by(|a, b| a < b), "seed {seed}, {n}: twice or out of order: {told:?}");
                assert!(told.iter().all(|line| all.contains(line)), "seed {seed}, {n}: {told:?} of {all:?}");
                assert!(follower.gap || *told == all, "seed {seed}, {n}: no gap was told of: {told:?} of {all:?}");
                assert!(kept.clone().all(|line| told.contains(&line)), "seed {seed}, {n}: {told:?}");
            }
        }
    }

    #[test]
    fn who_follows_one_seat_wakes_for_its_lines_alone_and_leaves_nothing() {
        let log = SeatLog::new(None, 0, 100);
        let (mut zhang, mut all) = (log.follow(Some(&"zhang".into())), log.follow(None));
        let woken = |of: &mut watch::Receiver<u64>| of.has_changed().unwrap().then(|| *of.borrow_and_update());
        log.push(None, line(1, "li"));
        assert_eq!((woken(&mut zhang), woken(&mut all)), (None, Some(1)));
        log.push(None, line(2, "zhang"));
        assert_eq!((woken(&mut zhang), woken(&mut all)), (Some(2), Some(2)));
        // Others' lines that are dropped take nothing from it.
        (3..=101).for_each(|n| log.push(None, line(n, "li")));
        assert_eq!((log.dropped(None), log.dropped(Some("zhang")), woken(&mut zhang)), (1, 0, None));
        log.push(None, line(102, "zhang"));
        assert_eq!((log.dropped(Some("zhang")), woken(&mut zhang)), (2, Some(102)));
        drop(zhang);
        log.push(None, line(103, "zhang"));
        assert!(lock(&log.of_seats).is_empty());
    }

    #[test]
    fn without_a_journal_it_has_the_newest_alone() {
        let log = SeatLog::new(None, 0, 3);
        assert!(log.has_all_after(0) && log.dropped(None) == 0);
        (1..=10).for_each(|n| log.push(None, line(n, "zhang")));
        assert_eq!(
            (log.dropped(None), log.has_all_after(6), log.has_all_after(7), log.has_all_after(10)),
            (7, false, true, true)
        );
        assert!(!log.has_all_after(11), "nobody has seen that one");
        assert_eq!(
            (numbers(&log, None, 0, 10), numbers(&log, None, 9, 10), numbers(&log, None, 10, 1)),
            (vec![8, 9, 10], vec![10], vec![])
        );
    }
}
