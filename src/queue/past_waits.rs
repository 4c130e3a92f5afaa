use super::waiter::Failures;
use crate::base::CallId;
use std::collections::BTreeMap;
use std::time::Duration;

/// More calls than there are at once; the oldest is forgotten first.
const REMEMBERED: usize = 16_384;

/// How long calls waited, for those that come back to the head, or go on to another queue.
#[derive(Clone, Debug, Default)]
pub(super) struct PastWaits {
    waits: BTreeMap<CallId, Past>,
    order: BTreeMap<u64, CallId>,
}

#[derive(Clone, Debug)]
pub(super) struct Past {
    serial: u64,
    pub wait: Duration,
    /// A seat took it then.
    pub served: bool,
    pub failed: Failures,
}

impl PastWaits {
    /// `serial` is higher than any before it.
    pub fn remember(&mut self, call: CallId, serial: u64, wait: Duration, served: bool) {
        self.forget(call);
        self.waits.insert(call, Past { serial, wait, served, failed: Failures::default() });
        self.order.insert(serial, call);
        if self.waits.len() > REMEMBERED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.waits.remove(&oldest);
        }
    }

    /// The seats that failed the call, which are not forgotten as long as it may come back.
    pub fn failures(&mut self, call: CallId) -> Option<&mut Failures> {
        self.waits.get_mut(&call).map(|past| &mut past.failed)
    }

    pub fn knows(&self, call: CallId) -> bool {
        self.waits.contains_key(&call)
    }

    pub fn forget(&mut self, call: CallId) -> Option<Past> {
        let past = self.waits.remove(&call)?;
        self.order.remove(&past.serial);
        Some(past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let call = |n: usize| CallId(Uuid::from_u128(n as u128));
        let mut past_waits = PastWaits::default();
        for n in 0..=REMEMBERED {
            past_waits.remember(call(n), n as u64, Duration::from_secs(1), n % 2 == 0);
        }
        assert!(past_waits.forget(call(0)).is_none());
        assert!(past_waits.forget(call(1)).is_some_and(|past| past.wait == Duration::from_secs(1) && !past.served));
        assert!(!past_waits.knows(call(1)) && past_waits.knows(call(2)));
        assert_eq!(past_waits.waits.len(), past_waits.order.len());
    }
}
