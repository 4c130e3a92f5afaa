//! A party of a run: on the dialog layer that it shares with the gateway, or raw.

use crate::peer::{Kind, Peer};
use crate::raw::RawPeer;
use bytes::Bytes;
use hotline::base::{Flow, Mono, Now, Proto, Rng};
use hotline::sip::Message;
use hotline::ua::Sent;
use std::net::SocketAddr;

pub struct Party {
    pub address: SocketAddr,
    gateway: SocketAddr,
    /// Its host is gone: nothing leaves, nothing arrives.
    pub crashed: bool,
    speaker: Speaker,
}

#[expect(clippy::large_enum_variant, reason = "a run has few")]
enum Speaker {
    Dialogs(Peer),
    Raw(RawPeer),
}

impl Party {
    pub fn new(address: SocketAddr, gateway: SocketAddr, kind: Kind, raw: bool, rng: &mut Rng) -> Party {
        let speaker = match raw {
            true => Speaker::Raw(RawPeer::new(address, gateway, kind == Kind::Carrier)),
            false => Speaker::Dialogs(Peer::new(address, kind, rng)),
        };
        Party { address, gateway, crashed: false, speaker }
    }

    /// Calls a number: a carrier for a caller, a seat by another line of its phone.
    pub fn call(&mut self, rng: &mut Rng, now: Now, number: &str, out: &mut Vec<Sent>) {
        match &mut self.speaker {
            Speaker::Dialogs(peer) => peer.call(rng, now, self.gateway, number, out),
            Speaker::Raw(raw) => {
                let mut said = Vec::new();
                raw.call(rng, now.mono, number, &mut said);
                self.send(said, out);
            }
        }
    }

    pub fn press(&mut self, rng: &mut Rng, now: Now, out: &mut Vec<Sent>) {
        match &mut self.speaker {
            Speaker::Dialogs(peer) => peer.press(rng, now, out),
            Speaker::Raw(raw) => {
                let mut said = Vec::new();
                raw.press(rng, now.mono, &mut said);
                self.send(said, out);
            }
        }
    }

    pub fn received(&mut self, rng: &mut Rng, now: Now, from: SocketAddr, data: Bytes, out: &mut Vec<Sent>) {
        match &mut self.speaker {
            Speaker::Dialogs(peer) => {
                // That it can be read was seen when it was sent.
                if let Ok(message) = Message::parse(data) {
                    peer.received(rng, now, from, message, out);
                }
            }
            Speaker::Raw(raw) => {
                let mut said = Vec::new();
                raw.received(rng, now.mono, &data, &mut said);
                self.send(said, out);
            }
        }
    }

    pub fn tick(&mut self, rng: &mut Rng, now: Now, out: &mut Vec<Sent>) {
        match &mut self.speaker {
            Speaker::Dialogs(peer) => peer.tick(rng, now, out),
            Speaker::Raw(raw) => {
                let mut said = Vec::new();
                raw.tick(rng, now.mono, &mut said);
                self.send(said, out);
            }
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        match &self.speaker {
            Speaker::Dialogs(peer) => peer.deadline(),
            Speaker::Raw(raw) => raw.deadline(),
        }
    }

    /// Sessions that it still has when all is over: it was never told of their end.
    pub fn left(&self) -> usize {
        match &self.speaker {
            Speaker::Dialogs(peer) => peer.left(),
            Speaker::Raw(raw) => raw.left(),
        }
    }

    pub fn in_session(&self) -> bool {
        match &self.speaker {
            Speaker::Dialogs(peer) => peer.in_session(),
            Speaker::Raw(raw) => raw.in_session(),
        }
    }

    /// Keys that it pressed.
    pub fn keys(&self) -> u64 {
        match &self.speaker {
            Speaker::Dialogs(peer) => peer.keys,
            Speaker::Raw(raw) => raw.keys,
        }
    }

    fn send(&self, said: Vec<Vec<u8>>, out: &mut Vec<Sent>) {
        let flow = Flow { proto: Proto::Udp, local: self.address, remote: self.gateway };
        out.extend(said.into_iter().map(|data| Sent { flow, data: data.into() }));
    }
}
