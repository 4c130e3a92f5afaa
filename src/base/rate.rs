//! Rates: the one token bucket, and a bucket for each source. Time is an argument.

use crate::base::{Map, MapSeed, Mono, owner};
use std::net::IpAddr;
use std::time::Duration;

/// How much one source may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Datagrams or messages a second in the long run.
    pub per_second: u32,
    /// The most that may come at once.
    pub burst: u32,
    /// Sources that have a bucket of their own; those beyond share one.
    pub max_sources: usize,
}

impl Default for Rate {
    fn default() -> Rate {
        Rate { per_second: 5_000, burst: 10_000, max_sources: 10_000 }
    }
}

/// A token bucket, kept as the moment at which it is full again: one number, and idle buckets are those in the past.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket(Mono);

/// A token bucket for each source, before the parser. IPv6 sources count by their /64, which one host owns whole.
pub struct RateLimit {
    rate: Rate,
    full_at: Map<IpAddr, Bucket>,
    shared: Bucket,
    swept: Mono,
}

impl RateLimit {
    pub fn new(rate: Rate, seed: MapSeed) -> RateLimit {
        RateLimit { rate, full_at: Map::with_hasher(seed), shared: Bucket::default(), swept: Mono(0) }
    }

    /// Takes one token; false when there is none.
    pub fn allow(&mut self, now: Mono, source: IpAddr) -> bool {
        let source = owner(source);
        if !self.full_at.contains_key(&source) && !self.has_room(now) {
            return self.shared.take(self.rate, now);
        }
        self.full_at.entry(source).or_default().take(self.rate, now)
    }

    fn has_room(&mut self, now: Mono) -> bool {
        let full = self.full_at.len() >= self.rate.max_sources;
        if full && now.since(self.swept) >= Duration::from_secs(1) {
            self.swept = now;
            self.full_at.retain(|_, bucket| bucket.0 > now);
        }
        self.full_at.len() < self.rate.max_sources
    }
}

impl Bucket {
    /// Takes one token; false when there is none.
    pub fn take(&mut self, rate: Rate, now: Mono) -> bool {
        let token = Duration::from_secs(1) / rate.per_second.max(1);
        let later = now.max(self.0).after(token);
        let allowed = later.since(now) <= token.saturating_mul(rate.burst);
        if allowed {
            self.0 = later;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(max_sources: usize) -> RateLimit {
        RateLimit::new(Rate { per_second: 10, burst: 3, max_sources }, MapSeed(1, 2))
    }

    fn count(limit: &mut RateLimit, now: Mono, ip: &str) -> usize {
        (0..100).take_while(|_| limit.allow(now, ip.parse().unwrap())).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut l = limit(10);
        let at = |ms: u64| Mono(ms * 1000);
        assert_eq!(count(&mut l, at(0), "192.0.2.7"), 3);
        assert_eq!(count(&mut l, at(99), "192.0.2.7"), 0);
        assert_eq!(count(&mut l, at(100), "192.0.2.7"), 1);
        assert_eq!(count(&mut l, at(100), "192.0.2.8"), 3);
        assert_eq!(count(&mut l, at(9_000), "192.0.2.7"), 3);
    }

    #[test]
    fn an_ipv6_host_cannot_multiply_itself() {
        let mut l = limit(10);
        assert_eq!(count(&mut l, Mono(0), "2001:db8::1"), 3);
        assert_eq!(count(&mut l, Mono(0), "2001:db8::ffff:2"), 0);
        assert_eq!(count(&mut l, Mono(0), "2001:db8:0:1::1"), 3);
    }

    #[test]
    fn the_table_is_bounded_and_idle_sources_make_room() {
        let mut l = limit(2);
        assert_eq!([3, 3], ["192.0.2.1", "192.0.2.2"].map(|ip| count(&mut l, Mono(0), ip)));
        assert_eq!([3, 0], ["192.0.2.3", "192.0.2.4"].map(|ip| count(&mut l, Mono(0), ip)));
        assert_eq!(l.full_at.len(), 2);
        assert_eq!(count(&mut l, Mono(2_000_000), "192.0.2.4"), 3);
        assert_eq!(l.full_at.len(), 1);
    }
}
