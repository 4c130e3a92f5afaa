//! Live calls over HTTP: list, show, move the caller. Repeating a POST with its Idempotency-Key does nothing twice.

use super::endpoint::Endpoint;
use super::noted::in_full;
use super::problem::Problem;
use super::{ApiState, COMMAND};
use crate::base::trap::{self, Trap};
use crate::base::{CallId, Masked};
use crate::control::{CallView, Command, Holder, LegView, Numbers, Reply, Right, TransferKind, Why};
use crate::io::inbox::requests::NoAnswer;
use crate::io::process::threads;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Idempotency keys that are remembered.
const MOST_KEYS: usize = 10_000;
const LONGEST_KEY: usize = 128;

/// Bytes of a request for a transfer.
const TRANSFER: usize = 4 << 10;
/// A number or a seat's name is no longer.
const LONGEST_TARGET: usize = 64;

/// By token and key: what was asked and the answer, once there is one.
pub type Done = DashMap<(String, String), (Command, Option<Answer>)>;

type Answer = Result<(StatusCode, Value), Problem>;

/// The holder of the token that came with the request.
type Requester = Extension<Arc<Holder>>;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/calls", Right::ReadCalls, list),
        Endpoint::get("/api/v1/calls/{id}", Right::ReadCalls, show),
        Endpoint::post("/api/v1/calls/{id}/transfer", Right::MoveCalls, transfer).taking(TRANSFER),
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
    /// The area code, without its leading 0, of the city whose line `to` is.
    area: Option<String>,
}

impl Wanted {
    fn number(self) -> String {
        match self.area {
            Some(area) => format!("0{area}-{}", self.to),
            None => self.to,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    /// Callers' numbers in full.
    #[serde(default)]
    pub unmasked: bool,
}

async fn list(State(state): State<ApiState>, requester: Requester, look: Query<Look>) -> Response {
    match numbers(&state, &requester, &look, "all calls".to_owned()).await {
        Ok(numbers) => shown(carry_out(&state, Command::Calls(numbers)).await),
        Err(problem) => problem.into_response(),
    }
}

async fn show(State(state): State<ApiState>, Path(id): Path<String>, requester: Requester, look: Query<Look>) -> Response {
    let id = match call_id(&id) {
        Ok(id) => id,
        Err(problem) => return problem.into_response(),
    };
    match numbers(&state, &requester, &look, id.to_string()).await {
        Ok(numbers) => shown(carry_out(&state, Command::Call(id, numbers)).await),
        Err(problem) => problem.into_response(),
    }
}

async fn numbers(state: &ApiState, holder: &Holder, look: &Look, what: String) -> Result<Numbers, Problem> {
    if !look.unmasked {
        return Ok(Numbers::Masked);
    }
    in_full(state, holder, "live calls", what).await.map(|()| Numbers::Full)
}

async fn transfer(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    requester: Requester,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let command = call_id(&id).and_then(|call| {
        let wanted: Wanted = serde_json::from_slice(&body).map_err(|e| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                both!("the body is not {{to, mode, area?}}: {e}", "请求内容应为 {{to, mode, area?}}（{e}）"),
            )
        })?;
        if wanted.to.is_empty() || wanted.to.len() > LONGEST_TARGET {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                both!("`to` is a number, or seat:NAME", "`to` 应为号码，或 seat:名称"),
            ));
        }
        let kind = TransferKind::named(&wanted.mode).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                both!(
                    "mode is one of consult, three-way, blind, emergency",
                    "mode 应为 consult、three-way、blind、emergency 之一"
                ),
            )
        })?;
        Ok(Command::Transfer { call, to: wanted.number(), kind })
    });
    once(state, &requester, &headers, command).await
}

async fn act(
    State(state): State<ApiState>,
    Path((id, act)): Path<(String, String)>,
    requester: Requester,
    headers: HeaderMap,
) -> Response {
    let command = call_id(&id).and_then(|call| match act.as_str() {
        "complete" => Ok(Command::Complete(call)),
        "cancel" => Ok(Command::Cancel(call)),
        "swap" => Ok(Command::Swap(call)),
        "merge" => Ok(Command::Merge(call)),
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            both!("a transfer is completed, cancelled, swapped or merged", "转接只有 complete、cancel、swap、merge"),
        )),
    });
    once(state, &requester, &headers, command).await
}

async fn drop_leg(
    State(state): State<ApiState>,
    Path((id, leg)): Path<(String, String)>,
    requester: Requester,
    headers: HeaderMap,
) -> Response {
    let leg = leg.parse().map_err(|_| Problem::new(StatusCode::BAD_REQUEST, both!("a leg is a number", "通话方应为数字")));
    let command = call_id(&id).and_then(|call| Ok(Command::Drop { call, leg: leg? }));
    once(state, &requester, &headers, command).await
}

pub(super) fn call_id(text: &str) -> Result<CallId, Problem> {
    text.parse().map_err(|_| Problem::new(StatusCode::BAD_REQUEST, both!("a call's id is a UUID", "通话编号应为 UUID")))
}

/// Carries a command out; a second request with the same key gets the first one's answer.
async fn once(state: ApiState, holder: &Holder, headers: &HeaderMap, command: Result<Command, Problem>) -> Response {
    let asked = command.and_then(|command| Ok((command, key(holder, headers)?)));
    let (command, key) = match asked {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    note(holder, &command);
    let Some(key) = key else { return shown(carry_out(&state, command).await) };
    if state.done.len() >= MOST_KEYS {
        state.done.retain(|_, (_, answer)| answer.is_none());
    }
    match state.done.entry(key.clone()) {
        Entry::Occupied(known) => return repeated(&command, known.get()),
        Entry::Vacant(new) => drop(new.insert((command.clone(), None))),
    }
    // On its own: a client that does not wait for the answer may ask for it again. Whatever becomes of it, there is one.
    let carried = threads::task(&Handle::current(), COMMAND, async move {
        let answer = threads::survived(COMMAND, carry_out(&state, command.clone())).await.unwrap_or_else(|| Err(fault()));
        match &answer {
            Err(problem) if !problem.may_be_done() => drop(state.done.remove(&key)),
            _ => drop(state.done.insert(key, (command, Some(answer.clone())))),
        }
        answer
    });
    shown(carried.await.ok().flatten().unwrap_or_else(|| Err(fault())))
}

/// Nobody knows how far the program had got.
fn fault() -> Problem {
    let look = both!("; it may have been done all the same: look at the call", "；操作可能已执行：请查看该通话");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, threads::fault().then(&look))
}

/// The log tells who did what to a call.
fn note(holder: &Holder, command: &Command) {
    let by = &holder.name;
    match command {
        Command::Transfer { call, to, kind } => tracing::info!(%call, by, to = %Masked(to), mode = kind.name(), "transfer asked"),
        command => tracing::info!(by, ?command, "asked by the API"),
    }
}

/// Keys of different tokens have nothing to do with each other.
fn key(holder: &Holder, headers: &HeaderMap) -> Result<Option<(String, String)>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let good = !key.is_empty() && key.len() <= LONGEST_KEY;
    let text = key.to_str().ok().filter(|_| good);
    let text = text.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            both!(
                "an Idempotency-Key is 1 to {LONGEST_KEY} visible ASCII characters",
                "Idempotency-Key 应为 1 至 {LONGEST_KEY} 个可见 ASCII 字符"
            ),
        )
    })?;
    Ok(Some((holder.name.clone(), text.to_owned())))
}

fn repeated(asked: &Command, (first, answer): &(Command, Option<Answer>)) -> Response {
    match answer {
        _ if first != asked => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            both!("this Idempotency-Key was used for another request", "此 Idempotency-Key 已用于另一请求"),
        )
        .into_response(),
        Some(answer) => shown(answer.clone()),
        None => Problem::new(
            StatusCode::CONFLICT,
            both!("the first request with this key is still under way", "使用此 Idempotency-Key 的前一请求仍在处理中"),
        )
        .into_response(),
    }
}

fn shown(answer: Answer) -> Response {
    answer.map(|(status, body)| (status, Json(body))).into_response()
}

/// Carries out a command for the whole gateway; how many calls are in progress.
pub(super) async fn left(state: &ApiState, command: Command) -> Result<u64, Problem> {
    carry_out(state, command).await.map(|(_, answer)| answer["calls"].as_u64().unwrap_or_default())
}

async fn carry_out(state: &ApiState, command: Command) -> Answer {
    trap::spring(Trap::Command);
    match state.requests.ask(&state.inbox, command).await {
        Ok(Reply::Calls { calls, total }) => {
            let calls: Vec<Value> = calls.iter().map(view).collect();
            Ok((StatusCode::OK, json!({ "calls": calls, "total": total })))
        }
        Ok(Reply::Call(call)) => Ok((StatusCode::OK, view(&call))),
        Ok(Reply::Done | Reply::Seat(_) | Reply::Seats(_) | Reply::Queues(_)) => {
            Ok((StatusCode::ACCEPTED, json!({ "status": "accepted" })))
        }
        Ok(Reply::Left(calls)) => Ok((StatusCode::ACCEPTED, json!({ "calls": calls }))),
        Ok(Reply::Refused(why)) => Err(refused(why)),
        Ok(Reply::Choose(areas)) => Err(refused(Why::AreaUnknown).choosing(areas)),
        Err(NoAnswer::Overloaded) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, both!("the switch is overloaded", "交换线程过载")))
        }
        Err(NoAnswer::TooLate) => {
            let detail = both!(
                "the switch has not answered in time; it may have done it all the same: look at the call",
                "交换线程未及时应答，但操作可能已执行：请查看该通话"
            );
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
        }
    }
}

fn refused(why: Why) -> Problem {
    let (words, again) = why.words();
    let status = match why {
        Why::NoSuchCall | Why::NoSuchLeg => StatusCode::NOT_FOUND,
        Why::UnknownTarget => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, if again { words.then(&both!("; ask again later", "，请稍后再试")) } else { words })
}

fn view(call: &CallView) -> Value {
    let leg = |l: &LegView| json!({ "leg": l.leg, "party": l.party, "state": l.state, "on_hold": l.on_hold });
    json!({
        "id": call.id.to_string(),
        "line": call.line,
        "number": call.number,
        "caller": call.caller,
        "state": call.state,
        "legs": call.legs.iter().map(leg).collect::<Vec<_>>(),
    })
}
