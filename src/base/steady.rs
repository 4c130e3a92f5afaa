use crate::base::{Mono, Now, Wall};
use std::time::Duration;

/// Limits how far a clock that is set right, or drifts, may be off between two looks.
const TOLERANCE: i64 = 600_000_000;
/// A jump that has lasted so long is the truth.
const LASTS: Duration = Duration::from_secs(24 * 3600);
/// A process may have been down so long without anybody wondering.
const DOWN: i64 = 30 * 24 * 3600 * 1_000_000;

/// The wall clock for who deletes what is old. It goes on with the monotonic clock where the machine's wall clock jumps, and
/// follows only when the jump has lasted: a battery that is empty or a time server that errs destroys nothing.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    anchor: Now,
    jump: Option<Jump>,
}

#[derive(Clone, Copy, Debug)]
struct Jump {
    since: Mono,
    off: i64,
    /// Nobody was there to see it: the process was down.
    quiet: bool,
}

/// News that a look at the clock has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is off by so many microseconds.
    Jumped(i64),
    /// It is where it was expected again.
    Back,
    /// It has been off for so long that it is right.
    Believed,
}

impl Steady {
    /// `known`: what was believed last, by a process before this one.
    pub fn new(now: Now, known: Option<Wall>) -> Steady {
        let anchor = Now { wall: known.unwrap_or(now.wall), ..now };
        let off = now.wall.0.saturating_sub(anchor.wall.0);
        let quiet = (TOLERANCE..DOWN).contains(&off).then_some(Jump { since: now.mono, off, quiet: true });
        Steady { anchor, jump: quiet }
    }

    /// The time that the clock should show, had it gone on as it went.
    pub fn expected(&self, now: Now) -> Wall {
        self.anchor.after(now.mono.since(self.anchor.mono)).wall
    }

    /// The time to go by, never later than either clock says.
    pub fn look(&mut self, now: Now) -> (Wall, Option<Turn>) {
        let expected = self.expected(now);
        let off = now.wall.0.saturating_sub(expected.0);
        if off.saturating_abs() <= TOLERANCE {
            self.anchor = now;
            return (now.wall, self.jump.take().filter(|jump| !jump.quiet).map(|_| Turn::Back));
        }
        let (jump, turn) = match self.jump.filter(|jump| off.saturating_sub(jump.off).saturating_abs() <= TOLERANCE) {
            Some(jump) => (jump, None),
            None => (Jump { since: now.mono, off, quiet: false }, Some(Turn::Jumped(off))),
        };
        self.jump = Some(jump);
        if now.mono.since(jump.since) < LASTS {
            return (now.wall.min(expected), turn);
        }
        (self.anchor, self.jump) = (now, None);
        (now.wall, Some(Turn::Believed))
    }

    /// The clock has jumped, and is not believed yet.
    pub fn doubts(&self) -> bool {
        self.jump.is_some_and(|jump| !jump.quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const YEAR: i64 = 365 * 24 * 3600 * 1_000_000;

    fn start() -> Now {
        Now { mono: Mono(5_000_000), wall: Wall(1_700_000_000_000_000) }
    }

    fn off(now: Now, by: i64) -> Now {
        Now { wall: Wall(now.wall.0 + by), ..now }
    }

    #[test]
    fn a_jump_is_believed_only_when_it_has_lasted() {
        let (begin, mut clock) = (start(), Steady::new(start(), None));
        for hours in 1..24 {
            let now = begin.after(HOUR * hours);
            let (wall, turn) = clock.look(off(now, 3 * YEAR));
            assert_eq!((wall, turn), (now.wall, (hours == 1).then_some(Turn::Jumped(3 * YEAR))), "{hours}");
            assert!(clock.doubts());
        }
        let late = off(begin.after(HOUR * 25), 3 * YEAR);
        assert_eq!(clock.look(late), (late.wall, Some(Turn::Believed)));
        let later = late.after(HOUR);
        assert_eq!(clock.look(later), (later.wall, None));
        assert!(!clock.doubts());
    }

    #[test]
    fn a_clock_that_comes_back_has_moved_nothing_and_one_that_keeps_jumping_is_never_believed() {
        let (begin, mut clock) = (start(), Steady::new(start(), None));
        for hours in 1..100 {
            let now = begin.after(HOUR * hours);
            assert_eq!(clock.look(off(now, i64::from(hours) * YEAR)).0, now.wall);
        }
        let now = begin.after(HOUR * 101);
        assert_eq!(clock.look(now), (now.wall, Some(Turn::Back)));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older_when_it_is_set_right() {
        let (begin, mut clock) = (start(), Steady::new(start(), None));
        let past = off(begin.after(HOUR), -10 * YEAR);
        assert_eq!(clock.look(past), (past.wall, Some(Turn::Jumped(-10 * YEAR))));
        let right = begin.after(HOUR * 2);
        assert_eq!(clock.look(right), (right.wall, Some(Turn::Back)));
        // A machine that woke with a clock of long ago, which a time server then sets right.
        let mut clock = Steady::new(past, Some(begin.wall));
        assert!(clock.look(past).0 <= past.wall);
        let (wall, _) = clock.look(right);
        assert!((begin.wall..=right.wall).contains(&wall), "an hour is missing, which nobody saw pass");
    }

    #[test]
    fn a_restart_in_a_jump_and_one_after_a_weekend_believe_the_clock_a_day_later() {
        let known = start().wall;
        let jumped = off(start(), 3 * YEAR);
        let mut clock = Steady::new(jumped, Some(known));
        assert_eq!(clock.look(jumped), (known, Some(Turn::Jumped(3 * YEAR))));
        let monday = off(start(), YEAR / 180);
        let mut clock = Steady::new(monday, Some(known));
        assert_eq!(clock.look(monday), (known, None));
        assert!(!clock.doubts());
        let tuesday = monday.after(HOUR * 25);
        assert_eq!(clock.look(tuesday).0, tuesday.wall);
    }

    #[test]
    fn small_steps_are_followed_at_once() {
        let (begin, mut clock) = (start(), Steady::new(start(), None));
        for (step, by) in [300_000_000, -200_000_000, 0].into_iter().enumerate() {
            let now = off(begin.after(HOUR * (step as u32 + 1)), by);
            assert_eq!(clock.look(now), (now.wall, None));
        }
    }
}
