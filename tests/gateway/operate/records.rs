//! `hotline records` beside a gateway that runs.

use super::bench::Bench;
use crate::support::http::Backend;
use crate::support::{free_port, wait_until};
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
        // Under a head, where there is any.
        let found = |caller| bench.answer(&["records", "ls", "--caller", caller]).lines().count().saturating_sub(1);
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

/// The journal and the gateway that writes it say the same.
#[test]
fn records_are_looked_for_in_the_journal_and_through_the_gateway() {
    let site = "[http.tokens.shift]\nroles = ['viewer', 'source']\nsecret = 'abcdefghijklmnop-shift'\n\
                [http.tokens.ops]\nroles = ['monitor']\nsecret = 'abcdefghijklmnop-ops'\n";
    let bench = Bench::new().site(site).set("RECORDS__INBOUND_RATE", "10000").start();
    std::fs::write(bench.folder.path().join("token"), "abcdefghijklmnop-shift\n").unwrap();
    let token = "Authorization: Bearer abcdefghijklmnop-shift\r\n";
    let hand_in = |n: u32| {
        let (hotline, result) = if n.is_multiple_of(2) { ("12366", "answered") } else { ("12345", "no_seat") };
        let day = format!("2026-03-{:02}", 1 + n / 60);
        let body = serde_json::json!({ "id": n.to_string(), "hotline": hotline, "caller": "13800138000", "result": result,
            "start": format!("{day}T09:{:02}:00+08:00", n % 60), "ended": format!("{day}T10:30:00+08:00") });
        while bench.http_full("POST", "/api/v1/records", token, &body.to_string()).unwrap().0 != 201 {}
    };
    // Many at once share a sync.
    std::thread::scope(|scope| {
        (0..12).for_each(|of| drop(scope.spawn(move || (0..600).filter(|n| n % 12 == of).for_each(hand_in))));
    });
    let url = format!("http://{}", bench.http);
    let way = ["--url", &url, "--token-file", "token"];
    for asked in [
        &["--limit", "5"][..],
        &["--limit", "5", "--json"],
        &["--limit", "10000"],
        &["--limit", "10000", "--json", "--result", "no_seat,open"],
        &["--line", "12366", "--since", "2026-03-02", "--until", "2026-03-03", "--limit", "1000"],
        &["--since", "2026-03-02T09:30:00+08:00", "--until", "2026-03-02T02:00:00Z"],
        &["--result", "timeout"],
    ] {
        let own = bench.answer(&[&["records", "ls"], asked].concat());
        assert_eq!(bench.answer(&[&["records", "ls"], asked, &way].concat()), own, "{asked:?}");
        if !asked.contains(&"--json") && !own.is_empty() {
            assert!(own.starts_with("START ") && own.lines().all(|line| !line.contains("13800138000")), "{own}");
        }
    }
    for asked in [&["export"][..], &["export", "--format", "csv"], &["export", "--since", "2026-03-03"]] {
        let own = bench.answer(&[&["records"], asked].concat());
        assert!(own.lines().count() > 100 && !own.contains("13800138000"), "{asked:?}: {own}");
        assert_eq!(bench.answer(&[&["records"], asked, &way].concat()), own, "{asked:?}");
    }
    let first = bench.answer(&["records", "ls", "--json", "--limit", "1"]);
    let call = serde_json::from_str::<serde_json::Value>(&first).unwrap()["call_id"].as_str().unwrap().to_owned();
    let own = bench.answer(&["records", "show", &call]);
    assert!(own.contains("\"deliveries\"") && own.contains("138******00"), "{own}");
    assert_eq!(bench.answer(&[&["records", "show", &call][..], &way].concat()), own);
    let count = |more: &[&str]| bench.answer(&[&["records", "ls", "--json", "--limit", "1000"], more].concat()).lines().count();
    assert_eq!(count(&["--line", "12366", "--since", "2026-03-02", "--until", "2026-03-03"]), 60);
    assert_eq!(count(&["--result", "answered"]), 300);
    let refused = |arguments: &[&str], why: &str| {
        let output = bench.ask(&[&["records", "ls", "--url", &url], arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(why), "{told}");
    };
    refused(&[], "a bearer token is needed");
    std::fs::write(bench.folder.path().join("other"), "abcdefghijklmnop-ops\n").unwrap();
    refused(&["--token-file", "other"], "this needs the role viewer or operator or admin");
    refused(&["--token-file", "token", "--unmasked"], "this needs the role unmasked");
    refused(&["--token-file", "token", "--result", "vanished"], "vanished");
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
