//! What is wrong in a configuration, and where.

use crate::plan::{At, Problem, Severity};
use std::fmt;

/// One complaint, shown as a dial plan's are: `file:line:column: message` with the line.
#[derive(Clone, Debug)]
pub struct Finding {
    pub place: Place,
    pub message: String,
}

#[derive(Clone, Debug)]
pub enum Place {
    File(At),
    /// An environment variable.
    Variable(String),
    /// A file that cannot be read, or the configuration as a whole.
    Whole(String),
}

impl Finding {
    pub fn whole(what: impl Into<String>, message: impl fmt::Display) -> Finding {
        Finding { place: Place::Whole(what.into()), message: message.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(at) => Problem::new(Severity::Error, at, self.message.as_str()).fmt(f),
            Place::Variable(name) => write!(f, "environment: {name}: {}", self.message),
            Place::Whole(what) => write!(f, "{what}: {}", self.message),
        }
    }
}
