//! An ordinary call through the switch alone: a carrier calls 12345, a seat rings and answers, the caller hangs up.
//! Ports, journal and both phones are played here, by hand-written messages, and not counted.

use crate::allocator;
use crate::switch::{self, address};
use crate::texts::{line, reply, sdp, uri, with_sdp};
use bytes::Bytes;
use hotline::base::{Flow, LegId, Mono, Now, Proto, Rng, RtpStats, Wall};
use hotline::event::Kept;
use hotline::media::{Command, Event, Origins};
use hotline::switch::{Input, Output, Setup, Switch};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// 2021-10-15 noon in Xishuangbanna.
const START: Wall = Wall(1_634_270_400_000_000);
/// Between two messages. Calls follow each other so slowly that a call's transactions die 30 calls later.
const STEP: Duration = Duration::from_millis(200);

pub struct Gateway {
    switch: Switch,
    now: Now,
    out: Vec<Output>,
    /// Messages that left for the phones since they were last asked for.
    sent: Vec<(SocketAddr, String)>,
    open: BTreeMap<LegId, SocketAddr>,
    counted: bool,
    calls: u64,
}

impl Gateway {
    pub fn new() -> Gateway {
        let now = Now { mono: Mono(1_000_000), wall: START };
        let mut out = Vec::new();
        let switch = Switch::new(setup(), Kept::default(), Rng::from_number(1), now, &mut out);
        let mut gateway = Gateway { switch, now, out, sent: Vec::new(), open: BTreeMap::new(), counted: false, calls: 0 };
        gateway.carry_out();
        gateway
    }

    /// Runs calls that are not counted, then calls that are.
    pub fn run(&mut self, warm_up: u64, calls: u64) {
        for call in 0..warm_up + calls {
            self.counted = call >= warm_up;
            self.call();
        }
        self.counted = false;
    }

    fn call(&mut self) {
        self.calls += 1;
        let (caller, seat) = (address(2), address(10));
        let call = format!("Call-ID: {}@10.0.0.2", self.calls);
        let from = format!("From: <sip:13800138000@10.0.0.2>;tag=c{}", self.calls);
        let invite = [
            "INVITE sip:12345@10.0.0.1 SIP/2.0",
            &format!("Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKi{}", self.calls),
            &from,
            "To: <sip:12345@10.0.0.1>",
            &call,
            "CSeq: 1 INVITE",
            "Contact: <sip:13800138000@10.0.0.2:5060>",
            "Max-Forwards: 70",
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE",
            "Supported: 100rel, timer",
            "P-Asserted-Identity: <sip:13800138000@10.0.0.2;user=phone>",
        ];
        self.receive(caller, with_sdp(&invite, caller));
        let offer = self.take(seat, "INVITE ");
        self.receive(seat, reply(&offer, "180 Ringing", &["Contact: <sip:seat@10.0.0.10:5060>"], ""));
        self.receive(seat, reply(&offer, "200 OK", &["Contact: <sip:seat@10.0.0.10:5060>"], &sdp(seat)));
        self.take(seat, "ACK ");
        let answer = self.take(caller, "SIP/2.0 200");
        let (to, target) = (line(&answer, "To: "), uri(line(&answer, "Contact: ")));
        let inside = |method: &str, cseq: u32| {
            let first = format!("{method} {target} SIP/2.0");
            let via = format!("Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK{method}{}", self.calls);
            let cseq = format!("CSeq: {cseq} {method}");
            [&first, &via, &from, to, &call, &cseq, "Max-Forwards: 70", "Content-Length: 0"].join("\r\n") + "\r\n\r\n"
        };
        let (ack, bye) = (inside("ACK", 1), inside("BYE", 2));
        self.receive(caller, ack);
        self.receive(caller, bye);
        self.take(caller, "SIP/2.0 200");
        let bye = self.take(seat, "BYE ");
        self.receive(seat, reply(&bye, "200 OK", &[], ""));
        assert_eq!(self.switch.gauges().calls, 0, "the call is over");
        self.sent.clear();
    }

    fn receive(&mut self, from: SocketAddr, text: String) {
        self.now = self.now.after(STEP);
        if self.switch.deadline().is_some_and(|at| at <= self.now.mono) {
            self.measure(|switch, now, out| switch.tick(now, out));
        }
        let flow = Flow { proto: Proto::Udp, local: address(1), remote: from };
        self.input(Input::Sip { flow, data: Bytes::from(text) });
        self.carry_out();
    }

    fn input(&mut self, input: Input) {
        self.measure(|switch, now, out| switch.handle(now, input, out));
    }

    fn measure(&mut self, act: impl FnOnce(&mut Switch, Now, &mut Vec<Output>)) {
        if self.counted {
            allocator::counted(|| measured(|| act(&mut self.switch, self.now, &mut self.out)));
        } else {
            act(&mut self.switch, self.now, &mut self.out);
        }
    }

    /// Ports bind and close at once, and entries are durable at once.
    fn carry_out(&mut self) {
        while !self.out.is_empty() {
            let mut durable = None;
            for output in std::mem::take(&mut self.out) {
                match output {
                    Output::Sip { flow, data } => self.sent.push((flow.remote, String::from_utf8(data.to_vec()).unwrap())),
                    Output::Journal { ticket, .. } | Output::Seat { ticket: Some(ticket), .. } | Output::Keep { ticket, .. } => {
                        durable = Some(ticket)
                    }
                    Output::Media { shard, command: Command::Bind { rtp } } => {
                        self.input(Input::Media { shard, event: Event::Bound { rtp } });
                    }
                    Output::Media { command: Command::Open { leg, rtp, .. }, .. } => drop(self.open.insert(leg, rtp)),
                    Output::Media { shard, command: Command::Close { leg } } => {
                        let rtp = self.open.remove(&leg).unwrap();
                        let event = Event::Closed { leg, rtp, stats: RtpStats::default() };
                        self.input(Input::Media { shard, event });
                    }
                    Output::Seat { .. }
                    | Output::Media { .. }
                    | Output::Recording(_)
                    | Output::Timed(_)
                    | Output::Reply { .. }
                    | Output::Resolve { .. } => {}
                }
            }
            if let Some(ticket) = durable {
                self.input(Input::Journaled { ticket });
            }
        }
    }

    fn take(&mut self, to: SocketAddr, start: &str) -> String {
        let found = self.sent.iter().position(|(at, text)| *at == to && text.starts_with(start));
        let Some(index) = found else { panic!("no {start}to {to} among {:#?}", self.sent) };
        self.sent.remove(index).1
    }
}

/// Callgrind is told to look at this, by its name.
#[inline(never)]
fn measured(act: impl FnOnce()) {
    act();
}

fn setup() -> Setup {
    let mut setup = switch::setup(&["desk"]);
    for trunk in &mut setup.live.trunks {
        (trunk.channels, trunk.reserved) = (100, 0);
        trunk.origins = Arc::new(Origins { networks: trunk.sources.clone(), nat: false });
    }
    setup
}
