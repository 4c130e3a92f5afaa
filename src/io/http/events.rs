//! The feed of events, for those who follow it.

use super::endpoint::Endpoint;
use super::follow::{Chunk, End, Source, Start};
use super::problem::Problem;
use super::stream::{Asking, last_id};
use super::{ApiState, WORK};
use crate::control::{Holder, Right};
use crate::io::clock;
use crate::io::journal::feed::{Feed, FeedEvent, Gone};
use crate::io::process::places::Places;
use crate::io::process::threads;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

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

async fn events(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(asked): Query<Asked>,
    asking: Asking,
) -> Result<Response, Problem> {
    let headers = asking.headers.clone();
    asking.answer(start(&state, &holder, asked, &headers)).await
}

async fn start(state: &ApiState, holder: &Arc<Holder>, asked: Asked, headers: &HeaderMap) -> Result<Start<FeedSource>, Problem> {
    let unavailable = |why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let since = last_id(headers)?.or(asked.since);
    let feed = state.intake.feed.clone();
    let place = feed.places.take(&holder.name).ok_or_else(|| {
        unavailable(both!("as many follow the feed as may, of all or of this token", "关注事件流的连接已达上限（全部或此令牌）"))
    })?;
    let reader = feed.clone();
    let from = match threads::aside(WORK, move || reader.start(since)).await {
        Some(Ok(from)) => from.map_err(refused)?,
        _ => return Err(unavailable(both!("the journal cannot be read", "无法读取日志库"))),
    };
    let lines = asked.lines.iter().flat_map(|lines| lines.split(',')).map(|line| line.trim().to_owned());
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    let source = FeedSource { newest: feed.newest(), feed, lines, unmasked: holder.may(Right::SeeNumbers) };
    tracing::info!(who = %holder.name, from, lines = ?source.lines, unmasked = source.unmasked, "follows the feed");
    if source.unmasked {
        noted(state, holder, from, &source.lines).await?;
    }
    Ok(Start { source, from, who: state.tokens.admitted(holder), place })
}

/// Numbers are shown in full to whom the audit log names.
async fn noted(state: &ApiState, holder: &Holder, from: u64, lines: &[String]) -> Result<(), Problem> {
    let (audit, who) = (state.audit.clone(), holder.name.clone());
    let what = format!("events after {from}, lines {}", if lines.is_empty() { "all".to_owned() } else { lines.join(",") });
    let note = threads::aside(WORK, move || audit.note(clock::now().wall, &who, "feed", &what)).await;
    note.unwrap_or_else(|| Err(threads::fault())).map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))
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

/// The feed as one follower wants it and may see it.
struct FeedSource {
    feed: Arc<Feed>,
    newest: watch::Receiver<u64>,
    /// Hotline numbers; none: all.
    lines: Vec<String>,
    unmasked: bool,
}

impl Source for FeedSource {
    type Event = Arc<FeedEvent>;

    async fn after(&mut self, n: u64) -> Result<Chunk<Arc<FeedEvent>>, End> {
        self.newest.borrow_and_update();
        let feed = self.feed.clone();
        match threads::aside(WORK, move || feed.after(n)).await {
            Some(Ok(events)) => Ok(Chunk { upto: events.last().map_or(n, |event| event.n), events }),
            Some(Err(trouble)) => {
                tracing::error!("the feed: {trouble}");
                sleep(AGAIN).await;
                Ok(Chunk { events: Vec::new(), upto: n })
            }
            None => Err(End::Over),
        }
    }

    fn number(&self, event: &Arc<FeedEvent>) -> u64 {
        event.n
    }

    /// None also where the journal does not have it any more.
    fn shown<'a>(&self, event: &'a Arc<FeedEvent>) -> Option<(&'a str, Bytes)> {
        let wanted = self.lines.is_empty() || self.lines.contains(&event.line);
        let json = event.json(self.unmasked).filter(|_| wanted)?;
        Some((event.kind(), json.clone()))
    }

    async fn changed(&mut self) -> bool {
        self.newest.changed().await.is_ok()
    }

    fn places(&self) -> &Places {
        &self.feed.places
    }
}
