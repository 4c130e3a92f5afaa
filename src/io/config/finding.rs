//! What is wrong in a configuration, and where.

use std::fmt;
use std::ops::Range;

/// One complaint. Prints as `file:line:column: message` with the line shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub place: Place,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Line and column count from 1, in characters; `text` is the line.
    File { file: String, line: usize, column: usize, text: String },
    /// An environment variable.
    Variable(String),
    /// A file that cannot be read, or the configuration as a whole.
    Whole(String),
}

impl Place {
    /// The place of a span of `text`.
    pub fn in_file(file: &str, text: &str, span: Range<usize>) -> Place {
        let at = floor_char_boundary(text, span.start);
        let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let line_text = text[start..].lines().next().unwrap_or_default();
        Place::File {
            file: file.to_string(),
            line: text[..at].matches('\n').count() + 1,
            column: text[start..at].chars().count() + 1,
            text: line_text.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { file, line, column, text } => {
                write!(f, "{file}:{line}:{column}: {}\n{line:>5} | {text}", self.message)
            }
            Place::Variable(name) => write!(f, "environment: {name}: {}", self.message),
            Place::Whole(what) => write!(f, "{what}: {}", self.message),
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
