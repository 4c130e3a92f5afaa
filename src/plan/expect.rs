//! `[[expect]]`: tests that stand beside a plan, run by `hotline check`.

use super::explain::local;
use super::fields::{Moment, Table};
use super::problem::{At, Located, Log};
use super::words;
use super::{Decision, Facts, Phase, Plan, Step, pressed};
use crate::base::Wall;

/// Calls, and what must come of each.
#[derive(Debug)]
pub struct Expect {
    /// As they are dialled.
    numbers: Vec<Located<String>>,
    /// None: at all times.
    when: Option<Located<Moment>>,
    trunk: Option<String>,
    trunk_area: Option<String>,
    caller: Option<String>,
    /// The caller presses it at the menu.
    key: Option<Located<String>>,
    outcomes: Vec<Outcome>,
}

/// A word of the row, and what it must be: none for `phase = "none"` and the like.
#[derive(Debug)]
struct Outcome {
    word: &'static str,
    at: At,
    want: String,
}

/// The words that are outcomes; the others are the call.
const OUTCOMES: &[&str] = &[
    "line",
    "unit",
    "mode",
    "phase",
    "steps",
    "area",
    "tenant",
    "prompt",
    "queue",
    "target",
    "advance-on",
    "menu",
    "status",
    "tickets",
];

pub fn read(top: &Table<'_>) -> Vec<Expect> {
    top.tables("expect", words::EXPECT).iter().filter_map(read_row).collect()
}

fn read_row(row: &Table<'_>) -> Option<Expect> {
    let text = |word| row.text(word).map(|t| t.value);
    let mut outcomes = Vec::new();
    for word in OUTCOMES {
        let Some(list) = row.texts(word) else { continue };
        let Some(first) = list.first() else { continue };
        let want: Vec<&str> = list.iter().map(|t| t.value.as_str()).collect();
        outcomes.push(Outcome { word, at: first.at.clone(), want: want.join(", ") });
    }
    Some(Expect {
        numbers: row.need("number", row.texts("number"))?,
        when: row.moment("at"),
        trunk: text("trunk"),
        trunk_area: text("trunk-area"),
        caller: text("caller"),
        key: row.text("key"),
        outcomes,
    })
}

impl Expect {
    /// Makes the row's calls and logs each outcome that differs.
    pub fn run(&self, plan: &Plan, log: &Log) {
        for dialled in &self.numbers {
            for at in self.times(plan, &dialled.value) {
                let facts = Facts {
                    dialled: &dialled.value,
                    caller: self.caller.as_deref(),
                    trunk: self.trunk.as_deref().unwrap_or(""),
                    trunk_area: self.trunk_area.as_deref(),
                    diverted_from: None,
                    at,
                };
                let mut decision = plan.decide(&facts);
                if let Some(key) = &self.key {
                    match pressed(&decision.steps, key.value.chars().next().unwrap_or_default()) {
                        Some(steps) => decision.steps = steps.into(),
                        None => {
                            let (number, key_, when) = (&dialled.value, &key.value, local(at, &plan.zone));
                            let text = both!(
                                "{number} at {when}: no menu has the key `{key_}`",
                                "{number} 在 {when}：没有按键 `{key_}` 的菜单"
                            );
                            log.error(&key.at, text);
                        }
                    }
                }
                for outcome in &self.outcomes {
                    let got = outcome_of(&decision, outcome.word);
                    if got != outcome.want {
                        let when = local(at, &plan.zone);
                        let (number, word, want) = (&dialled.value, outcome.word, &outcome.want);
                        let text = both!(
                            "{number} at {when}: {word} is `{got}`, not `{want}`",
                            "{number} 在 {when}：{word} 是 `{got}`，不是 `{want}`"
                        );
                        log.error(&outcome.at, text);
                    }
                }
            }
        }
    }

    fn times(&self, plan: &Plan, dialled: &str) -> Vec<Wall> {
        match &self.when {
            Some(said) => said.value.resolve(&plan.zone).map(|t| Wall(t.as_microsecond())).into_iter().collect(),
            None => plan.turns(dialled),
        }
    }
}

fn outcome_of(decision: &Decision, word: &str) -> String {
    let texts = |list: Vec<String>| if list.is_empty() { NONE.to_string() } else { list.join(", ") };
    let of_steps = |f: fn(&Step) -> Vec<String>| texts(decision.steps.iter().flat_map(f).collect());
    match word {
        "line" => decision.line.to_string(),
        "unit" => decision.unit.as_deref().unwrap_or(NONE).to_string(),
        "mode" => decision.mode.name().to_string(),
        "phase" => decision.phase.map_or(NONE, Phase::name).to_string(),
        "area" => decision.area.code.as_deref().unwrap_or(NONE).to_string(),
        "tenant" => decision.tenant.as_deref().unwrap_or(NONE).to_string(),
        "tickets" => texts(decision.tickets.iter().map(ToString::to_string).collect()),
        "steps" => of_steps(|s| vec![s.verb().to_string()]),
        "prompt" => of_steps(prompt),
        "queue" => of_steps(queue),
        "target" => of_steps(targets),
        "menu" => of_steps(menu),
        "advance-on" => texts(decision.steps.iter().find_map(advance).unwrap_or_default()),
        _ => of_steps(status),
    }
}

/// How a row says that there is none.
const NONE: &str = "none";

fn prompt(step: &Step) -> Vec<String> {
    if let Step::Announce { prompt, .. } = step { vec![prompt.to_string()] } else { Vec::new() }
}

fn queue(step: &Step) -> Vec<String> {
    if let Step::Queue { queue, .. } = step { vec![queue.to_string()] } else { Vec::new() }
}

fn targets(step: &Step) -> Vec<String> {
    let Step::Ring { targets, .. } = step else { return Vec::new() };
    targets.iter().map(|t| t.number.to_string()).collect()
}

fn menu(step: &Step) -> Vec<String> {
    let Step::Menu { keys, .. } = step else { return Vec::new() };
    keys.iter().map(|one| format!("{} → {}", one.key, one.goal.name())).collect()
}

/// The same in all rings of a line.
fn advance(step: &Step) -> Option<Vec<String>> {
    let Step::Ring { advance, .. } = step else { return None };
    Some(advance.names().map(str::to_string).collect())
}

fn status(step: &Step) -> Vec<String> {
    if let Step::Reject { status, .. } = step { vec![status.to_string()] } else { Vec::new() }
}
