//! Dial plans: TOML files that say what each number means on each day. Facts in, steps out; no SIP here.

use crate::base::Wall;
use std::sync::Arc;
use std::time::Duration;

/// What the plan may know of a call.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// As it arrived: the user part of the request URI (or tel: number), parameters such as phone-context included.
    pub dialled: &'a str,
    /// The caller's number as it arrived; none when withheld.
    pub caller: Option<&'a str>,
    pub trunk: &'a str,
    /// The trunk's area code without the leading 0: `691`.
    pub trunk_area: Option<&'a str>,
    pub at: Wall,
}

/// What the plan decided, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Normalised: the short number, or area + number for a fixed one.
    pub number: String,
    /// The caller, normalised.
    pub caller: Option<String>,
    pub line: Arc<str>,
    pub mode: Mode,
    pub phase: Option<Phase>,
    pub unit: Option<Arc<str>>,
    pub area: Area,
    pub steps: Arc<[Step]>,
    pub matched: Vec<Matched>,
}

/// How a number takes part (the notices' words stand in the plan's guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Front,
    Merged,
    Parallel,
    SubCenter,
    RemoteSeats,
    Linked,
    Emergency,
    Guided,
    Platform,
    /// No line of the plan has this number.
    Unknown,
}

/// Where a merged number stands on the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    NotYet,
    AnnounceAndConnect,
    AnnounceOnly,
    Released,
}

/// One thing to do with the caller; the next follows when it ends without an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Play a prompt early (183), or after 200 where `answered`.
    Announce { prompt: Arc<str>, answered: bool },
    /// Wait for a human seat of this queue.
    Queue { queue: Arc<str>, high: bool },
    /// Call these parties, one after another, each for `timeout`.
    Ring { targets: Vec<Target>, timeout: Duration },
    /// Refuse: SIP status and Q.850 cause.
    Reject { status: u16, q850: u8 },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The number to call.
    pub number: Arc<str>,
    /// The trunk to call it by; none: the configuration's default route.
    pub trunk: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// Telephone area code without the leading 0.
    pub code: Option<Arc<str>>,
    /// `dialled`, `trunk`, `prefix-table`, `plan`, `unknown`.
    pub source: &'static str,
}

/// A rule that took part in the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    pub file: Arc<str>,
    pub line: usize,
    pub rule: String,
}

/// A loaded plan. (The shape of the files and the interpreter are this room's own.)
pub struct Plan {
    _todo: (),
}

impl Plan {
    /// Never fails: a number that no line has gets the plan's default.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let _ = facts;
        todo!()
    }
}
