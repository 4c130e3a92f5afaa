//! Figures and histograms, and their text for Prometheus (exposition format 0.0.4).
//!
//! Figures are asked for at each scrape, of the threads that keep them. Histograms of durations stand here, one for each that
//! people set alarms on; their buckets are documented in `docs/metrics.md`.

use crate::base::Shown;
use prometheus::core::Collector;
use prometheus::proto::{self, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, TextEncoder};
use std::sync::LazyLock;
use std::time::Duration;

/// The prefix of all names.
const NAMESPACE: &str = "hotline";

/// From the INVITE to the final response that leaves to the caller; one for each call.
pub static CALL_SETUP: Timing = Timing(LazyLock::new(|| {
    histogram(
        "call_setup_seconds",
        "Time from a caller's INVITE to the final response that left to him.",
        &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0],
    )
}));
/// From the place in a queue to the first who talks to the caller, or to the end of the wait.
pub static QUEUE_WAIT: Timing = Timing(LazyLock::new(|| {
    histogram(
        "queue_wait_seconds",
        "Time that callers waited in a queue until somebody answered or they left it.",
        &[1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0],
    )
}));
/// A group of entries on its way to the disk.
pub static JOURNAL_SYNC: Timing = Timing(LazyLock::new(|| {
    histogram(
        "journal_sync_seconds",
        "Time that the journal took to bring a group of entries to the disk.",
        &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
    )
}));
/// From an event to the word of a ticket system that it has it.
pub static DELIVERY_LAG: Timing = Timing(LazyLock::new(|| {
    histogram(
        "delivery_lag_seconds",
        "Time from an event to its delivery to a ticket system.",
        &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0],
    )
}));

/// A histogram of durations.
pub struct Timing(LazyLock<Result<Histogram, prometheus::Error>>);

impl Timing {
    pub fn observe(&self, duration: Duration) {
        if let Ok(histogram) = &*self.0 {
            histogram.observe(duration.as_secs_f64());
        }
    }

    fn families(&self) -> Vec<MetricFamily> {
        self.0.as_ref().map_or_else(|_| Vec::new(), Collector::collect)
    }
}

/// Fails only where a name or the buckets are none, which a test would find.
fn histogram(name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).namespace(NAMESPACE).buckets(buckets.to_vec()))
}

/// A figure at the moment of a scrape.
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub labels: Vec<(&'static str, String)>,
    pub value: u64,
}

/// Tells a figure that goes up and down from one that only grows.
#[derive(Clone, Copy)]
pub enum Kind {
    Gauge,
    Counter,
}

impl Metric {
    pub fn gauge(name: &'static str, help: &'static str, value: usize) -> Metric {
        Metric { name, help, kind: Kind::Gauge, labels: Vec::new(), value: value as u64 }
    }

    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
        Metric { name, help, kind: Kind::Counter, labels: Vec::new(), value }
    }

    /// Always 1: what is told stands in the labels.
    pub fn info(name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Metric {
        Metric::gauge(name, help, 1).labelled(labels)
    }

    pub fn labelled(self, labels: &[(&'static str, &str)]) -> Metric {
        let labels = labels.iter().map(|(name, value)| (*name, Shown(value).to_string())).collect();
        Metric { labels, ..self }
    }

    fn family(&self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(format!("{NAMESPACE}_{}", self.name));
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Gauge => MetricType::GAUGE,
            Kind::Counter => MetricType::COUNTER,
        });
        family
    }

    fn sample(&self) -> proto::Metric {
        let label = |(name, value): &(&'static str, String)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.clone());
            pair
        };
        let mut sample = proto::Metric::from_label(self.labels.iter().map(label).collect());
        match self.kind {
            Kind::Gauge => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(self.value as f64);
                sample.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(self.value as f64);
                sample.set_counter(counter);
            }
        }
        sample
    }
}

/// The text of these figures and of all histograms; those of one name stand together.
pub fn render<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> String {
    let mut families: Vec<(&str, MetricFamily, Vec<proto::Metric>)> = Vec::new();
    for metric in metrics {
        match families.iter_mut().find(|(name, ..)| *name == metric.name) {
            Some((.., samples)) => samples.push(metric.sample()),
            None => families.push((metric.name, metric.family(), vec![metric.sample()])),
        }
    }
    let figures = families.into_iter().map(|(_, mut family, samples)| {
        family.set_metric(samples);
        family
    });
    let timings = [&CALL_SETUP, &QUEUE_WAIT, &JOURNAL_SYNC, &DELIVERY_LAG].into_iter().flat_map(Timing::families);
    let all: Vec<MetricFamily> = figures.chain(timings).collect();
    // It fails only on a family without a name or without a sample.
    TextEncoder::new().encode_to_string(&all).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let metric = Metric::info("x_info", "x", &[("name", "a\"b\\"), ("revision", "1")]);
        assert!(render([&metric]).contains(r#"hotline_x_info{name="a\"b\\",revision="1"} 1"#), "{}", render([&metric]));
    }

    #[test]
    fn figures_of_one_name_stand_together_and_each_histogram_is_there() {
        let of = |thread| Metric::counter("panics_total", "Panics.", 1).labelled(&[("thread", thread)]);
        let text = render(&[of("a"), Metric::gauge("calls", "Calls.", 2), of("b")]);
        let together = "# HELP hotline_panics_total Panics.\n# TYPE hotline_panics_total counter\n\
                        hotline_panics_total{thread=\"a\"} 1\nhotline_panics_total{thread=\"b\"} 1\n";
        assert!(text.starts_with(together), "{text}");
        assert!(text.contains("# TYPE hotline_calls gauge\nhotline_calls 2\n"), "{text}");
        for name in ["call_setup", "queue_wait", "journal_sync", "delivery_lag"] {
            assert!(text.contains(&format!("# TYPE hotline_{name}_seconds histogram\n")), "{text}");
        }
    }
}
