//! Text that others chose is seen in every answer, log and file of the program, and acts in none of them.

use super::bench::Bench;
use crate::support::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Output;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// It clears the screen, begins a line of its own, ends the text, turns its direction, colours it, and hides.
const HOSTILE: &str = "x\u{1b}[2J\r\nFORGED\0\u{202e}\u{2066}\u{200b}\u{feff}\u{9b}31m\u{7f}\u{2028}\u{ad}\u{e0041}\ty";
const CALL: &str = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80";

/// The same as what terminals and editors go by.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Lines of ours may end, and columns be parted.
fn harmless(what: &str, text: &str) {
    let found: Vec<char> = text.chars().filter(|c| acts(*c) && !matches!(c, '\n' | '\t')).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{what}: a line was forged in {text:?}");
}

fn harmless_output(what: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8(output.stdout.clone()).unwrap(), String::from_utf8(output.stderr.clone()).unwrap());
    // A spreadsheet knows UTF-8 by the mark, and RFC 4180 ends lines so.
    let table = out.strip_prefix('\u{feff}').map(|table| table.replace("\r\n", "\n"));
    harmless(what, table.as_deref().unwrap_or(&out));
    harmless(what, &err);
    assert!(!out.is_empty() || !err.is_empty(), "{what}: nothing is said");
    out
}

/// Answers every request with what `answer` gives for its path, and tells what was posted.
fn server(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer, (sender, posts)) = (listener.local_addr().unwrap(), Arc::new(answer), channel());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, sender) = (answer.clone(), sender.clone());
            thread::spawn(move || serve(stream, &*answer, &sender));
        }
    });
    (address, posts)
}

fn serve(stream: TcpStream, answer: &dyn Fn(&str) -> (u16, String), posts: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        posts.send(String::from_utf8_lossy(&body).into_owned()).ok()?;
        let (status, text) = answer(first.split(' ').nth(1)?);
        let head =
            format!("HTTP/1.1 {status} Because\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", text.len());
        stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

fn record() -> Value {
    json!({
        "call_id": HOSTILE, "start": HOSTILE, "ended": HOSTILE, "caller": HOSTILE, "caller_raw": HOSTILE, "result": HOSTILE,
        "hotline": { "dialled": HOSTILE, "number": HOSTILE, "line": HOSTILE, "unit": HOSTILE, "mode": HOSTILE, "phase": null },
        "area": { "code": HOSTILE }, "seat": { "id": HOSTILE, "name": HOSTILE }, "target": HOSTILE,
        "reported_by": { "source": HOSTILE, "id": HOSTILE }, "subjects": [HOSTILE, format!("=1;{HOSTILE}")],
        "survey": { "score": 5, "scale": 5 }, "tickets": [{ "backend": HOSTILE, "id": HOSTILE, "url": HOSTILE }],
        "queue_ms": 1, "talk_ms": 2, "handed_to_queue": HOSTILE, "seat_answered": HOSTILE,
    })
}

/// A gateway that says the worst.
fn gateway(path: &str) -> (u16, String) {
    let call = json!({ "id": HOSTILE, "number": HOSTILE, "line": HOSTILE, "caller": HOSTILE, "state": HOSTILE,
                       "legs": [{ "leg": 1, "party": HOSTILE, "state": HOSTILE, "on_hold": true }] });
    let answer = match path.split('?').next().unwrap() {
        "/api/v1/calls" => json!({ "calls": [call], "total": 2 }),
        "/readyz" => json!({ "status": "ready", "alarm": HOSTILE }),
        "/api/v1/status" => json!({ "draining": false, "calls": 1, "alarms": [HOSTILE] }),
        "/api/v1/records" => json!({ "records": [record()], "next": null }),
        path if path.ends_with("/subjects") => json!({ "status": HOSTILE, "backends": [HOSTILE] }),
        path if path.starts_with("/api/v1/records/") => json!({ "record": record(), "deliveries": [{ "error": HOSTILE }] }),
        _ => call,
    };
    (200, answer.to_string())
}

fn refusal(_: &str) -> (u16, String) {
    let errors = json!([HOSTILE, { "pointer": HOSTILE, "detail": HOSTILE }]);
    (422, json!({ "title": HOSTILE, "status": 422, "detail": HOSTILE, "errors": errors }).to_string())
}

const ASKED: &[&[&str]] = &[
    &["calls"],
    &["calls", "--json"],
    &["calls", "show", CALL],
    &["calls", "show", CALL, "--json"],
    &["calls", "tag", CALL, "x"],
    &["calls", "tag", CALL, "x", "--json"],
    &["calls", "transfer", CALL, "1", "--json"],
    &["calls", "drop", CALL, "1"],
    &["drain", "--status"],
    &["ready"],
    &["records", "ls"],
    &["records", "ls", "--json"],
    &["records", "show", CALL],
    &["records", "export"],
    &["records", "export", "--format", "csv"],
];

#[test]
fn what_a_gateway_passes_on_does_nothing_in_any_answer() {
    let (good, bad, raw) = (server(gateway), server(refusal), server(|_| (200, HOSTILE.to_owned())));
    let bench = Bench::new();
    for asked in ASKED {
        for (lang, (address, _)) in [("en", &good), ("zh", &good), ("en", &bad), ("zh", &bad), ("zh", &raw)] {
            let url = format!("http://{address}");
            let output = bench.ask(&[asked, &["--url", &url, "--lang", lang][..]].concat());
            assert_eq!(output.status.success(), *address == good.0, "{asked:?}: {output:?}");
            let out = harmless_output(&format!("{asked:?} {lang}"), &output);
            let is_json = asked.contains(&"--json") || matches!(**asked, ["records", "show", _] | ["records", "export"]);
            if is_json && *address == good.0 {
                let value: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{asked:?}: {e}: {out}"));
                assert!(value.to_string().contains("FORGED"), "{asked:?}: {value}");
            }
        }
    }
    // Whoever opens the table runs nothing of it.
    let (address, _posts) = server(|_| {
        (200, json!({ "records": [{ "caller": "=cmd|' /C calc'!A0", "subjects": ["@x"] }], "next": null }).to_string())
    });
    let table = bench.answer(&["records", "export", "--format", "csv", "--url", &format!("http://{address}")]);
    let row = table.lines().nth(1).unwrap();
    assert!(row.contains(",'=cmd|") && row.contains(",'@x,"), "{row}");
}

#[test]
fn what_is_typed_or_stands_in_files_does_nothing_either() {
    let escaped: String = HOSTILE.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    let bench = Bench::new();
    let at = |name: &str| bench.folder.path().join(name).to_str().unwrap().to_owned();
    let plan = format!(
        "[plan]\nname = \"{escaped}\"\narea = \"691\"\nnotice = \"{escaped}\"\n[[line]]\nnumber = \"12345\"\nname = \"{escaped}\"\n\
         unit = \"{escaped}\"\nmode = \"front\"\n[[line]]\nnumber = \"{escaped}\"\nmode = \"{escaped}\"\n"
    );
    std::fs::write(at("bad.toml"), &plan).unwrap();
    let good = plan.split("[[line]]").take(2).collect::<Vec<_>>().join("[[line]]");
    std::fs::write(at("good.toml"), good).unwrap();
    // Whoever types a control character is told so; the rest comes further.
    for hostile in [HOSTILE.replace('\0', ""), HOSTILE.chars().filter(|c| !c.is_control()).collect()] {
        each_command_with(&bench, &hostile, &at("good.toml"), &at("bad.toml"));
    }
    let hostile = HOSTILE.replace('\0', "");
    for (name, value) in [
        ("HOTLINE_LANG", &*hostile),
        ("HOTLINE__NODE__NAME", &hostile),
        ("HOTLINE__PLAN__FILE", &hostile),
        ("HOTLINE__X\u{202e}", "y"),
    ] {
        harmless_output(name, &bench.command(&["check"]).env(name, value).output().unwrap());
    }
}

fn each_command_with(bench: &Bench, hostile: &str, good: &str, bad: &str) {
    for asked in [
        &["explain", "12345", "--plan", good][..],
        &["explain", "12345", "--plan", good, "--json"],
        &["explain", "--all", "--plan", good],
        &["explain", "12345", "--day", "2026-10-01", "--plan", good],
        &["explain", "12345", "--plan", bad],
        &["explain", hostile, "--plan", good],
        &["explain", "12345", "--from", hostile, "--diverted-from", hostile, "--plan", good],
        &["explain", "12345", "--from", "1\u{1b}[31m", "--plan", good],
        &["explain", "12345", "--trunk", hostile],
        &["explain", "12345", "--at", hostile],
        &["explain", "12345", "--plan", hostile],
        &["explain", "12345", "--url", hostile],
        &["check", "--plan", good, bad],
        &["check", "--config", hostile],
        &["check", "--lang", hostile],
        &[hostile],
        &["calls", "--url", hostile],
        &["calls", "show", hostile],
        &["calls", "--token-file", hostile],
        &["ready", "--wait", hostile],
        &["records", "ls", "--result", hostile],
        &["records", "ls", "--line", hostile, "--journal", hostile],
        &["records", "restore", hostile],
        &["records", "backup", hostile],
        &["records", "render", CALL, "--profile", hostile],
        &["records", "backend-check", hostile],
        &["records", "replay", "--since", "2026-10-01", "--backend", hostile],
        &["prompts", "--plan", hostile],
        &["completions", hostile],
        &["man", "/dev/null/\u{1b}[2J"],
    ] {
        for lang in ["en", "zh"] {
            harmless_output(&format!("{asked:?}"), &bench.command(asked).env("HOTLINE_LANG", lang).output().unwrap());
        }
    }
}

/// A request's user, names and headers, a ticket system's refusal and a record that was handed in: all come from outside.
#[test]
fn what_callers_and_backends_say_does_nothing_in_logs_records_and_exports() {
    let (backend, posts) = server(|_| (400, HOSTILE.to_owned()));
    for format in ["text", "json"] {
        let site = format!(
            "[records.webhook]\nurl = 'http://{backend}/calls'\n[log]\nlevel = 'debug,hotline::sip=trace'\nformat = '{format}'\n"
        );
        let mut bench = Bench::new().site(&site).start();
        call(&bench);
        let record = json!({ "id": HOSTILE, "hotline": "12366", "caller": HOSTILE, "result": "answered", "subjects": [HOSTILE],
            "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" });
        for body in [
            record,
            json!({ "id": "1", "hotline": "12366", "caller": "13800138000", "result": "answered", "subjects": [HOSTILE.replace('\0', "")],
            "start": "2026-03-02T09:00:00+08:00", "ended": "2026-03-02T09:04:00+08:00" }),
        ] {
            let _ = bench.http_full("POST", "/api/v1/records", "", &body.to_string());
        }
        bench.http("GET", "/%1b%5b2J%0d%0aFORGED");
        posts.recv_timeout(PATIENCE).unwrap();
        wait_until("a refusal", || !bench.answer(&["records", "ls", "--dead"]).is_empty());
        for asked in [
            &["records", "ls"][..],
            &["records", "ls", "--json"],
            &["records", "ls", "--unmasked"],
            &["records", "ls", "--dead"],
            &["records", "ls", "--dead", "--json"],
            &["records", "export", "--unmasked"],
            &["records", "export", "--format", "csv", "--unmasked"],
        ] {
            harmless_output(&format!("{asked:?}"), &bench.ask(asked));
        }
        for record in bench.records() {
            let call = record["call_id"].as_str().unwrap();
            harmless_output("show", &bench.ask(&["records", "show", call, "--unmasked"]));
            harmless_output(
                "render",
                &bench.ask(&["records", "render", call, "--profile", "request-tracker-5", "--unmasked", "--ticket", "\u{202e}1"]),
            );
        }
        assert_eq!(bench.kill("-TERM"), Some(0));
        let log = bench.log();
        harmless(&format!("the log as {format}"), &log);
        assert!(log.contains("FORGED"), "it is shown: {log}");
    }
}

/// An INVITE whose every foreign part is hostile, and what becomes of it.
fn call(bench: &Bench) {
    let escaped: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let shown: String = HOSTILE.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = socket.local_addr().unwrap();
    for (n, user) in [escaped.as_str(), "12345", &format!("12345{escaped}")].into_iter().enumerate() {
        let invite = format!(
            "INVITE sip:{user}@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{n}x{escaped}\r\nMax-Forwards: 70\r\n\
             From: \"{shown}\" <sip:{escaped}@{own}>;tag=a{n}\r\nTo: <sip:{user}@{0}>\r\nCall-ID: {n}{shown}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{escaped}@{own}>\r\nUser-Agent: {shown}\r\nSubject: {shown}\r\nX-{n}: {shown}\r\n\
             Diversion: <sip:{escaped}@h>;reason={shown}\r\nContent-Length: 0\r\n\r\n",
            bench.sip
        );
        socket.send_to(invite.as_bytes(), bench.sip).unwrap();
        let cancel = invite.split("Contact:").next().unwrap().replacen("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL");
        let mut answer = [0; 65_536];
        // A refusal, or a provisional response: then the caller changes his mind.
        let _ = socket.recv_from(&mut answer);
        socket.send_to(format!("{cancel}Content-Length: 0\r\n\r\n").as_bytes(), bench.sip).unwrap();
    }
    let plain = format!(
        "INVITE sip:{escaped}@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKplain\r\nMax-Forwards: 70\r\n\
         From: <sip:13800138000@{own}>;tag=plain\r\nTo: <sip:12345@{0}>\r\nCall-ID: plain\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:caller@{own}>\r\nContent-Length: 0\r\n\r\n",
        bench.sip
    );
    socket.send_to(plain.as_bytes(), bench.sip).unwrap();
    wait_until("a line about it", || bench.log().contains("FORGED"));
}
