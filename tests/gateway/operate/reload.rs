//! Configuration, plan and prompts taken over while calls go on.

use super::bench::Bench;
use crate::support::wait_until;
use serde_json::Value;
use std::path::Path;

const PLAN: &str =
    "[plan]\nname = \"reload\"\narea = \"691\"\n\n[[line]]\nnumber = \"12345\"\nname = \"one\"\nmode = \"front\"\n";
const SITE: &str = "[plan]\nfile = 'plan.toml'\n";

fn start() -> Bench {
    let bench = Bench::new().site(SITE);
    write(&bench, "plan.toml", PLAN);
    bench.start()
}

/// As an editor does it: nobody sees half a file.
fn write(bench: &Bench, name: &str, text: &str) {
    let path = bench.folder.path().join(name);
    std::fs::write(path.with_extension("new"), text).unwrap();
    std::fs::rename(path.with_extension("new"), path).unwrap();
}

fn reload(bench: &Bench) -> (u16, Value) {
    let (status, body) = bench.http("POST", "/api/v1/reload").unwrap();
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
}

fn revision(bench: &Bench) -> String {
    let (_, text) = bench.get("/metrics").unwrap();
    let line = text.lines().find(|line| line.starts_with("hotline_plan_info{")).unwrap();
    line.split('"').nth(3).unwrap().to_string()
}

fn signal(bench: &Bench, name: &str) {
    let kill = std::process::Command::new("kill").args([name, &bench.pid().to_string()]).status().unwrap();
    assert!(kill.success());
}

#[test]
fn a_reload_by_the_api_shows_the_difference() {
    let bench = start();
    let before = revision(&bench);
    let (status, report) = reload(&bench);
    assert_eq!((status, &report["changed"]), (200, &Value::Bool(false)), "{report:#}");

    write(&bench, "plan.toml", &(PLAN.replace("one", "two") + "[[line]]\nnumber = \"110\"\nmode = \"emergency\"\n"));
    let more = "[seats.second]\naor = 'sip:b@127.0.0.1'\naddress = '127.0.0.1:5099'\n[calls]\nmax_duration = '1h'\n[sip]\nt1 = '600ms'\n[recording]\nlines = ['all']\n";
    write(&bench, "config/site.toml", &format!("{SITE}{more}"));
    let (status, report) = reload(&bench);
    assert_eq!(status, 200, "{report:#}");
    assert_eq!(report["numbers"], serde_json::json!({ "added": ["110"], "removed": [], "changed": ["12345"] }));
    assert_eq!(report["seats"]["added"], serde_json::json!(["second"]));
    assert_eq!(report["settings"], serde_json::json!(["calls.max_duration: \"4h\" → \"1h\""]));
    let restart = ["recording.lines: [] → [\"all\"]", "sip.t1: \"500ms\" → \"600ms\""];
    assert_eq!(report["needs_restart"], serde_json::json!(restart));
    assert_eq!(report["previous"], before.as_str());
    assert_eq!(report["plan"]["revision"], revision(&bench).as_str());
    assert_ne!(revision(&bench), before);
    assert!(bench.log().contains("numbers=+110 ~12345"), "{}", bench.log());
    // And is not done by halves until then.
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "1", "-d", "100"]).wait().unwrap().success());
    wait_until("a record", || bench.records().len() == 1);
    assert_eq!(bench.records()[0]["recording"], Value::Null);
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let bench = start();
    let _seat = bench.seat();
    let before = revision(&bench);
    write(&bench, "plan.toml", &PLAN.replace("front", "frnt"));
    let (status, problem) = reload(&bench);
    assert_eq!(status, 422);
    let first = problem["errors"][0].as_str().unwrap();
    assert!(first.starts_with("plan.toml:8:8: no mode `frnt`; did you mean `front`?"), "{problem:#}");
    signal(&bench, "-HUP");
    wait_until("the log says why", || bench.log().matches("plan.toml:8:8: no mode `frnt`").count() >= 2);
    write(&bench, "plan.toml", PLAN);
    write(&bench, "config/site.toml", &format!("{SITE}[limits]\ncals = 5\n"));
    let (status, problem) = reload(&bench);
    assert_eq!(status, 422);
    assert!(problem["errors"][0].as_str().unwrap().starts_with("config/site.toml:4:1: "), "{problem:#}");
    assert_eq!((revision(&bench), bench.metric("reloads_total")), (before, 0));
    assert!(bench.metric("reloads_failed_total") >= 3);
    assert!(bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success());
}

#[test]
fn a_changed_file_is_noticed() {
    let bench = start();
    let before = revision(&bench);
    assert!(Path::new(bench.folder.path()).join("config/site.toml").exists());
    write(&bench, "plan.toml", &PLAN.replace("one", "two"));
    wait_until("the plan's change is taken over", || revision(&bench) != before);
    assert_eq!(bench.metric("reloads_total"), 1);
    write(&bench, "config/site.toml", &format!("{SITE}[calls]\nmax_duration = '1h'\n"));
    wait_until("the configuration's too", || bench.metric("reloads_total") == 2);
    wait_until("the log tells it", || bench.log().contains("calls.max_duration"));
}

#[test]
fn reloads_under_load_lose_no_call() {
    let mut bench = start();
    let _seat = bench.seat();
    let mut calls = bench.call("12345", &["-m", "60", "-r", "15", "-d", "700"]);
    let mut revisions = vec![revision(&bench)];
    for turn in 0..8 {
        wait_until("calls go on", || bench.metric("calls_total") > turn * 6);
        write(&bench, "plan.toml", &PLAN.replace("one", &format!("turn {turn}")));
        write(&bench, "config/site.toml", &format!("{SITE}[trunks.a-{turn}]\naddresses = ['10.9.9.{}']\n", turn + 1));
        signal(&bench, "-HUP");
        wait_until("reloaded", || bench.metric("reloads_total") > turn);
        wait_until("another revision", || !revisions.contains(&revision(&bench)));
        revisions.push(revision(&bench));
    }
    assert!(calls.wait().unwrap().success(), "a call was lost");
    wait_until("nothing is left", || {
        bench.metric("calls") + bench.metric("former_setups") + bench.metric("trunk_channels_taken") == 0
    });
    let records = bench.records_of(100);
    assert_eq!(records.len(), 60);
    assert!(records.iter().all(|record| record["result"] == "answered"));
    let met: std::collections::BTreeSet<_> = records.iter().map(|r| r["plan_revision"].as_str().unwrap().to_string()).collect();
    assert!(met.len() > 4 && met.iter().all(|one| revisions.contains(one)), "{met:?} of {revisions:?}");
    assert_eq!(bench.kill("-TERM"), Some(0));
}

/// A key that a reload does not take over stays as it was for everybody: for calls, for records of others, for the bounds.
#[test]
fn what_waits_for_a_restart_waits_for_it_everywhere() {
    let before =
        "[limits]\ncalls = 4\nemergency_percent = 50\n[records.backends.now]\nprofile = 'webhook'\nurl = 'http://127.0.0.1:9'\n";
    let bench = Bench::new().site(&format!("{SITE}{before}"));
    write(&bench, "plan.toml", PLAN);
    let bench = bench.start();
    let _seat = bench.seat();
    let hand_in = |id: &str| {
        let body = serde_json::json!({ "id": id, "hotline": "12366", "area": "310000", "result": "answered",
            "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
        assert_eq!(bench.http_full("POST", "/api/v1/records", "", &body.to_string()).unwrap().0, 201);
    };
    let more = "[node]\nname = 'another'\n[http]\npublic_url = 'http://192.0.2.1'\n[records.areas]\n21 = { code = '310000', name = '上海市' }\n";
    let after = before.replace("calls = 4", "calls = 4000");
    write(&bench, "config/site.toml", &format!("{SITE}{after}{more}"));
    let (status, report) = reload(&bench);
    assert_eq!(status, 200, "{report:#}");
    let restart =
        ["http.public_url: \"\" → \"http://192.0.2.1\"", "limits.calls: 4 → 4000", "node.name: \"hotline-1\" → \"another\""];
    assert_eq!(report["needs_restart"], serde_json::json!(restart));
    assert_eq!(report["settings"], serde_json::json!(["records.areas.21: new"]));
    assert!(bench.call("12345", &["-m", "1", "-d", "100"]).wait().unwrap().success(), "no call is shed");
    hand_in("a");
    wait_until("two records", || bench.records_of(10).len() == 2);
    let records = bench.records_of(10);
    assert!(records.iter().all(|record| record["node"] == "hotline-1"), "{records:#?}");
    assert!(records.iter().any(|record| record["area"]["name"] == "上海市"), "{records:#?}");
    // A plan that leans on what is not there yet is refused, and told why.
    let later = "[records.backends.later]\nprofile = 'webhook'\nurl = 'http://127.0.0.1:9'\n";
    write(&bench, "config/site.toml", &format!("{SITE}{before}{later}"));
    write(&bench, "plan.toml", &PLAN.replace("\"front\"\n", "\"front\"\ntickets = [\"later\"]\n"));
    let (status, problem) = reload(&bench);
    let told = problem["errors"].to_string();
    assert!(status == 422 && told.contains("a restart is needed before this counts: records.backends.later: new"), "{problem:#}");
}
