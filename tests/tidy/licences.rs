//! Every package that the program is built from may be used under a licence of the list. Works offline.

use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::collections::BTreeSet;
use std::process::Command;

/// Licences that ask for no more than a notice.
const ALLOWED: &[&str] =
    &["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT-0", "Zlib", "Unicode-3.0", "0BSD", "CC0-1.0"];

/// Packages that state no SPDX expression: (name, the licence of its files, as read by a person).
const STATED_ELSEWHERE: &[(&str, &str)] = &[("rsip", "MIT"), ("rsip-derives", "MIT")];

#[test]
fn every_dependency_has_an_allowed_licence() {
    let metadata = metadata();
    let used = used_packages(&metadata);
    let packages = metadata["packages"].as_array().unwrap();
    let wrong: Vec<String> =
        packages.iter().filter(|package| used.contains(package["id"].as_str().unwrap())).filter_map(complaint).collect();
    assert!(used.len() > 100, "cargo metadata lists the dependencies");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_judge_says_no() {
    assert!(permitted("MIT/Apache-2.0"));
    assert!(permitted("Unlicense OR MIT"));
    assert!(permitted("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!permitted("GPL-3.0-only"));
    assert!(!permitted("MIT AND GPL-2.0-only"));
    assert!(!permitted("not a licence"));
    assert!(!permitted("Apache-2.0 WITH Bison-exception-2.2 AND LGPL-2.1-only"));
}

fn complaint(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap();
    let stated = STATED_ELSEWHERE.iter().find(|(n, _)| *n == name).map(|(_, licence)| *licence);
    match stated.or(package["license"].as_str()) {
        Some(licence) if permitted(licence) => None,
        Some(licence) => Some(format!("{name} {}: `{licence}` is not allowed", package["version"])),
        None => Some(format!("{name} {}: states no licence", package["version"])),
    }
}

fn permitted(licence: &str) -> bool {
    let allowed = |id: Option<spdx::LicenseId>| id.is_some_and(|id| ALLOWED.contains(&id.name));
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|e| e.evaluate(|requirement| allowed(requirement.license.id())))
}

/// The graph for this machine's target: other systems' packages need not be downloaded to be judged.
fn metadata() -> Value {
    let target = host_target();
    let arguments = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", &target];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn host_target() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_string()
}

fn used_packages(metadata: &Value) -> BTreeSet<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["id"].as_str().unwrap()).collect()
}
