//! Judges whether a scenario went as it should: signalling, audio on both sides, the record at the backend.

use super::Stage;
use super::ladder::party;
use super::phone::{Line, Phone};
use super::scenario::{Answers, Scenario};
use crate::base::{LegId, Masked, Text};
use crate::io::http::schemas;
use crate::plan::built_in;
use crate::sip::{Message, Name};
use serde_json::Value;

pub struct Finding {
    pub holds: bool,
    pub what: Text,
}

/// 0.8 s in one piece: enough to be no accident.
const ENOUGH: usize = 40;

pub fn judge(scenario: &Scenario, stage: &Stage, leg: LegId, early: usize) -> Vec<Finding> {
    let Some(caller) = stage.carrier.lines.get(&leg) else {
        return vec![finding(false, both!("the carrier placed no call", "运营商未发出呼叫"))];
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
    for (phone, _) in others.into_iter().filter(|(_, answers)| *answers != scenario.answers) {
        findings.push(finding(phone.invites.is_empty(), none_came(phone)));
    }
    findings.extend(record(scenario, &records));
    if let (Some(phone), Some(record)) = (callee, records.first()) {
        findings.extend(told(scenario, phone, record));
    }
    findings
}

fn none_came(phone: &Phone) -> Text {
    both!("no call came to the {}", "没有呼叫到达{}"; party(phone.name))
}

/// Says in words that something is not there.
pub fn or_none(value: Option<impl std::fmt::Display>) -> Text {
    value.map_or_else(|| both!("none", "无"), Text::foreign)
}

/// Statuses in their order.
pub fn listed(statuses: &[u16]) -> Text {
    let all: Vec<Text> = statuses.iter().map(Text::foreign).collect();
    if all.is_empty() { both!("none", "无") } else { Text::joined(&all) }
}

fn finding(holds: bool, what: Text) -> Finding {
    Finding { holds, what }
}

fn signalling(scenario: &Scenario, caller: &Line) -> Vec<Finding> {
    let finals: Vec<u16> = caller.statuses.iter().copied().filter(|s| *s >= 200).collect();
    let wanted = scenario.status;
    let all = finals.iter().all(|s| *s == wanted) && !finals.is_empty();
    let mut findings =
        vec![finding(all, both!("the caller got {}, wanted {wanted}", "主叫收到 {}，应为 {wanted}"; listed(&finals)))];
    if scenario.status != 404 {
        findings
            .push(finding(caller.statuses.contains(&183), both!("early media was offered with 183", "以 183 提供了早期媒体")));
    }
    if let (Answers::Nobody, Some(end)) = (scenario.answers, &caller.ended) {
        let (got, wanted) = (end.q850, if wanted == 410 { 22 } else { 1 });
        findings.push(finding(
            got == Some(wanted),
            both!("Q.850 cause {}, wanted {wanted}", "Q.850 原因 {}，应为 {wanted}"; or_none(got)),
        ));
    }
    findings
}

/// The prompt that the plan names, compared with the samples of its file.
fn announcement(scenario: &Scenario, caller: &Line) -> Option<Finding> {
    let name = scenario.prompt?;
    let (_, sound) = built_in::sounds().find(|(sound, _)| *sound == name)?;
    let seconds = sound.len() as f32 / 8000.0;
    Some(finding(
        caller.heard.whole(sound),
        both!(
            "the caller heard all {seconds:.1} s of `{name}`, sample by sample",
            "主叫完整听到 `{name}`（{seconds:.1} 秒，逐样本一致）"
        ),
    ))
}

/// Both directions, byte for byte, on streams without a seam.
fn conversation(caller: &Line, phone: &Phone, early: usize) -> Vec<Finding> {
    let Some(callee) = phone.lines.values().next_back() else {
        return vec![finding(false, none_came(phone))];
    };
    let (there, back) = (callee.heard.of(&caller.voice.said), caller.heard.of(&callee.voice.said));
    let who = party(phone.name);
    let seams = |line: &Line| line.heard.faults.first().cloned().unwrap_or_else(|| both!("none", "无"));
    let seamless = |line: &Line, to: &Text| {
        let what = both!("one SSRC, no seam towards the {} (faults: {})", "到{}：单一 SSRC，无断点（问题：{}）"; to, seams(line));
        finding(line.heard.continuous(), what)
    };
    vec![
        finding(
            early > 0,
            both!("{early} packets of prompt, music or ringback before the answer", "应答前有 {early} 包提示音、音乐或回铃音"),
        ),
        finding(
            there >= ENOUGH,
            both!("the {} heard the caller: {there} packets, A-law unchanged", "{}听到主叫：{there} 包，A 律未变"; who),
        ),
        finding(
            back >= ENOUGH,
            both!("the caller heard the {}: {back} packets, A-law unchanged", "主叫听到{}：{back} 包，A 律未变"; who),
        ),
        seamless(caller, &both!("caller", "主叫")),
        seamless(callee, &who),
    ]
}

fn record(scenario: &Scenario, records: &[Value]) -> Vec<Finding> {
    let [event] = records else {
        return vec![finding(
            false,
            both!("the backend received {0} records, wanted 1", "后端收到 {0} 份话单，应为 1 份", records.len()),
        )];
    };
    let data = &event["data"];
    let is = |what: Text, value: &Value, wanted: Option<&str>| {
        finding(
            value.as_str() == wanted,
            both!(
                "record: {} {}, wanted {}", "话单：{} 为 {}，应为 {}";
                what, or_none(value.as_str()), or_none(wanted)
            ),
        )
    };
    let caller = data["caller"].as_str().unwrap_or_default();
    let faults = schemas::EVENT.faults(event);
    let (talk, prompt) = (&data["talk_ms"], &data["announce_ms"]);
    vec![
        finding(
            faults.is_empty(),
            both!("record: as its schema says (faults: {0})", "话单：符合模式（问题 {0} 处）", faults.len()),
        ),
        is(both!("mode", "模式"), &data["hotline"]["mode"], Some(scenario.mode)),
        is(both!("phase", "阶段"), &data["hotline"]["phase"], scenario.phase),
        is(both!("result", "结果"), &data["result"], Some(scenario.result)),
        finding(caller == super::CALLER, both!("record: caller {0}", "话单：主叫 {0}", Masked(caller))),
        finding(
            data["talk_ms"].as_u64().is_some_and(|ms| (ms > 500) == (scenario.status == 200)),
            both!("record: {talk} ms of talk, {prompt} ms of announcement", "话单：通话 {talk} 毫秒，提示音 {prompt} 毫秒"),
        ),
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
            both!("Call-Info leads a seat to the ticket: {link}", "Call-Info 指向工单（仅座席）：{link}"),
        ),
        finding(
            record["subject"] == id.as_str(),
            both!("X-Hotline-Call-ID is the record's: {id}", "X-Hotline-Call-ID 与话单一致：{id}"),
        ),
        finding(history, both!("History-Info names {0}", "History-Info 含 {0}", scenario.number)),
    ]
}
