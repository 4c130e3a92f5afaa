//! Ticket backends that a call's subject chooses, whatever its line.

use super::Plan;
use super::file::Written;
use super::problem::Log;
use crate::base::subject;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Subjects {
    /// By subject, the backends that get its calls.
    backends: BTreeMap<Box<str>, BTreeSet<Arc<str>>>,
    /// The backends that have subjects: they get no call only because its line names nobody.
    waiting: Arc<[Arc<str>]>,
}

impl Subjects {
    pub fn of(written: &Written, log: &Log) -> Subjects {
        let (mut backends, mut waiting) = (BTreeMap::<Box<str>, BTreeSet<Arc<str>>>::new(), Vec::new());
        for (name, tickets) in written.tickets.iter().filter(|(_, tickets)| !tickets.subjects.is_empty()) {
            let name: Arc<str> = name.as_str().into();
            waiting.push(name.clone());
            for said in &tickets.subjects {
                if !subject::fits(&said.value) {
                    let longest = subject::LONGEST;
                    let text = both!(
                        "a subject has 1 to {longest} characters, no line break or tab among them, and no number of seven digits",
                        "诉求主题为 1 至 {longest} 个字符，不含换行或制表符，也不含七位以上的号码"
                    );
                    log.error(&said.at, text);
                }
                backends.entry(said.value.as_str().into()).or_default().insert(name.clone());
            }
        }
        Subjects { backends, waiting: waiting.into() }
    }

    /// The backends that a line that names these leaves to subjects.
    pub fn withheld(&self, named: &[Arc<str>]) -> Arc<[Arc<str>]> {
        if named.is_empty() { self.waiting.clone() } else { [].into() }
    }

    /// A backend's subjects.
    fn of_backend(&self, backend: &str) -> Vec<String> {
        let has = |backends: &BTreeSet<Arc<str>>| backends.iter().any(|name| **name == *backend);
        self.backends.iter().filter(|(_, backends)| has(backends)).map(|(subject, _)| subject.to_string()).collect()
    }
}

impl Plan {
    /// The ticket backends that get a call with these subjects besides those of its line.
    pub fn backends_of<'a>(&self, subjects: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let found = subjects.into_iter().filter_map(|subject| self.subjects.backends.get(subject)).flatten();
        found.collect::<BTreeSet<_>>().into_iter().map(ToString::to_string).collect()
    }

    /// The backends that a call with these gets to by its subjects alone, with them.
    pub(super) fn by_subject(&self, named: &[Arc<str>]) -> Vec<(Arc<str>, Vec<String>)> {
        let others = self.subjects.waiting.iter().filter(|backend| !named.contains(backend));
        others.map(|backend| (backend.clone(), self.subjects.of_backend(backend))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::tests::read;

    const TEXT: &str = r#"
[plan]
name = "x"
[[line]]
number = "12345"
mode = "front"
[[line]]
number = "96301"
mode = "parallel"
tickets = ["main", "tourism"]
[tickets.main]
[tickets.tourism]
subjects = ["旅游投诉", "30天无理由退货"]
[tickets.consumers]
subjects = "30天无理由退货"
"#;

    #[test]
    fn a_subject_chooses_all_backends_that_have_it() {
        let plan = read(TEXT).unwrap();
        assert_eq!(plan.backends_of(["旅游投诉"]), ["tourism"]);
        assert_eq!(plan.backends_of(["30天无理由退货", "旅游投诉"]), ["consumers", "tourism"]);
        assert_eq!(plan.backends_of(["旅游", ""]), [""; 0]);
    }

    #[test]
    fn who_has_subjects_gets_nothing_from_lines_that_name_nobody() {
        let plan = read(TEXT).unwrap();
        let withheld = |number| {
            let facts = crate::plan::Facts {
                dialled: number,
                caller: None,
                trunk: "",
                trunk_area: None,
                diverted_from: None,
                at: crate::base::Wall(0),
            };
            plan.decide(&facts).withheld.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(withheld("12345"), ["consumers", "tourism"]);
        assert_eq!(withheld("99999"), ["consumers", "tourism"], "a number that no line has");
        assert_eq!(withheld("96301"), [""; 0], "it names who gets its calls");
    }

    #[test]
    fn a_subject_that_nobody_can_tag_is_an_error() {
        for wrong in ["旅游\\t投诉".to_owned(), "诉".repeat(65)] {
            let refused = read(&TEXT.replace("旅游投诉", &wrong)).unwrap_err();
            assert!(refused.contains(":13:13: a subject has 1 to 64 characters"), "{refused}");
        }
    }
}
