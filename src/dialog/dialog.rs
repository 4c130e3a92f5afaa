//! A dialog of an INVITE (RFC 3261 §12).

use crate::base::{Flow, Proto};
use crate::dialog::snapshot::DialogSnapshot;
use crate::dialog::stream::Stream;
use crate::sip::{self, Header, Headers, Host, Method, Name, NameAddr, Replaces, Request, Response, Scheme, Uri};
use crate::ua::Peers;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

const MAX_ROUTES: usize = 32;

/// How far the numbers of a BYE jump in a dialog that we kept no state of: past the PRACKs it may have seen. A gap is
/// legal (RFC 3261 §12.2.2).
pub(super) const SEQ_GAP: u32 = 1000;

/// A dialog: what a request inside it is made from and checked against (RFC 3261 §12), and how far its offers and answers are.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    party: Arc<Party>,
    /// Empty for a peer of RFC 2543 that sends none.
    pub(super) remote_tag: String,
    /// The number of our last request, and of the peer's.
    pub(super) seq: u32,
    remote_seq: Option<u32>,
    /// Where the peer's last message came by.
    flow: Flow,
    /// The hosts that count as the peer's.
    peers: Peers,
    /// The peer is a phone behind its flow, and is reached by no other way (RFC 5626 §5.3).
    stays: bool,
    pub(super) stream: Stream,
}

/// The part of a dialog that hardly changes.
#[derive(Clone, Debug)]
struct Party {
    call_id: Bytes,
    /// From and To of our requests, with tags.
    local: Bytes,
    remote: Bytes,
    target: Uri,
    routes: Vec<NameAddr>,
}

/// As much of a dialog as it takes to end it, kept where a panic in it does not reach.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    party: Arc<Party>,
    seq: u32,
    hop: Flow,
}

impl Farewell {
    pub(super) fn hop(&self) -> Flow {
        self.hop
    }

    pub(super) fn bye(&self, max_forwards: u8) -> Request {
        self.party.build(Method::Bye, self.seq.saturating_add(SEQ_GAP), max_forwards)
    }
}

impl Dialog {
    /// From an INVITE that we received (§12.1.1).
    pub(super) fn uas(invite: &Request, flow: Flow, tag: &str, stream: Stream, (peers, stays): (&Peers, bool)) -> Dialog {
        let headers = &invite.headers;
        let to = headers.get(&Name::To).map_or(&b""[..], |to| to);
        let party = Party {
            call_id: headers.call_id().cloned().unwrap_or_default(),
            local: [to, b";tag=", tag.as_bytes()].concat().into(),
            remote: headers.get(&Name::From).cloned().unwrap_or_default(),
            target: contact(headers).unwrap_or_else(|| address(flow)),
            routes: record_routes(headers),
        };
        Dialog {
            party: Arc::new(party),
            remote_tag: tag_of(headers, &Name::From),
            seq: 0,
            remote_seq: headers.cseq().map(|cseq| cseq.seq),
            flow,
            peers: peers.clone(),
            stays,
            stream,
        }
    }

    /// From a response to our INVITE; it repeats all we need of the request (§12.1.2).
    pub(super) fn uac(response: &Response, flow: Flow, stream: Stream, (peers, stays): (&Peers, bool)) -> Dialog {
        let headers = &response.headers;
        let mut routes = record_routes(headers);
        routes.reverse();
        let party = Party {
            call_id: headers.call_id().cloned().unwrap_or_default(),
            local: headers.get(&Name::From).cloned().unwrap_or_default(),
            remote: headers.get(&Name::To).cloned().unwrap_or_default(),
            target: contact(headers).unwrap_or_else(|| address(flow)),
            routes,
        };
        Dialog {
            party: Arc::new(party),
            remote_tag: tag_of(headers, &Name::To),
            seq: headers.cseq().map_or(1, |cseq| cseq.seq),
            remote_seq: None,
            flow,
            peers: peers.clone(),
            stays,
            stream,
        }
    }

    pub(super) fn snapshot(&self) -> DialogSnapshot {
        let Dialog { party, remote_tag, seq, remote_seq, flow, peers: _, stays, stream } = self.clone();
        let Party { call_id, local, remote, target, routes } = Arc::unwrap_or_clone(party);
        let (call_id, local, remote) = (call_id.into(), local.into(), remote.into());
        DialogSnapshot { call_id, local, remote, target, routes, remote_tag, seq, remote_seq, flow, stays, stream }
    }

    pub(super) fn restore(peers: &Peers, snapshot: DialogSnapshot) -> Dialog {
        let DialogSnapshot { call_id, local, remote, target, routes, remote_tag, seq, remote_seq, flow, stays, stream } =
            snapshot;
        let (call_id, local, remote) = (call_id.into(), local.into(), remote.into());
        let party = Arc::new(Party { call_id, local, remote, target, routes });
        Dialog { party, remote_tag, seq, remote_seq, flow, peers: peers.clone(), stays, stream }
    }

    /// A request of the peer's belongs here when Call-ID and its tag fit (our tag has been looked up).
    pub(super) fn owns(&self, request: &Request) -> bool {
        request.headers.call_id() == Some(&self.party.call_id) && tag_of(&request.headers, &Name::From) == self.remote_tag
    }

    /// RFC 3891 §3: the from-tag is the peer's; 0 also stands for a missing one (our tag has been looked up).
    pub(super) fn is_named(&self, replaces: &Replaces) -> bool {
        let absent = replaces.from_tag == "0" && self.remote_tag.is_empty();
        replaces.call_id.as_bytes() == self.party.call_id && (replaces.from_tag == self.remote_tag || absent)
    }

    /// Takes note of a request of the peer's; false when it is out of order (§12.2.2).
    pub(super) fn receive(&mut self, request: &Request, flow: Flow) -> bool {
        let Some(cseq) = request.headers.cseq() else { return false };
        if self.remote_seq.is_some_and(|last| cseq.seq < last) {
            return false;
        }
        self.remote_seq = Some(cseq.seq);
        self.flow = flow;
        true
    }

    /// A target refresh: the peer's new Contact, from a request or a 2xx to ours (§12.2.1.2, §12.2.2).
    pub(super) fn retarget(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers).filter(|target| *target != self.party.target) {
            Arc::make_mut(&mut self.party).target = target;
        }
    }

    /// The number of our next request.
    pub(super) fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.saturating_add(1);
        self.seq
    }

    /// The next request; the transaction adds Via.
    pub(super) fn request(&mut self, method: Method, max_forwards: u8) -> Request {
        let seq = self.next_seq();
        self.party.build(method, seq, max_forwards)
    }

    /// The ACK of a 2xx carries its INVITE's number (§13.2.2.4).
    pub(super) fn ack(&self, seq: u32, max_forwards: u8) -> Request {
        self.party.build(Method::Ack, seq, max_forwards)
    }

    pub(super) fn farewell(&self) -> Farewell {
        Farewell { party: self.party.clone(), seq: self.seq, hop: self.flow }
    }

    /// Tells whether the peer may speak from there.
    pub(super) fn admits(&self, flow: Flow) -> bool {
        self.peers.same(flow.remote.ip(), self.flow.remote.ip())
    }

    /// Where requests go: the first route or the target when it is an address of the peer's, else where the peer was last.
    pub(super) fn next_hop(&self) -> Flow {
        let Flow { local, remote: last, .. } = self.flow;
        match sip::next_hop(&self.party.target, &self.party.routes) {
            _ if self.stays => self.flow,
            Some((_, remote)) if remote == last => self.flow,
            // By TLS goes what began by TLS: its address of ours is another one.
            Some((proto, _)) if (proto == Proto::Tls) != (self.flow.proto == Proto::Tls) => self.flow,
            // A peer that connects to us by TLS, and that we do not, is reached by the connection that it has opened.
            Some((Proto::Tls, remote)) if !self.peers.is_called_by_tls(remote.ip()) => self.flow,
            Some((proto, remote)) if self.peers.same(remote.ip(), last.ip()) && sendable(local, remote) => {
                Flow { proto, local, remote }
            }
            _ => self.flow,
        }
    }
}

impl Party {
    fn build(&self, method: Method, seq: u32, max_forwards: u8) -> Request {
        let (uri, routes) = sip::route(&self.target, &self.routes);
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push(Name::MaxForwards, max_forwards.to_string());
        routes.iter().for_each(|route| headers.push(Name::Route, route.to_string()));
        headers.push(Name::From, self.local.clone());
        headers.push(Name::To, self.remote.clone());
        headers.push(Name::CallId, self.call_id.clone());
        headers.push(Name::CSeq, cseq(seq, &method));
        request
    }
}

/// Our Contact as this peer reaches it.
pub(super) fn our_contact(flow: Flow) -> Header {
    let transport = match flow.proto {
        Proto::Udp => "",
        Proto::Tcp => ";transport=tcp",
        Proto::Tls => ";transport=tls",
    };
    Header::printed(Name::Contact, format_args!("<sip:{}{transport}>", flow.local))
}

/// A Contact of ours that a registrar knows.
pub(super) fn contact_header(contact: &Uri) -> Header {
    Header::printed(Name::Contact, format_args!("<{contact}>"))
}

pub(super) fn cseq(seq: u32, method: &Method) -> String {
    format!("{seq} {}", String::from_utf8_lossy(method.as_bytes()))
}

/// The tag of From or To; empty when it has none.
pub(super) fn tag_of(headers: &Headers, party: &Name) -> String {
    let tag = headers.get(party).and_then(|value| sip::tag(value)).unwrap_or_default();
    String::from_utf8_lossy(tag).into_owned()
}

fn contact(headers: &Headers) -> Option<Uri> {
    headers.contact().map(|contact| contact.uri).filter(|uri| uri.scheme != Scheme::Tel)
}

fn record_routes(headers: &Headers) -> Vec<NameAddr> {
    headers.all(&Name::RecordRoute).filter_map(|value| NameAddr::parse(value)).take(MAX_ROUTES).collect()
}

/// For a peer that gives no usable Contact: the address it speaks from.
fn address(flow: Flow) -> Uri {
    Uri::sip("", Host::Ip(flow.remote.ip()), Some(flow.remote.port()))
}

/// Not an address of the other family, or none at all.
fn sendable(local: SocketAddr, remote: SocketAddr) -> bool {
    remote.is_ipv4() == local.is_ipv4() && !remote.ip().is_unspecified() && remote.port() != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::AccessList;
    use crate::sip::Status;

    fn flow() -> Flow {
        let at = |a: &str| a.parse().unwrap();
        Flow { proto: Proto::Udp, local: at("192.0.2.1:5060"), remote: at("203.0.113.9:40000") }
    }

    fn invite(headers: &[(Name, &str)]) -> Request {
        let mut request = Request::new(Method::Invite, Uri::parse(b"sip:12345@192.0.2.1").unwrap());
        request.headers.push(Name::From, "<sip:a@x>;tag=theirs");
        request.headers.push(Name::To, "<sip:12345@y>");
        request.headers.push(Name::CallId, "c1");
        request.headers.push(Name::CSeq, "7 INVITE");
        headers.iter().for_each(|(name, value)| request.headers.push(name.clone(), (*value).to_owned()));
        request
    }

    /// The peer's are 203.0.113.0/24 and 10.0.0.0/8.
    fn peers() -> Peers {
        let mut networks = AccessList::new();
        networks.insert("203.0.113.0/24".parse().unwrap(), 7);
        networks.insert("10.0.0.0/8".parse().unwrap(), 7);
        networks.insert("192.168.0.0/16".parse().unwrap(), 8);
        Peers::new(networks, [8].into())
    }

    fn next_hop(headers: &[(Name, &str)]) -> String {
        Dialog::uas(&invite(headers), flow(), "ours", Stream::default(), (&peers(), false)).next_hop().to_string()
    }

    #[test]
    fn the_next_hop_is_a_literal_address_or_the_flow() {
        let contact = |uri: &str| next_hop(&[(Name::Contact, uri)]);
        assert_eq!(contact("<sip:a@10.0.0.1:5070>"), "udp:10.0.0.1:5070");
        assert_eq!(contact("<sip:a@10.0.0.1;transport=tcp>"), "tcp:10.0.0.1:5060");
        assert_eq!(contact("<sip:a@pbx.example>"), "udp:203.0.113.9:40000");
        assert_eq!(contact("<sip:a@[2001:db8::1]>"), "udp:203.0.113.9:40000");
        assert_eq!(contact("<sip:a@10.0.0.1;transport=tls>"), "udp:203.0.113.9:40000");
        assert_eq!(contact("<tel:110>"), "udp:203.0.113.9:40000");
        for elsewhere in ["198.51.100.66:6379;transport=tcp", "192.168.0.1", "127.0.0.1:8080", "0.0.0.0", "10.0.0.1:0"] {
            assert_eq!(contact(&format!("<sip:a@{elsewhere}>")), "udp:203.0.113.9:40000", "it is none of the peer's");
        }
        let routed = [(Name::RecordRoute, "<sip:10.9.9.9;lr>"), (Name::Contact, "<sip:a@10.0.0.1>")];
        assert_eq!(next_hop(&routed), "udp:10.9.9.9:5060");
    }

    /// Both have connected to us; only the second is connected to by TLS as well.
    #[test]
    fn by_tls_a_peer_that_we_do_not_connect_to_is_reached_by_its_own_connection() {
        for (host, other, by) in
            [("203.0.113.9", "10.0.0.1", "203.0.113.9:40000"), ("192.168.0.9", "192.168.0.1", "192.168.0.1:5061")]
        {
            let flow = Flow { proto: Proto::Tls, remote: format!("{host}:40000").parse().unwrap(), ..flow() };
            let contact = format!("<sip:a@{other};transport=tls>");
            let invite = invite(&[(Name::Contact, &contact)]);
            let hop = Dialog::uas(&invite, flow, "ours", Stream::default(), (&peers(), false)).next_hop();
            assert_eq!((hop.proto, hop.remote.to_string().as_str()), (Proto::Tls, by));
        }
    }

    #[test]
    fn a_phone_behind_its_flow_is_reached_by_no_other_way() {
        let invite = invite(&[(Name::Contact, "<sip:a@203.0.113.9:5060;transport=tcp>")]);
        let hop = |stays| Dialog::uas(&invite, flow(), "ours", Stream::default(), (&peers(), stays)).next_hop().to_string();
        assert_eq!((hop(true).as_str(), hop(false).as_str()), ("udp:203.0.113.9:40000", "tcp:203.0.113.9:5060"));
    }

    #[test]
    fn a_callee_keeps_the_route_order_and_a_caller_reverses_it() {
        let headers =
            [(Name::RecordRoute, "<sip:p1;lr>"), (Name::RecordRoute, "<sip:p2;lr>"), (Name::Contact, "<sip:a@10.0.0.1>")];
        let routes = |request: Request| -> Vec<String> {
            request.headers.all(&Name::Route).map(|r| String::from_utf8_lossy(r).into_owned()).collect()
        };
        let mut callee = Dialog::uas(&invite(&headers), flow(), "ours", Stream::default(), (&peers(), false));
        let bye = callee.request(Method::Bye, 70);
        assert_eq!(bye.uri, Uri::parse(b"sip:a@10.0.0.1").unwrap());
        assert_eq!(bye.headers.text(&Name::From).unwrap(), "<sip:12345@y>;tag=ours");
        assert_eq!(bye.headers.text(&Name::CSeq).unwrap(), "1 BYE");
        assert_eq!(routes(bye), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        let response = invite(&headers).reply(Status(200), Some("t"));
        let mut response = response;
        response.headers.set(Name::Contact, "<sip:b@10.0.0.2>");
        let mut caller = Dialog::uac(&response, flow(), Stream::default(), (&peers(), false));
        let bye = caller.request(Method::Bye, 70);
        assert_eq!(bye.headers.text(&Name::CSeq).unwrap(), "8 BYE");
        assert_eq!(routes(bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(routes(caller.ack(7, 70)), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    }

    #[test]
    fn a_strict_router_gets_the_request_uri() {
        let headers = [(Name::RecordRoute, "<sip:10.9.9.9>"), (Name::Contact, "<sip:a@10.0.0.1>")];
        let bye = Dialog::uas(&invite(&headers), flow(), "ours", Stream::default(), (&peers(), false)).request(Method::Bye, 70);
        assert_eq!(bye.uri, Uri::parse(b"sip:10.9.9.9").unwrap());
        assert_eq!(bye.headers.text(&Name::Route).unwrap(), "<sip:a@10.0.0.1>");
    }

    #[test]
    fn a_lower_number_is_out_of_order() {
        let mut dialog = Dialog::uas(&invite(&[]), flow(), "ours", Stream::default(), (&peers(), false));
        let mut bye = invite(&[]);
        bye.headers.set(Name::CSeq, "6 BYE");
        assert!(dialog.owns(&bye) && !dialog.receive(&bye, flow()));
        bye.headers.set(Name::CSeq, "9 BYE");
        assert!(dialog.receive(&bye, flow()));
        bye.headers.set(Name::From, "<sip:a@x>;tag=other");
        assert!(!dialog.owns(&bye));
    }
}
