//! When a deliverer looks into the journal, and for how much: around the delivery machine, so that its driver only reads,
//! asks and saves. It holds no time, socket or file either.

use super::delivery::{Delivery, Input, Item, Limits, Output, Verdict};
use crate::base::trap::{self, Trap};
use crate::base::{Mono, Now, Rng, Wall};
use std::time::Duration;

/// A journal that cannot be read is read again after this.
const UNREADABLE: Duration = Duration::from_secs(1);
/// Nothing waits longer than this without a look, should a word that something was posted ever be lost.
const IDLE: Duration = Duration::from_secs(15);

pub struct Scheduler {
    machine: Delivery,
    /// Lanes that are read at once.
    most: u32,
    /// The journal may hold something that the machine has not seen.
    look: bool,
    /// When the journal will have something due.
    next: Option<Wall>,
}

impl Scheduler {
    pub fn new(limits: Limits, rng: Rng) -> Scheduler {
        let most = u32::try_from(limits.lanes).unwrap_or(u32::MAX);
        Scheduler { machine: Delivery::new(limits, rng), most, look: true, next: None }
    }

    /// Number of due lanes that it wants to read, if any. Nothing else may happen meanwhile: an event that is settled
    /// while it is being read would be sent again.
    pub fn wants(&self) -> Option<u32> {
        (self.look && self.machine.room() >= (self.most / 4) as usize).then_some(self.most)
    }

    /// Takes when the rest will be due; and gives what is due now, each lane's together, to be handled one by one.
    pub fn read(&mut self, items: &[Item], next: Option<Wall>) -> Vec<Input> {
        let lanes: Vec<&[Item]> = items.chunk_by(|a, b| a.call == b.call).collect();
        (self.look, self.next) = (lanes.len() >= self.most as usize, next);
        lanes.into_iter().map(|lane| Input::Offer(lane.to_vec())).collect()
    }

    pub fn unreadable(&mut self, now: Now) {
        (self.look, self.next) = (false, Some(now.after(UNREADABLE).wall));
    }

    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        self.come_due(now);
        let from = out.len();
        trap::spring(Trap::Scheduler);
        self.machine.handle(now, input, out);
        for output in out.iter().skip(from) {
            if let Output::Save(settlement) = output
                && let Verdict::Retry { at, .. } | Verdict::Aside { at, .. } = settlement.verdict
            {
                self.next = Some(self.next.map_or(at, |next| next.min(at)));
            }
        }
    }

    /// Something was posted, or its deadline has come.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.come_due(now);
        self.look = true;
        self.machine.tick(now, out);
    }

    /// When it should be ticked, whatever happens.
    pub fn deadline(&self, now: Now) -> Mono {
        let due = self.next.map(|at| now.mono.after(until(now, at)));
        [self.machine.deadline(), due].into_iter().flatten().fold(now.mono.after(IDLE), Mono::min)
    }

    /// It has nothing to do until something is posted.
    pub fn is_idle(&self) -> bool {
        self.machine.is_idle() && self.next.is_none()
    }

    fn come_due(&mut self, now: Now) {
        if self.next.is_some_and(|next| next <= now.wall) {
            (self.look, self.next) = (true, None);
        }
    }
}

fn until(now: Now, at: Wall) -> Duration {
    Duration::from_micros(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::cloudevent::Kind;
    use super::super::delivery::Answer;
    use super::super::exchange::Change;
    use super::*;
    use crate::base::CallId;
    use uuid::Uuid;

    fn item(n: u64) -> Item {
        let call = CallId(Uuid::from_u128(n.into()));
        Item { call, sequence: 1, kind: Kind::Record, attempts: 0, failing_since: None }
    }

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(0), wall: Wall(0) }.after(Duration::from_secs(seconds))
    }

    #[test]
    fn it_looks_at_once_when_told_and_when_something_comes_due() {
        let mut scheduler = Scheduler::new(Limits { lanes: 4, ..Limits::default() }, Rng::from_number(1));
        let mut out = Vec::new();
        assert_eq!(scheduler.wants(), Some(4));
        let read = |scheduler: &mut Scheduler, now, items: &[Item], next, out: &mut Vec<Output>| {
            scheduler.read(items, next).into_iter().for_each(|offer| scheduler.handle(now, offer, out));
        };
        read(&mut scheduler, at(0), &[item(1)], Some(at(20).wall), &mut out);
        assert_eq!((scheduler.wants(), out.len(), scheduler.deadline(at(0))), (None, 1, at(15).mono));
        assert_eq!(scheduler.deadline(at(19)), at(20).mono);
        scheduler.tick(at(1), &mut out);
        assert_eq!(scheduler.wants(), Some(4));
        read(&mut scheduler, at(1), &(0..4).map(item).collect::<Vec<_>>(), None, &mut out);
        assert_eq!(scheduler.wants(), None, "there may be more, but no room is left");
        scheduler.unreadable(at(2));
        assert!(!scheduler.is_idle() && scheduler.deadline(at(2)) == at(3).mono);
    }

    #[test]
    fn what_is_to_be_tried_again_is_looked_for_when_its_time_has_come() {
        let mut scheduler = Scheduler::new(Limits { lanes: 4, ..Limits::default() }, Rng::from_number(1));
        let mut out = Vec::new();
        scheduler
            .read(&[Item { attempts: 1, ..item(1) }], None)
            .into_iter()
            .for_each(|offer| scheduler.handle(at(0), offer, &mut out));
        let answer = Answer::Status { code: 503, retry_after: Some(Duration::from_secs(9)), said: String::new() };
        scheduler.handle(at(0), Input::Answer { call: item(1).call, answer, change: Change::None }, &mut out);
        scheduler.handle(at(0), Input::Saved { call: item(1).call }, &mut out);
        assert_eq!((scheduler.wants(), scheduler.is_idle()), (None, false));
        assert_eq!(scheduler.deadline(at(0)), at(9).mono);
        scheduler.tick(at(9), &mut out);
        assert_eq!(scheduler.wants(), Some(4));
    }
}
