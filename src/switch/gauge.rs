use super::{Refusals, Switch};
use crate::ua::{registrar, registration};

/// Counts what is alive now. Everything but the flags, ports that rest, the seats that are missed and the peers that are out
/// returns to zero when the last call is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub calls: usize,
    pub legs: usize,
    pub client_transactions: usize,
    pub server_transactions: usize,
    /// RTP ports in use.
    pub ports: usize,
    /// RTP ports whose last call is over, or that something still came to.
    pub ports_resting: usize,
    /// How often something came to a port that no call had, since the start.
    pub ports_disturbed: u64,
    /// Responses that were not sent again, since so many had gone to their host, since the start.
    pub repeats_withheld: u64,
    /// Callers in queues.
    pub waiting: usize,
    /// Seat channels taken.
    pub seats: usize,
    /// Seats that did not answer, and have shown no life since.
    pub missed: usize,
    /// Peers of trunks that gave no sign when they were called.
    pub outages: usize,
    /// Addresses of trunks that answer no OPTIONS.
    pub down: usize,
    /// Trunk channels taken.
    pub channels: usize,
    /// Calls that seats have placed.
    pub placed: usize,
    /// Calls counted to those who placed them.
    pub carried: usize,
    /// Setups before the last reload that calls in progress began with.
    pub former_setups: usize,
    /// Parties whose host name is being resolved.
    pub resolving: usize,
    /// Journal entries not yet on disk.
    pub unwritten: usize,
    /// Phones that have registered, sources that are not heard since they failed too often, and what was counted of those.
    pub phones: registrar::Figures,
    /// Our accounts with carriers.
    pub accounts: registration::Figures,
    pub draining: bool,
    pub journal_down: bool,
    /// A shard has no RTP port left: all are in use, or held by others.
    pub no_ports: bool,
}

impl Switch {
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn gauges(&self) -> Gauges {
        let (client, server) = self.ua.len();
        let (waiting, seats) = self.queues.gauges();
        Gauges {
            calls: self.calls.len(),
            legs: self.legs.len(),
            client_transactions: client,
            server_transactions: server,
            ports: self.ports.in_use(),
            ports_resting: self.ports.resting(),
            ports_disturbed: self.ports.disturbances(),
            repeats_withheld: self.ua.withheld(),
            waiting,
            seats,
            placed: self.queues.seats().placed(),
            missed: self.queues.seats().missed().len(),
            outages: self.outages.len(),
            down: self.health.down(),
            channels: self.channels.taken(),
            carried: self.carried.taken(),
            former_setups: self.former.len(),
            resolving: self.resolving.len(),
            unwritten: self.journal.unwritten.len(),
            phones: self.phones(),
            accounts: self.carriers.figures(),
            draining: self.draining,
            journal_down: self.journal.down,
            no_ports: self.ports.dry(),
        }
    }
}

impl Gauges {
    /// Nothing of any call is left.
    pub fn idle(&self) -> bool {
        let alive = [self.calls, self.legs, self.client_transactions, self.server_transactions, self.ports];
        alive
            .iter()
            .chain([
                &self.waiting,
                &self.seats,
                &self.channels,
                &self.placed,
                &self.carried,
                &self.former_setups,
                &self.resolving,
                &self.unwritten,
            ])
            .all(|n| *n == 0)
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub messages_in: u64,
    /// Messages that were no SIP, or broken.
    pub malformed: u64,
    /// Messages from senders that no trunk and no seat names.
    pub strangers: u64,
    pub rate_limited: u64,
    /// Messages of ours that could not be sent.
    pub unsent: u64,
    pub calls: u64,
    /// Calls refused before they had a record: overload, draining, journal down.
    pub shed: u64,
    /// Requests refused before they became a call, these and all others.
    pub refused: Refusals,
    /// Callers who talked to somebody.
    pub answered: u64,
    pub no_route: u64,
    /// Refusals that a trunk's network meant for its line, by its map of causes.
    pub lines_refused: u64,
    /// Parties whose host name had no address that may be called.
    pub unresolved: u64,
    pub no_port: u64,
    pub missing_prompts: u64,
    /// Callers who would have left a message, and nothing could be recorded.
    pub messages_refused: u64,
    /// Legs whose audio waited for a sign of the caller.
    pub withheld: u64,
    /// Parties whose media failed, which ended their call.
    pub media_failed: u64,
    /// Panics, each of which cost one call or none.
    pub panics: u64,
    /// Emergency calls that went on before their first entry was on the disk.
    pub unwritten: u64,
    /// Setups taken over since the start.
    pub reloads: u64,
}
