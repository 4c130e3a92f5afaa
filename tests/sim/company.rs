//! Parties of a call and their company, as the journal tells them: a view that shares nothing with the code that decides who may stay.

use hotline::base::{CallId, Mono};
use hotline::event::{Entry, TransferKind, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Media that closes is told a moment later.
const MOMENT: Duration = Duration::from_secs(2);
const CALLER: u64 = 0;

#[derive(Default)]
pub struct Company {
    calls: BTreeMap<CallId, Call>,
}

#[derive(Debug, Default)]
struct Call {
    caller_gone: bool,
    /// The caller hears a prompt, or waits in a queue.
    waits: bool,
    /// Somebody has been with the caller.
    met: bool,
    talking: BTreeSet<u64>,
    ringing: BTreeSet<u64>,
    /// Moves to emergency lines that are not over.
    urgent: BTreeSet<u32>,
    /// Since when somebody has had nobody.
    alone: Option<Mono>,
}

impl Company {
    pub fn entry(&mut self, entry: &Entry) {
        if let What::Ended { .. } = entry.what {
            self.calls.remove(&entry.call);
            return;
        }
        let call = self.calls.entry(entry.call).or_default();
        match &entry.what {
            What::Announcing { .. } | What::Queued { .. } => call.waits = true,
            What::Ringing { leg, .. } => _ = call.ringing.insert(*leg),
            What::RingFailed { leg, .. } => _ = call.ringing.remove(leg),
            What::Joined { leg, .. } => {
                call.ringing.remove(leg);
                call.talking.insert(*leg);
                (call.waits, call.met) = (false, true);
            }
            What::LegEnded { leg: CALLER, .. } => call.caller_gone = true,
            What::LegEnded { leg, .. } | What::LegMedia { leg, .. } => _ = call.talking.remove(leg),
            What::TransferStarted { seq, kind: TransferKind::Emergency, .. } => _ = call.urgent.insert(*seq),
            What::TransferEnded { seq, .. } => _ = call.urgent.remove(seq),
            _ => {}
        }
    }

    /// The process has died, and its calls with it.
    pub fn forget(&mut self) {
        self.calls.clear();
    }

    /// Nobody is alone, and nobody rings for somebody who has gone.
    pub fn check(&mut self, now: Mono) -> Result<(), String> {
        for (id, call) in &mut self.calls {
            let since = *call.alone.get_or_insert(now);
            if call.is_company() {
                call.alone = None;
            } else if now.since(since) > MOMENT {
                return Err(format!("call {id}: somebody is alone, or rings for nobody: {call:?}"));
            }
        }
        Ok(())
    }
}

impl Call {
    fn is_company(&self) -> bool {
        let (talking, rings) = (self.talking.len(), !self.ringing.is_empty());
        match self.caller_gone {
            false => !self.met || self.waits || talking > 0 || rings,
            true => talking > 1 || talking == 1 && rings && !self.urgent.is_empty(),
        }
    }
}
