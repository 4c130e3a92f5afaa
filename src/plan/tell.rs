//! An explanation as people read it.

use super::explain::{ExplainedStep, ExplainedTarget, Explanation};
use std::fmt::{Display, Formatter, Result};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let unit = self.unit.as_deref().map_or(String::new(), |u| format!(" ({u})"));
        writeln!(f, "{} {}{unit}", self.number, self.line)?;
        field(f, "dialled", format!("{} → {}: {}", self.dialled, self.number, self.normalised.join(", ")))?;
        field(f, "at", &self.at)?;
        self.caller.iter().try_for_each(|caller| field(f, "caller", caller))?;
        field(f, "area", format!("{} ({})", self.area.code.as_deref().unwrap_or("unknown"), self.area.source))?;
        self.tenant.iter().try_for_each(|tenant| field(f, "tenant", tenant))?;
        field(f, "mode", self.mode)?;
        field(f, "phase", self.phase.unwrap_or("none: not dated, or in force"))?;
        list(f, "steps", self.steps.iter().enumerate().map(|(i, step)| format!("{}. {step}", i + 1)))?;
        field(f, "else", self.otherwise)?;
        field(f, "ticket", self.ticket())?;
        list(f, "matched", self.matched.iter().map(|rule| format!("{}:{}: {}", rule.file, rule.line, rule.rule)))?;
        let notice = self.plan.notice.as_deref().map_or(String::new(), |n| format!(", {n}"));
        field(f, "plan", format!("{}{notice}, revision {}", self.plan.name, self.plan.revision))
    }
}

impl Explanation {
    /// One line of a table: number, mode, phase, steps, name, unit.
    pub fn row(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(ExplainedStep::verb).collect();
        let (phase, unit) = (self.phase.unwrap_or("-"), self.unit.as_deref().unwrap_or("-"));
        format!("{:<12} {:<12} {phase:<20} {:<17} {} ({unit})", self.number, self.mode, steps.join(", "), self.line)
    }

    /// The time of day, then the row.
    pub fn turn(&self) -> String {
        format!("{} {}", self.at.get(11..16).unwrap_or("--:--"), self.row())
    }

    /// Says what the record carries of this, and to whom.
    fn ticket(&self) -> String {
        let mut parts = vec![format!("{} {}", self.number, self.line)];
        parts.extend(self.unit.iter().map(|unit| format!("unit {unit}")));
        parts.push(self.mode.to_string());
        parts.extend(self.phase.map(str::to_string));
        parts.extend(self.area.code.iter().map(|area| format!("area {area}")));
        parts.extend(self.caller.iter().map(|caller| format!("caller {caller}")));
        let backends = if self.tickets.is_empty() { String::new() } else { format!("; to {}", self.tickets.join(", ")) };
        let tagged = self.tagged.iter().map(|tag| format!("; to {} once tagged {}", tag.backend, tag.subjects.join(" or ")));
        parts.join(", ") + &backends + &tagged.collect::<String>()
    }
}

impl ExplainedStep {
    fn verb(&self) -> &'static str {
        match self {
            ExplainedStep::Announce { .. } => "announce",
            ExplainedStep::Queue { .. } => "queue",
            ExplainedStep::Ring { .. } => "ring",
            ExplainedStep::Offer { .. } => "offer",
            ExplainedStep::Reject { .. } => "reject",
        }
    }
}

fn list(f: &mut Formatter<'_>, name: &str, values: impl Iterator<Item = String>) -> Result {
    values.enumerate().try_for_each(|(i, value)| field(f, if i == 0 { name } else { "" }, value))
}

fn field(f: &mut Formatter<'_>, name: &str, value: impl Display) -> Result {
    writeln!(f, "  {name:<8} {value}")
}

impl Display for ExplainedStep {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            ExplainedStep::Announce { prompt, text, answered } => {
                let when = if *answered { "after the answer" } else { "before the answer, free of charge" };
                write!(f, "announce {prompt} ({when})")?;
                text.iter().try_for_each(|text| write!(f, ": {text}"))
            }
            ExplainedStep::Queue { queue, priority } => write!(f, "queue {queue} ({priority} priority) until a seat answers"),
            ExplainedStep::Ring { targets, timeout, advance_on } => {
                let all: Vec<String> = targets.iter().map(ToString::to_string).collect();
                write!(f, "ring {} for {timeout} s each, going on after {}", all.join(", then "), advance_on.join(", "))
            }
            ExplainedStep::Offer { key, wait } => write!(f, "go on when key {key} is pressed within {wait} s"),
            ExplainedStep::Reject { status, q850 } => write!(f, "reject with {status} (Q.850 cause {q850})"),
        }
    }
}

impl Display for ExplainedTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.number)?;
        self.trunk.iter().try_for_each(|trunk| write!(f, " by {trunk}"))
    }
}
