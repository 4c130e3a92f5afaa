//! Ways in which other systems get stuck, each as a test by its number.

mod calls;
mod offers;
mod recordings;
