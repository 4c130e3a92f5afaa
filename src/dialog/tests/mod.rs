//! Legs against hand-written peers and against each other; the clock jumps, nothing sleeps.

mod incoming;
mod lossy;
mod one;
mod outgoing;
mod refer;
mod reliable;
mod session;
mod timer;
