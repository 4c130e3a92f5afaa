//! Live calls over HTTP: list, show, move the caller. Repeating a POST with its Idempotency-Key does nothing twice.

use super::Desk;
use super::endpoint::Endpoint;
use super::problem::Problem;
use crate::base::CallId;
use crate::control::{CallView, Command, LegView, Mode, Reply, Right, Why};
use crate::io::asks::NoAnswer;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Deserialize;
use serde_json::{Value, json};

/// Idempotency keys that are remembered.
const MOST_KEYS: usize = 10_000;
const LONGEST_KEY: usize = 128;

/// By key: what was asked and the answer, once there is one.
pub type Done = DashMap<String, (String, Option<(u16, Value)>)>;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/calls", Right::ReadCalls, list),
        Endpoint::get("/api/v1/calls/{id}", Right::ReadCalls, show),
        Endpoint::post("/api/v1/calls/{id}/transfer", Right::MoveCalls, transfer),
        Endpoint::post("/api/v1/calls/{id}/transfer/{act}", Right::MoveCalls, act),
        Endpoint::delete("/api/v1/calls/{id}/legs/{leg}", Right::MoveCalls, drop_leg),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// A number of the dial plan, or `seat:NAME`.
    to: String,
    mode: String,
}

async fn list(State(desk): State<Desk>) -> Response {
    answer(&desk, Command::Calls).await.into_response()
}

async fn show(State(desk): State<Desk>, Path(id): Path<String>) -> Response {
    match call_id(&id) {
        Ok(id) => answer(&desk, Command::Call(id)).await.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn transfer(State(desk): State<Desk>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let command = call_id(&id).and_then(|call| {
        let wanted: Wanted = serde_json::from_slice(&body)
            .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not {{to, mode}}: {e}")))?;
        let mode = Mode::named(&wanted.mode)
            .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "mode is one of consult, three-way, blind, emergency"))?;
        Ok(Command::Transfer { call, to: wanted.to, mode })
    });
    once(&desk, &headers, command).await
}

async fn act(State(desk): State<Desk>, Path((id, act)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let command = call_id(&id).and_then(|call| match act.as_str() {
        "complete" => Ok(Command::Complete(call)),
        "cancel" => Ok(Command::Cancel(call)),
        "swap" => Ok(Command::Swap(call)),
        "merge" => Ok(Command::Merge(call)),
        _ => Err(Problem::new(StatusCode::NOT_FOUND, "a transfer is completed, cancelled, swapped or merged")),
    });
    once(&desk, &headers, command).await
}

async fn drop_leg(State(desk): State<Desk>, Path((id, leg)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let leg = leg.parse().map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "a leg is a number"));
    let command = call_id(&id).and_then(|call| Ok(Command::Drop { call, leg: leg? }));
    once(&desk, &headers, command).await
}

fn call_id(text: &str) -> Result<CallId, Problem> {
    text.parse().map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "a call's id is a UUID"))
}

/// Carries a command out; a second request with the same key gets the first one's answer.
async fn once(desk: &Desk, headers: &HeaderMap, command: Result<Command, Problem>) -> Response {
    let command = match command {
        Ok(command) => command,
        Err(problem) => return problem.into_response(),
    };
    let Some(key) = headers.get("idempotency-key").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()) else {
        return answer(desk, command).await.into_response();
    };
    if key.len() > LONGEST_KEY {
        return Problem::new(StatusCode::BAD_REQUEST, "the Idempotency-Key is too long").into_response();
    }
    let asked = format!("{command:?}");
    if desk.done.len() >= MOST_KEYS {
        desk.done.retain(|_, (_, answer)| answer.is_none());
    }
    match desk.done.entry(key.clone()) {
        Entry::Occupied(known) => return repeated(&asked, known.get()),
        Entry::Vacant(new) => drop(new.insert((asked.clone(), None))),
    }
    match answer(desk, command).await {
        Ok((status, body)) => {
            desk.done.insert(key, (asked, Some((status.as_u16(), body.0.clone()))));
            (status, body).into_response()
        }
        Err(problem) => {
            desk.done.remove(&key);
            problem.into_response()
        }
    }
}

fn repeated(asked: &str, (first, answer): &(String, Option<(u16, Value)>)) -> Response {
    match answer {
        _ if first != asked => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "this Idempotency-Key was used for another request").into_response()
        }
        Some((status, body)) => (StatusCode::from_u16(*status).unwrap_or(StatusCode::OK), Json(body.clone())).into_response(),
        None => Problem::new(StatusCode::CONFLICT, "the first request with this key is still under way").into_response(),
    }
}

async fn answer(desk: &Desk, command: Command) -> Result<(StatusCode, Json<Value>), Problem> {
    match desk.asks.ask(&desk.inbox, command).await {
        Ok(Reply::Calls { calls, total }) => {
            let calls: Vec<Value> = calls.iter().map(shown).collect();
            Ok((StatusCode::OK, Json(json!({ "calls": calls, "total": total }))))
        }
        Ok(Reply::Call(call)) => Ok((StatusCode::OK, Json(shown(&call)))),
        Ok(Reply::Done) => Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted" })))),
        Ok(Reply::Refused(why)) => Err(refused(why)),
        Err(NoAnswer::Overloaded) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the switch is overloaded")),
        Err(NoAnswer::TooLate) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "the switch has not answered in time")),
    }
}

fn refused(why: Why) -> Problem {
    let (words, again) = why.words();
    let status = match why {
        Why::NoSuchCall | Why::NoSuchLeg => StatusCode::NOT_FOUND,
        Why::UnknownTarget => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, if again { format!("{words}; ask again later") } else { words.to_owned() })
}

fn shown(call: &CallView) -> Value {
    let leg = |l: &LegView| json!({ "leg": l.leg, "party": l.party, "part": l.part, "on_hold": l.on_hold });
    json!({
        "id": call.id.to_string(),
        "line": call.line,
        "number": call.number,
        "caller": call.caller,
        "state": call.state,
        "legs": call.legs.iter().map(leg).collect::<Vec<_>>(),
    })
}
