//! The targets: each takes bytes and says what must hold.

// Each stub calls one.
#![allow(dead_code)]

pub mod api;
pub mod media;
pub mod plan;
pub mod profile;
pub mod register;
pub mod sdp;
pub mod sip;
pub mod stream;
pub mod switch;

mod work;

#[global_allocator]
static ALLOCATOR: work::Counting = work::Counting;
