//! Number rules of a trunk: how its spelling of numbers becomes ours, and ours its. A small ordered table for each direction; it has no
//! regular expressions, so that its cost is that of its rows.

use super::kept::{Kept, Line, RulesFor};
use crate::base::Text;

/// No pattern and no prepended digits are longer: E.164 allows 15 digits, prefixes come before them.
const LONGEST: usize = 24;

/// The rules of one direction, and the numbers that those for many numbers leave alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberRules {
    rules: Vec<NumberRule>,
    kept: Kept,
}

/// A rule: numbers of this pattern lose so many characters at their beginning and get others.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRule {
    pattern: Pattern,
    strip: usize,
    prepend: String,
    /// No further rule is looked at.
    stop: bool,
}

/// Digits, perhaps behind a `+`; `?` is any digit, `*` at the end any number of them.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    /// Without the star.
    digits: String,
    more: bool,
}

/// A number that rules have rewritten.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewritten {
    pub number: String,
    /// The rules that have, by their places.
    pub rules: Vec<usize>,
}

/// The key of a rule whose value is wrong, and why.
pub type Wrong = (&'static str, Text);

impl NumberRule {
    pub fn new(pattern: &str, strip: usize, prepend: &str, stop: bool) -> Result<NumberRule, Wrong> {
        let pattern = Pattern::read(pattern).ok_or_else(|| {
            let why = both!(
                "`{pattern}` is no pattern: digits, perhaps behind a `+`, `?` for any digit, `*` at the end for any more",
                "`{pattern}` 不是号码模式：由数字组成，可以 `+` 开头，`?` 为任一数字，末尾 `*` 为任意多位"
            );
            ("match", why)
        })?;
        let length = pattern.digits.len();
        if strip > length {
            let why = both!(
                "takes off {strip} characters, and `match` names {length}",
                "去掉 {strip} 个字符，而 `match` 只写明 {length} 个"
            );
            return Err(("strip", why));
        }
        let digits = prepend.strip_prefix('+').unwrap_or(prepend);
        if prepend.len() > LONGEST || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(("prepend", both!("`{prepend}` is no beginning of a number", "`{prepend}` 不是号码的开头")));
        }
        // A sign within a number is none.
        if strip == 0 && !prepend.is_empty() && pattern.digits.starts_with('+') {
            return Err(("prepend", both!("stands before a `+`: strip that", "位于 `+` 之前：请先去掉 `+`")));
        }
        if strip == length && !pattern.more && digits.is_empty() {
            return Err(("strip", both!("leaves nothing of the number", "号码被全部去掉")));
        }
        Ok(NumberRule { pattern, strip, prepend: prepend.to_owned(), stop })
    }

    /// The number by this rule; none where it does not match, or would leave nothing.
    fn apply(&self, number: &str) -> Option<String> {
        let rest = number.get(self.strip..).filter(|_| self.pattern.matches(number))?;
        // Nothing stands before the + of an international number.
        if rest.starts_with('+') && !self.prepend.is_empty() {
            return None;
        }
        let next = format!("{}{rest}", self.prepend);
        next.ends_with(|c: char| c.is_ascii_digit()).then_some(next)
    }

    fn only_prepends(&self) -> bool {
        self.strip == 0
    }

    /// It is written for one number alone.
    fn is_exact(&self) -> bool {
        !self.pattern.more && !self.pattern.digits.contains('?')
    }
}

impl Pattern {
    fn read(text: &str) -> Option<Pattern> {
        let (digits, more) = text.strip_suffix('*').map_or((text, false), |digits| (digits, true));
        let plain = digits.strip_prefix('+').unwrap_or(digits);
        let good = digits.len() <= LONGEST && plain.bytes().all(|b| b.is_ascii_digit() || b == b'?');
        (good && (more || !plain.is_empty())).then(|| Pattern { digits: digits.to_owned(), more })
    }

    fn matches(&self, number: &str) -> bool {
        let long = if self.more { number.len() >= self.digits.len() } else { number.len() == self.digits.len() };
        long && self.digits.bytes().zip(number.bytes()).all(|(wanted, is)| fits(wanted, is))
    }

    /// It matches all that the other does.
    fn covers(&self, other: &Pattern) -> bool {
        let long = match (self.more, other.more) {
            (true, _) => other.digits.len() >= self.digits.len(),
            (false, more) => !more && other.digits.len() == self.digits.len(),
        };
        long && self.digits.bytes().zip(other.digits.bytes()).all(|(wanted, is)| wanted == is || fits(wanted, is))
    }
}

fn fits(wanted: u8, is: u8) -> bool {
    wanted == is || wanted == b'?' && is.is_ascii_digit()
}

impl NumberRules {
    pub const NONE: NumberRules = NumberRules { rules: Vec::new(), kept: Kept::EVERYWHERE };

    pub fn new(rules: Vec<NumberRule>) -> NumberRules {
        NumberRules { rules, ..NumberRules::NONE }
    }

    /// The same, where these numbers are a plan's own.
    pub fn keeping(self, kept: &Kept) -> NumberRules {
        match self.rules.is_empty() {
            true => self,
            false => NumberRules { kept: kept.clone(), ..self },
        }
    }

    /// The number as the rules make it; none where none matches. Parameters behind it (RFC 3966 §5.1) stay as they are.
    ///
    /// A rule for many numbers never makes a line that is kept of another number, nor another of one, nor one area's of another's: it
    /// is passed over then.
    pub fn apply(&self, text: &str) -> Option<Rewritten> {
        if self.rules.is_empty() {
            return None;
        }
        let (number, rest) = text.trim().split_at(text.trim().find(';').unwrap_or(text.trim().len()));
        let rewritten = self.run(plain(number)?, true)?;
        Some(Rewritten { number: rewritten.number + rest, ..rewritten })
    }

    fn run(&self, mut number: String, careful: bool) -> Option<Rewritten> {
        let mut rules = Vec::new();
        // An area that was taken off is not forgotten: another one must not be put in its place.
        let mut line = self.kept.find(&number);
        for (place, rule) in self.rules.iter().enumerate() {
            let Some(next) = rule.apply(&number) else { continue };
            let becomes = self.kept.find(&next);
            if careful && !rule.is_exact() && !self.may_become(line.as_ref(), rule, becomes.as_ref()) {
                continue;
            }
            let doubted = line.as_ref().is_some_and(Line::is_doubtful);
            if rule.is_exact() || becomes.as_ref().is_some_and(|line| !line.is_doubtful() && (line.has_area() || doubted)) {
                line = becomes;
            }
            rules.push(place);
            number = next;
            if rule.stop {
                break;
            }
        }
        (!rules.is_empty()).then_some(Rewritten { number, rules })
    }

    /// A rule for many numbers may put the prefix that a trunk wants before a telephone that is a target of an emergency line.
    fn may_become(&self, before: Option<&Line>, rule: &NumberRule, after: Option<&Line>) -> bool {
        let prefixed = after.is_none() && rule.only_prepends();
        are_same(before, after) || prefixed && before.is_some_and(|before| self.kept.is_target_alone(before))
    }

    /// The place of a rule to which an earlier one leaves nothing, and of that one.
    pub fn idle(&self) -> impl Iterator<Item = (usize, usize)> {
        let before = |place: usize| self.rules[..place].iter().enumerate().take_while(|(_, rule)| rule.stop);
        (0..self.rules.len()).filter_map(move |place| {
            let covers = |(_, rule): &(usize, &NumberRule)| rule.pattern.covers(&self.rules[place].pattern);
            // A rule that goes on leaves another number to the next.
            let all_stop = self.rules[..place].iter().all(|rule| rule.stop);
            before(place).find(|earlier| all_stop && covers(earlier)).map(|(earlier, _)| (place, earlier))
        })
    }

    /// Rules that would make a line that is kept of another number, another of one, or one area's of another's: their places, a number
    /// that shows it, and what would become of it. A rule for one number alone may do what [`Kept::allows`].
    pub fn dangers(&self, of: RulesFor) -> Vec<(usize, String, String)> {
        let mut found: Vec<(usize, String, String)> = Vec::new();
        for number in self.rules.iter().flat_map(|rule| rule.samples(&self.kept)) {
            let Some(Rewritten { number: next, rules }) = self.run(number.clone(), false) else { continue };
            let (before, after) = (self.kept.find(&number), self.kept.find(&next));
            let Some(last) = rules.last().copied().filter(|_| !are_same(before.as_ref(), after.as_ref())) else { continue };
            let mut used = rules.iter().map(|place| &self.rules[*place]);
            let alone = before.as_ref().is_some_and(|before| self.kept.is_target_alone(before));
            let meant = match after.is_none() && alone && used.clone().all(NumberRule::only_prepends) {
                true => true,
                false => used.all(NumberRule::is_exact) && self.kept.allows(before.as_ref(), &next, of),
            };
            if !meant && found.iter().all(|(place, ..)| *place != last) {
                found.push((last, number, next));
            }
        }
        found
    }
}

/// No line before and none after, or one in one place. A number that may as well be a subscriber's is taken for either.
fn are_same(before: Option<&Line>, after: Option<&Line>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => before.is(after) || before.is_doubtful() && after.is_doubtful(),
        (Some(line), None) | (None, Some(line)) => line.is_doubtful(),
        (None, None) => true,
    }
}

impl NumberRule {
    /// Numbers that it takes, which are such lines or become them.
    fn samples(&self, kept: &Kept) -> Vec<String> {
        let Pattern { digits, more } = &self.pattern;
        let (off, stays) = digits.split_at(self.strip);
        let taken = off.replace('?', "9");
        let mut all = kept.samples(digits, *more);
        let becomes = kept.samples(&format!("{}{stays}", self.prepend), *more);
        all.extend(becomes.iter().filter_map(|next| Some(format!("{taken}{}", next.strip_prefix(self.prepend.as_str())?))));
        all.retain(|number| self.pattern.matches(number));
        // The shortest shows best what is meant.
        all.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        all
    }
}

/// Without the separators that mean nothing (RFC 3966 §5.1.1); none for what is no number.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('+').map_or(("", text), |digits| ("+", digits));
    let is = |c: char| c.is_ascii_digit() || "-.() ".contains(c);
    let good = digits.chars().all(is) && digits.contains(|c: char| c.is_ascii_digit());
    good.then(|| sign.chars().chain(digits.chars().filter(char::is_ascii_digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(pattern: &str, strip: usize, prepend: &str, stop: bool) -> NumberRule {
        NumberRule::new(pattern, strip, prepend, stop).unwrap()
    }

    fn rules(all: &[(&str, usize, &str, bool)]) -> NumberRules {
        NumberRules::new(all.iter().map(|(pattern, strip, prepend, stop)| rule(pattern, *strip, prepend, *stop)).collect())
    }

    fn kept(number: &str) -> Option<Line> {
        Kept::EVERYWHERE.find(number)
    }

    fn given(rules: &NumberRules, number: &str) -> Option<(String, Vec<usize>)> {
        rules.apply(number).map(|rewritten| (rewritten.number, rewritten.rules))
    }

    #[test]
    fn the_first_rule_that_matches_holds_unless_it_goes_on() {
        let rules = rules(&[("+86691???????", 3, "0", true), ("+*", 1, "00", false), ("0086*", 4, "0", true)]);
        assert_eq!(given(&rules, "+866912122110"), Some(("06912122110".into(), vec![0])));
        assert_eq!(given(&rules, "+8610-1234 5678"), Some(("01012345678".into(), vec![1, 2])), "separators mean nothing");
        assert_eq!(given(&rules, "+4930123"), Some(("004930123".into(), vec![1])));
        assert_eq!(given(&rules, "+866912122110;npdi;rn=1"), Some(("06912122110;npdi;rn=1".into(), vec![0])));
        for none in ["12345", "anonymous", "", "+", "1*5"] {
            assert_eq!(given(&rules, none), None, "{none}");
        }
        assert_eq!(NumberRules::default().apply("110"), None);
    }

    #[test]
    fn a_rule_says_what_is_wrong_with_it() {
        for (pattern, strip, prepend, key) in [
            ("", 0, "", "match"),
            ("12x", 0, "", "match"),
            ("1*2", 0, "", "match"),
            ("+", 0, "", "match"),
            ("123", 4, "9", "strip"),
            ("123", 3, "", "strip"),
            ("123", 0, "x", "prepend"),
            ("+86*", 0, "0", "prepend"),
        ] {
            let wrong = NumberRule::new(pattern, strip, prepend, true).unwrap_err();
            assert!(wrong.0 == key && !wrong.1.zh.is_empty(), "{pattern} {strip} {prepend}: {wrong:?}");
        }
    }

    #[test]
    fn a_rule_that_another_leaves_nothing_to_is_found() {
        let idle = |all: &[(&str, usize, &str, bool)]| rules(all).idle().collect::<Vec<_>>();
        assert_eq!(idle(&[("0691*", 0, "", true), ("0691???????", 4, "", true)]), [(1, 0)]);
        assert_eq!(idle(&[("0691???????", 4, "", true), ("0691*", 0, "", true)]), []);
        assert_eq!(idle(&[("0691*", 0, "", false), ("0691???????", 4, "", true)]), [], "it goes on");
        assert_eq!(idle(&[("9?", 1, "", true), ("99", 1, "", true), ("9*", 1, "", true)]), [(1, 0)]);
    }

    /// Rules for many numbers that would touch an emergency line are found when the configuration is checked, and passed over should
    /// they be there all the same.
    #[test]
    fn no_rule_for_many_numbers_touches_an_emergency_line() {
        for (all, number, next) in [
            (&[("9*", 1, "", true)], "9110", "110"),
            (&[("1*", 0, "9", true)], "110", "9110"),
            (&[("0691*", 4, "9", true)], "0691119", "9119"),
            (&[("8???", 1, "", true)], "8120", "120"),
            (&[("+86691*", 6, "8", true)], "+86691122", "8122"),
            (&[("12*", 2, "99", true)], "12110", "99110"),
            (&[("11?", 2, "12", true)], "110", "120"),
            (&[("1234?", 4, "9", true)], "12345", "95"),
            (&[("99?????", 2, "", true)], "9912345", "12345"),
            (&[("0691*", 4, "0571", true)], "0691110", "0571110"),
            (&[("+86???110", 6, "+86571", true)], "+86691110", "+86571110"),
        ] {
            let rules = rules(all);
            let dangers = rules.dangers(RulesFor::CalledOut);
            assert!(!dangers.is_empty(), "{all:?}");
            assert!(!are_same(kept(&dangers[0].1).as_ref(), kept(&dangers[0].2).as_ref()), "{dangers:?}");
            assert_eq!((rules.run(number.into(), false).unwrap().number, rules.apply(number)), (next.into(), None), "{all:?}");
        }
        for sound in [
            &[("+86691*", 3, "0", true)][..],
            &[("0691*", 4, "", true)],
            &[("691*", 3, "", true)],
            &[("+86*", 3, "", true)],
            &[("+*", 1, "", true)],
            &[("*", 0, "0691", true)],
            &[("9110", 1, "", true), ("9120", 1, "", true)],
            &[("81812345", 3, "", true)],
            &[("138*", 0, "0", true)],
            &[("???????", 0, "0691", true)],
            &[("0691???????", 4, "", true)],
            &[("2???????", 0, "010", true)],
        ] {
            assert_eq!(rules(sound).dangers(RulesFor::CalledIn), [], "{sound:?}");
        }
    }

    /// Its own 110 is each city's, by however many steps an area is changed.
    #[test]
    fn no_rule_puts_one_area_in_the_place_of_another() {
        let steps = rules(&[("0691*", 4, "", false), ("11?", 0, "0571", true)]);
        assert_eq!(given(&steps, "0691110"), Some(("110".into(), vec![0])));
        assert_eq!(given(&steps, "110"), Some(("0571110".into(), vec![1])), "it had none");
        let found = steps.dangers(RulesFor::CalledOut);
        let [(1, number, next)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((number.as_str(), next.as_str()), ("0691110", "0571110"));
        let alone = rules(&[("0691110", 4, "0571", true)]);
        assert_eq!(alone.dangers(RulesFor::CalledOut).len(), 1, "not on purpose either");
    }

    #[test]
    fn the_plan_s_own_emergency_lines_and_targets_are_kept_as_well() {
        let text = "[plan]\nname = \"x\"\narea = \"691\"\n[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n\
                    targets = [\"0691-8110110\", \"110\"]\n[[line]]\nnumber = \"96119\"\nmode = \"emergency\"\n";
        let kept = crate::plan::tests::read(text).unwrap().kept();
        for (all, number, next) in [
            (&[("9*", 1, "", true)], "996119", "96119"),
            (&[("96*", 2, "12", true)], "96119", "12119"),
            (&[("8*", 1, "", true)], "8110110", "110110"),
            (&[("0691*", 4, "9", true)], "06918110110", "98110110"),
        ] {
            let free = rules(all);
            assert_eq!(free.run(number.into(), false).unwrap().number, next);
            let rules = free.keeping(&kept);
            assert_eq!(rules.apply(number), None, "{all:?}");
            assert!(!rules.dangers(RulesFor::CalledOut).is_empty(), "{all:?}");
        }
        let exact = |pattern: &str, strip, prepend: &str| rules(&[(pattern, strip, prepend, true)]).keeping(&kept);
        let (called_in, out) = (RulesFor::CalledIn, RulesFor::CalledOut);
        assert_eq!(exact("110", 3, "06918110110").dangers(out), []);
        assert_eq!(exact("110", 3, "06918110110").dangers(called_in).len(), 1, "the plan has no such line");
        assert_eq!(exact("06918110110", 11, "110").dangers(called_in), []);
        assert_eq!(exact("110", 0, "9").dangers(out), [], "the prefix that an exchange wants");
        let on_duty = "[plan]\nname = \"x\"\n[[line]]\nnumber = \"110\"\nmode = \"emergency\"\ntargets = [\"13800138000\"]\n";
        let on_duty = crate::plan::tests::read(on_duty).unwrap().kept();
        let prefix = rules(&[("138*", 0, "9", true)]).keeping(&on_duty);
        assert_eq!((prefix.dangers(out), given(&prefix, "13800138000")), (vec![], Some(("913800138000".into(), vec![0]))));
        for (pattern, next) in [("110", "96119"), ("96119", "110"), ("110", "13800138000")] {
            let found = exact(pattern, pattern.len(), next).dangers(out);
            assert_eq!(found, [(0, pattern.to_owned(), next.to_owned())], "another line");
        }
        assert_eq!(given(&exact("110", 3, "06918110110"), "110"), Some(("06918110110".into(), vec![0])));
    }

    #[test]
    fn nothing_is_put_before_the_plus_of_an_international_number() {
        let rules = rules(&[("*", 0, "0691", true)]);
        assert_eq!(given(&rules, "+8669112345"), None);
        assert_eq!(given(&rules, "2122110"), Some(("06912122110".into(), vec![0])));
    }

    fn any_rule() -> impl Strategy<Value = NumberRule> {
        ("\\+?[0-9?]{1,6}", any::<bool>(), 0usize..4, "[0-9]{0,4}", any::<bool>()).prop_filter_map(
            "no rule",
            |(digits, more, strip, prepend, stop)| {
                NumberRule::new(&format!("{digits}{}", if more { "*" } else { "" }), strip, &prepend, stop).ok()
            },
        )
    }

    proptest! {
        /// Each rule takes off and puts before what it says, and nothing else changes.
        #[test]
        fn rules_neither_lose_nor_invent_digits(all in prop::collection::vec(any_rule(), 0..6), number in "\\+?[0-9]{1,12}") {
            let rules = NumberRules::new(all);
            let Some(Rewritten { number: next, rules: used }) = rules.apply(&number) else { return Ok(()) };
            prop_assert!(used.is_sorted() && used.len() <= rules.rules.len());
            let mut expected = number;
            for place in used {
                let rule = &rules.rules[place];
                prop_assert!(rule.pattern.matches(&expected));
                expected = format!("{}{}", rule.prepend, &expected[rule.strip..]);
            }
            prop_assert_eq!(next, expected);
        }

        /// Whatever the rules for many numbers are, each of these lines stays what it is, and no other number becomes one.
        #[test]
        fn rules_for_many_numbers_touch_no_emergency_line(
            all in prop::collection::vec(any_rule(), 0..6),
            before in "(\\+86|0086|9|)(0691|010|)",
            line in prop::sample::select(vec!["110", "119", "120", "122", "12110", "12345", "12"]),
        ) {
            let rules = NumberRules::new(all.into_iter().filter(|rule| !rule.is_exact()).collect());
            let number = before + line;
            let next = rules.apply(&number).map_or(number.clone(), |rewritten| rewritten.number);
            prop_assert!(are_same(kept(&next).as_ref(), kept(&number).as_ref()), "{} becomes {}", number, next);
        }

        #[test]
        fn whatever_comes_is_taken(text in ".{0,200}") {
            let _ = rules(&[("*", 0, "9", false), ("9?*", 1, "", true)]).apply(&text);
        }
    }
}
