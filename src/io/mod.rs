//! The impure room: sockets, files, clocks, threads, randomness. It drives the switch and carries out what it says. Its own
//! rooms, and what each may name, stand in `tests/tidy.rs`.

// Here, and only here, the machine is asked for time and randomness.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod clock;
pub mod config;
pub mod deliver;
pub mod engine;
pub mod figures;
pub mod gateway;
pub mod http;
pub mod inbox;
pub mod journal;
pub mod metrics;
pub mod net;
pub mod process;
pub mod recorder;
pub mod seat_log;
pub mod shards;
