//! A leg is sent one thing at a time, and hears other legs by it.

use crate::base::{LegId, Mono};
use crate::media::Prompt;
use std::sync::Arc;

/// The audio that the leg is sent at this moment.
pub(super) enum Playing {
    Silence,
    Prompt {
        audio: Arc<Prompt>,
        at: usize,
        repeat: bool,
        cue: Option<u32>,
    },
    /// Prompts one after another.
    Words {
        words: Arc<[Arc<Prompt>]>,
        /// The one that is played, and how many of its samples have been.
        word: usize,
        at: usize,
        cue: u32,
    },
    /// Ringback, and this leg in its place as long as it speaks.
    Early {
        from: LegId,
        audio: Arc<Prompt>,
        at: usize,
        heard: Option<Mono>,
    },
    Relay(LegId),
    Mix(Arc<[LegId]>),
}

/// The parties that a leg hears.
#[derive(Clone)]
pub(super) enum Hears {
    Nobody,
    Relay(LegId),
    Mix(Arc<[LegId]>),
}

impl Playing {
    pub fn hears(&self) -> Hears {
        match self {
            Playing::Silence | Playing::Prompt { .. } | Playing::Words { .. } => Hears::Nobody,
            Playing::Relay(from) | Playing::Early { from, .. } => Hears::Relay(*from),
            Playing::Mix(sources) => Hears::Mix(sources.clone()),
        }
    }
}

impl Hears {
    pub fn sources(&self) -> &[LegId] {
        match self {
            Hears::Nobody => &[],
            Hears::Relay(from) => std::slice::from_ref(from),
            Hears::Mix(sources) => sources,
        }
    }

    pub fn relays(&self, leg: LegId) -> bool {
        matches!(self, Hears::Relay(from) if *from == leg)
    }

    pub fn mixes(&self, leg: LegId) -> bool {
        matches!(self, Hears::Mix(sources) if sources.contains(&leg))
    }
}
