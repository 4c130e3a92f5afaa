//! Legs joined into a call: what happens to a caller, step by step of its dial plan.

pub mod event;
