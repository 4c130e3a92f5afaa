//! How long a seat was in which state: spans on the wall clock, whose lengths the monotonic one gives.

use super::{Figures, Name, SeatCounts};
use crate::base::{CallId, Mono, Wall};
use crate::event::seat::BreakKind;
use crate::event::{SeatEntry, SeatWhat};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most spans of a seat that are kept; a seat with a call each minute has so many in a day.
const SPANS: usize = 6000;

/// The states of one seat.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Those that are over, in the order in which they ended.
    spans: VecDeque<Span>,
    /// The state that it is in, since when; none: signed out.
    current: Option<(State, Wall, Mono)>,
    /// Conversations that last.
    talking: BTreeMap<(CallId, u64), Wall>,
}

#[derive(Clone, Debug)]
struct Span {
    from: i64,
    length: i64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Talking,
    Ready,
    WrapUp,
    Break(Name),
}

impl Figures {
    pub(super) fn seat_entry(&mut self, entry: &SeatEntry) {
        let seat = self.name(&entry.seat);
        let state = match &entry.what {
            SeatWhat::LoggedIn { .. } | SeatWhat::Ready { .. } => Some(State::Ready),
            SeatWhat::Break { kind, reason, .. } => Some(State::Break(self.reason(reason_of(*kind, reason)))),
            SeatWhat::WrapUp { .. } => Some(State::WrapUp),
            SeatWhat::LoggedOut { .. } => None,
            SeatWhat::Missed { cause: why, .. } => {
                *self.of_seat(&seat, entry.wall).missed.entry(why.name().into()).or_default() += 1;
                return;
            }
            SeatWhat::BreakOverdue { .. } => {
                self.of_seat(&seat, entry.wall).overdue += 1;
                return;
            }
            _ => return,
        };
        self.times.entry(seat).or_default().becomes(state, entry.wall, entry.mono);
    }
}

impl Times {
    fn becomes(&mut self, state: Option<State>, wall: Wall, mono: Mono) {
        let next = state.map(|state| (state, wall, mono));
        if let Some((before, from, since)) = std::mem::replace(&mut self.current, next) {
            // Another boot of the machine counts anew; then the wall clock is all there is.
            let length = if mono >= since { micros(mono.since(since)) } else { wall.0.saturating_sub(from.0).max(0) };
            self.push(Span { from: from.0, length, state: before });
        }
    }

    pub fn talks(&mut self, call: CallId, leg: u64, since: Wall) {
        self.talking.insert((call, leg), since);
    }

    pub fn talked(&mut self, call: CallId, leg: u64, from: Wall, length: Duration) {
        self.talking.remove(&(call, leg));
        self.push(Span { from: from.0, length: micros(length), state: State::Talking });
    }

    fn push(&mut self, span: Span) {
        if self.spans.len() >= SPANS {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }

    /// Counts the spans that are kept.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.spans.len()
    }

    /// Counts what of it lies between these moments.
    pub fn within(&self, from: i64, to: i64) -> SeatCounts {
        let mut counts = SeatCounts::default();
        for Span { from: began, length, state } in &self.spans {
            counts.note(state, overlap((*began, began.saturating_add(*length)), (from, to)));
        }
        if let Some((state, since, _)) = &self.current {
            counts.note(state, overlap((since.0, to), (from, to)));
        }
        for since in self.talking.values() {
            counts.note(&State::Talking, overlap((since.0, to), (from, to)));
        }
        counts
    }
}

impl SeatCounts {
    fn note(&mut self, state: &State, ms: u64) {
        if ms == 0 {
            return;
        }
        if !matches!(state, State::Talking) {
            self.signed_in_ms += ms;
        }
        match state {
            State::Talking => self.talk_ms += ms,
            State::Ready => self.ready_ms += ms,
            State::WrapUp => self.wrap_up_ms += ms,
            State::Break(reason) => {
                self.break_ms += ms;
                *self.breaks.entry(reason.to_string()).or_default() += ms;
            }
        }
    }
}

/// Milliseconds that one span shares with another.
fn overlap(a: (i64, i64), b: (i64, i64)) -> u64 {
    let micros = a.1.min(b.1).saturating_sub(a.0.max(b.0));
    u64::try_from(micros / 1000).unwrap_or(0)
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// A reason that nobody gave is the kind of the break.
fn reason_of(kind: BreakKind, reason: &str) -> &str {
    match kind {
        _ if !reason.is_empty() => reason,
        BreakKind::Busy => "busy",
        BreakKind::Rest => "rest",
        BreakKind::Missed => "missed",
    }
}
