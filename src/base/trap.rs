//! Panics where a test wants them. A room comes by [`spring`] where its state is half changed; nothing but a test sets a trap,
//! and a build for release has none.

use std::cell::Cell;

/// A room that may panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    Call,
    Queue,
    Dialog,
    Transaction,
    Plan,
    Media,
    Recording,
    /// An entry on its way into the journal.
    Journal,
    /// A look whether the journal is damaged.
    Look,
    /// The record of a call.
    Record,
    /// The planning of deliveries.
    Scheduler,
    /// A command of the API.
    Command,
    /// A host name that is resolved.
    Resolver,
}

/// Those of the switch.
pub const ROOMS: [Trap; 5] = [Trap::Call, Trap::Queue, Trap::Dialog, Trap::Transaction, Trap::Plan];

thread_local! {
    static SET: Cell<Option<(Trap, u32)>> = const { Cell::new(None) };
}

/// This thread panics when it has come by there so many times more.
pub fn set(trap: Trap, times: u32) {
    SET.set(Some((trap, times)));
}

/// Takes the trap away. Tells whether one was set.
pub fn clear() -> bool {
    SET.take().is_some()
}

/// It has not sprung yet.
pub fn is_set() -> bool {
    SET.get().is_some()
}

#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "it is what a trap is for")]
pub(crate) fn spring(here: Trap) {
    match SET.get() {
        Some((trap, 0)) if trap == here => {
            SET.set(None);
            panic!("a trap of a test");
        }
        Some((trap, times)) if trap == here => SET.set(Some((trap, times - 1))),
        _ => {}
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn spring(_here: Trap) {}
