use crate::sip::{Header, Headers, Message, Method, Name, Request, Response};
use bytes::Bytes;

/// The headers that the ACK and the CANCEL of our INVITE copy from it, and nothing more: the body is not kept.
#[derive(Debug)]
pub(super) struct Head {
    request: Request,
    seq: u32,
}

impl Head {
    /// Takes the request with our Via on top.
    pub fn of(request: &Request) -> Head {
        let copied = |h: &&Header| matches!(h.name, Name::MaxForwards | Name::Route | Name::From | Name::To | Name::CallId);
        let mut headers = Headers::default();
        headers.0.extend(request.headers.0.iter().find(|h| h.name == Name::Via).cloned());
        headers.0.extend(request.headers.0.iter().filter(copied).cloned());
        let seq = request.headers.cseq().map_or(0, |c| c.seq);
        let request = Request { headers, body: Bytes::new(), method: Method::Cancel, uri: request.uri.clone() };
        Head { request, seq }
    }

    /// The request leaves by another transport.
    pub fn set_via(&mut self, via: String) {
        self.request.headers.remove(&Name::Via);
        self.request.headers.push_front(Name::Via, via);
    }

    /// The ACK of a non-2xx final response: the INVITE's URI, branch, From, Call-ID, Route and CSeq number, and the
    /// response's To (RFC 3261 §17.1.1.3).
    pub fn ack(&self, response: &Response) -> Bytes {
        let mut ack = self.request.clone();
        ack.method = Method::Ack;
        if let Some(to) = response.headers.get(&Name::To) {
            ack.headers.set(Name::To, to.clone());
        }
        ack.headers.push(Name::CSeq, format!("{} ACK", self.seq));
        Message::Request(ack).to_bytes()
    }

    /// The CANCEL: as the INVITE, To without a tag included (RFC 3261 §9.1).
    pub fn cancel(&self, extra: &[Header]) -> Bytes {
        let mut cancel = self.request.clone();
        cancel.headers.push(Name::CSeq, format!("{} CANCEL", self.seq));
        cancel.headers.0.extend_from_slice(extra);
        Message::Request(cancel).to_bytes()
    }
}
