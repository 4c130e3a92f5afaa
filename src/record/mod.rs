//! The remains of a call: its events folded into a record, the record in an envelope, and the machine that
//! brings it to a ticket system.
//!
//! A call's log is append-only and holds deltas. Every event that leaves the gateway carries the full snapshot of its
//! moment, folded from the log up to the entry that caused it, so that late, merged or repeated events converge and an
//! event that is sent twice is the same both times.

pub mod amendment;
pub mod callback;
pub mod cloudevent;
pub mod codec;
pub mod delivery;
pub mod digest;
pub mod ending;
pub mod error_text;
pub mod exchange;
pub mod fold;
pub mod link;
pub mod profile;
pub mod recording;
pub mod report;
pub mod scheduler;
pub mod schema;
pub mod seal;
pub mod shape;
pub mod signature;
pub mod timing;
pub mod zone;

#[cfg(test)]
mod tests;
