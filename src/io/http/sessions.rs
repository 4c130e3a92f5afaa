//! Toolbars that have signed in as to another gateway: each with an id of its own, which its requests carry from then on.

use crate::io::config::Adapter;
use crate::io::config::tokens::{Admitted, MOST};
use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

pub struct Sessions {
    /// Seats by the ids that their agents have there.
    agents: BTreeMap<String, String>,
    open: Mutex<BTreeMap<String, Session>>,
}

/// One toolbar.
#[derive(Clone)]
pub struct Session {
    pub agent: String,
    pub who: Admitted,
    /// The last event that it was told.
    pub n: u64,
    /// Up to here it was told that something may be missing.
    pub gap: u64,
}

impl Sessions {
    pub fn of(adapter: &Adapter) -> Sessions {
        Sessions { agents: adapter.agents.clone(), open: Mutex::default() }
    }

    /// The seat of an agent's id: the one that the configuration names, else the seat of that name.
    pub fn seat<'a>(&'a self, agent: &'a str) -> &'a str {
        self.agents.get(agent).map_or(agent, String::as_str)
    }

    /// Opens a session, and ends any other of this agent: there the person is signed out. None: there is no room.
    pub fn open(&self, session: Session) -> Option<String> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let id = HEXLOWER.encode(&bytes);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, other| other.agent != session.agent);
        if open.len() >= MOST {
            return None;
        }
        open.insert(id.clone(), session);
        Some(id)
    }

    /// None: there is none, or its token is not valid any more, which ends it.
    pub fn get(&self, id: &str, agent: &str) -> Option<Session> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let session = open.get(id).filter(|session| session.agent == agent)?.clone();
        if !session.who.stands() {
            open.remove(id);
            return None;
        }
        Some(session)
    }

    /// All up to this number was told, and up to `gap` that something may be missing.
    pub fn told(&self, id: &str, n: u64, gap: u64) {
        if let Some(session) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(id) {
            (session.n, session.gap) = (session.n.max(n), session.gap.max(gap));
        }
    }

    pub fn close(&self, id: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
