//! How long each seat was in which state, and how often it was called in vain: counted from what an observer sees, and held against
//! the figures that are folded from the log of seats.

use super::model::Model;
use super::plan::{SEATS, name};
use super::shift::Mood;
use hotline::base::{Mono, Now, Wall};
use hotline::event::SeatEntry;
use hotline::event::seat::{Author, LogoutWhy, SeatWhat};
use hotline::figure::{Figures, SeatCounts};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DAY: i64 = 86_400_000_000;

pub struct Times {
    figures: Figures,
    n: u64,
    seats: Vec<Clock>,
}

#[derive(Clone)]
struct Clock {
    mood: Mood,
    since: Mono,
    /// Microseconds by state, and how many spans they are the sum of.
    sums: BTreeMap<&'static str, u64>,
    spans: u64,
}

impl Times {
    pub fn new(now: Mono) -> Times {
        let clock = Clock { mood: Mood::Out, since: now, sums: BTreeMap::new(), spans: 0 };
        Times { figures: Figures::new(Duration::from_secs(15)), n: 0, seats: vec![clock; SEATS] }
    }

    /// The log of seats has these lines more.
    pub fn log(&mut self, now: Now, news: Vec<(Arc<str>, SeatWhat)>) {
        for (seat, what) in news {
            self.n += 1;
            self.figures.seat(&SeatEntry { n: self.n, seat, wall: now.wall, mono: now.mono, what });
        }
    }

    /// The observer looks at the seats.
    pub fn look(&mut self, now: Mono, model: &mut Model) {
        for n in model.moved.drain(..) {
            // Nobody is signed in at a seat that was taken away.
            let seat = &model.seats[n];
            let mood = if seat.is_gone() { Mood::Out } else { seat.mood };
            if self.seats[n].mood != mood {
                self.seats[n].becomes(now, mood);
            }
        }
    }

    /// The day is over: the figures say the same.
    pub fn equal(mut self, now: Now, model: &Model) -> Result<(), String> {
        let out = SeatWhat::LoggedOut { by: Author::gateway(), why: LogoutWhy::Asked };
        self.log(now, (0..SEATS).map(|seat| (name(seat), out.clone())).collect());
        let table = self.figures.window(Wall(now.wall.0 - 2 * DAY), Wall(now.wall.0 + DAY), Wall(now.wall.0 + DAY));
        for (n, (clock, seat)) in self.seats.iter_mut().zip(&model.seats).enumerate() {
            clock.becomes(now.mono, Mood::Out);
            let counts = table.seats.get(&*name(n)).cloned().unwrap_or_default();
            let missed: BTreeMap<String, u64> = counts.missed.iter().map(|(why, count)| (why.to_string(), *count)).collect();
            let seen = seat.in_vain.iter().map(|(why, count)| (why.name().to_owned(), *count)).collect();
            if missed != seen {
                return Err(format!("seat {n} was called in vain {seen:?}, and the figures say {missed:?}"));
            }
            if !clock.agrees(&counts) {
                return Err(format!("seat {n} was {:?} µs long, and the figures say {counts:?}", clock.sums));
            }
        }
        Ok(())
    }
}

impl Clock {
    fn becomes(&mut self, now: Mono, mood: Mood) {
        let lasted = now.since(self.since).as_micros() as u64;
        *self.sums.entry(word(self.mood)).or_default() += lasted;
        (self.mood, self.since, self.spans) = (mood, now, self.spans + 1);
    }

    /// Each span of the figures is so many whole milliseconds.
    fn agrees(&self, counts: &SeatCounts) -> bool {
        let reason = |word: &str| counts.breaks.get(word).copied().unwrap_or_default();
        let told = [
            ("ready", counts.ready_ms),
            ("wrap_up", counts.wrap_up_ms),
            ("培训", reason("培训")),
            ("小休", reason("小休")),
            ("missed", reason("missed")),
        ];
        let off = |word: &str, ms: u64| self.sums.get(word).map_or(0, |sum| sum / 1000).abs_diff(ms);
        let signed_in: u64 = told.iter().map(|(_, ms)| ms).sum();
        told.iter().all(|(word, ms)| off(word, *ms) <= self.spans + 20) && counts.signed_in_ms == signed_in
    }
}

fn word(mood: Mood) -> &'static str {
    match mood {
        Mood::Out => "out",
        Mood::Ready => "ready",
        Mood::WrapUp(_) => "wrap_up",
        Mood::Busy => "培训",
        Mood::Rest => "小休",
        Mood::Paused(_) => "missed",
    }
}
