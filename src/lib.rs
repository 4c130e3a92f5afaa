//! Hotline: a SIP gateway for government hotlines that merge into one number.
//!
//! Rooms (folders) and what each may name stand in `tests/tidy.rs`, which holds them to it. A packet flows one way:
//! transport → transaction → dialog → call → plan → {media, queue, record}; effects come back as values.

pub mod base;
pub mod call;
pub mod cli;
pub mod control;
pub mod dialog;
pub mod io;
pub mod media;
pub mod plan;
pub mod queue;
pub mod record;
pub mod sip;
pub mod switch;
pub mod transaction;
pub mod transport;
pub mod trial;
