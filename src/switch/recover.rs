//! A panic costs one call. Whoever drives the switch catches it and comes here: what was half done is made whole again in each
//! room, and the call that was worked on is ended and recorded like any other.

use super::{Output, Switch, Work};
use crate::base::{CallId, LegId, Now};
use crate::call::{self, AbortedLeg};
use crate::dialog::Event;
use crate::seat::Doer;

impl Switch {
    /// The last input or tick has panicked. The effects that it had made before are carried out.
    pub fn recover(&mut self, now: Now, out: &mut Vec<Output>) {
        self.counters.panics += 1;
        let call = self.at_work.take();
        match call {
            Some(call) => tracing::error!(%call, "the program has panicked in a call: it is ended, the others go on"),
            None => tracing::error!("the program has panicked, in no call: what it did then is given up"),
        }
        self.legs.recover(&mut self.ua, now, &mut self.legs_done);
        self.serve(now, out);
        self.recover_queues(now, call);
        if let Some(id) = call {
            self.abort(now, id);
        }
        if let Some(leg) = self.arriving.take().filter(|leg| !self.leg_calls.contains_key(leg)) {
            self.turn_away(now, leg, 500, out);
        }
        self.run(now, out);
        self.trace(out);
    }

    /// Ends a call that cannot go on, whatever its parties do.
    pub(super) fn give_up(&mut self, now: Now, id: CallId) {
        self.recover_queues(now, Some(id));
        self.abort(now, id);
    }

    fn recover_queues(&mut self, now: Now, call: Option<CallId>) {
        self.queues.seats_mut().is_done_by(Doer::default());
        self.queues.recover(now, call, &mut self.queues_done);
        self.work.extend(self.queues_done.drain(..).map(Work::Queue));
    }

    fn abort(&mut self, now: Now, id: CallId) {
        let Some(active) = self.calls.get_mut(&id) else { return };
        if active.over.is_some() {
            self.work.push_back(Work::Owed(id));
            // Its record is closed; perhaps the journal's word for it was what it was told.
            if !self.journal.unwritten.iter().any(|(_, waiting)| *waiting == id) {
                self.work.push_back(Work::Call(id, call::Input::Journaled));
            }
            return;
        }
        // Effects that the call had wanted so far it would not want now; what it is told goes on.
        self.work.retain(|work| match work {
            Work::Effect(of, _) => *of != id,
            Work::Call(of, input) => *of != id || matches!(input, call::Input::Closed { .. } | call::Input::Journaled),
            Work::Leg(_) | Work::Queue(_) | Work::Owed(_) => true,
        });
        let legs: Vec<AbortedLeg> = active
            .legs
            .iter()
            .map(|(leg_no, leg)| AbortedLeg { no: *leg_no, alive: !leg.ended, open: leg.rtp.is_some(), closing: !leg.closed })
            .collect();
        let (open_move, talked) = (active.open_move, active.talked);
        self.with_call(now, id, |call, done| call.abort(now, &legs, open_move, talked, done));
    }
}

/// The leg whose news it is; a new leg is nobody's yet, and what never becomes a leg is nobody's at all.
pub(super) fn leg_of(event: &Event) -> Option<LegId> {
    match event {
        Event::Incoming(_) | Event::Asked(_) | Event::TurnedAway(_) => None,
        Event::Media { leg, .. }
        | Event::Answered { leg }
        | Event::Ended { leg, .. }
        | Event::Refer { leg, .. }
        | Event::Key { leg, .. }
        | Event::KeyRefused { leg, .. }
        | Event::Progress { leg, .. }
        | Event::EarlyMedia { leg, .. }
        | Event::Confirmed { leg }
        | Event::HopFailed { leg, .. }
        | Event::Established { leg } => Some(*leg),
    }
}
