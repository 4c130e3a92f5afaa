//! The resends of a response that waits for ACK or PRACK.

use crate::base::Mono;
use std::time::Duration;

/// A response that the core repeats until the peer acknowledges it: first after T1, then after twice as long each time
/// up to a cap, given up after 64·T1 (RFC 3261 §13.3.1.4, RFC 3262 §3).
#[derive(Debug)]
pub(super) struct Resend {
    at: Mono,
    interval: Duration,
    cap: Duration,
    until: Mono,
}

#[derive(Debug, PartialEq)]
pub(super) enum Due {
    Nothing,
    Again,
    Over,
}

impl Resend {
    pub(super) fn new(now: Mono, t1: Duration, cap: Duration) -> Resend {
        Resend { at: now.after(t1), interval: t1, cap, until: now.after(t1.saturating_mul(64)) }
    }

    pub(super) fn deadline(&self) -> Mono {
        self.at.min(self.until)
    }

    /// Tells what to do now. After `Again` the next moment is armed.
    pub(super) fn due(&mut self, now: Mono) -> Due {
        if now >= self.until {
            return Due::Over;
        }
        if now < self.at {
            return Due::Nothing;
        }
        self.interval = self.interval.saturating_mul(2).min(self.cap);
        self.at = now.after(self.interval);
        Due::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_ten_times_in_thirty_two_seconds() {
        let mut resend = Resend::new(Mono(0), Duration::from_millis(500), Duration::from_secs(4));
        let mut times = Vec::new();
        loop {
            let now = resend.deadline();
            match resend.due(now) {
                Due::Again => times.push(now.0 / 1000),
                Due::Over => break assert_eq!(now, Mono(32_000_000)),
                Due::Nothing => unreachable!("woken for nothing"),
            }
        }
        assert_eq!(times, [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    }
}
