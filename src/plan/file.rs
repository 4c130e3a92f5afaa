//! A plan's files as they are written: words and places, nothing decided yet.

use super::expect::{self, Expect};
use super::fields::{Mixed, Moment, Table};
use super::problem::{At, Log, Said, Source, suggestion};
use super::{Loader, Matched, Mode};
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeTable;

/// What one plan's files say together.
#[derive(Debug, Default)]
pub struct Written {
    pub head: Head,
    /// `[modes.NAME]`: what all lines of a mode share.
    pub modes: Vec<(Mode, Rules)>,
    pub lines: Vec<Line>,
    pub prompts: Vec<PromptText>,
    pub tickets: Vec<Tickets>,
    pub expects: Vec<Expect>,
    /// All files read, the plan's own first.
    pub sources: Vec<Arc<Source>>,
}

impl Written {
    /// Where a rule stands that took part in a decision.
    pub fn place(&self, rule: &Matched) -> Option<At> {
        self.sources.iter().find(|s| s.name == rule.file).map(|s| s.whole_line(rule.line))
    }
}

/// `[plan]`
#[derive(Debug, Default)]
pub struct Head {
    pub name: Option<Said<String>>,
    pub notice: Option<Said<String>>,
    pub area: Option<Said<String>>,
    pub zone: Option<Said<String>>,
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
    pub rules: Rules,
}

/// The words that a line may say, or its mode's section, or the plan's head, in this order.
#[derive(Debug, Default)]
pub struct Rules {
    pub at: Option<At>,
    pub from: Option<Said<Moment>>,
    pub connect_from: Option<Said<Moment>>,
    pub announce_only_from: Option<Said<Moment>>,
    pub released_from: Option<Said<Moment>>,
    pub opened: Option<Said<bool>>,
    pub seats: Option<Said<String>>,
    pub queue: Option<Said<String>>,
    pub priority: Option<Said<String>>,
    pub targets: Option<Vec<Target>>,
    pub ring: Option<Said<Duration>>,
    pub connect_prompt: Option<Said<String>>,
    pub announce_only_prompt: Option<Said<String>>,
    pub guide_prompt: Option<Said<String>>,
    pub early_max: Option<Said<Duration>>,
    pub tickets: Option<Vec<Said<String>>>,
}

/// Whom to call, in `targets`.
#[derive(Clone, Debug)]
pub struct Target {
    pub number: Said<String>,
    pub trunk: Option<Said<String>>,
    pub ring: Option<Said<Duration>>,
}

/// `[prompts.NAME]`
#[derive(Debug)]
pub struct PromptText {
    pub name: Said<String>,
    pub text: Said<String>,
}

/// `[tickets.NAME]`: a ticket backend that lines may name.
#[derive(Debug)]
pub struct Tickets {
    pub name: Said<String>,
}

const TOP: &[&str] = &["include", "plan", "modes", "line", "prompts", "tickets", "expect"];
const HEAD: &[&str] = &["name", "notice", "title", "area", "zone"];
const LINE: &[&str] = &["number", "name", "unit", "mode"];
const RULES: &[&str] = &[
    "from",
    "connect-from",
    "announce-only-from",
    "released-from",
    "opened",
    "seats",
    "expert-seats",
    "queue",
    "priority",
    "targets",
    "ring",
    "connect-prompt",
    "announce-only-prompt",
    "guide-prompt",
    "early-max",
    "tickets",
    "source",
    "note",
];
const TARGET: &[&str] = &["number", "trunk", "ring"];
const PROMPT: &[&str] = &["text", "pinyin", "numbers"];
const TICKETS: &[&str] = &["name", "subjects", "note"];

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

/// A plan includes a few files, and these none: more is a mistake.
const MOST_INCLUDES: usize = 16;

/// Reads the plan's file and those that it includes.
pub fn read(name: &str, text: &str, load: &Loader<'_>, log: &Log) -> Written {
    let mut written = Written::default();
    let includes = read_one(&Source::new(name, text), &mut written, log);
    for include in includes.iter().take(MOST_INCLUDES) {
        match load(&include.value) {
            Ok(text) => {
                let nested = read_one(&Source::new(&beside(name, &include.value), &text), &mut written, log);
                nested.iter().for_each(|n| log.error(&n.at, "an included file cannot include another"));
            }
            Err(why) => log.error(&include.at, format!("cannot read `{}`: {why}", include.value)),
        }
    }
    includes.iter().skip(MOST_INCLUDES).for_each(|i| log.error(&i.at, format!("more than {MOST_INCLUDES} included files")));
    written
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
    let top = Table::open(source, 0..0, table.get_ref(), TOP, log);
    read_head(&top, written, log);
    read_modes(&top, written, log);
    let words = [LINE, RULES].concat();
    written.lines.extend(top.tables("line", &words).iter().filter_map(|t| read_line(t, log)));
    read_names(&top, written);
    written.expects.extend(expect::read(&top));
    top.texts("include").unwrap_or_default()
}

fn read_head(top: &Table<'_>, written: &mut Written, log: &Log) {
    let words = [HEAD, RULES].concat();
    let Some(table) = top.table("plan", &words) else { return };
    if let Some(first) = &written.head.rules.at {
        log.error(&table.at, format!("`[plan]` is already in {}:{}", first.source.name, first.line()));
        return;
    }
    written.head = Head {
        name: table.need("name", table.text("name")),
        notice: table.text("notice"),
        area: table.text("area"),
        zone: table.text("zone"),
        rules: read_rules(&table, log),
    };
}

fn read_modes(top: &Table<'_>, written: &mut Written, log: &Log) {
    let names: Vec<&str> = MODES.iter().map(|(name, _)| *name).collect();
    let Some(table) = top.table("modes", &names) else { return };
    for (name, mode) in MODES {
        let Some(section) = table.table(name, RULES) else { continue };
        if written.modes.iter().any(|(m, _)| m == mode) {
            log.error(&section.at, format!("`[modes.{name}]` is already in another file"));
        }
        written.modes.push((*mode, read_rules(&section, log)));
    }
}

fn read_line(table: &Table<'_>, log: &Log) -> Option<Line> {
    let numbers = table.need("number", table.texts("number"));
    let mode = table.need("mode", table.text("mode")).and_then(|said| read_mode(said, log));
    let rules = read_rules(table, log);
    Some(Line {
        at: table.at.clone(),
        numbers: numbers?,
        name: table.text("name"),
        unit: read_unit(table, log),
        mode: mode?,
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
        let near = suggestion(&said.value, MODES.iter().map(|(name, _)| *name));
        log.error(&said.at, format!("no mode `{}`{near}", said.value));
    }
    found.map(|(_, mode)| Said { value: *mode, at: said.at })
}

fn read_rules(table: &Table<'_>, log: &Log) -> Rules {
    read_source(table, log);
    Rules {
        at: Some(table.at.clone()),
        from: table.moment("from"),
        connect_from: table.moment("connect-from"),
        announce_only_from: table.moment("announce-only-from"),
        released_from: table.moment("released-from"),
        opened: table.flag("opened"),
        seats: one_of(table, "seats", &["merged", "kept"], log),
        queue: table.text("queue"),
        priority: one_of(table, "priority", &["normal", "high"], log),
        targets: read_targets(table),
        ring: table.duration("ring"),
        connect_prompt: table.text("connect-prompt"),
        announce_only_prompt: table.text("announce-only-prompt"),
        guide_prompt: table.text("guide-prompt"),
        early_max: table.duration("early-max"),
        tickets: table.texts("tickets"),
    }
}

/// `source = { connect-from = "inferred" }` marks what the notice does not say; nobody but people reads it.
fn read_source(table: &Table<'_>, log: &Log) {
    let words = [LINE, HEAD, RULES].concat();
    let Some(source) = table.table("source", &words) else { return };
    for word in source.names() {
        one_of(&source, word.value, &["notice", "inferred", "operator"], log);
        if !table.says(word.value) {
            log.error(&word.at, format!("`source` speaks of `{}`, which is not said here", word.value));
        }
    }
}

fn read_targets(table: &Table<'_>) -> Option<Vec<Target>> {
    let list = table.mixed("targets", TARGET)?;
    Some(list.into_iter().filter_map(read_target).collect())
}

fn read_target(entry: Mixed<'_>) -> Option<Target> {
    match entry {
        Mixed::Text(number) => Some(Target { number, trunk: None, ring: None }),
        Mixed::Table(t) => {
            let number = t.need("number", t.text("number"))?;
            Some(Target { number, trunk: t.text("trunk"), ring: t.duration("ring") })
        }
    }
}

fn read_names(top: &Table<'_>, written: &mut Written) {
    if let Some(prompts) = top.open_table("prompts") {
        for name in prompts.names() {
            let text = prompts.table(name.value, PROMPT).and_then(|t| t.need("text", t.text("text")));
            let name = Said { value: name.value.to_string(), at: name.at };
            written.prompts.extend(text.map(|text| PromptText { name, text }));
        }
    }
    if let Some(tickets) = top.open_table("tickets") {
        for name in tickets.names() {
            tickets.table(name.value, TICKETS);
            written.tickets.push(Tickets { name: Said { value: name.value.to_string(), at: name.at } });
        }
    }
}

fn one_of(table: &Table<'_>, word: &str, choices: &[&str], log: &Log) -> Option<Said<String>> {
    let said = table.text(word)?;
    if choices.contains(&said.value.as_str()) {
        return Some(said);
    }
    let list: Vec<String> = choices.iter().map(|c| format!("`{c}`")).collect();
    log.error(&said.at, format!("`{word}` is one of {}{}", list.join(", "), suggestion(&said.value, choices.iter().copied())));
    None
}

/// The name of a file that `plan` includes, as problems show it.
fn beside(plan: &str, include: &str) -> String {
    plan.rsplit_once('/').map_or(include.to_string(), |(folder, _)| format!("{folder}/{include}"))
}
