//! How fast each address of a trunk or seat is served, before the parser. An address can be forged over UDP, so a flood of new
//! requests in its name takes nothing from its calls in progress, nor from its calls for help.

use super::Switch;
use super::access::Owner;
use crate::base::{Flow, MapSeed, Mono, Rate, RateLimit, Source, owner};
use std::net::IpAddr;

/// Methods of requests that belong to a call, or end it.
const OF_CALLS: [&[u8]; 9] = [b"SIP/2.0 ", b"ACK ", b"BYE ", b"CANCEL ", b"PRACK ", b"UPDATE ", b"INFO ", b"NOTIFY ", b"REFER "];

/// The kinds of messages that have a rate of their own each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OfCalls,
    Help,
    Other,
}

/// One rate for all messages of an address; when it is used up, one more for those of calls, and one for calls for help.
pub(super) struct Budget {
    all: RateLimit,
    of_calls: RateLimit,
    help: RateLimit,
}

impl Budget {
    pub fn new(rate: Rate, seed: MapSeed) -> Budget {
        let [all, of_calls, help] = [(); 3].map(|()| RateLimit::new(rate, seed));
        Budget { all, of_calls, help }
    }

    /// One more beyond the rate for all.
    fn spare(&mut self, now: Mono, source: IpAddr, kind: Kind) -> bool {
        match kind {
            Kind::OfCalls => self.of_calls.allow(now, source),
            Kind::Help => self.help.allow(now, source),
            Kind::Other => false,
        }
    }
}

impl Switch {
    /// The sender that a message from there counts as, for turns and shares.
    pub fn source(&self, host: IpAddr) -> Source {
        match self.access.find(host) {
            Some(Owner::Trunk(trunk)) => Source::Trunk(trunk),
            Some(Owner::Seat) => Source::Host(owner(host)),
            None if self.former.knows(host).is_some() || self.homes.knows(host) => Source::Host(owner(host)),
            None => Source::Strangers,
        }
    }

    /// True for what is dropped last: it belongs to a call in progress, or calls for help.
    pub fn spares(&self, flow: Flow, data: &[u8]) -> bool {
        self.kind(flow, data) != Kind::Other
    }

    /// A message was dropped before it came here, since too many of its source's wait.
    pub fn dropped(&mut self) {
        self.counters.messages_in += 1;
        self.counters.rate_limited += 1;
    }

    pub(super) fn allows(&mut self, now: Mono, flow: Flow, data: &[u8]) -> bool {
        let source = flow.remote.ip();
        if self.peers.all.allow(now, source) {
            return true;
        }
        let kind = self.kind(flow, data);
        self.peers.spare(now, source, kind)
    }

    fn kind(&self, flow: Flow, data: &[u8]) -> Kind {
        match () {
            () if OF_CALLS.iter().any(|method| data.starts_with(method)) => Kind::OfCalls,
            () if self.calls_for_help(flow, data) => Kind::Help,
            () => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_progress_and_calls_for_help_have_a_rate_of_their_own() {
        let mut budget = Budget::new(Rate { per_second: 10, burst: 20, max_sources: 10 }, MapSeed(1, 2));
        let mut passed = |kind, second: u64| {
            let (now, host) = (Mono(second * 1_000_000), [192, 0, 2, 7].into());
            (0..1000).filter(|_| budget.all.allow(now, host) || budget.spare(now, host, kind)).count()
        };
        assert_eq!(passed(Kind::Other, 10), 20);
        assert_eq!((passed(Kind::OfCalls, 10), passed(Kind::Help, 10), passed(Kind::Other, 10)), (20, 20, 0));
        // While nothing floods, all share one rate.
        assert_eq!((passed(Kind::OfCalls, 60), passed(Kind::Other, 60)), (40, 0));
    }
}
