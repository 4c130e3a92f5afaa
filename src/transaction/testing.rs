//! Helpers that the tests of this room share.

use crate::base::{Flow, Mono, Now, Proto, Rng, Source};
use crate::sip::{Message, Name, Request, Response, Status};
use crate::transaction::timing::Timing;
use crate::transaction::{ClientId, Config, Event, Output, ServerId, Transactions};
use bytes::Bytes;

pub fn at(ms: u64) -> Mono {
    Mono(ms * 1000)
}

pub fn udp() -> Timing {
    Timing::new(Config::default(), Proto::Udp)
}

pub fn tcp() -> Timing {
    Timing::new(Config::default(), Proto::Tcp)
}

pub fn request() -> Bytes {
    Bytes::from_static(b"request")
}

pub fn ack() -> Bytes {
    Bytes::from_static(b"ack")
}

pub fn flow(proto: Proto) -> Flow {
    Flow { proto, local: "192.0.2.1:5060".parse().unwrap(), remote: "192.0.2.9:5060".parse().unwrap() }
}

/// The trunk that all messages here come from.
pub fn peer() -> Source {
    Source::Trunk(0)
}

pub fn now(ms: u64) -> Now {
    Now { mono: at(ms), ..Now::default() }
}

pub fn new() -> Transactions {
    with(Config::default())
}

pub fn with(config: Config) -> Transactions {
    let mut rng = Rng::from_number(7);
    let seed = rng.map_seed();
    Transactions::new(config, rng, seed)
}

/// The outcome of one call: bytes sent, parsed again, and events.
pub struct Out {
    pub sent: Vec<(Flow, Message)>,
    pub events: Vec<Event>,
}

pub fn run<R>(act: impl FnOnce(&mut Vec<Output>) -> R) -> Out {
    let mut list = Vec::new();
    act(&mut list);
    let mut out = Out { sent: Vec::new(), events: Vec::new() };
    for output in list {
        match output {
            Output::Send { flow, data } => out.sent.push((flow, Message::parse(data).unwrap())),
            Output::Event(event) => out.events.push(event),
        }
    }
    out
}

impl Out {
    pub fn nothing(&self) {
        assert!(self.sent.is_empty() && self.events.is_empty(), "{:?} {:?}", self.sent, self.events);
    }

    /// The one request sent.
    pub fn request(mut self) -> Request {
        assert_eq!(self.sent.len(), 1);
        match self.sent.remove(0).1 {
            Message::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    /// The one response sent.
    pub fn response(&self) -> &Response {
        match &self.sent[..] {
            [(_, Message::Response(response))] => response,
            other => panic!("{other:?}"),
        }
    }

    pub fn event(mut self) -> Event {
        assert_eq!(self.events.len(), 1, "{:?}", self.events);
        self.events.remove(0)
    }

    /// The server transaction of the one request passed up.
    pub fn id(self) -> ServerId {
        match self.event() {
            Event::Request { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }
}

pub fn parse(text: &str) -> Message {
    Message::parse(Bytes::from(text.replace('\n', "\r\n"))).unwrap()
}

pub fn parse_request(text: &str) -> Request {
    match parse(text) {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

/// A request as a peer sends it; `to` ends the To header, so that it can carry a tag.
pub fn from_peer(method: &str, branch: &str, seq: u32, to: &str) -> Message {
    parse(&format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\nMax-Forwards: 70\n\
         From: <sip:a@192.0.2.9>;tag=f\nTo: <sip:12345@192.0.2.1>{to}\nCall-ID: c@192.0.2.9\nCSeq: {seq} {method}\n\n"
    ))
}

/// A request as the transaction user makes it, without Via.
pub fn ours(method: &str) -> Request {
    let mut request = parse_request(&format!(
        "{method} sip:seat@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP x\nRoute: <sip:p1;lr>\nRoute: <sip:p2;lr>\nMax-Forwards: 69\n\
         From: <sip:a@192.0.2.1>;tag=f\nTo: <sip:seat@192.0.2.9>\nCall-ID: d@192.0.2.1\nCSeq: 314 {method}\n\
         Contact: <sip:192.0.2.1>\nContent-Length: 4\n\nbody"
    ));
    request.headers.remove(&Name::Via);
    request
}

pub fn start(t: &mut Transactions, flow: Flow, method: &str) -> (ClientId, Request) {
    let mut id = None;
    let sent = run(|out| id = Some(t.request(now(0), flow, ours(method), out))).request();
    (id.unwrap(), sent)
}

pub fn answer(t: &mut Transactions, ms: u64, to: &Request, status: u16, tag: &str) -> Out {
    let reply = to.reply(Status(status), Some(tag));
    run(|out| t.received(now(ms), flow(Proto::Udp), peer(), Message::Response(reply), out))
}

pub fn receive(t: &mut Transactions, ms: u64, message: Message) -> Out {
    run(|out| t.received(now(ms), flow(Proto::Udp), peer(), message, out))
}

pub fn respond(t: &mut Transactions, ms: u64, id: ServerId, request: &Message, status: u16) -> Out {
    let Message::Request(request) = request else { panic!() };
    run(|out| t.respond(now(ms), id, request.reply(Status(status), Some("ours")), out))
}

pub fn tick(t: &mut Transactions, ms: u64) -> Out {
    run(|out| t.tick(now(ms), out))
}

pub fn values(request: &Request, name: Name) -> Vec<String> {
    request.headers.all(&name).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}
