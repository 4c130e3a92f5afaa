//! The bounds of what others follow, hand in and tell over HTTP, and the way there.

use crate::base::{Bucket, CallId, Rate, Text};
use crate::event::Division;
use crate::io::clock::{self, Trusted};
use crate::io::config::Config;
use crate::io::config::reload::Handle;
use crate::io::config::tokens;
use crate::io::deliver::Target;
use crate::io::http::sessions::Sessions;
use crate::io::journal::feed::Feed;
use crate::io::journal::{Error, Journal, Reader, Settler};
use crate::io::metrics::Metric;
use crate::io::process::places::Places;
use crate::plan::Plan;
use crate::record::zone::Zone;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;

/// The journal has so long to say that something is on disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Limits what may wait for it at once.
const WAITING: usize = 256;
/// Limits those of each token who follow seats and queues at once; in all there may be as many as there may be tokens.
const FOLLOWERS_OF_TOKEN: usize = 16;
/// Limits the searches for records at once: one reads, the others wait.
const READERS: usize = 4;
/// (source, line) pairs that are counted apart.
const COUNTED: usize = 2000;
/// Sources whose rate is known.
const SOURCES: usize = 1000;

pub struct Intake {
    pub feed: Arc<Feed>,
    pub settler: Settler,
    pub node: String,
    /// The ticket systems that there are, by name.
    pub backends: BTreeSet<String>,
    /// Those that may call back, by name.
    pub callers: BTreeMap<String, Target>,
    pub tolerance: Duration,
    /// By it is judged what others have signed.
    pub clock: Arc<Trusted>,
    /// Those who follow seats and queues.
    pub followers: Places,
    /// Toolbars that speak as to another gateway; none: they are not answered.
    pub adapter: Option<Sessions>,
    /// The zone of the records' times.
    pub zone: TimeZone,
    /// Writes them.
    pub times: Zone,
    live: Handle,
    reader: Mutex<Reader>,
    /// For those who look for records, one after the other.
    records: Arc<Mutex<Reader>>,
    readers: Arc<Semaphore>,
    rate: Rate,
    rates: Mutex<BTreeMap<String, Bucket>>,
    waiting: Arc<Semaphore>,
    counts: Mutex<BTreeMap<(&'static str, String, String), u64>>,
}

/// Why the journal did not say what became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    Busy,
    /// It may be on disk all the same.
    TooLate,
}

impl Intake {
    pub fn new(config: &Config, journal: &Journal, newest: watch::Receiver<u64>, live: Handle) -> Result<Intake, Text> {
        let zone = Zone::named(&config.records.zone)?;
        let reader = || journal.reader(zone.clone()).map_err(Text::from);
        let callers = Target::all(config)?.into_iter().filter(Target::calls_back).map(|target| (target.name.clone(), target));
        Ok(Intake {
            feed: Arc::new(Feed::new(reader()?, reader()?, newest).map_err(Text::from)?),
            settler: journal.settler(),
            node: config.node.name.clone(),
            backends: config.records.backends.iter().filter(|(_, b)| b.enabled).map(|(name, _)| name.clone()).collect(),
            callers: callers.collect(),
            tolerance: config.records.callback_tolerance,
            clock: journal.clock(),
            live,
            followers: Places::new(tokens::MOST, FOLLOWERS_OF_TOKEN),
            adapter: config.http.adapter.enabled.then(|| Sessions::of(&config.http.adapter)),
            times: zone.clone(),
            zone: TimeZone::get(&config.records.zone).unwrap_or(TimeZone::UTC),
            reader: Mutex::new(reader()?),
            records: Arc::new(Mutex::new(reader()?)),
            readers: Arc::new(Semaphore::new(READERS)),
            rate: rate(config.records.inbound_rate),
            rates: Mutex::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            counts: Mutex::default(),
        })
    }

    /// The plan that new calls meet.
    pub fn plan(&self) -> Arc<Plan> {
        (self.live)().plan.clone()
    }

    /// The administrative division of this code.
    pub fn division(&self, code: &str) -> Option<Division> {
        (self.live)().divisions.values().find(|division| division.code == code).cloned()
    }

    /// False when this source has sent as much as it may.
    pub fn allow(&self, source: &str) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::mono();
        if rates.len() >= SOURCES && !rates.contains_key(source) {
            rates.clear();
        }
        rates.entry(source.to_owned()).or_default().take(self.rate, now)
    }

    /// Hands something to the journal and waits until it is on disk. Its place is taken until then, whoever still waits: a
    /// journal that is down is handed no more than that.
    pub async fn taken<T: Send + 'static>(&self, hand: impl FnOnce(&Settler, Box<dyn FnOnce(T) + Send>)) -> Result<T, NotTaken> {
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| NotTaken::Busy)?;
        let (done, told) = oneshot::channel();
        // A client that does not wait any more need not be told.
        let tell = move |taken| {
            drop(place);
            let _ = done.send(taken);
        };
        hand(&self.settler, Box::new(tell));
        timeout(PATIENCE, told).await.ok().and_then(Result::ok).ok_or(NotTaken::TooLate)
    }

    /// The page of a call's ticket, once it has one; the outer none: there is no such call.
    pub fn page(&self, call: CallId) -> Result<Option<Option<String>>, Error> {
        let record = self.reader.lock().unwrap_or_else(PoisonError::into_inner).record(call)?;
        Ok(record.map(|record| record.tickets.into_iter().find_map(|ticket| ticket.url)))
    }

    /// The records, for one question; none while as many wait for them as may.
    pub fn read(&self) -> Option<Reading> {
        let place = self.readers.clone().try_acquire_owned().ok()?;
        Some(Reading { records: self.records.clone(), _place: place })
    }

    /// Counts one more of what `name` counts, for a source and a line.
    pub fn count(&self, name: &'static str, source: &str, line: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name, source.to_owned(), line.to_owned());
        let key =
            if counts.len() < COUNTED || counts.contains_key(&key) { key } else { (name, source.to_owned(), "other".to_owned()) };
        *counts.entry(key).or_default() += 1;
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |((name, source, line), value): (&(&'static str, String, String), &u64)| {
            let labels = [("source", source.as_str()), ("line", line.as_str())];
            Metric::counter(name, "Records and messages from others, by source and line.", *value).labelled(&labels)
        };
        let feed = [
            Metric::gauge("feed_followers", "Those who follow the feed of events.", self.feed.places.taken()),
            Metric::counter("feed_cut_off_total", "Followers let go because they did not read.", self.feed.places.cut_offs()),
        ];
        feed.into_iter().chain(counts.iter().map(count)).collect()
    }
}

/// A place among those who look for records.
pub struct Reading {
    records: Arc<Mutex<Reader>>,
    _place: OwnedSemaphorePermit,
}

impl Reading {
    /// Reads the disk, and may wait for others who do.
    pub fn ask<T>(self, question: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Error> {
        question(&self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A second's worth may come at once.
fn rate(per_second: u32) -> Rate {
    Rate { per_second, burst: per_second, max_sources: SOURCES }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Mono;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let mut bucket = Bucket::default();
        let given = |bucket: &mut Bucket, at| (0..10).filter(|_| bucket.take(rate(3), Mono(at))).count();
        assert_eq!((given(&mut bucket, 0), given(&mut bucket, 1_000_000), given(&mut bucket, 1_400_000)), (3, 3, 1));
        assert_eq!(given(&mut bucket, 3_600_000_000), 3);
    }
}
