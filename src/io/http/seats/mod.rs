//! Seats and queues over HTTP: the verbs of a seat's toolbar, snapshots and lists. Who may what with which seat stands in
//! `reach.rs`, the verbs and their bodies in `verbs.rs`.

pub mod describe;
pub mod events;
mod reach;
mod verbs;

pub use reach::author;

use super::ApiState;
use super::commands::{Answer, ask, key, keyed, shown};
use super::endpoint::{Endpoint, forbidden};
use super::noted::{in_full, noted};
use super::problem::Problem;
use super::records::json_of;
use super::shown::{CallShown, MemberShown, PreviewShown, QueueInFull, QueueShown, SeatShown, Snapshot};
use crate::control::seat::{Outgoing, RequestId, SeatVerb};
use crate::control::{Command, Holder, Numbers, PAGE, QueueView, Reach, Reply, Right, SeatView};
use crate::io::clock;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use verbs::{VERBS, VerbOf};

/// Bytes of a verb's body.
const BODY: usize = 16 << 10;

pub fn endpoints() -> Vec<Endpoint> {
    let reads = vec![
        Endpoint::get("/api/v1/seats", Right::ReadSeats, list),
        Endpoint::get("/api/v1/seats/{seat}", Right::ReadSeats, snapshot),
        Endpoint::get("/api/v1/queues", Right::ReadQueues, queues),
        Endpoint::get("/api/v1/queues/{queue}", Right::ReadQueues, queue),
    ];
    let endpoint = |of: &'static VerbOf| {
        let handler =
            move |state: State<ApiState>,
                  Path(seat): Path<String>,
                  Extension(holder): Extension<Arc<Holder>>,
                  headers: HeaderMap,
                  body: Bytes| async move { shown(verb(state.0, of, seat, &holder, &headers, &body).await) };
        Endpoint::post(of.path, of.right, handler).taking(BODY)
    };
    reads.into_iter().chain(events::endpoints()).chain(VERBS.iter().map(endpoint)).collect()
}

/// A verb, once: a request that is repeated with its id gets the first one's answer.
async fn verb(state: ApiState, of: &VerbOf, seat: String, holder: &Holder, headers: &HeaderMap, body: &[u8]) -> Answer {
    let body = if body.is_empty() { json!({}) } else { json_of(body)? };
    let (status, mut answer) = carry_out(state.clone(), of, seat.clone(), holder, key(headers)?, body).await?;
    // It is done: where it cannot be noted who sees the number, it stays masked.
    if answer.get("preview").is_some()
        && let Ok(preview) = preview(&state, holder, &seat).await
    {
        answer["preview"] = json!(preview);
    }
    Ok((status, answer))
}

/// The same, for one who speaks otherwise than this API.
pub async fn give(state: ApiState, name: &str, seat: String, holder: &Holder, body: Value) -> Answer {
    let of = VERBS.iter().find(|of| of.name == name).ok_or_else(unexpected)?;
    holder.must(of.right).map_err(|missing| forbidden(holder, missing))?;
    carry_out(state, of, seat, holder, None, body).await
}

/// Tells whether there is a verb of this name.
#[cfg(test)]
pub fn knows(name: &str) -> bool {
    VERBS.iter().any(|of| of.name == name)
}

async fn carry_out(state: ApiState, of: &VerbOf, seat: String, holder: &Holder, header: Option<String>, body: Value) -> Answer {
    let wrong = |faults| {
        let what = of.name;
        let detail = both!("the body of `{what}` is not as its schema says", "`{what}` 的请求内容不符合其模式");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).at_fault(faults).coded("body")
    };
    let (mut verb, id) = of.read(body).map_err(wrong)?;
    if let (Some(header), Some(id)) = (&header, &id)
        && header != id
    {
        let detail = both!("request_id and Idempotency-Key are not the same", "request_id 与 Idempotency-Key 不一致");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let by = reach::author(&state, holder, &seat).await?;
    if let Some(other) = reach::others(&verb) {
        reach::within(&state, holder, other).await?;
    }
    if verb.is_supervision() {
        let noted = noted(&state, &holder.name, of.name, format!("seat {seat}: {verb:?}")).await;
        // Nobody is made to hear on because the disk is full.
        if verb != SeatVerb::StopSupervising {
            noted?;
        }
    }
    let id = header.or(id);
    if let SeatVerb::Call(wanted) = &mut verb {
        wanted.request = id.as_deref().map(|id| request_id(holder, &seat, id, wanted));
    }
    let command = Command::Seat { seat: seat.into(), by, verb: Box::new(verb) };
    keyed(state, holder, id, command).await
}

/// Holds also after a restart, when the answers that are remembered are gone: nobody is called twice. It keeps no number.
fn request_id(holder: &Holder, seat: &str, id: &str, wanted: &Outgoing) -> RequestId {
    let made_of = |what: String| HEXLOWER.encode(digest(&SHA256, what.as_bytes()).as_ref()).into();
    let Outgoing { to, hotline, callback, ticket, preview, .. } = wanted;
    let asked = json!([seat, to, hotline, callback, ticket, preview]).to_string();
    RequestId { id: made_of(json!([holder.name, id]).to_string()), asked: made_of(asked) }
}

/// The call that a seat is to place, by the rule of its snapshot: whoever dials sees the number.
async fn preview(state: &ApiState, holder: &Holder, seat: &str) -> Result<Option<PreviewShown>, Problem> {
    let view = seat_of(state, seat).await?;
    let numbers = numbers(state, holder, &view, false).await?;
    Ok(view.preview.as_ref().map(|preview| PreviewShown::of(preview, numbers)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    /// Callers' numbers in full; a seat sees those of its own calls so anyway.
    #[serde(default)]
    unmasked: bool,
}

async fn list(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>) -> Result<Response, Problem> {
    let views = seats(&state).await?;
    let (now, times) = (clock::now().wall, &state.intake.times);
    let mine = views.iter().filter(|view| reach::includes(&holder, view));
    let seats: Vec<SeatShown> = mine.map(|view| SeatShown::of(view, now, times)).collect();
    Ok(Json(json!({ "seats": seats })).into_response())
}

/// The seat first, so that its number is no later than what is told of calls and queues.
async fn snapshot(
    State(state): State<ApiState>,
    Path(seat): Path<String>,
    Extension(holder): Extension<Arc<Holder>>,
    look: Query<Look>,
) -> Result<Response, Problem> {
    reach::within(&state, &holder, &seat).await?;
    let view = seat_of(&state, &seat).await?;
    let numbers = numbers(&state, &holder, &view, look.unmasked).await?;
    let mut calls = Vec::new();
    for call in &view.calls {
        // One that is refused is the seat's no more by now.
        let command = Command::CallOf { seat: view.seat.clone(), call: *call, numbers };
        if let Ok(Reply::Call(call)) = ask(&state, command).await {
            calls.push(CallShown::of(&call));
        }
    }
    let queues = all_queues(&state).await?;
    let queues = queues.iter().filter(|queue| view.queues.contains(&queue.queue)).map(QueueShown::of).collect();
    let mut seat = SeatShown::of(&view, clock::now().wall, &state.intake.times);
    seat.preview = view.preview.as_ref().map(|preview| PreviewShown::of(preview, numbers));
    Ok(Json(Snapshot { seat, calls, queues }).into_response())
}

/// The person who talks to a caller sees the number, to ring back; so it is noted whose toolbar was shown it. Others see it as
/// their roles allow.
async fn numbers(state: &ApiState, holder: &Holder, view: &SeatView, unmasked: bool) -> Result<Numbers, Problem> {
    if view.calls.is_empty() && view.preview.is_none() {
        return Ok(Numbers::Masked);
    }
    let what =
        || format!("seat {}, calls {}", view.seat, view.calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    if unmasked {
        return in_full(state, holder, "seat", what()).await.map(|()| Numbers::Full);
    }
    if holder.is_seat(&view.seat) {
        return super::noted::noted(state, &holder.name, "own seat", what()).await.map(|()| Numbers::Full);
    }
    Ok(Numbers::Masked)
}

async fn queues(State(state): State<ApiState>, Extension(holder): Extension<Arc<Holder>>) -> Result<Response, Problem> {
    let queues: Vec<QueueShown> =
        all_queues(&state).await?.iter().filter(|it| of_holder(&holder, it)).map(QueueShown::of).collect();
    Ok(Json(json!({ "queues": queues })).into_response())
}

async fn queue(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Extension(holder): Extension<Arc<Holder>>,
) -> Result<Response, Problem> {
    let queues = all_queues(&state).await?;
    let queue = queues.iter().find(|queue| *queue.queue == *name && of_holder(&holder, queue)).ok_or_else(|| {
        let detail = both!("there is no such queue", "没有此队列");
        Problem::new(StatusCode::NOT_FOUND, detail).coded("unknown_queue")
    })?;
    let members = if holder.may(Right::ReadSeats) { Some(members(&state, &name).await?) } else { None };
    Ok(Json(QueueInFull { queue: QueueShown::of(queue), members }).into_response())
}

/// The seats that a person may consult, transfer to or pick up for; more of its colleagues no seat sees.
async fn members(state: &ApiState, queue: &str) -> Result<Vec<MemberShown>, Problem> {
    let views = seats(state).await?;
    let serves = |view: &&SeatView| view.queues.iter().any(|name| **name == *queue);
    Ok(views.iter().filter(serves).map(MemberShown::of).collect())
}

fn of_holder(holder: &Holder, queue: &QueueView) -> bool {
    match holder.reach() {
        Reach::Queues(queues) => queues.iter().any(|name| **name == *queue.queue),
        Reach::Own | Reach::All => true,
    }
}

async fn all_queues(state: &ApiState) -> Result<Vec<QueueView>, Problem> {
    match ask(state, Command::Queues).await? {
        Reply::Queues(queues) => Ok(queues),
        _ => Err(unexpected()),
    }
}

async fn seats(state: &ApiState) -> Result<Vec<SeatView>, Problem> {
    let of = |reply| match reply {
        Reply::Seats(views) => Some((views.last().map(|view: &SeatView| view.seat.clone()), views)),
        _ => None,
    };
    all(state, |after| Command::Seats { after }, of).await
}

/// A whole list, page by page: the switch's thread does other things between two pages. `of` takes from an answer the rows and
/// the key of the last.
pub async fn all<T>(
    state: &ApiState,
    page: impl Fn(Option<Arc<str>>) -> Command,
    of: impl Fn(Reply) -> Option<(Option<Arc<str>>, Vec<T>)>,
) -> Result<Vec<T>, Problem> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (last, rows) = of(ask(state, page(after)).await?).ok_or_else(unexpected)?;
        let is_last = rows.len() < PAGE;
        all.extend(rows);
        if is_last {
            return Ok(all);
        }
        after = last;
    }
}

async fn seat_of(state: &ApiState, seat: &str) -> Result<SeatView, Problem> {
    match ask(state, Command::SeatOf(seat.into())).await? {
        Reply::Seat(view) => Ok(*view),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Problem {
    let detail = both!("the switch has answered something else", "交换线程的应答与请求不符");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}
