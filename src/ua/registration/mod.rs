//! Our accounts with carriers (RFC 3261 §10.2): each is registered, refreshed and withdrawn by a machine of its own, whatever
//! becomes of the others. No machine gives up, and each state has a deadline.

mod account;
mod answer;
mod index;
mod request;
#[cfg(test)]
mod tests;
mod trouble;

pub use account::{Account, Bound, Standing};
pub use trouble::{Cause, Trouble};

use crate::base::{Flow, Mono, Now, Proto, Rng, Target, Timers};
use crate::sip::{NameAddr, Uri};
use crate::transaction;
use crate::ua::{AccountId, Login, Ua};
use index::Index;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Accounts begin so far apart, and all within [`MOST_SPREAD`]: a carrier that comes back meets no wall of REGISTERs.
const SPREAD: Duration = Duration::from_millis(20);
const MOST_SPREAD: Duration = Duration::from_secs(10);
/// An account whose hop fails is asked anew no sooner after it was asked last.
const RECONNECT: Duration = Duration::from_secs(10);

/// One account at a carrier, as it is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub trunk: Arc<str>,
    /// Its name within the trunk.
    pub name: Arc<str>,
    /// The public identity: the number at the carrier's domain, which need not resolve and is never looked up.
    pub aor: Uri,
    pub login: Login,
    /// The user of our Contact.
    pub contact: String,
    /// Asked for anew with each REGISTER.
    pub expires: Duration,
    /// Route headers of the first request, for a proxy that wants them.
    pub routes: Vec<NameAddr>,
    /// The carrier supports RFC 5626.
    pub outbound: bool,
    /// Where its REGISTERs go.
    pub target: Target,
    /// As whom its calls go out.
    pub shows: Shows,
}

/// The number in From of calls that go out by an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shows {
    /// The account's own.
    #[default]
    Own,
    /// The caller's, and the account's own in P-Asserted-Identity.
    Caller,
}

/// An address of record and the user of the Contact that is bound to it: where this is the same, it is the same binding, however the
/// account and its trunk are called.
type Binding = (String, String);

impl Settings {
    fn binding(&self) -> Binding {
        (self.aor.address_of_record(), self.contact.clone())
    }

    /// A REGISTER by either says the same to the same proxy.
    fn asks_alike(&self, other: &Settings) -> bool {
        let named = Settings { trunk: self.trunk.clone(), name: self.name.clone(), shows: self.shows, ..other.clone() };
        *self == named
    }
}

/// Counts accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub configured: usize,
    pub registered: usize,
    pub refused: usize,
    /// Trunks whose carriers refuse all our accounts.
    pub refused_trunks: usize,
    /// Registered, or asking for something: none when all are withdrawn.
    pub open: usize,
}

/// News of the accounts.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Wants the flows to its trunk's hops; [`Registrations::reached`] answers.
    Find(AccountId),
    /// It is registered, for the first time or again.
    Registered(AccountId),
    /// The first of attempts that come to nothing, or one that does so for another reason.
    Failed(AccountId, Trouble),
    /// Its time has passed, and nobody has taken it again.
    Lost(AccountId),
}

/// All accounts.
pub struct Registrations {
    accounts: BTreeMap<AccountId, Account>,
    timers: Timers<AccountId>,
    /// By the user of their Contact.
    contacts: BTreeMap<String, Vec<AccountId>>,
    index: Index,
    /// Addresses that failed for calls, and when their accounts were asked anew for that.
    suspected: BTreeMap<SocketAddr, Mono>,
    next: u32,
    rng: Rng,
    /// A hop that says nothing for so long is passed over, where there is another.
    hop_timeout: Duration,
}

impl Registrations {
    pub fn new(rng: Rng, hop_timeout: Duration) -> Registrations {
        let (accounts, timers, contacts) = (BTreeMap::new(), Timers::default(), BTreeMap::new());
        let (index, suspected) = (Index::default(), BTreeMap::new());
        Registrations { accounts, timers, contacts, index, suspected, next: 0, rng, hop_timeout }
    }

    /// Takes over other settings. An account that is the same goes on untouched, whatever it and its trunk are called now; one with
    /// other settings registers anew, and one that is gone is withdrawn. Never is a binding withdrawn that another one is to keep:
    /// the withdrawal could come after the registration.
    pub fn configure(&mut self, ua: &mut Ua, now: Now, all: Vec<Settings>, out: &mut Vec<News>) {
        let mut ours: BTreeMap<Binding, Vec<AccountId>> = BTreeMap::new();
        for (id, account) in &self.accounts {
            ours.entry(account.settings().binding()).or_default().push(*id);
        }
        // At the same proxy first: a number may be registered at several.
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        for settings in all {
            match self.take(&mut ours, &settings, |account| account.settings().target == settings.target) {
                Some(id) => kept.push((Some(id), settings)),
                None => left.push(settings),
            }
        }
        for settings in left {
            kept.push((self.take(&mut ours, &settings, |_| true), settings));
        }
        for id in ours.into_values().flatten() {
            self.turn(ua, now, id, out, Account::leave);
        }
        for (id, settings) in kept {
            match id {
                Some(id) => self.turn(ua, now, id, out, |account, cx| account.change(cx, settings)),
                None => self.add(now, settings),
            }
        }
    }

    /// An account of ours that has this binding, and that no other settings have taken.
    fn take(
        &self,
        ours: &mut BTreeMap<Binding, Vec<AccountId>>,
        settings: &Settings,
        is: impl Fn(&Account) -> bool,
    ) -> Option<AccountId> {
        let all = ours.get_mut(&settings.binding())?;
        let at = all.iter().position(|id| self.accounts.get(id).is_some_and(&is))?;
        Some(all.swap_remove(at))
    }

    fn add(&mut self, now: Now, settings: Settings) {
        self.next += 1;
        let id = AccountId(self.next);
        let spread = spread(self.accounts.len());
        let account = Account::new(id, settings, now.mono.after(self.rng.between(Duration::ZERO, spread)), &mut self.rng);
        self.timers.update(id, account.deadline());
        self.contacts.entry(account.settings().contact.clone()).or_default().push(id);
        self.index.note(id, Some(&account));
        self.accounts.insert(id, account);
    }

    /// The flows to the hops of an account's trunk, in order; none where it has no address.
    pub fn reached(&mut self, ua: &mut Ua, now: Now, id: AccountId, flows: Vec<Flow>, out: &mut Vec<News>) {
        self.turn(ua, now, id, out, |account, cx| account.reached(cx, flows));
    }

    /// News of one of its REGISTERs.
    pub fn hear(&mut self, ua: &mut Ua, now: Now, id: AccountId, event: transaction::Event, out: &mut Vec<News>) {
        self.turn(ua, now, id, out, |account, cx| account.hear(cx, event));
    }

    /// A connection is gone; who registered by it does so again.
    pub fn flow_failed(&mut self, ua: &mut Ua, now: Now, flow: Flow, out: &mut Vec<News>) {
        if flow.proto == Proto::Udp {
            return;
        }
        let hit = self.index.by_flow(|by| *by == flow);
        hit.into_iter().for_each(|id| self.turn(ua, now, id, out, |account, cx| account.asked_soon(cx, Duration::from_secs(1))));
    }

    /// A call found nobody at this address: the accounts that are registered there ask anew soon, elsewhere where they can. The calls
    /// that go there in vain are many, and ask once.
    pub fn suspect(&mut self, ua: &mut Ua, now: Now, peer: SocketAddr, out: &mut Vec<News>) {
        let hit = self.index.at(peer);
        if hit.is_empty() || self.suspected.get(&peer).is_some_and(|at| now.mono < at.after(RECONNECT)) {
            return;
        }
        self.suspected.retain(|_, at| now.mono < at.after(RECONNECT));
        self.suspected.insert(peer, now.mono);
        let within = spread(hit.len()).max(Duration::from_secs(1));
        for id in hit {
            self.turn(ua, now, id, out, |account, cx| {
                account.passes_over_hop();
                account.asked_soon(cx, within);
            });
        }
    }

    /// Registers all accounts, or withdraws them (Expires 0).
    pub fn wish(&mut self, ua: &mut Ua, now: Now, wanted: bool, out: &mut Vec<News>) {
        let other = |it: &Account| !it.leaves() && it.is_wanted() != wanted;
        let changed: Vec<AccountId> = self.accounts.iter().filter(|(_, it)| other(it)).map(|(id, _)| *id).collect();
        changed.into_iter().for_each(|id| self.turn(ua, now, id, out, Account::turn_wish));
    }

    pub fn tick(&mut self, ua: &mut Ua, now: Now, out: &mut Vec<News>) {
        while let Some(id) = self.timers.pop(now.mono) {
            self.turn(ua, now, id, out, Account::tick);
        }
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.timers.next()
    }

    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The accounts of a trunk.
    pub fn of<'a>(&'a self, trunk: &'a str) -> impl Iterator<Item = &'a Account> + 'a {
        self.index.of(trunk).filter_map(|id| self.accounts.get(&id))
    }

    /// The accounts by which a trunk may be called, in the order of preference, no more than `most`.
    pub fn ways(&self, trunk: &str, most: usize) -> Vec<&Account> {
        self.index.ways(trunk, most).iter().filter_map(|id| self.accounts.get(id)).collect()
    }

    /// One of a trunk's accounts is registered.
    pub fn serves(&self, trunk: &str) -> bool {
        self.index.is_served(trunk)
    }

    /// There is a trunk none of whose accounts is registered.
    pub fn has_unserved(&self) -> bool {
        self.index.has_unserved()
    }

    /// Those that are configured now.
    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| !account.leaves())
    }

    pub fn figures(&self) -> Figures {
        // A binding is dropped when its time is over.
        let standing = |standing: Standing| self.all().filter(|account| account.standing(Mono(0)) == standing).count();
        let refused = |trunk: &str| self.of(trunk).all(|account| account.standing(Mono(0)) == Standing::Refused);
        Figures {
            refused_trunks: self.index.trunks().filter(|trunk| refused(trunk)).count(),
            configured: self.all().count(),
            registered: standing(Standing::Registered),
            refused: standing(Standing::Refused),
            open: self.accounts.values().filter(|account| !account.is_gone()).count(),
        }
    }

    /// The accounts with a Contact of this user.
    pub fn at_contact<'a>(&'a self, user: &str) -> impl Iterator<Item = &'a Account> + 'a {
        self.contacts.get(user).into_iter().flatten().filter_map(|id| self.accounts.get(id))
    }

    fn forget(&mut self, id: AccountId) {
        self.timers.cancel(&id);
        self.index.note(id, None);
        if let Some(account) = self.accounts.remove(&id) {
            let contact = &account.settings().contact;
            if let Some(all) = self.contacts.get_mut(contact) {
                all.retain(|other| *other != id);
                if all.is_empty() {
                    self.contacts.remove(contact);
                }
            }
        }
    }

    fn turn(&mut self, ua: &mut Ua, now: Now, id: AccountId, out: &mut Vec<News>, act: impl FnOnce(&mut Account, &mut Cx)) {
        let Some(account) = self.accounts.get_mut(&id) else { return };
        act(account, &mut Cx { ua, now, rng: &mut self.rng, hop_timeout: self.hop_timeout, out });
        self.timers.update(id, account.deadline());
        self.index.note(id, Some(&*account));
        if account.leaves() && account.is_gone() {
            self.forget(id);
        }
    }
}

/// The time within which so many accounts are asked.
fn spread(accounts: usize) -> Duration {
    SPREAD.saturating_mul(accounts.try_into().unwrap_or(u32::MAX)).min(MOST_SPREAD)
}

/// All that an account's turn needs beside itself.
struct Cx<'a> {
    ua: &'a mut Ua,
    now: Now,
    rng: &'a mut Rng,
    hop_timeout: Duration,
    out: &'a mut Vec<News>,
}
