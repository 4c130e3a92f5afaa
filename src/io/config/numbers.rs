//! The keys of number rules.

use crate::base::Text;
use crate::plan::{self, RulesFor};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberRule {
    #[serde(rename = "match")]
    pub pattern: String,
    pub strip: usize,
    pub prepend: String,
    pub stop: bool,
}

impl Default for NumberRule {
    fn default() -> NumberRule {
        NumberRule { pattern: String::new(), strip: 0, prepend: String::new(), stop: true }
    }
}

/// A number, and what the rules must make of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    pub direction: Side,
    pub number: String,
    pub gives: String,
}

/// The numbers that a table of rules is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    #[default]
    CalledIn,
    CallerIn,
    CalledOut,
    CallerOut,
}

impl Side {
    pub const ALL: [Side; 4] = [Side::CalledIn, Side::CallerIn, Side::CalledOut, Side::CallerOut];

    pub fn rules_for(self) -> RulesFor {
        match self {
            Side::CalledIn => RulesFor::CalledIn,
            Side::CalledOut => RulesFor::CalledOut,
            Side::CallerIn | Side::CallerOut => RulesFor::Callers,
        }
    }

    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Side::CalledIn => "called_in",
            Side::CallerIn => "caller_in",
            Side::CalledOut => "called_out",
            Side::CallerOut => "caller_out",
        }
    }
}

impl NumberRule {
    pub fn read(&self) -> Result<plan::NumberRule, (&'static str, Text)> {
        plan::NumberRule::new(&self.pattern, self.strip, &self.prepend, self.stop)
    }
}
