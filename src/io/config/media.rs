//! The keys of media.

use super::list::list;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<IpAddr>,
    pub first_port: u16,
    pub last_port: u16,
    pub shards: u16,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub silence: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub port_rest: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub unproven: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub unproven_emergency: Duration,
    pub prompts: PathBuf,
}
