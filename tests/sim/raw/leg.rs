//! One dialog of a raw peer: what its requests and descriptions are made of.

use crate::raw::Headers;
use crate::raw::sdp::{Description, answer_to};
use crate::raw::text::Msg;
use hotline::base::{Mono, Rng};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Our INVITE has no final response.
    Calling,
    /// Theirs has none.
    Called,
    Session,
    /// Our BYE waits for its answer.
    Leaving,
    Over,
}

pub struct Leg {
    pub stage: Stage,
    pub call: String,
    pub tag: String,
    /// From and To of our requests, without tags.
    pub ours: String,
    pub theirs: String,
    pub their_tag: Option<String>,
    pub target: String,
    /// The CSeq of our last request, and of theirs.
    pub seq: u32,
    pub heard: Option<u32>,
    /// The INVITE that began it: ours with its branch, or theirs.
    pub invite: Msg,
    pub branch: String,
    /// A proxy of our side stands in the way.
    pub proxied: bool,
    pub strict: bool,
    /// It offers nothing in its INVITE.
    pub late: bool,
    pub updates: bool,
    /// RSeq: the last that we confirmed; the next that we send.
    pub took: Option<u32>,
    pub rseq: u32,
    /// Our reliable provisional waits for its PRACK; what then follows waits too.
    pub unconfirmed: bool,
    pub waiting: VecDeque<u16>,
    /// The description was sent reliably.
    pub described: bool,
    /// A response that goes out again and again: its number, what, how often.
    pub resend: Option<Resend>,
    pub acks: BTreeMap<u32, Vec<u8>>,
    pub version: u64,
    pub said: String,
    /// The gateway's last offer, of the INVITE, waits for an answer.
    pub offer: Option<String>,
    pub keys: VecDeque<char>,
    /// It never says ACK.
    pub deaf: bool,
    /// It ignores so many 2xx.
    pub slow: u64,
    pub cancelled: bool,
    pub cancel_sent: bool,
}

pub struct Resend {
    pub number: u64,
    pub data: Vec<u8>,
    pub interval: Duration,
    pub cap: Duration,
    pub until: Mono,
}

impl Leg {
    pub fn new(stage: Stage, call: String, tag: String, ours: String, theirs: String, target: String) -> Leg {
        Leg {
            stage,
            call,
            tag,
            ours,
            theirs,
            their_tag: None,
            target,
            seq: 0,
            heard: None,
            invite: Msg::default(),
            branch: String::new(),
            proxied: false,
            strict: false,
            late: false,
            updates: true,
            took: None,
            rseq: 0,
            unconfirmed: false,
            waiting: VecDeque::new(),
            described: false,
            resend: None,
            acks: BTreeMap::new(),
            version: 1,
            said: String::new(),
            offer: None,
            keys: VecDeque::new(),
            deaf: false,
            slow: 0,
            cancelled: false,
            cancel_sent: false,
        }
    }

    /// Via to Contact of a request of ours.
    pub fn head(&self, at: SocketAddr, method: &str, seq: u32, branch: &str) -> Headers {
        let mut headers: Headers = vec![("Via", format!("SIP/2.0/UDP {at};rport;branch={branch}"))];
        if self.proxied && method != "CANCEL" {
            headers.push(("Via", format!("SIP/2.0/UDP 172.16.0.9:5070;branch={branch}-1 , SIP/2.0/TCP pbx.example;branch=0")));
        }
        let to = self.their_tag.as_ref().map_or(self.theirs.clone(), |tag| format!("{};tag={tag}", self.theirs));
        headers.push(("Max-Forwards", if self.proxied { "69" } else { "70" }.to_owned()));
        headers.push(("From", format!("{};tag={}", self.ours, self.tag)));
        headers.push(("To", to));
        headers.push(("Call-ID", self.call.clone()));
        headers.push(("CSeq", format!("{seq} {method}")));
        if matches!(method, "INVITE" | "UPDATE" | "REFER") {
            headers.push(("Contact", self.contact(at)));
        }
        headers
    }

    pub fn contact(&self, at: SocketAddr) -> String {
        let version = self.version;
        match self.proxied {
            true => format!("\"a,;>\" <sip:leg{version}@172.16.0.9:5070;transport=udp>;expires=60"),
            false => format!("<sip:leg{version}@{at}>"),
        }
    }

    /// Headers that proxies of our side have put down, as the gateway gets them: the nearest first in a request, last in a
    /// response.
    pub fn record(&self, at: SocketAddr, response: bool) -> Headers {
        if !self.proxied {
            return Vec::new();
        }
        let near = if self.strict { format!("<sip:{at}>") } else { format!("<sip:{at};lr;ftag=a%20b>") };
        let mut routes = vec![near, "<sip:172.16.0.8;lr=on>".to_owned(), "\"B, inc.\" <sip:b@172.16.0.9:5070;lr>;x=y".to_owned()];
        if response {
            routes.reverse();
        }
        let last = routes.split_off(1).join(", ");
        vec![("Record-Route", routes.remove(0)), ("Record-Route", last)]
    }

    /// An offer of ours; each that differs counts up.
    pub fn offer(&mut self, rng: &mut Rng, at: SocketAddr) -> String {
        const FORMATS: &[&[&str]] =
            &[&["8", "0", "101"], &["8"], &["0", "8", "97"], &["18", "8", "101"], &["96", "0", "8", "101"]];
        const DIRECTIONS: &[&str] = &["sendrecv", "sendrecv", "sendrecv", "sendonly", "inactive", "recvonly"];
        let more = match self.said.is_empty() {
            true if rng.chance(150) => "m=video 4002 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\na=sendonly\r\n",
            false if self.said.contains("m=video") => "m=video 0 RTP/AVP 34\r\n",
            _ => "",
        };
        let first = self.said.is_empty();
        let pick = |rng: &mut Rng, of: usize| if first { 0 } else { rng.below(of as u64) as usize };
        let formats = FORMATS[rng.below(FORMATS.len() as u64) as usize];
        let direction = DIRECTIONS[pick(rng, DIRECTIONS.len())];
        self.version += u64::from(!first);
        let text = Description { ip: at.ip(), port: self.port(), version: self.version, formats, direction, more }.text();
        self.said.clone_from(&text);
        text
    }

    /// An answer of ours.
    pub fn answer(&mut self, offer: &str, at: SocketAddr) -> String {
        let unchanged = answer_to(offer, at.ip(), self.port(), self.version);
        if self.said != unchanged && !self.said.is_empty() {
            self.version += 1;
        }
        self.said = answer_to(offer, at.ip(), self.port(), self.version);
        self.said.clone()
    }

    fn port(&self) -> u16 {
        4000
    }
}
