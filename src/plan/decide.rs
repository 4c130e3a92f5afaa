use super::compile::{Entry, Era};
use super::number;
use super::{Area, Decision, Facts, Plan};
use crate::base::Wall;

impl Plan {
    /// What to do with a call. Never fails: a number that no line has gets the plan's default.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let home: Vec<&str> = facts.trunk_area.into_iter().chain(self.area.as_deref()).collect();
        let called = number::called(facts.dialled, &home, &|n| self.numbers.contains_key(n));
        let entry = self.numbers.get(called.number.as_str()).and_then(|i| self.entries.get(*i)).unwrap_or(&self.unknown);
        let era = entry.era(facts.at);
        Decision {
            caller: facts.caller.and_then(|c| number::caller(c, home.first().copied())),
            line: entry.line.clone(),
            mode: entry.mode,
            phase: era.phase,
            unit: entry.unit.clone(),
            area: self.area_of(called.area.as_deref(), facts),
            steps: era.steps.clone(),
            matched: era.matched.clone(),
            early_max: entry.early_max,
            tickets: entry.tickets.clone(),
            revision: self.revision.clone(),
            number: called.number,
        }
    }

    /// 属地: the dialled area code, the trunk's own, the plan's where no trunk is named, else unknown.
    fn area_of(&self, dialled: Option<&str>, facts: &Facts<'_>) -> Area {
        let known = |code: &str, source| Area { code: Some(code.into()), source };
        match (dialled, facts.trunk_area, &self.area) {
            (Some(code), _, _) => known(code, "dialled"),
            (None, Some(code), _) => known(code, "trunk"),
            (None, None, Some(code)) if facts.trunk.is_empty() => Area { code: Some(code.clone()), source: "plan" },
            _ => Area { code: None, source: "unknown" },
        }
    }
}

impl Entry {
    fn era(&self, at: Wall) -> &Era {
        let begun = self.eras.partition_point(|era| era.from <= at);
        &self.eras[begun.max(1) - 1]
    }
}
