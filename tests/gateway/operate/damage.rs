//! The journal's files beside a running gateway: copied, put back, damaged.

use super::bench::Bench;
use crate::support::{PATIENCE, wait_until};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

fn journal(bench: &Bench) -> PathBuf {
    bench.folder.path().join("var/journal.db")
}

fn hand_in(bench: &Bench, id: u32) -> bool {
    let body = serde_json::json!({ "id": id.to_string(), "hotline": "12366", "caller": "13800138000", "result": "answered",
        "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
    bench.http_full("POST", "/api/v1/records", "", &body.to_string()).is_some_and(|(status, _)| status == 201)
}

fn refused(bench: &Bench, arguments: &[&str], why: &str) {
    let output = bench.ask(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains(why), "{arguments:?}: {told}");
}

#[test]
fn a_journal_is_copied_while_it_is_written_and_put_back_when_it_is_not() {
    let mut bench = Bench::new().set("RECORDS__INBOUND_RATE", "1000").start();
    assert!(hand_in(&bench, 0));
    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let last = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) && hand_in(&bench, written.load(Ordering::Relaxed) as u32 + 1) {
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        let began = Instant::now();
        let mut n = 0;
        while n < 4 || written.load(Ordering::Relaxed) < 20 {
            assert!(began.elapsed() < PATIENCE, "the gateway does not go on: {}", written.load(Ordering::Relaxed));
            let file = format!("copy-{n}.db");
            let told = bench.answer(&["records", "backup", &file]);
            assert!(told.contains("read through and whole"), "{told}");
            let mode = fs::metadata(bench.folder.path().join(&file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            n += 1;
        }
        stop.store(true, Ordering::Relaxed);
        format!("copy-{}.db", n - 1)
    });
    assert!(hand_in(&bench, 2_000_000));
    refused(&bench, &["records", "backup", "copy-0.db"], "there is such a file already");
    refused(&bench, &["records", "restore", &last, "--replace"], "another gateway is writing it");
    let alone = bench.folder.path().join("alone.db");
    fs::copy(journal(&bench), &alone).unwrap();
    let output = bench.ask(&["records", "ls", "--journal", "alone.db"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("copied without its log"), "{output:?}");
    assert_eq!(bench.kill("-TERM"), Some(0));
    let after = bench.records_of(10_000).len();
    refused(&bench, &["records", "restore", &last], "there is a journal already");
    assert!(bench.answer(&["records", "restore", &last, "--replace"]).contains("what stood there is now"));
    let restored = bench.records_of(10_000).len();
    assert!(restored > 0 && restored < after, "{restored} of {after}");
    bench.restart();
    assert!(hand_in(&bench, 1_000_000));
    assert_eq!(bench.records_of(10_000).len(), restored + 1);
    assert_eq!(bench.metric("journal_damaged"), 0);
}

/// Does not wait until it is ready, which it is not.
fn run(bench: &Bench) -> Child {
    let log = fs::File::options().create(true).append(true).open(bench.folder.path().join("log")).unwrap();
    let child = bench.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let began = Instant::now();
    while bench.get("/readyz").is_none() {
        assert!(began.elapsed() < PATIENCE, "it does not start");
    }
    child
}

#[test]
fn a_damaged_journal_is_told_and_calls_are_taken_all_the_same() {
    let mut bench = Bench::new().set("RECORDS__INBOUND_RATE", "1000").start();
    (0..200).for_each(|id| assert!(hand_in(&bench, id)));
    assert_eq!(bench.kill("-TERM"), Some(0));
    let file = fs::File::options().read(true).write(true).open(journal(&bench)).unwrap();
    let length = file.metadata().unwrap().len();
    // A bit in each page.
    for page in 0..length / 4096 {
        let (at, mut byte) = (page * 4096 + 1500 + page * 37 % 2000, [0]);
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 16], at).unwrap();
    }
    let mut child = run(&bench);
    let (status, why) = bench.get("/readyz").unwrap();
    assert!(status == 503 && why.contains("the journal is damaged"), "{status} {why}");
    assert_eq!(bench.get("/healthz").unwrap().0, 200);
    let _seat = bench.seat();
    assert!(bench.call("110", &["-m", "1", "-d", "10"]).wait().is_ok());
    assert!(bench.call("12345", &["-m", "1", "-d", "100"]).wait().unwrap().success(), "a call is taken");
    assert!(bench.metric("journal_damaged") > 0);
    assert!(bench.records_of(1000).len() > 100, "{}", bench.records_of(1000).len());
    let log = bench.log();
    assert!(log.contains("damaged") && log.contains("损坏"), "{log}");
    let listed = bench.answer(&["records", "damage"]);
    assert!(listed.contains("its checksum does not fit") && listed.contains("new"), "{listed}");
    bench.answer(&["records", "damage", "--seen"]);
    wait_until("ready again", || bench.get("/readyz").unwrap().0 == 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_check_reads_no_pipe_and_no_device_and_says_what_is_wrong_with_a_journal() {
    let mut bench = Bench::new().start();
    assert_eq!(bench.kill("-TERM"), Some(0));
    let pipe = bench.folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (arguments, why) in [
        (vec!["check", "--config", "pipe"], "is a pipe"),
        (vec!["check", "--config", "/dev/zero"], "is a device"),
        (vec!["check", "--plan", "pipe"], "is a pipe"),
        (vec!["check", "--plan", "/dev/zero"], "is a device"),
        (vec!["explain", "12345", "--plan", "pipe"], "is a pipe"),
        (vec!["ready", "--token-file", "pipe"], "is a pipe"),
    ] {
        refused(&bench, &arguments, why);
    }
    for site in [
        "[http.tokens.a]\nroles = ['viewer']\nfile = 'pipe'\n",
        "[records.keys.a]\nfile = 'pipe'\n",
        "[records.backends.a]\nprofile = 'pipe'\nurl = 'http://127.0.0.1:9/'\n",
    ] {
        fs::write(bench.folder.path().join("site.toml"), site).unwrap();
        refused(&bench, &["check", "--config", "site.toml"], "is a pipe");
    }
    let plan = "include = ['pipe']\n[plan]\nname = 'x'\narea = '691'\nzone = 'Asia/Shanghai'\nqueue = '12345'\n";
    fs::write(bench.folder.path().join("plan.toml"), plan).unwrap();
    refused(&bench, &["check", "--plan", "plan.toml"], "is a pipe");
    fs::write(journal(&bench), "").unwrap();
    let output = bench.ask(&["check"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is empty"), "{output:?}");
    fs::write(journal(&bench), "no database".repeat(900)).unwrap();
    fs::remove_file(journal(&bench).with_extension("mark")).unwrap();
    refused(&bench, &["check"], "another kind of file");
}
