//! New calls: who may place one, what the plan says of it, and its first entry in the journal.

use super::access::Owner;
use super::channels::Kind;
use super::dialled::{self, Number};
use super::identity::{self, Identity};
use super::keys::Keypad;
use super::lists::OfCaller as OfMissed;
use super::message::OfCaller;
use super::proof::Proof;
use super::recording::{OfCall, State};
use super::seats::SeatsOf;
use super::stopwatch::Stopwatch;
use super::{Active, Dtmf, Leg, LinesFrom, Live, Output, Seat, Switch, Trunk, UnknownSource, route};
use crate::base::{AccessList, CallId, Flow, Now, Proto, Shown, Transport};
use crate::call::{CALLER, Call, FirstOffer, LegNo};
use crate::dialog::{Command, Incoming};
use crate::event::Offered;
use crate::event::fact::Listed;
use crate::media::Origins;
use crate::plan::{Decision, Facts, Mode};
use crate::record::ending::shown_caller;
use crate::record::timing::Timing;
use crate::seat::Binding;
use crate::sip::{Codec, Message, Method, Status};
use crate::ua::Peers;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The peers whose in-dialog requests go and come where: a trunk's own networks; a seat is its host alone.
pub(super) fn peers(setup: &Live) -> Peers {
    let mut networks = AccessList::new();
    for (index, trunk) in setup.trunks.iter().enumerate() {
        for source in &trunk.sources {
            networks.insert(*source, index);
        }
    }
    let by_tls = |(_, trunk): &(usize, &Trunk)| trunk.target.transport == Transport::Tls;
    let by_tls = setup.trunks.iter().enumerate().filter(by_tls).map(|(index, _)| index).collect();
    Peers::new(networks, by_tls)
}

/// The plan's word on a call, and what it was asked.
pub(super) struct Decided {
    pub decision: Decision,
    pub called: Number,
    /// The numbers that the call was meant for before, oldest first.
    pub history: Vec<String>,
}

/// The peer that places the call.
pub(super) enum Placer {
    Trunk(usize),
    Seat(usize),
    /// A host of seats that does not say which of them: it is nobody's own call, and one of them lends it account, codecs and
    /// origins. Their channels bound it.
    Nameless {
        lender: usize,
        channels: u32,
    },
}

impl Switch {
    /// A message from nowhere we know. Only requests get an answer, and ACK never does.
    pub(super) fn stranger(&mut self, now: Now, flow: Flow, data: Bytes, out: &mut Vec<Output>) {
        self.counters.strangers += 1;
        if !self.strangers.allow(now.mono, flow.remote.ip()) {
            self.counters.rate_limited += 1;
            return;
        }
        if let Some(unsaid) = self.notices.may_say(now.mono, self.setup.notices) {
            let unsaid = (unsaid > 0).then_some(unsaid);
            tracing::info!(source = %flow, unsaid, "a source that no trunk and no seat names");
        }
        if self.setup.unknown_source == UnknownSource::Drop {
            return;
        }
        if let Ok(Message::Request(request)) = Message::parse(data)
            && request.method != Method::Ack
        {
            let tag = self.rng.token();
            let response = request.reply(Status(403), Some(&tag));
            out.push(Output::Sip { flow, data: Message::Response(response).to_bytes() });
        }
    }

    pub(super) fn incoming(&mut self, now: Now, incoming: Incoming, out: &mut Vec<Output>) {
        let Some(placer) = self.placer(&incoming).or_else(|| self.nameless(&incoming)) else {
            return self.shed(now, &incoming, None, "its source was known a moment ago", out);
        };
        let mut incoming = self.as_it_is_believed(&placer, incoming);
        let by_account = match placer {
            Placer::Trunk(_) => self.comes_by_account(now, &mut incoming, out),
            Placer::Seat(_) | Placer::Nameless { .. } => None,
        };
        let has_name = !matches!(placer, Placer::Nameless { .. });
        if has_name && (self.joins(now, &incoming, &placer, out) || self.dials_code(now, &incoming, &placer, out)) {
            return;
        }
        let Decided { mut decision, mut called, history } = self.decide(now, &incoming, &placer);
        let listed = self.listed(now, &decision);
        if listed == Some(Listed::Blocked) {
            decision.steps = self.turned_away_steps();
        }
        let emergency = decision.mode == Mode::Emergency;
        let first = emergency && !called.unproven;
        if let Some(why) = self.full(&placer, first).or_else(|| self.too_fast(now, &placer, Kind::of(first))) {
            // A carrier tries another way for a call for help that gets 503.
            return self.shed(now, &incoming, Some(&placer).filter(|_| !emergency), why.in_log(), out);
        }
        if matches!(placer, Placer::Trunk(_)) && self.came_back(&incoming, &decision) {
            decision = self.decision(now, &incoming, &placer, true).decision;
        }
        if let Some(place) = by_account.filter(|_| called.is_by_request()) {
            called.place = place;
        }
        let (caller_raw, anonymous) = identity::caller(&incoming);
        let offered = self.offered(&incoming, &decision, &placer, caller_raw, anonymous, &called);
        let diverted_from = history.first().map(|number| kept(number));
        let offered = Offered { listed, diverted_from, ..offered };
        let first_offer = first_offer(&incoming);
        let reliable = first_offer == FirstOffer::Provisional || self.wants_reliable(&placer);
        let identity = self.identity(&incoming, &placer, &decision, (&offered, history));
        let id = self.open(now, &incoming, &placer, decision, identity);
        tracing::info!(
            call = %id, trunk = %offered.trunk, number = %offered.number, line = %offered.line, mode = offered.mode.name(),
            dialled_from = (!called.is_by_request()).then_some(called.place.name()), unproven = called.unproven.then_some(true),
            caller = %shown_caller(offered.caller.as_deref(), anonymous), "offered"
        );
        self.write_offered(now, id, offered, out);
        match (self.journal.down, emergency) {
            (true, _) => self.release(now, id, out),
            (false, true) => self.release_by(now, id),
            (false, false) => {}
        }
        self.outlast(now, id, out);
        if listed == Some(Listed::Priority)
            && let Some(active) = self.calls.get_mut(&id)
        {
            active.call.prefer();
        }
        if reliable {
            self.command(now, id, CALLER, out, |leg| Command::Reliable { leg });
        }
        self.with_call(now, id, |call, done| call.start(now, first_offer, done));
    }

    fn identity(
        &self,
        incoming: &Incoming,
        placer: &Placer,
        decision: &Decision,
        (offered, history): (&Offered, Vec<String>),
    ) -> Identity {
        Identity {
            caller: decision.caller.clone(),
            withheld: offered.caller_anonymous,
            number: decision.number.clone(),
            dialled_from: offered.dialled_from,
            dialled_by_rules: offered.dialled_by_rules.clone(),
            line: decision.line.clone(),
            trunk: offered.trunk.as_str().into(),
            area: decision.area.code.clone(),
            history,
            codecs: self.codecs(incoming, placer),
            max_forwards: incoming.max_forwards,
            shows: None,
        }
    }

    /// An INVITE that expires SHOULD be answered 487 (RFC 3261 §13.3.1). Not one to an emergency line: its carrier sets the
    /// time, not the person in need, who ends the call by hanging up; we never do while somebody may yet answer.
    fn outlast(&mut self, now: Now, id: CallId, out: &mut Vec<Output>) {
        if self.calls.get(&id).is_some_and(|active| active.emergency) {
            self.command(now, id, CALLER, out, |leg| Command::NoExpiry { leg });
        }
    }

    /// True when the seat's own phone calls, and nobody who has its address and says its name: an exchange may carry outside
    /// callers beside seats. A TCP connection has any port, so there the address must be the seat's alone.
    pub(super) fn is_own_line(&self, seat: usize, flow: Flow) -> bool {
        let Some(seat) = self.setup.seats.get(seat) else { return false };
        // It has been told by its flow, or by its password.
        if seat.registers() {
            return true;
        }
        let shared = matches!(self.access.find(flow.remote.ip()), Some(Owner::Trunk(_)));
        is_own_line(seat, self.queues.seats().bindings(&seat.name), flow, shared)
    }

    /// A phone that registered is its seat's; any other seat says who it is and calls from its address; everything else is the
    /// trunk whose source it is. None for one of several seats that does not say which, and for a source that is known no more.
    pub(super) fn placer(&self, incoming: &Incoming) -> Option<Placer> {
        let remote = incoming.flow.remote;
        if let Some(seat) = self.by_phone(incoming) {
            return Some(Placer::Seat(seat));
        }
        if self.ua.registered().is_some_and(|registrar| registrar.is_direct(incoming.flow)) {
            return None;
        }
        let user = &incoming.from.uri.user;
        let is = |seat: &usize| self.setup.seats.get(*seat).is_some_and(|s| s.owns(remote.ip()) && s.aor.user == *user);
        let seat = self.access.users(user.as_deref()).find(is);
        match (seat, self.access.find(remote.ip())) {
            (Some(seat), Some(Owner::Trunk(trunk))) if !self.is_own_line(seat, incoming.flow) => {
                Some(self.trunk(trunk, incoming))
            }
            (Some(seat), _) => Some(Placer::Seat(seat)),
            (None, Some(Owner::Trunk(trunk))) => Some(self.trunk(trunk, incoming)),
            (None, Some(Owner::Seat)) => self.by_other_signs(incoming).map(Placer::Seat),
            (None, None) => None,
        }
    }

    /// Where its networks and another's meet, the trunk by whose account it comes.
    fn trunk(&self, by_address: usize, incoming: &Incoming) -> Placer {
        let by_account = self.by_account(incoming.flow, &incoming.uri);
        Placer::Trunk(by_account.map_or(by_address, |(trunk, _)| trunk))
    }

    /// No record is kept of a call that got nothing but a 503; it is counted.
    pub(super) fn shed(
        &mut self,
        now: Now,
        incoming: &Incoming,
        placer: Option<&Placer>,
        why: &'static str,
        out: &mut Vec<Output>,
    ) {
        self.counters.shed += 1;
        let (leg, cause) = (incoming.leg, self.unavailable(placer));
        self.not_now(now, incoming, Status(cause.status), why);
        self.leg_command(now, Command::Release { leg }, out);
        self.leg_command(now, Command::Hangup { leg, cause }, out);
    }

    /// Asks the plan, and looks where the call has been before. A call for a platform that it comes from has gone in a
    /// circle: the first receiver keeps it (首接负责), and its own seats answer.
    pub(super) fn decide(&self, now: Now, incoming: &Incoming, placer: &Placer) -> Decided {
        self.decision(now, incoming, placer, false)
    }

    fn decision(&self, now: Now, incoming: &Incoming, placer: &Placer, came_back: bool) -> Decided {
        let plan = &self.setup.plan;
        let (name, trunk) = match placer {
            Placer::Trunk(i) => (&self.setup.trunks[*i].name, Some(&self.setup.trunks[*i])),
            Placer::Seat(i) | Placer::Nameless { lender: i, .. } => (&self.setup.seats[*i].name, None),
        };
        let reading = self.reading(trunk);
        let (called, trunk_area) = (reading.called(incoming.into()), reading.area());
        let caller = reading.caller(identity::caller(incoming).0);
        let caller = (!caller.is_empty()).then_some(caller.as_str());
        let this = plan.number(&called.text, trunk_area);
        let history = identity::history(incoming, &this, |number| reading.number(number));
        let history = if called.is_by_request() { history } else { dialled::before(history, &this) };
        let trusted = trunk.is_some_and(|trunk| trunk.emergency_history);
        let diverted_from = history.first().map(String::as_str).filter(|_| trusted);
        let facts = Facts { dialled: &called.text, caller, trunk: name, trunk_area, diverted_from, at: now.wall };
        let decision = plan.decide(&facts);
        let been = |history: &[String]| decision.mode == Mode::Platform && history.contains(&decision.number);
        let diverted = || identity::diversions(incoming, &this, |number| reading.number(number)).unwrap_or_default();
        let diverted = || if called.is_by_request() { diverted() } else { dialled::before(diverted(), &this) };
        let circle = came_back || been(&history) || decision.mode == Mode::Platform && been(&diverted());
        let decision = match plan.front().filter(|_| circle) {
            Some(front) => plan.decide(&Facts { dialled: front, ..facts }),
            None => decision,
        };
        Decided { decision, called, history }
    }

    fn codecs(&self, incoming: &Incoming, placer: &Placer) -> Vec<Codec> {
        let ours = match placer {
            Placer::Trunk(i) => self.setup.trunks[*i].codecs.clone(),
            Placer::Seat(_) | Placer::Nameless { .. } => vec![Codec::Pcma, Codec::Pcmu],
        };
        match &incoming.offer {
            Some(offer) => offer.iter().copied().filter(|c| ours.contains(c)).collect(),
            None => ours,
        }
    }

    /// Tells whether provisional responses are reliable for every caller that supports it.
    fn wants_reliable(&self, placer: &Placer) -> bool {
        matches!(placer, Placer::Trunk(i) if self.setup.trunks[*i].reliable)
    }

    /// The name under which the calls of a trunk or seat are counted and recorded.
    pub(super) fn account(&self, placer: &Placer) -> String {
        match placer {
            Placer::Trunk(i) => self.setup.trunks[*i].name.to_string(),
            Placer::Seat(i) | Placer::Nameless { lender: i, .. } => format!("seat:{}", self.setup.seats[*i].name),
        }
    }

    /// `host`: where its messages come from.
    pub(super) fn origins(&self, placer: &Placer, host: IpAddr) -> Arc<Origins> {
        match placer {
            Placer::Trunk(i) => self.setup.trunks[*i].origins.clone(),
            Placer::Seat(i) | Placer::Nameless { lender: i, .. } => match &self.setup.seats[*i] {
                seat if seat.registers() => route::behind(&seat.origins, std::iter::once(host)),
                seat => seat.origins.clone(),
            },
        }
    }

    pub(super) fn dtmf(&self, placer: &Placer) -> Dtmf {
        match placer {
            Placer::Trunk(i) => self.setup.trunks[*i].dtmf,
            Placer::Seat(i) | Placer::Nameless { lender: i, .. } => self.setup.seats[*i].dtmf,
        }
    }

    fn offered(
        &self,
        incoming: &Incoming,
        decision: &Decision,
        placer: &Placer,
        caller_raw: String,
        anonymous: bool,
        called: &Number,
    ) -> Offered {
        Offered {
            sip_call_id: kept(&String::from_utf8_lossy(&incoming.call_id)),
            trunk: self.account(placer),
            dialled: kept(called.written.as_ref().unwrap_or(&called.text)),
            dialled_from: called.place,
            dialled_by_rules: called.rules.iter().map(|place| place + 1).collect(),
            caller_raw: kept(&caller_raw),
            caller_anonymous: anonymous,
            ..self.decided(decision)
        }
    }

    /// A call's first entry, as far as the plan's decision says it.
    pub(super) fn decided(&self, decision: &Decision) -> Offered {
        Offered {
            leg: CALLER.0,
            number: kept(&decision.number),
            caller: decision.caller.clone(),
            line: decision.line.to_string(),
            mode: decision.mode,
            phase: decision.phase,
            unit: decision.unit.as_ref().map(ToString::to_string),
            area: decision.area.code.as_ref().map(ToString::to_string),
            area_source: decision.area.source.to_owned(),
            division: decision.area.code.as_deref().and_then(|code| self.setup.divisions.get(code)).cloned(),
            tickets: decision.tickets.iter().map(ToString::to_string).collect(),
            recorded: self.records_from_start(decision),
            withheld: decision.withheld.iter().map(ToString::to_string).collect(),
            plan: self.setup.plan.name.to_string(),
            plan_revision: decision.revision.to_string(),
            node: self.fixed.node.clone(),
            ..Offered::default()
        }
    }

    fn open(&mut self, now: Now, incoming: &Incoming, placer: &Placer, decision: Decision, identity: Identity) -> CallId {
        self.counters.calls += 1;
        let (trunk, seat) = match placer {
            Placer::Trunk(i) => (Some(self.setup.trunks[*i].name.clone()), None),
            Placer::Seat(i) => (None, Some(self.setup.seats[*i].name.clone())),
            Placer::Nameless { .. } => (None, None),
        };
        trunk.iter().for_each(|trunk| self.channels.take(trunk));
        let pad = Keypad::new(self.dtmf(placer));
        let emergency = decision.mode == Mode::Emergency;
        let srtp = self.keys_for(placer, incoming, emergency);
        let origins = self.origins(placer, incoming.flow.remote.ip());
        let home = self.homes.hold(incoming.flow.remote.ip());
        let caller = Leg::new(incoming.leg, incoming.flow.remote, None, origins, self.setup.clone());
        let theirs = incoming.call_id.clone();
        let proof = Proof::by(incoming.flow);
        let caller = Leg { theirs, trunk, seat, pad, srtp, proof, ipv6: incoming.ipv6, home, ..caller };
        let recording = OfCall::new(self.records_from_start(&decision), decision.record);
        let decision = Decision { steps: self.around(now, decision.steps, emergency), ..decision };
        let id = self.begin(now, decision, identity, BTreeMap::from([(CALLER, caller)]), recording);
        self.leg_calls.insert(incoming.leg, (id, CALLER));
        id
    }

    /// A call with these legs, of which nothing has been written yet.
    pub(super) fn begin(
        &mut self,
        now: Now,
        decision: Decision,
        identity: Identity,
        legs: BTreeMap<LegNo, Leg>,
        recording: OfCall,
    ) -> CallId {
        let id = CallId::new(now.wall, &mut self.rng);
        self.carried.take(&identity.trunk);
        let shard = self.next_shard % self.fixed.media.shards.max(1);
        self.next_shard = self.next_shard.wrapping_add(1);
        let policy = self.setup.policy.clone();
        let mut call = Call::new(decision.steps, decision.early_max, policy).surveyed_as(decision.survey.clone());
        if recording.state == State::On && decision.mode != Mode::Emergency {
            self.setup.recording.notice.iter().for_each(|prompt| call.must_tell(prompt.clone()));
        }
        let active = Active {
            since: now.mono,
            emergency: decision.mode == Mode::Emergency,
            talked: false,
            missed: OfMissed::default(),
            message: OfCaller::default(),
            outbound: None,
            open_move: None,
            last_move: None,
            over: None,
            ended_by: None,
            recording,
            data: Vec::new(),
            call,
            setup: self.setup.clone(),
            identity,
            legs,
            shard,
            seq: 0,
            last_ticket: 0,
            timing: Timing::default(),
            stopwatch: Stopwatch::default(),
            released: false,
            referred: None,
            typed: BTreeMap::new(),
            seats_of: SeatsOf::default(),
            talkers: 0,
        };
        self.at_work = Some(id);
        self.calls.insert(id, active);
        id
    }
}

fn first_offer(incoming: &Incoming) -> FirstOffer {
    match (&incoming.offer, incoming.reliable) {
        (Some(_), _) => FirstOffer::Invite,
        (None, true) => FirstOffer::Provisional,
        (None, false) => FirstOffer::Answer,
    }
}

/// On this machine's loopback all ports are this machine's.
fn is_own_line(seat: &Seat, bindings: &[Binding], flow: Flow, shared: bool) -> bool {
    let any_port =
        seat.lines_from == LinesFrom::Address || flow.remote.ip().is_loopback() || (flow.proto == Proto::Tcp && !shared);
    seat.owns(flow.remote.ip()) && any_port || seat.is_at(bindings, flow.remote)
}

/// Text that a caller chose, as the journal keeps it: bounded, and harmless wherever it is printed.
fn kept(foreign: &str) -> String {
    Shown(foreign).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Target, Transport};
    use crate::sip::Uri;
    use std::net::SocketAddr;

    fn is_own_line(seat: &Seat, flow: Flow, shared: bool) -> bool {
        super::is_own_line(seat, &[Binding { target: seat.target.clone().unwrap() }], flow, shared)
    }

    #[test]
    fn a_line_of_a_seats_own_comes_from_its_address_and_port() {
        let seat = |address: &str, lines_from| Seat {
            remote: None,
            name: "desk".into(),
            label: None,
            aor: Uri::parse(b"sip:seat@192.0.2.20").unwrap(),
            sources: vec![address.parse::<SocketAddr>().unwrap().ip().into()],
            target: Some(Target::at(Transport::Udp, address.parse().unwrap())),
            channels: 1,
            dtmf: Dtmf::Auto,
            srtp: Default::default(),
            origins: Arc::default(),
            lines_from,
            skills: Default::default(),
            expert: false,
            rules: Default::default(),
        };
        let flow =
            |proto, remote: &str| Flow { proto, local: "192.0.2.1:5060".parse().unwrap(), remote: remote.parse().unwrap() };
        let desk = seat("192.0.2.20:5060", LinesFrom::Port);
        assert!(is_own_line(&desk, flow(Proto::Udp, "192.0.2.20:5060"), true));
        assert!(!is_own_line(&desk, flow(Proto::Udp, "192.0.2.20:5999"), false), "somebody else at that address");
        assert!(!is_own_line(&desk, flow(Proto::Udp, "192.0.2.21:5060"), false));
        assert!(is_own_line(&desk, flow(Proto::Tcp, "192.0.2.20:41234"), false), "a connection has any port");
        assert!(!is_own_line(&desk, flow(Proto::Tcp, "192.0.2.20:41234"), true), "a trunk has that address, too");
        let exchange = seat("192.0.2.20:5060", LinesFrom::Address);
        assert!(is_own_line(&exchange, flow(Proto::Udp, "192.0.2.20:5999"), true));
        assert!(is_own_line(&seat("127.0.0.1:5070", LinesFrom::Port), flow(Proto::Udp, "127.0.0.1:40000"), true));
    }
}
