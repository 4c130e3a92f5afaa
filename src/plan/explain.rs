//! Explains what a call would meet, and why: for people and as JSON.

use super::{Facts, Matched, MenuGoal, MenuKey, Phase, Plan, Step, number};
use crate::base::Wall;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::sync::Arc;

/// A decision in words. Its JSON is read by other programs: fields may come, none may change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// As it was dialled, and as the plan reads it.
    pub dialled: String,
    pub number: String,
    /// The steps of reading that lie between the two.
    pub normalised: Vec<String>,
    pub caller: Option<String>,
    /// In the plan's time zone.
    pub at: String,
    pub line: Arc<str>,
    pub mode: &'static str,
    pub phase: Option<&'static str>,
    pub unit: Option<Arc<str>>,
    pub area: ExplainedArea,
    /// The place whose callers are served here for it.
    pub tenant: Option<Arc<str>>,
    pub steps: Vec<ExplainedStep>,
    /// The caller gets this when nobody answers in any step.
    pub otherwise: &'static str,
    /// The backends that get the record; empty: all but those of `tagged`.
    pub tickets: Vec<Arc<str>>,
    /// The backends that get it only with one of these subjects.
    pub tagged: Vec<ExplainedTag>,
    /// It is recorded, or is not, where the plan says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<bool>,
    /// Its callers are asked for an opinion, or are not, where the plan says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survey: Option<bool>,
    /// The plan's holidays that this moment is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    pub matched: Vec<ExplainedRule>,
    pub plan: ExplainedPlan,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedArea {
    pub code: Option<Arc<str>>,
    pub source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum ExplainedStep {
    Announce { prompt: Arc<str>, text: Option<Arc<str>>, answered: bool },
    Queue { queue: Arc<str>, priority: &'static str },
    Ring { targets: Vec<ExplainedTarget>, timeout: f64, advance_on: Vec<&'static str> },
    Offer { key: char, wait: f64 },
    Menu { prompt: Arc<str>, text: Option<Arc<str>>, keys: Vec<ExplainedKey>, wait: f64, tries: u32 },
    Callback { prompt: Arc<str>, key: char, wait: f64 },
    Message { prompt: Arc<str>, key: char, most: f64 },
    Reject { status: u16, q850: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedKey {
    pub key: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Arc<str>>,
    /// The number of the line that it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedTarget {
    pub number: Arc<str>,
    pub trunk: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedTag {
    pub backend: Arc<str>,
    pub subjects: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedRule {
    pub file: Arc<str>,
    pub line: usize,
    pub rule: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedPlan {
    pub name: Arc<str>,
    pub notice: Option<Arc<str>>,
    pub revision: Arc<str>,
}

/// Says what the plan would do with a call, without making one.
pub fn explain(plan: &Plan, facts: &Facts<'_>) -> Explanation {
    let decision = plan.decide(facts);
    Explanation {
        dialled: facts.dialled.to_string(),
        normalised: number::taken_apart(facts.dialled, &decision.number, decision.area.code.as_deref()),
        at: local(facts.at, &plan.zone),
        mode: decision.mode.name(),
        phase: decision.phase.map(Phase::name),
        area: ExplainedArea { code: decision.area.code.clone(), source: decision.area.source },
        steps: decision.steps.iter().map(|s| step(plan, s)).collect(),
        otherwise: otherwise(&decision.steps),
        tickets: decision.tickets.to_vec(),
        tagged: plan.by_subject(&decision.tickets).into_iter().map(tag).collect(),
        record: decision.record,
        survey: decision.survey.as_ref().and_then(|survey| survey.asks),
        holidays: plan
            .holidays
            .iter()
            .filter(|(_, of)| of.is_at(facts.at, &plan.zone))
            .map(|(name, _)| name.to_string())
            .collect(),
        matched: decision.matched.iter().map(rule).collect(),
        plan: ExplainedPlan { name: plan.name.clone(), notice: plan.notice.clone(), revision: plan.revision.clone() },
        number: decision.number,
        tenant: decision.tenant,
        caller: decision.caller,
        line: decision.line,
        unit: decision.unit,
    }
}

fn otherwise(steps: &[Step]) -> &'static str {
    match steps.last() {
        Some(Step::Queue { .. }) => "an apology and 480, when the queue is full or the longest wait is over",
        Some(Step::Ring { .. }) => "the last target's own refusal, or 480 when it did not answer",
        Some(Step::Reject { .. }) => "nothing more: it was never answered, and nobody is charged",
        Some(Step::Callback { .. } | Step::Message { .. }) => "an apology and 480",
        Some(Step::Announce { .. } | Step::Offer { .. } | Step::Menu { .. }) | None => "480",
    }
}

/// A call of this kind through the day that begins at `facts.at`: each moment, to the minute, from which another
/// answer holds.
pub fn day(plan: &Plan, facts: &Facts<'_>) -> Vec<Explanation> {
    let mut turns: Vec<Explanation> = Vec::new();
    for minute in 0..24 * 60 {
        let at = Wall(facts.at.0.saturating_add(minute * 60_000_000));
        let now = explain(plan, &Facts { at, ..*facts });
        if turns.last().is_none_or(|last| (last.phase, &last.line, &last.steps) != (now.phase, &now.line, &now.steps)) {
            turns.push(now);
        }
    }
    turns
}

/// Explains each number of the plan at a moment, by number.
pub fn all(plan: &Plan, at: Wall) -> Vec<Explanation> {
    let mut numbers: Vec<&str> = plan.numbers.keys().map(|number| &**number).collect();
    numbers.sort_unstable();
    let facts = |dialled| Facts { dialled, caller: None, trunk: "", trunk_area: None, diverted_from: None, at };
    numbers.into_iter().map(|number| explain(plan, &facts(number))).collect()
}

impl Step {
    /// The word for it in plans and JSON.
    pub fn verb(&self) -> &'static str {
        match self {
            Step::Announce { .. } => "announce",
            Step::Queue { .. } => "queue",
            Step::Ring { .. } => "ring",
            Step::Offer { .. } => "offer",
            Step::Menu { .. } => "menu",
            Step::Callback { .. } => "callback",
            Step::Message { .. } => "message",
            Step::Reject { .. } => "reject",
        }
    }
}

fn step(plan: &Plan, step: &Step) -> ExplainedStep {
    let text = |prompt: &Arc<str>| plan.prompts.iter().find(|p| p.name == *prompt).map(|p| p.text.clone());
    match step {
        Step::Announce { prompt, answered } => {
            ExplainedStep::Announce { prompt: prompt.clone(), text: text(prompt), answered: *answered }
        }
        Step::Menu { prompt, keys, wait, tries, .. } => ExplainedStep::Menu {
            prompt: prompt.clone(),
            text: text(prompt),
            keys: keys.iter().map(menu_key).collect(),
            wait: wait.as_secs_f64(),
            tries: *tries,
        },
        Step::Callback { prompt, key, wait } => {
            ExplainedStep::Callback { prompt: prompt.clone(), key: *key, wait: wait.as_secs_f64() }
        }
        Step::Message { prompt, key, most } => {
            ExplainedStep::Message { prompt: prompt.clone(), key: *key, most: most.as_secs_f64() }
        }
        Step::Queue { queue, high } => {
            ExplainedStep::Queue { queue: queue.clone(), priority: ["normal", "high"][usize::from(*high)] }
        }
        Step::Ring { targets, timeout, advance } => {
            let targets = targets.iter().map(|t| ExplainedTarget { number: t.number.clone(), trunk: t.trunk.clone() });
            ExplainedStep::Ring {
                targets: targets.collect(),
                timeout: timeout.as_secs_f64(),
                advance_on: advance.names().collect(),
            }
        }
        Step::Offer { key, wait } => ExplainedStep::Offer { key: *key, wait: wait.as_secs_f64() },
        Step::Reject { status, q850 } => ExplainedStep::Reject { status: *status, q850: *q850 },
    }
}

fn menu_key(MenuKey { key, goal }: &MenuKey) -> ExplainedKey {
    let (queue, line) = match goal {
        MenuGoal::Queue(queue) => (Some(queue.clone()), None),
        MenuGoal::Line { number, .. } => (None, Some(number.clone())),
    };
    ExplainedKey { key: *key, queue, line }
}

fn tag((backend, subjects): (Arc<str>, Vec<String>)) -> ExplainedTag {
    ExplainedTag { backend, subjects }
}

fn rule(m: &Matched) -> ExplainedRule {
    ExplainedRule { file: m.file.clone(), line: m.line, rule: m.rule.clone() }
}

/// A moment as people read it: RFC 3339 in the plan's zone.
pub fn local(at: Wall, zone: &TimeZone) -> String {
    let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{at, plan};

    fn explained(dialled: &str, when: &str) -> Explanation {
        let facts =
            Facts { dialled, caller: Some("+8613800138000"), trunk: "", trunk_area: None, diverted_from: None, at: at(when) };
        explain(&plan(), &facts)
    }

    #[test]
    fn people_read_it() {
        insta::assert_snapshot!(explained("069112336", "2021-10-01T00:00:00+08:00").to_string().replace(&*plan().revision, "REVISION"), @r#"
        12336 全国统一自然资源违法举报电话 (州自然资源局)
          dialled  069112336 → 12336: area code 0691 split off
          at       2021-10-01T00:00:00+08:00
          caller   13800138000
          area     691 (dialled)
          mode     merged
          phase    announce-and-connect
          steps    1. announce connect-12336 (before the answer, free of charge): 您拨打的12336热线已并入12345。
                   2. queue 12345 (normal priority) until a seat answers
          else     an apology and 480, when the queue is full or the longest wait is over
          ticket   12336 全国统一自然资源违法举报电话, unit 州自然资源局, merged, announce-and-connect, area 691, caller 13800138000
          matched  test.toml:16: number = "12336"
                   test.toml:9: connect-from = 2021-09-30
          plan     试验州12345, 试政办发〔2021〕1号, revision REVISION
        "#);
    }

    #[test]
    fn programs_read_it() {
        let json = serde_json::to_value(explained("12336", "2021-12-01T00:00:00+08:00")).unwrap();
        for (field, want) in [
            ("number", r#""12336""#),
            ("line", r#""全国统一自然资源违法举报电话""#),
            ("mode", r#""merged""#),
            ("phase", r#""announce-only""#),
            ("unit", r#""州自然资源局""#),
            ("area", r#"{"code":"691","source":"plan"}"#),
            ("caller", r#""13800138000""#),
            (
                "steps",
                r#"[{"answered":false,"do":"announce","prompt":"announce-only","text":"请拨12345。"},{"do":"reject","q850":22,"status":410}]"#,
            ),
            (
                "matched",
                r#"[{"file":"test.toml","line":16,"rule":"number = \"12336\""},{"file":"test.toml","line":8,"rule":"announce-only-from = 2021-12-01"}]"#,
            ),
        ] {
            assert_eq!(json[field].to_string(), want, "{field}");
        }
    }

    #[test]
    fn a_day_turns_at_its_dates() {
        let facts = Facts {
            dialled: "12336",
            caller: None,
            trunk: "",
            trunk_area: None,
            diverted_from: None,
            at: at("2021-11-30T12:00:00+08:00"),
        };
        let turns: Vec<(String, &str)> = day(&plan(), &facts).into_iter().map(|e| (e.at, e.phase.unwrap())).collect();
        assert_eq!(
            turns,
            [("2021-11-30T12:00:00+08:00".into(), "announce-and-connect"), ("2021-12-01T00:00:00+08:00".into(), "announce-only")]
        );
    }

    #[test]
    fn a_plan_is_a_table() {
        let rows: Vec<String> = all(&plan(), at("2021-10-01T00:00:00+08:00")).iter().map(Explanation::row).collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(
            rows[3],
            "12336        merged       announce-and-connect announce, queue   全国统一自然资源违法举报电话 (州自然资源局)"
        );
    }

    #[test]
    fn what_is_not_is_null() {
        let json = serde_json::to_value(explained("12399", "2021-12-01T00:00:00+08:00")).unwrap();
        assert_eq!((&json["phase"], &json["unit"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert_eq!(json["mode"], "unknown");
    }
}
