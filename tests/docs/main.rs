//! README's commands, and those of the page about the journal, are run, in order, as they stand: the blocks that begin with `# $`. Only ports are replaced, so
//! that a gateway that runs here already is not disturbed.

// Times of the real clock are measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod check;
mod package;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");
const JOURNAL: &str = include_str!("../../docs/JOURNAL.md");

fn blocks() -> Vec<&'static str> {
    let fenced = [README, JOURNAL].into_iter().flat_map(|page| page.split("```").skip(1).step_by(2));
    fenced.filter_map(|block| block.strip_prefix("sh\n")?.strip_prefix("# $\n")).collect()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn every_command_of_the_readme_works() {
    let (sip, http, seat) = (free_port(), free_port(), free_port());
    let script: String = blocks().iter().map(|block| format!("{block}\n")).collect();
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
    let log = std::fs::read_to_string(folder.path().join("hotline.log")).unwrap_or_default();
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
    let first: Vec<&str> = README.split("```sh\n").skip(1).take(2).map(|block| block.lines().next().unwrap()).collect();
    assert_eq!(first, ["cargo run --release -- try", "tests/run"]);
    assert!(blocks().len() >= 4);
}

/// Each package of the program is in the table; besides these only packages of the tests may be.
#[test]
fn the_table_of_packages_is_complete() {
    let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let packages = |table: &str| manifest[table].as_table().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>();
    let rows = README.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<&str> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let (used, tests) = (packages("dependencies"), packages("dev-dependencies"));
    assert_eq!(used.difference(&named).collect::<Vec<_>>(), [] as [&&str; 0], "not in the table");
    assert_eq!(named.iter().filter(|name| !used.contains(*name) && !tests.contains(*name)).count(), 0, "{named:?}");
}
