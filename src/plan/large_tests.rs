//! Plans with thousands of lines, and with as many mistakes. They would take minutes if a check were not linear.

use super::{Checked, Severity, Surroundings, check};
use crate::base::Text;

const HEAD: &str = "[plan]\nname = \"x\"\narea = \"691\"\n[[line]]\nnumber = \"12345\"\nmode = \"front\"\nunit = \"u\"\n";
const LINES: usize = 4_000;

fn look(text: &str) -> Checked {
    let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
    check("p", text, &|_| Err(Text::foreign("absent")), &around)
}

/// A line with each number, and what else it says.
fn lines(of: impl Fn(usize) -> String) -> Checked {
    let line = |i: usize| format!("[[line]]\nnumber = \"{}\"\nmode = \"sub-center\"\n{}\n", 2_000_000 + i, of(i));
    let text = (0..LINES).fold(HEAD.to_owned(), |text, i| text + &line(i));
    look(&text)
}

#[test]
fn a_large_plan_is_checked_in_a_moment() {
    let conditional = lines(|i| format!("unit = \"u\"\nwhen = {{ caller = \"13{i}\" }}"));
    assert!(conditional.plan.is_some() && conditional.problems.len() == 200, "{:?}", conditional.problems.first());
    let chained = lines(|i| format!("unit = \"u\"\ntargets = [\"{}\"]", 2_000_001 + i));
    assert!(chained.plan.is_some() && chained.problems.is_empty(), "{:?}", chained.problems.first());
    let unknown = lines(|i| format!("unit = \"u\"\nprompt = \"p{i}\"\n[prompts.q{i}]\ntext = \"x\""));
    assert!(unknown.plan.is_none() && unknown.problems.len() == 200, "{:?}", unknown.problems.first());
    let same = lines(|_| String::new() + "unti = \"u\"");
    assert_eq!(same.problems.len(), 1, "{:?}", same.problems);
    assert!(same.problems[0].message.en.ends_with("the same in 3999 more lines: 15, 19, 23, 27, 31…"), "{:?}", same.problems[0]);
}

#[test]
fn only_those_in_a_circle_are_told() {
    let line = |number: &str, target: &str| {
        format!("[[line]]\nnumber = \"{number}\"\nmode = \"sub-center\"\nunit = \"u\"\ntargets = [\"{target}\"]\n")
    };
    let chain = [("2001", "2002"), ("2002", "2003"), ("2003", "2004"), ("2004", "2002"), ("2005", "2005"), ("2006", "2001")];
    let text = chain.iter().fold(HEAD.to_owned(), |text, (number, target)| text + &line(number, target));
    let told: Vec<String> = look(&text).problems.iter().map(|problem| problem.message.en[..6].to_owned()).collect();
    assert_eq!(told, ["`2002`", "`2003`", "`2004`"]);
}

#[test]
fn warnings_hide_no_error() {
    let warned = (0..300).fold(HEAD.to_owned(), |text, i| {
        text + &format!("[[line]]\nnumber = \"{}\"\nmode = \"sub-center\"\nunit = \"u\"\nwhen = {{ trunk = \"a\" }}\n", 3_000 + i)
    });
    let checked = look(&format!("{warned}[[line]]\nnumber = \"110\"\nmode = \"emergency\"\ntargets = []\nunit = \"u\"\n"));
    assert!(checked.plan.is_none() && checked.problems.iter().any(|problem| problem.severity == Severity::Error));
}
