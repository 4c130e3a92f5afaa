//! Decisions of people about the journal, which the gateway alone writes: refused deliveries are tried again or dropped, final
//! records sent anew, damage marked as seen. The command line asks here.

use super::ApiState;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::records::{json_of, not_taken};
use crate::control::{Holder, Right};
use crate::io::journal::dead_letters::{Decision, Replay, Selection};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/api/v1/dead-letters/retry", Right::Manage, retry),
        Endpoint::post("/api/v1/dead-letters/drop", Right::Manage, drop_refused),
        Endpoint::post("/api/v1/records/replay", Right::Manage, replay),
        Endpoint::post("/api/v1/journal/damage/seen", Right::Manage, damage_seen),
    ]
}

/// Dead letters that are chosen; all of them only where that is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    backend: Option<String>,
    call_id: Option<String>,
    all: Option<bool>,
}

async fn retry(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    body: Bytes,
) -> Result<Response, Problem> {
    carry_out(&state, &holder, Decision::Retry(selection(&body)?)).await
}

async fn drop_refused(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    body: Bytes,
) -> Result<Response, Problem> {
    carry_out(&state, &holder, Decision::Drop(selection(&body)?)).await
}

async fn replay(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    body: Bytes,
) -> Result<Response, Problem> {
    let replay: Replay = read(&body)?;
    if replay.calls.len() > Replay::MOST {
        let most = Replay::MOST;
        return Err(wrong(both!("`calls` names more than {most}", "`calls` 超过 {most} 个")));
    }
    if !state.deliveries.has(&replay.backend) {
        return Err(wrong(both!("the configuration has no backend `{0}`", "配置中没有工单系统 `{0}`", replay.backend)));
    }
    carry_out(&state, &holder, Decision::Replay(replay)).await
}

async fn damage_seen(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>) -> Result<Response, Problem> {
    carry_out(&state, &holder, Decision::DamageSeen).await
}

/// Answers when it is on disk.
async fn carry_out(state: &ApiState, holder: &Holder, decision: Decision) -> Result<Response, Problem> {
    let told = format!("{decision:?}");
    match state.intake.taken(|journal, done| journal.decide(decision, done)).await {
        Ok(count) => {
            tracing::info!(by = %holder.name, count, "{}", told.chars().take(LOGGED).collect::<String>());
            Ok(Json(json!({ "count": count })).into_response())
        }
        Err(why) => Ok(not_taken(why).into_response()),
    }
}

/// Characters of a decision in the log.
const LOGGED: usize = 200;

fn selection(body: &[u8]) -> Result<Selection, Problem> {
    let Chosen { backend, call_id, all } = read(body)?;
    let call = match &call_id {
        Some(id) => Some(id.parse().map_err(|_| wrong(both!("`call_id` is no call id", "`call_id` 不是通话编号")))?),
        None => None,
    };
    if all.unwrap_or(false) == (backend.is_some() || call.is_some()) {
        return Err(wrong(both!(
            "name `backend`, `call_id` or both, or else `all`",
            "请给出 `backend`、`call_id` 或两者，否则给出 `all`"
        )));
    }
    Ok(Selection { backend, call })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_value(json_of(body)?)
        .map_err(|_| wrong(both!("a field is missing, unknown or wrong", "有字段缺失、未知或有误")))
}

fn wrong(what: crate::base::Text) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what)
}
