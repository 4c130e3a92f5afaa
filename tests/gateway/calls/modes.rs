//! Each mode in each of its phases as the five plans have it, called by SIPp at the running gateway, with the plans' own
//! prompts: only their dates are moved, since these calls are made today. The caller's audio is compared with the
//! samples of the prompts: those that the gateway plays, and those that whoever answers streams as its voice.

use super::request;
use crate::support::gateway::{Gateway, Spec};
use crate::support::rtp::Ear;
use crate::support::sipp::Running;
use crate::support::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A word in a mode's section of a plan: mode, word, value.
type Word = (&'static str, &'static str, &'static str);

/// A call, and what comes of it.
struct Row {
    dialled: &'static str,
    /// As the plan understands what was dialled.
    number: &'static str,
    mode: &'static str,
    /// None: the mode is in force.
    phase: Option<&'static str>,
    /// The prompts that the gateway plays.
    heard: &'static [&'static str],
    end: End,
}

/// The party that answers.
enum End {
    /// The target called by this number.
    Target(&'static str),
    /// A seat of 12345.
    Seat,
    /// A seat of 12345, since the target called by this number is busy.
    Overflow(&'static str),
    /// Nobody, with this status.
    Refused(u16),
}

use End::{Overflow, Refused, Seat, Target};

/// A call to a number that the plan writes as it is dialled.
const fn row(number: &'static str, mode: &'static str, phase: Option<&'static str>, end: End) -> Row {
    Row { dialled: number, number, mode, phase, heard: &[], end }
}

impl Row {
    const fn is(self, number: &'static str) -> Row {
        Row { number, ..self }
    }

    const fn plays(self, heard: &'static [&'static str]) -> Row {
        Row { heard, ..self }
    }
}

const NOT_YET: Option<&str> = Some("not-yet");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans")
}

/// A plan of `dialplans/` with some words of its modes changed, and without the tests beside it, whose dates would no
/// longer be the notice's.
fn plan(name: &str, words: &[Word]) -> String {
    let text = fs::read_to_string(folder().join(name).with_extension("toml")).unwrap();
    let mut plan: toml::Table = text.parse().unwrap();
    plan["include"].as_array_mut().unwrap().retain(|file| !file.as_str().unwrap().starts_with("expect/"));
    let modes = plan.entry("modes").or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
    for (mode, word, value) in words {
        let value: toml::Table = format!("it = {value}").parse().unwrap();
        let section = modes.entry(*mode).or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap();
        section.insert(word.to_string(), value["it"].clone());
    }
    toml::to_string(&plan).unwrap()
}

fn start(plan: String) -> Gateway {
    Gateway::start(&Spec { plan: Some(plan), ..Spec::default() })
}

/// The gateway takes another plan over.
fn change(gateway: &Gateway, plan: &str) {
    let before = gateway.metric("reloads_total");
    fs::write(gateway.folder.path().join("plan.toml"), plan).unwrap();
    gateway.signal("-HUP");
    wait_for("the new plan", || (gateway.metric("reloads_total") > before).then_some(()));
}

fn sound(prompt: &str) -> Vec<u8> {
    fs::read(folder().join("prompts").join(prompt).with_extension("al")).unwrap()
}

/// The voice of a callee: 0.6 s of a prompt that the gateway does not play in these calls.
fn voice(of: &str) -> Vec<u8> {
    sound(of)[8000..12_800].to_vec()
}

/// Milliseconds of a conversation: the voice of 0.6 s is heard to its end also where SIPp begins late.
const TALK: u32 = 2000;
const TARGET: &str = "unknown";
const SEAT: &str = "transfer-failed";

/// Makes the call. At their phones are those who are to be called, and nobody else.
fn call(gateway: &Gateway, row: &Row) {
    let target = match row.end {
        Target(_) => Some(gateway.target("seat_speaks").lasts(50).says(&voice(TARGET)).start_calls(1, 30)),
        Overflow(_) => Some(gateway.target("seat_is_busy").start()),
        Seat | Refused(_) => None,
    };
    let at_seat = || gateway.seat(0, "seat_speaks").lasts(50).says(&voice(SEAT)).start_calls(1, 30);
    let seat = matches!(row.end, Seat | Overflow(_)).then(at_seat);
    let scenario = match row.end {
        Refused(status) => format!("caller_gets_{status}"),
        _ => "caller_hangs_up".to_string(),
    };
    let caller = gateway.caller(&scenario, row.dialled).lasts(TALK).start_calls(1, 30);
    let ear = caller.ear.clone();
    caller.finish();
    if let (Some(target), Target(number) | Overflow(number)) = (target, &row.end) {
        let rung = target.finish();
        let invite = request(&rung, "INVITE");
        assert!(invite.start_line().starts_with(&format!("INVITE sip:{number}@")), "{invite}");
    }
    seat.map(Running::finish);
    assert_heard(&ear, row);
    assert_record(&gateway.record(), row);
}

/// Every sample of the prompts, then every sample of the voice of whoever answered.
fn assert_heard(ear: &Ear, row: &Row) {
    let answered = match row.end {
        Target(_) => Some(voice(TARGET)),
        Seat | Overflow(_) => Some(voice(SEAT)),
        Refused(_) => None,
    };
    let sounds: Vec<Vec<u8>> = row.heard.iter().map(|prompt| sound(prompt)).chain(answered).collect();
    assert!(!sounds.is_empty() || ear.packets().is_empty(), "{} sounds of something", row.dialled);
    wait_for(&format!("the sounds of {}", row.dialled), || {
        let heard: Vec<u8> = ear.packets().into_iter().flat_map(|packet| packet.payload).collect();
        let after = |from: Option<usize>, sound: &Vec<u8>| {
            let parts = heard[from?..].windows(sound.len()).step_by(160);
            parts.enumerate().find(|(_, part)| part == sound).map(|(frame, _)| from.unwrap_or(0) + frame * 160 + sound.len())
        };
        sounds.iter().fold(Some(0), after).map(drop)
    });
}

fn assert_record(record: &Value, row: &Row) {
    let hotline = &record["hotline"];
    assert_eq!((&hotline["number"], &hotline["mode"]), (&json!(row.number), &json!(row.mode)), "{record:#}");
    let played: Vec<&Value> = record["prompts"].as_array().unwrap().iter().map(|prompt| &prompt["name"]).collect();
    assert_eq!((&hotline["phase"], json!(played)), (&json!(row.phase), json!(row.heard)), "{record:#}");
    let queued = matches!(row.end, Seat | Overflow(_));
    assert_eq!((record["queue"] == "12345", record["handed_to_queue"].is_string()), (queued, queued), "{record:#}");
    let (result, status) = match row.end {
        Refused(status) => ("rejected", Some(status)),
        _ => ("answered", None),
    };
    assert_eq!((&record["result"], &record["sip_code"]), (&json!(result), &json!(status)), "{record:#}");
    assert_eq!((record["sip_answered"].is_null(), record["seat"].is_null()), (status.is_some(), !queued), "{record:#}");
    if let Target(number) = row.end {
        assert_eq!(record["target"], number, "{record:#}");
    }
}

/// A gateway that goes from plan to plan, each with its calls.
fn prove(steps: &[(String, &[Row])]) {
    let gateway = start(steps[0].0.clone());
    for (number, (plan, rows)) in steps.iter().enumerate() {
        if number > 0 {
            change(&gateway, plan);
        }
        rows.iter().for_each(|row| call(&gateway, row));
    }
}

#[test]
fn yuncheng_in_each_phase() {
    const LATER: &[Word] = &[
        ("front", "from", "2097-01-01"),
        ("merged", "connect-from", "2097-01-01"),
        ("merged", "released-from", "2097-07-01"),
        ("remote-seats", "from", "2097-01-01"),
        ("linked", "from", "2097-01-01"),
        ("emergency", "from", "2097-01-01"),
        ("guided", "from", "2097-01-01"),
    ];
    prove(&[
        (
            plan("yuncheng", LATER),
            &[
                row("12345", "front", NOT_YET, Target("12345")),
                row("12351", "merged", NOT_YET, Target("12351")),
                row("12369", "remote-seats", NOT_YET, Target("12369")),
                row("0359-2160001", "linked", NOT_YET, Target("03592160001")).is("03592160001"),
                row("110", "emergency", NOT_YET, Target("110")),
                row("12388", "guided", NOT_YET, Target("12388")),
            ],
        ),
        (
            plan("yuncheng", &[("merged", "released-from", "2097-07-01")]),
            &[
                row("12345", "front", None, Seat),
                row("12351", "merged", Some("announce-and-connect"), Seat).plays(&["connect-12351"]),
                row("12369", "remote-seats", None, Target("12369")),
                row("12369", "remote-seats", None, Overflow("12369")),
                row("0359-2160001", "linked", None, Target("03592160001")).is("03592160001"),
                row("110", "emergency", None, Target("110")),
                row("12388", "guided", None, Refused(404)),
            ],
        ),
        (
            plan("yuncheng", &[("guided", "prompt", "'guide'")]),
            &[
                row("12351", "merged", Some("released"), Refused(404)),
                row("12388", "guided", None, Refused(404)).plays(&["guide-12388"]),
            ],
        ),
    ]);
}

#[test]
fn xishuangbanna_in_each_phase() {
    let dated = |connect, announce, others| {
        let merged = [("merged", "connect-from", connect), ("merged", "announce-only-from", announce)];
        let others = ["parallel", "sub-center"].map(|mode| (mode, "from", others));
        plan("xishuangbanna", &[&merged[..], &others].concat())
    };
    prove(&[
        (
            dated("2096-01-01", "2097-01-01", "2097-01-01"),
            &[
                row("0691-12336", "merged", NOT_YET, Target("12336")).is("12336"),
                row("12348", "parallel", NOT_YET, Target("12348")),
                row("12313", "sub-center", NOT_YET, Target("087112313")),
            ],
        ),
        (
            dated("2021-09-30", "2097-01-01", "2021-09-30"),
            &[
                row("12336", "merged", Some("announce-and-connect"), Seat).plays(&["connect-12336"]),
                row("12348", "parallel", None, Seat),
                row("12313", "sub-center", None, Target("087112313")),
                row("12305", "sub-center", None, Refused(404)),
            ],
        ),
        (plan("xishuangbanna", &[]), &[row("12336", "merged", Some("announce-only"), Refused(410)).plays(&["announce-only"])]),
    ]);
}

#[test]
fn qinghai_in_each_phase() {
    let later = ["parallel", "sub-center", "platform"].map(|mode| (mode, "from", "2097-01-01"));
    prove(&[
        (
            plan("qinghai", &later),
            &[
                row("12333", "parallel", NOT_YET, Target("12333")),
                row("12305", "sub-center", NOT_YET, Target("12305")),
                row("0971-12345", "platform", NOT_YET, Target("097112345")).is("097112345"),
            ],
        ),
        (
            plan("qinghai", &[]),
            &[
                row("12333", "parallel", None, Target("12333")),
                row("12333", "parallel", None, Overflow("12333")),
                row("12305", "sub-center", None, Target("12305")),
                row("0971-12345", "platform", None, Target("097112345")).is("097112345"),
            ],
        ),
    ]);
}

#[test]
fn the_country_and_inner_mongolia_today() {
    const ROWS: &[Row] = &[
        row("12315", "parallel", None, Seat),
        row("12366", "sub-center", None, Target("12366")),
        row("12336", "merged", Some("announce-and-connect"), Seat).plays(&["connect-12336"]),
    ];
    prove(&[(plan("national", &[]), ROWS), (plan("inner-mongolia", &[]), ROWS)]);
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
    prove(&[(
        BY_AREA_AND_HOUR.replace("TODAY", &days),
        &[
            row("0692110", "emergency", None, Target("0692110")).is("110"),
            row("110", "emergency", None, Target("110")),
            row("12329", "parallel", None, Target("06912122111")),
            row("12333", "parallel", None, Seat),
            row("12366", "sub-center", None, Refused(480)),
        ],
    )]);
}
