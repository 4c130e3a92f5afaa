//! Figures of a simulation's journal, against a count that goes straight over its calls: it has no buckets, no state between
//! calls, and takes what it can from the records, which another fold makes.

use hotline::base::{CallId, Mono, Wall};
use hotline::event::{CallDirection, Entry, Party, TransferKind, What};
use hotline::figure::{Counts, Table};
use hotline::io::figures;
use hotline::io::journal::Reader;
use hotline::record::zone::Zone;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(15);
const DAY: i64 = 86_400_000_000;

#[derive(Debug, Default, PartialEq)]
struct Sums {
    offered: u64,
    handed: u64,
    answered: u64,
    within: u64,
    interrupted: u64,
    emergencies: u64,
    lost: BTreeMap<String, u64>,
    talk_ms: u64,
    wait_ms: u64,
    /// How often each seat was rung, and how often it answered.
    seats: BTreeMap<String, (u64, u64)>,
    /// Calls that seats placed, and those of them that somebody answered.
    outbound: (u64, u64),
}

/// The figures of all these calls are what their logs and records say.
pub fn equal(reader: &Reader, calls: &BTreeSet<CallId>) -> Result<(), String> {
    let mut counted = Sums::default();
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for call in calls {
        let entries = reader.entries(*call, u32::MAX).map_err(|e| e.to_string())?;
        let record = reader.record(*call).map_err(|e| e.to_string())?.ok_or("no record")?;
        for entry in &entries {
            (first, last) = (first.min(entry.wall.0), last.max(entry.wall.0));
        }
        counted.call(&entries, &record.result.map(|result| result.name().to_owned()).unwrap_or_default(), record.talk_ms);
    }
    if calls.is_empty() {
        return Ok(());
    }
    let (from, to) = (Wall(first - DAY), Wall(last + DAY));
    let table = figures::recompute(reader, &Zone::default(), WITHIN, (from, to), to).map_err(|e| e.to_string())?;
    let told = Sums::of(&table);
    if told == counted { Ok(()) } else { Err(format!("the figures say {told:?}\nthe calls say   {counted:?}")) }
}

impl Sums {
    fn of(table: &Table) -> Sums {
        let Counts { offered, handed, answered, within, interrupted, emergencies, .. } = table.all;
        let (lost, talk) = (&table.all.lost, &table.all.talk);
        let seats = table.seats.iter().map(|(name, seat)| (name.clone(), (seat.rung, seat.answered)));
        Sums {
            offered,
            handed,
            answered,
            within,
            interrupted,
            emergencies,
            lost: lost.iter().map(|(how, count)| (how.to_string(), *count)).collect(),
            talk_ms: talk.sum_ms,
            wait_ms: table.all.wait.sum_ms,
            seats: seats.filter(|(_, counts)| *counts != (0, 0)).collect(),
            outbound: (table.all.outbound.placed, table.all.outbound.answered),
        }
    }

    fn call(&mut self, entries: &[Entry], result: &str, talk_ms: u64) {
        let at = |of: fn(&What) -> bool| entries.iter().find(|entry| of(&entry.what)).map(|entry| entry.mono);
        let handed = at(|what| matches!(what, What::Queued { .. } | What::Ringing { .. } | What::Joined { .. }));
        let answered = at(|what| matches!(what, What::Joined { .. }));
        let emergency = |what: &What| matches!(what, What::TransferStarted { kind: TransferKind::Emergency, .. });
        self.emergencies += entries.iter().filter(|entry| emergency(&entry.what)).count() as u64;
        let placed = |what: &What| matches!(what, What::Offered(offered) if offered.direction == CallDirection::Outbound);
        if entries.iter().any(|entry| placed(&entry.what)) {
            self.outbound.0 += 1;
            self.outbound.1 += u64::from(answered.is_some());
            return;
        }
        self.offered += 1;
        self.handed += u64::from(handed.is_some());
        match answered {
            Some(answered) => self.served(answered.since(handed.unwrap_or(Mono(0))), talk_ms),
            None => *self.lost.entry(result.to_owned()).or_default() += 1,
        }
        self.interrupted += u64::from(answered.is_some() && entries.iter().any(|entry| entry.what == What::Interrupted));
        let mut joined = BTreeSet::new();
        for entry in entries {
            match &entry.what {
                What::Ringing { party: Party::Seat { name, .. }, .. } => self.seats.entry(name.clone()).or_default().0 += 1,
                What::Joined { leg, party: Party::Seat { name, .. }, .. } if joined.insert(*leg) => {
                    self.seats.entry(name.clone()).or_default().1 += 1;
                }
                _ => {}
            }
        }
    }

    fn served(&mut self, waited: Duration, talk_ms: u64) {
        self.answered += 1;
        self.within += u64::from(waited.as_millis() <= WITHIN.as_millis());
        self.wait_ms += waited.as_millis() as u64;
        self.talk_ms += talk_ms;
    }
}
