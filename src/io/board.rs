//! The board on which the switch thread shows the others its figures of the last heartbeat.

use crate::base::Mono;
use crate::io::clock;
use crate::switch::{Counters, Gauges};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A switch thread that has not reported for so long hangs.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Board(Mutex<Figures>);

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// When the switch thread reported last; zero: not yet.
    pub at: Mono,
    pub gauges: Gauges,
    pub counters: Counters,
}

impl Board {
    pub fn post(&self, figures: Figures) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    pub fn read(&self) -> Figures {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    pub fn alive(&self) -> bool {
        self.at > Mono(0) && clock::mono().since(self.at) < PATIENCE
    }

    /// Why no new call should be sent here; empty when ready.
    pub fn obstacles(&self) -> Vec<&'static str> {
        let all = [
            (!self.alive(), "the switch does not answer"),
            (self.gauges.draining, "draining"),
            (self.gauges.journal_down, "the journal cannot write"),
            (self.gauges.no_ports, "no media port is ready"),
        ];
        all.into_iter().filter(|(there, _)| *there).map(|(_, what)| what).collect()
    }
}
