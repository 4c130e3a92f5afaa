//! `hotline records` beside a gateway that runs.

use crate::bench::{Bench, free_port, wait_until};
use crate::http::Backend;
use std::process::{Command, Stdio};

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
    assert_eq!(bench.answer(&[&replay[..], &["--all", "--dry-run"]].concat()), "2 records would go to webhook\n");
    assert_eq!(bench.answer(&replay), "2 records will go to webhook\n");
    backend.next("call.record");
    assert_eq!(bench.kill("-TERM"), Some(0));
}

/// With the blind index and without it.
#[test]
fn a_caller_is_found_however_the_number_is_written() {
    for index in [
        "",
        "[records]\ncallers_by = 'a'\n[records.keys.a]\nsecret = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'\n",
    ] {
        let bench = Bench::new().site(index).start();
        for (n, caller) in ["+8613800138000", "013800138000", "13800138000", "06912123456", "2123456"].iter().enumerate() {
            let body = serde_json::json!({ "id": n.to_string(), "hotline": "12366", "caller": caller, "result": "answered",
                "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
            assert_eq!(bench.http_full("POST", "/api/v1/records", "", &body.to_string()).unwrap().0, 201);
        }
        let found = |caller| bench.answer(&["records", "ls", "--caller", caller]).lines().count();
        for caller in ["+8613800138000", "013800138000", "13800138000", "138 0013 8000"] {
            assert_eq!(found(caller), 3, "{caller}");
        }
        for caller in ["0691-2123456", "06912123456", "+86 691 2123456", "2123456"] {
            assert_eq!(found(caller), 2, "{caller}");
        }
        assert_eq!(found("13800138001"), 0);
        let output = bench.ask(&["records", "ls", "--caller", "anonymous"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("`anonymous` is no caller's number"), "{output:?}");
    }
}

/// `| head` has seen enough; a full disk has not.
#[test]
fn an_answer_that_nobody_reads_on_is_no_fault() {
    let explain = |stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
        let output = command.args(["explain", "12345"]).stdout(stdout).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(explain(writer.into()), (Some(0), String::new()));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (code, told) = explain(full.into());
    assert!(code == Some(2) && told.starts_with("the answer cannot be written: No space"), "{code:?} {told}");
}
