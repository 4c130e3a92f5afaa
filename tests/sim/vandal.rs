//! A sender who reads every message of the others and sends what it likes: copies, forgeries in their dialogs, and bytes
//! turned round. It speaks from a trunk of its own that may place no calls, and from an address that nobody knows.
//! Nothing of it may change anything for anybody: a run with it is, for all others, the run without it.
//!
//! It throws its own dice, and answers to it leave the wire at once; so the two runs differ by the gateway alone.

use crate::raw::text::{Msg, param};
use crate::switch::address;
use bytes::Bytes;
use hotline::base::{Flow, Proto, Rng};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Methods that it writes into others' dialogs.
const METHODS: [&str; 12] =
    ["BYE", "CANCEL", "ACK", "INVITE", "UPDATE", "INFO", "REFER", "PRACK", "OPTIONS", "NOTIFY", "MESSAGE", "SUBSCRIBE"];
const SDP: &str = "v=0\r\no=- 9 9 IN IP4 10.0.0.4\r\ns=-\r\nc=IN IP4 10.0.0.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

pub struct Vandal {
    rng: Rng,
    gateway: SocketAddr,
    made: VecDeque<(Flow, Bytes)>,
}

impl Vandal {
    pub fn new(seed: u64, gateway: SocketAddr) -> Vandal {
        Vandal { rng: Rng::from_number(seed ^ 0x7661_6e64), gateway, made: VecDeque::new() }
    }

    /// The address of its trunk.
    pub fn trunk() -> SocketAddr {
        address(4)
    }

    /// An answer goes to the host that asked, to whatever port its Via named.
    pub fn is(address: SocketAddr) -> bool {
        [Vandal::trunk().ip(), Vandal::stranger().ip()].contains(&address.ip())
    }

    fn stranger() -> SocketAddr {
        address(99)
    }

    /// It may make something of this.
    pub fn reads(&mut self, data: &[u8]) {
        if !self.rng.chance(400) {
            return;
        }
        for _ in 0..=self.rng.below(2) {
            let remote = if self.rng.chance(700) { Vandal::trunk() } else { Vandal::stranger() };
            let flow = Flow { proto: Proto::Udp, local: self.gateway, remote };
            let made = self.forge(data);
            self.made.extend(made.map(|made| (flow, made.into())));
        }
    }

    pub fn sends(&mut self) -> Option<(Flow, Bytes)> {
        self.made.pop_front()
    }

    fn forge(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let msg = Msg::read(data).ok()?;
        let dice = self.rng.below(4);
        Some(match msg.status() {
            // Whoever reads the branch of a request may answer it in the peer's place, so a response has to guess it.
            Some(_) if dice == 0 => {
                let guessed = self.guessed(&msg);
                self.turned(guessed)
            }
            Some(_) => self.guessed(&msg),
            None if dice == 0 => data.to_vec(),
            None if dice == 1 => self.turned(data.to_vec()),
            None => self.in_their_dialog(&msg),
        })
    }

    /// The response to another branch.
    fn guessed(&mut self, msg: &Msg) -> Vec<u8> {
        let mut msg = msg.clone();
        let guess = format!("z9hG4bK{}", self.rng.token());
        for (name, value) in &mut msg.headers {
            if name == "via" {
                *value = value.replacen(&msg_branch(value), &guess, 1);
            }
        }
        text(&msg)
    }

    /// Another request in the dialog of this one.
    fn in_their_dialog(&mut self, msg: &Msg) -> Vec<u8> {
        let mut msg = msg.clone();
        let method = METHODS[self.rng.below(METHODS.len() as u64) as usize];
        let number = msg.seq().saturating_add(self.rng.below(3) as u32);
        msg.start = format!("{method} {} SIP/2.0", msg.uri());
        let turn = self.rng.chance(500);
        let fresh = self.rng.chance(700).then(|| format!("z9hG4bK{}", self.rng.token()));
        let mine = self.rng.chance(500).then(|| if self.rng.chance(500) { Vandal::trunk() } else { Vandal::stranger() });
        for (name, value) in &mut msg.headers {
            match name.as_str() {
                "cseq" => *value = format!("{number} {method}"),
                "from" if turn => *name = "to".to_owned(),
                "to" if turn => *name = "from".to_owned(),
                "via" => {
                    if let Some(fresh) = &fresh {
                        *value = value.replacen(&msg_branch(value), fresh, 1);
                    }
                    if let Some(mine) = mine {
                        let (_, rest) = value.split_once(';').unwrap_or_default();
                        *value = format!("SIP/2.0/UDP {mine};{rest}");
                    }
                }
                "contact" if mine.is_some() => *value = format!("<sip:x@{}>", Vandal::trunk()),
                _ => {}
            }
        }
        msg.headers.retain(|(name, _)| !matches!(name.as_str(), "content-length" | "content-type" | "rack"));
        let extra: &[(&str, &str)] = match method {
            "REFER" => &[("refer-to", "<sip:110@10.0.0.1>")],
            "INFO" => &[("content-type", "application/dtmf-relay")],
            "INVITE" | "UPDATE" => &[("content-type", "application/sdp")],
            "PRACK" => &[("rack", "1 1 INVITE")],
            _ => &[],
        };
        msg.headers.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        msg.body = match method {
            "INFO" => "Signal=*\r\nDuration=100\r\n".to_owned(),
            "INVITE" | "UPDATE" => SDP.to_owned(),
            _ => String::new(),
        };
        text(&msg)
    }

    /// A few bytes of it are others, gone or twice there.
    fn turned(&mut self, mut data: Vec<u8>) -> Vec<u8> {
        const SHARP: &[u8] = b"\r\n \t:;,<>\"\\@?=/%[]0\0\xff";
        for _ in 0..=self.rng.below(3) {
            let at = self.rng.below(data.len() as u64) as usize;
            let end = (at + self.rng.below(12) as usize).min(data.len());
            let sharp = SHARP[self.rng.below(SHARP.len() as u64) as usize];
            match self.rng.below(3) {
                0 => data[at] = sharp,
                1 if end - at < data.len() => drop(data.drain(at..end)),
                _ => drop(data.splice(at..at, data[at..end].to_vec())),
            }
        }
        data
    }
}

fn msg_branch(via: &str) -> String {
    param(via, "branch").unwrap_or_default()
}

fn text(msg: &Msg) -> Vec<u8> {
    let lines: String = msg.headers.iter().filter(|(name, _)| name != "content-length").map(line).collect();
    format!("{}\r\n{lines}content-length: {}\r\n\r\n{}", msg.start, msg.body.len(), msg.body).into_bytes()
}

fn line((name, value): &(String, String)) -> String {
    format!("{name}: {value}\r\n")
}
