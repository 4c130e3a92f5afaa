use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One file of a plan, as text, so that a problem can show the line it is about.
#[derive(Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub text: String,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Source {
    pub fn new(name: &str, text: &str) -> Arc<Source> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Arc::new(Source { name: name.into(), text: text.to_string(), starts })
    }

    /// The place of a whole line.
    pub fn whole_line(self: &Arc<Source>, number: usize) -> At {
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        At { source: self.clone(), span: start..start + self.line(number).len() }
    }

    /// A line's text, counted from 1.
    fn line(&self, number: usize) -> &str {
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        self.text.get(start..).and_then(|t| t.lines().next()).unwrap_or("")
    }
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct At {
    pub source: Arc<Source>,
    pub span: Range<usize>,
}

impl At {
    /// Counted from 1, in characters as an editor counts them.
    pub fn line_and_column(&self) -> (usize, usize) {
        let line = self.source.starts.partition_point(|start| *start <= self.span.start);
        let start = self.source.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.source.text.get(start..self.span.start).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    pub fn line(&self) -> usize {
        self.source.starts.partition_point(|start| *start <= self.span.start)
    }
}

/// A word of a plan and where it was said.
#[derive(Clone, Debug)]
pub struct Said<T> {
    pub value: T,
    pub at: At,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan is not taken.
    Error,
    /// The plan works, but would embarrass on some day.
    Warning,
}

/// What is wrong, and where. Displays as `file:line:column: message` with the line below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// The text of the line; empty when there is none to show.
    pub shown: String,
    /// How many characters of it are meant.
    pub width: usize,
}

impl Problem {
    pub fn new(severity: Severity, at: &At, message: impl Into<String>) -> Problem {
        let (line, column) = at.line_and_column();
        let shown = at.source.line(line).to_string();
        let meant = at.source.text.get(at.span.clone()).and_then(|t| t.lines().next()).unwrap_or("");
        let width = meant.chars().count().max(1);
        Problem { severity, file: at.source.name.clone(), line, column, message: message.into(), shown, width }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{}:{}:{}: {kind}{}", self.file, self.line, self.column, self.message)?;
        if self.shown.is_empty() {
            return Ok(());
        }
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let lead: String = self.shown.chars().take(self.column - 1).map(blank).collect();
        let carets: String = self.shown.chars().skip(self.column - 1).take(self.width).map(caret).collect();
        write!(f, "\n  {number} | {}\n  {margin} | {lead}{}", self.shown, if carets.is_empty() { "^" } else { &carets })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Severity::Error { "error" } else { "warning" })
    }
}

/// Everything found wrong so far: a reader goes on after a mistake, so that all are shown at once.
#[derive(Debug, Default)]
pub struct Log(RefCell<Vec<Problem>>);

impl Log {
    pub fn error(&self, at: &At, message: impl Into<String>) {
        self.add(Problem::new(Severity::Error, at, message));
    }

    pub fn warning(&self, at: &At, message: impl Into<String>) {
        self.add(Problem::new(Severity::Warning, at, message));
    }

    pub fn add(&self, problem: Problem) {
        let mut all = self.0.borrow_mut();
        if all.len() < MOST && !all.contains(&problem) {
            all.push(problem);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them, in the order of the files.
    pub fn take(self) -> Vec<Problem> {
        let mut all = self.0.into_inner();
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        all
    }
}

/// Nobody reads more at once.
const MOST: usize = 200;

/// The known word nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |k: &&str| distance(word, k);
    let best = known.into_iter().min_by_key(near)?;
    (distance(word, best) <= best.chars().count().max(3) / 3 + 1).then_some(best)
}

/// `; did you mean "…"?` where a known word is near.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Levenshtein's distance: how many characters to insert, remove or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// Chinese characters take two columns of a terminal: the carets below them must too.
fn blank(c: char) -> &'static str {
    if c == '\t' { "\t" } else { [" ", "  "][usize::from(wide(c))] }
}

fn caret(c: char) -> &'static str {
    ["^", "^^"][usize::from(wide(c))]
}

fn wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_points_at_the_place() {
        let source = Source::new("a.toml", "x = 1\n名 = \"州局\" # y\n");
        let start = source.text.find('"').unwrap();
        let at = At { source, span: start..start + "\"州局\"".len() };
        let shown = Problem::new(Severity::Error, &at, "no such unit").to_string();
        assert_eq!(shown, "a.toml:2:5: no such unit\n  2 | 名 = \"州局\" # y\n    |      ^^^^^^");
    }

    #[test]
    fn a_place_past_the_end_is_still_shown() {
        let source = Source::new("a", "x =");
        assert_eq!(
            Problem::new(Severity::Warning, &At { source, span: 3..3 }, "m").to_string(),
            "a:1:4: warning: m\n  1 | x =\n    |    ^"
        );
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        assert_eq!(nearest("conect-from", ["connect-from", "released-from"]), Some("connect-from"));
        assert_eq!(nearest("weather", ["unit", "name"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
