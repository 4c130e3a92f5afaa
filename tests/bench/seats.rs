//! A city's seats in its busiest hour, through the whole switch: 2,000 seats that all talk, 10,000 callers that wait, 200
//! conversations that end each second and as many new callers. Every message is written and read as on the wire; ports, journal
//! and phones are played here. How long from the arrival of the message that frees a seat until the INVITE to it leaves.
//!
//! Messages arrive at moments of a virtual clock that do not wait for the switch; it works on one after another for as long as
//! this machine really took, so that a message also waits for those before it, as it does for a thread that has one core.
//!
//! Then, while all talk and wait: how long the switch works for what toolbars and wallboards ask, and for a message while one seat
//! of all is in doubt.
//!
//! `cargo bench --bench seats -- [SECONDS]` measures so many seconds of such an hour, 30 by default; it fails above 5 ms.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../support/switch.rs"]
mod switch;
#[path = "../support/texts.rs"]
mod texts;

use bytes::Bytes;
use hotline::base::{Flow, LegId, Mono, Now, Proto, Rng, RtpStats, Target, Transport, Wall};
use hotline::call::Waiting;
use hotline::control::{Command as Ask, Numbers, Reply, SeatVerb, SeatView};
use hotline::event::Kept;
use hotline::event::seat::Author;
use hotline::media::{Command, Event as MediaEvent, Origins};
use hotline::switch::{Input, Output, Setup, Switch};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use switch::address;
use texts::{line, reply, uri, with_sdp};

const SEATS: usize = 2000;
const WAITING: u64 = 10_000;
const PER_SECOND: u64 = 200;
const START: Wall = Wall(1_634_270_400_000_000);
/// One way between a phone and us.
const WIRE: Duration = Duration::from_millis(1);
/// A seat answers so soon after it rings.
const ANSWER: Duration = Duration::from_millis(800);
/// Each question is asked so often.
const TIMES: usize = 200;
const BOUND: Duration = Duration::from_millis(5);

fn main() {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(30);
    let mut hour = Hour::new();
    hour.fill();
    println!("{SEATS} seats, {WAITING} callers wait, {PER_SECOND} conversations end each second, for {seconds} s");
    let late = hour.run(seconds);
    hour.is_asked();
    std::process::exit(i32::from(late));
}

/// The next event in the world.
enum Next {
    Arrives {
        from: SocketAddr,
        text: String,
    },
    /// A conversation ends and a caller comes.
    Turns,
}

struct Caller {
    number: u64,
    /// The To of its answer and the address where it was answered.
    answered: Option<(String, String)>,
}

struct Hour {
    switch: Switch,
    now: Now,
    rng: Rng,
    out: Vec<Output>,
    open: BTreeMap<LegId, SocketAddr>,
    next: BinaryHeap<Reverse<(Mono, u64)>>,
    all: HashMap<u64, Next>,
    count: u64,
    /// The switch is at work until then.
    free_at: Mono,
    worked: Duration,
    callers: HashMap<String, Caller>,
    /// Callers by the seat that they talk to.
    talks: Vec<String>,
    born: u64,
    times: Vec<Duration>,
    turns_until: Mono,
    /// No seat answers any more.
    mute: bool,
}

impl Hour {
    fn new() -> Hour {
        let now = Now { mono: Mono(1_000_000), wall: START };
        let mut out = Vec::new();
        let switch = Switch::new(setup(), Kept::default(), Rng::from_number(1), now, &mut out);
        let mut hour = Hour {
            switch,
            now,
            rng: Rng::from_number(2),
            out,
            open: BTreeMap::new(),
            next: BinaryHeap::new(),
            all: HashMap::new(),
            count: 0,
            free_at: now.mono,
            worked: Duration::ZERO,
            callers: HashMap::new(),
            talks: Vec::new(),
            born: 0,
            times: Vec::new(),
            turns_until: Mono(0),
            mute: false,
        };
        hour.carry_out(now.mono, &mut Vec::new());
        hour
    }

    /// All seats talk, and the others wait.
    fn fill(&mut self) {
        for _ in 0..SEATS as u64 + WAITING {
            self.comes();
            self.until(self.now.mono.after(Duration::from_millis(2)));
        }
        self.until(self.now.mono.after(ANSWER * 2));
        let gauges = self.switch.gauges();
        assert_eq!((gauges.seats, gauges.waiting), (SEATS, WAITING as usize));
    }

    fn run(&mut self, seconds: u64) -> bool {
        (self.times, self.worked) = (Vec::new(), Duration::ZERO);
        self.turns_until = self.now.mono.after(Duration::from_secs(seconds));
        self.at(self.now.mono, Next::Turns);
        self.until(self.turns_until);
        self.times.sort_unstable();
        let at = |per_mille: usize| self.times[(self.times.len() - 1) * per_mille / 1000];
        let gauges = self.switch.gauges();
        println!(
            "seat free to INVITE: p50 {:?}, p99 {:?}, longest {:?} ({} times); {:.0} µs of the switch a call, {:.1} % of a core; \
             {} talk, {} wait",
            at(500),
            at(990),
            at(1000),
            self.times.len(),
            1e6 * self.worked.as_secs_f64() / self.times.len() as f64,
            100.0 * self.worked.as_secs_f64() / seconds as f64,
            gauges.seats,
            gauges.waiting,
        );
        assert!(self.times.len() as u64 > seconds * PER_SECOND * 9 / 10, "too few seats rang");
        at(990) > BOUND
    }

    /// One at a time, each as often as makes a median and a 99th percentile of it.
    fn is_asked(&mut self) {
        let seat: Arc<str> = "seat-1500".into();
        let by = Author::seat(&seat);
        let call = self.view(&seat).calls[0];
        let verb = |verb| Ask::Seat { seat: seat.clone(), by: by.clone(), verb: Box::new(verb) };
        let data = |n: usize| SeatVerb::SetData { key: "ticket".into(), value: n.to_string() };
        self.tells("one seat's toolbar begins (seat, call, queues)", |_| {
            vec![Ask::SeatOf(seat.clone()), Ask::Call(call, Numbers::Full), Ask::Queues]
        });
        self.tells("one seat", |_| vec![Ask::SeatOf(seat.clone())]);
        self.tells("200 seats of all", |_| vec![Ask::Seats { after: None }]);
        self.tells("all queues", |_| vec![Ask::Queues]);
        self.tells("a verb about the seat's call (set-data)", |n| vec![verb(data(n))]);
        self.tells("a verb about its shift (auto-answer)", |n| vec![verb(SeatVerb::AutoAnswer { on: n % 2 == 0 })]);
        self.doubts();
        let from = desk(17);
        let text = format!(
            "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKo\r\nFrom: <sip:seat-17@{}>;tag=o\r\n\
             To: <sip:10.0.0.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            from.ip()
        );
        let times = (0..TIMES).map(|_| self.hears(from, text.clone())).collect();
        tell("a seat's message while others are in doubt", times);
    }

    fn tells(&mut self, name: &str, ask: impl Fn(usize) -> Vec<Ask>) {
        let times = (0..TIMES).map(|n| self.answers(ask(n))).collect();
        tell(name, times);
    }

    fn view(&mut self, seat: &Arc<str>) -> Box<SeatView> {
        self.switch.handle(self.now, Input::Command { id: 1, command: Ask::SeatOf(seat.clone()) }, &mut self.out);
        let reply =
            self.out.drain(..).find_map(|output| if let Output::Reply { reply, .. } = output { Some(reply) } else { None });
        let Some(Reply::Seat(view)) = reply else { panic!("no such seat") };
        view
    }

    /// The switch's time for these.
    fn answers(&mut self, asked: Vec<Ask>) -> Duration {
        let begun = Instant::now();
        for command in asked {
            self.switch.handle(self.now, Input::Command { id: 1, command }, &mut self.out);
        }
        let took = begun.elapsed();
        let refused = |output: &Output| matches!(output, Output::Reply { reply: Reply::Refused(_), .. });
        assert!(!self.out.iter().any(refused), "{:?}", self.out);
        self.carry_out(self.now.mono, &mut Vec::new());
        took
    }

    fn hears(&mut self, from: SocketAddr, text: String) -> Duration {
        let flow = Flow { proto: Proto::Udp, local: address(1), remote: from };
        let data = Bytes::from(text);
        let begun = Instant::now();
        self.switch.handle(self.now, Input::Sip { flow, data }, &mut self.out);
        let took = begun.elapsed();
        self.carry_out(self.now.mono, &mut Vec::new());
        took
    }

    /// Seats that become free do not answer any more.
    fn doubts(&mut self) {
        self.mute = true;
        self.hangs_up(self.now.mono);
        self.until(self.now.mono.after(Duration::from_secs(16)));
        assert!(self.switch.gauges().missed > 0);
    }

    fn at(&mut self, at: Mono, next: Next) {
        self.count += 1;
        self.next.push(Reverse((at, self.count)));
        self.all.insert(self.count, next);
    }

    /// The world goes on until this moment.
    fn until(&mut self, end: Mono) {
        while let Some(at) = self.next.peek().map(|Reverse((at, _))| *at).filter(|at| *at <= end) {
            self.ticks(at);
            // An answer to something that the switch has sent meanwhile may come before that.
            let Some(Reverse((at, id))) = self.next.pop() else { return };
            let at = at.max(self.now.mono);
            match self.all.remove(&id).unwrap() {
                Next::Arrives { from, text } => self.arrives(at, from, text),
                Next::Turns => self.turns(at),
            }
        }
        self.ticks(end);
        self.now = self.now.after(end.since(self.now.mono));
    }

    fn ticks(&mut self, until: Mono) {
        while let Some(due) = self.switch.deadline().filter(|due| *due <= until) {
            self.works(due.max(self.now.mono), |switch, now, out| switch.tick(now, out));
        }
    }

    fn arrives(&mut self, at: Mono, from: SocketAddr, text: String) {
        let flow = Flow { proto: Proto::Udp, local: address(1), remote: from };
        let data = Bytes::from(text);
        self.works(at, |switch, now, out| switch.handle(now, Input::Sip { flow, data }, out));
    }

    /// The switch does a piece of work that was due at this moment, and what it sends leaves when that is done.
    fn works(&mut self, due: Mono, act: impl FnOnce(&mut Switch, Now, &mut Vec<Output>)) {
        let start = due.max(self.free_at);
        self.now = self.now.after(start.since(self.now.mono));
        let begun = Instant::now();
        act(&mut self.switch, self.now, &mut self.out);
        let mut took = begun.elapsed();
        let mut sent = Vec::new();
        took += self.carry_out(due, &mut sent);
        self.worked += took;
        self.free_at = start.after(took);
        for (to, text) in sent {
            self.takes(due, to, text);
        }
    }

    /// Ports bind and close at once, and entries are durable at once.
    fn carry_out(&mut self, _due: Mono, sent: &mut Vec<(SocketAddr, String)>) -> Duration {
        let begun = Instant::now();
        while !self.out.is_empty() {
            let mut durable = None;
            for output in std::mem::take(&mut self.out) {
                match output {
                    Output::Sip { flow, data } => sent.push((flow.remote, String::from_utf8(data.to_vec()).unwrap())),
                    Output::Journal { ticket, .. } | Output::Seat { ticket: Some(ticket), .. } | Output::Keep { ticket, .. } => {
                        durable = Some(ticket)
                    }
                    Output::Media { shard, command: Command::Bind { rtp } } => self.media(shard, MediaEvent::Bound { rtp }),
                    Output::Media { command: Command::Open { leg, rtp, .. }, .. } => drop(self.open.insert(leg, rtp)),
                    Output::Media { shard, command: Command::Close { leg } } => {
                        let rtp = self.open.remove(&leg).unwrap();
                        self.media(shard, MediaEvent::Closed { leg, rtp, stats: RtpStats::default() });
                    }
                    _ => {}
                }
            }
            if let Some(ticket) = durable {
                self.switch.handle(self.now, Input::Journaled { ticket }, &mut self.out);
            }
        }
        begun.elapsed()
    }

    fn media(&mut self, shard: u16, event: MediaEvent) {
        self.switch.handle(self.now, Input::Media { shard, event }, &mut self.out);
    }

    /// A phone gets a message.
    fn takes(&mut self, due: Mono, to: SocketAddr, text: String) {
        let now = self.free_at;
        if to == address(2) {
            return self.caller_takes(now, &text);
        }
        let contact = format!("Contact: <sip:seat@{to}>");
        match text.split(' ').next().unwrap() {
            "INVITE" if self.mute => {}
            "INVITE" => {
                self.times.push(now.since(due));
                self.send(now, to, reply(&text, "180 Ringing", &[&contact], ""));
                let answer = reply(&text, "200 OK", &[&contact], &texts::sdp(to));
                self.send(now.after(ANSWER), to, answer);
            }
            "BYE" => self.send(now, to, reply(&text, "200 OK", &[], "")),
            _ => {}
        }
    }

    fn caller_takes(&mut self, now: Mono, text: &str) {
        let call = line(text, "Call-ID: ").to_owned();
        if text.starts_with("BYE ") {
            return self.send(now, address(2), reply(text, "200 OK", &[], ""));
        }
        if !text.starts_with("SIP/2.0 200") || !line(text, "CSeq: ").ends_with(" INVITE") {
            assert!(text.starts_with("SIP/2.0 1") || text.starts_with("SIP/2.0 200"), "{text}");
            return;
        }
        let caller = self.callers.get_mut(&call).unwrap();
        caller.answered = Some((line(text, "To: ").to_owned(), uri(line(text, "Contact: ")).to_owned()));
        let ack = inside(&call, caller, "ACK", 1);
        self.send(now, address(2), ack);
        self.talks.push(call);
    }

    fn send(&mut self, now: Mono, from: SocketAddr, text: String) {
        self.at(now.after(WIRE), Next::Arrives { from, text });
    }

    fn turns(&mut self, now: Mono) {
        self.hangs_up(now);
        self.now = self.now.after(now.since(self.now.mono));
        self.comes();
        // As people come: no moment knows of the one before.
        let micros = -(f64::from(1 + self.rng.below(1_000_000) as u32) / 1e6).ln() * 1e6 / PER_SECOND as f64;
        self.at(now.after(Duration::from_micros(micros as u64)), Next::Turns);
    }

    fn hangs_up(&mut self, now: Mono) {
        let call = self.talks.swap_remove(self.rng.below(self.talks.len() as u64) as usize);
        let bye = inside(&call, &self.callers[&call], "BYE", 2);
        self.callers.remove(&call);
        self.send(now, address(2), bye);
    }

    fn comes(&mut self) {
        self.born += 1;
        let number = self.born;
        let caller = format!("138{number:08}");
        let head = [
            "INVITE sip:12345@10.0.0.1 SIP/2.0",
            &format!("Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bKi{number}"),
            &from(number),
            "To: <sip:12345@10.0.0.1>",
            &format!("Call-ID: {number}@10.0.0.2"),
            "CSeq: 1 INVITE",
            "Contact: <sip:caller@10.0.0.2:5060>",
            "Max-Forwards: 70",
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE",
            &format!("P-Asserted-Identity: <sip:{caller}@10.0.0.2;user=phone>"),
        ];
        let invite = with_sdp(&head, address(2));
        self.callers.insert(format!("Call-ID: {number}@10.0.0.2"), Caller { number, answered: None });
        self.send(self.now.mono, address(2), invite);
    }
}

fn from(number: u64) -> String {
    format!("From: <sip:138{number:08}@10.0.0.2>;tag=c{number}")
}

/// A request of a caller inside its dialog.
fn inside(call: &str, caller: &Caller, method: &str, cseq: u32) -> String {
    let (to, target) = caller.answered.as_ref().unwrap();
    let number = caller.number;
    let first = format!("{method} {target} SIP/2.0");
    let via = format!("Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK{method}{number}");
    let cseq = format!("CSeq: {cseq} {method}");
    [&first, &via, &from(number), to, call, &cseq, "Max-Forwards: 70", "Content-Length: 0"].join("\r\n") + "\r\n\r\n"
}

fn tell(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!("{name}: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}

/// Where a seat is.
fn desk(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 1, (n / 250) as u8, (n % 250) as u8 + 1], 5060))
}

fn setup() -> Setup {
    let mut setup = switch::setup(&["desk"]);
    let (fixed, live) = (&mut setup.fixed, &mut setup.live);
    fixed.limits.calls = 20_000;
    fixed.media.ports = 10_000..=65_000;
    fixed.legs.max_legs = 40_000;
    (fixed.ua.transaction.max_transactions, fixed.ua.transaction.max_per_source) = (100_000, 100_000);
    let trunk = &mut live.trunks[0];
    (trunk.channels, trunk.reserved) = (20_000, 0);
    trunk.origins = Arc::new(Origins { networks: trunk.sources.clone(), nat: false });
    let model = live.seats.remove(0);
    for n in 0..SEATS {
        let mut seat = model.clone();
        let at = desk(n);
        seat.name = format!("seat-{n}").into();
        seat.aor = hotline::sip::Uri::sip(&seat.name, hotline::sip::Host::Ip(at.ip()), None);
        (seat.sources, seat.channels) = (vec![at.ip().into()], 1);
        seat.target = Some(Target::at(Transport::Udp, at));
        live.seats.push(seat);
    }
    let queue = &mut live.queues[0];
    queue.seats = live.seats.iter().map(|seat| seat.name.clone()).collect();
    (queue.max_length, queue.share) = (20_000, 20_000);
    queue.max_wait = Duration::from_secs(36_000);
    let told = Waiting {
        announce_after: Duration::from_secs(30),
        announce_every: Duration::from_secs(45),
        position: true,
        ..Waiting::default()
    };
    let mut policy = (*live.policy).clone();
    policy.callers.waiting.insert("12345".into(), Arc::new(told));
    live.policy = Arc::new(policy);
    setup
}
