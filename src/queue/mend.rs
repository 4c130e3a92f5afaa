use super::queues::{Timer, is_hungry, limit};
use super::{Output, Queues};
use crate::base::{CallId, Now};
use std::sync::Arc;

/// After a panic.
impl Queues {
    /// Gives up what `call` had, and works out anew what follows from who waits, rings and talks.
    pub fn mend(&mut self, now: Now, call: Option<CallId>, out: &mut Vec<Output>) {
        if let Some(call) = call {
            self.talks.retain(|(of, _)| *of != call);
            if let Some(waiter) = self.waiters.remove(&call) {
                self.timers.cancel(&Timer::Wait(call));
                waiter.failed_seats().for_each(|seat| self.timers.cancel(&Timer::Retry(call, seat.clone())));
                waiter.ringing.keys().for_each(|seat| self.timers.cancel(&Timer::Ring(call, seat.clone())));
            }
        }
        for desk in self.desks.values_mut() {
            (desk.ringing, desk.talking, desk.listed) = (0, 0, None);
        }
        for hall in self.lines.values_mut() {
            hall.waiting = 0;
            hall.sources.clear();
            hall.hungry.clear();
            hall.idle.clear();
        }
        for (_, seat) in &self.talks {
            self.desks.entry(seat.clone()).or_default().talking += 1;
        }
        for waiter in self.waiters.values() {
            waiter.ringing.keys().for_each(|seat| self.desks.entry(seat.clone()).or_default().ringing += 1);
        }
        self.mend_lines(now);
        let names: Vec<Arc<str>> = self.desks.keys().cloned().collect();
        names.iter().for_each(|seat| self.list(seat));
        self.stirred.extend(self.lines.keys().cloned());
        self.dispatch(now.mono, out);
    }

    fn mend_lines(&mut self, now: Now) {
        for (call, waiter) in &self.waiters {
            let Some(hall) = self.lines.get_mut(&waiter.line) else { continue };
            hall.enter(&waiter.source);
            if is_hungry(waiter, hall.config.strategy, &self.desks) {
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
