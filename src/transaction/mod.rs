//! The four transaction machines of RFC 3261 §17 with RFC 6026, and the tables that match messages to them.
//!
//! A machine (`invite_client`, `client`, `invite_server`, `server`) is a state enum that takes an input and gives an
//! effect; the tables (`client_table`, `server_table`) find it, do what it wants and keep its deadline. Our branch is
//! the key of a client transaction, a keyed hash of branch, sent-by and method that of a server transaction.
//!
//! | timer | value, UDP | TCP | machine | when it fires |
//! |---|---|---|---|---|
//! | A | T1, doubling | – | INVITE client, Calling | INVITE sent again |
//! | B | 64·T1 | 64·T1 | INVITE client, Calling | `Failed` |
//! | C | 181 s from the last 1xx but 100 | the same | INVITE client, Proceeding | `Failed`; 64·T1 after a CANCEL |
//! | D | 32 s or 64·T1, the longer | 0 | INVITE client, Completed | end |
//! | E | T1, doubling to T2; T2 in Proceeding | – | client | request sent again |
//! | F | 64·T1 | 64·T1 | client, Trying and Proceeding | `Failed` |
//! | G | T1, doubling to T2 | – | INVITE server, Completed | response sent again |
//! | H | 64·T1 | 64·T1 | INVITE server, Completed | `Unacknowledged` |
//! | I | T4 | 0 | INVITE server, Confirmed | end |
//! | J | 64·T1 | 0 | server, Completed | end |
//! | K | T4 | 0 | client, Completed | end |
//! | L | 64·T1 | 64·T1 | INVITE server, Accepted | end |
//! | M | 64·T1 | 64·T1 | INVITE client, Accepted | end |
//!
//! T1 = 500 ms, T2 = 4 s, T4 = 5 s. The states without a timer (server transactions before their final response) end
//! when the transaction user responds, so it must.

mod branch;
mod client;
mod client_table;
#[cfg(test)]
mod client_tests;
mod effect;
mod head;
mod invite_client;
mod invite_server;
mod key;
#[cfg(test)]
mod model_tests;
mod server;
mod server_table;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod share_tests;
mod streams;
#[cfg(test)]
mod testing;
mod timing;

use crate::base::{Flow, MapSeed, Mono, Now, Rate, Rng, Source};
use crate::sip::{Header, Message, Name, Request, Response, Written};
use crate::transaction::branch::Branch;
use crate::transaction::client_table::ClientTable;
use crate::transaction::server_table::ServerTable;
use bytes::Bytes;
use std::time::Duration;

/// A client transaction: we sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A server transaction: the peer sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u64);

/// Timer values (RFC 3261 table 4) and the bound of the table.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
    /// Must exceed three minutes (RFC 3261 §16.6 step 11).
    pub timer_c: Duration,
    /// At this many server transactions a new INVITE is answered 503 + Retry-After, a quarter above it other new requests
    /// are dropped; from half of it on, final responses are not kept for repetitions where the peer can do without. Ours are
    /// never refused.
    pub max_transactions: usize,
    /// The same for the transactions of one source; its final responses are not kept from an eighth of it on.
    pub max_per_source: usize,
    /// How often responses are sent again unasked to one host, whatever it owes an ACK for: a request may have come in its
    /// name without its knowing.
    pub repeats: Rate,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            timer_c: Duration::from_secs(181),
            max_transactions: 100_000,
            max_per_source: 75_000,
            repeats: Rate { per_second: 100, burst: 1_000, max_sources: 10_000 },
        }
    }
}

/// Outputs are done in this order.
// An event carries its message as it is: boxing it would cost an allocation for each message.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Output {
    Send { flow: Flow, data: Bytes },
    Event(Event),
}

/// News that the transaction user learns.
#[derive(Debug)]
pub enum Event {
    /// A new request, not ACK and not CANCEL of a known INVITE. Answer it with [`Transactions::respond`].
    Request { id: ServerId, flow: Flow, request: Request },
    /// An ACK of a 2xx (RFC 3261 §13.2.2.4); it belongs to a dialog, not to a transaction.
    Ack { flow: Flow, request: Request },
    /// A CANCEL matched this INVITE, which has no final response yet; the CANCEL has its 200. Answer the INVITE 487.
    Cancelled { id: ServerId, request: Request },
    /// A response to our request; also every repeated or forked 2xx while the INVITE transaction is in Accepted.
    Response { id: ClientId, flow: Flow, response: Response },
    /// A response that matches nothing (a 2xx that comes after we gave up must still be ACKed and BYEd).
    Stray { flow: Flow, response: Response },
    /// Our request got no final response in time (timers B, C, F) or its flow failed. Ends the transaction.
    Failed { id: ClientId, cause: Failure },
    /// The peer never acknowledged our non-2xx final response to its INVITE (timer H), or the flow failed, be it before
    /// a final response. Ends the transaction.
    Unacknowledged { id: ServerId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    Transport,
}

/// All transactions of the gateway. See the module's files for the machines.
pub struct Transactions {
    rng: Rng,
    seed: MapSeed,
    clients: ClientTable,
    servers: ServerTable,
}

impl Transactions {
    pub fn new(config: Config, rng: Rng, seed: MapSeed) -> Transactions {
        Transactions { rng, seed, clients: ClientTable::new(config, seed), servers: ServerTable::new(config, seed) }
    }

    /// A message from the network. Retransmissions are absorbed here; merged requests get 482 (§8.2.2.2). `source` has a share
    /// of the table. Gives the flow of the request of ours that this answers (§17.1.3).
    pub fn received(&mut self, now: Now, flow: Flow, source: Source, message: Message, out: &mut Vec<Output>) -> Option<Flow> {
        match message {
            Message::Request(request) => {
                self.servers.received(now.mono, flow, source, request, out);
                None
            }
            Message::Response(response) => self.clients.received(now.mono, flow, response, out),
        }
    }

    /// Sends a request in a new client transaction; puts our Via with a new branch on top. ACK does not belong here.
    pub fn request(&mut self, now: Now, flow: Flow, mut request: Request, out: &mut Vec<Output>) -> ClientId {
        let branch = Branch::new(&mut self.rng, self.seed, &request.headers);
        request.headers.push_front(Name::Via, branch.via(flow));
        self.clients.request(now.mono, flow, branch, request, out)
    }

    /// CANCELs our INVITE: same branch, flow, URI, CSeq number (§9.1). Held back until a provisional response has
    /// arrived; nothing happens once a final one has. `extra` are headers for it (Reason, RFC 3326).
    ///
    /// The INVITE still ends by its final response, or by [`Event::Failed`] 64·T1 after the CANCEL was sent.
    pub fn cancel(&mut self, now: Now, id: ClientId, extra: &[Header], out: &mut Vec<Output>) {
        self.clients.cancel(now.mono, id, extra, out);
    }

    /// Sends a response in a server transaction. A repeated 2xx to an INVITE is sent again (RFC 6026 Accepted).
    pub fn respond(&mut self, now: Now, id: ServerId, response: Response, out: &mut Vec<Output>) {
        self.servers.respond(now.mono, id, response, out);
    }

    /// Sends a response again unasked (RFC 3261 §13.3.1.4, RFC 3262 §3), unless so many of these have gone to its host that
    /// this one counts as lost.
    pub fn repeat(&mut self, now: Now, id: ServerId, response: Response, out: &mut Vec<Output>) {
        if self.servers.may_repeat(now.mono, id) {
            self.servers.respond(now.mono, id, response, out);
        }
    }

    /// Tells whether the request should be answered finally or not at all: there is little room, so its answer will not be kept.
    /// A peer repeats its INVITE until it has any response (§17.1.1.2), and with no provisional one it needs nobody to repeat
    /// the final one (§8.2.7).
    pub fn crowded(&self, id: ServerId) -> bool {
        self.servers.crowded(id)
    }

    /// Nobody will answer this request any more.
    pub fn abandon(&mut self, id: ServerId) {
        self.servers.abandon(id);
    }

    /// A 500 for an INVITE of which only the transaction knows any more; none where it has a final response.
    pub fn failure(&self, id: ServerId) -> Option<Response> {
        self.servers.failure(id)
    }

    /// After a panic: the transactions that were at work, whole again but for what they had to say.
    pub fn mend(&mut self) -> (Option<ClientId>, Option<ServerId>) {
        (self.clients.mend(), self.servers.mend())
    }

    /// Sends a response and keeps nothing of the request: for one that starts nothing here (OPTIONS, a stray, a refusal). A
    /// repetition is answered anew and the same, by [`Transactions::tag`] (§8.2.7); so no peer fills the table by these.
    pub fn dismiss(&mut self, id: ServerId, response: Response, out: &mut Vec<Output>) {
        self.servers.dismiss(id, response, out);
    }

    /// A To tag that comes out the same each time the same request comes.
    pub fn tag(&self, id: ServerId) -> String {
        self.servers.tag(id).unwrap_or_default()
    }

    /// Sends a request outside any transaction: the ACK of a 2xx, or one to somebody who may not be there. Puts a Via with a
    /// new branch on top and returns the bytes, so that a repeated 2xx gets the same ACK again.
    pub fn send_once(&mut self, flow: Flow, mut request: Request, out: &mut Vec<Output>) -> Bytes {
        let branch = Branch::new(&mut self.rng, self.seed, &request.headers);
        request.headers.push_front(Name::Via, branch.via(flow));
        let data = Message::Request(request).to_bytes();
        out.push(Output::Send { flow, data: data.clone() });
        data
    }

    /// The edge says that a connection is gone: fails the transactions that wait on it (§18.4, §17.1.4).
    pub fn flow_failed(&mut self, _now: Now, flow: Flow, out: &mut Vec<Output>) {
        self.clients.flow_failed(flow, out);
        self.servers.flow_failed(flow, out);
    }

    /// The peer will say nothing more by this connection: what we asked by it fails, what it asked may still be answered.
    pub fn peer_ended(&mut self, flow: Flow, out: &mut Vec<Output>) {
        self.clients.flow_failed(flow, out);
    }

    /// The edge could not send this message of ours: that is its own transaction's failure, whatever else its flow carries.
    /// `too_long`: no datagram holds it.
    pub fn unsent(&mut self, flow: Flow, data: &Bytes, too_long: bool, out: &mut Vec<Output>) {
        match Written::read(data) {
            Some(written) if written.is_response() => self.servers.unsent(&written, flow, out),
            Some(written) => self.clients.unsent(&written, flow, too_long, out),
            None => {}
        }
    }

    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.clients.tick(now.mono, out);
        self.servers.tick(now.mono, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.clients.deadline(), self.servers.deadline()].into_iter().flatten().min()
    }

    /// Counts the (client, server) transactions that are alive.
    pub fn len(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// Repeated responses that were not sent, since the start.
    pub fn withheld(&self) -> u64 {
        self.servers.withheld()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }
}
