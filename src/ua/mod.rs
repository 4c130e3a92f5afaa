//! The user agent (RFC 3261 §6): it owns the transactions and hands each one to the usage that it belongs to (RFC 5057).
//! A usage finds its own peer's requests by our tag; what belongs to none and may begin none is refused here.
//!
//! Nothing is called back: messages and time go in, [`Ua::sent`] and [`Ua::next_event`] give what goes out and what a usage must
//! hear.

mod admission;
mod login;
mod peers;
pub mod registrar;
pub mod registration;
mod table;

pub use admission::{ACCEPT, ALLOW, ENCODING, Refusal, SUPPORTED, admissible};
pub use login::{Challenged, KnownAs, Login, NoAnswer, Proofs, Taken};
pub use peers::Peers;
pub use registrar::Way;

use crate::base::{Flow, LegId, MapSeed, Mono, Now, Rng};
use crate::sip::{self, Header, Headers, Message, Method, Name, Request, Response, Status, Uri};
use crate::transaction::{self, ClientId, ServerId, Transactions};
use bytes::Bytes;
use registrar::Registrar;
use std::collections::VecDeque;
use table::Table;

/// The settings of every usage alike.
#[derive(Clone, Debug)]
pub struct Config {
    pub transaction: transaction::Config,
    /// User-Agent and Server.
    pub product: String,
    /// On requests inside a dialog.
    pub max_forwards: u8,
}

impl Default for Config {
    fn default() -> Config {
        let product = concat!("Hotline/", env!("CARGO_PKG_VERSION")).to_owned();
        Config { transaction: transaction::Config::default(), product, max_forwards: 70 }
    }
}

/// The usage of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// An INVITE session, with all that its dialog carries.
    Invite(LegId),
    /// A registration of ours with a carrier.
    Registration(AccountId),
    /// The question to a trunk whether it is there.
    Ping(PingId),
}

impl Usage {
    /// The leg of an INVITE session.
    pub fn leg(self) -> Option<LegId> {
        match self {
            Usage::Invite(leg) => Some(leg),
            Usage::Registration(_) | Usage::Ping(_) => None,
        }
    }
}

/// An account of ours at a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// One OPTIONS to an address of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub u32);

/// A message that goes out.
#[derive(Clone, Debug)]
pub struct Sent {
    pub flow: Flow,
    pub data: Bytes,
}

/// News for the usages.
// It carries its message as it is: boxing it would cost an allocation for each message.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Event {
    /// This usage's transaction, or a request within its dialog.
    Of(Usage, transaction::Event),
    /// An admissible INVITE, OPTIONS or, where there is a registrar, REGISTER outside every dialog: it may begin a usage.
    Begins { id: ServerId, flow: Flow, request: Request },
    /// A 2xx to an INVITE of ours that no usage waits for: it must still be acknowledged and ended.
    Stray { flow: Flow, response: Response },
    /// A request that belongs to no usage has been refused.
    TurnedAway(Box<TurnedAway>),
}

/// A request outside a dialog that became nothing: it was malformed in its contents, wanted what we cannot do, or came in
/// vain.
#[derive(Clone, Debug)]
pub struct TurnedAway {
    pub flow: Flow,
    pub method: Method,
    pub uri: Uri,
    pub call_id: Bytes,
    pub status: Status,
}

/// The transactions, and the table that leads from them to the usages.
pub struct Ua {
    config: Config,
    peers: Peers,
    rng: Rng,
    transactions: Transactions,
    table: Table,
    registrar: Option<Registrar>,
    /// Told by the transactions, not yet handed on.
    pending: VecDeque<transaction::Event>,
    sent: Vec<Sent>,
    scratch: Vec<transaction::Output>,
    /// The request that a usage serves now.
    serving: Option<ServerId>,
}

impl Ua {
    pub fn new(config: Config, mut rng: Rng, seed: MapSeed) -> Ua {
        let transactions = Transactions::new(config.transaction, rng.fork(), seed);
        let (pending, sent, scratch) = (VecDeque::new(), Vec::new(), Vec::new());
        let (peers, table) = (Peers::default(), Table::new(seed));
        Ua { config, peers, rng, transactions, table, registrar: None, pending, sent, scratch, serving: None }
    }

    /// New dialogs meet these peers; others keep those that they began with.
    pub fn meet(&mut self, peers: Peers) {
        self.peers = peers;
    }

    /// The registrar, where phones may register.
    pub fn registrar(&mut self) -> &mut Option<Registrar> {
        &mut self.registrar
    }

    /// As [`Ua::registrar`], to be asked.
    pub fn registered(&self) -> Option<&Registrar> {
        self.registrar.as_ref()
    }

    /// The peers that a dialog meets; and true where a phone registered by this flow: what it is told goes by it and no other
    /// way (RFC 5626 §5.3).
    pub fn peers_by(&self, flow: Flow) -> (&Peers, bool) {
        (&self.peers, self.registrar.as_ref().is_some_and(|registrar| registrar.keeps(flow)))
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Gives the flow of the request of ours that this answers (see [`Transactions::received`]).
    pub fn received(&mut self, now: Now, flow: Flow, message: Message) -> Option<Flow> {
        let source = self.peers.source(flow.remote.ip());
        let answered = self.transactions.received(now, flow, source, message, &mut self.scratch);
        self.sort();
        answered
    }

    /// A connection is gone.
    pub fn flow_failed(&mut self, now: Now, flow: Flow) {
        self.transactions.flow_failed(now, flow, &mut self.scratch);
        self.sort();
    }

    /// The peer answers nothing more by this connection.
    pub fn peer_ended(&mut self, flow: Flow) {
        self.transactions.peer_ended(flow, &mut self.scratch);
        self.sort();
    }

    /// A message of ours could not be sent (see [`Transactions::unsent`]).
    pub fn unsent(&mut self, flow: Flow, data: &Bytes, too_long: bool) {
        self.transactions.unsent(flow, data, too_long, &mut self.scratch);
        self.sort();
    }

    pub fn tick(&mut self, now: Now) {
        self.transactions.tick(now, &mut self.scratch);
        self.sort();
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.transactions.deadline()
    }

    /// Counts the (client, server) transactions that are alive.
    pub fn len(&self) -> (usize, usize) {
        self.transactions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Responses that would have been sent again, but that too many had gone to their host.
    pub fn withheld(&self) -> u64 {
        self.transactions.withheld()
    }

    /// The messages to send, in order.
    pub fn sent(&mut self) -> impl Iterator<Item = Sent> + '_ {
        self.sent.drain(..)
    }

    /// The next news. Requests that belong nowhere are refused on the way.
    pub fn next_event(&mut self) -> Option<Event> {
        self.serving = None;
        loop {
            let event = self.pending.pop_front()?;
            if let Some(event) = self.hand(event) {
                return Some(event);
            }
        }
    }

    /// None for what concerns nobody any more.
    fn hand(&mut self, event: transaction::Event) -> Option<Event> {
        use transaction::Event::{Ack, Cancelled, Failed, Request, Response, Stray, Unacknowledged};
        let usage = match &event {
            Request { .. } => None,
            Ack { request, .. } => self.table.by_tag(tag(&request.headers, &Name::To)),
            // Our tag finds the usage also when the transaction is gone.
            Response { id, response, .. } => self.table.by_client(*id).or_else(|| self.by_our_tag(response)),
            Stray { response, .. } => self.by_our_tag(response),
            Failed { id, .. } => self.table.by_client(*id),
            Cancelled { id, .. } | Unacknowledged { id } => self.table.by_server(*id),
        };
        match (event, usage) {
            (Request { id, flow, request }, _) => Some(self.request(id, flow, request)),
            (Response { flow, response, .. } | Stray { flow, response }, None) => {
                accepts_invite(&response).then_some(Event::Stray { flow, response })
            }
            (event, usage) => usage.map(|usage| Event::Of(usage, event)),
        }
    }

    fn by_our_tag(&self, response: &Response) -> Option<Usage> {
        self.table.by_tag(tag(&response.headers, &Name::From))
    }

    /// A request with our tag is its usage's; without one it may begin a usage.
    fn request(&mut self, id: ServerId, flow: Flow, request: Request) -> Event {
        self.serving = Some(id);
        let tag = tag(&request.headers, &Name::To);
        if let Some(usage) = self.table.by_tag(tag) {
            return Event::Of(usage, transaction::Event::Request { id, flow, request });
        }
        let refusal = match admissible(&request, self.registrar.is_some()) {
            Err(refusal) => refusal,
            Ok(()) if !tag.is_empty() => Refusal::new(481),
            Ok(()) => match request.method {
                Method::Invite | Method::Options | Method::Register => return Event::Begins { id, flow, request },
                // Only a party to a call may ask to move it.
                Method::Refer => Refusal::new(403),
                _ => Refusal::new(481),
            },
        };
        Event::TurnedAway(self.turn_away(id, flow, &request, refusal))
    }

    /// Refuses a request that begins nothing here, and keeps nothing of it.
    pub fn turn_away(&mut self, id: ServerId, flow: Flow, request: &Request, refusal: Refusal) -> Box<TurnedAway> {
        let (method, uri, status) = (request.method.clone(), request.uri.clone(), Status(refusal.status));
        let call_id = request.headers.call_id().cloned().unwrap_or_default();
        let mut response = self.stateless_reply(id, request, status);
        response.headers.0.extend(refusal.header);
        self.dismiss(id, response);
        Box::new(TurnedAway { flow, method, uri, call_id, status })
    }

    /// A response with what every one of ours carries; `tag` where the request has none.
    pub fn reply(&self, request: &Request, status: Status, tag: &str) -> Response {
        let mut response = request.reply(status, Some(tag));
        response.headers.push(Name::Server, self.config.product.clone());
        response
    }

    /// A response that comes out the same each time the same request comes (RFC 3261 §8.2.7).
    pub fn stateless_reply(&self, id: ServerId, request: &Request, status: Status) -> Response {
        self.reply(request, status, &self.transactions.tag(id))
    }

    pub fn respond(&mut self, now: Now, id: ServerId, response: Response) {
        self.transactions.respond(now, id, response, &mut self.scratch);
        self.sort();
    }

    /// Sends a response again that the peer has not acknowledged.
    pub fn repeat(&mut self, now: Now, id: ServerId, response: Response) {
        self.transactions.repeat(now, id, response, &mut self.scratch);
        self.sort();
    }

    /// Sends a response and keeps nothing of its request.
    pub fn dismiss(&mut self, id: ServerId, response: Response) {
        self.transactions.dismiss(id, response, &mut self.scratch);
        self.sort();
    }

    /// Nobody answers this request.
    pub fn ignore(&mut self, id: ServerId) {
        self.transactions.abandon(id);
    }

    pub fn refuse(&mut self, now: Now, id: ServerId, request: &Request, refusal: Refusal) {
        let tag = self.rng.token();
        let mut response = self.reply(request, Status(refusal.status), &tag);
        response.headers.0.extend(refusal.header);
        self.respond(now, id, response);
    }

    /// Tells whether the request should be answered finally or not at all (see [`Transactions::crowded`]).
    pub fn crowded(&self, id: ServerId) -> bool {
        self.transactions.crowded(id)
    }

    /// Sends a request in a transaction of this usage; of one that nobody waits for without.
    pub fn send(&mut self, now: Now, flow: Flow, mut request: Request, usage: Option<Usage>) -> ClientId {
        request.headers.push(Name::UserAgent, self.config.product.clone());
        let id = self.transactions.request(now, flow, request, &mut self.scratch);
        if let Some(usage) = usage {
            self.table.insert_client(id, usage);
        }
        self.sort();
        id
    }

    /// Sends a request outside any transaction (see [`Transactions::send_once`]).
    pub fn send_once(&mut self, flow: Flow, request: Request) -> Bytes {
        let data = self.transactions.send_once(flow, request, &mut self.scratch);
        self.sort();
        data
    }

    /// Sends the same bytes as before.
    pub fn send_again(&mut self, flow: Flow, data: Bytes) {
        self.sent.push(Sent { flow, data });
    }

    pub fn cancel(&mut self, now: Now, id: ClientId, reason: Header) {
        self.transactions.cancel(now, id, &[reason], &mut self.scratch);
        self.sort();
    }

    /// Requests with this tag of ours are the usage's from now on.
    pub fn claim_tag(&mut self, tag: &str, usage: Usage) {
        self.table.insert_tag(tag, usage);
    }

    /// News of this request of the peer's is the usage's from now on.
    pub fn claim(&mut self, id: ServerId, usage: Usage) {
        self.table.insert_server(id, usage);
    }

    pub fn give_up_tag(&mut self, tag: &str) {
        self.table.remove_tag(tag);
    }

    pub fn give_up(&mut self, id: ServerId) {
        self.table.remove_server(id);
    }

    /// The usage waits for nothing more of its own request.
    pub fn finished(&mut self, id: ClientId) {
        self.table.remove_client(id);
    }

    /// The usage whose tag this is.
    pub fn by_tag(&self, tag: &str) -> Option<Usage> {
        self.table.by_tag(tag.as_bytes())
    }

    /// A 500 for an INVITE of which only the transaction knows any more; none where it has a final response.
    pub fn failure(&self, id: ServerId) -> Option<Response> {
        self.transactions.failure(id)
    }

    /// After a panic: the usages whose transactions were at work. Those are whole again but for what they had to say.
    pub fn mend(&mut self) -> impl Iterator<Item = Usage> + use<> {
        let (client, server) = self.transactions.mend();
        let usages = [client.and_then(|id| self.table.by_client(id)), server.and_then(|id| self.table.by_server(id))];
        usages.into_iter().flatten()
    }

    /// After a panic: the request that was being served has an answer, where it belongs to no usage and needs one. Another
    /// will get 481 when it comes again.
    pub fn finish_serving(&mut self, now: Now) {
        if let Some(id) = self.serving.take().filter(|id| self.table.by_server(*id).is_none()) {
            match self.failure(id) {
                Some(response) => self.respond(now, id, response),
                None => self.transactions.abandon(id),
            }
        }
    }

    #[cfg(test)]
    pub fn idle(&self) -> bool {
        self.table.is_empty() && self.pending.is_empty() && self.sent.is_empty()
    }

    /// Bytes go out at once; events wait their turn.
    fn sort(&mut self) {
        for output in self.scratch.drain(..) {
            match output {
                transaction::Output::Send { flow, data } => self.sent.push(Sent { flow, data }),
                transaction::Output::Event(event) => self.pending.push_back(event),
            }
        }
    }
}

/// True for a 2xx to an INVITE.
pub fn accepts_invite(response: &Response) -> bool {
    response.status.success() && response.headers.cseq().is_some_and(|cseq| cseq.method == Method::Invite)
}

/// The tag of From or To; empty when it has none.
fn tag<'a>(headers: &'a Headers, party: &Name) -> &'a [u8] {
    headers.get(party).and_then(|value| sip::tag(value)).unwrap_or_default()
}
