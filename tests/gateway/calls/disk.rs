//! The journal's disk fails (EIO), as configured calls are refused or go on, and nothing that was said to be on the disk
//! is missing after the power went.

use crate::support::gateway::{Gateway, Spec};
use crate::support::{disk, wait_for};
use serde_json::Value;

fn frail(records: &'static str) -> Gateway {
    // Nobody is sent records: then a journal that is closed after an error is opened by nobody else either, and the next
    // to open it reads what the system remembers.
    Gateway::start(&Spec { frail: true, records, webhook: Some(""), ..Spec::default() })
}

fn ready(gateway: &Gateway, status: u16) {
    wait_for(&format!("/readyz {status}"), || gateway.get("/readyz").filter(|(found, _)| *found == status));
}

/// After everything that was written is said to be on the disk: kill -9, and a disk without what only memory held.
fn results_after_power_was_lost(gateway: &mut Gateway) -> Vec<String> {
    for gauge in ["calls", "journal_unwritten"] {
        wait_for(&format!("no {gauge}"), || (gateway.metric(gauge) == 0).then_some(()));
    }
    gateway.kill("-KILL");
    disk::lose_power(gateway.folder.path());
    gateway.restart();
    let output = gateway.ask(&["records", "ls", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let record = |line: &str| serde_json::from_str::<Value>(line).unwrap()["result"].as_str().unwrap().to_string();
    text.lines().map(record).collect()
}

#[test]
fn a_sync_that_failed_is_not_believed_when_the_next_one_succeeds() {
    let mut gateway = frail("");
    gateway.caller("caller_gets_404", "55555").start().finish();
    disk::fault(gateway.folder.path(), "sync");
    gateway.caller("caller_gets_404", "55555").start().finish();
    ready(&gateway, 503);
    assert_eq!(gateway.metric("journal_down"), 1);
    gateway.caller("caller_gets_503", "12345").start().finish();
    disk::fault(gateway.folder.path(), "nothing");
    ready(&gateway, 200);
    gateway.caller("caller_gets_404", "55555").start().finish();
    assert_eq!(results_after_power_was_lost(&mut gateway), ["rejected"; 3]);
}

#[test]
fn a_process_that_is_started_again_does_not_believe_it_either() {
    let mut gateway = frail("");
    gateway.caller("caller_gets_404", "55555").start().finish();
    disk::fault(gateway.folder.path(), "sync");
    gateway.caller("caller_gets_404", "55555").start().finish();
    ready(&gateway, 503);
    gateway.kill("-KILL");
    disk::fault(gateway.folder.path(), "nothing");
    gateway.restart();
    let told = gateway.ask(&["records", "ls", "--json"]).stdout.iter().filter(|byte| **byte == b'\n').count();
    gateway.caller("caller_gets_404", "55555").start().finish();
    assert_eq!(results_after_power_was_lost(&mut gateway).len(), told + 1, "what was shown, and what came later");
}

#[test]
fn with_carry_on_calls_go_on_without_the_disk_and_are_written_when_it_is_back() {
    for fault in ["write", "sync"] {
        let mut gateway = frail("on_journal_failure = \"carry-on\"");
        let seat = gateway.seat(0, "seat_answers").lasts(50).start_calls(2, 30);
        disk::fault(gateway.folder.path(), fault);
        gateway.caller("caller_gets_404", "55555").start().finish();
        ready(&gateway, 503);
        gateway.caller("caller_hangs_up", "12345").lasts(100).start_calls(2, 30).finish();
        seat.finish();
        assert_eq!(gateway.metric("journal_down"), 1, "{fault}");
        disk::fault(gateway.folder.path(), "nothing");
        ready(&gateway, 200);
        let mut results = results_after_power_was_lost(&mut gateway);
        results.sort();
        assert_eq!(results, ["answered", "answered", "rejected"], "{fault}");
    }
}
