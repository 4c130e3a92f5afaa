//! Parties that are named by a host name: they are called when its addresses are known. The answer may come late, or never;
//! the call may be over by then.

use super::route::Route;
use super::{Output, Switch, Work};
use crate::base::{CallId, Hop, LegId, Map, MapSeed, Mono, Now, Timers};
use crate::call::LegNo;
use crate::dialog::{self, End, EndedBy};
use crate::sip::Status;
use std::net::SocketAddr;

/// The legs that wait for the addresses of their party: each until its call gives it up, or its time is over.
pub(super) struct Resolving {
    waiting: Map<LegId, Called>,
    timers: Timers<LegId>,
}

/// A party to call, in its place in a call.
pub(super) struct Called {
    pub call: CallId,
    pub leg_no: LegNo,
    pub leg: LegId,
    pub route: Route,
}

impl Resolving {
    pub fn new(seed: MapSeed) -> Resolving {
        Resolving { waiting: Map::with_hasher(seed), timers: Timers::default() }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    fn take(&mut self, leg: LegId) -> Option<Called> {
        self.timers.cancel(&leg);
        self.waiting.remove(&leg)
    }

    /// The leg's call is gone.
    pub fn forget(&mut self, leg: LegId) {
        self.take(leg);
    }
}

impl Switch {
    /// Asks for the addresses of a party. Its leg has no media yet: they tell by which family it will speak.
    pub(super) fn resolve(&mut self, now: Now, id: CallId, leg_no: LegNo, route: Route, out: &mut Vec<Output>) {
        let party = Called { call: id, leg_no, leg: self.legs.next_id(), route };
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        self.add_leg(&party, nowhere, None);
        let (trunk, target) = (party.route.trunk.clone(), party.route.target.clone());
        out.push(Output::Resolve { id: party.leg.0, trunk, target });
        self.resolving.timers.set(party.leg, now.mono.after(self.fixed.resolve_timeout));
        self.resolving.waiting.insert(party.leg, party);
    }

    /// The hops of a party are known; none where its name has no address.
    pub(super) fn resolved(&mut self, now: Now, leg: LegId, hops: &[Hop], out: &mut Vec<Output>) {
        let Some(mut party) = self.resolving.take(leg) else {
            self.watched_is_at(now, leg, hops);
            return;
        };
        let (call, route) = (party.call, &mut party.route);
        self.at_work = Some(call);
        let mut flows = route.flows(&self.fixed, hops);
        if let Some(trunk) = &route.trunk {
            self.outages.learn(trunk, flows.iter().map(|flow| flow.remote));
        }
        // Hops that gave no sign to calls before come last.
        flows.sort_by_key(|flow| self.outages.is_out(now.mono, flow.remote));
        let Some((first, others)) = flows.split_first() else {
            self.counters.unresolved += 1;
            tracing::warn!(name = %route.target.place, found = hops.len(), "a host name has no address that may be called");
            return self.unresolved(leg, EndedBy::Network, Some(Status(503)));
        };
        let Some(rtp) = self.port(call, first.remote.is_ipv6()) else {
            self.no_port(now, call);
            return self.unresolved(leg, EndedBy::Us, Some(Status(503)));
        };
        let more = std::mem::take(&mut route.others);
        let others = others.iter().map(|flow| route.at(*flow)).chain(more).collect();
        self.connect(now, party, rtp, (*first, others), out);
    }

    /// The call hangs up a leg that waits; false when it does not wait.
    pub(super) fn gives_up(&mut self, id: CallId, leg_no: LegNo) -> bool {
        let leg = self.calls.get(&id).and_then(|active| active.legs.get(&leg_no)).map(|leg| leg.id);
        let Some(leg) = leg.filter(|leg| self.resolving.take(*leg).is_some()) else { return false };
        self.unresolved(leg, EndedBy::Us, None);
        true
    }

    /// Nobody has answered in time.
    pub(super) fn resolving_is_over(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(leg) = self.resolving.timers.pop(now.mono) {
            self.resolved(now, leg, &[], out);
        }
    }

    /// The leg ends as one does that was called in vain.
    fn unresolved(&mut self, leg: LegId, by: EndedBy, status: Option<Status>) {
        let q850 = status.map(|_| 34);
        let end = End { q850, ..End::new(by, status.map(|status| status.0)) };
        self.work.push_back(Work::Leg(dialog::Event::Ended { leg, end }));
    }
}
