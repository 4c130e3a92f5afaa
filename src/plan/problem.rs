//! Problems say what is wrong in a file, and where.

use super::encoding;
use super::letters::{self, Class, Slip};
use crate::base::{Text, Tongue};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One file, as text, so that a problem can show the line it is about.
#[derive(Debug)]
pub struct Source {
    pub name: Arc<str>,
    /// As it was meant: characters that a slip put there are mended.
    pub text: String,
    /// As it is, where that differs.
    written: Option<String>,
    /// Where each line starts.
    starts: Vec<usize>,
    slips: Vec<Slip>,
    /// The lines that were mended: what else is wrong in them may follow from it.
    mended: BTreeSet<usize>,
}

impl Source {
    /// A TOML file.
    pub fn new(name: &str, text: &str) -> Arc<Source> {
        Source::read(name, text.as_bytes())
    }

    /// A TOML file, whatever it was saved as.
    pub fn read(name: &str, bytes: &[u8]) -> Arc<Source> {
        let (written, saved) = encoding::decode(bytes);
        let (text, mut slips) = letters::repair(&written);
        let mended = slips.iter().map(|slip| slip.line).collect();
        slips.splice(0..0, saved);
        Source::with(name, text, Some(written), slips, mended)
    }

    /// A file that is no TOML: only its encoding is looked at.
    pub fn plain(name: &str, bytes: &[u8]) -> Arc<Source> {
        let (text, saved) = encoding::decode(bytes);
        Source::with(name, text, None, saved.into_iter().collect(), BTreeSet::new())
    }

    fn with(name: &str, text: String, written: Option<String>, slips: Vec<Slip>, mended: BTreeSet<usize>) -> Arc<Source> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let written = written.filter(|written| *written != text);
        Arc::new(Source { name: name.into(), text, written, starts, slips, mended })
    }

    /// Mistakes in its characters: of each kind the first, with the lines of the others.
    pub fn slips(&self) -> Vec<Problem> {
        let mut kinds: Vec<(Class, &Text, Problem, BTreeSet<usize>)> = Vec::new();
        for slip in &self.slips {
            // A date is meant as that very date; other kinds are one habit.
            match kinds.iter_mut().find(|(class, ..)| *class == slip.class) {
                Some((.., first, more)) if slip.line != first.line => {
                    more.insert(slip.line);
                }
                Some(_) => {}
                None => kinds.push((slip.class, &slip.text, self.slipped(slip), BTreeSet::new())),
            }
        }
        kinds.into_iter().map(|(_, _, problem, more)| problem.also(&more)).collect()
    }

    fn slipped(&self, slip: &Slip) -> Problem {
        let &Slip { line, column, width, .. } = slip;
        let shown = self.line(line).to_string();
        Problem { severity: Severity::Error, file: self.name.clone(), line, column, message: slip.text.clone(), shown, width }
    }

    /// Tells whether what is wrong there may follow from a slip that is told by itself.
    pub fn is_mended(&self, line: usize) -> bool {
        self.mended.contains(&line)
    }

    /// The place of a whole line.
    pub fn whole_line(self: &Arc<Source>, number: usize) -> At {
        let start = self.starts.get(number - 1).copied().unwrap_or(0);
        let length = self.text.get(start..).and_then(|text| text.lines().next()).map_or(0, str::len);
        At { source: self.clone(), span: start..start + length }
    }

    /// The text as it is in the file.
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }

    /// A line as it is written, counted from 1.
    fn line(&self, number: usize) -> &str {
        match &self.written {
            // Only here do lines end with CR alone.
            Some(written) => lines_of(written).nth(number - 1).unwrap_or(""),
            None => {
                let start = self.starts.get(number - 1).copied().unwrap_or(0);
                self.text.get(start..).and_then(|t| t.lines().next()).unwrap_or("")
            }
        }
    }
}

/// Lines that end with LF, CR LF or CR.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
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

/// A problem says what is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    pub message: Text,
    /// The text of the line; empty when there is none to show.
    pub shown: String,
    /// How many characters of it are meant.
    pub width: usize,
}

impl Problem {
    pub fn new(severity: Severity, at: &At, message: Text) -> Problem {
        let (line, column) = at.line_and_column();
        let shown = at.source.line(line).to_string();
        let meant = at.source.text.get(at.span.clone()).and_then(|t| t.lines().next()).unwrap_or("");
        let width = meant.chars().count().max(1);
        Problem { severity, file: at.source.name.clone(), line, column, message, shown, width }
    }

    /// The same is wrong in other lines of the file.
    fn also(mut self, lines: &BTreeSet<usize>) -> Problem {
        if lines.is_empty() {
            return self;
        }
        let count = lines.len();
        let some: Vec<String> = lines.iter().take(SHOWN).map(ToString::to_string).collect();
        let (some, dots) = (some.join(", "), if count > SHOWN { "…" } else { "" });
        let more = both!("; the same in {count} more lines: {some}{dots}", "；另有 {count} 行相同：第 {some}{dots} 行");
        self.message = self.message.then(&more);
        self
    }

    /// `file:line:column: message` with the line below it.
    pub fn told(&self) -> Text {
        let in_tongue = |tongue| Shown(self, tongue).to_string();
        Text { en: in_tongue(Tongue::English), zh: in_tongue(Tongue::Chinese) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self, Tongue::English).fmt(f)
    }
}

struct Shown<'a>(&'a Problem, Tongue);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(problem, tongue) = self;
        let kind = match (problem.severity, tongue) {
            (Severity::Error, _) => "",
            (Severity::Warning, Tongue::English) => "warning: ",
            (Severity::Warning, Tongue::Chinese) => "警告：",
        };
        write!(f, "{}:{}:{}: {kind}{}", problem.file, problem.line, problem.column, problem.message.told(*tongue))?;
        if problem.shown.is_empty() {
            return Ok(());
        }
        let (shown, lead) = window(&problem.shown, problem.column);
        let number = problem.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String = shown.chars().take(lead).map(blank).collect();
        let carets: String = shown.chars().skip(lead).take(problem.width).map(caret).collect();
        write!(f, "\n  {number} | {shown}\n  {margin} | {before}{}", if carets.is_empty() { "^" } else { &carets })
    }
}

/// A line of a few thousand characters would hide what is said about it: what is shown of it, and how many characters of
/// that stand before the place.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDEST: usize = 200;
    let visible = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let first = if line.chars().nth(WIDEST).is_some() { column.saturating_sub(WIDEST / 2) } else { 0 };
    (line.chars().skip(first).take(WIDEST).map(visible).collect(), column - 1 - first.min(column - 1))
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
    pub fn error(&self, at: &At, message: Text) {
        self.put(Severity::Error, at, message);
    }

    pub fn warning(&self, at: &At, message: Text) {
        self.put(Severity::Warning, at, message);
    }

    fn put(&self, severity: Severity, at: &At, message: Text) {
        if at.source.is_mended(at.line()) {
            return;
        }
        let refused = at.source.text.get(at.span.clone()).filter(|value| !value.contains('\n'));
        let hint = refused.and_then(letters::hint).map(|hint| both!(" ({})", "（{}）"; hint));
        self.add(Problem::new(severity, at, message.then(&hint.unwrap_or_default())));
    }

    pub fn add(&self, problem: Problem) {
        let mut all = self.0.borrow_mut();
        if all.len() < MOST && !all.contains(&problem) {
            all.push(problem);
        }
    }

    /// True when no error was found. A warning leaves a plan whole.
    pub fn is_good(&self) -> bool {
        self.0.borrow().iter().all(|problem| problem.severity != Severity::Error)
    }

    /// All of them, in the order of the files. A thing that is said in the same words of several lines is said once.
    pub fn take(self) -> Vec<Problem> {
        let mut all = self.0.into_inner();
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        let mut told: Vec<(Problem, BTreeSet<usize>)> = Vec::new();
        for problem in all {
            let same = |one: &Problem| one.file == problem.file && one.message == problem.message;
            match told.iter_mut().find(|(one, _)| same(one)) {
                Some((first, more)) => {
                    more.extend(Some(problem.line).filter(|line| *line != first.line));
                }
                None => told.push((problem, BTreeSet::new())),
            }
        }
        told.into_iter().map(|(problem, more)| problem.also(&more)).collect()
    }
}

/// So many lines are named that have the same mistake; the others are counted.
const SHOWN: usize = 5;

/// Nobody reads more at once.
const MOST: usize = 200;

/// The known word nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes so much.
    if word.len() > 256 {
        return None;
    }
    let near = |k: &&str| distance(word, k);
    let best = known.into_iter().min_by_key(near)?;
    let distance = distance(word, best);
    (distance <= best.chars().count().max(3) / 3 + 1 && distance < word.chars().count()).then_some(best)
}

/// `; did you mean "…"?` where a known word is near.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Text {
    nearest(word, known).map_or(Text::default(), |near| both!("; did you mean `{near}`?", "；是不是 `{near}`？"))
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
        let shown = Problem::new(Severity::Error, &at, Text::foreign("no such unit")).to_string();
        assert_eq!(shown, "a.toml:2:5: no such unit\n  2 | 名 = \"州局\" # y\n    |      ^^^^^^");
    }

    #[test]
    fn a_place_past_the_end_is_still_shown() {
        let source = Source::new("a", "x =");
        assert_eq!(
            Problem::new(Severity::Warning, &At { source, span: 3..3 }, Text::foreign("m")).to_string(),
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
