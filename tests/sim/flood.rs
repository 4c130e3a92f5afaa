//! One trunk, or one seat, floods the gateway with what each message may cost most. Others' calls have their share all the same,
//! and calls for help go beyond it.

use crate::setup;
use crate::switch::address;
use bytes::Bytes;
use hotline::base::trap::{self, Trap};
use hotline::base::{Flow, LegId, Mono, Now, Place, Proto, Rng, RtpStats, Target, Wall};
use hotline::control::Reply;
use hotline::event::{Kept, SeatWhat, What};
use hotline::media::{Command, Event};
use hotline::plan::{NumberRule, NumberRules};
use hotline::sip::{Causes, Ours};
use hotline::switch::{DialledFrom, Input, Numbers, Output, Setup, Switch};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// 2021-10-15 noon in Xishuangbanna.
const START: Wall = Wall(1_634_270_400_000_000);
/// The hosts of the trunk that floods, of the other one, and of a seat.
pub const FLOOD: u8 = 2;
pub const OTHER: u8 = 3;
const SEAT: u8 = 10;

pub struct Gateway {
    pub switch: Switch,
    now: Now,
    out: Vec<Output>,
    open: BTreeMap<LegId, SocketAddr>,
    pub sent: Vec<(SocketAddr, String)>,
    calls: u32,
    /// Nothing becomes durable.
    pub disk_stands: bool,
    /// The addresses of each host name; none while nobody answers for any.
    pub names: Option<BTreeMap<String, Vec<IpAddr>>>,
    /// All that was to be resolved.
    pub asked: Vec<(u64, Target)>,
    pub replies: Vec<Reply>,
    /// All that is kept for the next process.
    pub kept: Kept,
    /// Lines that those who follow seats are told.
    pub told: Vec<(Arc<str>, SeatWhat)>,
    /// Counts the records that were closed.
    pub ended: usize,
    /// A test has set a trap for the switch.
    trapped: bool,
    setup: Setup,
}

impl Gateway {
    pub fn new(change: impl FnOnce(&mut Setup)) -> Gateway {
        let mut setup = setup::setup(&mut Rng::from_number(1), 1);
        setup.live.trunks.iter_mut().for_each(|trunk| trunk.channels = 1000);
        setup.live.queues.iter_mut().for_each(|line| (line.max_length, line.share) = (1000, 900));
        change(&mut setup);
        let now = Now { mono: Mono(1_000_000), wall: START };
        let mut out = Vec::new();
        let switch = Switch::new(setup.clone(), Kept::default(), Rng::from_number(1), now, &mut out);
        let (open, sent, asked) = (BTreeMap::new(), Vec::new(), Vec::new());
        let (replies, kept, told) = (Vec::new(), Kept::default(), Vec::new());
        let mut gateway = Gateway {
            switch,
            now,
            out,
            open,
            sent,
            calls: 0,
            disk_stands: false,
            names: None,
            asked,
            replies,
            kept,
            told,
            ended: 0,
            trapped: false,
            setup,
        };
        gateway.carry_out();
        gateway
    }

    /// The final response to a new call, or else the last provisional one; none where there is neither.
    pub fn call(&mut self, host: u8, user: &str, number: &str) -> Option<u16> {
        self.calls += 1;
        let invite = invite(host, user, number, self.calls);
        self.receive(host, invite);
        self.statuses(host).pop()
    }

    pub fn cancel(&mut self, host: u8, user: &str, number: &str) {
        let invite = invite(host, user, number, self.calls);
        let cancel = invite.split("Contact:").next().unwrap().replace("INVITE", "CANCEL");
        self.receive(host, format!("{cancel}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"));
    }

    pub fn statuses(&mut self, host: u8) -> Vec<u16> {
        let of_host =
            |(to, text): &(SocketAddr, String)| (*to == address(host)).then(|| text.strip_prefix("SIP/2.0 "))?.map(status);
        let statuses = self.sent.iter().filter_map(of_host).collect();
        self.sent.retain(|(to, _)| *to != address(host));
        statuses
    }

    pub fn receive(&mut self, host: u8, text: String) {
        self.pass(Duration::from_millis(1));
        let flow = from(host);
        self.input(Input::Sip { flow, data: Bytes::from(text) });
    }

    pub fn pass(&mut self, time: Duration) {
        let until = self.now.mono.after(time);
        while let Some(at) = self.switch.deadline().filter(|at| *at <= until) {
            self.now.mono = self.now.mono.max(at);
            self.works(|switch, now, out| switch.tick(now, out));
            self.carry_out();
        }
        self.now.mono = until;
    }

    /// Somebody sets the clock on the wall.
    pub fn set_wall(&mut self, wall: Wall) {
        self.now.wall = wall;
    }

    /// The configuration that it began with.
    pub fn setup(&self) -> Setup {
        self.setup.clone()
    }

    /// The only leg that there is presses a key.
    pub fn press(&mut self, key: char) {
        self.media(|leg| Event::Key { leg, key });
    }

    /// News of the media of the only leg that there is.
    pub fn media(&mut self, event: impl FnOnce(LegId) -> Event) {
        let leg = *self.open.keys().next().unwrap();
        self.input(Input::Media { shard: 0, event: event(leg) });
    }

    /// The switch panics when it comes by there next, and recovers as its engine lets it.
    pub fn panics_at(&mut self, trap: Trap) {
        self.trapped = true;
        trap::set(trap, 0);
    }

    fn works(&mut self, work: impl FnOnce(&mut Switch, Now, &mut Vec<Output>)) {
        let (switch, now, out) = (&mut self.switch, self.now, &mut self.out);
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(switch, now, out))) else { return };
        if !std::mem::take(&mut self.trapped) || trap::is_set() {
            resume_unwind(panic);
        }
        switch.recover(now, out);
    }

    pub fn audit(&self) -> Result<(), String> {
        self.switch.audit(self.now)
    }

    /// Killed at once, and another begins with what was on the disk.
    pub fn begin_anew(&mut self) {
        (self.out, self.sent, self.open) = (Vec::new(), Vec::new(), BTreeMap::new());
        let kept = self.kept.clone();
        self.switch = Switch::new(self.setup.clone(), kept, Rng::from_number(2), self.now, &mut self.out);
        self.carry_out();
    }

    /// The disk moves again.
    pub fn is_durable(&mut self) {
        self.disk_stands = false;
        self.input(Input::Journaled { ticket: u64::MAX });
    }

    pub fn input(&mut self, input: Input) {
        self.works(|switch, now, out| switch.handle(now, input, out));
        self.carry_out();
    }

    /// Ports are bound and closed at once, and entries durable at once unless the disk stands still.
    fn carry_out(&mut self) {
        while !self.out.is_empty() {
            for output in std::mem::take(&mut self.out) {
                if let Output::Seat { entry, .. } = &output {
                    self.told.push((entry.seat.clone(), entry.what.clone()));
                }
                self.ended +=
                    usize::from(matches!(&output, Output::Journal { entry, .. } if matches!(entry.what, What::Ended { .. })));
                let input = match output {
                    Output::Sip { flow, data } => {
                        self.sent.push((flow.remote, String::from_utf8_lossy(&data).into_owned()));
                        continue;
                    }
                    Output::Journal { .. } | Output::Seat { .. } | Output::Keep { .. } if self.disk_stands => continue,
                    Output::Keep { ticket, keep } => {
                        self.kept.take(keep);
                        Input::Journaled { ticket }
                    }
                    Output::Reply { reply, .. } => {
                        self.replies.push(reply);
                        continue;
                    }
                    Output::Journal { ticket, .. } | Output::Seat { ticket: Some(ticket), .. } => Input::Journaled { ticket },
                    Output::Media { shard, command: Command::Bind { rtp } } => {
                        Input::Media { shard, event: Event::Bound { rtp } }
                    }
                    Output::Media { shard, command: Command::Close { leg } } => {
                        let (rtp, stats) = (self.open.remove(&leg).unwrap(), RtpStats::default());
                        Input::Media { shard, event: Event::Closed { leg, rtp, stats } }
                    }
                    Output::Media { command: Command::Open { leg, rtp, .. }, .. } => {
                        self.open.insert(leg, rtp);
                        continue;
                    }
                    Output::Resolve { id, target, .. } => {
                        self.asked.push((id, target.clone()));
                        let (Some(names), Place::Named(name, _)) = (&self.names, &target.place) else { continue };
                        let hosts = names.get(&**name).into_iter().flatten();
                        Input::Resolved { id, hops: hosts.map(|host| target.hop(*host)).collect() }
                    }
                    Output::Seat { .. } | Output::Media { .. } | Output::Recording(_) | Output::Timed(_) => continue,
                };
                self.works(|switch, now, out| switch.handle(now, input, out));
            }
        }
    }
}

fn status(rest: &str) -> u16 {
    rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap()
}

pub fn from(host: u8) -> Flow {
    Flow { proto: Proto::Udp, local: address(1), remote: address(host) }
}

pub fn invite(host: u8, user: &str, number: &str, n: u32) -> String {
    let body =
        format!("v=0\r\no=- 1 1 IN IP4 10.0.0.{host}\r\ns=-\r\nc=IN IP4 10.0.0.{host}\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n");
    format!(
        "INVITE sip:{number}@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{host}:5060;branch=z9hG4bK{n}\r\n\
         From: <sip:{user}@10.0.0.{host}>;tag=t{n}\r\nTo: <sip:{number}@10.0.0.1>\r\nCall-ID: c{n}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{user}@10.0.0.{host}:5060>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The count of those that are taken of so many calls.
fn taken(gateway: &mut Gateway, host: u8, user: &str, calls: usize) -> usize {
    (0..calls).filter(|_| gateway.call(host, user, "12345").is_some_and(|status| status < 200)).count()
}

fn is_served(gateway: &mut Gateway, host: u8, number: &str) -> bool {
    gateway.call(host, "13900139000", number).is_some_and(|status| status < 300)
}

#[test]
fn one_trunk_takes_its_share_of_all_calls_and_help_goes_beyond() {
    let mut gateway = Gateway::new(|setup| (setup.fixed.limits.calls, setup.fixed.limits.reserved) = (40, 4));
    assert_eq!(taken(&mut gateway, FLOOD, "13800138000", 100), 30);
    assert!(is_served(&mut gateway, FLOOD, "110") && is_served(&mut gateway, OTHER, "110"));
    assert_eq!(taken(&mut gateway, OTHER, "13800138000", 100), 4, "what is left but for the reserve");
}

/// Each call to an emergency line that comes and goes by one trunk takes two of its channels. The carrier knows how many it has.
#[test]
fn no_count_of_channels_keeps_a_call_for_help_out() {
    let mut gateway = Gateway::new(|setup| {
        setup.live.trunks.iter_mut().for_each(|trunk| (trunk.channels, trunk.reserved) = (10, 2));
        setup.live.default_route = 0;
        (setup.fixed.limits.calls, setup.fixed.limits.reserved, setup.fixed.limits.source_percent) = (40, 4, 100);
    });
    assert_eq!(taken(&mut gateway, FLOOD, "13800138000", 20), 8, "what is not reserved");
    let helped = (0..100).filter(|_| is_served(&mut gateway, FLOOD, "110")).count();
    assert_eq!(helped, 32, "as many as limits.calls lets in");
    assert!(gateway.switch.gauges().channels > 10);
    assert_eq!(taken(&mut gateway, FLOOD, "13800138000", 20), 0);
    // One that is placed too fast is refused all the same.
    let mut fast = Gateway::new(|setup| {
        setup.live.trunks.iter_mut().for_each(|trunk| (trunk.channels, trunk.reserved) = (10, 2));
        setup.live.placing_percent = 1;
    });
    assert_eq!((0..100).filter(|_| is_served(&mut fast, FLOOD, "110")).count(), 20, "two seconds' worth");
}

#[test]
fn one_trunk_takes_its_share_of_all_ports() {
    let mut gateway = Gateway::new(|setup| {
        setup.fixed.media.shards = 1;
        setup.fixed.media.ports = 10_000..=10_079;
    });
    taken(&mut gateway, FLOOD, "13800138000", 200);
    assert_eq!(gateway.switch.gauges().ports, 30);
    assert!(is_served(&mut gateway, FLOOD, "110"), "help goes beyond");
    assert!(is_served(&mut gateway, OTHER, "12345") && is_served(&mut gateway, OTHER, "110"));
}

/// A phone that answers nothing holds each leg of a call that is over for 32 s more.
#[test]
fn legs_that_linger_leave_room_for_help() {
    let mut gateway = Gateway::new(|setup| (setup.fixed.legs.max_legs, setup.live.seats[0].channels) = (64, 1000));
    for _ in 0..200 {
        gateway.call(FLOOD, "13800138000", "12345");
        gateway.cancel(FLOOD, "13800138000", "12345");
    }
    assert_eq!(gateway.switch.gauges().legs, 55, "an eighth of 64, and the one that comes");
    assert!(!is_served(&mut gateway, OTHER, "12345"));
    assert!(is_served(&mut gateway, OTHER, "110") && is_served(&mut gateway, FLOOD, "110"));
    gateway.pass(Duration::from_secs(200));
    assert!(is_served(&mut gateway, OTHER, "12345"));
}

/// 32 s each, were they kept; and repeated, each of them draws eleven answers to a host that may not have asked.
#[test]
fn invites_that_nobody_acknowledges_leave_little_and_draw_little() {
    let mut gateway = Gateway::new(|setup| {
        setup.live.placing_percent = 1;
        setup.fixed.ua.transaction.max_transactions = 2000;
        setup.fixed.ua.transaction.max_per_source = 1500;
        setup.fixed.ua.transaction.repeats.per_second = 1;
        setup.fixed.ua.transaction.repeats.burst = 10;
    });
    taken(&mut gateway, FLOOD, "13800138000", 5050);
    let left = gateway.switch.gauges().server_transactions;
    assert!(left < 300, "{left}");
    gateway.statuses(FLOOD);
    // One that is refused without state has no provisional response, and the same answer each time (RFC 3261 §8.2.7).
    let mut answers = Vec::new();
    for _ in 0..2 {
        gateway.receive(FLOOD, invite(FLOOD, "13800138000", "12345", 9999));
        let to = |text: &str| text.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
        let ours = gateway.sent.drain(..).filter(|(at, _)| *at == address(FLOOD));
        answers.extend(ours.map(|(_, text)| (status(&text[8..]), to(&text))));
    }
    assert_eq!((answers.len(), answers[0].0), (2, 503));
    assert_eq!(answers[0], answers[1]);
    assert!(is_served(&mut gateway, FLOOD, "110") && is_served(&mut gateway, OTHER, "12345"));
    gateway.statuses(FLOOD);
    gateway.pass(Duration::from_secs(10));
    let drawn = gateway.statuses(FLOOD).iter().filter(|status| **status >= 200).count();
    assert!(drawn <= 10 + 10 + 1, "{drawn} answers to what was refused");
}

#[test]
fn a_seat_places_as_many_calls_as_it_has_channels() {
    let mut gateway = Gateway::new(|setup| setup.live.seats[0].channels = 3);
    assert_eq!(taken(&mut gateway, SEAT, "seat-0", 50), 3);
    assert_eq!(gateway.switch.gauges().placed, 3);
    assert!(is_served(&mut gateway, OTHER, "12345"));
    assert!(gateway.call(SEAT, "seat-0", "110").is_some_and(|status| status < 300), "one more for help");
}

/// A flood in a trunk's name stands before the parser; its calls in progress and its calls for help pass.
#[test]
fn messages_beyond_the_rate_are_dropped_but_those_of_calls_and_calls_for_help() {
    let mut gateway = Gateway::new(|setup| (setup.live.peers.per_second, setup.live.peers.burst) = (1, 50));
    taken(&mut gateway, FLOOD, "13800138000", 500);
    let calls = gateway.switch.gauges().calls;
    assert!(calls <= 51, "{calls}");
    assert_eq!(gateway.call(FLOOD, "13800138000", "12345"), None, "not looked at");
    assert!(gateway.switch.counters().rate_limited > 400);
    assert!(is_served(&mut gateway, FLOOD, "110") && is_served(&mut gateway, OTHER, "12345"));
    gateway.calls = 1;
    gateway.cancel(FLOOD, "13800138000", "12345");
    assert_eq!(gateway.switch.gauges().calls, calls + 2 - 1);
}

/// A trunk's rules and places may be all that says that a call is one for help: floods, full trunks and a full gateway know it by them.
#[test]
fn a_call_for_help_that_only_its_trunk_s_ways_reveal_goes_beyond_a_flood() {
    let ways = |setup: &mut Setup| {
        let carrier = setup.live.trunks.iter_mut().find(|trunk| trunk.sources.contains(&address(FLOOD).ip().into())).unwrap();
        let rule = NumberRule::new("95110", 2, "", true).unwrap();
        carrier.numbers = Arc::new(Numbers { called_in: NumberRules::new(vec![rule]), ..Numbers::default() });
        carrier.dialled_from = vec![DialledFrom::To, DialledFrom::PCalledPartyId];
    };
    let helped = |gateway: &mut Gateway| {
        let to = |number: &str| format!("To: <sip:{number}@10.0.0.1>");
        let called = |number: &str| format!("P-Called-Party-ID: <sip:{number}@10.0.0.1>\r\nMax-Forwards:");
        let changes: [&dyn Fn(String) -> String; 4] = [
            &|invite| invite.replace("sip:account7@10.0.0.1 ", "sip:95110@10.0.0.1 "),
            &|invite| invite.replace(&to("account7"), &to("0691110")),
            &|invite| invite.replace(&to("account7"), &to("95110")),
            &|invite| invite.replace("Max-Forwards:", &called("119")),
        ];
        changes.map(|change| {
            gateway.calls += 1;
            let invite = change(invite(FLOOD, "13900139000", "account7", gateway.calls));
            assert!(gateway.switch.spares(from(FLOOD), invite.as_bytes()), "it is dropped last: {invite}");
            gateway.receive(FLOOD, invite);
            gateway.statuses(FLOOD).pop().is_some_and(|status| status < 200)
        })
    };
    let mut fast = Gateway::new(|setup| {
        ways(setup);
        (setup.live.peers.per_second, setup.live.peers.burst) = (1, 50);
    });
    taken(&mut fast, FLOOD, "13800138000", 500);
    assert_eq!(helped(&mut fast), [true; 4]);
    let ordinary = invite(FLOOD, "13900139000", "account7", 0);
    assert!(!fast.switch.spares(from(FLOOD), ordinary.as_bytes()));
    assert_eq!(fast.call(FLOOD, "13900139000", "account7"), None, "not looked at");
    assert!(!fast.switch.spares(from(OTHER), invite(OTHER, "1", "95110", 0).as_bytes()), "another trunk's spelling");
    let mut full = Gateway::new(|setup| {
        ways(setup);
        (setup.fixed.limits.calls, setup.fixed.limits.reserved) = (40, 4);
    });
    taken(&mut full, FLOOD, "13800138000", 100);
    taken(&mut full, OTHER, "13800138000", 100);
    assert_eq!(helped(&mut full), [true; 4]);
}

/// A trunk's network may want another code than our 503 where we have no room; when to come again is told all the same.
#[test]
fn a_trunk_is_told_of_our_overload_by_its_own_code() {
    let mut gateway = Gateway::new(|setup| {
        let causes = Causes { answers: Vec::new(), ours: vec![Ours { code: 503, q850: None, sends: 480 }] };
        let carrier = setup.live.trunks.iter_mut().find(|trunk| trunk.sources.contains(&address(FLOOD).ip().into())).unwrap();
        carrier.causes = Some(Arc::new(causes));
        setup.live.trunks.iter_mut().for_each(|trunk| trunk.channels = 0);
    });
    for (host, wanted) in [(FLOOD, 480), (OTHER, 503)] {
        gateway.calls += 1;
        gateway.receive(host, invite(host, "13800138000", "12345", gateway.calls));
        let told = gateway.sent.iter().rfind(|(to, text)| *to == address(host) && text.contains("Retry-After: 5\r\n"));
        assert!(told.is_some_and(|(_, text)| text.starts_with(&format!("SIP/2.0 {wanted} "))), "{told:?}");
        assert_eq!(gateway.call(host, "13800138000", "110"), Some(503), "another way is tried for help");
        let options = invite(host, "13800138000", "12345", 900).replace("INVITE", "OPTIONS");
        gateway.receive(host, options);
        let (_, told) = gateway.sent.iter().rfind(|(to, _)| *to == address(host)).unwrap();
        assert!(told.starts_with("SIP/2.0 503 ") && told.contains("Retry-After: 5\r\n"), "carriers look for our own: {told}");
        gateway.sent.clear();
    }
    let refused: Vec<(u16, u64)> = gateway.switch.counters().refused.iter().collect();
    assert_eq!(refused, [(480, 1), (503, 3)]);
}
