//! The endpoints that the interface serves: each method and path with the right that it needs, and who is let through.

use super::ApiState;
use super::problem::Problem;
use super::websocket;
use crate::base::Shown;
use crate::control::{Holder, Missing, Right};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use http_body_util::LengthLimitError;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes that a request may bring along, where nothing else is said.
const BODY: usize = 64 << 10;

pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    /// None: anybody may, always.
    pub right: Option<Right>,
    /// Bytes that a request may bring along.
    body: usize,
    /// A signed link opens it too; its handler judges it, and finds no [`Holder`] then.
    linked: bool,
    serve: MethodRouter<ApiState>,
}

impl Endpoint {
    pub fn get<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, ApiState>) -> Endpoint {
        Endpoint { method: Method::GET, path, right: right.into(), body: BODY, linked: false, serve: routing::get(handler) }
    }

    pub fn post<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, ApiState>) -> Endpoint {
        Endpoint { method: Method::POST, path, right: right.into(), body: BODY, linked: false, serve: routing::post(handler) }
    }

    pub fn delete<T: 'static>(
        path: &'static str,
        right: impl Into<Option<Right>>,
        handler: impl Handler<T, ApiState>,
    ) -> Endpoint {
        Endpoint { method: Method::DELETE, path, right: right.into(), body: BODY, linked: false, serve: routing::delete(handler) }
    }

    /// By whatever method.
    pub fn any<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, ApiState>) -> Endpoint {
        Endpoint { method: Method::GET, path, right: right.into(), body: BODY, linked: false, serve: routing::any(handler) }
    }

    /// Up to so many bytes.
    pub fn taking(self, body: usize) -> Endpoint {
        Endpoint { body, ..self }
    }

    /// Where a signature stands in the query, it does without a token.
    pub fn linked(self) -> Endpoint {
        Endpoint { linked: true, ..self }
    }

    pub fn add_to(self, router: Router<ApiState>, state: &ApiState) -> Router<ApiState> {
        let gate = Gate { state: state.clone(), right: self.right, body: self.body, linked: self.linked };
        // The gate alone bounds bodies.
        let serve = self.serve.layer(DefaultBodyLimit::disable());
        router.route(self.path, serve.layer(middleware::from_fn_with_state(gate, pass)))
    }
}

#[derive(Clone)]
struct Gate {
    state: ApiState,
    right: Option<Right>,
    body: usize,
    linked: bool,
}

/// Lets those through whose token has the right, once their request is whole; handlers find the [`Holder`] among its
/// extensions.
async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let signed = gate.linked && request.uri().query().is_some_and(|query| query.contains("signature="));
    let holder = match gate.right.map(|right| allowed(&gate.state, request.headers(), right)).transpose() {
        Ok(holder) => holder,
        Err(_) if signed => None,
        Err(problem) => return problem.into_response(),
    };
    if let Some(encoding) =
        request.headers().get(header::CONTENT_ENCODING).filter(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let encoding = Shown(&String::from_utf8_lossy(encoding.as_bytes())).to_string();
        let detail =
            both!("a body is taken as it is, not encoded by `{encoding}`", "请求内容须原样发送，不支持编码 `{encoding}`");
        // RFC 9110 §15.5.16.
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        return ([(header::ACCEPT_ENCODING, "identity")], problem).into_response();
    }
    match whole(request, gate.body, gate.state.patience).await {
        Ok(mut request) => {
            holder.map(|holder| request.extensions_mut().insert(holder));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// With its body read to the end: nobody holds a handler up.
async fn whole(request: Request, most: usize, patience: Duration) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    match timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(error)) if Error::source(&error).is_some_and(|cause| cause.is::<LengthLimitError>()) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            both!("the body is longer than {most} bytes", "请求内容超过 {most} 字节"),
        )),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, both!("the body ends too early", "请求内容提前结束"))),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            both!("the body did not come within {patience:?}", "请求内容未在 {patience:?} 内到达"),
        )),
    }
}

/// The one who asks, by the token that the request carries, or anybody where nobody needs one; none: a stranger.
pub fn caller(state: &ApiState, headers: &HeaderMap, token: Option<&[u8]>) -> Option<Arc<Holder>> {
    let known = token.and_then(|token| state.tokens.holder(token));
    known.or_else(|| state.tokens.anybody().filter(|_| !from_a_page(headers)))
}

fn allowed(state: &ApiState, headers: &HeaderMap, right: Right) -> Result<Arc<Holder>, Problem> {
    let token = bearer(headers).map(<[u8]>::to_vec).or_else(|| websocket::token(headers));
    let unknown = || unknown(token.is_some(), state.tokens.none());
    let holder = caller(state, headers, token.as_deref()).ok_or_else(unknown)?;
    match holder.must(right) {
        Ok(()) => Ok(holder),
        Err(missing) => Err(forbidden(&holder, missing)),
    }
}

pub fn forbidden(holder: &Holder, missing: Missing) -> Problem {
    let needed: Vec<&str> = missing.roles().collect();
    let has: Vec<&str> = holder.roles.iter().map(|role| role.name()).collect();
    let (name, has) = (&holder.name, has.join(", "));
    let (either, one) = (needed.join(" or "), needed.join(" 或 "));
    let detail = both!("this needs the role {either}; `{name}` has: {has}", "需要角色 {one}；`{name}` 的角色为 {has}");
    // RFC 6750 §3.1.
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", needed.join(" "));
    Problem::new(StatusCode::FORBIDDEN, detail).needing(needed).challenging(challenge)
}

/// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Sent by a page that somebody on this machine looks at in a browser: it says so, or knows us by a name of its own.
fn from_a_page(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
    let ours = name.eq_ignore_ascii_case("localhost") || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    headers.contains_key(header::ORIGIN) || !ours
}

fn unknown(given: bool, none_needed: bool) -> Problem {
    let (challenge, detail) = match (given, none_needed) {
        (_, true) => (
            "Bearer",
            both!(
                "without a token nothing is done for pages in a browser or under a name of their own: set one in [http.tokens.NAME]",
                "没有令牌时不为浏览器页面或其他名称的访问办理：请在 [http.tokens.名称] 中设置令牌"
            ),
        ),
        (true, false) => {
            ("Bearer error=\"invalid_token\"", both!("this bearer token is none of [http.tokens]", "此令牌不在 [http.tokens] 中"))
        }
        (false, false) => {
            ("Bearer", both!("a bearer token is needed: `Authorization: Bearer …`", "需要令牌：`Authorization: Bearer …`"))
        }
    };
    Problem::new(StatusCode::UNAUTHORIZED, detail).challenging(challenge)
}
