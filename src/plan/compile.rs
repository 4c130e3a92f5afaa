//! From what the files say to what a call needs: rules inherited, dates resolved, steps laid out.

use super::condition::{Condition, Gate};
use super::entry::{Entry, Era, Tenant, matched};
use super::fields::Moment;
use super::file::{Head, Line, Written};
use super::problem::{At, Located, Log, Severity, Source};
use super::rules::{self, Rules};
use super::steps::{self, Chosen, Settings};
use super::subjects::Subjects;
use super::{LineSurvey, MenuGoal, MenuKey, Mode, Phase, Plan, Problem, Prompt, Step, Target, menu, number};
use crate::base::{Map, MapSeed, Text, Wall};
use jiff::tz::TimeZone;
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

/// Compiles what the files say; what cannot be is logged, and the plan is then not to be used.
pub fn compile(mut written: Written, log: &Log) -> (Written, Plan) {
    let prefixes = std::mem::take(&mut written.prefixes);
    let mut plan = Compiler::new(&written, log).plan();
    plan.prefixes = prefixes;
    (written, plan)
}

/// Where a time-out, queue or zone is said nowhere.
/// How long an offered key is waited for.
const OFFER: Duration = Duration::from_secs(10);
const RING: Duration = Duration::from_secs(60);
const EARLY_MAX: Duration = Duration::from_secs(30);
const QUEUE: &str = "12345";
const ZONE: &str = "Asia/Shanghai";

struct Compiler<'a> {
    written: &'a Written,
    log: &'a Log,
    zone: TimeZone,
    area: Option<Arc<str>>,
    prompts: BTreeMap<Arc<str>, Prompt>,
    entries: Vec<Entry>,
    /// By number: the first entry, the last, and where it is said.
    numbers: Map<Box<str>, (usize, usize, &'a At)>,
}

impl<'a> Compiler<'a> {
    fn new(written: &'a Written, log: &'a Log) -> Compiler<'a> {
        let head = &written.head;
        let numbers = Map::with_hasher(MapSeed::default());
        Compiler {
            written,
            log,
            zone: zone(head, log),
            area: area(head, log),
            prompts: BTreeMap::new(),
            entries: Vec::new(),
            numbers,
        }
    }

    fn plan(mut self) -> Plan {
        let head = &self.written.head;
        if head.rules.at.is_none() && self.log.is_good() {
            self.log.add(no_head(self.written));
        }
        for line in &self.written.lines {
            for said in &line.numbers {
                if let Some(number) = self.number(said) {
                    self.add(line, said, &number);
                }
            }
        }
        let mut numbers = Map::with_hasher(MapSeed::default());
        numbers.extend(self.numbers.iter().map(|(number, (first, ..))| (number.clone(), *first)));
        Plan {
            name: head.name.as_ref().map_or("", |n| &n.value).into(),
            notice: head.notice.as_ref().map(|n| n.value.as_str().into()),
            revision: revision(self.written).into(),
            tenants: self.tenants(),
            area: self.area,
            zone: self.zone,
            entries: self.entries,
            numbers,
            unknown: unknown(head),
            prompts: self.prompts.into_values().collect(),
            prefixes: Default::default(),
            subjects: Subjects::of(self.written, self.log),
            calendars: self.written.calendars.iter().map(|(name, of)| (name.as_str().into(), of.value.clone())).collect(),
            holidays: self.written.holidays.iter().map(|(name, of)| (name.as_str().into(), of.clone())).collect(),
        }
    }

    /// Adds a number's entry, behind those that the same number has already.
    fn add(&mut self, line: &'a Line, said: &'a Located<String>, number: &str) {
        let index = self.entries.len();
        if let Some((_, last, at)) = self.numbers.get_mut(number) {
            if self.entries[*last].when.is_none() {
                let (number, file, line) = (&said.value, &at.source.name, at.line());
                let text = both!(
                    "never reached: `{number}` is already the number of a line in {file}:{line}",
                    "永远轮不到：`{number}` 已在 {file}:{line} 出现"
                );
                return self.log.error(&said.at, text);
            }
            self.entries[*last].next = Some(index);
            (*last, *at) = (index, &said.at);
        } else {
            self.numbers.insert(number.into(), (index, index, &said.at));
        }
        let entry = self.entry(line, said, number);
        self.entries.push(entry);
    }

    fn entry(&mut self, line: &'a Line, said: &'a Located<String>, number: &str) -> Entry {
        let inherited = Inherited::of(self.written, line);
        let early_max = inherited.find(|r| r.early_max.as_ref()).map_or(EARLY_MAX, |d| d.value);
        let settings = self.settings(line, &inherited, said, number, early_max.is_zero());
        let gates: Vec<Gate> = settings.targets.iter().map(|t| t.gate.clone()).collect();
        let gated = gates.iter().any(|gate| !gate.is_open_to_all());
        let eras = self.boundaries(line, &inherited).into_iter().map(|b| self.era(line, said, &settings, b)).collect();
        Entry {
            line: line.name.as_ref().unwrap_or(said).value.as_str().into(),
            mode: line.mode.value,
            unit: line.unit.as_ref().map(|u| u.value.as_str().into()),
            guide: settings.guide_prompt.first().cloned(),
            survey: self.survey(&inherited, line, said),
            tickets: self.tickets(&inherited),
            record: inherited.find(|r| r.record.as_ref()).map(|said| said.value),
            early_max,
            eras,
            gates: if gated { gates.into() } else { [].into() },
            when: line.when.as_ref().map(|when| Condition::of(when, self.written, self.area.as_deref(), self.log)),
            next: None,
        }
    }

    fn settings(
        &mut self,
        line: &Line,
        inherited: &Inherited<'a>,
        said: &Located<String>,
        number: &str,
        answer_at_once: bool,
    ) -> Settings {
        let text = |f: fn(&Rules) -> Option<&Located<String>>| inherited.find(f).map(|s| s.value.as_str());
        let ring = inherited.find(|r| r.ring.as_ref()).map_or(RING, |d| d.value);
        let targets = inherited.find(|r| r.targets.as_ref());
        let merged = line.mode.value == Mode::Merged;
        let stays = inherited.find(|r| r.announce_only_from.as_ref()).is_some();
        let settings = Settings {
            mode: line.mode.value,
            queue: inherited.find(|r| r.queue.as_ref()).map_or(QUEUE.into(), |queue| self.expand(queue).into()),
            high: text(|r| r.priority.as_ref()) == Some("high"),
            targets: targets.map_or_else(|| vec![own_seats(number, ring)], |list| self.targets(list, ring)),
            advance: inherited.find(|r| r.advance_on.as_ref()).copied().unwrap_or_default(),
            routed: targets.is_some(),
            kept: text(|r| r.seats.as_ref()) == Some("kept"),
            opened: inherited.find(|r| r.opened.as_ref()).is_none_or(|o| o.value),
            prompt: self.prompt(inherited.find(|r| r.prompt.as_ref()), None, line, said),
            connect_prompt: self.prompt(inherited.find(|r| r.connect_prompt.as_ref()), merged.then_some("connect"), line, said),
            announce_only_prompt: self.prompt(
                inherited.find(|r| r.announce_only_prompt.as_ref()),
                (merged && stays).then_some("announce-only"),
                line,
                said,
            ),
            guide_prompt: self.prompt(
                inherited.find(|r| r.guide_prompt.as_ref()).filter(|_| line.mode.value == Mode::Guided),
                None,
                line,
                said,
            ),
            offer: text(|r| r.offer.as_ref()).and_then(|key| key.chars().next()).map(|key| {
                let wait = inherited.find(|r| r.offer_for.as_ref()).map_or(OFFER, |wait| wait.value);
                (key, wait)
            }),
            menu: inherited.find(|r| r.menu.as_ref()).and_then(|menu| self.menu(menu, line, said)),
            answer_at_once,
        };
        if let Some(menu) = inherited.find(|r| r.menu.as_ref()).filter(|_| settings.offer.is_some()) {
            self.log.error(&menu.at, both!("`menu` and `offer` exclude each other", "`menu` 与 `offer` 不能同时设置"));
        }
        let told = if settings.mode == Mode::Guided { &settings.guide_prompt } else { &settings.prompt };
        if let Some(offer) = inherited
            .find(|r| r.offer.as_ref())
            .filter(|_| told.is_empty() && !matches!(settings.mode, Mode::Front | Mode::Merged))
        {
            let text = both!(
                "no prompt says which key to press: name one by `prompt`, or `guide-prompt` of a guided line",
                "没有提示音告知按哪个键：请用 `prompt` 指定（guided 模式用 `guide-prompt`）"
            );
            self.log.error(&offer.at, text);
        }
        settings
    }

    /// None where something is wrong with it.
    fn menu(&mut self, said: &rules::Menu, line: &Line, number: &Located<String>) -> Option<Step> {
        let prompt = self.prompt(said.prompt.as_ref(), None, line, number).first().cloned();
        let wrong = match said.wrong.as_ref() {
            Some(wrong) => self.prompt(Some(wrong), None, line, number).first().cloned(),
            None => Some(self.wrong_key(&said.at)),
        };
        let mut keys: Vec<MenuKey> = Vec::new();
        for one in &said.keys {
            let Some(key) = one.key.as_ref().and_then(|key| key.value.chars().next()) else { continue };
            if keys.iter().any(|other| other.key == key) {
                let at = one.key.as_ref().map_or(&one.at, |key| &key.at);
                self.log.error(at, both!("key {key} stands there twice", "按键 {key} 出现了两次"));
            }
            let goal = match (&one.queue, &one.line) {
                (Some(queue), None) => MenuGoal::Queue(self.expand(queue).into()),
                (None, Some(line)) => MenuGoal::Line { number: self.number(line)?.into(), steps: [].into() },
                (Some(_), Some(_)) => {
                    self.log.error(&one.at, both!("names both `queue` and `line`", "不能同时写 `queue` 和 `line`"));
                    continue;
                }
                (None, None) => {
                    self.log.error(&one.at, both!("names neither `queue` nor `line`", "须写 `queue` 或 `line`"));
                    continue;
                }
            };
            keys.push(MenuKey { key, goal });
        }
        if said.keys.is_empty() {
            self.log.error(&said.at, both!("`keys` is empty", "`keys` 是空的"));
        }
        let wait = said.wait.as_ref().map_or(menu::WAIT, |wait| wait.value);
        if let Some(wait) = said.wait.as_ref().filter(|wait| wait.value > menu::LONGEST_WAIT) {
            let most = menu::LONGEST_WAIT.as_secs();
            let text = both!(
                "is longer than {most} s: who presses nothing comes to a human too late",
                "长于 {most} 秒：不按键的来电人接入人工太晚"
            );
            self.log.error(&wait.at, text);
        }
        let tries = said.tries.as_ref().and_then(|tries| tries.value.parse().ok()).unwrap_or(menu::TRIES);
        Some(Step::Menu { prompt: prompt?, wrong, keys: keys.into(), wait, tries })
    }

    /// Finds the words for whoever presses a key that a menu has not: the plan's own prompt of that name, or the usual words.
    fn wrong_key(&mut self, at: &At) -> Arc<str> {
        let (name, usual) = menu::WRONG;
        let text = self.written.prompts.get(name).map_or(usual, |said| said.value.as_str());
        let prompt = || Prompt { name: name.into(), text: text.into(), used: matched(at, "menu") };
        self.prompts.entry(name.into()).or_insert_with(prompt).name.clone()
    }

    fn survey(&mut self, inherited: &Inherited<'a>, line: &Line, number: &Located<String>) -> Option<Arc<LineSurvey>> {
        let asks = inherited.find(|r| r.survey.as_ref()).map(|said| said.value);
        let prompt = self.prompt(inherited.find(|r| r.survey_prompt.as_ref()), None, line, number).first().cloned();
        (asks.is_some() || prompt.is_some()).then(|| Arc::new(LineSurvey { asks, prompt }))
    }

    fn targets(&self, list: &[rules::Target], ring: Duration) -> Vec<Chosen> {
        let one = |t: &rules::Target| {
            let number = self.number(&t.number)?.into();
            let target = Target { number, trunk: t.trunk.as_ref().map(|t| self.expand(t).into()), emergency: false };
            let gate = Gate::of(t, self.written, self.log);
            Some(Chosen { target, ring: t.ring.as_ref().map_or(ring, |d| d.value), gate })
        };
        list.iter().filter_map(one).collect()
    }

    /// The names of a prompt in the plan's languages, with the number in them where the text has one.
    fn prompt(
        &mut self,
        named: Option<&Located<String>>,
        usual: Option<&str>,
        line: &Line,
        number: &Located<String>,
    ) -> Vec<Arc<str>> {
        let at = named.map_or(&line.at, |n| &n.at);
        let Some(name) = named.map(|n| n.value.as_str()).or(usual) else { return Vec::new() };
        let others = self.written.head.languages.iter().skip(1).map(|language| format!("{name}-{}", language.value));
        std::iter::once(name.to_string()).chain(others).filter_map(|name| self.sound(&name, at, number)).collect()
    }

    fn sound(&mut self, name: &str, at: &At, number: &Located<String>) -> Option<Arc<str>> {
        let Some(said) = self.written.prompts.get(name) else {
            let known = self.written.prompts.keys().map(String::as_str);
            self.log.error(at, both!("no `[prompts.{name}]`", "没有 `[prompts.{name}]`").then(&self.log.suggestion(name, known)));
            return None;
        };
        let text = self.expand(said);
        let digits: String = number.value.chars().filter(char::is_ascii_digit).collect();
        let (name, text) = match text.contains("{number}") {
            true => (format!("{name}-{digits}"), text.replace("{number}", &digits)),
            false => (name.to_string(), text),
        };
        let name: Arc<str> = name.into();
        let used = matched(at, "prompt");
        self.prompts.entry(name.clone()).or_insert_with(|| Prompt { name: name.clone(), text: text.into(), used });
        Some(name)
    }

    fn tickets(&self, inherited: &Inherited<'_>) -> Arc<[Arc<str>]> {
        let names = inherited.find(|r| r.tickets.as_ref()).map_or(&[][..], Vec::as_slice);
        for name in names.iter().filter(|n| !self.written.tickets.contains_key(&n.value)) {
            let known = self.written.tickets.keys().map(String::as_str);
            let (at, name) = (&name.at, &name.value);
            self.log.error(at, both!("no `[tickets.{name}]`", "没有 `[tickets.{name}]`").then(&self.log.suggestion(name, known)));
        }
        names.iter().map(|n| n.value.as_str().into()).collect()
    }

    fn tenants(&self) -> BTreeMap<Box<str>, Tenant> {
        let mut tenants = BTreeMap::new();
        for said in &self.written.tenants {
            if !number::is_area(&said.area.value) {
                self.log.error(&said.area.at, no_area());
            }
            let queue = said.queue.as_ref().map(|queue| self.expand(queue).into());
            let tenant = Tenant { name: said.name.value.as_str().into(), queue };
            if tenants.insert(said.area.value.as_str().into(), tenant).is_some() {
                let area = &said.area.value;
                self.log.error(&said.area.at, both!("area `{area}` already has a tenant", "区号 `{area}` 已有租户"));
            }
        }
        tenants
    }

    /// The moments at which a line changes, in order, with what holds from each.
    fn boundaries(&self, line: &Line, inherited: &Inherited<'a>) -> Vec<Boundary<'a>> {
        let mut out = vec![Boundary { from: Wall(i64::MIN), phase: None, said: None }];
        let merged = line.mode.value == Mode::Merged;
        let dated: &[Dated] = if merged { MERGED } else { STARTED };
        for (word, phase, field) in dated {
            let Some(said) = inherited.find(*field) else { continue };
            let Some(from) = said.value.resolve(&self.zone) else {
                self.log.error(&said.at, both!("`{word}` is outside the calendar", "`{word}` 超出日历范围"));
                continue;
            };
            let from = Wall(from.as_microsecond());
            if out.last().is_some_and(|before| before.from >= from) {
                self.log.error(&said.at, both!("`{word}` is not after the phase before it", "`{word}` 必须晚于前一阶段的日期"));
            }
            out[0].phase = Some(Phase::NotYet);
            out.push(Boundary { from, phase: *phase, said: Some((word, said)) });
        }
        if merged && inherited.find(|r| r.connect_from.as_ref()).is_none() {
            let text = both!(
                "a merged line needs `connect-from`, here or in `[modes.merged]`",
                "merged 模式的号码需要 `connect-from`，写在此处或 `[modes.merged]` 中"
            );
            self.log.error(&line.at, text);
        }
        out
    }

    fn era(&self, line: &Line, number: &Located<String>, settings: &Settings, boundary: Boundary<'_>) -> Era {
        let rule = format!("number = \"{}\"", number.value);
        let mut rules = vec![matched(&number.at, &rule)];
        rules.extend(line.when.as_ref().map(|when| matched(&when.at, &format!("when = {}", text_at(&when.at)))));
        rules.extend(boundary.said.map(|(word, said)| matched(&said.at, &format!("{word} = {}", text_at(&said.at)))));
        let steps = steps::usual(settings, boundary.phase);
        Era { from: boundary.from, phase: boundary.phase, steps: steps.into(), matched: rules.into() }
    }

    fn number(&self, said: &Located<String>) -> Option<String> {
        number::written(&self.expand(said), self.area.as_deref()).map_err(|why| self.log.error(&said.at, why)).ok()
    }

    /// Puts the plan's variables into a text.
    fn expand(&self, said: &Located<String>) -> String {
        let mut out = String::with_capacity(said.value.len());
        let mut rest = said.value.as_str();
        while let Some((before, name, after)) = braces(rest) {
            out.push_str(before);
            match self.written.variables.get(name) {
                Some(text) => out.push_str(text),
                None => out.push_str(&format!("{{{name}}}")),
            }
            if name != "number" && !self.written.variables.contains_key(name) {
                let known = self.written.variables.keys().map(String::as_str);
                self.log
                    .error(&said.at, both!("no variable `{name}`", "没有变量 `{name}`").then(&self.log.suggestion(name, known)));
            }
            rest = after;
        }
        out + rest
    }
}

type Dated = (&'static str, Option<Phase>, fn(&Rules) -> Option<&Located<Moment>>);

const MERGED: &[Dated] = &[
    ("connect-from", Some(Phase::AnnounceAndConnect), |r| r.connect_from.as_ref()),
    ("announce-only-from", Some(Phase::AnnounceOnly), |r| r.announce_only_from.as_ref()),
    ("released-from", Some(Phase::Released), |r| r.released_from.as_ref()),
];
const STARTED: &[Dated] = &[("from", None, |r| r.from.as_ref())];

struct Boundary<'a> {
    from: Wall,
    phase: Option<Phase>,
    said: Option<(&'static str, &'a Located<Moment>)>,
}

/// A line's own rules, then its mode's, then the plan's.
struct Inherited<'a>([Option<&'a Rules>; 3]);

impl<'a> Inherited<'a> {
    fn of(written: &'a Written, line: &'a Line) -> Inherited<'a> {
        let mode = written.modes.iter().find(|(mode, _)| *mode == line.mode.value).map(|(_, rules)| rules);
        Inherited([Some(&line.rules), mode, Some(&written.head.rules)])
    }

    fn find<T: ?Sized>(&self, field: impl Fn(&'a Rules) -> Option<&'a T>) -> Option<&'a T> {
        self.0.iter().flatten().find_map(|r| field(r))
    }
}

/// Until a date a number rings its own seats: the route that the number itself has.
fn own_seats(number: &str, ring: Duration) -> Chosen {
    Chosen { target: Target { number: number.into(), trunk: None, emergency: false }, ring, gate: Gate::default() }
}

fn unknown(head: &Head) -> Entry {
    let matched = head.rules.at.iter().map(|at| matched(at, "no line has this number")).collect();
    let era = Era { from: Wall(i64::MIN), phase: None, steps: [steps::UNALLOCATED].into(), matched };
    Entry {
        line: "unknown".into(),
        mode: Mode::Unknown,
        unit: None,
        guide: None,
        survey: None,
        tickets: [].into(),
        record: None,
        early_max: EARLY_MAX,
        eras: vec![era],
        gates: [].into(),
        when: None,
        next: None,
    }
}

fn zone(head: &Head, log: &Log) -> TimeZone {
    let name = head.zone.as_ref().map_or(ZONE, |z| &z.value);
    TimeZone::get(name).unwrap_or_else(|_| {
        let text = || both!("no time zone `{name}`, such as `{ZONE}`", "没有时区 `{name}`，例如 `{ZONE}`");
        head.zone.iter().for_each(|z| log.error(&z.at, text()));
        TimeZone::UTC
    })
}

fn area(head: &Head, log: &Log) -> Option<Arc<str>> {
    let said = head.area.as_ref()?;
    if !number::is_area(&said.value) {
        log.error(&said.at, no_area());
        return None;
    }
    Some(said.value.as_str().into())
}

fn no_area() -> Text {
    both!(
        "an area code has two or three digits, without its leading 0, such as `691`",
        "区号为两位或三位数字，不带首位 0，例如 `691`"
    )
}

/// The text before the next `{name}`, the name, and what follows.
fn braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn text_at(at: &At) -> &str {
    at.source.text.get(at.span.clone()).unwrap_or("")
}

fn no_head(written: &Written) -> Problem {
    let source = written.sources.first().cloned().unwrap_or_else(|| Source::new("", ""));
    Problem::new(Severity::Error, &At { source, span: 0..0 }, both!("`[plan]` is missing", "缺少 `[plan]`"))
}

/// A hash of all texts: equal texts, equal revisions.
fn revision(written: &Written) -> String {
    let mut hash = SipHasher13::new();
    for source in &written.sources {
        hash.write_usize(source.text.len());
        hash.write(source.text.as_bytes());
    }
    format!("{:016x}", hash.finish())
}
