//! The words that a line may say, or its mode's section, or the plan's head; and the conditions on lines and targets.

use super::advance::{Advance, CAUSES};
use super::fields::{Mixed, Moment, Table};
use super::problem::{At, Located, Log, suggestion};
use super::words;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Rules {
    pub at: Option<At>,
    pub from: Option<Located<Moment>>,
    pub connect_from: Option<Located<Moment>>,
    pub announce_only_from: Option<Located<Moment>>,
    pub released_from: Option<Located<Moment>>,
    pub opened: Option<Located<bool>>,
    pub seats: Option<Located<String>>,
    pub queue: Option<Located<String>>,
    pub priority: Option<Located<String>>,
    pub targets: Option<Vec<Target>>,
    pub ring: Option<Located<Duration>>,
    pub advance_on: Option<Advance>,
    pub prompt: Option<Located<String>>,
    pub connect_prompt: Option<Located<String>>,
    pub announce_only_prompt: Option<Located<String>>,
    pub guide_prompt: Option<Located<String>>,
    pub offer: Option<Located<String>>,
    pub offer_for: Option<Located<Duration>>,
    pub menu: Option<Menu>,
    pub survey: Option<Located<bool>>,
    pub survey_prompt: Option<Located<String>>,
    pub early_max: Option<Located<Duration>>,
    pub tickets: Option<Vec<Located<String>>>,
    pub record: Option<Located<bool>>,
}

/// A target to call, in `targets`.
#[derive(Clone, Debug)]
pub struct Target {
    pub number: Located<String>,
    pub trunk: Option<Located<String>>,
    pub ring: Option<Located<Duration>>,
    pub area: Vec<Located<String>>,
    pub open: Option<Located<String>>,
}

/// Keys that a caller is offered before the line's queue.
#[derive(Clone, Debug)]
pub struct Menu {
    pub at: At,
    pub prompt: Option<Located<String>>,
    pub wrong: Option<Located<String>>,
    pub wait: Option<Located<Duration>>,
    pub tries: Option<Located<String>>,
    pub keys: Vec<MenuKey>,
}

/// A key of a menu, and where it leads.
#[derive(Clone, Debug)]
pub struct MenuKey {
    pub at: At,
    pub key: Option<Located<String>>,
    pub queue: Option<Located<String>>,
    pub line: Option<Located<String>>,
}

/// For which calls a line is.
#[derive(Debug)]
pub struct When {
    pub at: At,
    pub trunk: Vec<Located<String>>,
    pub caller: Vec<Located<String>>,
    pub area: Vec<Located<String>>,
    pub open: Option<Located<String>>,
    pub closed: Option<Located<String>>,
    pub holiday: Vec<Located<String>>,
}

pub fn read(table: &Table<'_>, log: &Log) -> Rules {
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
        targets: table.mixed("targets", words::TARGET).map(|list| list.into_iter().filter_map(Target::read).collect()),
        ring: table.duration("ring"),
        advance_on: read_advance(table, log),
        prompt: table.text("prompt"),
        connect_prompt: table.text("connect-prompt"),
        announce_only_prompt: table.text("announce-only-prompt"),
        guide_prompt: table.text("guide-prompt"),
        offer: one_of(table, "offer", words::KEYS, log),
        offer_for: table.duration("offer-for"),
        menu: table.table("menu", words::MENU).map(|menu| Menu::read(&menu, log)),
        survey: table.flag("survey"),
        survey_prompt: table.text("survey-prompt"),
        early_max: table.duration("early-max"),
        tickets: table.texts("tickets"),
        record: table.flag("record"),
    }
}

impl Target {
    fn read(entry: Mixed<'_>) -> Option<Target> {
        match entry {
            Mixed::Text(number) => Some(Target { number, trunk: None, ring: None, area: Vec::new(), open: None }),
            Mixed::Table(t) => Some(Target {
                number: t.need("number", t.text("number"))?,
                trunk: t.text("trunk"),
                ring: t.duration("ring"),
                area: t.texts("area").unwrap_or_default(),
                open: t.text("open"),
            }),
        }
    }
}

impl Menu {
    fn read(table: &Table<'_>, log: &Log) -> Menu {
        let key = |key: &Table<'_>| MenuKey {
            at: key.at.clone(),
            key: key.need("key", one_of(key, "key", words::KEYS, log)),
            queue: key.text("queue"),
            line: key.text("line"),
        };
        Menu {
            at: table.at.clone(),
            prompt: table.need("prompt", table.text("prompt")),
            wrong: table.text("wrong"),
            wait: table.duration("wait"),
            tries: one_of(table, "tries", words::TRIES, log),
            keys: table.tables("keys", words::MENU_KEY).iter().map(key).collect(),
        }
    }
}

impl When {
    pub fn read(table: &Table<'_>) -> When {
        let texts = |word| table.texts(word).unwrap_or_default();
        When {
            at: table.at.clone(),
            trunk: texts("trunk"),
            caller: texts("caller"),
            area: texts("area"),
            open: table.text("open"),
            closed: table.text("closed"),
            holiday: texts("holiday"),
        }
    }
}

/// `source = { connect-from = "inferred" }` marks what the notice does not say; only people read it.
fn read_source(table: &Table<'_>, log: &Log) {
    let Some(source) = table.open_table("source") else { return };
    for word in source.names() {
        one_of(&source, word.value, &["notice", "inferred", "operator"], log);
        if !table.says(word.value) {
            let word_ = word.value;
            log.error(
                &word.at,
                both!("`source` speaks of `{word_}`, which is not said here", "`source` 提到的 `{word_}` 在此处没有出现"),
            );
        }
    }
}

fn read_advance(table: &Table<'_>, log: &Log) -> Option<Advance> {
    let words = table.texts("advance-on")?;
    let known: Vec<Located<String>> = words.into_iter().filter_map(|said| chosen(said, "advance-on", CAUSES, log)).collect();
    Some(Advance::of(known.iter().map(|said| said.value.as_str())))
}

fn one_of(table: &Table<'_>, word: &str, choices: &[&str], log: &Log) -> Option<Located<String>> {
    chosen(table.text(word)?, word, choices, log)
}

fn chosen(said: Located<String>, word: &str, choices: &[&str], log: &Log) -> Option<Located<String>> {
    if choices.contains(&said.value.as_str()) {
        return Some(said);
    }
    let list: Vec<String> = choices.iter().map(|c| format!("`{c}`")).collect();
    let list = list.join(", ");
    let text = both!("`{word}` is one of {list}", "`{word}` 只能是 {list} 之一");
    log.error(&said.at, text.then(&suggestion(&said.value, choices.iter().copied())));
    None
}
