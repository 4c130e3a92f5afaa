//! Dial plans: TOML files that say what each number means on each day. Facts in, steps out; no SIP here.

mod advance;
pub mod ascii;
pub mod built_in;
mod calendar;
pub mod characters;
mod check;
mod compile;
mod condition;
pub mod dates;
mod decide;
mod difference;
mod emergency;
mod encoding;
mod entry;
mod expect;
mod explain;
mod fields;
mod file;
mod findings;
mod kept;
mod menu;
mod modes;
mod number;
mod prefix;
mod problem;
mod prose;
mod reference;
mod rewrite;
mod rules;
mod steps;
mod subjects;
pub mod syntax;
mod words;

use crate::base::{Map, Text, Wall};
pub use crate::event::Mode;
pub use crate::event::Phase;
pub use advance::{Advance, Failure};
pub use calendar::{Calendar, Hours};
pub use check::{Checked, Surroundings, check};
pub use difference::Change;
pub use emergency::{Ways, is_emergency};
use entry::{Entry, Tenant};
pub use explain::{ExplainedStep, ExplainedTarget, Explanation, all, day, explain};
use jiff::tz::TimeZone;
pub use kept::{Kept, RulesFor};
pub use menu::{MenuGoal, MenuKey, pressed};
pub use number::{is_area, is_number};
use prefix::Prefixes;
pub use problem::{At, Problem, Severity, Source, nearest, suggestion};
pub use prose::field;
pub use reference::{reference, schema};
pub use rewrite::{NumberRule, NumberRules, Rewritten};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use subjects::Subjects;

/// Facts of a call that the plan may know.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// As it arrived: the user part of the request URI (or tel: number), parameters such as phone-context included.
    pub dialled: &'a str,
    /// The caller's number as it arrived; none when withheld.
    pub caller: Option<&'a str>,
    pub trunk: &'a str,
    /// The trunk's area code without the leading 0: `691`.
    pub trunk_area: Option<&'a str>,
    /// The number that the call was first meant for, where it was diverted or transferred to this one.
    pub diverted_from: Option<&'a str>,
    pub at: Wall,
}

/// The plan's decision, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Normalised: the short number, or area + number for a fixed one.
    pub number: String,
    /// The caller, normalised.
    pub caller: Option<String>,
    pub line: Arc<str>,
    pub mode: Mode,
    pub phase: Option<Phase>,
    pub unit: Option<Arc<str>>,
    pub area: Area,
    /// When they run out without an answer, the caller gets the last failure's own status.
    pub steps: Arc<[Step]>,
    pub matched: Arc<[Matched]>,
    /// How long the caller may wait unanswered, for carriers that drop long early calls: then 200 is sent all the
    /// same. Zero: 200 before the first prompt. A call that announces and rejects is never answered.
    pub early_max: Duration,
    /// The text that a seat has spoken to a caller whom it cannot connect to this line, only name it (话务引导).
    pub guide: Option<Arc<str>>,
    /// The line's word about asking for an opinion, where it has one.
    pub survey: Option<Arc<LineSurvey>>,
    /// The names of the ticket backends that get this call; empty: all but `withheld`.
    pub tickets: Arc<[Arc<str>]>,
    /// The plan's word on whether it is recorded.
    pub record: Option<bool>,
    /// The ticket backends that get it only for its subjects.
    pub withheld: Arc<[Arc<str>]>,
    /// The place whose platform this is for the call, where it has none of its own.
    pub tenant: Option<Arc<str>>,
    /// The plan's revision, for the record.
    pub revision: Arc<str>,
}

/// A line's own word about asking its callers for an opinion: it goes before that of the queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineSurvey {
    pub asks: Option<bool>,
    pub prompt: Option<Arc<str>>,
}

/// One thing to do with the caller; the next follows when it ends without an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Play a prompt early (183), or after 200 where `answered`.
    Announce { prompt: Arc<str>, answered: bool },
    /// Wait for a human seat of this queue.
    Queue { queue: Arc<str>, high: bool },
    /// Call these parties, one after another, each for `timeout`. A failure that is not among `advance` is the
    /// caller's: neither the next target nor the next step follows.
    Ring { targets: Vec<Target>, timeout: Duration, advance: Advance },
    /// Only who presses this key within the time goes on to the next step; it counts while the prompt before speaks, too.
    Offer { key: char, wait: Duration },
    /// Ask for one of these keys, after `wrong` where another was pressed. Who presses none of them within `wait`, after `tries`
    /// times of asking, goes on to the next step; for the others see [`pressed`].
    Menu { prompt: Arc<str>, wrong: Option<Arc<str>>, keys: Arc<[MenuKey]>, wait: Duration, tries: u32 },
    /// Offer to ring the caller back: who presses the key within `wait` is listed, and the call is over.
    Callback { prompt: Arc<str>, key: char, wait: Duration },
    /// Take a message, after this prompt and a tone, until this key is pressed and no longer than `most`; then the call is over. Where
    /// nothing can be recorded, or nothing is said, the next step follows.
    Message { prompt: Arc<str>, key: char, most: Duration },
    /// Refuse: SIP status and Q.850 cause.
    Reject { status: u16, q850: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The number to call.
    pub number: Arc<str>,
    /// The trunk to call it by; none: the configuration's default route.
    pub trunk: Option<Arc<str>>,
    /// An emergency line's: it may see whom others may not.
    pub emergency: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Telephone area code without the leading 0.
    pub code: Option<Arc<str>>,
    /// `dialled`, `trunk`, `prefix-table`, `plan`, `unknown`.
    pub source: &'static str,
}

/// A rule that took part in the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    pub file: Arc<str>,
    pub line: usize,
    pub rule: Arc<str>,
}

/// A loaded plan: immutable, shared by the calls that began with it.
#[derive(Debug)]
pub struct Plan {
    /// The plan's name, as its header says.
    pub name: Arc<str>,
    /// The notice that it carries out (文号).
    pub notice: Option<Arc<str>>,
    /// A hash of its text and of all that it includes.
    pub revision: Arc<str>,
    /// Area code without the leading 0, used when no trunk is named.
    pub area: Option<Arc<str>>,
    zone: TimeZone,
    entries: Vec<Entry>,
    /// The first entry that a normalised number has.
    numbers: Map<Box<str>, usize>,
    prefixes: Prefixes,
    tenants: BTreeMap<Box<str>, Tenant>,
    unknown: Entry,
    prompts: Vec<Prompt>,
    subjects: Subjects,
    calendars: BTreeMap<Box<str>, Arc<Calendar>>,
    holidays: BTreeMap<Box<str>, Arc<calendar::Holiday>>,
}

/// A spoken text that the plan refers to; its sound is the file `NAME.al` or `NAME.wav` in the prompts' folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub name: Arc<str>,
    pub text: Arc<str>,
    /// Where it is referred to first.
    pub used: Matched,
}

impl Plan {
    /// Reads a plan. `load` gives a file that the plan includes, named relative to the plan.
    /// On failure all problems come back at once.
    pub fn parse(name: &str, text: impl AsRef<[u8]>, load: &Loader<'_>) -> Result<Plan, Vec<Problem>> {
        check::parse(name, text.as_ref(), load)
    }

    /// Where its dates are meant.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Tells whether some line of it wants to be recorded.
    pub fn records(&self) -> bool {
        self.entries.iter().any(|entry| entry.record == Some(true))
    }

    /// Tells whether some line asks for opinions, whatever its queue says.
    pub fn asks_opinions(&self) -> bool {
        self.entries.iter().filter_map(|entry| entry.survey.as_ref()).any(|survey| survey.asks == Some(true))
    }

    /// The hours of a calendar of the plan.
    pub fn hours(&self, calendar: &str) -> Option<Hours> {
        self.calendars.get(calendar).map(|calendar| Hours { calendar: calendar.clone(), zone: self.zone.clone() })
    }

    /// Every prompt that some call may hear. `apology`, `unknown` and `music` are the switch's own and not among them.
    pub fn prompts(&self) -> &[Prompt] {
        &self.prompts
    }
}

/// Gives a file by its way from the plan's folder, or says why not.
pub type Loader<'a> = dyn Fn(&str) -> Result<Vec<u8>, Text> + 'a;

#[cfg(test)]
mod large_tests;
#[cfg(test)]
pub mod tests {
    use super::*;

    /// A small plan that the room's tests share.
    const TEXT: &str = r#"
[plan]
name = "试验州12345"
notice = "试政办发〔2021〕1号"
area = "691"

[modes.merged]
announce-only-from = 2021-12-01
connect-from = 2021-09-30

[[line]]
number = "12345"
name = "试验州12345政务服务便民热线"
mode = "front"
[[line]]
number = "12336"
name = "全国统一自然资源违法举报电话"
unit = "州自然资源局"
mode = "merged"
[[line]]
number = ["12315", "2122110"]
name = "12315市场监管投诉举报热线"
unit = "州市场监管局"
mode = "parallel"
seats = "kept"
from = 2021-06-01T08:00:00+08:00
ring = "15s"
[[line]]
number = "110"
name = "报警服务电话"
mode = "emergency"

[prompts.connect]
text = "您拨打的{number}热线已并入12345。"
[prompts.announce-only]
text = "请拨12345。"
"#;

    pub fn plan() -> Plan {
        read(TEXT).unwrap()
    }

    pub fn read(text: &str) -> Result<Plan, String> {
        let load = |name: &str| Err(both!("no file {name}", "没有文件 {name}"));
        let shown = |problems: Vec<Problem>| problems.iter().map(|p| format!("{p}\n")).collect::<String>();
        Plan::parse("test.toml", text, &load).map_err(shown)
    }

    pub fn at(when: &str) -> Wall {
        Wall(when.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }
}
