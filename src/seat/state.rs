use super::shift::{Rules, Shift, SignIn};
use super::{Binding, Lease, Use};
use crate::base::{CallId, Mono};
use crate::event::seat::{Intent, Skills};
use std::time::Duration;

/// One seat: its channels, and how many calls have them.
#[derive(Clone, Debug, Default)]
pub struct SeatState {
    /// 0 once the configuration no longer names it: it finishes its calls.
    pub channels: u32,
    /// The places where it can be reached now.
    pub bindings: Vec<Binding>,
    pub skills: Skills,
    /// Those of the configuration.
    pub(super) known_skills: Skills,
    pub expert: bool,
    /// Callers of queues that it has talked to; one that is new begins with as many as the least busy has.
    pub served: u64,
    /// Calls that it rings for by a queue.
    pub ringing: u32,
    /// Calls that use it, in whatever way.
    pub taken: u32,
    /// The same calls, the oldest first.
    pub(super) calls: Vec<CallId>,
    /// Calls of these that it has placed.
    pub placed: u32,
    /// Passed over until then; none: it is not resting.
    pub rests_until: Option<Mono>,
    /// Times in a row that it did not answer; above 0 it is in doubt.
    pub misses: u32,
    /// Serial number of its last work: the lower, the longer idle.
    pub last_work: u64,
    pub shift: Shift,
    pub rules: Rules,
    /// Some configuration has named it: else it is a party of a call and nothing more.
    pub(super) known: bool,
    /// The way in which it signed in when the configuration was taken last; none for one that is new and was not kept.
    pub(super) begun: Option<SignIn>,
}

/// The axis of the phone: it follows from bindings and live legs, and nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    Gone,
    Idle,
    Ringing,
    Talking,
}

impl DeviceState {
    pub fn name(self) -> &'static str {
        match self {
            DeviceState::Gone => "gone",
            DeviceState::Idle => "idle",
            DeviceState::Ringing => "ringing",
            DeviceState::Talking => "talking",
        }
    }
}

impl SeatState {
    /// It takes one more call now.
    pub fn is_free(&self) -> bool {
        self.rests_until.is_none() && self.taken < self.channels && !self.bindings.is_empty() && self.shift.takes_calls()
    }

    pub fn device(&self) -> DeviceState {
        match () {
            () if self.taken > self.ringing => DeviceState::Talking,
            () if self.ringing > 0 => DeviceState::Ringing,
            () if self.bindings.is_empty() || self.is_phone() && self.is_doubtful() => DeviceState::Gone,
            () => DeviceState::Idle,
        }
    }

    /// Callers may wait for it alone: it takes calls now, or will when those that it has are over.
    pub fn keeps_callers(&self) -> bool {
        let there = matches!(self.shift.intent, Intent::Ready | Intent::WrapUp { .. }) && !self.is_doubtful();
        self.rests_until.is_none() && self.channels > 0 && !self.bindings.is_empty() && there
    }

    /// Somebody is signed in there whose phone can be called: it will take calls, if not now.
    pub fn may_come(&self) -> bool {
        self.channels > 0 && !self.bindings.is_empty() && !self.shift.is_leaving()
    }

    pub fn is_doubtful(&self) -> bool {
        self.misses > 0
    }

    /// One phone of one person, whose absence concerns every call.
    pub fn is_phone(&self) -> bool {
        self.channels <= 1
    }

    pub fn is_gone(&self) -> bool {
        self.channels == 0 && self.taken == 0
    }

    /// How long it rests after a failure.
    pub(super) fn rest(&self, shortest: Duration, longest: Duration) -> Duration {
        let doubled = 1_u32.checked_shl(self.misses.saturating_sub(1)).unwrap_or(u32::MAX);
        shortest.saturating_mul(doubled).min(longest.max(shortest))
    }

    pub(super) fn count(&mut self, call: CallId, of: Use) {
        if of.is_one()
            && let Err(at) = self.calls.binary_search(&call)
        {
            self.calls.insert(at, call);
        }
        self.taken += u32::from(of.is_one());
        self.ringing += u32::from(of.lease == Some(Lease::Ringing));
        self.placed += u32::from(of.placed);
    }

    pub(super) fn discount(&mut self, call: CallId, of: Use) {
        if of.is_one()
            && let Ok(at) = self.calls.binary_search(&call)
        {
            self.calls.remove(at);
        }
        self.taken -= u32::from(of.is_one());
        self.ringing -= u32::from(of.lease == Some(Lease::Ringing));
        self.placed -= u32::from(of.placed);
    }
}
