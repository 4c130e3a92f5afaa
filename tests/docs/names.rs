//! The names on the page about the architecture: files are there, what stands beside a file is defined in it, and every other
//! word in code marks stands somewhere in the sources. All pages name settings that there are.

use crate::pages::{Page, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DEFINITIONS: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];

fn rust_files(folder: &Path, text: &mut String) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            *text += &fs::read_to_string(&path).unwrap();
        }
    }
}

fn is_path(name: &str) -> bool {
    name.contains('/') && !name.contains(' ')
}

fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside))
}

fn defines(text: &str, name: &str) -> bool {
    let lines = || text.lines().map(str::trim_start);
    let named = |line: &str, kind: &str| has_word(line, &format!("{kind} {name}"));
    // A variant, or a use of a type as an implementation's subject.
    lines().any(|line| DEFINITIONS.iter().any(|kind| named(line, kind)) || line.starts_with("impl") && has_word(line, name))
}

/// The names in one line that stand beside a file: in the next column, or between brackets after it.
fn beside_files(line: &str) -> Vec<(String, String)> {
    let (mut file, mut found) = (None, Vec::new());
    let mut parts = line.split('`');
    while let (Some(before), Some(name)) = (parts.next(), parts.next()) {
        if is_path(name) {
            file = Some(name.to_owned());
        } else if ![" | ", " (", ", "].contains(&before) {
            file = None;
        } else if let Some(file) = &file {
            found.push((file.clone(), name.to_owned()));
        }
    }
    found
}

#[test]
fn every_name_of_the_architecture_exists() {
    let (page, mut sources, mut wrong) = (Page::read("docs/ARCHITECTURE.md"), String::new(), Vec::new());
    rust_files(&root().join("src"), &mut sources);
    rust_files(&root().join("tests"), &mut sources);
    let mut seen = 0;
    for name in page.names() {
        if is_path(&name) {
            seen += 1;
            wrong.extend((!root().join(&name).exists()).then(|| format!("no file {name}")));
        } else if !name.contains(' ') {
            let parts = name.split("::").filter(|part| !has_word(&sources, part));
            wrong.extend(parts.map(|part| format!("{part} of {name} stands nowhere")));
        }
    }
    for (file, name) in page.text.lines().flat_map(beside_files).filter(|(file, _)| file.ends_with(".rs")) {
        seen += 1;
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        let parts = name.split("::").filter(|part| !defines(&text, part));
        wrong.extend(parts.map(|part| format!("{part} of {name} is not defined in {file}")));
    }
    assert!(seen > 100, "{seen} names");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_room_is_on_the_page() {
    let page = Page::read("docs/ARCHITECTURE.md");
    for room in root().join("src").read_dir().unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()) {
        let name = format!("| `src/{}` |", room.file_name().to_str().unwrap());
        assert!(page.text.contains(&name), "{name} is missing");
    }
}

/// A setting is written `table.key`, also in a table of one's own naming.
#[test]
fn every_setting_that_a_page_names_exists() {
    let defaults = fs::read_to_string(root().join("config/default.toml")).unwrap();
    let table: toml::Table = defaults.parse().unwrap();
    let mut seen = BTreeSet::new();
    for page in Page::english().into_iter().chain(Page::chinese()) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        for name in page.names().into_iter().map(|name| name.split(" =").next().unwrap().trim_matches(['[', ']']).to_owned()) {
            let parts: Vec<&str> = name.split('.').collect();
            if parts.len() < 2 || !name.chars().all(plain) || !table.contains_key(parts[0]) || name.ends_with(".db") {
                continue;
            }
            // Tables that an operator names himself show their keys in a remark.
            let key = parts[parts.len() - 1];
            let own = key.chars().any(char::is_uppercase) || key.chars().all(|c| c.is_ascii_digit());
            assert!(own || has_word(&defaults, key), "{}: no setting {name}", page.path);
            seen.insert(name);
        }
    }
    assert!(seen.len() > 40, "{seen:?}");
}

#[test]
fn every_figure_that_a_page_names_is_rendered() {
    let mut sources = String::new();
    rust_files(&root().join("src"), &mut sources);
    let mut seen = 0;
    for page in Page::english().into_iter().chain(Page::chinese()) {
        for name in page.names().iter().filter_map(|name| name.strip_prefix("hotline_")) {
            let figure = name.split(' ').next().unwrap();
            assert!(sources.contains(&format!("\"{figure}\"")), "{}: no figure hotline_{figure}", page.path);
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} figures");
}

/// The judges themselves: a check that cannot fail would be worth nothing.
#[test]
fn the_checks_see_what_they_should() {
    assert!(defines("    pub(super) fn run(&mut self) {", "run") && !defines("self.run();", "run"));
    assert!(defines("impl Queues {", "Queues") && !defines("use super::Queues;", "Queues"));
    let row = "| it goes | `src/a.rs` | `A::b`, `c` |";
    assert_eq!(beside_files(row), [("src/a.rs".into(), "A::b".into()), ("src/a.rs".into(), "c".into())]);
    assert_eq!(beside_files("in `src/a.rs` (`A`), as `b` does"), [("src/a.rs".into(), "A".into())]);
}
