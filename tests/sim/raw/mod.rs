//! Peers that know SIP from its RFCs alone: text in, text out, their own timers. They share with the gateway the
//! simulation's clock and its dice. A mistake of theirs is none that the gateway makes with them.

pub mod audit;
mod callee;
mod caller;
mod dialogs;
mod leg;
mod sdp;
mod session;
pub mod text;

use hotline::base::{Mono, Rng};
use leg::{Leg, Stage};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use text::{Msg, write};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const LIFE: Duration = Duration::from_secs(32);

/// Messages that it sends to the gateway.
pub type Out = Vec<Vec<u8>>;
type Headers = Vec<(&'static str, String)>;

pub struct RawPeer {
    address: SocketAddr,
    gateway: SocketAddr,
    /// It calls for others, and is not called.
    carrier: bool,
    legs: BTreeMap<u64, Leg>,
    next: u64,
    timers: BTreeMap<(Mono, u64), Due>,
    /// Requests of ours, by branch and method.
    asked: BTreeMap<(String, String), Asked>,
    /// Our last answers, by branch and method.
    served: BTreeMap<(String, String), Vec<u8>>,
    pub keys: u64,
}

/// A client transaction.
struct Asked {
    leg: u64,
    seq: u32,
    data: Vec<u8>,
    interval: Duration,
    until: Mono,
    provisional: bool,
    finished: bool,
    /// It carried an offer, or asked for one.
    offers: bool,
}

#[derive(Clone, Debug)]
enum Due {
    Again(String, String),
    /// A response of a leg, of this number.
    Resend(u64, u64),
    Act(u64, Act),
}

#[derive(Clone, Debug)]
enum Act {
    Cancel,
    Bye,
    Reinvite,
    Update,
    Info,
    Options,
    Ring(u16),
    Answer,
    Refuse(u16),
}

impl RawPeer {
    pub fn new(address: SocketAddr, gateway: SocketAddr, carrier: bool) -> RawPeer {
        let (legs, timers, asked, served) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        RawPeer { address, gateway, carrier, legs, next: 0, timers, asked, served, keys: 0 }
    }

    pub fn received(&mut self, rng: &mut Rng, now: Mono, data: &[u8], out: &mut Out) {
        // A message that cannot be read is the ear's business.
        let Ok(msg) = Msg::read(data) else { return };
        match msg.status() {
            Some(status) => self.response(rng, now, status, &msg, out),
            None => self.request(rng, now, &msg, out),
        }
    }

    pub fn tick(&mut self, rng: &mut Rng, now: Mono, out: &mut Out) {
        while let Some(((at, n), due)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, n), due);
                return;
            }
            match due {
                Due::Again(branch, method) => self.again(rng, now, (branch, method), out),
                Due::Resend(leg, number) => self.resend(rng, now, leg, number, out),
                Due::Act(leg, act) => self.act(rng, now, leg, &act, out),
            }
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    pub fn in_session(&self) -> bool {
        self.legs.values().any(|leg| leg.stage == Stage::Session)
    }

    /// Sessions whose end it was never told. A peer that never says ACK may not be there at all, and gets one BYE, which may
    /// be lost.
    pub fn left(&self) -> usize {
        self.legs.values().filter(|leg| leg.stage != Stage::Over && !leg.deaf).count()
    }

    fn later(&mut self, at: Mono, due: Due) {
        self.next += 1;
        self.timers.insert((at, self.next), due);
    }

    fn act_later(&mut self, rng: &mut Rng, now: Mono, leg: u64, most: u64, act: Act) {
        let at = now.after(Duration::from_millis(rng.below(most)));
        self.later(at, Due::Act(leg, act));
    }

    fn act(&mut self, rng: &mut Rng, now: Mono, id: u64, act: &Act, out: &mut Out) {
        let Some(stage) = self.legs.get(&id).map(|leg| leg.stage) else { return };
        match (act, stage) {
            (Act::Cancel, Stage::Calling) => self.cancel(rng, now, id, out),
            (Act::Bye, Stage::Session) => self.bye(rng, now, id, out),
            (Act::Reinvite, Stage::Session) => self.reinvite(rng, now, id, out),
            (Act::Update, Stage::Session | Stage::Calling) => self.update(rng, now, id, out),
            (Act::Info, Stage::Session) => self.key(rng, now, id, out),
            (Act::Options, Stage::Session) => {
                self.ask(rng, now, id, "OPTIONS", &[("Accept", "application/sdp".to_owned())], "", out);
            }
            (Act::Ring(status), Stage::Called) => self.ring(rng, now, id, *status, out),
            (Act::Answer, Stage::Called) => self.answer(rng, now, id, out),
            (Act::Refuse(status), Stage::Called) => self.refuse(rng, now, id, *status, out),
            _ => {}
        }
    }

    /// A request in the dialog of a leg. Gives its number.
    #[allow(clippy::too_many_arguments)]
    fn ask(
        &mut self,
        rng: &mut Rng,
        now: Mono,
        id: u64,
        method: &str,
        more: &[(&'static str, String)],
        body: &str,
        out: &mut Out,
    ) -> u32 {
        let Some(leg) = self.legs.get_mut(&id) else { return 0 };
        leg.seq += 1;
        let (seq, branch) = (leg.seq, format!("z9hG4bK{}", rng.token()));
        let mut headers = leg.head(self.address, method, seq, &branch);
        headers.extend(more.iter().cloned());
        let uri = leg.target.clone();
        self.start(rng, now, id, method, seq, &branch, (&uri, &headers, body), out);
        seq
    }

    #[allow(clippy::too_many_arguments)]
    fn start(
        &mut self,
        rng: &mut Rng,
        now: Mono,
        leg: u64,
        method: &str,
        seq: u32,
        branch: &str,
        (uri, headers, body): (&str, &[(&'static str, String)], &str),
        out: &mut Out,
    ) {
        let data = write(rng, &format!("{method} {uri} SIP/2.0"), headers, body);
        out.push(data.clone());
        let offers = method == "INVITE" || method == "UPDATE" && !body.is_empty();
        let asked = Asked { leg, seq, data, interval: T1, until: now.after(LIFE), provisional: false, finished: false, offers };
        let key = (branch.to_owned(), method.to_owned());
        self.asked.insert(key.clone(), asked);
        self.later(now.after(T1), Due::Again(key.0, key.1));
    }

    /// §17.1: again until somebody answers; after 64 T1 nobody will.
    fn again(&mut self, rng: &mut Rng, now: Mono, key: (String, String), out: &mut Out) {
        let Some(asked) = self.asked.get_mut(&key) else { return };
        let invite = key.1 == "INVITE";
        if asked.finished || invite && asked.provisional {
            return;
        }
        if now >= asked.until {
            asked.finished = true;
            let leg = asked.leg;
            return self.unanswered(rng, now, leg, &key.1, out);
        }
        out.push(asked.data.clone());
        asked.interval = if invite { asked.interval * 2 } else { (asked.interval * 2).min(T2) };
        let at = now.after(asked.interval).min(asked.until);
        self.later(at, Due::Again(key.0, key.1));
    }

    /// §12.2.1.2: a dialog in which a request times out is over.
    fn unanswered(&mut self, rng: &mut Rng, now: Mono, id: u64, method: &str, out: &mut Out) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match (leg.stage, method) {
            (_, "BYE") | (Stage::Calling, "INVITE") => leg.stage = Stage::Over,
            (Stage::Session, _) => self.bye(rng, now, id, out),
            _ => {}
        }
    }

    fn response(&mut self, rng: &mut Rng, now: Mono, status: u16, msg: &Msg, out: &mut Out) {
        let key = (msg.branch(), msg.method());
        let Some(asked) = self.asked.get_mut(&key) else { return };
        let (leg, seq) = (asked.leg, asked.seq);
        if status < 200 {
            asked.provisional = true;
            if key.1 == "INVITE" {
                self.progress(rng, now, leg, msg, out);
            }
            return;
        }
        let first = !std::mem::replace(&mut asked.finished, true);
        match key.1.as_str() {
            "INVITE" if status < 300 => self.accepted(rng, now, leg, seq, msg, out),
            "INVITE" => self.refused(rng, now, leg, seq, first, msg, out),
            _ if !first => {}
            "BYE" => self.legs.get_mut(&leg).map_or((), |leg| leg.stage = Stage::Over),
            _ if matches!(status, 408 | 481) && self.legs.get(&leg).is_some_and(|leg| leg.stage == Stage::Session) => {
                self.bye(rng, now, leg, out);
            }
            "INFO" => self.key(rng, now, leg, out),
            _ => {}
        }
    }

    /// Sends a response and keeps it for whoever asks again.
    #[allow(clippy::too_many_arguments)]
    fn reply(
        &mut self,
        rng: &mut Rng,
        to: &Msg,
        status: u16,
        tag: Option<&str>,
        more: &[(&'static str, String)],
        body: &str,
        out: &mut Out,
    ) -> Vec<u8> {
        let mut headers: Headers = to.all("via").map(|via| ("Via", via.to_owned())).collect();
        let said = to.get("to").unwrap_or_default();
        let to_value = match tag.filter(|_| to.tag("to").is_none()) {
            Some(tag) => format!("{said};tag={tag}"),
            None => said.to_owned(),
        };
        headers.push(("From", to.get("from").unwrap_or_default().to_owned()));
        headers.push(("To", to_value));
        headers.push(("Call-ID", to.call()));
        headers.push(("CSeq", to.get("cseq").unwrap_or_default().to_owned()));
        headers.extend(more.iter().cloned());
        let reason = ["Ringing", "OK", "", "Sorry, no", "忙"][rng.below(5) as usize];
        let data = write(rng, &format!("SIP/2.0 {status} {reason}"), &headers, body);
        self.served.insert((to.branch(), to.method()), data.clone());
        out.push(data.clone());
        data
    }

    fn request(&mut self, rng: &mut Rng, now: Mono, msg: &Msg, out: &mut Out) {
        let method = msg.method();
        if method == "ACK" {
            return self.acknowledged(rng, now, msg, out);
        }
        if let Some(data) = self.served.get(&(msg.branch(), method.clone())) {
            return out.push(data.clone());
        }
        if method == "CANCEL" {
            return self.cancelled(rng, now, msg, out);
        }
        if method == "INVITE" && msg.tag("to").is_none() {
            return self.invited(rng, now, msg, out);
        }
        let Some(id) = self.leg_of(msg) else {
            let tag = rng.token();
            self.reply(rng, msg, 481, Some(&tag), &[], "", out);
            return;
        };
        self.inside(rng, now, id, msg, out);
    }

    fn leg_of(&self, msg: &Msg) -> Option<u64> {
        let (call, ours) = (msg.call(), msg.tag("to"));
        self.legs.iter().find(|(_, leg)| leg.call == call && Some(&leg.tag) == ours.as_ref()).map(|(id, _)| *id)
    }
}
