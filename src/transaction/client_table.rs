use crate::base::trap::{self, Trap};
use crate::base::{Flow, Map, MapSeed, Mono, Proto, Timers};
use crate::sip::{Header, Message, Method, Name, Request, Response, Via, Written};
use crate::transaction::branch::{Branch, ours};
use crate::transaction::client::Client;
use crate::transaction::effect::{Effect, Notice};
use crate::transaction::head::Head;
use crate::transaction::invite_client::InviteClient;
use crate::transaction::streams::Streams;
use crate::transaction::timing::Timing;
use crate::transaction::{ClientId, Config, Event, Output};
use bytes::Bytes;

/// Our requests that wait for their end. A CANCEL shares the branch of its INVITE, so the key tells the two apart
/// (RFC 3261 §17.1.3); the transaction user sees only the INVITE's.
pub(super) struct ClientTable {
    config: Config,
    seed: MapSeed,
    entries: Map<Key, Entry>,
    streams: Streams<Key>,
    timers: Timers<Key>,
    /// The one whose state has changed and whose word is not out yet.
    at_work: Option<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Request(ClientId),
    CancelOf(ClientId),
}

struct Entry {
    flow: Flow,
    machine: Machine,
}

enum Machine {
    Invite(Box<Invite>),
    Other(Method, Client),
}

struct Invite {
    machine: InviteClient,
    head: Head,
    /// The extra headers of a CANCEL that must wait for the first provisional response (§9.1).
    cancel: Option<Vec<Header>>,
}

impl ClientTable {
    pub fn new(config: Config, seed: MapSeed) -> ClientTable {
        let (entries, streams) = (Map::with_hasher(seed), Streams::new(seed));
        ClientTable { config, seed, entries, streams, timers: Timers::default(), at_work: None }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    pub fn request(&mut self, now: Mono, flow: Flow, branch: Branch, request: Request, out: &mut Vec<Output>) -> ClientId {
        let id = ClientId(branch.id);
        let head = (request.method == Method::Invite).then(|| Head::of(&request));
        let method = request.method.clone();
        let data = Message::Request(request).to_bytes();
        let timing = Timing::new(self.config, flow.proto);
        let machine = match head {
            Some(head) => {
                let machine = InviteClient::start(now, &timing, &data);
                Machine::Invite(Box::new(Invite { machine, head, cancel: None }))
            }
            None => Machine::Other(method, Client::start(now, &timing, &data)),
        };
        self.insert(Key::Request(id), Entry { flow, machine }, data, out);
        id
    }

    pub fn cancel(&mut self, now: Mono, id: ClientId, extra: &[Header], out: &mut Vec<Output>) {
        let Some(Entry { machine: Machine::Invite(invite), .. }) = self.entries.get_mut(&Key::Request(id)) else { return };
        if invite.machine.calling() {
            invite.cancel = Some(extra.to_vec());
        } else {
            self.send_cancel(now, id, extra, out);
        }
    }

    /// A response that matches goes to its machine; a 2xx to an INVITE of ours that matches none is the user's all the same.
    /// Gives the flow of the request that is answered: anybody can write a response that matches none.
    pub fn received(&mut self, now: Mono, flow: Flow, response: Response, out: &mut Vec<Output>) -> Option<Flow> {
        let via = sole_via(&response).filter(|via| ours(via, flow))?;
        let branch = via.branch().as_deref().and_then(Branch::parse)?;
        let method = response.headers.cseq().filter(|_| branch.is_ours(self.seed, &response.headers))?.method;
        match self.find(ClientId(branch.id), &method) {
            Some(key) => self.respond(now, key, flow, response, out),
            None => {
                if method == Method::Invite && response.status.success() {
                    out.push(Output::Event(Event::Stray { flow, response }));
                }
                None
            }
        }
    }

    pub fn tick(&mut self, now: Mono, out: &mut Vec<Output>) {
        while let Some(key) = self.timers.pop(now) {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let timing = Timing::new(self.config, entry.flow.proto);
            let effect = match &mut entry.machine {
                Machine::Invite(invite) => invite.machine.fire(now),
                Machine::Other(_, machine) => machine.fire(now, &timing),
            };
            self.settle(key, effect, None, out);
        }
    }

    pub fn flow_failed(&mut self, flow: Flow, out: &mut Vec<Output>) {
        for key in self.streams.take(flow) {
            self.fail(key, out);
        }
    }

    /// A request could not be sent. One that no datagram holds goes by TCP (RFC 3261 §18.1.1), as long as it was not
    /// answered; any other has failed (§8.1.3.1).
    pub fn unsent(&mut self, written: &Written, flow: Flow, too_long: bool, out: &mut Vec<Output>) {
        let (Some(branch), Some(method)) = (written.branch().and_then(|text| Branch::parse(&text)), written.method()) else {
            return;
        };
        let Some(key) = self.find(ClientId(branch.id), &method) else { return };
        let stream = Flow { proto: Proto::Tcp, ..flow };
        let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.flow == flow) else { return };
        if !too_long || flow == stream || !entry.by_stream(branch, stream) {
            return self.fail(key, out);
        }
        self.streams.insert(stream, key);
        self.timers.update(key, entry.deadline());
        out.push(Output::Send { flow: stream, data: written.with_via(&branch.via(stream)) });
    }

    fn fail(&mut self, key: Key, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let effect = match &mut entry.machine {
            Machine::Invite(invite) => invite.machine.transport_failed(),
            Machine::Other(_, machine) => machine.transport_failed(),
        };
        self.settle(key, effect, None, out);
    }

    /// The transaction of that branch whose request had that method.
    fn find(&self, id: ClientId, method: &Method) -> Option<Key> {
        let key = if *method == Method::Cancel { Key::CancelOf(id) } else { Key::Request(id) };
        let sent = match &self.entries.get(&key)?.machine {
            Machine::Invite(_) => &Method::Invite,
            Machine::Other(sent, _) => sent,
        };
        (sent == method).then_some(key)
    }

    /// The flow of its request.
    fn respond(&mut self, now: Mono, key: Key, flow: Flow, response: Response, out: &mut Vec<Output>) -> Option<Flow> {
        let entry = self.entries.get_mut(&key)?;
        let asked = entry.flow;
        let (timing, status) = (Timing::new(self.config, entry.flow.proto), response.status);
        let mut held = None;
        let effect = match &mut entry.machine {
            Machine::Invite(invite) => {
                held = invite.cancel.take();
                invite.machine.response(now, &timing, status, || invite.head.ack(&response))
            }
            Machine::Other(_, machine) => machine.response(now, &timing, status),
        };
        self.settle(key, effect, Some((flow, response)), out);
        if let (Some(extra), Key::Request(id)) = (held, key) {
            self.send_cancel(now, id, &extra, out);
        }
        Some(asked)
    }

    /// Sends the CANCEL in a transaction of its own, if the INVITE's state has one to send.
    fn send_cancel(&mut self, now: Mono, id: ClientId, extra: &[Header], out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get_mut(&Key::Request(id)) else { return };
        let (flow, timing) = (entry.flow, Timing::new(self.config, entry.flow.proto));
        let Machine::Invite(invite) = &mut entry.machine else { return };
        if !invite.machine.cancel(now, &timing) {
            return;
        }
        self.timers.update(Key::Request(id), invite.machine.deadline());
        let data = invite.head.cancel(extra);
        let machine = Machine::Other(Method::Cancel, Client::start(now, &timing, &data));
        self.insert(Key::CancelOf(id), Entry { flow, machine }, data, out);
    }

    fn insert(&mut self, key: Key, entry: Entry, data: Bytes, out: &mut Vec<Output>) {
        out.push(Output::Send { flow: entry.flow, data });
        self.timers.update(key, entry.deadline());
        self.streams.insert(entry.flow, key);
        self.entries.insert(key, entry);
    }

    /// Does what the machine wants, sets its timer, and forgets it when it has terminated.
    fn settle(&mut self, key: Key, effect: Effect, message: Option<(Flow, Response)>, out: &mut Vec<Output>) {
        let Some(entry) = self.entries.get(&key) else { return };
        let (flow, deadline) = (entry.flow, entry.deadline());
        self.at_work = Some(key);
        out.extend(effect.send.map(|data| Output::Send { flow, data }));
        trap::spring(Trap::Transaction);
        self.timers.update(key, deadline);
        if deadline.is_none() {
            self.entries.remove(&key);
            self.streams.remove(flow, key);
            debug_assert!(!self.entries.is_empty() || self.streams.is_empty(), "a stream outlived its transactions");
        }
        if let Key::Request(id) = key {
            out.extend(event(id, effect.notice, message).map(Output::Event));
        }
        self.at_work = None;
    }

    pub fn mend(&mut self) -> Option<ClientId> {
        let key = self.at_work.take()?;
        let (flow, deadline) = self.entries.get(&key).map(|entry| (entry.flow, entry.deadline()))?;
        self.timers.update(key, deadline);
        if deadline.is_none() {
            self.entries.remove(&key);
            self.streams.remove(flow, key);
        }
        let (Key::Request(id) | Key::CancelOf(id)) = key;
        Some(id)
    }
}

impl Entry {
    /// From now on by this stream; false when an answer has come already.
    fn by_stream(&mut self, branch: Branch, stream: Flow) -> bool {
        let waits = match &mut self.machine {
            Machine::Invite(invite) => invite.machine.by_stream(),
            Machine::Other(_, machine) => machine.by_stream(),
        };
        if waits {
            self.flow = stream;
            if let Machine::Invite(invite) = &mut self.machine {
                invite.head.set_via(branch.via(stream));
            }
        }
        waits
    }

    /// None once the machine has terminated: no state of a client transaction is without a deadline.
    fn deadline(&self) -> Option<Mono> {
        match &self.machine {
            Machine::Invite(invite) => invite.machine.deadline(),
            Machine::Other(_, machine) => machine.deadline(),
        }
    }
}

fn event(id: ClientId, notice: Notice, message: Option<(Flow, Response)>) -> Option<Event> {
    match (notice, message) {
        (Notice::Pass, Some((flow, response))) => Some(Event::Response { id, flow, response }),
        (Notice::Stray, Some((flow, response))) => Some(Event::Stray { flow, response }),
        (Notice::Failed(cause), _) => Some(Event::Failed { id, cause }),
        _ => None,
    }
}

/// A response to us has our Via and no other (RFC 3261 §8.1.3.3).
fn sole_via(response: &Response) -> Option<Via<'_>> {
    let mut all = response.headers.all(&Name::Via);
    let via = all.next()?;
    if all.next().is_some() { None } else { Via::parse(via) }
}
