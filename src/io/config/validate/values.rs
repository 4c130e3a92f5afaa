//! Rules for all values of a kind, whatever their key: each duration has an upper bound, and no list says a thing twice.

use super::Check;
use crate::io::config::queues::wait;
use crate::io::config::schema::Config;
use std::time::Duration;
use toml::Value;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The most seconds of each duration; `*` is any name. Nobody means more, and some are added to moments.
const MOST: &[(&str, u64)] = &[
    ("sip.t1", 10),
    ("sip.t2", MINUTE),
    ("sip.t4", MINUTE),
    ("sip.timer_c", HOUR),
    ("sip.hop_timeout", MINUTE),
    ("sip.resolve_timeout", MINUTE),
    ("sip.names_kept", DAY),
    ("sip.keep_alive", HOUR),
    ("trunks.*.ping", HOUR),
    ("routes.rest_after_failure", HOUR),
    ("routes.rest_max", DAY),
    ("trunks.*.session_expires", DAY),
    ("registrar.expires", DAY),
    ("registrar.min_expires", DAY),
    ("registrar.max_expires", DAY),
    ("registrar.nonce_life", DAY),
    ("registrar.ban", 30 * DAY),
    ("shifts.wrap_up_most", DAY),
    ("shifts.pause", DAY),
    ("shifts.rest", DAY),
    ("shifts.heartbeat", HOUR),
    ("queues.*.experts_after", HOUR),
    ("queues.*.sticky_wait", HOUR),
    ("queues.*.sticky_for", 90 * DAY),
    ("queues.*.ageing", DAY),
    ("queues.*.ring_timeout", 10 * MINUTE),
    ("queues.*.max_wait", 12 * HOUR),
    ("queues.*.no_seat_grace", HOUR),
    ("queues.*.rest_after_failure", HOUR),
    ("queues.*.rest_max", DAY),
    ("queues.*.refusal_max", HOUR),
    ("queues.*.wrap_up", DAY),
    ("queues.*.announce_after", HOUR),
    ("queues.*.announce_every", HOUR),
    ("queues.*.overflow_within", 12 * HOUR),
    ("queues.*.overflow_ring", 10 * MINUTE),
    ("media.silence", HOUR),
    ("media.port_rest", 10 * MINUTE),
    ("media.unproven", MINUTE),
    ("media.unproven_emergency", MINUTE),
    ("calls.max_duration", DAY),
    ("calls.after_caller", HOUR),
    ("calls.hold_alarm", DAY),
    ("calls.hold_most", DAY),
    ("calls.least_talk", MINUTE),
    ("messages.most", 30 * MINUTE),
    ("messages.least", 30 * MINUTE),
    ("messages.silence", MINUTE),
    ("survey.wait", MINUTE),
    ("callbacks.wait", MINUTE),
    ("callbacks.keep", 90 * DAY),
    ("callbacks.lease", DAY),
    ("outbound.ring_seat", 10 * MINUTE),
    ("outbound.ring", 10 * MINUTE),
    ("outbound.preview", HOUR),
    ("outbound.after_refusal", 30 * DAY),
    ("limits.retry_after", HOUR),
    ("limits.message_timeout", 10 * MINUTE),
    ("limits.turn", 1),
    ("records.emergency_wait", 10),
    ("records.inspect_every", DAY),
    ("records.callback_tolerance", DAY),
    ("records.retry_after_max", DAY),
    ("records.webhook.timeout", 10 * MINUTE),
    ("records.backends.*.timeout", 10 * MINUTE),
    ("figures.within", HOUR),
    ("recording.pause_most", DAY),
    ("http.timeout", 10 * MINUTE),
    ("log.drain", HOUR),
];

impl Check<'_> {
    pub fn values(&mut self, config: &Config) {
        let Ok(all) = Value::try_from(config) else { return };
        self.value(&mut Vec::new(), &all);
    }

    fn value<'v>(&mut self, path: &mut Vec<&'v str>, value: &'v Value) {
        match value {
            Value::Table(table) => {
                for (key, value) in table {
                    path.push(key);
                    self.value(path, value);
                    path.pop();
                }
            }
            Value::Array(list) => {
                let again = list.iter().enumerate().find(|(at, one)| list[..*at].contains(one)).map(|(_, one)| one);
                self.require(again.is_none(), path, || {
                    let again = again.map_or(String::new(), |one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                    both!("`{again}` stands there twice", "`{again}` 重复出现")
                });
            }
            Value::String(text) => {
                if let (Some(most), Some(found)) = (most(path), wait(text)) {
                    self.require(found <= most, path, || {
                        let most = shown(most);
                        both!("is longer than {most}", "不得长于 {most}")
                    });
                }
            }
            _ => {}
        }
    }
}

fn most(path: &[&str]) -> Option<Duration> {
    let is = |pattern: &str| {
        let mut parts = pattern.split('.');
        path.iter().all(|key| parts.next().is_some_and(|part| part == "*" || part == *key)) && parts.next().is_none()
    };
    MOST.iter().find(|(pattern, _)| is(pattern)).map(|(_, seconds)| Duration::from_secs(*seconds))
}

/// As it is written in a configuration.
fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % HOUR == 0 => format!("{}h", seconds / HOUR),
        seconds if seconds % MINUTE == 0 => format!("{}m", seconds / MINUTE),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::config::Layers;
    use crate::io::config::validate::validate;
    use crate::plan::Source;
    use std::collections::BTreeMap;

    const ALL: &str = "[records.backends.x]\nprofile = 'x'\nurl = 'http://192.0.2.1'\n";

    fn layers(site: &str) -> Layers {
        Layers::new(Some(Source::new("site.toml", site)), BTreeMap::new())
    }

    fn findings(site: &str) -> Vec<String> {
        let layers = layers(site);
        let wrong = validate(&layers.merge().unwrap(), &layers);
        wrong.iter().map(|finding| format!("{finding} {}", finding.told().zh)).collect()
    }

    /// The paths of all values that are of this kind.
    fn paths(value: &Value, path: &str, is: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
        if is(value) {
            found.push(path.to_owned());
        }
        for (key, value) in value.as_table().into_iter().flatten() {
            paths(value, &format!("{path}{}{key}", if path.is_empty() { "" } else { "." }), is, found);
        }
    }

    fn of_kind(is: &dyn Fn(&Value) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        paths(&Value::try_from(layers(ALL).merge().unwrap()).unwrap(), "", is, &mut found);
        found
    }

    #[test]
    fn each_duration_has_a_bound_which_is_told_at_its_key() {
        let durations = of_kind(&|value| value.as_str().is_some_and(|text| wait(text).is_some()));
        assert!(durations.len() >= MOST.len(), "{durations:?}");
        for path in durations {
            let parts: Vec<&str> = path.split('.').collect();
            let most = most(&parts).unwrap_or_else(|| panic!("{path} has no bound"));
            let (table, key) = path.rsplit_once('.').unwrap();
            let more = if table == "records.backends.x" { "profile = 'x'\nurl = 'http://192.0.2.1'\n" } else { "" };
            let site = |time: String| format!("[{table}]\n{key} = '{time}'\n{more}");
            let is =
                |one: &String| one.starts_with("site.toml:2:1: ") && one.contains("is longer than") && one.contains("不得长于");
            for (time, told) in [(most.as_secs(), false), (most.as_secs() + 1, true), (36_000_000, true)] {
                let found = findings(&site(format!("{time}s")));
                assert_eq!(found.iter().any(is), told, "{path} = {time}s: {found:#?}");
            }
        }
    }

    #[test]
    fn no_list_says_a_thing_twice() {
        for (site, again) in [
            ("[queues.12345]\nseats = ['desk', 'desk']", "desk"),
            ("[queues.12345]\noverflow = ['callback', 'target:12366', 'callback']", "callback"),
            ("[trunks.loopback]\ncodecs = ['PCMA', 'PCMU', 'PCMA']", "PCMA"),
            ("[outbound]\nrefuse = ['00', '17951', '00']", "00"),
            ("[outbound]\nhours = ['daily 08:00-21:00', 'daily 08:00-21:00']", "daily 08:00-21:00"),
            ("[callbacks]\nlosses = ['no_seat', 'no_seat']", "no_seat"),
            ("[registrar]\nalgorithms = ['MD5', 'MD5']", "MD5"),
            ("[recording]\nlines = ['12345', '12345']", "12345"),
        ] {
            let found = findings(site);
            let is = |one: &String| {
                one.starts_with("site.toml:2:1: ")
                    && one.contains(&format!("`{again}` stands there twice"))
                    && one.contains("重复出现")
            };
            assert!(found.iter().any(is), "{site}: {found:#?}");
        }
    }

    #[test]
    fn lists_are_looked_at_whatever_their_key() {
        let lists = of_kind(&|value| value.as_array().is_some_and(|list| list.iter().any(Value::is_str)));
        assert!(lists.len() > 5, "{lists:?}");
        for path in lists {
            let (table, key) = path.rsplit_once('.').unwrap();
            let value = Value::try_from(layers(ALL).merge().unwrap()).unwrap();
            let list = path.split('.').fold(&value, |value, key| &value[key]);
            let first = list[0].as_str().unwrap();
            let found = findings(&format!("[{table}]\n{key} = ['{first}', '{first}']"));
            assert!(found.iter().any(|one| one.contains("stands there twice")), "{path}: {found:#?}");
        }
    }
}
