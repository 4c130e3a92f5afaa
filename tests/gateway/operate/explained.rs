//! `hotline explain` of the running site's plan: what its queues do with a caller, and never an answer of what `check` refuses.

use super::bench::Bench;
use serde_json::{Value, json};

const SITE: &str = r#"
[plan]
file = "plan.toml"
[recording]
on_demand = true
[queues.12345]
seats = ["desk"]
max_wait = "90s"
overflow = ["callback"]
when_no_seat = "overflow"
no_seat_grace = "20s"
survey = true
record = "yes"
[queues.expert]
seats = ["desk"]
"#;

const PLAN: &str = r#"
include = ["prompts/prompts.toml"]
[plan]
name = "试验市"
[[line]]
number = "12345"
name = "政务服务便民热线"
mode = "front"
menu = { prompt = "menu-expert", keys = [{ key = "2", queue = "expert" }] }
[holidays.national-day]
from = 2026-10-01
to = 2026-10-07
"#;

fn bench() -> Bench {
    let bench = Bench::new().site(SITE);
    let folder = bench.folder.path().join("prompts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy("dialplans/prompts/prompts.toml", folder.join("prompts.toml")).unwrap();
    std::fs::write(bench.folder.path().join("plan.toml"), PLAN).unwrap();
    bench
}

#[test]
fn what_the_queues_do_is_told_shortly_in_both_languages() {
    let bench = bench();
    let asked = ["explain", "12345", "--at", "2026-10-03T10:00:00+08:00"];
    let english = bench.answer(&[&asked[..], &["--lang", "en"]].concat());
    for part in [
        "menu menu-expert: 2 → expert",
        "holiday  national-day",
        "12345: waits at most 90 s, then callback, without seats: onward after 20 s, survey, recorded",
        "expert: waits at most 600 s, without seats: waits",
    ] {
        assert!(english.contains(part), "no `{part}` in {english}");
    }
    let chinese = bench.answer(&[&asked[..], &["--lang", "zh"]].concat());
    for part in [
        "12345：最长等待 90 秒；之后 callback；无座席时 20 秒后离队；满意度评价；录音",
        "expert：最长等待 600 秒；无座席时继续等待",
    ] {
        assert!(chinese.contains(part), "no `{part}` in {chinese}");
    }
    assert!(english.lines().count() < 25 && chinese.lines().count() == english.lines().count(), "{english}");
    let programs: Value = serde_json::from_str(&bench.answer(&[&asked[..], &["--json"]].concat())).unwrap();
    let queue = programs["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == "12345").unwrap();
    assert_eq!(
        *queue,
        json!({ "queue": "12345", "max_wait_seconds": 90, "overflow": ["callback"], "overflow_without_seats": 20,
            "survey": true, "record": true })
    );
    assert_eq!(programs["holidays"], json!(["national-day"]));
    let later = bench.answer(&["explain", "12345", "--at", "2026-10-08T10:00:00+08:00"]);
    assert!(!later.contains("national-day"), "{later}");
}

#[test]
fn what_check_refuses_is_not_explained() {
    let bench = bench();
    let plan = bench.folder.path().join("plan.toml");
    let expect = "[[expect]]\nnumber = \"12345\"\nmode = \"merged\"\n";
    for (text, says) in [
        (PLAN.replace("\"menu-expert\"", "\"no-such-prompt\""), "no-such-prompt"),
        (PLAN.replace("queue = \"expert\"", "queue = \"nobody\""), "nobody"),
        (format!("{PLAN}{expect}"), "merged"),
        (PLAN.replace("mode = \"front\"", "mode = \"fornt\""), "fornt"),
    ] {
        std::fs::write(&plan, &text).unwrap();
        let told = |command: &[&str]| {
            let output = bench.ask(command);
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
        };
        let (code, checked, _) = told(&["check"]);
        assert!(code == Some(2) && checked.contains(says), "{checked}");
        for command in [&["explain", "12345"][..], &["explain", "--all"], &["explain", "12345", "--json"]] {
            let (code, explained, answer) = told(command);
            assert_eq!((code, explained.contains(says), answer.len()), (Some(2), true, 0), "{command:?}: {explained}");
        }
    }
    // A plan alone is held to what it says of itself.
    std::fs::write(&plan, format!("{PLAN}{expect}")).unwrap();
    let output = bench.ask(&["explain", "12345", "--plan", "plan.toml"]);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty());
    std::fs::write(&plan, PLAN).unwrap();
    bench.answer(&["explain", "12345", "--plan", "plan.toml"]);
}
