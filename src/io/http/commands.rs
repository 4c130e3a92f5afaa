//! Commands of the API on their way to the switch: each is carried out once, also when its request is repeated with the same
//! Idempotency-Key, and every answer becomes JSON.

use super::problem::{Fault, Problem};
use super::shown::{CallShown, SeatShown};
use super::{ApiState, COMMAND};
use crate::base::Masked;
use crate::base::trap::{self, Trap};
use crate::control::{Command, Holder, Reply, SeatRefusal, Why};
use crate::io::clock;
use crate::io::inbox::requests::NoAnswer;
use crate::io::process::threads;
use crate::list::Refusal;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// Idempotency keys that are remembered.
const MOST_KEYS: usize = 10_000;
const LONGEST_KEY: usize = 128;

/// By token and key: what was asked and the answer, once there is one.
pub type Done = DashMap<(String, String), (Command, Option<Answer>)>;

pub type Answer = Result<(StatusCode, Value), Problem>;

/// Carries a command out; a second request with the same key gets the first one's answer.
pub async fn once(state: ApiState, holder: &Holder, headers: &HeaderMap, command: Result<Command, Problem>) -> Response {
    match command.and_then(|command| Ok((command, key(headers)?))) {
        Ok((command, key)) => shown(keyed(state, holder, key, command).await),
        Err(problem) => problem.into_response(),
    }
}

/// The same. Keys of different tokens have nothing to do with each other.
pub async fn keyed(state: ApiState, holder: &Holder, key: Option<String>, command: Command) -> Answer {
    note(holder, &command);
    let Some(key) = key else { return carry_out(&state, command).await };
    let key = (holder.name.clone(), key);
    if state.done.len() >= MOST_KEYS {
        state.done.retain(|_, (_, answer)| answer.is_none());
    }
    match state.done.entry(key.clone()) {
        Entry::Occupied(known) => return repeated(&command, known.get()),
        Entry::Vacant(new) => drop(new.insert((command.clone(), None))),
    }
    // On its own: a client that does not wait for the answer may ask for it again. Whatever becomes of it, there is one.
    let carried = threads::task(&Handle::current(), COMMAND, async move {
        let answer = threads::survived(COMMAND, carry_out(&state, command.clone())).await.unwrap_or_else(|| Err(fault()));
        match &answer {
            Err(problem) if !problem.may_be_done() => drop(state.done.remove(&key)),
            _ => drop(state.done.insert(key, (command, Some(answer.clone())))),
        }
        answer
    });
    carried.await.ok().flatten().unwrap_or_else(|| Err(fault()))
}

/// Nobody knows how far the program had got.
fn fault() -> Problem {
    let look = both!("; it may have been done all the same: look at the call", "；操作可能已执行：请查看该通话");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, threads::fault().then(&look))
}

/// The log tells who did what to a call.
fn note(holder: &Holder, command: &Command) {
    let by = &holder.name;
    match command {
        Command::Transfer { call, to, kind } => tracing::info!(%call, by, to = %Masked(to), mode = kind.name(), "transfer asked"),
        Command::Seat { seat, verb, .. } => tracing::info!(%seat, by, verb = verb.name(), "a seat's verb asked"),
        // Their numbers are nobody's business; the audit log has who listed what.
        Command::ListNumber(_) | Command::UnlistNumber(_) => tracing::info!(by, "a number was listed, or is no more"),
        command => tracing::info!(by, ?command, "asked by the API"),
    }
}

/// The key of a request, if it has one.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let good = !key.is_empty() && key.len() <= LONGEST_KEY;
    let text = key.to_str().ok().filter(|_| good);
    let text = text.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            both!(
                "an Idempotency-Key is 1 to {LONGEST_KEY} visible ASCII characters",
                "Idempotency-Key 应为 1 至 {LONGEST_KEY} 个可见 ASCII 字符"
            ),
        )
    })?;
    Ok(Some(text.to_owned()))
}

fn repeated(asked: &Command, (first, answer): &(Command, Option<Answer>)) -> Answer {
    match answer {
        _ if first != asked => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            both!("this Idempotency-Key was used for another request", "此 Idempotency-Key 已用于另一请求"),
        )),
        Some(answer) => answer.clone(),
        None => Err(Problem::new(
            StatusCode::CONFLICT,
            both!("the first request with this key is still under way", "使用此 Idempotency-Key 的前一请求仍在处理中"),
        )
        .blaming(Fault::State, true)),
    }
}

pub fn shown(answer: Answer) -> Response {
    answer.map(|(status, body)| (status, Json(body))).into_response()
}

/// Carries out a command for the whole gateway; how many calls are in progress.
pub async fn left(state: &ApiState, command: Command) -> Result<u64, Problem> {
    carry_out(state, command).await.map(|(_, answer)| answer["calls"].as_u64().unwrap_or_default())
}

pub async fn carry_out(state: &ApiState, command: Command) -> Answer {
    trap::spring(Trap::Command);
    Ok(match ask(state, command).await? {
        Reply::Calls { calls, total } => {
            let calls: Vec<CallShown> = calls.iter().map(CallShown::of).collect();
            (StatusCode::OK, json!({ "calls": calls, "total": total }))
        }
        Reply::Call(call) => (StatusCode::OK, json!(CallShown::of(&call))),
        Reply::Seat(seat) => (StatusCode::OK, json!(SeatShown::of(&seat, clock::now().wall, &state.intake.times))),
        Reply::Left(calls) => (StatusCode::ACCEPTED, json!({ "calls": calls })),
        _ => (StatusCode::ACCEPTED, json!({ "status": "accepted" })),
    })
}

/// Asks the switch; a refusal becomes a problem.
pub async fn ask(state: &ApiState, command: Command) -> Result<Reply, Problem> {
    match state.requests.ask(&state.inbox, command).await {
        Ok(Reply::Refused(why)) => Err(refused(why)),
        Ok(Reply::Choose(areas)) => Err(refused(Why::AreaUnknown).choosing(areas)),
        Ok(reply) => Ok(reply),
        Err(NoAnswer::Overloaded) => {
            let detail = both!("the switch is overloaded", "交换线程过载");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        }
        Err(NoAnswer::TooLate) => {
            let detail = both!(
                "the switch has not answered in time; it may have done it all the same: look at the call",
                "交换线程未及时应答，但操作可能已执行：请查看该通话"
            );
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
        }
    }
}

fn is_a_fault_of_the_request(refusal: SeatRefusal) -> bool {
    use SeatRefusal::{BadData, BadDigits, TooLong, UnknownSkill, Unsupported};
    matches!(refusal, UnknownSkill | TooLong | BadDigits | BadData | Unsupported)
}

fn refused(why: Why) -> Problem {
    let (words, again) = why.words();
    let status = match why {
        Why::NoSuchCall | Why::NoSuchLeg | Why::Seat(SeatRefusal::UnknownSeat) | Why::List(Refusal::NoSuchRow) => {
            StatusCode::NOT_FOUND
        }
        Why::List(Refusal::NoNumber | Refusal::NotAllowed) => StatusCode::UNPROCESSABLE_ENTITY,
        Why::List(Refusal::NotCalled(why)) if why.is_of_the_request() => StatusCode::UNPROCESSABLE_ENTITY,
        Why::List(Refusal::NotCalled(why)) if why.is_of_the_gateway() => StatusCode::SERVICE_UNAVAILABLE,
        Why::UnknownTarget => StatusCode::UNPROCESSABLE_ENTITY,
        Why::Seat(of) if is_a_fault_of_the_request(of) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    let fault = match status {
        StatusCode::CONFLICT => Fault::State,
        StatusCode::SERVICE_UNAVAILABLE => Fault::Gateway,
        _ => Fault::Request,
    };
    let problem = Problem::new(status, if again { words.then(&both!("; ask again later", "，请稍后再试")) } else { words });
    problem.blaming(fault, again).coded(why.name())
}
