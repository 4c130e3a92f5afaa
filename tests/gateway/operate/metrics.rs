//! The figures, read as Prometheus reads them: by a strict reader of the text format 0.0.4 that is none of ours.

use super::bench::Bench;
use crate::support::http::Backend;
use crate::support::{free_port, wait_until};
use std::collections::{BTreeMap, BTreeSet};

/// The samples of one name: kind, and (suffix of the name, labels, value).
#[derive(Debug)]
struct Family {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Family {
    /// The value of the only sample with this suffix and these labels.
    fn value(&self, suffix: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: BTreeMap<String, String> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.samples.iter().find(|(s, l, _)| s == suffix && *l == labels).unwrap_or_else(|| panic!("{suffix} {labels:?}")).2
    }
}

/// Each family has its HELP, its TYPE and its samples in one block; anything else is an error.
fn parse(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line ends too");
    let (mut families, mut helps, mut current) = (BTreeMap::<String, Family>::new(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(is_name(name) && help.ends_with('.') && helps.insert(name.to_owned()), "{line}");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert!(name == current && ["gauge", "counter", "histogram"].contains(&kind), "{line}");
            let family = Family { kind: kind.to_owned(), samples: Vec::new() };
            assert!(families.insert(name.to_owned(), family).is_none(), "twice: {line}");
        } else {
            let (name, labels, value) = sample(line);
            let family = families.get_mut(&current).unwrap_or_else(|| panic!("no type before {line}"));
            let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("not of {current}: {line}")).to_owned();
            let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix.as_str()), "{line}");
            assert!(!family.samples.iter().any(|(s, l, _)| *s == suffix && *l == labels), "twice: {line}");
            family.samples.push((suffix, labels, value));
        }
    }
    families
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = quoted(after).unwrap_or_else(|| panic!("no end of a label: {line}"));
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    (name.to_owned(), labels, value)
}

/// The text up to the closing mark, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// Buckets grow up to the count, and an infinite one is the last.
fn check_histogram(name: &str, family: &Family) {
    let buckets: Vec<(f64, f64)> = (family.samples.iter())
        .filter(|(suffix, ..)| suffix == "_bucket")
        .map(|(_, labels, value)| (labels["le"].parse().unwrap(), *value))
        .collect();
    assert!(buckets.len() > 10 && buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
    let count = family.value("_count", &[]);
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{name}");
    let (least, sum) = (buckets[0].1, family.value("_sum", &[]));
    assert!(sum >= 0.0 && (count > 0.0 || sum == 0.0) && least <= count, "{name}");
}

fn delivered(families: &BTreeMap<String, Family>) -> f64 {
    families["hotline_delivery_attempts_total"].value("", &[("backend", "webhook"), ("outcome", "delivered")])
}

#[test]
fn prometheus_reads_every_line_and_histograms_count_the_calls() {
    let backend = Backend::start(free_port());
    let mut bench = Bench::new().set("RECORDS__WEBHOOK__URL", &format!("http://{}/calls", backend.address)).start();
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "4", "-r", "10", "-d", "100"]).wait().unwrap().success());
    // Nobody knows this number: its caller is refused.
    let _ = bench.call("000", &["-m", "1", "-d", "10"]).wait();
    wait_until("all is over and delivered", || {
        let families = parse(&bench.get("/metrics").unwrap().1);
        let gone = ["calls", "legs", "journal_unwritten"].iter().all(|name| bench.metric(name) == 0);
        let lags = families["hotline_delivery_lag_seconds"].value("_count", &[]);
        gone && lags >= 5.0 && lags == delivered(&families)
    });
    let families = parse(&bench.get("/metrics").unwrap().1);
    for (name, family) in &families {
        assert!(name.starts_with("hotline_") && !family.samples.is_empty(), "{name}");
        match family.kind.as_str() {
            "histogram" => check_histogram(name, family),
            "counter" => assert!(name.ends_with("_total") && family.samples.iter().all(|(.., value)| *value >= 0.0), "{name}"),
            _ => assert!(!name.ends_with("_total"), "{name}"),
        }
    }
    let calls = families["hotline_calls_total"].value("", &[]);
    assert!(calls >= 5.0, "{calls}");
    let count = |name: &str| families[&format!("hotline_{name}_seconds")].value("_count", &[]);
    assert_eq!(count("call_setup"), calls, "each call has one final response");
    assert_eq!(count("queue_wait"), 4.0, "those that were queued");
    assert!(count("journal_sync") >= 1.0);
    assert_eq!(count("delivery_lag"), delivered(&families));
    assert_eq!(bench.kill("-TERM"), Some(0));
}

#[test]
fn the_reader_takes_nothing_else() {
    let refuses = |text: &str| std::panic::catch_unwind(|| parse(text)).is_err();
    let good = "# HELP a A.\n# TYPE a gauge\na{b=\"c\\\"\\\\\\n\",d=\"\"} 1\na 2.5\n";
    assert_eq!(parse(good)["a"].value("", &[("b", "c\"\\\n"), ("d", "")]), 1.0);
    for bad in [
        "a 1\n",
        "# HELP a A.\na 1\n",
        "# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a A.\n# TYPE a gauge\na x\n",
        "# HELP a A.\n# TYPE a gauge\na{b=c} 1\n",
        "# HELP a A.\n# TYPE a gauge\nb 1\n",
        "# HELP a A.\n# TYPE a gauge\na 1",
        "# HELP a A.\n# TYPE a meter\na 1\n",
        "# HELP a A.\n# TYPE a histogram\na 1\n",
    ] {
        assert!(refuses(bad), "{bad}");
    }
}
