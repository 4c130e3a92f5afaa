//! The feed of events, over server-sent events (WHATWG HTML §9.2) or WebSocket: the same address, the same rules. A
//! connection holds a few events at most: who reads slowly is served from the journal.

use super::endpoint::Endpoint;
use super::follow::{End, FeedUpdate, Follower, Wanted, follow};
use super::problem::Problem;
use super::websocket::{self, Socket};
use super::{ApiState, FOLLOWER, Place, WORK};
use crate::control::{Holder, Right};
use crate::io::clock;
use crate::io::journal::feed::{Gone, Subscription};
use crate::io::process::threads;
use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Events on their way to one reader.
const ON_THE_WAY: usize = 32;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/events", Right::Follow, events)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    since: Option<u64>,
    /// Hotline numbers, parted by commas; none: all.
    lines: Option<String>,
}

async fn events(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    connection: Option<Extension<Place>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if !websocket::asked_for(&headers) {
        let Start { wanted, from, place } = start(&state, &holder, asked, &headers).await?;
        let (out, frames) = mpsc::channel(ON_THE_WAY);
        threads::task(&Handle::current(), FOLLOWER, follow(state.intake.feed.clone(), wanted, from, Frames(out), place));
        let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
        return Ok((kind, Body::from_stream(Framed(frames))).into_response());
    }
    if let Some(refusal) = websocket::outdated(&headers) {
        return Ok(refusal);
    }
    let upgrade = websocket::agreed(upgrade, &headers)?;
    let Start { wanted, from, place } = start(&state, &holder, asked, &headers).await?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        // It counts among the connections as long as it lives.
        let _connection = connection;
        threads::survived(FOLLOWER, follow(state.intake.feed.clone(), wanted, from, Socket::new(socket), place)).await;
    }))
}

struct Start {
    wanted: Wanted,
    /// The number after which it begins.
    from: u64,
    place: Subscription,
}

async fn start(state: &ApiState, holder: &Holder, asked: Asked, headers: &HeaderMap) -> Result<Start, Problem> {
    let unavailable = |why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let since = last_id(headers)?.or(asked.since);
    let feed = state.intake.feed.clone();
    let place = feed.place(&holder.name).ok_or_else(|| {
        unavailable(both!("as many follow the feed as may, of all or of this token", "关注事件流的连接已达上限（全部或此令牌）"))
    })?;
    let from = match threads::aside(WORK, move || feed.start(since)).await {
        Some(Ok(from)) => from.map_err(refused)?,
        _ => return Err(unavailable(both!("the journal cannot be read", "无法读取日志库"))),
    };
    let lines = asked.lines.iter().flat_map(|lines| lines.split(',')).map(|line| line.trim().to_owned());
    let wanted = Wanted { lines: lines.filter(|line| !line.is_empty()).collect(), unmasked: holder.may(Right::SeeNumbers) };
    tracing::info!(who = %holder.name, from, lines = ?wanted.lines, unmasked = wanted.unmasked, "follows the feed");
    if wanted.unmasked {
        noted(state, holder, from, &wanted.lines).await?;
    }
    Ok(Start { wanted, from, place })
}

/// Numbers are shown in full to whom the audit log names.
async fn noted(state: &ApiState, holder: &Holder, from: u64, lines: &[String]) -> Result<(), Problem> {
    let (audit, who) = (state.audit.clone(), holder.name.clone());
    let what = format!("events after {from}, lines {}", if lines.is_empty() { "all".to_owned() } else { lines.join(",") });
    let note = threads::aside(WORK, move || audit.note(clock::now().wall, &who, "feed", &what)).await;
    note.unwrap_or_else(|| Err(threads::fault())).map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))
}

/// The last event that a reader saw before it came back.
fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            both!("Last-Event-ID is a number that the feed gave", "Last-Event-ID 应为事件流给出的编号"),
        )
    };
    number.ok_or_else(wrong).map(Some)
}

fn refused(gone: Gone) -> Problem {
    let detail = match gone {
        Gone::TooOld { oldest } => both!("too old: the oldest event that is kept is {oldest}", "过旧：保留的最早事件为 {oldest}"),
        Gone::Unknown { newest } => {
            both!(
                "this feed never gave that number, its newest is {newest}: another gateway's?",
                "此事件流没有该编号，最新为 {newest}：是另一台网关的吗？"
            )
        }
    };
    let how = both!(
        "; read the calls since then with `hotline records export`, and follow anew without Last-Event-ID and since",
        "；请用 `hotline records export` 读取此后的通话，再重新关注（不带 Last-Event-ID 和 since）"
    );
    Problem::new(StatusCode::GONE, detail.then(&how))
}

/// Where frames go in.
struct Frames(mpsc::Sender<Bytes>);

impl Follower for Frames {
    async fn tell(&mut self, news: FeedUpdate<'_>) -> bool {
        let frame = match news {
            FeedUpdate::Event { told, json } => {
                let head = format!("id: {}\nevent: {}\ndata: ", told.n, told.kind());
                [head.as_bytes(), json, b"\n\n"].concat()
            }
            FeedUpdate::Alive(n) => format!(":\nid: {n}\n\n").into(),
        };
        self.0.send(frame.into()).await.is_ok()
    }

    async fn gone(&mut self) {
        self.0.closed().await;
    }

    /// The end of the body says it.
    async fn part(self, _end: End) {}
}

/// Where they come out: the body.
struct Framed(mpsc::Receiver<Bytes>);

impl Stream for Framed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
