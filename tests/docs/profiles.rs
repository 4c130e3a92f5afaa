//! Ready configurations of trunks: each is taken by `hotline check`, and each of its keys is explained in both languages.

use super::pages::{is_chinese, root};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn profiles() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(root().join("config/trunks")).unwrap().map(|entry| entry.unwrap().path());
    let mut profiles: Vec<_> = files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    profiles.sort();
    profiles
}

#[test]
fn each_ready_trunk_is_sound() {
    let profiles = profiles();
    assert!(profiles.len() >= 6, "{profiles:?}");
    for (path, text) in profiles {
        let site: toml::Table = text.parse().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
        command.env_clear().args(["check", "--config"]).arg(&path);
        command
            .env("HOTLINE__LIMITS__CALLS", "1000")
            .env("HOTLINE__LIMITS__LEGS", "3000")
            .env("HOTLINE__LIMITS__CONNECTIONS", "256")
            .env("HOTLINE__LIMITS__EMERGENCY_PERCENT", "10");
        // The password of each account, as the operator gives it.
        for (trunk, keys) in site["trunks"].as_table().unwrap() {
            for account in keys.get("registrations").and_then(|all| all.as_table()).into_iter().flat_map(|all| all.keys()) {
                let name = format!("HOTLINE__TRUNKS__{trunk}__REGISTRATIONS__{account}__SECRET").to_uppercase();
                command.env(name, "a password that is long enough");
            }
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{}: {told}", path.display());
    }
}

#[test]
fn each_key_of_a_ready_trunk_is_explained_in_both_languages() {
    for (path, text) in profiles() {
        let mut explained = (false, false);
        for (at, line) in text.lines().enumerate() {
            match line.strip_prefix('#') {
                Some(words) => {
                    let english = words.chars().any(|c| c.is_ascii_lowercase());
                    explained = (explained.0 || english, explained.1 || words.chars().any(is_chinese));
                }
                None if line.is_empty() => explained = (false, false),
                None if line.starts_with('[') || line.starts_with([' ', ']']) => {}
                None => assert_eq!(explained, (true, true), "{}:{}: {line}: (English, Chinese)", path.display(), at + 1),
            }
        }
    }
}
