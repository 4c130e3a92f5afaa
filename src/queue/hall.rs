use super::Line;
use super::desk::Idle;
use super::waiter::Place;
use std::collections::BTreeSet;

/// A line and what happens in it.
pub(super) struct Hall {
    pub config: Line,
    /// The configuration no longer names it: nobody joins, those inside are served.
    pub closed: bool,
    pub waiting: usize,
    /// Calls that want (more) seats to ring.
    pub hungry: BTreeSet<Place>,
    pub idle: BTreeSet<Idle>,
}
