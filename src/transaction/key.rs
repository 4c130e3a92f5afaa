use crate::base::MapSeed;
use crate::sip::{Host, Method, Name, Request, Via, tag};
use crate::transaction::branch::unique;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::net::IpAddr;

/// A key identifies a server transaction: a keyed 128-bit hash of the fields that RFC 3261 compares.
///
/// Made without allocating, copied for free. Nobody outside knows the seed, so nobody can aim two requests at one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u128);

impl Key {
    /// The transaction that a request belongs to (RFC 3261 §17.2.3): branch, sent-by and method, with the INVITE's
    /// method for its ACK and CANCEL. A Via can be copied, so the host that the request came from counts too: nobody else
    /// repeats, acknowledges or cancels it, or takes its place by being there first.
    ///
    /// A peer of RFC 2543 has no unique branch: there Request-URI, From tag, Call-ID, CSeq number and the whole Via
    /// stand in. To's tag is left out, because the ACK has one where its INVITE has none.
    pub fn of(seed: MapSeed, host: IpAddr, via: &Via, request: &Request, method: &Method) -> Key {
        let branch = via.branch().unwrap_or_default();
        let mut fields = Fields::of_via(seed, host, via, &branch, method);
        if unique(&branch).is_none() {
            fields.add(request.uri.to_string().as_bytes());
            fields.add_call(request);
            fields.add(request.headers.get(&Name::Via).map_or(b"", |v| v));
        }
        fields.key()
    }

    /// The transaction that a response of ours to this host belongs to; none for a peer of RFC 2543.
    pub fn of_response(seed: MapSeed, host: IpAddr, via: &Via, method: &Method) -> Option<Key> {
        let branch = via.branch().filter(|branch| unique(branch).is_some())?;
        Some(Fields::of_via(seed, host, via, &branch, method).key())
    }

    /// The key that two copies of one request have in common when a proxy forked it and both found us (RFC 3261 §8.2.2.2):
    /// From tag, Call-ID and CSeq. None for a request inside a dialog.
    pub fn merged(seed: MapSeed, request: &Request) -> Option<Key> {
        if tag(request.headers.get(&Name::To)?).is_some() {
            return None;
        }
        let mut fields = Fields::new(seed, b'M');
        fields.add(request.method.as_bytes());
        fields.add_call(request);
        Some(fields.key())
    }

    /// A To tag that comes out the same each time the same request is answered without state (§8.2.7).
    pub fn tag(self) -> String {
        format!("{:016x}", self.0 as u64)
    }
}

/// Length and bytes of each field, so that no two lists of fields look alike.
struct Fields(SipHasher13);

impl Fields {
    fn new(seed: MapSeed, kind: u8) -> Fields {
        let mut hasher = SipHasher13::new_with_keys(seed.0, seed.1);
        hasher.write_u8(kind);
        Fields(hasher)
    }

    fn of_via(seed: MapSeed, host: IpAddr, via: &Via, branch: &str, method: &Method) -> Fields {
        let mut fields = Fields::new(seed, b'T');
        fields.add_ip(host);
        fields.add(method.as_bytes());
        match &via.host {
            Host::Ip(ip) => fields.add_ip(*ip),
            Host::Name(name) => fields.add(name.to_ascii_lowercase().as_bytes()),
        }
        fields.add(&via.port.unwrap_or(5060).to_be_bytes());
        fields.add(branch.as_bytes());
        fields
    }

    fn add(&mut self, field: &[u8]) {
        self.0.write_usize(field.len());
        self.0.write(field);
    }

    fn add_ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.add(&ip.octets()),
            IpAddr::V6(ip) => self.add(&ip.octets()),
        }
    }

    /// From tag, Call-ID and CSeq number.
    fn add_call(&mut self, request: &Request) {
        let headers = &request.headers;
        self.add(headers.get(&Name::From).and_then(|v| tag(v)).unwrap_or(b""));
        self.add(headers.call_id().map_or(b"", |v| v));
        self.add(&headers.cseq().map_or(0, |c| c.seq).to_be_bytes());
    }

    fn key(self) -> Key {
        Key(self.0.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_found_in_every_spelling() {
        assert_eq!(tag(b"<sip:a@b;tag=no>;tag=yes"), Some(&b"yes"[..]));
        assert_eq!(tag(b"\"x; tag=no\" <sip:a@b> ; x=1 ; TAG = yes"), Some(&b"yes"[..]));
        assert_eq!(tag(b"sip:a@b;tag=yes"), Some(&b"yes"[..]));
        assert_eq!(tag(b"<sip:a@b;tag=no>"), None);
        assert_eq!(tag(b""), None);
    }
}
