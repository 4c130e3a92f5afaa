//! The impure room: sockets, files, clocks, threads, randomness. It drives the switch and carries out what it says.

// Here, and only here, the machine is asked for time and randomness.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod admission;
mod alarm;
pub mod asks;
pub mod audit;
pub mod board;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod descriptors;
pub mod disk;
mod endings;
pub mod engine;
pub mod feed;
pub mod files;
pub mod gateway;
pub mod http;
pub mod inbox;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod letters;
pub mod log;
mod machine;
pub mod moment;
pub mod outside;
mod pair;
pub mod plans;
pub mod private;
pub mod recorder;
pub mod reload;
pub mod schemas;
pub mod setup;
pub mod shard;
mod sockets;
mod store;
pub mod tap;
pub mod tcp;
pub mod tokens;
pub mod trail;
pub mod udp;
