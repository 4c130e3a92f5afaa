//! RTP ports that are free: the switch takes a pair that is already bound, so that SDP never waits for a socket.
//!
//! Each shard owns a slice of the range on every media address, of each family apart: a party is given an address of the
//! family that its voice goes by. A port rests after its call, with nobody behind it, so that
//! the phone of an old call is told that its port is gone; and it rests again as long as something still comes to it once it
//! is bound anew. A rest is a wish: where every other pair is in use, the one that has rested longest is taken.
//!
//! A few pairs are bound ahead, the more the more are in use. A burst that finds none bound takes others, and these are bound
//! when their leg opens: before anybody can have read the SDP.

use crate::base::{Counts, Mono, Rng};
use crate::media::Command;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// How soon it is tried again whether there are sockets.
const REST_SCARCE: Duration = Duration::from_secs(1);
/// A port that another process holds is tried again after this.
const REST_BUSY: Duration = Duration::from_secs(60);
/// Pairs bound ahead, and of those in use one in so many.
const AHEAD: RangeInclusive<usize> = 16..=256;
const AHEAD_OF_USED: usize = 8;
/// One in so many of a shard's pairs is kept for emergencies, and so many at most.
const KEPT: usize = 64;
const MOST_KEPT: usize = 32;

pub struct Ports {
    /// The most pairs of a family that are bound ahead in a shard.
    ahead: usize,
    rest: Duration,
    /// Pairs that may be bound at once in all, and how many of them only emergencies may use.
    most: usize,
    kept: usize,
    /// There was no socket to be had: one pair is tried by then, and when it is bound the others.
    scarce: Option<Mono>,
    /// Each shard has a pool of IPv4 and one of IPv6.
    shards: Vec<[Pool; 2]>,
    /// On whose account pairs are used, and how many of each.
    accounts: BTreeMap<SocketAddr, Arc<str>>,
    charged: Counts<Arc<str>>,
    disturbed: u64,
}

/// One shard's pairs of one family, by the address of their RTP half. Each is in exactly one place.
#[derive(Default)]
struct Pool {
    /// Number of all pairs.
    pairs: usize,
    free: VecDeque<SocketAddr>,
    binding: BTreeSet<SocketAddr>,
    ready: VecDeque<SocketAddr>,
    used: BTreeSet<SocketAddr>,
    /// With the time when the rest is over.
    resting: BTreeSet<(Mono, SocketAddr)>,
    /// Held by another process, and until when it is believed.
    busy: BTreeSet<(Mono, SocketAddr)>,
}

impl Ports {
    /// RTP on the even ports of the range, RTCP on the odd ones (RFC 3550 §11), in an order that cannot be guessed. At most
    /// `ahead` pairs of a family are kept bound ahead in a shard; a pair rests for `rest`.
    pub fn new(
        addresses: &[IpAddr],
        range: RangeInclusive<u16>,
        shards: u16,
        ahead: usize,
        rest: Duration,
        rng: &mut Rng,
    ) -> Ports {
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
        let (accounts, charged, most) = (BTreeMap::new(), Counts::default(), usize::MAX);
        Ports { ahead: ahead.max(1), rest, most, kept: 0, scarce: None, shards, accounts, charged, disturbed: 0 }
    }

    /// No more than so many pairs are bound at once; `kept` of them are for emergencies.
    pub fn at_most(self, most: usize, kept: usize) -> Ports {
        Ports { most, kept: kept.min(most / 2), ..self }
    }

    /// A pair of this family, or of the other where we have no address of it: a peer may speak both. None: the shard has none
    /// left, or there are no sockets for it. The last ones are for emergencies.
    pub fn take(&mut self, shard: u16, v6: bool, emergency: bool) -> Option<SocketAddr> {
        if !emergency && self.in_use() >= self.most.saturating_sub(self.kept) {
            return None;
        }
        let sockets = self.sockets();
        let pools = self.shards.get_mut(usize::from(shard))?;
        let pool = &mut pools[family(pools, v6)];
        let pair = if pool.left(emergency) == 0 { None } else { pool.next(sockets) }?;
        pool.used.insert(pair);
        Some(pair)
    }

    /// A pair that was taken counts as this source's until it is closed.
    pub fn charge(&mut self, pair: SocketAddr, source: &Arc<str>) {
        self.charged.add(source.clone());
        self.accounts.insert(pair, source.clone());
    }

    /// The pairs that this source's calls have.
    pub fn charged(&self, source: &str) -> usize {
        self.charged.of(source)
    }

    /// The most pairs that could be in use at once.
    pub fn all(&self) -> usize {
        self.pools().map(|pool| pool.pairs).sum::<usize>().min(self.most)
    }

    fn discharge(&mut self, pair: SocketAddr) {
        if let Some(source) = self.accounts.remove(&pair) {
            self.charged.remove(&source);
        }
    }

    /// Gives whether more are to be asked for at once: there had been no sockets.
    pub fn bound(&mut self, shard: u16, pair: SocketAddr) -> bool {
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.ready.push_back(pair);
        }
        self.scarce.take().is_some()
    }

    /// There is no socket to be had for it, nor for any other. A leg that has it closes.
    pub fn no_socket(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        let Some(pool) = self.pool(shard, pair) else { return };
        let asked = pool.binding.remove(&pair);
        if asked {
            pool.free.push_front(pair);
        }
        if asked || pool.used.contains(&pair) {
            self.scarce = Some(now.after(REST_SCARCE));
        }
    }

    /// Another process holds the port. A leg that has it closes.
    pub fn busy(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        self.scarce = None;
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.binding.contains(&pair)) {
            pool.binding.remove(&pair);
            pool.busy.insert((now.after(REST_BUSY), pair));
        }
    }

    pub fn closed(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        let over = now.after(self.rest);
        self.discharge(pair);
        if let Some(pool) = self.pool(shard, pair).filter(|pool| pool.used.contains(&pair)) {
            pool.used.remove(&pair);
            pool.resting.insert((over, pair));
        }
    }

    /// Something came to a pair that no leg had, and it is bound no more.
    pub fn disturbed(&mut self, now: Mono, shard: u16, pair: SocketAddr) {
        let over = now.after(self.rest);
        let Some(pool) = self.pool(shard, pair) else { return };
        if let Some(at) = pool.ready.iter().position(|ready| *ready == pair) {
            pool.ready.remove(at);
            pool.resting.insert((over, pair));
            self.disturbed += 1;
        }
    }

    /// Asks for pairs to be bound, or given back. Call it after each of the others. A few may be missing before it asks: each
    /// asking wakes the media thread.
    pub fn refill(&mut self, now: Mono, shard: u16, out: &mut Vec<Command>) {
        let mut room = match self.scarce {
            None => self.most.saturating_sub(self.held()),
            // One is enough to learn of it.
            Some(until) => usize::from(until <= now && !self.asked()),
        };
        let most = self.ahead;
        for pool in self.shards.get_mut(usize::from(shard)).into_iter().flatten() {
            room -= pool.refill(now, most, room, out);
        }
    }

    /// When a pair's rest is over that `refill` waits for; none: no shard is short of pairs.
    pub fn deadline(&self) -> Option<Mono> {
        let short = self.pools().filter(|pool| pool.short(self.ahead));
        let rests = short.clone().flat_map(|pool| pool.resting.first().into_iter().chain(pool.busy.first()));
        let tries = short.clone().any(|pool| !pool.free.is_empty()) && !self.asked();
        rests.map(|(over, _)| *over).chain(self.scarce.filter(|_| tries)).min()
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

    /// Pairs that rest.
    pub fn resting(&self) -> usize {
        self.pools().map(|pool| pool.resting.len()).sum()
    }

    /// How often something came to a pair that no leg had.
    pub fn disturbances(&self) -> u64 {
        self.disturbed
    }

    /// True when a call without need could take a pair, as [`Ports::take`] takes them.
    pub fn available(&self, shard: u16, v6: bool) -> bool {
        let sockets = self.sockets();
        self.in_use() < self.most.saturating_sub(self.kept)
            && self.shards.get(usize::from(shard)).is_some_and(|pools| {
                let pool = &pools[family(pools, v6)];
                pool.left(false) > 0 && pool.has_more(sockets)
            })
    }

    /// A family of which a shard can give none although it has ports.
    pub fn dry(&self) -> bool {
        let sockets = self.sockets();
        self.pools().any(|pool| pool.pairs > 0 && !pool.has_more(sockets))
    }

    fn sockets(&self) -> Sockets {
        match self.scarce {
            Some(_) => Sockets::Bound,
            None if self.held() >= self.most => Sockets::Asked,
            None => Sockets::More,
        }
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> + Clone {
        self.shards.iter().flatten()
    }

    fn pool(&mut self, shard: u16, pair: SocketAddr) -> Option<&mut Pool> {
        self.shards.get_mut(usize::from(shard)).map(|pools| &mut pools[usize::from(pair.is_ipv6())])
    }
}

/// The pairs for which there are sockets: those that are bound, those that are about to be too, or others too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sockets {
    Bound,
    Asked,
    More,
}

/// The one that is asked for, or the other where there is none of it.
fn family(pools: &[Pool; 2], v6: bool) -> usize {
    let wanted = usize::from(v6);
    if pools[wanted].pairs > 0 { wanted } else { 1 - wanted }
}

impl Pool {
    /// Counts the pairs that may still be taken. A pool of a few pairs can spare none.
    fn left(&self, emergency: bool) -> usize {
        let kept = if emergency { 0 } else { (self.pairs / KEPT).min(MOST_KEPT) };
        (self.pairs - self.used.len() - self.busy.len()).saturating_sub(kept)
    }

    /// The one that has been bound, or quiet, for longest.
    fn next(&mut self, sockets: Sockets) -> Option<SocketAddr> {
        let ready = self.ready.pop_front();
        let asked = ready.or_else(|| self.binding.pop_first().filter(|_| sockets >= Sockets::Asked));
        if asked.is_some() || sockets < Sockets::More {
            return asked;
        }
        self.free.pop_front().or_else(|| self.resting.pop_first().map(|(_, pair)| pair))
    }

    fn has_more(&self, sockets: Sockets) -> bool {
        let asked = sockets >= Sockets::Asked && !self.binding.is_empty();
        let others = sockets == Sockets::More && !(self.free.is_empty() && self.resting.is_empty());
        !self.ready.is_empty() || asked || others
    }

    /// Counts the pairs that are to be bound ahead.
    fn ahead(&self, most: usize) -> usize {
        (self.used.len() / AHEAD_OF_USED).clamp(*AHEAD.start(), *AHEAD.end()).min(most)
    }

    fn short(&self, most: usize) -> bool {
        let ahead = self.ahead(most);
        self.ready.len() + self.binding.len() + (ahead / 8).clamp(1, 16) <= ahead
    }

    /// Gives back what is bound in vain, and asks for no more than there is room for; gives how many.
    fn refill(&mut self, now: Mono, most: usize, room: usize, out: &mut Vec<Command>) -> usize {
        for waiting in [&mut self.resting, &mut self.busy] {
            while waiting.first().is_some_and(|(over, _)| *over <= now) {
                self.free.extend(waiting.pop_first().map(|(_, pair)| pair));
            }
        }
        let ahead = self.ahead(most);
        while self.ready.len() > 2 * ahead {
            let Some(rtp) = self.ready.pop_back() else { break };
            self.free.push_front(rtp);
            out.push(Command::Unbind { rtp });
        }
        if !self.short(most) {
            return 0;
        }
        let wanted = room.min(ahead - self.ready.len() - self.binding.len()).min(self.free.len());
        for rtp in self.free.drain(..wanted) {
            self.binding.insert(rtp);
            out.push(Command::Bind { rtp });
        }
        wanted
    }
}

fn pairs(addresses: &[IpAddr], range: RangeInclusive<u16>) -> Vec<SocketAddr> {
    let (first, last) = (*range.start(), *range.end());
    let even = (first..last).filter(|port| port.is_multiple_of(2) && *port > 0);
    even.flat_map(|port| addresses.iter().map(move |ip| SocketAddr::new(*ip, port))).collect()
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
