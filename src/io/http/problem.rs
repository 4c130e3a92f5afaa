//! Errors as RFC 9457 problem details.

use axum::body::to_bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

const KIND: &str = "application/problem+json";

#[derive(Clone)]
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

    /// Nobody knows whether what was asked has been done.
    pub fn may_be_done(&self) -> bool {
        self.status == StatusCode::GATEWAY_TIMEOUT
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

/// What the framework refuses by itself becomes a problem too.
pub async fn always(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !(status.is_client_error() || status.is_server_error()) || kind == KIND {
        return response;
    }
    let said = to_bytes(response.into_body(), 1024).await.unwrap_or_default();
    Problem::new(status, String::from_utf8_lossy(&said)).into_response()
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
        let kind = [(header::CONTENT_TYPE, KIND)];
        match challenge {
            Some(challenge) => (self.status, kind, challenge, body.to_string()).into_response(),
            None => (self.status, kind, body.to_string()).into_response(),
        }
    }
}
