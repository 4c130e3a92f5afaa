//! Tells the keys that a running gateway takes over of a new configuration from those that hold until it starts anew.
//!
//! One list says it, and nobody is asked to heed it: what is made once, at the start, is made of [`Config::fixed`], in
//! which live keys are empty; what a reload hands out is made of [`Config::with_live`], in which all others are still as
//! they were. So no key can be taken over by some and not by others.

use super::Config;
use serde_json::Value;

/// Keys, and tables with all that stands in them.
pub const LIVE: &[&str] = &[
    "callbacks",
    "calls",
    "causes",
    "http.tokens",
    "keys",
    "limits.accounts",
    "limits.notices",
    "limits.peer_burst",
    "limits.peer_rate",
    "limits.placing_percent",
    "limits.retry_after",
    "limits.source_burst",
    "limits.source_rate",
    "log.level",
    "media.prompts",
    "messages",
    "outbound",
    "plan",
    "queues",
    "recording.notice",
    "recording.pause_most",
    "records.areas",
    "records.emergency_wait",
    "records.on_journal_failure",
    "registrar",
    "routes",
    "seats",
    "shifts",
    "sip.unknown_source",
    "survey",
    "trunks",
];

impl Config {
    /// This configuration without its live keys.
    pub fn fixed(&self) -> Config {
        self.with_live(&Config::default())
    }

    /// This configuration with the live keys of `new`.
    pub fn with_live(&self, new: &Config) -> Config {
        let places = new.places.clone();
        let (mut all, new) = (tree(self), tree(new));
        for key in LIVE {
            let pointer = pointer(key);
            if let (Some(place), Some(value)) = (all.pointer_mut(&pointer), new.pointer(&pointer)) {
                *place = value.clone();
            }
        }
        // It was written by the same type.
        let all = serde_json::from_value(all).unwrap_or_else(|_| self.clone());
        Config { places, ..all }
    }
}

fn tree(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::config::Layers;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    const SITE: &str = "
[node]
name = 'other'
[sip]
unknown_source = 'refuse'
t1 = '600ms'
[trunks.mobile]
addresses = ['192.0.2.1', '192.0.2.128/25']
codecs = ['PCMU']
[seats.desk]
dtmf = 'inband'
[queues.12345]
strategy = 'all'
[limits]
calls = 9
emergency_percent = 7
retry_after = '9s'
[records]
on_journal_failure = 'carry-on'
keep_days = 1
[records.areas]
21 = { code = '310000', name = '上海市' }
[records.backends.a]
url = 'http://a'
credentials = { token = 'x' }
[recording]
lines = ['all']
format = 'a-law'
[http]
public_url = 'http://b'
[http.tokens.c]
roles = ['viewer', 'unmasked']
secret = '0123456789abcdef'
[keys.one_key]
'*999#' = '110'
[log]
format = 'json'
";

    fn config(site: &str) -> Config {
        Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new()).merge().unwrap()
    }

    fn is_live(path: &str) -> bool {
        LIVE.iter().any(|key| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let at = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                map.iter().for_each(|(key, value)| leaves(&at(key), value, found));
            }
            value => drop(found.insert(path.to_owned(), value.clone())),
        }
    }

    fn all(config: &Config) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        leaves("", &tree(config), &mut found);
        found
    }

    #[test]
    fn each_live_key_exists() {
        let all = tree(&config(""));
        for key in LIVE {
            assert!(all.pointer(&pointer(key)).is_some(), "{key}");
        }
    }

    #[test]
    fn operators_are_told_each_live_key() {
        let text = include_str!("../../../config/default.toml");
        let told = text.split("A running gateway takes over ").nth(1).unwrap().split("All else").next().unwrap();
        let told = told.replace(['#', '\n'], " ").replace(" and ", ", ").replace('.', "·");
        let mut told: Vec<String> = told.split([',', ' ']).map(|key| key.trim_end_matches('·').replace('·', ".")).collect();
        told.retain(|key| !key.is_empty());
        told.sort();
        assert_eq!(told, LIVE);
    }

    #[test]
    fn a_key_is_taken_over_wholly_or_not_at_all() {
        let (old, new) = (config(""), config(SITE));
        let (running, before, after) = (all(&old.with_live(&new)), all(&old), all(&new));
        let keys = before.keys().chain(after.keys()).chain(running.keys());
        for key in keys {
            let theirs = if is_live(key) { after.get(key) } else { before.get(key) };
            assert_eq!(running.get(key), theirs, "{key}");
        }
        assert_eq!(old.with_live(&old), old);
        assert_eq!(new.with_live(&new), new);
        assert_ne!(old.with_live(&new).trunks, old.trunks);
    }

    #[test]
    fn what_is_made_once_sees_no_live_key() {
        let (with, nothing) = (config(SITE).fixed(), Config::default());
        let (with, nothing) = (all(&with), all(&nothing));
        for (key, value) in &with {
            assert!(!is_live(key) || nothing.get(key) == Some(value), "{key}");
        }
        assert_eq!(with["limits.calls"], 9);
        assert_eq!(with["node.name"], "other");
    }
}
