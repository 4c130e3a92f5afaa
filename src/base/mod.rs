//! The ground that every room may name: time, identifiers, seeded randomness, hash maps, deadlines, flows, blocks of addresses,
//! masking, the width of text.
//!
//! Nothing here reads a clock, a socket or the operating system's randomness: all of it arrives as an argument.

#[macro_use]
mod text;
mod access;
mod cidr;
pub mod columns;
mod counts;
mod dotted;
mod flow;
mod hop;
mod id;
mod map;
mod mask;
mod meaning;
mod rate;
mod rng;
mod rtp_stats;
mod shown;
mod source;
mod srtp;
mod steady;
pub mod subject;
mod time;
mod timers;
pub mod trap;
mod web;

pub use access::AccessList;
pub use cidr::Cidr;
pub use counts::Counts;
pub use dotted::Dotted;
pub use flow::{Flow, Proto};
pub use hop::{Hop, Place, Target, Transport};
pub use id::{CallId, LegId};
pub use map::{Map, MapSeed, Set};
pub use mask::Masked;
pub use meaning::{About, Meaning};
pub use rate::{Bucket, Rate, RateLimit};
pub use rng::Rng;
pub use rtp_stats::RtpStats;
pub use shown::Shown;
pub use source::{Source, owner};
pub use srtp::{MasterKey, SrtpKeys, Suite};
pub use steady::{Steady, Turn};
pub use text::{Text, Tongue};
pub use time::{Mono, Now, Offset, Wall};
pub use timers::Timers;
pub use web::is_web;
