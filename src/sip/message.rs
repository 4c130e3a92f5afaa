use crate::sip::{Headers, Method, Status, Uri};
use bytes::Bytes;

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
    pub fn to_bytes(&self) -> Bytes {
        todo!()
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
        let _ = (status, to_tag);
        todo!()
    }

    /// Sets the body and its Content-Type.
    pub fn with_body(mut self, content_type: &'static str, body: Bytes) -> Request {
        self.headers.set(crate::sip::Name::ContentType, content_type);
        self.body = body;
        self
    }
}

impl Response {
    /// Sets the body and its Content-Type.
    pub fn with_body(mut self, content_type: &'static str, body: Bytes) -> Response {
        self.headers.set(crate::sip::Name::ContentType, content_type);
        self.body = body;
        self
    }
}
