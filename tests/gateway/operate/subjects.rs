//! Tourism complaints that 12345 takes: a seat's tag sends the call to the tourism system too, and to nobody else's.

use super::bench::Bench;
use crate::support::http::{Backend, Post};
use crate::support::{free_port, wait_until};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};

/// A ticket system, and what it got and nobody has looked at.
struct System {
    backend: Backend,
    posts: VecDeque<Post>,
}

impl System {
    fn start() -> System {
        System { backend: Backend::start(free_port()), posts: VecDeque::new() }
    }

    fn site(&self, name: &str) -> String {
        format!("[records.backends.{name}]\nprofile = 'webhook'\nurl = 'http://{}/'\n", self.backend.address)
    }

    /// The next event: which call, what, and the subjects in it.
    fn next(&mut self) -> (String, String, String) {
        wait_until("a post", || {
            self.posts.extend(self.backend.rest());
            !self.posts.is_empty()
        });
        let event = self.posts.pop_front().unwrap().event;
        let text = |field: &str| event[field].as_str().unwrap().to_string();
        (text("subject"), text("type"), event["data"]["subjects"].to_string())
    }
}

fn told(call: &str, kind: &str, subjects: &str) -> (String, String, String) {
    (call.into(), kind.into(), subjects.into())
}

#[test]
fn a_tagged_call_goes_to_both_systems_at_once_and_another_to_its_own_alone() {
    let (mut main, mut tourism) = (System::start(), System::start());
    let mut bench = Bench::new().site(&(main.site("main") + &tourism.site("tourism"))).start();
    let _seat = bench.seat();
    let mut caller = bench.call("12345", &["-m", "2", "-r", "10", "-d", "60000"]);
    wait_until("two calls talk", || bench.metric("calls_answered_total") == 2);
    let calls: Value = serde_json::from_str(&bench.answer(&["calls", "--json"])).unwrap();
    let [tagged, other] = [0, 1].map(|i| calls["calls"][i]["id"].as_str().unwrap().to_string());

    assert_eq!(bench.answer(&["calls", "tag", &tagged, "旅游投诉"]), "tagged; it goes to tourism\n");
    assert_eq!(tourism.next(), told(&tagged, "call.tagged", r#"["旅游投诉"]"#), "while they talk");
    assert_eq!(bench.metric("calls"), 2);
    assert_eq!(bench.answer(&["calls", "tag", &tagged, "旅游投诉"]), "known; it goes to tourism\n");
    let none = "tagged; no ticket system of its own has these subjects\n";
    assert_eq!(bench.answer(&["calls", "tag", &other, "其他"]), none);
    let unknown = bench.ask(&["calls", "tag", "01890000-0000-7000-8000-000000000000", "旅游投诉"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such call"), "{unknown:?}");

    let nonsense = bench.ask(&["calls", "tag", &other, "旅游 "]);
    assert!(String::from_utf8_lossy(&nonsense.stderr).contains("\n#/subjects/0: "), "{nonsense:?}");

    // The process dies in both calls: their records follow at the next start.
    bench.kill("-KILL");
    caller.kill().unwrap();
    caller.wait().unwrap();
    bench.restart();
    let mut last = tourism.next();
    // An event that nobody knows to have arrived is sent again, and an end may be in the record that waits behind it.
    while last.1 != "call.record" {
        assert!((&*last.0, last.2.as_str()) == (&tagged, r#"["旅游投诉"]"#) && last.1 != "call.offered", "{last:?}");
        last = tourism.next();
    }
    assert_eq!(last, told(&tagged, "call.record", r#"["旅游投诉"]"#));
    let mut records = BTreeSet::new();
    while records.len() < 2 {
        let (call, kind, _) = main.next();
        records.extend((kind == "call.record").then_some(call));
    }
    assert_eq!(records, BTreeSet::from([tagged.clone(), other.clone()]), "the main system has both");

    // Seats tag after the call, too.
    assert_eq!(bench.answer(&["calls", "tag", &other, "旅游投诉"]), "tagged; it goes to tourism\n");
    assert_eq!(tourism.next(), told(&other, "call.record", r#"["其他"]"#));
    assert_eq!(tourism.next(), told(&other, "call.tagged", r#"["其他","旅游投诉"]"#));
    let shown = bench.answer(&["records", "show", &other]);
    assert!(shown.contains("\"其他\"") && shown.contains("\"tourism\""), "{shown}");
    let table = bench.answer(&["records", "export", "--format", "csv"]);
    assert!(table.lines().next().unwrap().contains("诉求主题") && table.contains("其他；旅游投诉"), "{table}");
    assert!(tourism.posts.is_empty() && tourism.backend.rest().is_empty(), "nothing comes twice");
    assert_eq!(bench.kill("-TERM"), Some(0));
}
