//! Promises to a carrier's engineer: each scenario of `tests/conformance` and each row of the page about RFCs names tests, and
//! they are there and run.

use crate::pages::{Page, root};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

const SCENARIOS: &str = "tests/conformance";
const PAGE: &str = "docs/rfc.md";
/// A program of tests that `tests/run` leaves out: it needs Request Tracker.
const NOT_RUN: &str = "request_tracker";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// A sentence.
    does: Spanned<String>,
    /// The section of an RFC, or the matter in a few words.
    by: Spanned<String>,
    /// `path::function`.
    tests: Spanned<Vec<Spanned<String>>>,
}

/// The files of which the programs of tests are made, by their path from the root.
struct Sources(BTreeMap<String, String>);

impl Sources {
    fn read() -> Sources {
        let mut all = Sources(BTreeMap::new());
        all.follow(&root().join("src/lib.rs"));
        for folder in root().join("tests").read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            if !folder.ends_with(NOT_RUN) && folder.join("main.rs").is_file() {
                all.follow(&folder.join("main.rs"));
            }
        }
        all
    }

    /// A file and its modules.
    fn follow(&mut self, file: &Path) {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if self.0.contains_key(&path) {
            return;
        }
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (folder, stem) = (file.parent().unwrap(), file.file_stem().unwrap().to_str().unwrap());
        let own = if ["lib", "main", "mod"].contains(&stem) { folder.to_path_buf() } else { folder.join(stem) };
        let mut elsewhere = None;
        for line in text.lines().map(str::trim) {
            if let Some(named) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
                elsewhere = Some(folder.join(named));
            } else if let Some(name) = module(line) {
                let usual = [own.join(format!("{name}.rs")), own.join(name).join("mod.rs")];
                let next = elsewhere.take().or_else(|| usual.into_iter().find(|path| path.is_file()));
                next.iter().for_each(|next| self.follow(next));
            }
        }
        self.0.insert(path, text);
    }

    /// Says what is wrong with `path::function`.
    fn fault(&self, name: &str) -> Option<String> {
        let Some((path, function)) = name.split_once("::") else { return Some(format!("`{name}` is no path::function")) };
        let Some(text) = self.0.get(path) else {
            let there = root().join(path).is_file();
            return Some(if there { format!("no program that is run has {path}") } else { format!("there is no file {path}") });
        };
        match runs(text, function) {
            None => Some(format!("{path} has no function {function}")),
            Some(false) => Some(format!("{function} of {path} is no test that runs")),
            Some(true) => None,
        }
    }
}

/// The name of a module that is a file of its own.
fn module(line: &str) -> Option<&str> {
    let mut words = line.strip_suffix(';')?.split(' ');
    let name = words.next_back()?;
    (words.next_back() == Some("mod")).then_some(name)
}

/// Tells whether a function of this name is a test that runs; none: there is no such function.
fn runs(text: &str, function: &str) -> Option<bool> {
    let (mut attributes, mut found) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if !line.is_empty() && !line.starts_with("//") {
            if names(line, function) {
                found = Some(found == Some(true) || is_test(&attributes));
            }
            attributes.clear();
        }
    }
    found
}

fn names(line: &str, function: &str) -> bool {
    let Some((before, after)) = line.split_once("fn ") else { return false };
    let plain = before.split_whitespace().all(|word| word == "async" || word.starts_with("pub"));
    plain && after.strip_prefix(function).is_some_and(|rest| rest.starts_with('('))
}

fn is_test(attributes: &[&str]) -> bool {
    let test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test]") || line.starts_with("#[tokio::test(");
    let kept_back = |line: &&str| line.starts_with("#[ignore") || line.starts_with("#[cfg");
    attributes.iter().any(test) && !attributes.iter().any(kept_back)
}

/// Lines by number, and what is to be said of each.
type Lines = Vec<(usize, String)>;

/// The faults of a file, and the words of its sentences.
fn judged(text: &str, sources: &Sources) -> (Lines, Lines) {
    let line = |span: Range<usize>| text[..span.start].matches('\n').count() + 1;
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(e) => return (vec![(e.span().map_or(1, line), e.message().to_owned())], Vec::new()),
    };
    let (mut wrong, mut said) = (Vec::new(), Vec::new());
    for Scenario { does, by, tests } in file.scenario {
        if !does.get_ref().ends_with('.') {
            wrong.push((line(does.span()), format!("`{}` is no sentence", does.get_ref())));
        }
        if by.get_ref().is_empty() {
            wrong.push((line(by.span()), "`by` says nothing".to_owned()));
        }
        if tests.get_ref().is_empty() {
            wrong.push((line(tests.span()), "no test is named".to_owned()));
        }
        let faults = tests.get_ref().iter().filter_map(|test| Some((line(test.span()), sources.fault(test.get_ref())?)));
        wrong.extend(faults);
        let words: Vec<String> = does.get_ref().split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        said.push((line(does.span()), words.concat()));
    }
    (wrong, said)
}

#[test]
fn scenarios_name_tests_that_run() {
    let (sources, mut wrong, mut all) = (Sources::read(), Vec::new(), BTreeMap::new());
    let mut files: Vec<_> = root().join(SCENARIOS).read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    for name in files {
        let path = format!("{SCENARIOS}/{}", name.to_str().unwrap());
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let (faults, said) = judged(&text, &sources);
        wrong.extend(faults.into_iter().map(|(line, why)| format!("{path}:{line}: {why}")));
        for (line, words) in said {
            let here = format!("{path}:{line}");
            if let Some(before) = all.insert(words, here.clone()) {
                wrong.push(format!("{here}: says the same as {before}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(all.len() > 100, "{} scenarios", all.len());
}

/// The faults of one row: RFC, about, supported, how far, tests.
fn judged_row(row: &str, sources: &Sources) -> Vec<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [rfc, about, supported, how_far, tests] = cells[..] else { return vec![format!("{} cells", cells.len())] };
    let mut wrong = Vec::new();
    if rfc.is_empty() || about.is_empty() {
        wrong.push("says of nothing that it is supported".to_owned());
    }
    match supported {
        "no" => {}
        "yes" | "partly" if tests.is_empty() => wrong.push(format!("{rfc} names no test")),
        "partly" if how_far.is_empty() => wrong.push(format!("{rfc} does not say how far")),
        "yes" | "partly" => {}
        other => wrong.push(format!("`{other}` is not yes, partly or no")),
    }
    for test in tests.split(", ").filter(|test| !test.is_empty()) {
        match test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) {
            Some(name) => wrong.extend(sources.fault(name)),
            None => wrong.push(format!("`{test}` is no name of a test")),
        }
    }
    wrong
}

#[test]
fn whatever_is_supported_names_tests_that_run() {
    let (sources, page, mut wrong, mut all) = (Sources::read(), Page::read(PAGE), Vec::new(), BTreeMap::new());
    let is_row = |line: &str| line.starts_with('|') && !line.starts_with("| RFC | ") && !line.starts_with("|-");
    for (number, row) in (1..).zip(page.text.lines()).filter(|(_, line)| is_row(line)) {
        wrong.extend(judged_row(row, &sources).into_iter().map(|why| format!("{PAGE}:{number}: {why}")));
        if let Some(before) = all.insert(row.split('|').nth(1), number) {
            wrong.push(format!("{PAGE}:{number}: stands at line {before} too"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(all.len() > 50, "{} rows", all.len());
}

/// The judges themselves: a check that cannot fail would be worth nothing.
#[test]
fn the_checks_see_what_they_should() {
    let text = "fn helper() {}\n#[test]\nfn a() {\n}\n    #[test]\n    // Why.\n    fn b(n in 0..3) {\n#[tokio::test(start_paused = true)]\n\
                async fn c() {\n#[test]\n#[ignore = \"slow\"]\nfn d() {\n// #[test]\n// fn e() {}\n#[test]\nconst F: u8 = 1;\nfn f() {";
    let found: Vec<Option<bool>> = ["helper", "a", "b", "c", "d", "e", "f"].map(|name| runs(text, name)).into();
    assert_eq!(found, [Some(false), Some(true), Some(true), Some(true), Some(false), None, Some(false)]);
    assert_eq!([module("pub(super) mod x;"), module("mod x {"), module("use x;")], [Some("x"), None, None]);
    let sources = Sources([("src/x.rs".to_owned(), text.to_owned())].into());
    let faults = |text: &str| judged(text, &sources).0;
    let sound = "[[scenario]]\ndoes = \"Does it.\"\nby = \"RFC 1\"\ntests = [\n  \"src/x.rs::a\",\n]\n";
    assert!(faults(sound).is_empty());
    for (is, instead, line) in [
        ("src/x.rs::a", "src/y.rs::a", 5),
        ("src/x.rs::a", "tests/docs/proofs.rs::a", 5),
        ("::a", "::nobody", 5),
        ("::a", "::helper", 5),
        ("::a", "", 5),
        ("  \"src/x.rs::a\",\n", "", 4),
        ("RFC 1", "", 3),
        ("by =", "because =", 3),
        ("it.", "it", 2),
    ] {
        let found = faults(&sound.replace(is, instead));
        assert!(found.len() == 1 && found[0].0 == line, "{instead}: {found:?}");
    }
    let same = judged(&format!("{sound}{}", sound.replace("Does it.", "does IT .")), &sources).1;
    assert!(same.len() == 2 && same[0].1 == same[1].1, "{same:?}");
    let row = "| RFC 1 | it | yes | | `src/x.rs::a` |";
    assert_eq!(judged_row(row, &sources), [""; 0]);
    for (is, instead) in [
        ("yes", "partly"),
        ("yes", "perhaps"),
        ("`src/x.rs::a`", ""),
        ("::a", "::d"),
        ("`src", "src"),
        ("| it", ""),
        ("| it |", "| |"),
    ] {
        assert_eq!(judged_row(&row.replacen(is, instead, 1), &sources).len(), 1, "{instead}");
    }
}
