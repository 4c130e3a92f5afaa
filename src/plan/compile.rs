//! From what the files say to what a call needs: rules inherited, dates resolved, steps laid out.

use super::file::{self, Head, Line, Rules, Written};
use super::problem::{At, Log, Said, Severity, suggestion};
use super::steps::{self, Settings};
use super::{Matched, Mode, Phase, Plan, Problem, Prompt, Step, Target, number};
use crate::base::{Map, MapSeed, Wall};
use jiff::tz::TimeZone;
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

/// One number's whole story.
#[derive(Debug)]
pub struct Entry {
    pub line: Arc<str>,
    pub mode: Mode,
    pub unit: Option<Arc<str>>,
    pub tickets: Arc<[Arc<str>]>,
    pub early_max: Duration,
    /// In order of time; the first begins before all times.
    pub eras: Vec<Era>,
}

/// What holds from a moment on, until the next era.
#[derive(Debug)]
pub struct Era {
    pub from: Wall,
    pub phase: Option<Phase>,
    pub steps: Arc<[Step]>,
    pub matched: Arc<[Matched]>,
}

/// Compiles what the files say; what cannot be is logged, and the plan is then not to be used.
pub fn compile(written: &Written, log: &Log) -> Plan {
    Compiler::new(written, log).plan()
}

/// Where a time-out, queue or zone is said nowhere.
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
    texts: BTreeMap<&'a str, &'a str>,
}

impl<'a> Compiler<'a> {
    fn new(written: &'a Written, log: &'a Log) -> Compiler<'a> {
        let head = &written.head;
        let texts = written.prompts.iter().map(|p| (p.name.value.as_str(), p.text.value.as_str())).collect();
        Compiler { written, log, zone: zone(head, log), area: area(head, log), prompts: BTreeMap::new(), texts }
    }

    fn plan(mut self) -> Plan {
        let head = &self.written.head;
        let revision: Arc<str> = revision(self.written).into();
        let mut entries = Vec::with_capacity(self.written.lines.len());
        let mut numbers: Map<Box<str>, usize> = Map::with_hasher(MapSeed::default());
        let mut places: Map<Box<str>, &At> = Map::with_hasher(MapSeed::default());
        for line in &self.written.lines {
            for said in &line.numbers {
                let Some(number) = self.number(said) else { continue };
                if let Some(first) = places.get(number.as_str()) {
                    let text =
                        format!("`{}` is already the number of a line in {}:{}", said.value, first.source.name, first.line());
                    self.log.error(&said.at, text);
                    continue;
                }
                places.insert(number.as_str().into(), &said.at);
                numbers.insert(number.as_str().into(), entries.len());
                entries.push(self.entry(line, said, &number));
            }
        }
        if head.rules.at.is_none() {
            self.log.add(no_head(self.written));
        }
        Plan {
            name: head.name.as_ref().map_or("", |n| &n.value).into(),
            notice: head.notice.as_ref().map(|n| n.value.as_str().into()),
            revision,
            area: self.area,
            zone: self.zone,
            entries,
            numbers,
            unknown: unknown(head),
            prompts: self.prompts.into_values().collect(),
        }
    }

    fn entry(&mut self, line: &'a Line, said: &Said<String>, number: &str) -> Entry {
        let inherited = Inherited::of(self.written, line);
        let early_max = inherited.find(|r| r.early_max.as_ref()).map_or(EARLY_MAX, |d| d.value);
        let settings = self.settings(line, &inherited, said, number, early_max.is_zero());
        let eras = self.boundaries(line, &inherited).into_iter().map(|b| self.era(line, said, &settings, b)).collect();
        Entry {
            line: line.name.as_ref().unwrap_or(said).value.as_str().into(),
            mode: line.mode.value,
            unit: line.unit.as_ref().map(|u| u.value.as_str().into()),
            tickets: self.tickets(&inherited),
            early_max,
            eras,
        }
    }

    fn settings(
        &mut self,
        line: &Line,
        inherited: &Inherited<'a>,
        said: &Said<String>,
        number: &str,
        answer_at_once: bool,
    ) -> Settings {
        let text = |f: fn(&Rules) -> Option<&Said<String>>| inherited.find(f).map(|s| s.value.as_str());
        let ring = inherited.find(|r| r.ring.as_ref()).map_or(RING, |d| d.value);
        let targets = inherited.find(|r| r.targets.as_ref());
        let merged = line.mode.value == Mode::Merged;
        if line.mode.value == Mode::Guided {
            inherited.find(|r| r.guide_prompt.as_ref()).and_then(|named| self.prompt(Some(named), "", line, said));
        }
        Settings {
            mode: line.mode.value,
            queue: text(|r| r.queue.as_ref()).unwrap_or(QUEUE).into(),
            high: text(|r| r.priority.as_ref()) == Some("high"),
            targets: targets.map_or_else(|| vec![(own_seats(number), ring)], |list| self.targets(list, ring)),
            routed: targets.is_some(),
            kept: text(|r| r.seats.as_ref()) == Some("kept"),
            opened: inherited.find(|r| r.opened.as_ref()).is_none_or(|o| o.value),
            connect_prompt: merged
                .then(|| self.prompt(inherited.find(|r| r.connect_prompt.as_ref()), "connect", line, said))
                .flatten(),
            announce_only_prompt: (merged && inherited.find(|r| r.announce_only_from.as_ref()).is_some())
                .then(|| self.prompt(inherited.find(|r| r.announce_only_prompt.as_ref()), "announce-only", line, said))
                .flatten(),
            answer_at_once,
        }
    }

    fn targets(&self, list: &[file::Target], ring: Duration) -> Vec<(Target, Duration)> {
        let one = |t: &file::Target| {
            let number = self.number(&t.number)?;
            let target = Target { number: number.into(), trunk: t.trunk.as_ref().map(|t| t.value.as_str().into()) };
            Some((target, t.ring.as_ref().map_or(ring, |d| d.value)))
        };
        list.iter().filter_map(one).collect()
    }

    /// The name of a prompt, with the number in it where its text has one.
    fn prompt(&mut self, named: Option<&Said<String>>, usual: &str, line: &Line, number: &Said<String>) -> Option<Arc<str>> {
        let at = named.map_or(&line.at, |n| &n.at);
        let name = named.map_or(usual, |n| n.value.as_str());
        let Some(text) = self.texts.get(name) else {
            self.log.error(at, format!("no `[prompts.{name}]`{}", suggestion(name, self.texts.keys().copied())));
            return None;
        };
        let digits: String = number.value.chars().filter(char::is_ascii_digit).collect();
        let (name, text) = match text.contains("{number}") {
            true => (format!("{name}-{digits}"), text.replace("{number}", &digits)),
            false => (name.to_string(), text.to_string()),
        };
        let name: Arc<str> = name.into();
        let used = matched(at, "prompt");
        self.prompts.entry(name.clone()).or_insert_with(|| Prompt { name: name.clone(), text: text.into(), used });
        Some(name)
    }

    fn tickets(&self, inherited: &Inherited<'_>) -> Arc<[Arc<str>]> {
        let names = inherited.find(|r| r.tickets.as_ref()).map_or(&[][..], Vec::as_slice);
        let known = || self.written.tickets.iter().map(|t| t.name.value.as_str());
        for name in names.iter().filter(|n| !known().any(|k| k == n.value)) {
            self.log.error(&name.at, format!("no `[tickets.{}]`{}", name.value, suggestion(&name.value, known())));
        }
        names.iter().map(|n| n.value.as_str().into()).collect()
    }

    /// The moments at which a line changes, in order, with what holds from each.
    fn boundaries(&self, line: &Line, inherited: &Inherited<'a>) -> Vec<Boundary<'a>> {
        let mut out = vec![Boundary { from: Wall(i64::MIN), phase: None, said: None }];
        let merged = line.mode.value == Mode::Merged;
        let dated: &[Dated] = if merged { MERGED } else { STARTED };
        for (word, phase, field) in dated {
            let Some(said) = inherited.find(*field) else { continue };
            let Some(from) = said.value.resolve(&self.zone) else {
                self.log.error(&said.at, format!("`{word}` is outside the calendar"));
                continue;
            };
            let from = Wall(from.as_microsecond());
            if out.last().is_some_and(|before| before.from >= from) {
                self.log.error(&said.at, format!("`{word}` is not after the phase before it"));
            }
            out[0].phase = Some(Phase::NotYet);
            out.push(Boundary { from, phase: *phase, said: Some((word, said)) });
        }
        if merged && inherited.find(|r| r.connect_from.as_ref()).is_none() {
            self.log.error(&line.at, "a merged line needs `connect-from`, here or in `[modes.merged]`");
        }
        out
    }

    fn era(&self, line: &Line, number: &Said<String>, settings: &Settings, boundary: Boundary<'_>) -> Era {
        let rule = format!("number = \"{}\"", number.value);
        let mut rules = vec![matched(&number.at, &rule)];
        if let Some((word, said)) = boundary.said {
            let text = said.at.source.text.get(said.at.span.clone()).unwrap_or("");
            rules.push(matched(&said.at, &format!("{word} = {text}")));
        } else if let Some(section) =
            self.written.modes.iter().find(|(mode, _)| *mode == line.mode.value).and_then(|(_, r)| r.at.as_ref())
        {
            rules.push(matched(section, "mode"));
        }
        let steps = steps::usual(settings, boundary.phase);
        Era { from: boundary.from, phase: boundary.phase, steps: steps.into(), matched: rules.into() }
    }

    fn number(&self, said: &Said<String>) -> Option<String> {
        number::written(&said.value, self.area.as_deref()).map_err(|why| self.log.error(&said.at, why)).ok()
    }
}

type Dated = (&'static str, Option<Phase>, fn(&Rules) -> Option<&Said<super::fields::Moment>>);

const MERGED: &[Dated] = &[
    ("connect-from", Some(Phase::AnnounceAndConnect), |r| r.connect_from.as_ref()),
    ("announce-only-from", Some(Phase::AnnounceOnly), |r| r.announce_only_from.as_ref()),
    ("released-from", Some(Phase::Released), |r| r.released_from.as_ref()),
];
const STARTED: &[Dated] = &[("from", None, |r| r.from.as_ref())];

struct Boundary<'a> {
    from: Wall,
    phase: Option<Phase>,
    said: Option<(&'static str, &'a Said<super::fields::Moment>)>,
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
fn own_seats(number: &str) -> Target {
    Target { number: number.into(), trunk: None }
}

fn unknown(head: &Head) -> Entry {
    let matched = head.rules.at.iter().map(|at| matched(at, "no line has this number")).collect();
    let era = Era { from: Wall(i64::MIN), phase: None, steps: [steps::UNALLOCATED].into(), matched };
    Entry { line: "unknown".into(), mode: Mode::Unknown, unit: None, tickets: [].into(), early_max: EARLY_MAX, eras: vec![era] }
}

fn zone(head: &Head, log: &Log) -> TimeZone {
    let name = head.zone.as_ref().map_or(ZONE, |z| &z.value);
    TimeZone::get(name).unwrap_or_else(|_| {
        head.zone.iter().for_each(|z| log.error(&z.at, format!("no time zone `{name}`, such as `{ZONE}`")));
        TimeZone::UTC
    })
}

fn area(head: &Head, log: &Log) -> Option<Arc<str>> {
    let said = head.area.as_ref()?;
    if !number::is_area(&said.value) {
        log.error(&said.at, "an area code has two or three digits, without its leading 0, such as `691`");
        return None;
    }
    Some(said.value.as_str().into())
}

fn matched(at: &At, rule: &str) -> Matched {
    Matched { file: at.source.name.clone(), line: at.line(), rule: rule.into() }
}

fn no_head(written: &Written) -> Problem {
    let source = written.sources.first().cloned().unwrap_or_else(|| super::problem::Source::new("", ""));
    Problem::new(Severity::Error, &At { source, span: 0..0 }, "`[plan]` is missing")
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
