use crate::sip::{Message, Response, Status};
use bytes::Bytes;

/// The largest message we take, in bytes; a larger one is answered 513 where its head can be read.
pub const MAX_MESSAGE: usize = 65_535;

/// Why bytes are not a message that we can serve.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// What the sender may be told: 400, 413, 505, 513 …
    pub status: Status,
    /// One sentence for the log and the reason phrase; holds nothing of the message's content.
    pub reason: &'static str,
    /// The answer, where the head held enough to address it (Via, From, To, Call-ID, CSeq) and it was a request other
    /// than ACK; otherwise the bytes are dropped.
    pub answer: Option<Box<Response>>,
}

impl Message {
    /// Parses one message that fills the datagram (or one that a stream framer cut out). Without Content-Length the
    /// body is the rest (RFC 3261 §18.3); bytes beyond Content-Length are dropped; fewer are an error.
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        let _ = datagram;
        todo!()
    }
}
