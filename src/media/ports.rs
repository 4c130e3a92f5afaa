//! RTP ports that are free: the switch takes a pair that is already bound, so that SDP never waits for a socket.
//!
//! Each shard owns a slice of the range on every media address. A closed port rests before it is bound anew, so that
//! late packets of an old call do not enter a new one.

use crate::base::{Mono, Rng};
use crate::media::Command;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

const REST_CLOSED: Duration = Duration::from_secs(5);
/// One in so many of the pairs that are bound ahead.
const KEPT: usize = 8;
/// A port that another process holds is tried again after this.
const REST_BUSY: Duration = Duration::from_secs(60);

pub struct Ports {
    low_water: usize,
    shards: Vec<Pool>,
}

/// One shard's pairs, by the address of their RTP half. Each is in exactly one place.
#[derive(Default)]
struct Pool {
    /// How many there are in all.
    pairs: usize,
    free: VecDeque<SocketAddr>,
    binding: BTreeSet<SocketAddr>,
    ready: VecDeque<SocketAddr>,
    used: BTreeSet<SocketAddr>,
    /// With the time when the rest is over.
    resting: BTreeSet<(Mono, SocketAddr)>,
}

impl Ports {
    /// RTP on the even ports of the range, RTCP on the odd ones (RFC 3550 §11), in an order that cannot be guessed.
    /// `low_water` pairs a shard are kept bound ahead.
    pub fn new(addresses: &[IpAddr], range: RangeInclusive<u16>, shards: u16, low_water: usize, rng: &mut Rng) -> Ports {
        let mut pairs: Vec<SocketAddr> = pairs(addresses, range);
        for i in (1..pairs.len()).rev() {
            pairs.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let mut pools: Vec<Pool> = (0..shards.max(1)).map(|_| Pool::default()).collect();
        let count = pools.len();
        for (i, pair) in pairs.into_iter().enumerate() {
            pools[i % count].free.push_back(pair);
            pools[i % count].pairs += 1;
        }
        Ports { low_water, shards: pools }
    }

    /// A bound pair; none: the shard has none left, or none bound yet. The last ones are for emergencies: pairs that rest
    /// after calls that come and go fast must not be missing then.
    pub fn take(&mut self, shard: u16, emergency: bool) -> Option<SocketAddr> {
        let ahead = self.low_water;
        let pool = self.pool(shard)?;
        // A pool of a few pairs can spare none.
        let kept = if emergency { 0 } else { ahead.min(pool.pairs / KEPT) / KEPT };
        if pool.ready.len() <= kept {
            return None;
        }
        let pair = pool.ready.pop_front()?;
        pool.used.insert(pair);
        Some(pair)
    }

    pub fn bound(&mut self, shard: u16, pair: SocketAddr) {
        if let Some(pool) = self.pool(shard).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.ready.push_back(pair);
        }
    }

    /// Another process holds the port.
    pub fn busy(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        if let Some(pool) = self.pool(shard).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.resting.insert((now.after(REST_BUSY), pair));
        }
    }

    pub fn closed(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        if let Some(pool) = self.pool(shard).filter(|pool| pool.used.contains(&pair)) {
            pool.used.remove(&pair);
            pool.resting.insert((now.after(REST_CLOSED), pair));
        }
    }

    /// Asks for pairs to be bound, up to the low-water mark. Call it after each of the others. A few may be missing before
    /// it asks: each asking wakes the media thread.
    pub fn refill(&mut self, now: Mono, shard: u16, out: &mut Vec<Command>) {
        let low_water = self.low_water;
        let Some(pool) = self.pool(shard) else { return };
        while pool.resting.first().is_some_and(|(over, _)| *over <= now) {
            pool.free.extend(pool.resting.pop_first().map(|(_, pair)| pair));
        }
        if pool.ready.len() + pool.binding.len() + slack(low_water) > low_water {
            return;
        }
        while pool.ready.len() + pool.binding.len() < low_water {
            let Some(rtp) = pool.free.pop_front() else { return };
            pool.binding.insert(rtp);
            out.push(Command::Bind { rtp });
        }
    }

    /// When a pair's rest is over that `refill` waits for; none: no shard is short of pairs.
    pub fn deadline(&self) -> Option<Mono> {
        let slack = slack(self.low_water);
        let short = self.shards.iter().filter(|pool| pool.ready.len() + pool.binding.len() + slack <= self.low_water);
        short.filter_map(|pool| pool.resting.first().map(|(over, _)| *over)).min()
    }

    /// Pairs that legs hold.
    pub fn in_use(&self) -> usize {
        self.shards.iter().map(|pool| pool.used.len()).sum()
    }

    /// Pairs that can be taken at once.
    pub fn ready(&self, shard: u16) -> usize {
        self.shards.get(usize::from(shard)).map_or(0, |pool| pool.ready.len())
    }

    fn pool(&mut self, shard: u16) -> Option<&mut Pool> {
        self.shards.get_mut(usize::from(shard))
    }
}

/// How many pairs may be missing.
fn slack(low_water: usize) -> usize {
    (low_water / 8).clamp(1, 16)
}

fn pairs(addresses: &[IpAddr], range: RangeInclusive<u16>) -> Vec<SocketAddr> {
    let (first, last) = (*range.start(), *range.end());
    let even = (first..last).filter(|port| port.is_multiple_of(2) && *port > 0);
    even.flat_map(|port| addresses.iter().map(move |ip| SocketAddr::new(*ip, port))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn ports(range: RangeInclusive<u16>, shards: u16, low_water: usize) -> Ports {
        let addresses = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
        Ports::new(&addresses, range, shards, low_water, &mut Rng::from_number(1))
    }

    /// Asks for pairs and answers each with `bound`.
    fn fill(ports: &mut Ports, now: Mono, shard: u16) -> Vec<SocketAddr> {
        let mut out = Vec::new();
        ports.refill(now, shard, &mut out);
        let asked = out.iter().map(|command| match command {
            Command::Bind { rtp } => *rtp,
            other => panic!("{other:?}"),
        });
        let asked: Vec<SocketAddr> = asked.collect();
        asked.iter().for_each(|pair| ports.bound(shard, *pair));
        asked
    }

    #[test]
    fn shards_share_nothing_and_cover_the_range() {
        let mut ports = ports(10_001..=10_013, 2, 100);
        let (a, b) = (fill(&mut ports, Mono(0), 0), fill(&mut ports, Mono(0), 1));
        let all: BTreeSet<SocketAddr> = a.iter().chain(&b).copied().collect();
        // 10,002 to 10,012 with their RTCP neighbours, on two addresses.
        assert_eq!((a.len(), b.len(), all.len()), (6, 6, 12));
        assert!(all.iter().all(|pair| pair.port() % 2 == 0 && (10_002..=10_012).contains(&pair.port())));
    }

    #[test]
    fn only_bound_pairs_are_handed_out() {
        let mut ports = ports(10_000..=10_100, 1, 3);
        let mut out = Vec::new();
        ports.refill(Mono(0), 0, &mut out);
        assert_eq!((out.len(), ports.take(0, false)), (3, None));
        let Command::Bind { rtp } = out[1] else { panic!() };
        ports.bound(0, rtp);
        assert_eq!((ports.take(0, false), ports.take(0, false), ports.in_use()), (Some(rtp), None, 1));
        ports.refill(Mono(0), 0, &mut out);
        assert_eq!(out.len(), 4, "one was taken, one is asked for");
    }

    #[test]
    fn a_closed_pair_rests_and_comes_back() {
        let mut ports = ports(10_000..=10_001, 1, 2);
        let pairs = fill(&mut ports, Mono(0), 0);
        let taken = [ports.take(0, false).unwrap(), ports.take(0, false).unwrap()];
        assert_eq!((pairs.len(), ports.take(0, false), ports.deadline()), (2, None, None));
        taken.iter().for_each(|pair| ports.closed(Mono(0), 0, *pair));
        ports.closed(Mono(0), 0, taken[0]);
        assert_eq!(ports.in_use(), 0);
        assert_eq!(fill(&mut ports, Mono(0).after(REST_CLOSED - Duration::from_millis(1)), 0), []);
        let over = ports.deadline().unwrap();
        assert_eq!(over, Mono(0).after(REST_CLOSED));
        assert_eq!(fill(&mut ports, over, 0).len(), 2);
    }

    #[test]
    fn a_busy_port_gives_way_to_the_next() {
        let mut ports = ports(10_000..=10_003, 1, 1);
        let mut out = Vec::new();
        ports.refill(Mono(0), 0, &mut out);
        let Some(Command::Bind { rtp: busy }) = out.pop() else { panic!() };
        ports.busy(Mono(0), 0, busy);
        ports.refill(Mono(0), 0, &mut out);
        assert!(matches!(out[..], [Command::Bind { rtp }] if rtp != busy));
        ports.bound(0, busy);
        assert_eq!(ports.take(0, false), None, "a late word about it changes nothing");
    }

    #[test]
    fn an_unknown_shard_has_no_ports() {
        let mut ports = ports(10_000..=10_003, 1, 1);
        ports.bound(7, SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000)));
        assert_eq!((ports.take(7, false), ports.ready(7)), (None, 0));
    }

    #[test]
    fn the_last_pairs_are_for_emergencies() {
        let mut ports = Ports::new(&["127.0.0.1".parse().unwrap()], 10_000..=10_599, 1, 32, &mut Rng::from_number(1));
        let mut out = Vec::new();
        ports.refill(Mono(0), 0, &mut out);
        for command in out {
            if let Command::Bind { rtp } = command {
                ports.bound(0, rtp);
            }
        }
        assert_eq!(std::iter::from_fn(|| ports.take(0, false)).count(), 28);
        assert_eq!(std::iter::from_fn(|| ports.take(0, true)).count(), 4);
    }
}
