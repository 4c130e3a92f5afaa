use crate::base::{Flow, LegId, Map, MapSeed, Mono, Now, Rng, Timers};
use crate::dialog::check::{self, Refusal};
use crate::dialog::cx::{Core, Cx, capabilities};
use crate::dialog::dialog::tag_of;
use crate::dialog::kin::Kin;
use crate::dialog::leg::{Leg, State, accepts_invite, discard};
use crate::dialog::refer::{self, Referred};
use crate::dialog::replaces::Found;
use crate::dialog::table::Table;
use crate::dialog::timer::SessionTimer;
use crate::dialog::uac::Calling;
use crate::dialog::uas::{Invited, Offer};
use crate::dialog::wreck;
use crate::dialog::{Asked, Cause, Command, Config, Dial, Event, Incoming, Output, Replaced, TurnedAway};
use crate::sip::{Header, Message, Method, Name, Replaces, Request, Response, Sdp, Status};
use crate::transaction::{self, ClientId, ServerId, Transactions};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};

const MAX_FORWARDS: u8 = 70;

/// Every leg, over the transactions beneath.
pub struct Legs {
    core: Core,
    legs: Map<LegId, Leg>,
    timers: Timers<LegId>,
    next: u64,
    /// The request that is being served.
    serving: Option<ServerId>,
}

impl Legs {
    pub fn new(config: Config, mut rng: Rng, seed: MapSeed) -> Legs {
        let transactions = Transactions::new(config.transaction, rng.fork(), seed);
        let (pending, scratch) = (VecDeque::new(), Vec::new());
        let core = Core { config, kin: Kin::default(), rng, transactions, table: Table::new(seed), pending, scratch };
        Legs { core, legs: Map::with_hasher(seed), timers: Timers::default(), next: 0, serving: None }
    }

    /// New dialogs meet these; others keep those that they began with.
    pub fn meet(&mut self, kin: Kin) {
        self.core.kin = kin;
    }

    /// A number for a leg to dial; incoming legs get theirs here too.
    pub fn next_id(&mut self) -> LegId {
        self.next += 1;
        LegId(self.next)
    }

    pub fn received(&mut self, now: Now, flow: Flow, message: Message, out: &mut Vec<Output>) {
        let source = self.core.kin.source(flow.remote.ip());
        self.core.transactions.received(now, flow, source, message, &mut self.core.scratch);
        self.drain(now, out);
    }

    /// A command for a leg that has ended does nothing.
    pub fn command(&mut self, now: Now, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::Dial(dial) => self.dial(now, *dial, out),
            command => {
                let leg = command.leg();
                self.turn(now, leg, out, |state, cx| state.command(cx, command));
            }
        }
        self.drain(now, out);
    }

    pub fn flow_failed(&mut self, now: Now, flow: Flow, out: &mut Vec<Output>) {
        self.core.transactions.flow_failed(now, flow, &mut self.core.scratch);
        self.drain(now, out);
    }

    /// The peer answers nothing more by this connection.
    pub fn peer_ended(&mut self, now: Now, flow: Flow, out: &mut Vec<Output>) {
        self.core.transactions.peer_ended(flow, &mut self.core.scratch);
        self.drain(now, out);
    }

    /// A message of ours could not be sent (see [`Transactions::unsent`]).
    pub fn unsent(&mut self, now: Now, flow: Flow, data: &Bytes, too_long: bool, out: &mut Vec<Output>) {
        self.core.transactions.unsent(flow, data, too_long, &mut self.core.scratch);
        self.drain(now, out);
    }

    /// Legs first: a leg's timer C cancels the INVITE that its transaction would let go at the same moment.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(leg) = self.timers.pop(now.mono) {
            self.turn(now, leg, out, State::tick);
        }
        self.core.transactions.tick(now, &mut self.core.scratch);
        self.drain(now, out);
    }

    pub fn deadline(&self) -> Option<Mono> {
        [self.timers.next(), self.core.transactions.deadline()].into_iter().flatten().min()
    }

    /// Alive: legs (with those that only finish their protocol), client transactions, server transactions.
    pub fn gauges(&self) -> (usize, usize, usize) {
        let (clients, servers) = self.core.transactions.len();
        (self.legs.len(), clients, servers)
    }

    /// After a panic in a leg's turn, or in a transaction of a leg's: it is over. Its peer hears BYE, CANCEL or 500, its user
    /// hears of the end. Another request that it had not answered goes unanswered, and will get 481 when it comes again.
    pub fn recover(&mut self, now: Now, out: &mut Vec<Output>) {
        let (client, server) = self.core.transactions.mend();
        let half = [client.and_then(|id| self.core.table.by_client(id)), server.and_then(|id| self.core.table.by_server(id))];
        let lost = self.legs.iter().filter(|(_, leg)| leg.done()).map(|(id, _)| *id);
        let hit: BTreeSet<LegId> = half.into_iter().flatten().chain(lost).collect();
        hit.into_iter().for_each(|leg| self.turn(now, leg, out, |_, cx| wreck::over(cx)));
        if let Some(id) = self.serving.take().filter(|id| self.core.table.by_server(*id).is_none()) {
            match self.core.transactions.failure(id) {
                Some(response) => self.core.respond(now, id, response, out),
                None => self.core.transactions.abandon(id),
            }
        }
        self.drain(now, out);
    }

    /// Responses that would have been sent again, but that too many had gone to their host.
    pub fn withheld(&self) -> u64 {
        self.core.transactions.withheld()
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> bool {
        self.core.table.is_empty() && self.core.pending.is_empty() && self.timers.is_empty()
    }

    #[cfg(test)]
    pub(super) fn refer(&mut self, now: Now, leg: LegId, to: &str, out: &mut Vec<Output>) {
        self.turn(now, leg, out, |mut state, cx| {
            if let State::Session(session) = &mut state {
                session.send_refer(cx, to);
            }
            state
        });
        self.drain(now, out);
    }

    fn drain(&mut self, now: Now, out: &mut Vec<Output>) {
        self.core.sort(out);
        while let Some(event) = self.core.pending.pop_front() {
            self.event(now, event, out);
            self.core.sort(out);
        }
    }

    fn event(&mut self, now: Now, event: transaction::Event, out: &mut Vec<Output>) {
        use transaction::Event::{Ack, Cancelled, Failed, Request, Response, Stray, Unacknowledged};
        match event {
            Request { id, flow, request } => {
                self.serving = Some(id);
                self.request(now, id, flow, request, out);
                self.serving = None;
            }
            Ack { flow, request } => {
                let leg = self.core.table.by_tag(&tag_of(&request.headers, &Name::To));
                self.turn_any(now, leg, out, |state, cx| state.ack(cx, flow, &request));
            }
            Cancelled { id, request } => {
                let leg = self.core.table.by_server(id);
                self.turn_any(now, leg, out, |state, cx| state.cancelled(cx, &request));
            }
            Response { id, flow, response } => self.response(now, Some(id), flow, response, out),
            Stray { flow, response } => self.response(now, None, flow, response, out),
            Failed { id, cause } => {
                let leg = self.core.table.by_client(id);
                self.turn_any(now, leg, out, |state, cx| state.failed(cx, id, cause));
            }
            Unacknowledged { id } => {
                let leg = self.core.table.by_server(id);
                self.turn_any(now, leg, out, State::unacknowledged);
            }
        }
    }

    /// A request with our tag is its leg's; without one it may start a leg.
    fn request(&mut self, now: Now, id: ServerId, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let tag = tag_of(&request.headers, &Name::To);
        if let Some(leg) = self.core.table.by_tag(&tag) {
            if request.method == Method::Refer {
                let referred = self.referred(&request);
                return self.turn(now, leg, out, |state, cx| state.refer(cx, id, flow, &request, referred));
            }
            return self.turn(now, leg, out, |state, cx| state.request(cx, id, flow, &request));
        }
        let refusal = match check::admissible(&request) {
            Err(refusal) => refusal,
            Ok(()) if !tag.is_empty() => Refusal::new(481),
            Ok(()) => match request.method {
                Method::Invite => return self.invite(now, id, flow, request, out),
                Method::Options => return self.options(id, flow, request, out),
                // Only a party to a call may ask to move it.
                Method::Refer => Refusal::new(403),
                _ => Refusal::new(481),
            },
        };
        self.turn_away(id, flow, &request, refusal, out);
    }

    fn turn_away(&mut self, id: ServerId, flow: Flow, request: &Request, refusal: Refusal, out: &mut Vec<Output>) {
        let (method, uri, status) = (request.method.clone(), request.uri.clone(), Status(refusal.status));
        let call_id = request.headers.call_id().cloned().unwrap_or_default();
        out.push(Output::Event(Event::TurnedAway(Box::new(TurnedAway { flow, method, uri, call_id, status }))));
        self.core.dismiss(id, request, refusal, out);
    }

    fn options(&mut self, id: ServerId, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let leg = self.next_id();
        match incoming(leg, flow, &request, &None, None) {
            Some(invite) => out.push(Output::Event(Event::Asked(Box::new(Asked { invite, server: id, request })))),
            None => self.turn_away(id, flow, &request, Refusal::new(400), out),
        }
    }

    /// Answers OPTIONS: what we can do, or what would be in the way of an INVITE.
    pub fn tell(&mut self, now: Now, asked: &Asked, refusal: Option<&Cause>, out: &mut Vec<Output>) {
        let tag = self.core.transactions.tag(asked.server);
        let status = refusal.map_or(Status(200), Cause::refusal);
        let mut response = self.core.reply(&asked.request, status, &tag);
        capabilities(&mut response.headers.0, asked.invite.flow);
        response.headers.push(Name::Accept, check::ACCEPT);
        response.headers.push(Name::AcceptEncoding, check::ENCODING);
        refusal.iter().for_each(|cause| cause.onto(&mut response.headers));
        self.core.send_away(asked.server, response, out);
        self.drain(now, out);
    }

    fn invite(&mut self, now: Now, id: ServerId, flow: Flow, invite: Request, out: &mut Vec<Output>) {
        let acceptable = self.acceptable(now, &invite);
        let (offer, replaces) = match acceptable.and_then(|offer| Ok((offer, self.replaced(&invite)?))) {
            Ok(accepted) => accepted,
            Err(refusal) => return self.turn_away(id, flow, &invite, refusal, out),
        };
        let leg = self.next_id();
        let Some(incoming) = incoming(leg, flow, &invite, &offer, replaces) else {
            return self.turn_away(id, flow, &invite, Refusal::new(400), out);
        };
        // One that may be refused at once and without state has no other response before (RFC 3261 §8.2.7).
        if !self.core.transactions.crowded(id) {
            let trying = invite.reply(Status(100), None);
            self.core.respond(now, id, trying, out);
        }
        self.legs.insert(leg, Leg::new(leg, &mut self.core));
        self.turn(now, leg, out, |_, cx| {
            let invited = Invited::new(cx, id, flow, invite, offer);
            cx.event(Event::Incoming(Box::new(incoming)));
            State::Invited(Box::new(invited))
        });
    }

    /// The offer of an INVITE that may start a leg.
    fn acceptable(&mut self, now: Now, invite: &Request) -> Result<Offer, Refusal> {
        if invite.headers.max_forwards() == Some(0) {
            return Err(Refusal::new(483));
        }
        SessionTimer::asked(&invite.headers, now.mono)?;
        let offer = match check::session(invite, self.core.config.reach) {
            Ok(offer) => offer.map(Ok),
            Err(refusal) if refusal.status == 488 => Some(Err(refusal)),
            Err(refusal) => return Err(refusal),
        };
        if self.legs.len() >= self.core.config.max_legs {
            let after = 1 + self.core.rng.below(10);
            return Err(Refusal::with(503, Name::RetryAfter, after.to_string()));
        }
        Ok(offer)
    }

    /// The leg that an INVITE replaces.
    fn replaced(&self, invite: &Request) -> Result<Option<LegId>, Refusal> {
        let Some(value) = invite.headers.get(&Name::Replaces) else { return Ok(None) };
        let replaces = Replaces::parse(value).ok_or(Refusal::new(400))?;
        let (leg, found) = self.find(&replaces).ok_or(Refusal::new(481))?;
        found.replaceable(&replaces).map(|()| Some(leg)).map_err(Refusal::new)
    }

    /// Reads what a REFER asks for; the leg that it would replace is known here only.
    fn referred(&self, request: &Request) -> Referred {
        let mut refer = refer::read(request)?;
        if let Some(replaces) = refer::replaces(request)? {
            let found = self.find(&replaces).filter(|(_, found)| found.movable(&replaces));
            refer.replaces = Some(found.map_or(Replaced::Unknown, |(leg, _)| Replaced::Leg(leg)));
        }
        Ok(refer)
    }

    fn find(&self, replaces: &Replaces) -> Option<(LegId, Found)> {
        let id = self.core.table.by_tag(&replaces.to_tag)?;
        Some((id, self.legs.get(&id)?.find(replaces)?))
    }

    fn dial(&mut self, now: Now, dial: Dial, out: &mut Vec<Output>) {
        let id = dial.leg;
        self.legs.insert(id, Leg::new(id, &mut self.core));
        self.turn(now, id, out, |_, cx| Calling::dial(cx, dial));
    }

    /// Our tag in From finds the leg also when the transaction is gone. A 2xx to an INVITE that no leg knows any more
    /// must still be acknowledged and ended.
    fn response(&mut self, now: Now, id: Option<ClientId>, flow: Flow, response: Response, out: &mut Vec<Output>) {
        let by_client = id.and_then(|id| self.core.table.by_client(id));
        let leg = by_client.or_else(|| self.core.table.by_tag(&tag_of(&response.headers, &Name::From)));
        match leg {
            Some(leg) => self.turn(now, leg, out, |state, cx| state.response(cx, id, flow, response)),
            None if accepts_invite(&response) => discard(now, &mut self.core, flow, &response, out),
            None => {}
        }
    }

    fn turn_any(&mut self, now: Now, leg: Option<LegId>, out: &mut Vec<Output>, f: impl FnOnce(State, &mut Cx) -> State) {
        if let Some(leg) = leg {
            self.turn(now, leg, out, f);
        }
    }

    fn turn(&mut self, now: Now, id: LegId, out: &mut Vec<Output>, f: impl FnOnce(State, &mut Cx) -> State) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.turn(now, &mut self.core, out, f);
        self.timers.update(id, leg.deadline());
        if leg.done() {
            leg.leave(&mut self.core);
            self.legs.remove(&id);
        }
    }
}

impl Command {
    fn leg(&self) -> LegId {
        match self {
            Command::Dial(dial) => dial.leg,
            Command::Attach { leg, .. }
            | Command::Progress { leg, .. }
            | Command::Reliable { leg }
            | Command::Answer { leg }
            | Command::Release { leg }
            | Command::NoExpiry { leg }
            | Command::AcceptRefer { leg, .. }
            | Command::RefuseRefer { leg, .. }
            | Command::Notify { leg, .. }
            | Command::SendInfo { leg, .. }
            | Command::Hangup { leg, .. } => *leg,
        }
    }
}

/// None when From or To cannot be read.
fn incoming(leg: LegId, flow: Flow, invite: &Request, offer: &Offer, replaces: Option<LegId>) -> Option<Incoming> {
    let headers = &invite.headers;
    let codecs = |sdp: &Result<Sdp, Refusal>| sdp.iter().flat_map(|sdp| sdp.payloads.iter().map(|p| p.codec)).collect();
    Some(Incoming {
        leg,
        flow,
        uri: invite.uri.clone(),
        from: headers.from()?,
        to: headers.to()?,
        call_id: headers.call_id().cloned()?,
        max_forwards: headers.max_forwards().unwrap_or(MAX_FORWARDS),
        headers: headers.0.iter().filter(|header| of_interest(header)).cloned().collect(),
        offer: offer.as_ref().map(codecs),
        ipv6: match offer {
            Some(Ok(sdp)) => sdp.rtp.is_ipv6(),
            _ => flow.remote.is_ipv6(),
        },
        reliable: headers.lists(&Name::Require, "100rel") || headers.lists(&Name::Supported, "100rel"),
        replaces,
    })
}

/// Headers that policy may look at or pass on.
fn of_interest(header: &Header) -> bool {
    use Name::{Diversion, HistoryInfo, PAssertedIdentity, Privacy, UserAgent, XHotlineCallId};
    matches!(header.name, PAssertedIdentity | Privacy | HistoryInfo | Diversion | XHotlineCallId | UserAgent)
}
