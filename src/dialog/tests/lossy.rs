//! Two gateways over a network that loses, delays, doubles and reorders; random acts on both sides. A seed is a run.

use super::one::{Agent, Output, party};
use crate::base::{Flow, LegId, MapSeed, Mono, Now, Proto, Rng};
use crate::dialog::*;
use crate::sip::{Codec, Header, Message, Method, Name};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const CALLS: u64 = 6;

#[derive(Default)]
struct Seen {
    /// The caller's leg, on both sides.
    call: u64,
    local: Option<LocalMedia>,
    media: Option<Media>,
    talking: bool,
    ended: bool,
}

struct Side {
    legs: Agent,
    flow: Flow,
    seen: BTreeMap<LegId, Seen>,
}

struct Net {
    rng: Rng,
    now: Now,
    /// Messages lost of each thousand; a third as many come twice.
    loss: u64,
    sides: [Side; 2],
    wire: BTreeMap<(Mono, u64), (usize, bytes::Bytes)>,
    sent: u64,
    /// A side's leg will ask to be moved.
    refers: BTreeMap<(Mono, u64), (usize, LegId)>,
    /// The last NOTIFY of each REFER that has one: side, Call-ID, Event.
    told: BTreeMap<(usize, String, String), u32>,
    /// The plans of a side for its legs.
    plans: BTreeMap<(Mono, u64), (usize, Command)>,
}

fn side(local: &str, remote: &str, seed: u64, proto: Proto) -> Side {
    let legs = Agent::new(Config::default(), Rng::from_number(seed), MapSeed(seed, 1));
    let flow = Flow { proto, local: local.parse().unwrap(), remote: remote.parse().unwrap() };
    Side { legs, flow, seen: BTreeMap::new() }
}

impl Net {
    fn new(seed: u64) -> Net {
        let (a, b) = ("192.0.2.1:5060", "198.51.100.7:5060");
        let mut rng = Rng::from_number(seed);
        let proto = if rng.chance(200) { Proto::Tcp } else { Proto::Udp };
        let loss = if proto == Proto::Tcp { 0 } else { rng.below(300) };
        let sides = [side(a, b, seed * 2, proto), side(b, a, seed * 2 + 1, proto)];
        let (wire, plans, refers, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Net { rng, now: Now::default(), loss, sides, wire, sent: 0, refers, told, plans }
    }

    fn local(&mut self) -> LocalMedia {
        let both = [Codec::Pcma, Codec::Pcmu];
        let codecs = [&both[..], &both[..1], &[Codec::Pcmu, Codec::Pcma]][self.rng.below(3) as usize].to_vec();
        let port = 20000 + 2 * self.rng.below(1000) as u16;
        LocalMedia { rtp: SocketAddr::from(([192, 0, 2, 1], port)), codecs, srtp: None }
    }

    /// Does this within so many milliseconds.
    fn plan(&mut self, side: usize, within: u64, command: Command) {
        let at = self.now.mono.after(Duration::from_millis(self.rng.below(within)));
        self.sent += 1;
        self.plans.insert((at, self.sent), (side, command));
    }

    fn dial(&mut self) {
        let leg = self.sides[0].legs.next_id();
        let local = self.local();
        let mut dial = Dial { local: local.clone(), ..party(leg, self.sides[0].flow) };
        dial.headers = vec![Header { name: Name::XHotlineCallId, value: leg.to_string().into() }];
        if self.rng.chance(400) {
            dial.headers.push(Header { name: Name::Require, value: "100rel".into() });
        }
        if self.rng.chance(400) {
            dial.headers.push(Header { name: Name::SessionExpires, value: "90".into() });
        }
        self.sides[0].seen.insert(leg, Seen { call: leg.0, local: Some(local), ..Seen::default() });
        self.plan(0, 5_000, Command::Dial(Box::new(dial)));
        self.later(0, leg);
        self.refers(0, leg);
    }

    /// Changes of media and a hangup, perhaps; often while the call is not up yet.
    fn later(&mut self, side: usize, leg: LegId) {
        if self.rng.chance(400) {
            let local = self.local();
            self.plan(side, 40_000, Command::Attach { leg, local });
        }
        if self.rng.chance(400) {
            self.plan(side, 40_000, Command::Hangup { leg, cause: Cause { status: 486, ..Cause::default() } });
        }
    }

    /// REFERs, perhaps one after the other, perhaps across a hangup or a change of media.
    fn refers(&mut self, side: usize, leg: LegId) {
        for _ in 0..self.rng.below(3) {
            let at = self.now.mono.after(Duration::from_millis(self.rng.below(40_000)));
            self.sent += 1;
            self.refers.insert((at, self.sent), (side, leg));
        }
    }

    /// Accepted, told and done, or refused, or forgotten.
    fn referred(&mut self, side: usize, leg: LegId, id: u32) {
        if self.rng.chance(150) {
            return self.plan(side, 2_000, Command::RefuseRefer { leg, id, status: Status(603) });
        }
        self.plan(side, 2_000, Command::AcceptRefer { leg, id });
        self.plan(side, 8_000, Command::Notify { leg, id, status: Status(180) });
        if self.rng.chance(800) {
            self.plan(side, 20_000, Command::Notify { leg, id, status: Status(200) });
        }
    }

    /// The referrer's ear: 200 to most NOTIFYs. Those it has not seen are newer than the last one's end.
    fn hears(&mut self, side: usize, data: &bytes::Bytes) -> bool {
        let Ok(Message::Request(request)) = Message::parse(data.clone()) else { return false };
        if request.method != Method::Notify || self.rng.chance(150) {
            return false;
        }
        let text = |name: Name| request.headers.text(&name).unwrap();
        let (seq, key) = (request.headers.cseq().unwrap().seq, (side, text(Name::CallId), text(Name::Event)));
        let last = self.told.get(&key).copied();
        assert!(last.is_none_or(|last| seq <= last), "news after the end");
        if text(Name::SubscriptionState).starts_with("terminated") {
            self.told.insert(key, seq);
        }
        let data = Message::Response(request.reply(Status(200), None)).to_bytes();
        self.take(side, vec![Output::Send { flow: self.sides[side].flow, data }]);
        true
    }

    fn incoming(&mut self, incoming: &Incoming) {
        let leg = incoming.leg;
        let call = incoming.headers.iter().find(|h| h.name == Name::XHotlineCallId).unwrap();
        let call = String::from_utf8_lossy(&call.value).parse().unwrap();
        let local = self.local();
        self.sides[1].seen.insert(leg, Seen { call, ..Seen::default() });
        self.act(1, Command::Attach { leg, local });
        self.plan(1, 500, Command::Release { leg });
        self.plan(1, 3_000, Command::Progress { leg, status: Status(180), media: false });
        self.plan(1, 6_000, Command::Progress { leg, status: Status(183), media: true });
        if self.rng.chance(800) {
            self.plan(1, 20_000, Command::Answer { leg });
        }
        self.later(1, leg);
        self.refers(1, leg);
    }

    fn act(&mut self, side: usize, command: Command) {
        if let Command::Attach { leg, local } = &command {
            let seen = self.sides[side].seen.entry(*leg).or_default();
            // A caller's media change only in a session.
            if side == 1 || seen.talking {
                seen.local = Some(local.clone());
            }
        }
        let mut out = Vec::new();
        self.sides[side].legs.command(self.now, command, &mut out);
        self.take(side, out);
    }

    fn take(&mut self, side: usize, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { flow, data } => {
                    assert_eq!(flow, self.sides[side].flow);
                    let copies = if self.rng.chance(self.loss) { 0 } else { 1 + u64::from(self.rng.chance(self.loss / 3)) };
                    for _ in 0..copies {
                        let reorder = if self.loss > 0 { 300 } else { 1 };
                        let at = self.now.mono.after(Duration::from_millis(5 + self.rng.below(reorder)));
                        self.sent += 1;
                        self.wire.insert((at, self.sent), (1 - side, data.clone()));
                    }
                }
                Output::Event(Event::Incoming(incoming)) => self.incoming(&incoming),
                Output::Event(event) => self.see(side, event),
            }
        }
    }

    fn see(&mut self, side: usize, event: Event) {
        let (Event::Progress { leg, .. }
        | Event::Media { leg, .. }
        | Event::EarlyMedia { leg, .. }
        | Event::Answered { leg }
        | Event::Established { leg }
        | Event::Key { leg, .. }
        | Event::Refer { leg, .. }
        | Event::Ended { leg, .. }) = event
        else {
            return;
        };
        let seen = self.sides[side].seen.get_mut(&leg).expect("a known leg");
        assert!(!seen.ended, "{event:?} after the end");
        match event {
            Event::Media { media, .. } => seen.media = Some(media),
            Event::Answered { .. } | Event::Established { .. } => seen.talking = true,
            Event::Ended { .. } => seen.ended = true,
            Event::Refer { refer, .. } => self.referred(side, leg, refer.id),
            _ => {}
        }
    }

    /// To the next moment at which something happens; false when nothing will before `end`.
    fn step(&mut self, end: Mono) -> bool {
        let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
        let plan = self.plans.first_key_value().map(|((at, _), _)| *at);
        let timers = [self.sides[0].legs.deadline(), self.sides[1].legs.deadline()];
        let refer = self.refers.first_key_value().map(|((at, _), _)| *at);
        let next = [wire, plan, refer, timers[0], timers[1]].into_iter().flatten().min();
        let Some(at) = next.filter(|at| *at <= end) else { return false };
        self.now = self.now.after(at.since(self.now.mono));
        if refer == Some(at) {
            let (_, (side, leg)) = self.refers.pop_first().unwrap();
            let mut out = Vec::new();
            self.sides[side].legs.refer(self.now, leg, "<sip:12366@192.0.2.1>", &mut out);
            self.take(side, out);
        } else if plan == Some(at) {
            let (_, (side, command)) = self.plans.pop_first().unwrap();
            self.act(side, command);
        } else if wire == Some(at) {
            let (_, (side, data)) = self.wire.pop_first().unwrap();
            if self.hears(side, &data) {
                return true;
            }
            let mut out = Vec::new();
            let flow = self.sides[side].flow;
            self.sides[side].legs.received(self.now, flow, Message::parse(data).unwrap(), &mut out);
            self.take(side, out);
        } else {
            for side in 0..2 {
                let mut out = Vec::new();
                self.sides[side].legs.tick(self.now, &mut out);
                self.take(side, out);
            }
        }
        true
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now.mono.after(Duration::from_secs(seconds));
        let mut steps = 0;
        while self.step(end) {
            steps += 1;
            assert!(steps < 200_000, "it never comes to rest");
        }
        self.now = self.now.after(end.since(self.now.mono));
    }

    /// Calls that live on at both ends: they have settled on the same.
    fn agree(&self) -> usize {
        let [callers, callees] = &self.sides;
        let mut talking = 0;
        for callee in callees.seen.values().filter(|seen| !seen.ended) {
            let caller = &callers.seen[&LegId(callee.call)];
            if !caller.talking || !callee.talking {
                continue;
            }
            talking += 1;
            let (here, there) = (caller.media.as_ref().unwrap(), callee.media.as_ref().unwrap());
            assert!(!caller.ended, "half a call is left");
            assert_eq!(here.codec, there.codec);
            assert_eq!(here.rtp, callee.local.as_ref().map(|local| local.rtp));
            assert_eq!(there.rtp, caller.local.as_ref().map(|local| local.rtp));
        }
        talking
    }
}

/// Runs a seed; how many calls were up in the quiet middle.
fn run(seed: u64) -> (usize, usize) {
    let mut net = Net::new(seed);
    (0..CALLS).for_each(|_| net.dial());
    net.pass(60);
    net.loss = 0;
    net.pass(100);
    let talking = net.agree();
    for side in 0..2 {
        let legs: Vec<LegId> = net.sides[side].seen.iter().filter(|(_, seen)| !seen.ended).map(|(leg, _)| *leg).collect();
        legs.into_iter().for_each(|leg| net.plan(side, 1000, Command::Hangup { leg, cause: Cause::default() }));
    }
    net.pass(400);
    for side in &net.sides {
        assert!(side.seen.values().all(|seen| seen.ended), "a leg never ended");
        assert_eq!(side.legs.gauges(), (0, 0, 0));
        assert!(side.legs.idle());
    }
    (talking, net.told.len())
}

#[test]
fn random_calls_over_a_bad_network_leave_nothing() {
    let (talking, moved) = (0..100)
        .map(|seed| {
            let run = std::panic::catch_unwind(|| run(seed));
            run.unwrap_or_else(|_| panic!("seed {seed}"))
        })
        .fold((0, 0), |(talking, moved), run| (talking + run.0, moved + run.1));
    assert!(talking > 30 && moved > 30, "{talking} calls were up, {moved} were moved: the run tries nothing");
}
