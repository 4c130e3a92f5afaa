//! Media threads, each with its sockets, and the copies that they make of calls' audio.

mod pair;
pub mod shard;
mod sockets;
pub mod tap;
