use super::*;
use crate::io::board::Figures;
use crate::io::{clock, inbox};
use std::net::SocketAddr;

struct Answer {
    status: u16,
    kind: String,
    body: String,
}

fn desk(token: &str) -> Desk {
    let (inbox, outlet) = inbox::inbox(4).unwrap();
    std::mem::forget(outlet);
    let figures = Figures { at: clock::mono(), ..Figures::default() };
    let board = Arc::new(Board::default());
    board.post(figures);
    let more = Arc::new(|| vec![Metric::counter("deliveries_total", "Records delivered.", 7)]);
    let reload: Reload = Arc::new(|| Box::pin(async { Err(vec!["plan.toml:2:10: no".to_string()]) }));
    Desk { board, inbox, asks: Arc::default(), done: Arc::default(), more, reload, token: token.into() }
}

/// One request over a real connection.
async fn ask(desk: &Desk, method: &str, path: &str, token: Option<&str>) -> Answer {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = tokio::spawn({
        let router = router(desk.clone());
        async move { axum::serve(listener, router).await }
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut request = client.request(method.parse().unwrap(), format!("http://{address}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_string()).unwrap_or_default();
    let body = response.text().await.unwrap();
    server.abort();
    Answer { status, kind, body }
}

#[tokio::test]
async fn health_and_readiness_follow_the_switch() {
    let desk = desk("");
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
    let desk = desk("");
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

#[tokio::test]
async fn a_token_guards_everything_but_health() {
    let desk = desk("secret");
    assert_eq!(ask(&desk, "GET", "/healthz", None).await.status, 200);
    assert_eq!(ask(&desk, "GET", "/readyz", None).await.status, 200);
    for path in ["/metrics", "/api/v1/status"] {
        let answer = ask(&desk, "GET", path, None).await;
        assert_eq!((answer.status, answer.kind.as_str()), (401, "application/problem+json"));
        assert_eq!(ask(&desk, "GET", path, Some("secrets")).await.status, 401);
        assert_eq!(ask(&desk, "GET", path, Some("Secret")).await.status, 401);
        assert_eq!(ask(&desk, "GET", path, Some("secret")).await.status, 200);
    }
    for path in ["/api/v1/drain", "/api/v1/reload"] {
        assert_eq!(ask(&desk, "POST", path, None).await.status, 401);
    }
    assert_eq!(desk.inbox.len(), 0);
}

#[tokio::test]
async fn drain_reaches_the_switch_or_says_that_it_did_not() {
    let desk = desk("");
    assert_eq!(ask(&desk, "POST", "/api/v1/drain", None).await.status, 202);
    assert_eq!(desk.inbox.len(), 1);
    while desk.inbox.try_send(Input::Drain).is_ok() {}
    assert_eq!(ask(&desk, "POST", "/api/v1/drain", None).await.status, 503);
}

#[tokio::test]
async fn what_a_reload_finds_wrong_is_listed() {
    let answer = ask(&desk(""), "POST", "/api/v1/reload", None).await;
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
    let desk = desk("");
    let answer = ask(&desk, "GET", "/nowhere", None).await;
    assert_eq!((answer.status, answer.kind.as_str()), (404, "application/problem+json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((body["status"].as_u64(), body["title"].as_str()), (Some(404), Some("Not Found")));
    assert_eq!(ask(&desk, "GET", "/api/v1/drain", None).await.status, 405);
}
