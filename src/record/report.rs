//! Records of calls that others took by themselves: what is wrong with one, which call it is, and its record.

use super::shape::{Area, Hotline, Record, Recording, Reporter, Seat, Survey, Ticket};
use super::zone::Zone;
use crate::base::{CallId, Text, Wall, is_web};
use crate::event::{Report, Reported, ReportedTicket};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use uuid::Builder;

/// A sender's clock may be ahead by so much, in microseconds.
const AHEAD: i64 = 300_000_000;
/// Nobody talks longer than a day.
const LONGEST: i64 = 86_400_000_000;

/// A fault in one part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901).
    pub pointer: String,
    pub what: Text,
}

/// Finds what a schema cannot say: times out of their order, an anonymous caller with a number.
pub fn faults(report: &Report, now: Wall) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, what: Text| faults.push(Fault { pointer: pointer.to_owned(), what });
    let times = [
        ("/start", Some(&report.start)),
        ("/handed_to_queue", report.handed_to_queue.as_ref()),
        ("/answered", report.answered.as_ref()),
        ("/ended", Some(&report.ended)),
    ];
    let mut last: Option<(&str, i64)> = None;
    for (pointer, text) in times {
        let Some(text) = text else { continue };
        match Zone::read(text) {
            None => {
                let what = both!(
                    "is no time: write RFC 3339 with an offset, such as 2021-12-01T08:00:00+08:00",
                    "不是时间：应为带时差的 RFC 3339，例如 2021-12-01T08:00:00+08:00"
                );
                fault(pointer, what);
            }
            Some(Wall(at)) if at > now.0.saturating_add(AHEAD) => fault(pointer, both!("lies in the future", "是将来的时间")),
            Some(Wall(at)) => match last {
                Some((before, earlier)) if at < earlier => fault(pointer, both!("is before {before}", "早于 {before}")),
                Some((_, earlier)) if at - earlier > LONGEST => {
                    fault(pointer, both!("is more than a day after the time before it", "比前一时间晚一天以上"));
                }
                _ => last = Some((pointer, at)),
            },
        }
    }
    let pages = report.ticket.iter().filter_map(|ticket| ticket.url.as_deref());
    let recording = report.recording.as_ref().and_then(|recording| recording.url.as_deref());
    for (pointer, url) in pages.map(|url| ("/ticket/url", url)).chain(recording.map(|url| ("/recording/url", url))) {
        if !is_web(url) {
            fault(pointer, both!("has an address that is no http or https address", "的地址不是 http 或 https 地址"));
        }
    }
    if report.caller_anonymous && report.caller.is_some() {
        fault("/caller", both!("is given, though the caller asked for anonymity", "来电人要求匿名，却给出了号码"));
    }
    if report.survey.as_ref().is_some_and(|survey| survey.score > survey.scale) {
        fault("/survey/score", both!("is more than the scale", "超过满分"));
    }
    faults
}

/// The same for the same report of the same source; sorts by the time when the call came.
pub fn call_id(source: &str, report: &Report) -> CallId {
    let mut hash = SipHasher13::new();
    for part in [source, &report.id] {
        hash.write_usize(part.len());
        hash.write(part.as_bytes());
    }
    let hash = hash.finish128().as_bytes();
    let mut random = [0; 10];
    random.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    let start = Zone::read(&report.start).unwrap_or_default();
    CallId(Builder::from_unix_timestamp_millis(start.millis(), &random).into_uuid())
}

/// The call's record; its id and start are there already.
pub(super) fn fill(record: &mut Record, reported: &Reported, zone: &Zone) {
    let report = &reported.report;
    let time = |text: &String| Zone::read(text).map(|at| zone.write(at));
    let millis = |from: Option<&String>, to: Option<&String>| between(from, to).unwrap_or(0);
    let queued = report.handed_to_queue.as_ref();
    let answered = report.answered.as_ref();
    *record = Record {
        call_id: std::mem::take(&mut record.call_id),
        reported_by: Some(Reporter { source: reported.source.clone(), id: report.id.clone() }),
        hotline: Hotline {
            dialled: report.hotline.clone(),
            number: report.hotline.clone(),
            line: reported.line.clone(),
            mode: reported.mode,
            unit: reported.unit.clone(),
            ..Hotline::default()
        },
        caller: reported.caller.clone().or_else(|| report.caller.clone()),
        caller_raw: report.caller.clone(),
        caller_anonymous: report.caller_anonymous,
        area: Area {
            code: report.area.clone(),
            name: reported.area_name.clone(),
            phone: None,
            source: if report.area.is_some() { "report" } else { "unknown" }.to_owned(),
        },
        start: time(&report.start),
        handed_to_queue: queued.and_then(time),
        sip_answered: answered.and_then(time),
        seat_answered: answered.and_then(time),
        ended: time(&report.ended),
        announce_ms: millis(Some(&report.start), queued),
        queue_ms: millis(queued, answered.or(Some(&report.ended))),
        talk_ms: millis(answered, Some(&report.ended)),
        hold_ms: report.hold_ms,
        result: Some(report.result),
        hangup_by: report.hangup_by,
        node: reported.node.clone(),
        plan: reported.plan.clone(),
        plan_revision: reported.plan_revision.clone(),
        ..Record::default()
    };
    attach(record, reported, zone);
}

fn attach(record: &mut Record, reported: &Reported, zone: &Zone) {
    let report = &reported.report;
    record.seat = report.seat.as_ref().map(|seat| {
        let name = seat.name.clone().unwrap_or_else(|| seat.id.clone());
        Seat { id: seat.id.clone(), name }
    });
    let ticket = |ticket: &ReportedTicket| {
        let (id, url) = (ticket.id.clone(), ticket.url.clone());
        Ticket { backend: reported.source.clone(), id, url }
    };
    record.tickets = report.ticket.iter().map(ticket).collect();
    record.subjects = report.subjects.clone();
    record.survey = report.survey.as_ref().map(|survey| {
        let at = Zone::read(&report.ended).map(|at| zone.write(at)).unwrap_or_default();
        Survey { score: survey.score, scale: survey.scale, source: reported.source.clone(), at }
    });
    record.recording = report.recording.clone().map(|r| {
        let state = if r.url.is_some() { "ready" } else { "elsewhere" }.to_owned();
        Recording { id: r.id, url: r.url, sha256: r.sha256, ms: r.ms, state, ..Recording::default() }
    });
}

fn between(from: Option<&String>, to: Option<&String>) -> Option<u64> {
    let (from, to) = (Zone::read(from?)?, Zone::read(to?)?);
    u64::try_from((to.0 - from.0) / 1000).ok()
}
