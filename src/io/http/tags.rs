//! Seats' screens tell here what calls were about: while a call lasts, or after it.

use super::ApiState;
use super::callbacks::told;
use super::calls::call_id;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::records::{json_of, not_taken};
use crate::base::CallId;
use crate::control::{Holder, Right};
use crate::io::http::schemas;
use crate::io::journal::{Acceptance, Tagging};
use crate::record::callback::Tag;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;
use std::sync::Arc;

/// Bytes of a request.
const TAG: usize = 16 << 10;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::post("/api/v1/calls/{id}/subjects", Right::TagCalls, tag).taking(TAG)]
}

async fn tag(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Extension(holder): Extension<Arc<Holder>>,
    body: Bytes,
) -> Response {
    let (call, subjects) = match read(&id, &body) {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let intake = &state.intake;
    let backends = intake.plan().backends_of(subjects.iter().map(String::as_str));
    let tagging = Tagging { call, subjects: subjects.clone(), backends: backends.clone(), by: holder.name.clone() };
    match intake.taken(|journal, done| journal.tagged(tagging, done)).await {
        Ok(taken @ (Acceptance::New(_) | Acceptance::Known(_))) => {
            let status = if matches!(taken, Acceptance::New(_)) { "tagged" } else { "known" };
            // The log tells who did what to a call.
            tracing::info!(%call, by = holder.name, subjects = subjects.len(), ?backends, "{status}");
            intake.count("taggings_total", &holder.name, "");
            let there = |name: &String| intake.backends.contains(name);
            let backends: Vec<&String> = backends.iter().filter(|name| there(name)).collect();
            Json(json!({ "call_id": call.to_string(), "status": status, "subjects": subjects, "backends": backends }))
                .into_response()
        }
        Ok(refused) => told(refused),
        Err(why) => not_taken(why).into_response(),
    }
}

fn read(id: &str, body: &[u8]) -> Result<(CallId, Vec<String>), Problem> {
    let (call, value) = (call_id(id)?, json_of(body)?);
    let faults = schemas::TAG.faults(&value);
    let tag: Option<Tag> = serde_json::from_value(value).ok().filter(|_| faults.is_empty());
    let wrong = || {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, both!("the subjects cannot be used", "诉求主题无法使用")).at_fault(faults)
    };
    let mut subjects: Vec<String> = Vec::new();
    for subject in tag.ok_or_else(wrong)?.subjects {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    Ok((call, subjects))
}
