//! Checks what must hold between two inputs, whatever came before. The simulation asks after each.

use super::Switch;
use crate::base::{CallId, Now};
use std::collections::BTreeSet;

impl Switch {
    /// Tells whether a channel of this seat is taken: it rings, talks, or is kept for a caller that may come back to it.
    pub fn is_taken(&self, seat: &str) -> bool {
        self.queues.seats().get(seat).is_some_and(|state| state.taken > 0)
    }

    /// No caller waits while a seat is free for it, none waits in a queue that does not know it, no seat is taken for a call
    /// that does not ring it, nobody rings for nobody, and no call stands where nothing would end it.
    pub fn audit(&self, now: Now) -> Result<(), String> {
        if let Some(call) = self.queues.stranded(now) {
            return Err(format!("call {call} waits, and a seat is free for it"));
        }
        if let Some(miscount) = self.queues.miscount() {
            return Err(miscount);
        }
        // A seat is in a call as long as the call lives, whatever became of a BYE.
        if let Some((call, seat)) = self.queues.seats().in_use().find(|(call, _)| !self.calls.contains_key(call)) {
            return Err(format!("seat {seat} is in call {call}, which is over"));
        }
        let placed = self.calls.iter().filter(|(_, active)| active.outbound.is_some() && active.over.is_none());
        let placed: BTreeSet<CallId> = placed.map(|(id, _)| *id).collect();
        if placed != self.placed {
            return Err(format!("seats have placed {placed:?}, and {:?} are counted", self.placed));
        }
        for (id, active) in &self.calls {
            if let Some(seat) =
                active.call.seats().find(|seat| !active.call.is_over() && !self.queues.seats().calls(seat).contains(id))
            {
                return Err(format!("seat {seat} is in call {id}, and does not know it"));
            }
            active.call.audit().map_err(|fault| format!("call {id}: {fault}"))?;
            if active.call.waits() && !self.queues.waits(*id) {
                return Err(format!("call {id} waits in a queue that does not know it"));
            }
            if let Some(seat) = self.queues.ringing(*id).find(|seat| !active.call.rings_seat(seat)) {
                return Err(format!("call {id} is waiting for seat {seat} to answer, which it has not called"));
            }
        }
        Ok(())
    }
}
