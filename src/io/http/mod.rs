//! Health, metrics and the API over HTTP. Everything but health asks for a token, if there are any.

mod adapter;
mod callbacks;
mod calls;
mod commands;
mod decisions;
mod document;
mod endpoint;
mod events;
mod figures;
mod follow;
pub mod intake;
mod link;
mod lists;
mod metrics;
mod noted;
mod problem;
mod recordings;
mod records;
pub mod schemas;
mod search;
mod seats;
mod serve;
mod sessions;
mod shown;
mod stream;
mod tags;
mod trunks;
mod websocket;

use crate::base::{Shown, Text, Tongue};
use crate::control::{Command, Holder, Right};
use crate::io::config::fit::Fit;
use crate::io::config::reload::{NotReloaded, Report};
use crate::io::config::tokens::Tokens;
use crate::io::deliver::Deliveries;
use crate::io::figures::Live as LiveFigures;
use crate::io::http::intake::Intake;
use crate::io::inbox::Inbox;
use crate::io::inbox::figures::{Figures as Posted, SwitchFigures};
use crate::io::inbox::requests::SwitchRequests;
use crate::io::journal::disk::Disk;
use crate::io::metrics::Metric;
use crate::io::process::audit::Audit;
use crate::io::process::threads;
use crate::io::recorder::store::RecordingStore;
use crate::io::seat_log::SeatLog;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Json, Response};
use axum::{Extension, Router};
use endpoint::Endpoint;
use problem::{Problem, spoken};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The names of work that a request has done where it may wait, of connections and followers, and of commands.
const WORK: &str = "http-work";
const CONNECTION: &str = "http-connection";
const FOLLOWER: &str = "http-follower";
const COMMAND: &str = "http-command";

/// Parts that the handlers share.
#[derive(Clone)]
pub struct ApiState {
    pub switch_figures: Arc<SwitchFigures>,
    pub inbox: Inbox,
    /// Commands that wait for the switch's word.
    pub requests: Arc<SwitchRequests>,
    /// The answers to requests that carried an Idempotency-Key.
    pub done: Arc<Done>,
    /// Figures of the other threads, asked for at each scrape.
    pub more: Figures,
    pub reload: Reload,
    pub tokens: Arc<Tokens>,
    pub audit: Arc<Audit>,
    pub recordings: Arc<RecordingStore>,
    pub disk: Arc<Disk>,
    pub deliveries: Arc<Deliveries>,
    pub figures: Arc<LiveFigures>,
    /// The log of seats, for those who follow it.
    pub seat_log: Arc<SeatLog>,
    /// For a request's body.
    pub patience: Duration,
    /// Calls that others follow, and what they hand in and tell.
    pub intake: Arc<Intake>,
    /// The limits that are kept to.
    pub fit: Fit,
    /// The alarm while there is no descriptor to be had.
    pub shortage: fn() -> Option<Text>,
}

pub use commands::Done;
pub use search::MOST as MOST_RECORDS;
use serve::Place;
pub use serve::{Connections, Limits};

/// Those of the other threads.
pub type Figures = Arc<dyn Fn() -> Vec<Metric> + Send + Sync>;

/// Reads everything anew: the report, or what is wrong.
pub type Reload = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Report, NotReloaded>> + Send>> + Send + Sync>;

/// Everything that is served, and who may ask for it.
fn endpoints() -> Vec<Endpoint> {
    let own = vec![
        Endpoint::get("/healthz", None, health),
        Endpoint::get("/readyz", None, ready),
        Endpoint::get("/metrics", Right::Watch, show_metrics),
        Endpoint::get("/api/v1/openapi.json", None, document::show),
        Endpoint::get("/api/v1/status", Right::Watch, status),
        Endpoint::post("/api/v1/drain", Right::Manage, drain),
        Endpoint::delete("/api/v1/drain", Right::Manage, undrain),
        Endpoint::post("/api/v1/reload", Right::Manage, reload),
    ];
    let calls = calls::endpoints().into_iter().chain(tags::endpoints());
    let others = [
        events::endpoints(),
        figures::endpoints(),
        search::endpoints(),
        records::endpoints(),
        decisions::endpoints(),
        callbacks::endpoints(),
        link::endpoints(),
        recordings::endpoints(),
        seats::endpoints(),
        lists::endpoints(),
        trunks::endpoints(),
    ];
    own.into_iter().chain(calls).chain(others.into_iter().flatten()).collect()
}

pub fn router(state: ApiState) -> Router {
    let served = endpoints().into_iter().fold(Router::new(), |router, endpoint| endpoint.add_to(router, &state));
    let served = adapter::add_to(served, &state);
    let served = served.fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    served.layer(from_fn(problem::always)).with_state(state)
}

/// For those for whom there is no room: health, and that there is none.
pub fn health_alone(state: ApiState) -> Router {
    let served = [Endpoint::get("/healthz", None, health), Endpoint::get("/readyz", None, ready)];
    let served = served.into_iter().fold(Router::new(), |router, endpoint| endpoint.add_to(router, &state));
    served.fallback(no_room).layer(from_fn(problem::always)).with_state(state)
}

async fn no_room() -> Response {
    let problem =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, both!("too many connections; ask again later", "连接过多，请稍后再试"));
    ([(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")], problem).into_response()
}

/// Is the process worth keeping?
async fn health(State(state): State<ApiState>) -> Response {
    if state.switch_figures.read().alive() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, both!("the switch does not answer", "交换线程没有应答")).into_response()
}

/// Should new calls be sent here?
async fn ready(State(state): State<ApiState>, Extension(tongue): Extension<Tongue>) -> Response {
    let figures = state.switch_figures.fresh(&state.inbox).await;
    let obstacles = obstacles(&state, &figures);
    let shortage = (state.shortage)();
    if !obstacles.is_empty() {
        // It may be why.
        let obstacles: Vec<Text> = obstacles.into_iter().chain(shortage).collect();
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, Text::joined(&obstacles)).into_response();
    }
    let mut answer = json!({ "status": "ready" });
    let alarms = state.disk.alarm(state.disk.space()).into_iter().chain(shortage).chain(state.deliveries.alarms());
    let alarms = alarms.chain(figures.refused());
    if let Some(alarms) = alarms.reduce(|all, alarm| all.then(&both!("; ", "；")).then(&alarm)) {
        answer["alarm"] = json!(alarms.told(tongue));
    }
    spoken(Json(answer), tongue)
}

/// Why no new call should be sent here.
fn obstacles(state: &ApiState, figures: &Posted) -> Vec<Text> {
    figures.obstacles().into_iter().chain(state.disk.damage()).collect()
}

async fn show_metrics(State(state): State<ApiState>) -> Response {
    let figures = state.switch_figures.fresh(&state.inbox).await;
    let more = state.more.clone();
    // Figures of a day take their time.
    let mut more = threads::aside("metrics", move || more()).await.unwrap_or_default();
    if figures.gauges.accounts.configured > 0 {
        more.extend(trunks::metrics(&state).await);
    }
    let text = metrics::render(&figures, &state.inbox, &more);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn status(State(state): State<ApiState>, Extension(tongue): Extension<Tongue>) -> Response {
    let figures = state.switch_figures.fresh(&state.inbox).await;
    let (gauges, space) = (figures.gauges, state.disk.space());
    let told = |text: Text| text.told(tongue).to_owned();
    let alarms = (state.shortage)().into_iter().chain(state.deliveries.alarms_in_full()).chain(figures.refused());
    let alarms: Vec<String> = alarms.map(told).collect();
    let answer = json!({
        "ready": obstacles(&state, &figures).is_empty(),
        "draining": gauges.draining,
        "calls": gauges.calls,
        "waiting": gauges.waiting,
        "seats_taken": gauges.seats,
        "journal": {
            "down": gauges.journal_down,
            "unwritten": gauges.unwritten,
            "bytes": space.bytes,
            "free_bytes": space.free,
            "alarm": state.disk.alarm(space).map(told),
        },
        "limits": state.fit,
        "alarms": alarms,
    });
    spoken(Json(answer), tongue)
}

/// No new calls from now on; those in progress finish.
async fn drain(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>) -> Result<Response, Problem> {
    let calls = commands::left(&state, Command::Drain).await?;
    tracing::info!(by = %holder.name, calls, "draining: no new calls are taken, those in progress go on 排空：不接新呼叫");
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": "draining", "calls": calls }))).into_response())
}

/// New calls are taken again; but not by a gateway that has been told to end.
async fn undrain(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>) -> Result<Response, Problem> {
    let calls = commands::left(&state, Command::Undrain).await?;
    tracing::info!(by = %holder.name, calls, "new calls are taken again 恢复接新呼叫");
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": "taking calls", "calls": calls }))).into_response())
}

/// Takes over configuration, plan and prompts as they are now; what is wrong changes nothing.
async fn reload(State(state): State<ApiState>, Extension(tongue): Extension<Tongue>) -> Response {
    match (state.reload)().await {
        Ok(report) => spoken(Json(report.told(tongue)), tongue),
        Err(refused) => {
            let status = match refused {
                NotReloaded::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
                NotReloaded::Late | NotReloaded::Gone => StatusCode::SERVICE_UNAVAILABLE,
            };
            Problem::new(status, both!("nothing has changed", "没有任何改变")).because(refused.told()).into_response()
        }
    }
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, both!("there is nothing at {0}", "{0} 处没有内容", Shown(uri.path())))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        both!("{method} does not apply to {0}", "{method} 不适用于 {0}", Shown(uri.path())),
    )
}

#[cfg(test)]
mod intake_tests;
#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
