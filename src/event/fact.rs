//! Facts that must be there after a kill -9 and are no log: one row each, replaced whole.

use super::Result;
use super::seat::{Author, Device, Intent, Misses, Skills};
use crate::base::{CallId, Flow, Meaning, Wall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Seat(SeatFact),
    Callback(CallbackFact),
    Listed(ListedFact),
    Bindings(BindingsFact),
    Dialled(DialledFact),
    Request(RequestFact),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    Seat,
    Callback,
    Listed,
    Bindings,
    Dialled,
    Request,
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
    /// The one who has signed in, by a toolbar or a code.
    pub holder: Option<Author>,
    pub device: Device,
    /// None: those of the configuration.
    pub skills: Option<Skills>,
    pub auto_answer: bool,
    /// Calls in vain since it last talked, by their causes.
    #[serde(default)]
    pub missed: Misses,
}

/// A missed caller who is to be rung back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallbackFact {
    /// The id of the call that was lost first.
    pub id: Arc<str>,
    pub caller: Arc<str>,
    pub hotline: Arc<str>,
    /// The hotline's name in the plan.
    pub line: Arc<str>,
    /// Calls of this caller that were lost since it got through.
    pub calls: u32,
    pub first: Wall,
    pub last: Wall,
    /// The call that was lost last, and why.
    pub call: CallId,
    pub loss: Result,
    /// The caller asked for it.
    pub wanted: bool,
    /// The calls whose recordings hold messages of this caller, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<CallId>,
    pub lease: Option<CallbackLease>,
    /// The number of the last attempt.
    pub tried: u32,
    pub attempts: Vec<Attempt>,
}

/// A seat has the row to itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackLease {
    pub seat: Arc<str>,
    pub until: Wall,
    /// The attempt under way.
    pub attempt: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub attempt: u32,
    pub seat: Arc<str>,
    pub at: Wall,
    /// None while it is under way, or was when the process died.
    pub reached: Option<bool>,
    /// The meaning of the network's refusal, where the trunk's map of causes has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Meaning>,
}

/// A number that callers are known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFact {
    pub id: Arc<str>,
    pub number: Arc<str>,
    pub listed: Listed,
    pub reason: Arc<str>,
    pub approver: Arc<str>,
    /// The name of the token that it came with.
    pub by: Arc<str>,
    pub since: Wall,
    pub until: Option<Wall>,
}

/// The treatment of a listed number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Turned away, but for emergency lines.
    Blocked,
    /// Goes before others.
    Priority,
}

impl Listed {
    pub fn name(self) -> &'static str {
        match self {
            Listed::Blocked => "blocked",
            Listed::Priority => "priority",
        }
    }
}

/// Calls to one number, or by one seat, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialledFact {
    /// The id of the first of them, or the seat's name.
    pub id: Arc<str>,
    /// `to:` and the number, or `seat:` and the name.
    pub whom: Arc<str>,
    /// As digits, year first.
    pub day: u32,
    pub calls: u32,
    /// Its network has refused the number, which is not called before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Wall>,
}

/// A request by which a seat placed a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFact {
    /// Made of its id and of who sent it.
    pub id: Arc<str>,
    /// Made of what it asked for.
    pub asked: Arc<str>,
    pub at: Wall,
}

/// The places where a seat's phones are, the one that registered last first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingsFact {
    pub seat: Arc<str>,
    pub bindings: Vec<BindingFact>,
}

/// One phone of a seat, as it registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingFact {
    pub contact: String,
    /// The phone, and the number of its flow (RFC 5626 §4).
    pub instance: Option<(String, u32)>,
    /// The proxies between (RFC 3327).
    pub path: Vec<String>,
    pub flow: Flow,
    /// No proxy is between.
    pub direct: bool,
    pub call_id: String,
    pub cseq: u32,
    pub until: Wall,
    /// The phone's name for itself.
    pub agent: String,
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
            Fact::Callback(_) => FactKind::Callback,
            Fact::Listed(_) => FactKind::Listed,
            Fact::Bindings(_) => FactKind::Bindings,
            Fact::Dialled(_) => FactKind::Dialled,
            Fact::Request(_) => FactKind::Request,
        }
    }

    /// One among its kind.
    pub fn key(&self) -> String {
        match self {
            Fact::Seat(fact) => fact.seat.to_string(),
            Fact::Callback(fact) => fact.id.to_string(),
            Fact::Listed(fact) => fact.id.to_string(),
            Fact::Bindings(fact) => fact.seat.to_string(),
            Fact::Dialled(fact) => fact.id.to_string(),
            Fact::Request(fact) => fact.id.to_string(),
        }
    }
}

impl FactKind {
    pub const ALL: [FactKind; 6] =
        [FactKind::Seat, FactKind::Callback, FactKind::Listed, FactKind::Bindings, FactKind::Dialled, FactKind::Request];

    pub fn name(self) -> &'static str {
        match self {
            FactKind::Seat => "seat",
            FactKind::Callback => "callback",
            FactKind::Listed => "listed",
            FactKind::Bindings => "bindings",
            FactKind::Dialled => "dialled",
            FactKind::Request => "request",
        }
    }

    pub fn named(name: &str) -> Option<FactKind> {
        FactKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
