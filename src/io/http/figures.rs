//! The figures of hotlines, queues and seats: of rolling windows, of this day, and of days that are over.

use super::ApiState;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::search::read;
use super::seats::describe::component;
use crate::base::{Text, Wall};
use crate::control::Right;
use crate::figure::{By, Counts, SeatCounts, Table};
use crate::io::clock::{self, moment};
use crate::io::figures::{self, DAY, Live, QUARTER};
use crate::io::process::threads;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/figures", Right::Watch, show)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `hotline`, `queue` or `seat`; none: all.
    by: Option<String>,
    /// `15m`, `24h` or `day`.
    window: Option<String>,
    /// A day that is over, or this one.
    day: Option<String>,
}

async fn show(State(state): State<ApiState>, Query(asked): Query<Asked>) -> Result<Json<FiguresShown>, Problem> {
    let wrong = |detail: Text| Problem::new(StatusCode::BAD_REQUEST, detail);
    let by = asked
        .by
        .as_deref()
        .map(|by| By::named(by).ok_or_else(|| wrong(both!("by is hotline, queue or seat", "by 应为 hotline、queue 或 seat"))));
    let by = by.transpose()?;
    let table = match (asked.window.as_deref(), asked.day.as_deref()) {
        (Some(_), Some(_)) => return Err(wrong(both!("window and day exclude each other", "window 与 day 不能同时使用"))),
        (Some("15m"), None) => running(&state, |figures| figures.last(QUARTER)).await,
        (Some("24h"), None) => running(&state, |figures| figures.last(DAY)).await,
        (None | Some("day"), None) => running(&state, Live::today).await,
        (Some(_), None) => return Err(wrong(both!("window is 15m, 24h or day", "window 应为 15m、24h 或 day"))),
        (None, Some(day)) => Some(of_day(&state, moment::day(day).map_err(wrong)?).await?),
    };
    let table = table.ok_or_else(|| {
        let detail = both!("the figures are being computed from the journal; ask again", "正在由日志数据库计算统计，请稍后再试");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).again_in(5)
    })?;
    Ok(Json(shown(figures::only(table, by))))
}

/// A window of many seats takes long: SIP connections share the threads that answer here.
async fn running(state: &ApiState, question: impl FnOnce(&Live) -> Option<Table> + Send + 'static) -> Option<Table> {
    let live = state.figures.clone();
    threads::aside("figures", move || question(&live)).await.flatten()
}

/// It is computed anew from the journal.
async fn of_day(state: &ApiState, date: jiff::civil::Date) -> Result<Table, Problem> {
    let (zone, within) = (state.figures.zone.clone(), state.figures.within);
    let now = clock::now().wall;
    let Some((from, to)) = zone.of_date(date).filter(|(from, _)| *from <= now) else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, both!("this day has not come yet", "这一天还没有到")));
    };
    let end = Wall(to.0.min(now.0));
    read(state, move |reader| figures::recompute(reader, &zone, within, (from, to), end)).await
}

/// The counts with the shares that follow from them.
#[derive(Serialize, JsonSchema)]
struct CountsShown {
    #[serde(flatten)]
    counts: Counts,
    lost_together: u64,
    /// Calls of which it is not known yet.
    undecided: u64,
    /// The share that somebody talked to of those handed to people of whom it is known what became, from 0 to 1.
    answered_share: Option<f64>,
    /// And the share that was answered in time.
    within_share: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct SeatCountsShown {
    #[serde(flatten)]
    counts: SeatCounts,
    /// Talk and wrap-up as a share of the time signed in without breaks, from 0 to 1.
    occupancy: Option<f64>,
}

/// The figures of a window.
#[derive(Serialize, JsonSchema)]
pub struct FiguresShown {
    /// An answer within so many milliseconds of the hand-over to the queue is in time.
    within_ms: u64,
    /// All hotlines together.
    all: CountsShown,
    /// By the hotline that was dialled first.
    hotlines: BTreeMap<String, CountsShown>,
    queues: BTreeMap<String, CountsShown>,
    seats: BTreeMap<String, SeatCountsShown>,
}

fn shown(table: Table) -> FiguresShown {
    let of = |counts: Counts| CountsShown {
        lost_together: counts.all_lost(),
        undecided: counts.undecided(),
        answered_share: counts.answered_share(),
        within_share: counts.within_share(),
        counts,
    };
    let each = |all: BTreeMap<String, Counts>| all.into_iter().map(|(name, counts)| (name, of(counts))).collect();
    let seats = table.seats.into_iter();
    let seats = seats.map(|(name, counts)| (name, SeatCountsShown { occupancy: counts.occupancy(), counts })).collect();
    let (hotlines, queues) = (each(table.hotlines), each(table.queues));
    FiguresShown { within_ms: table.within_ms, all: of(table.all), hotlines, queues, seats }
}

/// Adds them to the document.
pub fn describe(document: &mut Value) {
    let schema = component::<FiguresShown>(document);
    let parameter =
        |name: &str, what: &str, schema: Value| json!({ "name": name, "in": "query", "description": what, "schema": schema });
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    document["paths"]["/api/v1/figures"] = json!({ "get": {
        "tags": ["operation"],
        "operationId": "figures",
        "summary": "Shows the figures of hotlines, queues and seats 统计",
        "parameters": [
            parameter("by", "Only these rows; none: all 只看热线、队列或座席", json!({ "type": "string", "enum": By::ALL.map(By::name) })),
            parameter("window", "The last 15 minutes, the last 24 hours, or this day from its local midnight 时间窗口",
                json!({ "type": "string", "enum": ["15m", "24h", "day"], "default": "day" })),
            parameter("day", "A day, computed from the journal; excludes `window` 某一天", json!({ "type": "string", "format": "date" })),
        ],
        "responses": {
            "200": { "description": "As they stand.", "content": { "application/json": { "schema": schema } } },
            "400": problem.clone(),
            "503": problem,
        },
    } });
}
