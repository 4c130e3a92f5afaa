//! The built program with real sockets: as an operator meets it (`operate`), and against SIPp callers and seats, telephones
//! with real RTP, softphones, and trouble (`calls`).

// Processes and sockets live by the real clock.
#![allow(clippy::disallowed_methods)]
// A test may fail in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod operate;
#[path = "../support/mod.rs"]
mod support;
