//! What the interface serves: each method and path with the right that it needs, and who is let through.

use super::Desk;
use super::problem::Problem;
use crate::control::{Holder, Missing, Right};
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use std::net::IpAddr;
use std::sync::Arc;

pub struct Endpoint {
    pub method: Method,
    pub path: &'static str,
    /// None: anybody may, always.
    pub right: Option<Right>,
    serve: MethodRouter<Desk>,
}

impl Endpoint {
    pub fn get<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, Desk>) -> Endpoint {
        Endpoint { method: Method::GET, path, right: right.into(), serve: routing::get(handler) }
    }

    pub fn post<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, Desk>) -> Endpoint {
        Endpoint { method: Method::POST, path, right: right.into(), serve: routing::post(handler) }
    }

    pub fn delete<T: 'static>(path: &'static str, right: impl Into<Option<Right>>, handler: impl Handler<T, Desk>) -> Endpoint {
        Endpoint { method: Method::DELETE, path, right: right.into(), serve: routing::delete(handler) }
    }

    pub fn add_to(self, router: Router<Desk>, desk: &Desk) -> Router<Desk> {
        match self.right {
            None => router.route(self.path, self.serve),
            Some(right) => {
                let guard = middleware::from_fn_with_state((desk.clone(), right), guard);
                router.route(self.path, self.serve.layer(guard))
            }
        }
    }
}

/// Lets those through whose token has the right; handlers find the [`Holder`] among the request's extensions.
async fn guard(State((desk, right)): State<(Desk, Right)>, mut request: Request, next: Next) -> Response {
    match allowed(&desk, request.headers(), right) {
        Ok(holder) => {
            request.extensions_mut().insert(holder);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn allowed(desk: &Desk, headers: &HeaderMap, right: Right) -> Result<Arc<Holder>, Problem> {
    let token = bearer(headers);
    let holder = match token.and_then(|token| desk.tokens.holder(token)) {
        Some(holder) => holder,
        None if desk.tokens.none() && !from_a_page(headers) => Arc::new(Holder::anybody()),
        None => return Err(unknown(token.is_some(), desk.tokens.none())),
    };
    match holder.must(right) {
        Ok(()) => Ok(holder),
        Err(missing) => Err(forbidden(&holder, missing)),
    }
}

fn forbidden(holder: &Holder, missing: Missing) -> Problem {
    let needed: Vec<&str> = missing.roles().collect();
    let has: Vec<&str> = holder.roles.iter().map(|role| role.name()).collect();
    let detail = format!("this needs the role {}; `{}` has: {}", needed.join(" or "), holder.name, has.join(", "));
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
            "without a token nothing is done for pages in a browser or under a name of their own: set one in [http.tokens.NAME]",
        ),
        (true, false) => ("Bearer error=\"invalid_token\"", "this bearer token is none of [http.tokens]"),
        (false, false) => ("Bearer", "a bearer token is needed: `Authorization: Bearer …`"),
    };
    Problem::new(StatusCode::UNAUTHORIZED, detail).challenging(challenge)
}
