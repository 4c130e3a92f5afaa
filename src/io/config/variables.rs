//! The environment's part of a configuration: which variables are read, and which only look as if they were. Nothing that
//! somebody set for this program is passed over in silence.

use super::{Area, Backend, Config, Finding, Place, Queue, SealingKey, Seat, Token, Trunk};
use crate::base::Shown;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Settings begin so; what follows is the key, with `__` for each dot.
pub const PREFIX: &str = "HOTLINE__";
/// Read by the command line.
const OTHERS: &[&str] = &["HOTLINE_TOKEN", "HOTLINE_LANG"];
/// The name of a trunk, a seat or the like.
const NAME: &str = "*";

#[derive(Default)]
pub struct Variables {
    pub read: BTreeMap<String, String>,
    pub wrong: Vec<Finding>,
    /// They are no setting's, as far as can be told.
    pub unread: Vec<Finding>,
}

impl Variables {
    pub fn of(all: impl Iterator<Item = (OsString, OsString)>) -> Variables {
        let mut sorted = Variables::default();
        all.for_each(|(name, value)| sorted.sort(&name, value));
        sorted
    }

    fn sort(&mut self, name: &OsString, value: OsString) {
        let shown = name.to_string_lossy();
        if !looks_ours(&shown) {
            return;
        }
        let place = Place::Variable(Shown::whole(&shown));
        match (name.to_str(), value.into_string()) {
            (None, _) => self.wrong.push(Finding { place, message: both!("its name is not UTF-8", "变量名不是 UTF-8") }),
            (_, Err(_)) => {
                let message = both!(
                    "its value is not UTF-8 and cannot be read: set it anew, in UTF-8",
                    "其值不是 UTF-8，无法读取：请以 UTF-8 重新设置"
                );
                self.wrong.push(Finding { place, message });
            }
            (Some(name), Ok(value)) if name.starts_with(PREFIX) => drop(self.read.insert(name.to_owned(), value)),
            (Some(name), _) if OTHERS.contains(&name) => {}
            (Some(name), _) => match meant(name) {
                Some(fix) => self.wrong.push(Finding {
                    place,
                    message: both!("is not read under this name: write {fix}", "不会以此名称读取：请写作 {fix}"),
                }),
                None => self.unread.push(Finding {
                    place,
                    message: both!(
                        "is not read: a setting's variable is {PREFIX}, then its key in capitals with __ for each dot",
                        "不会被读取：设置项的变量名为 {PREFIX} 加大写的键名，每个点写作 __"
                    ),
                }),
            },
        }
    }
}

fn looks_ours(name: &str) -> bool {
    let ours = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("hotline"));
    ours && name.get(7..).is_some_and(|rest| rest.starts_with(['_', '.', '-']))
}

/// The variable of the setting that this one is for, if it is for one: with one underscore for two, or in small letters.
pub fn meant(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '.', '-']).filter(|word| !word.is_empty()).skip(1).collect();
    let fits = known().into_iter().filter_map(|path| fit(&words, &path.split('.').collect::<Vec<_>>()));
    let fix = fits.min_by_key(|path| path.len())?;
    Some(format!("{PREFIX}{}", fix.join("__").to_ascii_uppercase())).filter(|fix| fix != name)
}

/// The parts of a key whose words these are.
fn fit(words: &[&str], path: &[&str]) -> Option<Vec<String>> {
    let Some((part, rest)) = path.split_first() else { return words.is_empty().then(Vec::new) };
    let lengths = if *part == NAME { 1..words.len() + 1 } else { part.split('_').count()..part.split('_').count() + 1 };
    lengths.into_iter().find_map(|length| {
        let own = words.get(..length)?;
        let same = *part == NAME || part.split('_').eq(own.iter().copied());
        let mut all = fit(words.get(length..)?, rest).filter(|_| same)?;
        all.insert(0, own.join("_"));
        Some(all)
    })
}

/// Every key, `*` for names of the site's choice.
fn known() -> Vec<String> {
    let mut config = Config::default();
    config.trunks.insert(NAME.into(), Trunk::default());
    config.seats.insert(NAME.into(), Seat::default());
    config.queues.insert(NAME.into(), Queue::default());
    config.records.keys.insert(NAME.into(), SealingKey::default());
    config.records.areas.insert(NAME.into(), Area::default());
    config.records.backends.insert(NAME.into(), Backend::default());
    config.http.tokens.insert(NAME.into(), Token::default());
    let mut found = Vec::new();
    leaves("", &serde_json::to_value(&config).unwrap_or_default(), &mut found);
    found
}

fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(table) if table.is_empty() => found.push(below(NAME)),
        Value::Object(table) => table.iter().for_each(|(key, value)| leaves(&below(key), value, found)),
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn what_is_meant_for_us_is_told() {
        for (name, fix) in [
            ("HOTLINE_HTTP_LISTEN", "HOTLINE__HTTP__LISTEN"),
            ("HOTLINE__HTTP_LISTEN", "HOTLINE__HTTP__LISTEN"),
            ("HOTLINE_CALLS_MAX_DURATION", "HOTLINE__CALLS__MAX_DURATION"),
            ("hotline__sip__listen", "HOTLINE__SIP__LISTEN"),
            ("HOTLINE.SIP.LISTEN", "HOTLINE__SIP__LISTEN"),
            ("HOTLINE_TRUNKS_MOBILE_2_PORT", "HOTLINE__TRUNKS__MOBILE_2__PORT"),
            ("HOTLINE_HTTP_TOKENS_CONSOLE_SECRET", "HOTLINE__HTTP__TOKENS__CONSOLE__SECRET"),
            ("HOTLINE_RECORDS_BACKENDS_RT_CREDENTIALS_TOKEN", "HOTLINE__RECORDS__BACKENDS__RT__CREDENTIALS__TOKEN"),
        ] {
            assert_eq!(meant(name).as_deref(), Some(fix), "{name}");
        }
        for name in ["HOTLINE__HTTP__LISTEN", "HOTLINE_PORT", "HOTLINE_SERVICE_HOST", "HOTLINE_HTTP", "HOTLINE_"] {
            assert_eq!(meant(name), None, "{name}");
        }
    }

    #[test]
    fn no_variable_is_passed_over() {
        let gbk = OsString::from_vec(vec![0xb0, 0xa1]);
        let all = [
            ("HOTLINE__NODE__NAME".into(), "a".into()),
            ("HOTLINE__NODE__STATE".into(), gbk.clone()),
            ("HOTLINE_TOKEN".into(), gbk.clone()),
            ("HOTLINE_LANG".into(), "zh".into()),
            ("HOTLINE_NODE_NAME".into(), "b".into()),
            ("HOTLINE_PORT".into(), "tcp://192.0.2.1:80".into()),
            ("HOTLINES".into(), "c".into()),
            ("HOTLINE".into(), "d".into()),
            (OsString::from_vec(b"HOTLINE_\xb0".to_vec()), "e".into()),
            ("LANG".into(), gbk),
        ];
        let sorted = Variables::of(all.into_iter());
        assert_eq!(sorted.read.into_keys().collect::<Vec<_>>(), ["HOTLINE__NODE__NAME"]);
        let names = |found: &[Finding]| found.iter().map(|one| one.to_string()).collect::<Vec<_>>();
        let (wrong, unread) = (names(&sorted.wrong), names(&sorted.unread));
        assert_eq!((wrong.len(), unread.len()), (4, 1), "{wrong:#?} {unread:#?}");
        assert!(wrong[0].starts_with("environment: HOTLINE__NODE__STATE: its value is not UTF-8"), "{wrong:#?}");
        assert!(wrong[2].ends_with("HOTLINE_NODE_NAME: is not read under this name: write HOTLINE__NODE__NAME"), "{wrong:#?}");
        assert!(unread[0].starts_with("environment: HOTLINE_PORT: is not read"), "{unread:#?}");
    }
}
