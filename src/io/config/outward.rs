//! The ways to others: whom we connect to by TLS and how, and which DNS servers are asked for whom. A reload
//! replaces it; connections that stand and answers that are kept go on.

use super::finding::KeyFault;
use super::schema::Config;
use super::{secrets, setup};
use crate::base::Cidr;
use crate::io::net::resolver::Resolver;
use crate::io::net::tls::Identity;
use crate::io::net::trunk_tls::{TrunkTls, Trunks};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Shared by all that send: cheap to clone.
#[derive(Clone)]
pub struct Outward {
    pub trunks: Arc<Trunks>,
    pub resolver: Resolver,
}

impl Outward {
    pub fn new(resolver: Resolver) -> Outward {
        Outward { trunks: Arc::default(), resolver }
    }

    /// Takes over what was read.
    pub fn set(&self, ways: Ways) {
        self.trunks.set(ways.trunks);
        self.resolver.serve(ways.dns);
    }
}

/// The part of a configuration that says how others are reached.
pub struct Ways {
    trunks: Vec<(Vec<Cidr>, Option<Arc<TrunkTls>>)>,
    dns: BTreeMap<Arc<str>, Vec<SocketAddr>>,
}

impl Ways {
    /// Reads the files that it names. `ours`: the certificate of SIP.
    pub fn read(config: &Config, ours: Option<&Arc<Identity>>) -> Result<Ways, KeyFault> {
        Ok(Ways { trunks: secrets::trunks(config, ours)?, dns: setup::dns(config) })
    }
}
