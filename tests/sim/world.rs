//! One run: a gateway, its peers, a network and a journal on one virtual clock.

use crate::journal::Journal;
use crate::net::Net;
use crate::peer::{Kind, Peer};
use crate::shard::{Later, Shard};
use bytes::Bytes;
use hotline::base::{Flow, Mono, Now, Proto, Rng, Wall};
use hotline::call::event::{Result as Outcome, What};
use hotline::call::{Mode, Policy};
use hotline::control::{Command, Reply};
use hotline::dialog;
use hotline::media::Prompt;
use hotline::plan::Plan;
use hotline::queue::{Line, Strategy};
use hotline::sip::{Codec, Host, Message, Method, Uri};
use hotline::switch::{Dtmf, Input, JournalDown, Limits, MediaSetup, Output, Seat, Setup, Switch, Trunk, UnknownSource};
use hotline::transport::Rate;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// 2021-10-15 noon in Xishuangbanna: between the dates of its notice.
const START: Wall = Wall(1_634_270_400_000_000);
/// What callers dial.
const NUMBERS: [&str; 8] = ["12345", "12345", "12345", "12336", "12348", "12366", "110", "99999"];
/// After the last call was placed, everything must be over within this.
const LIMIT: Duration = Duration::from_secs(3 * 3600);

pub struct World {
    log: bool,
    rng: Rng,
    now: Now,
    net: Net,
    /// As it was at the start.
    setup: Setup,
    switch: Switch,
    gateway: SocketAddr,
    peers: BTreeMap<SocketAddr, Peer>,
    shards: Vec<Shard>,
    journal: Journal,
    later: BinaryHeap<Reverse<(Mono, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    placed: u64,
    moves: u64,
}

enum Event {
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        data: Bytes,
    },
    Media {
        shard: usize,
        later: Later,
    },
    Durable {
        ticket: u64,
    },
    Place,
    /// Somebody asks something of a live call.
    Ask,
    Crash(SocketAddr),
    Stall,
    Unstall,
    Reload,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub placed: u64,
    pub records: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub refused: u64,
    pub failed: u64,
    /// Transfers and their like that were accepted.
    pub moves: u64,
    pub messages: u64,
    pub reloads: u64,
}

impl Summary {
    pub fn add(&mut self, other: &Summary) {
        self.placed += other.placed;
        self.records += other.records;
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.refused += other.refused;
        self.failed += other.failed;
        self.moves += other.moves;
        self.messages += other.messages;
        self.reloads += other.reloads;
    }
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

impl World {
    pub fn new(seed: u64, log: bool) -> World {
        let mut rng = Rng::from_number(seed);
        let now = Now { mono: Mono(1_000_000), wall: START };
        let seats = 1 + rng.below(4) as u8;
        let setup = setup(&mut rng, seats);
        let (carrier, target) = (address(2), address(3));
        let mut peers = BTreeMap::from([(carrier, Peer::new(carrier, Kind::Carrier, &mut rng))]);
        for callee in std::iter::once(target).chain((10..10 + seats).map(address)) {
            peers.insert(callee, Peer::new(callee, Kind::Callee, &mut rng));
        }
        let mut out = Vec::new();
        let shards = (0..setup.media.shards).map(|_| Shard::default()).collect();
        let switch = Switch::new(setup.clone(), rng.fork(), now, &mut out);
        let net = Net::random(&mut rng);
        let mut world = World {
            log,
            net,
            now,
            setup,
            switch,
            gateway: address(1),
            peers,
            shards,
            journal: Journal::default(),
            later: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            placed: 0,
            moves: 0,
            rng,
        };
        world.outputs(out).expect("nothing can be wrong yet");
        world.script(seats);
        world
    }

    /// What will happen whatever the gateway does.
    fn script(&mut self, seats: u8) {
        let calls = 1 + self.rng.below(25);
        for _ in 0..calls {
            let at = self.rng.below(60_000);
            self.at(Duration::from_millis(at), Event::Place);
        }
        for _ in 0..self.rng.below(calls * 4) {
            let at = self.rng.below(120_000);
            self.at(Duration::from_millis(at), Event::Ask);
        }
        if self.rng.chance(300) {
            let victim = address(10 + self.rng.below(u64::from(seats)) as u8);
            let at = self.rng.below(90_000);
            self.at(Duration::from_millis(at), Event::Crash(victim));
        }
        if self.rng.chance(200) {
            let at = self.rng.below(60_000);
            self.at(Duration::from_millis(at), Event::Stall);
            self.at(Duration::from_millis(at + self.rng.clone().below(20_000)), Event::Unstall);
        }
        if self.rng.chance(300) {
            for _ in 0..1 + self.rng.below(4) {
                let at = self.rng.below(90_000);
                self.at(Duration::from_millis(at), Event::Reload);
            }
        }
    }

    pub fn run(mut self) -> Result<Summary, String> {
        let end = self.now.mono.after(LIMIT);
        while let Some(at) = self.next() {
            if at > end {
                return Err(format!("not over after {LIMIT:?}: {:?}", self.switch.gauges()));
            }
            self.now = self.now.after(at.since(self.now.mono));
            self.step()?;
        }
        self.verdict()
    }

    fn next(&self) -> Option<Mono> {
        let event = self.later.peek().map(|Reverse((at, _))| *at);
        let peers = self.peers.values().filter(|p| !p.crashed).filter_map(Peer::deadline);
        // While a crashed peer's calls time out there is nothing else to wait for than the gateway itself.
        peers.chain(event).chain(self.switch.deadline()).min().map(|at| at.max(self.now.mono))
    }

    fn step(&mut self) -> Result<(), String> {
        while let Some(Reverse((at, id))) = self.later.peek().copied()
            && at <= self.now.mono
        {
            self.later.pop();
            if let Some(event) = self.events.remove(&id) {
                self.event(event)?;
            }
        }
        let mut out = Vec::new();
        if self.switch.deadline().is_some_and(|at| at <= self.now.mono) {
            self.switch.tick(self.now, &mut out);
            self.outputs(out)?;
        }
        for address in self.peers.keys().copied().collect::<Vec<_>>() {
            self.peer(address, |peer, rng, now, out| peer.tick(rng, now, out));
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Datagram { from, to, data } if to == self.gateway => {
                let flow = Flow { proto: Proto::Udp, local: to, remote: from };
                self.input(Input::Sip { flow, data })
            }
            Event::Datagram { from, to, data } => {
                let message = Message::parse(data).map_err(|e| format!("a peer got {}", e.reason))?;
                self.peer(to, |peer, rng, now, out| peer.received(rng, now, from, message, out));
                Ok(())
            }
            Event::Media { shard, later } if self.shards[shard].stands(&later) => {
                self.input(Input::Media { shard: shard as u16, event: later.event })
            }
            Event::Media { .. } => Ok(()),
            Event::Durable { ticket } => {
                self.journal.durable = self.journal.durable.max(ticket);
                self.input(Input::Journaled { ticket })
            }
            Event::Place => {
                self.placed += 1;
                let number = NUMBERS[self.rng.below(NUMBERS.len() as u64) as usize];
                let gateway = self.gateway;
                self.peer(address(2), |peer, rng, now, out| peer.call(rng, now, gateway, number, out));
                Ok(())
            }
            Event::Ask => self.ask(),
            Event::Crash(victim) => {
                self.peers.get_mut(&victim).expect("a seat").crashed = true;
                Ok(())
            }
            Event::Stall => {
                self.journal.stalled_until = self.now.mono.after(Duration::from_secs(30));
                self.input(Input::JournalDown(true))
            }
            Event::Unstall => self.input(Input::JournalDown(false)),
            Event::Reload => {
                let setup = changed(&mut self.rng, self.setup.clone());
                self.input(Input::Reload(Box::new(setup)))
            }
        }
    }

    /// Transfers of every kind to parties of every kind, and what may be asked of them, in any order.
    fn ask(&mut self) -> Result<(), String> {
        let calls: Vec<_> = self.journal.open().collect();
        let Some(call) = calls.get(self.rng.below(calls.len() as u64) as usize).copied() else { return Ok(()) };
        let to = ["12366", "12348", "110", "12345", "seat:seat-0", "99999"][self.rng.below(6) as usize].to_owned();
        let command = match self.rng.below(12) {
            0 => Command::Complete(call),
            1 => Command::Cancel(call),
            2 => Command::Swap(call),
            3 => Command::Merge(call),
            4 => Command::Drop { call, leg: self.rng.below(5) },
            n => {
                let modes = [Mode::Consult, Mode::ThreeWay, Mode::Blind, Mode::Emergency];
                Command::Transfer { call, to, mode: modes[n as usize % 4] }
            }
        };
        self.input(Input::Command { id: 0, command })
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        if self.log {
            println!("{:>12} in  {}", self.now.mono.0, describe(&input));
        }
        let mut out = Vec::new();
        self.switch.handle(self.now, input, &mut out);
        self.outputs(out)
    }

    fn outputs(&mut self, out: Vec<Output>) -> Result<(), String> {
        for output in out {
            match output {
                Output::Sip { flow, data } => self.gateway_sends(flow, data)?,
                Output::Media { shard, command } => {
                    let shard = usize::from(shard);
                    if let Some(later) = self.shards[shard].handle(&mut self.rng, self.now.mono, command)? {
                        self.put(later.at, Event::Media { shard, later });
                    }
                }
                Output::Reply { reply: Reply::Done, .. } => self.moves += 1,
                Output::Reply { .. } => {}
                Output::Journal { ticket, entry } => {
                    if self.log {
                        println!("{:>12} log {} {:?}", self.now.mono.0, entry.call, entry.what);
                    }
                    let at = self.journal.write(&mut self.rng, self.now.mono, ticket, entry)?;
                    self.put(at, Event::Durable { ticket });
                }
            }
        }
        Ok(())
    }

    fn gateway_sends(&mut self, flow: Flow, data: Bytes) -> Result<(), String> {
        let message = Message::parse(data.clone()).map_err(|e| format!("the gateway sent {}: {data:?}", e.reason))?;
        if let Message::Response(response) = &message
            && response.status.is_final()
            && response.headers.cseq().is_some_and(|c| c.method == Method::Invite)
        {
            let call_id = String::from_utf8_lossy(response.headers.call_id().ok_or("no Call-ID")?).into_owned();
            let stalled = self.journal.stalled_until > Mono(0);
            if !stalled && !self.journal.may_be_final(&call_id) {
                return Err(format!("{} before its call was durable", response.status.0));
            }
        }
        self.send(flow.local, flow.remote, data);
        Ok(())
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, data: Bytes) {
        if self.log {
            let line = String::from_utf8_lossy(&data).lines().next().unwrap_or_default().to_owned();
            println!("{:>12} net {from} > {to} {line}", self.now.mono.0);
        }
        for at in self.net.arrivals(&mut self.rng, self.now.mono) {
            self.put(at, Event::Datagram { from, to, data: data.clone() });
        }
    }

    fn peer(&mut self, at: SocketAddr, act: impl FnOnce(&mut Peer, &mut Rng, Now, &mut Vec<dialog::Output>)) {
        let Some(peer) = self.peers.get_mut(&at).filter(|p| !p.crashed) else { return };
        let mut out = Vec::new();
        act(peer, &mut self.rng, self.now, &mut out);
        for output in out {
            if let dialog::Output::Send { flow, data } = output {
                self.send(flow.local, flow.remote, data);
            }
        }
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.put(self.now.mono.after(after), event);
    }

    fn put(&mut self, at: Mono, event: Event) {
        self.next_event += 1;
        self.later.push(Reverse((at, self.next_event)));
        self.events.insert(self.next_event, event);
    }

    /// The invariants of a finished run.
    fn verdict(self) -> Result<Summary, String> {
        let gauges = self.switch.gauges();
        if !gauges.idle() {
            return Err(format!("something is left: {gauges:?}"));
        }
        self.journal.complete()?;
        let counters = self.switch.counters();
        let records = self.journal.entries.len() as u64;
        if records != counters.calls {
            return Err(format!("{} calls, {records} records", counters.calls));
        }
        if let Some(shard) = self.shards.iter().find(|s| s.opened != s.closed) {
            return Err(format!("{} legs opened media, {} closed it", shard.opened, shard.closed));
        }
        let mut summary = Summary {
            placed: self.placed,
            moves: self.moves,
            records,
            messages: counters.messages_in,
            reloads: counters.reloads,
            ..Summary::default()
        };
        for entry in self.journal.entries.values().filter_map(|log| log.last()) {
            let What::Ended { result, .. } = entry else { return Err(format!("{entry:?} is last")) };
            match result {
                Outcome::Answered => summary.answered += 1,
                Outcome::Rejected | Outcome::QueueFull | Outcome::NoSeat | Outcome::Timeout => summary.refused += 1,
                Outcome::Failed | Outcome::Interrupted => summary.failed += 1,
                _ => summary.abandoned += 1,
            }
        }
        Ok(summary)
    }
}

fn describe(input: &Input) -> String {
    match input {
        Input::Sip { flow, data } => {
            format!("{} {}", flow.remote, String::from_utf8_lossy(data).lines().next().unwrap_or_default())
        }
        other => format!("{other:?}"),
    }
}

fn setup(rng: &mut Rng, seats: u8) -> Setup {
    let text = include_str!("../../dialplans/xishuangbanna.toml");
    let plan = Plan::parse("xishuangbanna.toml", text, &hotline::plan::built_in::text).expect("the plan is good");
    let prompt = |name: &str, seconds: usize| {
        let prompt = Prompt { name: name.to_owned(), a_law: vec![0xd5; 8000 * seconds], mu_law: vec![0xff; 8000 * seconds] };
        (name.to_owned(), Arc::new(prompt))
    };
    let prompts = plan.prompts().iter().map(|p| prompt(&p.name, 5));
    let prompts: BTreeMap<_, _> = prompts.chain([prompt("music", 20), prompt("apology", 4)]).collect();
    let name = |i: u8| Arc::<str>::from(format!("seat-{i}"));
    let channels = |rng: &mut Rng| if rng.chance(500) { 1 } else { 1 + rng.below(10) as u32 };
    Setup {
        node: "sim".to_owned(),
        listen: vec![(Proto::Udp, address(1))],
        trunks: vec![trunk("carrier", address(2)), trunk("targets", address(3))],
        seats: (0..seats)
            .map(|i| Seat {
                name: name(i),
                aor: Uri::sip(&name(i), Host::Ip(address(10 + i).ip()), None),
                address: address(10 + i),
                proto: Proto::Udp,
                channels: channels(rng),
                dtmf: Dtmf::Auto,
            })
            .collect(),
        queues: vec![Line {
            name: "12345".into(),
            seats: (0..seats).map(name).collect(),
            strategy: if rng.chance(500) { Strategy::All } else { Strategy::OneByOne },
            ring_timeout: Duration::from_secs(15),
            max_wait: Duration::from_secs(120),
            max_length: 8,
            rest_after_failure: Duration::from_secs(5),
        }],
        default_route: 1,
        plan: Arc::new(plan),
        prompts: Arc::new(prompts),
        policy: Arc::new(Policy {
            max_talk: Duration::from_secs(600),
            apology: Some("apology".into()),
            music: "music".into(),
            transfer_failed: Some("apology".into()),
            max_parties: 50,
        }),
        legs: dialog::Config::default(),
        media: MediaSetup { addresses: vec![address(1).ip()], ports: 10_000..=12_000, shards: 2, ready: 8 },
        codes: Default::default(),
        unknown_source: UnknownSource::Drop,
        journal_down: if rng.chance(500) { JournalDown::Refuse } else { JournalDown::CarryOn },
        limits: Limits { calls: 1000, strangers: Rate::default(), retry_after: Duration::from_secs(5) },
    }
}

/// What an operator may do in the middle of the day: seats come and go, trunks change order and size, lines their ways.
fn changed(rng: &mut Rng, mut setup: Setup) -> Setup {
    if rng.chance(500) {
        setup.trunks.reverse();
        setup.default_route = 0;
    }
    if rng.chance(200) {
        setup.trunks.retain(|trunk| &*trunk.name == "targets");
        setup.default_route = 0;
    }
    setup.trunks.iter_mut().for_each(|trunk| trunk.channels = 5 + rng.below(30) as u32);
    let staying = rng.below(setup.seats.len() as u64 + 1) as usize;
    setup.seats.truncate(staying.max(1));
    setup.seats.iter_mut().for_each(|seat| seat.channels = 1 + rng.below(5) as u32);
    let seats: Vec<Arc<str>> = setup.seats.iter().map(|seat| seat.name.clone()).collect();
    setup.queues.iter_mut().for_each(|line| line.seats.retain(|seat| seats.contains(seat)));
    if rng.chance(100) {
        setup.queues.clear();
    }
    setup
}

fn trunk(name: &str, peer: SocketAddr) -> Trunk {
    Trunk {
        name: name.into(),
        sources: vec![peer.ip().into()],
        peer,
        proto: Proto::Udp,
        area: Some("691".into()),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        channels: 20,
        reserved: 2,
        dtmf: Dtmf::Auto,
    }
}
