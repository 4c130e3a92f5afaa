//! Answers existing toolbars in the shape of another gateway, so that they can be pointed at this one. Paths, verbs, events and
//! codes are the data of `config/adapters`; here is how it is applied. Each verb ends where those of our own API do.

use super::ApiState;
use super::endpoint::{Endpoint, caller};
use super::noted::noted;
use super::problem::Problem;
use super::seats::{self, events};
use super::sessions::{Session, Sessions};
use super::shown::EventShown;
use crate::base::{Shown, Text, Tongue};
use crate::control::{Holder, Numbers};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Json, Response};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

const PATH: &str = "/agentgateway/resource/{*path}";
const TABLE: &str = include_str!("../../../config/adapters/cc-gateway.toml");
/// How long a request for events waits for one.
const WAIT: Duration = Duration::from_secs(10);
/// Lines of the log that are read at once.
const CHUNK: usize = 50;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    verbs: Vec<Row>,
    retcodes: BTreeMap<String, String>,
    /// Events may have been missed.
    gap: String,
    events: Vec<Spoken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    ask: String,
    #[serde(default)]
    when: BTreeMap<String, String>,
    verb: Option<String>,
    /// The value with the agent's id to whose seat the verb is given; none: the toolbar's own.
    of: Option<String>,
    #[serde(default)]
    body: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spoken {
    ours: String,
    #[serde(default)]
    when: BTreeMap<String, String>,
    theirs: String,
    content: Option<Map<String, Value>>,
}

// Read by a test of every build.
static THEIRS: LazyLock<Table> = LazyLock::new(|| toml::from_str(TABLE).unwrap_or_default());

/// Values of a request's path, query and body.
type Values = BTreeMap<String, String>;

/// Adds the other gateway's paths, where the configuration wants them.
pub fn add_to(router: Router<ApiState>, state: &ApiState) -> Router<ApiState> {
    match state.intake.adapter {
        Some(_) => Endpoint::any(PATH, None, serve).add_to(router, state),
        None => router,
    }
}

async fn serve(
    State(state): State<ApiState>,
    Extension(tongue): Extension<Tongue>,
    Path(path): Path<String>,
    (method, headers): (Method, HeaderMap),
    Query(query): Query<Values>,
    body: Bytes,
) -> Response {
    let intake = state.intake.clone();
    let Some(sessions) = &intake.adapter else { return unknown(&method, &path, tongue) };
    let mut values = query;
    values.extend(fields(&body));
    if let (&Method::GET, Some(agent)) = (&method, path.strip_prefix("agentevent/")) {
        return poll(&state, sessions, agent, &headers, tongue).await;
    }
    let fits = |row: &&Row| row.applies(&method, &path, &values).is_some();
    let Some(row) = THEIRS.verbs.iter().find(fits) else { return unknown(&method, &path, tongue) };
    values.extend(row.applies(&method, &path, &values).unwrap_or_default());
    match row.verb.as_deref() {
        Some("login") => log_in(&state, sessions, row, values, &headers, tongue).await,
        _ => carry_out(&state, sessions, row, values, &headers, tongue).await,
    }
}

/// The password is the token of the seat; nothing else of the request proves anything.
async fn log_in(
    state: &ApiState,
    sessions: &Sessions,
    row: &Row,
    values: Values,
    headers: &HeaderMap,
    tongue: Tongue,
) -> Response {
    let (agent, password) = (values["agent"].clone(), values.get("password").map_or("", String::as_str));
    let seat = sessions.seat(&agent).to_owned();
    let holder = caller(state, headers, (!password.is_empty()).then_some(password.as_bytes()));
    let Some(holder) = holder else { return refused("unauthorized", stranger(), tongue) };
    // A supervisor has an API of its own: here is the seat's person, to whom numbers are shown in full.
    if !holder.is_seat(&seat) && !state.tokens.none() {
        return refused("", stranger(), tongue);
    }
    let n = state.seat_log.newest();
    if let Err(problem) = verb(state, sessions, &holder, row, values).await {
        return problem_of(&problem, tongue);
    }
    if numbers(&holder, &seat) == Numbers::Full
        && let Err(problem) = noted(state, &holder.name, "own seat", format!("events of seat {seat}")).await
    {
        return problem_of(&problem, tongue);
    }
    let who = state.tokens.admitted(&holder);
    match sessions.open(Session { agent, who, n, gap: 0 }) {
        Some(id) => ([("set-guid", format!("JSESSIONID={id}"))], done(Value::Null)).into_response(),
        None => refused("", both!("as many toolbars are signed in as may", "已签入的软电话条达到上限"), tongue),
    }
}

/// The person who talks to a caller sees the number, to ring back.
fn numbers(holder: &Holder, seat: &str) -> Numbers {
    if holder.is_seat(seat) { Numbers::Full } else { Numbers::Masked }
}

async fn carry_out(
    state: &ApiState,
    sessions: &Sessions,
    row: &Row,
    values: Values,
    headers: &HeaderMap,
    tongue: Tongue,
) -> Response {
    let (id, agent) = (guid(headers), values["agent"].clone());
    let Some(session) = sessions.get(&id, &agent) else { return refused("signed_out", not_in(), tongue) };
    if row.verb.is_none() {
        return done(Value::Null);
    }
    match verb(state, sessions, &session.who.holder, row, values).await {
        Ok(_) => {
            if row.verb.as_deref() == Some("logout") && row.of.is_none() {
                sessions.close(&id);
            }
            done(Value::Null)
        }
        Err(problem) => problem_of(&problem, tongue),
    }
}

async fn verb(state: &ApiState, sessions: &Sessions, holder: &Holder, row: &Row, values: Values) -> Result<(), Problem> {
    let of = row.of.as_deref().unwrap_or("agent");
    let seat = values.get(of).map_or("", |agent| sessions.seat(agent)).to_owned();
    let filled = |value: &Value| {
        filled(value, &|name| match name.strip_prefix("seat:") {
            Some(name) => values.get(name).map(|agent| sessions.seat(agent).to_owned()),
            None => values.get(name).cloned(),
        })
    };
    let body: Map<String, Value> = row.body.iter().filter_map(|(key, value)| Some((key.clone(), filled(value)?))).collect();
    seats::give(state.clone(), row.verb.as_deref().unwrap_or_default(), seat, holder, Value::Object(body)).await.map(|_| ())
}

/// One event, or none after a while; to ask for events is the toolbar's heartbeat.
async fn poll(state: &ApiState, sessions: &Sessions, agent: &str, headers: &HeaderMap, tongue: Tongue) -> Response {
    let id = guid(headers);
    let Some(mut session) = sessions.get(&id, agent) else { return refused("signed_out", not_in(), tongue) };
    let seat: Arc<str> = sessions.seat(agent).into();
    events::heard(state, &session.who.holder, &seat);
    let numbers = numbers(&session.who.holder, &seat);
    let (mut log, until) = (state.seat_log.follow(Some(&seat)), Instant::now() + WAIT);
    loop {
        log.borrow_and_update();
        // Its token may have been taken away while it waited.
        if !session.who.stands() {
            return refused("signed_out", not_in(), tongue);
        }
        let newest = state.seat_log.newest();
        let (dropped, lines) = match events::lines_after(state, Some(&seat), session.n, CHUNK).await {
            Some((dropped, Ok(lines))) => (dropped, lines),
            _ => return refused("", both!("the log of seats cannot be read", "无法读取座席日志"), tongue),
        };
        // The lines of calls are kept for a while only, and some that it was not told may be gone.
        if dropped > session.n.max(session.gap) {
            sessions.told(&id, session.n, dropped);
            return one(Some(gap(agent)));
        }
        for line in &lines {
            session.n = line.n;
            sessions.told(&id, line.n, session.gap);
            if let Some(event) = told(agent, &events::shown(state, line, numbers).await) {
                return one(Some(event));
            }
        }
        if lines.len() < CHUNK {
            session.n = session.n.max(newest);
            sessions.told(&id, session.n, session.gap);
        }
        if lines.is_empty() && !matches!(timeout_at(until, log.changed()).await, Ok(Ok(()))) {
            return one(None);
        }
    }
}

fn one(event: Option<Value>) -> Response {
    Json(json!({ "message": "", "retcode": "0", "event": event })).into_response()
}

/// The news that something may have been missed.
fn gap(agent: &str) -> Value {
    json!({ "eventType": THEIRS.gap, "workNo": agent, "content": { "detail": events::MISSED } })
}

/// The event in their words; none that they have no word for.
fn told(agent: &str, event: &EventShown) -> Option<Value> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let fits = |it: &&Spoken| it.ours == event.kind && it.when.iter().all(|(key, value)| event.data[key].as_str() == Some(value));
    let theirs = THEIRS.events.iter().find(fits)?;
    let of = |name: &str| match (name, &event.call) {
        ("caller", Some(call)) => call.caller.clone(),
        ("called", Some(call)) => Some(call.number.clone()),
        ("to", _) => event.preview.as_ref().map(|preview| preview.to.clone()),
        ("n", _) => Some(event.n.to_string()),
        (name, _) => text(&event.data[name]),
    };
    let content = theirs.content.as_ref().map(|content| {
        let fields = content.iter().filter_map(|(key, value)| Some((key.clone(), filled(value, &of)?)));
        Value::Object(fields.collect())
    });
    Some(json!({ "eventType": theirs.theirs, "workNo": agent, "content": content }))
}

impl Row {
    /// The values of the path, when the row is about this request.
    fn applies(&self, method: &Method, path: &str, values: &Values) -> Option<Values> {
        let (verb, pattern) = self.ask.split_once(' ')?;
        let (want, have): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        if verb != method.as_str() || want.len() != have.len() {
            return None;
        }
        let mut found = Values::new();
        for (want, have) in want.into_iter().zip(have) {
            match want.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => _ = found.insert(name.to_owned(), have.to_owned()),
                None if want == have => {}
                None => return None,
            }
        }
        self.when.iter().all(|(key, value)| values.get(key) == Some(value)).then_some(found)
    }
}

/// A value of the table with what it names put in; none where that is not there.
fn filled(value: &Value, of: &dyn Fn(&str) -> Option<String>) -> Option<Value> {
    let Some((before, rest)) = value.as_str().and_then(|text| text.split_once('{')) else { return Some(value.clone()) };
    let (name, after) = rest.split_once('}')?;
    match name.split_once('/') {
        Some((name, by)) => {
            let (number, by): (u64, u64) = (of(name)?.parse().ok()?, by.parse().ok().filter(|by| *by > 0)?);
            Some(json!(number.div_ceil(by)))
        }
        None => Some(json!(format!("{before}{}{after}", of(name)?))),
    }
}

/// The fields of a JSON body, as text.
fn fields(body: &[u8]) -> Values {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return Values::new() };
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    fields.into_iter().filter_map(|(key, value)| Some((key, text(value)?))).collect()
}

/// The id that signing in gave, as the toolbar says it back.
fn guid(headers: &HeaderMap) -> String {
    let given = headers.get("guid").and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.trim_start_matches("JSESSIONID=").to_owned()
}

fn done(result: Value) -> Response {
    Json(json!({ "message": "", "retcode": "0", "result": result })).into_response()
}

fn problem_of(problem: &Problem, tongue: Tongue) -> Response {
    refused(problem.code(), problem.whole(), tongue)
}

/// A failure is told in the body; their toolbars know no other status than 200.
fn refused(code: &str, why: Text, tongue: Tongue) -> Response {
    let retcode = THEIRS.retcodes.get(code).or_else(|| THEIRS.retcodes.get(""));
    Json(json!({ "message": why.told(tongue), "retcode": retcode, "result": Value::Null })).into_response()
}

fn unknown(method: &Method, path: &str, tongue: Tongue) -> Response {
    let path = Shown(path);
    refused("", both!("the adapter knows no request {method} {path}", "适配器没有接口 {method} {path}"), tongue)
}

fn stranger() -> Text {
    both!("the password is no token of this seat", "密码不是该座席的令牌")
}

fn not_in() -> Text {
    both!("this toolbar is not signed in", "此软电话条未签入")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SeatWhat;

    #[test]
    fn the_table_names_verbs_and_events_that_there_are() {
        let table: Table = toml::from_str(TABLE).unwrap();
        for row in &table.verbs {
            assert!(row.ask.contains("/{agent}"), "{}", row.ask);
            assert!(row.verb.as_deref().is_none_or(seats::knows), "{}", row.ask);
            assert!(row.of.as_ref().is_none_or(|of| row.ask.contains(&format!("{{{of}}}"))), "{}", row.ask);
        }
        for event in &table.events {
            let read = serde_json::from_value::<SeatWhat>(json!({ &event.ours: null }));
            let why = read.err().map(|why| why.to_string()).unwrap_or_default();
            assert!(!why.contains("unknown variant"), "{}: {why}", event.ours);
        }
        assert!(table.retcodes.contains_key(""));
    }

    #[test]
    fn values_are_put_in_and_what_is_not_there_is_left_out() {
        let of = |name: &str| (name == "time").then(|| "601".to_owned());
        assert_eq!(filled(&json!("{time/60}"), &of), Some(json!(11)));
        assert_eq!(filled(&json!("a{time}b"), &of), Some(json!("a601b")));
        assert_eq!((filled(&json!("{other}"), &of), filled(&json!(true), &of)), (None, Some(json!(true))));
    }
}
