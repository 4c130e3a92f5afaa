mod figures;
mod leave;
mod listen;
mod refusals;
mod seats;
mod toolbars;

use super::*;
use crate::base::trap::{self, Trap};
use crate::control::{Command, Numbers, Reply, Role, Why};
use crate::io::config::{Http, Token};
use crate::io::inbox::Outlet;
use crate::io::inbox::figures::Figures;
use crate::io::{clock, config, inbox};
use crate::switch::Input;
use axum::body::Body;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Answer {
    status: u16,
    kind: String,
    challenge: String,
    body: String,
}

/// No tokens.
pub(super) fn state() -> ApiState {
    let (state, outlet) = desk_of(&Http::default());
    std::mem::forget(outlet);
    state
}

fn desk_of(http: &Http) -> (ApiState, Outlet) {
    let (inbox, outlet) = inbox::inbox(4).unwrap();
    let switch_figures = Arc::new(SwitchFigures::default());
    switch_figures.post(|| Figures { at: clock::mono(), ..Figures::default() });
    report_when_asked(&switch_figures);
    let more = Arc::new(|| vec![Metric::counter("deliveries_total", "Records delivered.", 7)]);
    let reload: Reload =
        Arc::new(|| Box::pin(async { Err(NotReloaded::Wrong(vec![both!("plan.toml:2:10: no", "plan.toml:2:10: 不")])) }));
    let tokens = Arc::new(Tokens::of(http).unwrap());
    (
        ApiState {
            switch_figures,
            inbox,
            requests: Arc::default(),
            done: Arc::default(),
            more,
            reload,
            tokens,
            audit: Arc::new(Audit::of(&std::env::temp_dir())),
            recordings: Arc::new(RecordingStore::of(&config::Config::default()).unwrap()),
            disk: Arc::new(Disk::of("var/journal.db".into(), 0, 0, Arc::default())),
            deliveries: Arc::default(),
            seat_log: Arc::default(),
            figures: Arc::default(),
            patience: http.timeout,
            intake: intake_tests::intake(),
            fit: Default::default(),
            shortage: || None,
        },
        outlet,
    )
}

/// As the switch thread does, as long as there is a board.
fn report_when_asked(switch_figures: &Arc<SwitchFigures>) {
    let switch_figures = Arc::downgrade(switch_figures);
    std::thread::spawn(move || {
        while let Some(switch_figures) = switch_figures.upgrade() {
            if switch_figures.wanted() {
                switch_figures.post(|| switch_figures.read());
            }
            drop(switch_figures);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A token each, all roles and none that is not there; the token is the role's name, repeated.
fn one_for_each_role() -> Http {
    let seat = |role| if role == Role::Seat { "zhang".to_owned() } else { String::new() };
    let token = |role: Role| Token { roles: vec![role], seat: seat(role), secret: secret(role), ..Token::default() };
    Http { tokens: Role::ALL.into_iter().map(|role| (role.name().to_string(), token(role))).collect(), ..Http::default() }
}

fn secret(role: Role) -> String {
    role.name().repeat(8)
}

/// Gives every command the same answer, and counts them, until dropped.
struct FakeSwitch {
    task: tokio::task::JoinHandle<()>,
    asked: Arc<AtomicUsize>,
}

impl FakeSwitch {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for FakeSwitch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn serve_switch(state: &ApiState, outlet: Outlet, reply: Reply) -> FakeSwitch {
    let (requests, asked) = (state.requests.clone(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let task = tokio::spawn(async move {
        loop {
            match outlet.take() {
                Some(Input::Command { id, .. }) => {
                    count.fetch_add(1, Ordering::Relaxed);
                    requests.answer(id, reply.clone());
                }
                Some(_) => {}
                None => tokio::task::yield_now().await,
            }
        }
    });
    FakeSwitch { task, asked }
}

async fn serve(state: &ApiState) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// One request over a real connection.
async fn ask(state: &ApiState, method: &str, path: &str, token: Option<&str>) -> Answer {
    let headers: Vec<_> = token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ask_with(serve(state).await, method, path, &headers).await
}

async fn ask_with(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("http://{address}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_string()).unwrap_or_default();
    let (kind, challenge) = (text("content-type"), text("www-authenticate"));
    let body = response.text().await.unwrap();
    Answer { status, kind, challenge, body }
}

#[tokio::test]
async fn health_and_readiness_follow_the_switch() {
    let state = state();
    assert_eq!(ask(&state, "GET", "/healthz", None).await.status, 200);
    assert_eq!(ask(&state, "GET", "/readyz", None).await.status, 200);

    let mut figures = state.switch_figures.read();
    figures.gauges.journal_down = true;
    figures.gauges.draining = true;
    state.switch_figures.post(|| figures);
    assert_eq!(ask(&state, "GET", "/healthz", None).await.status, 200);
    let answer = ask(&state, "GET", "/readyz", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (503, "application/problem+json"));
    assert!(answer.body.contains("draining, the journal cannot write"), "{}", answer.body);

    state.switch_figures.post(Figures::default);
    assert_eq!(ask(&state, "GET", "/healthz", None).await.status, 503);
}

#[tokio::test]
async fn metrics_have_help_type_and_value() {
    let state = state();
    let mut figures = state.switch_figures.read();
    figures.gauges.calls = 3;
    state.switch_figures.post(|| figures);
    let answer = ask(&state, "GET", "/metrics", None).await;
    assert!(answer.kind.starts_with("text/plain"));
    let expected = "# HELP hotline_calls Calls in progress.\n# TYPE hotline_calls gauge\nhotline_calls 3\n";
    assert!(answer.body.contains(expected), "{}", answer.body);
    assert!(answer.body.contains("\nhotline_deliveries_total 7\n"));
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').unwrap();
        // The sum of a histogram's durations is no whole number.
        let number = value.parse::<u64>().is_ok() || name.ends_with("_seconds_sum") && value.parse::<f64>().is_ok();
        assert!(name.starts_with("hotline_") && number, "{line}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_from_none_and_does_nothing() {
    let (state, outlet) = desk_of(&one_for_each_role());
    let right = secret(Role::Admin);
    for wrong in ["x", &right[1..], &format!("{right}n"), &right.to_uppercase()] {
        let answer = ask(&state, "POST", "/api/v1/drain", Some(wrong)).await;
        assert_eq!((answer.status, answer.kind.as_str()), (401, "application/problem+json"), "{wrong}");
        assert!(answer.challenge.contains("invalid_token") && !answer.body.contains(&right), "{}", answer.body);
    }
    let none = ask(&state, "POST", "/api/v1/drain", None).await;
    assert_eq!((none.status, none.challenge.as_str()), (401, "Bearer"));
    let address = serve(&state).await;
    let basic = ask_with(address, "POST", "/api/v1/drain", &[("authorization", &format!("Basic {right}"))]).await;
    assert_eq!(basic.status, 401);
    assert!(outlet.take().is_none(), "the switch was told");
    let _switch = serve_switch(&state, outlet, Reply::Left(0));
    let scheme = ask_with(address, "POST", "/api/v1/drain", &[("authorization", &format!("bEARER  {right}"))]).await;
    assert_eq!(scheme.status, 202);
}

#[tokio::test]
async fn without_tokens_a_page_in_a_browser_may_still_do_nothing() {
    let state = state();
    let address = serve(&state).await;
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", &format!("localhost:{port}"), &format!("[::1]:{port}")] {
        assert_eq!(ask_with(address, "GET", "/metrics", &[("host", host)]).await.status, 200, "{host}");
    }
    for headers in
        [("origin", "http://127.0.0.1"), ("origin", "null"), ("host", "evil.example"), ("host", "localhost.evil.example")]
    {
        let answer = ask_with(address, "POST", "/api/v1/drain", &[headers]).await;
        assert_eq!(answer.status, 401, "{headers:?}: {}", answer.body);
        assert!(answer.body.contains("[http.tokens.NAME]"));
    }
    assert_eq!(state.inbox.len(), 0);
    assert_eq!(ask(&state, "GET", "/metrics", Some("one that nobody asked for")).await.status, 200);
}

#[tokio::test]
async fn drain_returns_when_the_switch_has_drained_or_says_that_it_did_not() {
    let (state, outlet) = desk_of(&Http::default());
    while state.inbox.try_send(Input::End).is_ok() {}
    assert_eq!(ask(&state, "POST", "/api/v1/drain", None).await.status, 503);
    assert_eq!(ask(&state, "DELETE", "/api/v1/drain", None).await.status, 503);
    {
        let _switch = serve_switch(&state, outlet, Reply::Left(3));
        let answer = ask(&state, "POST", "/api/v1/drain", None).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"calls":3,"status":"draining"}"#));
        let answer = ask(&state, "DELETE", "/api/v1/drain", None).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"calls":3,"status":"taking calls"}"#));
    }
    let (state, outlet) = desk_of(&Http::default());
    let _switch = serve_switch(&state, outlet, Reply::Refused(Why::Ending));
    let answer = ask(&state, "DELETE", "/api/v1/drain", None).await;
    assert!(answer.status == 409 && answer.body.contains("the gateway is ending"), "{}", answer.body);
}

#[tokio::test]
async fn what_a_reload_finds_wrong_is_listed() {
    let answer = ask(&state(), "POST", "/api/v1/reload", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (422, "application/problem+json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["errors"], serde_json::json!(["plan.toml:2:10: no"]));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let state = state();
    let answer = ask(&state, "GET", "/nowhere", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (404, "application/problem+json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((body["status"].as_u64(), body["title"].as_str()), (Some(404), Some("Not Found")));
    assert_eq!(ask(&state, "GET", "/api/v1/drain", None).await.status, 405);
}

const CALL: &str = "/api/v1/calls/01890000-0000-7000-8000-000000000000";
const BLIND: &str = r#"{"to": "12366", "mode": "blind"}"#;

/// Asks without a connection.
async fn put(state: &ApiState, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, serde_json::Value) {
    let request = axum::http::Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(router(state.clone())).call(request).await.unwrap();
    let status = response.status().as_u16();
    if status >= 400 {
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path} {body}");
    }
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{path}: {e}")))
}

/// Method, path, headers, body; status, and a part of the detail.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn what_is_no_proper_request_is_a_problem_and_never_reaches_the_switch() {
    let (state, outlet) = desk_of(&Http::default());
    let transfer = format!("{CALL}/transfer");
    let long = format!(r#"{{"to": "{}", "mode": "blind"}}"#, "1".repeat(5000));
    let wide = format!(r#"{{"to": "{}", "mode": "blind"}}"#, "1".repeat(65));
    let key = "k".repeat(129);
    let cases: &[Case<'_>] = &[
        ("POST", &transfer, &[], "", 400, "the body is not {to, mode"),
        ("POST", &transfer, &[], "{", 400, "the body is not {to, mode"),
        ("POST", &transfer, &[], "[]", 400, "the body is not {to, mode"),
        ("POST", &transfer, &[], "\u{0}\u{fffd}", 400, "the body is not {to, mode"),
        ("POST", &transfer, &[], r#"{"to": "12366"}"#, 400, "missing field `mode`"),
        ("POST", &transfer, &[], r#"{"to": 12366, "mode": "blind"}"#, 400, "invalid type"),
        ("POST", &transfer, &[], r#"{"to": "1", "mode": "blind", "by": "me"}"#, 400, "unknown field `by`"),
        ("POST", &transfer, &[], r#"{"to": "1", "mode": "return"}"#, 400, "mode is one of consult"),
        ("POST", &transfer, &[], r#"{"to": "", "mode": "blind"}"#, 400, "`to` is a number"),
        ("POST", &transfer, &[], &wide, 400, "`to` is a number"),
        ("POST", &transfer, &[], &long, 413, "the body is longer than 4096 bytes"),
        ("POST", "/api/v1/calls/12/transfer", &[], BLIND, 400, "a call's id is a UUID"),
        ("POST", "/api/v1/calls/%ff/transfer", &[], BLIND, 400, "Invalid UTF-8"),
        ("POST", &transfer, &[("idempotency-key", &key)], BLIND, 400, "an Idempotency-Key is 1 to 128"),
        ("POST", &transfer, &[("idempotency-key", "")], BLIND, 400, "an Idempotency-Key is 1 to 128"),
        ("POST", &transfer, &[("idempotency-key", "ü")], BLIND, 400, "an Idempotency-Key is 1 to 128"),
        ("POST", &format!("{transfer}/finish"), &[], "", 404, "a transfer is completed, cancelled"),
        ("DELETE", &format!("{CALL}/legs/one"), &[], "", 400, "a leg is a number"),
        ("DELETE", &format!("{CALL}/legs/-1"), &[], "", 400, "a leg is a number"),
        ("DELETE", &format!("{CALL}/legs/99999999999999999999"), &[], "", 400, "a leg is a number"),
        ("PUT", &transfer, &[], BLIND, 405, "PUT does not apply to"),
        ("GET", "/api/v1/calls/", &[], "", 404, "there is nothing at"),
    ];
    for (method, path, headers, body, status, why) in cases {
        let (found, problem) = put(&state, method, path, headers, body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(found == *status && detail.contains(why), "{method} {path} {body}: {found} {detail}");
    }
    assert!(outlet.take().is_none() && state.done.is_empty());
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_token() {
    let (state, outlet) = desk_of(&two_operators());
    let switch = serve_switch(&state, outlet, Reply::Done);
    let transfer = format!("{CALL}/transfer");
    let ask = async |who: &str, key: &str, body: &str| {
        put(&state, "POST", &transfer, &[("authorization", &format!("Bearer {who}")), ("idempotency-key", key)], body).await.0
    };
    let (one, other) = ("operator-number-one", "operator-number-two");
    assert_eq!(ask(one, "k", BLIND).await, 202);
    assert_eq!(ask(one, "k", BLIND).await, 202);
    assert_eq!(ask(one, "k", r#"{"mode": "blind", "to": "12366"}"#).await, 202, "the same request, spelt otherwise");
    assert_eq!(ask(one, "k", r#"{"to": "12345", "mode": "blind"}"#).await, 422);
    assert_eq!(ask(other, "k", r#"{"to": "12345", "mode": "blind"}"#).await, 202, "another's key");
    assert_eq!(ask(one, "l", r#"{"to": "12345", "mode": "blind"}"#).await, 202);
    assert_eq!(switch.asked(), 3);
}

fn two_operators() -> Http {
    let token = |secret: &str| Token { roles: vec![Role::Operator], secret: secret.to_owned(), ..Token::default() };
    let tokens = ["operator-number-one", "operator-number-two"].map(|secret| (secret[9..].to_owned(), token(secret)));
    Http { tokens: tokens.into(), ..Http::default() }
}

#[tokio::test]
async fn who_does_not_wait_for_the_answer_gets_it_later() {
    let (state, outlet) = desk_of(&Http::default());
    let transfer = format!("{CALL}/transfer");
    let key = [("idempotency-key", "k")];
    let left = tokio::time::timeout(Duration::from_millis(50), put(&state, "POST", &transfer, &key, BLIND)).await;
    assert!(left.is_err(), "the switch has not answered yet");
    assert_eq!(put(&state, "POST", &transfer, &key, BLIND).await.0, 409);
    let switch = serve_switch(&state, outlet, Reply::Done);
    let mut status = 409;
    while status == 409 {
        tokio::task::yield_now().await;
        status = put(&state, "POST", &transfer, &key, BLIND).await.0;
    }
    assert_eq!((status, switch.asked()), (202, 1));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_done_again() {
    let (state, outlet) = desk_of(&Http::default());
    let transfer = format!("{CALL}/transfer");
    let key = [("idempotency-key", "k")];
    for _ in 0..2 {
        let (status, problem) = put(&state, "POST", &transfer, &key, BLIND).await;
        assert!(status == 504 && problem["detail"].as_str().unwrap().contains("look at the call"), "{problem}");
    }
    assert!(matches!(outlet.take(), Some(Input::Command { .. })));
    assert!(outlet.take().is_none(), "asked twice");
    assert_eq!(put(&state, "POST", &transfer, &[], BLIND).await.0, 504);
    assert!(outlet.take().is_some(), "without a key each request counts");
}

#[tokio::test]
async fn a_command_that_panics_is_not_under_way_for_ever() {
    let (state, outlet) = desk_of(&Http::default());
    let transfer = format!("{CALL}/transfer");
    trap::set(Trap::Command, 0);
    for _ in 0..2 {
        let (status, problem) = put(&state, "POST", &transfer, &[("idempotency-key", "k")], BLIND).await;
        assert!(status == 500 && problem["detail"].as_str().unwrap().contains("look at the call"), "{status} {problem}");
    }
    let switch = serve_switch(&state, outlet, Reply::Done);
    assert_eq!(put(&state, "POST", &transfer, &[("idempotency-key", "another")], BLIND).await.0, 202);
    assert_eq!(switch.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_refused_and_leaves_nothing_behind() {
    let (state, _outlet) = desk_of(&Http::default());
    let transfer = format!("{CALL}/transfer");
    let ask = |n: u32| {
        let (state, transfer) = (state.clone(), transfer.clone());
        tokio::spawn(async move { put(&state, "POST", &transfer, &[("idempotency-key", &n.to_string())], BLIND).await.0 })
    };
    let asked: Vec<_> = (0..2000).map(ask).collect();
    let mut statuses = std::collections::BTreeMap::new();
    for one in asked {
        *statuses.entry(one.await.unwrap()).or_insert(0) += 1;
    }
    // The inbox has four places, and nobody takes anything out.
    assert_eq!(statuses, std::collections::BTreeMap::from([(503, 1996), (504, 4)]));
    assert_eq!(state.done.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let state = state();
    let request = axum::http::Request::post(format!("{CALL}/transfer")).header("host", "127.0.0.1").body(endless_body()).unwrap();
    let before = tokio::time::Instant::now();
    let response = TowerToHyperService::new(router(state)).call(request).await.unwrap();
    assert_eq!((response.status().as_u16(), before.elapsed().as_secs()), (408, 10));
}

/// A body that never ends.
fn endless_body() -> Body {
    struct Silent;
    impl hyper::body::Body for Silent {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
    Body::new(Silent)
}

#[tokio::test]
async fn numbers_in_full_need_a_role_of_their_own_and_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let mut http = one_for_each_role();
    let roles = vec![Role::Viewer, Role::Unmasked];
    http.tokens.insert("both".to_owned(), Token { roles, secret: "both-both-both-both".to_owned(), ..Token::default() });
    let (mut state, outlet) = desk_of(&http);
    let mut config = config::Config::default();
    config.node.state = folder.path().to_path_buf();
    state.audit = Arc::new(Audit::of(&config.node.state));
    let log = folder.path().join("audit.log");
    let ask = async |state: &ApiState, token: &str, path: &str| {
        put(state, "GET", path, &[("authorization", &format!("Bearer {token}"))], "").await
    };
    let all = "/api/v1/calls?unmasked=true";
    for role in [Role::Viewer, Role::Operator, Role::Admin] {
        let (status, problem) = ask(&state, &secret(role), all).await;
        assert_eq!((status, &problem["needs"]), (403, &serde_json::json!(["unmasked"])), "{role:?}");
    }
    assert_eq!(ask(&state, &secret(Role::Unmasked), all).await.0, 403, "it adds to another role");
    assert_eq!(ask(&state, "both-both-both-both", "/api/v1/calls?unmasked=perhaps").await.0, 400);
    assert!(outlet.take().is_none() && !log.exists());

    let (requests, noted) = (state.requests.clone(), log.clone());
    let switch = tokio::spawn(async move {
        let mut met = Vec::new();
        while met.len() < 3 {
            match outlet.take() {
                Some(Input::Command { id, command }) => {
                    let lines = std::fs::read_to_string(&noted).map_or(0, |text| text.lines().count());
                    met.push((command, lines));
                    requests.answer(id, Reply::Refused(Why::NoSuchCall));
                }
                _ => tokio::task::yield_now().await,
            }
        }
        met
    });
    for path in ["/api/v1/calls", all, &format!("{CALL}?unmasked=true")] {
        assert_eq!(ask(&state, "both-both-both-both", path).await.0, 404);
    }
    let call = CALL.rsplit('/').next().unwrap();
    let expected = [
        (Command::Calls(Numbers::Masked), 0),
        (Command::Calls(Numbers::Full), 1),
        (Command::Call(call.parse().unwrap(), Numbers::Full), 2),
    ];
    assert_eq!(switch.await.unwrap(), expected, "each is noted before the switch is asked");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.lines().all(|line| line.contains("\"who\":\"both\"")) && text.contains(call), "{text}");

    config.node.state = "/proc/nowhere".into();
    state.audit = Arc::new(Audit::of(&config.node.state));
    let (status, problem) = ask(&state, "both-both-both-both", all).await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("cannot be noted"), "{problem}");
}
