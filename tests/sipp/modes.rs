//! Each mode in each of its phases as the five plans have it, with their own prompts: only their dates are moved, since
//! these calls are made today. What a caller hears is compared with the prompt's samples.

use crate::request;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::wait_for;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const PAST: &str = "2021-09-30";
const FUTURE: &str = "2097-01-01";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans")
}

/// A plan of `dialplans/` without the tests beside it, whose dates would no longer be the notice's.
fn plan(name: &str, dates: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(folder().join(name).with_extension("toml")).unwrap();
    let text = text.replace(&format!(", \"expect/{name}.toml\""), "");
    assert!(!text.contains("[[expect]]") && !text.contains("expect/"));
    dates.iter().fold(text, |text, (word, date)| {
        let line = text.lines().find(|line| line.starts_with(&format!("{word} = "))).unwrap().to_string();
        text.replace(&line, &format!("{word} = {date}"))
    })
}

fn start(plan: String) -> Gateway {
    Gateway::start(&Spec { plan: Some(plan), ..Spec::default() })
}

/// The gateway takes another plan over.
fn change(gateway: &Gateway, plan: &str) {
    let before = gateway.metric("reloads_total");
    fs::write(gateway.folder.path().join("plan.toml"), plan).unwrap();
    gateway.signal("HUP");
    wait_for("the new plan", || (gateway.metric("reloads_total") > before).then_some(()));
}

fn caller(gateway: &Gateway, number: &str) -> Phone {
    let mut phone = Phone::new("caller", gateway.host.port(), gateway);
    phone.invite(number);
    phone
}

/// Until the caller has heard every sample of this prompt, one after another.
fn hears(phone: &Phone, prompt: &str) {
    let sound = fs::read(folder().join("prompts").join(prompt).with_extension("al")).unwrap();
    wait_for(&format!("{prompt} is heard"), || {
        let heard: Vec<u8> = phone.ear.packets().into_iter().flat_map(|packet| packet.payload).collect();
        heard.windows(sound.len()).step_by(160).any(|part| part == sound).then_some(())
    });
}

/// Answers, talks a moment, and the caller hangs up. What the callee was called as.
fn talk(caller: &mut Phone, port: u16, gateway: &Gateway) -> String {
    let mut callee = Phone::new("callee", port, gateway);
    let invite = callee.ring();
    callee.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    callee.hung_up();
    invite.start_line().split(['@', ' ', ':']).nth(2).unwrap().to_string()
}

fn assert_hotline(record: &Value, number: &str, mode: &str, phase: Option<&str>) {
    let hotline = &record["hotline"];
    assert_eq!((hotline["number"].as_str(), hotline["mode"].as_str()), (Some(number), Some(mode)), "{record:#}");
    assert_eq!(hotline["phase"].as_str(), phase, "{record:#}");
}

/// A number whose target answers.
fn assert_rings(gateway: &Gateway, dialled: &str, number: &str, mode: &str) {
    let mut phone = caller(gateway, dialled);
    assert_eq!(talk(&mut phone, gateway.target, gateway), number);
    let record = gateway.record();
    assert_hotline(&record, number, mode, None);
    assert_eq!((record["result"].as_str(), record["target"].as_str()), (Some("answered"), Some(number)), "{record:#}");
}

/// A number that seats of 12345 answer.
fn assert_queues(gateway: &Gateway, number: &str, mode: &str) {
    let mut phone = caller(gateway, number);
    talk(&mut phone, gateway.seats[0], gateway);
    let record = gateway.record();
    assert_hotline(&record, number, mode, None);
    assert_eq!((record["result"].as_str(), record["queue"].as_str()), (Some("answered"), Some("12345")), "{record:#}");
}

/// A number whose own phones are busy: 12345 is the overflow.
fn assert_overflows(gateway: &Gateway, number: &str, mode: &str) {
    let busy = gateway.target("seat_is_busy").start();
    assert_queues(gateway, number, mode);
    assert!(request(&busy.finish(), "INVITE").start_line().starts_with(&format!("INVITE sip:{number}@")));
}

fn assert_refused(gateway: &Gateway, number: &str, mode: &str, phase: Option<&str>) {
    gateway.caller("caller_gets_404", number).start().finish();
    assert_hotline(&gateway.record(), number, mode, phase);
}

#[test]
fn a_merged_number_goes_through_its_phases() {
    let dated = |connect, announce| plan("xishuangbanna", &[("connect-from", connect), ("announce-only-from", announce)]);
    let gateway = start(dated("2096-01-01", FUTURE));
    let mut phone = caller(&gateway, "0691-12336");
    assert_eq!(talk(&mut phone, gateway.target, &gateway), "12336");
    assert_hotline(&gateway.record(), "12336", "merged", Some("not-yet"));

    change(&gateway, &dated(PAST, FUTURE));
    let mut phone = caller(&gateway, "12336");
    phone.status(183, "INVITE");
    hears(&phone, "connect-12336");
    talk(&mut phone, gateway.seats[0], &gateway);
    let record = gateway.record();
    assert_hotline(&record, "12336", "merged", Some("announce-and-connect"));
    assert_eq!(record["hotline"]["unit"], "州自然资源局");
    assert_eq!(record["prompts"][0], "connect-12336");

    change(&gateway, &dated(PAST, "2021-12-01"));
    let mut phone = caller(&gateway, "12336");
    phone.status(183, "INVITE");
    hears(&phone, "announce-only");
    phone.status(410, "INVITE");
    phone.ack();
    let record = gateway.record();
    assert_hotline(&record, "12336", "merged", Some("announce-only"));
    assert!(record["sip_answered"].is_null(), "{record:#}");

    change(&gateway, &plan("yuncheng", &[]));
    assert_refused(&gateway, "12351", "merged", Some("released"));
}

#[test]
fn yuncheng_has_its_remote_seats_utilities_and_guided_numbers() {
    let gateway = start(plan("yuncheng", &[]));
    assert_queues(&gateway, "12345", "front");
    assert_rings(&gateway, "12369", "12369", "remote-seats");
    assert_overflows(&gateway, "12369", "remote-seats");
    assert_rings(&gateway, "0359-2160001", "03592160001", "linked");
    assert_refused(&gateway, "12388", "guided", None);
    assert_rings(&gateway, "110", "110", "emergency");
}

#[test]
fn qinghai_keeps_seats_and_hands_over_to_other_platforms() {
    let gateway = start(plan("qinghai", &[]));
    assert_rings(&gateway, "12333", "12333", "parallel");
    assert_overflows(&gateway, "12333", "parallel");
    assert_rings(&gateway, "12305", "12305", "sub-center");
    assert_rings(&gateway, "0971-12345", "097112345", "platform");
}

#[test]
fn the_country_and_inner_mongolia_answer_for_parallel_numbers() {
    for name in ["national", "inner-mongolia"] {
        let gateway = start(plan(name, &[]));
        assert_queues(&gateway, "12315", "parallel");
        assert_rings(&gateway, "12366", "12366", "sub-center");
        let mut phone = caller(&gateway, "12336");
        hears(&phone, "connect-12336");
        talk(&mut phone, gateway.seats[0], &gateway);
        assert_hotline(&gateway.record(), "12336", "merged", Some("announce-and-connect"));
    }
}

const BY_AREA_AND_HOUR: &str = r#"
[plan]
name = "area and hour"
area = "691"
[calendars.never]
hours = "daily 00:00-24:00"
holidays = [TODAY]
[calendars.always]
hours = "daily 00:00-24:00"
[[line]]
number = "12345"
mode = "front"
[[line]]
number = "110"
mode = "emergency"
targets = [{ number = "0692-110", area = "692" }, "110"]
[[line]]
number = "12329"
mode = "parallel"
seats = "kept"
targets = [{ number = "2122110", open = "never" }, { number = "2122111", open = "always" }]
[[line]]
number = "12333"
mode = "parallel"
seats = "kept"
targets = [{ number = "2122110", open = "never" }]
[[line]]
number = "12366"
mode = "sub-center"
targets = [{ number = "12366", open = "never" }]
"#;

#[test]
fn targets_are_chosen_by_area_and_hour() {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let now = jiff::Timestamp::now().to_zoned(zone).date();
    let days = [now, now.tomorrow().unwrap()].map(|day| day.to_string()).join(", ");
    let gateway = start(BY_AREA_AND_HOUR.replace("TODAY", &days));
    let mut there = caller(&gateway, "0692110");
    assert_eq!(talk(&mut there, gateway.target, &gateway), "0692110", "the caller's own city");
    let record = gateway.record();
    assert_hotline(&record, "110", "emergency", None);
    assert_eq!((record["area"]["code"].as_str(), record["area"]["source"].as_str()), (Some("692"), Some("dialled")));
    let mut unknown = caller(&gateway, "110");
    assert_eq!(talk(&mut unknown, gateway.target, &gateway), "110");
    gateway.record();

    let mut open = caller(&gateway, "12329");
    assert_eq!(talk(&mut open, gateway.target, &gateway), "06912122111", "the one who is there");
    gateway.record();
    assert_queues(&gateway, "12333", "parallel");
    gateway.caller("caller_gets_480", "12366").start().finish();
    let record = gateway.record();
    assert_hotline(&record, "12366", "sub-center", None);
    assert_eq!((record["sip_code"].as_u64(), record["q850"].as_u64()), (Some(480), Some(20)), "{record:#}");
}

#[test]
fn a_call_outlives_its_trunk_and_its_seat() {
    let gateway = start(BY_AREA_AND_HOUR.replace("TODAY", "2021-10-01"));
    let mut phone = caller(&gateway, "12345");
    let mut seat = Phone::new("seat", gateway.seats[0], &gateway);
    seat.ring();
    seat.answer();
    phone.status(200, "INVITE");
    phone.ack();
    let path = gateway.folder.path().join("site.toml");
    let (site, ip) = (fs::read_to_string(&path).unwrap(), gateway.host.ip);
    let gone = site.replace(&format!("addresses = [\"{ip}\", \"127.0.0.0/8\"]"), "addresses = [\"10.9.9.9\"]");
    let gone = gone.replace(&format!("address = \"{ip}:"), "address = \"10.9.9.8:");
    assert_ne!(gone, site);
    fs::write(&path, gone).unwrap();
    gateway.signal("HUP");
    wait_for("the trunk is gone", || (gateway.metric("reloads_total") > 0).then_some(()));
    assert_eq!(gateway.metric("former_setups"), 1, "held by the call");
    phone.bye();
    seat.hung_up();
    assert_eq!(gateway.record()["result"], "answered");
    wait_for("the former setup is forgotten", || (gateway.metric("former_setups") == 0).then_some(()));
    let strangers = gateway.metric("messages_from_strangers_total");
    let _late = caller(&gateway, "12345");
    wait_for("the late caller is a stranger", || (gateway.metric("messages_from_strangers_total") > strangers).then_some(()));
}
