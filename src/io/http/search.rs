//! Records that the journal has: looked for by line, result, time and caller, a page at a time.

use super::calls::{Look, call_id};
use super::endpoint::Endpoint;
use super::noted::in_full;
use super::problem::Problem;
use super::{ApiState, WORK};
use crate::base::{Masked, Shown, Text, Wall};
use crate::control::{Holder, Right};
use crate::io::clock::moment::{self, Moment};
use crate::io::http::intake::Intake;
use crate::io::journal::Error;
use crate::io::journal::search::{Outcome, Page, Search};
use crate::io::journal::{Caller, Reader};
use crate::io::process::threads;
use crate::record::shape::Record;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Records of a page, where nothing else is said, and at most.
const SOME: u32 = 50;
pub const MOST: u32 = 500;
/// Calls that are looked at for one page: a second's work, whatever they are.
const LOOK: u32 = 5000;
/// A name or a number is no longer.
const LONGEST: usize = 128;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/records", Right::ReadCalls, list), Endpoint::get("/api/v1/records/{id}", Right::ReadCalls, show)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Results, parted by commas; none: all.
    result: Option<String>,
    line: Option<String>,
    since: Option<String>,
    until: Option<String>,
    caller: Option<String>,
    /// The `next` of the page before.
    before: Option<String>,
    limit: Option<u32>,
    /// Callers' numbers in full.
    #[serde(default)]
    unmasked: bool,
}

async fn list(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let search = search(&state.intake, &asked)?;
    // Whoever may try numbers would find out what is masked.
    if asked.unmasked || search.caller.is_some() {
        in_full(&state, &holder, "records", told(&asked)).await?;
    }
    let Page { records, next } = read(&state, move |reader| reader.search(&search)).await?;
    let records: Vec<Value> = records.into_iter().map(|record| shown(record, asked.unmasked)).collect();
    Ok(Json(json!({ "records": records, "next": next.map(|call| call.to_string()) })))
}

/// One record, and what became of its deliveries.
async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(look): Query<Look>,
) -> Result<Json<Value>, Problem> {
    let call = call_id(&id)?;
    if look.unmasked {
        in_full(&state, &holder, "records", call.to_string()).await?;
    }
    let (record, deliveries) = read(&state, move |reader| Ok((reader.record(call)?, reader.deliveries(call)?))).await?;
    let record = record.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, both!("no call {call}", "没有通话 {call}")))?;
    Ok(Json(json!({ "record": shown(record, look.unmasked), "deliveries": deliveries })))
}

fn shown(record: Record, unmasked: bool) -> Value {
    if unmasked { json!(record) } else { json!(record.masked()) }
}

/// Asks the journal, after those who asked before.
pub(super) async fn read<T: Send + 'static>(
    state: &ApiState,
    question: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let Some(reader) = state.intake.read() else {
        let busy = both!("as many read records as may; ask again in a second", "查询话单的请求已达上限，请一秒后再试");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, busy).again_in(1));
    };
    let read =
        threads::aside(WORK, move || reader.ask(question).map_err(Text::from)).await.unwrap_or_else(|| Err(threads::fault()));
    read.map_err(|why| {
        tracing::error!("records cannot be read: {why}");
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            both!("the journal cannot be read now; see the gateway's log", "现在无法读取日志数据库，请看网关日志"),
        )
    })
}

/// The question, as the audit log has it.
fn told(asked: &Asked) -> String {
    let Asked { result, line, since, until, caller, before, .. } = asked;
    let caller = caller.as_deref().map(|caller| Masked(caller).to_string());
    let all = [("result", result), ("line", line), ("since", since), ("until", until), ("caller", &caller), ("before", before)];
    let parts: Vec<String> =
        all.iter().filter_map(|(name, value)| Some(format!("{name} {}", Shown(value.as_deref()?)))).collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
}

fn search(intake: &Intake, asked: &Asked) -> Result<Search, Problem> {
    let wrong = |detail: Text| Problem::new(StatusCode::BAD_REQUEST, detail);
    let at = |text: &Option<String>, read: fn(&str) -> Result<Moment, Text>| -> Result<Option<Wall>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let moment = read(text).map_err(wrong)?;
        let wall =
            moment.in_zone(&intake.zone).ok_or_else(|| wrong(both!("the moment is outside the calendar", "时间超出日历范围")))?;
        Ok(Some(wall))
    };
    let limit = asked.limit.unwrap_or(SOME);
    if !(1..=MOST).contains(&limit) {
        return Err(wrong(both!("limit is 1 to {MOST}", "limit 应为 1 到 {MOST}")));
    }
    let line = asked.line.clone().filter(|line| !line.is_empty());
    if line.as_ref().is_some_and(|line| line.len() > LONGEST) {
        return Err(wrong(both!(
            "line is a hotline's number or name, of at most {LONGEST} bytes",
            "line 应为热线号码或名称，最多 {LONGEST} 字节"
        )));
    }
    Ok(Search {
        caller: asked.caller.as_deref().map(|written| caller(intake, written)).transpose()?,
        line,
        outcomes: outcomes(asked.result.as_deref().unwrap_or_default())?,
        since: at(&asked.since, moment::moment)?,
        until: at(&asked.until, moment::end)?,
        before: asked.before.as_deref().map(call_id).transpose()?,
        limit,
        look: LOOK,
    })
}

fn outcomes(text: &str) -> Result<Vec<Outcome>, Problem> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let wrong = || {
        let known = Outcome::words().collect::<Vec<_>>().join(", ");
        Problem::new(StatusCode::BAD_REQUEST, both!("result is one of {known}", "result 应为 {known} 之一"))
    };
    words.map(|word| Outcome::named(word).ok_or_else(wrong)).collect()
}

/// As the plan reads the number.
fn caller(intake: &Intake, written: &str) -> Result<Caller, Problem> {
    let number = Some(written).filter(|written| written.len() <= LONGEST).and_then(|written| intake.plan().caller(written));
    let number = number
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, both!("caller is no caller's number", "caller 不是主叫号码")))?;
    Ok(Caller { number, written: written.to_owned() })
}
