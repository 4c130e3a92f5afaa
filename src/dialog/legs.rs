//! The legs, as the usage of the user agent that INVITE begins.

use crate::base::{Flow, LegId, Map, MapSeed, Mono, Now, Timers};
use crate::dialog::check;
use crate::dialog::context::{Context, capabilities};
use crate::dialog::leg::{Leg, State, discard};
use crate::dialog::refer::{self, Referred};
use crate::dialog::replaces::Found;
use crate::dialog::timer::SessionTimer;
use crate::dialog::uac::Calling;
use crate::dialog::uas::{Invited, Offer};
use crate::dialog::wreck;
use crate::dialog::{Asked, Cause, Command, Config, Dial, Event, Incoming, Replaced, SessionSnapshot};
use crate::sip::{Header, Method, Name, Replaces, Request, Sdp, Status};
use crate::transaction::{self, ServerId};
use crate::ua::{self, Refusal, Ua, Usage};
use std::collections::BTreeSet;

const MAX_FORWARDS: u8 = 70;

/// Every leg. The transactions beneath are the user agent's, which each method is given.
pub struct Legs {
    config: Config,
    legs: Map<LegId, Leg>,
    timers: Timers<LegId>,
    next: u64,
}

impl Legs {
    pub fn new(config: Config, seed: MapSeed) -> Legs {
        Legs { config, legs: Map::with_hasher(seed), timers: Timers::default(), next: 0 }
    }

    /// A number for a leg to dial; incoming legs get theirs here too.
    pub fn next_id(&mut self) -> LegId {
        self.next += 1;
        LegId(self.next)
    }

    /// Serves all that the user agent has to hand on.
    pub fn serve(&mut self, ua: &mut Ua, now: Now, out: &mut Vec<Event>) {
        while let Some(event) = ua.next_event() {
            self.hear(ua, now, event, out);
        }
    }

    /// Serves one piece of it.
    pub fn hear(&mut self, ua: &mut Ua, now: Now, event: ua::Event, out: &mut Vec<Event>) {
        match event {
            ua::Event::Of(Usage::Invite(leg), event) => self.event(ua, now, leg, event, out),
            // Whoever has asked has heard of it.
            ua::Event::Of(Usage::Registration(_) | Usage::Ping(_), _) => {}
            ua::Event::Begins { id, flow, request } if request.method == Method::Invite => {
                self.invite(ua, now, id, flow, request, out);
            }
            ua::Event::Begins { id, flow, request } => self.options(ua, id, flow, request, out),
            ua::Event::Stray { flow, response } => discard(now, ua, flow, &response),
            ua::Event::TurnedAway(turned) => out.push(Event::TurnedAway(turned)),
        }
    }

    /// A command for a leg that has ended does nothing.
    pub fn command(&mut self, ua: &mut Ua, now: Now, command: Command, out: &mut Vec<Event>) {
        match command {
            Command::Dial(dial) => self.dial(ua, now, dial, out),
            command => {
                let leg = command.leg();
                self.turn(ua, now, leg, out, |state, cx| state.command(cx, command));
            }
        }
    }

    /// Comes before the transactions' tick: a leg's timer C cancels the INVITE that its transaction would let go at the same
    /// moment.
    pub fn tick(&mut self, ua: &mut Ua, now: Now, out: &mut Vec<Event>) {
        while let Some(leg) = self.timers.pop(now.mono) {
            self.turn(ua, now, leg, out, State::tick);
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// Counts the legs that are alive, with those that only finish their protocol.
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// After a panic in a leg's turn, or in a transaction of a leg's: it is over. Its peer hears BYE, CANCEL or 500, its user
    /// hears of the end. Another request that it had not answered goes unanswered, and will get 481 when it comes again.
    pub fn recover(&mut self, ua: &mut Ua, now: Now, out: &mut Vec<Event>) {
        let half = ua.mend().filter_map(Usage::leg);
        let lost = self.legs.iter().filter(|(_, leg)| leg.done()).map(|(id, _)| *id);
        let hit: BTreeSet<LegId> = half.chain(lost).collect();
        hit.into_iter().for_each(|leg| self.turn(ua, now, leg, out, |_, cx| State::Closing(wreck::over(cx))));
        ua.finish_serving(now);
    }

    /// The session of this leg; none while it has none, or while an exchange in it is open.
    pub fn snapshot(&self, now: Mono, leg: LegId) -> Option<SessionSnapshot> {
        self.legs.get(&leg)?.snapshot(now)
    }

    /// Adds a leg that is in this session, under a number that [`Legs::next_id`] gave.
    pub fn restore(&mut self, ua: &mut Ua, now: Mono, id: LegId, snapshot: SessionSnapshot) {
        let leg = Leg::restore(id, ua, now, snapshot);
        self.timers.update(id, leg.deadline());
        self.legs.insert(id, leg);
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> bool {
        self.timers.is_empty()
    }

    #[cfg(test)]
    pub(super) fn refer(&mut self, ua: &mut Ua, now: Now, leg: LegId, to: &str, out: &mut Vec<Event>) {
        self.turn(ua, now, leg, out, |mut state, cx| {
            if let State::Session(session) = &mut state {
                session.send_refer(cx, to);
            }
            state
        });
    }

    fn event(&mut self, ua: &mut Ua, now: Now, leg: LegId, event: transaction::Event, out: &mut Vec<Event>) {
        match event {
            transaction::Event::Request { id, flow, request } if request.method == Method::Refer => {
                let referred = self.referred(ua, &request);
                self.turn(ua, now, leg, out, |state, cx| state.refer(cx, id, flow, &request, referred));
            }
            event => self.turn(ua, now, leg, out, |state, cx| state.event(cx, event)),
        }
    }

    fn options(&mut self, ua: &mut Ua, id: ServerId, flow: Flow, request: Request, out: &mut Vec<Event>) {
        let leg = self.next_id();
        out.push(match incoming(leg, flow, &request, &None, None) {
            Some(invite) => Event::Asked(Box::new(Asked { invite, server: id, request })),
            None => Event::TurnedAway(ua.turn_away(id, flow, &request, Refusal::new(400))),
        });
    }

    /// Answers OPTIONS: what we can do, or what would be in the way of an INVITE.
    pub fn tell(&mut self, ua: &mut Ua, asked: &Asked, refusal: Option<&Cause>) {
        let status = refusal.map_or(Status(200), Cause::refusal);
        let mut response = ua.stateless_reply(asked.server, &asked.request, status);
        capabilities(&mut response.headers.0, asked.invite.flow);
        response.headers.push(Name::Accept, ua::ACCEPT);
        response.headers.push(Name::AcceptEncoding, ua::ENCODING);
        refusal.iter().for_each(|cause| cause.onto(&mut response.headers));
        ua.dismiss(asked.server, response);
    }

    fn invite(&mut self, ua: &mut Ua, now: Now, id: ServerId, flow: Flow, invite: Request, out: &mut Vec<Event>) {
        let acceptable = self.acceptable(ua, now, &invite);
        let (offer, replaces) = match acceptable.and_then(|offer| Ok((offer, self.replaced(ua, &invite)?))) {
            Ok(accepted) => accepted,
            Err(refusal) => return out.push(Event::TurnedAway(ua.turn_away(id, flow, &invite, refusal))),
        };
        let leg = self.next_id();
        let Some(incoming) = incoming(leg, flow, &invite, &offer, replaces) else {
            return out.push(Event::TurnedAway(ua.turn_away(id, flow, &invite, Refusal::new(400))));
        };
        // One that may be refused at once and without state has no other response before (RFC 3261 §8.2.7).
        if !ua.crowded(id) {
            ua.respond(now, id, invite.reply(Status(100), None));
        }
        self.legs.insert(leg, Leg::new(leg, ua));
        self.turn(ua, now, leg, out, |_, cx| {
            let invited = Invited::new(cx, id, flow, invite, offer);
            cx.event(Event::Incoming(Box::new(incoming)));
            State::Invited(Box::new(invited))
        });
    }

    /// The offer of an INVITE that may start a leg.
    fn acceptable(&self, ua: &mut Ua, now: Now, invite: &Request) -> Result<Offer, Refusal> {
        if invite.headers.max_forwards() == Some(0) {
            return Err(Refusal::new(483));
        }
        SessionTimer::asked(&invite.headers, now.mono)?;
        let offer = match check::session(invite, self.config.reach) {
            Ok(offer) => offer.map(Ok),
            Err(refusal) if refusal.status == 488 => Some(Err(refusal)),
            Err(refusal) => return Err(refusal),
        };
        if self.legs.len() >= self.config.max_legs {
            let after = 1 + ua.rng().below(10);
            return Err(Refusal::with(503, Name::RetryAfter, after.to_string()));
        }
        Ok(offer)
    }

    /// The leg that an INVITE replaces.
    fn replaced(&self, ua: &Ua, invite: &Request) -> Result<Option<LegId>, Refusal> {
        let Some(value) = invite.headers.get(&Name::Replaces) else { return Ok(None) };
        let replaces = Replaces::parse(value).ok_or(Refusal::new(400))?;
        let (leg, found) = self.find(ua, &replaces).ok_or(Refusal::new(481))?;
        found.replaceable(&replaces).map(|()| Some(leg)).map_err(Refusal::new)
    }

    /// Reads what a REFER asks for; the leg that it would replace is known here only.
    fn referred(&self, ua: &Ua, request: &Request) -> Referred {
        let mut refer = refer::read(request)?;
        if let Some(replaces) = refer::replaces(request)? {
            let found = self.find(ua, &replaces).filter(|(_, found)| found.movable(&replaces));
            refer.replaces = Some(found.map_or(Replaced::Unknown, |(leg, _)| Replaced::Leg(leg)));
        }
        Ok(refer)
    }

    fn find(&self, ua: &Ua, replaces: &Replaces) -> Option<(LegId, Found)> {
        let id = ua.by_tag(&replaces.to_tag)?.leg()?;
        Some((id, self.legs.get(&id)?.find(replaces)?))
    }

    fn dial(&mut self, ua: &mut Ua, now: Now, dial: Box<Dial>, out: &mut Vec<Event>) {
        let id = dial.leg;
        self.legs.insert(id, Leg::new(id, ua));
        self.turn(ua, now, id, out, |_, cx| State::Calling(Calling::dial(cx, dial)));
    }

    fn turn(&mut self, ua: &mut Ua, now: Now, id: LegId, out: &mut Vec<Event>, f: impl FnOnce(State, &mut Context) -> State) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.turn(now, ua, &self.config, out, f);
        self.timers.update(id, leg.deadline());
        if leg.done() {
            leg.leave(ua);
            self.legs.remove(&id);
        }
    }
}

impl Command {
    fn leg(&self) -> LegId {
        match self {
            Command::Dial(dial) => dial.leg,
            Command::Attach { leg, .. }
            | Command::KnownAs { leg, .. }
            | Command::Progress { leg, .. }
            | Command::Reliable { leg }
            | Command::Answer { leg }
            | Command::Release { leg }
            | Command::NoExpiry { leg }
            | Command::AcceptRefer { leg, .. }
            | Command::RefuseRefer { leg, .. }
            | Command::Notify { leg, .. }
            | Command::Probe { leg }
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
        contact: headers.get(&Name::Contact).cloned(),
        headers: headers.0.iter().filter(|header| of_interest(header)).cloned().collect(),
        offer: offer.as_ref().map(codecs),
        sealed: matches!(offer, Some(Ok(sdp)) if sdp.secure()),
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
    use Name::{
        Authorization, Diversion, HistoryInfo, PAssertedIdentity, PCalledPartyId, PPreferredIdentity, Privacy, UserAgent,
    };
    let of_the_call = matches!(header.name, HistoryInfo | Diversion | Name::XHotlineCallId | UserAgent | PCalledPartyId);
    let of_the_caller = matches!(header.name, PAssertedIdentity | PPreferredIdentity | Privacy | Authorization);
    of_the_call || of_the_caller
}
