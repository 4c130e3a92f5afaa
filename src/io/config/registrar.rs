//! The keys of `[registrar]`: who may register as a seat's phone.

use super::list::list;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registrar {
    pub enabled: bool,
    pub realm: String,
    #[serde(deserialize_with = "list")]
    pub networks: Vec<String>,
    pub credentials: PathBuf,
    #[serde(deserialize_with = "list")]
    pub algorithms: Vec<Algorithm>,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub expires: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub min_expires: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_expires: Duration,
    pub contacts: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub nonce_life: Duration,
    pub tries: u32,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ban: Duration,
}

impl Default for Registrar {
    fn default() -> Registrar {
        Registrar {
            enabled: false,
            realm: String::new(),
            networks: Vec::new(),
            credentials: PathBuf::new(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            expires: Duration::from_secs(600),
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            contacts: 4,
            nonce_life: Duration::from_secs(300),
            tries: 10,
            ban: Duration::from_secs(600),
        }
    }
}

/// A way to prove a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "MD5")]
    Md5,
}
