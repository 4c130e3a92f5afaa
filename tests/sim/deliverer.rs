//! A deliverer on the simulation's clock: the delivery machine and its exchanges as `io` drives them, over the real
//! tables.

use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::io::ledger::Ledger;
use hotline::record::clerk::Clerk;
use hotline::record::cloudevent::CloudEvent;
use hotline::record::delivery::{Answer, Input, Item, Limits, Output, Settlement};
use hotline::record::exchange::{Change, Exchange, Next, Reply, Step, Way};
use std::collections::BTreeMap;

pub struct Deliverer {
    backend: &'static str,
    way: Way,
    /// When the process began.
    since: Wall,
    clerk: Clerk,
    under_way: BTreeMap<CallId, UnderWay>,
}

struct UnderWay {
    event: CloudEvent,
    exchange: Exchange,
}

/// A wish of the delivery machine.
pub enum Wish {
    Ask(CallId, Step, Box<CloudEvent>),
    Note(CallId),
    Save(Settlement),
}

impl Deliverer {
    pub fn new(backend: &'static str, way: Way, limits: Limits, rng: Rng, since: Wall) -> Deliverer {
        Deliverer { backend, way, since, clerk: Clerk::new(limits, rng), under_way: BTreeMap::new() }
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
        self.turn(now, ledger, Input::Saved { call }, wishes);
    }

    /// Something was posted, or its deadline has come.
    pub fn wake(&mut self, now: Now, ledger: &Ledger, wishes: &mut Vec<Wish>) {
        let mut out = Vec::new();
        self.clerk.tick(now, &mut out);
        self.carry_out(now, ledger, out, wishes);
    }

    /// After each of the above.
    pub fn look_around(&mut self, now: Now, ledger: &Ledger, wishes: &mut Vec<Wish>) -> Result<(), String> {
        let Some(lanes) = self.clerk.wants() else { return Ok(()) };
        let items = ledger.due(self.backend, now.wall, lanes).map_err(|e| e.to_string())?;
        let next = ledger.next_due(self.backend, now.wall).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        self.clerk.read(&items, next).into_iter().for_each(|offer| self.clerk.handle(now, offer, &mut out));
        self.carry_out(now, ledger, out, wishes);
        Ok(())
    }

    /// None: it has nothing to do until somebody posts.
    pub fn deadline(&self, now: Now) -> Option<Mono> {
        (!self.clerk.is_idle()).then(|| self.clerk.deadline(now))
    }

    fn turn(&mut self, now: Now, ledger: &Ledger, input: Input, wishes: &mut Vec<Wish>) {
        let mut out = Vec::new();
        self.clerk.handle(now, input, &mut out);
        self.carry_out(now, ledger, out, wishes);
    }

    fn carry_out(&mut self, now: Now, ledger: &Ledger, out: Vec<Output>, wishes: &mut Vec<Wish>) {
        for output in out {
            match output {
                Output::Send(item) => self.send(now, ledger, &item, wishes),
                Output::Save(settlement) => wishes.push(Wish::Save(settlement)),
                Output::Alarm(_) => {}
            }
        }
    }

    fn send(&mut self, now: Now, ledger: &Ledger, item: &Item, wishes: &mut Vec<Wish>) {
        let read = ledger.event(item).and_then(|event| Ok((event, ledger.ticket(self.backend, item.call)?)));
        let Ok((Some(event), ticket)) = read else {
            let input = Input::Answer { call: item.call, answer: Answer::Missing, change: Change::None };
            return self.turn(now, ledger, input, wishes);
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
                self.turn(now, ledger, Input::Answer { call, answer, change }, wishes);
            }
        }
    }
}
