//! Errors as RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<String>,
    needs: Vec<&'static str>,
    challenge: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), errors: Vec::new(), needs: Vec::new(), challenge: None }
    }

    /// All that is wrong, in the extension member `errors` (RFC 9457 §3.2).
    pub fn because(self, errors: Vec<String>) -> Problem {
        Problem { errors, ..self }
    }

    /// Any of these roles would do, in the extension member `needs`.
    pub fn needing(self, needs: Vec<&'static str>) -> Problem {
        Problem { needs, ..self }
    }

    /// What the client should prove who it is by (RFC 9110 §11.6.1).
    pub fn challenging(self, challenge: impl Into<String>) -> Problem {
        Problem { challenge: Some(challenge.into()), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({ "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail });
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        if !self.needs.is_empty() {
            body["needs"] = json!(self.needs);
        }
        let challenge = self.challenge.and_then(|text| HeaderValue::try_from(text).ok());
        let challenge = challenge.map(|value| [(header::WWW_AUTHENTICATE, value)]);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        match challenge {
            Some(challenge) => (self.status, kind, challenge, body.to_string()).into_response(),
            None => (self.status, kind, body.to_string()).into_response(),
        }
    }
}
