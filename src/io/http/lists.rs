//! The lists of numbers over HTTP: callers who are to be rung back, and numbers that are turned away or go before others.

use super::ApiState;
use super::commands::{ask, carry_out, shown};
use super::endpoint::Endpoint;
use super::noted::{in_full, noted};
use super::problem::Problem;
use super::seats::{all, author};
use crate::base::{Masked, Wall};
use crate::control::{Command, Holder, ListVerb, Reply, Right};
use crate::event::fact::{CallbackFact, Listed, ListedFact};
use crate::io::clock;
use crate::record::zone::Zone;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Bytes of a request.
const BODY: usize = 4 << 10;
const LONGEST_NUMBER: usize = 32;
/// Characters of a reason, and of a name.
const LONGEST_TEXT: usize = 200;
const DAY: i64 = 86_400_000_000;
/// A longer time is for ever: then it is left out.
const MOST_DAYS: u32 = 3650;

type Requester = Extension<Arc<Holder>>;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/callback-list", Right::ReadCallbacks, callbacks),
        Endpoint::post("/api/v1/callback-list/{id}/{act}", Right::WorkSeats, act).taking(BODY),
        Endpoint::delete("/api/v1/callback-list/{id}", Right::MoveCalls, drop_row),
        Endpoint::get("/api/v1/numbers", Right::ReadCalls, numbers),
        Endpoint::post("/api/v1/numbers", Right::Manage, put).taking(BODY),
        Endpoint::post("/api/v1/numbers/remove", Right::Manage, remove).taking(BODY),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    #[serde(default)]
    unmasked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BySeat {
    seat: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    number: String,
    list: Listed,
    reason: String,
    approver: String,
    /// None: until it is removed.
    days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered {
    number: String,
}

async fn callbacks(State(state): State<ApiState>, requester: Requester, look: Query<Look>) -> Response {
    if look.unmasked
        && let Err(problem) = in_full(&state, &requester, "callback list", "all".to_owned()).await
    {
        return problem.into_response();
    }
    let asked = all(
        &state,
        |after| Command::Callbacks { after },
        |reply| match reply {
            Reply::Callbacks(rows) => Some((rows.last().map(|row: &CallbackFact| row.id.clone()), rows)),
            _ => None,
        },
    );
    match asked.await {
        Ok(mut rows) => {
            rows.sort_by_key(|row| row.first);
            if !look.unmasked
                && let Err(problem) = note_own(&state, &requester, &rows).await
            {
                return problem.into_response();
            }
            let shown = |row| callback(row, &state.intake.times, look.unmasked || is_own(&requester, row));
            Json(json!({ "callbacks": rows.iter().map(shown).collect::<Vec<Value>>() })).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The seat that has taken a row sees whom it rings back.
fn is_own(holder: &Holder, row: &CallbackFact) -> bool {
    row.lease.as_ref().is_some_and(|lease| holder.is_seat(&lease.seat))
}

/// Writes down that a seat was shown callers' numbers, before it is.
async fn note_own(state: &ApiState, holder: &Holder, rows: &[CallbackFact]) -> Result<(), Problem> {
    let own: Vec<&str> = rows.iter().filter(|row| is_own(holder, row)).map(|row| &*row.id).collect();
    if own.is_empty() {
        return Ok(());
    }
    noted(state, &holder.name, "own seat", format!("callbacks {}", own.join(" "))).await
}

async fn act(
    State(state): State<ApiState>,
    Path((id, act)): Path<(String, String)>,
    requester: Requester,
    body: Bytes,
) -> Response {
    match acted(&state, &id, &act, &requester, &body).await {
        Ok(answer) => answer,
        Err(problem) => problem.into_response(),
    }
}

async fn acted(state: &ApiState, id: &str, act: &str, holder: &Holder, body: &[u8]) -> Result<Response, Problem> {
    let verb = match act {
        "take" => ListVerb::Take,
        "give-back" => ListVerb::GiveBack,
        "done" => ListVerb::Done,
        _ => {
            let detail = both!("a row is taken, given back, or done: take, give-back, done", "只有 take、give-back、done");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    let BySeat { seat } = read(body, "{seat}")?;
    author(state, holder, &seat).await?;
    let command = Command::Callback { id: id.into(), seat: Some(seat.as_str().into()), verb };
    Ok(match ask(state, command).await? {
        Reply::Callbacks(rows) => {
            noted(state, &holder.name, "callback", format!("seat {seat} took {id}")).await?;
            let row = rows.first().map_or(Value::Null, |row| callback(row, &state.intake.times, is_own(holder, row)));
            Json(row).into_response()
        }
        _ => Json(json!({ "status": "done" })).into_response(),
    })
}

async fn drop_row(State(state): State<ApiState>, Path(id): Path<String>, requester: Requester) -> Response {
    let what = format!("drops {id}");
    if let Err(problem) = noted(&state, &requester.name, "callback list", what).await {
        return problem.into_response();
    }
    shown(carry_out(&state, Command::Callback { id: id.into(), seat: None, verb: ListVerb::Done }).await)
}

async fn numbers(State(state): State<ApiState>, requester: Requester, look: Query<Look>) -> Response {
    if look.unmasked
        && let Err(problem) = in_full(&state, &requester, "listed numbers", "all".to_owned()).await
    {
        return problem.into_response();
    }
    let asked = all(
        &state,
        |after| Command::Numbers { after },
        |reply| match reply {
            Reply::Numbers(rows) => Some((rows.last().map(|row: &ListedFact| row.number.clone()), rows)),
            _ => None,
        },
    );
    match asked.await {
        Ok(rows) => {
            let rows: Vec<Value> = rows.iter().map(|row| listed(row, &state.intake.times, look.unmasked)).collect();
            Json(json!({ "numbers": rows })).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn put(State(state): State<ApiState>, requester: Requester, body: Bytes) -> Response {
    let row = match row(&body, &requester.name, clock::now().wall) {
        Ok(row) => row,
        Err(problem) => return problem.into_response(),
    };
    let (number, list) = (Masked(&row.number), row.listed.name());
    let what = format!("{list} {number}: {}, approved by {}", row.reason, row.approver);
    if let Err(problem) = noted(&state, &requester.name, "numbers", what).await {
        return problem.into_response();
    }
    shown(carry_out(&state, Command::ListNumber(Box::new(row))).await)
}

async fn remove(State(state): State<ApiState>, requester: Requester, body: Bytes) -> Response {
    let Numbered { number } = match read(&body, "{number}") {
        Ok(numbered) => numbered,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = noted(&state, &requester.name, "numbers", format!("removes {}", Masked(&number))).await {
        return problem.into_response();
    }
    shown(carry_out(&state, Command::UnlistNumber(number)).await)
}

fn row(body: &[u8], by: &str, now: Wall) -> Result<ListedFact, Problem> {
    let Wanted { number, list, reason, approver, days } = read(body, "{number, list, reason, approver, days?}")?;
    let wrong = |detail| Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    if number.is_empty() || number.len() > LONGEST_NUMBER {
        return wrong(both!("`number` is a telephone number", "`number` 应为电话号码"));
    }
    let good = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT;
    if !good(&reason) || !good(&approver) {
        return wrong(both!(
            "`reason` and `approver` are texts of 1 to {LONGEST_TEXT} characters",
            "`reason` 与 `approver` 应为 1 至 {LONGEST_TEXT} 字"
        ));
    }
    if days.is_some_and(|days| days == 0 || days > MOST_DAYS) {
        return wrong(both!("`days` is 1 to {MOST_DAYS}; left out: for ever", "`days` 为 1 至 {MOST_DAYS}；不写则长期有效"));
    }
    Ok(ListedFact {
        id: Arc::default(),
        number: number.into(),
        listed: list,
        reason: reason.into(),
        approver: approver.into(),
        by: by.into(),
        since: now,
        until: days.map(|days| Wall(now.0.saturating_add(DAY * i64::from(days)))),
    })
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8], shape: &str) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, both!("the body is not {shape}: {e}", "请求内容应为 {shape}（{e}）")))
}

fn masked(number: &str, in_full: bool) -> String {
    if in_full { number.to_owned() } else { Masked(number).to_string() }
}

fn callback(row: &CallbackFact, times: &Zone, in_full: bool) -> Value {
    let attempts = row.attempts.iter().map(|known| {
        let at = times.write(known.at);
        let mut told = json!({ "attempt": known.attempt, "seat": known.seat, "at": at, "reached": known.reached });
        if let Some(refusal) = &known.refusal {
            told["refusal"] = json!(refusal);
        }
        told
    });
    json!({
        "id": row.id,
        "caller": masked(&row.caller, in_full),
        "hotline": row.hotline,
        "line": row.line,
        "calls": row.calls,
        "first": times.write(row.first),
        "last": times.write(row.last),
        "call": row.call.to_string(),
        "loss": row.loss.name(),
        "wanted": row.wanted,
        "messages": row.messages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "seat": row.lease.as_ref().map(|lease| &lease.seat),
        "until": row.lease.as_ref().map(|lease| times.write(lease.until)),
        "under_way": row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some()),
        "attempts": attempts.collect::<Vec<_>>(),
    })
}

fn listed(row: &ListedFact, times: &Zone, in_full: bool) -> Value {
    json!({
        "number": masked(&row.number, in_full),
        "list": row.listed.name(),
        "reason": row.reason,
        "approver": row.approver,
        "by": row.by,
        "since": times.write(row.since),
        "until": row.until.map(|until| times.write(until)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_row_is_told_and_changes_nothing() {
        let read = |body: &str| row(body.as_bytes(), "desk", Wall(0));
        let good = r#"{"number":"13800138000","list":"blocked","reason":"骚扰","approver":"王处","days":30}"#;
        let row = read(good).ok().unwrap();
        assert_eq!((row.until, &*row.by), (Some(Wall(30 * DAY)), "desk"));
        assert_eq!(read(&good.replace(r#","days":30"#, "")).ok().unwrap().until, None);
        for (from, to) in [
            ("13800138000", ""),
            (r#""blocked""#, r#""hated""#),
            ("骚扰", " "),
            ("王处", ""),
            (":30", ":0"),
            (":30", ":-1"),
            (":30", ":100000"),
            ("days", "weeks"),
            ("{", "["),
        ] {
            assert!(read(&good.replace(from, to)).is_err(), "{from} → {to}");
        }
        assert!(read(&good.replace("骚扰", &"长".repeat(201))).is_err());
        assert!(read(&good.replace("13800138000", &"1".repeat(33))).is_err());
    }
}
