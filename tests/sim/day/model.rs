//! Callers and seats as an observer knows them who has the rules and sees the queues' inputs and outputs. Nothing here is
//! found fast: every question looks at everybody.

use super::plan::{Plan, QUEUES, SEATS, is_remote, number, queue_number, registers, signs_in};
use super::shift::Mood;
use hotline::base::Mono;
use hotline::queue::{MissCause, Priority, Queue, Strategy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Seats that failed a caller, how often, and until when each rests for it.
pub type Failed = Vec<(usize, u32, Mono)>;

#[derive(Clone, Debug)]
pub struct SeatModel {
    pub channels: u32,
    pub expert: bool,
    /// Its level of each skill, by the number of the queue that is named as the skill.
    pub levels: [u8; QUEUES.len()],
    /// Its place in each queue's list.
    pub places: [Option<usize>; QUEUES.len()],
    pub turns: [u64; QUEUES.len()],
    /// The callers that it rings for, talks to, and has called by itself.
    pub rings: u32,
    pub talks: u32,
    pub own: u32,
    pub signs_in: bool,
    /// It can be called: its phone is registered, or its department is there.
    pub there: bool,
    pub mood: Mood,
    pub next: Option<Mood>,
    /// Somebody has signed in there.
    pub held: bool,
    /// Calls in vain since it last talked, by cause.
    pub missed: BTreeMap<MissCause, u32>,
    /// All of the day.
    pub in_vain: BTreeMap<MissCause, u64>,
    pub rests_until: Option<Mono>,
    pub misses: u32,
    pub last_work: u64,
    pub served: u64,
}

#[derive(Clone, Debug)]
pub struct CallerModel {
    pub queue: usize,
    pub hotline: usize,
    pub priority: Priority,
    pub head: bool,
    pub start: Mono,
    pub not_before: Mono,
    pub serial: u64,
    pub person: u32,
    /// The seat that it is kept for, and until when.
    pub kept: Option<(usize, Mono)>,
    pub ringing: Vec<Ring>,
    pub failed: Failed,
}

#[derive(Clone, Copy, Debug)]
pub struct Ring {
    pub seat: usize,
    pub rang: bool,
    pub until: Mono,
}

pub struct Model {
    pub seats: Vec<SeatModel>,
    pub callers: BTreeMap<u64, CallerModel>,
    pub rules: Vec<Option<Queue>>,
    /// The skill of each queue's own.
    pub skills: [Option<usize>; QUEUES.len()],
    /// Those that are configured now; a caller inside one that is not is still served.
    pub open: [bool; QUEUES.len()],
    /// The seat that served each person last.
    last: BTreeMap<u32, (usize, Mono)>,
    serial: u64,
    /// How long the seat may write about each call that talks.
    pub wrap_ups: BTreeMap<u64, Duration>,
    /// Since when nobody could serve those who wait in a queue and ask for a skill.
    pub deserted: BTreeMap<(usize, usize), Mono>,
    pub pauses: u64,
    /// Callers that are kept for a seat, with some that were.
    kept: Vec<u64>,
    /// Seats whose mood may have changed since the observer looked last.
    pub moved: Vec<usize>,
}

impl SeatModel {
    fn new(signs_in: bool, there: bool) -> SeatModel {
        SeatModel {
            channels: 0,
            expert: false,
            levels: Default::default(),
            places: Default::default(),
            turns: Default::default(),
            rings: 0,
            talks: 0,
            own: 0,
            signs_in,
            there,
            mood: if signs_in { Mood::Out } else { Mood::Ready },
            next: None,
            held: false,
            missed: BTreeMap::new(),
            in_vain: BTreeMap::new(),
            rests_until: None,
            misses: 0,
            last_work: 0,
            served: 0,
        }
    }

    pub fn taken(&self) -> u32 {
        self.rings + self.talks + self.own
    }

    pub fn is_free(&self) -> bool {
        let ready = self.mood == Mood::Ready && self.next.is_none() && self.rests_until.is_none();
        self.there && ready && self.taken() < self.channels
    }

    /// It takes calls, or will when those that it has are over.
    fn is_at_work(&self) -> bool {
        let ready = matches!(self.mood, Mood::Ready | Mood::WrapUp(_)) && self.rests_until.is_none();
        ready && self.there && self.channels > 0 && !self.is_doubtful()
    }

    pub fn is_gone(&self) -> bool {
        self.channels == 0 && self.taken() == 0
    }

    /// It may place a call of its own.
    pub fn may_call(&self) -> bool {
        self.there && self.mood != Mood::Out && self.taken() < self.channels
    }

    pub fn is_doubtful(&self) -> bool {
        self.misses > 0
    }

    fn is_phone(&self) -> bool {
        self.channels <= 1
    }
}

impl CallerModel {
    pub fn new(
        (queue, hotline): (usize, usize),
        priority: Priority,
        head: bool,
        (start, not_before): (Mono, Mono),
        serial: u64,
        person: u32,
        failed: Failed,
    ) -> CallerModel {
        let (ringing, kept) = (Vec::new(), None);
        CallerModel { queue, hotline, priority, head, start, not_before, serial, person, kept, ringing, failed }
    }

    /// Nothing tells it from others that wait in its queue for the same.
    pub fn is_plain(&self) -> bool {
        self.kept.is_none() && self.ringing.is_empty() && self.failed.is_empty()
    }

    fn fails(&mut self, now: Mono, seat: usize, rules: &Queue) {
        let (shortest, times) = (rules.rest_after_failure, self.failures(seat).0);
        let until = now.after(doubled(shortest, times).min(rules.refusal_max.max(shortest)));
        self.failed.retain(|(of, ..)| *of != seat);
        self.failed.push((seat, times + 1, until));
    }

    pub fn failures(&self, seat: usize) -> (u32, Option<Mono>) {
        self.failed.iter().find(|(of, ..)| *of == seat).map_or((0, None), |(_, times, until)| (*times, Some(*until)))
    }
}

impl Model {
    pub fn new(plan: &Plan) -> Model {
        let seats = (0..SEATS).map(|n| SeatModel::new(signs_in(n), !is_remote(n) && !registers(n))).collect();
        let rules = vec![None; QUEUES.len()];
        let (callers, open, last) = (BTreeMap::new(), [false; QUEUES.len()], BTreeMap::new());
        let skills = [None; QUEUES.len()];
        let mut model = Model {
            seats,
            callers,
            rules,
            skills,
            open,
            last,
            serial: 0,
            wrap_ups: BTreeMap::new(),
            deserted: BTreeMap::new(),
            pauses: 0,
            kept: Vec::new(),
            moved: Vec::new(),
        };
        model.adopt(plan);
        model
    }

    pub fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The configuration is this one now. Phones that were missed begin anew.
    pub fn adopt(&mut self, plan: &Plan) {
        // A queue that was taken away and that the last caller has left begins anew.
        let left = |n: &usize| !self.open[*n] && !self.callers.values().any(|caller| caller.queue == *n);
        for n in (0..QUEUES.len()).filter(left).collect::<Vec<_>>() {
            self.seats.iter_mut().for_each(|seat| seat.turns[n] = 0);
        }
        self.open = [false; QUEUES.len()];
        self.deserted.clear();
        self.moved.extend(0..SEATS);
        let known = self.seats.iter().filter(|seat| seat.channels > 0 || seat.taken() > 0);
        let least = known.map(|seat| seat.served).min().unwrap_or_default();
        for seat in &mut self.seats {
            if seat.channels == 0 && seat.taken() == 0 {
                let in_vain = std::mem::take(&mut seat.in_vain);
                let of = SeatModel::new(seat.signs_in, seat.there);
                *seat = SeatModel { served: least, in_vain, ..of };
            }
            (seat.channels, seat.rests_until, seat.misses) = (0, None, 0);
            seat.places = [None; QUEUES.len()];
        }
        for of in &plan.seats {
            let seat = &mut self.seats[number(&of.name)];
            // One that is ready by configuration is so again.
            if seat.mood == Mood::Out && !seat.signs_in {
                *seat = SeatModel { mood: Mood::Ready, next: None, held: false, missed: BTreeMap::new(), ..seat.clone() };
            }
            // One that its phone signed in, and whose phone was forgotten with it, is signed out.
            if registers(number(&of.name)) && !seat.there && !seat.held {
                (seat.mood, seat.next) = (Mood::Out, None);
            }
            (seat.channels, seat.expert) = (of.channels, of.expert);
            seat.levels = QUEUES.map(|skill| of.skills.get(skill).copied().unwrap_or_default());
        }
        for queue in &plan.queues {
            let n = queue_number(&queue.name);
            (self.rules[n], self.open[n]) = (Some(queue.clone()), true);
            self.skills[n] = queue.skill.as_deref().map(queue_number);
        }
        for (n, rules) in self.rules.iter().enumerate() {
            let members: Vec<Arc<str>> = rules.iter().flat_map(|queue| queue.seats.clone()).collect();
            let inside = self.open[n] || self.callers.values().any(|caller| caller.queue == n);
            for (place, seat) in members.iter().enumerate().filter(|_| inside) {
                self.seats[number(seat)].places[n].get_or_insert(place);
            }
        }
        // A seat that is out of a queue comes back to it without a turn.
        for seat in &mut self.seats {
            for (turn, _) in seat.turns.iter_mut().zip(seat.places).filter(|(_, place)| place.is_none()) {
                *turn = 0;
            }
        }
        for caller in self.callers.values_mut() {
            // The kept place does not survive a change of the rules.
            caller.kept = None;
        }
    }

    /// Tells whether a queue that sends on those whom nobody could ever serve has nobody for such a caller.
    pub fn is_deserted(&self, queue: usize, hotline: usize, priority: Priority) -> bool {
        let rules = self.rules(queue);
        let skill = self.skills[queue].unwrap_or(hotline);
        let asks = rules.strategy == Strategy::SkillFirst || !rules.levels.is_empty();
        let least = rules.levels.last().map_or(0, |(_, level)| *level);
        let could = |seat: &SeatModel| {
            let has = if asks { seat.levels[skill] } else { 0 };
            let any = if seat.expert { rules.experts_after.is_some() } else { least == 0 };
            let leaves = seat.mood == Mood::Out || seat.next == Some(Mood::Out);
            let there = seat.places[queue].is_some() && seat.channels > 0 && seat.there && !leaves;
            there && (has >= least.max(1) || any)
        };
        rules.without_seats.is_some() && priority != Priority::HIGH && !self.seats.iter().any(could)
    }

    /// Notes which callers nobody can serve. An error: one of them should have been sent on.
    pub fn look_for_deserted(&mut self, now: Mono) -> Result<(), String> {
        let mut found = BTreeMap::new();
        let all = self.callers.iter().filter(|(_, caller)| self.rules(caller.queue).without_seats.is_some());
        for (call, caller) in all.filter(|(_, caller)| caller.priority != Priority::HIGH) {
            let key = (caller.queue, self.skills[caller.queue].unwrap_or(caller.hotline));
            let known = found.contains_key(&key);
            if known || self.is_deserted(caller.queue, caller.hotline, caller.priority) {
                let since = self.deserted.get(&key).copied().unwrap_or(now);
                found.insert(key, since);
                let grace = self.rules(caller.queue).without_seats.unwrap();
                if caller.ringing.is_empty() && since.after(2 * grace) < now {
                    return Err(format!("{call} waits, and nobody could serve it since {since:?}: {caller:?}"));
                }
            }
        }
        self.deserted = found;
        Ok(())
    }

    pub fn rules(&self, queue: usize) -> &Queue {
        self.rules[queue].as_ref().unwrap()
    }

    pub fn limit(&self, caller: &CallerModel) -> Mono {
        caller.start.after(self.rules(caller.queue).max_wait).max(caller.not_before)
    }

    pub fn worked(&mut self, seat: usize) {
        self.seats[seat].last_work = self.next();
    }

    /// The seat that the person would be kept for.
    pub fn keeper(&self, caller: &CallerModel, now: Mono) -> Option<(usize, Mono)> {
        let (person, queue, start) = (caller.person, caller.queue, caller.start);
        let rules = self.rules(queue);
        let until = start.after(rules.sticky_wait);
        if until <= now {
            return None;
        }
        let (seat, at) = *self.last.get(&person)?;
        let it = &self.seats[seat];
        let good = it.is_at_work() && it.places[queue].is_some() && now.since(at) <= rules.sticky_for;
        (good && caller.failures(seat).0 == 0).then_some((seat, until))
    }

    /// Nobody waits for a seat alone that has left its work.
    pub fn release(&mut self) {
        let (seats, callers) = (&self.seats, &mut self.callers);
        self.kept.retain(|call| {
            let kept = callers.get_mut(call).map(|caller| &mut caller.kept);
            kept.is_some_and(|kept| {
                kept.take_if(|(seat, _)| !seats[*seat].is_at_work());
                kept.is_some()
            })
        });
    }

    /// The caller waits, perhaps for one seat.
    pub fn waits(&mut self, call: u64, caller: CallerModel) {
        self.kept.extend(caller.kept.map(|_| call));
        self.callers.insert(call, caller);
    }

    /// Nobody is kept for longer than its queue says.
    pub fn keep_until(&mut self, now: Mono) {
        for call in &self.kept {
            self.callers.get_mut(call).and_then(|caller| caller.kept.take_if(|(_, until)| *until <= now));
        }
    }

    pub fn answered(&mut self, now: Mono, call: u64, seat: usize) {
        let caller = self.callers.remove(&call).unwrap();
        let queue = caller.queue;
        self.seats[seat].rings -= 1;
        for ring in caller.ringing.iter().filter(|ring| ring.seat != seat) {
            self.seats[ring.seat].rings -= 1;
            self.used(now, ring.seat, Duration::ZERO);
        }
        self.wrap_ups.insert(call, self.rules(queue).wrap_up);
        if self.rules.iter().zip(self.open).any(|(queue, open)| open && queue.as_ref().is_some_and(|q| !q.sticky_wait.is_zero()))
        {
            self.last.insert(caller.person, (seat, now));
        }
        let it = &mut self.seats[seat];
        (it.talks, it.served, it.misses) = (it.talks + 1, it.served + 1, 0);
        self.worked(seat);
    }

    /// The seat did not take the caller.
    pub fn failed(&mut self, now: Mono, call: u64, seat: usize, cause: MissCause) {
        let caller = self.callers.get_mut(&call).unwrap();
        caller.ringing.retain(|ring| ring.seat != seat);
        let queue = caller.queue;
        let rules = self.rules[queue].as_ref().unwrap();
        caller.fails(now, seat, rules);
        caller.kept.take_if(|(kept, _)| *kept == seat);
        self.seats[seat].rings -= 1;
        self.judged(now, (queue, seat), cause);
        self.in_vain(now, seat, cause);
        self.used(now, seat, Duration::ZERO);
        self.worked(seat);
    }

    /// The seat answered and was gone at once.
    pub fn dropped(&mut self, now: Mono, caller: &mut CallerModel, seat: usize) {
        let queue = caller.queue;
        if self.open[queue] || self.waiting_in(queue) > 0 {
            caller.fails(now, seat, self.rules[queue].as_ref().unwrap());
            self.judged(now, (queue, seat), MissCause::Dropped);
        }
        self.seats[seat].talks -= 1;
        self.in_vain(now, seat, MissCause::Dropped);
        self.used(now, seat, Duration::ZERO);
        self.worked(seat);
    }

    /// The seat's phone died in a conversation.
    pub fn lost(&mut self, now: Mono, queue: usize, seat: usize) {
        if self.open[queue] || self.waiting_in(queue) > 0 {
            self.judged(now, (queue, seat), MissCause::Unreachable);
        }
    }

    fn judged(&mut self, now: Mono, (queue, seat): (usize, usize), cause: MissCause) {
        let rules = self.rules[queue].as_ref().unwrap();
        let (shortest, longest) = (rules.rest_after_failure, rules.rest_max);
        let it = &mut self.seats[seat];
        let gone = matches!(cause, MissCause::Unreachable | MissCause::NotRegistered);
        let concerns_all = it.is_phone() || gone;
        match cause {
            MissCause::NoAnswer | MissCause::Dnd if it.is_phone() => it.misses += 1,
            MissCause::Busy | MissCause::Rejected | MissCause::Dnd | MissCause::Dropped => it.misses = 0,
            _ if gone => it.misses += 1,
            _ => {}
        }
        if concerns_all {
            it.rests_until = Some(now.after(doubled(shortest, it.misses.saturating_sub(1)).min(longest.max(shortest))));
        }
    }
}

fn doubled(of: Duration, times: u32) -> Duration {
    of.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
}
