//! Records of calls that others took by themselves, handed in one at a time.

use super::ApiState;
use super::endpoint::Endpoint;
use super::problem::Problem;
use crate::base::{CallId, Mono};
use crate::control::{Holder, Right};
use crate::event::{Entry, Report, Reported, What};
use crate::io::clock;
use crate::io::http::intake::{Intake, NotTaken};
use crate::io::http::schemas;
use crate::io::journal::Acceptance;
use crate::plan::{Facts, Mode};
use crate::record::report;
use crate::record::zone::Zone;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use std::sync::Arc;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::post("/api/v1/records", Right::HandIn, hand_in)]
}

async fn hand_in(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>, body: Bytes) -> Response {
    let intake = &state.intake;
    if !intake.allow(&holder.name) {
        return too_many().into_response();
    }
    let report = match read(&body) {
        Ok(report) => report,
        Err(problem) => {
            intake.count("records_refused_total", &holder.name, "");
            return problem.into_response();
        }
    };
    let (entry, counted) = entry(intake, &holder.name, report);
    match intake.taken(|journal, done| journal.report(entry, done)).await {
        Ok(Acceptance::New(call)) => {
            intake.count("records_received_total", &holder.name, &counted);
            (StatusCode::CREATED, stored(call, "stored")).into_response()
        }
        Ok(Acceptance::Known(call)) => (StatusCode::OK, stored(call, "known")).into_response(),
        Ok(_) => {
            intake.count("records_refused_total", &holder.name, &counted);
            let detail = both!(
                "this id was handed in with another record: an id is one call, and a record does not change",
                "此编号已有另一话单：一个编号对应一次通话，话单不再改变"
            );
            Problem::new(StatusCode::CONFLICT, detail).into_response()
        }
        Err(why) => not_taken(why).into_response(),
    }
}

fn read(body: &[u8]) -> Result<Report, Problem> {
    let value = json_of(body)?;
    let wrong = |faults| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, both!("the record is not as its schema says", "话单不符合其模式"))
            .at_fault(faults)
    };
    let faults = schemas::REPORT.faults(&value);
    if !faults.is_empty() {
        return Err(wrong(faults));
    }
    let unread = |_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, both!("the record cannot be read", "话单无法读取"));
    let report: Report = serde_json::from_value(value).map_err(unread)?;
    let faults = report::faults(&report, clock::now().wall);
    if faults.is_empty() { Ok(report) } else { Err(wrong(faults)) }
}

pub(super) fn json_of(body: &[u8]) -> Result<Value, Problem> {
    let place = |e: serde_json::Error| {
        let (line, column) = (e.line(), e.column());
        both!("no JSON at line {line}, column {column}", "第 {line} 行第 {column} 列不是 JSON")
    };
    serde_json::from_slice(body).map_err(|e| Problem::new(StatusCode::BAD_REQUEST, place(e)))
}

/// With what the plan says of its line, and the line's number as it is counted.
fn entry(intake: &Intake, source: &str, report: Report) -> (Entry, String) {
    let (now, plan) = (clock::now(), intake.plan());
    let at = Zone::read(&report.start).unwrap_or(now.wall);
    let facts = Facts { dialled: &report.hotline, caller: None, trunk: "", trunk_area: None, diverted_from: None, at };
    let decision = plan.decide(&facts);
    let counted = if decision.mode == Mode::Unknown { "other".to_owned() } else { decision.number.clone() };
    // A line that names nobody has all but the withheld: those of the subjects are withheld no more.
    let by_subject = plan.backends_of(report.subjects.iter().map(String::as_str));
    let withheld = decision.withheld.iter().filter(|name| !by_subject.iter().any(|chosen| **chosen == ***name));
    let named = decision.tickets.iter().map(ToString::to_string);
    let more = by_subject.iter().filter(|name| !decision.tickets.is_empty() && !decision.tickets.iter().any(|n| **n == ***name));
    let division = report.area.as_deref().and_then(|code| intake.division(code));
    let reported = Reported {
        source: source.to_owned(),
        caller: report.caller.as_deref().and_then(|caller| plan.caller(caller)),
        line: decision.line.to_string(),
        mode: decision.mode,
        unit: decision.unit.as_ref().map(ToString::to_string),
        tickets: named.chain(more.cloned()).collect(),
        withheld: withheld.map(ToString::to_string).collect(),
        area_name: division.map(|division| division.name),
        plan: plan.name.to_string(),
        plan_revision: decision.revision.to_string(),
        node: intake.node.clone(),
        report,
    };
    let call = report::call_id(source, &reported.report);
    (Entry { call, seq: 1, wall: now.wall, mono: Mono(0), what: What::Reported(Box::new(reported)) }, counted)
}

fn stored(call: CallId, status: &str) -> Json<Value> {
    Json(json!({ "call_id": call.to_string(), "status": status }))
}

pub(super) fn too_many() -> impl IntoResponse {
    let detail = both!(
        "more a second than `records.inbound_rate` allows; come back in a second",
        "每秒数量超过 `records.inbound_rate`，请一秒后再试"
    );
    ([(header::RETRY_AFTER, "1")], Problem::new(StatusCode::TOO_MANY_REQUESTS, detail))
}

pub(super) fn not_taken(why: NotTaken) -> impl IntoResponse {
    let detail = match why {
        NotTaken::Busy => {
            both!("too much waits for the disk; nothing was stored, send it again", "等待写盘的内容过多，未存储，请重新发送")
        }
        NotTaken::TooLate => both!(
            "the disk has not answered in time; send it again: what is stored already is not stored twice",
            "磁盘未及时应答，请重新发送：已存储的不会重复"
        ),
    };
    ([(header::RETRY_AFTER, "5")], Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
}
