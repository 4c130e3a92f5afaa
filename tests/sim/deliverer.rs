//! A deliverer on the simulation's clock: the delivery machine and its exchanges as `io` drives them, over the real
//! tables.

use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::io::ledger::Ledger;
use hotline::record::cloudevent::CloudEvent;
use hotline::record::delivery::{Answer, Delivery, Input, Item, Limits, Output, Settlement, Verdict};
use hotline::record::exchange::{Change, Exchange, Next, Reply, Step, Way};
use std::collections::BTreeMap;
use std::time::Duration;

/// Nothing waits longer than this without a look.
const IDLE: Duration = Duration::from_secs(15);

pub struct Deliverer {
    backend: &'static str,
    way: Way,
    /// When the process began.
    since: Wall,
    machine: Delivery,
    lanes: u32,
    under_way: BTreeMap<CallId, UnderWay>,
    /// The journal may hold something that the machine has not seen.
    pub look: bool,
    next: Option<Wall>,
}

struct UnderWay {
    event: CloudEvent,
    exchange: Exchange,
}

/// What it wants done.
pub enum Wish {
    Ask(CallId, Step, Box<CloudEvent>),
    Note(CallId),
    Save(Settlement),
}

impl Deliverer {
    pub fn new(backend: &'static str, way: Way, limits: Limits, rng: Rng, since: Wall) -> Deliverer {
        Deliverer {
            backend,
            way,
            since,
            machine: Delivery::new(limits, rng),
            lanes: limits.lanes as u32,
            under_way: BTreeMap::new(),
            look: true,
            next: None,
        }
    }

    pub fn answered(&mut self, now: Now, ledger: &Ledger, call: CallId, reply: Reply, wishes: &mut Vec<Wish>) {
        let Some(under_way) = self.under_way.get_mut(&call) else { return };
        let next = under_way.exchange.answered(reply);
        self.go_on(now, ledger, call, next, wishes);
    }

    /// That a create is asked is on disk.
    pub fn noted(&mut self, now: Now, ledger: &Ledger, call: CallId, wishes: &mut Vec<Wish>) {
        let Some(under_way) = self.under_way.get_mut(&call) else { return };
        let next = under_way.exchange.noted();
        self.go_on(now, ledger, call, next, wishes);
    }

    pub fn saved(&mut self, now: Now, ledger: &Ledger, call: CallId, wishes: &mut Vec<Wish>) {
        self.turn(now, ledger, Some(Input::Saved { call }), wishes);
    }

    pub fn wake(&mut self, now: Now, ledger: &Ledger, wishes: &mut Vec<Wish>) {
        self.turn(now, ledger, None, wishes);
    }

    /// After each of the above.
    pub fn look_around(&mut self, now: Now, ledger: &Ledger, wishes: &mut Vec<Wish>) -> Result<(), String> {
        if self.look && self.machine.room() >= (self.lanes / 4) as usize { self.pull(now, ledger, wishes) } else { Ok(()) }
    }

    /// None: it has nothing to do until somebody posts.
    pub fn deadline(&self, now: Now) -> Option<Mono> {
        let due = self.next.map(|at| now.mono.after(until(now, at)));
        let idle = (!self.machine.is_idle() || self.next.is_some()).then(|| now.mono.after(IDLE));
        [self.machine.deadline(), due, idle].into_iter().flatten().min()
    }

    fn pull(&mut self, now: Now, ledger: &Ledger, wishes: &mut Vec<Wish>) -> Result<(), String> {
        let items = ledger.due(self.backend, now.wall, self.lanes).map_err(|e| e.to_string())?;
        self.next = ledger.next_due(self.backend, now.wall).map_err(|e| e.to_string())?;
        let lanes: Vec<Vec<Item>> = items.chunk_by(|a, b| a.call == b.call).map(<[Item]>::to_vec).collect();
        self.look = lanes.len() >= self.lanes as usize;
        for lane in lanes {
            self.turn(now, ledger, Some(Input::Offer(lane)), wishes);
        }
        Ok(())
    }

    fn turn(&mut self, now: Now, ledger: &Ledger, input: Option<Input>, wishes: &mut Vec<Wish>) {
        let mut out = Vec::new();
        if self.next.is_some_and(|next| next <= now.wall) {
            (self.look, self.next) = (true, None);
        }
        match input {
            Some(input) => self.machine.handle(now, input, &mut out),
            None => {
                self.look = true;
                self.machine.tick(now, &mut out);
            }
        }
        for output in out {
            match output {
                Output::Send(item) => self.send(now, ledger, &item, wishes),
                Output::Save(settlement) => {
                    if let Verdict::Retry { at, .. } = settlement.verdict {
                        self.next = Some(self.next.map_or(at, |next| next.min(at)));
                    }
                    wishes.push(Wish::Save(settlement));
                }
                Output::Alarm(_) => {}
            }
        }
    }

    fn send(&mut self, now: Now, ledger: &Ledger, item: &Item, wishes: &mut Vec<Wish>) {
        let read = ledger.event(item).and_then(|event| Ok((event, ledger.ticket(self.backend, item.call)?)));
        let Ok((Some(event), ticket)) = read else {
            let input = Input::Answer { call: item.call, answer: Answer::Missing, change: Change::None };
            return self.turn(now, ledger, Some(input), wishes);
        };
        let mut exchange = Exchange::new(self.way, ticket);
        let next = exchange.start(now.wall, self.since);
        self.under_way.insert(item.call, UnderWay { event, exchange });
        self.go_on(now, ledger, item.call, next, wishes);
    }

    fn go_on(&mut self, now: Now, ledger: &Ledger, call: CallId, next: Next, wishes: &mut Vec<Wish>) {
        match next {
            Next::Ask(step) => {
                let event = self.under_way.get(&call).map(|under_way| under_way.event.clone());
                wishes.extend(event.map(|event| Wish::Ask(call, step, Box::new(event))));
            }
            Next::Note => wishes.push(Wish::Note(call)),
            Next::End(answer, change) => {
                self.under_way.remove(&call);
                self.turn(now, ledger, Some(Input::Answer { call, answer, change }), wishes);
            }
        }
    }
}

fn until(now: Now, at: Wall) -> Duration {
    Duration::from_micros(u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0))
}
