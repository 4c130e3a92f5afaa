//! The keys of a queue, and of what its callers are asked and offered.

use super::list::list;
use crate::event::{Result, Strategy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    pub enabled: bool,
    #[serde(deserialize_with = "list")]
    pub seats: Vec<String>,
    pub strategy: Strategy,
    pub skill: String,
    pub levels: BTreeMap<String, u8>,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub experts_after: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub sticky_wait: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub sticky_for: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ageing: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ring_timeout: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_wait: Duration,
    pub when_no_seat: WhenNoSeat,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub no_seat_grace: Duration,
    pub max_length: usize,
    pub source_percent: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_after_failure: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_max: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub refusal_max: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wrap_up: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub announce_after: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub announce_every: Duration,
    pub announce_position: bool,
    pub announce_wait: bool,
    pub announce_prompt: String,
    pub voice: String,
    #[serde(deserialize_with = "list")]
    pub overflow: Vec<String>,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub overflow_within: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub overflow_ring: Duration,
    pub seat_number: bool,
    pub survey: bool,
    pub record: QueueRecord,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            enabled: true,
            seats: Vec::new(),
            strategy: Strategy::LongestIdle,
            skill: String::new(),
            levels: BTreeMap::new(),
            experts_after: Duration::ZERO,
            sticky_wait: Duration::ZERO,
            sticky_for: Duration::from_secs(24 * 3600),
            ageing: Duration::from_secs(60),
            ring_timeout: Duration::from_secs(20),
            max_wait: Duration::from_secs(600),
            when_no_seat: WhenNoSeat::Wait,
            no_seat_grace: Duration::from_secs(30),
            max_length: 500,
            source_percent: 75,
            rest_after_failure: Duration::from_secs(5),
            rest_max: Duration::from_secs(60),
            refusal_max: Duration::from_secs(30),
            wrap_up: Duration::ZERO,
            announce_after: Duration::from_secs(10),
            announce_every: Duration::ZERO,
            announce_position: true,
            announce_wait: true,
            announce_prompt: "hold".to_owned(),
            voice: String::new(),
            overflow: Vec::new(),
            overflow_within: Duration::from_secs(300),
            overflow_ring: Duration::from_secs(30),
            seat_number: false,
            survey: false,
            record: QueueRecord::Usual,
        }
    }
}

impl Queue {
    /// The level that suffices after each wait, in their order; none where a wait is no duration.
    pub fn levels(&self) -> Option<Vec<(Duration, u8)>> {
        let level = |(after, level): (&String, &u8)| Some((wait(after)?, *level));
        let mut levels = self.levels.iter().map(level).collect::<Option<Vec<_>>>()?;
        levels.sort_unstable();
        Some(levels)
    }
}

/// Says of a queue's callers that they are recorded, or are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueRecord {
    /// As `recording.lines` says.
    #[default]
    Usual,
    Yes,
    No,
}

/// The link of an overflow by which a message is left.
pub const MESSAGE: &str = "message";

/// A duration such as `20s`.
pub fn wait(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// The fate of callers whom no seat could ever serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenNoSeat {
    #[default]
    Wait,
    Overflow,
}

/// How opinions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Survey {
    pub prompt: String,
    pub thanks: String,
    pub keys: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait: Duration,
    pub retries: u32,
}

/// How a call back is offered to a caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callbacks {
    pub prompt: String,
    pub taken: String,
    pub key: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait: Duration,
    #[serde(deserialize_with = "list")]
    pub losses: Vec<Result>,
    pub most: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub keep: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub lease: Duration,
}

/// How a caller whom nobody took leaves a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Messages {
    pub prompt: String,
    pub thanks: String,
    pub key: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub most: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub least: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub silence: Duration,
}

/// The calls that seats place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    pub enabled: bool,
    pub trunk: String,
    pub number: String,
    #[serde(deserialize_with = "list")]
    pub hours: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub refuse: Vec<String>,
    pub per_callee: u32,
    pub per_seat: u32,
    pub per_hotline: usize,
    pub per_trunk: usize,
    pub leave_percent: usize,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ring_seat: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ring: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub preview: Duration,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub after_refusal: Duration,
}
