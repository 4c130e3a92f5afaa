//! Tests that take a whole message.

mod description;
mod digest;
mod masked;
mod oracle;
mod ordinary;
mod torture;

use super::*;
use bytes::Bytes;

fn parse(text: impl AsRef<[u8]>) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_ref()))
}

#[track_caller]
fn request(text: impl AsRef<[u8]>) -> Request {
    match parse(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn response(text: impl AsRef<[u8]>) -> Response {
    match parse(text) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// The status of the answer that goes out.
#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> u16 {
    let error = parse(text).unwrap_err();
    let answer = error.answer.expect("an answer");
    assert_eq!(answer.status, error.status);
    error.status.0
}

/// Dropped without an answer.
#[track_caller]
fn dropped(text: impl AsRef<[u8]>) {
    assert_eq!(parse(text).unwrap_err().answer, None);
}

/// A request with a head that is complete, `extra` lines (each with its CRLF) and a body.
fn with(start: &str, method: &str, extra: &str, body: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.7:5066;branch=z9hG4bKa1;rport\r\nMax-Forwards: 70\r\n\
         From: \"Caller\" <sip:13800138000@192.0.2.7>;tag=f1\r\nTo: <sip:12345@192.0.2.1>\r\nCall-ID: c1@192.0.2.7\r\n\
         CSeq: 7 {method}\r\n{extra}\r\n{body}"
    )
}

fn invite(extra: &str, body: &str) -> String {
    with("INVITE sip:12345@192.0.2.1;user=phone SIP/2.0", "INVITE", extra, body)
}
