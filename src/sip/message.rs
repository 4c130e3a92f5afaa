use crate::sip::{Headers, Method, Name, NameAddr, Status, Uri};
use bytes::Bytes;
use std::io::{self, Write as _};

/// A SIP message, received or to be sent (RFC 3261 §7).
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: Status,
    /// The reason phrase as sent; empty means the standard one.
    pub reason: Bytes,
    pub headers: Headers,
    pub body: Bytes,
}

impl Message {
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(r) => &r.headers,
            Message::Response(r) => &r.headers,
        }
    }

    /// The message on the wire. Content-Length is written from the body, whatever the headers say.
    ///
    /// A value stays within its line whatever it holds: a CR, LF or NUL that somebody put there leaves as a space.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(1024);
        let (headers, body) = match self {
            Message::Request(r) => {
                line(&mut out, |out| {
                    out.extend_from_slice(r.method.as_bytes());
                    write!(out, " {} SIP/2.0", r.uri)
                });
                (&r.headers, &r.body)
            }
            Message::Response(r) => {
                let phrase = if r.reason.is_empty() { r.status.reason().as_bytes() } else { &r.reason };
                line(&mut out, |out| {
                    write!(out, "SIP/2.0 {} ", r.status.0)?;
                    out.write_all(phrase)
                });
                (&r.headers, &r.body)
            }
        };
        for header in headers.0.iter().filter(|h| h.name != Name::ContentLength) {
            line(&mut out, |out| {
                [header.name.as_bytes(), b": ", &header.value].into_iter().try_for_each(|part| out.write_all(part))
            });
        }
        line(&mut out, |out| write!(out, "Content-Length: {}", body.len()));
        line(&mut out, |_| Ok(()));
        out.extend_from_slice(body);
        out.into()
    }
}

impl Request {
    /// A request without headers.
    pub fn new(method: Method, uri: Uri) -> Request {
        Request { method, uri, headers: Headers::default(), body: Bytes::new() }
    }

    /// A response to this request with the headers that RFC 3261 §8.2.6.2 copies: all Via, From, To (with `to_tag`
    /// added where the request has none and a tag is given), Call-ID, CSeq, and Record-Route (§12.1.1) and Timestamp.
    pub fn reply(&self, status: Status, to_tag: Option<&str>) -> Response {
        answer(&self.headers, status, to_tag)
    }

    /// Sets the body and its Content-Type.
    pub fn with_body(mut self, content_type: &'static str, body: Bytes) -> Request {
        self.headers.set(Name::ContentType, content_type);
        self.body = body;
        self
    }
}

impl Response {
    /// Another response to the same request.
    pub fn instead(&self, status: Status, to_tag: Option<&str>) -> Response {
        answer(&self.headers, status, to_tag)
    }

    /// With this tag in To in the place of the one that we put at its end.
    pub fn retagged(mut self, tag: &str) -> Response {
        for to in self.headers.0.iter_mut().filter(|header| header.name == Name::To) {
            if let Some(bare) = super::tag(&to.value).and_then(|old| to.value.strip_suffix(old)) {
                to.value = [bare, tag.as_bytes()].concat().into();
            }
        }
        self
    }
}

/// Headers that an answer repeats of its request.
pub(super) const REPEATED: [Name; 7] =
    [Name::Via, Name::RecordRoute, Name::From, Name::To, Name::CallId, Name::CSeq, Name::Timestamp];

/// A response to whatever had these headers.
pub(super) fn answer(headers: &Headers, status: Status, to_tag: Option<&str>) -> Response {
    let mut copy = Headers(headers.0.iter().filter(|h| REPEATED.contains(&h.name)).cloned().collect());
    for to in copy.0.iter_mut().filter(|h| h.name == Name::To) {
        if let Some(tag) = to_tag.filter(|_| NameAddr::parse(&to.value).is_some_and(|n| n.tag().is_none())) {
            to.value = [&to.value[..], b";tag=", tag.as_bytes()].concat().into();
        }
    }
    Response { status, reason: Bytes::new(), headers: copy, body: Bytes::new() }
}

/// Writes one line of the head.
fn line(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let begin = out.len();
    // Writing to a Vec does not fail.
    let _ = write(out);
    for b in &mut out[begin..] {
        if matches!(b, b'\r' | b'\n' | 0) {
            *b = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

impl Response {
    /// Sets the body and its Content-Type.
    pub fn with_body(mut self, content_type: &'static str, body: Bytes) -> Response {
        self.headers.set(Name::ContentType, content_type);
        self.body = body;
        self
    }
}
