use super::*;
use crate::control::{Reply, Role, Why};
use crate::io::board::Figures;
use crate::io::config::{Http, Token};
use crate::io::inbox::Outlet;
use crate::io::{clock, inbox};
use std::net::SocketAddr;

struct Answer {
    status: u16,
    kind: String,
    challenge: String,
    body: String,
}

/// No tokens.
fn desk() -> Desk {
    let (desk, outlet) = desk_of(&Http::default());
    std::mem::forget(outlet);
    desk
}

fn desk_of(http: &Http) -> (Desk, Outlet) {
    let (inbox, outlet) = inbox::inbox(4).unwrap();
    let figures = Figures { at: clock::mono(), ..Figures::default() };
    let board = Arc::new(Board::default());
    board.post(figures);
    let more = Arc::new(|| vec![Metric::counter("deliveries_total", "Records delivered.", 7)]);
    let reload: Reload = Arc::new(|| Box::pin(async { Err(vec!["plan.toml:2:10: no".to_string()]) }));
    let tokens = Arc::new(Tokens::of(http).unwrap());
    (Desk { board, inbox, asks: Arc::default(), done: Arc::default(), more, reload, tokens, ending: Arc::default() }, outlet)
}

/// A token each, all roles and none that is not there; the token is the role's name, repeated.
fn one_for_each_role() -> Http {
    let token = |role: Role| Token { roles: vec![role], secret: secret(role), ..Token::default() };
    Http { tokens: Role::ALL.into_iter().map(|role| (role.name().to_string(), token(role))).collect(), ..Http::default() }
}

fn secret(role: Role) -> String {
    role.name().repeat(8)
}

/// Says of every command that there is no such call.
fn serve_switch(desk: &Desk, outlet: Outlet) -> tokio::task::JoinHandle<()> {
    let asks = desk.asks.clone();
    tokio::spawn(async move {
        loop {
            match outlet.take() {
                Some(Input::Command { id, .. }) => asks.answer(id, Reply::Refused(Why::NoSuchCall)),
                Some(_) => {}
                None => tokio::task::yield_now().await,
            }
        }
    })
}

async fn serve(desk: &Desk) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(desk.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// One request over a real connection.
async fn ask(desk: &Desk, method: &str, path: &str, token: Option<&str>) -> Answer {
    let headers: Vec<_> = token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    ask_with(serve(desk).await, method, path, &headers).await
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
    let desk = desk();
    assert_eq!(ask(&desk, "GET", "/healthz", None).await.status, 200);
    assert_eq!(ask(&desk, "GET", "/readyz", None).await.status, 200);

    let mut figures = desk.board.read();
    figures.gauges.journal_down = true;
    figures.gauges.draining = true;
    desk.board.post(figures);
    assert_eq!(ask(&desk, "GET", "/healthz", None).await.status, 200);
    let answer = ask(&desk, "GET", "/readyz", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (503, "application/problem+json"));
    assert!(answer.body.contains("draining, the journal cannot write"), "{}", answer.body);

    desk.board.post(Figures::default());
    assert_eq!(ask(&desk, "GET", "/healthz", None).await.status, 503);
}

#[tokio::test]
async fn metrics_have_help_type_and_value() {
    let desk = desk();
    let mut figures = desk.board.read();
    figures.gauges.calls = 3;
    desk.board.post(figures);
    let answer = ask(&desk, "GET", "/metrics", None).await;
    assert!(answer.kind.starts_with("text/plain"));
    let expected = "# HELP hotline_calls Calls in progress.\n# TYPE hotline_calls gauge\nhotline_calls 3\n";
    assert!(answer.body.contains(expected), "{}", answer.body);
    assert!(answer.body.contains("\nhotline_deliveries_total 7\n"));
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(' ').unwrap();
        assert!(name.starts_with("hotline_") && value.parse::<u64>().is_ok(), "{line}");
    }
}

/// Who may ask for what, said once more.
const LEAVE: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "everybody"),
    ("GET", "/readyz", "everybody"),
    ("GET", "/metrics", "monitor viewer operator admin"),
    ("GET", "/api/v1/openapi.json", "everybody"),
    ("GET", "/api/v1/status", "monitor viewer operator admin"),
    ("POST", "/api/v1/drain", "admin"),
    ("DELETE", "/api/v1/drain", "admin"),
    ("POST", "/api/v1/reload", "admin"),
    ("GET", "/api/v1/calls", "viewer operator admin"),
    ("GET", "/api/v1/calls/{id}", "viewer operator admin"),
    ("POST", "/api/v1/calls/{id}/transfer", "operator"),
    ("POST", "/api/v1/calls/{id}/transfer/{act}", "operator"),
    ("DELETE", "/api/v1/calls/{id}/legs/{leg}", "operator"),
];

#[test]
fn each_endpoint_is_in_the_table_of_who_may() {
    let served: Vec<_> = endpoints().iter().map(|e| (e.method.to_string(), e.path)).collect();
    let told: Vec<_> = LEAVE.iter().map(|(method, path, _)| (method.to_string(), *path)).collect();
    assert_eq!(served, told);
}

#[tokio::test]
async fn each_endpoint_serves_the_roles_that_it_should_and_no_other() {
    let (desk, outlet) = desk_of(&one_for_each_role());
    let switch = serve_switch(&desk, outlet);
    let address = serve(&desk).await;
    for (method, path, roles) in LEAVE {
        let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{act}", "cancel").replace("{leg}", "1");
        let stranger = ask_with(address, method, &path, &[]).await;
        assert_eq!(stranger.status == 401, *roles != "everybody", "{method} {path}: {}", stranger.body);
        for role in Role::ALL {
            let token = format!("Bearer {}", secret(role));
            let answer = ask_with(address, method, &path, &[("authorization", &token)]).await;
            let may = *roles == "everybody" || roles.split(' ').any(|name| name == role.name());
            assert_eq!(answer.status != 403, may, "{method} {path} as {role:?}: {}", answer.body);
            assert_ne!(answer.status, 401);
            if !may {
                assert_eq!(answer.kind, "application/problem+json");
                let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                assert_eq!(body["needs"], serde_json::json!(roles.split(' ').collect::<Vec<_>>()));
                assert_eq!(answer.challenge, format!("Bearer error=\"insufficient_scope\", scope=\"{roles}\""));
            }
        }
    }
    switch.abort();
}

#[tokio::test]
async fn a_wrong_token_is_told_from_none_and_does_nothing() {
    let (desk, outlet) = desk_of(&one_for_each_role());
    let right = secret(Role::Admin);
    for wrong in ["x", &right[1..], &format!("{right}n"), &right.to_uppercase()] {
        let answer = ask(&desk, "POST", "/api/v1/drain", Some(wrong)).await;
        assert_eq!((answer.status, answer.kind.as_str()), (401, "application/problem+json"), "{wrong}");
        assert!(answer.challenge.contains("invalid_token") && !answer.body.contains(&right), "{}", answer.body);
    }
    let none = ask(&desk, "POST", "/api/v1/drain", None).await;
    assert_eq!((none.status, none.challenge.as_str()), (401, "Bearer"));
    let address = serve(&desk).await;
    let basic = ask_with(address, "POST", "/api/v1/drain", &[("authorization", &format!("Basic {right}"))]).await;
    assert_eq!(basic.status, 401);
    assert!(outlet.take().is_none(), "the switch was told");
    let scheme = ask_with(address, "POST", "/api/v1/drain", &[("authorization", &format!("bEARER  {right}"))]).await;
    assert_eq!(scheme.status, 202);
}

#[tokio::test]
async fn without_tokens_a_page_in_a_browser_may_still_do_nothing() {
    let desk = desk();
    let address = serve(&desk).await;
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
    assert_eq!(desk.inbox.len(), 0);
    assert_eq!(ask(&desk, "GET", "/metrics", Some("one that nobody asked for")).await.status, 200);
}

#[tokio::test]
async fn drain_reaches_the_switch_or_says_that_it_did_not() {
    let desk = desk();
    assert_eq!(ask(&desk, "POST", "/api/v1/drain", None).await.status, 202);
    assert_eq!(desk.inbox.len(), 1);
    while desk.inbox.try_send(Input::Drain).is_ok() {}
    assert_eq!(ask(&desk, "POST", "/api/v1/drain", None).await.status, 503);
    assert_eq!(ask(&desk, "DELETE", "/api/v1/drain", None).await.status, 503);
    desk.ending.store(true, Ordering::Relaxed);
    let answer = ask(&desk, "DELETE", "/api/v1/drain", None).await;
    assert!(answer.status == 409 && answer.body.contains("the gateway is ending"), "{}", answer.body);
}

#[tokio::test]
async fn what_a_reload_finds_wrong_is_listed() {
    let answer = ask(&desk(), "POST", "/api/v1/reload", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (422, "application/problem+json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["errors"], serde_json::json!(["plan.toml:2:10: no"]));
}

#[test]
fn labels_are_escaped() {
    let metric = Metric::info("x_info", "x", &[("name", "a\"b\\"), ("revision", "1")]);
    assert_eq!(metric.labels, r#"{name="a\"b\\",revision="1"}"#);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let desk = desk();
    let answer = ask(&desk, "GET", "/nowhere", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (404, "application/problem+json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((body["status"].as_u64(), body["title"].as_str()), (Some(404), Some("Not Found")));
    assert_eq!(ask(&desk, "GET", "/api/v1/drain", None).await.status, 405);
}
