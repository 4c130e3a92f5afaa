//! docker-compose.yml against the program: no container engine is needed to see whether the two agree.

use std::path::Path;
use std::process::Command;

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const DEFAULTS: &str = include_str!("../../config/default.toml");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// The text after `key` on its line, first found.
fn after(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
    line.unwrap_or_else(|| panic!("no `{key}`")).trim().to_string()
}

fn default(section: &str, key: &str) -> toml::Value {
    let defaults: toml::Table = DEFAULTS.parse().unwrap();
    defaults[section][key].clone()
}

#[test]
fn the_variables_are_ones_that_the_program_takes() {
    let lines = COMPOSE.lines().map(str::trim).filter_map(|line| line.split_once(": "));
    let variables: Vec<_> =
        lines.filter(|(key, _)| key.starts_with("HOTLINE__")).map(|(k, v)| (k, v.trim_matches('"'))).collect();
    assert!(variables.len() >= 3);
    let output = Command::new(env!("CARGO_BIN_EXE_hotline")).arg("check").envs(variables).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_image_builds_and_starts_what_there_is() {
    assert!(MANIFEST.contains("name = \"hotline\""));
    assert_eq!(after(COMPOSE, "COPY --from=build"), "/src/target/release/hotline /usr/local/bin/hotline");
    assert_eq!(after(COMPOSE, "ENTRYPOINT"), "[\"/usr/local/bin/hotline\"]");
    let arguments: Vec<String> = serde_json::from_str(&after(COMPOSE, "CMD")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hotline")).args(&arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    let health: Vec<String> =
        serde_json::from_str(COMPOSE.split_once("HEALTHCHECK").unwrap().1.split_once("CMD ").unwrap().1.lines().next().unwrap())
            .unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_hotline")).args(&health[1..]).args(["--url", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "nobody listens there: unhealthy");
    assert!(COMPOSE.contains("ca-certificates"), "tickets go over TLS");
    // Built and run on the same release of Debian: the same C library.
    assert_eq!(after(COMPOSE, "FROM rust:1-"), "bookworm AS build");
    assert_eq!(after(COMPOSE, "FROM debian:"), "bookworm-slim");
}

#[test]
fn paths_lie_where_the_program_looks() {
    let home = after(COMPOSE, "WORKDIR /var");
    assert_eq!(home, "/lib/hotline", "the program's folder");
    let home = format!("/var{home}");
    let mounted = |volume: &str| COMPOSE.contains(&format!("- {volume}"));
    assert!(mounted(&format!("state:{}", after(COMPOSE, "HOTLINE__NODE__STATE:"))));
    assert!(mounted(&format!("./config:{home}/config:ro")), "config/site.toml is read from there");
    let state = after(COMPOSE, "HOTLINE__NODE__STATE:");
    assert!(COMPOSE.contains(&format!("install -d -o hotline -g hotline -m 0700 {state}")), "its user may write there");
    let plan = default("plan", "file");
    let folder = Path::new(plan.as_str().unwrap()).parent().unwrap().display();
    assert!(mounted(&format!("./{folder}:{home}/{folder}:ro")));
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(plan.as_str().unwrap()).exists());
}

#[test]
fn ports_and_times_are_the_defaults() {
    assert_eq!(after(COMPOSE, "network_mode:"), "host", "else every RTP port would have to be published");
    let sip = default("sip", "listen")[0].as_str().unwrap().to_string();
    let http = default("http", "listen").as_str().unwrap().to_string();
    let (first, last) = (default("media", "first_port"), default("media", "last_port"));
    assert!(COMPOSE.contains(&format!("SIP on {sip}, HTTP on {http}, RTP on {first}-{last}")));
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().unwrap();
    assert!(seconds(&after(COMPOSE, "stop_grace_period:")) > seconds(default("log", "drain").as_str().unwrap()));
    assert!(!COMPOSE.contains(":latest"), "images have versions");
}
