//! `hotline records` beside a gateway that runs.

use crate::bench::{Bench, free_port, wait_until};
use crate::http::Backend;

#[test]
fn records_are_exported_rendered_and_sent_again_from_the_command_line() {
    let backend = Backend::start(free_port());
    let mut bench = Bench::new().set("RECORDS__WEBHOOK__URL", &format!("http://{}/calls", backend.address)).start();
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "2", "-r", "10", "-d", "100"]).wait().unwrap().success());
    (0..2).for_each(|_| drop(backend.next("call.record")));
    wait_until("two records", || bench.records().iter().filter(|record| record["result"] == "answered").count() == 2);
    let call = bench.records()[0]["call_id"].as_str().unwrap().to_string();

    let table = bench.answer(&["records", "export", "--format", "csv"]);
    let lines: Vec<&str> = table.split("\r\n").collect();
    assert!(lines[0].starts_with("\u{feff}通话编号,开始时间,主叫号码"), "{table}");
    assert_eq!((lines.len(), lines[1].split(',').count()), (4, lines[0].split(',').count()), "{table}");
    assert_eq!(bench.answer(&["records", "export"]).lines().count(), 2);

    let rendered = bench.answer(&["records", "render", &call, "--profile", "request-tracker-5"]);
    for part in ["# find\nGET https://backend/REST/2.0/tickets", "# create\nPOST", "# update\nPUT", "\"result\": \"answered\""] {
        assert!(rendered.contains(part), "no {part} in {rendered}");
    }

    assert_eq!(bench.answer(&["records", "ls", "--dead"]), "");
    let replay = ["records", "replay", "--since", "2020-01-01T00:00:00Z", "--backend", "webhook"];
    assert_eq!(bench.answer(&[&replay[..], &["--dry-run"]].concat()), "2 records would go to webhook\n");
    assert_eq!(bench.answer(&replay), "2 records will go to webhook\n");
    backend.next("call.record");
    assert_eq!(bench.kill("-TERM"), Some(0));
}
