//! Tourism complaints that 12345 takes: a seat's tag sends the call to the tourism system too, and to nobody else's.

use super::bench::{self, Bench, tickets, wait_until};
use serde_json::Value;
use std::sync::mpsc::Receiver;

/// The next event: which call, what, and the subjects in it.
fn next(bodies: &Receiver<String>) -> (String, String, String) {
    let event: Value = serde_json::from_str(&bodies.recv_timeout(bench::PATIENCE).unwrap()).unwrap();
    let text = |field: &str| event[field].as_str().unwrap().to_string();
    (text("subject"), text("type"), event["data"]["subjects"].to_string())
}

fn told(call: &str, kind: &str, subjects: &str) -> (String, String, String) {
    (call.into(), kind.into(), subjects.into())
}

#[test]
fn a_tagged_call_goes_to_both_systems_at_once_and_another_to_its_own_alone() {
    let ((main, all), (tourism, some)) = (tickets(), tickets());
    let backend = |name: &str, address| format!("[records.backends.{name}]\nprofile = 'webhook'\nurl = 'http://{address}/'\n");
    let mut bench = Bench::new().site(&(backend("main", main) + &backend("tourism", tourism))).start();
    let _seat = bench.seat();
    let mut caller = bench.call("12345", &["-m", "2", "-r", "10", "-d", "60000"]);
    wait_until("two calls talk", || bench.metric("calls_answered_total") == 2);
    let calls: Value = serde_json::from_str(&bench.answer(&["calls", "--json"])).unwrap();
    let [tagged, other] = [0, 1].map(|i| calls["calls"][i]["id"].as_str().unwrap().to_string());

    assert_eq!(bench.answer(&["calls", "tag", &tagged, "旅游投诉"]), "tagged; it goes to tourism\n");
    assert_eq!(next(&some), told(&tagged, "call.tagged", r#"["旅游投诉"]"#), "while they talk");
    assert_eq!(bench.metric("calls"), 2);
    assert_eq!(bench.answer(&["calls", "tag", &tagged, "旅游投诉"]), "known; it goes to tourism\n");
    let none = "tagged; no ticket system of its own has these subjects\n";
    assert_eq!(bench.answer(&["calls", "tag", &other, "其他"]), none);
    let unknown = bench.ask(&["calls", "tag", "01890000-0000-7000-8000-000000000000", "旅游投诉"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such call"), "{unknown:?}");

    let nonsense = bench.ask(&["calls", "tag", &other, " "]);
    assert!(String::from_utf8_lossy(&nonsense.stderr).contains("\n#/subjects/0: "), "{nonsense:?}");

    // The process dies in both calls: their records follow at the next start.
    bench.kill("-KILL");
    caller.kill().unwrap();
    caller.wait().unwrap();
    bench.restart();
    assert_eq!(next(&some), told(&tagged, "call.record", r#"["旅游投诉"]"#), "the end that waited with it is in it");
    let mut records = Vec::new();
    while records.len() < 2 {
        let (call, kind, _) = next(&all);
        records.extend((kind == "call.record").then_some(call));
    }
    records.sort();
    assert_eq!(records, [tagged.clone(), other.clone()], "the main system has both");

    // Seats tag after the call, too.
    assert_eq!(bench.answer(&["calls", "tag", &other, "旅游投诉"]), "tagged; it goes to tourism\n");
    assert_eq!(next(&some), told(&other, "call.record", r#"["其他"]"#));
    assert_eq!(next(&some), told(&other, "call.tagged", r#"["其他","旅游投诉"]"#));
    let shown = bench.answer(&["records", "show", &other]);
    assert!(shown.contains("\"其他\"") && shown.contains("\"tourism\""), "{shown}");
    let table = bench.answer(&["records", "export", "--format", "csv"]);
    assert!(table.lines().next().unwrap().contains("诉求主题") && table.contains("其他；旅游投诉"), "{table}");
    assert!(some.try_recv().is_err(), "nothing comes twice");
    assert_eq!(bench.kill("-TERM"), Some(0));
}
