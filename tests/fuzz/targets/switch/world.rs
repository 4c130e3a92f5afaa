//! A gateway in which a caller of 12345 talks to the only seat. Ports, prompts and the disk do at once what is asked of them.

use bytes::Bytes;
use hotline::base::{CallId, Flow, LegId, Mono, Now, Proto, Rng, RtpStats, Wall};
use hotline::control::{Command as Ask, Numbers, Reply};
use hotline::event::Kept;
use hotline::io::config::Layers;
use hotline::io::config::{plans, setup};
use hotline::media::{Command, Event, Source};
use hotline::plan::Source as File;
use hotline::sip::{Headers, Message, Name};
use hotline::switch::{Gauges, Input, Output, Setup, Switch};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

pub const CALLER: u8 = 2;
pub const SEAT: u8 = 10;
/// The number of everybody who calls.
pub const NUMBER: &str = "13800138000";

/// 2021-10-15 noon in Xishuangbanna.
const START: Wall = Wall(1_634_270_400_000_000);
/// More turns than these in one go are a loop.
const TURNS: usize = 200_000;
const SITE: &str = r#"
[sip]
listen = ["10.0.0.1:5060"]
[trunks.loopback]
enabled = false
[trunks.carrier]
addresses = ["10.0.0.2"]
area = "691"
[trunks.targets]
addresses = ["10.0.0.3"]
reserved = 4
[trunks.other]
addresses = ["10.0.0.4"]
channels = 6
reserved = 1
[routes]
default = "targets"
[seats.desk]
aor = "sip:seat@10.0.0.10"
address = "10.0.0.10:5060"
channels = 1
[media]
addresses = ["10.0.0.1"]
last_port = 10399
shards = 1
"#;

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let config = Layers::new(Some(File::new("site.toml", SITE)), BTreeMap::new()).merge();
    let config = config.unwrap_or_else(|findings| panic!("{findings:?}"));
    let fit = setup::fit(&config, 100_000).unwrap();
    let fixed = setup::fixed(&config, (&config.sip.listen, &config.sip.listen_tls), &fit);
    Setup { fixed, live: setup::live(&config, plans::load(&config).unwrap()).unwrap() }
});

/// By either of these an answer is told to be one: Call-ID and CSeq, or where it repeats the answer to another request of the
/// same transaction (RFC 3261 §17.2.3), branch and method.
pub type Keys = [Vec<u8>; 2];

pub struct World {
    switch: Switch,
    now: Now,
    out: Vec<Output>,
    /// Since it was last looked at.
    pub sent: Vec<(SocketAddr, Message)>,
    pub answered: BTreeSet<Vec<u8>>,
    /// Things that were done to the call of the two who talk.
    pub touched: Vec<String>,
    /// The Call-ID of the caller's leg.
    pub call_id: Bytes,
    call: Option<CallId>,
    open: BTreeMap<LegId, SocketAddr>,
    theirs: BTreeSet<LegId>,
    /// The last message that each was sent.
    last: BTreeMap<IpAddr, Headers>,
    /// The dialogs of the two, as the gateway wrote them.
    caller: Headers,
    seat: Headers,
    reply: Option<Reply>,
}

impl World {
    pub fn talking() -> World {
        let now = Now { mono: Mono(1_000_000), wall: START };
        let mut out = Vec::new();
        let switch = Switch::new(SETUP.clone(), Kept::default(), Rng::from_number(1), now, &mut out);
        let mut world = World {
            switch,
            now,
            out,
            sent: Vec::new(),
            answered: BTreeSet::new(),
            touched: Vec::new(),
            call_id: Bytes::from_static(b"k7Hq0Zt4-the-caller@10.0.0.2"),
            call: None,
            open: BTreeMap::new(),
            theirs: BTreeSet::new(),
            last: BTreeMap::new(),
            caller: Headers::default(),
            seat: Headers::default(),
            reply: None,
        };
        world.carry_out();
        world.answer_the_call();
        world
    }

    fn answer_the_call(&mut self) {
        let dialog = self.of_the_caller();
        self.hear(
            CALLER,
            &format!(
                "INVITE sip:12345@10.0.0.1 SIP/2.0\n{}To: <sip:12345@10.0.0.1>\nCSeq: 1 INVITE\nMax-Forwards: 70\n\
             Contact: <sip:c@10.0.0.2>\nContent-Type: application/sdp\n\n{}",
                dialog,
                sdp(CALLER)
            ),
        );
        let invite = self.to(SEAT, "INVITE");
        self.hear(SEAT, &answer(&invite, "200 OK", true, &sdp(SEAT)));
        self.seat = invite;
        self.to(SEAT, "ACK");
        self.caller = self.to(CALLER, "200");
        let to = self.caller.text(&Name::To).unwrap();
        self.hear(CALLER, &format!("ACK sip:12345@10.0.0.1 SIP/2.0\n{dialog}To: {to}\nCSeq: 1 ACK\nMax-Forwards: 70\n\n"));
        self.pass(Duration::from_secs(1));
        self.theirs = self.open.keys().copied().collect();
        assert_eq!((self.theirs.len(), self.gauges().calls), (2, 1));
        (self.sent, self.touched) = (Vec::new(), Vec::new());
        self.answered.clear();
    }

    fn of_the_caller(&self) -> String {
        let call_id = String::from_utf8_lossy(&self.call_id);
        let via = format!("Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{}", self.now.mono.0);
        format!("{via}\nFrom: <sip:{NUMBER}@10.0.0.2>;tag=w83hf02\nCall-ID: {call_id}\n")
    }

    /// The call of the two ends as any call does.
    pub fn caller_hangs_up(&mut self) {
        (self.call, self.theirs) = (None, BTreeSet::new());
        let to = self.caller.text(&Name::To).unwrap();
        let dialog = self.of_the_caller();
        self.hear(CALLER, &format!("BYE sip:12345@10.0.0.1 SIP/2.0\n{dialog}To: {to}\nCSeq: 2 BYE\nMax-Forwards: 70\n\n"));
        self.to(CALLER, "200");
        let bye = self.to(SEAT, "BYE");
        self.hear(SEAT, &answer(&bye, "200 OK", false, ""));
    }

    /// Tells what the API says of the two.
    pub fn view(&mut self) -> String {
        let call = self.call.expect("their call");
        self.input(Input::Command { id: 1, command: Ask::Call(call, Numbers::Full) });
        self.carry_out();
        format!("{:?}", self.reply.take().expect("an answer"))
    }

    pub fn gauges(&self) -> Gauges {
        self.switch.gauges()
    }

    pub fn receive(&mut self, flow: Flow, data: Bytes) {
        self.input(Input::Sip { flow, data });
        self.carry_out();
        self.switch.audit(self.now).unwrap();
    }

    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono.after(time);
        for _ in 0..TURNS {
            let Some(at) = self.switch.deadline().filter(|at| *at <= end) else {
                self.now = self.now.after(end.since(self.now.mono));
                return;
            };
            // A deadline is never met by coming again at the same moment.
            let step = at.since(self.now.mono).max(Duration::from_micros(1));
            self.now = self.now.after(step);
            self.switch.tick(self.now, &mut self.out);
            self.carry_out();
        }
        panic!("it turns without an end");
    }

    /// With the values that its sender knows, unless it is one that has read nothing: of the last message that it was sent, and
    /// of the dialogs of the two.
    pub fn filled(&self, text: &[u8], sender: SocketAddr, knows: bool) -> Vec<u8> {
        let none = Headers::default();
        let of = |word: &str| match word.split_once('.') {
            Some(("caller", name)) if knows => value(&self.caller, name),
            Some(("seat", name)) if knows => value(&self.seat, name),
            _ if !knows => None,
            Some(_) => None,
            None => value(self.last.get(&sender.ip()).unwrap_or(&none), word),
        };
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.iter().position(|b| *b == b'{') {
            let close = rest[open..].iter().take(32).position(|b| *b == b'}').map(|length| open + length);
            let word = close.and_then(|close| std::str::from_utf8(&rest[open + 1..close]).ok());
            let (value, after) = match (word.and_then(of), close) {
                (Some(value), Some(close)) => (value, close + 1),
                _ => (Bytes::from_static(b"{"), open + 1),
            };
            filled.extend_from_slice(&rest[..open]);
            filled.extend_from_slice(&value);
            rest = &rest[after..];
        }
        filled.extend_from_slice(rest);
        filled
    }

    fn input(&mut self, input: Input) {
        self.switch.handle(self.now, input, &mut self.out);
    }

    fn hear(&mut self, from: u8, text: &str) {
        let flow = Flow { proto: Proto::Udp, local: address(1), remote: address(from) };
        self.receive(flow, Bytes::copy_from_slice(text.as_bytes()));
    }

    fn to(&mut self, to: u8, start: &str) -> Headers {
        let is = |message: &Message| match message {
            Message::Request(request) => request.method.as_bytes() == start.as_bytes(),
            Message::Response(response) => response.status.0.to_string() == start,
        };
        let found = self.sent.iter().position(|(at, message)| *at == address(to) && is(message));
        let found = found.unwrap_or_else(|| panic!("no {start} among {:?}", self.sent));
        self.sent.remove(found).1.headers().clone()
    }

    fn carry_out(&mut self) {
        for _ in 0..TURNS {
            if self.out.is_empty() {
                return;
            }
            let mut durable = None;
            for output in std::mem::take(&mut self.out) {
                match output {
                    Output::Sip { flow, data } => self.leaves(flow.remote, data),
                    Output::Journal { ticket, entry } => {
                        durable = Some(ticket);
                        let call = *self.call.get_or_insert(entry.call);
                        if call == entry.call {
                            self.touched.push(format!("{:?}", entry.what));
                        }
                    }
                    Output::Media { shard, command } => self.media(shard, command),
                    Output::Seat { ticket: Some(ticket), .. } | Output::Keep { ticket, .. } => durable = Some(ticket),
                    Output::Seat { .. } | Output::Recording(_) => {}
                    Output::Reply { reply, .. } => self.reply = Some(reply),
                    Output::Resolve { .. } => {}
                    Output::Timed(_) => {}
                }
            }
            if let Some(ticket) = durable {
                self.input(Input::Journaled { ticket });
            }
        }
        panic!("it goes on without an end");
    }

    fn leaves(&mut self, to: SocketAddr, data: Bytes) {
        assert!(data.len() <= 65_507, "{} bytes", data.len());
        let Ok(message) = Message::parse(data.clone()) else {
            // An answer copies what made its request illegal.
            let refuses = data.starts_with(b"SIP/2.0 4") || data.starts_with(b"SIP/2.0 5");
            assert!(refuses && to.ip() != address(SEAT).ip(), "to {to}: {}", data.escape_ascii());
            self.answered.insert(written(&data));
            return;
        };
        if matches!(message, Message::Response(_)) {
            self.answered.extend(keys(message.headers()));
        }
        self.last.insert(to.ip(), message.headers().clone());
        self.sent.push((to, message));
    }

    fn media(&mut self, shard: u16, command: Command) {
        let leg = match &command {
            Command::Bind { rtp } => return self.input(Input::Media { shard, event: Event::Bound { rtp: *rtp } }),
            Command::Unbind { .. } => return,
            Command::Open { leg, rtp, .. } => {
                self.open.insert(*leg, *rtp);
                *leg
            }
            Command::Close { leg } => {
                let event = Event::Closed { leg: *leg, rtp: self.open.remove(leg).unwrap(), stats: RtpStats::default() };
                self.input(Input::Media { shard, event });
                *leg
            }
            Command::Play { leg, source: Source::Prompt { repeat: false, cue, .. } } => {
                self.input(Input::Media { shard, event: Event::Played { leg: *leg, cue: *cue } });
                *leg
            }
            Command::Profile { leg, .. }
            | Command::Proven { leg }
            | Command::Play { leg, .. }
            | Command::Keys { leg, .. }
            | Command::Inband { leg, .. }
            | Command::Attend { leg, .. }
            | Command::SendKey { leg, .. }
            | Command::Tap { leg, .. } => *leg,
        };
        if self.theirs.contains(&leg) {
            self.touched.push(format!("{command:?}"));
        }
    }
}

pub fn keys(headers: &Headers) -> Keys {
    // These leave as a space.
    let whole = |b: &u8| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { *b };
    let value = |name| headers.get(&name).map(|value| value.iter().map(whole).collect::<Vec<u8>>()).unwrap_or_default();
    let (call_id, cseq) = (value(Name::CallId), value(Name::CSeq));
    let (call_id, cseq) = (call_id.trim_ascii(), cseq.trim_ascii());
    let branch = headers.via().and_then(|via| via.branch().map(|branch| branch.into_owned())).unwrap_or_default();
    let method = headers.cseq().map(|cseq| cseq.method.as_bytes().to_vec()).unwrap_or_default();
    [[call_id, cseq].join(&b'\n'), [branch.as_bytes(), &method].join(&b'\t')]
}

/// The first of them, as we write it.
fn written(data: &[u8]) -> Vec<u8> {
    let value = |name: &str| {
        let line = data.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()));
        line.unwrap_or_default().trim_ascii()
    };
    [value("Call-ID: "), value("CSeq: ")].join(&b'\n')
}

pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

fn value(headers: &Headers, name: &str) -> Option<Bytes> {
    headers.get(&Name::parse(name.as_bytes())?).cloned()
}

fn answer(request: &Headers, status: &str, tagged: bool, sdp: &str) -> String {
    let text = |name| request.text(&name).unwrap();
    let (via, from, call_id, cseq) = (text(Name::Via), text(Name::From), text(Name::CallId), text(Name::CSeq));
    let to = text(Name::To) + if tagged { ";tag=p40dk2" } else { "" };
    format!(
        "SIP/2.0 {status}\nVia: {via}\nFrom: {from}\nTo: {to}\nCall-ID: {call_id}\nCSeq: {cseq}\nContact: <sip:s@10.0.0.10>\n\
         Content-Type: application/sdp\nContent-Length: {}\n\n{sdp}",
        sdp.len()
    )
}

fn sdp(host: u8) -> String {
    let ip = address(host).ip();
    format!(
        "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 20000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n"
    )
}
