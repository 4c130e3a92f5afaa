//! Turns the notices' words into steps: the usual ones of each mode, before and after its dates.

use super::condition::Gate;
use super::{Advance, Mode, Phase, Step, Target};
use std::sync::Arc;
use std::time::Duration;

/// The settings that a line's words come to, whichever table said them.
#[derive(Debug)]
pub struct Settings {
    pub mode: Mode,
    pub queue: Arc<str>,
    pub high: bool,
    /// Targets that the number itself rings and how long each: its own seats, its owner's route.
    pub targets: Vec<Chosen>,
    /// A parallel number's seats stayed in the department.
    pub kept: bool,
    /// False for a number that nobody ever answered here.
    pub opened: bool,
    /// After which failures of one target the next rings.
    pub advance: Advance,
    /// True when targets were named, rather than taken to be the number itself.
    pub routed: bool,
    /// Prompts, in each of the plan's languages.
    pub prompt: Vec<Arc<str>>,
    pub connect_prompt: Vec<Arc<str>>,
    pub announce_only_prompt: Vec<Arc<str>>,
    /// Guided: what names the number to dial.
    pub guide_prompt: Vec<Arc<str>>,
    /// The key that connects a caller who has heard the prompt, and how long it is waited for.
    pub offer: Option<(char, Duration)>,
    /// A key menu before the others.
    pub menu: Option<Step>,
    /// The caller is answered before the first prompt.
    pub answer_at_once: bool,
}

/// A target, how long it rings, and for which calls.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub target: Target,
    pub ring: Duration,
    pub gate: Gate,
}

/// Number changed (Q.850 cause 22): the caller heard which to dial instead, and pays nothing.
const CHANGED: Step = Step::Reject { status: 410, q850: 22 };
/// Unallocated number (Q.850 cause 1).
pub const UNALLOCATED: Step = Step::Reject { status: 404, q850: 1 };

/// The steps of a line at one time. `None`: the mode is in force.
pub fn usual(s: &Settings, phase: Option<Phase>) -> Vec<Step> {
    match phase {
        Some(Phase::NotYet) => s.ring(),
        Some(Phase::AnnounceAndConnect) => s.announced(&s.connect_prompt, s.answer_at_once, s.after_menu(vec![s.queued()])),
        Some(Phase::AnnounceOnly) => s.announced(&s.announce_only_prompt, false, vec![CHANGED]),
        Some(Phase::Released) => vec![UNALLOCATED],
        None => match s.offer {
            Some((key, wait)) => s.offered(Step::Offer { key, wait }),
            None => s.announced(&s.prompt, s.answer_at_once, s.after_menu(in_force(s))),
        },
    }
}

fn in_force(s: &Settings) -> Vec<Step> {
    match s.mode {
        _ if !s.opened => vec![UNALLOCATED],
        Mode::Front | Mode::Merged => vec![s.queued()],
        Mode::Parallel if s.kept => s.ring_then_queue(),
        Mode::Parallel => vec![s.queued()],
        Mode::RemoteSeats => s.ring_then_queue(),
        Mode::SubCenter | Mode::Linked | Mode::Emergency | Mode::Platform => s.ring(),
        Mode::Guided if s.routed || s.offer.is_some() => s.ring(),
        Mode::Guided | Mode::Unknown => vec![UNALLOCATED],
    }
}

impl Settings {
    /// Neighbours in the chain that ring equally long share a step.
    fn ring(&self) -> Vec<Step> {
        let groups = self.targets.chunk_by(|a, b| a.ring == b.ring);
        let step = |group: &[Chosen]| {
            let emergency = self.mode == Mode::Emergency;
            let targets = group.iter().map(|chosen| Target { emergency, ..chosen.target.clone() }).collect();
            group.first().map(|chosen| Step::Ring { targets, timeout: chosen.ring, advance: self.advance })
        };
        groups.filter_map(step).collect()
    }

    fn ring_then_queue(&self) -> Vec<Step> {
        self.ring().into_iter().chain([self.queued()]).collect()
    }

    /// The caller hears which number it is, and is connected by a key.
    fn offered(&self, offer: Step) -> Vec<Step> {
        let prompts = if self.mode == Mode::Guided { &self.guide_prompt } else { &self.prompt };
        let then = std::iter::once(offer).chain(in_force(self)).collect();
        self.announced(prompts, self.answer_at_once, then)
    }

    /// Where nobody answers at all, nothing is to be chosen.
    fn after_menu(&self, then: Vec<Step>) -> Vec<Step> {
        let queues = then.iter().any(|step| matches!(step, Step::Queue { .. }));
        self.menu.iter().filter(|_| queues).cloned().chain(then).collect()
    }

    fn queued(&self) -> Step {
        Step::Queue { queue: self.queue.clone(), high: self.high }
    }

    fn announced(&self, prompts: &[Arc<str>], answered: bool, then: Vec<Step>) -> Vec<Step> {
        let announce = prompts.iter().map(|p| Step::Announce { prompt: p.clone(), answered });
        announce.chain(then).collect()
    }
}
