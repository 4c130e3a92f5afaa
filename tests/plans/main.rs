//! The plans of `dialplans/`: each passes its check, says what its notice says, and notices a mistake.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
// Other tests use more of it.
#[allow(dead_code)]
#[path = "../support/g711.rs"]
mod g711;
mod mutated;
mod xishuangbanna;
