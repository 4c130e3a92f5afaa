//! Facts that must be there after a kill -9 and are no log: one row each, replaced whole.

use super::seat::{Author, Device, Intent, Skills};
use crate::base::Wall;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Seat(SeatFact),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    Seat,
}

/// A change to what is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    Set(Box<Fact>),
    Forget { kind: FactKind, key: String },
}

/// All that was kept when the process before this one ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub facts: Vec<Fact>,
    /// The highest number in the log of seats.
    pub seat_n: u64,
}

/// The intent of a seat, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeatFact {
    pub seat: Arc<str>,
    pub intent: Intent,
    pub since: Wall,
    /// When it ends by itself, or is overdue.
    pub until: Option<Wall>,
    pub overdue: bool,
    /// The intent that is to follow.
    pub next: Option<(Intent, Author)>,
    pub by: Author,
    /// Somebody with a toolbar is signed in.
    pub holder: Option<Author>,
    pub device: Device,
    /// None: those of the configuration.
    pub skills: Option<Skills>,
    pub auto_answer: bool,
    pub misses: u32,
}

impl Kept {
    /// As it is after one more change.
    pub fn take(&mut self, keep: Keep) {
        let (kind, key) = match &keep {
            Keep::Set(fact) => (fact.kind(), fact.key()),
            Keep::Forget { kind, key } => (*kind, key.clone()),
        };
        self.facts.retain(|fact| (fact.kind(), fact.key()) != (kind, key.clone()));
        if let Keep::Set(fact) = keep {
            self.facts.push(*fact);
        }
    }
}

impl Fact {
    pub fn kind(&self) -> FactKind {
        match self {
            Fact::Seat(_) => FactKind::Seat,
        }
    }

    /// One among its kind.
    pub fn key(&self) -> String {
        match self {
            Fact::Seat(fact) => fact.seat.to_string(),
        }
    }
}

impl FactKind {
    pub const ALL: [FactKind; 1] = [FactKind::Seat];

    pub fn name(self) -> &'static str {
        match self {
            FactKind::Seat => "seat",
        }
    }

    pub fn named(name: &str) -> Option<FactKind> {
        FactKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
