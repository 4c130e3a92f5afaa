//! Errors as RFC 9457 problem details.

use crate::record::report::Fault;
use axum::body::to_bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const KIND: &str = "application/problem+json";

#[derive(Clone)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Extension members (RFC 9457 §3.2).
    members: Map<String, Value>,
    challenge: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), members: Map::new(), challenge: None }
    }

    /// Nobody knows whether what was asked has been done.
    pub fn may_be_done(&self) -> bool {
        self.status == StatusCode::GATEWAY_TIMEOUT
    }

    /// All that is wrong, in the extension member `errors`.
    pub fn because(self, errors: Vec<String>) -> Problem {
        self.with("errors", errors)
    }

    /// As above, each at its place in the body (RFC 9457 §3).
    pub fn at_fault(self, faults: Vec<Fault>) -> Problem {
        let error = |fault: Fault| json!({ "pointer": format!("#{}", fault.pointer), "detail": fault.what.en });
        self.with("errors", faults.into_iter().map(error).collect::<Vec<_>>())
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

/// Refusals that the framework writes by itself become problems too.
pub async fn always(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let told = kind == KIND || response.extensions().get::<ForPeople>().is_some();
    if !(status.is_client_error() || status.is_server_error()) || told {
        return response;
    }
    let said = to_bytes(response.into_body(), 1024).await.unwrap_or_default();
    Problem::new(status, String::from_utf8_lossy(&said)).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail });
        for (member, value) in self.members {
            body[member] = value;
        }
        let challenge = self.challenge.and_then(|text| HeaderValue::try_from(text).ok());
        let challenge = challenge.map(|value| [(header::WWW_AUTHENTICATE, value)]);
        let kind = [(header::CONTENT_TYPE, KIND)];
        match challenge {
            Some(challenge) => (self.status, kind, challenge, body.to_string()).into_response(),
            None => (self.status, kind, body.to_string()).into_response(),
        }
    }
}
