//! Checks that a request must pass before anyone looks at what it wants (RFC 3261 §8.2), and what we say that we can do.

use super::registrar;
use crate::sip::{Content, Header, Headers, Method, Name, Request, Scheme, optional, plain};

pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER";
pub const SUPPORTED: &str = "100rel, timer, replaces, norefersub";
/// RFC 3261 §20.2: bodies come as they are.
pub const ENCODING: &str = "identity";
pub const ACCEPT: &str = "application/sdp, multipart/mixed";

/// A request's refusal, with the header that explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub header: Option<Header>,
}

impl Refusal {
    /// Without a word more than the status.
    pub fn new(status: u16) -> Refusal {
        Refusal { status, header: None }
    }

    pub fn with(status: u16, name: Name, value: impl Into<bytes::Bytes>) -> Refusal {
        Refusal { status, header: Some(Header { name, value: value.into() }) }
    }
}

/// Method, URI scheme, extensions and content type, in the order of §8.2. `registrar`: phones may register.
pub fn admissible(request: &Request, registrar: bool) -> Result<(), Refusal> {
    match &request.method {
        Method::Register if registrar => {}
        Method::Notify => return Err(unsubscribed(&request.headers)),
        Method::Other(_) => return Err(Refusal::with(501, Name::Allow, ALLOW)),
        method if !allowed(method) => return Err(Refusal::with(405, Name::Allow, ALLOW)),
        _ => {}
    }
    if request.uri.scheme == Scheme::Sips {
        return Err(Refusal::new(416));
    }
    // RFC 3891 §3: at most one, and only in an INVITE.
    if request.headers.all(&Name::Replaces).count() > usize::from(request.method == Method::Invite) {
        return Err(Refusal::new(400));
    }
    let more = if request.method == Method::Register { registrar::SUPPORTED } else { "" };
    if let Some(unsupported) = unsupported(&request.headers, more) {
        return Err(Refusal::with(420, Name::Unsupported, unsupported));
    }
    // §21.4.13. A BYE ends the call whatever it carries.
    if request.method != Method::Bye && !request.body.is_empty() && encoded(&request.headers) {
        return Err(Refusal::with(415, Name::AcceptEncoding, ENCODING));
    }
    if describes_session(&request.method) {
        let content = Content::session(&request.headers, &request.body).ok_or(Refusal::new(400))?;
        if content.foreign && content.found.is_none() {
            return Err(Refusal::with(415, Name::Accept, ACCEPT));
        }
    }
    Ok(())
}

fn allowed(method: &Method) -> bool {
    use Method::{Ack, Bye, Cancel, Info, Invite, Options, Prack, Refer, Update};
    matches!(method, Invite | Ack | Cancel | Bye | Options | Prack | Update | Info | Refer)
}

/// We subscribe to nothing: 481 for a package that we know, 489 for another (RFC 6665 §4.1.3, §8.3.2).
fn unsubscribed(headers: &Headers) -> Refusal {
    let event = headers.text(&Name::Event).unwrap_or_default();
    match event.split(';').next().map(str::trim) {
        Some(package) if package.eq_ignore_ascii_case("refer") => Refusal::new(481),
        _ => Refusal::with(489, Name::AllowEvents, "refer"),
    }
}

/// True for a body that is encoded in a way that we cannot undo. One that may be ignored is ignored (§20.11).
fn encoded(headers: &Headers) -> bool {
    !plain(headers) && !optional(headers)
}

fn describes_session(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Prack)
}

/// More extensions than this are not named to who requires them: no answer grows with its request.
const MOST_UNSUPPORTED: usize = 16;
const LONGEST_TOKEN: usize = 64;

/// The extensions required that we do not have (§8.2.2.3).
fn unsupported(headers: &Headers, more: &str) -> Option<String> {
    let known = || SUPPORTED.split(", ").chain(more.split(", "));
    let ours = |token: &str| known().any(|known| known.eq_ignore_ascii_case(token));
    let required = headers.all(&Name::Require).map(|value| String::from_utf8_lossy(value).into_owned());
    let unknown: Vec<String> = required
        .flat_map(|value| value.split(',').map(|token| token.trim().to_owned()).collect::<Vec<_>>())
        .filter(|token| !token.is_empty() && !ours(token))
        .take(MOST_UNSUPPORTED)
        .map(|token| token.chars().take(LONGEST_TOKEN).collect())
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Uri;

    #[test]
    fn an_answer_names_only_so_many_extensions_and_is_not_longer_than_its_request() {
        let mut request = Request::new(Method::Options, Uri::parse(b"sip:a@b").unwrap());
        for _ in 0..8 {
            request.headers.push(Name::Require, "100rel, a".repeat(900));
        }
        let named = unsupported(&request.headers, "").unwrap();
        assert!(named.split(", ").count() == MOST_UNSUPPORTED && named.len() < 2000, "{named}");
    }
}
