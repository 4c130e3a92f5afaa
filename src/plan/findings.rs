//! Findings about a plan whose words are right, but not what they come to.

use super::entry::Entry;
use super::file::{Line, Written};
use super::problem::{At, Located, Log};
use super::rules::{Rules, Target};
use super::{Mode, Phase, Plan, Step, number};
use std::collections::BTreeSet;

pub fn look(written: &Written, plan: &Plan, log: &Log) {
    look_at_front(written, log);
    look_at_units(written, log);
    look_at_words(written, log);
    written.lines.iter().for_each(|line| look_at_targets(line, written, log));
    look_at_conditions(written, log);
    look_at_loops(written, plan, log);
    look_at_menus(written, plan, log);
}

/// Merged numbers tell their callers to dial 12345, and what is queued waits for its seats. A line with a mistake says
/// nothing, whatever is read of it.
fn look_at_front(written: &Written, log: &Log) {
    let queued = |line: &Line| matches!(line.mode.value, Mode::Merged | Mode::Parallel | Mode::RemoteSeats);
    let front = written.lines.iter().any(|line| line.mode.value == Mode::Front);
    if let Some(at) = written.head.rules.at.as_ref().filter(|_| log.is_good() && !front && written.lines.iter().any(queued)) {
        let text = both!(
            "no line has the mode `front`: whoever dials 12345 itself is refused",
            "没有模式为 `front` 的号码：直接拨打 12345 的来电会被拒绝"
        );
        log.warning(at, text);
    }
}

/// Tickets carry the unit. A plan whose notice names none at all is not reminded at every line.
fn look_at_units(written: &Written, log: &Log) {
    if written.lines.iter().all(|line| line.unit.is_none()) {
        return;
    }
    let expected = |line: &&Line| !matches!(line.mode.value, Mode::Front | Mode::Emergency | Mode::Platform);
    for line in written.lines.iter().filter(|line| line.unit.is_none() && !line.misspelt).filter(expected) {
        log.warning(
            &line.at,
            both!("this line has no `unit`: its tickets will name nobody", "此号码没有 `unit`（责任单位）：工单上将没有承办单位"),
        );
    }
}

/// Words that a line's mode does not heed.
fn look_at_words(written: &Written, log: &Log) {
    let sections = written.modes.iter().map(|(mode, rules)| (*mode, rules));
    for (mode, rules) in sections.chain(written.lines.iter().map(|line| (line.mode.value, &line.rules))) {
        for (word, modes, at) in heeded(rules) {
            if let Some(at) = at.filter(|_| !modes.contains(&mode)) {
                let mode = mode.name();
                log.error(
                    at,
                    both!("`{word}` means nothing for a line of mode `{mode}`", "`{word}` 对模式为 `{mode}` 的号码没有意义"),
                );
            }
        }
    }
}

fn heeded(rules: &Rules) -> [(&'static str, &'static [Mode], Option<&At>); 13] {
    use Mode::{Emergency, Front, Guided, Linked, Merged, Parallel, Platform, RemoteSeats, SubCenter};
    const MERGED: &[Mode] = &[Merged];
    const RUNG: &[Mode] = &[Parallel, SubCenter, RemoteSeats, Linked, Emergency, Guided, Platform];
    const QUEUED: &[Mode] = &[Front, Merged, Parallel, RemoteSeats];
    const STARTED: &[Mode] = &[Front, Parallel, SubCenter, RemoteSeats, Linked, Emergency, Guided, Platform];
    fn at<T>(said: &Option<Located<T>>) -> Option<&At> {
        said.as_ref().map(|s| &s.at)
    }
    [
        ("from", STARTED, at(&rules.from)),
        ("connect-from", MERGED, at(&rules.connect_from)),
        ("announce-only-from", MERGED, at(&rules.announce_only_from)),
        ("released-from", MERGED, at(&rules.released_from)),
        ("connect-prompt", MERGED, at(&rules.connect_prompt)),
        ("announce-only-prompt", MERGED, at(&rules.announce_only_prompt)),
        ("seats", &[Parallel], at(&rules.seats)),
        ("guide-prompt", &[Guided], at(&rules.guide_prompt)),
        ("offer", RUNG, at(&rules.offer)),
        ("offer-for", RUNG, at(&rules.offer_for)),
        ("menu", QUEUED, rules.menu.as_ref().map(|menu| &menu.at)),
        ("survey", QUEUED, at(&rules.survey)),
        ("survey-prompt", QUEUED, at(&rules.survey_prompt)),
    ]
}

/// A key leads to a line that there is, and to another than the one that offers it.
fn look_at_menus(written: &Written, plan: &Plan, log: &Log) {
    fn led(rules: &Rules) -> impl Iterator<Item = &Located<String>> {
        rules.menu.iter().flat_map(|menu| &menu.keys).filter_map(|key| key.line.as_ref())
    }
    for said in written.all_rules().flat_map(led) {
        let (name, number) = (&said.value, plan.number(&said.value, None));
        if plan.entries_of(&number).next().is_none() {
            log.error(&said.at, both!("no line has the number `{name}`", "没有号码为 `{name}` 的行"));
        }
        // Such a call has reserved channels and no queue's limits from its first moment on; one that a key makes has not.
        if plan.entries_of(&number).any(|entry| entry.mode == Mode::Emergency) {
            let text = both!(
                "`{name}` is an emergency line: a caller dials it, or a seat fetches it by one key, and no menu stands before it",
                "`{name}` 为紧急热线：由来电人直拨或座席一键转接，不能放在按键菜单之后"
            );
            log.error(&said.at, text);
        }
    }
    for (line, said) in written.lines.iter().flat_map(|line| led(&line.rules).map(move |said| (line, said))) {
        let (name, number) = (&said.value, plan.number(&said.value, None));
        if line.numbers.iter().any(|own| plan.number(&own.value, None) == number) {
            log.error(&said.at, both!("`{name}` leads back to this line", "`{name}` 又回到此号码"));
        }
    }
}

/// Every call must find somebody: an emergency whose area nobody knows, and a caller at night.
fn look_at_targets(line: &Line, written: &Written, log: &Log) {
    let Some(targets) = line.rules.targets.as_ref() else { return };
    let Some(first) = targets.first() else { return log.error(&line.at, both!("`targets` is empty", "`targets` 是空的")) };
    let at = &first.number.at;
    for area in targets.iter().flat_map(|t| &t.area).filter(|area| !number::is_area(&area.value)) {
        let code = &area.value;
        log.error(&area.at, both!("`{code}` is no area code", "`{code}` 不是区号（不带首位 0）"));
    }
    if line.mode.value == Mode::Emergency && targets.iter().all(|t| !t.area.is_empty()) {
        log.error(
            at,
            both!(
                "an emergency line needs a target without `area`, for callers whose area is unknown",
                "紧急号码需要一个不限 `area` 的目标，供来电地区不明者使用"
            ),
        );
    }
    let queued = matches!(line.mode.value, Mode::Front | Mode::Merged | Mode::Parallel | Mode::RemoteSeats);
    if !queued && targets.iter().all(|target| closes(target, written)) {
        log.warning(
            at,
            both!(
                "nobody answers outside the hours of these targets: 7×24 asks for one without `open`",
                "这些目标的时段之外无人接听：7×24 需要一个不限 `open` 的目标"
            ),
        );
    }
}

fn closes(target: &Target, written: &Written) -> bool {
    let calendar = target.open.as_ref().and_then(|open| written.calendars.get(&open.value));
    calendar.is_some_and(|calendar| !calendar.value.always())
}

/// A number of which every line has a condition is unknown to all other calls. A line with a mistake may be the other.
fn look_at_conditions(written: &Written, log: &Log) {
    if !log.is_good() {
        return;
    }
    let (conditional, always): (Vec<&Line>, Vec<&Line>) = written.lines.iter().partition(|line| line.when.is_some());
    let always: BTreeSet<&str> = always.iter().flat_map(|line| &line.numbers).map(|number| number.value.as_str()).collect();
    let numbers = conditional.into_iter().flat_map(|line| &line.numbers);
    for number in numbers.filter(|number| !always.contains(number.value.as_str())) {
        let name = &number.value;
        log.warning(
            &number.at,
            both!("`{name}` is unknown to calls that no `when` fits", "不符合任何 `when` 的呼叫找不到 `{name}`"),
        );
    }
}

/// A target that is another line of this plan comes back to us; lines that ring each other never end.
fn look_at_loops(written: &Written, plan: &Plan, log: &Log) {
    let circles = plan.circles();
    for (start, number) in plan.ordered_numbers().into_iter().filter(|(start, _)| circles.contains(start)) {
        let rule = plan.entries.get(start).and_then(|entry| entry.eras.last()?.matched.first());
        if let Some(at) = rule.and_then(|rule| written.place(rule)) {
            let text =
                both!("`{number}` rings in a circle: its targets lead back to it", "`{number}` 循环振铃：其目标又回到它自身");
            log.error(&at, text);
        }
    }
}

impl Plan {
    fn ordered_numbers(&self) -> Vec<(usize, &str)> {
        let mut all: Vec<(usize, &str)> = self.numbers.iter().map(|(number, first)| (*first, &**number)).collect();
        all.sort_unstable();
        all
    }

    /// The lines that ring themselves in the end. Each rings one other at most, so each is walked through once.
    fn circles(&self) -> BTreeSet<usize> {
        let (mut seen, mut circles) = (BTreeSet::new(), BTreeSet::new());
        for start in self.numbers.values().copied() {
            let (mut path, mut line) = (Vec::new(), Some(start));
            while let Some(next) = line.filter(|next| seen.insert(*next)) {
                path.push(next);
                line = self.rings_line(next);
            }
            let entered = line.and_then(|line| path.iter().position(|on| *on == line));
            circles.extend(entered.map_or(&[][..], |at| &path[at..]));
        }
        circles
    }

    /// The other line whose number this one rings in the end, when it rings no more than that.
    fn rings_line(&self, index: usize) -> Option<usize> {
        let entry: &Entry = self.entries.get(index)?;
        let era = entry.eras.last().filter(|era| era.phase != Some(Phase::Released))?;
        let rung = era.steps.iter().filter_map(|step| if let Step::Ring { targets, .. } = step { targets.first() } else { None });
        rung.filter_map(|target| self.numbers.get(&*target.number).copied()).find(|other| *other != index)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Text;
    use crate::plan::{Surroundings, Ways, check};

    const HEAD: &str = "[plan]\nname = \"x\"\narea = \"691\"\n";

    /// `line:column: message` of each finding.
    fn findings(text: &str) -> Vec<String> {
        let around = Surroundings {
            queues: None,
            trunks: None,
            backends: None,
            sound: &|_| Ok(()),
            ways: Some(Ways { default: "loopback", reserving: &["loopback"] }),
            now: Some(crate::plan::tests::at("2022-01-01T00:00:00Z")),
        };
        let checked = check("p", format!("{HEAD}{text}"), &|name| Err(Text::foreign(format!("{name} is absent"))), &around);
        let first = |problem: String| problem.lines().next().unwrap().trim_start_matches("p:").to_string();
        checked.problems.iter().map(|p| first(p.to_string())).collect()
    }

    fn line(number: &str, mode: &str, more: &str) -> String {
        format!("[[line]]\nnumber = \"{number}\"\nmode = \"{mode}\"\n{more}\n")
    }

    /// One of the findings is this, word for word.
    fn assert_told(text: &str, want: &str) {
        let found = findings(text);
        assert!(found.iter().any(|f| f == want), "{text}\nwant {want}\ngot {found:#?}");
    }

    #[test]
    fn a_key_is_offered_where_somebody_rings_and_says_so() {
        for (text, want) in [
            (line("12345", "front", "offer = \"1\""), "7:9: `offer` means nothing for a line of mode `front`"),
            (
                line("12388", "guided", "offer = \"1\""),
                "7:9: no prompt says which key to press: name one by `prompt`, or `guide-prompt` of a guided line",
            ),
        ] {
            assert_told(&text, want);
        }
    }

    #[test]
    fn each_kind_of_mistake_has_its_message() {
        for (text, want) in [
            (
                line("12345", "front", "connect-from = 2021-01-01"),
                "7:16: `connect-from` means nothing for a line of mode `front`",
            ),
            (line("12345", "frnt", ""), "6:8: no mode `frnt`; did you mean `front`?"),
            (line("12345", "front", "quue = \"x\""), "7:1: unknown word `quue`; did you mean `queue`?"),
            (line("12345", "front", "queue = 5"), "7:9: `queue` wants a text between quotes: \"5\""),
            (line("12345", "front", "priority = \"hihg\""), "7:12: `priority` is one of `normal`, `high`; did you mean `high`?"),
            (line("12345", "front", "ring = \"soon\""), "7:8: `ring` wants a time such as \"30s\" or \"1m30s\", at most a day"),
            (line("12345", "front", "unit = \"州 局\""), "7:8: a unit is spelt without spaces"),
            (
                line("110", "emergency", "advance-on = [\"busy\", \"no-anwser\"]"),
                "7:23: `advance-on` is one of `busy`, `no-answer`, `rejected`, `failed`; did you mean `no-answer`?",
            ),
            (
                line("12345", "front", "source = { unit = \"inferred\" }"),
                "7:12: `source` speaks of `unit`, which is not said here",
            ),
            (line("12345", "front", "from = 2021-02-30"), "7:8: invalid date, expected day between 01 and 28"),
            (line("12x45", "front", ""), "5:10: a number has digits only, with `-` or spaces between them"),
            ("[[line]]\nmode = \"front\"\n".into(), "4:1: `number` is missing"),
            (
                line("12345", "front", "") + &line("069112345", "front", "") + &line("12345", "front", ""),
                "13:10: never reached: `12345` is already the number of a line in p:5",
            ),
            (line("12336", "merged", ""), "4:1: a merged line needs `connect-from`, here or in `[modes.merged]`"),
            (
                line("12345", "front", "prompt = \"helo\"\n[prompts.hello]\ntext = \"您好\""),
                "7:10: no `[prompts.helo]`; did you mean `hello`?",
            ),
            (line("12345", "front", "tickets = [\"main\"]"), "7:12: no `[tickets.main]`"),
            (line("12345", "front", "targets = []"), "4:1: `targets` is empty"),
            (line("12345", "front", "when = {}"), "7:8: `when` says nothing"),
            (
                line("12345", "front", "when = { trunk = \"a\" }"),
                "5:10: warning: `12345` is unknown to calls that no `when` fits",
            ),
            (line("12345", "front", "when = { open = \"day\" }") + &line("12345", "front", ""), "7:17: no `[calendars.day]`"),
            (
                line("110", "emergency", "targets = [{ number = \"110\", area = \"691\" }]"),
                "7:23: an emergency line needs a target without `area`, for callers whose area is unknown",
            ),
            (line("12366", "sub-center", "targets = [{ number = \"12366\", area = \"0691\" }]"), "7:39: `0691` is no area code"),
            (line("12345", "front", "targets = [\"{city}\"]"), "7:12: no variable `city`"),
            (
                line("12360", "sub-center", "targets = [\"12366\"]") + &line("12366", "sub-center", "targets = [\"12360\"]"),
                "5:1: `12360` rings in a circle: its targets lead back to it",
            ),
            ("include = [\"a\"]".into(), "4:1: unknown word `include`"),
            (
                "[calendars.day]\nhours = \"always\"".into(),
                "5:9: hours are written `mon-fri 08:30-12:00`, `sat,sun 09:00-17:00` or `daily 00:00-24:00`",
            ),
            (
                "[calendars.day]\nhours = \"mon 08:00-09:00\"\nholidays = 2021-10-01\nworkdays = [2021-10-01]".into(),
                "7:13: 2021-10-01 is both a holiday and a workday",
            ),
            (
                "[calendars.day]\nhours = \"mon 08:00-09:00\"\nholidays = 2021-10-01".into(),
                "4:12: warning: the last date of calendar `day`, 2021-10-01, is past",
            ),
        ] {
            assert_told(&text, want);
        }
    }

    #[test]
    fn toml_errors_wrong_types_and_impossible_dates_have_theirs() {
        for (text, want) in [
            (
                "[[tenant]]\narea = \"0691\"\nname = \"x\"".into(),
                "5:8: an area code has two or three digits, without its leading 0, such as `691`",
            ),
            ("x =".into(), "4:4: a value is missing, or a text without quotes"),
            ("name = \"y\"".into(), "4:1: `name` is said twice: keep one"),
            ("[[line]\n".into(), "4:8: `]]` is missing"),
            ("x = \"y\n".into(), "4:7: the quotation mark at the end of the text is missing"),
            ("zone = \"Asia/Peking\"".into(), "4:8: no time zone `Asia/Peking`, such as `Asia/Shanghai`"),
            ("[plan]\nname = \"y\"".into(), "4:2: `plan` is said twice: keep one"),
            (line("12345", "front", "from = 2021-09-31"), "7:8: invalid date, expected day between 01 and 30"),
            (
                line("12345", "front", "from = \"2021-09-30\""),
                "7:8: `from` wants a date such as 2021-09-30 or 2021-09-30T08:00:00+08:00; write 2021-09-30 without quotes",
            ),
            (line("12345", "front", "from = 2021-13-01"), "7:8: invalid date, expected month between 01 and 12"),
            (line("12345", "front", "from = 2021-09-30T25:00:00"), "7:8: invalid time, expected hour between 00 and 23"),
            (line("12345", "front", "number = \"1\""), "7:1: `number` is said twice: keep one"),
            (line("12345", "front", "opened = 1"), "7:10: `opened` wants true or false"),
            (line("12345", "front", "when = \"night\""), "7:8: `when` wants a table"),
            (line("12345", "front", "targets = [5]"), "7:12: `targets` wants a table"),
            ("line = 5".into(), "4:1: unknown word `line`; did you mean `zone`?"),
            (
                "[calendars.day]\nhours = \"daily 00:00-24:00\"\nholidays = 2021-10-01T00:00:01".into(),
                "6:12: `holidays` wants a date such as 2021-10-01",
            ),
            (
                "[[tenant]]\narea = \"691\"\nname = \"x\"\n[[tenant]]\narea = \"691\"\nname = \"y\"".into(),
                "8:8: area `691` already has a tenant",
            ),
            (line("12345", "frontt", "unit = \"\""), "7:8: `unit` wants a text between quotes"),
        ] {
            assert_told(&text, want);
        }
    }

    #[test]
    fn files_beside_the_plan_have_their_places_too() {
        let load = |name: &str| match name {
            "more.toml" => Ok(b"[[line]]\nnumber = \"110\"\nmode = \"emergancy\"\n[plan]\nname = \"y\"\n".to_vec()),
            "prefixes.csv" => Ok(b"# mobiles\n1380013,691\n1380014;691\n".to_vec()),
            _ => Err(Text::foreign("No such file or directory")),
        };
        let text = "include = [\"more.toml\", \"absent.toml\"]\n[plan]\nname = \"x\"\nprefixes = \"prefixes.csv\"\n";
        let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
        let found: Vec<String> = check("a/plan.toml", text, &load, &around).problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a/more.toml:3:8: no mode `emergancy`; did you mean `emergency`?\n  3 | mode = \"emergancy\"\n    |        ^^^^^^^^^^^",
                "a/more.toml:4:1: `[plan]` is already in a/plan.toml:2\n  4 | [plan]\n    | ^^^^^^",
                "a/plan.toml:1:25: cannot read `absent.toml`: No such file or directory\n  1 | include = [\"more.toml\", \"absent.toml\"]\n    |                         ^^^^^^^^^^^^^",
                "a/prefixes.csv:3:1: a row is PREFIX,AREA, such as `1380013,691`\n  3 | 1380014;691\n    | ^^^^^^^^^^^",
            ]
        );
        let headless = check("p", "[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n", &load, &around);
        assert_eq!(headless.problems[0].to_string(), "p:1:1: `[plan]` is missing\n  1 | [[line]]\n    | ^");
    }

    proptest::proptest! {
        /// An editor, a merge or a full disk may leave anything of a plan: it has findings, and never makes a panic.
        #[test]
        fn a_damaged_plan_is_only_refused(from in 0usize..12_000, length in 0usize..200, put in "[\\[\\]={}\"'\\n,.a-z0-9州]{0,6}") {
            let text = crate::plan::built_in::text("yuncheng.toml").unwrap();
            let boundary = |mut i: usize| { while !text.is_char_boundary(i) { i -= 1 } i };
            let (from, to) = (boundary(from.min(text.len())), boundary((from + length).min(text.len())));
            let damaged = format!("{}{put}{}", &text[..from], &text[to.max(from)..]);
            let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
            check("p", damaged, &crate::plan::built_in::load, &around).problems.iter().for_each(|p| assert!(!p.to_string().is_empty()));
        }
    }

    #[test]
    fn phases_stand_in_order() {
        let dates = "connect-from = 2021-12-01\nannounce-only-from = 2021-09-30\nconnect-prompt = \"p\"\nannounce-only-prompt = \"p\"\n[prompts.p]\ntext = \"x\"";
        assert_eq!(findings(&line("12336", "merged", dates)), ["8:22: `announce-only-from` is not after the phase before it"]);
    }

    #[test]
    fn somebody_answers_at_night() {
        let calendar = "[calendars.day]\nhours = [\"mon-fri 08:30-18:00\"]\n";
        let closed = line("12366", "sub-center", "targets = [{ number = \"12366\", open = \"day\" }]") + calendar;
        assert_eq!(
            findings(&closed),
            ["7:23: warning: nobody answers outside the hours of these targets: 7×24 asks for one without `open`"]
        );
        let covered = line("12366", "sub-center", "targets = [{ number = \"12366\", open = \"day\" }, \"087112366\"]") + calendar;
        assert_eq!(findings(&covered), [""; 0]);
    }
}
