//! Our accounts with carriers (RFC 3261 §10.2): each is registered, refreshed and withdrawn by a machine of its own, whatever
//! becomes of the others. No machine gives up, and each state has a deadline.

mod account;
mod answer;
#[cfg(test)]
mod tests;
mod trouble;

pub use account::{Account, Bound, Standing};
pub use trouble::{Cause, Trouble};

use crate::base::{Flow, Mono, Now, Rng, Target, Timers};
use crate::sip::{NameAddr, Uri};
use crate::transaction;
use crate::ua::{AccountId, Login, Ua};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Accounts begin so far apart, and all within [`MOST_SPREAD`]: a carrier that comes back meets no wall of REGISTERs.
const SPREAD: Duration = Duration::from_millis(20);
const MOST_SPREAD: Duration = Duration::from_secs(10);

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

/// A trunk, and the address of record and Contact that are bound there. Two accounts with one place would undo each other.
type Place = (Arc<str>, String, String);

impl Settings {
    fn place(&self) -> Place {
        (self.trunk.clone(), self.aor.to_string(), self.contact.clone())
    }
}

/// Counts accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub configured: usize,
    pub registered: usize,
    pub refused: usize,
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
    next: u32,
    rng: Rng,
}

impl Registrations {
    pub fn new(rng: Rng) -> Registrations {
        Registrations { accounts: BTreeMap::new(), timers: Timers::default(), contacts: BTreeMap::new(), next: 0, rng }
    }

    /// Takes over other settings. An account that is the same goes on untouched, one with other settings registers anew, and
    /// one that is gone is withdrawn.
    pub fn configure(&mut self, ua: &mut Ua, now: Now, all: Vec<Settings>, out: &mut Vec<News>) {
        let kept: Vec<Place> = all.iter().map(Settings::place).collect();
        let ours = self.accounts.iter().filter(|(_, it)| !it.leaves());
        let ours: BTreeMap<Place, AccountId> = ours.map(|(id, it)| (it.settings().place(), *id)).collect();
        for id in ours.iter().filter(|(place, _)| !kept.contains(place)).map(|(_, id)| *id) {
            self.turn(ua, now, id, out, Account::leave);
        }
        for (place, settings) in kept.into_iter().zip(all) {
            match ours.get(&place) {
                Some(id) => self.turn(ua, now, *id, out, |account, cx| account.change(cx, settings)),
                None => self.add(now, settings),
            }
        }
    }

    fn add(&mut self, now: Now, settings: Settings) {
        self.next += 1;
        let id = AccountId(self.next);
        let spread = SPREAD.saturating_mul(self.accounts.len().try_into().unwrap_or(u32::MAX)).min(MOST_SPREAD);
        let account = Account::new(id, settings, now.mono.after(self.rng.between(Duration::ZERO, spread)), &mut self.rng);
        self.timers.update(id, account.deadline());
        self.contacts.entry(account.settings().contact.clone()).or_default().push(id);
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
        let hit: Vec<AccountId> = self.accounts.iter().filter(|(_, it)| it.goes_by(flow)).map(|(id, _)| *id).collect();
        hit.into_iter().for_each(|id| self.turn(ua, now, id, out, Account::flow_failed));
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
        self.all().filter(move |account| *account.settings().trunk == *trunk)
    }

    /// Those that are configured now.
    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| !account.leaves())
    }

    pub fn figures(&self) -> Figures {
        // A binding is dropped when its time is over.
        let standing = |standing: Standing| self.all().filter(|account| account.standing(Mono(0)) == standing).count();
        Figures {
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
        act(account, &mut Cx { ua, now, rng: &mut self.rng, out });
        self.timers.update(id, account.deadline());
        if account.leaves() && account.is_gone() {
            self.forget(id);
        }
    }
}

/// All that an account's turn needs beside itself.
struct Cx<'a> {
    ua: &'a mut Ua,
    now: Now,
    rng: &'a mut Rng,
    out: &'a mut Vec<News>,
}
