//! Figures, and their text for Prometheus (format version 0.0.4).

use crate::base::Shown;
use std::fmt::Write;

/// A figure at the moment of a scrape.
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    /// `{name="value"}`, or nothing.
    pub labels: String,
    pub value: u64,
}

pub enum Kind {
    Gauge,
    Counter,
}

impl Metric {
    pub fn gauge(name: &'static str, help: &'static str, value: usize) -> Metric {
        Metric { name, help, kind: Kind::Gauge, labels: String::new(), value: value as u64 }
    }

    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
        Metric { name, help, kind: Kind::Counter, labels: String::new(), value }
    }

    /// Always 1: what is told stands in the labels.
    pub fn info(name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Metric {
        Metric::gauge(name, help, 1).labelled(labels)
    }

    pub fn labelled(self, labels: &[(&str, &str)]) -> Metric {
        let escaped = |value: &str| Shown(value).to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        Metric { labels: format!("{{{}}}", labels.join(",")), ..self }
    }
}

/// The text of all figures; those of one name stand together.
pub fn render<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> String {
    let (mut text, mut last) = (String::new(), "");
    for metric in metrics {
        let kind = if matches!(metric.kind, Kind::Counter) { "counter" } else { "gauge" };
        let Metric { name, help, labels, value, .. } = metric;
        // Writing to a String cannot fail.
        if std::mem::replace(&mut last, name) != *name {
            let _ = writeln!(text, "# HELP hotline_{name} {help}\n# TYPE hotline_{name} {kind}");
        }
        let _ = writeln!(text, "hotline_{name}{labels} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let metric = Metric::info("x_info", "x", &[("name", "a\"b\\"), ("revision", "1")]);
        assert_eq!(metric.labels, r#"{name="a\"b\\",revision="1"}"#);
    }
}
