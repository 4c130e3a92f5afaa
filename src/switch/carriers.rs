//! Our accounts with carriers, as the rest of the switch asks for them.

use super::Trunk;
use crate::base::{LegId, Mono, Rng};
use crate::ua::AccountId;
use crate::ua::registration::{Account, Figures, News, Registrations};
use std::collections::BTreeMap;

/// The accounts, and those whose trunk's addresses are asked for.
pub(super) struct Carriers {
    pub all: Registrations,
    /// One at a time for each account.
    pub finding: BTreeMap<LegId, AccountId>,
    pub news: Vec<News>,
    /// Some are withdrawn, since no new calls are taken.
    pub withdrawn: bool,
}

impl Carriers {
    pub fn new(rng: Rng) -> Carriers {
        Carriers { all: Registrations::new(rng), finding: BTreeMap::new(), news: Vec::new(), withdrawn: false }
    }

    pub fn deadline(&self) -> Option<Mono> {
        self.all.deadline()
    }

    /// The addresses of a trunk's name were asked for under this number.
    pub fn finds(&self, id: LegId) -> bool {
        self.finding.contains_key(&id)
    }

    /// Tells whether calls may go out by a trunk: none of our accounts is wanted there, or one is registered.
    pub fn may_use(&self, trunk: &Trunk) -> bool {
        trunk.registrations.is_empty() || self.all.of(&trunk.name).any(Account::is_bound)
    }

    /// The account by which a call goes out by a trunk: one that is registered, the first by name; else one that is not.
    pub fn account<'a>(&'a self, trunk: &'a Trunk) -> Option<&'a Account> {
        if trunk.registrations.is_empty() {
            return None;
        }
        let name = |account: &&Account| (!account.is_bound(), account.settings().name.clone());
        self.all.of(&trunk.name).min_by_key(name)
    }

    /// Some account is not registered.
    pub fn has_unregistered(&self) -> bool {
        self.all.all().any(|account| !account.is_bound())
    }

    pub fn figures(&self) -> Figures {
        self.all.figures()
    }
}
