//! Ticket systems tell us of our calls here: a work order's number, the caller's satisfaction, what a call was about. Each
//! proves who it is by a signature; a message counts once.

use super::ApiState;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::records::{json_of, not_taken, too_many};
use crate::base::{CallId, Text, is_web};
use crate::io::clock;
use crate::io::deliver::Target;
use crate::io::http::schemas;
use crate::io::journal::{Acceptance, Callback};
use crate::record::callback::Message;
use crate::record::report::Fault;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

pub fn endpoints() -> Vec<Endpoint> {
    // The signature says who it is.
    vec![Endpoint::post("/api/v1/callbacks/{backend}", None, called_back)]
}

async fn called_back(State(state): State<ApiState>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let intake = &state.intake;
    let Some(target) = intake.callers.get(&name) else {
        return Problem::new(StatusCode::NOT_FOUND, both!("no backend of this name may call back", "没有可回调的此名工单系统"))
            .into_response();
    };
    let now = intake.clock.likely(clock::now());
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let proven = match target.profile.prove(&header, &body, &target.secrets, now, intake.tolerance) {
        Ok(proven) => proven,
        Err(why) => {
            tracing::warn!(backend = %name, "a callback is not believed: {why}");
            intake.count("callbacks_refused_total", &name, "");
            return Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
        }
    };
    if !intake.allow(&name) {
        return too_many().into_response();
    }
    let (call, message) = match read(target, &body) {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let plan = intake.plan();
    let updates = message.updates(&name, |subjects| plan.backends_of(subjects.iter().map(String::as_str)));
    let callback = Callback { backend: name.clone(), id: proven.id, seal: proven.seal, sent: proven.sent, call, updates };
    // Beyond the tolerance on either side it would not be believed any more.
    let remember = intake.tolerance.saturating_mul(2);
    match intake.taken(|journal, done| journal.called_back(callback, remember, done)).await {
        Ok(taken) => {
            intake.count(
                if matches!(taken, Acceptance::New(_)) { "callbacks_total" } else { "callbacks_refused_total" },
                &name,
                "",
            );
            told(taken)
        }
        Err(why) => not_taken(why).into_response(),
    }
}

fn read(target: &Target, body: &[u8]) -> Result<(CallId, Message), Problem> {
    let value = json_of(body)?;
    let wrong = |faults: Vec<Fault>| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, both!("the message cannot be used", "消息无法使用")).at_fault(faults)
    };
    let message = match target.profile.callback().and_then(|callback| callback.fields.as_ref()) {
        Some(fields) => fields.message(&value).map_err(wrong)?,
        None => {
            let faults = schemas::CALLBACK.faults(&value);
            if !faults.is_empty() {
                return Err(wrong(faults));
            }
            serde_json::from_value(value).map_err(|_| wrong(Vec::new()))?
        }
    };
    // A message that a profile's pointers led to is held to the same.
    let mut faults = schemas::CALLBACK.faults(&json!(message));
    let url = message.ticket.as_ref().and_then(|ticket| ticket.url.as_deref());
    if faults.is_empty() && url.is_some_and(|url| !is_web(url)) {
        faults.push(Fault {
            pointer: "/ticket/url".to_owned(),
            what: both!("is no http or https address", "不是 http 或 https 地址"),
        });
    }
    let call = message.call_id.parse().ok().filter(|_| faults.is_empty()).ok_or_else(|| wrong(faults))?;
    Ok((call, message))
}

pub(super) fn told(taken: Acceptance) -> Response {
    let problem = |status, detail: Text| Problem::new(status, detail).into_response();
    match taken {
        Acceptance::New(call) => Json(json!({ "status": "taken", "call_id": call.to_string() })).into_response(),
        Acceptance::Known(call) => Json(json!({ "status": "known", "call_id": call.to_string() })).into_response(),
        Acceptance::NoSuchCall => {
            problem(StatusCode::NOT_FOUND, both!("there is no such call, or its record is purged", "没有此通话，或其话单已清除"))
        }
        Acceptance::Replayed | Acceptance::Conflict => {
            problem(StatusCode::CONFLICT, both!("this very message was taken already", "此消息已接收过"))
        }
        Acceptance::TooMany => problem(
            StatusCode::CONFLICT,
            both!("so much was told of this call that no more is taken", "关于此通话的消息过多，不再接收"),
        ),
    }
}
