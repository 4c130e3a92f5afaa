//! RTP ports that are free: the switch takes a pair that is already bound, so that SDP never waits for a socket.
//!
//! Each shard owns a slice of the range on every media address, of each family apart: a party is given an address of the
//! family that its voice goes by. A closed port rests before it is bound anew, so that late packets of an old call do not
//! enter a new one.

use crate::base::{Mono, Rng};
use crate::media::Command;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

const REST_CLOSED: Duration = Duration::from_secs(5);
/// One in so many of the pairs that are bound ahead.
const KEPT: usize = 8;
/// How soon it is tried again whether there are sockets.
const REST_SCARCE: Duration = Duration::from_secs(1);
/// A port that another process holds is tried again after this.
const REST_BUSY: Duration = Duration::from_secs(60);

pub struct Ports {
    low_water: usize,
    /// Pairs that may be bound at once in all, and how many of them only emergencies may use.
    most: usize,
    kept: usize,
    /// There was no socket to be had: one pair is tried by then, and when it is bound the others.
    scarce: Option<Mono>,
    /// Each shard has a pool of IPv4 and one of IPv6.
    shards: Vec<[Pool; 2]>,
}

/// One shard's pairs of one family, by the address of their RTP half. Each is in exactly one place.
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
    /// `low_water` pairs of a family are kept bound ahead in a shard.
    pub fn new(addresses: &[IpAddr], range: RangeInclusive<u16>, shards: u16, low_water: usize, rng: &mut Rng) -> Ports {
        let mut pairs = pairs(addresses, range);
        for i in (1..pairs.len()).rev() {
            pairs.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let mut shards: Vec<[Pool; 2]> = (0..shards.max(1)).map(|_| Default::default()).collect();
        for v6 in [false, true] {
            let of_family = pairs.iter().filter(|pair| pair.is_ipv6() == v6);
            for (pair, turn) in of_family.zip((0..shards.len()).cycle()) {
                let pool = &mut shards[turn][usize::from(v6)];
                pool.free.push_back(*pair);
                pool.pairs += 1;
            }
        }
        Ports { low_water, most: usize::MAX, kept: 0, scarce: None, shards }
    }

    /// No more than so many pairs are bound at once; `kept` of them are for emergencies.
    pub fn at_most(self, most: usize, kept: usize) -> Ports {
        Ports { most, kept: kept.min(most / 2), ..self }
    }

    /// A bound pair of this family, or of the other where we have no address of it: a peer may speak both. None: the shard
    /// has none left, or none bound yet. The last ones are for emergencies: pairs that rest after calls that come and go fast
    /// must not be missing then.
    pub fn take(&mut self, shard: u16, v6: bool, emergency: bool) -> Option<SocketAddr> {
        let ahead = self.low_water;
        if !emergency && self.in_use() >= self.most.saturating_sub(self.kept) {
            return None;
        }
        let pool = self.of_family(shard, v6)?;
        // A pool of a few pairs can spare none.
        let kept = if emergency { 0 } else { ahead.min(pool.pairs / KEPT) / KEPT };
        if pool.ready.len() <= kept {
            return None;
        }
        let pair = pool.ready.pop_front()?;
        pool.used.insert(pair);
        Some(pair)
    }

    /// Gives whether more are to be asked for at once: there had been no sockets.
    pub fn bound(&mut self, shard: u16, pair: SocketAddr) -> bool {
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.ready.push_back(pair);
        }
        self.scarce.take().is_some()
    }

    /// There is no socket to be had for it, nor for any other.
    pub fn no_socket(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.free.push_front(pair);
            self.scarce = Some(now.after(REST_SCARCE));
        }
    }

    /// Another process holds the port.
    pub fn busy(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        self.scarce = None;
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.resting.insert((now.after(REST_BUSY), pair));
        }
    }

    pub fn closed(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.used.contains(&pair)) {
            pool.used.remove(&pair);
            pool.resting.insert((now.after(REST_CLOSED), pair));
        }
    }

    /// Asks for pairs to be bound, up to the low-water mark. Call it after each of the others. A few may be missing before
    /// it asks: each asking wakes the media thread.
    pub fn refill(&mut self, now: Mono, shard: u16, out: &mut Vec<Command>) {
        let mut room = match self.scarce {
            None => self.most.saturating_sub(self.held()),
            // One is enough to learn of it.
            Some(until) => usize::from(until <= now && !self.asked()),
        };
        let low_water = self.low_water;
        for pool in self.shards.get_mut(usize::from(shard)).into_iter().flatten() {
            room -= pool.refill(now, low_water, room, out);
        }
    }

    /// When a pair's rest is over that `refill` waits for; none: no shard is short of pairs.
    pub fn deadline(&self) -> Option<Mono> {
        let short = self.pools().filter(|pool| pool.short(self.low_water));
        let rests = short.clone().filter_map(|pool| pool.resting.first().map(|(over, _)| *over));
        let tries = short.clone().any(|pool| !pool.free.is_empty()) && !self.asked();
        rests.chain(self.scarce.filter(|_| tries)).min()
    }

    /// A pair is being bound.
    fn asked(&self) -> bool {
        self.pools().any(|pool| !pool.binding.is_empty())
    }

    /// Pairs that are bound, or about to be.
    fn held(&self) -> usize {
        self.pools().map(|pool| pool.used.len() + pool.ready.len() + pool.binding.len()).sum()
    }

    /// True where none can be had because there are no sockets, or so many may not be bound; not because all ports are taken.
    pub fn scarce(&self) -> bool {
        self.scarce.is_some() || self.held() >= self.most
    }

    /// Pairs that legs hold.
    pub fn in_use(&self) -> usize {
        self.pools().map(|pool| pool.used.len()).sum()
    }

    /// Pairs that can be taken at once, as [`Ports::take`] takes them.
    pub fn ready(&self, shard: u16, v6: bool) -> usize {
        self.shards.get(usize::from(shard)).map_or(0, |pools| pools[family(pools, v6)].ready.len())
    }

    /// A family of which a shard can give none although it has ports.
    pub fn dry(&self) -> bool {
        self.pools().any(|pool| pool.pairs > 0 && pool.ready.is_empty())
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> + Clone {
        self.shards.iter().flatten()
    }

    fn pool(&mut self, shard: u16, pair: SocketAddr) -> Option<&mut Pool> {
        self.shards.get_mut(usize::from(shard)).map(|pools| &mut pools[usize::from(pair.is_ipv6())])
    }

    fn of_family(&mut self, shard: u16, v6: bool) -> Option<&mut Pool> {
        let pools = self.shards.get_mut(usize::from(shard))?;
        let family = family(pools, v6);
        Some(&mut pools[family])
    }
}

/// The one that is asked for, or the other where there is none of it.
fn family(pools: &[Pool; 2], v6: bool) -> usize {
    let wanted = usize::from(v6);
    if pools[wanted].pairs > 0 { wanted } else { 1 - wanted }
}

impl Pool {
    /// Asks for no more than there is room for; gives how many.
    fn refill(&mut self, now: Mono, low_water: usize, room: usize, out: &mut Vec<Command>) -> usize {
        while self.resting.first().is_some_and(|(over, _)| *over <= now) {
            self.free.extend(self.resting.pop_first().map(|(_, pair)| pair));
        }
        if !self.short(low_water) {
            return 0;
        }
        let wanted = room.min(low_water - self.ready.len() - self.binding.len()).min(self.free.len());
        for rtp in self.free.drain(..wanted) {
            self.binding.insert(rtp);
            out.push(Command::Bind { rtp });
        }
        wanted
    }

    fn short(&self, low_water: usize) -> bool {
        self.ready.len() + self.binding.len() + slack(low_water) <= low_water
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
        for pair in &asked {
            ports.bound(shard, *pair);
        }
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
    fn each_party_gets_an_address_of_its_family_and_each_shard_has_both() {
        let addresses = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let mut ports = Ports::new(&addresses, 10_000..=10_099, 2, 8, &mut Rng::from_number(3));
        for shard in 0..2 {
            assert_eq!(fill(&mut ports, Mono(0), shard).len(), 16);
            assert_eq!((ports.ready(shard, false), ports.ready(shard, true)), (8, 8));
            let taken: Vec<SocketAddr> = (0..8).filter_map(|_| ports.take(shard, true, false)).collect();
            assert!(taken.len() == 8 && taken.iter().all(SocketAddr::is_ipv6));
            assert_eq!((ports.take(shard, true, true), ports.dry()), (None, true), "none of the other family stands in");
            assert!((0..8).all(|_| ports.take(shard, false, false).is_some_and(|pair| pair.is_ipv4())));
            taken.iter().for_each(|pair| ports.closed(Mono(0), shard, *pair));
            fill(&mut ports, Mono(0), shard);
        }
        let mut one = Ports::new(&addresses[..1], 10_000..=10_099, 1, 8, &mut Rng::from_number(3));
        fill(&mut one, Mono(0), 0);
        assert_eq!(one.ready(0, true), 8);
        assert!(
            one.take(0, true, false).is_some_and(|pair| pair.is_ipv4()),
            "there is no other address: the peer may speak both"
        );
    }

    #[test]
    fn only_bound_pairs_are_handed_out() {
        let mut ports = ports(10_000..=10_100, 1, 3);
        let mut out = Vec::new();
        ports.refill(Mono(0), 0, &mut out);
        assert_eq!((out.len(), ports.take(0, false, false)), (3, None));
        let Command::Bind { rtp } = out[1] else { panic!() };
        ports.bound(0, rtp);
        assert_eq!((ports.take(0, false, false), ports.take(0, false, false), ports.in_use()), (Some(rtp), None, 1));
        ports.refill(Mono(0), 0, &mut out);
        assert_eq!(out.len(), 4, "one was taken, one is asked for");
    }

    #[test]
    fn a_closed_pair_rests_and_comes_back() {
        let mut ports = ports(10_000..=10_001, 1, 2);
        let pairs = fill(&mut ports, Mono(0), 0);
        let taken = [ports.take(0, false, false).unwrap(), ports.take(0, false, false).unwrap()];
        assert_eq!((pairs.len(), ports.take(0, false, false), ports.deadline()), (2, None, None));
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
        assert_eq!(ports.take(0, false, false), None, "a late word about it changes nothing");
    }

    /// A process without descriptors tries no port after the other in vain, and takes up where it was when there are some.
    #[test]
    fn without_sockets_one_pair_is_tried_now_and_then_and_none_is_lost() {
        let mut ports = ports(10_000..=10_100, 2, 16);
        let ask = |ports: &mut Ports, now: Mono| {
            let mut out = Vec::new();
            (0..2).for_each(|shard| ports.refill(now, shard, &mut out));
            out.into_iter().map(|command| if let Command::Bind { rtp } = command { rtp } else { panic!() }).collect::<Vec<_>>()
        };
        let at = |ms: u64| Mono(0).after(Duration::from_millis(ms));
        let asked = ask(&mut ports, at(0));
        assert_eq!(asked.len(), 32);
        for pair in &asked {
            (0..2).for_each(|shard| ports.no_socket(at(0), shard, *pair));
        }
        assert!(ports.scarce());
        assert_eq!((ask(&mut ports, at(999)).len(), ports.deadline()), (0, Some(at(1000))));
        let tried = ask(&mut ports, at(1000));
        assert_eq!((tried.len(), ports.deadline()), (1, None), "until it is told");
        (0..2).for_each(|shard| ports.no_socket(at(1001), shard, tried[0]));
        let tried = ask(&mut ports, at(2001));
        assert_eq!(tried.len(), 1);
        assert!(ports.bound(0, tried[0]) || ports.bound(1, tried[0]));
        assert!(!ports.scarce());
        assert_eq!(ask(&mut ports, at(2001)).len(), 31, "all at once");
        // With nothing left to try nobody is woken for it.
        let mut one = Ports::new(&["127.0.0.1".parse().unwrap()], 10_000..=10_001, 1, 4, &mut Rng::from_number(1));
        let pair = ask(&mut one, at(0))[0];
        one.no_socket(at(0), 0, pair);
        let pair = ask(&mut one, at(1000))[0];
        one.bound(0, pair);
        one.scarce = Some(at(1000));
        assert_eq!(one.deadline(), None);
    }

    #[test]
    fn no_more_pairs_are_bound_than_there_are_sockets_for_and_emergencies_keep_theirs() {
        let mut ports = ports(10_000..=10_400, 2, 8).at_most(20, 4);
        let mut taken = Vec::new();
        let mut take = |ports: &mut Ports, emergency: bool| {
            (0..2).for_each(|shard| drop(fill(ports, Mono(0), shard)));
            assert!(ports.held() <= 20);
            let found = (0..2).find_map(|shard| ports.take(shard, false, emergency).map(|pair| (shard, pair)));
            taken.extend(found);
            found.is_some()
        };
        assert_eq!((0..100).filter(|_| take(&mut ports, false)).count(), 16);
        assert_eq!((0..100).filter(|_| take(&mut ports, true)).count(), 4);
        assert!(ports.scarce(), "there are ports, but no sockets");
        for (shard, pair) in taken.drain(..) {
            ports.closed(Mono(0), shard, pair);
        }
        assert!(!ports.scarce());
    }

    #[test]
    fn an_unknown_shard_has_no_ports() {
        let mut ports = ports(10_000..=10_003, 1, 1);
        ports.bound(7, SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000)));
        assert_eq!((ports.take(7, false, false), ports.ready(7, false)), (None, 0));
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
        assert_eq!(std::iter::from_fn(|| ports.take(0, false, false)).count(), 28);
        assert_eq!(std::iter::from_fn(|| ports.take(0, false, true)).count(), 4);
    }
}
