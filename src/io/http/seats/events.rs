//! Streams of what happens to seats and queues: one seat's for its toolbar, all seats' for supervisors, queues' for wallboards.
//! A seat's stream goes on after the number that its reader saw last. Lines about calls are kept for a while only: who was away
//! for longer is told of the gap first, and takes a snapshot.

use super::{ApiState, all_queues, of_holder, reach, seats};
use crate::control::{Command, Holder, Missing, Numbers, Reach, Reply, Right};
use crate::event::{SeatEntry, SeatWhat};
use crate::io::http::WORK;
use crate::io::http::endpoint::{Endpoint, forbidden};
use crate::io::http::follow::{Chunk, End, Source, Start};
use crate::io::http::noted::{in_full, noted};
use crate::io::http::problem::Problem;
use crate::io::http::shown::{CallShown, EventShown, PreviewShown, QueueShown, Queues};
use crate::io::http::stream::{Asking, last_id};
use crate::io::journal::Error;
use crate::io::process::places::Places;
use crate::io::process::threads;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Lines that are read at once.
const CHUNK: usize = 200;
/// How often queues are looked at for those who follow them.
const LOOK: Duration = Duration::from_secs(1);
/// The words of a gap.
pub const MISSED: &str = "something may have been missed: take a snapshot, then go on 可能遗漏了事件：请先取快照再继续";
/// Before a journal that could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/seats/events", Right::ReadSeats, all),
        Endpoint::get("/api/v1/seats/{seat}/events", Right::ReadSeats, one),
        Endpoint::get("/api/v1/queues/events", Right::ReadQueues, queues),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The number after which to go on; none: from now on.
    after: Option<u64>,
    /// Callers' numbers in full; a seat sees those of its own calls so anyway.
    #[serde(default)]
    unmasked: bool,
}

async fn one(
    State(state): State<ApiState>,
    Path(seat): Path<String>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(asked): Query<Asked>,
    asking: Asking,
) -> Result<Response, Problem> {
    reach::within(&state, &holder, &seat).await?;
    super::seat_of(&state, &seat).await?;
    let headers = asking.headers.clone();
    asking.answer(start(state, holder, Some(seat.into()), asked, &headers)).await
}

async fn all(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(asked): Query<Asked>,
    asking: Asking,
) -> Result<Response, Problem> {
    if holder.reach() == Reach::Own {
        return Err(forbidden(&holder, Missing(Right::Supervise)));
    }
    let headers = asking.headers.clone();
    asking.answer(start(state, holder, None, asked, &headers)).await
}

async fn start(
    state: ApiState,
    holder: Arc<Holder>,
    seat: Option<Arc<str>>,
    asked: Asked,
    headers: &HeaderMap,
) -> Result<Start<SeatSource>, Problem> {
    let place = state.intake.followers.take(&holder.name).ok_or_else(full)?;
    let own = seat.as_deref().is_some_and(|seat| holder.is_seat(seat));
    let what = || format!("events of {}", seat.as_deref().map_or("all seats".to_owned(), |seat| format!("seat {seat}")));
    let numbers = match (asked.unmasked, own) {
        (true, _) => in_full(&state, &holder, "seats", what()).await.map(|()| Numbers::Full)?,
        // The person who talks to a caller sees the number, to ring back.
        (false, true) => noted(&state, &holder.name, "own seat", what()).await.map(|()| Numbers::Full)?,
        (false, false) => Numbers::Masked,
    };
    let lines = state.seat_log.follow(seat.as_ref());
    let since = last_id(headers)?.or(asked.after);
    // After a number that no line has had yet there is nothing for a long time: what is new from now on is told.
    let from = since.unwrap_or(u64::MAX).min(state.seat_log.newest());
    let (gap, gap_told) = (since.is_some_and(|n| !state.seat_log.has_all_after(n)), state.seat_log.dropped(seat.as_deref()));
    tracing::info!(who = %holder.name, seat = seat.as_deref().unwrap_or("all"), from, gap, "follows seats");
    let who = state.tokens.admitted(&holder);
    let source = SeatSource { state, holder, lines, seat, own, numbers, gap, gap_told, reached: BTreeMap::new() };
    Ok(Start { source, from, who, place })
}

fn full() -> Problem {
    let detail = both!("as many follow as may, in all or of this token", "关注的连接已达上限（全部或此令牌）");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).again_in(5)
}

/// The log of seats as one follower may see it.
struct SeatSource {
    state: ApiState,
    holder: Arc<Holder>,
    /// Changes with each new line of it.
    lines: watch::Receiver<u64>,
    /// None: all.
    seat: Option<Arc<str>>,
    /// It is the seat's own toolbar, which lives as long as it reads.
    own: bool,
    numbers: Numbers,
    /// Something may have been missed.
    gap: bool,
    /// Up to here it has been told so.
    gap_told: u64,
    /// The seats that the holder reaches, as far as they were met lately.
    reached: BTreeMap<Arc<str>, bool>,
}

/// One event, ready to be told; none where it is not for this follower.
struct Told {
    n: u64,
    json: Option<(String, Bytes)>,
}

impl Source for SeatSource {
    type Event = Told;

    async fn after(&mut self, n: u64) -> Result<Chunk<Told>, End> {
        self.lines.borrow_and_update();
        let newest = self.state.seat_log.newest();
        let lines = match lines_after(&self.state, self.seat.as_ref(), n, CHUNK).await {
            Some((dropped, Ok(lines))) => {
                if dropped > n.max(self.gap_told) {
                    (self.gap, self.gap_told) = (true, dropped);
                }
                lines
            }
            Some((_, Err(trouble))) => {
                tracing::error!("the log of seats: {trouble}");
                sleep(AGAIN).await;
                return Ok(Chunk { events: Vec::new(), upto: n });
            }
            None => return Err(End::Over),
        };
        let last = lines.last().map_or(n, |line| line.n);
        let upto = if lines.len() < CHUNK { last.max(newest) } else { last };
        let mut events = Vec::with_capacity(lines.len() + 1);
        if std::mem::take(&mut self.gap) {
            events.push(Told { n, json: Some(gap(n)) });
        }
        for line in lines {
            let json = if self.reaches(&line.seat).await { Some(self.told(&line).await) } else { None };
            events.push(Told { n: line.n, json });
        }
        Ok(Chunk { events, upto })
    }

    fn number(&self, event: &Told) -> u64 {
        event.n
    }

    fn shown<'a>(&self, event: &'a Told) -> Option<(&'a str, Bytes)> {
        event.json.as_ref().map(|(kind, json)| (kind.as_str(), json.clone()))
    }

    async fn changed(&mut self) -> bool {
        self.lines.changed().await.is_ok()
    }

    fn follower_lives(&mut self) {
        self.reached.clear();
        if let Some(seat) = self.seat.as_ref().filter(|_| self.own) {
            heard(&self.state, &self.holder, seat);
        }
    }

    fn places(&self) -> &Places {
        &self.state.intake.followers
    }
}

/// Lines of the log, and the last one that is kept ready no more: at once, or from the disk beside.
pub async fn lines_after(
    state: &ApiState,
    seat: Option<&Arc<str>>,
    n: u64,
    most: usize,
) -> Option<(u64, Result<Vec<Arc<SeatEntry>>, Error>)> {
    let (log, seat) = (state.seat_log.clone(), seat.cloned());
    // The last dropped line is looked up at the end: a line may be dropped while others are read.
    if let Some(lines) = log.at_hand(seat.as_deref(), n, most) {
        return Some((log.dropped(seat.as_deref()), Ok(lines)));
    }
    let read = move || {
        let lines = log.after(seat.as_deref(), n, most);
        (log.dropped(seat.as_deref()), lines)
    };
    threads::aside(WORK, read).await
}

/// A seat's toolbar is there.
pub fn heard(state: &ApiState, holder: &Holder, seat: &Arc<str>) {
    state.requests.tell(&state.inbox, Command::Heard { seat: seat.clone(), by: reach::toolbar(holder) });
}

impl SeatSource {
    /// A supervisor of some queues sees their seats alone.
    async fn reaches(&mut self, seat: &Arc<str>) -> bool {
        if self.seat.is_some() || self.holder.queues.is_empty() {
            return true;
        }
        if !self.reached.contains_key(seat) {
            let views = seats(&self.state).await.unwrap_or_default();
            self.reached = views.iter().map(|view| (view.seat.clone(), reach::includes(&self.holder, view))).collect();
        }
        *self.reached.entry(seat.clone()).or_insert(false)
    }

    async fn told(&self, line: &SeatEntry) -> (String, Bytes) {
        let shown = shown(&self.state, line, self.numbers).await;
        (shown.kind.clone(), json!(shown).to_string().into())
    }
}

/// The event with the call that rings or talks, if the seat is still in it: what others note of it later is not for this one.
pub async fn shown(state: &ApiState, line: &SeatEntry, numbers: Numbers) -> EventShown {
    let call = match &line.what {
        SeatWhat::Ringing { call, .. } | SeatWhat::Talking { call, .. } => {
            let command = Command::CallOf { seat: line.seat.clone(), call: *call, numbers };
            match state.requests.ask(&state.inbox, command).await {
                Ok(Reply::Call(call)) => Some(CallShown::of(&call)),
                _ => None,
            }
        }
        _ => None,
    };
    let mut shown = EventShown::of(line, call, &state.intake.times);
    if let SeatWhat::Preview { .. } = &line.what
        && let Ok(Reply::Seat(view)) = state.requests.ask(&state.inbox, Command::SeatOf(line.seat.clone())).await
    {
        shown.preview = view.preview.as_ref().map(|preview| PreviewShown::of(preview, numbers));
    }
    shown
}

fn gap(n: u64) -> (String, Bytes) {
    ("gap".to_owned(), json!({ "n": n, "type": "gap", "data": { "detail": MISSED } }).to_string().into())
}

async fn queues(
    State(state): State<ApiState>,
    Extension(holder): Extension<Arc<Holder>>,
    Query(Nothing {}): Query<Nothing>,
    asking: Asking,
) -> Result<Response, Problem> {
    asking
        .answer(async move {
            let place = state.intake.followers.take(&holder.name).ok_or_else(full)?;
            let who = state.tokens.admitted(&holder);
            Ok(Start { source: QueueSource { state, holder, last: None }, from: 0, who, place })
        })
        .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// All queues whenever a figure of theirs has changed: each event is whole, so that there is nothing to resume.
struct QueueSource {
    state: ApiState,
    holder: Arc<Holder>,
    last: Option<Bytes>,
}

impl Source for QueueSource {
    type Event = (u64, Bytes);

    async fn after(&mut self, n: u64) -> Result<Chunk<(u64, Bytes)>, End> {
        // A switch that does not answer now is asked again.
        let Ok(views) = all_queues(&self.state).await else { return Ok(Chunk { events: Vec::new(), upto: n }) };
        let queues = views.iter().filter(|view| of_holder(&self.holder, view)).map(QueueShown::of).collect();
        let now: Bytes = json!(Queues { queues }).to_string().into();
        if self.last.as_ref() == Some(&now) {
            return Ok(Chunk { events: Vec::new(), upto: n });
        }
        self.last = Some(now.clone());
        Ok(Chunk { events: vec![(n + 1, now)], upto: n + 1 })
    }

    fn number(&self, (n, _): &(u64, Bytes)) -> u64 {
        *n
    }

    fn shown<'a>(&self, (_, json): &'a (u64, Bytes)) -> Option<(&'a str, Bytes)> {
        Some(("queues", json.clone()))
    }

    async fn changed(&mut self) -> bool {
        sleep(LOOK).await;
        true
    }

    fn places(&self) -> &Places {
        &self.state.intake.followers
    }
}
