//! A line's key menu: each key leads to a queue or to another line of the plan. Nobody has to press one: who presses nothing in time
//! goes on to the line's own steps, and so to a human.

use super::condition::Call;
use super::entry::Tenant;
use super::{Plan, Step};
use std::sync::Arc;
use std::time::Duration;

/// One key of a menu.
#[derive(Clone, Debug, PartialEq)]
pub struct MenuKey {
    pub key: char,
    pub goal: MenuGoal,
}

#[derive(Clone, Debug, PartialEq)]
pub enum MenuGoal {
    /// In place of the queue that follows.
    Queue(Arc<str>),
    /// Another number of the plan, and what that does with this call; the line's own steps follow should nobody answer there.
    Line { number: Arc<str>, steps: Arc<[Step]> },
}

/// Nobody waits longer for a key before a human is called.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a key is waited for, and how often it is asked for, where the plan does not say.
pub const WAIT: Duration = Duration::from_secs(5);
pub const TRIES: u32 = 2;
/// Spoken to who presses a key that the menu has not.
pub const WRONG: (&str, &str) = ("wrong-key", "您按的键没有对应的服务，请重新选择。");

impl MenuGoal {
    /// As it is told: the queue's name, or the line's number.
    pub fn name(&self) -> &Arc<str> {
        match self {
            MenuGoal::Queue(queue) => queue,
            MenuGoal::Line { number, .. } => number,
        }
    }
}

/// The steps of a caller who presses this key at the first menu; none: there is none that has it.
pub fn pressed(steps: &[Step], pressed: char) -> Option<Vec<Step>> {
    let at = steps.iter().position(|step| matches!(step, Step::Menu { .. }))?;
    let (before, after) = (steps.get(..at)?, steps.get(at + 1..)?);
    let Step::Menu { keys, .. } = steps.get(at)? else { return None };
    let chosen = match &keys.iter().find(|one| one.key == pressed)?.goal {
        MenuGoal::Queue(queue) => {
            let (high, rest) = match after.split_first() {
                Some((Step::Queue { high, .. }, rest)) => (*high, rest),
                _ => (false, after),
            };
            [&[Step::Queue { queue: queue.clone(), high }], rest].concat()
        }
        MenuGoal::Line { steps, .. } => {
            // One menu is enough for a call, and a line that has no humans of its own leaves its callers to this one.
            let goes_on = |step: &&Step| !matches!(step, Step::Menu { .. } | Step::Reject { .. });
            let human = steps.iter().any(|step| matches!(step, Step::Queue { .. }));
            let rest = if human { &[] } else { after };
            steps.iter().filter(goes_on).chain(rest).cloned().collect()
        }
    };
    Some([before, &chosen].concat())
}

impl Plan {
    /// Finds what the lines that menus lead to do with this call.
    pub(super) fn with_lines(
        &self,
        steps: Arc<[Step]>,
        call: &Call<'_>,
        (tenant, urgent): (Option<&Tenant>, bool),
    ) -> Arc<[Step]> {
        if !steps.iter().any(|step| matches!(step, Step::Menu { .. })) {
            return steps;
        }
        let led = |one: &MenuKey| match &one.goal {
            MenuGoal::Line { number, .. } => {
                let entry = self.entry(number, call);
                let steps = entry.steps(entry.era(call.at), call, tenant, urgent);
                MenuKey { goal: MenuGoal::Line { number: number.clone(), steps }, ..one.clone() }
            }
            MenuGoal::Queue(_) => one.clone(),
        };
        let of = |step: &Step| match step {
            Step::Menu { prompt, wrong, keys, wait, tries } => {
                let keys = keys.iter().map(led).collect();
                Step::Menu { prompt: prompt.clone(), wrong: wrong.clone(), keys, wait: *wait, tries: *tries }
            }
            other => other.clone(),
        };
        steps.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::tests::{at, read};
    use crate::plan::{Facts, Step, explain};

    const MENU: &str = r#"
[plan]
name = "x"
area = "691"
[[line]]
number = "12345"
mode = "front"
prompt = "hello"
menu = { prompt = "choose", keys = [{ key = "2", queue = "expert" }, { key = "3", line = "12366" }], wait = "4s", tries = "3" }
[[line]]
number = "12366"
mode = "sub-center"
targets = [{ number = "08718012366", open = "office" }]
[calendars.office]
hours = "mon-fri 08:30-18:00"
closed = "national-day"
[holidays.national-day]
from = 2026-10-01
to = 2026-10-07
[prompts.hello]
text = "您好"
[prompts.choose]
text = "企业专席请按2，税务请按3，或稍候接入人工。"
[[expect]]
number = "12345"
steps = ["announce", "menu", "queue"]
menu = ["2 → expert", "3 → 12366"]
queue = "12345"
[[expect]]
number = "12345"
key = "2"
steps = ["announce", "queue"]
queue = "expert"
[[expect]]
number = "12345"
at = 2026-09-30T10:00:00
key = "3"
steps = ["announce", "ring", "queue"]
target = "08718012366"
[[expect]]
number = "12345"
at = 2026-10-01T10:00:00
key = "3"
steps = ["announce", "queue"]
queue = "12345"
"#;

    fn told(text: &str) -> Vec<String> {
        let around = crate::plan::Surroundings {
            queues: Some(&["12345", "expert"]),
            trunks: None,
            backends: None,
            sound: &|_| Ok(()),
            ways: None,
            now: None,
        };
        let checked = crate::plan::check("p.toml", text, &|_| Err(both!("no", "无")), &around);
        let problems = checked.problems.iter().filter(|problem| problem.severity == crate::plan::Severity::Error);
        problems.map(|problem| problem.to_string().lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_menu_leads_to_a_queue_or_a_line_and_past_it_to_a_human() {
        assert_eq!(told(MENU), Vec::<String>::new());
        let plan = read(MENU).unwrap();
        assert!(plan.prompts().iter().any(|prompt| &*prompt.name == "wrong-key"), "its sound is looked for like any other");
        let when = at("2026-09-30T10:00:00+08:00");
        let facts = Facts { dialled: "12345", caller: None, trunk: "", trunk_area: None, diverted_from: None, at: when };
        let text = explain(&plan, &facts).text();
        assert!(
            text.en.contains("menu choose: 2 → expert, 3 → 12366; no such key within 4 s, asked 3 times: go on"),
            "{}",
            text.en
        );
        assert!(text.zh.contains("按键菜单 choose：2 → expert, 3 → 12366"), "{}", text.zh);
        let json = serde_json::to_value(explain(&plan, &facts)).unwrap();
        assert_eq!(json["steps"][1]["keys"][1], serde_json::json!({ "key": "3", "line": "12366" }));
        assert_eq!(json["steps"][1]["keys"][0], serde_json::json!({ "key": "2", "queue": "expert" }));
        let steps = plan.decide(&facts).steps;
        assert!(matches!(steps.last(), Some(Step::Queue { .. })), "the human comes without a key");
        assert!(super::pressed(&steps, '9').is_none());
        assert!(super::pressed(&crate::plan::tests::plan().decide(&facts).steps, '2').is_none(), "a plan without one");
    }

    #[test]
    fn what_is_wrong_with_a_menu_is_told_at_its_place() {
        let key = "{ key = \"2\", queue = \"expert\" }";
        for (keys, more, marked, says) in [
            ("", "", "{ prompt", "`keys` is empty"),
            (
                "{ key = \"2\", queue = \"export\" }",
                "",
                "\"export\"",
                "no queue `export` in the configuration; did you mean `expert`?",
            ),
            ("{ key = \"2\", line = \"12399\" }", "", "\"12399\"", "no line has the number `12399`"),
            ("{ key = \"2\", line = \"12345\" }", "", "\"12345\"", "leads back to this line"),
            ("{ key = \"1\", line = \"110\" }", "", "\"110\"", "`110` is an emergency line"),
            ("{ key = \"2\" }", "", "{ key", "names neither `queue` nor `line`"),
            ("{ key = \"2\", queue = \"expert\", line = \"12366\" }", "", "{ key", "names both `queue` and `line`"),
            (
                "{ key = \"3\", queue = \"expert\" }, { key = \"3\", line = \"12366\" }",
                "",
                "\"3\", line",
                "key 3 stands there twice",
            ),
            ("{ key = \"22\", queue = \"expert\" }", "", "\"22\"", "`key` is one of"),
            (key, ", wait = \"20s\"", "\"20s\"", "is longer than 15 s"),
            (key, ", tries = \"9\"", "\"9\"", "`tries` is one of"),
            (key, ", wrong = \"chose\"", "\"chose\"", "no `[prompts.chose]`; did you mean `choose`?"),
        ] {
            let line = format!("menu = {{ prompt = \"choose\", keys = [{keys}]{more} }}");
            let before = MENU.split("menu = {").next().unwrap();
            let after = MENU.split("tries = \"3\" }").nth(1).unwrap();
            let after = after.split("[[expect]]").next().unwrap();
            let emergency = "[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n";
            let told = told(&format!("{before}{line}{after}{emergency}"));
            let place = format!("p.toml:9:{}: ", line.find(marked).unwrap() + 1);
            assert!(told.iter().any(|one| one.starts_with(&place) && one.contains(says)), "{line}: {told:#?}");
        }
        let told_ = told(&MENU.replace("prompt = \"choose\", ", ""));
        assert!(told_.iter().any(|one| one.starts_with("p.toml:9:8: ") && one.contains("`prompt` is missing")), "{told_:#?}");
        // A line that reaches no queue has nobody for who presses nothing.
        let told = told(&MENU.replace("mode = \"front\"", "mode = \"sub-center\""));
        assert!(told.iter().any(|one| one.contains("`menu` means nothing for a line of mode `sub-center`")), "{told:#?}");
    }
}
