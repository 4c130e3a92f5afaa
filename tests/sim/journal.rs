//! A disk: entries become durable after a while, or much later when it is full. Checks what the log must be.

use hotline::base::{CallId, Mono, Rng};
use hotline::call::event::{Entry, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Default)]
pub struct Journal {
    pub entries: BTreeMap<CallId, Vec<What>>,
    /// SIP Call-ID → its call's first ticket.
    offered: BTreeMap<String, u64>,
    pub durable: u64,
    /// Until then nothing becomes durable.
    pub stalled_until: Mono,
    next: u64,
    last: BTreeSet<CallId>,
}

impl Journal {
    /// Takes an entry; says when it is durable.
    pub fn write(&mut self, rng: &mut Rng, now: Mono, ticket: u64, entry: Entry) -> Result<Mono, String> {
        self.next += 1;
        if ticket != self.next {
            return Err(format!("ticket {ticket} after {}", self.next - 1));
        }
        let log = self.entries.entry(entry.call).or_default();
        log.push(entry.what.clone());
        if entry.seq as usize != log.len() {
            return Err(format!("entry {} of {} is numbered {}", log.len(), entry.call, entry.seq));
        }
        match entry.what {
            What::Offered(offered) if entry.seq == 1 => {
                self.offered.insert(offered.sip_call_id, ticket);
            }
            What::Ended { .. } if self.last.insert(entry.call) => {}
            _ if entry.seq == 1 || self.last.contains(&entry.call) => {
                return Err(format!("{:?} is out of place in {}", entry.what, entry.call));
            }
            _ => {}
        }
        Ok(now.after(Duration::from_micros(500 + rng.below(5000))).max(self.stalled_until))
    }

    /// The rule: a call that has a record is durable before its caller hears anything final.
    pub fn may_be_final(&self, sip_call_id: &str) -> bool {
        self.offered.get(sip_call_id).is_none_or(|ticket| *ticket <= self.durable)
    }

    /// Calls without an end.
    pub fn open(&self) -> impl Iterator<Item = CallId> + '_ {
        self.entries.keys().copied().filter(|call| !self.last.contains(call))
    }

    /// Every call has its end, once.
    pub fn complete(&self) -> Result<(), String> {
        match self.entries.keys().find(|call| !self.last.contains(call)) {
            Some(call) => Err(format!("call {call} has no record: {:?}", self.entries[call])),
            None => Ok(()),
        }
    }
}
