//! Peers that may connect by TCP at all.

use super::tcp;
use crate::base::AccessList;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// Admits those that are known now; a reload replaces them.
pub struct Admission(RwLock<Known>);

/// Addresses that may connect: any where strangers get an answer, else those of trunks and seats.
pub struct Known {
    pub all: bool,
    pub sources: AccessList<()>,
}

impl Admission {
    pub fn of(known: Known) -> Admission {
        Admission(RwLock::new(known))
    }

    pub fn set(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    pub fn admit(self: Arc<Admission>) -> tcp::Admit {
        Arc::new(move |ip: IpAddr| {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            match known.sources.find(ip) {
                Some(()) => Some(tcp::Guest::Known),
                None => known.all.then_some(tcp::Guest::Stranger),
            }
        })
    }
}
