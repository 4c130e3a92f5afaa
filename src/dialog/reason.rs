//! Why a leg ends, on the wire: status, Reason (RFC 3326), Retry-After.

use crate::dialog::{Cause, End, EndedBy};
use crate::sip::{Header, Headers, Name, Reason, Refused, Response, Status};
use std::sync::Arc;

impl Cause {
    /// The final status for an INVITE that is not answered yet.
    pub(super) fn refusal(&self) -> Status {
        if (300..700).contains(&self.status) { Status(self.status) } else { Status(480) }
    }

    /// For BYE and CANCEL: normal clearing (16) where nothing else is said.
    pub(super) fn reason(&self) -> Header {
        let reason = match self.elsewhere {
            true => Reason::sip(200, "Call completed elsewhere"),
            false => Reason::q850(self.q850.unwrap_or(16)),
        };
        Header { name: Name::Reason, value: reason.to_string().into() }
    }

    /// Adds what a refusal carries besides its status (RFC 6432, RFC 3261 §20.33).
    pub(super) fn onto(&self, headers: &mut Headers) {
        if let Some(cause) = self.q850 {
            headers.push(Name::Reason, Reason::q850(cause).to_string());
        }
        if let Some(after) = self.retry_after {
            headers.push(Name::RetryAfter, after.as_secs().to_string());
        }
    }
}

impl End {
    pub fn new(by: EndedBy, status: Option<u16>) -> End {
        End { by, status: status.map(Status), q850: None, retry_after: None, refused: None, elsewhere: false }
    }

    pub(super) fn refused(response: &Response, refused: Option<Arc<Refused>>) -> End {
        let (q850, retry_after) = (response.headers.q850(), response.headers.retry_after());
        End { q850, retry_after, refused, ..End::new(EndedBy::Peer, Some(response.status.0)) }
    }

    pub(super) fn with_reason(self, headers: &Headers) -> End {
        End { q850: headers.q850(), ..self }
    }

    /// A caller's CANCEL may say that another than us answered it (RFC 3326 §2).
    pub(super) fn cancelled(headers: &Headers) -> End {
        let elsewhere = |reason: Reason| reason.protocol.eq_ignore_ascii_case("SIP") && reason.cause == Some(200);
        let mut reasons = headers.all(&Name::Reason).filter_map(|value| Reason::parse(value));
        End { elsewhere: reasons.any(elsewhere), ..End::new(EndedBy::Peer, Some(487)).with_reason(headers) }
    }

    /// The status that ended it, as the RFCs would say it.
    pub fn said(&self) -> Option<u16> {
        self.refused.as_ref().map(|refused| refused.status).or(self.status.map(|status| status.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_without_a_status_is_480() {
        assert_eq!(Cause::default().refusal(), Status(480));
        assert_eq!(Cause { status: 200, ..Cause::default() }.refusal(), Status(480));
        assert_eq!(Cause { status: 486, ..Cause::default() }.refusal(), Status(486));
        let elsewhere = Cause { elsewhere: true, ..Cause::default() };
        assert_eq!(&elsewhere.reason().value[..], b"SIP;cause=200;text=\"Call completed elsewhere\"");
    }
}
