//! The built program as an operator meets it: started, called, asked, stopped, killed, misconfigured.

mod api;
mod bench;
mod clocks;
mod damage;
mod explained;
mod families;
mod feed;
mod figures;
mod foreign;
mod limits;
mod metrics;
mod records;
mod reload;
mod subjects;
mod tls;
mod told;

use crate::support::http::Backend;
use crate::support::{free_port, wait_until};
use bench::Bench;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

#[test]
fn a_call_is_joined_recorded_and_delivered_and_nothing_is_left() {
    let backend = Backend::start(free_port());
    let mut bench = Bench::new().set("RECORDS__WEBHOOK__URL", &format!("http://{}/calls", backend.address)).start();
    let _seat = bench.seat();
    let status = bench.call("12345", &["-m", "3", "-r", "10", "-d", "300"]).wait().unwrap();
    assert!(status.success(), "the caller's SIPp: {status}");

    for _ in 0..3 {
        let event = backend.next("call.record").event;
        assert_eq!((event["data"]["result"].as_str(), event["data"]["queue"].as_str()), (Some("answered"), Some("12345")));
    }
    let records = bench.records();
    assert_eq!(records.len(), 3);
    let shown = bench.answer(&["records", "show", records[0]["call_id"].as_str().unwrap()]);
    assert!(shown.contains("\"talk_ms\""), "{shown}");
    wait_until("delivered", || bench.answer(&["records", "show", records[0]["call_id"].as_str().unwrap()]).contains("\"done\""));

    assert_eq!((bench.metric("calls_total"), bench.metric("calls_answered_total")), (3, 3));
    wait_until("no call is left", || {
        ["calls", "legs", "rtp_ports", "journal_unwritten", "seat_channels_taken"].iter().all(|name| bench.metric(name) == 0)
    });
    assert_eq!(bench.kill("-TERM"), Some(0));
}

#[test]
fn a_call_in_progress_may_finish_while_draining_and_no_new_one_comes_in() {
    let mut bench = Bench::new().start();
    let _seat = bench.seat();
    let mut call = bench.call("12345", &["-m", "1", "-d", "1500"]);
    wait_until("answered", || bench.metric("calls_answered_total") == 1);
    assert_eq!(bench.http("POST", "/api/v1/drain").unwrap().0, 202);
    wait_until("draining", || bench.get("/readyz").unwrap().0 == 503);
    assert_eq!(bench.get("/healthz").unwrap().0, 200);
    let second = bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap();
    assert!(!second.success(), "a new call was taken while draining");
    assert!(call.wait().unwrap().success(), "the call in progress was cut");
    assert_eq!(bench.kill("-TERM"), Some(0));
    assert_eq!(bench.records().len(), 1);
}

#[test]
fn a_full_journal_refuses_new_calls_but_110_and_says_so() {
    let bench = Bench::new().set("RECORDS__MAX_BYTES", "131072").set("LOG__DRAIN", "1s");
    let (mut target, port) = limits::target(&bench);
    let mut bench = bench.set("TRUNKS__LOOPBACK__PORT", &port).start();
    let _seat = bench.seat();
    wait_until("the journal is full", || {
        let _ = bench.call("12345", &["-m", "20", "-r", "100", "-d", "10"]).wait();
        bench.metric("journal_down") == 1
    });
    let (status, why) = bench.get("/readyz").unwrap();
    assert!(status == 503 && why.contains("the journal cannot write"), "{why}");
    assert_eq!(bench.get("/healthz").unwrap().0, 200);
    assert!(!bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success());
    let mut help = bench.call("110", &["-m", "1", "-d", "10"]);
    assert!(limits::is_called_and_busy(&mut target), "110 is called all the same");
    let _ = help.wait();
    wait_until("shed", || bench.metric("calls_shed_total") > 0);
    assert_eq!(bench.metric("journal_lost_total"), 0);
    assert_eq!(bench.kill("-TERM"), Some(0));
}

/// A hung journald, a stopped `| tee`: calls, health and SIGTERM go on.
#[test]
fn a_reader_of_standard_error_that_stands_still_stops_nothing() {
    let mut bench = Bench::new().set("LOG__LEVEL", "debug").set("LOG__BUFFER", "65536").set("LIMITS__NOTICES", "100000");
    let mut unread = bench.start_with(Stdio::piped()).unwrap();
    let _seat = bench.seat();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    wait_until("lines are lost", || {
        for _ in 0..100 {
            stranger.send_to(b"OPTIONS sip:x SIP/2.0\r\n\r\n", bench.sip).unwrap();
        }
        bench.metric("log_lines_lost_total") > 0
    });
    assert!(bench.call("12345", &["-m", "1", "-d", "10"]).wait().unwrap().success());
    assert_eq!((bench.get("/healthz").unwrap().0, bench.get("/readyz").unwrap().0), (200, 200));
    let reader = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        let mut log = String::new();
        unread.read_to_string(&mut log).unwrap();
        log
    });
    assert_eq!(bench.kill("-TERM"), Some(0));
    let log = reader.join().unwrap();
    assert!(log.contains("lines of this log were lost since the start"), "{log}");
}

#[test]
fn what_cannot_start_says_why() {
    let complains = |bench: &Bench, arguments: &[&str], message: &str| {
        let output = bench.ask(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(message), "{text}");
    };
    let open = Bench::new().set("HTTP__LISTEN", "0.0.0.0:0");
    complains(&open, &["run"], "HOTLINE__HTTP__LISTEN: 0.0.0.0:0 is reachable from outside: set a token in [http.tokens.NAME]");
    let broken = Bench::new().site("[sip]\nlisten = [");
    complains(&broken, &["check"], "config/site.toml:2:");
    complains(&broken, &["run"], "config/site.toml:2:");
    let unknown = Bench::new().site("[sip]\nlisten_on = []\n");
    complains(&unknown, &["check"], "config/site.toml:2:1: unknown field `listen_on`");
    complains(&Bench::new(), &["check", "--config", "nowhere.toml"], "nowhere.toml: No such file");
    let no_plan = Bench::new().set("PLAN__FILE", "nowhere.toml");
    complains(&no_plan, &["check"], "nowhere.toml: No such file");
    let taken = Bench::new();
    let _holder = TcpListener::bind(taken.sip).unwrap();
    complains(&taken, &["run"], &format!("sip.listen: TCP {}: Address already in use", taken.sip));
    let no_disk = Bench::new().set("NODE__STATE", "/proc/nowhere");
    complains(&no_disk, &["run"], "/proc/nowhere");
}

#[test]
fn a_broken_plan_is_refused_with_its_place() {
    let bench = Bench::new().set("PLAN__FILE", "plan.toml");
    std::fs::write(bench.folder.path().join("plan.toml"), "[[line]]\nnumber = 12345\nmode = 'fornt'\n").unwrap();
    for command in ["check", "run"] {
        let output = bench.ask(&[command]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("plan.toml:2:10: ") && text.contains("plan.toml:3:8: "), "{text}");
    }
}

#[test]
fn the_main_job_has_no_difference() {
    let mut bench = Bench::new();
    bench.forget_settings();
    let shown = bench.answer(&["try"]);
    assert!(shown.contains("scenarios as they should be") && !shown.contains('✗'), "{shown}");
}

#[test]
fn a_plan_is_explained_as_a_table_and_through_a_day() {
    let bench = Bench::new();
    let plan = ["--plan", "dialplans/xishuangbanna.toml"];
    let all = bench.answer(&[&["explain", "--all", "--at", "2021-10-15T12:00:00+08:00"][..], &plan].concat());
    let row = all.lines().find(|line| line.starts_with("12336 ")).unwrap();
    assert!(row.contains("merged") && row.contains("announce-and-connect") && row.contains("announce, queue"), "{row}");
    let json = bench.answer(&[&["explain", "--all", "--json"][..], &plan].concat());
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(json.len(), all.lines().count());
    let day = bench.answer(&[&["explain", "12336", "--day", "2021-09-30"][..], &plan].concat());
    assert!(day.starts_with("00:00 12336 ") && day.lines().count() == 1, "{day}");
    let json = bench.answer(&[&["explain", "12336", "--day", "2021-09-30", "--json"][..], &plan].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["at"], "2021-09-30T00:00:00+08:00");
    let spoken = bench.answer(&[&["explain", "+8669112336", "--at", "2021-10-15T12:00:00+08:00"][..], &plan].concat());
    for part in
        ["country code 86 taken off, area code 0691 split off", "您好，您拨打的12336", "xishuangbanna.toml:", "unit 州自然资源局"]
    {
        assert!(spoken.contains(part), "no {part} in {spoken}");
    }
    assert_eq!(bench.ask(&["explain"]).status.code(), Some(2));
}

#[test]
fn several_plans_are_checked_at_once() {
    // For so many calls this machine lets a process hold files enough.
    let bench = Bench::new().set("LIMITS__CALLS", "4000").set("LIMITS__EMERGENCY_PERCENT", "3");
    let plans =
        ["national", "inner-mongolia", "qinghai", "xishuangbanna", "yuncheng"].map(|name| format!("dialplans/{name}.toml"));
    let arguments: Vec<&str> = ["check", "--plan"].into_iter().chain(plans.iter().map(String::as_str)).collect();
    let output = bench.ask(&arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && plans.iter().all(|plan| text.contains(plan.as_str())), "{text}");
    assert!(!text.contains("warning"), "{text}");
    std::fs::write(bench.folder.path().join("bad.toml"), "[plan]\nnme = 'x'\n").unwrap();
    let output = bench.ask(&["check", "--plan", "bad.toml", &plans[0]]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("bad.toml:2:1: unknown word `nme`; did you mean `name`?"), "{text}");
}

#[test]
fn the_program_runs_without_any_file_beside_it() {
    let bench = Bench::new();
    assert!(bench.answer(&["check"]).contains("西双版纳"));
    let explained = bench.answer(&["explain", "12345", "--json"]);
    assert!(explained.contains("\"front\""), "{explained}");
}

#[test]
fn tokens_open_the_gateway_to_who_may_and_a_reload_revokes_them() {
    let site = |name: &str| format!("[http.tokens.{name}]\nroles = ['monitor']\nsecret = 'abcdefghijklmnop-{name}'\n");
    let bench = Bench::new().site(&site("first")).start();
    let ask = |token: &str, path: &str| bench.http_with("GET", path, &format!("Authorization: Bearer {token}\r\n")).unwrap().0;
    assert_eq!(bench.get("/metrics").unwrap().0, 401);
    assert_eq!(ask("abcdefghijklmnop-first", "/metrics"), 200);
    assert_eq!(ask("abcdefghijklmnop-first", "/api/v1/calls"), 403);
    assert_eq!(ask("abcdefghijklmnop-second", "/metrics"), 401);
    std::fs::write(bench.folder.path().join("config/site.toml"), site("second")).unwrap();
    wait_until("the new token counts", || ask("abcdefghijklmnop-second", "/metrics") == 200);
    assert_eq!(ask("abcdefghijklmnop-first", "/metrics"), 401);
    let log = || bench.log();
    wait_until("the log tells it", || log().contains("http.tokens.second: new"));
    assert!(!log().contains("abcdefghijklmnop"), "{}", log());
}
