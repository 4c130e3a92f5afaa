//! Health, metrics and the API over HTTP. Everything but health asks for the token, if there is one.

mod calls;
mod metrics;
mod problem;

use crate::io::asks::Asks;
use crate::io::board::Board;
use crate::io::inbox::Inbox;
use crate::switch::Input;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use problem::Problem;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
pub struct Desk {
    pub board: Arc<Board>,
    pub inbox: Inbox,
    /// Commands that wait for the switch's word.
    pub asks: Arc<Asks>,
    /// What was answered to requests that carried an Idempotency-Key.
    pub done: Arc<Done>,
    /// Figures of the other threads, asked for at each scrape.
    pub more: Arc<dyn Fn() -> Vec<Metric> + Send + Sync>,
    pub reload: Reload,
    /// Empty: nobody is asked for one.
    pub token: Arc<str>,
}

pub use calls::Done;
pub use metrics::Metric;

/// Reads everything anew: the report, or what is wrong.
pub type Reload = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Value, Vec<String>>> + Send>> + Send + Sync>;

pub fn router(desk: Desk) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/drain", post(drain))
        .route("/api/v1/reload", post(reload))
        .merge(calls::routes())
        .layer(middleware::from_fn_with_state(desk.clone(), ask_for_token));
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .merge(guarded)
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(desk)
}

/// Is the process worth keeping?
async fn health(State(desk): State<Desk>) -> Response {
    if desk.board.read().alive() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the switch does not answer").into_response()
}

/// Should new calls be sent here?
async fn ready(State(desk): State<Desk>) -> Response {
    let obstacles = desk.board.read().obstacles();
    if obstacles.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, obstacles.join(", ")).into_response()
}

async fn show_metrics(State(desk): State<Desk>) -> Response {
    let figures = desk.board.read();
    let text = metrics::render(&figures, &desk.inbox, &(desk.more)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn status(State(desk): State<Desk>) -> Response {
    let figures = desk.board.read();
    let gauges = figures.gauges;
    Json(json!({
        "ready": figures.obstacles().is_empty(),
        "draining": gauges.draining,
        "calls": gauges.calls,
        "waiting": gauges.waiting,
        "seats_taken": gauges.seats,
        "journal": { "down": gauges.journal_down, "unwritten": gauges.unwritten },
    }))
    .into_response()
}

/// No new calls from now on; those in progress finish.
async fn drain(State(desk): State<Desk>) -> Response {
    if desk.inbox.try_send(Input::Drain).is_ok() {
        return (StatusCode::ACCEPTED, Json(json!({ "status": "draining" }))).into_response();
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the switch is overloaded").into_response()
}

/// Takes over configuration, plan and prompts as they are now; what is wrong changes nothing.
async fn reload(State(desk): State<Desk>) -> Response {
    match (desk.reload)().await {
        Ok(report) => Json(report).into_response(),
        Err(errors) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing has changed").because(errors).into_response(),
    }
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} does not apply to {}", uri.path()))
}

async fn ask_for_token(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if desk.token.is_empty() || given.is_some_and(|given| same(given, desk.token.as_bytes())) {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "a bearer token is needed");
    ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
}

/// Compares in a time that does not tell how much of a guess was right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests;
