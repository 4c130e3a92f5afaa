//! Seats in an operator's terminal: what the running program prints of them while they work, in both languages, and after a
//! kill -9 between.

use super::toolbar::{signed_in_by_toolbar, snapshot, verb};
use crate::support::gateway::Gateway;
use crate::support::phone::Phone;
use crate::support::{PATIENCE, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A command that goes on, and the lines that it has printed.
struct Watching {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watching {
    fn of(gateway: &Gateway, arguments: &[&str]) -> Watching {
        let mut child = gateway.command(arguments).spawn().unwrap();
        let (told, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Watching { child, lines, seen: Vec::new() }
    }

    /// The next line that has this in it.
    fn until(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no `{part}` in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn seats_are_watched_in_both_languages_and_on_after_a_kill() {
    let mut gateway = signed_in_by_toolbar();
    let n = snapshot(&gateway)["seat"]["n"].to_string();
    let mut en = Watching::of(&gateway, &["seats", "watch", "desk-0", "--after", &n, "--lang", "en"]);
    let mut zh = Watching::of(&gateway, &["seats", "watch", "--after", &n, "--lang", "zh"]);
    let mut programs = Watching::of(&gateway, &["seats", "watch", "--json", "--after", &n]);
    let mut seat = Phone::new("desk-0", gateway.seats[0], &gateway);
    assert_eq!(verb(&gateway, "login", &json!({})).0, 200);
    en.until("logged_in");
    assert!(zh.until("签入").contains("desk-0"));

    let mut caller = Phone::new("13800138000", gateway.host.port(), &gateway);
    caller.invite("12345");
    seat.ring();
    let ringing = en.until("ringing");
    assert!(ringing.contains("queue 12345, inbound, caller 138******00, called 12345"), "{ringing}");
    let ringing = zh.until("振铃");
    assert!(ringing.contains("队列 12345；呼入；主叫 138******00；被叫 12345"), "{ringing}");
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    en.until("talking");
    zh.until("通话");
    while_a_caller_talks(&gateway);
    assert_eq!(verb(&gateway, "break", &json!({ "minutes": 10, "reason": "午餐" })).0, 200);
    caller.bye();
    seat.hung_up();
    assert!(en.until("  break  ").contains("rest, reason 午餐"), "{:?}", en.seen);
    zh.until("小休；原因 午餐");

    gateway.kill("-KILL");
    gateway.restart();
    assert_eq!(verb(&gateway, "end-break", &json!({})).0, 200);
    en.until("  ready");
    zh.until("示闲");
    let last: Value = serde_json::from_str(&programs.until("\"ready\"")).unwrap();
    assert_eq!((&last["seat"], &last["type"]), (&json!("desk-0"), &json!("ready")));
    for lines in [&en.seen, &zh.seen, &programs.seen] {
        assert!(lines.iter().all(|line| !line.contains("13800138000")), "{lines:#?}");
    }
    let number = |line: &String| line.split("  ").next().unwrap().parse::<u64>().unwrap();
    for lines in [en.seen.clone(), zh.seen.clone()] {
        // A gap is told under the number that comes before it.
        let lines: Vec<String> = lines.into_iter().filter(|line| !line.contains("missed") && !line.contains("遗漏")).collect();
        assert!(lines.windows(2).all(|two| number(&two[0]) < number(&two[1])), "each once, in order: {lines:#?}");
    }
    let refused = gateway.ask(&["seats", "watch", "nobody", "--lang", "zh"]);
    assert_eq!((refused.status.code(), String::from_utf8_lossy(&refused.stderr).contains("没有此座席")), (Some(2), true));
}

/// Tables and their heads have nothing in them that a Chinese reader does not read, but for names, numbers and codes.
fn while_a_caller_talks(gateway: &Gateway) {
    let calls = wait_for("the call", || Some(gateway.answer(&["calls", "--lang", "en"])).filter(|out| out.contains("talking")));
    assert!(calls.contains("DIRECTION") && calls.contains("  inbound    12345 "), "{calls}");
    let id = calls.lines().nth(1).unwrap().split(' ').next().unwrap();
    let commands: [(&[&str], &[&str]); 13] = [
        (&["calls"], &["方向", "呼入", "通话", "主叫"]),
        (&["calls", "show", id], &["方向", "呼入"]),
        (&["queues"], &["队列", "最久空闲", "示忙小休"]),
        (&["queues", "12345"], &["最久空闲", "状态", "话机", "desk-0", "示闲", "通话"]),
        (&["seats", "show", "desk-0"], &["示闲", "通话"]),
        (&["callbacks"], &["条目", "没有待回电"]),
        (&["numbers"], &["名单", "没有号码"]),
        (&["figures"], &["热线"]),
        (&["figures", "--by", "seat"], &["座席"]),
        (&["records", "ls"], &["方向", "开始"]),
        (&["recordings", "ls"], &[]),
        (&["ready"], &[]),
        (&["check"], &["中继"]),
    ];
    for (arguments, words) in commands {
        let output = gateway.ask(&[arguments, &["--lang", "zh"]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        let english = |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        let head = said.lines().next().unwrap_or_default();
        assert_eq!(head.split(' ').find(english), None, "{arguments:?}: {said}");
        assert!(!said.contains("13800138000"), "{arguments:?}: {said}");
    }
    let queues = gateway.answer(&["queues", "--lang", "en"]);
    assert!(queues.contains("TALKING") && !queues.contains("BUSY"), "{queues}");
}
