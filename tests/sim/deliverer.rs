//! A deliverer on the simulation's clock: the delivery machine and its exchanges as `io` drives them, over the real
//! tables.

use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::io::journal::Reader;
use hotline::record::cloudevent::CloudEvent;
use hotline::record::delivery::{Answer, Input, Item, Limits, Output, Settlement};
use hotline::record::exchange::{Change, Exchange, Next, Reply, Step, Way};
use hotline::record::scheduler::Scheduler;
use std::collections::BTreeMap;

pub struct Deliverer {
    backend: &'static str,
    way: Way,
    /// When the process began.
    since: Wall,
    scheduler: Scheduler,
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
        Deliverer { backend, way, since, scheduler: Scheduler::new(limits, rng), under_way: BTreeMap::new() }
    }

    pub fn answered(&mut self, now: Now, reader: &Reader, call: CallId, reply: Reply, wishes: &mut Vec<Wish>) {
        let Some(under_way) = self.under_way.get_mut(&call) else { return };
        let next = under_way.exchange.answered(reply);
        self.go_on(now, reader, call, next, wishes);
    }

    /// That a create is asked is on disk.
    pub fn noted(&mut self, now: Now, reader: &Reader, call: CallId, wishes: &mut Vec<Wish>) {
        let Some(under_way) = self.under_way.get_mut(&call) else { return };
        let next = under_way.exchange.noted();
        self.go_on(now, reader, call, next, wishes);
    }

    pub fn saved(&mut self, now: Now, reader: &Reader, call: CallId, wishes: &mut Vec<Wish>) {
        self.turn(now, reader, Input::Saved { call }, wishes);
    }

    /// Something was posted, or its deadline has come.
    pub fn wake(&mut self, now: Now, reader: &Reader, wishes: &mut Vec<Wish>) {
        let mut out = Vec::new();
        self.scheduler.tick(now, &mut out);
        self.carry_out(now, reader, out, wishes);
    }

    /// After each of the above.
    pub fn look_around(&mut self, now: Now, reader: &Reader, wishes: &mut Vec<Wish>) -> Result<(), String> {
        let Some(lanes) = self.scheduler.wants() else { return Ok(()) };
        let items = reader.due(self.backend, now.wall, lanes).map_err(|e| e.to_string())?;
        let next = reader.next_due(self.backend, now.wall).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        self.scheduler.read(&items, next).into_iter().for_each(|offer| self.scheduler.handle(now, offer, &mut out));
        self.carry_out(now, reader, out, wishes);
        Ok(())
    }

    /// None: it has nothing to do until somebody posts.
    pub fn deadline(&self, now: Now) -> Option<Mono> {
        (!self.scheduler.is_idle()).then(|| self.scheduler.deadline(now))
    }

    fn turn(&mut self, now: Now, reader: &Reader, input: Input, wishes: &mut Vec<Wish>) {
        let mut out = Vec::new();
        self.scheduler.handle(now, input, &mut out);
        self.carry_out(now, reader, out, wishes);
    }

    fn carry_out(&mut self, now: Now, reader: &Reader, out: Vec<Output>, wishes: &mut Vec<Wish>) {
        for output in out {
            match output {
                Output::Send(item) => self.send(now, reader, &item, wishes),
                Output::Save(settlement) => wishes.push(Wish::Save(settlement)),
                Output::Alarm(_) => {}
            }
        }
    }

    fn send(&mut self, now: Now, reader: &Reader, item: &Item, wishes: &mut Vec<Wish>) {
        let read = reader.event(item).and_then(|event| Ok((event, reader.ticket(self.backend, item.call)?)));
        let Ok((Some(event), ticket)) = read else {
            let input = Input::Answer { call: item.call, answer: Answer::Missing, change: Change::None };
            return self.turn(now, reader, input, wishes);
        };
        let mut exchange = Exchange::new(self.way, ticket);
        let next = exchange.start(now.wall, self.since);
        self.under_way.insert(item.call, UnderWay { event, exchange });
        self.go_on(now, reader, item.call, next, wishes);
    }

    fn go_on(&mut self, now: Now, reader: &Reader, call: CallId, next: Next, wishes: &mut Vec<Wish>) {
        match next {
            Next::Ask(step) => {
                let event = self.under_way.get(&call).map(|under_way| under_way.event.clone());
                wishes.extend(event.map(|event| Wish::Ask(call, step, Box::new(event))));
            }
            Next::Note => wishes.push(Wish::Note(call)),
            Next::End(answer, change) => {
                self.under_way.remove(&call);
                self.turn(now, reader, Input::Answer { call, answer, change }, wishes);
            }
        }
    }
}
