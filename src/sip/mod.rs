//! Bytes ⇄ SIP messages, URIs, header values and SDP. No state, no time.
//!
//! A received datagram stays where it is: header values are slices of it ([`bytes::Bytes`]), indexed once. Values that a peer
//! chose and we must echo (Via, From, To, Call-ID, CSeq) go back byte for byte; typed views are made when asked for.

mod body;
mod causes;
pub mod digest;
mod extension;
mod header;
mod masked;
mod message;
mod method;
mod parse;
mod reach;
mod route;
mod sdp;
mod status;
mod text;
mod uri;
mod value;
mod written;

pub use body::{Content, optional, plain};
pub use causes::{Causes, Ours, Refused, Rest};
pub use extension::{RAck, Reason, Refresher, Replaces, SessionExpires};
pub use header::{Header, Headers, Name};
pub use masked::{Traced, masked};
pub use message::{Message, Request, Response};
pub use method::Method;
pub use parse::{MAX_HEADERS, MAX_LINE, MAX_MESSAGE, MAX_REPEATED, ParseError, declared_length};
pub use reach::{Protection, Reach};
pub use route::{next_hop, route};
pub use sdp::{Codec, Crypto, Direction, Payload, Sdp, SdpError, TELEPHONE_EVENT};
pub use status::Status;
pub use text::unescape;
pub use uri::{Host, Scheme, Uri};
pub use value::{CSeq, NameAddr, Params, Via, tag};
pub use written::Written;

#[cfg(test)]
mod tests;
