//! Problems are told in the language that a request asks for (RFC 9110 §12.5.4).

use super::router;
use super::tests::desk;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

/// The status, the language that the answer says it is in, and its body.
async fn asked(method: &str, path: &str, language: &str, body: &str) -> (u16, String, Value) {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT_LANGUAGE, language);
    let request = request.header(header::HOST, "127.0.0.1").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(router(desk())).call(request).await.unwrap();
    let said = response.headers().get(header::CONTENT_LANGUAGE).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{method} {path}");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, said.unwrap_or_default(), serde_json::from_slice(&body).unwrap())
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
