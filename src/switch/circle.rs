//! Calls that come back: platforms and exchanges that send a caller to each other would do it for ever. Headers tell where they
//! survive; calls in progress tell where they do not; and Max-Forwards, which each leg has one less of, ends what neither tells
//! (RFC 3261 §16.6).

use super::identity::Identity;
use super::{Active, Leg, Presented, Switch};
use crate::base::CallId;
use crate::call::{CALLER, Dialled, Goal, LegNo};
use crate::dialog::Incoming;
use crate::event::TransferKind;
use crate::plan::{self, Decision, Mode, Step, Target};
use crate::sip::Name;
use crate::ua::registration::Shows;

/// Calls of one caller that ring at one target, where nothing tells a call that came back from another person of the same number, such
/// as of a company: so many seldom ring at once, and a circle has as many soon.
const ALIKE: usize = 8;

impl Switch {
    /// Tells whether this caller came from there: by the headers where they survive, else since another call of the same
    /// caller has been with that target from before this one came (carriers strip the headers that would tell, so platforms
    /// that send callers to each other would do it for ever). Not a target that was only rung or consulted; and not another
    /// person of the same number, whose call comes from where the first one came and not from where the target is. Where
    /// all come from one address nothing tells the two apart: then nobody is sent there unheard, but a seat may ask the
    /// target, which knows.
    pub(super) fn goes_in_circles(
        &self,
        id: CallId,
        active: &Active,
        goal: &Goal,
        decision: &Decision,
        kind: TransferKind,
    ) -> bool {
        let Identity { history, area, caller, .. } = &active.identity;
        let plan = &active.setup.plan;
        let been = |number: &String| plan.number(number, area.as_deref()) == decision.number;
        if decision.mode == plan::Mode::Platform && history.iter().any(been) {
            return true;
        }
        let others = self.calls.iter().filter(|(other, it)| **other != id && caller.is_some() && it.identity.caller == *caller);
        let Goal::Ring { chain, .. } = goal else { return false };
        others.into_iter().any(|(_, other)| match other.sent(active, chain) {
            Sent::Surely => true,
            Sent::Perhaps => kind == TransferKind::Blind,
            Sent::Not => false,
        })
    }

    /// Tells whether a trunk's INVITE brings back a call that has gone out to one of these very targets: it has kept our mark, or it
    /// shows a number of our own; or its caller rings there already and it comes from there, or that is so as often as it seldom is.
    pub(super) fn came_back(&self, incoming: &Incoming, decision: &Decision) -> bool {
        let targets: Vec<&Target> = decision.steps.iter().filter_map(rung).flatten().collect();
        if targets.is_empty() || decision.mode == Mode::Emergency {
            return false;
        }
        let is_one = |number: &str| targets.iter().any(|target| *target.number == *number);
        let mark = incoming.headers.iter().find(|header| header.name == Name::XHotlineCallId);
        let mark = mark.and_then(|header| str::from_utf8(&header.value).ok()?.trim().parse::<CallId>().ok());
        let (from, caller) = (incoming.flow.remote.ip(), decision.caller.as_deref());
        let mut alike = 0;
        for (id, active) in &self.calls {
            if alike >= ALIKE {
                break;
            }
            let Some((leg_no, rings)) = active.call.called(is_one) else { continue };
            if mark == Some(*id) || caller.is_some_and(|caller| active.shows_as(leg_no, caller)) {
                return true;
            }
            if !rings || caller.is_none() || active.identity.caller.as_deref() != caller {
                continue;
            }
            let comes = |leg_no| active.legs.get(&leg_no).is_some_and(|leg: &Leg| leg.at.ip() == from);
            match (comes(CALLER), comes(leg_no)) {
                (false, true) if decision.mode == Mode::Platform => return true,
                // Another person calls by the same way.
                (true, false) => {}
                (_, true) | (false, false) => alike += 1,
            }
        }
        alike >= ALIKE
    }
}

fn rung(step: &Step) -> Option<&Vec<Target>> {
    if let Step::Ring { targets, .. } = step { Some(targets) } else { None }
}

impl Active {
    /// Tells whether this leg's peer was shown that number, which is ours and no caller's.
    fn shows_as(&self, leg_no: LegNo, number: &str) -> bool {
        let name = self.legs.get(&leg_no).and_then(|leg| leg.trunk.as_deref());
        let Some(trunk) = self.setup.trunks.iter().find(|trunk| Some(&*trunk.name) == name) else { return false };
        let own = trunk.presents.number.as_deref().filter(|_| trunk.presents.identity == Presented::Own);
        let accounts = trunk.registrations.iter().filter(|account| account.shows == Shows::Own);
        let mut shown = accounts.filter_map(|account| account.aor.user.as_deref()).chain(own);
        shown.any(|shown| self.setup.plan.caller(shown).as_deref() == Some(number))
    }

    /// Tells whether `later` is this call's caller, sent back by one of these.
    fn sent(&self, later: &Active, chain: &[Dialled]) -> Sent {
        let Some((leg_no, since)) = self.call.met(chain) else { return Sent::Not };
        let from = |active: &Active, leg_no| active.legs.get(&leg_no).map(|leg: &Leg| leg.at.ip());
        let (came, there) = (from(self, CALLER), from(self, leg_no));
        match came == from(later, CALLER) {
            _ if since > later.since => Sent::Not,
            true if came == there => Sent::Perhaps,
            true => Sent::Not,
            false => Sent::Surely,
        }
    }
}

/// One call's caller in relation to a later call of the same number.
enum Sent {
    Surely,
    Perhaps,
    Not,
}
