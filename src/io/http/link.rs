//! The way from a seat's screen to the call's ticket: an address that holds from the first ring.

use super::endpoint::Endpoint;
use super::problem::ForPeople;
use super::{ApiState, WORK};
use crate::base::{CallId, is_web};
use crate::io::process::threads;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

pub fn endpoints() -> Vec<Endpoint> {
    // Anybody who knows a call's id was told it by the call.
    vec![Endpoint::get("/t/{id}", None, page)]
}

async fn page(State(state): State<ApiState>, Path(id): Path<String>) -> Response {
    let Ok(call) = id.parse::<CallId>() else { return nowhere() };
    let intake = state.intake.clone();
    match threads::aside(WORK, move || intake.page(call)).await {
        Some(Ok(Some(Some(url)))) if is_web(&url) => {
            ([(header::CACHE_CONTROL, "no-store")], Redirect::temporary(&url)).into_response()
        }
        Some(Ok(Some(_))) => not_yet(),
        Some(Ok(None)) => nowhere(),
        _ => not_yet(),
    }
}

/// A browser asks again by itself.
fn not_yet() -> Response {
    let headers = [(header::RETRY_AFTER, "3"), (header::REFRESH, "3"), (header::CACHE_CONTROL, "no-store")];
    let text = "This call has no ticket yet. The page looks again every three seconds.\n此通话尚无工单，页面每三秒自动重试。\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, Extension(ForPeople), text).into_response()
}

fn nowhere() -> Response {
    let text = "There is no such call here.\n此处没有该通话。\n";
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], Extension(ForPeople), text).into_response()
}
