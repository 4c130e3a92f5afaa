//! Problems and alarms are told in the language that a request asks for (RFC 9110 §12.5.4).

use super::tests::state;
use super::{ApiState, router};
use crate::io::config::Config;
use crate::io::deliver::{Deliveries, Figures};
use crate::io::journal::disk::Disk;
use crate::record::delivery::Alarm;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::sync::Arc;

/// The status, the language that the answer says it is in, and its body.
async fn asked(method: &str, path: &str, language: &str, body: &str) -> (u16, String, Value) {
    let (status, said, kind, answer) = ask(state(), method, path, language, body).await;
    assert_eq!(kind, "application/problem+json", "{method} {path}");
    (status, said, answer)
}

async fn ask(state: ApiState, method: &str, path: &str, language: &str, body: &str) -> (u16, String, String, Value) {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT_LANGUAGE, language);
    let request = request.header(header::HOST, "127.0.0.1").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(router(state)).call(request).await.unwrap();
    let said = response.headers().get(header::CONTENT_LANGUAGE).map(|value| value.to_str().unwrap().to_owned());
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, said.unwrap_or_default(), kind, serde_json::from_slice(&body).unwrap())
}

fn chinese(text: &Value) -> bool {
    text.as_str().unwrap().chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c))
}

#[tokio::test]
async fn each_problem_has_both_languages() {
    for (method, path, body) in [
        ("GET", "/nowhere", ""),
        ("DELETE", "/healthz", ""),
        ("GET", "/api/v1/calls/x", ""),
        ("GET", "/api/v1/calls?unmasked=maybe", ""),
        ("GET", "/api/v1/recordings/x", ""),
        ("GET", "/api/v1/records?limit=0", ""),
        ("GET", "/api/v1/records?since=2026/10/1", ""),
        ("GET", "/api/v1/records?result=good", ""),
        ("POST", "/api/v1/reload", ""),
        ("POST", "/api/v1/records", "{}"),
        ("POST", "/api/v1/records", "{"),
        ("POST", "/api/v1/callbacks/nobody", "{}"),
        ("POST", "/api/v1/calls/0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80/transfer", "{}"),
        ("POST", "/api/v1/calls/0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80/transfer/turn", ""),
        ("POST", "/api/v1/calls/0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80/subjects", "{}"),
    ] {
        let (status, language, english) = asked(method, path, "en", body).await;
        assert!(status >= 400 && language == "en" && !chinese(&english["detail"]), "{method} {path}: {english}");
        let (same, language, told) = asked(method, path, "zh-CN,zh;q=0.9,en;q=0.8", body).await;
        assert!(
            same == status && language == "zh" && chinese(&told["detail"]) && chinese(&told["title"]),
            "{method} {path}: {told}"
        );
        let errors = |problem: &Value| problem["errors"].as_array().map_or(0, Vec::len);
        assert_eq!(errors(&english), errors(&told), "{method} {path}");
        for error in told["errors"].as_array().into_iter().flatten() {
            assert!(chinese(if error.is_string() { error } else { &error["detail"] }), "{method} {path}: {told}");
        }
    }
}

/// A gateway with little room for its journal, and with two ticket systems that want somebody's look.
fn troubled() -> ApiState {
    let mut config = Config::default();
    config.records.min_free = u64::MAX;
    let backends =
        [("a", Alarm::Down("HTTP 503".to_owned())), ("b", Alarm::Paused("HTTP 401".to_owned()))].map(|(name, alarm)| {
            let figures = Figures::of(name);
            figures.alarm(&alarm);
            Arc::new(figures)
        });
    let deliveries = Arc::new(Deliveries { backends: backends.into(), reader: None });
    ApiState {
        disk: Arc::new(Disk::of(config.journal(), config.records.max_bytes, config.records.min_free, Arc::default())),
        deliveries,
        ..state()
    }
}

/// Whoever reads JSON goes by its keys, which are the same.
#[tokio::test]
async fn alarms_are_told_in_the_language_that_is_asked_for() {
    for (language, want, parts) in [
        (
            "en",
            "en",
            [
                "bytes left, less than records.min_free; the ticket system `a` fails; ",
                "the ticket system `b` refuses us: HTTP 401",
            ],
        ),
        ("", "en", ["the ticket system `b` refuses us", "the ticket system `a` fails: HTTP 503"]),
        ("zh-CN,zh;q=0.9", "zh", ["字节，少于 records.min_free；工单系统 `a` 出错；", "工单系统 `b` 拒绝本网关：HTTP 401"]),
    ] {
        let (status, said, _, ready) = ask(troubled(), "GET", "/readyz", language, "").await;
        assert_eq!((status, said.as_str(), &ready["status"]), (200, want, &json!("ready")));
        assert!(ready["alarm"].as_str().unwrap().contains(parts[0]), "{ready}");
        let (_, said, _, status) = ask(troubled(), "GET", "/api/v1/status", language, "").await;
        assert_eq!((said.as_str(), chinese(&status["journal"]["alarm"])), (want, want == "zh"), "{status}");
        let alarms = status["alarms"].as_array().unwrap();
        assert!(alarms.iter().any(|alarm| alarm.as_str().unwrap().contains(parts[1])), "{status}");
        assert!(alarms.iter().all(|alarm| chinese(alarm) == (want == "zh")), "{status}");
    }
}
