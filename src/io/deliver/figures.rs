//! Figures that are counted of delivery, and the alarms of what is wrong with it now.

use super::{Deliverer, Error};
use crate::base::Text;
use crate::io::journal::Journal;
use crate::io::journal::{Backlog, Reader};
use crate::io::metrics::Metric;
use crate::record::delivery::{Alarm, Verdict};
use crate::record::zone::Zone;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const OUTCOMES: [&str; 4] = ["delivered", "retried", "set_aside", "refused"];

/// Figures of one backend.
#[derive(Default)]
pub struct Figures {
    backend: String,
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Why nothing but probes is sent: for everybody, and in full.
    trouble: Mutex<Option<(Text, Text)>>,
}

impl Figures {
    pub fn of(backend: &str) -> Figures {
        Figures { backend: backend.to_owned(), ..Figures::default() }
    }

    pub fn settled(&self, verdict: &Verdict) {
        let outcome = match verdict {
            Verdict::Done => 0,
            Verdict::Retry { .. } => 1,
            Verdict::Aside { .. } => 2,
            Verdict::Dead { .. } => 3,
        };
        self.outcomes[outcome].fetch_add(1, Ordering::Relaxed);
    }

    pub fn alarm(&self, alarm: &Alarm) {
        let (does, why) = match alarm {
            Alarm::Down(why) => (both!("fails", "出错"), Some(why)),
            Alarm::Paused(why) => (both!("refuses us", "拒绝本网关"), Some(why)),
            Alarm::Up => (Text::default(), None),
        };
        let backend = &self.backend;
        let told = both!("the ticket system `{backend}` {}", "工单系统 `{backend}` {}"; does);
        let trouble = why.map(|why| (told.clone(), told.then(&both!(": {why}", "：{why}"))));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<(Text, Text)> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Figures of all backends, and of what waits in the journal.
#[derive(Default)]
pub struct Deliveries {
    pub backends: Vec<Arc<Figures>>,
    pub reader: Option<Mutex<Reader>>,
}

impl Deliveries {
    pub fn of(deliverers: &[Deliverer], journal: &Journal) -> Result<Deliveries, Error> {
        let reader = journal.reader(Zone::default())?;
        Ok(Deliveries { backends: deliverers.iter().map(Deliverer::figures).collect(), reader: Some(Mutex::new(reader)) })
    }

    /// Tells whether there is a backend of this name.
    pub fn has(&self, backend: &str) -> bool {
        self.backends.iter().any(|figures| figures.backend == backend)
    }

    /// For everybody: which of them fail.
    pub fn alarms(&self) -> Vec<Text> {
        self.backends.iter().filter_map(|figures| Some(figures.trouble()?.0)).collect()
    }

    /// And how.
    pub fn alarms_in_full(&self) -> Vec<Text> {
        self.backends.iter().filter_map(|figures| Some(figures.trouble()?.1)).collect()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let backlog = self.backlog();
        let of = |figures: &Arc<Figures>| backlog.iter().find(|one| one.backend == figures.backend).cloned().unwrap_or_default();
        let each = |metric: &dyn Fn(&Arc<Figures>, Backlog) -> Metric| {
            let labelled = |f: &Arc<Figures>| metric(f, of(f)).labelled(&[("backend", &f.backend)]);
            self.backends.iter().map(labelled).collect::<Vec<_>>()
        };
        let gauge = |name, help, value: u64| Metric::gauge(name, help, usize::try_from(value).unwrap_or(usize::MAX));
        let mut all = each(&|_, b| gauge("delivery_backlog", "Calls of which a ticket system has not got everything.", b.calls));
        let oldest = "The age of the oldest of these calls, in seconds.";
        all.extend(each(&|_, b| gauge("delivery_oldest_seconds", oldest, b.oldest_seconds)));
        all.extend(each(&|_, b| gauge("delivery_set_aside", "Calls that a ticket system refuses for now.", b.aside)));
        all.extend(each(&|_, b| gauge("dead_letters", "Events that a ticket system refused for good.", b.dead)));
        let paused = "1 while a ticket system fails or refuses us, and is only probed.";
        all.extend(each(&|f, _| gauge("delivery_paused", paused, f.trouble().is_some().into())));
        for figures in &self.backends {
            let count = |(name, count): (&&str, &AtomicU64)| {
                let labels = [("backend", figures.backend.as_str()), ("outcome", name)];
                let help = "Attempts to deliver an event, by what became of it.";
                Metric::counter("delivery_attempts_total", help, count.load(Ordering::Relaxed)).labelled(&labels)
            };
            all.extend(OUTCOMES.iter().zip(&figures.outcomes).map(count));
        }
        all
    }

    fn backlog(&self) -> Vec<Backlog> {
        let Some(reader) = &self.reader else { return Vec::new() };
        let backlog = reader.lock().unwrap_or_else(PoisonError::into_inner).backlog(crate::io::clock::now().wall);
        backlog.unwrap_or_else(|trouble| {
            tracing::warn!("what waits for delivery cannot be counted: {trouble}");
            Vec::new()
        })
    }
}
