//! A stream of events as an answer: over server-sent events (WHATWG HTML §9.2) or WebSocket, at the same address by the same
//! rules. A connection holds a few events at most: who reads slowly is served at its own pace.

use super::follow::{End, FeedUpdate, Follower, Source, Start, follow};
use super::problem::Problem;
use super::websocket::{self, Socket};
use super::{FOLLOWER, Place};
use crate::io::process::threads;
use axum::Extension;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, OwnedPermit};

/// Events on their way to one reader.
const ON_THE_WAY: usize = 32;

/// A request for a stream, by whichever way.
pub struct Asking {
    pub headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    connection: Option<Extension<Place>>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asking, Infallible> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let connection = Option::<Extension<Place>>::from_request_parts(parts, state).await.ok().flatten();
        Ok(Asking { headers: parts.headers.clone(), upgrade, connection })
    }
}

impl Asking {
    /// Answers with the stream that `start` gives; it is not asked when the request cannot be served.
    pub async fn answer<S: Source + 'static>(
        self,
        start: impl Future<Output = Result<Start<S>, Problem>>,
    ) -> Result<Response, Problem> {
        let Asking { headers, upgrade, connection } = self;
        if !websocket::asked_for(&headers) {
            let start = start.await?;
            let (out, frames) = mpsc::channel(ON_THE_WAY + 1);
            let last = out.clone().try_reserve_owned().ok();
            threads::task(&Handle::current(), FOLLOWER, follow(start, Frames { out, last }));
            let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
            return Ok((kind, Body::from_stream(Framed(frames))).into_response());
        }
        if let Some(refusal) = websocket::outdated(&headers) {
            return Ok(refusal);
        }
        let upgrade = websocket::agreed(upgrade, &headers)?;
        let start = start.await?;
        Ok(upgrade.on_upgrade(move |socket| async move {
            // It counts among the connections as long as it lives.
            let _connection = connection;
            threads::survived(FOLLOWER, follow(start, Socket::new(socket))).await;
        }))
    }
}

/// The number of the last event that a reader saw before it came back.
pub fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
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

/// Where frames go in.
struct Frames {
    out: mpsc::Sender<Bytes>,
    /// Room for a last word, also to one who has let all else fill up.
    last: Option<OwnedPermit<Bytes>>,
}

impl Follower for Frames {
    async fn tell(&mut self, news: FeedUpdate<'_>) -> bool {
        let frame = match news {
            FeedUpdate::Event { n, kind, json } => {
                let head = format!("id: {n}\nevent: {kind}\ndata: ");
                [head.as_bytes(), json, b"\n\n"].concat()
            }
            FeedUpdate::Alive(n) => format!(":\nid: {n}\n\n").into(),
        };
        self.out.send(frame.into()).await.is_ok()
    }

    async fn gone(&mut self) {
        self.out.closed().await;
    }

    /// The end of the body comes after it. Its number is where to go on.
    async fn part(self, end: End, n: u64) {
        let why = match end {
            End::Gone => return,
            End::TookNothing => "nothing was read for 30 s: come back with this number 30 秒未读取：请用此编号续接",
            End::Expelled => "the token is not valid any more 令牌已失效",
            End::Over => "the gateway ends: come back with this number 网关停止：请用此编号续接",
        };
        let data = json!({ "n": n, "type": "end", "data": { "detail": why } });
        if let Some(last) = self.last {
            last.send(format!("id: {n}\nevent: end\ndata: {data}\n\n").into());
        }
    }
}

/// Where they come out: the body.
struct Framed(mpsc::Receiver<Bytes>);

impl Stream for Framed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
