//! Findings say what is wrong in a configuration, and where.

use super::redact;
use crate::base::Text;
use crate::plan::{At, Problem, Severity, characters};
use std::collections::BTreeMap;
use std::fmt;

/// One complaint, shown as a dial plan's are: `file:line:column: message` with the line.
#[derive(Clone, Debug)]
pub struct Finding {
    pub place: Place,
    pub message: Text,
}

#[derive(Clone, Debug)]
pub enum Place {
    File(At),
    /// An environment variable.
    Variable(String),
    /// A file that cannot be read, or the configuration as a whole.
    Whole(String),
    /// The file's reader found it: the message is in it.
    Problem(Box<Problem>),
    /// The message says it all.
    Told,
}

/// A key whose value is wrong, where its place in the files is not known: [`super::Layers::finding`] finds that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFault {
    pub path: Vec<String>,
    pub message: Text,
}

impl KeyFault {
    pub fn new(path: &[&str], message: Text) -> KeyFault {
        KeyFault { path: path.iter().map(|&part| part.to_owned()).collect(), message }
    }

    /// For those who have no place to show: a line for each.
    pub fn told(faults: &[KeyFault]) -> Text {
        let one = |KeyFault { path, message }: &KeyFault| {
            let key = path.join(".");
            both!("{key}: ", "{key}：").then(message)
        };
        Text::lines(&faults.iter().map(one).collect::<Vec<_>>())
    }
}

/// The places of keys whose values are looked at later.
#[derive(Clone, Debug, Default)]
pub struct KeyPlaces {
    pub plan: Option<Place>,
    /// The overflow of each queue.
    pub overflow: BTreeMap<String, Place>,
    /// Each number rule, by its trunk, its table and its place there.
    pub rules: BTreeMap<(String, &'static str, usize), Place>,
    /// Each number that the gateway shows, or calls as a seat, by its key, such as `trunks.mobile.number`.
    pub numbers: BTreeMap<String, Place>,
}

/// The same configuration may stand anywhere.
impl PartialEq for KeyPlaces {
    fn eq(&self, _: &KeyPlaces) -> bool {
        true
    }
}

impl Finding {
    /// A value that is wrong only for its characters gets a hint.
    pub fn of_value(place: Place, value: &str, message: Text) -> Finding {
        let hint = characters::hint(value).map(|hint| both!(" ({})", "（{}）"; hint));
        Finding { place, message: message.then(&hint.unwrap_or_default()) }
    }

    pub fn of_problem(problem: Problem) -> Finding {
        Finding { message: problem.message.clone(), place: Place::Problem(Box::new(problem)) }
    }

    pub fn whole(what: impl Into<String>, message: Text) -> Finding {
        Finding { place: Place::Whole(what.into()), message }
    }

    /// With its place as it is shown, and none of these secrets.
    pub fn hiding(self, secrets: &[String]) -> Finding {
        let message = redact::hidden(&self.told(), secrets);
        Finding { place: Place::Told, message }
    }

    pub fn told(&self) -> Text {
        let message = &self.message;
        match &self.place {
            Place::File(at) => Problem::new(Severity::Error, at, message.clone()).told(),
            Place::Variable(name) => both!("environment: {name}: {}", "环境变量 {name}：{}"; message).shown(),
            Place::Whole(what) => both!("{what}: {}", "{what}：{}"; message).shown(),
            Place::Problem(problem) => problem.told(),
            Place::Told => message.clone(),
        }
    }
}

impl Finding {
    /// As `check` and the log show it where it stops nothing.
    pub fn warning(&self) -> Text {
        match &self.place {
            Place::File(at) => Problem::new(Severity::Warning, at, self.message.clone()).told(),
            _ => self.told(),
        }
    }
}

impl Place {
    /// ` at line 7`, where it has one.
    pub fn line(&self) -> Text {
        let Place::File(at) = self else { return Text::default() };
        let (line, name) = (at.line(), &at.source.name);
        both!(" at line {line} of {name}", "（{name} 第 {line} 行）")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told().en)
    }
}
