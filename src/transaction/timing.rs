use crate::base::{Mono, Proto};
use crate::transaction::Config;
use bytes::Bytes;
use std::time::Duration;

/// No resend follows another sooner, whatever is configured, so that a tick comes to its end.
const SHORTEST: Duration = Duration::from_millis(1);

/// The timers of one transaction: RFC 3261 table 4 with RFC 6026's L and M, on one transport.
///
/// A zero means that the state which the timer ends is not entered at all.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    config: Config,
    reliable: bool,
}

impl Timing {
    pub fn new(config: Config, proto: Proto) -> Timing {
        Timing { config, reliable: proto.reliable() }
    }

    /// Timers B, F, H, L and M: 64·T1 on every transport.
    pub fn give_up(&self) -> Duration {
        self.config.t1 * 64
    }

    /// Timer C: how long a provisional response keeps an INVITE alive (RFC 3261 §16.6 step 11).
    pub fn c(&self) -> Duration {
        self.config.timer_c
    }

    /// Timer D: the peer may repeat its final response until its timer H; at least 32 s (RFC 3261 §17.1.1.2).
    pub fn d(&self) -> Duration {
        self.unless_reliable(self.give_up().max(Duration::from_secs(32)))
    }

    /// Timer J: how long a non-INVITE request may come again (RFC 3261 §17.2.2).
    pub fn j(&self) -> Duration {
        self.unless_reliable(self.give_up())
    }

    /// Timers I and K: T4, the longest that a message stays in the network.
    pub fn t4(&self) -> Duration {
        self.unless_reliable(self.config.t4)
    }

    pub fn t2(&self) -> Duration {
        self.config.t2
    }

    /// Timers A, E and G start at T1; none on a reliable transport.
    pub fn resend(&self, now: Mono, data: &Bytes) -> Option<Resend> {
        let interval = self.config.t1;
        (!self.reliable).then(|| Resend { data: data.clone(), at: now.after(interval), interval })
    }

    fn unless_reliable(&self, span: Duration) -> Duration {
        if self.reliable { Duration::ZERO } else { span }
    }
}

/// Bytes that go out again and again until the peer reacts.
#[derive(Debug, PartialEq)]
pub(super) struct Resend {
    data: Bytes,
    pub at: Mono,
    interval: Duration,
}

impl Resend {
    /// Gives the bytes and waits twice as long for the next time, at most `cap`.
    ///
    /// It counts from the moment the timer was served, so a late tick sends once and not once for each interval missed.
    pub fn again(&mut self, now: Mono, cap: Duration) -> Bytes {
        self.interval = (self.interval * 2).min(cap).max(SHORTEST);
        self.at = now.after(self.interval);
        self.data.clone()
    }

    /// The next resend comes after `interval`, and all later ones at least as far apart (timer E in Proceeding).
    pub fn slow_down(&mut self, interval: Duration) {
        self.interval = interval;
    }
}

/// The earlier of a machine's resend timer and the timer that ends its state.
pub(super) fn earlier(resend: &Option<Resend>, until: Mono) -> Mono {
    resend.as_ref().map_or(until, |r| r.at.min(until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::testing::{at, request, tcp, udp};

    #[test]
    fn the_values_of_table_4() {
        let seconds = |t: Timing| [t.give_up(), t.c(), t.d(), t.t4(), t.j()].map(|d| d.as_secs());
        assert_eq!(seconds(udp()), [32, 181, 32, 5, 32]);
        assert_eq!(seconds(tcp()), [32, 181, 0, 0, 0]);
    }

    #[test]
    fn timer_d_is_never_below_32_seconds() {
        let d = |t1| Timing::new(Config { t1: Duration::from_millis(t1), ..Config::default() }, Proto::Udp).d();
        assert_eq!([d(100), d(1000)], [Duration::from_secs(32), Duration::from_secs(64)]);
    }

    #[test]
    fn a_late_tick_sends_once() {
        let mut resend = udp().resend(at(0), &request()).unwrap();
        assert_eq!(resend.again(at(10_000), Duration::MAX), request());
        assert_eq!(resend.at, at(11_000));
    }

    #[test]
    fn a_foolish_configuration_does_not_stop_the_clock() {
        let config = Config { t1: Duration::from_micros(1), t2: Duration::ZERO, ..Config::default() };
        let timing = Timing::new(config, Proto::Udp);
        let mut resend = timing.resend(at(0), &request()).unwrap();
        resend.again(at(5), timing.t2());
        assert_eq!(resend.at, at(6));
    }
}
