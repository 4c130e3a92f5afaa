//! Peers of targets that gave no sign. The next caller goes to the next target at once; they come last until they are heard
//! again, or until one caller has tried them after a rest that grows.

use super::{Live, Switch, Trunk};
use crate::base::{CallId, Flow, Mono, Now, Proto};
use crate::call::{Dialled, Goal, LegNo};
use crate::plan::{Failure, Step, Target};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// By the address that is called: there are no more than hops of trunks and seats.
#[derive(Debug, Default)]
pub(super) struct Outages(BTreeMap<SocketAddr, Outage>);

#[derive(Clone, Copy, Debug)]
struct Outage {
    times: u32,
    /// Passed over until then.
    until: Mono,
}

impl Outages {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A setup may have moved them, or whoever reloads may have seen to them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Nothing came from it for as long as it was called. True the first time in a row.
    fn note(&mut self, now: Mono, peer: SocketAddr, (shortest, longest): (Duration, Duration)) -> bool {
        let outage = self.0.entry(peer).or_insert(Outage { times: 0, until: now });
        let doubled = 1_u32.checked_shl(outage.times).unwrap_or(u32::MAX);
        outage.times = outage.times.saturating_add(1);
        outage.until = now.after(shortest.saturating_mul(doubled).min(longest.max(shortest)));
        outage.times == 1
    }

    pub fn is_out(&self, now: Mono, peer: SocketAddr) -> bool {
        self.until(now, peer).is_some()
    }

    /// When it may be tried again; none: now.
    pub fn until(&self, now: Mono, peer: SocketAddr) -> Option<Mono> {
        self.0.get(&peer).map(|outage| outage.until).filter(|until| now < *until)
    }

    /// One caller finds out whether it is back: others do not wait for that too.
    fn tried(&mut self, now: Mono, peer: SocketAddr, within: Duration) {
        if let Some(outage) = self.0.get_mut(&peer).filter(|outage| outage.until <= now) {
            outage.until = now.after(within);
        }
    }

    /// A connection comes from a port of its own.
    fn heard(&mut self, flow: Flow) -> bool {
        let before = self.0.len();
        let same =
            |peer: &SocketAddr| peer.ip() == flow.remote.ip() && (flow.proto != Proto::Udp || peer.port() == flow.remote.port());
        self.0.retain(|peer, _| !same(peer));
        self.0.len() < before
    }
}

impl Live {
    /// Where a target is called; none for one that is named, whose hops have outages of their own.
    fn peer(&self, target: &Target) -> Option<SocketAddr> {
        self.trunk(target)?.target.address()
    }

    fn trunk(&self, target: &Target) -> Option<&Trunk> {
        match &target.trunk {
            Some(name) => self.trunks.iter().find(|trunk| trunk.name == *name),
            None => self.trunks.get(self.default_route),
        }
    }
}

impl Switch {
    /// A target gave no sign until its time was over.
    pub(super) fn unreached(&mut self, now: Now, id: CallId, leg_no: LegNo) {
        let Some(peer) = self.calls.get(&id).and_then(|active| active.legs.get(&leg_no)).map(|leg| leg.at) else { return };
        self.note_outage(now, peer);
    }

    pub(super) fn note_outage(&mut self, now: Now, peer: SocketAddr) {
        if self.outages.note(now.mono, peer, self.setup.outage) {
            tracing::warn!(%peer, "a trunk's peer gives no sign: calls go to the next target first until it is heard");
        }
        self.look_at_remote_soon(now);
        self.carriers.all.suspect(&mut self.ua, now, peer, &mut self.carriers.news);
    }

    /// Something came from there.
    pub(super) fn peer_heard(&mut self, now: Now, flow: Flow) {
        if !self.outages.is_empty() && self.outages.heard(flow) {
            tracing::info!(peer = %flow, "a trunk's peer that gave no sign is heard again");
            self.look_at_remote_soon(now);
        }
    }

    /// A target is called.
    pub(super) fn peer_tried(&mut self, now: Now, peer: SocketAddr) {
        self.outages.tried(now.mono, peer, self.setup.outage.1);
    }

    fn target_is_out(&self, now: Now, target: &Target) -> bool {
        self.setup.peer(target).is_some_and(|peer| self.outages.is_out(now.mono, peer))
    }

    /// None of our accounts at its carrier is registered.
    fn is_unregistered(&self, target: &Target) -> bool {
        self.setup.trunk(target).is_some_and(|trunk| !self.carriers.may_use(trunk))
    }

    /// A way to an emergency line by a trunk of which we count no free channel: ways by others come first.
    fn is_full(&self, target: &Target) -> bool {
        let trunk = self.setup.trunk(target);
        target.emergency && trunk.is_some_and(|trunk| !self.channels.free(trunk, true))
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
            let (out, there): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(|target| {
                let out = advance.on(Failure::NoAnswer) && self.target_is_out(now, target);
                out || advance.on(Failure::Failed) && (self.is_full(target) || self.is_unregistered(target))
            });
            let more = steps.iter().skip(index + 1).any(|step| matches!(step, Step::Ring { .. } | Step::Queue { .. }));
            if !there.is_empty() || emergency || !more {
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
                let is_out = |dialled: &Dialled| matches!(dialled, Dialled::Target(target) if self.target_is_out(now, target) || self.is_full(target) || self.is_unregistered(target));
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

    #[test]
    fn a_peer_without_a_sign_rests_longer_each_time_and_is_tried_by_one_caller_at_a_time() {
        let (peer, rests) = (SocketAddr::from(([10, 0, 0, 3], 5060)), (Duration::from_secs(5), Duration::from_secs(20)));
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        let mut outages = Outages::default();
        assert!(outages.note(at(0), peer, rests), "said once");
        assert!(outages.is_out(at(4), peer) && !outages.is_out(at(5), peer));
        outages.tried(at(6), peer, rests.1);
        assert!(outages.is_out(at(7), peer), "one caller tries it, the others do not");
        assert!(!outages.note(at(10), peer, rests) && outages.is_out(at(19), peer) && !outages.is_out(at(20), peer));
        for _ in 0..40 {
            outages.note(at(100), peer, rests);
        }
        assert!(outages.is_out(at(119), peer) && !outages.is_out(at(120), peer), "bounded");
        let from = |host: u8, port: u16| SocketAddr::from(([10, 0, 0, host], port));
        let flow = |proto, remote| Flow { proto, local: from(1, 5060), remote };
        assert!(!outages.heard(flow(Proto::Udp, from(4, 5060))) && !outages.heard(flow(Proto::Udp, from(3, 6000))));
        assert!(outages.heard(flow(Proto::Tcp, from(3, 40_000))) && outages.is_empty());
        outages.note(at(0), peer, rests);
        assert!(outages.heard(flow(Proto::Udp, peer)) && outages.is_empty());
    }
}
