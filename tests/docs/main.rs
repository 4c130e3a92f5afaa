//! The documents against the program. Commands are run, in order, as they stand: the blocks that begin with `# $`. Only ports are
//! replaced, so that a gateway that runs here already is not disturbed. What is named is there; both languages say the same.

// Times of the real clock are measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod check;
mod names;
mod package;
mod pages;
#[path = "../support/ports.rs"]
mod ports;
mod profiles;
mod proofs;

use pages::{ENGLISH, Page, bare, in_chinese, is_chinese, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Commands that are not run: they build, install or start what no test may.
const NOT_RUN: &[&str] = &["cargo", "tests/run"];

#[test]
fn every_command_of_the_readme_works() {
    run(&Page::english());
}

#[test]
fn every_command_of_the_chinese_pages_works() {
    run(&Page::chinese());
}

fn run(pages: &[Page]) {
    let [sip, http, seat] = [0; 3].map(|_| ports::free_port().port());
    let script: String = pages.iter().flat_map(Page::run).map(|block| format!("{block}\n")).collect();
    let script = script.replace("5060 -s", &format!("{sip} -s")).replace(":8080", &format!(":{http}"));
    let script = script.replace("-p 5070", &format!("-p {seat}"));
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_hotline")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{script}")])
        .current_dir(&folder)
        .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
        .env("HOTLINE__HTTP__LISTEN", format!("127.0.0.1:{http}"))
        .env("HOTLINE__SEATS__DESK__ADDRESS", format!("127.0.0.1:{seat}"))
        .env("HOTLINE__SIP__LISTEN", format!("127.0.0.1:{sip}"))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let logs =
        ["hotline", "operate", "seats", "toolbar", "journal", "share"].map(|name| folder.path().join(name).with_extension("log"));
    let log: String = logs.into_iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    assert!(output.status.success(), "{out}\n{err}\n{log}");
    for expected in [
        "\"ready\"",
        "hotline_calls 0",
        "answered",
        "draining",
        "announce-and-connect",
        "released",
        "from tax-bureau",
        "307 https://orders.example/GD-1",
        "event: survey.received",
        "read through and whole",
        "what stood there is now",
    ] {
        assert!(out.contains(expected), "no {expected} in {out}\n{err}\n{log}");
    }
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    for path in ["README.md", "docs/zh/README.md"] {
        let page = Page::read(path);
        let first: Vec<&str> = page.blocks().into_iter().take(2).map(|block| block.lines().next().unwrap()).collect();
        assert_eq!(first, ["cargo run --release -- try", "tests/run"]);
        assert!(page.text.lines().count() < 200, "{path} is read in one go");
    }
    assert!(Page::english().iter().flat_map(Page::run).count() >= 4);
}

#[test]
fn both_languages_have_the_same_commands_and_headings() {
    for (english, chinese) in Page::english().iter().zip(Page::chinese()) {
        let path = &chinese.path;
        assert_eq!(*path, in_chinese(&english.path));
        let commands = |page: &Page| {
            let blocks = page.blocks().into_iter().map(|block| block.lines().map(bare).collect::<Vec<_>>().join("\n"));
            blocks.collect::<Vec<_>>()
        };
        assert_eq!(commands(english), commands(&chinese), "{path}");
        let levels = |page: &Page| {
            let marks = page.headings().into_iter().map(|heading| heading.split(' ').next().unwrap().len());
            marks.collect::<Vec<_>>()
        };
        assert_eq!(levels(english), levels(&chinese), "{path}: {:?} {:?}", english.headings(), chinese.headings());
        let foreign = |line: &&str| line.chars().any(is_chinese) && !line.starts_with("[中文") && !line.contains('`');
        let prose = english.prose();
        assert_eq!(prose.lines().find(foreign), None, "{} is in English", english.path);
        let own = |heading: &String| heading.chars().any(is_chinese) || heading.ends_with("Hotline");
        assert!(chinese.headings().iter().all(own), "{path}: {:?}", chinese.headings());
        // A Chinese page names the same settings, addresses and figures.
        let names = |page: &Page| page.names().into_iter().filter(|name| !name.contains(' ')).collect::<BTreeSet<_>>();
        let of_both = |name: &String| name.contains(['_', '/']) && !name.chars().any(is_chinese);
        let missing: Vec<_> = names(english).difference(&names(&chinese)).filter(|name| of_both(name)).cloned().collect();
        assert!(missing.is_empty(), "{path} does not name {missing:?}");
    }
}

#[test]
fn links_lead_somewhere() {
    for page in Page::english().into_iter().chain(Page::chinese()) {
        for link in page.links() {
            assert!(link.exists(), "{}: {}", page.path, link.display());
        }
    }
    let named: BTreeSet<String> = ENGLISH.iter().map(|path| (*path).to_owned()).collect();
    for file in root().join("docs").read_dir().unwrap().map(|entry| entry.unwrap()) {
        let path = format!("docs/{}", file.file_name().to_str().unwrap());
        assert!(file.path().is_dir() || named.contains(&path), "{path} is a page that no test looks at");
    }
}

/// Blocks that are not run name programs and scripts that are there; so does the text.
#[test]
fn commands_that_are_not_run_are_there() {
    let mut helps = BTreeMap::new();
    for page in Page::english().into_iter().chain(Page::chinese()) {
        for line in page.blocks().into_iter().filter(|block| !block.starts_with("# $\n")).flat_map(str::lines) {
            let program = line.split_whitespace().find(|word| !word.contains('=')).unwrap_or_default();
            let known = NOT_RUN.contains(&program) || root().join(program).is_file();
            assert!(known, "{}: {line}", page.path);
        }
        for name in page.names().iter().filter_map(|name| name.strip_prefix("hotline ")) {
            let mut words =
                name.split(' ').take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-')).peekable();
            let mut asked: Vec<String> = words.next().into_iter().map(str::to_owned).collect();
            if asked.iter().any(|command| ["records", "calls", "recordings"].contains(&command.as_str())) && name.contains(' ') {
                asked.extend(words.next().filter(|word| !word.starts_with('-')).map(str::to_owned));
            }
            let help = helps.entry(asked.clone()).or_insert_with(|| help(&asked));
            for option in name.split([' ', '[', ']', '=']).filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{}: `hotline {name}`: no {option} in {help}", page.path);
            }
        }
    }
}

fn help(command: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hotline")).args(command).args(["--help", "--lang", "en"]).output().unwrap();
    assert!(output.status.success(), "hotline {command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Each package of the program is in the table; besides these only packages of the tests may be.
#[test]
fn the_table_of_packages_is_complete() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let packages = |table: &str| manifest[table].as_table().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>();
    let page = Page::read("docs/DEPENDENCIES.md");
    let rows = page.text.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<&str> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let (used, tests) = (packages("dependencies"), packages("dev-dependencies"));
    assert_eq!(used.difference(&named).collect::<Vec<_>>(), [] as [&&str; 0], "not in the table");
    assert_eq!(named.iter().filter(|name| !used.contains(*name) && !tests.contains(*name)).count(), 0, "{named:?}");
}
