//! Each call's end stands in the log, with the figures of its record.

use super::Active;
use super::identity::Identity;
use crate::base::{CallId, Mono, Now};
use crate::call::event::What;
use crate::record::ending::Ending;

impl Active {
    /// One more entry of its log.
    pub(super) fn count(&mut self, id: CallId, now: Now, what: &What) {
        self.timing.apply(what, now.mono);
        if let What::Ended { .. } = what {
            self.ending(now.mono).log(id, "the call is over");
        }
    }

    /// Nothing more is known of it. Its end was told before, or else never will be.
    pub(super) fn forgotten(&self, id: CallId, now: Now) {
        if self.timing.end.is_none() {
            self.ending(now.mono).log(id, "the call is gone, and its record has no end");
        }
    }

    fn ending(&self, now: Mono) -> Ending<'_> {
        let Identity { number, caller, withheld, .. } = &self.identity;
        Ending::of(&self.timing, now, number, caller.as_deref(), *withheld)
    }
}
