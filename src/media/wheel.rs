//! A wheel of slots of 1 ms for streams that send a frame every ptime: constant time a frame, and streams spread over
//! the slots so that they do not all send at once.

use crate::base::{LegId, Mono};

/// More than the longest ptime, 60 ms, so that a stream never meets the slot that it comes from.
const SLOTS: u64 = 64;

pub struct Wheel {
    slots: Vec<Vec<LegId>>,
    /// The millisecond that is being served.
    at: u64,
    /// Streams in all slots.
    count: usize,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel { slots: vec![Vec::new(); SLOTS as usize], at: 0, count: 0 }
    }
}

impl Wheel {
    /// Puts a stream on the wheel, to be due within its first `ptime` milliseconds, in step with all streams of that `phase`.
    pub fn start(&mut self, now: Mono, leg: LegId, ptime: u8, phase: u64) {
        let ptime = u64::from(ptime.max(1));
        let millis = millis(now);
        if self.count == 0 || self.at > millis {
            self.at = millis;
        }
        let wait = (phase % ptime + ptime - (millis + 1) % ptime) % ptime;
        self.put(leg, (millis - self.at + 1 + wait).min(SLOTS - 1));
    }

    /// The slot being served, in milliseconds.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Takes one stream that is due. Call until it gives none; put it back with `again`.
    pub fn pop(&mut self, now: Mono) -> Option<LegId> {
        if self.count == 0 {
            return None;
        }
        let now = millis(now);
        // After a standstill the laps that were missed are dropped, not sent in one burst.
        self.at += now.saturating_sub(self.at) / SLOTS * SLOTS;
        loop {
            if let Some(leg) = self.slots[(self.at % SLOTS) as usize].pop() {
                self.count -= 1;
                return Some(leg);
            }
            if self.at >= now {
                return None;
            }
            self.at += 1;
        }
    }

    /// Puts the stream that was just taken back, `ptime` after the slot it was in: its cadence does not drift.
    pub fn again(&mut self, leg: LegId, ptime: u8) {
        self.put(leg, u64::from(ptime).clamp(1, SLOTS - 1));
    }

    /// All that are on it.
    pub fn streams(&self) -> impl Iterator<Item = LegId> + '_ {
        self.slots.iter().flatten().copied()
    }

    /// When the next stream is due.
    pub fn next(&self) -> Option<Mono> {
        if self.count == 0 {
            return None;
        }
        let due = (self.at..self.at + SLOTS).find(|at| !self.slots[(at % SLOTS) as usize].is_empty())?;
        Some(Mono(due * 1000))
    }

    fn put(&mut self, leg: LegId, ahead: u64) {
        self.slots[((self.at + ahead) % SLOTS) as usize].push(leg);
        self.count += 1;
    }
}

fn millis(at: Mono) -> u64 {
    at.since(Mono(0)).as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves the wheel from millisecond `from` to `to` and gives when each frame was due.
    fn run(wheel: &mut Wheel, from: u64, to: u64, ptime: u8) -> Vec<(u64, LegId)> {
        let mut frames = Vec::new();
        for ms in from..=to {
            while let Some(leg) = wheel.pop(Mono(ms * 1000)) {
                frames.push((ms, leg));
                wheel.again(leg, ptime);
            }
        }
        frames
    }

    #[test]
    fn a_stream_keeps_its_cadence() {
        for ptime in [10, 20, 30, 60] {
            let mut wheel = Wheel::default();
            wheel.start(Mono(5_000_000), LegId(1), ptime, 7);
            let due: Vec<u64> = run(&mut wheel, 5000, 5600, ptime).iter().map(|(ms, _)| *ms).collect();
            assert!(due[0] > 5000 && due[0] <= 5001 + u64::from(ptime));
            assert!(due.windows(2).all(|w| w[1] - w[0] == u64::from(ptime)), "{due:?}");
        }
    }

    #[test]
    fn streams_spread_over_the_slots() {
        let mut wheel = Wheel::default();
        (0..100).for_each(|leg| wheel.start(Mono(0), LegId(leg), 20, leg));
        let frames = run(&mut wheel, 1, 20, 20);
        assert_eq!(frames.len(), 100);
        let most = (1..=20).map(|ms| frames.iter().filter(|(at, _)| *at == ms).count()).max();
        assert_eq!(most, Some(5));
    }

    #[test]
    fn a_standstill_is_skipped_and_a_late_tick_is_not() {
        let mut wheel = Wheel::default();
        wheel.start(Mono(0), LegId(1), 20, 0);
        let mut late = 0;
        while let Some(leg) = wheel.pop(Mono(60_000)) {
            late += 1;
            wheel.again(leg, 20);
        }
        assert_eq!(late, 3);
        let mut after = 0;
        while let Some(leg) = wheel.pop(Mono(10_000_000)) {
            after += 1;
            wheel.again(leg, 20);
        }
        assert!(after <= 4, "{after} frames at once");
    }

    #[test]
    fn nothing_is_due_on_an_empty_wheel() {
        let mut wheel = Wheel::default();
        assert_eq!((wheel.next(), wheel.pop(Mono(1))), (None, None));
        wheel.start(Mono(7_000), LegId(1), 20, 0);
        let next = wheel.next().unwrap();
        assert!(next > Mono(7_000) && next <= Mono(28_000));
        assert_eq!(wheel.pop(Mono(next.0 - 1000)), None);
        assert_eq!(wheel.pop(next), Some(LegId(1)));
        assert_eq!(wheel.next(), None);
    }
}
