//! One run: a gateway, its peers, a network and a journal on one virtual clock.

use crate::company::Company;
use crate::journal::Journal;
use crate::net::Net;
use crate::party::Party;
use crate::peer::Kind;
use crate::raw::audit::Audit;
use crate::records::{self, Records};
use crate::setup::{changed, setup};
use crate::shard::{Later, Shard};
use crate::switch::address;
use crate::tickets::Temper;
use crate::vandal::Vandal;
use crate::verbs;
use bytes::Bytes;
use hotline::base::trap::{self, Trap};
use hotline::base::{CallId, Flow, Mono, Now, Proto, Rng, Target, Wall};
use hotline::control::{Command, Reply};
use hotline::event::{Entry, Kept, Result as Outcome, TransferKind, What};
use hotline::io::journal::Tagging;
use hotline::sip::{Message, Method, Name, Request, Response};
use hotline::switch::{Input, Live, Output, Setup, Switch};
use hotline::ua::Sent;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// 2021-10-15 noon in Xishuangbanna: between the dates of its notice.
const START: Wall = Wall(1_634_270_400_000_000);
/// Numbers that callers dial.
const NUMBERS: [&str; 8] = ["12345", "12345", "12345", "12336", "12348", "12366", "110", "99999"];
/// After the last call was placed, everything must be over within this; what is delivered may have to wait.
const LIMIT: Duration = Duration::from_secs(3 * 3600);
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The longest rest of a seat (`setup.rs`), and what is lost on the way.
const UNCALLED: Duration = Duration::from_secs(45);

pub struct World {
    log: bool,
    rng: Rng,
    now: Now,
    net: Net,
    /// As it was at the start.
    setup: Setup,
    switch: Switch,
    gateway: SocketAddr,
    peers: BTreeMap<SocketAddr, Party>,
    /// The ear on the wire, where the peers are raw.
    audit: Option<Audit>,
    /// The peers that the present setup names.
    known: BTreeSet<SocketAddr>,
    shards: Vec<Shard>,
    journal: Journal,
    kept: Kept,
    company: Company,
    /// Journal and delivery as they are, in the runs in which the process dies.
    records: Option<Records>,
    /// Between its death and its next start.
    dead: bool,
    /// It dies after so many more events.
    dies_in: Option<u64>,
    later: BinaryHeap<Reverse<(Mono, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    summary: Summary,
    /// Calls that died processes counted.
    calls: u64,
    /// Where it panics next.
    trap: Option<(Trap, u32)>,
    /// It sends what others' messages bring it to think of.
    vandal: Option<Vandal>,
    /// Its trunk, which may place no calls.
    closed: bool,
    /// Since when a seat has had nothing to do while callers wait.
    uncalled: BTreeMap<SocketAddr, Mono>,
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
    /// A seat's phone presses keys or refers, or calls by another line.
    Press,
    Line,
    Crash(SocketAddr),
    Stall,
    Unstall,
    Reload,
    /// The gateway panics soon, in one of its rooms.
    Panic,
    Kill,
    /// A seat says what a call was about, while it lasts or later.
    Tag,
    Start,
    Records(records::Event),
}

impl Event {
    /// It does not end with the gateway's process.
    fn outlives(&self) -> bool {
        match self {
            Event::Media { .. } | Event::Durable { .. } => false,
            Event::Records(event) => event.outlives(),
            _ => true,
        }
    }
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
    pub panics: u64,
    pub keys: u64,
    /// How often the process died, and in how many calls.
    pub kills: u64,
    pub cut: u64,
    /// Creates of unknown end, and events that a backend got more than once.
    pub unclear: u64,
    pub repeated: u64,
    /// Calls that went to another ticket system for their subject.
    pub tagged: u64,
    /// Persons whom a seat called, and who talked to it.
    pub called: u64,
    /// Messages that somebody made up.
    pub forged: u64,
}

impl Summary {
    /// Figures that are the same whatever strangers send.
    pub fn of_others(&self) -> Summary {
        Summary { messages: 0, forged: 0, ..*self }
    }

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
        self.panics += other.panics;
        self.keys += other.keys;
        self.kills += other.kills;
        self.cut += other.cut;
        self.unclear += other.unclear;
        self.repeated += other.repeated;
        self.tagged += other.tagged;
        self.called += other.called;
        self.forged += other.forged;
    }
}

impl World {
    /// One seed in three is played by peers that speak raw SIP.
    pub fn new(seed: u64, log: bool) -> World {
        World::of(seed, log, seed.is_multiple_of(3), false)
    }

    /// A run with a trunk that may place no calls; with its vandal, or without.
    pub fn beside(seed: u64, log: bool, vandal: bool) -> World {
        let mut world = World::of(seed, log, seed.is_multiple_of(3), true);
        world.vandal = vandal.then(|| Vandal::new(seed, world.gateway));
        world
    }

    fn of(seed: u64, log: bool, raw: bool, closed: bool) -> World {
        let mut rng = Rng::from_number(seed);
        let now = Now { mono: Mono(1_000_000), wall: START };
        let seats = 1 + rng.below(4) as u8;
        let mut setup = setup(&mut rng, seats);
        setup.live.trunks.extend(closed.then(crate::setup::closed));
        let (carrier, target) = (address(2), address(3));
        let gateway = address(1);
        let mut peers = BTreeMap::from([(carrier, Party::new(carrier, gateway, Kind::Carrier, raw, &mut rng))]);
        for callee in std::iter::once(target).chain((10..10 + seats).map(address)) {
            peers.insert(callee, Party::new(callee, gateway, Kind::Callee, raw, &mut rng));
        }
        let mut out = Vec::new();
        let shards = (0..setup.fixed.media.shards).map(|_| Shard::default()).collect();
        let switch = Switch::new(setup.clone(), Kept::default(), rng.fork(), now, &mut out);
        let (net, known) = (Net::random(&mut rng), named(&setup.live));
        let mut world = World {
            log,
            net,
            now,
            setup,
            switch,
            gateway,
            peers,
            audit: raw.then(|| Audit::new(gateway)),
            known,
            shards,
            journal: Journal::default(),
            kept: Kept::default(),
            company: Company::default(),
            records: None,
            dead: false,
            dies_in: None,
            later: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            summary: Summary::default(),
            calls: 0,
            trap: None,
            vandal: None,
            closed,
            uncalled: BTreeMap::new(),
            rng,
        };
        world.outputs(out).expect("nothing can be wrong yet");
        world.script(seats);
        world
    }

    /// A run in which rooms panic in the middle of their work.
    pub fn panicking(seed: u64, log: bool) -> World {
        let mut world = World::of(seed, log, false, false);
        for _ in 0..1 + world.rng.below(8) {
            world.at_random(100, Event::Panic);
        }
        world
    }

    /// A run in which the process dies so often, with the journal's tables and three ticket systems behind it.
    pub fn mortal(seed: u64, log: bool, kills: u64) -> World {
        let mut world = World::of(seed, log, false, false);
        world.records = Some(Records::new(&mut world.rng));
        for _ in 0..20 + world.rng.below(30) {
            world.at_random(90, Event::Place);
        }
        for _ in 0..40 {
            world.at_random(120, Event::Ask);
        }
        for _ in 0..30 {
            world.at_random(180, Event::Tag);
        }
        for _ in 0..kills {
            world.at_random(100, Event::Kill);
        }
        for _ in 0..9 {
            let (backend, temper) = (world.rng.below(3) as usize, Temper::random(&mut world.rng));
            world.at_random(180, Event::Records(records::Event::Temper(backend, temper)));
        }
        for backend in 0..3 {
            world.at(Duration::from_secs(200), Event::Records(records::Event::Temper(backend, Temper::Well)));
        }
        world.start_records().expect("the journal opens");
        world
    }

    /// Plans what will happen whatever the gateway does.
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
        for _ in 0..self.rng.below(calls * 4) {
            let event = if self.rng.chance(700) { Event::Press } else { Event::Line };
            self.at_random(120, event);
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

    fn at_random(&mut self, seconds: u64, event: Event) {
        let after = self.rng.between(Duration::ZERO, Duration::from_secs(seconds));
        self.at(after, event);
    }

    pub fn run(mut self) -> Result<Summary, String> {
        let limit = if self.records.is_some() { PATIENCE } else { LIMIT };
        let end = self.now.mono.after(limit);
        while let Some(at) = self.next() {
            if at > end {
                return Err(format!("not over after {limit:?}: {:?}", self.switch.gauges()));
            }
            self.now = self.now.after(at.since(self.now.mono));
            self.step()?;
        }
        self.verdict()
    }

    fn next(&self) -> Option<Mono> {
        let event = self.later.peek().map(|Reverse((at, _))| *at);
        let peers = self.peers.values().filter(|p| !p.crashed).filter_map(Party::deadline);
        // While a crashed peer's calls time out there is nothing else to wait for than the gateway itself.
        let gateway = self.switch.deadline().filter(|_| !self.dead);
        peers.chain(event).chain(gateway).min().map(|at| at.max(self.now.mono))
    }

    fn step(&mut self) -> Result<(), String> {
        // Nobody has waited until now.
        if self.switch.gauges().waiting == 0 {
            self.uncalled.clear();
        }
        while let Some(Reverse((at, id))) = self.later.peek().copied()
            && at <= self.now.mono
        {
            self.later.pop();
            if let Some(event) = self.events.remove(&id) {
                self.event(event)?;
                self.vandal_sends()?;
                self.one_event_less()?;
            }
        }
        let mut out = Vec::new();
        if !self.dead && self.switch.deadline().is_some_and(|at| at <= self.now.mono) {
            self.gateway(&mut out, |switch, now, out| switch.tick(now, out));
            self.outputs(out)?;
            self.switch.audit(self.now)?;
            self.vandal_sends()?;
        }
        for address in self.peers.keys().copied().collect::<Vec<_>>() {
            self.peer(address, |peer, rng, now, out| peer.tick(rng, now, out));
        }
        // A call that panicked tells nobody what it had not written yet.
        if self.switch.counters().panics == 0 {
            self.company.check(self.now.mono)?;
        }
        self.served()
    }

    /// As somebody sees it who stands beside: while a caller waits, no phone that works and is kept for nobody lies there
    /// uncalled for longer than seats may rest.
    fn served(&mut self) -> Result<(), String> {
        let calm = self.dead || self.switch.gauges().waiting == 0 || self.switch.counters().reloads > 0;
        for (at, peer) in self.peers.iter().filter(|(at, _)| **at >= address(10)) {
            let named = self.setup.live.seats.iter().find(|seat| seat.target.as_ref().and_then(Target::address) == Some(*at));
            let kept = named.is_some_and(|seat| self.switch.is_taken(&seat.name));
            let idle = !calm && !peer.crashed && !kept && peer.left() == 0;
            let since = *self.uncalled.entry(*at).or_insert(self.now.mono);
            if !idle {
                self.uncalled.insert(*at, self.now.mono);
            } else if self.now.mono.since(since) > UNCALLED {
                return Err(format!("{at} has not been called for {UNCALLED:?}, and callers wait"));
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Datagram { from, to, data } if to == self.gateway => {
                let flow = Flow { proto: Proto::Udp, local: to, remote: from };
                let (now, stranger) = (self.now.mono, !self.known.contains(&from));
                self.audit.as_mut().map_or(Ok(()), |audit| audit.delivered(now, from, &data, stranger))?;
                self.input(Input::Sip { flow, data: data.clone() })?;
                self.vandal_reads(&data);
                Ok(())
            }
            Event::Datagram { from, to, data } => {
                self.peer(to, |peer, rng, now, out| peer.received(rng, now, from, data, out));
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
                self.summary.placed += 1;
                let number = NUMBERS[self.rng.below(NUMBERS.len() as u64) as usize];
                self.peer(address(2), |peer, rng, now, out| peer.call(rng, now, number, out));
                Ok(())
            }
            Event::Ask => self.ask(),
            Event::Press => {
                if let Some(seat) = self.seat_in_session() {
                    self.peer(seat, |peer, rng, now, out| peer.press(rng, now, out));
                }
                Ok(())
            }
            Event::Line => {
                let number = ["12366", "110", "12345", "99999"][self.rng.below(4) as usize];
                if let Some(seat) = self.seat_in_session() {
                    self.peer(seat, |peer, rng, now, out| peer.call(rng, now, number, out));
                }
                Ok(())
            }
            Event::Crash(victim) => {
                self.peers.get_mut(&victim).expect("a seat").crashed = true;
                Ok(())
            }
            Event::Stall => {
                self.journal.stall(self.now.mono.after(Duration::from_secs(30)));
                self.input(Input::JournalDown(true))
            }
            Event::Unstall => {
                self.journal.down = false;
                self.input(Input::JournalDown(false))
            }
            Event::Reload => {
                let mut before = self.setup.live.clone();
                before.trunks.retain(|trunk| trunk.target.address() != Some(Vandal::trunk()));
                let mut setup = changed(&mut self.rng, before);
                setup.trunks.extend(self.closed.then(crate::setup::closed));
                self.known = named(&setup);
                self.input(Input::Reload(Box::new(setup)))
            }
            Event::Panic => {
                let room = self.rng.below(trap::ROOMS.len() as u64 + 1) as usize;
                match trap::ROOMS.get(room) {
                    Some(room) => self.trap = Some((*room, self.rng.below(3) as u32)),
                    None => self.media_panics(),
                }
                Ok(())
            }
            // Now, or in the middle of what is going on.
            Event::Kill => {
                let events = if self.rng.chance(300) { 1 } else { 1 + self.rng.below(60) };
                self.dies_in.get_or_insert(events);
                Ok(())
            }
            Event::Tag => {
                self.tag();
                Ok(())
            }
            Event::Start => self.start(),
            Event::Records(event) => self.records_event(event),
        }
    }

    fn one_event_less(&mut self) -> Result<(), String> {
        match &mut self.dies_in {
            Some(1) => self.kill(),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// `kill -9`: what was in the process's memory is gone, and nobody is told.
    fn kill(&mut self) -> Result<(), String> {
        self.dies_in = None;
        if std::mem::replace(&mut self.dead, true) {
            return Ok(());
        }
        self.summary.kills += 1;
        self.summary.cut += self.journal.die() as u64;
        let counters = self.switch.counters();
        self.calls += counters.calls;
        self.summary.messages += counters.messages_in;
        self.summary.reloads += counters.reloads;
        self.events.retain(|_, event| event.outlives());
        self.company.forget();
        if let Some(records) = &mut self.records {
            records.die(&mut self.rng, self.now)?;
        }
        let down = self.rng.between(Duration::from_millis(100), Duration::from_secs(5));
        self.at(down, Event::Start);
        Ok(())
    }

    /// Another process, which knows what is on the disk. The machine's wall clock may have been set meanwhile.
    fn start(&mut self) -> Result<(), String> {
        self.dead = false;
        if self.rng.chance(200) {
            self.now.wall.0 += self.rng.below(240_000_000) as i64 - 120_000_000;
        }
        self.shards.iter_mut().for_each(|shard| *shard = Shard::default());
        self.start_records()?;
        let mut out = Vec::new();
        self.switch = Switch::new(self.setup.clone(), self.kept.clone(), self.rng.fork(), self.now, &mut out);
        self.outputs(out)
    }

    fn start_records(&mut self) -> Result<(), String> {
        let Some(records) = &mut self.records else { return Ok(()) };
        let mut later = Vec::new();
        records.start(&mut self.rng, self.now, &mut later)?;
        later.into_iter().for_each(|(at, event)| self.put(at, Event::Records(event)));
        Ok(())
    }

    fn records_event(&mut self, event: records::Event) -> Result<(), String> {
        let Some(records) = &mut self.records else { return Ok(()) };
        if self.log {
            println!("{:>12} rec {event:?}", self.now.mono.0);
        }
        let mut later = Vec::new();
        let durable = records.handle(&mut self.rng, self.now, event, self.journal.stalled_until, &mut later)?;
        later.into_iter().for_each(|(at, event)| self.put(at, Event::Records(event)));
        match durable {
            Some(ticket) => self.event(Event::Durable { ticket }),
            None => Ok(()),
        }
    }

    fn seat_in_session(&mut self) -> Option<SocketAddr> {
        let busy: Vec<SocketAddr> =
            self.peers.iter().filter(|(a, p)| **a >= address(10) && p.in_session()).map(|(address, _)| *address).collect();
        busy.get(self.rng.below(busy.len().max(1) as u64) as usize).copied()
    }

    /// Transfers of every kind to parties of every kind, and what may be asked of them, in any order.
    fn ask(&mut self) -> Result<(), String> {
        if self.rng.chance(500) {
            let command = verbs::any(&mut self.rng, self.setup.live.seats.len());
            return self.input(Input::Command { id: 0, command });
        }
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
                let kinds = [TransferKind::Consult, TransferKind::ThreeWay, TransferKind::Blind, TransferKind::Emergency];
                Command::Transfer { call, to, kind: kinds[n as usize % 4] }
            }
        };
        self.input(Input::Command { id: 0, command })
    }

    fn tag(&mut self) {
        let calls: Vec<_> = self.journal.entries.keys().copied().collect();
        let (Some(call), Some(records)) = (calls.get(self.rng.below(calls.len().max(1) as u64) as usize), &mut self.records)
        else {
            return;
        };
        let subject = if self.rng.chance(700) { records::SUBJECT } else { "其他" };
        let backends = self.setup.live.plan.backends_of([subject]);
        let tagging = Tagging { call: *call, subjects: vec![subject.to_owned()], backends, by: "desk".to_owned() };
        let mut later = Vec::new();
        records.tag(self.now, tagging, &mut later);
        later.into_iter().for_each(|(at, event)| self.put(at, Event::Records(event)));
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        if self.dead {
            return Ok(());
        }
        if self.log {
            println!("{:>12} in  {}", self.now.mono.0, describe(&input));
        }
        let mut out = Vec::new();
        self.gateway(&mut out, |switch, now, out| switch.handle(now, input, out));
        self.outputs(out)?;
        self.shards.iter().try_for_each(Shard::sound)?;
        self.switch.audit(self.now)
    }

    /// Lets the gateway work as its engine does. A trap springs in it alone: its peers are made of the same rooms.
    fn gateway(&mut self, out: &mut Vec<Output>, work: impl FnOnce(&mut Switch, Now, &mut Vec<Output>)) {
        let Some((trap, times)) = self.trap else { return work(&mut self.switch, self.now, out) };
        trap::set(trap, times);
        let worked = catch_unwind(AssertUnwindSafe(|| work(&mut self.switch, self.now, out)));
        if !trap::clear() {
            self.trap = None;
        }
        if let Err(panic) = worked {
            if self.trap.is_some() {
                resume_unwind(panic);
            }
            self.switch.recover(self.now, out);
        }
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
                Output::Reply { reply: Reply::Done, .. } => self.summary.moves += 1,
                Output::Reply { .. } | Output::Recording(_) | Output::Timed(_) | Output::Resolve { .. } => {}
                Output::Seat { ticket, entry } => {
                    if self.log {
                        println!("{:>12} seat {} {:?}", self.now.mono.0, entry.seat, entry.what);
                    }
                    self.kept.seat_n = self.kept.seat_n.max(entry.n);
                    ticket.map_or(Ok(()), |ticket| self.pass(ticket))?;
                }
                Output::Keep { ticket, keep } => {
                    self.kept.take(keep);
                    self.pass(ticket)?;
                }
                Output::Journal { ticket, entry } => {
                    if self.log {
                        println!("{:>12} log {} {:?}", self.now.mono.0, entry.call, entry.what);
                    }
                    self.journal(ticket, entry)?;
                }
            }
        }
        Ok(())
    }

    fn pass(&mut self, ticket: u64) -> Result<(), String> {
        let at = self.journal.pass(&mut self.rng, self.now.mono, ticket)?;
        let Some(records) = &mut self.records else {
            self.put(at, Event::Durable { ticket });
            return Ok(());
        };
        let mut later = Vec::new();
        records.pass(self.now, ticket, &mut later);
        later.into_iter().for_each(|(at, event)| self.put(at, Event::Records(event)));
        Ok(())
    }

    fn journal(&mut self, ticket: u64, entry: Entry) -> Result<(), String> {
        self.company.entry(&entry);
        let at = self.journal.write(&mut self.rng, self.now.mono, ticket, entry.clone())?;
        let Some(records) = &mut self.records else {
            self.put(at, Event::Durable { ticket });
            return Ok(());
        };
        let mut later = Vec::new();
        records.append(self.now, ticket, entry, &mut later);
        later.into_iter().for_each(|(at, event)| self.put(at, Event::Records(event)));
        Ok(())
    }

    fn vandal_reads(&mut self, data: &[u8]) {
        if let Some(vandal) = &mut self.vandal {
            vandal.reads(data);
        }
    }

    /// The forgeries arrive when the gateway has done what it was about.
    fn vandal_sends(&mut self) -> Result<(), String> {
        while let Some((flow, data)) = self.vandal.as_mut().and_then(Vandal::sends) {
            self.summary.forged += 1;
            if self.log {
                println!("{:>12} bad {} {}", self.now.mono.0, flow.remote, String::from_utf8_lossy(&data));
            }
            self.input(Input::Sip { flow, data })?;
        }
        Ok(())
    }

    fn gateway_sends(&mut self, flow: Flow, data: Bytes) -> Result<(), String> {
        if Vandal::is(flow.remote) {
            return Ok(());
        }
        let message = Message::parse(data.clone()).map_err(|e| format!("the gateway sent {}: {data:?}", e.reason))?;
        let now = self.now.mono;
        self.audit.as_mut().map_or(Ok(()), |audit| audit.sent(now, flow.remote, &data))?;
        match &message {
            Message::Response(response) => self.answered(flow.remote, response)?,
            Message::Request(request) => self.called(request)?,
        }
        if matches!(&message, Message::Request(request) if request.method == Method::Invite) {
            self.uncalled.remove(&flow.remote);
        }
        self.vandal_reads(&data);
        self.send(flow.local, flow.remote, data);
        Ok(())
    }

    /// Every party that is called learns which call it is and how it came; and no call goes round for ever.
    fn called(&self, request: &Request) -> Result<(), String> {
        let headers = &request.headers;
        let first = headers.text(&Name::To).is_some_and(|to| !to.contains(";tag="));
        if request.method != Method::Invite || !first {
            return Ok(());
        }
        let id = headers.text(&Name::XHotlineCallId).and_then(|id| id.parse().ok());
        let known = id.is_some_and(|id| self.journal.entries.contains_key(&id));
        // One that a seat places has come from nowhere.
        let placed = id.is_some_and(|id| self.journal.placed.contains(&id));
        let history = placed || headers.text(&Name::HistoryInfo).is_some_and(|history| history.contains(";index=1"));
        let fewer = headers.text(&Name::MaxForwards).and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| n < 70);
        if known && history && fewer { Ok(()) } else { Err(format!("a party is called without its call's marks: {headers:?}")) }
    }

    /// A caller's INVITE may hear at last only of a call that is on the disk, or of one that is none.
    fn answered(&mut self, peer: SocketAddr, response: &Response) -> Result<(), String> {
        if !response.status.is_final() || response.headers.cseq().is_none_or(|c| c.method != Method::Invite) {
            return Ok(());
        }
        let status = response.status.0;
        let call_id = String::from_utf8_lossy(response.headers.call_id().ok_or("no Call-ID")?).into_owned();
        match self.journal.may_be_final(&call_id) {
            Some(true) => Ok(()),
            Some(false) => Err(format!("{status} before its call was durable")),
            None if peer == address(2) && status < 300 => Err(format!("{status} and no call")),
            None => Ok(()),
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, data: Bytes) {
        if self.log {
            let text = String::from_utf8_lossy(&data).into_owned();
            // Raw peers' whole text is shown: it matters how they write.
            let line = if self.audit.is_some() { text } else { text.lines().next().unwrap_or_default().to_owned() };
            println!("{:>12} net {from} > {to} {line}", self.now.mono.0);
        }
        for at in self.net.arrivals(&mut self.rng, self.now.mono) {
            self.put(at, Event::Datagram { from, to, data: data.clone() });
        }
    }

    fn peer(&mut self, at: SocketAddr, act: impl FnOnce(&mut Party, &mut Rng, Now, &mut Vec<Sent>)) {
        let Some(peer) = self.peers.get_mut(&at).filter(|p| !p.crashed) else { return };
        let mut out = Vec::new();
        act(peer, &mut self.rng, self.now, &mut out);
        for Sent { flow, data } in out {
            self.send(flow.local, flow.remote, data);
        }
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.put(self.now.mono.after(after), event);
    }

    /// A media thread gives up one of its legs, and tells so.
    fn media_panics(&mut self) {
        let shard = self.rng.below(self.shards.len() as u64) as usize;
        let Some(leg) = self.shards[shard].any(&mut self.rng) else { return };
        let at = self.now.mono.after(Duration::from_micros(200 + self.rng.below(2000)));
        if let Some(event) = self.shards[shard].fail(leg) {
            self.put(at, Event::Media { shard, later: Later::new(at, event) });
        }
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
        // A process that died can tell nobody, nor can a dialog.
        let panics = self.switch.counters().panics;
        let told = self.summary.kills + panics == 0;
        let alive = self.peers.values().filter(|p| !p.crashed && told);
        if let Some(peer) = alive.clone().find(|p| p.left() > 0) {
            return Err(format!("{} still has {} legs: it never heard of their end", peer.address, peer.left()));
        }
        let crashed: Vec<SocketAddr> = self.peers.values().filter(|p| p.crashed).map(|p| p.address).collect();
        self.audit.as_ref().map_or(Ok(()), |audit| audit.verdict(&crashed))?;
        let keys: u64 = alive.map(Party::keys).sum();
        let counters = self.switch.counters();
        let calls = self.journal.entries.len() as u64;
        let counted = self.calls + counters.calls + self.journal.placed.len() as u64;
        if calls != counted {
            return Err(format!("{counted} calls, {calls} in the journal"));
        }
        if let Some(shard) = self.shards.iter().find(|s| s.opened != s.closed) {
            return Err(format!("{} legs opened media, {} closed it", shard.opened, shard.closed));
        }
        let mut summary = self.summary;
        summary.panics = panics;
        summary.keys = keys;
        summary.records = calls;
        summary.messages += counters.messages_in;
        summary.reloads += counters.reloads;
        if let Some(records) = &self.records {
            summary.records = records.complete(&self.journal.covered)? as u64;
            summary.unclear = records.systems.iter().map(|system| system.unclear).sum();
            summary.tagged = records.tagged();
            summary.repeated = records.systems.iter().map(|system| system.repeated).sum();
        }
        let talked = |call: &&CallId| self.journal.entries[*call].iter().any(|what| matches!(what, What::Joined { .. }));
        summary.called = self.journal.placed.iter().filter(talked).count() as u64;
        for entry in self.journal.entries.values().filter_map(|log| log.last()) {
            let What::Ended { result, .. } = entry else { continue };
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

fn named(setup: &Live) -> BTreeSet<SocketAddr> {
    setup
        .trunks
        .iter()
        .map(|trunk| &trunk.target)
        .chain(setup.seats.iter().filter_map(|seat| seat.target.as_ref()))
        .filter_map(Target::address)
        .collect()
}

fn describe(input: &Input) -> String {
    match input {
        Input::Sip { flow, data } => {
            format!("{} {}", flow.remote, String::from_utf8_lossy(data).lines().next().unwrap_or_default())
        }
        other => format!("{other:?}"),
    }
}
