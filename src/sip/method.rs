use crate::sip::text::is_token;
use bytes::Bytes;

static KNOWN: [Method; 14] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Options,
    Method::Prack,
    Method::Update,
    Method::Info,
    Method::Refer,
    Method::Notify,
    Method::Subscribe,
    Method::Message,
    Method::Register,
    Method::Publish,
];

/// A request's method. Names are case-sensitive (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Prack,
    Update,
    Info,
    Refer,
    Notify,
    Subscribe,
    Message,
    Register,
    Publish,
    Other(Bytes),
}

impl Method {
    /// Any token is a method; whether we serve it is decided later (405, 501).
    pub fn parse(name: &[u8]) -> Option<Method> {
        let known = KNOWN.iter().find(|m| m.as_bytes() == name).cloned();
        known.or_else(|| is_token(name).then(|| Method::Other(Bytes::copy_from_slice(name))))
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Method::Invite => b"INVITE",
            Method::Ack => b"ACK",
            Method::Bye => b"BYE",
            Method::Cancel => b"CANCEL",
            Method::Options => b"OPTIONS",
            Method::Prack => b"PRACK",
            Method::Update => b"UPDATE",
            Method::Info => b"INFO",
            Method::Refer => b"REFER",
            Method::Notify => b"NOTIFY",
            Method::Subscribe => b"SUBSCRIBE",
            Method::Message => b"MESSAGE",
            Method::Register => b"REGISTER",
            Method::Publish => b"PUBLISH",
            Method::Other(name) => name,
        }
    }
}
