//! A machine whose wall clock jumps, or was never set.

use super::bench::Bench;
use crate::support::http::Backend;
use crate::support::{free_port, wait_until};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const THREE_YEARS: i64 = 3 * 365 * 86_400;

/// A gateway whose clock is what the file `clock` in its folder says.
fn bench() -> Bench {
    let bench = Bench::new();
    let library = bench.folder.path().join("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
    let built = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(built.expect("cc (Debian: build-essential) is installed").success());
    let clock = bench.folder.path().join("clock");
    bench.variable("LD_PRELOAD", library.to_str().unwrap()).variable("HOTLINE_CLOCK", clock.to_str().unwrap())
}

fn set(bench: &Bench, clock: &str) {
    let file = bench.folder.path().join("clock");
    std::fs::write(file.with_extension("new"), clock).unwrap();
    std::fs::rename(file.with_extension("new"), file).unwrap();
}

fn hand_in(bench: &Bench, id: &str) {
    let body = serde_json::json!({ "id": id, "hotline": "12366", "caller": "13800138000", "result": "answered",
        "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
    assert_eq!(bench.http_full("POST", "/api/v1/records", "", &body.to_string()).unwrap().0, 201);
}

fn attempts(bench: &Bench, outcome: &str) -> u64 {
    let text = bench.get("/metrics").unwrap().1;
    let name = format!("hotline_delivery_attempts_total{{backend=\"webhook\",outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[test]
fn a_clock_that_jumps_delays_no_delivery_and_gives_nothing_up() {
    let jumps = [THREE_YEARS.to_string(), (-THREE_YEARS).to_string(), "=1000".to_string()];
    for jump in &jumps {
        let backend = Backend::start(free_port());
        let mut bench = bench().set("RECORDS__WEBHOOK__URL", &format!("http://{}/calls", backend.address)).start();
        backend.answer_with(503);
        hand_in(&bench, "1");
        wait_until("a first try", || attempts(&bench, "retried") >= 1);
        set(&bench, jump);
        let tried = attempts(&bench, "retried");
        wait_until("another one", || attempts(&bench, "retried") > tried);
        assert_eq!(attempts(&bench, "refused"), 0, "{jump}: given up");
        // It is set right while the record waits again; a restart waits for nothing.
        set(&bench, "0");
        backend.rest();
        backend.answer_with(200);
        assert_eq!(bench.kill("-KILL"), None);
        bench.restart();
        assert_eq!(backend.next("call.record").status, 200, "{jump}");
        assert_eq!(attempts(&bench, "refused"), 0, "{jump}: given up");
    }
}

#[test]
fn under_a_clock_that_was_never_set_calls_are_dated_by_what_was_known() {
    let mut bench = bench();
    set(&bench, "=1000");
    let known = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let state = bench.folder.path().join("var");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("journal.clock"), known.to_string()).unwrap();
    bench.restart();
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "1", "-d", "100"]).wait().unwrap().success());
    wait_until("a record", || bench.records().iter().any(|record| record["result"] == "answered"));
    assert_eq!(bench.metric("clock_doubted"), 1);
    let day = |micros: u128| jiff::Timestamp::from_microsecond(micros as i64).unwrap().to_string()[..8].to_owned();
    let start = bench.records()[0]["start"].as_str().unwrap().to_owned();
    assert!(start.starts_with(&day(known)), "{start}");
    assert!(bench.log().contains("the wall clock was never set"));
    assert_eq!(bench.kill("-TERM"), Some(0));
}
