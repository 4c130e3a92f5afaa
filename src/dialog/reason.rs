//! Why a leg ends, on the wire: status, Reason (RFC 3326), Retry-After.

use crate::dialog::{Cause, End, EndedBy};
use crate::sip::{Header, Headers, Name, Reason, Response, Status};

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
    pub(super) fn new(by: EndedBy, status: Option<u16>) -> End {
        End { by, status: status.map(Status), q850: None, retry_after: None }
    }

    pub(super) fn refused(response: &Response) -> End {
        End {
            by: EndedBy::Peer,
            status: Some(response.status),
            q850: response.headers.q850(),
            retry_after: response.headers.retry_after(),
        }
    }

    pub(super) fn with_reason(self, headers: &Headers) -> End {
        End { q850: headers.q850(), ..self }
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
