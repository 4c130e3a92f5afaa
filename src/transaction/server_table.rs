use crate::base::trap::{self, Trap};
use crate::base::{Counts, Flow, Map, MapSeed, Mono, Proto, RateLimit, Source, Timers};
use crate::sip::{Message, Method, Name, Request, Response, Status, Via, Written};
use crate::transaction::effect::{Effect, Notice};
use crate::transaction::invite_server::InviteServer;
use crate::transaction::key::Key;
use crate::transaction::server::Server;
use crate::transaction::streams::Streams;
use crate::transaction::timing::Timing;
use crate::transaction::{Config, Event, Output, ServerId};
use bytes::Bytes;
use std::net::SocketAddr;

/// From one in so many of its share on, a source's final responses are not kept; of the table, from half of it on.
const KEPT_OF_SHARE: usize = 8;
const KEPT_OF_ALL: usize = 2;
/// Seconds that a peer should wait after our table was full.
const RETRY_AFTER: &str = "5";

/// The peers' requests that wait for our answer, or whose answer may be asked for again.
pub(super) struct ServerTable {
    config: Config,
    seed: MapSeed,
    last_id: u64,
    entries: Map<ServerId, Entry>,
    by_key: Map<Key, ServerId>,
    streams: Streams<ServerId>,
    /// The count of each source's.
    shares: Counts<Source>,
    repeats: RateLimit,
    withheld: u64,
    timers: Timers<ServerId>,
    /// The one whose state has changed and whose word is not out yet.
    at_work: Option<ServerId>,
}

struct Entry {
    /// Where responses go (RFC 3261 §18.2.2).
    flow: Flow,
    /// Where they go when a stream connection is gone: the sent-by port of the address the request came from.
    fallback: Option<SocketAddr>,
    source: Source,
    key: Key,
    merged: Option<Key>,
    machine: Machine,
}

enum Machine {
    Invite(Invite),
    Other(Server),
}

struct Invite {
    machine: InviteServer,
    /// A CANCEL has come; the user is told once.
    cancelled: bool,
    /// To of our first response with a tag, for the 200 of a CANCEL (§9.2).
    to: Option<Bytes>,
}

impl ServerTable {
    pub fn new(config: Config, seed: MapSeed) -> ServerTable {
        let (entries, by_key, streams) = (Map::with_hasher(seed), Map::with_hasher(seed), Streams::new(seed));
        let (shares, repeats, timers) = (Counts::default(), RateLimit::new(config.repeats, seed), Timers::default());
        ServerTable { config, seed, last_id: 0, entries, by_key, streams, shares, repeats, withheld: 0, timers, at_work: None }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    pub fn received(&mut self, now: Mono, flow: Flow, source: Source, request: Request, out: &mut Vec<Output>) {
        let Some(via) = request.headers.via() else { return };
        let method = match &request.method {
            Method::Ack | Method::Cancel => &Method::Invite,
            method => method,
        };
        let key = Key::of(self.seed, flow.remote.ip(), &via, &request, method);
        let back = Back::new(&via, flow);
        let known = self.by_key.get(&key).copied();
        match (&request.method, known) {
            (Method::Ack, _) => self.ack(now, known, flow, request, out),
            (Method::Cancel, _) => self.cancel(known, key, back.flow, request, out),
            (_, Some(id)) => self.again(id, out),
            (_, None) => self.first(key, flow, source, back, request, out),
        }
    }

    pub fn respond(&mut self, now: Mono, id: ServerId, response: Response, out: &mut Vec<Output>) {
        let all = self.entries.len();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let (timing, status) = (Timing::new(self.config, entry.flow.proto), response.status);
        if let Machine::Invite(Invite { to: to @ None, .. }) = &mut entry.machine
            && status.0 > 100
        {
            *to = response.headers.get(&Name::To).cloned();
        }
        // An entry that holds up nothing but a repetition goes first when there is little room: a repeated request is then
        // new.
        if status.is_final() && !entry.needed_after(status) && is_crowded(self.config, all, self.shares.of(&entry.source)) {
            let response = entry.stateless(response);
            return self.dismiss(id, response, out);
        }
        // A request that was refused is served no more: a copy by another way is the first of its kind (§8.2.2.2).
        if status.is_final()
            && !status.success()
            && let Some(merged) = entry.merged.take()
        {
            self.by_key.remove(&merged);
        }
        let data = Message::Response(response).to_bytes();
        let effect = match &mut entry.machine {
            Machine::Invite(invite) => invite.machine.respond(now, &timing, status, data),
            Machine::Other(machine) => machine.respond(now, &timing, status, data),
        };
        self.settle(id, effect, None, out);
    }

    /// The request goes without an answer, should it have none yet.
    pub fn abandon(&mut self, id: ServerId) {
        if self.entries.get(&id).is_some_and(|entry| entry.deadline().is_none()) {
            self.timers.cancel(&id);
            self.forget(id);
        }
    }

    /// A 500 for an INVITE that has no final response: it is made of the last provisional, which has all that a response
    /// repeats of its request.
    pub fn failure(&self, id: ServerId) -> Option<Response> {
        let entry = self.entries.get(&id)?;
        let Machine::Invite(invite) = &entry.machine else { return None };
        let provisional = invite.machine.again().send.filter(|_| invite.machine.proceeding())?;
        match Message::parse(provisional) {
            Ok(Message::Response(said)) => Some(said.instead(Status(500), Some(&entry.key.tag()))),
            _ => None,
        }
    }

    pub fn mend(&mut self) -> Option<ServerId> {
        let id = self.at_work.take()?;
        let entry = self.entries.get(&id)?;
        self.timers.update(id, entry.deadline());
        if entry.terminated() {
            self.forget(id);
        }
        Some(id)
    }

    /// Sends the response and keeps nothing.
    pub fn dismiss(&mut self, id: ServerId, response: Response, out: &mut Vec<Output>) {
        let Some(flow) = self.entries.get(&id).map(|entry| entry.flow) else { return };
        out.push(send(flow, response));
        self.timers.update(id, None);
        self.forget(id);
    }

    /// A To tag that comes out the same each time the same request comes.
    pub fn tag(&self, id: ServerId) -> Option<String> {
        self.entries.get(&id).map(|entry| entry.key.tag())
    }

    pub fn tick(&mut self, now: Mono, out: &mut Vec<Output>) {
        while let Some(id) = self.timers.pop(now) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let timing = Timing::new(self.config, entry.flow.proto);
            let mut effect = match &mut entry.machine {
                Machine::Invite(invite) => invite.machine.fire(now, &timing),
                Machine::Other(machine) => machine.end(),
            };
            if effect.send.is_some() && !self.may_repeat(now, id) {
                effect.send = None;
            }
            self.settle(id, effect, None, out);
        }
    }

    /// Takes one of the repetitions that the peer's host may get; counts those that it may not. A stream loses nothing.
    pub fn may_repeat(&mut self, now: Mono, id: ServerId) -> bool {
        let Some(flow) = self.entries.get(&id).map(|entry| entry.flow) else { return false };
        let may = flow.proto.reliable() || self.repeats.allow(now, flow.remote.ip());
        self.withheld += u64::from(!may);
        may
    }

    /// There is little room, in all or for this one's source.
    pub fn crowded(&self, id: ServerId) -> bool {
        let Some(entry) = self.entries.get(&id) else { return false };
        is_crowded(self.config, self.entries.len(), self.share(entry.source))
    }

    fn share(&self, source: Source) -> usize {
        self.shares.of(&source)
    }

    pub fn flow_failed(&mut self, flow: Flow, out: &mut Vec<Output>) {
        for id in self.streams.take(flow) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let effect = entry.flow_failed();
            self.streams.insert(entry.flow, id);
            self.settle(id, effect, None, out);
        }
    }

    /// A response could not be sent: its own transaction has failed, and no other (§17.2.4).
    pub fn unsent(&mut self, written: &Written, flow: Flow, out: &mut Vec<Output>) {
        let (Some(via), Some(method)) = (written.via(), written.method()) else { return };
        let id = Key::of_response(self.seed, flow.remote.ip(), &via, &method).and_then(|key| self.by_key.get(&key).copied());
        let Some((id, entry)) = id.and_then(|id| Some((id, self.entries.get_mut(&id)?))) else { return };
        let effect = entry.failed();
        self.settle(id, effect, None, out);
    }

    /// The ACK of a non-2xx ends here (RFC 3261 §17.2.1); that of a 2xx is a dialog's (§13.2.2.4).
    fn ack(&mut self, now: Mono, known: Option<ServerId>, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let entry = known.and_then(|id| Some((id, self.entries.get_mut(&id)?)));
        let Some((id, Entry { flow: peer, machine: Machine::Invite(invite), .. })) = entry else {
            out.push(Output::Event(Event::Ack { flow, request }));
            return;
        };
        let effect = invite.machine.ack(now, &Timing::new(self.config, peer.proto));
        self.settle(id, effect, Some((flow, request)), out);
    }

    /// A CANCEL is answered here and without state: each copy of it gets the same answer (RFC 3261 §9.2).
    fn cancel(&mut self, known: Option<ServerId>, key: Key, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let entry = known.and_then(|id| Some((id, self.entries.get_mut(&id)?)));
        let Some((id, Entry { machine: Machine::Invite(invite), .. })) = entry else {
            out.push(send(flow, request.reply(Status(481), Some(&key.tag()))));
            return;
        };
        let mut ok = request.reply(Status(200), Some(&key.tag()));
        if let Some(to) = &invite.to {
            ok.headers.set(Name::To, to.clone());
        }
        out.push(send(flow, ok));
        if invite.machine.proceeding() && !invite.cancelled {
            invite.cancelled = true;
            out.push(Output::Event(Event::Cancelled { id, request }));
        }
    }

    /// A retransmission.
    fn again(&mut self, id: ServerId, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get(&id) else { return };
        let effect = match &entry.machine {
            Machine::Invite(invite) => invite.machine.again(),
            Machine::Other(machine) => machine.again(),
        };
        self.settle(id, effect, None, out);
    }

    /// A request that we have not seen before. A table that is full takes no new calls, nor does the share of a source; for
    /// what belongs to calls each has another quarter.
    fn first(&mut self, key: Key, flow: Flow, source: Source, back: Back, request: Request, out: &mut Vec<Output>) {
        let merged = Key::merged(self.seed, &request);
        let new_call = request.method == Method::Invite && merged.is_some();
        let bound = |most: usize| if new_call { most } else { most + most.div_ceil(4) };
        let full =
            self.entries.len() >= bound(self.config.max_transactions) || self.share(source) >= bound(self.config.max_per_source);
        if merged.is_some_and(|merged| self.by_key.contains_key(&merged)) {
            out.push(send(back.flow, request.reply(Status(482), Some(&key.tag()))));
        } else if !full {
            let id = self.insert(key, merged, back, source, &request.method);
            out.push(Output::Event(Event::Request { id, flow, request }));
        } else if request.method == Method::Invite {
            let mut busy = request.reply(Status(503), Some(&key.tag()));
            busy.headers.push(Name::RetryAfter, RETRY_AFTER);
            out.push(send(back.flow, busy));
        }
    }

    fn insert(&mut self, key: Key, merged: Option<Key>, back: Back, source: Source, method: &Method) -> ServerId {
        self.last_id += 1;
        let id = ServerId(self.last_id);
        let machine = match method {
            Method::Invite => Machine::Invite(Invite { machine: InviteServer::start(), cancelled: false, to: None }),
            _ => Machine::Other(Server::start()),
        };
        self.by_key.insert(key, id);
        self.by_key.extend(merged.map(|merged| (merged, id)));
        let Back { flow, fallback } = back;
        self.streams.insert(flow, id);
        self.shares.add(source);
        self.entries.insert(id, Entry { flow, fallback, source, key, merged, machine });
        id
    }

    /// Does what the machine wants, sets its timer, and forgets it when it has terminated.
    fn settle(&mut self, id: ServerId, effect: Effect, message: Option<(Flow, Request)>, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get(&id) else { return };
        let flow = entry.flow;
        self.at_work = Some(id);
        out.extend(effect.send.map(|data| Output::Send { flow, data }));
        trap::spring(Trap::Transaction);
        self.timers.update(id, entry.deadline());
        if entry.terminated() {
            self.forget(id);
        }
        match (effect.notice, message) {
            (Notice::Pass, Some((flow, request))) => out.push(Output::Event(Event::Ack { flow, request })),
            (Notice::Unacknowledged, _) => out.push(Output::Event(Event::Unacknowledged { id })),
            _ => {}
        }
        self.at_work = None;
    }

    fn forget(&mut self, id: ServerId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.by_key.remove(&entry.key);
        self.streams.remove(entry.flow, id);
        self.shares.remove(&entry.source);
        if let Some(merged) = entry.merged {
            self.by_key.remove(&merged);
        }
        let left = !self.by_key.is_empty() || !self.streams.is_empty() || !self.shares.is_empty();
        debug_assert!(!self.entries.is_empty() || !left, "a key or a stream outlived its transaction");
    }
}

impl Entry {
    /// The peer will ask no more by itself: it has a 2xx to acknowledge, or a provisional response, after which it repeats its
    /// INVITE no more (§17.1.1.2).
    fn needed_after(&self, status: Status) -> bool {
        match &self.machine {
            Machine::Invite(invite) => status.success() || invite.machine.has_spoken(),
            Machine::Other(_) => false,
        }
    }

    /// As it comes out each time that the same request comes: by the tag (§8.2.7). One with a tag of its own keeps it.
    fn stateless(&self, response: Response) -> Response {
        match self.merged {
            Some(_) => response.retagged(&self.key.tag()),
            None => response,
        }
    }

    fn deadline(&self) -> Option<Mono> {
        match &self.machine {
            Machine::Invite(invite) => invite.machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }

    fn terminated(&self) -> bool {
        match &self.machine {
            Machine::Invite(invite) => invite.machine == InviteServer::Terminated,
            Machine::Other(machine) => *machine == Server::Terminated,
        }
    }

    /// A stream's responses get a second chance on a new connection to the sent-by port (RFC 3261 §18.2.2).
    fn flow_failed(&mut self) -> Effect {
        if let Some(remote) = self.fallback.take() {
            self.flow.remote = remote;
            return match &self.machine {
                Machine::Invite(invite) => invite.machine.again(),
                Machine::Other(machine) => machine.again(),
            };
        }
        self.failed()
    }

    fn failed(&mut self) -> Effect {
        match &mut self.machine {
            Machine::Invite(invite) => invite.machine.transport_failed(),
            Machine::Other(machine) => machine.end(),
        }
    }
}

/// There is little room for what can be done without, in all or for a source that has so many.
fn is_crowded(config: Config, all: usize, share: usize) -> bool {
    all > config.max_transactions / KEPT_OF_ALL || share > config.max_per_source / KEPT_OF_SHARE
}

/// Where the responses to a request go (RFC 3261 §18.2.2): back by the stream it came by, and when that is gone to the port of
/// sent-by; or as its Via says.
#[derive(Clone, Copy)]
struct Back {
    flow: Flow,
    fallback: Option<SocketAddr>,
}

impl Back {
    fn new(via: &Via, arrived: Flow) -> Back {
        if !arrived.proto.reliable() {
            return Back { flow: Flow { remote: via.response_to(arrived.remote), ..arrived }, fallback: None };
        }
        let sent_by = SocketAddr::new(arrived.remote.ip(), via.port.unwrap_or(5060));
        // Nobody is connected to by TLS.
        let another = sent_by != arrived.remote && arrived.proto != Proto::Tls;
        Back { flow: arrived, fallback: another.then_some(sent_by) }
    }
}

fn send(flow: Flow, response: Response) -> Output {
    Output::Send { flow, data: Message::Response(response).to_bytes() }
}
