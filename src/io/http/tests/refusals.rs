//! Each route of the document, asked in every wrong way: the answer is a problem as the document has it, in the reader's
//! language, and nothing has changed.

use super::*;
use crate::io::http::document;
use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, Request};
use jsonschema::Validator;
use serde_json::json;
use std::collections::BTreeSet;

const CALL: &str = "01890000-0000-7000-8000-000000000000";
/// Longer than any route's bound.
const TOO_LONG: usize = 2 << 20;

/// A way to ask wrongly.
struct Wrong {
    what: &'static str,
    method: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    statuses: &'static [u16],
}

/// An operation of the document.
struct Operation<'a> {
    method: String,
    path: &'a str,
    item: &'a Value,
    own: &'a Value,
}

impl Operation<'_> {
    /// Its path with something good in each place.
    fn at(&self) -> String {
        let act = if self.path.contains("callback-list") { "take" } else { "complete" };
        let filled = [("{id}", CALL), ("{seat}", "zhang"), ("{queue}", "12345"), ("{leg}", "1"), ("{act}", act)];
        let path = filled.iter().fold(self.path.to_owned(), |path, (name, value)| path.replace(name, value));
        path.replace("{backend}", "tickets")
    }

    fn parameters(&self, place: &str) -> BTreeSet<String> {
        let all = [&self.item["parameters"], &self.own["parameters"]].into_iter().filter_map(Value::as_array).flatten();
        let resolved = all.map(|one| match one["$ref"].as_str() {
            Some(reference) => document::DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
            None => one,
        });
        resolved.filter(|one| one["in"] == place).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    fn roles(&self) -> Vec<&str> {
        self.own["x-roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn token(&self) -> Vec<(&'static str, String)> {
        self.roles().first().map(|role| ("authorization", format!("Bearer {}", role.repeat(8)))).into_iter().collect()
    }

    fn wrong(&self, what: &'static str, statuses: &'static [u16]) -> Wrong {
        let (method, path) = (self.method.clone(), self.at());
        Wrong { what, method, path, headers: self.token(), body: Vec::new(), statuses }
    }

    fn wrongs(&self) -> Vec<Wrong> {
        let mut all = vec![
            Wrong { method: "PATCH".into(), ..self.wrong("wrong method", &[405]) },
            Wrong { path: format!("{}/no/such/thing", self.at()), ..self.wrong("unknown route", &[404]) },
            Wrong { body: vec![b' '; TOO_LONG], ..self.wrong("too long", &[413]) },
        ];
        let mut encoded = self.wrong("encoded", &[415]);
        encoded.headers.push(("content-encoding", "gzip".into()));
        all.push(encoded);
        if self.path.contains('{') {
            let start = self.path.split('{').next().unwrap();
            let after = self.at()[start.len()..].split_once('/').map_or(String::new(), |(_, rest)| format!("/{rest}"));
            all.push(Wrong { path: format!("{start}%ff{after}"), ..self.wrong("a path that is no text", &[400]) });
        }
        all.extend(self.by_strangers());
        if self.own["requestBody"].is_object() {
            let bodies: [(&str, &[u8]); 5] = [
                ("half a JSON", b"{"),
                ("no UTF-8", b"{\"to\": \"\xff\xfe\"}"),
                ("another type", b"[1, 2]"),
                ("no field of it", b"{\"no such field\": 1}"),
                ("a form", b"to=13800138000&x=1"),
            ];
            // A message without a ticket system's signature is no further looked at.
            let statuses: &[u16] = if self.path.contains("{backend}") { &[400, 401, 404, 422] } else { &[400, 422] };
            all.extend(bodies.map(|(what, body)| Wrong { body: body.to_vec(), ..self.wrong(what, statuses) }));
        }
        // A player adds what it likes to a signed link.
        if !self.parameters("query").is_empty() && !self.parameters("query").contains("signature") {
            for query in ["unmasked=maybe", "no-such-thing=1", "%ff=%fe", "after=-1", "limit=many"] {
                let known = |name: &str| self.parameters("query").contains(name);
                let name = query.split('=').next().unwrap();
                if !["unmasked", "after", "limit"].contains(&name) || known(name) {
                    all.push(Wrong { path: format!("{}?{query}", self.at()), ..self.wrong("a bad query", &[400, 403]) });
                }
            }
        }
        if self.parameters("header").contains("Idempotency-Key") {
            let mut long = self.wrong("too long a key", &[400, 422]);
            long.headers.push(("idempotency-key", "x".repeat(500)));
            all.push(long);
        }
        all
    }

    fn by_strangers(&self) -> Vec<Wrong> {
        if self.roles().is_empty() {
            return Vec::new();
        }
        let other = Role::ALL.into_iter().find(|role| !self.roles().contains(&role.name())).map(secret);
        let with = |what: &'static str, token: Option<String>, statuses: &'static [u16]| {
            let headers = token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
            Wrong { headers, ..self.wrong(what, statuses) }
        };
        let mut all = vec![
            with("no token", None, &[401]),
            with("a wrong token", Some("no such token at all".into()), &[401]),
            Wrong { headers: vec![("authorization", "Basic eDp5".into())], ..self.wrong("another scheme", &[401]) },
        ];
        all.extend(other.map(|token| with("a role is missing", Some(token), &[403])));
        all
    }
}

fn operations() -> Vec<Operation<'static>> {
    let mut all = Vec::new();
    for (path, item) in document::DOCUMENT["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete"] {
            if item[method].is_object() {
                all.push(Operation { method: method.to_uppercase(), path, item, own: &item[method] });
            }
        }
    }
    assert!(all.len() > 70, "{}", all.len());
    all
}

async fn answer(router: &axum::Router, wrong: &Wrong, language: &str) -> (u16, HeaderMap, Bytes) {
    let request = Request::builder().method(wrong.method.as_str()).uri(&wrong.path);
    let request = wrong.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let request = request.header("host", "127.0.0.1").header("accept-language", language);
    let request = request.body(Body::from(wrong.body.clone())).unwrap();
    let response = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status.as_u16(), parts.headers, to_bytes(Body::new(body), 1 << 20).await.unwrap())
}

fn chinese(text: &Value) -> bool {
    text.as_str().unwrap().chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c))
}

/// The answer is a problem of the document, whole in this language; its code.
fn judge(wrong: &Wrong, language: &str, (status, headers, body): &(u16, HeaderMap, Bytes), schema: &Validator) -> Value {
    let at = format!("{} {} ({}, {language})", wrong.method, wrong.path, wrong.what);
    let problem: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{at}: {status} {body:?}"));
    let header = |name: &'static str| {
        let value = headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok());
        value.unwrap_or_else(|| panic!("{at}: no {name}: {problem}")).to_owned()
    };
    assert!(wrong.statuses.contains(status), "{at}: {status} {problem}");
    assert_eq!((header("content-type").as_str(), header("content-language").as_str()), ("application/problem+json", language));
    assert!(header("vary").contains("accept-language"), "{at}");
    assert!(schema.is_valid(&problem), "{at}: {problem}");
    assert_eq!(problem["status"], *status, "{at}");
    assert_eq!(
        (chinese(&problem["detail"]), chinese(&problem["title"])),
        (language == "zh", language == "zh"),
        "{at}: {problem}"
    );
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{at}");
    assert_eq!((&problem["fault"], &problem["retry"]), (&json!("request"), &json!(false)), "{at}: {problem}");
    match status {
        // Ticket systems prove who they are by a signature, not by a token.
        401 if wrong.path.contains("/callbacks/") => {}
        401 | 403 => assert!(header("www-authenticate").starts_with("Bearer"), "{at}"),
        405 => assert!(!header("allow").is_empty(), "{at}"),
        415 => assert_eq!(header("accept-encoding"), "identity", "{at}"),
        _ => {}
    }
    problem["code"].clone()
}

#[tokio::test]
async fn each_route_refuses_each_wrong_request_by_a_problem_and_changes_nothing() {
    let (mut state, outlet) = desk_of(&one_for_each_role());
    let reloads = Arc::new(AtomicUsize::new(0));
    let count = reloads.clone();
    state.reload = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Err(NotReloaded::Gone) })
    });
    let switch = serve_switch(&state, outlet, Reply::Done);
    let schema = json!({ "$ref": "#/components/schemas/Problem", "components": document::DOCUMENT["components"] });
    let (schema, router) = (jsonschema::validator_for(&schema).unwrap(), router(state.clone()));
    let (mut codes, mut asked) = (BTreeSet::new(), 0);
    for operation in operations() {
        let problem = json!({ "$ref": "#/components/responses/Problem" });
        assert_eq!(operation.own["responses"]["default"], problem, "{} {}", operation.method, operation.path);
        for wrong in operation.wrongs() {
            let [en, zh] = [answer(&router, &wrong, "en").await, answer(&router, &wrong, "zh").await];
            let code = judge(&wrong, "en", &en, &schema);
            assert_eq!(code, judge(&wrong, "zh", &zh, &schema), "{}", wrong.path);
            codes.insert(code.as_str().unwrap().to_owned());
            asked += 1;
            assert_eq!(switch.asked(), 0, "{} {} ({}) came to the switch", wrong.method, wrong.path, wrong.what);
        }
    }
    assert!(asked > 700, "{asked}");
    assert_eq!((reloads.load(Ordering::Relaxed), state.done.len()), (0, 0));
    for code in ["bad_request", "unauthorized", "forbidden", "not_found", "wrong_method", "body_too_long", "encoding", "body"] {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
}

/// A body that does not come, or ends too early, is told so over the connection itself.
#[tokio::test]
async fn a_body_that_is_not_whole_is_a_problem_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut state, outlet) = desk_of(&Http::default());
    state.patience = Duration::from_millis(50);
    let switch = serve_switch(&state, outlet, Reply::Done);
    let address = serve(&state).await;
    let head = "POST /api/v1/seats/zhang/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("\"code\":\"body_late\""), "{text}");
    assert!(text.contains("\"fault\":\"request\"") && text.contains("\"retry\":true"), "{text}");
    assert_eq!(switch.asked(), 0);
}

/// The gateway's faults are not the request's: an overloaded switch, one that refuses, a journal that cannot be read.
#[tokio::test]
async fn whose_fault_it_is_follows_the_status_where_nobody_knows_better() {
    for (status, code, fault, retry) in [
        (409, "conflict", "state", false),
        (410, "no_longer_there", "state", false),
        (426, "upgrade", "request", false),
        (429, "too_often", "state", true),
        (500, "broken", "gateway", false),
        (503, "unavailable", "gateway", true),
        (504, "no_answer", "gateway", true),
    ] {
        let problem = Problem::new(StatusCode::from_u16(status).unwrap(), both!("no", "不"));
        let body = to_bytes(problem.into_response().into_body(), 1 << 16).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["fault"], &body["retry"]), (&json!(code), &json!(fault), &json!(retry)), "{body}");
    }
    let state = state();
    let ask = |path: &'static str| {
        let wrong = Wrong { what: "", method: "GET".into(), path: path.into(), headers: vec![], body: vec![], statuses: &[] };
        let router = router(state.clone());
        async move { answer(&router, &wrong, "zh").await }
    };
    state.switch_figures.post(Figures::default);
    let (status, _, body) = ask("/healthz").await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["code"], &body["fault"]), (503, &json!("unavailable"), &json!("gateway")));
}
