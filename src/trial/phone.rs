//! A telephone for the trial: SIP and RTP over real UDP sockets, one call at a time or many, each with a sound of its own.

use super::ladder::Ladder;
use super::sound::{ReceivedAudio, Voice};
use crate::base::{Flow, LegId, MapSeed, Now, Proto, Rng, Timers};
use crate::dialog::{Cause, Command, Config, Dial, Event, Legs, LocalMedia, Media};
use crate::sip::digest::{Challenge, Client, Secret, Signed};
use crate::sip::{Codec, Host, Message, Name, NameAddr, Response, Status, Uri};
use crate::transport::note_source;
use crate::ua::{self, Sent, Ua};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

pub struct Phone {
    pub name: &'static str,
    pub address: SocketAddr,
    socket: UdpSocket,
    ua: Ua,
    legs: Legs,
    answers: Timers<LegId>,
    /// Calls of the scenario under way, by the order they began.
    pub lines: BTreeMap<LegId, Line>,
    /// Every INVITE that arrived, as received: what a seat is told of the caller.
    pub invites: Vec<Message>,
}

/// One call of this phone.
pub struct Line {
    rtp: UdpSocket,
    peer: Option<SocketAddr>,
    pub voice: Voice,
    pub heard: ReceivedAudio,
    /// Every final and provisional status that came for our INVITE.
    pub statuses: Vec<u16>,
    pub answered: bool,
    pub ended: Option<crate::dialog::End>,
}

/// How long a called phone rings before it is picked up.
const PICK_UP: Duration = Duration::from_millis(400);

impl Phone {
    pub fn new(name: &'static str, address: SocketAddr, rng: &mut Rng) -> io::Result<Phone> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let config = ua::Config { product: format!("hotline-try-{name}"), ..ua::Config::default() };
        let address = socket.local_addr()?;
        let (rng, seed) = (rng.fork(), MapSeed(rng.u64(), rng.u64()));
        let (ua, legs) = (Ua::new(config, rng, seed), Legs::new(Config::default(), seed));
        let (answers, lines, invites) = (Timers::default(), BTreeMap::new(), Vec::new());
        Ok(Phone { name, address, socket, ua, legs, answers, lines, invites })
    }

    pub fn call(&mut self, now: Now, gateway: SocketAddr, number: &str, caller: &str, ladder: &mut Ladder) -> io::Result<LegId> {
        let leg = self.legs.next_id();
        let line = Line::open(self.address, 0x5eed)?;
        let to = Uri::sip(number, Host::Ip(gateway.ip()), Some(gateway.port()));
        let dial = Dial {
            every_way: false,
            leg,
            known_as: None,
            call_id: format!("{leg}@{}", self.address),
            flow: Flow { proto: Proto::Udp, local: self.address, remote: gateway },
            others: Vec::new(),
            uri: to.clone(),
            routes: Vec::new(),
            from: NameAddr::new(Uri::sip(caller, Host::Ip(self.address.ip()), None)),
            to: NameAddr::new(to),
            max_forwards: 70,
            headers: Vec::new(),
            local: line.local()?,
            causes: None,
            timer: None,
        };
        self.lines.insert(leg, line);
        self.command(now, Command::Dial(Box::new(dial)), ladder);
        Ok(leg)
    }

    /// A key, by INFO.
    pub fn press(&mut self, now: Now, leg: LegId, key: char, ladder: &mut Ladder) {
        self.command(now, Command::SendInfo { leg, key }, ladder);
    }

    /// Registers by digest (RFC 3261 §10, §22), and waits for it; the statuses that came.
    pub fn register(&mut self, gateway: SocketAddr, user: &str, password: &str) -> io::Result<Vec<u16>> {
        let (mut statuses, mut authorization) = (Vec::new(), String::new());
        for cseq in 1..=2 {
            let request = self.registration(gateway, user, cseq, &authorization);
            let Some(response) = self.exchange(gateway, &request)? else { break };
            statuses.push(response.status.0);
            let Some(challenge) =
                Challenge::strongest(response.headers.all(&Name::WwwAuthenticate).filter_map(|value| Challenge::parse(value)))
            else {
                break;
            };
            let secret = Secret::new(challenge.algorithm, user, &challenge.realm, password);
            let uri = format!("sip:{gateway}");
            let signed = Signed { method: "REGISTER", uri: &uri, body: b"" };
            let answer = Client::new(challenge).answer(user, &secret, signed, "try");
            authorization = answer.map(|answer| format!("Authorization: {answer}\r\n")).unwrap_or_default();
        }
        Ok(statuses)
    }

    fn registration(&self, gateway: SocketAddr, user: &str, cseq: u32, authorization: &str) -> String {
        let at = self.address;
        format!(
            "REGISTER sip:{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKr{user}{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{}>;tag=r{user}\r\nTo: <sip:{user}@{}>\r\nCall-ID: register-{user}\r\nCSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{user}@{at}>\r\nExpires: 600\r\n{authorization}Content-Length: 0\r\n\r\n",
            at.ip(),
            at.ip()
        )
    }

    /// One request outside every call, sent again until a final response comes or a few seconds have passed.
    fn exchange(&mut self, gateway: SocketAddr, request: &str) -> io::Result<Option<Response>> {
        let mut buffer = [0; 65_535];
        for _ in 0..10 {
            self.socket.send_to(request.as_bytes(), gateway)?;
            for _ in 0..50 {
                let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(10u8));
                let Ok((size, _)) = self.socket.recv_from(&mut buffer) else { continue };
                match Message::parse(Bytes::copy_from_slice(&buffer[..size])) {
                    Ok(Message::Response(response)) if response.status.0 >= 200 => return Ok(Some(response)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    pub fn hang_up(&mut self, now: Now, ladder: &mut Ladder) {
        for leg in self.lines.keys().copied().collect::<Vec<_>>() {
            self.command(now, Command::Hangup { leg, cause: Cause { status: 480, q850: Some(16), ..Cause::default() } }, ladder);
        }
    }

    /// Everything that has come due: messages, timers, answers, audio both ways.
    pub fn turn(&mut self, now: Now, ladder: &mut Ladder) {
        let mut buffer = [0; 65_535];
        while let Ok((size, remote)) = self.socket.recv_from(&mut buffer) {
            self.datagram(now, remote, Bytes::copy_from_slice(&buffer[..size]), ladder);
        }
        let mut done = Vec::new();
        self.legs.tick(&mut self.ua, now, &mut done);
        self.ua.tick(now);
        self.react(now, done, ladder);
        while let Some(leg) = self.answers.pop(now.mono) {
            self.command(now, Command::Answer { leg }, ladder);
        }
        for line in self.lines.values_mut() {
            line.turn(now);
        }
    }

    fn datagram(&mut self, now: Now, remote: SocketAddr, data: Bytes, ladder: &mut Ladder) {
        let Ok(mut message) = Message::parse(data) else { return };
        let flow = Flow { proto: Proto::Udp, local: self.address, remote };
        if let Message::Request(request) = &mut message {
            note_source(&mut request.headers, flow);
            if request.method == crate::sip::Method::Invite && request.headers.to().is_some_and(|to| to.tag().is_none()) {
                self.invites.push(message.clone());
            }
        }
        ladder.note(now, "hotline", self.name, &message);
        if let (Message::Response(response), Some(line)) = (&message, self.lines.values_mut().next_back())
            && response.headers.cseq().is_some_and(|c| c.method == crate::sip::Method::Invite)
        {
            line.statuses.push(response.status.0);
        }
        self.ua.received(now, flow, message);
        self.react(now, Vec::new(), ladder);
    }

    fn command(&mut self, now: Now, command: Command, ladder: &mut Ladder) {
        let mut done = Vec::new();
        self.legs.command(&mut self.ua, now, command, &mut done);
        self.react(now, done, ladder);
    }

    fn react(&mut self, now: Now, mut done: Vec<Event>, ladder: &mut Ladder) {
        self.legs.serve(&mut self.ua, now, &mut done);
        for Sent { flow, data } in self.ua.sent() {
            if let Ok(message) = Message::parse(data.clone()) {
                ladder.note(now, self.name, "hotline", &message);
            }
            // A datagram that cannot leave is a lost datagram: SIP sends it again.
            let _ = self.socket.send_to(&data, flow.remote);
        }
        for event in done {
            self.event(now, event, ladder);
        }
    }

    fn event(&mut self, now: Now, event: Event, ladder: &mut Ladder) {
        match event {
            Event::Incoming(incoming) => self.ring(now, incoming.leg, ladder),
            Event::Media { leg, media } => self.media(leg, &media),
            Event::Answered { leg } | Event::Established { leg } => {
                if let Some(line) = self.lines.get_mut(&leg) {
                    line.answered = true;
                    line.voice.start(now);
                }
            }
            Event::Ended { leg, end } => {
                self.answers.cancel(&leg);
                if let Some(line) = self.lines.get_mut(&leg) {
                    line.voice.stop();
                    line.ended = Some(end);
                }
            }
            Event::Asked(_)
            | Event::TurnedAway(_)
            | Event::Progress { .. }
            | Event::EarlyMedia { .. }
            | Event::Confirmed { .. }
            | Event::Key { .. }
            | Event::KeyRefused { .. }
            | Event::HopFailed { .. }
            | Event::Refer { .. } => {}
        }
    }

    fn ring(&mut self, now: Now, leg: LegId, ladder: &mut Ladder) {
        self.command(now, Command::Release { leg }, ladder);
        let Ok(line) = Line::open(self.address, 0xca11) else { return };
        let Ok(local) = line.local() else { return };
        self.lines.insert(leg, line);
        self.command(now, Command::Attach { leg, local }, ladder);
        self.command(now, Command::Progress { leg, status: Status(180), media: false }, ladder);
        self.answers.set(leg, now.mono.after(PICK_UP));
    }

    fn media(&mut self, leg: LegId, media: &Media) {
        if let Some(line) = self.lines.get_mut(&leg) {
            line.peer = media.rtp;
        }
    }
}

impl Line {
    fn open(phone: SocketAddr, voice: u32) -> io::Result<Line> {
        let rtp = UdpSocket::bind((phone.ip(), 0))?;
        rtp.set_nonblocking(true)?;
        let (voice, heard) = (Voice::new(voice), ReceivedAudio::default());
        Ok(Line { rtp, peer: None, voice, heard, statuses: Vec::new(), answered: false, ended: None })
    }

    fn local(&self) -> io::Result<LocalMedia> {
        Ok(LocalMedia { rtp: self.rtp.local_addr()?, codecs: vec![Codec::Pcma], srtp: None })
    }

    fn turn(&mut self, now: Now) {
        let mut buffer = [0; 2048];
        while let Ok((size, _)) = self.rtp.recv_from(&mut buffer) {
            self.heard.packet(&buffer[..size]);
        }
        while let Some(packet) = self.voice.due(now) {
            if let Some(peer) = self.peer {
                let _ = self.rtp.send_to(&packet, peer);
            }
        }
    }
}
