//! Trunks over HTTP, and how our accounts with carriers stand.

use super::ApiState;
use super::commands::ask;
use super::endpoint::Endpoint;
use super::problem::{Problem, spoken};
use super::seats::describe::component;
use crate::base::Tongue;
use crate::control::{Command, FailureView, PeerView, RegistrationView, Reply, Right, TrunkView};
use crate::io::metrics::Metric;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Json, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/trunks", Right::Watch, list)]
}

#[derive(Serialize, JsonSchema)]
struct Trunks {
    trunks: Vec<TrunkShown>,
}

/// A trunk at one moment 中继
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Trunk", deny_unknown_fields)]
struct TrunkShown {
    trunk: String,
    channels: u32,
    /// Channels in use, both directions 占用路数
    taken: usize,
    /// Calls go out by it: it needs no registration, or has one; emergency lines are tried all the same 可呼出
    usable: bool,
    /// The addresses where it is called, as far as they are known, in order 呼出地址
    peers: Vec<PeerShown>,
    /// Our accounts there, by name 注册账号
    registrations: Vec<RegistrationShown>,
}

/// An address of a trunk 呼出地址
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrunkPeer", deny_unknown_fields)]
struct PeerShown {
    address: String,
    /// up; down: it answers no OPTIONS; or calls go elsewhere first, since it was silent, or unavailable (503) 正常、探测停用、无响应暂停、503 暂停
    #[schemars(extend("enum" = ["up", "down", "silent", "unavailable"]))]
    state: &'static str,
    /// Until its rest is over 距恢复尝试
    #[serde(skip_serializing_if = "Option::is_none")]
    left_seconds: Option<u64>,
    /// It is asked by OPTIONS (trunks.*.ping) 是否以 OPTIONS 探测
    asked: bool,
}

/// An account of ours at a carrier 注册账号
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Registration", deny_unknown_fields)]
struct RegistrationShown {
    registration: String,
    /// Its number at the carrier's domain, masked 号码（脱敏）
    aor: String,
    /// refused: an alarm; only people can mend it 被拒绝须人工处理
    #[schemars(extend("enum" = ["registered", "trying", "failing", "refused", "withdrawn"]))]
    state: &'static str,
    /// Until it ends, where it is not refreshed 剩余有效期
    #[serde(skip_serializing_if = "Option::is_none")]
    left_seconds: Option<u64>,
    /// Until it is asked anew 距下次注册
    #[serde(skip_serializing_if = "Option::is_none")]
    next_seconds: Option<u64>,
    /// Why the last attempt came to nothing 最近一次失败
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureShown>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegistrationFailure", deny_unknown_fields)]
struct FailureShown {
    /// In a word, as programs read it
    #[schemars(extend("enum" = ["no_address", "silence", "unreachable", "unavailable", "wrong_password", "wrong_realm",
        "unknown_challenge", "endless", "refused", "not_bound"]))]
    cause: &'static str,
    /// The one at fault, and what helps, in the reader's language 原因与处理办法
    reason: String,
    /// The carrier's answer, where it gave one 运营商的应答码
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    ago_seconds: u64,
}

impl FailureShown {
    fn of(view: &FailureView, tongue: Tongue) -> FailureShown {
        let reason = view.words.told(tongue).to_owned();
        FailureShown { cause: view.cause, reason, status: view.status, ago_seconds: view.ago.as_secs() }
    }
}

impl RegistrationShown {
    fn of(view: &RegistrationView, tongue: Tongue) -> RegistrationShown {
        RegistrationShown {
            registration: view.name.to_string(),
            aor: view.aor.clone(),
            state: view.state,
            left_seconds: view.left.map(|left| left.as_secs()),
            next_seconds: view.next.map(|next| next.as_secs()),
            failure: view.failure.as_ref().map(|failure| FailureShown::of(failure, tongue)),
        }
    }
}

impl PeerShown {
    fn of(view: &PeerView) -> PeerShown {
        let left_seconds = view.left.map(|left| left.as_secs());
        PeerShown { address: view.address.to_string(), state: view.state, left_seconds, asked: view.asked }
    }
}

impl TrunkShown {
    fn of(view: &TrunkView, tongue: Tongue) -> TrunkShown {
        TrunkShown {
            trunk: view.trunk.to_string(),
            channels: view.channels,
            taken: view.taken,
            usable: view.usable,
            peers: view.peers.iter().map(PeerShown::of).collect(),
            registrations: view.registrations.iter().map(|it| RegistrationShown::of(it, tongue)).collect(),
        }
    }
}

async fn list(State(state): State<ApiState>, Extension(tongue): Extension<Tongue>) -> Result<Response, Problem> {
    let trunks = all(&state).await?.iter().map(|view| TrunkShown::of(view, tongue)).collect();
    Ok(spoken(Json(Trunks { trunks }), tongue))
}

async fn all(state: &ApiState) -> Result<Vec<TrunkView>, Problem> {
    match ask(state, Command::Trunks).await? {
        Reply::Trunks(trunks) => Ok(trunks),
        _ => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, both!("an answer to another question", "内部应答不符"))),
    }
}

/// One figure for each trunk at which we have accounts: as many as are configured.
pub async fn metrics(state: &ApiState) -> Vec<Metric> {
    let trunks = all(state).await.unwrap_or_default();
    let with_accounts = trunks.iter().filter(|trunk| !trunk.registrations.is_empty());
    let figures = |view: &TrunkView| {
        let count = |state: &str| view.registrations.iter().filter(|it| it.state == state).count();
        let of = |metric: Metric| metric.labelled(&[("trunk", &view.trunk)]);
        [
            of(Metric::gauge("trunk_registered", "Accounts that are registered with the trunk's carrier.", count("registered"))),
            of(Metric::gauge("trunk_refused", "Accounts that the trunk's carrier refuses.", count("refused"))),
            of(Metric::gauge("trunk_accounts", "Accounts of the trunk.", view.registrations.len())),
        ]
    };
    with_accounts.flat_map(figures).collect()
}

/// Adds them to the document.
pub fn describe(document: &mut Value) {
    let schema = component::<Trunks>(document);
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    document["paths"]["/api/v1/trunks"] = json!({ "get": {
        "tags": ["operation"],
        "operationId": "trunks",
        "summary": "Lists the trunks, and how our accounts with carriers stand 中继与注册状态",
        "responses": {
            "200": { "description": "As they stand.", "content": { "application/json": { "schema": schema } } },
            "503": problem,
        },
    } });
}
