//! Everything that can be found wrong with a plan before the day comes.

use super::compile::compile;
use super::emergency::{self, Ways};
use super::file::{self, Written};
use super::problem::{At, Located, Log, Severity};
use super::{Loader, Plan, Problem, findings};
use crate::base::{Text, Wall};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A plan is checked against these. Names that are not given are not checked.
pub struct Surroundings<'a> {
    pub queues: Option<&'a [&'a str]>,
    pub trunks: Option<&'a [&'a str]>,
    /// Ticket backends.
    pub backends: Option<&'a [&'a str]>,
    /// Tells whether the sound of a prompt can be played, or why not.
    pub sound: &'a dyn Fn(&str) -> Result<(), Text>,
    /// For emergency lines.
    pub ways: Option<Ways<'a>>,
    /// For dates that have run out.
    pub now: Option<Wall>,
}

/// The findings. The plan is there unless some problem is an error.
#[derive(Debug)]
pub struct Checked {
    pub plan: Option<Plan>,
    pub problems: Vec<Problem>,
}

/// Reads a plan, runs its expectations and looks for what would embarrass on the day. All findings come at once.
///
/// A mistake that follows from another one is not told: a file that cannot be read leaves nothing else to look at, and what a
/// plan would do is only asked of one that is whole.
pub fn check(name: &str, text: impl AsRef<[u8]>, load: &Loader<'_>, around: &Surroundings<'_>) -> Checked {
    let log = Log::default();
    let Some((written, plan)) = whole(name, text.as_ref(), load, &log) else {
        return Checked { plan: None, problems: log.take() };
    };
    if log.is_good() {
        written.expects.iter().for_each(|row| row.run(&plan, &log));
    }
    findings::look(&written, &plan, &log);
    look_at_sounds(&written, &plan, around, &log);
    look_at_names(&written, around, &log);
    look_at_backends(&written, around, &log);
    look_at_calendars(&written, &plan, around, &log);
    around.ways.iter().for_each(|ways| emergency::look(&written, &plan, ways, &log));
    let problems = log.take();
    Checked { plan: accepted(plan, &problems), problems }
}

/// As [`check`], without looking around: what the gateway does with a plan that it loads.
pub fn parse(name: &str, bytes: &[u8], load: &Loader<'_>) -> Result<Plan, Vec<Problem>> {
    let log = Log::default();
    let plan = whole(name, bytes, load, &log);
    let problems = log.take();
    plan.and_then(|(_, plan)| accepted(plan, &problems)).ok_or(problems)
}

/// None when a part of the plan is not known.
fn whole(name: &str, bytes: &[u8], load: &Loader<'_>, log: &Log) -> Option<(Written, Plan)> {
    let written = file::read(name, bytes, load, log);
    (!written.partial).then(|| compile(written, log))
}

fn accepted(plan: Plan, problems: &[Problem]) -> Option<Plan> {
    problems.iter().all(|p| p.severity != Severity::Error).then_some(plan)
}

/// A folder that is not there leaves all prompts without a sound: that is one mistake.
fn look_at_sounds(written: &Written, plan: &Plan, around: &Surroundings<'_>, log: &Log) {
    let mut kinds: BTreeMap<String, (At, Text, Vec<&str>)> = BTreeMap::new();
    for prompt in plan.prompts() {
        let name: &str = &prompt.name;
        if let (Err(why), Some(at)) = ((around.sound)(name), written.place(&prompt.used)) {
            let told = || (at, both!("prompt `{name}`: ", "提示音 `{name}`：").then(&why), Vec::new());
            match kinds.entry(why.en.replace(name, "")) {
                Entry::Vacant(free) => drop(free.insert(told())),
                Entry::Occupied(mut same) => same.get_mut().2.push(name),
            }
        }
    }
    for (at, told, more) in kinds.into_values() {
        let (count, names) = (more.len(), more.join(", "));
        let more = if count == 0 {
            Text::default()
        } else {
            both!("; the same of {count} more: {names}", "；另有 {count} 个相同：{names}")
        };
        log.error(&at, told.then(&more));
    }
}

/// Queues and trunks are the configuration's: a plan only names them.
fn look_at_names(written: &Written, around: &Surroundings<'_>, log: &Log) {
    for rules in written.all_rules() {
        rules.queue.iter().for_each(|queue| known(&both!("queue", "队列"), queue, around.queues, log));
        let led = rules.menu.iter().flat_map(|menu| &menu.keys).filter_map(|key| key.queue.as_ref());
        led.for_each(|queue| known(&both!("queue", "队列"), queue, around.queues, log));
        let trunks = rules.targets.iter().flatten().filter_map(|t| t.trunk.as_ref());
        trunks.for_each(|trunk| known(&both!("trunk", "中继"), trunk, around.trunks, log));
    }
    written
        .tenants
        .iter()
        .flat_map(|tenant| &tenant.queue)
        .for_each(|queue| known(&both!("queue", "队列"), queue, around.queues, log));
    let conditions = written.lines.iter().flat_map(|line| &line.when).flat_map(|when| &when.trunk);
    conditions.for_each(|trunk| known(&both!("trunk", "中继"), trunk, around.trunks, log));
}

/// A backend may come later: calls that only it should get are told to nobody until then.
fn look_at_backends(written: &Written, around: &Surroundings<'_>, log: &Log) {
    let Some(names) = around.backends else { return };
    for (name, tickets) in written.tickets.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
        let text = both!(
            "no `[records.backends.{name}]` in the configuration: it gets nothing",
            "配置中没有 `[records.backends.{name}]`：它什么也收不到"
        );
        log.warning(&tickets.at, text.then(&log.suggestion(name, names.iter().copied())));
    }
}

/// Holidays are announced a year at a time: a calendar whose dates are all past was forgotten.
fn look_at_calendars(written: &Written, plan: &Plan, around: &Surroundings<'_>, log: &Log) {
    let Some(now) = around.now.and_then(|now| Timestamp::from_microsecond(now.0).ok()) else { return };
    let today = plan.zone.to_datetime(now).date();
    for (name, calendar) in &written.calendars {
        if let Some(last) = calendar.value.last_date().filter(|last| *last < today) {
            let text = both!("the last date of calendar `{name}`, {last}, is past", "日历 `{name}` 的最后一个日期 {last} 已过");
            log.warning(&calendar.at, text);
        }
    }
}

fn known(what: &Text, said: &Located<String>, names: Option<&[&str]>, log: &Log) {
    let name = said.value.as_str();
    let Some(names) = names.filter(|names| !names.contains(&name)) else { return };
    let text = both!("no {} `{name}` in the configuration", "配置中没有{} `{name}`"; what);
    log.error(&said.at, text.then(&log.suggestion(name, names.iter().copied())));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[plan]
name = "x"
queue = "12345"
[[line]]
number = "12345"
name = "一号通"
unit = "办公室"
mode = "front"
[[line]]
number = "12366"
name = "税务"
mode = "sub-center"
targets = [{ number = "12366", trunk = "tax" }]
advance-on = ["busy", "no-answer"]
[[line]]
number = "12336"
name = "自然资源"
unit = "局"
mode = "merged"
connect-from = 2021-09-30
[prompts.connect]
text = "{number}"
[tickets.main]
[tickets.tourism]
subjects = "旅游投诉"
[[expect]]
number = "12336"
at = 2021-09-29T23:59:59
phase = "announce-and-connect"
steps = ["ring"]
[[expect]]
number = "12345"
mode = "front"
steps = ["announce", "queue"]
advance-on = "none"
[[expect]]
number = "12366"
advance-on = ["busy", "failed"]
"#;

    fn findings(text: &str, queues: &[&str]) -> Vec<String> {
        let sound = |name: &str| Err(Text::foreign(format!("no file {name}.al")));
        let (trunks, backends): (&[&str], &[&str]) = (&["taxes"], &["main"]);
        let around = Surroundings {
            queues: Some(queues),
            trunks: Some(trunks),
            backends: Some(backends),
            sound: &sound,
            ways: None,
            now: None,
        };
        let checked = check("p.toml", text, &|_| Err(Text::foreign("absent")), &around);
        assert_eq!(checked.plan.is_some(), checked.problems.iter().all(|p| p.severity == Severity::Warning));
        checked.problems.iter().map(|p| p.to_string().lines().next().unwrap().to_string()).collect()
    }

    #[test]
    fn all_findings_come_at_once() {
        assert_eq!(
            findings(TEXT, &["1234"]),
            [
                "p.toml:3:9: no queue `12345` in the configuration; did you mean `1234`?",
                "p.toml:9:1: warning: this line has no `unit`: its tickets will name nobody",
                "p.toml:13:40: no trunk `tax` in the configuration; did you mean `taxes`?",
                "p.toml:15:1: prompt `connect-12336`: no file connect-12336.al",
                "p.toml:24:10: warning: no `[records.backends.tourism]` in the configuration: it gets nothing",
                "p.toml:29:9: 12336 at 2021-09-29T23:59:59+08:00: phase is `not-yet`, not `announce-and-connect`",
                "p.toml:34:10: 12345 at 1970-01-01T08:00:00+08:00: steps is `queue`, not `announce, queue`",
                "p.toml:38:15: 12366 at 1970-01-01T08:00:00+08:00: advance-on is `busy, no-answer`, not `busy, failed`",
            ]
        );
    }
}
