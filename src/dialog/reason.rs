//! Why a leg ends, on the wire: status, Reason (RFC 3326), Retry-After.

use crate::dialog::{Cause, End, EndedBy};
use crate::sip::{Header, Headers, Name, Response, Status};
use std::time::Duration;

impl Cause {
    /// The final status for an INVITE that is not answered yet.
    pub(super) fn refusal(&self) -> Status {
        if (300..700).contains(&self.status) { Status(self.status) } else { Status(480) }
    }

    /// For BYE and CANCEL: normal clearing (16) where nothing else is said.
    pub(super) fn reason(&self) -> Header {
        let value = if self.elsewhere {
            "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned()
        } else {
            format!("Q.850;cause={}", self.q850.unwrap_or(16))
        };
        Header { name: Name::Reason, value: value.into() }
    }

    /// What a refusal carries besides its status (RFC 6432, RFC 3261 §20.33).
    pub(super) fn onto(&self, headers: &mut Headers) {
        if let Some(cause) = self.q850 {
            headers.push(Name::Reason, format!("Q.850;cause={cause}"));
        }
        if let Some(after) = self.retry_after {
            headers.push(Name::RetryAfter, after.as_secs().to_string());
        }
    }
}

impl End {
    pub(super) fn new(by: EndedBy, status: Option<u16>) -> End {
        End { by, status: status.map(Status), q850: None, retry_after: None }
    }

    pub(super) fn refused(response: &Response) -> End {
        End {
            by: EndedBy::Peer,
            status: Some(response.status),
            q850: q850(&response.headers),
            retry_after: retry_after(&response.headers),
        }
    }

    pub(super) fn with_reason(self, headers: &Headers) -> End {
        End { q850: q850(headers), ..self }
    }
}

fn q850(headers: &Headers) -> Option<u8> {
    headers.all(&Name::Reason).find_map(|value| {
        let text = String::from_utf8_lossy(value);
        let mut parts = text.split(';').map(str::trim);
        parts.next().filter(|protocol| protocol.eq_ignore_ascii_case("Q.850"))?;
        parts.filter_map(|p| p.split_once('=')).find(|(n, _)| n.trim().eq_ignore_ascii_case("cause"))?.1.trim().parse().ok()
    })
}

/// Delta seconds; what follows (a comment, parameters) does not matter to us.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let text = headers.text(&Name::RetryAfter)?;
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_peers_write() {
        let mut headers = Headers::default();
        headers.push(Name::Reason, "SIP;cause=486;text=\"Busy\"");
        headers.push(Name::Reason, "q.850 ; cause = 17;text=\"User busy\"");
        headers.push(Name::RetryAfter, "30 (in a meeting);duration=5");
        assert_eq!(q850(&headers), Some(17));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_cause_without_a_status_is_480() {
        assert_eq!(Cause::default().refusal(), Status(480));
        assert_eq!(Cause { status: 200, ..Cause::default() }.refusal(), Status(480));
        assert_eq!(Cause { status: 486, ..Cause::default() }.refusal(), Status(486));
        let elsewhere = Cause { elsewhere: true, ..Cause::default() };
        assert_eq!(&elsewhere.reason().value[..], b"SIP;cause=200;text=\"Call completed elsewhere\"");
    }
}
