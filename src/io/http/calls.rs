//! Live calls over HTTP: list, show, move the caller.

use super::ApiState;
use super::commands::{carry_out, once, shown};
use super::endpoint::Endpoint;
use super::noted::in_full;
use super::problem::Problem;
use crate::base::CallId;
use crate::control::{Command, Holder, Numbers, Right, TransferKind};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

/// Bytes of a request for a transfer.
const TRANSFER: usize = 4 << 10;
/// A number or a seat's name is no longer.
const LONGEST_TARGET: usize = 64;

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
