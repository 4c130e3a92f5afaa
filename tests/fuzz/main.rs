//! Everything that reads what strangers or operators wrote, fed with seeds turned round a little. Each target is a function of
//! the bytes that says what must hold for any bytes (`targets/`); libFuzzer calls the same ones (`stubs/`, `run`).
//!
//! `FUZZ_SEED=17 cargo test --test fuzz sip` replays one case; `FUZZ_SEEDS=1000000` runs more, from `FUZZ_FROM` on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod drive;
mod targets;

use drive::drive;
use targets::*;

#[test]
fn sip() {
    drive("sip", 6_000, sip::target);
}

#[test]
fn register() {
    drive("register", 4_000, register::target);
}

#[test]
fn sdp() {
    drive("sdp", 6_000, sdp::target);
}

#[test]
fn stream() {
    drive("stream", 4_000, stream::target);
}

#[test]
fn media() {
    drive("media", 1_500, media::target);
}

#[test]
fn plan() {
    drive("plan", 1_000, plan::target);
}

#[test]
fn profile() {
    drive("profile", 1_000, profile::target);
}

#[test]
fn api() {
    drive("api", 1_000, api::target);
}

#[test]
fn switch() {
    drive("switch", 150, switch::target);
}
