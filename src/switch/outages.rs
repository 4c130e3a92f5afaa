//! A verdict on each address where trunks are called (RFC 3263 §4.3). One that gave no sign comes last until it is heard again, or until
//! one caller has tried it after a rest that grows. A 503 is one call's (RFC 3261 §21.5.4): so many in a row, or one that asks for a rest
//! (Retry-After), and calls begin elsewhere for a while, however it answers what was under way. What a name comes to is another matter:
//! no verdict stands in the DNS's answers. A refusal of one call is no verdict.

use super::{Live, Switch, Trunk};
use crate::base::{CallId, Flow, LegId, Mono, Now, Proto};
use crate::call::{Dialled, Goal, LegNo};
use crate::control::PeerView;
use crate::dialog::{End, EndedBy, Event, HopEnd};
use crate::plan::{Failure, Step, Target};
use crate::ua::registration::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Addresses with a verdict: many more than trunks have. A name that comes to ever others makes no more of them.
const MOST_PEERS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Outages {
    /// By the address that is called.
    peers: BTreeMap<SocketAddr, Outage>,
    /// The addresses that a trunk's name came to last, and that may be called.
    hops: BTreeMap<Arc<str>, Vec<SocketAddr>>,
    /// Addresses that answer no OPTIONS: out until they do.
    down: BTreeSet<SocketAddr>,
}

/// How long an address rests, first and at most; and how many 503s in a row make it rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rests {
    pub shortest: Duration,
    pub longest: Duration,
    pub refusals: u32,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    /// Rests in a row.
    times: u32,
    /// 503s in a row that asked for no rest.
    refusals: u32,
    /// Passed over until then.
    until: Mono,
    /// Its rest was over, and one caller finds out whether it is back.
    trying: bool,
    /// It lives, and says that it takes no calls.
    unavailable: bool,
}

impl Outage {
    fn rests(&self, now: Mono) -> bool {
        now < self.until && !self.trying
    }

    fn rest(&mut self, now: Mono, asked: Option<Duration>, rests: Rests) {
        let (doubled, longest) = (1_u32.checked_shl(self.times).unwrap_or(u32::MAX), rests.longest.max(rests.shortest));
        let rest = asked.unwrap_or(rests.shortest.saturating_mul(doubled)).clamp(rests.shortest, longest);
        self.times = self.times.saturating_add(1);
        (self.until, self.trying) = (now.after(rest), false);
    }
}

impl Outages {
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.down.is_empty()
    }

    /// The addresses that answer no OPTIONS. True where they are others than before.
    pub fn are_down(&mut self, down: BTreeSet<SocketAddr>) -> bool {
        let changed = self.down != down;
        self.down = down;
        changed
    }

    /// Counts those that rest or are tried.
    pub fn len(&self) -> usize {
        self.peers.values().filter(|outage| outage.times > 0).count()
    }

    /// A setup may have moved them, or whoever reloads may have seen to them.
    pub fn clear(&mut self) {
        (self.peers, self.hops) = Default::default();
    }

    /// The addresses that a trunk's name came to.
    pub fn learn(&mut self, trunk: &Arc<str>, hops: impl Iterator<Item = SocketAddr>) {
        let hops: Vec<SocketAddr> = hops.collect();
        if !hops.is_empty() && self.hops.get(trunk) != Some(&hops) {
            self.hops.insert(trunk.clone(), hops);
        }
    }

    fn entry(&mut self, now: Mono, peer: SocketAddr) -> Option<&mut Outage> {
        if self.peers.len() >= MOST_PEERS && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, outage| now < outage.until);
            if self.peers.len() >= MOST_PEERS {
                return None;
            }
        }
        let new = Outage { times: 0, refusals: 0, until: now, trying: false, unavailable: false };
        Some(self.peers.entry(peer).or_insert(new))
    }

    /// A call went there in vain. True the first time in a row. Calls that were under way when its rest began make it no longer.
    fn silent(&mut self, now: Mono, peer: SocketAddr, rests: Rests) -> bool {
        let Some(outage) = self.entry(now, peer) else { return false };
        outage.unavailable = false;
        if outage.rests(now) {
            return false;
        }
        outage.rest(now, None, rests);
        outage.times == 1
    }

    /// It has refused a call by 503. True where its first rest in a row begins.
    fn refused(&mut self, now: Mono, peer: SocketAddr, retry_after: Option<Duration>, rests: Rests) -> bool {
        let Some(outage) = self.entry(now, peer) else { return false };
        outage.unavailable = true;
        outage.refusals = outage.refusals.saturating_add(1);
        // One that has rested is asked by one call whether it is back, and says that it is not.
        let again = outage.times > 0 || outage.refusals >= rests.refusals;
        if outage.rests(now) {
            let asked = retry_after.map(|asked| now.after(asked.min(rests.longest)));
            outage.until = asked.map_or(outage.until, |asked| asked.max(outage.until));
            return false;
        }
        if retry_after.is_some() || again {
            outage.rest(now, retry_after, rests);
        }
        outage.times == 1
    }

    pub fn is_out(&self, now: Mono, peer: SocketAddr) -> bool {
        self.until(now, peer, true).is_some()
    }

    /// When it may be tried again; none: now. `refuses`: one that is there and refuses calls is out as well.
    pub fn until(&self, now: Mono, peer: SocketAddr, refuses: bool) -> Option<Mono> {
        if self.down.contains(&peer) {
            return Some(Mono(u64::MAX));
        }
        let outage = self.peers.get(&peer).filter(|outage| refuses || !outage.unavailable);
        outage.map(|outage| outage.until).filter(|until| now < *until)
    }

    fn hops<'a>(&'a self, trunk: &'a Trunk) -> impl Iterator<Item = SocketAddr> + 'a {
        let named = self.hops.get(&trunk.name).filter(|_| trunk.target.address().is_none());
        let listed = trunk.target.address().into_iter().chain(trunk.others.iter().copied());
        listed.chain(named.into_iter().flatten().copied())
    }

    /// When the first of a trunk's addresses may be tried again; none while there is one that may.
    fn trunk_until(&self, now: Mono, trunk: &Trunk, refuses: bool) -> Option<Mono> {
        let until = self.hops(trunk).map(|peer| self.until(now, peer, refuses));
        until.reduce(earlier).flatten()
    }

    /// One caller finds out whether it is back: others do not wait for that too.
    fn tried(&mut self, now: Mono, peer: SocketAddr, within: Duration) {
        if let Some(outage) = self.peers.get_mut(&peer).filter(|outage| outage.times > 0 && outage.until <= now) {
            (outage.until, outage.trying) = (now.after(within), true);
        }
    }

    /// Something came from there: it lives. A connection comes from a port of its own.
    fn heard(&mut self, flow: Flow) -> bool {
        let before = self.peers.len();
        let same =
            |peer: &SocketAddr| peer.ip() == flow.remote.ip() && (flow.proto != Proto::Udp || peer.port() == flow.remote.port());
        self.peers.retain(|peer, outage| !same(peer) || outage.unavailable);
        self.peers.len() < before
    }

    /// It has taken a call, or refused it for its own sake. A rest that it has been given lasts all the same.
    fn takes_calls(&mut self, now: Mono, peer: SocketAddr) -> bool {
        let over = self.peers.get(&peer).is_some_and(|outage| !outage.rests(now));
        over.then(|| self.peers.remove(&peer)).flatten().is_some_and(|outage| outage.times > 0)
    }

    /// How an address stands, for people; and how long it rests.
    fn standing(&self, now: Mono, peer: SocketAddr) -> (&'static str, Option<Duration>) {
        match (self.until(now, peer, true), self.peers.get(&peer)) {
            (None, _) => ("up", None),
            (Some(_), _) if self.down.contains(&peer) => ("down", None),
            (Some(until), Some(outage)) if outage.unavailable => ("unavailable", Some(until.since(now))),
            (Some(until), _) => ("silent", Some(until.since(now))),
        }
    }
}

/// Both are out until the first of them is back.
fn earlier(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    one.zip(other).map(|(one, other)| one.min(other))
}

impl Live {
    /// The trunk by which a target is called.
    fn trunk(&self, target: &Target) -> Option<&Trunk> {
        match &target.trunk {
            Some(name) => self.trunks.iter().find(|trunk| trunk.name == *name),
            None => self.trunks.get(self.default_route),
        }
    }
}

impl Switch {
    /// A target gave no sign until its time was over. One whose name came to nothing was never called.
    pub(super) fn unreached(&mut self, now: Now, id: CallId, leg_no: LegNo) {
        let leg = self.calls.get(&id).and_then(|active| active.legs.get(&leg_no));
        if let Some(leg) = leg.filter(|leg| leg.at.port() != 0) {
            self.gave_no_sign(now, leg.at);
        }
    }

    /// A hop of a called party failed; the next one is called, where there is one. A seat's own phone has no other verdict than that
    /// its next one comes first.
    pub(super) fn hop_failed(&mut self, now: Now, leg: LegId, (hop, why): (SocketAddr, HopEnd), next: Option<SocketAddr>) {
        let Some(&(id, leg_no)) = self.leg_calls.get(&leg) else { return };
        let Some(leg) = self.calls.get_mut(&id).and_then(|active| active.legs.get_mut(&leg_no)) else { return };
        leg.at = next.unwrap_or(leg.at);
        let by_trunk = leg.trunk.is_some();
        match why {
            HopEnd::Silent if by_trunk || next.is_some() => self.gave_no_sign(now, hop),
            HopEnd::Unavailable { retry_after } if by_trunk => self.refused_by(now, hop, retry_after),
            _ => {}
        }
        if let Some(next) = next {
            self.peer_tried(now, next);
        }
    }

    fn gave_no_sign(&mut self, now: Now, peer: SocketAddr) {
        if self.outages.silent(now.mono, peer, self.setup.rests) {
            tracing::warn!(%peer, "a trunk's peer gives no sign: calls go to the next target first until it is heard");
        }
        self.look_at_remote_soon(now);
        self.carriers.all.suspect(&mut self.ua, now, peer, &mut self.carriers.news);
    }

    fn refused_by(&mut self, now: Now, peer: SocketAddr, retry_after: Option<Duration>) {
        if self.outages.refused(now.mono, peer, retry_after, self.setup.rests) {
            let asked = retry_after.map(|asked| asked.as_secs());
            tracing::warn!(%peer, asked, "a trunk's peer answers 503: calls go to the next target first for a while");
        }
    }

    /// Something came from there: a request, or the answer to one of ours.
    pub(super) fn peer_heard(&mut self, now: Now, flow: Flow) {
        self.health.heard(flow);
        if !self.outages.is_empty() && self.outages.heard(flow) {
            tracing::info!(peer = %flow, "a trunk's peer that gave no sign is heard again");
            self.look_at_remote_soon(now);
        }
    }

    /// The party of a leg has said something to its call. 503 and 430 say nothing of the party, and what is said of one number
    /// nothing of the hop.
    pub(super) fn hop_says(&mut self, now: Now, event: &Event) {
        if self.outages.is_empty() {
            return;
        }
        let of_party = |end: &End| {
            let of_number = end.refused.as_ref().is_some_and(|refused| refused.is_of_number());
            end.by == EndedBy::Peer && !of_number && end.said().is_some_and(|status| !matches!(status, 430 | 503))
        };
        let leg = match event {
            Event::Progress { leg, .. } | Event::Answered { leg } => leg,
            Event::Ended { leg, end } if of_party(end) => leg,
            _ => return,
        };
        let found = self.leg_calls.get(leg).and_then(|(id, leg_no)| self.calls.get(id)?.legs.get(leg_no));
        let Some(peer) = found.map(|leg| leg.at) else { return };
        if self.outages.takes_calls(now.mono, peer) {
            tracing::info!(%peer, "a trunk's peer takes calls again");
            self.look_at_remote_soon(now);
        }
    }

    /// A target is called.
    pub(super) fn peer_tried(&mut self, now: Now, peer: SocketAddr) {
        self.outages.tried(now.mono, peer, self.setup.rests.longest);
    }

    /// When a trunk may be tried again; none: now. A call by an account goes where that is registered. `refuses`: one
    /// that is there and refuses calls is out as well.
    pub(super) fn trunk_out(&self, now: Now, trunk: &Trunk, refuses: bool) -> Option<Mono> {
        if self.outages.is_empty() {
            return None;
        }
        let bound = self.bound_at(trunk).map(|peer| self.outages.until(now.mono, peer, refuses));
        bound.reduce(earlier).unwrap_or_else(|| self.outages.trunk_until(now.mono, trunk, refuses))
    }

    /// The addresses where our accounts at a trunk's carrier are registered: calls go there.
    fn bound_at<'a>(&'a self, trunk: &'a Trunk) -> impl Iterator<Item = SocketAddr> + 'a {
        self.carriers.all.of(&trunk.name).filter_map(Account::last_bound).map(|bound| bound.flow.remote)
    }

    /// The addresses of a trunk, as far as they are known, in the order in which they are called.
    pub(super) fn peers_of(&self, now: Now, trunk: &Trunk) -> Vec<PeerView> {
        let asked: Vec<SocketAddr> = self.health.of(&trunk.name).collect();
        let bound: BTreeSet<SocketAddr> = self.bound_at(trunk).collect();
        let listed = self.outages.hops(trunk).filter(|_| bound.is_empty());
        let mut all: Vec<SocketAddr> = bound.iter().copied().chain(listed).collect();
        all.extend(asked.iter().filter(|at| !all.contains(at)).copied().collect::<Vec<_>>());
        let view = |address: SocketAddr| {
            let (state, left) = self.outages.standing(now.mono, address);
            PeerView { address, state, left, asked: asked.contains(&address) }
        };
        all.into_iter().map(view).collect()
    }

    fn target_is_out(&self, now: Now, target: &Target, refuses: bool) -> bool {
        self.setup.trunk(target).is_some_and(|trunk| self.trunk_out(now, trunk, refuses).is_some())
    }

    /// None of our accounts at its carrier is registered.
    fn is_unregistered(&self, target: &Target) -> bool {
        self.setup.trunk(target).is_some_and(|trunk| !self.carriers.may_use(trunk))
    }

    /// A way to an emergency line by a trunk of which we count no free channel: ways by others come first.
    fn is_full(&self, target: &Target) -> bool {
        target.emergency && self.setup.trunk(target).is_some_and(|trunk| !self.channels.free(trunk, true))
    }

    /// The plan's steps around peers that give no sign: in a chain that goes on after silence they come last, and a chain
    /// of nobody else is left out where the plan has more to try. An emergency line is tried whatever is known of it.
    pub(super) fn around(&self, now: Now, steps: Arc<[Step]>, emergency: bool) -> Arc<[Step]> {
        if self.outages.is_empty() && !self.carriers.has_unserved() && !emergency {
            return steps;
        }
        let mut left: Vec<Step> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let Step::Ring { targets, timeout, advance } = step else {
                left.push(step.clone());
                continue;
            };
            let out = |target: &Target, refuses| {
                let out = advance.on(Failure::NoAnswer) && self.target_is_out(now, target, refuses);
                out || advance.on(Failure::Failed) && (self.is_full(target) || self.is_unregistered(target))
            };
            // One that refuses calls says so at once: to try it last costs nobody any time.
            let gone = targets.iter().all(|target| out(target, false));
            let (out, there): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(|target| out(target, true));
            let more = steps.iter().skip(index + 1).any(|step| matches!(step, Step::Ring { .. } | Step::Queue { .. }));
            if !gone || emergency || !more {
                let targets = there.into_iter().chain(out).collect();
                left.push(Step::Ring { targets, timeout: *timeout, advance: *advance });
            }
        }
        left.into()
    }

    /// The same for a move, whose chain always goes on.
    pub(super) fn goal_around(&self, now: Now, goal: Goal) -> Goal {
        match goal {
            Goal::Ring { to, chain, timeout } if chain.len() > 1 => {
                let is_out = |dialled: &Dialled| matches!(dialled, Dialled::Target(target) if self.target_is_out(now, target, true) || self.is_full(target) || self.is_unregistered(target));
                let (out, there): (Vec<Dialled>, Vec<Dialled>) = chain.into_iter().partition(is_out);
                Goal::Ring { to, chain: there.into_iter().chain(out).collect(), timeout }
            }
            goal => goal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTS: Rests = Rests { shortest: Duration::from_secs(5), longest: Duration::from_secs(20), refusals: 3 };

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000)
    }

    fn from(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    fn flow(proto: Proto, remote: SocketAddr) -> Flow {
        Flow { proto, local: from(1, 5060), remote }
    }

    #[test]
    fn a_peer_without_a_sign_rests_longer_each_time_and_is_tried_by_one_caller_at_a_time() {
        let peer = from(3, 5060);
        let mut outages = Outages::default();
        let note = |outages: &mut Outages, seconds| outages.silent(at(seconds), peer, RESTS);
        assert!(note(&mut outages, 0), "said once");
        assert!(!note(&mut outages, 1), "another call that was under way");
        assert!(outages.is_out(at(4), peer) && !outages.is_out(at(5), peer));
        outages.tried(at(6), peer, RESTS.longest);
        assert!(outages.is_out(at(7), peer), "one caller tries it, the others do not");
        assert!(!note(&mut outages, 10) && outages.is_out(at(19), peer) && !outages.is_out(at(20), peer));
        for more in 0..40 {
            note(&mut outages, 100 + 20 * more);
        }
        assert!(outages.is_out(at(899), peer) && !outages.is_out(at(900), peer), "bounded");
        let heard = |outages: &mut Outages, proto, remote| outages.heard(flow(proto, remote));
        assert!(!heard(&mut outages, Proto::Udp, from(4, 5060)) && !heard(&mut outages, Proto::Udp, from(3, 6000)));
        assert!(heard(&mut outages, Proto::Tcp, from(3, 40_000)) && outages.is_empty());
        note(&mut outages, 0);
        assert!(heard(&mut outages, Proto::Udp, peer) && outages.is_empty());
    }

    #[test]
    fn a_503_is_one_calls_and_one_that_asks_for_a_rest_has_it() {
        let peer = from(3, 5060);
        for (asked, rest) in [(12, 12), (0, 5), (3600, 20)] {
            let mut outages = Outages::default();
            assert!(outages.refused(at(0), peer, Some(Duration::from_secs(asked)), RESTS));
            // Whatever it answers to what was under way.
            assert!(!outages.heard(flow(Proto::Udp, peer)) && !outages.takes_calls(at(1), peer));
            outages.refused(at(1), peer, None, RESTS);
            outages.refused(at(1), peer, Some(Duration::ZERO), RESTS);
            assert!(outages.is_out(at(rest - 1), peer) && !outages.is_out(at(rest), peer), "{asked}");
            assert!(outages.until(at(1), peer, false).is_none(), "it is there");
            outages.tried(at(rest), peer, RESTS.longest);
            assert!(outages.takes_calls(at(rest), peer) && outages.is_empty());
        }
        let mut outages = Outages::default();
        let refuses = |outages: &mut Outages, seconds| outages.refused(at(seconds), peer, None, RESTS);
        assert!(!refuses(&mut outages, 0) && !refuses(&mut outages, 0) && !outages.is_out(at(0), peer));
        assert!(!outages.takes_calls(at(0), peer) && outages.is_empty(), "the row is broken");
        assert!(!refuses(&mut outages, 0) && !refuses(&mut outages, 0) && refuses(&mut outages, 0));
        assert!(outages.is_out(at(4), peer) && !outages.is_out(at(5), peer));
        // The call that tries it is refused: it rests longer at once.
        outages.tried(at(5), peer, RESTS.longest);
        assert!(!refuses(&mut outages, 6) && outages.is_out(at(15), peer) && !outages.is_out(at(16), peer));
    }

    #[test]
    fn a_trunk_is_out_when_each_of_its_addresses_is() {
        let mut outages = Outages::default();
        let trunk = |target: &str, others: Vec<SocketAddr>| Trunk {
            others,
            ..super::super::setup::tests::trunk(
                "x",
                crate::base::Target { transport: crate::base::Transport::Udp, place: target.parse().unwrap() },
            )
        };
        let (listed, named) = (trunk("10.0.0.3:5060", vec![from(4, 5060)]), trunk("sbc.example.cn:5060", Vec::new()));
        outages.learn(&named.name, [from(3, 5060), from(4, 5060)].into_iter());
        let until = |outages: &Outages, now| [&listed, &named].map(|trunk| outages.trunk_until(at(now), trunk, true));
        assert_eq!(until(&outages, 0), [None; 2]);
        outages.silent(at(0), from(3, 5060), RESTS);
        assert_eq!(until(&outages, 0), [None; 2], "the other one is there");
        outages.silent(at(2), from(4, 5060), RESTS);
        assert_eq!(until(&outages, 2), [Some(at(5)); 2]);
        assert_eq!(until(&outages, 5), [None; 2]);
    }

    #[test]
    fn verdicts_are_bounded() {
        let mut outages = Outages::default();
        for port in 1..=2 * MOST_PEERS as u16 {
            outages.silent(at(0), from(3, port), RESTS);
        }
        assert_eq!(outages.len(), MOST_PEERS);
        assert!(outages.silent(at(6), from(4, 5060), RESTS), "those whose rest is over make room");
    }
}
