//! A message of ours, read from the bytes that [`Message::to_bytes`](crate::sip::Message::to_bytes) made. The parser refuses
//! what is too long for it, and that is what could not be sent.

use crate::sip::{Method, Via};
use bytes::Bytes;
use std::borrow::Cow;
use std::ops::Range;

pub struct Written<'a> {
    data: &'a Bytes,
    response: bool,
    /// The values of the topmost Via and of CSeq.
    via: Range<usize>,
    cseq: Range<usize>,
}

impl Written<'_> {
    pub fn read(data: &Bytes) -> Option<Written<'_>> {
        let (mut at, mut via, mut cseq) = (0, None, None);
        for line in data.split(|b| *b == b'\n') {
            let end = at + line.strip_suffix(b"\r")?.len();
            if at == end {
                break;
            }
            let value = |name: &str| line.starts_with(name.as_bytes()).then_some(at + name.len()..end);
            via = via.or_else(|| value("Via: "));
            cseq = cseq.or_else(|| value("CSeq: "));
            if via.is_some() && cseq.is_some() {
                break;
            }
            at += line.len() + 1;
        }
        Some(Written { data, response: data.starts_with(b"SIP/"), via: via?, cseq: cseq? })
    }

    pub fn is_response(&self) -> bool {
        self.response
    }

    pub fn via(&self) -> Option<Via<'_>> {
        Via::parse(&self.data[self.via.clone()])
    }

    pub fn branch(&self) -> Option<String> {
        self.via()?.branch().map(Cow::into_owned)
    }

    pub fn method(&self) -> Option<Method> {
        let cseq = &self.data[self.cseq.clone()];
        Method::parse(cseq.split(u8::is_ascii_whitespace).next_back()?)
    }

    /// The same message with another topmost Via.
    pub fn with_via(&self, via: &str) -> Bytes {
        [&self.data[..self.via.start], via.as_bytes(), &self.data[self.via.end..]].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Message, Name, Request, Status, Uri};

    #[test]
    fn what_is_too_long_for_the_parser_is_read_all_the_same() {
        let mut request = Request::new(Method::Invite, Uri::parse(b"sip:a@b").unwrap());
        request.headers.push(Name::Subject, "Via: no\r\nVia: no");
        request.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=first");
        request.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=second");
        request.headers.push(Name::CSeq, "7 INVITE");
        request.headers.push(Name::HistoryInfo, "x".repeat(70_000));
        let data = Message::Request(request.clone()).to_bytes();
        assert!(Message::parse(data.clone()).is_err());
        let written = Written::read(&data).unwrap();
        assert_eq!((written.branch().as_deref(), written.method()), (Some("first"), Some(Method::Invite)));
        assert!(!written.is_response());
        let moved = written.with_via("SIP/2.0/TCP 192.0.2.1:5060;branch=first");
        request.headers.0[1].value = "SIP/2.0/TCP 192.0.2.1:5060;branch=first".into();
        assert_eq!(moved, Message::Request(request.clone()).to_bytes());
        let reply = Message::Response(request.reply(Status(200), None)).to_bytes();
        assert!(Written::read(&reply).unwrap().is_response());
        for other in [&b""[..], b"\r\n\r\n", b"\r\n", b"INVITE a SIP/2.0\r\nVia: x\r\n\r\nCSeq: 1 INVITE\r\n"] {
            assert!(Written::read(&Bytes::from_static(other)).is_none());
        }
    }
}
