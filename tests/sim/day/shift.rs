//! The people at the seats: when they sign in, take a break, click twice; and their intents as an observer knows them.

use super::model::Model;
use super::plan::{SEATS, registers, seconds};
use hotline::base::{Mono, Rng};
use hotline::event::Intent;
use hotline::queue::MissCause;
use hotline::seat::Wish;
use std::time::Duration;

/// Calls in vain of one cause before a seat is paused, and how long.
pub const MISSES: u32 = 3;
pub const PAUSE: Duration = seconds(120);

/// The wish of the person at a seat. Moments are those at which it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Out,
    Ready,
    Busy,
    Rest,
    Paused(Mono),
    WrapUp(Mono),
}

/// The person's click.
#[derive(Clone, Copy, Debug)]
pub enum Click {
    Login,
    Logout,
    Ready,
    Busy,
    Rest,
    EndBreak,
    LeaveWrapUp,
}

impl Click {
    pub fn wish(self) -> Wish {
        match self {
            Click::Login => Wish::Login { force: false, device: Default::default(), skills: None, busy: None },
            Click::Logout => Wish::Logout,
            Click::Ready => Wish::Ready,
            Click::Busy => Wish::Busy("培训".into()),
            Click::Rest => Wish::Rest(300, "小休".into()),
            Click::EndBreak => Wish::EndBreak,
            Click::LeaveWrapUp => Wish::LeaveWrapUp,
        }
    }
}

impl Mood {
    pub fn name(self) -> &'static str {
        match self {
            Mood::Out => "logged_out",
            Mood::Ready => "ready",
            Mood::Busy | Mood::Rest | Mood::Paused(_) => "break",
            Mood::WrapUp(_) => "wrap_up",
        }
    }

    pub fn is(self, intent: &Intent) -> bool {
        self.name() == intent.name()
    }

    fn is_break(self) -> bool {
        self.name() == "break"
    }
}

/// All clicks of a day, by the time of day.
pub fn clicks(rng: &mut Rng) -> Vec<(Duration, usize, Click)> {
    let mut all = Vec::new();
    let hour = |h: u64| seconds(h * 3600);
    for seat in 0..SEATS {
        let (from, to) = if rng.chance(250) { (hour(0), hour(24)) } else { (hour(7), hour(21)) };
        let comes = from + rng.between(Duration::ZERO, hour(2));
        let goes = to - rng.between(Duration::ZERO, hour(2));
        all.push((comes, seat, Click::Login));
        all.push((goes, seat, Click::Logout));
        for _ in 0..4 {
            let at = rng.between(comes, goes);
            let (begins, ends) = match rng.below(4) {
                0 => (Click::Busy, Click::Ready),
                1 => (Click::Ready, Click::LeaveWrapUp),
                2 => (Click::Rest, Click::Ready),
                _ => (Click::Rest, Click::EndBreak),
            };
            all.push((at, seat, begins));
            all.push((at + rng.between(seconds(2), seconds(900)), seat, ends));
        }
    }
    all
}

/// The rules of wishes.
impl Model {
    /// False when it is to be refused; then nothing has changed.
    pub fn click(&mut self, seat: usize, click: Click) -> bool {
        self.moved.push(seat);
        let it = &mut self.seats[seat];
        if let Click::Login = click {
            if !it.held {
                (it.held, it.mood, it.next) = (true, Mood::Ready, None);
                it.missed.clear();
            }
            return true;
        }
        if it.mood == Mood::Out && it.signs_in {
            return matches!(click, Click::Logout);
        }
        let wished = match click {
            Click::Logout => Mood::Out,
            Click::Ready => Mood::Ready,
            Click::Busy => Mood::Busy,
            Click::Rest => Mood::Rest,
            Click::EndBreak if it.mood.is_break() || it.next.is_some_and(Mood::is_break) => Mood::Ready,
            Click::LeaveWrapUp if matches!(it.mood, Mood::WrapUp(_)) => {
                self.wrapped_up(seat);
                return true;
            }
            _ => return false,
        };
        match it.taken() > 0 && it.mood != Mood::Out {
            true => it.next = (wished != it.mood).then_some(wished),
            false => {
                it.next = None;
                self.becomes(seat, wished);
            }
        }
        true
    }

    fn becomes(&mut self, seat: usize, mood: Mood) {
        self.moved.push(seat);
        let it = &mut self.seats[seat];
        if matches!(it.mood, Mood::Paused(_)) {
            it.missed.clear();
        }
        it.mood = mood;
        if mood == Mood::Out {
            (it.held, it.next) = (false, None);
        }
    }

    fn wrapped_up(&mut self, seat: usize) {
        // A wish in a call follows that call.
        let next = if self.seats[seat].taken() > 0 { None } else { self.seats[seat].next.take() };
        let next = next.unwrap_or(Mood::Ready);
        self.becomes(seat, next);
    }

    /// One of its calls uses the seat no more; `wrap_up` where it talked in it.
    pub fn used(&mut self, now: Mono, seat: usize, wrap_up: Duration) {
        self.moved.push(seat);
        let it = &mut self.seats[seat];
        if it.taken() > 0 {
            return;
        }
        if matches!(it.mood, Mood::Ready | Mood::WrapUp(_)) && !wrap_up.is_zero() {
            it.mood = Mood::WrapUp(now.after(wrap_up));
        } else if let Some(next) = it.next.take() {
            self.becomes(seat, next);
        }
    }

    /// The seat's phone registers or its registration ends; or its department comes and goes.
    pub fn bound(&mut self, seat: usize, there: bool) {
        self.moved.push(seat);
        let it = &mut self.seats[seat];
        let new = std::mem::replace(&mut it.there, there) != there;
        if !new || !registers(seat) {
            return;
        }
        match there {
            true if it.mood == Mood::Out => it.mood = Mood::Ready,
            false if !it.held => (it.mood, it.next) = (Mood::Out, None),
            _ => {}
        }
    }

    /// A call came to it in vain; too many of one cause pause it.
    pub fn in_vain(&mut self, now: Mono, seat: usize, cause: MissCause) {
        self.moved.push(seat);
        let it = &mut self.seats[seat];
        let count = it.missed.entry(cause).or_default();
        *count += 1;
        *it.in_vain.entry(cause).or_default() += 1;
        let counts = !matches!(cause, MissCause::Ours | MissCause::Busy);
        if counts && *count >= MISSES && it.mood == Mood::Ready {
            it.mood = Mood::Paused(now.after(PAUSE));
            self.pauses += 1;
        }
    }

    /// The time has come for what happens by itself.
    pub fn moods(&mut self, now: Mono) {
        for seat in 0..self.seats.len() {
            match self.seats[seat].mood {
                Mood::WrapUp(until) if until <= now => self.wrapped_up(seat),
                Mood::Paused(until) if until <= now => self.becomes(seat, Mood::Ready),
                _ => {}
            }
        }
    }
}
