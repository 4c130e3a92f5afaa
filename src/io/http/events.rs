//! The feed over server-sent events (WHATWG HTML §9.2). A connection holds a few events at most: who reads slowly is
//! served from the journal, and who does not read at all is let go.

use super::Desk;
use super::endpoint::Endpoint;
use super::problem::Problem;
use crate::control::{Holder, Right};
use crate::io::clock;
use crate::io::feed::{Feed, Gone, Told};
use axum::Extension;
use axum::body::Body;
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
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Events on their way to one reader.
const ON_THE_WAY: usize = 32;
/// A quiet line says that it lives, and how far it is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a journal that could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

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

/// What one reader wants, and may see.
struct Wanted {
    lines: Vec<String>,
    unmasked: bool,
}

async fn events(
    State(desk): State<Desk>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let since = match last_id(&headers) {
        Ok(last) => last.or(asked.since),
        Err(problem) => return problem.into_response(),
    };
    let feed = desk.outside.feed.clone();
    let Some(place) = feed.place() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "as many follow the feed as may").into_response();
    };
    let reader = feed.clone();
    let from = match spawn_blocking(move || reader.start(since)).await {
        Ok(Ok(Ok(from))) => from,
        Ok(Ok(Err(gone))) => return refused(gone).into_response(),
        _ => return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be read").into_response(),
    };
    let lines = asked.lines.iter().flat_map(|lines| lines.split(',')).map(|line| line.trim().to_owned());
    let wanted = Wanted { lines: lines.filter(|line| !line.is_empty()).collect(), unmasked: holder.may(Right::SeeNumbers) };
    tracing::info!(who = %holder.name, from, lines = ?wanted.lines, unmasked = wanted.unmasked, "follows the feed");
    if wanted.unmasked
        && let Err(problem) = noted(&desk, &holder, from, &wanted.lines).await
    {
        return problem.into_response();
    }
    let (out, frames) = mpsc::channel(ON_THE_WAY);
    tokio::spawn(follow(feed, wanted, from, out, place));
    let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (kind, Body::from_stream(Frames(frames))).into_response()
}

/// Numbers are shown in full to whom the audit log names.
async fn noted(desk: &Desk, holder: &Holder, from: u64, lines: &[String]) -> Result<(), Problem> {
    let (audit, who) = (desk.audit.clone(), holder.name.clone());
    let what = format!("events after {from}, lines {}", if lines.is_empty() { "all".to_owned() } else { lines.join(",") });
    let note = spawn_blocking(move || audit.note(clock::now().wall, &who, "feed", &what)).await;
    note.unwrap_or_else(|e| Err(e.to_string())).map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))
}

/// What a reader that comes back saw last.
fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || Problem::new(StatusCode::BAD_REQUEST, "Last-Event-ID is a number that the feed gave");
    number.ok_or_else(wrong).map(Some)
}

fn refused(gone: Gone) -> Problem {
    let how = "read the calls since then with `hotline records export`, and follow anew without Last-Event-ID and since";
    let detail = match gone {
        Gone::TooOld { oldest } => format!("too old: the oldest event that is kept is {oldest}; {how}"),
        Gone::Unknown { newest } => {
            format!("this feed never gave that number, its newest is {newest}: another gateway's?; {how}")
        }
    };
    Problem::new(StatusCode::GONE, detail)
}

async fn follow(feed: Arc<Feed>, wanted: Wanted, mut n: u64, out: mpsc::Sender<Bytes>, _place: OwnedSemaphorePermit) {
    let mut newest = feed.newest();
    let mut beat = Instant::now();
    loop {
        newest.borrow_and_update();
        if beat <= Instant::now() {
            if !send(&feed, &out, format!(":\nid: {n}\n\n").into()).await {
                return;
            }
            beat = Instant::now() + HEARTBEAT;
        }
        let reader = feed.clone();
        match spawn_blocking(move || reader.after(n)).await {
            Ok(Ok(events)) if !events.is_empty() => {
                for told in events {
                    n = told.n;
                    let Some(frame) = frame(&told, &wanted) else { continue };
                    if !send(&feed, &out, frame).await {
                        return;
                    }
                }
                continue;
            }
            Ok(Ok(_)) => {}
            Ok(Err(trouble)) => {
                tracing::error!("the feed: {trouble}");
                sleep(AGAIN).await;
            }
            Err(_) => return,
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = sleep_until(beat) => {}
            () = out.closed() => return,
        }
    }
}

async fn send(feed: &Feed, out: &mpsc::Sender<Bytes>, frame: Bytes) -> bool {
    match timeout(PATIENCE, out.send(frame)).await {
        Ok(sent) => sent.is_ok(),
        Err(_) => {
            feed.cut_off();
            false
        }
    }
}

fn frame(told: &Told, wanted: &Wanted) -> Option<Bytes> {
    if !wanted.lines.is_empty() && !wanted.lines.contains(&told.line) {
        return None;
    }
    let json = told.json(wanted.unmasked)?;
    let head = format!("id: {}\nevent: {}\ndata: ", told.n, told.kind());
    Some([head.as_bytes(), json, b"\n\n"].concat().into())
}

struct Frames(mpsc::Receiver<Bytes>);

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
