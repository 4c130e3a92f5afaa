use super::compile::{Entry, Era};
use super::number::{self, Called};
use super::{Area, Decision, Facts, Plan};
use crate::base::Wall;

impl Plan {
    /// What to do with a call. Never fails: a number that no line has gets the plan's default.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let called = self.called(facts.dialled, facts.trunk_area);
        let entry = self.entry(&called.number);
        let home = facts.trunk_area.or(self.area.as_deref());
        let era = entry.era(facts.at);
        Decision {
            caller: facts.caller.and_then(|c| number::caller(c, home)),
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

    /// A moment in each of a number's eras: the last of the first, the first of the others.
    pub fn turns(&self, dialled: &str) -> Vec<Wall> {
        let entry = self.entry(&self.called(dialled, None).number);
        let turns: Vec<Wall> = entry.eras.iter().skip(1).map(|era| era.from).collect();
        let before = turns.first().map_or(Wall(0), |first| Wall(first.0 - 1));
        std::iter::once(before).chain(turns).collect()
    }

    fn called(&self, dialled: &str, trunk_area: Option<&str>) -> Called {
        let home = trunk_area.into_iter().chain(self.area.as_deref());
        number::called(dialled, home, &|n| self.numbers.contains_key(n))
    }

    fn entry(&self, number: &str) -> &Entry {
        self.numbers.get(number).and_then(|i| self.entries.get(*i)).unwrap_or(&self.unknown)
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
