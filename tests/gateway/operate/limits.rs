//! A process that may hold few files and sockets: it says so, keeps to what there is room for, and never spins.

use super::bench::Bench;
use crate::support::phone::Phone;
use crate::support::wait_until;
use serde_json::Value;
use std::fs;
use std::thread;
use std::time::Duration;

/// Where the emergency line is called, and says that it is busy, so that the call is over.
pub fn target(bench: &Bench) -> (Phone, String) {
    let phone = Phone::at("target", ([127, 0, 0, 1], 0).into(), bench.sip);
    let port = phone.port().to_string();
    (phone, port)
}

pub fn is_called_and_busy(target: &mut Phone) -> bool {
    let invite = target.ring();
    target.refuse(486);
    invite.is_request("INVITE")
}

fn status(bench: &Bench) -> Value {
    serde_json::from_str(&bench.get("/api/v1/status").unwrap().1).unwrap()
}

fn held(bench: &Bench) -> usize {
    fs::read_dir(format!("/proc/{}/fd", bench.pid())).unwrap().count()
}

/// The time that the process has worked, in hundredths of a second.
fn worked(bench: &Bench) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", bench.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A line about lost lines would be lost, too, and followed by another without end.
#[test]
fn a_log_that_takes_nothing_is_not_written_for_ever() {
    let mut bench = Bench::new();
    bench.start_with(fs::File::options().write(true).open("/dev/full").unwrap());
    wait_until("lost lines", || bench.metric("log_lines_lost_total") > 0);
    thread::sleep(Duration::from_secs(1));
    let lost = bench.metric("log_lines_lost_total");
    assert!(lost < 200, "{lost} lines about nothing");
    assert_eq!(bench.kill("-TERM"), Some(0));
}

#[test]
fn too_few_descriptors_to_start_at_all_are_named_and_what_helps() {
    for command in ["run", "check"] {
        let output = Bench::new().descriptors(64).ask(&[command]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        for part in ["may hold 64 files and sockets", "LimitNOFILE=", "ulimit -n "] {
            assert!(text.contains(part), "{command}: {text}");
        }
        let output = Bench::new().descriptors(64).command(&[command]).env("LC_ALL", "zh_CN.UTF-8").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("最多可打开 64 个文件和套接字"), "{text}");
    }
}

#[test]
fn check_says_what_a_limit_makes_of_the_configuration() {
    let output = Bench::new().descriptors(1024).ask(&["check"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && text.contains("warning: all that is configured needs "), "{text}");
    assert!(text.contains("this process may hold 1024: it takes ") && text.contains(" calls (limits.calls)"), "{text}");
    let output = Bench::new().set("LIMITS__CALLS", "100").descriptors(4096).ask(&["check"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("all that is configured"));
}

/// Each is filled with more calls than it takes: what is refused is told so, an emergency call gets through, nothing is ever
/// asked of the system in vain, and the next call is served.
#[test]
fn with_few_descriptors_the_limits_are_lowered_in_sight_and_kept() {
    for limit in [128, 256, 512, 1024, 4096] {
        let bench = Bench::new();
        let (mut target, port) = target(&bench);
        let bench = bench.set("TRUNKS__LOOPBACK__PORT", &port).descriptors(limit).start();
        let _seat = bench.seat();
        let limits = status(&bench)["limits"].clone();
        let calls = limits["calls"].as_u64().unwrap();
        assert!(limits["descriptors"] == limit && (4..5000).contains(&calls), "{limits}");
        assert_eq!((bench.metric("calls_limit"), bench.metric("descriptors_limit")), (calls, u64::from(limit)));
        assert!(bench.log().contains(&format!("it takes {calls} calls (limits.calls)")), "{}", bench.log());
        // The largest would take longer than it shows.
        let many = (calls + 20).min(80).to_string();
        let mut crowd = bench.call("12345", &["-m", &many, "-l", &many, "-r", "20", "-d", "4000"]);
        if calls < 50 {
            wait_until("some are refused", || bench.metric("calls_shed_total") >= 5);
            let mut help = bench.call("110", &["-m", "1", "-d", "10"]);
            assert!(is_called_and_busy(&mut target), "{limit}: the emergency line is called");
            let _ = help.wait();
        }
        let _ = crowd.wait();
        assert!(held(&bench) <= limit as usize);
        wait_until("all are over", || bench.metric("calls") == 0);
        assert!(bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success(), "{limit}: the next is served");
        let text = bench.get("/metrics").unwrap().1;
        assert!(
            text.lines().filter(|line| line.starts_with("hotline_descriptors_missed_total")).all(|line| line.ends_with(" 0"))
        );
        assert!(!bench.log().contains("no more sockets"), "{limit}: {}", bench.log());
    }
}

/// SQLite by itself says no more than that it cannot open a file.
#[test]
fn a_command_that_lacks_descriptors_says_so() {
    let mut bench = Bench::new().start();
    assert_eq!(bench.kill("-TERM"), Some(0));
    let mut told = Vec::new();
    for count in 4..24 {
        bench = bench.descriptors(count);
        let output = bench.ask(&["records", "ls"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(2) && said.contains("journal.db") {
            assert!(said.contains("LimitNOFILE") && said.contains("no file or socket is left"), "{count}: {said}");
            told.push(count);
        }
    }
    assert!(!told.is_empty());
}

/// The system's own table is full, or somebody has lowered the limit of the running process: what the gateway counted on is
/// not there.
#[test]
fn descriptors_that_are_gone_under_way_cost_the_calls_that_need_them_and_no_more() {
    let bench = Bench::new().set("RECORDING__LINES", "all").set("RECORDING__MIN_FREE", "0").start();
    let _seat = bench.seat();
    assert!(bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success());
    let allow = |count: &str| bench.limit(&format!("--nofile={count}:20000"));
    // The process holds all the descriptors that it may.
    allow("40");
    // Pairs that are bound already are used up first.
    wait_until("none is left", || {
        let _ = bench.call("12345", &["-m", "150", "-r", "150", "-l", "300", "-d", "2000"]).wait();
        bench.log().contains("no more sockets: raise the limit of open files")
    });
    let before = worked(&bench);
    thread::sleep(Duration::from_secs(3));
    let busy = worked(&bench) - before;
    assert!(busy < 100, "the program spins: {busy} hundredths of a second in three");
    let lines = bench.log().lines().filter(|line| line.contains("no file or socket to be had")).count();
    assert!((1..40).contains(&lines), "{lines} lines");
    allow("20000");
    // The alarm names what it was felt by, for a while.
    for (language, part) in [("en", "no file or socket is left for calls' voice"), ("zh", "没有可用的文件描述符，影响：通话语音")]
    {
        let accept = format!("Accept-Language: {language}\r\n");
        let ready = || bench.http_with("GET", "/readyz", &accept).unwrap();
        wait_until("ready, with an alarm", || ready().1.contains(part));
        assert!(bench.http_with("GET", "/api/v1/status", &accept).unwrap().1.contains(part), "{part}");
    }
    wait_until("it is served again", || bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success());
    let text = bench.get("/metrics").unwrap().1;
    let missed = |purpose: &str| {
        let name = format!("hotline_descriptors_missed_total{{purpose=\"{purpose}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    assert!(missed("media") > 0 && missed("media") < 5000, "{text}");
    assert!(bench.metric("no_port_total") > 0);
}
