//! A ticket system that is well, slow, gone, refusing or lying in turn. It notices what must never be: a second ticket of
//! a call, a second record, news that come after what they were before, one event with two contents.

use hotline::base::{CallId, Mono, Rng};
use hotline::io::http::schemas;
use hotline::record::cloudevent::CloudEvent;
use hotline::record::exchange::{Reply, Step};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A create that nobody waits for any more is done within this, or never.
pub const SETTLE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    Well,
    /// Anything may happen to a request.
    Moody,
    Gone,
    /// Our credentials do not hold.
    Refusing,
}

impl Temper {
    pub fn random(rng: &mut Rng) -> Temper {
        [Temper::Well, Temper::Moody, Temper::Moody, Temper::Gone, Temper::Refusing][rng.below(5) as usize]
    }
}

/// The fate of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    Unsent,
    /// The connection breaks before anything is done.
    Reset,
    /// Done, and the answer is lost.
    Unheard,
    /// A create: done when nobody listens any more.
    Late,
    /// 5xx, whether it was done or not.
    Fails(bool),
    Busy,
    /// 200, and no id in it.
    Vague,
    Unauthorised,
}

pub struct Answer {
    pub at: Mono,
    pub reply: Reply,
    /// When the create that the answer does not tell of is done after all.
    pub later: Option<Mono>,
}

#[derive(Default)]
pub struct TicketSystem {
    temper: Option<Temper>,
    /// How long each answer takes; random where there is none.
    pub pace: Option<Duration>,
    /// A create only makes a ticket.
    fill: bool,
    /// The event that each ticket was last filled from.
    tickets: BTreeMap<CallId, Option<CloudEvent>>,
    posts: BTreeMap<CallId, Vec<(CloudEvent, Value)>>,
    /// Requests of any kind.
    pub asked: u64,
    /// Creates of which the sender does not know.
    pub unclear: u64,
    /// Events that came more than once.
    pub repeated: u64,
}

impl TicketSystem {
    pub fn new(fill: bool) -> TicketSystem {
        TicketSystem { fill, ..TicketSystem::default() }
    }

    pub fn is(&mut self, temper: Temper) {
        self.temper = Some(temper);
    }

    pub fn ask(&mut self, rng: &mut Rng, now: Mono, step: &Step, event: &CloudEvent) -> Result<Answer, String> {
        let fate = self.fate(rng, *step == Step::Create);
        let slow = if rng.chance(100) { 30_000 } else { 200 };
        let random = Duration::from_millis(1 + rng.below(slow));
        let at = now.after(self.pace.unwrap_or(random));
        self.asked += 1;
        let done = match fate {
            Fate::Well | Fate::Unheard | Fate::Vague | Fate::Fails(true) => Some(self.apply(step, event)?),
            _ => None,
        };
        self.unclear += u64::from(*step == Step::Create && !matches!(fate, Fate::Well | Fate::Unsent));
        let later = (fate == Fate::Late).then(|| now.after(rng.between(Duration::ZERO, SETTLE)));
        let status = |code| Reply::Status { code, retry_after: None, said: String::new() };
        let reply = match fate {
            Fate::Well => done.unwrap_or(status(500)),
            Fate::Unsent => Reply::Unsent("connection refused".to_owned()),
            Fate::Reset | Fate::Unheard | Fate::Late => Reply::Broken("no answer in time".to_owned()),
            Fate::Fails(_) => status(500 + rng.below(5) as u16),
            Fate::Busy => Reply::Status { code: 429, retry_after: Some(Duration::from_secs(rng.below(60))), said: String::new() },
            Fate::Vague => Reply::Broken("HTTP 200, and no JSON".to_owned()),
            Fate::Unauthorised => status(401),
        };
        Ok(Answer { at, reply, later })
    }

    fn fate(&self, rng: &mut Rng, create: bool) -> Fate {
        match self.temper.unwrap_or(Temper::Well) {
            Temper::Well => Fate::Well,
            Temper::Gone => Fate::Unsent,
            Temper::Refusing => Fate::Unauthorised,
            Temper::Moody => match rng.below(10) {
                0 => Fate::Unsent,
                1 => Fate::Reset,
                2 => Fate::Unheard,
                3 if create => Fate::Late,
                4 => Fate::Fails(rng.chance(500)),
                5 => Fate::Busy,
                6 => Fate::Vague,
                _ => Fate::Well,
            },
        }
    }

    fn apply(&mut self, step: &Step, event: &CloudEvent) -> Result<Reply, String> {
        let call = call(event);
        let good = |id: Option<String>| Reply::Good { id, url: None };
        match step {
            Step::Post => self.posted(call, event).map(|()| good(None)),
            Step::Find => Ok(good(self.tickets.contains_key(&call).then(|| call.to_string()))),
            Step::Create => self.create(event).map(|()| good(Some(call.to_string()))),
            Step::Update { id } if *id != call.to_string() => Err(format!("ticket {id} is updated for call {call}")),
            Step::Update { .. } => self.updated(call, event).map(|()| good(None)),
        }
    }

    pub fn create(&mut self, event: &CloudEvent) -> Result<(), String> {
        match self.tickets.insert(call(event), (!self.fill).then(|| event.clone())) {
            None => Ok(()),
            Some(_) => Err(format!("call {} has a second ticket", event.subject)),
        }
    }

    fn updated(&mut self, call: CallId, event: &CloudEvent) -> Result<(), String> {
        let ticket = self.tickets.get_mut(&call).ok_or(format!("there is no ticket of call {call}"))?;
        let before = ticket.replace(event.clone());
        match before.filter(|before| before.sequence > event.sequence) {
            Some(before) => Err(format!("call {call}: {} {} after {}", event.kind, event.sequence, before.sequence)),
            None => Ok(()),
        }
    }

    fn posted(&mut self, call: CallId, event: &CloudEvent) -> Result<(), String> {
        let body = serde_json::to_value(event).map_err(|e| e.to_string())?;
        // One in sixteen: a schema is slow to look at all.
        let looked_at = event.id.ends_with('0');
        if let Some(fault) = looked_at.then(|| schemas::EVENT.faults(&body)).into_iter().flatten().next() {
            return Err(format!("{}: {} in {body:#}", fault.pointer, fault.what));
        }
        let posts = self.posts.entry(call).or_default();
        if let Some((_, known)) = posts.iter().find(|(post, _)| post.id == event.id) {
            self.repeated += 1;
            return if *known == body { Ok(()) } else { Err(format!("one event, two contents: {known:#} and {body:#}")) };
        }
        if let Some((before, _)) = posts.last().filter(|(before, _)| before.sequence >= event.sequence) {
            return Err(format!("call {call}: {} {} after {}", event.kind, event.sequence, before.sequence));
        }
        posts.push((event.clone(), body));
        Ok(())
    }

    /// The final record of a call, if it is here, once.
    pub fn record(&self, call: CallId) -> Result<&CloudEvent, String> {
        let none = || format!("call {call} has no record");
        if let Some(ticket) = self.tickets.get(&call) {
            // An event that follows the record has all that it has.
            return ticket.as_ref().filter(|event| event.data.result.is_some() && event.kind != "call.ended").ok_or_else(none);
        }
        let mut records = self.posts.get(&call).into_iter().flatten().map(|(event, _)| event).filter(|e| e.kind == "call.record");
        let first = records.next().ok_or_else(none)?;
        if records.next().is_some() { Err(format!("call {call} has two records")) } else { Ok(first) }
    }

    /// The event of a call that it was posted last.
    pub fn last(&self, call: CallId) -> Option<&CloudEvent> {
        self.posts.get(&call)?.last().map(|(event, _)| event)
    }

    /// Every call that it has heard of.
    pub fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.tickets.keys().chain(self.posts.keys()).copied()
    }
}

fn call(event: &CloudEvent) -> CallId {
    event.subject.parse().expect("a call's id")
}
