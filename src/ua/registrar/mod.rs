//! The registrar: the usage of the user agent that REGISTER begins (RFC 3261 §10, RFC 5626, RFC 3327). It knows who may
//! register, where each seat's phones are, and by which flow each is reached; and it judges an INVITE that comes from beside
//! those flows. Digests are those of RFC 8760: SHA-256 and MD5 are offered together, and a password is kept as a hash alone.
//!
//! Nothing is kept of a request whose sender has proved nothing.

mod binding;
mod guard;
mod kept;
mod proof;
mod read;
#[cfg(test)]
mod tests;

pub use binding::{Binding, Way};
pub use kept::Kept;
pub use proof::Proof;

use crate::base::{Cidr, Flow, Mono, Now, Timers};
use crate::sip::digest::{self, Algorithm, Secret};
use crate::sip::{Header, Name, Request};
use binding::Told;
use guard::Guard;
use read::{Contact, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Nonces in use that are remembered.
const NONCES: usize = 20_000;
/// Extensions of registrars.
pub(super) const SUPPORTED: &str = "path, outbound";

/// The settings, which a reload replaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub realm: String,
    /// Offered in this order, the best first, to whoever names no account.
    pub algorithms: Vec<Algorithm>,
    /// Those from which phones may register; none: from nowhere.
    pub networks: Vec<Cidr>,
    /// The time of a registration that asks for none, and the bounds of one that does.
    pub expires: Duration,
    pub least_expires: Duration,
    pub most_expires: Duration,
    /// Phones of one seat.
    pub contacts: usize,
    /// How long a nonce lasts.
    pub nonce_life: Duration,
    /// Failures after which a source is not heard, and for how long.
    pub tries: u32,
    pub ban: Duration,
    /// By the name that a phone signs with.
    pub accounts: BTreeMap<String, Account>,
}

/// A seat that registers.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub seat: Arc<str>,
    /// One for each algorithm that its phones are offered, the best first.
    pub secrets: Vec<Secret>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Empty: the usual words.
    pub reason: &'static str,
    pub headers: Vec<Header>,
    /// Its sender has proved who it is: repetitions may be remembered.
    pub proved: bool,
}

/// The fate of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It gets no answer: its source has failed too often.
    Silence,
    Answer(Answer),
    /// The bindings of the seat may have changed.
    Bound(Arc<str>, Answer),
}

/// Counts since the start, and what there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub bindings: usize,
    /// Sources that have failed lately.
    pub suspects: usize,
    /// Requests whose sender has not proved who it is, though it tried.
    pub failed: u64,
    pub bans: u64,
    /// Requests that were not heard, since their source has failed too often.
    pub unheard: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Denied {
    status: u16,
    reason: &'static str,
    min_expires: Option<Duration>,
}

impl Denied {
    fn new(status: u16, reason: &'static str) -> Denied {
        Denied { status, reason, min_expires: None }
    }
}

/// All registrations.
pub struct Registrar {
    config: Arc<Config>,
    digest: digest::Server,
    seats: BTreeMap<Arc<str>, Vec<Binding>>,
    flows: BTreeMap<Flow, BTreeSet<Arc<str>>>,
    /// The number of bindings at each host.
    hosts: BTreeMap<IpAddr, usize>,
    timers: Timers<Arc<str>>,
    guard: Guard,
    figures: Figures,
}

impl Registrar {
    /// `key` makes nonces that nobody guesses.
    pub fn new(key: &[u8], config: Arc<Config>) -> Registrar {
        let digest = digest::Server::new(key, &config.realm, config.nonce_life, NONCES);
        let (seats, flows, hosts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (timers, guard) = (Timers::default(), Guard::default());
        Registrar { config, digest, seats, flows, hosts, timers, guard, figures: Figures::default() }
    }

    /// Takes new settings. A seat that they do not name, or whose password is another, has no bindings any more: gives the
    /// seats that lost theirs. Bans end: an operator who reloads has seen to them.
    pub fn configure(&mut self, key: &[u8], config: Arc<Config>) -> Vec<Arc<str>> {
        if (&config.realm, config.nonce_life) != (&self.config.realm, self.config.nonce_life) {
            self.digest = digest::Server::new(key, &config.realm, config.nonce_life, NONCES);
        }
        let old = std::mem::replace(&mut self.config, config);
        self.guard.clear();
        let same = |seat: &Arc<str>| match (account(&old, seat), account(&self.config, seat)) {
            // Another order of algorithms, or fewer of them, is no other password.
            (Some(old), Some(new)) => old == new || old.secrets.iter().any(|secret| new.secrets.contains(secret)),
            _ => false,
        };
        let gone: Vec<Arc<str>> = self.seats.keys().filter(|seat| !same(seat)).cloned().collect();
        gone.iter().for_each(|seat| self.replace(seat, Vec::new()));
        gone
    }

    /// Phones may register from there.
    pub fn admits(&self, host: IpAddr) -> bool {
        self.config.networks.iter().any(|network| network.contains(host))
    }

    /// A phone registered from that host.
    pub fn is_home(&self, host: IpAddr) -> bool {
        self.hosts.contains_key(&host)
    }

    /// A phone registered by this flow.
    pub fn keeps(&self, flow: Flow) -> bool {
        self.flows.contains_key(&flow)
    }

    /// The seat whose phone signs with this name.
    pub fn seat_of(&self, user: &str) -> Option<&Arc<str>> {
        self.config.accounts.get(user).map(|account| &account.seat)
    }

    /// A phone registered by this flow, with no proxy between.
    pub fn is_direct(&self, flow: Flow) -> bool {
        self.at(flow).next().is_some()
    }

    /// The seats whose phones registered by this flow, with no proxy between.
    pub fn at(&self, flow: Flow) -> impl Iterator<Item = &Arc<str>> {
        let direct = move |seat: &&Arc<str>| self.bindings(seat).iter().any(|binding| binding.flow == flow && binding.direct);
        self.flows.get(&flow).into_iter().flatten().filter(direct)
    }

    /// A seat's phones, the one that registered last first.
    pub fn bindings(&self, seat: &str) -> &[Binding] {
        self.seats.get(seat).map_or(&[], Vec::as_slice)
    }

    /// The ways to a seat's phones, the one that registered last first.
    pub fn ways(&self, seat: &str) -> impl Iterator<Item = Way> {
        self.bindings(seat).iter().map(Binding::way)
    }

    pub fn figures(&self) -> Figures {
        Figures { bindings: self.hosts.values().sum(), suspects: self.guard.len(), ..self.figures }
    }

    /// Requests whose sender tried in vain to prove who it is, and bans, since the start.
    pub fn failures(&self) -> (u64, u64) {
        (self.figures.failed, self.figures.bans)
    }

    /// Seats that have a binding.
    pub fn seats(&self) -> impl Iterator<Item = &Arc<str>> {
        self.seats.keys()
    }

    /// Answers a REGISTER.
    pub fn register(&mut self, now: Now, flow: Flow, request: &Request) -> Outcome {
        let seat = match self.prove(now.mono, flow, request, false) {
            Proof::Given(seat) => seat,
            Proof::Unheard => return Outcome::Silence,
            Proof::Missing(answer) => return Outcome::Answer(answer),
        };
        // The one that is to be reached is the one who asks (RFC 3261 §10.3 steps 4 and 5).
        let of = request.headers.to().and_then(|to| to.uri.user);
        if of.and_then(|user| Some(&self.config.accounts.get(&user)?.seat)) != Some(&seat) {
            return Outcome::Answer(Answer::denied(Denied::new(403, "Not Your Address")));
        }
        match self.bind(now.mono, flow, &seat, request) {
            Ok(()) => {
                let answer = self.bound(now.mono, &seat, request);
                Outcome::Bound(seat, answer)
            }
            Err(denied) => Outcome::Answer(Answer::denied(denied)),
        }
    }

    /// A connection is gone, and all that was reached by it: gives the seats that lost a binding.
    pub fn flow_failed(&mut self, flow: Flow) -> Vec<Arc<str>> {
        let seats: Vec<Arc<str>> = self.flows.get(&flow).into_iter().flatten().cloned().collect();
        seats.iter().for_each(|seat| self.keep(seat, |binding| binding.flow != flow));
        seats
    }

    /// Bindings whose time is over go: gives the seats that lost one.
    pub fn tick(&mut self, now: Mono) -> Vec<Arc<str>> {
        let mut changed = Vec::new();
        while let Some(seat) = self.timers.pop(now) {
            self.keep(&seat, |binding| binding.until > now);
            changed.push(seat);
        }
        changed
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// All or nothing (RFC 3261 §10.3 step 7).
    fn bind(&mut self, now: Mono, flow: Flow, seat: &Arc<str>, request: &Request) -> Result<(), Denied> {
        let headers = &request.headers;
        let wish = Wish::read(&self.config, request)?;
        let path = read::paths(headers)?;
        let call_id = headers.text(&Name::CallId).unwrap_or_default();
        let cseq = headers.cseq().map_or(0, |cseq| cseq.seq);
        let late = Denied::new(500, "Out Of Order");
        let mut bindings = self.bindings(seat).to_vec();
        match wish {
            Wish::Nothing => return Ok(()),
            Wish::RemoveAll if bindings.iter().any(|binding| binding.is_newer_than(&call_id, cseq)) => return Err(late),
            Wish::RemoveAll => bindings.clear(),
            Wish::Contacts(contacts) => {
                let agent = read::agent(headers);
                let direct = path.is_empty() && headers.all(&Name::Via).count() == 1;
                for contact in contacts {
                    if bindings.iter().any(|binding| binding.is(&contact) && binding.is_newer_than(&call_id, cseq)) {
                        return Err(late);
                    }
                    bindings.retain(|binding| !binding.is(&contact));
                    if contact.expires.is_zero() {
                        continue;
                    }
                    let Contact { uri: contact, instance, expires } = contact;
                    let (call_id, agent, path) = (call_id.clone(), agent.clone(), path.clone());
                    let until = now.after(expires);
                    bindings.insert(0, Binding { contact, instance, path, flow, direct, call_id, cseq, until, agent });
                }
                // A phone that starts anew at another port does not lock itself out: the oldest makes room.
                bindings.truncate(self.config.contacts);
            }
        }
        self.replace(seat, bindings);
        Ok(())
    }

    /// 200, with all that is bound (RFC 3261 §10.3 step 8).
    fn bound(&self, now: Mono, seat: &str, request: &Request) -> Answer {
        let bindings = self.bindings(seat);
        let mut headers: Vec<Header> =
            bindings.iter().map(|binding| Header::printed(Name::Contact, Told::of(binding, now))).collect();
        headers.extend(request.headers.0.iter().filter(|header| header.name == Name::Path).cloned());
        headers.push(Header { name: Name::Supported, value: SUPPORTED.into() });
        // RFC 5626 §6: the phone may rely on its flow.
        let flows = bindings.iter().any(|binding| binding.instance.as_ref().is_some_and(|instance| instance.reg_id > 0));
        if flows && request.headers.lists(&Name::Supported, "outbound") {
            headers.push(Header { name: Name::Require, value: "outbound".into() });
        }
        Answer { status: 200, reason: "", headers, proved: true }
    }

    fn keep(&mut self, seat: &Arc<str>, good: impl Fn(&Binding) -> bool) {
        let left = self.bindings(seat).iter().filter(|binding| good(binding)).cloned().collect();
        self.replace(seat, left);
    }

    /// The seat's bindings are these; flows, hosts and the next expiry follow from them.
    fn replace(&mut self, seat: &Arc<str>, bindings: Vec<Binding>) {
        for Binding { flow, .. } in self.seats.remove(seat).unwrap_or_default() {
            if let Some(seats) = self.flows.get_mut(&flow) {
                seats.remove(seat);
                if seats.is_empty() {
                    self.flows.remove(&flow);
                }
            }
            if let Some(count) = self.hosts.get_mut(&flow.remote.ip()) {
                *count -= 1;
                if *count == 0 {
                    self.hosts.remove(&flow.remote.ip());
                }
            }
        }
        for Binding { flow, .. } in &bindings {
            self.flows.entry(*flow).or_default().insert(seat.clone());
            *self.hosts.entry(flow.remote.ip()).or_default() += 1;
        }
        self.timers.update(seat.clone(), bindings.iter().map(|binding| binding.until).min());
        if !bindings.is_empty() {
            self.seats.insert(seat.clone(), bindings);
        }
    }
}

impl Answer {
    fn denied(denied: Denied) -> Answer {
        let Denied { status, reason, min_expires } = denied;
        let least = min_expires.map(|least| Header { name: Name::MinExpires, value: least.as_secs().to_string().into() });
        Answer { status, reason, headers: least.into_iter().collect(), proved: true }
    }
}

fn account<'a>(config: &'a Config, seat: &str) -> Option<&'a Account> {
    config.accounts.values().find(|account| *account.seat == *seat)
}
