//! The keys of a queue.

use super::list::list;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    pub enabled: bool,
    #[serde(deserialize_with = "list")]
    pub seats: Vec<String>,
    pub strategy: Strategy,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ring_timeout: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_wait: Duration,
    pub max_length: usize,
    pub source_percent: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_after_failure: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_max: Duration,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            enabled: true,
            seats: Vec::new(),
            strategy: Strategy::OneByOne,
            ring_timeout: Duration::from_secs(20),
            max_wait: Duration::from_secs(600),
            max_length: 500,
            source_percent: 75,
            rest_after_failure: Duration::from_secs(5),
            rest_max: Duration::from_secs(60),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    OneByOne,
    All,
}
