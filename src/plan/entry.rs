//! The entry that a call finds under its number.

use super::condition::{Call, Condition, Gate};
use super::problem::At;
use super::{LineSurvey, Matched, Mode, Phase, Step};
use crate::base::Wall;
use std::sync::Arc;
use std::time::Duration;

/// One number's whole story.
#[derive(Debug)]
pub struct Entry {
    pub line: Arc<str>,
    pub mode: Mode,
    pub unit: Option<Arc<str>>,
    pub guide: Option<Arc<str>>,
    pub survey: Option<Arc<LineSurvey>>,
    pub tickets: Arc<[Arc<str>]>,
    pub record: Option<bool>,
    pub early_max: Duration,
    /// In order of time; the first begins before all times.
    pub eras: Vec<Era>,
    /// For each target in turn, when it may ring; empty when all always may.
    pub gates: Arc<[Gate]>,
    /// For which calls it is.
    pub when: Option<Condition>,
    /// The entry of the same number that is tried where this one is not for the call.
    pub next: Option<usize>,
}

/// An era holds from a moment on, until the next one.
#[derive(Debug)]
pub struct Era {
    pub from: Wall,
    pub phase: Option<Phase>,
    pub steps: Arc<[Step]>,
    pub matched: Arc<[Matched]>,
}

/// A place that is served here because it has no platform of its own.
#[derive(Debug)]
pub struct Tenant {
    pub name: Arc<str>,
    pub queue: Option<Arc<str>>,
}

/// Temporarily unavailable (Q.850 cause 20): all targets are closed.
const CLOSED: Step = Step::Reject { status: 480, q850: 20 };

impl Entry {
    pub fn era(&self, at: Wall) -> &Era {
        let begun = self.eras.partition_point(|era| era.from <= at);
        &self.eras[begun.max(1) - 1]
    }

    /// The era's steps for this very call: without the targets that are not for it, in the tenant's queue, ahead of
    /// others where it is `urgent`.
    pub fn steps(&self, era: &Era, call: &Call<'_>, tenant: Option<&Tenant>, urgent: bool) -> Arc<[Step]> {
        let queue = tenant.and_then(|t| t.queue.as_ref());
        if self.gates.is_empty() && queue.is_none() && !urgent {
            return era.steps.clone();
        }
        let mut gates = self.gates.iter();
        let mut steps: Vec<Step> = Vec::with_capacity(era.steps.len());
        for step in era.steps.iter() {
            match step {
                Step::Ring { targets, timeout, advance } => {
                    let open = |_: &_| gates.next().is_none_or(|gate| gate.open(call));
                    let targets: Vec<_> = targets.iter().filter(open).cloned().collect();
                    if !targets.is_empty() {
                        steps.push(Step::Ring { targets, timeout: *timeout, advance: *advance });
                    }
                }
                Step::Queue { queue: own, high } => {
                    steps.push(Step::Queue { queue: queue.unwrap_or(own).clone(), high: *high || urgent });
                }
                _ => steps.push(step.clone()),
            }
        }
        if !steps.iter().any(leads_on) {
            // Nobody is there to be offered.
            steps.retain(|step| !matches!(step, Step::Offer { .. }));
            steps.push(CLOSED);
        }
        steps.into()
    }
}

/// Tells whether a caller can get anywhere by this step, or is told here why not.
fn leads_on(step: &Step) -> bool {
    matches!(step, Step::Ring { .. } | Step::Queue { .. } | Step::Reject { .. })
}

pub fn matched(at: &At, rule: &str) -> Matched {
    Matched { file: at.source.name.clone(), line: at.line(), rule: rule.into() }
}
