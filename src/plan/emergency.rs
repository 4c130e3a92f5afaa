//! Emergency calls must find a free channel on the day when everybody calls.

use super::condition::Gate;
use super::entry::Entry;
use super::file::Written;
use super::number::is_area;
use super::problem::Log;
use super::{Mode, Plan, Step, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Emergency lines of the mainland: no seat rings one back, whatever the plan says of them.
pub(super) const EMERGENCY: [&str; 9] = ["110", "112", "119", "120", "122", "12110", "12119", "12122", "12395"];

/// The ways out, as far as emergencies care.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// The trunk of targets that name none.
    pub default: &'a str,
    /// The trunks that reserve channels for emergencies.
    pub reserving: &'a [&'a str],
}

/// Warns of emergency numbers whose calls all leave by one trunk that keeps no channel for them.
pub fn look(written: &Written, plan: &Plan, ways: &Ways<'_>, log: &Log) {
    for entry in plan.entries.iter().filter(|entry| entry.mode == Mode::Emergency) {
        let Some(era) = entry.eras.last() else { continue };
        let Some(at) = era.matched.first().and_then(|rule| written.place(rule)) else { continue };
        for trunk in only_ways(entry, ways).into_iter().filter(|trunk| !ways.reserving.contains(trunk)) {
            let text = both!(
                "these emergency calls leave by trunk `{trunk}` alone, and it reserves no channel for them",
                "这些紧急呼叫只能经中继 `{trunk}` 呼出，而该中继没有为其保留通道"
            );
            log.warning(&at, text);
        }
    }
}

/// The trunk of each area's calls that have no other.
fn only_ways<'a>(entry: &'a Entry, ways: &Ways<'a>) -> BTreeSet<&'a str> {
    let (mut all, mut own) = (BTreeSet::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    for (target, gate) in gated_targets(entry) {
        let trunk = target.trunk.as_deref().unwrap_or(ways.default);
        let (areas, rings) = gate.map_or((&[][..], true), |gate| (gate.areas(), !gate.closes()));
        for area in areas {
            own.entry(area).or_default().extend(rings.then_some(trunk));
        }
        all.extend((areas.is_empty() && rings).then_some(trunk));
    }
    let of_areas = own.into_values().chain([BTreeSet::new()]);
    let alone = |own: BTreeSet<&'a str>| match (own.len(), all.len()) {
        (0, 1) => all.first().copied(),
        (1, 0) => own.first().copied(),
        (1, 1) => all.first().filter(|one| own.contains(*one)).copied(),
        _ => None,
    };
    of_areas.filter_map(alone).collect()
}

/// The targets of the mode in force, each with its gate if it has one.
fn gated_targets(entry: &Entry) -> Vec<(&Target, Option<&Gate>)> {
    let steps = entry.eras.last().map_or(&[][..], |era| &era.steps);
    let targets = steps.iter().filter_map(|step| if let Step::Ring { targets, .. } = step { Some(targets) } else { None });
    targets.flatten().enumerate().map(|(i, target)| (target, entry.gates.get(i))).collect()
}

/// Tells whether it is an emergency line everywhere, with a country code and an area code before it or without.
pub fn is_emergency(number: &str) -> bool {
    let country = ["+86", "0086"].into_iter().find_map(|country| number.strip_prefix(country));
    let national = country.unwrap_or(number);
    let with_area = |code: &str| {
        let area = national.strip_suffix(code)?;
        // Only behind a country code an area has no 0 before it: 22110 may be an extension.
        let bare = area.strip_prefix('0').or(country.and(Some(area)));
        (area.is_empty() || bare.is_some_and(is_area)).then_some(())
    };
    EMERGENCY.into_iter().find_map(with_area).is_some()
}

#[cfg(test)]
mod tests {
    use crate::plan::{Surroundings, Ways, check};

    fn findings(targets: &str, reserving: &[&str]) -> Vec<String> {
        let text = format!("[plan]\nname = \"x\"\n[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n{targets}");
        let ways = Some(Ways { default: "mobile", reserving });
        let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways, now: None };
        let checked = check("p", text, &|_| Err(crate::base::Text::foreign("absent")), &around);
        checked.problems.iter().map(|p| p.to_string().lines().next().unwrap().to_string()).collect()
    }

    fn warned(trunk: &str) -> Vec<String> {
        let text = "these emergency calls leave by trunk";
        vec![format!("p:4:1: warning: {text} `{trunk}` alone, and it reserves no channel for them")]
    }

    #[test]
    fn an_emergency_line_has_a_reserved_channel_or_an_alternative() {
        assert_eq!(findings("", &[]), warned("mobile"));
        assert_eq!(findings("", &["mobile"]), [""; 0]);
        assert_eq!(findings("targets = [\"110\", { number = \"110\", trunk = \"fixed\" }]", &[]), [""; 0]);
        assert_eq!(findings("targets = [\"110\", \"112\"]", &[]), warned("mobile"), "by the same trunk");
        let by_area = "targets = [{ number = \"0692110\", area = \"692\", trunk = \"fixed\" }, \"110\"]";
        assert_eq!(findings(by_area, &["fixed"]), warned("mobile"), "callers from elsewhere");
        assert_eq!(findings(by_area, &["mobile"]), [""; 0]);
        let at_day = "targets = [{ number = \"112\", trunk = \"fixed\", open = \"c\" }, \"110\"]\n[calendars.c]\nhours = \"mon 08:00-09:00\"";
        assert_eq!(findings(at_day, &[]), warned("mobile"), "an alternative that closes is none");
    }

    #[test]
    fn an_emergency_line_is_one_with_an_area_before_it_too() {
        for number in ["110", "120", "0691110", "010119", "12110", "021122", "+86110", "+86691110", "0086691119", "+860691120"] {
            assert!(super::is_emergency(number), "{number}");
        }
        for number in
            ["06912122110", "13800138110", "02110", "1110", "12345", "087112345120", "22110", "+8613800138110", "+866912122110"]
        {
            assert!(!super::is_emergency(number), "{number}");
        }
    }
}
