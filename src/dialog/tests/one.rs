//! One gateway and a peer whose messages the test writes.

use crate::base::{AccessList, Flow, LegId, MapSeed, Mono, Now, Proto, Rng};
use crate::dialog::*;
use crate::sip::{Codec, Direction, Message, Method, Name, NameAddr, Reach, Request, Response, Sdp, Status, Uri};
use crate::ua::{self, Peers, Sent, Ua};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

pub(super) const OFFER: &str = "v=0\r\no=- 9 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A user agent whose only usage is the INVITE.
pub(super) struct Agent {
    pub ua: Ua,
    pub legs: Legs,
    told: Vec<Event>,
}

#[derive(Debug)]
pub(super) enum Output {
    Send { flow: Flow, data: Bytes },
    Event(Event),
}

impl Agent {
    pub fn new(config: Config, rng: Rng, seed: MapSeed) -> Agent {
        Agent { ua: Ua::new(ua::Config::default(), rng, seed), legs: Legs::new(config, seed), told: Vec::new() }
    }

    pub fn received(&mut self, now: Now, flow: Flow, message: Message, out: &mut Vec<Output>) {
        self.ua.received(now, flow, message);
        self.serve(now, out);
    }

    pub fn command(&mut self, now: Now, command: Command, out: &mut Vec<Output>) {
        self.legs.command(&mut self.ua, now, command, &mut self.told);
        self.serve(now, out);
    }

    pub fn flow_failed(&mut self, now: Now, flow: Flow, out: &mut Vec<Output>) {
        self.ua.flow_failed(now, flow);
        self.serve(now, out);
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.legs.tick(&mut self.ua, now, &mut self.told);
        self.ua.tick(now);
        self.serve(now, out);
    }

    pub fn recover(&mut self, now: Now, out: &mut Vec<Output>) {
        self.legs.recover(&mut self.ua, now, &mut self.told);
        self.serve(now, out);
    }

    pub fn refer(&mut self, now: Now, leg: LegId, to: &str, out: &mut Vec<Output>) {
        self.legs.refer(&mut self.ua, now, leg, to, &mut self.told);
        self.serve(now, out);
    }

    pub fn tell(&mut self, now: Now, asked: &Asked, refusal: Option<&Cause>, out: &mut Vec<Output>) {
        self.legs.tell(&mut self.ua, asked, refusal);
        self.serve(now, out);
    }

    pub fn next_id(&mut self) -> LegId {
        self.legs.next_id()
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.legs.deadline(), self.ua.deadline()].into_iter().flatten().min()
    }

    /// Alive: legs, client transactions, server transactions.
    pub fn gauges(&self) -> (usize, usize, usize) {
        let (clients, servers) = self.ua.len();
        (self.legs.len(), clients, servers)
    }

    pub fn idle(&self) -> bool {
        self.legs.idle() && self.ua.idle()
    }

    fn serve(&mut self, now: Now, out: &mut Vec<Output>) {
        self.legs.serve(&mut self.ua, now, &mut self.told);
        out.extend(self.ua.sent().map(|Sent { flow, data }| Output::Send { flow, data }));
        out.extend(self.told.drain(..).map(Output::Event));
    }
}

pub(super) struct One {
    pub legs: Agent,
    pub now: Now,
    pub flow: Flow,
    pub sent: VecDeque<(Flow, Message)>,
    pub events: VecDeque<Event>,
    /// Statuses of requests that became nothing.
    pub turned_away: Vec<u16>,
    /// How often a caller was found to have our responses.
    pub confirmed: u32,
}

impl One {
    pub fn new() -> One {
        One::over(Proto::Udp)
    }

    pub fn over(proto: Proto) -> One {
        let reach = Reach::from(&[local().rtp.ip()]);
        let config = Config { max_legs: 3, reach, ..Config::default() };
        let mut legs = Agent::new(config, Rng::from_number(1), MapSeed(1, 2));
        legs.ua.meet(peers());
        let flow = Flow { proto, local: "192.0.2.1:5060".parse().unwrap(), remote: "198.51.100.7:5060".parse().unwrap() };
        One {
            legs,
            now: Now::default(),
            flow,
            sent: VecDeque::new(),
            events: VecDeque::new(),
            turned_away: Vec::new(),
            confirmed: 0,
        }
    }

    pub fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { flow, data } => self.sent.push_back((flow, Message::parse(data).unwrap())),
                Output::Event(Event::TurnedAway(turned)) => self.turned_away.push(turned.status.0),
                Output::Event(Event::Confirmed { .. }) => self.confirmed += 1,
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    pub fn receive(&mut self, message: Message) {
        let mut out = Vec::new();
        let message = Message::parse(message.to_bytes()).unwrap();
        self.legs.received(self.now, self.flow, message, &mut out);
        self.take(out);
    }

    pub fn command(&mut self, command: Command) {
        let mut out = Vec::new();
        self.legs.command(self.now, command, &mut out);
        self.take(out);
    }

    pub fn fail_flow(&mut self) {
        let mut out = Vec::new();
        self.legs.flow_failed(self.now, self.flow, &mut out);
        self.take(out);
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, seconds: f64) {
        let end = self.now.after(Duration::from_secs_f64(seconds));
        while let Some(at) = self.legs.deadline().filter(|at| *at <= end.mono) {
            let step = at.since(self.now.mono);
            self.now = self.now.after(step);
            let mut out = Vec::new();
            self.legs.tick(self.now, &mut out);
            self.take(out);
        }
        self.now = self.now.after(end.mono.since(self.now.mono));
    }

    pub fn response(&mut self) -> Response {
        match self.sent.pop_front() {
            Some((_, Message::Response(response))) => response,
            other => panic!("no response but {other:?}"),
        }
    }

    pub fn request(&mut self) -> Request {
        match self.sent.pop_front() {
            Some((_, Message::Request(request))) => request,
            other => panic!("no request but {other:?}"),
        }
    }

    pub fn statuses(&mut self) -> Vec<u16> {
        let sent = std::mem::take(&mut self.sent);
        sent.iter().filter_map(|(_, m)| if let Message::Response(r) = m { Some(r.status.0) } else { None }).collect()
    }

    pub fn requests(&mut self) -> Vec<Request> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().filter_map(|(_, m)| if let Message::Request(r) = m { Some(r) } else { None }).collect()
    }

    /// The methods of the requests that were sent.
    pub fn methods(&mut self) -> Vec<Method> {
        self.requests().into_iter().map(|request| request.method).collect()
    }

    /// But for what is said of a hop whose failure ends the leg.
    pub fn event(&mut self) -> Event {
        self.events.retain(|event| !matches!(event, Event::HopFailed { next: None, .. }));
        self.events.pop_front().expect("an event")
    }

    pub fn incoming(&mut self) -> Incoming {
        match self.event() {
            Event::Incoming(incoming) => *incoming,
            other => panic!("{other:?}"),
        }
    }

    pub fn media(&mut self) -> Media {
        match self.event() {
            Event::Media { media, .. } => media,
            other => panic!("{other:?}"),
        }
    }

    pub fn ended(&mut self) -> (EndedBy, Option<u16>) {
        match self.event() {
            Event::Ended { end, .. } => (end.by, end.status.map(|s| s.0)),
            other => panic!("{other:?}"),
        }
    }

    pub fn quiet(&self) {
        assert!(self.sent.is_empty() && self.events.is_empty(), "{:?} {:?}", self.sent, self.events);
    }

    /// After all timers nothing is left.
    pub fn gone(&mut self) {
        self.pass(400.0);
        assert_eq!(self.legs.gauges(), (0, 0, 0));
        assert!(self.legs.idle());
        assert_eq!(self.legs.deadline(), None);
    }

    /// An INVITE that has come and was given media; its final responses may leave.
    pub fn invited(&mut self, invite: &Request) -> LegId {
        self.receive(Message::Request(invite.clone()));
        let leg = self.incoming().leg;
        self.command(Command::Release { leg });
        self.command(Command::Attach { leg, local: local() });
        self.events.clear();
        self.sent.clear();
        leg
    }

    /// A session that the peer called; gives its dialog's shape as the peer's next request.
    pub fn session(&mut self, invite: &Request) -> (LegId, Request) {
        let leg = self.invited(invite);
        self.command(Command::Answer { leg });
        let ok = self.response();
        assert_eq!(ok.status, Status(200));
        let dialog = within(invite, &ok);
        self.receive(Message::Request(next(&dialog, Method::Ack, 1)));
        assert!(matches!(self.event(), Event::Established { .. }));
        self.quiet();
        (leg, dialog)
    }

    pub fn dial(&mut self) -> (LegId, Request) {
        let leg = self.legs.next_id();
        self.command(Command::Dial(Box::new(party(leg, self.flow))));
        (leg, self.request())
    }

    /// A session that we called; gives what the peer answered.
    pub fn called(&mut self) -> (LegId, Request, Response) {
        let (leg, invite) = self.dial();
        let ok = answer(&invite, 200, "theirs", Some(OFFER));
        self.receive(Message::Response(ok.clone()));
        assert_eq!(self.request().method, Method::Ack);
        self.media();
        assert!(matches!(self.event(), Event::Answered { .. }));
        self.quiet();
        (leg, invite, ok)
    }
}

/// The peer is a trunk with these networks.
fn peers() -> Peers {
    let mut networks = AccessList::new();
    for network in ["198.51.100.0/24", "10.0.0.0/8"] {
        networks.insert(network.parse().unwrap(), 0);
    }
    Peers::new(networks, Default::default())
}

pub(super) fn local() -> LocalMedia {
    LocalMedia { rtp: "192.0.2.1:20000".parse().unwrap(), codecs: vec![Codec::Pcma, Codec::Pcmu], srtp: None }
}

pub(super) fn party(leg: LegId, flow: Flow) -> Dial {
    let uri = |text: &str| Uri::parse(text.as_bytes()).unwrap();
    Dial {
        leg,
        call_id: format!("{leg}@192.0.2.1"),
        flow,
        others: Vec::new(),
        every_way: false,
        uri: uri("sip:seat@198.51.100.7"),
        routes: Vec::new(),
        from: NameAddr::new(uri("sip:13800138000@192.0.2.1")),
        to: NameAddr::new(uri("sip:seat@198.51.100.7")),
        max_forwards: 69,
        headers: vec![crate::sip::Header { name: Name::XHotlineCallId, value: Bytes::from_static(b"id") }],
        local: local(),
        known_as: None,
        causes: None,
        timer: None,
    }
}

/// A request of the peer's outside any dialog; `extra` are header lines.
pub(super) fn fresh(method: &str, extra: &str, body: &str) -> Request {
    let mut text = format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-{method}\r\n\
         From: <sip:13800138000@198.51.100.7>;tag=theirs\r\nTo: <sip:12345@192.0.2.1>\r\nCall-ID: c1\r\n\
         CSeq: 1 {method}\r\nContact: <sip:caller@198.51.100.7:5070>\r\n{extra}"
    );
    if !body.is_empty() && !extra.contains("Content-Type") {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    match Message::parse(text.into()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

/// The INVITE with the To that the response gave: a template of the peer's requests inside the dialog.
pub(super) fn within(invite: &Request, response: &Response) -> Request {
    let mut request = invite.clone();
    request.headers.set(Name::To, response.headers.get(&Name::To).unwrap().clone());
    request.headers.remove(&Name::ContentType);
    request.headers.remove(&Name::Require);
    request.headers.remove(&Name::SessionExpires);
    request.body = Bytes::new();
    request
}

pub(super) fn next(dialog: &Request, method: Method, seq: u32) -> Request {
    let mut request = dialog.clone();
    let name = String::from_utf8_lossy(method.as_bytes()).into_owned();
    request.headers.set(Name::CSeq, format!("{seq} {name}"));
    request.headers.set(Name::Via, format!("SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-{name}-{seq}"));
    request.method = method;
    request
}

pub(super) fn with(request: Request, body: &str) -> Request {
    request.with_body("application/sdp", Bytes::copy_from_slice(body.as_bytes()))
}

/// The peer's response to our request.
pub(super) fn answer(request: &Request, status: u16, tag: &str, body: Option<&str>) -> Response {
    let mut response = request.reply(Status(status), Some(tag));
    response.headers.push(Name::Contact, format!("<sip:{tag}@198.51.100.7:5080>"));
    match body {
        Some(body) => response.with_body("application/sdp", Bytes::copy_from_slice(body.as_bytes())),
        None => response,
    }
}

pub(super) fn sdp(body: &[u8]) -> Sdp {
    Sdp::parse(body, Reach::ALL).unwrap()
}

pub(super) fn held(media: &Media) -> bool {
    matches!(media.direction, Direction::RecvOnly | Direction::Inactive)
}
