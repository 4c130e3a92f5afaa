//! A plan's files as they are written: words and places, nothing decided yet.

use super::calendar::{Calendar, Holiday};
use super::expect::{self, Expect};
use super::fields::Table;
use super::prefix::Prefixes;
use super::problem::{At, Located, Log, Source};
use super::rules::{self, Rules, When};
use super::{Loader, Matched, Mode, modes, syntax, words};
use crate::base::Text;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// One plan's files say this together.
#[derive(Debug, Default)]
pub struct Written {
    pub head: Head,
    /// `[modes.NAME]`: what all lines of a mode share.
    pub modes: Vec<(Mode, Rules)>,
    pub lines: Vec<Line>,
    pub prompts: BTreeMap<String, Located<String>>,
    pub tickets: BTreeMap<String, Tickets>,
    pub calendars: BTreeMap<String, Located<Arc<Calendar>>>,
    pub holidays: BTreeMap<String, Arc<Holiday>>,
    /// The holidays that calendars keep, which may stand in files that are read later.
    kept: Vec<(String, Vec<Located<String>>)>,
    pub tenants: Vec<Tenant>,
    pub variables: BTreeMap<String, String>,
    pub expects: Vec<Expect>,
    pub prefixes: Prefixes,
    /// All files read, the plan's own first.
    pub sources: Vec<Arc<Source>>,
    /// Some file could not be read or understood: what it says is missing here.
    pub partial: bool,
}

/// `[plan]`
#[derive(Debug, Default)]
pub struct Head {
    pub name: Option<Located<String>>,
    pub notice: Option<Located<String>>,
    pub area: Option<Located<String>>,
    pub zone: Option<Located<String>>,
    pub prefixes: Option<Located<String>>,
    pub languages: Vec<Located<String>>,
    /// The rules that all lines share.
    pub rules: Rules,
}

/// `[[line]]`
#[derive(Debug)]
pub struct Line {
    pub at: At,
    pub numbers: Vec<Located<String>>,
    pub name: Option<Located<String>>,
    pub unit: Option<Located<String>>,
    pub mode: Located<Mode>,
    pub when: Option<When>,
    pub rules: Rules,
    /// A word of it is misspelt: one that is missing may be that.
    pub misspelt: bool,
}

/// `[[tenant]]`
#[derive(Debug)]
pub struct Tenant {
    pub area: Located<String>,
    pub name: Located<String>,
    pub queue: Option<Located<String>>,
}

/// `[tickets.NAME]`
#[derive(Debug)]
pub struct Tickets {
    pub at: At,
    pub subjects: Vec<Located<String>>,
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

/// A plan has a few files: more is a mistake.
const MOST_FILES: usize = 16;

/// Reads the plan's file and those that it includes, each once.
pub fn read(name: &str, bytes: &[u8], load: &Loader<'_>, log: &Log) -> Written {
    let mut written = Written::default();
    let mut wanted = read_one(&Source::read(name, bytes), &mut written, log);
    let mut seen = vec![name.to_string()];
    while let Some(include) = wanted.pop() {
        let shown = beside(&include);
        if seen.contains(&shown) {
            continue;
        }
        if seen.len() == MOST_FILES {
            log.error(&include.at, both!("a plan has at most {MOST_FILES} files", "一个方案最多 {MOST_FILES} 个文件"));
            break;
        }
        if let Some(bytes) = load_said(&include, name, load, &mut written, log) {
            wanted.extend(read_one(&Source::read(&shown, &bytes), &mut written, log));
        }
        seen.push(shown);
    }
    if let Some(said) = written.head.prefixes.clone()
        && let Some(bytes) = load_said(&said, name, load, &mut written, log)
    {
        let source = Source::plain(&beside(&said), &bytes);
        source.slips().into_iter().for_each(|slip| log.add(slip));
        written.prefixes = Prefixes::read(&source, log);
        written.sources.push(source);
    }
    keep_holidays(&mut written, log);
    written
}

/// All files are read: each calendar finds its holidays.
fn keep_holidays(written: &mut Written, log: &Log) {
    let (holidays, partial) = (&written.holidays, written.partial);
    for (name, kept) in std::mem::take(&mut written.kept) {
        let Some(calendar) = written.calendars.get_mut(&name) else { continue };
        let found = kept.iter().filter_map(|said| Some((&said.at, holiday(said, holidays, partial, log)?)));
        let found = found.collect();
        Arc::make_mut(&mut calendar.value).keep(found, log);
    }
}

/// The holiday of a name. Where a file is missing it may stand there.
pub fn holiday(said: &Located<String>, all: &BTreeMap<String, Arc<Holiday>>, partial: bool, log: &Log) -> Option<Arc<Holiday>> {
    let found = all.get(&said.value);
    if found.is_none() && !partial {
        let name = &said.value;
        let near = log.suggestion(name, all.keys().map(String::as_str));
        log.error(&said.at, both!("no `[holidays.{name}]`", "没有 `[holidays.{name}]`").then(&near));
    }
    found.cloned()
}

/// The loader knows files by their way from the plan `name`.
fn load_said(said: &Located<String>, name: &str, load: &Loader<'_>, written: &mut Written, log: &Log) -> Option<Vec<u8>> {
    let loaded = load(&way(name, &beside(said)));
    let unread = |why: Text| {
        written.partial = true;
        let file = &said.value;
        log.error(&said.at, both!("cannot read `{file}`: ", "无法读取 `{file}`：").then(&why));
    };
    loaded.map_err(unread).ok()
}

/// Reads one file into `written`; gives the names of the files that it includes.
fn read_one(source: &Arc<Source>, written: &mut Written, log: &Log) -> Vec<Located<String>> {
    written.sources.push(source.clone());
    let table = match syntax::parse(source) {
        (table, mistakes) if mistakes.iter().all(|mistake| !mistake.fatal) => {
            mistakes.into_iter().for_each(|mistake| log.add(mistake.problem));
            table
        }
        (_, mistakes) => {
            written.partial = true;
            mistakes.into_iter().for_each(|mistake| log.add(mistake.problem));
            return Vec::new();
        }
    };
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
        let (file, line) = (&first.source.name, first.line());
        log.error(&table.at, both!("`[plan]` is already in {file}:{line}", "`[plan]` 已在 {file}:{line} 中"));
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
    for mode in modes::MODES {
        let name = mode.name();
        let Some(section) = table.table(name, &[words::RULES]) else { continue };
        if written.modes.iter().any(|(m, _)| m == mode) {
            log.error(&section.at, both!("`[modes.{name}]` is already in another file", "`[modes.{name}]` 已在另一个文件中"));
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
        misspelt: table.is_misspelt(),
    })
}

/// Units are spelt as the notice spells them, without spaces.
fn read_unit(table: &Table<'_>, log: &Log) -> Option<Located<String>> {
    let unit = table.text("unit")?;
    if unit.value.chars().any(char::is_whitespace) {
        log.error(&unit.at, both!("a unit is spelt without spaces", "单位名称中不能有空格"));
    }
    Some(unit)
}

fn read_mode(said: Located<String>, log: &Log) -> Option<Located<Mode>> {
    let found = modes::MODES.iter().find(|mode| mode.name() == said.value);
    if found.is_none() {
        let name = &said.value;
        log.error(&said.at, both!("no mode `{name}`", "没有模式 `{name}`").then(&modes::suggestion(name)));
    }
    found.map(|mode| Located { value: *mode, at: said.at })
}

/// The tables whose names are the author's. The including file's come first and win.
fn read_named(top: &Table<'_>, written: &mut Written, log: &Log) {
    for (name, table) in top.named("prompts", words::PROMPT) {
        // One without a text is known all the same: whoever names it makes no mistake.
        let text = table.need("text", table.text("text")).unwrap_or(Located { value: String::new(), at: name.at });
        written.prompts.entry(name.value).or_insert(text);
    }
    for (name, table) in top.named("tickets", words::TICKETS) {
        let tickets = Tickets { at: name.at, subjects: table.texts("subjects").unwrap_or_default() };
        written.tickets.entry(name.value).or_insert(tickets);
    }
    for (name, table) in top.named("calendars", words::CALENDAR) {
        let calendar = Located { value: Arc::new(Calendar::read(&table, log)), at: name.at };
        if let Entry::Vacant(free) = written.calendars.entry(name.value) {
            written.kept.extend(table.texts("closed").map(|kept| (free.key().clone(), kept)));
            free.insert(calendar);
        }
    }
    for (name, table) in top.named("holidays", words::HOLIDAY) {
        let holiday = Holiday::read(&table, log).map(Arc::new);
        holiday.into_iter().for_each(|holiday| _ = written.holidays.entry(name.value.clone()).or_insert(holiday));
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

/// A file that another names stands beside that one; as problems show it.
fn beside(said: &Located<String>) -> String {
    let file = said.value.as_str();
    if file.starts_with('/') {
        return file.to_string();
    }
    let mut parts: Vec<&str> = said.at.source.name.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
    for part in file.split('/').filter(|part| *part != ".") {
        match parts.last() {
            Some(last) if part == ".." && !matches!(*last, ".." | "" | ".") => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// How one gets to a file from the folder of another.
fn way(from: &str, to: &str) -> String {
    if to.starts_with('/') && !from.starts_with('/') {
        return to.to_string();
    }
    let folder: Vec<&str> = from.split('/').collect();
    let folder = folder.get(..folder.len() - 1).unwrap_or_default();
    let parts: Vec<&str> = to.split('/').collect();
    let common = folder.iter().zip(&parts).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", folder.len() - common);
    up.chain(parts.iter().skip(common).copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Surroundings, check};

    #[test]
    fn ways_between_files() {
        for (from, to, want) in [
            ("plan.toml", "more.toml", "more.toml"),
            ("a/plan.toml", "a/b/more.toml", "b/more.toml"),
            ("a/plan.toml", "more.toml", "../more.toml"),
            ("../a/plan.toml", "../more.toml", "../more.toml"),
            ("/x/a/plan.toml", "/x/more.toml", "../more.toml"),
            ("plan.toml", "/x/more.toml", "/x/more.toml"),
        ] {
            assert_eq!(way(from, to), want, "{from} {to}");
        }
    }

    /// An included file's own includes stand beside it, not beside the plan.
    #[test]
    fn each_file_names_others_from_where_it_stands() {
        let load = |name: &str| match name {
            "parts/a.toml" => Ok(b"include = [\"b.toml\", \"../c.toml\"]\n".to_vec()),
            "parts/b.toml" => Ok(b"[[line]]\nnumber = \"12345\"\nmode = \"front\"\n".to_vec()),
            "c.toml" => Ok(b"[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n".to_vec()),
            _ => Err(both!("no {name}", "没有 {name}")),
        };
        let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
        for name in ["plan.toml", "/etc/hotline/plan.toml", "x/plan.toml"] {
            let checked = check(name, "include = \"parts/a.toml\"\n[plan]\nname = \"x\"\n", &load, &around);
            assert!(checked.problems.is_empty(), "{:?}", checked.problems);
            assert_eq!(checked.plan.unwrap().front(), Some("12345"));
        }
    }
}
