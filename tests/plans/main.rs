//! The plans of `dialplans/`: each passes its check, says what its notice says, and notices a mistake.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod mutated;
mod xishuangbanna;
