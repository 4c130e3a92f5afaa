//! Errors as RFC 9457 problem details.

use crate::base::{Text, Tongue};
use crate::record::report::Fault as Placed;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const KIND: &str = "application/problem+json";

#[derive(Clone)]
pub struct Problem {
    status: StatusCode,
    detail: Box<Text>,
    /// All that is wrong, in the extension member `errors` (RFC 9457 §3.2): sentences, or each at its place in the body.
    errors: Errors,
    /// The reason for programs, the side at fault, and whether the same request may work later: the status says them where
    /// nobody knows better, so that no problem is without them.
    code: &'static str,
    fault: Fault,
    retry: bool,
    members: Map<String, Value>,
    challenge: Option<String>,
    /// Seconds.
    again_in: Option<u8>,
}

/// The side that has to change something before the same request works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request itself.
    Request,
    /// It does not fit how things stand now.
    State,
    Gateway,
}

#[derive(Clone)]
enum Errors {
    Told(Vec<Text>),
    Placed(Vec<Placed>),
}

impl Problem {
    pub fn new(status: StatusCode, detail: Text) -> Problem {
        let (code, fault, retry) = of_status(status);
        Problem {
            status,
            detail: Box::new(detail),
            errors: Errors::Told(Vec::new()),
            code,
            fault,
            retry,
            members: Map::new(),
            challenge: None,
            again_in: None,
        }
    }

    /// Nobody knows whether what was asked has been done.
    pub fn may_be_done(&self) -> bool {
        matches!(self.status, StatusCode::GATEWAY_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub fn because(self, errors: Vec<Text>) -> Problem {
        Problem { errors: Errors::Told(errors), ..self }
    }

    pub fn at_fault(self, faults: Vec<Placed>) -> Problem {
        Problem { errors: Errors::Placed(faults), ..self }
    }

    /// Any of these roles would do, in the extension member `needs`.
    pub fn needing(self, needs: Vec<&'static str>) -> Problem {
        self.with("needs", needs)
    }

    /// The area codes to choose from, in the extension member `areas`.
    pub fn choosing(self, areas: Vec<Arc<str>>) -> Problem {
        self.with("areas", areas)
    }

    /// Tells the client by what it should prove who it is (RFC 9110 §11.6.1).
    pub fn challenging(self, challenge: impl Into<String>) -> Problem {
        Problem { challenge: Some(challenge.into()), ..self }
    }

    /// Asks the client to come back after so many seconds (RFC 9110 §10.2.3).
    pub fn again_in(self, seconds: u8) -> Problem {
        Problem { again_in: Some(seconds), ..self }
    }

    /// Says in the extension members `fault` and `retry` whose fault it is, and whether the same request may work later.
    pub fn blaming(self, fault: Fault, retry: bool) -> Problem {
        Problem { fault, retry, ..self }
    }

    /// Names the reason for programs, in the extension member `code`.
    pub fn coded(self, code: &'static str) -> Problem {
        Problem { code, ..self }
    }

    /// The reason's name.
    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// All that people read, in one line: the sentence, and what is wrong where.
    pub fn whole(&self) -> Text {
        let place =
            |fault: &Placed| Text::foreign(fault.pointer.trim_start_matches('/')).then(&both!(" ", " ")).then(&fault.what);
        let errors: Vec<Text> = match &self.errors {
            Errors::Told(errors) => errors.clone(),
            Errors::Placed(faults) => faults.iter().map(place).collect(),
        };
        let detail = Text::clone(&self.detail);
        if errors.is_empty() { detail } else { detail.then(&both!(": ", "：")).then(&Text::joined(&errors)) }
    }

    fn with(mut self, member: &str, values: impl Serialize) -> Problem {
        let values = json!(values);
        if values.as_array().is_some_and(|values| !values.is_empty()) {
            self.members.insert(member.to_owned(), values);
        }
        self
    }
}

/// Marks an answer that people read: it is no problem of a program's.
#[derive(Clone)]
pub struct ForPeople;

/// The framework's own refusals become problems too; and each is told in the language that is asked for. Handlers whose
/// answers have words in them find it among the request's extensions.
pub async fn always(mut request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tongue = Tongue::accepted(asked);
    request.extensions_mut().insert(tongue);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return problem.told(response, tongue);
    }
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<ForPeople>().is_some() {
        return response;
    }
    let (mut parts, said) = response.into_parts();
    let said = to_bytes(said, 1024).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said = if said.trim().is_empty() { status.canonical_reason().unwrap_or("Error") } else { &said };
    let zh = title(status);
    let problem = Problem::new(status, both!("{said}", "{zh}（{said}）"));
    // Headers that the refusal had say what would do (`Allow`, `Accept-Encoding`).
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut told = problem.clone().into_response();
    told.headers_mut().iter().for_each(|(name, value)| drop(parts.headers.insert(name, value.clone())));
    *told.headers_mut() = parts.headers;
    problem.told(told, tongue)
}

impl Problem {
    fn body(&self, tongue: Tongue) -> String {
        let title = match tongue {
            Tongue::English => self.status.canonical_reason().unwrap_or("Error"),
            Tongue::Chinese => title(self.status),
        };
        let detail = self.detail.told(tongue);
        let mut body = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": detail });
        let errors: Vec<Value> = match &self.errors {
            Errors::Told(errors) => errors.iter().map(|error| json!(error.told(tongue))).collect(),
            Errors::Placed(faults) => faults
                .iter()
                .map(|fault| json!({ "pointer": format!("#{}", fault.pointer), "detail": fault.what.told(tongue) }))
                .collect(),
        };
        if !errors.is_empty() {
            body["errors"] = json!(errors);
        }
        body["code"] = json!(self.code);
        body["fault"] = json!(self.fault);
        body["retry"] = json!(self.retry);
        self.members.iter().for_each(|(member, value)| body[member] = value.clone());
        body.to_string()
    }

    fn told(&self, mut response: Response, tongue: Tongue) -> Response {
        *response.body_mut() = Body::from(self.body(tongue));
        spoken(response, tongue)
    }
}

/// An answer whose words are in this language, because the request asks for it (RFC 9110 §12.5.4).
pub fn spoken(answer: impl IntoResponse, tongue: Tongue) -> Response {
    let mut response = answer.into_response();
    let language = if tongue == Tongue::Chinese { "zh" } else { "en" };
    response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language));
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-language"));
    response
}

/// The words that a status has for programs: the reason, the side at fault, and whether the same request may work later.
fn of_status(status: StatusCode) -> (&'static str, Fault, bool) {
    match status {
        StatusCode::UNAUTHORIZED => ("unauthorized", Fault::Request, false),
        StatusCode::FORBIDDEN => ("forbidden", Fault::Request, false),
        StatusCode::NOT_FOUND => ("not_found", Fault::Request, false),
        StatusCode::METHOD_NOT_ALLOWED => ("wrong_method", Fault::Request, false),
        StatusCode::REQUEST_TIMEOUT => ("body_late", Fault::Request, true),
        StatusCode::CONFLICT => ("conflict", Fault::State, false),
        StatusCode::GONE => ("no_longer_there", Fault::State, false),
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_long", Fault::Request, false),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("encoding", Fault::Request, false),
        StatusCode::RANGE_NOT_SATISFIABLE => ("range", Fault::Request, false),
        StatusCode::UNPROCESSABLE_ENTITY => ("unusable", Fault::Request, false),
        StatusCode::UPGRADE_REQUIRED => ("upgrade", Fault::Request, false),
        StatusCode::TOO_MANY_REQUESTS => ("too_often", Fault::State, true),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", Fault::Gateway, true),
        StatusCode::GATEWAY_TIMEOUT => ("no_answer", Fault::Gateway, true),
        status if status.is_server_error() => ("broken", Fault::Gateway, false),
        _ => ("bad_request", Fault::Request, false),
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "请求有误",
        StatusCode::UNAUTHORIZED => "未认证",
        StatusCode::FORBIDDEN => "没有权限",
        StatusCode::NOT_FOUND => "不存在",
        StatusCode::METHOD_NOT_ALLOWED => "方法不适用",
        StatusCode::REQUEST_TIMEOUT => "请求超时",
        StatusCode::CONFLICT => "冲突",
        StatusCode::GONE => "已不存在",
        StatusCode::PAYLOAD_TOO_LARGE => "内容过大",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "编码不支持",
        StatusCode::RANGE_NOT_SATISFIABLE => "范围无效",
        StatusCode::UNPROCESSABLE_ENTITY => "内容无法处理",
        StatusCode::UPGRADE_REQUIRED => "需要升级协议",
        StatusCode::TOO_MANY_REQUESTS => "请求过于频繁",
        StatusCode::INTERNAL_SERVER_ERROR => "内部错误",
        StatusCode::SERVICE_UNAVAILABLE => "暂不可用",
        StatusCode::GATEWAY_TIMEOUT => "应答超时",
        _ => "错误",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let challenge = self.challenge.as_ref().and_then(|text| HeaderValue::try_from(text.as_str()).ok());
        let mut response = (self.status, [(header::CONTENT_TYPE, KIND)], self.body(Tongue::English)).into_response();
        response.headers_mut().extend(challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
        response.headers_mut().extend(self.again_in.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)))));
        response.extensions_mut().insert(self);
        response
    }
}
