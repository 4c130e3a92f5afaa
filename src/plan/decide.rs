use super::condition::Call;
use super::entry::{Entry, Tenant};
use super::number::{self, Called};
use super::{Area, Decision, Facts, Mode, Plan, Step};
use crate::base::Wall;
use crate::base::trap::{self, Trap};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Plan {
    /// Decides what to do with a call. Never fails: a number that no line has gets the plan's default.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let called = self.called(facts.dialled, facts.trunk_area);
        let caller = facts.caller.and_then(|c| number::caller(c, facts.trunk_area.or(self.area.as_deref())));
        let area = self.area_of(called.area.as_deref(), caller.as_deref(), facts);
        let code = area.code.as_deref();
        let call = Call { trunk: facts.trunk, caller: caller.as_deref(), area: code, at: facts.at, zone: &self.zone };
        trap::spring(Trap::Plan);
        let entry = self.entry(&called.number, &call);
        let era = entry.era(facts.at);
        let tenant: Option<&Tenant> = code.and_then(|code| self.tenants.get(code));
        let urgent = facts.diverted_from.is_some_and(|number| self.is_emergency(number, None));
        Decision {
            line: entry.line.clone(),
            mode: entry.mode,
            phase: era.phase,
            unit: entry.unit.clone(),
            steps: self.with_lines(entry.steps(era, &call, tenant, urgent), &call, (tenant, urgent)),
            matched: era.matched.clone(),
            early_max: entry.early_max,
            guide: entry.guide.clone(),
            survey: entry.survey.clone(),
            tickets: entry.tickets.clone(),
            record: entry.record,
            withheld: self.subjects.withheld(&entry.tickets),
            tenant: tenant.map(|t| t.name.clone()),
            revision: self.revision.clone(),
            number: called.number,
            caller,
            area,
        }
    }

    /// Normalised as [`Decision::number`] is.
    pub fn number(&self, dialled: &str, trunk_area: Option<&str>) -> String {
        self.called(dialled, trunk_area).number
    }

    /// Tells whether the plan has this number.
    pub fn has(&self, dialled: &str, trunk_area: Option<&str>) -> bool {
        self.numbers.contains_key(&*self.number(dialled, trunk_area))
    }

    /// A caller's number as [`Decision::caller`] has it; none when this is no number.
    pub fn caller(&self, written: &str) -> Option<String> {
        number::caller(written, self.area.as_deref())
    }

    /// The number that the plan's own seats answer first of all (首接负责: where a caller stays when nobody else has it).
    pub fn front(&self) -> Option<&str> {
        let front = self.entries.iter().position(|entry| entry.mode == Mode::Front)?;
        let numbers = self.numbers.iter().filter(|(_, first)| self.chain_has(**first, front));
        numbers.map(|(number, _)| &**number).min()
    }

    /// The area codes among which somebody must choose an emergency line that this plan decided on, since each city's 110
    /// is its own: the call's own area is not known, or has no line here.
    pub fn areas_to_choose(&self, decision: &Decision) -> Vec<Arc<str>> {
        let rings = decision.steps.iter().any(|step| matches!(step, Step::Ring { .. }));
        if decision.mode != Mode::Emergency || (decision.area.code.is_some() && rings) {
            return Vec::new();
        }
        let gates = self.entries_of(&decision.number).flat_map(|entry| entry.gates.iter());
        let areas: BTreeSet<&str> = gates.flat_map(|gate| gate.areas()).map(String::as_str).collect();
        areas.into_iter().map(Arc::from).collect()
    }

    /// Tells whether calls to this number, as somebody in this area wrote it, are calls for help.
    pub fn is_emergency(&self, number: &str, trunk_area: Option<&str>) -> bool {
        self.entries_of(&self.called(number, trunk_area).number).any(|entry| entry.mode == Mode::Emergency)
    }

    fn chain_has(&self, first: usize, wanted: usize) -> bool {
        self.entries.get(wanted).is_some_and(|entry| self.chain(first).any(|one| std::ptr::eq(one, entry)))
    }

    /// A moment in each of a number's eras: the last of the first, the first of the others.
    pub(super) fn turns(&self, dialled: &str) -> Vec<Wall> {
        let mut turns = Vec::new();
        for entry in self.entries_of(&self.called(dialled, None).number) {
            turns.extend(entry.eras.iter().skip(1).map(|era| era.from));
        }
        turns.sort_unstable();
        turns.dedup();
        let before = turns.first().map_or(Wall(0), |first| Wall(first.0 - 1));
        turns.insert(0, before);
        turns
    }

    /// When a day begins in the plan's zone; none outside the calendar.
    pub fn midnight(&self, day: jiff::civil::Date) -> Option<Wall> {
        let begin = self.zone.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        Some(Wall(begin.as_microsecond()))
    }

    /// The day of this moment in the plan's zone, as digits: 20211015.
    pub fn day_of(&self, at: Wall) -> u32 {
        let Ok(at) = jiff::Timestamp::from_microsecond(at.0) else { return 0 };
        let date = self.zone.to_datetime(at).date();
        let part = |part: i8| u32::from(part.unsigned_abs());
        u32::from(date.year().unsigned_abs()) * 10_000 + part(date.month()) * 100 + part(date.day())
    }

    fn called(&self, dialled: &str, trunk_area: Option<&str>) -> Called {
        let home = trunk_area.into_iter().chain(self.area.as_deref());
        number::called(dialled, home, &|n| self.numbers.contains_key(n))
    }

    /// The first entry of a number that is for this call.
    pub(super) fn entry(&self, number: &str, call: &Call<'_>) -> &Entry {
        let fits = |entry: &&Entry| entry.when.as_ref().is_none_or(|when| when.holds(call));
        self.entries_of(number).find(fits).unwrap_or(&self.unknown)
    }

    pub(super) fn entries_of(&self, number: &str) -> impl Iterator<Item = &Entry> {
        self.numbers.get(number).into_iter().flat_map(|first| self.chain(*first))
    }

    /// An entry and those of the same number after it.
    pub(super) fn chain(&self, first: usize) -> impl Iterator<Item = &Entry> {
        std::iter::successors(self.entries.get(first), |entry| entry.next.and_then(|i| self.entries.get(i)))
    }

    /// 属地: the dialled area code, the trunk's own, the operator's table, the plan's where no trunk is named, else
    /// unknown.
    fn area_of(&self, dialled: Option<&str>, caller: Option<&str>, facts: &Facts<'_>) -> Area {
        if let Some(code) = dialled {
            return Area { code: Some(code.into()), source: "dialled" };
        }
        if let Some(code) = facts.trunk_area {
            return Area { code: Some(code.into()), source: "trunk" };
        }
        if let Some(code) = caller.and_then(|caller| self.prefixes.area(caller)) {
            return Area { code: Some(code.clone()), source: "prefix-table" };
        }
        match &self.area {
            Some(code) if facts.trunk.is_empty() => Area { code: Some(code.clone()), source: "plan" },
            _ => Area { code: None, source: "unknown" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Phase;
    use crate::plan::tests::{at, read};

    const TEXT: &str = r#"
[plan]
name = "试验省"
area = "971"
prefixes = "prefixes.csv"
languages = ["zh", "en"]
[variables]
city = "西宁"
pbx = "2666110"

[calendars.office]
hours = ["mon-fri 08:30-18:00"]
holidays = [2021-10-01]

[[tenant]]
area = "970"
name = "海北州"
queue = "12345-970"

[[line]]
number = "12345"
mode = "front"
when = { caller = ["138"], trunk = ["mobile"] }
priority = "high"
[[line]]
number = "12345"
mode = "front"

[[line]]
number = "110"
mode = "emergency"
targets = [{ number = "0971-110", area = "971" }, { number = "0970-110", area = "970" }, "110"]

[[line]]
number = "12315"
mode = "parallel"
seats = "kept"
prompt = "hello"
targets = [{ number = "{pbx}", open = "office", ring = "15s" }, { number = "12315", trunk = "{city}", open = "office" }]

[[line]]
number = "12366"
mode = "sub-center"
targets = [{ number = "12366", open = "office" }]

[[line]]
number = "12339"
mode = "guided"

[prompts.hello]
text = "{city}您好"
[prompts.hello-en]
text = "Hello, {city}"
"#;

    fn plan() -> Plan {
        let load = |name: &str| {
            if name == "prefixes.csv" { Ok(b"1380013,970\n".to_vec()) } else { Err(crate::base::Text::foreign("absent")) }
        };
        Plan::parse("p.toml", TEXT, &load).unwrap()
    }

    fn decide(dialled: &str, caller: &str, trunk: &str, when: &str) -> Decision {
        plan().decide(&Facts { caller: Some(caller), trunk, ..facts(dialled, when) })
    }

    fn facts<'a>(dialled: &'a str, when: &str) -> Facts<'a> {
        Facts { dialled, caller: None, trunk: "", trunk_area: None, diverted_from: None, at: at(when) }
    }

    const MONDAY: &str = "2021-10-11T10:00:00+08:00";
    const NIGHT: &str = "2021-10-11T20:00:00+08:00";

    fn targets(decision: &Decision) -> Vec<String> {
        let rung = decision.steps.iter().filter_map(|s| if let Step::Ring { targets, .. } = s { Some(targets) } else { None });
        rung.flatten().map(|t| t.number.to_string()).collect()
    }

    fn verbs(decision: &Decision) -> Vec<&'static str> {
        decision.steps.iter().map(Step::verb).collect()
    }

    #[test]
    fn the_first_line_that_fits_is_taken() {
        let queue = |high| Step::Queue { queue: "12345".into(), high };
        assert_eq!(&decide("12345", "13811112222", "mobile", MONDAY).steps[..], [queue(true)]);
        assert_eq!(&decide("12345", "13811112222", "fixed", MONDAY).steps[..], [queue(false)]);
        assert_eq!(&decide("12345", "13911112222", "mobile", MONDAY).steps[..], [queue(false)]);
    }

    #[test]
    fn an_emergency_goes_to_the_callers_own_city() {
        assert_eq!(targets(&decide("0971-110", "13900000000", "t", MONDAY)), ["0971110", "110"]);
        assert_eq!(targets(&decide("110", "13800138000", "t", MONDAY)), ["0970110", "110"]);
        let unknown = decide("110", "13900000000", "t", MONDAY);
        assert_eq!((targets(&unknown), unknown.area.source), (vec!["110".to_string()], "unknown"));
    }

    #[test]
    fn where_the_area_is_unknown_somebody_chooses() {
        let plan = plan();
        let choices = |dialled, caller| {
            let decision = plan.decide(&Facts { caller: Some(caller), trunk: "t", ..facts(dialled, MONDAY) });
            let areas = plan.areas_to_choose(&decision);
            areas.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(choices("110", "13900000000"), ["970", "971"]);
        assert_eq!((choices("110", "13800138000"), choices("0971-110", "13900000000")), (vec![], vec![]), "known");
        assert_eq!(choices("12366", "13900000000"), [""; 0], "no emergency");
    }

    #[test]
    fn a_call_that_an_emergency_line_sends_goes_before_others() {
        let plan = plan();
        let high = |from| {
            let steps = plan.decide(&Facts { diverted_from: from, ..facts("12345", MONDAY) }).steps;
            matches!(steps[..], [Step::Queue { high: true, .. }])
        };
        assert!(high(Some("110")) && high(Some("0971110")) && !high(Some("12366")) && !high(None));
        assert_eq!(plan.front(), Some("12345"));
    }

    #[test]
    fn the_operators_table_knows_mobiles_and_the_tenant_follows() {
        let decision = decide("12345", "+8613800138000", "t", MONDAY);
        assert_eq!((decision.area.code.as_deref(), decision.area.source), (Some("970"), "prefix-table"));
        assert_eq!(decision.tenant.as_deref(), Some("海北州"));
        assert_eq!(&decision.steps[..], [Step::Queue { queue: "12345-970".into(), high: false }]);
        assert_eq!(decide("12345", "13900000000", "t", MONDAY).tenant, None);
    }

    #[test]
    fn targets_ring_in_their_hours() {
        let open = decide("12315", "13900000000", "t", MONDAY);
        assert_eq!(verbs(&open), ["announce", "announce", "ring", "ring", "queue"], "in both languages; two time-outs");
        assert_eq!(targets(&open), ["09712666110", "12315"]);
        assert_eq!(verbs(&decide("12315", "13900000000", "t", NIGHT)), ["announce", "announce", "queue"]);
        assert_eq!(verbs(&decide("12366", "13900000000", "t", MONDAY)), ["ring"]);
        let closed = decide("12366", "13900000000", "t", "2021-10-01T10:00:00+08:00");
        assert_eq!(&closed.steps[..], [Step::Reject { status: 480, q850: 20 }]);
    }

    const OFFERED: &str = r#"
[plan]
name = "x"
[[line]]
number = "12380"
mode = "guided"
guide-prompt = "guide"
[[line]]
number = "12388"
mode = "guided"
guide-prompt = "guide"
offer = "1"
offer-for = "8s"
[prompts.guide]
text = "x"
"#;

    #[test]
    fn a_guided_number_is_named_and_may_be_offered() {
        let plan = read(OFFERED).unwrap();
        let named = plan.decide(&facts("12380", MONDAY));
        assert_eq!((verbs(&named), named.guide.as_deref()), (vec!["reject"], Some("guide")));
        let offered = plan.decide(&facts("12388", MONDAY));
        assert_eq!(verbs(&offered), ["announce", "offer", "ring"]);
        assert_eq!(offered.steps[1], Step::Offer { key: '1', wait: std::time::Duration::from_secs(8) });
    }

    #[test]
    fn variables_stand_in_texts() {
        let texts: Vec<(String, String)> = plan().prompts().iter().map(|p| (p.name.to_string(), p.text.to_string())).collect();
        assert_eq!(texts, [("hello".into(), "西宁您好".into()), ("hello-en".into(), "Hello, 西宁".into())]);
        let Step::Ring { targets, .. } = &decide("12315", "1", "t", MONDAY).steps[3] else { panic!("the second ring") };
        assert_eq!(targets[0].trunk.as_deref(), Some("西宁"));
    }

    #[test]
    fn a_mode_begins_on_its_day() {
        let plan = crate::plan::tests::plan();
        let before = plan.decide(&facts("2122110", "2021-06-01T07:59:59+08:00"));
        assert_eq!((before.mode, before.phase, verbs(&before)), (Mode::Parallel, Some(Phase::NotYet), vec!["ring"]));
        let after = plan.decide(&facts("0691-2122110", "2021-06-01T08:00:00+08:00"));
        assert_eq!((after.phase, verbs(&after), after.number.as_str()), (None, vec!["ring", "queue"], "06912122110"));
    }

    #[test]
    fn released_means_gone() {
        let text = "[plan]\nname = \"x\"\n[[line]]\nnumber = \"12336\"\nmode = \"merged\"\nconnect-from = 2020-01-01\nreleased-from = 2020-07-01\nearly-max = \"0s\"\n[prompts.connect]\ntext = \"x\"";
        let plan = read(text).unwrap();
        let decide = |when| plan.decide(&facts("12336", when));
        let connect = decide("2020-06-30T23:59:59+08:00");
        assert_eq!(connect.steps[0], Step::Announce { prompt: "connect".into(), answered: true });
        assert_eq!(&decide("2020-07-01T00:00:00+08:00").steps[..], [Step::Reject { status: 404, q850: 1 }]);
    }
}
