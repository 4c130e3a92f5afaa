//! Peers that may connect by TCP at all.

use crate::io::config::{Config, UnknownSource};
use crate::io::tcp;
use crate::transport::AccessList;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// Addresses that may connect: any where strangers get an answer, else those of trunks and seats.
pub struct Admission(RwLock<Known>);

struct Known {
    all: bool,
    sources: AccessList<()>,
}

impl Admission {
    pub fn of(config: &Config) -> Admission {
        Admission(RwLock::new(Known::of(config)))
    }

    pub fn set(&self, config: &Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Known::of(config);
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

impl Known {
    fn of(config: &Config) -> Known {
        let mut sources = AccessList::new();
        for text in config.trunks.values().filter(|trunk| trunk.enabled).flat_map(|trunk| &trunk.addresses) {
            if let Ok(block) = text.parse() {
                sources.insert(block, ());
            }
        }
        for address in config.seats.values().filter(|seat| seat.enabled).filter_map(|seat| seat.address) {
            sources.insert(address.ip().into(), ());
        }
        Known { all: config.sip.unknown_source == UnknownSource::Refuse, sources }
    }
}
