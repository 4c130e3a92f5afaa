//! Figures as an operator asks for them, also after the process has died in calls.

use super::bench::Bench;
use crate::support::wait_until;

/// The row of a hotline in what is answered: its name, offered, answered …
fn row(csv: &str, name: &str) -> Vec<String> {
    let row = csv.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap_or_default();
    row.trim_end().split(',').map(str::to_owned).collect()
}

#[test]
fn figures_outlive_a_kill_9_and_equal_those_computed_from_the_journal() {
    let mut bench = Bench::new().start();
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "3", "-r", "10", "-d", "300"]).wait().unwrap().success());
    let mut caller = bench.call("12345", &["-m", "2", "-r", "10", "-d", "60000"]);
    wait_until("two calls talk", || bench.metric("calls_answered_total") == 5);
    // The figures tell of what is on the disk.
    wait_until("all are counted", || row(&bench.answer(&["figures", "--csv", "--window", "24h"]), "12345")[1..3] == ["5", "5"]);
    bench.kill("-KILL");
    caller.kill().unwrap();
    caller.wait().unwrap();
    bench.restart();
    wait_until("the past is read", || bench.ask(&["figures", "--window", "24h"]).status.success());
    // A state that lasts grows from one question to the next.
    assert_eq!(bench.http("POST", "/api/v1/seats/desk/logout").unwrap().0, 200);
    for by in ["hotline", "queue", "seat"] {
        let asked = ["figures", "--csv", "--window", "24h", "--by", by];
        let running = bench.answer(&asked);
        assert_eq!(running, bench.answer(&[&asked[..], &["--recompute"]].concat()), "{by}");
        let name = if by == "seat" { "desk" } else { "12345" };
        assert_eq!(row(&running, name)[1..3], ["5", "5"], "{running}");
    }
    let told = bench.answer(&["figures", "--window", "15m"]);
    assert!(told.starts_with("HOTLINE ") && told.lines().nth(1).unwrap().starts_with("12345 "), "{told}");
    for (wrong, why) in [
        (&["figures", "--day", "2999-01-01"][..], "this day has not come yet"),
        (&["figures", "--day", "2026-13-01"], "2026-13-01"),
        (&["figures", "--day", "2026-10-02", "--until", "2026-10-01"], "--until lies before --day"),
        (&["figures", "--until", "2026-10-01"], "--day"),
        (&["figures", "--by", "caller"], "caller"),
    ] {
        let refused = bench.ask(wrong);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains(why), "{wrong:?}: {told}");
    }
    assert_eq!(bench.kill("-TERM"), Some(0));
}
