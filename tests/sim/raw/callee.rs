//! A raw peer that is called, and what it may do then.

use crate::raw::leg::{Leg, Resend, Stage};
use crate::raw::text::Msg;
use crate::raw::{Act, Due, Headers, LIFE, Out, RawPeer, T1, T2};
use hotline::base::{Mono, Rng};
use std::time::Duration;

const REFUSALS: &[u16] = &[486, 503, 404, 401, 480, 603, 580, 302, 488, 407, 500, 606];

impl RawPeer {
    pub(super) fn invited(&mut self, rng: &mut Rng, now: Mono, msg: &Msg, out: &mut Out) {
        let proxied = rng.chance(300);
        let strict = proxied && rng.chance(200);
        let forks = if rng.chance(150) { 2 } else { 1 };
        if rng.chance(700) {
            self.reply(rng, msg, 100, None, &[], "", out);
        }
        if self.carrier {
            let tag = rng.token();
            let data = self.reply(rng, msg, 486, Some(&tag), &[], "", out);
            return self.resend_refusal(now, msg, data);
        }
        let temper = rng.below(12);
        for fork in 0..forks {
            let id = self.branch_of(rng, msg, proxied, strict);
            let slow = fork * 500;
            if rng.chance(800) {
                let status = if rng.chance(700) { 180 } else { 183 };
                self.act_later(rng, now, id, 1500 + slow, Act::Ring(status));
                if rng.chance(300) {
                    self.act_later(rng, now, id, 6000, Act::Ring(180));
                }
            }
            match temper {
                0..=2 if fork == 0 => {
                    let status = REFUSALS[rng.below(REFUSALS.len() as u64) as usize];
                    self.act_later(rng, now, id, 2000, Act::Refuse(status));
                }
                // It rings until its own patience ends, whatever became of who called it.
                3 if fork == 0 => self.later(now.after(Duration::from_secs(180)), Due::Act(id, Act::Refuse(480))),
                4 => self.act_later(rng, now, id, 25_000, Act::Answer),
                _ if fork == 0 || rng.chance(500) => self.act_later(rng, now, id, 5000, Act::Answer),
                _ => {}
            }
        }
    }

    fn branch_of(&mut self, rng: &mut Rng, msg: &Msg, proxied: bool, strict: bool) -> u64 {
        let ours = msg.get("to").unwrap_or_default().to_owned();
        let theirs = msg.get("from").unwrap_or_default();
        let bare = theirs.split(";tag=").next().unwrap_or_default().to_owned();
        let target = msg.contact().unwrap_or_default();
        let mut leg = Leg::new(Stage::Called, msg.call(), rng.token(), ours, bare, target);
        (leg.proxied, leg.strict) = (proxied, strict);
        leg.their_tag = msg.tag("from");
        leg.heard = Some(msg.seq());
        leg.seq = rng.below(1 << 20) as u32;
        leg.rseq = 1 + rng.below(1 << 30) as u32;
        leg.updates = rng.chance(700);
        leg.offer = msg.sdp().map(str::to_owned);
        leg.invite = msg.clone();
        self.next += 1;
        self.legs.insert(self.next, leg);
        self.next
    }

    /// Contact, Record-Route and the rest of a response that makes a dialog.
    fn about(&self, leg: &Leg) -> Headers {
        let update = if leg.updates { ", UPDATE" } else { "" };
        let mut headers = vec![
            ("Contact", leg.contact(self.address)),
            ("Allow", format!("INVITE, ACK, CANCEL, BYE, INFO, NOTIFY, PRACK, OPTIONS{update}")),
        ];
        headers.extend(leg.record(self.address, true));
        headers
    }

    pub(super) fn ring(&mut self, rng: &mut Rng, now: Mono, id: u64, status: u16, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // RFC 3262 §3: one at a time.
        if leg.unconfirmed {
            return leg.waiting.push_back(status);
        }
        let reliable = leg.invite.lists("supported", "100rel") && rng.chance(400);
        let offer = leg.offer.clone().filter(|_| !leg.described && rng.chance(400));
        let body = offer.map(|offer| leg.answer(&offer, at)).unwrap_or_default();
        let (tag, invite) = (leg.tag.clone(), leg.invite.clone());
        if reliable {
            leg.unconfirmed = true;
            leg.described |= !body.is_empty();
        }
        let rseq = leg.rseq;
        let Some(leg) = self.legs.get(&id) else { return };
        let mut more = self.about(leg);
        if reliable {
            more.push(("Require", "100rel".to_owned()));
            more.push(("RSeq", rseq.to_string()));
        }
        if !body.is_empty() {
            more.push(("Content-Type", "application/sdp".to_owned()));
        }
        let data = self.reply(rng, &invite, status, Some(&tag), &more, &body, out);
        if reliable {
            self.resend_from(now, id, data, LIFE);
        }
    }

    pub(super) fn confirmed(&mut self, rng: &mut Rng, now: Mono, id: u64, msg: &Msg, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let rack = format!("{} {} INVITE", leg.rseq, leg.invite.seq());
        if !leg.unconfirmed || msg.get("rack") != Some(&rack) {
            self.reply(rng, msg, 481, None, &[], "", out);
            return;
        }
        (leg.unconfirmed, leg.resend) = (false, None);
        leg.rseq += 1;
        self.reply(rng, msg, 200, None, &[], "", out);
        let free = |leg: &&mut Leg| leg.stage == Stage::Called && !leg.unconfirmed;
        while let Some(status) = self.legs.get_mut(&id).filter(free).and_then(|leg| leg.waiting.pop_front()) {
            match status {
                200 => self.answer(rng, now, id, out),
                status => self.ring(rng, now, id, status, out),
            }
        }
    }

    pub(super) fn answer(&mut self, rng: &mut Rng, now: Mono, id: u64, out: &mut Out) {
        let at = self.address;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.unconfirmed {
            return leg.waiting.push_back(200);
        }
        let mut body = match leg.offer.clone().filter(|_| !leg.described) {
            Some(offer) => leg.answer(&offer, at),
            None => String::new(),
        };
        if rng.chance(40) {
            body = body.replace("m=audio 4000", "m=audio 0");
        }
        leg.stage = Stage::Session;
        let (tag, invite) = (leg.tag.clone(), leg.invite.clone());
        let Some(leg) = self.legs.get(&id) else { return };
        let mut more = self.about(leg);
        if !body.is_empty() {
            more.push(("Content-Type", "application/sdp".to_owned()));
        }
        let data = self.reply(rng, &invite, 200, Some(&tag), &more, &body, out);
        self.resend_from(now, id, data, T2);
        self.settle_in(rng, now, id);
        // The proxy that forked cancels its other branches, which may have answered.
        let others = self.legs.iter().filter(|(_, leg)| leg.stage == Stage::Called && leg.call == invite.call());
        for other in others.map(|(id, _)| *id).collect::<Vec<_>>() {
            if rng.chance(500) {
                self.act_later(rng, now, other, 300, Act::Answer);
            } else if let Some(leg) = self.legs.get_mut(&other) {
                (leg.stage, leg.resend) = (Stage::Over, None);
            }
        }
    }

    pub(super) fn refuse(&mut self, rng: &mut Rng, now: Mono, id: u64, status: u16, out: &mut Out) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (tag, invite, call) = (leg.tag.clone(), leg.invite.clone(), leg.call.clone());
        let more: Headers = match status {
            401 => vec![("WWW-Authenticate", "Digest realm=\"a, b\", nonce=\"1\"".to_owned())],
            407 => vec![("Proxy-Authenticate", "Digest realm=\"a\", nonce=\"1\"".to_owned())],
            302 => vec![("Contact", "<sip:elsewhere@192.0.2.99>".to_owned())],
            503 => vec![("Retry-After", "7 (busy);duration=3600".to_owned())],
            _ => Vec::new(),
        };
        let answered = self.legs.values().any(|leg| leg.call == call && leg.stage != Stage::Called);
        // A proxy forks: its one refusal is for all.
        for leg in self.legs.values_mut().filter(|leg| leg.call == call && leg.stage == Stage::Called) {
            (leg.stage, leg.resend) = (Stage::Over, None);
        }
        if answered {
            return;
        }
        let data = self.reply(rng, &invite, status, Some(&tag), &more, "", out);
        self.resend_refusal(now, &invite, data);
    }

    /// §17.2.1: until its ACK.
    fn resend_refusal(&mut self, now: Mono, invite: &Msg, data: Vec<u8>) {
        let id = match self.legs.iter().find(|(_, leg)| leg.call == invite.call()).map(|(id, _)| *id) {
            Some(id) => id,
            None => {
                let mut leg = Leg::new(Stage::Over, invite.call(), String::new(), String::new(), String::new(), String::new());
                leg.invite = invite.clone();
                self.next += 1;
                self.legs.insert(self.next, leg);
                self.next
            }
        };
        self.resend_from(now, id, data, T2);
    }

    pub(super) fn cancelled(&mut self, rng: &mut Rng, now: Mono, msg: &Msg, out: &mut Out) {
        let invited = |leg: &&Leg| leg.call == msg.call() && leg.invite.branch() == msg.branch();
        let tag = self.legs.values().find(invited).map(|leg| leg.tag.clone());
        let Some(tag) = tag else {
            let tag = rng.token();
            self.reply(rng, msg, 481, Some(&tag), &[], "", out);
            return;
        };
        self.reply(rng, msg, 200, Some(&tag), &[], "", out);
        let called = self.legs.iter().find(|(_, leg)| leg.stage == Stage::Called && leg.call == msg.call());
        let confirmed = called.is_some_and(|(_, leg)| !leg.unconfirmed);
        let answered = self.legs.values().any(|leg| leg.stage == Stage::Session && leg.call == msg.call());
        if let Some(id) = called.map(|(id, _)| *id).filter(|_| !answered) {
            // Somebody lifted the receiver at the same moment.
            if confirmed && rng.chance(200) { self.answer(rng, now, id, out) } else { self.refuse(rng, now, id, 487, out) }
        }
    }

    /// §13.3.1.4 and RFC 3262 §3: a response goes out again until it is acknowledged.
    pub(super) fn resend_from(&mut self, now: Mono, id: u64, data: Vec<u8>, cap: Duration) {
        self.next += 1;
        let number = self.next;
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.resend = Some(Resend { number, data, interval: T1, cap, until: now.after(LIFE) });
            self.later(now.after(T1), Due::Resend(id, number));
        }
    }

    pub(super) fn resend(&mut self, rng: &mut Rng, now: Mono, id: u64, number: u64, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(resend) = leg.resend.as_mut().filter(|resend| resend.number == number) else { return };
        if now < resend.until {
            out.push(resend.data.clone());
            resend.interval = (resend.interval * 2).min(resend.cap);
            let at = now.after(resend.interval).min(resend.until);
            return self.later(at, Due::Resend(id, number));
        }
        leg.resend = None;
        match leg.stage {
            Stage::Called => self.refuse(rng, now, id, 504, out),
            Stage::Session => self.bye(rng, now, id, out),
            _ => {}
        }
    }

    pub(super) fn acknowledged(&mut self, _: &mut Rng, _: Mono, msg: &Msg, _: &mut Out) {
        let fits = |leg: &Leg| {
            leg.call == msg.call() && (leg.tag.is_empty() || leg.stage == Stage::Over || Some(&leg.tag) == msg.tag("to").as_ref())
        };
        for leg in self.legs.values_mut().filter(|leg| fits(leg)) {
            // A reliable provisional wants a PRACK, not this.
            if !leg.unconfirmed {
                leg.resend = None;
            }
        }
    }
}
