//! Numbers that no rule for many numbers touches: emergency lines, those that the plan has for emergencies and their targets, and 12345.

use super::emergency::EMERGENCY;
use super::number::{is_area, split_area};
use super::{Mode, Plan, Step};

/// The number of all hotlines, which no rule changes by accident either.
const HOTLINE: &str = "12345";
/// A shorter number is no line of anybody's.
const SHORTEST: usize = 3;
const LONGEST_PREFIX: usize = 3;
/// Spellings of one line: what may stand before its area, and areas of each length, `A` any digit and `B` what none but they begin with.
const COUNTRIES: [&str; 4] = ["+86", "0086", "86", "+"];
const AREAS: [&str; 7] = ["", "10", "2A", "BAA", "010", "02A", "0BAA"];

/// One of these numbers, taken out of its spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// A short number, or a subscriber's without its area.
    digits: String,
    /// Without the leading 0, where it is written.
    area: Option<String>,
    /// It may as well be a subscriber's number, whose first digits are no area.
    doubtful: bool,
}

/// The numbers that a table of rules is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesFor {
    CalledIn,
    CalledOut,
    Callers,
}

/// The emergency lines of a plan, each with its targets behind it. Those that are one everywhere are kept besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept(Vec<Vec<Line>>);

impl Line {
    /// As the plan writes a number.
    fn of_plan(number: &str) -> Line {
        let national = number.strip_prefix('0').filter(|rest| !rest.starts_with('0'));
        match national.and_then(split_area).filter(|(_, rest)| rest.len() >= SHORTEST) {
            Some((area, rest)) => Line { digits: rest.to_owned(), area: Some(area.to_owned()), doubtful: false },
            None => Line { digits: number.to_owned(), area: None, doubtful: false },
        }
    }

    /// The same line, as far as both say where it is: each city's 110 is its own.
    pub fn is(&self, other: &Line) -> bool {
        self.digits == other.digits && self.may_be_beside(other)
    }

    fn may_be_beside(&self, other: &Line) -> bool {
        self.area.is_none() || other.area.is_none() || self.area == other.area
    }

    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    pub fn has_area(&self) -> bool {
        self.area.is_some()
    }

    fn is_urgent(&self) -> bool {
        self.digits != HOTLINE
    }
}

impl Kept {
    /// Those that are kept everywhere, whatever a plan says.
    pub const EVERYWHERE: Kept = Kept(Vec::new());

    /// The line that this is, however it is spelt; the longest, since 12110 ends in 110.
    pub fn find(&self, number: &str) -> Option<Line> {
        let country = COUNTRIES.into_iter().find_map(|country| number.strip_prefix(country));
        let national = country.unwrap_or(number);
        let area = |digits: &str| {
            let area = national.strip_suffix(digits).map(|area| area.strip_prefix('0').unwrap_or(area));
            area.filter(|area| area.is_empty() || is_area(area))
        };
        let found = self.digits().filter_map(|digits| Some((digits, area(digits)?)));
        let (digits, area) = found.max_by_key(|(digits, _)| digits.len())?;
        let subscriber = matches!(national.len(), 7 | 8) && !national.starts_with(['0', '1']);
        let doubtful = country.is_none() && subscriber && !area.is_empty();
        Some(Line { digits: digits.to_owned(), area: Some(area.to_owned()).filter(|area| !area.is_empty()), doubtful })
    }

    /// A target of emergency lines that is none itself, such as the telephone of whoever is on duty.
    pub fn is_target_alone(&self, line: &Line) -> bool {
        let heads = self.0.iter().filter_map(|family| family.first()).map(|head| head.digits.as_str());
        EMERGENCY.into_iter().chain([HOTLINE]).chain(heads).all(|known| known != line.digits)
    }

    fn digits(&self) -> impl Iterator<Item = &str> {
        EMERGENCY.into_iter().chain([HOTLINE]).chain(self.0.iter().flatten().map(|line| line.digits.as_str()))
    }

    /// Tells whether a rule for this number alone may make `next` of it: a call for help leads to its own line, or to a target that the
    /// plan has for this very line, in no other area. The plan reads what comes of a call in, and knows lines alone; a call out may get
    /// the prefix that an exchange wants before the line itself.
    pub fn allows(&self, before: Option<&Line>, next: &str, of: RulesFor) -> bool {
        let Some(before) = before.filter(|line| line.is_urgent()) else { return true };
        let Some(after) = self.find(next) else { return of == RulesFor::CalledOut && self.is_behind_a_prefix(before, next) };
        after.may_be_beside(before)
            && self.0.iter().any(|family| {
                let has = |wanted: &Line, of: &[Line]| of.iter().any(|line| line.is(wanted));
                let lines = if of == RulesFor::CalledIn { family.get(..1).unwrap_or_default() } else { family };
                has(before, family) && has(&after, lines)
            })
    }

    /// `next` is the line itself behind the few digits that an exchange wants, in no other area.
    fn is_behind_a_prefix(&self, line: &Line, next: &str) -> bool {
        (1..=LONGEST_PREFIX).filter_map(|at| self.find(next.get(at..)?)).any(|inner| inner.is(line))
    }

    /// Numbers of a pattern (digits, `?` for any; `more`: any others behind them) that are such lines, one of each spelling that the
    /// pattern itself has: only a line's own digits may stand behind it.
    pub fn samples(&self, pattern: &str, more: bool) -> Vec<String> {
        let mut all = Vec::new();
        for digits in self.digits() {
            for (country, area) in [""].into_iter().chain(COUNTRIES).flat_map(|country| AREAS.map(|area| (country, area))) {
                let before = country.len() + area.len();
                // `???????` is written for subscribers' numbers.
                if before == 0 || before <= pattern.len() && !pattern.starts_with('?') {
                    let spelling = country.bytes().chain(area.bytes()).chain(digits.bytes());
                    all.extend(fitted(pattern, more, spelling));
                }
            }
        }
        all
    }
}

/// A number of the pattern that is spelt so; digits that nothing says are nines.
fn fitted(pattern: &str, more: bool, spelling: impl Iterator<Item = u8>) -> Option<String> {
    let (mut number, mut pattern) = (String::new(), pattern.bytes());
    for byte in spelling {
        let said = match pattern.next() {
            None if !more => return None,
            Some(b'?') if byte == b'+' => return None,
            None | Some(b'?') => None,
            Some(said) => Some(said),
        };
        let is = match byte {
            b'A' => Some(said.unwrap_or(b'9')).filter(u8::is_ascii_digit),
            b'B' => Some(said.unwrap_or(b'9')).filter(|digit| (b'3'..=b'9').contains(digit)),
            byte => Some(byte).filter(|byte| said.is_none_or(|said| said == *byte)),
        };
        number.push(char::from(is?));
    }
    (pattern.next().is_none()).then_some(number)
}

impl Plan {
    /// The numbers that it has for emergencies.
    pub fn kept(&self) -> Kept {
        let mut families: Vec<Vec<Line>> = Vec::new();
        for (number, first) in &self.numbers {
            let urgent: Vec<_> = self.chain(*first).filter(|entry| entry.mode == Mode::Emergency).collect();
            if urgent.is_empty() {
                continue;
            }
            let steps = urgent.iter().flat_map(|entry| &entry.eras).flat_map(|era| era.steps.iter());
            let rung = steps.filter_map(|step| if let Step::Ring { targets, .. } = step { Some(targets) } else { None });
            let mut family = vec![Line::of_plan(number)];
            for line in rung.flatten().map(|target| Line::of_plan(&target.number)) {
                if !family.contains(&line) {
                    family.push(line);
                }
            }
            families.push(family.into_iter().filter(|line| line.digits.len() >= SHORTEST).collect());
        }
        families.sort_unstable();
        Kept(families)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::read;
    use std::collections::BTreeSet;

    const PLAN: &str = r#"
[plan]
name = "x"
area = "691"
[[line]]
number = "12345"
mode = "front"
[[line]]
number = "110"
mode = "emergency"
targets = [{ number = "0971-110", area = "971" }, { number = "0970-110", area = "970" }, "0691-8110110", "110"]
[[line]]
number = "119"
mode = "emergency"
[[line]]
number = "96119"
mode = "emergency"
targets = ["119"]
"#;

    fn kept() -> Kept {
        read(PLAN).unwrap().kept()
    }

    fn line(digits: &str, area: &str) -> Line {
        Line { digits: digits.to_owned(), area: Some(area.to_owned()).filter(|area| !area.is_empty()), doubtful: false }
    }

    #[test]
    fn a_line_is_found_in_every_spelling() {
        for (number, digits, area) in [
            ("110", "110", ""),
            ("0691110", "110", "691"),
            ("+8669196119", "96119", "691"),
            ("008610119", "119", "10"),
            ("06918110110", "8110110", "691"),
            ("8110110", "8110110", ""),
            ("+86 8110110", "", ""),
            ("12110", "12110", ""),
            ("069112345", "12345", "691"),
            ("06912122110", "", ""),
            ("12366", "", ""),
        ] {
            let wanted = Some(line(digits, area)).filter(|line| !line.digits.is_empty());
            assert_eq!(kept().find(number), wanted, "{number}");
        }
        assert_eq!(Kept::EVERYWHERE.find("96119"), None, "the plan's own");
    }

    #[test]
    fn a_call_for_help_leads_to_its_own_line_and_target_alone() {
        let kept = kept();
        let allows = |before, after, of| kept.allows(kept.find(before).as_ref(), after, of);
        let out = RulesFor::CalledOut;
        for (before, after) in [
            ("110", "06918110110"),
            ("0691110", "8110110"),
            ("96119", "119"),
            ("9110", "110"),
            ("110", "9110"),
            ("0971110", "90971110"),
        ] {
            assert!(allows(before, after, out), "{before} → {after}");
        }
        assert!(!allows("110", "9110", RulesFor::CalledIn), "the plan would not know it");
        for (before, after) in [
            ("110", "119"),
            ("119", "96110"),
            ("110", "12345"),
            ("0971110", "0970110"),
            ("0971110", "06918110110"),
            ("110", "06912122110"),
            ("120", "119"),
            ("0971110", "90970110"),
            ("110", "9119"),
        ] {
            assert!(!allows(before, after, out), "{before} → {after}");
        }
        let called_in = RulesFor::CalledIn;
        assert!(allows("06918110110", "110", called_in) && !allows("110", "06918110110", called_in), "no line of the plan");
    }

    #[test]
    fn samples_are_of_the_pattern_and_of_each_spelling() {
        let samples = |pattern: &str, more| BTreeSet::from_iter(kept().samples(pattern, more));
        let all = |numbers: &[&str]| BTreeSet::from_iter(numbers.iter().map(|number| (*number).to_owned()));
        assert_eq!(samples("0691???", false), all(&["0691110", "0691112", "0691119", "0691120", "0691122"]));
        assert_eq!(samples("06912?", false), all(&[]));
        assert_eq!(samples("0???96119", false), all(&["099996119", "008696119"]), "any area, or the country");
        assert!(samples("", true).is_superset(&all(&["110", "12345", "96119", "8110110"])));
        let abroad = samples("+86", true);
        assert!(abroad.contains("+86110") && abroad.iter().all(|number| number.starts_with("+86")), "{abroad:?}");
    }
}
