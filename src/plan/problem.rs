//! Problems say what is wrong in a file, and where.

use super::ascii::Class;
use super::characters::{self, Slip};
use super::encoding;
use crate::base::{self, Text, Tongue};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
        let (text, mut slips) = characters::repair(&written);
        let mended = slips.iter().map(|slip| slip.line).collect();
        slips.splice(0..0, saved);
        Source::with(name, text, Some(written), slips, mended)
    }

    /// A file that is no TOML: only its encoding and its line ends are looked at.
    pub fn plain(name: &str, bytes: &[u8]) -> Arc<Source> {
        let (written, saved) = encoding::decode(bytes);
        let alone = |at: &usize| !written[at + 1..].starts_with('\n');
        let lone = written.match_indices('\r').map(|(at, _)| at).find(alone);
        let slip = lone.and_then(|at| written.get(..at)).map(|before| Slip {
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
            width: 1,
            class: Class::LineEnd,
            text: characters::message("\r", Class::LineEnd, ""),
        });
        let text = if slip.is_none() { written } else { written.replace("\r\n", "\n").replace('\r', "\n") };
        let slips = saved.into_iter().chain(slip).collect();
        Source::with(name, text, None, slips, BTreeSet::new())
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
pub struct Located<T> {
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
    /// Number of its characters that are meant.
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
        let message = base::Shown::whole(problem.message.told(*tongue));
        write!(f, "{}:{}:{}: {kind}{message}", problem.file, problem.line, problem.column)?;
        if problem.shown.is_empty() {
            return Ok(());
        }
        let (shown, lead) = window(&problem.shown, problem.column);
        let number = problem.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String = shown.chars().take(lead).map(|c| under(c, ' ')).collect();
        let carets: String = shown.chars().skip(lead).take(problem.width).map(|c| under(c, '^')).collect();
        let shown: String = shown.chars().map(visible).collect();
        write!(f, "\n  {number} | {shown}\n  {margin} | {before}{}", if carets.is_empty() { "^" } else { &carets })
    }
}

/// A line of a few thousand characters would hide what is said about it: what is shown of it, and how many characters of
/// that stand before the place.
fn window(line: &str, column: usize) -> (String, usize) {
    const WIDEST: usize = 200;
    let first = if line.chars().nth(WIDEST).is_some() { column.saturating_sub(WIDEST / 2) } else { 0 };
    (line.chars().skip(first).take(WIDEST).collect(), column - 1 - first.min(column - 1))
}

/// A character of a file as a terminal may get it.
fn visible(c: char) -> String {
    if c == '\t' { "\t".to_owned() } else { base::Shown::whole(c.encode_utf8(&mut [0; 4])) }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Severity::Error { "error" } else { "warning" })
    }
}

/// Everything found wrong so far: a reader goes on after a mistake, so that all are shown at once. What is said in the same
/// words of several lines of a file is said once.
#[derive(Debug, Default)]
pub struct Log(RefCell<BTreeMap<Kind, Repeated>>);

/// A mistake, wherever in the file it stands.
type Kind = (Severity, Arc<str>, String);

/// Where it was found first, and the other lines.
#[derive(Debug)]
struct Repeated {
    first: Problem,
    more: BTreeSet<usize>,
}

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
        let hint = refused.and_then(characters::hint).map(|hint| both!(" ({})", "（{}）"; hint));
        let message = message.then(&hint.unwrap_or_default());
        let kind = (severity, at.source.name.clone(), message.en.clone());
        let place = at.line_and_column();
        self.note(kind, place, || Problem::new(severity, at, message));
    }

    pub fn add(&self, problem: Problem) {
        let kind = (problem.severity, problem.file.clone(), problem.message.en.clone());
        self.note(kind, (problem.line, problem.column), || problem);
    }

    /// `problem` makes the line to be shown, which takes its time: only of the first of a kind.
    fn note(&self, kind: Kind, (line, column): (usize, usize), problem: impl FnOnce() -> Problem) {
        let mut all = self.0.borrow_mut();
        if let Some(told) = all.get_mut(&kind) {
            let first = (told.first.line, told.first.column);
            if (line, column) < first {
                told.first = problem();
            }
            let later = first.max((line, column)).0;
            told.more.extend(Some(later).filter(|later| *later != told.first.line));
        } else if self.has_room(&all, kind.0) {
            all.insert(kind, Repeated { first: problem(), more: BTreeSet::new() });
        }
    }

    /// Each severity for itself: many warnings hide no error.
    fn has_room(&self, all: &BTreeMap<Kind, Repeated>, severity: Severity) -> bool {
        all.len() < MOST || all.keys().filter(|kind| kind.0 == severity).count() < MOST
    }

    /// As [`suggestion`], while somebody may read it: each takes a look at all that is known.
    pub fn suggestion<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Text {
        if self.0.borrow().len() < MOST { suggestion(word, known) } else { Text::default() }
    }

    /// True when no error was found. A warning leaves a plan whole.
    pub fn is_good(&self) -> bool {
        self.0.borrow().keys().all(|(severity, ..)| *severity != Severity::Error)
    }

    /// All of them, in the order of the files.
    pub fn take(self) -> Vec<Problem> {
        let all = self.0.into_inner().into_values().map(|told| told.first.also(&told.more));
        let mut all: Vec<Problem> = all.collect();
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        all
    }
}

/// Limits how many lines with the same mistake are named; the others are counted.
const SHOWN: usize = 5;

/// Nobody reads more at once.
const MOST: usize = 200;

/// The known word nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes so much.
    if word.len() > 256 {
        return None;
    }
    let near = |k: &'a str| (distance(word, k), k);
    let (distance, best) = known.into_iter().map(near).min_by_key(|(distance, _)| *distance)?;
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

/// The marks below a character of a line. Chinese ones take two columns of a terminal.
fn under(c: char, mark: char) -> String {
    let columns = visible(c).chars().map(|c| 1 + usize::from(wide(c))).sum();
    if c == '\t' && mark == ' ' { "\t".to_owned() } else { String::from(mark).repeat(columns) }
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
