use super::queues::{Timer, is_hungry, limit};
use super::{Output, Queues};
use crate::base::{CallId, Now};
use crate::seat::Lease;
use std::sync::Arc;

/// After a panic.
impl Queues {
    /// Gives up what `call` had, and works out anew what follows from who waits, rings and talks.
    pub fn mend(&mut self, now: Now, call: Option<CallId>, out: &mut Vec<Output>) {
        if let Some(call) = call
            && let Some(waiter) = self.waiters.remove(&call)
        {
            self.timers.cancel(&Timer::Wait(call));
            waiter.failed_seats().for_each(|seat| self.timers.cancel(&Timer::Retry(call, seat.clone())));
            waiter.ringing.keys().for_each(|seat| self.timers.cancel(&Timer::Ring(call, seat.clone())));
        }
        let waiters = &self.waiters;
        self.seats.mend(call, |call, seat| waiters.get(&call).is_some_and(|waiter| waiter.ringing.contains_key(seat)));
        self.desks.values_mut().for_each(|desk| desk.listed = None);
        for hall in self.lines.values_mut() {
            hall.waiting = 0;
            hall.sources.clear();
            hall.hungry.clear();
            hall.idle.clear();
        }
        for (call, waiter) in &self.waiters {
            waiter.ringing.keys().for_each(|seat| self.seats.take(*call, seat, Lease::Ringing));
        }
        self.mend_lines(now);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.stirred.extend(self.lines.keys().cloned());
        self.dispatch(now.mono, out);
    }

    fn mend_lines(&mut self, now: Now) {
        for (call, waiter) in &self.waiters {
            let Some(hall) = self.lines.get_mut(&waiter.line) else { continue };
            hall.enter(&waiter.source);
            if is_hungry(waiter, hall.config.strategy, &self.seats) {
                hall.hungry.insert(waiter.place);
            }
            self.timers.set(Timer::Wait(*call), limit(waiter, &hall.config));
            for seat in waiter.ringing.keys() {
                let timer = Timer::Ring(*call, seat.clone());
                if !self.timers.is_set(&timer) {
                    self.timers.set(timer, now.mono.after(hall.config.ring_timeout));
                }
            }
        }
        self.lines.retain(|_, hall| !hall.closed || hall.waiting > 0);
    }
}
