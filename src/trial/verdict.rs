//! Judges whether a scenario went as it should: signalling, audio on both sides, the record at the backend.

use super::Stage;
use super::phone::{Line, Phone};
use super::scenario::{Answers, Scenario};
use crate::base::{LegId, Masked};
use crate::io::schemas;
use crate::plan::built_in;
use crate::sip::{Message, Name};
use serde_json::Value;

pub struct Finding {
    pub holds: bool,
    pub what: String,
}

/// 0.8 s in one piece: enough to be no accident.
const ENOUGH: usize = 40;

pub fn judge(scenario: &Scenario, stage: &Stage, leg: LegId, early: usize) -> Vec<Finding> {
    let Some(caller) = stage.carrier.lines.get(&leg) else {
        return vec![finding(false, "the carrier placed no call".to_owned())];
    };
    let callee = match scenario.answers {
        Answers::Seat => Some(&stage.seat),
        Answers::Target => Some(&stage.target),
        Answers::Nobody => None,
    };
    let records = stage.backend.records(scenario.number);
    let mut findings = signalling(scenario, caller);
    findings.extend(announcement(scenario, caller));
    findings.extend(callee.into_iter().flat_map(|phone| conversation(caller, phone, early)));
    let others = [(&stage.seat, Answers::Seat), (&stage.target, Answers::Target)];
    for (phone, answers) in others.into_iter().filter(|(_, answers)| *answers != scenario.answers) {
        findings.push(finding(phone.invites.is_empty(), format!("no call came to {answers:?}").to_lowercase()));
    }
    findings.extend(record(scenario, &records));
    if let (Some(phone), Some(record)) = (callee, records.first()) {
        findings.extend(told(scenario, phone, record));
    }
    findings
}

fn finding(holds: bool, what: String) -> Finding {
    Finding { holds, what }
}

fn signalling(scenario: &Scenario, caller: &Line) -> Vec<Finding> {
    let finals: Vec<u16> = caller.statuses.iter().copied().filter(|s| *s >= 200).collect();
    let all = finals.iter().all(|s| *s == scenario.status) && !finals.is_empty();
    let mut findings = vec![finding(all, format!("the caller got {finals:?}, wanted {}", scenario.status))];
    if scenario.status != 404 {
        findings.push(finding(caller.statuses.contains(&183), "early media was offered with 183".to_owned()));
    }
    if let (Answers::Nobody, Some(end)) = (scenario.answers, caller.ended) {
        let wanted = if scenario.status == 410 { 22 } else { 1 };
        findings.push(finding(end.q850 == Some(wanted), format!("Q.850 cause {:?}, wanted {wanted}", end.q850)));
    }
    findings
}

/// The prompt that the plan names, compared with the samples of its file.
fn announcement(scenario: &Scenario, caller: &Line) -> Option<Finding> {
    let name = scenario.prompt?;
    let (_, sound) = built_in::sounds().find(|(sound, _)| *sound == name)?;
    let seconds = sound.len() as f32 / 8000.0;
    Some(finding(caller.heard.whole(sound), format!("the caller heard all {seconds:.1} s of `{name}`, sample by sample")))
}

/// Both directions, byte for byte, on streams without a seam.
fn conversation(caller: &Line, phone: &Phone, early: usize) -> Vec<Finding> {
    let Some(callee) = phone.lines.values().next_back() else {
        return vec![finding(false, format!("no call came to the {}", phone.name))];
    };
    let (there, back) = (callee.heard.of(&caller.voice.said), caller.heard.of(&callee.voice.said));
    let seams = |line: &Line| line.heard.faults.first().cloned().unwrap_or_else(|| "none".to_owned());
    vec![
        finding(early > 0, format!("{early} packets of prompt, music or ringback before the answer")),
        finding(there >= ENOUGH, format!("the {} heard the caller: {there} packets, A-law unchanged", phone.name)),
        finding(back >= ENOUGH, format!("the caller heard the {}: {back} packets, A-law unchanged", phone.name)),
        finding(caller.heard.continuous(), format!("one SSRC, no seam towards the caller (faults: {})", seams(caller))),
        finding(callee.heard.continuous(), format!("one SSRC, no seam towards the {} (faults: {})", phone.name, seams(callee))),
    ]
}

fn record(scenario: &Scenario, records: &[Value]) -> Vec<Finding> {
    let [event] = records else {
        return vec![finding(false, format!("the backend received {} records, wanted 1", records.len()))];
    };
    let data = &event["data"];
    let is = |what: &str, value: &Value, wanted: Option<&str>| {
        finding(value.as_str() == wanted, format!("record: {what} {value}, wanted {wanted:?}"))
    };
    let caller = data["caller"].as_str().unwrap_or_default();
    let faults = schemas::EVENT.faults(event);
    vec![
        finding(faults.is_empty(), format!("record: as its schema says (faults: {})", faults.len())),
        is("mode", &data["hotline"]["mode"], Some(scenario.mode)),
        is("phase", &data["hotline"]["phase"], scenario.phase),
        is("result", &data["result"], Some(scenario.result)),
        finding(caller == super::CALLER, format!("record: caller {}", Masked(caller))),
        finding(data["talk_ms"].as_u64().is_some_and(|ms| (ms > 500) == (scenario.status == 200)), {
            format!("record: {} ms of talk, {} ms of announcement", data["talk_ms"], data["announce_ms"])
        }),
    ]
}

/// Checks what a seat or target is told: the call id of the record, and the hotline that was dialled (RFC 7044).
fn told(scenario: &Scenario, phone: &Phone, record: &Value) -> Vec<Finding> {
    let Some(Message::Request(invite)) = phone.invites.last() else { return Vec::new() };
    let id = invite.headers.text(&Name::XHotlineCallId).unwrap_or_default();
    let dialled = format!("sip:{}@", scenario.number);
    let history = invite.headers.all(&Name::HistoryInfo).any(|v| String::from_utf8_lossy(v).contains(&dialled));
    let link = invite.headers.text(&Name::CallInfo).unwrap_or_default();
    let linked = scenario.answers == Answers::Seat;
    vec![
        finding(
            link.ends_with(&format!("/t/{id}>;purpose=info")) == linked,
            format!("Call-Info leads a seat to the ticket: {link}"),
        ),
        finding(record["subject"] == id.as_str(), format!("X-Hotline-Call-ID is the record's: {id}")),
        finding(history, format!("History-Info names {}", scenario.number)),
    ]
}
