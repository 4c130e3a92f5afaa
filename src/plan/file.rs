//! A plan's files as they are written: words and places, nothing decided yet.

use super::calendar::Calendar;
use super::expect::{self, Expect};
use super::fields::Table;
use super::prefix::Prefixes;
use super::problem::{At, Log, Said, Source, suggestion};
use super::rules::{self, Rules, When};
use super::words::{self, names};
use super::{Loader, Matched, Mode};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::DeTable;

/// What one plan's files say together.
#[derive(Debug, Default)]
pub struct Written {
    pub head: Head,
    /// `[modes.NAME]`: what all lines of a mode share.
    pub modes: Vec<(Mode, Rules)>,
    pub lines: Vec<Line>,
    pub prompts: BTreeMap<String, Said<String>>,
    pub tickets: BTreeMap<String, Tickets>,
    pub calendars: BTreeMap<String, Said<Calendar>>,
    pub tenants: Vec<Tenant>,
    pub variables: BTreeMap<String, String>,
    pub expects: Vec<Expect>,
    pub prefixes: Prefixes,
    /// All files read, the plan's own first.
    pub sources: Vec<Arc<Source>>,
}

/// `[plan]`
#[derive(Debug, Default)]
pub struct Head {
    pub name: Option<Said<String>>,
    pub notice: Option<Said<String>>,
    pub area: Option<Said<String>>,
    pub zone: Option<Said<String>>,
    pub prefixes: Option<Said<String>>,
    pub languages: Vec<Said<String>>,
    /// What all lines share.
    pub rules: Rules,
}

/// `[[line]]`
#[derive(Debug)]
pub struct Line {
    pub at: At,
    pub numbers: Vec<Said<String>>,
    pub name: Option<Said<String>>,
    pub unit: Option<Said<String>>,
    pub mode: Said<Mode>,
    pub when: Option<When>,
    pub rules: Rules,
}

/// `[[tenant]]`
#[derive(Debug)]
pub struct Tenant {
    pub area: Said<String>,
    pub name: Said<String>,
    pub queue: Option<Said<String>>,
}

/// `[tickets.NAME]`
#[derive(Debug)]
pub struct Tickets {
    pub at: At,
    pub subjects: Vec<Said<String>>,
}

impl Written {
    /// Where a rule stands that took part in a decision.
    pub fn place(&self, rule: &Matched) -> Option<At> {
        self.sources.iter().find(|s| s.name == rule.file).map(|s| s.whole_line(rule.line))
    }

    /// All sections that may say a rule.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rules> {
        let sections = self.modes.iter().map(|(_, rules)| rules);
        std::iter::once(&self.head.rules).chain(sections).chain(self.lines.iter().map(|line| &line.rules))
    }
}

/// How a plan spells the modes.
pub const MODES: &[(&str, Mode)] = &[
    ("front", Mode::Front),
    ("merged", Mode::Merged),
    ("parallel", Mode::Parallel),
    ("sub-center", Mode::SubCenter),
    ("remote-seats", Mode::RemoteSeats),
    ("linked", Mode::Linked),
    ("emergency", Mode::Emergency),
    ("guided", Mode::Guided),
    ("platform", Mode::Platform),
];

/// A plan has a few files: more is a mistake.
const MOST_FILES: usize = 16;

/// Reads the plan's file and those that it includes, each once.
pub fn read(name: &str, text: &str, load: &Loader<'_>, log: &Log) -> Written {
    let mut written = Written::default();
    let mut wanted = read_one(&Source::new(name, text), &mut written, log);
    let mut seen = vec![name.to_string()];
    while let Some(include) = wanted.pop() {
        let shown = beside(name, &include.value);
        if seen.contains(&shown) {
            continue;
        }
        if seen.len() == MOST_FILES {
            log.error(&include.at, format!("a plan has at most {MOST_FILES} files"));
            break;
        }
        if let Some(text) = load_said(&include, load, log) {
            wanted.extend(read_one(&Source::new(&shown, &text), &mut written, log));
        }
        seen.push(shown);
    }
    if let Some(said) = &written.head.prefixes
        && let Some(text) = load_said(said, load, log)
    {
        let source = Source::new(&beside(name, &said.value), &text);
        written.prefixes = Prefixes::read(&source, log);
        written.sources.push(source);
    }
    written
}

fn load_said(said: &Said<String>, load: &Loader<'_>, log: &Log) -> Option<String> {
    load(&said.value).map_err(|why| log.error(&said.at, format!("cannot read `{}`: {why}", said.value))).ok()
}

/// Reads one file into `written`; gives the names of the files that it includes.
fn read_one(source: &Arc<Source>, written: &mut Written, log: &Log) -> Vec<Said<String>> {
    written.sources.push(source.clone());
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let end = source.text.len();
        let at = At { source: source.clone(), span: error.span().unwrap_or(end..end) };
        log.error(&at, error.message().replace('\n', ", "));
    }
    if !errors.is_empty() {
        return Vec::new();
    }
    let top = Table::open(source, 0..0, table.get_ref(), words::TOP, log);
    read_head(&top, written, log);
    read_modes(&top, written, log);
    written.lines.extend(top.tables("line", words::LINE).iter().filter_map(|t| read_line(t, log)));
    read_named(&top, written, log);
    written.tenants.extend(top.tables("tenant", words::TENANT).iter().filter_map(read_tenant));
    written.expects.extend(expect::read(&top));
    top.texts("include").unwrap_or_default()
}

fn read_head(top: &Table<'_>, written: &mut Written, log: &Log) {
    let Some(table) = top.table("plan", words::HEAD) else { return };
    if let Some(first) = &written.head.rules.at {
        log.error(&table.at, format!("`[plan]` is already in {}:{}", first.source.name, first.line()));
        return;
    }
    written.head = Head {
        name: table.need("name", table.text("name")),
        notice: table.text("notice"),
        area: table.text("area"),
        zone: table.text("zone"),
        prefixes: table.text("prefixes"),
        languages: table.texts("languages").unwrap_or_default(),
        rules: rules::read(&table, log),
    };
}

fn read_modes(top: &Table<'_>, written: &mut Written, log: &Log) {
    let Some(table) = top.table("modes", words::MODES) else { return };
    for (name, mode) in MODES {
        let Some(section) = table.table(name, &[words::RULES]) else { continue };
        if written.modes.iter().any(|(m, _)| m == mode) {
            log.error(&section.at, format!("`[modes.{name}]` is already in another file"));
        }
        written.modes.push((*mode, rules::read(&section, log)));
    }
}

fn read_line(table: &Table<'_>, log: &Log) -> Option<Line> {
    let numbers = table.need("number", table.texts("number"));
    let mode = table.need("mode", table.text("mode")).and_then(|said| read_mode(said, log));
    let rules = rules::read(table, log);
    let when = table.table("when", words::WHEN).map(|t| When::read(&t));
    Some(Line {
        at: table.at.clone(),
        numbers: numbers?,
        name: table.text("name"),
        unit: read_unit(table, log),
        mode: mode?,
        when,
        rules,
    })
}

/// Units are spelt as the notice spells them, without spaces.
fn read_unit(table: &Table<'_>, log: &Log) -> Option<Said<String>> {
    let unit = table.text("unit")?;
    if unit.value.chars().any(char::is_whitespace) {
        log.error(&unit.at, "a unit is spelt without spaces");
    }
    Some(unit)
}

fn read_mode(said: Said<String>, log: &Log) -> Option<Said<Mode>> {
    let found = MODES.iter().find(|(name, _)| *name == said.value);
    if found.is_none() {
        let near = suggestion(&said.value, names(words::MODES));
        log.error(&said.at, format!("no mode `{}`{near}", said.value));
    }
    found.map(|(_, mode)| Said { value: *mode, at: said.at })
}

/// The tables whose names are the author's. The including file's come first and win.
fn read_named(top: &Table<'_>, written: &mut Written, log: &Log) {
    for (name, table) in top.named("prompts", words::PROMPT) {
        if let Some(text) = table.need("text", table.text("text")) {
            written.prompts.entry(name.value).or_insert(text);
        }
    }
    for (name, table) in top.named("tickets", words::TICKETS) {
        let tickets = Tickets { at: name.at, subjects: table.texts("subjects").unwrap_or_default() };
        written.tickets.entry(name.value).or_insert(tickets);
    }
    for (name, table) in top.named("calendars", words::CALENDAR) {
        let calendar = Said { value: Calendar::read(&table, log), at: name.at };
        written.calendars.entry(name.value).or_insert(calendar);
    }
    if let Some(variables) = top.open_table("variables") {
        for name in variables.names() {
            if let Some(text) = variables.text(name.value) {
                written.variables.entry(name.value.to_string()).or_insert(text.value);
            }
        }
    }
}

fn read_tenant(table: &Table<'_>) -> Option<Tenant> {
    let area = table.need("area", table.text("area"));
    Some(Tenant { area: area?, name: table.need("name", table.text("name"))?, queue: table.text("queue") })
}

/// The name of a file that `plan` names, as problems show it.
fn beside(plan: &str, file: &str) -> String {
    plan.rsplit_once('/').map_or(file.to_string(), |(folder, _)| format!("{folder}/{file}"))
}
