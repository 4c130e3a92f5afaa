//! A call's entries, as they change the counts.

use super::counts::{Moved, transferred};
use super::{Counts, Figures, Name, OTHERS, Outbound, SeatCounts, minute};
use crate::base::{CallId, Mono, Wall};
use crate::event::{CallDirection, Entry, Mode, Offered, Party, Result, TransferKind, What};
use crate::record::timing::Timing;
use std::time::Duration;

/// A call that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    id: CallId,
    minute: i64,
    hotline: Name,
    /// A seat has placed it: that seat, once it is known.
    outbound: Option<Option<Name>>,
    offered: Mono,
    handed: Option<Mono>,
    answered: bool,
    visits: Vec<Visit>,
    legs: Vec<SeatLeg>,
    moves: Vec<Move>,
    timing: Timing,
    /// The last entry that the living process wrote.
    last: Mono,
}

/// A stay in a queue; one however often the caller comes back to it.
#[derive(Clone, Debug)]
struct Visit {
    queue: Name,
    minute: i64,
    since: Mono,
    answered: bool,
}

#[derive(Clone, Debug)]
struct SeatLeg {
    leg: u64,
    seat: Name,
    /// The queue that rang it.
    queue: String,
    joined: Option<(Wall, Mono)>,
    held: Option<Mono>,
}

#[derive(Clone, Debug)]
struct Move {
    seq: u32,
    kind: TransferKind,
    to: String,
    /// The seat that asked for it.
    by: Option<Name>,
}

/// A call has few of these.
const MOVES: usize = 100;

impl Figures {
    pub(super) fn call_entry(&mut self, entry: &Entry) {
        if let What::Offered(offered) = &entry.what {
            return self.offered(entry, offered);
        }
        let Some(mut call) = self.open.remove(&entry.call) else { return };
        if entry.what == What::Interrupted {
            return self.interrupted(&mut call);
        }
        call.last = entry.mono;
        call.timing.apply(&entry.what, entry.mono);
        match &entry.what {
            What::Queued { queue } => self.queued(&mut call, entry, queue),
            What::Ringing { leg, party, .. } => self.ringing(&mut call, entry, *leg, party),
            What::Joined { leg, party, .. } => self.joined(&mut call, entry, *leg, party),
            What::Held { leg } => {
                call.legs.iter_mut().filter(|known| known.leg == *leg).for_each(|leg| leg.held = Some(entry.mono))
            }
            What::Resumed { leg } => self.resumed(&mut call, entry, *leg),
            What::RingFailed { leg, .. } | What::LegEnded { leg, .. } => self.gone(&mut call, *leg, entry.mono),
            What::TransferStarted { seq, kind, by, to } => self.started(&mut call, *seq, *kind, *by, to),
            What::TransferEnded { seq, result } => {
                if let Some(place) = call.moves.iter().position(|known| known.seq == *seq) {
                    let of = call.moves.swap_remove(place);
                    self.moved(&call, &of, &Moved::of(of.kind, *result), entry.wall);
                }
            }
            What::Survey { score: Some(score), .. } => {
                self.both(&call, |counts| *counts.surveys.entry(*score).or_default() += 1);
            }
            What::Survey { score: None, .. } => self.both(&call, |counts| counts.surveys_unanswered += 1),
            What::CallbackWanted => self.both(&call, |counts| counts.callbacks_wanted += 1),
            What::Ended { result, .. } => return self.ended(&mut call, *result, entry.mono),
            _ => {}
        }
        self.open.insert(entry.call, call);
    }

    fn offered(&mut self, entry: &Entry, offered: &Offered) {
        // A number that no line has may be any number.
        let number = offered.diverted_from.as_deref().unwrap_or(&offered.number);
        let hotline = if offered.mode == Mode::Unknown { self.name(OTHERS) } else { self.name(number) };
        let mut timing = Timing::default();
        timing.apply(&entry.what, entry.mono);
        let call = Open {
            id: entry.call,
            minute: minute(entry.wall),
            hotline,
            outbound: (offered.direction == CallDirection::Outbound).then_some(None),
            offered: entry.mono,
            handed: None,
            answered: false,
            visits: Vec::new(),
            legs: Vec::new(),
            moves: Vec::new(),
            timing,
            last: entry.mono,
        };
        match &call.outbound {
            Some(_) => self.hotline(&call).outbound.placed += 1,
            None => self.hotline(&call).offered += 1,
        }
        self.open.insert(entry.call, call);
    }

    fn hotline(&mut self, call: &Open) -> &mut Counts {
        self.minute(call.minute).hotlines.entry(call.hotline.clone()).or_default()
    }

    fn queue(&mut self, visit: &Visit) -> &mut Counts {
        self.minute(visit.minute).queues.entry(visit.queue.clone()).or_default()
    }

    /// Counts it for the hotline, and for the queue where the caller was last.
    fn both(&mut self, call: &Open, count: impl Fn(&mut Counts)) {
        count(self.hotline(call));
        if let Some(visit) = call.visits.last() {
            count(self.queue(visit));
        }
    }

    /// The counts of a seat at this moment.
    pub(super) fn of_seat(&mut self, seat: &Name, at: Wall) -> &mut SeatCounts {
        self.minute(minute(at)).seats.entry(seat.clone()).or_default()
    }

    /// Counts it for the hotline, and for the seat that placed it.
    fn placed(&mut self, call: &Open, count: impl Fn(&mut Outbound)) {
        count(&mut self.hotline(call).outbound);
        if let Some(Some(seat)) = &call.outbound {
            count(&mut self.minute(call.minute).seats.entry(seat.clone()).or_default().outbound);
        }
    }

    fn handed(&mut self, call: &mut Open, at: Mono) {
        if call.handed.is_none() && call.outbound.is_none() {
            call.handed = Some(at);
            self.hotline(call).handed += 1;
        }
    }

    /// The clock of callers who wait for people is none of one whom a seat has called.
    fn queued(&mut self, call: &mut Open, entry: &Entry, queue: &str) {
        if call.outbound.is_some() {
            return;
        }
        self.handed(call, entry.mono);
        if call.visits.iter().any(|known| *known.queue == *queue) {
            return;
        }
        let visit = Visit { queue: self.name(queue), minute: minute(entry.wall), since: entry.mono, answered: false };
        let counts = self.queue(&visit);
        counts.offered += 1;
        counts.handed += 1;
        // The caller has left the queue before this one, if nobody of it had answered.
        if let Some(before) = call.visits.last().filter(|before| !before.answered) {
            self.queue(before).moved_on += 1;
        }
        call.visits.push(visit);
    }

    fn ringing(&mut self, call: &mut Open, entry: &Entry, leg: u64, party: &Party) {
        self.handed(call, entry.mono);
        if let Party::Seat { name, queue } = party {
            let seat = self.name(name);
            match &mut call.outbound {
                None => self.of_seat(&seat, entry.wall).rung += 1,
                Some(placer @ None) => {
                    *placer = Some(seat.clone());
                    self.minute(call.minute).seats.entry(seat.clone()).or_default().outbound.placed += 1;
                }
                Some(Some(_)) => {}
            }
            if call.legs.iter().all(|known| known.leg != leg) {
                call.legs.push(SeatLeg { leg, seat, queue: queue.clone(), joined: None, held: None });
            }
        }
    }

    fn joined(&mut self, call: &mut Open, entry: &Entry, leg: u64, party: &Party) {
        self.handed(call, entry.mono);
        if let Party::Seat { name, queue } = party {
            self.joined_seat(call, entry, leg, (name, queue));
            self.answered_in(call, queue, entry.mono);
        }
        if std::mem::replace(&mut call.answered, true) {
            return;
        }
        if call.outbound.is_some() {
            return self.placed(call, |outbound| outbound.answered += 1);
        }
        let since = |start: Mono| millis(entry.mono.since(start));
        let (waited, from_start) = (since(call.handed.unwrap_or(entry.mono)), since(call.offered));
        let within = u64::from(waited <= millis(self.within));
        let counts = self.hotline(call);
        counts.answered += 1;
        counts.within += within;
        counts.wait.note(waited);
        counts.wait_from_start.note(from_start);
    }

    fn joined_seat(&mut self, call: &mut Open, entry: &Entry, leg: u64, (name, queue): (&str, &str)) {
        let seat = self.name(name);
        let place = call.legs.iter().position(|known| known.leg == leg).unwrap_or_else(|| {
            call.legs.push(SeatLeg { leg, seat: seat.clone(), queue: queue.to_owned(), joined: None, held: None });
            call.legs.len() - 1
        });
        let Some(known) = call.legs.get_mut(place).filter(|known| known.joined.is_none()) else { return };
        known.joined = Some((entry.wall, entry.mono));
        if call.outbound.is_none() {
            self.of_seat(&seat, entry.wall).answered += 1;
        }
        self.times.entry(seat).or_default().talks(entry.call, leg, entry.wall);
    }

    fn answered_in(&mut self, call: &mut Open, queue: &str, now: Mono) {
        let offered = call.offered;
        // The queue that a caller had left, or was never in, has answered nobody.
        let Some(visit) = call.visits.last_mut().filter(|visit| *visit.queue == *queue && !visit.answered) else { return };
        visit.answered = true;
        let visit = visit.clone();
        let (waited, from_start) = (millis(now.since(visit.since)), millis(now.since(offered)));
        let within = u64::from(waited <= millis(self.within));
        let counts = self.queue(&visit);
        counts.answered += 1;
        counts.within += within;
        counts.wait.note(waited);
        counts.wait_from_start.note(from_start);
    }

    fn resumed(&mut self, call: &mut Open, entry: &Entry, leg: u64) {
        let Some(known) = call.legs.iter_mut().find(|known| known.leg == leg) else { return };
        if let Some(since) = known.held.take() {
            let (seat, ms) = (known.seat.clone(), millis(entry.mono.since(since)));
            self.of_seat(&seat, entry.wall).hold_ms += ms;
        }
    }

    /// The seat's own conversation ends with its leg, whoever goes on talking.
    fn gone(&mut self, call: &mut Open, leg: u64, now: Mono) {
        let Some(place) = call.legs.iter().position(|known| known.leg == leg) else { return };
        let of = call.legs.swap_remove(place);
        let Some((wall, since)) = of.joined else { return };
        let length = now.since(since);
        let ended = Wall(wall.0.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX)));
        if let Some(held) = of.held {
            self.of_seat(&of.seat, ended).hold_ms += millis(now.since(held));
        }
        let counts = self.of_seat(&of.seat, wall);
        counts.longest_talk_ms = counts.longest_talk_ms.max(millis(length));
        if let Some(visit) = call.visits.iter().find(|visit| *visit.queue == of.queue).cloned() {
            self.queue(&visit).talk.note(millis(length));
        }
        self.times.entry(of.seat).or_default().talked(call.id, leg, wall, length);
    }

    fn started(&mut self, call: &mut Open, seq: u32, kind: TransferKind, by: u64, to: &str) {
        if kind == TransferKind::Emergency {
            self.both(call, |counts| counts.emergencies += 1);
        }
        if call.moves.len() < MOVES {
            let by = call.legs.iter().find(|known| known.leg == by).map(|known| known.seat.clone());
            call.moves.push(Move { seq, kind, to: target(to), by });
        }
    }

    fn moved(&mut self, call: &Open, of: &Move, moved: &Moved, at: Wall) {
        self.both(call, |counts| transferred(&mut counts.transfers, moved, &of.to, 1));
        if let Some(by) = &of.by {
            transferred(&mut self.of_seat(by, at).transfers, moved, &of.to, 1);
        }
    }

    fn ended(&mut self, call: &mut Open, result: Result, now: Mono) {
        self.over(call, now);
        if call.answered {
            return self.lost_again(call, result, now);
        }
        if call.outbound.is_some() {
            return self.placed(call, |outbound| *outbound.lost.entry(result.name().into()).or_default() += 1);
        }
        let waited = call.handed.map(|handed| millis(now.since(handed)));
        let counts = self.hotline(call);
        *counts.lost.entry(result.name().into()).or_default() += 1;
        waited.into_iter().for_each(|waited| counts.wait_of_lost.note(waited));
        self.lost_again(call, result, now);
    }

    /// The queue where the caller was last, if nobody of it had answered.
    fn lost_again(&mut self, call: &Open, result: Result, now: Mono) {
        let Some(visit) = call.visits.last().filter(|visit| !visit.answered).cloned() else { return };
        let waited = millis(now.since(visit.since));
        let counts = self.queue(&visit);
        if call.answered && result == Result::Answered {
            // Somebody else than the queue had the caller.
            counts.moved_on += 1;
            return;
        }
        *counts.lost.entry(result.name().into()).or_default() += 1;
        counts.wait_of_lost.note(waited);
    }

    fn over(&mut self, call: &mut Open, now: Mono) {
        while let Some(leg) = call.legs.first().map(|known| known.leg) {
            self.gone(call, leg, now);
        }
        if call.answered {
            let talked = call.timing.times(now).talk_ms;
            match &call.outbound {
                Some(_) => self.placed(call, |outbound| outbound.talk.note(talked)),
                None => self.hotline(call).talk.note(talked),
            }
        }
    }

    /// The process died in it: it ended, as far as anybody knows, at its last entry.
    fn interrupted(&mut self, call: &mut Open) {
        let last = call.last;
        if call.answered && call.outbound.is_none() {
            self.hotline(call).interrupted += 1;
        }
        self.ended(call, Result::Interrupted, last);
    }
}

/// A number that may be a person's is not told.
fn target(to: &str) -> String {
    let digits = to.bytes().filter(u8::is_ascii_digit).count();
    if to.starts_with("seat:") || to.starts_with("queue:") || digits <= 6 { to.to_owned() } else { OTHERS.to_owned() }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
