//! Carriers, seats and targets: each a party of its own temper, on the dialog layer it shares with the gateway.

use crate::refer::Refers;
use hotline::base::{Flow, LegId, MapSeed, Mono, Now, Proto, Rng, Timers};
use hotline::dialog::{Cause, Command, Config, Dial, Event, Legs, LocalMedia};
use hotline::sip::{Codec, Header, Host, Message, Name, NameAddr, Status, Uri};
use hotline::ua::{self, Sent, Ua};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

pub struct Peer {
    pub address: SocketAddr,
    ua: Ua,
    legs: Legs,
    acts: Timers<(LegId, Act)>,
    kind: Kind,
    pub answered: u64,
    pub refused: u64,
    /// Legs in a session.
    talking: BTreeSet<LegId>,
    refers: Refers,
    /// Keys that it pressed.
    pub keys: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Places calls.
    Carrier,
    /// Takes them, or not.
    Callee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Answer,
    Refuse(u16),
    Hangup,
}

impl Peer {
    pub fn new(address: SocketAddr, kind: Kind, rng: &mut Rng) -> Peer {
        let config = ua::Config { product: "peer".to_owned(), ..ua::Config::default() };
        Peer {
            address,
            ua: Ua::new(config, rng.fork(), MapSeed(1, 2)),
            legs: Legs::new(Config::default(), MapSeed(1, 2)),
            acts: Timers::default(),
            kind,
            answered: 0,
            refused: 0,
            talking: BTreeSet::new(),
            refers: Refers::default(),
            keys: 0,
        }
    }

    /// Calls a number: a carrier for a caller, a seat by another line of its phone.
    pub fn call(&mut self, rng: &mut Rng, now: Now, gateway: SocketAddr, number: &str, out: &mut Vec<Sent>) {
        let user = match self.kind {
            Kind::Carrier => "13800138000".to_owned(),
            Kind::Callee => format!("seat-{}", self.seat()),
        };
        let replaces = self.refers.replaces().filter(|_| self.kind == Kind::Callee && rng.chance(200));
        let leg = self.legs.next_id();
        let host = |a: SocketAddr| Host::Ip(a.ip());
        let to = Uri::sip(number, host(gateway), None);
        let dial = Dial {
            every_way: false,
            leg,
            call_id: rng.token(),
            flow: Flow { proto: Proto::Udp, local: self.address, remote: gateway },
            others: Vec::new(),
            routes: Vec::new(),
            uri: to.clone(),
            from: NameAddr::new(Uri::sip(&user, host(self.address), None)),
            to: NameAddr::new(to),
            max_forwards: 70,
            headers: replaces.map(|value| Header { name: Name::Replaces, value: value.into() }).into_iter().collect(),
            local: self.local(),
            known_as: None,
            causes: None,
            timer: None,
        };
        if rng.chance(400) {
            self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(60_000))));
        }
        let mut done = Vec::new();
        self.legs.command(&mut self.ua, now, Command::Dial(Box::new(dial)), &mut done);
        self.react(rng, now, done, out);
    }

    /// Presses keys in one of its calls, or has its phone ask to be rid of the caller.
    pub fn press(&mut self, rng: &mut Rng, now: Now, out: &mut Vec<Sent>) {
        let Some(leg) = self.talking.iter().nth(rng.below(self.talking.len().max(1) as u64) as usize).copied() else { return };
        let keys = ["*212366#", "*2110#", "*3", "*4", "*5", "*6", "*110#", "*110#*110#", "7", "*", "A", "A"];
        let mut done = Vec::new();
        for key in keys[rng.below(keys.len() as u64) as usize].chars() {
            self.keys += 1;
            self.legs.command(&mut self.ua, now, Command::SendInfo { leg, key }, &mut done);
        }
        self.react(rng, now, done, out);
    }

    /// Sessions that it still has when all is over: it was never told of their end.
    pub fn left(&self) -> usize {
        self.legs.len()
    }

    pub fn in_session(&self) -> bool {
        !self.talking.is_empty()
    }

    fn seat(&self) -> u8 {
        match self.address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3].wrapping_sub(10),
            std::net::IpAddr::V6(_) => 0,
        }
    }

    pub fn received(&mut self, rng: &mut Rng, now: Now, from: SocketAddr, message: Message, out: &mut Vec<Sent>) {
        let flow = Flow { proto: Proto::Udp, local: self.address, remote: from };
        let message = match self.refers.incoming(message) {
            Ok(message) => message,
            Err(data) => return out.push(Sent { flow, data }),
        };
        self.ua.received(now, flow, noted(message, flow));
        self.react(rng, now, Vec::new(), out);
    }

    pub fn tick(&mut self, rng: &mut Rng, now: Now, out: &mut Vec<Sent>) {
        let mut done = Vec::new();
        self.legs.tick(&mut self.ua, now, &mut done);
        self.ua.tick(now);
        self.legs.serve(&mut self.ua, now, &mut done);
        while let Some((leg, act)) = self.acts.pop(now.mono) {
            let cause = |status| Cause { status, ..Cause::default() };
            let command = match act {
                Act::Answer => Command::Answer { leg },
                Act::Refuse(status) => Command::Hangup { leg, cause: cause(status) },
                Act::Hangup => Command::Hangup { leg, cause: cause(480) },
            };
            self.legs.command(&mut self.ua, now, command, &mut done);
            if act == Act::Answer && rng.chance(600) {
                self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(40_000))));
            }
        }
        self.react(rng, now, done, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.ua.deadline(), self.legs.deadline(), self.acts.next()].into_iter().flatten().min()
    }

    fn react(&mut self, rng: &mut Rng, now: Now, mut done: Vec<Event>, out: &mut Vec<Sent>) {
        loop {
            self.legs.serve(&mut self.ua, now, &mut done);
            for Sent { flow, data } in self.ua.sent() {
                let goal = || (["12366", "12348", "110", "99999"][rng.below(4) as usize], rng.chance(500));
                out.push(Sent { flow, data: self.refers.outgoing(data, goal) });
            }
            if done.is_empty() {
                return;
            }
            for event in std::mem::take(&mut done) {
                self.event(rng, now, event, &mut done);
            }
        }
    }

    fn event(&mut self, rng: &mut Rng, now: Now, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Incoming(incoming) if self.kind == Kind::Callee => self.pick(rng, now, incoming.leg, out),
            Event::Incoming(incoming) => {
                self.legs.command(&mut self.ua, now, Command::Release { leg: incoming.leg }, out);
                let cause = Cause { status: 405, ..Cause::default() };
                self.legs.command(&mut self.ua, now, Command::Hangup { leg: incoming.leg, cause }, out);
            }
            Event::Established { leg } => {
                self.talking.insert(leg);
            }
            Event::Answered { leg } => {
                self.answered += 1;
                self.talking.insert(leg);
                if rng.chance(700) {
                    self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(30_000))));
                }
            }
            Event::Ended { leg, end } => {
                self.talking.remove(&leg);
                self.refused += u64::from(end.status.is_some_and(|s| s.0 != 487));
                for act in [Act::Answer, Act::Hangup, Act::Refuse(480), Act::Refuse(486), Act::Refuse(503)] {
                    self.acts.cancel(&(leg, act));
                }
            }
            _ => {}
        }
    }

    /// A seat's temper: answers, is busy, fails, or lets it ring.
    fn pick(&mut self, rng: &mut Rng, now: Now, leg: LegId, out: &mut Vec<Event>) {
        self.legs.command(&mut self.ua, now, Command::Release { leg }, out);
        let local = self.local();
        self.legs.command(&mut self.ua, now, Command::Attach { leg, local }, out);
        if rng.chance(800) {
            self.legs.command(&mut self.ua, now, Command::Progress { leg, status: Status(180), media: rng.chance(200) }, out);
        }
        let soon = |rng: &mut Rng, most| now.mono.after(Duration::from_millis(rng.below(most)));
        match rng.below(10) {
            0 => self.acts.set((leg, Act::Refuse(486)), soon(rng, 2000)),
            1 => self.acts.set((leg, Act::Refuse(503)), soon(rng, 50)),
            // It rings until its own patience ends, whatever became of who called it.
            2 => self.acts.set((leg, Act::Refuse(480)), now.mono.after(Duration::from_secs(180))),
            3 => self.acts.set((leg, Act::Answer), soon(rng, 25_000)),
            _ => self.acts.set((leg, Act::Answer), soon(rng, 5000)),
        }
    }

    fn local(&self) -> LocalMedia {
        LocalMedia { rtp: SocketAddr::new(self.address.ip(), 4000), codecs: vec![Codec::Pcma, Codec::Pcmu], srtp: None }
    }
}

/// As an edge does it, before the transactions see it.
pub fn noted(message: Message, flow: Flow) -> Message {
    match message {
        Message::Request(mut request) => {
            hotline::transport::note_source(&mut request.headers, flow);
            Message::Request(request)
        }
        response => response,
    }
}
