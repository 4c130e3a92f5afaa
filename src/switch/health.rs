//! OPTIONS to the addresses of trunks (RFC 3261 §11), as often as each trunk says: one that misses some in a row takes no calls
//! until it has answered some. Any answer is a sign of life but 503, and so is anything else that comes from there: who talks is
//! not asked. A trunk where we register is asked as the account that is registered, where it is registered: carriers shut out others.

use super::{Output, Switch, Trunk, route};
use crate::base::{Flow, Hop, LegId, Mono, Now, Place, Proto, Target, Timers};
use crate::sip::{Header, Host, Method, Name, NameAddr, Request, Uri};
use crate::transaction::Event;
use crate::ua::registration::Account;
use crate::ua::{PingId, Usage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Health {
    pinged: BTreeMap<SocketAddr, Pinged>,
    timers: Timers<Due>,
    /// Trunks whose names are being resolved.
    resolving: BTreeMap<LegId, Arc<str>>,
    /// The number of the last question.
    last: u32,
}

/// A moment's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Due {
    /// To ask an address, or to judge its silence.
    Address(SocketAddr),
    /// To look where a trunk is.
    Trunk(Arc<str>),
}

struct Pinged {
    trunk: Arc<str>,
    /// The place that led to this address.
    target: Target,
    flow: Flow,
    every: Duration,
    /// The last question. A late answer to it counts as well.
    question: Option<PingId>,
    /// The time for its answer is not over.
    waits: bool,
    /// Something came since it was judged last; or a 503 to our question.
    heard: bool,
    refused: bool,
    misses: u32,
    answers: u32,
    down: bool,
}

/// The change that an answer, or none, has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Down,
    Up,
}

impl Pinged {
    fn new(trunk: &Trunk, flow: Flow, every: Duration) -> Pinged {
        let (question, waits, heard, refused, misses, answers, down) = (None, false, false, false, 0, 0, false);
        let (trunk, target) = (trunk.name.clone(), trunk.target.clone());
        Pinged { trunk, target, flow, every, question, waits, heard, refused, misses, answers, down }
    }

    /// Its time is over. (misses in a row until it is down, answers until it is up)
    fn judge(&mut self, (most, least): (u32, u32)) -> Option<Change> {
        let answered = self.heard && !self.refused;
        (self.waits, self.heard, self.refused) = (false, false, false);
        if answered {
            (self.misses, self.answers) = (0, self.answers.saturating_add(1));
            return (self.answers >= least && std::mem::take(&mut self.down)).then_some(Change::Up);
        }
        (self.misses, self.answers) = (self.misses.saturating_add(1), 0);
        (self.misses >= most && !std::mem::replace(&mut self.down, true)).then_some(Change::Down)
    }
}

impl Health {
    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// The addresses that are down.
    pub fn down(&self) -> usize {
        self.pinged.values().filter(|pinged| pinged.down).count()
    }

    /// The addresses at which a trunk is asked.
    pub fn of<'a>(&'a self, trunk: &'a str) -> impl Iterator<Item = SocketAddr> + 'a {
        self.pinged.iter().filter(move |(_, pinged)| *pinged.trunk == *trunk).map(|(at, _)| *at)
    }

    /// Something came from there. A connection comes from a port of its own.
    pub fn heard(&mut self, flow: Flow) {
        if self.pinged.is_empty() {
            return;
        }
        if flow.proto == Proto::Udp {
            self.pinged.get_mut(&flow.remote).into_iter().for_each(|pinged| pinged.heard = true);
        } else {
            let same = self.pinged.values_mut().filter(|pinged| pinged.flow.remote.ip() == flow.remote.ip());
            same.for_each(|pinged| pinged.heard = true);
        }
    }

    /// Forgets the addresses for which this does not hold.
    fn keep(&mut self, holds: impl Fn(&Pinged) -> bool) {
        let timers = &mut self.timers;
        self.pinged.retain(|at, pinged| {
            let holds = holds(pinged);
            if !holds {
                timers.cancel(&Due::Address(*at));
            }
            holds
        });
    }

    /// A trunk is at these addresses and no others. Those that are new are asked soon.
    fn place(&mut self, now: Mono, trunk: &Trunk, every: Duration, flows: &[Flow]) {
        self.keep(|pinged| pinged.trunk != trunk.name || flows.contains(&pinged.flow));
        for flow in flows {
            let (name, target) = (trunk.name.clone(), trunk.target.clone());
            match self.pinged.get_mut(&flow.remote) {
                Some(pinged) => (pinged.trunk, pinged.target, pinged.flow, pinged.every) = (name, target, *flow, every),
                None => {
                    self.pinged.insert(flow.remote, Pinged::new(trunk, *flow, every));
                    self.timers.set(Due::Address(flow.remote), now);
                }
            }
        }
    }
}

impl Switch {
    /// The trunks that are to be asked, by a new setup. What was known of an address that is asked on is known on.
    pub(super) fn watch_trunks(&mut self, now: Now) {
        let setup = self.setup.clone();
        let watched = |name: &Arc<str>| setup.trunks.iter().find(|trunk| trunk.name == *name && trunk.ping.is_some());
        self.health.keep(|pinged| watched(&pinged.trunk).is_some_and(|trunk| trunk.target == pinged.target));
        // An answer that comes may be to the name that a trunk had before.
        self.health.resolving.clear();
        for trunk in setup.trunks.iter().filter(|trunk| trunk.ping.is_some()) {
            self.health.timers.set(Due::Trunk(trunk.name.clone()), now.mono);
        }
        self.note_down(now);
    }

    /// Asks those whose turn it is, and judges those whose time is over.
    pub(super) fn ask_trunks(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(due) = self.health.timers.pop(now.mono) {
            match due {
                Due::Address(at) => self.ask_or_judge(now, at),
                Due::Trunk(name) => self.find_watched(now, name, out),
            }
            self.serve(now, out);
        }
    }

    /// The outages hold the addresses that are down, whatever has changed.
    fn note_down(&mut self, now: Now) {
        let down: BTreeSet<SocketAddr> = self.health.pinged.iter().filter(|(_, pinged)| pinged.down).map(|(at, _)| *at).collect();
        if self.outages.are_down(down) {
            self.look_at_remote_soon(now);
        }
    }

    fn ask_or_judge(&mut self, now: Now, at: SocketAddr) {
        let patience = self.fixed.legs.hop_timeout;
        let Some(pinged) = self.health.pinged.get(&at) else { return };
        // Calls tell as much.
        let quiet = !pinged.heard || pinged.down;
        match !pinged.waits && quiet {
            true => self.ask_address(now, at, patience),
            false => self.judge_address(now, at, patience),
        }
    }

    fn ask_address(&mut self, now: Now, at: SocketAddr, patience: Duration) {
        let setup = self.setup.clone();
        self.health.last = self.health.last.wrapping_add(1);
        let question = PingId(self.health.last);
        let Some(pinged) = self.health.pinged.get_mut(&at) else { return };
        let Some(trunk) = setup.trunks.iter().find(|trunk| trunk.name == pinged.trunk) else { return };
        let flow = pinged.flow;
        (pinged.question, pinged.waits, pinged.heard, pinged.refused) = (Some(question), true, false, false);
        // It is looked for anew when our account is registered elsewhere, or nowhere.
        let Some(options) = self.options(trunk, flow) else {
            self.health.keep(|pinged| pinged.flow != flow);
            return self.note_down(now);
        };
        self.health.timers.set(Due::Address(at), now.mono.after(patience));
        self.ua.send(now, flow, options, Some(Usage::Ping(question)));
    }

    fn judge_address(&mut self, now: Now, at: SocketAddr, patience: Duration) {
        let Some(pinged) = self.health.pinged.get_mut(&at) else { return };
        let every = pinged.every;
        let (change, trunk) = (pinged.judge(self.setup.pings), pinged.trunk.clone());
        self.health.timers.set(Due::Address(at), now.mono.after(every.saturating_sub(patience).max(patience)));
        match change {
            Some(Change::Down) => {
                tracing::warn!(%trunk, peer = %at, "a trunk's peer answers no OPTIONS: calls go elsewhere until it does");
            }
            Some(Change::Up) => tracing::info!(%trunk, peer = %at, "a trunk's peer answers again"),
            None => return,
        }
        self.note_down(now);
    }

    /// News of one of our questions. That something came is noted where all that comes is.
    pub(super) fn ping_hears(&mut self, ping: PingId, event: Event) {
        let (id, response) = match event {
            Event::Response { id, flow, response } => (id, Some((flow, response.status))),
            Event::Failed { id, .. } => (id, None),
            _ => return,
        };
        if response.is_some_and(|(_, status)| status.provisional()) {
            return;
        }
        self.ua.finished(id);
        let asked = self.health.pinged.values_mut().find(|pinged| pinged.question == Some(ping));
        if let (Some(pinged), Some((flow, status))) = (asked, response)
            && self.ua.peers().same(pinged.flow.remote.ip(), flow.remote.ip())
        {
            pinged.refused |= status.0 == 503;
        }
    }

    /// Finds the addresses of a trunk: those that the configuration lists, where its accounts are registered, or where its name leads.
    fn find_watched(&mut self, now: Now, name: Arc<str>, out: &mut Vec<Output>) {
        let setup = self.setup.clone();
        let Some(trunk) = setup.trunks.iter().find(|trunk| trunk.name == name) else { return };
        let Some(every) = trunk.ping else { return };
        let flows: Vec<Flow> = match trunk.target.address() {
            _ if !trunk.registrations.is_empty() => {
                self.health.timers.set(Due::Trunk(name.clone()), now.mono.after(every));
                self.carriers.all.of(&name).filter_map(Account::last_bound).map(|bound| bound.flow).collect()
            }
            Some(first) => {
                let hops = std::iter::once(first).chain(trunk.others.iter().copied());
                hops.filter_map(|at| route::flow(&self.fixed.listen, trunk.target.transport, at)).collect()
            }
            None => {
                self.health.timers.set(Due::Trunk(name.clone()), now.mono.after(every));
                self.health.resolving.retain(|_, resolving| *resolving != name);
                let id = self.legs.next_id();
                self.health.resolving.insert(id, name.clone());
                return out.push(Output::Resolve { id: id.0, trunk: Some(name), target: trunk.target.clone() });
            }
        };
        self.health.place(now.mono, trunk, every, &flows);
        self.note_down(now);
    }

    /// The addresses of a trunk that is watched, where it was for them that was asked.
    pub(super) fn watched_is_at(&mut self, now: Now, id: LegId, hops: &[Hop]) {
        let Some(name) = self.health.resolving.remove(&id) else { return };
        let setup = self.setup.clone();
        let Some(trunk) = setup.trunks.iter().find(|trunk| trunk.name == name) else { return };
        let flows = route::flows(&self.fixed, &trunk.sources, hops);
        // A name that nobody resolves for now is where it was.
        if let Some(every) = trunk.ping.filter(|_| !flows.is_empty()) {
            self.outages.learn(&name, flows.iter().map(|flow| flow.remote));
            self.health.place(now.mono, trunk, every, &flows);
            self.note_down(now);
        }
    }

    /// None where no account of ours is registered by this flow any more.
    fn options(&mut self, trunk: &Trunk, flow: Flow) -> Option<Request> {
        let registered = |account: &&Account| account.last_bound().is_some_and(|bound| bound.flow == flow);
        let account = self.carriers.all.of(&trunk.name).find(registered);
        let (uri, mut from, contact, routes) = match account {
            Some(account) => {
                let aor = &account.settings().aor;
                let uri = Uri::sip("", aor.host.clone(), aor.port);
                (uri, NameAddr::new(account.identity().clone()), account.contact(flow).to_string(), account.routes().to_vec())
            }
            None if !trunk.registrations.is_empty() => return None,
            None => {
                let host = match &trunk.target.place {
                    Place::Named(name, _) => Host::Name(name.to_string()),
                    Place::At(_) => Host::Ip(flow.remote.ip()),
                };
                let from = NameAddr::new(Uri::sip("hotline", Host::Ip(flow.local.ip()), None));
                (Uri::sip("", host, Some(flow.remote.port())), from, format!("sip:{}", flow.local), Vec::new())
            }
        };
        let (tag, call_id) = (self.rng.token(), self.rng.token());
        from.params.set("tag", Some(&tag));
        let mut options = Request::new(Method::Options, uri.clone());
        let headers = &mut options.headers;
        headers.push(Name::MaxForwards, "70");
        routes.iter().for_each(|route| headers.push(Name::Route, route.to_string()));
        headers.0.push(Header::printed(Name::From, from));
        headers.0.push(Header::printed(Name::To, NameAddr::new(uri)));
        headers.push(Name::CallId, call_id);
        headers.push(Name::CSeq, "1 OPTIONS");
        headers.push(Name::Contact, format!("<{contact}>"));
        headers.push(Name::Accept, "application/sdp");
        Some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Transport;

    #[test]
    fn some_misses_bring_a_peer_down_and_some_answers_bring_it_back() {
        let at = SocketAddr::from(([10, 0, 0, 3], 5060));
        let trunk = super::super::setup::tests::trunk("x", Target::at(Transport::Udp, at));
        let mut pinged = Pinged::new(&trunk, Flow { proto: Proto::Udp, local: at, remote: at }, Duration::from_secs(30));
        let mut judged = |heard, refused| {
            (pinged.heard, pinged.refused) = (heard, refused);
            pinged.judge((3, 2))
        };
        // One miss is none; a 503 is one.
        let (miss, answer, refusal) = ((false, false), (true, false), (true, true));
        let told: Vec<Option<Change>> = [miss, miss, answer, miss, refusal, miss, miss, answer, miss, answer, answer, answer]
            .map(|(heard, refused)| judged(heard, refused))
            .into();
        let mut expected = vec![None; 12];
        (expected[5], expected[10]) = (Some(Change::Down), Some(Change::Up));
        assert_eq!(told, expected);
    }
}
