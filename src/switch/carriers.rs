//! Our accounts with carriers, as the rest of the switch asks for them.

use super::Trunk;
use crate::base::{LegId, Mono, Rng};
use crate::ua::AccountId;
use crate::ua::registration::{Account, Figures, News, Registrations};
use std::collections::BTreeMap;
use std::time::Duration;

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
    pub fn new(rng: Rng, hop_timeout: Duration) -> Carriers {
        Carriers { all: Registrations::new(rng, hop_timeout), finding: BTreeMap::new(), news: Vec::new(), withdrawn: false }
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
        trunk.registrations.is_empty() || self.all.serves(&trunk.name)
    }

    /// The accounts by which a call goes out by a trunk, in order, no more than `most`: the first by name of those that are registered,
    /// and others. All for an emergency line, registered or not.
    pub fn ways(&self, trunk: &Trunk, emergency: bool, most: usize) -> Vec<&Account> {
        if trunk.registrations.is_empty() {
            return Vec::new();
        }
        let mut all = self.all.ways(&trunk.name, most);
        if !emergency {
            let bound = all.iter().take_while(|account| account.is_bound()).count();
            all.truncate(bound.max(1));
        }
        all
    }

    /// There is a trunk by which no call may go.
    pub fn has_unserved(&self) -> bool {
        self.all.has_unserved()
    }

    pub fn figures(&self) -> Figures {
        self.all.figures()
    }
}
