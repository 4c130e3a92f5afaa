//! One day: callers, phones and an operator, and the queues between them.

use super::hours;
use super::model::{CallerModel, Failed, Model, Ring};
use super::outbound::{self, How, Next, Outbound};
use super::plan::{Plan, QUEUES, SEATS, bindings, is_remote, name, number, registers, seconds};
use super::shift::{self, Click};
use super::times::Times;
use hotline::base::{CallId, Mono, Now, Rng, Wall};
use hotline::event::{Author, Result as Loss};
use hotline::queue::{Input, Join, MissCause, Output, Priority, Queues};
use hotline::seat::Party;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::iter;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Midnight before 2021-10-15 in Xishuangbanna.
const MIDNIGHT: Wall = Wall(1_634_227_200_000_000);
/// Nothing may be wrong about a seat for longer.
const WRONG: Duration = seconds(5);

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Arrives {
        call: u64,
    },
    GivesUp {
        call: u64,
    },
    Rings {
        call: u64,
        seat: usize,
        offer: u64,
    },
    Answers {
        call: u64,
        seat: usize,
        offer: u64,
    },
    Refuses {
        call: u64,
        seat: usize,
        offer: u64,
        cause: MissCause,
    },
    /// Somebody hangs up, or the seat's phone dies.
    Ends {
        call: u64,
        seat: usize,
    },
    /// The seat that has just answered hangs up.
    Drops {
        call: u64,
        seat: usize,
    },
    /// The switch has forgotten the call.
    Over {
        call: u64,
    },
    /// The seat must be seen as it is by now.
    Look {
        seat: usize,
    },
    Dies {
        seat: usize,
    },
    Revives {
        seat: usize,
    },
    Calls {
        seat: usize,
    },
    CallEnds {
        call: u64,
        seat: usize,
    },
    /// The person at the seat wants to call out.
    Wants {
        seat: usize,
        how: How,
    },
    /// It has looked at whom it is to call: a caller, and the hotline that was called.
    Shown {
        seat: usize,
        who: (u32, usize),
    },
    Placed {
        call: u64,
        next: Next,
    },
    Binds {
        seat: usize,
        there: bool,
    },
    Clicks {
        seat: usize,
        click: Click,
    },
    Reload,
    Jump,
}

/// How much happened in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub events: u64,
    pub offered: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub timed_out: u64,
    pub full: u64,
    pub rings: u64,
    pub missed: u64,
    pub late: u64,
    pub lost: u64,
    pub back: u64,
    pub reloads: u64,
    pub kept: u64,
    pub most_waiting: u64,
    pub clicks: u64,
    pub pauses: u64,
    pub dropped: u64,
    pub deserted: u64,
    /// Calls that seats placed, those whose person answered, and those whose seat's phone died then.
    pub placed: u64,
    pub reached: u64,
    pub left_alone: u64,
    /// Two who wanted to ring one caller back.
    pub clashes: u64,
}

pub struct Day {
    log: bool,
    pub rng: Rng,
    pub now: Now,
    plan: Plan,
    pub queues: Queues,
    pub model: Model,
    pub outbound: Outbound,
    times: Option<Times>,
    events: BinaryHeap<Reverse<(Mono, u64, u32)>>,
    all: Vec<Event>,
    /// Offers that the switch carries out, by call and seat.
    offers: BTreeMap<(u64, usize), u64>,
    next_offer: u64,
    /// The seat that each caller talks to.
    talks: BTreeMap<u64, usize>,
    /// Seats that the queues still have for calls whose end they were not told of.
    leased: BTreeMap<u64, usize>,
    /// Callers that talk, as they were when they waited, and how long that was.
    served: BTreeMap<u64, (CallerModel, Duration)>,
    pub dead: Vec<bool>,
    /// Something that who can be served depends on, since the last look at it.
    changed: bool,
    pub names: Vec<Arc<str>>,
    pub queue_names: Vec<Arc<str>>,
    next_call: u64,
    /// The caller that is coming, by its serial number.
    comes: Option<u64>,
    out: Vec<Output>,
    pub sums: Sums,
}

pub fn id(call: u64) -> CallId {
    CallId(Uuid::from_u128(u128::from(call)))
}

fn back(call: CallId) -> u64 {
    call.0.as_u128() as u64
}

impl Day {
    pub fn new(seed: u64, log: bool) -> Day {
        let mut rng = Rng::from_number(seed);
        let now = Now { mono: Mono(1_000_000), wall: MIDNIGHT };
        let plan = Plan::new(&mut rng);
        let mut queues = Queues::new(plan.seats.clone(), plan.queues.clone());
        // A process begins with what it was configured to.
        queues.reload(now, plan.seats.clone(), plan.queues.clone(), &mut Vec::new());
        let model = Model::new(&plan);
        let (names, queue_names) = ((0..SEATS).map(name).collect(), QUEUES.map(Arc::from).to_vec());
        let mut day = Day {
            log,
            now,
            queues,
            model,
            outbound: Outbound::new(),
            times: Some(Times::new(now.mono)),
            plan,
            events: BinaryHeap::new(),
            all: Vec::new(),
            offers: BTreeMap::new(),
            next_offer: 0,
            talks: BTreeMap::new(),
            leased: BTreeMap::new(),
            served: BTreeMap::new(),
            dead: vec![false; SEATS],
            changed: true,
            names,
            queue_names,
            next_call: 0,
            comes: None,
            out: Vec::new(),
            sums: Sums::default(),
            rng,
        };
        day.foresee();
        day
    }

    /// The callers of the day, and what befalls phones and configuration.
    fn foresee(&mut self) {
        for at in hours::arrivals(&mut self.rng) {
            let call = self.call();
            self.at(at, Event::Arrives { call });
        }
        for _ in 0..60 {
            let (seat, at) = (self.rng.below(SEATS as u64) as usize, self.moment());
            self.at(at, Event::Dies { seat });
            let later = at + self.rng.between(seconds(10), seconds(1800));
            self.at(later, Event::Revives { seat });
            let (seat, at) = (self.rng.below(SEATS as u64) as usize, self.moment());
            self.at(at, Event::Calls { seat });
        }
        outbound::foresee(self);
        for (at, seat, click) in shift::clicks(&mut self.rng) {
            self.at(at, Event::Clicks { seat, click });
        }
        for _ in 0..6 {
            let at = self.moment();
            self.at(at, Event::Reload);
            let at = self.moment();
            self.at(at, Event::Jump);
        }
    }

    fn moment(&mut self) -> Duration {
        self.rng.between(Duration::ZERO, seconds(24 * 3600))
    }

    pub fn call(&mut self) -> u64 {
        self.next_call += 1;
        self.next_call
    }

    /// After so long a time of the day.
    pub fn at(&mut self, at: Duration, event: Event) {
        self.push(Mono(1_000_000).after(at), event);
    }

    pub fn after(&mut self, by: Duration, event: Event) {
        self.push(self.now.mono.after(by), event);
    }

    fn push(&mut self, at: Mono, event: Event) {
        let n = self.all.len() as u64;
        self.all.push(event);
        self.events.push(Reverse((at, n, n as u32)));
    }

    pub fn run(mut self) -> Result<Sums, String> {
        while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
            match self.queues.deadline().filter(|due| *due <= at) {
                Some(due) => {
                    self.advance(due);
                    self.tick()?;
                }
                None => {
                    self.events.pop();
                    self.advance(at);
                    let event = self.all[event as usize];
                    if self.log {
                        println!("{:?} {event:?}", at.since(Mono(1_000_000)));
                    }
                    self.happens(event)?;
                }
            }
            self.sums.events += 1;
            self.note_times();
            self.check()?;
        }
        self.close()
    }

    /// The figures have what is new in the log of seats, and the observer looks at the seats.
    fn note_times(&mut self) {
        let news = self.queues.seats_mut().take_news();
        if let Some(times) = &mut self.times {
            times.log(self.now, news);
            times.look(self.now.mono, &mut self.model);
        }
    }

    fn advance(&mut self, to: Mono) {
        self.now = self.now.after(to.since(self.now.mono));
    }

    /// The rules that hold at every moment.
    fn check(&mut self) -> Result<(), String> {
        let now = self.now.mono;
        // Where nothing has changed since, nothing is found that was not found before.
        let changed = std::mem::take(&mut self.changed);
        if let Some((seat, call)) = changed.then(|| self.model.idle_while_waiting(now)).flatten() {
            return Err(format!("seat {seat} is idle, and {call} waits whom it could serve: {:?}", self.model.seats[seat]));
        }
        // One that is overdue, or whom nobody has been able to serve, stays so.
        let looks = self.sums.events.is_multiple_of(16);
        match looks.then(|| self.model.overdue(now)).flatten() {
            Some(call) => Err(format!("{call} waits longer than it may: {:?}", self.model.callers[&call])),
            None if looks || changed => self.model.look_for_deserted(now),
            None => Ok(()),
        }
    }

    /// Night falls: nothing is left of any call.
    fn close(mut self) -> Result<Sums, String> {
        while let Some(due) = self.queues.deadline() {
            self.advance(due);
            self.tick()?;
            self.note_times();
        }
        self.outbound.equal(self.now.wall)?;
        if let Some(times) = self.times.take() {
            times.equal(self.now, &self.model)?;
        }
        for seat in 0..SEATS {
            self.look(seat)?;
            if self.model.seats[seat].taken() > 0 {
                return Err(format!("seat {seat} is not free at the end of the day"));
            }
        }
        match self.queues.gauges() {
            (0, 0) => Ok(Sums { pauses: self.model.pauses, ..self.sums }),
            left => Err(format!("{left:?} callers and channels are left")),
        }
    }

    fn tick(&mut self) -> Result<(), String> {
        let mono = self.now.mono;
        // The model knows by itself what is due.
        self.model.moods(mono);
        for seat in &mut self.model.seats {
            seat.rests_until.take_if(|until| *until <= mono);
        }
        self.model.keep_until(mono);
        let mut out = std::mem::take(&mut self.out);
        self.changed = true;
        self.queues.tick(self.now, &mut out);
        self.carry_out(out)
    }

    /// Lets something else be done to queues and seats.
    pub fn with_queues(&mut self, act: impl FnOnce(&mut Queues, Now, &mut Vec<Output>)) -> Result<(), String> {
        let mut out = std::mem::take(&mut self.out);
        self.changed = true;
        act(&mut self.queues, self.now, &mut out);
        self.carry_out(out)
    }

    pub fn give(&mut self, input: Input) -> Result<(), String> {
        let mut out = std::mem::take(&mut self.out);
        self.changed |= !matches!(input, Input::Rang { .. } | Input::Over { .. });
        self.queues.handle(self.now, input, &mut out);
        self.carry_out(out)
    }

    fn carry_out(&mut self, mut out: Vec<Output>) -> Result<(), String> {
        self.model.release();
        for n in 0..out.len() {
            if self.log {
                println!("    {:?}", out[n]);
            }
            match &out[n] {
                Output::Ring { call, seat, choice } => {
                    self.sums.kept += u64::from(choice.because == hotline::event::Because::LastSeat);
                    self.rung(back(*call), number(seat))?;
                }
                Output::Stop { call, seat, .. } => {
                    let leaves = out[n..].iter().any(|o| matches!(o, Output::TimedOut { call: of } if of == call));
                    self.stopped(back(*call), number(seat), leaves)?;
                }
                Output::Full { call } => {
                    self.sums.full += 1;
                    let Some(caller) = self.model.callers.remove(&back(*call)) else {
                        return Err(format!("{call} is turned away, and did not come"));
                    };
                    self.is_missed(back(*call), &caller, Loss::QueueFull);
                }
                Output::NoSeat { call } => {
                    self.sums.deserted += 1;
                    let gone = self.model.callers.remove(&back(*call));
                    let Some(caller) = gone else { return Err(format!("{call} is sent on, and did not wait")) };
                    self.sent_on(&caller)?;
                    self.is_missed(back(*call), &caller, Loss::NoSeat);
                }
                Output::TimedOut { call } => {
                    let call = back(*call);
                    self.sums.timed_out += 1;
                    let limit = self.model.callers.get(&call).map(|caller| self.model.limit(caller));
                    if limit != Some(self.now.mono) {
                        return Err(format!("{call} is given up at {:?}, and its limit is {limit:?}", self.now.mono));
                    }
                    if let Some(caller) = self.model.callers.remove(&call) {
                        self.is_missed(call, &caller, Loss::Timeout);
                    }
                }
            }
        }
        out.clear();
        self.out = out;
        Ok(())
    }
}

/// The queues want this done.
impl Day {
    /// A caller who was lost is to be rung back.
    fn is_missed(&mut self, call: u64, caller: &CallerModel, loss: Loss) {
        self.outbound.lost(self.now.wall, call, (caller.person, caller.hotline), loss);
    }

    fn rung(&mut self, call: u64, seat: usize) -> Result<(), String> {
        self.model.check_ring(self.now.mono, call, seat)?;
        self.sums.rings += 1;
        let turn = self.model.next();
        let caller = self.model.callers.get_mut(&call).unwrap();
        let queue = caller.queue;
        let until = self.now.mono.after(self.model.rules[queue].as_ref().unwrap().ring_timeout);
        caller.ringing.push(Ring { seat, rang: false, until });
        let it = &mut self.model.seats[seat];
        it.rings += 1;
        it.turns[queue] = turn;
        self.next_offer += 1;
        let offer = self.next_offer;
        if self.offers.insert((call, seat), offer).is_some() {
            return Err(format!("seat {seat} is rung twice for {call}"));
        }
        self.phone(call, seat, offer);
        Ok(())
    }

    /// Nobody could serve the caller, who has just come, or for long enough.
    fn sent_on(&mut self, caller: &CallerModel) -> Result<(), String> {
        let key = (caller.queue, self.model.skills[caller.queue].unwrap_or(caller.hotline));
        let (now, grace) = (self.now.mono, self.model.rules(caller.queue).without_seats.unwrap_or_default());
        let since = self.model.deserted.get(&key);
        let right = self.model.is_deserted(caller.queue, caller.hotline, caller.priority);
        let comes = self.comes == Some(caller.serial);
        match right && (comes || since.is_some_and(|since| since.after(grace) <= now)) {
            true => Ok(()),
            false => Err(format!("{caller:?} is sent on, and could be served ({right}), since {since:?}, now {now:?}")),
        }
    }

    /// The phone rings; what will become of it?
    fn phone(&mut self, call: u64, seat: usize, offer: u64) {
        if self.dead[seat] {
            if self.rng.chance(300) {
                self.after(seconds(1), Event::Refuses { call, seat, offer, cause: MissCause::Unreachable });
            }
            return;
        }
        // Its 180 may be lost.
        if self.rng.chance(950) {
            self.after(Duration::from_millis(100), Event::Rings { call, seat, offer });
        }
        let causes = [MissCause::Busy, MissCause::Rejected, MissCause::Dnd, MissCause::NotRegistered, MissCause::Ours];
        match self.rng.below(100) {
            // A seat with its department presses a key when it has heard who calls; a voicemail does not.
            0..7 if is_remote(seat) => {}
            0..85 => {
                let heard = if is_remote(seat) { seconds(4) } else { Duration::ZERO };
                let by = self.rng.between(seconds(1), seconds(9)) + heard;
                self.after(by, Event::Answers { call, seat, offer });
                // Its 200 comes again, as our ACK was lost.
                if self.rng.chance(50) {
                    let again = by + self.rng.between(Duration::ZERO, seconds(2));
                    self.after(again, Event::Answers { call, seat, offer });
                }
            }
            85..92 => {
                let cause = causes[self.rng.below(5) as usize];
                let by = self.rng.between(Duration::from_millis(50), seconds(6));
                self.after(by, Event::Refuses { call, seat, offer, cause });
            }
            92..94 => self.after(seconds(15), Event::Answers { call, seat, offer }),
            // It rings until the time is over, or its 200 is lost for ever.
            _ => {}
        }
    }

    fn stopped(&mut self, call: u64, seat: usize, leaves: bool) -> Result<(), String> {
        if self.offers.remove(&(call, seat)).is_none() {
            return Err(format!("seat {seat} stops to ring for {call}, and did not ring"));
        }
        let Some(caller) = self.model.callers.get(&call) else { return Ok(()) };
        let ring = caller.ringing.iter().find(|ring| ring.seat == seat).copied().unwrap();
        let (limit, now) = (self.model.limit(caller), self.now.mono);
        if ring.until <= now && !(leaves && limit <= ring.until) {
            let cause = if ring.rang { MissCause::NoAnswer } else { MissCause::Unreachable };
            self.sums.missed += 1;
            self.model.failed(now, call, seat, cause);
            self.model.release();
        } else if leaves {
            self.model.callers.get_mut(&call).unwrap().ringing.retain(|ring| ring.seat != seat);
            self.model.seats[seat].rings -= 1;
            self.model.used(now, seat, Duration::ZERO);
        } else {
            return Err(format!("seat {seat} stops to ring for {call} for no reason"));
        }
        Ok(())
    }
}

/// This happens outside.
impl Day {
    fn happens(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Arrives { call } => self.arrives(call),
            Event::GivesUp { call } => self.gives_up(call),
            Event::Rings { call, seat, offer } if self.is_live(call, seat, offer) => {
                let caller = self.model.callers.get_mut(&call).unwrap();
                caller.ringing.iter_mut().filter(|ring| ring.seat == seat).for_each(|ring| ring.rang = true);
                self.give(Input::Rang { call: id(call), seat: self.names[seat].clone() })
            }
            Event::Answers { call, seat, offer } => self.answers(call, seat, offer),
            Event::Refuses { call, seat, offer, cause } if self.is_live(call, seat, offer) => {
                self.offers.remove(&(call, seat));
                self.sums.missed += 1;
                self.model.failed(self.now.mono, call, seat, cause);
                self.twice(500, Input::Refused { call: id(call), seat: self.names[seat].clone(), failure: cause })
            }
            Event::Rings { .. } | Event::Refuses { .. } => Ok(()),
            Event::Ends { call, seat } => self.ends(call, seat),
            Event::Drops { call, seat } => self.drops(call, seat),
            Event::Over { call } => self.over(call),
            Event::Look { seat } => self.look(seat),
            Event::Dies { seat } => {
                self.dead[seat] = true;
                Ok(())
            }
            Event::Revives { seat } => self.revives(seat),
            Event::Calls { seat } => self.calls(seat, true, None),
            Event::CallEnds { call, seat } => self.calls(seat, false, Some(call)),
            Event::Wants { seat, how } => self.wants(seat, how),
            Event::Shown { seat, who } => self.shown(seat, who),
            Event::Placed { call, next } => self.goes_on(call, next),
            Event::Binds { seat, there } => self.binds(seat, there),
            Event::Clicks { seat, click } => self.clicks(seat, click),
            Event::Reload => self.reload(),
            Event::Jump => {
                let by = self.rng.below(7200) as i64 - 3600;
                self.now.wall = Wall(self.now.wall.0 + by * 1_000_000);
                Ok(())
            }
        }
    }

    /// Gives the input, now and then once more: it must change nothing then.
    fn twice(&mut self, per_mille: u64, input: Input) -> Result<(), String> {
        self.give(input.clone())?;
        if self.rng.chance(per_mille) { self.give(input) } else { Ok(()) }
    }

    fn is_live(&self, call: u64, seat: usize, offer: u64) -> bool {
        self.offers.get(&(call, seat)) == Some(&offer)
    }

    fn arrives(&mut self, call: u64) -> Result<(), String> {
        self.sums.offered += 1;
        let hotline = [0, 1, 2, 2, 2, 2, 3][self.rng.below(7) as usize];
        let queue = if self.rng.chance(100) { 2 } else { hotline };
        let priority = match self.rng.below(40) {
            0 => Priority::HIGH,
            n @ 1..6 => Priority::new(n as u8 + 2).unwrap(),
            _ => Priority::NORMAL,
        };
        let person = self.rng.below(1200) as u32;
        let patience = self.rng.between(seconds(20), seconds(1200));
        self.after(patience, Event::GivesUp { call });
        self.joins(call, (queue, hotline), priority, person, false, None)
    }

    /// `again`: it had waited so long, and these seats have failed it.
    pub fn joins(
        &mut self,
        call: u64,
        (queue, hotline): (usize, usize),
        priority: Priority,
        person: u32,
        head: bool,
        again: Option<(Duration, Failed)>,
    ) -> Result<(), String> {
        let (mono, again_there) = (self.now.mono, again.is_some());
        let (waited, failed) = again.unwrap_or_default();
        let serial = self.model.next();
        let start = Mono(mono.0 - waited.as_micros() as u64);
        let ring = self.model.rules[queue].as_ref().map_or(Duration::ZERO, |rules| rules.ring_timeout);
        let not_before = if again_there { mono.after(ring) } else { mono };
        let mut turned_away = !self.model.open[queue];
        let mut caller = CallerModel::new((queue, hotline), priority, head, (start, not_before), serial, person, failed);
        caller.kept = self.model.open[queue].then(|| self.model.keeper(&caller, mono)).flatten();
        self.comes = Some(serial);
        if self.model.open[queue] && !again_there {
            let full = self.model.rules(queue).max_length - if priority == Priority::HIGH { 0 } else { 5 };
            self.sums.most_waiting = self.sums.most_waiting.max(self.model.callers.len() as u64);
            turned_away = self.model.waiting_in(queue) >= full;
        }
        let deserted = self.model.open[queue] && !turned_away && self.model.is_deserted(queue, hotline, priority);
        let (full_before, deserted_before) = (self.sums.full, self.sums.deserted);
        self.model.waits(call, caller);
        let (queue, hotline) = (self.queue_names[queue].clone(), self.queue_names[hotline].clone());
        let (source, caller) = ("carrier".into(), Some(Arc::from(person.to_string())));
        let join = Input::Join(Join { call: id(call), queue, priority, head, source, hotline, caller });
        self.twice(if turned_away || deserted { 0 } else { 20 }, join)?;
        self.comes = None;
        if (self.sums.deserted > deserted_before) != deserted {
            return Err(format!("{call} was sent on, or should have been: {deserted}"));
        }
        match self.sums.full > full_before {
            is if is == turned_away => Ok(()),
            is => Err(format!("{call} was turned away: {is}, and it should be {turned_away}")),
        }
    }

    fn gives_up(&mut self, call: u64) -> Result<(), String> {
        let Some(caller) = self.model.callers.remove(&call) else { return Ok(()) };
        self.sums.abandoned += 1;
        self.is_missed(call, &caller, Loss::AbandonedQueue);
        for ring in &caller.ringing {
            self.model.seats[ring.seat].rings -= 1;
            self.model.used(self.now.mono, ring.seat, Duration::ZERO);
        }
        self.twice(50, Input::Leave { call: id(call) })?;
        match caller.ringing.iter().find(|ring| self.offers.contains_key(&(call, ring.seat))) {
            Some(ring) => Err(format!("seat {} rings on for {call}, who has gone", ring.seat)),
            None => Ok(()),
        }
    }

    fn answers(&mut self, call: u64, seat: usize, offer: u64) -> Result<(), String> {
        let answered = Input::Answered { call: id(call), seat: self.names[seat].clone() };
        if !self.is_live(call, seat, offer) {
            // It crossed our CANCEL: the switch ends that leg, and the queues would not take it for an answer either.
            self.sums.late += 1;
            let asked = self.offers.contains_key(&(call, seat));
            return if asked || self.rng.chance(500) { Ok(()) } else { self.give(answered) };
        }
        self.sums.answered += 1;
        self.offers.remove(&(call, seat));
        self.talks.insert(call, seat);
        let waited = self.now.mono.since(self.model.callers[&call].start);
        self.outbound.served((self.model.callers[&call].person, self.model.callers[&call].hotline));
        self.served.insert(call, (self.model.callers[&call].clone(), waited));
        self.model.answered(self.now.mono, call, seat);
        self.give(answered)?;
        self.queues.talks(id(call), &self.names[seat]);
        let talk = self.rng.between(seconds(10), seconds(400));
        let drops = self.rng.chance(15);
        let (by, ends) = match drops {
            true => (Duration::from_millis(self.rng.below(500)), Event::Drops { call, seat }),
            false => (talk, Event::Ends { call, seat }),
        };
        self.after(by, ends);
        Ok(())
    }

    /// The caller is back at the head, and the seat has failed it.
    fn drops(&mut self, call: u64, seat: usize) -> Result<(), String> {
        if self.talks.remove(&call).is_none() {
            return Ok(());
        }
        self.sums.dropped += 1;
        self.after(WRONG, Event::Look { seat });
        self.model.wrap_ups.remove(&call);
        let (mut was, waited) = self.served.remove(&call).unwrap();
        self.model.dropped(self.now.mono, &mut was, seat);
        let (queue, name) = (self.queue_names[was.queue].clone(), self.names[seat].clone());
        self.twice(200, Input::Dropped { call: id(call), queue, seat: name })?;
        let patience = self.rng.between(seconds(20), seconds(600));
        self.after(patience, Event::GivesUp { call });
        self.joins(call, (was.queue, was.hotline), was.priority, was.person, true, Some((waited, was.failed)))
    }

    fn ends(&mut self, call: u64, seat: usize) -> Result<(), String> {
        if self.talks.remove(&call).is_none() {
            return Ok(());
        }
        let freed = Input::Freed { call: id(call), seat: self.names[seat].clone() };
        self.after(WRONG, Event::Look { seat });
        match self.rng.below(100) {
            // The BYE of the phone is lost, or the switch fails to say so: the end of the call frees it.
            0..4 => {
                self.sums.lost += 1;
                self.leased.insert(call, seat);
                let by = self.rng.between(Duration::ZERO, seconds(4));
                self.after(by, Event::Over { call });
                Ok(())
            }
            // The phone died: the caller is back at the head.
            4..7 => {
                self.sums.back += 1;
                let (was, waited) = self.served.remove(&call).unwrap();
                self.model.lost(self.now.mono, was.queue, seat);
                self.free(call, seat);
                let queue = self.queue_names[was.queue].clone();
                self.twice(200, Input::Lost { call: id(call), queue, seat: self.names[seat].clone() })?;
                let patience = self.rng.between(seconds(20), seconds(600));
                self.after(patience, Event::GivesUp { call });
                self.joins(call, (was.queue, was.hotline), was.priority, was.person, true, Some((waited, was.failed)))
            }
            n => {
                self.free(call, seat);
                self.twice(if n < 20 { 1000 } else { 0 }, freed)?;
                let by = self.rng.between(Duration::ZERO, seconds(2));
                self.after(by, Event::Over { call });
                Ok(())
            }
        }
    }

    fn free(&mut self, call: u64, seat: usize) {
        self.changed = true;
        self.model.seats[seat].talks -= 1;
        self.model.seats[seat].missed.clear();
        let wrap_up = self.model.wrap_ups.remove(&call).unwrap_or_default();
        self.model.used(self.now.mono, seat, wrap_up);
        self.model.worked(seat);
    }

    fn over(&mut self, call: u64) -> Result<(), String> {
        self.served.remove(&call);
        if let Some(seat) = self.leased.remove(&call) {
            self.free(call, seat);
        }
        self.give(Input::Over { call: id(call) })
    }

    /// The queues see the seat as it is.
    pub fn look(&mut self, seat: usize) -> Result<(), String> {
        let (truth, seen) = (&self.model.seats[seat], self.queues.seats().get(&self.names[seat]));
        let right = seen.map_or(truth.channels == 0, |seen| {
            seen.taken == truth.taken()
                && truth.mood.is(&seen.shift.intent)
                && (truth.channels == 0 || seen.bindings.is_empty() != truth.there)
        });
        let seen = seen.map(|seen| (seen.taken, &seen.shift));
        if right { Ok(()) } else { Err(format!("seat {seat} is seen as {seen:?}, and is {truth:?}")) }
    }

    /// The person at the seat clicks, and now and then once more.
    fn clicks(&mut self, seat: usize, click: Click) -> Result<(), String> {
        if self.model.seats[seat].channels == 0 {
            return Ok(());
        }
        for _ in 0..1 + u32::from(self.rng.chance(150)) {
            self.sums.clicks += 1;
            self.changed = true;
            let may = self.model.click(seat, click);
            let mut out = std::mem::take(&mut self.out);
            let (name, by) = (self.names[seat].clone(), Author::seat(&self.names[seat]));
            let did = self.queues.wish(self.now, &name, click.wish(), by, &mut out);
            if did.is_ok() != may {
                return Err(format!("seat {seat}: {click:?} came to {did:?}: {:?}", self.model.seats[seat]));
            }
            self.carry_out(out)?;
            self.look(seat)?;
        }
        Ok(())
    }

    fn revives(&mut self, seat: usize) -> Result<(), String> {
        self.dead[seat] = false;
        let it = &mut self.model.seats[seat];
        if it.misses > 0 {
            (it.misses, it.rests_until) = (0, None);
        }
        self.give(Input::SignOfLife { seat: self.names[seat].clone(), request: true })
    }

    /// The seat places a call of its own, or hangs up in it.
    fn calls(&mut self, seat: usize, begins: bool, call: Option<u64>) -> Result<(), String> {
        let call = call.unwrap_or_else(|| self.call());
        let it = &mut self.model.seats[seat];
        if begins && (it.channels == 0 || it.taken() > 0) {
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.out);
        let party = Party { seat: &self.names[seat], placed: true };
        if begins {
            it.own += 1;
            self.queues.parties(self.now, id(call), iter::once(party), &mut out);
            let by = self.rng.between(seconds(5), seconds(200));
            self.after(by, Event::CallEnds { call, seat });
        } else {
            it.own -= 1;
            self.changed = true;
            self.model.used(self.now.mono, seat, Duration::ZERO);
            self.model.worked(seat);
            self.queues.parties(self.now, id(call), iter::empty(), &mut out);
        }
        self.carry_out(out)
    }

    fn reload(&mut self) -> Result<(), String> {
        self.sums.reloads += 1;
        self.changed = true;
        let mut plan = self.plan.changed(&mut self.rng);
        for (n, seat) in self.model.seats.iter_mut().enumerate().filter(|(n, _)| registers(*n)) {
            // The registrar forgets a seat that is taken away.
            seat.there &= plan.seats.iter().any(|of| of.name == self.names[n]);
        }
        for seat in &mut plan.seats {
            let n = number(&seat.name);
            seat.bindings = if self.model.seats[n].there { bindings(n) } else { Vec::new() };
        }
        self.model.adopt(&plan);
        let mut out = std::mem::take(&mut self.out);
        self.queues.reload(self.now, plan.seats, plan.queues, &mut out);
        self.carry_out(out)
    }
}

impl Sums {
    pub fn and(self, other: &Sums) -> Sums {
        Sums {
            events: self.events + other.events,
            offered: self.offered + other.offered,
            answered: self.answered + other.answered,
            abandoned: self.abandoned + other.abandoned,
            timed_out: self.timed_out + other.timed_out,
            full: self.full + other.full,
            rings: self.rings + other.rings,
            missed: self.missed + other.missed,
            late: self.late + other.late,
            lost: self.lost + other.lost,
            back: self.back + other.back,
            reloads: self.reloads + other.reloads,
            kept: self.kept + other.kept,
            most_waiting: self.most_waiting.max(other.most_waiting),
            clicks: self.clicks + other.clicks,
            pauses: self.pauses + other.pauses,
            dropped: self.dropped + other.dropped,
            deserted: self.deserted + other.deserted,
            placed: self.placed + other.placed,
            reached: self.reached + other.reached,
            left_alone: self.left_alone + other.left_alone,
            clashes: self.clashes + other.clashes,
        }
    }

    /// A day on which nothing happens proves nothing.
    pub fn enough(&self, days: u64) -> bool {
        let most = [self.answered / 1000, self.abandoned / 50, self.missed / 100, self.late / 10, self.lost / 10, self.back / 10];
        let rare = [self.dropped / 5, self.deserted, self.placed / 50, self.reached / 20, self.left_alone, self.clashes];
        most.into_iter().chain(rare).all(|sum| sum >= days) && self.timed_out > days / 2 && self.full > days / 2
    }
}
