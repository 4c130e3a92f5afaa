//! Reads the session descriptions of requests and responses, or says why they are of no use.

use crate::sip::{Content, Name, Reach, Request, Response, Sdp, SdpError};
use crate::ua::Refusal;

pub(super) const SDP: &str = "application/sdp";

/// The session description of an admissible request.
pub(super) fn session(request: &Request, reach: Reach) -> Result<Option<Sdp>, Refusal> {
    described(content(request)?, reach)
}

/// The session description of a response to our offer: none where it has none, an error where we cannot use it.
pub(super) fn answer(response: &Response, reach: Reach) -> Result<Option<Sdp>, Refusal> {
    described(Content::session(&response.headers, &response.body).ok_or(Refusal::new(400))?, reach)
}

fn described(content: Content, reach: Reach) -> Result<Option<Sdp>, Refusal> {
    let Some((_, body)) = content.found else { return Ok(None) };
    match Sdp::parse(&body, reach) {
        Ok(sdp) => Ok(Some(sdp)),
        Err(error) => Err(unusable(error)),
    }
}

/// 488 with the reason (RFC 3261 §20.43), 400 where it is no description.
pub(super) fn unusable(error: SdpError) -> Refusal {
    let (code, text) = error.warning();
    let status = match error {
        SdpError::Malformed => 400,
        SdpError::TooMuch => 413,
        _ => 488,
    };
    Refusal::with(status, Name::Warning, format!("{code} hotline \"{text}\""))
}

fn content(request: &Request) -> Result<Content, Refusal> {
    Content::session(&request.headers, &request.body).ok_or(Refusal::new(400))
}
