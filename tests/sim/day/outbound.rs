//! Seats call out among their inbound work: a number, a caller of the callback list, or one whom they look at first. Their own
//! phone rings, then the person's; some are busy, some silent, some phones die meanwhile. Beside it a model of the list.

use super::plan::{QUEUES, SEATS, own_wrap_up, seconds};
use super::world::{Day, Event, id};
use hotline::base::Wall;
use hotline::event::Result as Loss;
use hotline::list::{Callbacks, Limits, MessageLeft, Missed, Refusal};
use hotline::queue::{Input, Priority};
use hotline::seat::Party;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

/// How long a seat's own phone rings, and how long it may look first.
const RING: Duration = seconds(20);
const LOOK: Duration = seconds(60);

/// A caller and the hotline that was called.
type Who = (u32, usize);

#[derive(Clone, Copy, Debug)]
pub enum How {
    Number,
    Row,
    Look,
}

/// The next thing in a call that a seat has placed.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    SeatAnswers,
    PersonAnswers,
    /// Somebody hangs up, or nobody was reached.
    Over,
}

pub struct Placed {
    seat: usize,
    who: Who,
    row: Option<(Arc<str>, u32)>,
    talks: bool,
}

/// A row as an observer knows it.
struct Row {
    id: Arc<str>,
    calls: u32,
    tried: u32,
    lease: Option<(usize, Wall)>,
    /// The call by which that person is being rung back.
    rings_back: Option<u64>,
}

impl Row {
    fn is_listed(&self) -> bool {
        self.calls > 0
    }
}

/// Calls that seats have placed, and the callback list.
pub struct Outbound {
    list: Callbacks,
    rows: BTreeMap<Who, Row>,
    calls: BTreeMap<u64, Placed>,
}

impl Outbound {
    pub fn new() -> Outbound {
        Outbound { list: Callbacks::new(Limits::default()), rows: BTreeMap::new(), calls: BTreeMap::new() }
    }

    /// A caller was lost, and is to be rung back.
    pub fn lost(&mut self, now: Wall, call: u64, (person, hotline): Who, loss: Loss) {
        let of: Arc<str> = QUEUES[hotline].into();
        let caller = person.to_string().into();
        let missed =
            Missed { call: id(call), caller, hotline: of.clone(), line: of, loss, wanted: false, message: MessageLeft::No };
        self.list.missed(now, missed, &mut Vec::new());
        let new = || Row { id: id(call).to_string().into(), calls: 0, tried: 0, lease: None, rings_back: None };
        self.rows.entry((person, hotline)).or_insert_with(new).calls += 1;
    }

    /// The caller has got through. A row by which it is being rung back at this moment stays until that is over, unseen: who is
    /// lost meanwhile is listed by it again.
    pub fn served(&mut self, who: Who) {
        self.list.served(&who.0.to_string(), QUEUES[who.1], &mut Vec::new());
        match self.rows.get_mut(&who).filter(|row| row.rings_back.is_some()) {
            Some(row) => row.calls = 0,
            None => _ = self.rows.remove(&who),
        }
    }

    /// One of those who wait longest: people click at the top of the list, and so at the same.
    fn some(&self, n: u64) -> Option<Who> {
        let listed: Vec<&Who> = self.rows.iter().filter(|(_, row)| row.is_listed()).map(|(who, _)| who).collect();
        listed.get(n as usize % listed.len().max(1)).map(|who| **who)
    }

    /// The list has those rows that it should have.
    pub fn equal(&self, now: Wall) -> Result<(), String> {
        if !self.calls.is_empty() {
            return Err(format!("{} placed calls are left", self.calls.len()));
        }
        let list = self.list.page(now, None, usize::MAX);
        let told: BTreeMap<_, _> = list.iter().map(|row| (row.id.clone(), (row.calls, row.tried))).collect();
        let seen: BTreeMap<_, _> = self.rows.values().map(|row| (row.id.clone(), (row.calls, row.tried))).collect();
        let open = list.iter().find(|row| row.lease.as_ref().is_some_and(|lease| lease.attempt.is_some()));
        match open {
            Some(row) => Err(format!("{row:?} is being rung back for ever")),
            None if told != seen => Err(format!("the callback list is {told:?}, and should be {seen:?}")),
            None => Ok(()),
        }
    }
}

impl Day {
    /// The person at the seat wants to call out, now and then with a second click.
    pub fn wants(&mut self, seat: usize, how: How) -> Result<(), String> {
        let row = match how {
            How::Number => None,
            How::Row | How::Look => self.outbound.some(self.rng.below(3)),
        };
        let Some(who) = row else {
            let who = (self.rng.below(1200) as u32, self.rng.below(QUEUES.len() as u64) as usize);
            return self.places(seat, who, false);
        };
        if let How::Look = how {
            // Queues go on ringing the seat while it looks; perhaps it has no time any more then.
            self.takes_row(seat, who)?;
            let by = self.rng.between(seconds(2), LOOK);
            self.after(by, Event::Shown { seat, who });
            return Ok(());
        }
        self.places(seat, who, true)?;
        if self.rng.chance(300) { self.places(seat, who, true) } else { Ok(()) }
    }

    /// The seat has looked at it for long enough: it calls, or declines.
    pub fn shown(&mut self, seat: usize, who: Who) -> Result<(), String> {
        if self.rng.chance(700) {
            return self.places(seat, who, true);
        }
        let now = self.now.wall;
        let Some(row) = self.outbound.rows.get_mut(&who).filter(|row| row.is_listed()) else { return Ok(()) };
        let its = row.lease.is_some_and(|(of, until)| of == seat && until > now);
        let others = row.lease.is_some_and(|(of, until)| of != seat && (until > now || row.rings_back.is_some()));
        let did = self.outbound.list.give_back(now, &row.id, &self.names[seat], &mut Vec::new());
        match did {
            Ok(()) if its => row.lease = None,
            Ok(()) if !others => {}
            Err(Refusal::UnderWay) if row.rings_back.is_some() && !others => {}
            Err(Refusal::Leased) if others => {}
            did => return Err(format!("seat {seat} gives {} back: {did:?}, others: {others}", row.id)),
        }
        Ok(())
    }

    /// The seat has the row to itself.
    fn takes_row(&mut self, seat: usize, who: Who) -> Result<(), String> {
        let now = self.now.wall;
        let Some(row) = self.outbound.rows.get_mut(&who).filter(|row| row.is_listed()) else { return Ok(()) };
        let others = row.lease.is_some_and(|(of, until)| of != seat && (until > now || row.rings_back.is_some()));
        let did = self.outbound.list.lease(now, &row.id, &self.names[seat], &mut Vec::new()).map(drop);
        match did {
            Ok(()) if !others => row.lease = Some((seat, now.after(Limits::default().lease))),
            Err(Refusal::Leased) if others => self.sums.clashes += 1,
            did => return Err(format!("seat {seat} takes {}: {did:?}, others: {others}", row.id)),
        }
        Ok(())
    }

    /// One attempt at once: nobody is rung back twice.
    fn attempt(&mut self, seat: usize, who: Who, call: u64) -> Result<Option<(Arc<str>, u32)>, String> {
        let now = self.now.wall;
        let Some(row) = self.outbound.rows.get_mut(&who).filter(|row| row.is_listed()) else { return Ok(None) };
        let others = row.lease.is_some_and(|(of, until)| of != seat && (until > now || row.rings_back.is_some()));
        let did = self.outbound.list.attempt(now, &row.id, &self.names[seat], &mut Vec::new());
        match did {
            Ok(attempt) if row.rings_back.is_none() && !others && attempt == row.tried + 1 => {
                (row.tried, row.rings_back) = (attempt, Some(call));
                row.lease = Some((seat, now.after(Limits::default().lease)));
                Ok(Some((row.id.clone(), attempt)))
            }
            Err(Refusal::Leased) if others => Ok(None),
            Err(Refusal::UnderWay) if !others && row.rings_back.is_some() => Ok(None),
            did => Err(format!("seat {seat} rings {} back: {did:?}, which {:?} does, others: {others}", row.id, row.rings_back)),
        }
    }

    fn places(&mut self, seat: usize, who: Who, by_row: bool) -> Result<(), String> {
        let seen = self.queues.seats().get(&self.names[seat]);
        let free = seen.is_some_and(|seen| seen.taken < seen.channels && !seen.bindings.is_empty());
        if free != (self.model.seats[seat].there && self.model.seats[seat].taken() < self.model.seats[seat].channels) {
            return Err(format!("seat {seat} is seen as free to call: {free}, and is {:?}", self.model.seats[seat]));
        }
        if !self.model.seats[seat].may_call() {
            return Ok(());
        }
        let call = self.call();
        let row = if by_row { self.attempt(seat, who, call)? } else { None };
        if by_row && row.is_none() {
            self.sums.clashes += 1;
            return Ok(());
        }
        self.sums.placed += 1;
        self.outbound.calls.insert(call, Placed { seat, who, row, talks: false });
        self.model.seats[seat].own += 1;
        let party = Party { seat: &self.names[seat].clone(), placed: true };
        self.with_queues(|queues, now, out| queues.parties(now, id(call), iter::once(party), out))?;
        let by = self.rng.between(seconds(1), seconds(8));
        self.after(by, Event::Placed { call, next: Next::SeatAnswers });
        Ok(())
    }

    pub fn goes_on(&mut self, call: u64, next: Next) -> Result<(), String> {
        let Some(placed) = self.outbound.calls.get_mut(&call) else { return Ok(()) };
        let seat = placed.seat;
        match next {
            Next::SeatAnswers => {
                let answers = !self.dead[seat] && self.rng.chance(950);
                let by = self.rng.between(seconds(2), seconds(45));
                let (by, next) = if answers { (by, Next::PersonAnswers) } else { (RING, Next::Over) };
                self.after(by, Event::Placed { call, next });
                Ok(())
            }
            // The phone died while the person's rang: the leg is over, and so is the call.
            Next::PersonAnswers if self.dead[seat] => self.over_placed(call),
            // Busy, silent, or unknown.
            Next::PersonAnswers if self.rng.chance(400) => self.over_placed(call),
            Next::PersonAnswers => {
                placed.talks = true;
                self.sums.reached += 1;
                self.queues.talks(id(call), &self.names[seat]);
                let by = self.rng.between(seconds(5), seconds(300));
                self.after(by, Event::Placed { call, next: Next::Over });
                Ok(())
            }
            // Some phones die in the conversation, and are there again soon.
            Next::Over if placed.talks && (self.dead[seat] || self.rng.chance(50)) => self.dies_talking(call),
            Next::Over => self.over_placed(call),
        }
    }

    fn over_placed(&mut self, call: u64) -> Result<(), String> {
        let Some(placed) = self.outbound.calls.remove(&call) else { return Ok(()) };
        self.row_over(&placed);
        self.lets_go(call, &placed)
    }

    /// The seat's phone is dead, and the person stands at the head of the hotline's queue.
    fn dies_talking(&mut self, call: u64) -> Result<(), String> {
        let Some(placed) = self.outbound.calls.remove(&call) else { return Ok(()) };
        self.sums.left_alone += 1;
        self.row_over(&placed);
        let Placed { seat, who: (person, queue), .. } = placed;
        self.model.lost(self.now.mono, queue, seat);
        self.give(Input::Lost { call: id(call), queue: self.queue_names[queue].clone(), seat: self.names[seat].clone() })?;
        let patience = self.rng.between(seconds(20), seconds(600));
        self.after(patience, Event::GivesUp { call });
        self.joins(call, (queue, queue), Priority::NORMAL, person, true, None)?;
        self.lets_go(call, &placed)
    }

    fn row_over(&mut self, placed: &Placed) {
        let now = self.now.wall;
        if let Some((row, attempt)) = &placed.row {
            self.outbound.list.over(now, row, *attempt, placed.talks, &mut Vec::new());
            let known = self.outbound.rows.get_mut(&placed.who).filter(|known| known.id == *row).expect("it is being rung back");
            known.rings_back = None;
            known.lease = Some((placed.seat, now.after(Limits::default().lease)));
            if !known.is_listed() {
                self.outbound.rows.remove(&placed.who);
            }
        }
        if placed.talks {
            self.outbound.served(placed.who);
        }
    }

    /// The seat is a party of the call no more.
    fn lets_go(&mut self, call: u64, placed: &Placed) -> Result<(), String> {
        let (now, seat) = (self.now.mono, placed.seat);
        let it = &mut self.model.seats[seat];
        it.own -= 1;
        if placed.talks {
            it.missed.clear();
        }
        let wrap_up = if placed.talks { own_wrap_up(seat) } else { Duration::ZERO };
        self.model.used(now, seat, wrap_up);
        self.model.worked(seat);
        self.with_queues(|queues, now, out| queues.parties(now, id(call), iter::empty(), out))?;
        self.after(seconds(1), Event::Look { seat });
        Ok(())
    }

    /// A phone registers or its registration ends, a department comes or goes.
    pub fn binds(&mut self, seat: usize, there: bool) -> Result<(), String> {
        if self.model.seats[seat].channels == 0 {
            self.model.seats[seat].there = false;
            return Ok(());
        }
        self.model.bound(seat, there);
        let (name, places) = (self.names[seat].clone(), if there { super::plan::bindings(seat) } else { Vec::new() });
        self.with_queues(|queues, now, out| queues.bind(now, &name, places, out))?;
        self.look(seat)
    }
}

/// When seats want to call out, and when phones register and departments are there.
pub fn foresee(day: &mut Day) {
    let hour = |h: u64| seconds(h * 3600);
    for _ in 0..350 {
        let (seat, at) = (day.rng.below(SEATS as u64) as usize, day.rng.between(hour(8), hour(20)));
        let how = [How::Number, How::Row, How::Row, How::Look][day.rng.below(4) as usize];
        day.at(at, Event::Wants { seat, how });
    }
    for seat in (0..SEATS).filter(|seat| super::plan::is_remote(*seat)) {
        for (from, to) in [(510, 720), (840, 1050)] {
            day.at(seconds(from * 60), Event::Binds { seat, there: true });
            day.at(seconds(to * 60), Event::Binds { seat, there: false });
            // Its trunk gives no sign for a while.
            let out = day.rng.between(seconds(from * 60), seconds(to * 60 - 600));
            day.at(out, Event::Binds { seat, there: false });
            day.at(out + seconds(90), Event::Binds { seat, there: true });
        }
    }
    for seat in (0..SEATS).filter(|seat| super::plan::registers(*seat)) {
        let mut at = day.rng.between(hour(6), hour(8));
        while at < hour(22) {
            // It registers again before the end, now and then after it.
            day.at(at, Event::Binds { seat, there: true });
            at += day.rng.between(seconds(600), seconds(3600));
            if day.rng.chance(300) {
                day.at(at, Event::Binds { seat, there: false });
                at += day.rng.between(seconds(5), seconds(900));
            }
        }
        day.at(hour(23), Event::Binds { seat, there: false });
    }
}
