//! Carriers, seats and targets: each a party of its own temper, on the dialog layer it shares with the gateway.

use hotline::base::{Flow, LegId, MapSeed, Mono, Now, Proto, Rng, Timers};
use hotline::dialog::{Cause, Command, Config, Dial, Event, Legs, LocalMedia, Output};
use hotline::sip::{Codec, Host, Message, NameAddr, Status, Uri};
use std::net::SocketAddr;
use std::time::Duration;

pub struct Peer {
    pub address: SocketAddr,
    legs: Legs,
    acts: Timers<(LegId, Act)>,
    kind: Kind,
    /// Its host is gone: nothing leaves, nothing arrives.
    pub crashed: bool,
    pub answered: u64,
    pub refused: u64,
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
        let config = Config { product: "peer".to_owned(), ..Config::default() };
        let legs = Legs::new(config, rng.fork(), MapSeed(1, 2));
        Peer { address, legs, acts: Timers::default(), kind, crashed: false, answered: 0, refused: 0 }
    }

    pub fn call(&mut self, rng: &mut Rng, now: Now, gateway: SocketAddr, number: &str, out: &mut Vec<Output>) {
        let leg = self.legs.next_id();
        let host = |a: SocketAddr| Host::Ip(a.ip());
        let to = Uri::sip(number, host(gateway), None);
        let dial = Dial {
            leg,
            call_id: rng.token(),
            flow: Flow { proto: Proto::Udp, local: self.address, remote: gateway },
            uri: to.clone(),
            from: NameAddr::new(Uri::sip("13800138000", host(self.address), None)),
            to: NameAddr::new(to),
            max_forwards: 70,
            headers: Vec::new(),
            local: self.local(),
        };
        if rng.chance(400) {
            self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(60_000))));
        }
        self.legs.command(now, Command::Dial(Box::new(dial)), out);
    }

    pub fn received(&mut self, rng: &mut Rng, now: Now, from: SocketAddr, message: Message, out: &mut Vec<Output>) {
        let flow = Flow { proto: Proto::Udp, local: self.address, remote: from };
        let mut done = Vec::new();
        self.legs.received(now, flow, noted(message, flow), &mut done);
        self.react(rng, now, done, out);
    }

    pub fn tick(&mut self, rng: &mut Rng, now: Now, out: &mut Vec<Output>) {
        let mut done = Vec::new();
        self.legs.tick(now, &mut done);
        while let Some((leg, act)) = self.acts.pop(now.mono) {
            let cause = |status| Cause { status, ..Cause::default() };
            let command = match act {
                Act::Answer => Command::Answer { leg },
                Act::Refuse(status) => Command::Hangup { leg, cause: cause(status) },
                Act::Hangup => Command::Hangup { leg, cause: cause(480) },
            };
            self.legs.command(now, command, &mut done);
            if act == Act::Answer && rng.chance(600) {
                self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(40_000))));
            }
        }
        self.react(rng, now, done, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.legs.deadline(), self.acts.next()].into_iter().flatten().min()
    }

    fn react(&mut self, rng: &mut Rng, now: Now, mut done: Vec<Output>, out: &mut Vec<Output>) {
        while !done.is_empty() {
            for output in std::mem::take(&mut done) {
                match output {
                    Output::Event(event) => self.event(rng, now, event, &mut done),
                    send => out.push(send),
                }
            }
        }
    }

    fn event(&mut self, rng: &mut Rng, now: Now, event: Event, out: &mut Vec<Output>) {
        match event {
            Event::Incoming(incoming) if self.kind == Kind::Callee => self.pick(rng, now, incoming.leg, out),
            Event::Incoming(incoming) => {
                self.legs.command(now, Command::Release { leg: incoming.leg }, out);
                let cause = Cause { status: 405, ..Cause::default() };
                self.legs.command(now, Command::Hangup { leg: incoming.leg, cause }, out);
            }
            Event::Answered { leg } => {
                self.answered += 1;
                if rng.chance(700) {
                    self.acts.set((leg, Act::Hangup), now.mono.after(Duration::from_millis(rng.below(30_000))));
                }
            }
            Event::Ended { leg, end } => {
                self.refused += u64::from(end.status.is_some_and(|s| s.0 != 487));
                for act in [Act::Answer, Act::Hangup, Act::Refuse(480), Act::Refuse(486), Act::Refuse(503)] {
                    self.acts.cancel(&(leg, act));
                }
            }
            _ => {}
        }
    }

    /// A seat's temper: answers, is busy, fails, or lets it ring.
    fn pick(&mut self, rng: &mut Rng, now: Now, leg: LegId, out: &mut Vec<Output>) {
        self.legs.command(now, Command::Release { leg }, out);
        self.legs.command(now, Command::Attach { leg, local: self.local() }, out);
        if rng.chance(800) {
            self.legs.command(now, Command::Progress { leg, status: Status(180), media: rng.chance(200) }, out);
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
        LocalMedia { rtp: SocketAddr::new(self.address.ip(), 4000), codecs: vec![Codec::Pcma, Codec::Pcmu] }
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
