//! Requests and answers of a raw peer within a session.

use crate::raw::leg::Stage;
use crate::raw::text::Msg;
use crate::raw::{Out, RawPeer, T2};
use hotline::base::{Mono, Rng};

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const KEYS: &[&str] = &["*212366#", "*2110#", "*3", "*4", "*5", "*6", "*110#", "*110#*110#", "7", "*", "R", "R"];

impl RawPeer {
    /// Keys, or the wish to be rid of the caller.
    pub fn press(&mut self, rng: &mut Rng, now: Mono, out: &mut Out) {
        let talking: Vec<u64> = self.legs.iter().filter(|(_, leg)| leg.stage == Stage::Session).map(|(id, _)| *id).collect();
        let Some(id) = talking.get(rng.below(talking.len().max(1) as u64) as usize).copied() else { return };
        let keys = KEYS[rng.below(KEYS.len() as u64) as usize];
        self.keys += keys.len() as u64;
        if keys == "R" {
            return self.refer(rng, now, id, out);
        }
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.keys.extend(keys.chars());
        }
        self.key(rng, now, id, out);
    }

    fn refer(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let number = ["12366", "12348", "110", "99999"][rng.below(4) as usize];
        let gateway = self.gateway.ip();
        let other = self.legs.iter().find(|(n, leg)| **n != id && leg.stage == Stage::Session).map(|(_, leg)| {
            let theirs = leg.their_tag.clone().unwrap_or_default();
            format!("?Replaces={}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{}", leg.call.replace('@', "%40"), leg.tag)
        });
        let replaces = other.filter(|_| rng.chance(500)).unwrap_or_default();
        let to = ("Refer-To", format!("\"x\" <sip:{number}@{gateway}{replaces}>"));
        self.ask(rng, now, id, "REFER", &[to], "", out);
    }

    /// One INFO at a time, so that no key overtakes another.
    pub(super) fn key(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let busy = self.asked.iter().any(|((_, method), asked)| asked.leg == id && method == "INFO" && !asked.finished);
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| !busy && leg.stage == Stage::Session) else { return };
        let Some(key) = leg.keys.pop_front() else { return };
        let kind = ("Content-Type", "application/dtmf-relay".to_owned());
        self.ask(rng, now, id, "INFO", &[kind], &format!("Signal={key}\r\nDuration=160\r\n"), out);
    }

    /// §14.1: not while another INVITE is under way, nor before the first is acknowledged.
    pub(super) fn reinvite(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let at = self.address;
        if self.offering(id) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.resend.is_none()) else { return };
        let body = match rng.below(5) {
            0 => String::new(),
            1 if !leg.said.is_empty() => leg.said.clone(),
            _ => leg.offer(rng, at),
        };
        let mut more = vec![("Allow", "INVITE, ACK, CANCEL, BYE, INFO, NOTIFY, PRACK, OPTIONS, UPDATE".to_owned())];
        if !body.is_empty() {
            more.push((SDP.0, SDP.1.to_owned()));
        }
        self.ask(rng, now, id, "INVITE", &more, &body, out);
    }

    pub(super) fn update(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let at = self.address;
        if self.offering(id) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.resend.is_none()) else { return };
        if leg.stage == Stage::Calling && !leg.described {
            return;
        }
        let body = if rng.chance(700) { leg.offer(rng, at) } else { String::new() };
        let more = if body.is_empty() { Vec::new() } else { vec![(SDP.0, SDP.1.to_owned())] };
        self.ask(rng, now, id, "UPDATE", &more, &body, out);
    }

    /// An offer of ours is open, within the session.
    fn offering(&self, id: u64) -> bool {
        let first = self.legs.get(&id).map(|leg| leg.branch.clone()).unwrap_or_default();
        self.asked.iter().any(|((branch, _), asked)| asked.leg == id && asked.offers && !asked.finished && *branch != first)
    }

    pub(super) fn inside(&mut self, rng: &mut Rng, now: Mono, id: u64, msg: &Msg, out: &mut Out) {
        let at = self.address;
        let offering = self.offering(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // §12.2.2
        if leg.heard.is_some_and(|last| msg.seq() < last) {
            self.reply(rng, msg, 500, None, &[], "", out);
            return;
        }
        leg.heard = Some(msg.seq());
        let over = matches!(leg.stage, Stage::Over | Stage::Leaving);
        let method = msg.method();
        match method.as_str() {
            "BYE" => {
                if leg.stage != Stage::Leaving {
                    leg.stage = Stage::Over;
                }
                (leg.resend, leg.unconfirmed) = (None, false);
                self.reply(rng, msg, 200, None, &[], "", out);
            }
            "NOTIFY" if !over || leg.stage == Stage::Leaving => {
                self.reply(rng, msg, 200, None, &[], "", out);
            }
            _ if over => {
                self.reply(rng, msg, 481, None, &[], "", out);
            }
            "PRACK" => self.confirmed(rng, now, id, msg, out),
            "INVITE" | "UPDATE" if offering && (method == "INVITE" || msg.sdp().is_some()) => {
                let data = self.reply(rng, msg, 491, None, &[], "", out);
                if method == "INVITE" {
                    self.resend_from(now, id, data, T2);
                }
            }
            "INVITE" | "UPDATE" => {
                leg.target = msg.contact().unwrap_or(leg.target.clone());
                let body = match msg.sdp() {
                    Some(offer) => leg.answer(offer, at),
                    None if method == "INVITE" => leg.offer(rng, at),
                    None => String::new(),
                };
                let mut more = vec![("Contact", leg.contact(at)), ("Allow", "INVITE, ACK, BYE, UPDATE".to_owned())];
                if !body.is_empty() {
                    more.push((SDP.0, SDP.1.to_owned()));
                }
                let data = self.reply(rng, msg, 200, None, &more, &body, out);
                if method == "INVITE" {
                    self.resend_from(now, id, data, T2);
                }
            }
            "INFO" | "OPTIONS" => {
                self.reply(rng, msg, 200, None, &[], "", out);
            }
            _ => {
                let allow = ("Allow", "INVITE, ACK, CANCEL, BYE, INFO, NOTIFY, PRACK, OPTIONS, UPDATE".to_owned());
                self.reply(rng, msg, 405, None, &[allow], "", out);
            }
        }
    }
}
