use super::crew::Crew;
use super::queues::{Timer, limit};
use super::{Output, Queues};
use crate::base::{CallId, Now};
use crate::seat::Lease;
use std::sync::Arc;

/// After a panic.
impl Queues {
    /// Gives up what `call` had, and works out anew what follows from who waits, rings and talks.
    pub fn recover(&mut self, now: Now, call: Option<CallId>, out: &mut Vec<Output>) {
        if let Some(call) = call
            && let Some(waiter) = self.waiters.remove(&call)
        {
            self.timers.cancel(&Timer::Wait(call));
            self.timers.cancel(&Timer::Widen(call));
            waiter.failed.all().for_each(|(seat, _)| self.timers.cancel(&Timer::Retry(call, seat.clone())));
            waiter.ringing.keys().for_each(|seat| self.timers.cancel(&Timer::Ring(call, seat.clone())));
        }
        let waiters = &self.waiters;
        self.seats.recover(call, |call, seat| waiters.get(&call).is_some_and(|waiter| waiter.ringing.contains_key(seat)));
        self.members.values_mut().flatten().for_each(|of| (of.listed, of.crew) = (None, Crew::default()));
        for queue in self.queues.values_mut() {
            queue.empty();
            queue.clear();
        }
        for (call, waiter) in &self.waiters {
            waiter.ringing.keys().for_each(|seat| self.seats.take(*call, seat, Lease::Ringing));
        }
        self.recover_queues(now);
        let names: Vec<Arc<str>> = self.seats.names().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.pending.extend(self.queues.keys().cloned());
        self.dispatch(now.mono, out);
    }

    fn recover_queues(&mut self, now: Now) {
        for (call, waiter) in &self.waiters {
            let Some(queue) = self.queues.get_mut(&waiter.queue) else { continue };
            queue.enter(waiter);
            if queue.config.strategy.wants_seat(waiter, &self.seats) {
                queue.wants(waiter);
            }
            self.timers.set(Timer::Wait(*call), limit(waiter, &queue.config));
            self.timers.update(Timer::Widen(*call), queue.widens(now.mono, waiter));
            for seat in waiter.ringing.keys() {
                let timer = Timer::Ring(*call, seat.clone());
                if !self.timers.is_set(&timer) {
                    self.timers.set(timer, now.mono.after(queue.config.ring_timeout));
                }
            }
        }
        self.queues.retain(|_, queue| !queue.closed || queue.waiting > 0);
    }
}
