//! Legs against hand-written peers and against each other; the clock jumps, nothing sleeps.

mod challenged;
mod fork;
mod hops;
mod incoming;
mod keys;
mod live;
mod lossy;
mod one;
mod outgoing;
mod parts;
mod peers;
mod refer;
mod reliable;
mod replaces;
mod sealed;
mod session;
mod snapshot;
mod timer;
mod wreck;
