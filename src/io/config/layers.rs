//! The layers of a configuration. The `config` crate merges them, but knows of a mistake only its key; so each file is
//! first parsed by `toml`, which knows line and column.

use super::finding::{Finding, Place};
use super::redact;
use super::schema::Config;
use super::variables::{PREFIX, Variables, meant};
use super::wording;
use crate::base::Text;
use crate::io::process::files;
use crate::plan::{At, Source, nearest, syntax};
use config::{Environment, File, FileFormat};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use toml::{Deserializer, Spanned};

const DEFAULTS: &str = include_str!("../../../config/default.toml");
/// Read where no other file is named: of these the first that exists. The second is where a package puts it.
const SITE_FILES: [&str; 2] = ["config/site.toml", "/etc/hotline/site.toml"];

/// No more than this many complaints about one file.
const MAX_FINDINGS: usize = 50;
/// A configuration is small; what is larger is not one.
const MAX_FILE: u64 = 4 << 20;

/// The file that is read when `file` was named, or none was; it need not exist.
pub fn site_file(file: Option<&Path>) -> &Path {
    let usual = || SITE_FILES.map(Path::new).into_iter().find(|path| path.exists());
    file.or_else(usual).unwrap_or(Path::new(SITE_FILES[0]))
}

pub struct Layers {
    /// The defaults first.
    files: Vec<Arc<Source>>,
    environment: BTreeMap<String, String>,
    /// Variables that are meant for us and cannot be read.
    wrong: Vec<Finding>,
    /// Variables that look as if they were.
    unread: Vec<Finding>,
}

impl Layers {
    /// The defaults, `file` (or the site file if there is one), and this process's environment.
    pub fn read(file: Option<&Path>) -> Result<Layers, Vec<Finding>> {
        let site = Some(site_file(file))
            .filter(|path| file.is_some() || path.exists())
            .map(read_file)
            .transpose()
            .map_err(|finding| vec![finding])?;
        Ok(Layers::of(site, Variables::of(std::env::vars_os())))
    }

    pub fn new(site: Option<Arc<Source>>, environment: BTreeMap<String, String>) -> Layers {
        Layers::of(site, Variables::of(environment.into_iter().map(|(name, value)| (name.into(), value.into()))))
    }

    fn of(site: Option<Arc<Source>>, Variables { read, wrong, unread }: Variables) -> Layers {
        let defaults = Source::new("config/default.toml", DEFAULTS);
        Layers { files: [defaults].into_iter().chain(site).collect(), environment: read, wrong, unread }
    }

    /// Variables that nothing reads.
    pub fn unread(&self) -> &[Finding] {
        &self.unread
    }

    /// One configuration, or every mistake of every layer.
    pub fn merge(&self) -> Result<Config, Vec<Finding>> {
        let mut findings: Vec<Finding> = self.files.iter().flat_map(|source| check_file(source, reader)).collect();
        findings.extend(self.wrong.iter().cloned());
        findings.extend(self.environment.iter().filter_map(|(key, value)| self.check_variable(key, value)));
        if !findings.is_empty() {
            return Err(findings);
        }
        let texts = self.files.iter().map(|source| source.text.as_str());
        layered(texts, &self.environment).map_err(|e| vec![Finding::whole("configuration", wording::told(&e.to_string(), ""))])
    }

    /// Texts that no complaint may quote.
    pub fn secrets(&self) -> Vec<String> {
        let own = self
            .files
            .iter()
            .skip(1)
            .flat_map(|source| redact::of_text(&source.text).into_iter().chain(redact::of_text(source.written())));
        let variable = |(key, value): (&String, &String)| redact::of_variable(key.strip_prefix(PREFIX)?, value);
        let mut all: Vec<String> = self.environment.iter().filter_map(variable).chain(own).collect();
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all
    }

    /// Where the value at `path` (`trunks`, `mobile`, `port`) was last set, or its table, or the table above. An entry of a list has
    /// its place in it, from 0, as its part of the path.
    pub fn place(&self, path: &[&str]) -> Place {
        let variable = format!("{PREFIX}{}", path.join("__"));
        if let Some(key) = self.environment.keys().find(|key| key.eq_ignore_ascii_case(&variable)) {
            return Place::Variable(key.clone());
        }
        (1..=path.len()).rev().find_map(|length| self.place_in_files(&path[..length])).unwrap_or(Place::Whole(path.join(".")))
    }

    /// Tells whether the operator has written one of these: a default that meets another is no doubt of theirs.
    pub fn has_written(&self, paths: &[&[&str]]) -> bool {
        let tables: Vec<_> = self.files.iter().skip(1).filter_map(|source| DeTable::parse(&source.text).ok()).collect();
        paths.iter().any(|path| {
            let variable = format!("{PREFIX}{}", path.join("__"));
            let set = self.environment.keys().any(|key| key.eq_ignore_ascii_case(&variable));
            set || tables.iter().any(|table| find_key(table.get_ref(), path).is_some())
        })
    }

    /// Says with its place that the value at `path` is wrong.
    pub fn finding(&self, path: &[&str], message: Text) -> Finding {
        let place = self.place(path);
        let value = match &place {
            Place::Variable(name) => self.environment.get(name).cloned(),
            Place::File(at) => at.source.text.get(at.span.end..).and_then(|rest| Some(rest.lines().next()?.trim().to_owned())),
            _ => None,
        };
        let value = value.unwrap_or_default();
        let value = value.trim_start_matches('=').trim().trim_matches(['"', '\'']);
        Finding::of_value(place, value, message)
    }

    fn place_in_files(&self, path: &[&str]) -> Option<Place> {
        self.files.iter().rev().find_map(|source| {
            let table = DeTable::parse(&source.text).ok()?;
            let span = find_key(table.get_ref(), path)?;
            Some(Place::File(At { source: source.clone(), span }))
        })
    }

    /// A variable is tried alone on top of the defaults, so that a mistake can be laid at its door.
    fn check_variable(&self, key: &str, value: &str) -> Option<Finding> {
        let place = Place::Variable(key.to_string());
        let alone = BTreeMap::from([(key.to_string(), value.to_string())]);
        let Err(error) = layered([DEFAULTS].into_iter(), &alone) else {
            return self.other_case(key).map(|message| Finding { place, message });
        };
        let near = meant(key).map(|fix| both!("; write {fix}", "；请写作 {fix}")).unwrap_or_default();
        Some(Finding::of_value(place, value, wording::told(&error.to_string(), value).then(&near)))
    }

    /// A variable's name has no small letters, and means one with none but these: `Console` in a file would be another.
    fn other_case(&self, key: &str) -> Option<Text> {
        let path: Vec<String> = key.strip_prefix(PREFIX)?.split("__").map(str::to_lowercase).collect();
        let tables = self.files.iter().skip(1).filter_map(|source| DeTable::parse(&source.text).ok());
        let written = tables.filter_map(|table| in_other_case(table.get_ref(), &path)).next()?;
        let read = written.to_lowercase();
        Some(both!(
            "means `{read}`, but the file writes `{written}`: write `{read}` there",
            "指的是 `{read}`，而文件中写作 `{written}`：请在文件中写作 `{read}`"
        ))
    }
}

fn read_file(path: &Path) -> Result<Arc<Source>, Finding> {
    let name = path.display().to_string();
    let bytes = files::read(path, MAX_FILE).map_err(|why| Finding::whole(&name, why))?;
    Ok(Source::read(&name, &bytes))
}

fn layered<'a>(
    texts: impl Iterator<Item = &'a str>,
    environment: &BTreeMap<String, String>,
) -> Result<Config, config::ConfigError> {
    let files = texts.fold(config::Config::builder(), |all, text| all.add_source(File::from_str(text, FileFormat::Toml)));
    let variables = environment.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let variables = Environment::with_prefix("HOTLINE").separator("__").source(Some(variables));
    files.add_source(variables).build()?.try_deserialize()
}

/// Every mistake in one file: each one found is removed, and the rest tried again. `reader` gives the first.
pub fn check_file(source: &Arc<Source>, reader: fn(DeTable<'_>) -> Option<toml::de::Error>) -> Vec<Finding> {
    let (mut table, mistakes) = syntax::parse(source);
    let fatal = mistakes.iter().any(|mistake| mistake.fatal);
    let mut findings: Vec<Finding> = mistakes.into_iter().map(|mistake| Finding::of_problem(mistake.problem)).collect();
    // Keys that were removed, or meant by those: that they are missing follows from it.
    let mut gone: Vec<String> = Vec::new();
    // Nobody knows what a broken file says.
    while !fatal && findings.len() < MAX_FINDINGS {
        let Some(error) = reader(table.get_ref().clone()) else { break };
        let quoted: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
        if error.message().contains("missing field") && quoted.first().is_some_and(|key| gone.iter().any(|one| one == key)) {
            break;
        }
        let span = error.span().unwrap_or(0..0);
        let at = At { source: source.clone(), span: span.clone() };
        if !source.is_mended(at.line()) {
            let value = source.text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
            findings.push(Finding::of_value(Place::File(at), value, wording::told(error.message(), value)));
        }
        let near = quoted.first().and_then(|word| nearest(word, quoted.iter().skip(1).copied()));
        gone.extend(near.filter(|_| error.message().contains("unknown field")).map(str::to_owned));
        let Some(removed) = remove_at(table.get_mut(), span.start) else { break };
        gone.push(removed);
    }
    findings
}

fn reader(table: DeTable<'_>) -> Option<toml::de::Error> {
    Config::deserialize(Deserializer::from(Spanned::new(0..0, table))).err()
}

/// Removes the innermost entry whose key or value covers this byte, and gives its key.
fn remove_at(table: &mut DeTable<'_>, at: usize) -> Option<String> {
    let deeper = table.iter_mut().find_map(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => remove_at(inner, at),
        _ => None,
    });
    if deeper.is_some() {
        return deeper;
    }
    let covers = |key: &Spanned<_>, value: &Spanned<DeValue<'_>>| key.span().contains(&at) || value.span().contains(&at);
    let key = table.iter().find(|(key, value)| covers(key, value)).map(|(key, _)| key.clone())?;
    table.remove(&key).map(|_| key.get_ref().to_string())
}

/// A word of the path that stands in the table with other letters only.
fn in_other_case(table: &DeTable<'_>, path: &[String]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let found = table.iter().find(|(key, _)| key.get_ref().as_ref() == first.as_str());
    match found.map(|(_, value)| value.get_ref()) {
        Some(DeValue::Table(inner)) => in_other_case(inner, rest),
        Some(_) => None,
        None => table.keys().map(|key| key.get_ref().to_string()).find(|key| key.to_lowercase() == *first),
    }
}

/// Where the value at `path` stands, or that of the nearest table above it.
pub fn find_value(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let (mut inner, mut found) = (table.get_ref(), None);
    for part in path {
        let Some((_, value)) = inner.iter().find(|(key, _)| key.get_ref() == part) else { break };
        found = Some(value.span());
        let DeValue::Table(table) = value.get_ref() else { break };
        inner = table;
    }
    found
}

fn find_key(table: &DeTable<'_>, path: &[&str]) -> Option<std::ops::Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (value.get_ref(), rest) {
        (_, []) => Some(key.span()),
        (DeValue::Table(inner), rest) => find_key(inner, rest),
        (DeValue::Array(list), [place, rest @ ..]) => {
            let item = list.get(place.parse::<usize>().ok()?)?;
            match item.get_ref() {
                DeValue::Table(inner) if !rest.is_empty() => find_key(inner, rest),
                _ => rest.is_empty().then(|| item.span()),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Role;

    fn merge(site: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let layers = Layers::new(Some(Source::new("site.toml", site)), environment);
        layers.merge().map_err(|findings| findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn defaults_name_every_key_and_no_other() {
        let config = merge("", &[]).unwrap();
        let written = toml::Value::try_from(&config).unwrap();
        let read: toml::Value = toml::from_str(DEFAULTS).unwrap();
        // Equal up to spelling of durations: compare the keys.
        fn keys(value: &toml::Value, path: &str, all: &mut Vec<String>) {
            match value {
                toml::Value::Table(table) => table.iter().for_each(|(k, v)| keys(v, &format!("{path}.{k}"), all)),
                _ => all.push(path.to_string()),
            }
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        keys(&written, "", &mut a);
        keys(&read, "", &mut b);
        a.sort();
        b.sort();
        assert_eq!(a, b);
    }

    #[test]
    fn later_layers_win_and_tables_merge() {
        let site =
            "[trunks.loopback]\nport = 6000\n[trunks.mobile]\naddresses = ['192.0.2.1']\n[sip]\nlisten = ['192.0.2.9:5060']";
        let environment = [
            ("HOTLINE__RECORDS__WEBHOOK__URL", "http://127.0.0.1:9/x"),
            ("HOTLINE__TRUNKS__MOBILE__PORT", "5090"),
            ("HOTLINE__SIP__LISTEN", "127.0.0.1:1, 127.0.0.1:2"),
            ("HOTLINE__CALLS__MAX_DURATION", "7s"),
            ("HOTLINE__QUEUES__12345__MAX_LENGTH", "3"),
            ("HOTLINE__HTTP__TOKENS__CONSOLE__ROLES", "viewer, unmasked"),
            ("HOTLINE__TRUNKS__LOOPBACK__ENABLED", "false"),
            ("OTHER", "x"),
        ];
        let config = merge(site, &environment).unwrap();
        assert_eq!(config.trunks["loopback"].port, 6000);
        assert_eq!(config.trunks["loopback"].channels, 4000);
        assert!(!config.trunks["loopback"].enabled);
        assert_eq!((config.trunks["mobile"].port, config.trunks["mobile"].channels), (5090, 100));
        assert_eq!(config.records.webhook.url, "http://127.0.0.1:9/x");
        assert_eq!(config.sip.listen, ["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()]);
        assert_eq!(config.calls.max_duration.as_secs(), 7);
        assert_eq!(config.queues["12345"].max_length, 3);
        assert_eq!(config.http.tokens["console"].roles, [Role::Viewer, Role::Unmasked]);
    }

    #[test]
    fn every_mistake_is_shown_with_its_line() {
        let site = "[sip]\nlisten = ['127.0.0.1']\nunknwon_source = 'drop'\n\n[trunks.x]\nport = 'many'\ncodecs = ['PCMA', 'G729']\n[calls]\nmax_duration = '30 parsecs'\n";
        let findings = merge(site, &[]).unwrap_err();
        assert_eq!(findings.len(), 5, "{findings:#?}");
        let mut sorted = findings.clone();
        sorted.sort();
        let findings = sorted;
        let starts = |n: usize, start: &str, end: &str| {
            assert!(findings[n].starts_with(start) && findings[n].contains(end), "{n}: {}", findings[n]);
        };
        starts(0, "site.toml:2:11: ", "\n  2 | listen = ['127.0.0.1']");
        starts(
            1,
            "site.toml:3:1: unknown field `unknwon_source`",
            "did you mean `unknown_source`?\n  3 | unknwon_source = 'drop'",
        );
        starts(2, "site.toml:6:8: ", "\n  6 | port = 'many'");
        starts(3, "site.toml:7:", "\n  7 | codecs = ['PCMA', 'G729']");
        starts(4, "site.toml:9:16: ", "\n  9 | max_duration = '30 parsecs'");
    }

    #[test]
    fn broken_syntax_has_a_line_and_column() {
        let findings = merge("[sip]\nlisten = [\n", &[]).unwrap_err();
        assert!(findings[0].starts_with("site.toml:"), "{findings:?}");
        let findings = merge("[sip\n", &[]).unwrap_err();
        assert!(findings[0].starts_with("site.toml:1:"), "{findings:?}");
    }

    #[test]
    fn a_variable_is_named() {
        let findings = merge("", &[("HOTLINE__SIP__LISTNE", "x"), ("HOTLINE__HTTP__LISTEN", "here")]).unwrap_err();
        assert_eq!(findings.len(), 2);
        assert!(findings[0].starts_with("environment: HOTLINE__HTTP__LISTEN: "), "{findings:?}");
        assert!(findings[1].contains("did you mean `listen`?"), "{findings:?}");
        let findings = merge("", &[("HOTLINE__HTTP_LISTEN", "here"), ("HOTLINE_NODE_NAME", "x")]).unwrap_err();
        assert!(
            findings[0].ends_with("HOTLINE_NODE_NAME: is not read under this name: write HOTLINE__NODE__NAME"),
            "{findings:?}"
        );
        assert!(findings[1].ends_with("write HOTLINE__HTTP__LISTEN"), "{findings:?}");
        let site = "[http.tokens.Console]\nroles = ['viewer']\nsecret = '0123456789abcdef'";
        let findings = merge(site, &[("HOTLINE__HTTP__TOKENS__CONSOLE__ENABLED", "false")]).unwrap_err();
        assert!(findings[0].contains("means `console`, but the file writes `Console`"), "{findings:?}");
        assert!(merge(&site.replace("Console", "console"), &[("HOTLINE__HTTP__TOKENS__CONSOLE__ENABLED", "false")]).is_ok());
    }

    #[test]
    fn a_value_is_found_where_it_was_last_set() {
        let site = Source::new("site.toml", "[trunks.x]\nport = 1\n");
        let layers = Layers::new(Some(site), BTreeMap::from([("HOTLINE__HTTP__LISTEN".to_string(), "t".to_string())]));
        let at = |path: &[&str]| Finding { place: layers.place(path), message: Text::foreign("x") }.to_string();
        assert!(at(&["trunks", "x", "port"]).starts_with("site.toml:2:1: x"));
        assert!(at(&["trunks", "x", "area"]).starts_with("site.toml:1:9: x"));
        assert!(at(&["sip", "listen"]).starts_with("config/default.toml:"));
        assert_eq!(at(&["http", "listen"]), "environment: HOTLINE__HTTP__LISTEN: x");
    }
}
