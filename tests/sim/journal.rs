//! A disk: entries become durable after a while, or much later when it is full. Checks what the log must be.

use hotline::base::{CallId, Mono, Rng};
use hotline::event::{CallDirection, Entry, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Default)]
pub struct Journal {
    pub entries: BTreeMap<CallId, Vec<What>>,
    /// SIP Call-ID → its call and that call's first ticket.
    offered: BTreeMap<String, (CallId, u64)>,
    pub durable: u64,
    /// Until then nothing becomes durable.
    pub stalled_until: Mono,
    /// It says that it cannot write; calls go on without.
    pub down: bool,
    /// Calls that went on without.
    unheld: BTreeSet<CallId>,
    /// Calls whose caller has heard something final, and which so must never be lost.
    pub covered: BTreeSet<CallId>,
    /// Calls that seats have placed.
    pub placed: BTreeSet<CallId>,
    next: u64,
    last: BTreeSet<CallId>,
    /// Calls in which the process died.
    cut: BTreeSet<CallId>,
}

impl Journal {
    /// Takes an entry; says when it is durable.
    pub fn write(&mut self, rng: &mut Rng, now: Mono, ticket: u64, entry: Entry) -> Result<Mono, String> {
        let at = self.pass(rng, now, ticket)?;
        let log = self.entries.entry(entry.call).or_default();
        log.push(entry.what.clone());
        if entry.seq as usize != log.len() {
            return Err(format!("entry {} of {} is numbered {}", log.len(), entry.call, entry.seq));
        }
        match entry.what {
            What::Offered(offered) if entry.seq == 1 && offered.direction == CallDirection::Outbound => {
                self.placed.insert(entry.call);
            }
            What::Offered(offered) if entry.seq == 1 => {
                self.offered.insert(offered.sip_call_id, (entry.call, ticket));
                if self.down {
                    self.unheld.insert(entry.call);
                }
            }
            What::Ended { .. } if self.last.insert(entry.call) => {
                let count = |of: fn(&What) -> bool| log.iter().filter(|what| of(what)).count();
                let begun = count(|what| matches!(what, What::TransferStarted { .. }));
                if begun != count(|what| matches!(what, What::TransferEnded { .. })) {
                    return Err(format!("a move in {} has no end, or two: {log:?}", entry.call));
                }
            }
            _ if entry.seq == 1 || self.last.contains(&entry.call) => {
                return Err(format!("{:?} is out of place in {}", entry.what, entry.call));
            }
            _ => {}
        }
        Ok(at)
    }

    /// Takes something that is no entry of a call; says when it is durable.
    pub fn pass(&mut self, rng: &mut Rng, now: Mono, ticket: u64) -> Result<Mono, String> {
        self.next += 1;
        if ticket != self.next {
            return Err(format!("ticket {ticket} after {}", self.next - 1));
        }
        Ok(now.after(Duration::from_micros(500 + rng.below(5000))).max(self.stalled_until))
    }

    /// It says that it cannot write: what is not on disk yet waits for it no more.
    pub fn stall(&mut self, until: Mono) {
        (self.stalled_until, self.down) = (until, true);
        self.unheld.extend(self.offered.values().filter(|(_, ticket)| *ticket > self.durable).map(|(call, _)| *call));
    }

    /// The rule: a call that has a record is durable before its caller hears anything final. None: there is no such call.
    pub fn may_be_final(&mut self, sip_call_id: &str) -> Option<bool> {
        let (call, ticket) = self.offered.get(sip_call_id)?;
        if self.unheld.contains(call) {
            return Some(true);
        }
        self.covered.insert(*call);
        Some(*ticket <= self.durable)
    }

    /// The process that wrote it is dead.
    pub fn die(&mut self) -> usize {
        let open: Vec<CallId> = self.open().collect();
        self.cut.extend(&open);
        self.offered.clear();
        (self.next, self.durable, self.stalled_until, self.down) = (0, 0, Mono(0), false);
        open.len()
    }

    /// Calls without an end.
    pub fn open(&self) -> impl Iterator<Item = CallId> + '_ {
        self.entries.keys().copied().filter(|call| !self.last.contains(call) && !self.cut.contains(call))
    }

    /// Every call has its end, once, unless the process died in it.
    pub fn complete(&self) -> Result<(), String> {
        match self.open().next() {
            Some(call) => Err(format!("call {call} has no record: {:?}", self.entries[&call])),
            None => Ok(()),
        }
    }
}
