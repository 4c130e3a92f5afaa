//! A raw peer that calls.

use crate::raw::leg::{Leg, Stage};
use crate::raw::text::{Msg, write};
use crate::raw::{Act, Headers, Out, RawPeer};
use hotline::base::{Mono, Rng};
use std::time::Duration;

/// One number as carriers and phones write it.
const NAMES: &[&str] = &["", "", "\"a;tag=x <sip:b@c>\" ", "张三 ", "\"\\\"q\\\"\" "];

impl RawPeer {
    pub fn call(&mut self, rng: &mut Rng, now: Mono, number: &str, out: &mut Out) {
        let (at, gateway) = (self.address, self.gateway);
        let user = if self.carrier { "13800138000".to_owned() } else { format!("seat-{}", self.seat()) };
        let name = NAMES[rng.below(NAMES.len() as u64) as usize];
        let ours = format!("{name}<sip:{user}@{}>", at.ip());
        let target = format!("sip:{number}@{}", gateway.ip());
        let theirs = if rng.chance(300) { target.clone() } else { format!("<{target}>") };
        let mut leg = Leg::new(Stage::Calling, format!("{}@raw", rng.token()), rng.token(), ours, theirs, target);
        leg.proxied = self.carrier && rng.chance(300);
        leg.strict = leg.proxied && rng.chance(200);
        leg.late = rng.chance(150);
        leg.deaf = rng.chance(20);
        leg.slow = if rng.chance(150) { 1 + rng.below(3) } else { 0 };
        leg.updates = rng.chance(700);
        leg.seq = rng.below(1 << 30) as u32;
        leg.branch = format!("z9hG4bK{}", rng.token());
        let mut headers = leg.head(at, "INVITE", leg.seq, &leg.branch);
        headers.extend(leg.record(at, false));
        headers.extend(self.wishes(rng, &leg));
        let body = if leg.late { String::new() } else { leg.offer(rng, at) };
        if !body.is_empty() {
            headers.push(("Content-Type", "application/sdp".to_owned()));
        }
        self.next += 1;
        let (id, seq, branch, uri) = (self.next, leg.seq, leg.branch.clone(), leg.target.clone());
        self.legs.insert(id, leg);
        self.start(rng, now, id, "INVITE", seq, &branch, (&uri, &headers, &body), out);
        if rng.chance(400) {
            let act = if rng.chance(500) { Act::Cancel } else { Act::Bye };
            self.act_later(rng, now, id, 60_000, act);
        } else if rng.chance(200) {
            self.act_later(rng, now, id, 800, Act::Cancel);
        }
    }

    fn wishes(&self, rng: &mut Rng, leg: &Leg) -> Headers {
        let mut headers: Headers = Vec::new();
        let update = if leg.updates { ", UPDATE" } else { "" };
        headers.push(("Allow", format!("INVITE, ACK, CANCEL, BYE, INFO, NOTIFY, PRACK, OPTIONS{update}")));
        let timer = rng.chance(200);
        match rng.below(4) {
            0 => headers.push(("Require", "100rel".to_owned())),
            1 => headers.push(("Supported", "100rel , timer".to_owned())),
            _ if timer => headers.push(("Supported", "Timer".to_owned())),
            _ => {}
        }
        if timer && headers.iter().any(|(name, value)| *name == "Supported" && value.to_lowercase().contains("timer")) {
            headers.push(("Session-Expires", "90; refresher = uas".to_owned()));
        }
        headers
    }

    pub(super) fn seat(&self) -> u8 {
        match self.address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3].wrapping_sub(10),
            std::net::IpAddr::V6(_) => 0,
        }
    }

    /// §9.1: only once it has been answered provisionally; else when that comes.
    pub(super) fn cancel(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.cancelled = true;
        let key = (leg.branch.clone(), "INVITE".to_owned());
        let answered = self.asked.get(&key).is_some_and(|asked| asked.provisional);
        if !answered || leg.cancel_sent {
            return;
        }
        leg.cancel_sent = true;
        // The To of the INVITE, which had no tag.
        let tag = leg.their_tag.take();
        let seq = self.asked.get(&key).map_or(leg.seq, |asked| asked.seq);
        let mut headers = leg.head(at, "CANCEL", seq, &key.0);
        leg.their_tag = tag;
        headers.push(("Reason", "SIP ;cause=200 ;text=\"Call completed elsewhere\"".to_owned()));
        let number = leg.theirs.trim_matches(['<', '>']).to_owned();
        self.start(rng, now, id, "CANCEL", seq, &key.0, (&number, &headers, ""), out);
    }

    pub(super) fn progress(&mut self, rng: &mut Rng, now: Mono, id: u64, msg: &Msg, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.stage != Stage::Calling {
            return;
        }
        if let Some(tag) = msg.tag("to") {
            leg.their_tag.get_or_insert(tag);
            leg.target = msg.contact().unwrap_or(leg.target.clone());
        }
        if let Some(rseq) = msg.rseq().filter(|rseq| leg.took.is_none_or(|last| *rseq == last + 1)) {
            leg.took = Some(rseq);
            let invite = self.asked.get(&(leg.branch.clone(), "INVITE".to_owned())).map_or(0, |asked| asked.seq);
            let mut more = vec![("RAck", format!("{rseq} {invite}  INVITE"))];
            let body = match msg.sdp().filter(|_| leg.late) {
                Some(offer) => leg.answer(offer, at),
                None => String::new(),
            };
            leg.described |= msg.sdp().is_some();
            if !body.is_empty() {
                more.push(("Content-Type", "application/sdp".to_owned()));
            }
            let early = leg.described && rng.chance(300);
            self.ask(rng, now, id, "PRACK", &more, &body, out);
            if early {
                self.act_later(rng, now, id, 3000, Act::Update);
            }
        }
        if self.legs.get(&id).is_some_and(|leg| leg.cancelled) {
            self.cancel(rng, now, id, out);
        }
    }

    /// §13.2.2.4: each 2xx gets an ACK, the same again for the same.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn accepted(&mut self, rng: &mut Rng, now: Mono, id: u64, seq: u32, msg: &Msg, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.slow > 0 || leg.deaf {
            leg.slow = leg.slow.saturating_sub(1);
            leg.their_tag = leg.their_tag.clone().or(msg.tag("to"));
            leg.target = msg.contact().unwrap_or(leg.target.clone());
            if leg.deaf && leg.stage == Stage::Calling {
                leg.stage = Stage::Session;
            }
            return;
        }
        if let Some(ack) = leg.acks.get(&seq) {
            return out.push(ack.clone());
        }
        leg.their_tag = msg.tag("to");
        leg.target = msg.contact().unwrap_or(leg.target.clone());
        let mut headers = leg.head(at, "ACK", seq, &format!("z9hG4bK{}", rng.token()));
        let offered = self.asked.get(&(msg.branch(), msg.method())).is_some_and(|asked| !asked.data.ends_with(b"\r\n\r\n"));
        let body = match msg.sdp().filter(|_| !offered) {
            Some(offer) => leg.answer(offer, at),
            None => String::new(),
        };
        if !body.is_empty() {
            headers.push(("Content-Type", "application/sdp".to_owned()));
        }
        let ack = write(rng, &format!("ACK {} SIP/2.0", leg.target), &headers, &body);
        leg.acks.insert(seq, ack.clone());
        out.push(ack);
        let begins = leg.stage == Stage::Calling;
        if begins {
            leg.stage = Stage::Session;
            let end = leg.cancelled;
            self.settle_in(rng, now, id);
            if end {
                self.bye(rng, now, id, out);
            }
        }
    }

    /// §17.1.1.3: the ACK of a refusal is the INVITE's transaction's.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn refused(&mut self, rng: &mut Rng, now: Mono, id: u64, seq: u32, first: bool, msg: &Msg, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let mut headers = leg.head(at, "ACK", seq, &msg.branch());
        // One Via, the To of the response.
        headers.retain(|(name, value)| *name != "Via" || value.contains(&at.to_string()));
        headers.iter_mut().filter(|(name, _)| *name == "To").for_each(|to| to.1 = msg.get("to").unwrap_or_default().to_owned());
        let uri = if leg.stage == Stage::Calling { leg.theirs.trim_matches(['<', '>']).to_owned() } else { leg.target.clone() };
        out.push(write(rng, &format!("ACK {uri} SIP/2.0"), &headers, ""));
        match (leg.stage, msg.status()) {
            (Stage::Calling, _) => leg.stage = Stage::Over,
            (Stage::Session, Some(408 | 481)) if first => self.bye(rng, now, id, out),
            _ => {}
        }
    }

    /// Plans what it will do in the session.
    pub(super) fn settle_in(&mut self, rng: &mut Rng, now: Mono, id: u64) {
        for _ in 0..rng.below(4) {
            let act = match rng.below(5) {
                0 | 1 => Act::Reinvite,
                2 => Act::Update,
                3 => Act::Info,
                _ => Act::Options,
            };
            self.act_later(rng, now, id, 30_000, act);
        }
        if rng.chance(700) {
            self.act_later(rng, now, id, 40_000, Act::Bye);
        }
    }

    pub(super) fn bye(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // §15: who was called waits for the ACK first.
        if leg.resend.is_some() {
            return self.later(now.after(Duration::from_millis(400)), crate::raw::Due::Act(id, Act::Bye));
        }
        leg.stage = Stage::Leaving;
        let reason = ("Reason", "Q.850;cause=16;text=\"Normal, call clearing\"".to_owned());
        self.ask(rng, now, id, "BYE", &[reason], "", out);
    }
}
